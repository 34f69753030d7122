"""A web server with manners that can be chosen, for the tests that fetch from one.

It answers on threads of its own, in whatever namespace its socket was made.  Each page
says how it behaves: whether it knows ranges, where it cuts the connection, how slow
it is.  `asked` has every request, in order.
"""
import os
import socket
import ssl
import struct
import threading
import time


class Page:
    """One path's content and manners.

    cuts: for one request after the other, the number of octets after which the connection
    is cut (None: not); the last one holds for all that follow.  pace: octets a second.
    """

    def __init__(self, data=b"", etag='"1"', ranges=True, cuts=(None,), pace=None, status=200, headers=(), length=True,
                 wait=0, modified=None):
        self.data, self.etag, self.ranges, self.cuts = data, etag, ranges, list(cuts)
        self.pace, self.status, self.headers, self.length = pace, status, list(headers), length
        self.wait, self.modified = wait, modified
        self.longer = None  # what it goes on with in ranges: a liar
        self.more = b""  # octets after the last one
        self.hold = None  # an Event: octets after `hold_at` wait for it
        self.hold_at = 0
        self.silence = None  # an Event: nothing is answered before it


class Web:
    def __init__(self, ns, address, port=80, certificate=None):
        self.s = ns.tcp_listener(address, port)
        self.s.listen(256)
        self.url = "%s://%s%s" % ("https" if certificate else "http", address,
                                  "" if port == (443 if certificate else 80) else ":%d" % port)
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        self.pages, self.asked, self.lock, self.closed = {}, [], threading.Lock(), False
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False

    def close(self):
        """No server any more: nothing answers on its port."""
        self.closed = True
        try:
            self.s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.cut()
        self.s.close()

    def cut(self):
        """Ends the connections there are."""
        with self.lock:
            rest, self.open = list(self.open), set()
        for s in rest:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __setitem__(self, path, page):
        self.pages[path] = page if isinstance(page, Page) else Page(page)

    def __getitem__(self, path):
        return self.pages[path]

    def count(self, path):
        with self.lock:
            return sum(1 for r in self.asked if r["path"] == path)

    def _accept(self):
        while not self.closed:
            try:
                s, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, raw):
        with self.lock:
            self.open.add(raw)
        s = raw
        try:
            if self.tls:
                s = self.tls.wrap_socket(raw, server_side=True)
            while self._one(s):
                pass
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(raw)
            s.close()

    def _one(self, s):
        head = b""
        while b"\r\n\r\n" not in head:
            more = s.recv(65536)
            if not more:
                return False
            head += more
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        fields = {k.strip().lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:] if x)}
        path = target.split("?")[0]
        with self.lock:
            self.asked.append({"method": method, "path": path, "target": target, **fields})
            page = self.pages.get(path)
            cut = None
            if page:
                cut = page.cuts.pop(0) if len(page.cuts) > 1 else page.cuts[0]
        if not page:
            return self._answer(s, method, Page(b"nothing here\n", status=404), None, None)
        if page.wait:
            time.sleep(page.wait)
        if page.silence:
            page.silence.wait(60)
        return self._answer(s, method, page, fields, cut)

    def _answer(self, s, method, page, fields, cut):
        data, status, extra = page.data, page.status, list(page.headers)
        fields = fields or {}
        if page.etag:
            extra.append(("ETag", page.etag))
        if page.modified:
            extra.append(("Last-Modified", page.modified))
        if page.ranges:
            extra.append(("Accept-Ranges", "bytes"))
        validators = (page.etag, page.modified)
        if status == 200 and (page.etag and fields.get("if-none-match") == page.etag or
                              page.modified and fields.get("if-modified-since") == page.modified):
            status, data = 304, b""
        wanted = fields.get("range", "")
        if status == 200 and page.ranges and wanted.startswith("bytes=") and fields.get("if-range", page.etag) in validators:
            first = int(wanted[6:].split("-")[0])
            data = page.longer or data
            if first >= len(data):
                status, data = 416, b""
                extra.append(("Content-Range", "bytes */%d" % len(page.data)))
            else:
                status, data = 206, data[first:]
                total = first + len(data)
                extra.append(("Content-Range", "bytes %d-%d/%d" % (first, total - 1, total)))
        if page.length and status != 304:
            extra.append(("Content-Length", str(len(data))))
        else:
            extra.append(("Connection", "close"))
        s.sendall(("HTTP/1.1 %d Answer\r\n%s\r\n" % (status, "".join("%s: %s\r\n" % h for h in extra))).encode())
        if method == "HEAD":
            return True
        self._send(s, page, data + page.more if cut is None else data[:cut])
        if cut is not None:
            # a reset, as of a router that forgot
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(0.05)
        return cut is None and page.length

    @staticmethod
    def _send(s, page, data):
        view = memoryview(data)
        if page.hold:
            s.sendall(view[:page.hold_at])
            view = view[page.hold_at:]
            page.hold.wait(30)
        step = len(view) if not page.pace else max(1, page.pace // 20)
        while view:
            s.sendall(view[:step])
            view = view[step:]
            if page.pace:
                time.sleep(0.05)


def random_data(n):
    return (os.urandom(min(n, 1 << 20)) * (n // (1 << 20) + 1))[:n]
