#!/usr/bin/env python3
"""Black-box test of an HTTP server of bootsmith's: http_raw.py HOST PORT ROOTDIR

Sends what browsers never send, octet for octet, and prints one line per case.
ROOTDIR is the root that the server serves; files are made in it and removed.
Exits 1 and names the cases that failed.  Takes about 15 s: it waits for the
deadline of a slow head once.
"""
import os
import shutil
import socket
import sys
import tempfile
import time

HOST, PORT, ROOT = sys.argv[1], int(sys.argv[2]), sys.argv[3]
DIR = tempfile.mkdtemp(prefix="raw-", dir=ROOT)
BASE = "/" + os.path.basename(DIR)
SMALL = b"hello, firmware\n"
BIG = bytes(range(256)) * 12288  # 3 MiB
HUGE = BIG * 8  # more than the sockets of both sides hold
failed = []


class Reply:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.line, self.body = lines[0], body
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()

    def __getitem__(self, name):
        return self.fields.get(name, "")


class Conn:
    def __init__(self, timeout=30):
        self.s = socket.create_connection((HOST, PORT), timeout)
        self.buf = b""

    def send(self, data):
        self.s.sendall(data)
        return self

    def fill(self):
        more = self.s.recv(65536)
        self.buf += more
        return more

    def reply(self, head_only=False):
        while b"\r\n\r\n" not in self.buf:
            if not self.fill():
                raise EOFError("closed before a head came, after %r" % self.buf)
        head, _, self.buf = self.buf.partition(b"\r\n\r\n")
        r = Reply(head, b"")
        n = 0 if head_only or r.status == 304 else int(r["content-length"])
        while len(self.buf) < n:
            if not self.fill():
                raise EOFError("closed after %d of %d octets" % (len(self.buf), n))
        r.body, self.buf = self.buf[:n], self.buf[n:]
        return r

    def is_closed(self):
        """No octet more, and the end of the stream."""
        return self.buf == b"" and self.s.recv(1) == b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()


def case(name):
    def run(f):
        try:
            f()
            print("ok    %s" % name)
        except Exception as e:
            failed.append(name)
            print("FAIL  %s: %s %s" % (name, type(e).__name__, e))
    return run


def same(got, want, what="got"):
    if got != want:
        raise AssertionError("%s %r, expected %r" % (what, got, want))


def get(path, *fields, method="GET", version="1.1"):
    head = "%s %s HTTP/%s\r\nHost: x\r\n" % (method, path, version)
    return (head + "".join(f + "\r\n" for f in fields) + "\r\n").encode("latin-1")


def ask(path, *fields, method="GET"):
    with Conn() as c:
        return c.send(get(path, *fields, method=method)).reply(method == "HEAD")


def write(name, data):
    with open(os.path.join(DIR, name), "wb") as f:
        f.write(data)


def check_error(r):
    assert int(r["content-length"]) > 0 and r["content-type"].startswith("text/plain"), r.fields
    assert all(r.fields.values()), "an empty field value: %r" % r.fields


def raw(name, data, status):
    @case(name)
    def _():
        with Conn() as c:
            r = c.send(data).reply()
            same(r.status, status, "status")
            check_error(r)
            same(r["connection"], "close", "Connection")
            assert c.is_closed(), "the connection stays open"


def path_refused(path, statuses):
    @case("path %r is not served" % path)
    def _():
        r = ask(path)
        assert r.status in statuses, "status %d" % r.status
        check_error(r)


def refused_heads():
    g, h = b"GET %s/small.txt HTTP/1.1\r\n" % BASE.encode(), b"Host: x\r\n"
    for name, data, status in (
        ("two Content-Length", g + h + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        ("Content-Length list", g + h + b"Content-Length: 0, 0\r\n\r\n", 400),
        ("Content-Length +0", g + h + b"Content-Length: +0\r\n\r\n", 400),
        ("Content-Length empty", g + h + b"Content-Length:\r\n\r\n", 400),
        ("Content-Length past 64 bits", g + h + b"Content-Length: 18446744073709551617\r\n\r\n", 400),
        ("CL and TE", g + h + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("TE and CL", g + h + b"Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\nabcde", 400),
        ("TE chunked", g + h + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("TE in 1.0", g.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("fold", g + h + b"X-A: b\r\n c\r\n\r\n", 400),
        ("fold with tab", g + h + b"X-A: b\r\n\tc\r\n\r\n", 400),
        ("space before the first field", g + b" " + h + b"\r\n", 400),
        ("bare CR in a value", g + h + b"X-A: b\rc\r\n\r\n", 400),
        ("bare LF line ends", g.replace(b"\r", b"") + b"Host: x\n\n", 400),
        ("one bare LF", g + h + b"X-A: b\n\r\n", 400),
        ("bare LF hides a field", g + h + b"X-A: b\nContent-Length: 3\r\n\r\n", 400),
        ("NUL in a value", g + h + b"X-A: b\0c\r\n\r\n", 400),
        ("NUL in the target", b"GET /a\0b HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("ESC in a value", g + h + b"X-A: \x1b[2J\r\n\r\n", 400),
        ("DEL in a value", g + h + b"X-A: \x7f\r\n\r\n", 400),
        ("space before the colon", g + h + b"X-A : b\r\n\r\n", 400),
        ("no colon", g + h + b"X-A\r\n\r\n", 400),
        ("empty field name", g + h + b": b\r\n\r\n", 400),
        ("no Host", g + b"\r\n", 400),
        ("two Hosts", g + h + h + b"\r\n", 400),
        ("Host with a path", g + b"Host: x/y\r\n\r\n", 400),
        ("Host with a user", g + b"Host: a@b\r\n\r\n", 400),
        ("two spaces", b"GET  / HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("space in the target", b"GET /a b HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("tab in the target", b"GET /a\tb HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("no version", b"GET /\r\n" + h + b"\r\n", 400),
        ("space behind the version", b"GET / HTTP/1.1 \r\n" + h + b"\r\n", 400),
        ("lower-case version", b"GET / http/1.1\r\n" + h + b"\r\n", 400),
        ("version 1.10", b"GET / HTTP/1.10\r\n" + h + b"\r\n", 400),
        ("version 2.0", b"GET / HTTP/2.0\r\n" + h + b"\r\n", 505),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("version 0.9", b"GET / HTTP/0.9\r\n" + h + b"\r\n", 505),
        ("fragment", b"GET /a#b HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("relative target", b"GET a HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("asterisk", b"GET * HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("ftp URL", b"GET ftp://x/ HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("POST", b"POST / HTTP/1.1\r\n" + h + b"Content-Length: 3\r\n\r\nabc", 405),
        ("DELETE", b"DELETE / HTTP/1.1\r\n" + h + b"\r\n", 405),
        ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\n" + h + b"\r\n", 405),
        ("CONNECT", b"CONNECT a:80 HTTP/1.1\r\n" + h + b"\r\n", 405),
        ("lower-case get", b"get / HTTP/1.1\r\n" + h + b"\r\n", 501),
        ("BREW", b"BREW / HTTP/1.1\r\n" + h + b"\r\n", 501),
        ("method is no token", b"G(T / HTTP/1.1\r\n" + h + b"\r\n", 400),
        ("GET with a body", g + h + b"Content-Length: 5\r\n\r\nGET /", 413),
        ("unknown expectation", g + h + b"Expect: miracles\r\n\r\n", 417),
        ("field over the limit", g + h + b"X-A: " + b"a" * 8200 + b"\r\n\r\n", 431),
        ("65 fields", g + h + b"X-A: b\r\n" * 64 + b"\r\n", 431),
        ("target over the limit", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + h + b"\r\n", 414),
        ("path over 1 KiB", b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n" + h + b"\r\n", 414),
    ):
        raw("refused: " + name, data, status)

    @case("405 names what is allowed")
    def _():
        same(ask("/", method="PUT")["allow"], "GET, HEAD", "Allow")


def accepted_heads():
    g, h = b"GET %s/small.txt HTTP/1.1\r\n" % BASE.encode(), b"Host: x\r\n"
    full = b"GET http://some.host:8080%s/small.txt HTTP/1.1\r\n" % BASE.encode()
    for name, data in (
        ("plain", g + h + b"\r\n"),
        ("empty lines first", b"\r\n\r\n" + g + h + b"\r\n"),
        ("absolute form", full + h + b"\r\n"),
        ("HTTPS absolute form", full.replace(b"http:", b"HTTPS:") + h + b"\r\n"),
        ("HTTP/1.0 without Host", g.replace(b"1.1", b"1.0") + b"\r\n"),
        ("HTTP/1.7", g.replace(b"1.1", b"1.7") + h + b"\r\n"),
        ("empty Host", g + b"Host:\r\n\r\n"),
        ("4 KiB Cookie of LPXELINUX", g + h + b"Cookie: " + b"c" * 4096 + b"\r\n\r\n"),
        ("head of exactly 8 KiB", g + h + b"X: " + b"a" * (8192 - len(g + h) - 7) + b"\r\n\r\n"),
        ("64 fields", g + h + b"X-A: b\r\n" * 63 + b"\r\n"),
        ("Content-Length: 0", g + h + b"Content-Length: 0\r\n\r\n"),
        ("Expect: 100-continue", g + h + b"Expect: 100-continue\r\n\r\n"),
        ("odd but legal values", g + h + b"X-A:\r\nX-B: \t a\tb\xff \r\n\r\n"),
        ("query", g.replace(b".txt", b".txt?a=/../&b") + h + b"\r\n"),
        ("escaped letters", g.replace(b"small", b"%73m%61ll") + h + b"\r\n"),
        ("doubled slashes", g.replace(b"/", b"//", 2) .replace(b"HTTP//", b"HTTP/") + h + b"\r\n"),
        ("symlink inside the root", g.replace(b"small.txt", b"inside") + h + b"\r\n"),
    ):
        @case("accepted: " + name)
        def _():
            with Conn() as c:
                r = c.send(data).reply()
                same(r.status, 200, "status")
                same(r.body, SMALL, "body")

    @case("accepted: octet by octet")
    def _():
        with Conn() as c:
            for octet in g + h + b"\r\n":
                c.send(bytes([octet]))
            same(c.reply().body, SMALL, "body")


def paths():
    b = BASE
    up = "/.." * 12
    for path in (up + "/etc/passwd", b + "/../../etc/passwd", b + "/./small.txt", b + "/..", "/..",
                 "/.", b + "/%2e%2e/x", b + "/%2E./x", b + "/.%2e", b + "/a%2fsmall.txt", b + "%2Fsmall.txt",
                 b + "/small.txt%00", b + "/small%00.txt", b + "/small.txt%0d%0a", b + "/%7f", b + "/%",
                 b + "/%4", b + "/%zz", b + "/%u002e", b + "//..//..//etc/passwd"):
        path_refused(path, (400,))
    for path in (b + "/..%5c..%5cetc%5cpasswd", b + "/..\\..\\etc\\passwd", b + "/%252e%252e/x",
                 b + "/%252e%252e%252fetc", b + "/%c0%ae%c0%ae/x", b + "/\xc0\xae", b + "/nothing",
                 b + "/small.txt/", b + "/small.txt/x", b + "/...", b + "/small.txt%20"):
        path_refused(path, (404,))
    for path in (b + "/out", b + "/outdir/hostname", b + "/absolute", b + "/fifo", b, b + "/", b + "/sub",
                 b + "/loop", b + "/socket", "/proc/self/root/etc/passwd"):
        path_refused(path, (403, 404))

    @case("no redirect, no listing")
    def _():
        for path in (b, b + "/", b + "/sub", "//" + b[1:] + "//sub"):
            r = ask(path)
            assert "location" not in r.fields and b"small" not in r.body, (path, r.line)

    for name, want in (("a.efi", "application/efi"), ("a.ISO", "application/vnd.efi-iso"),
                       ("a.img", "application/vnd.efi-img"), ("a.ipxe", "text/plain"),
                       ("a", "application/octet-stream"),
                       ("a b%c.txt", "text/plain")):
        @case("type of %s" % name)
        def _():
            write(name, SMALL)
            r = ask(b + "/" + name.replace("%", "%25").replace(" ", "%20"))
            same(r.body, SMALL, "body")
            same(r["content-type"].split(";")[0], want, "type")


def replies():
    small, big, empty = BASE + "/small.txt", BASE + "/big.img", BASE + "/empty"

    @case("GET of 3 MiB")
    def _():
        r = ask(big)
        same((r.status, r.body == BIG, r["accept-ranges"]), (200, True, "bytes"))

    @case("HEAD equals GET")
    def _():
        for path in (small, big, empty, BASE + "/nothing"):
            get_fields, head = ask(path).fields, ask(path, method="HEAD")
            for fields in (get_fields, head.fields):
                assert all(fields.values()), "an empty field value: %r" % fields
                fields.pop("date")
            same(head.fields, get_fields, path)

    @case("nothing follows the head of HEAD")
    def _():
        with Conn() as c:
            c.send(get(small, method="HEAD") + get(small))
            same(c.reply(head_only=True).status, 200)
            same(c.reply().body, SMALL)

    @case("an empty file")
    def _():
        r = ask(empty)
        same((r.status, r["content-length"], r.body), (200, "0", b""))

    n = len(SMALL)
    for value, status, body, where in (
        ("bytes=0-0", 206, SMALL[:1], "bytes 0-0/%d" % n),
        ("bytes=2-4", 206, SMALL[2:5], "bytes 2-4/%d" % n),
        ("bytes=7-", 206, SMALL[7:], "bytes 7-%d/%d" % (n - 1, n)),
        ("bytes=-3", 206, SMALL[-3:], "bytes %d-%d/%d" % (n - 3, n - 1, n)),
        ("bytes=-999", 206, SMALL, "bytes 0-%d/%d" % (n - 1, n)),
        ("bytes=3-99999999999999999999999", 206, SMALL[3:], "bytes 3-%d/%d" % (n - 1, n)),
        ("BYTES=1-1", 206, SMALL[1:2], "bytes 1-1/%d" % n),
        ("bytes=%d-" % n, 416, None, "bytes */%d" % n),
        ("bytes=99999999999999999999999-", 416, None, "bytes */%d" % n),
        ("bytes=-0", 416, None, "bytes */%d" % n),
        ("bytes=0-1,3-4", 200, SMALL, ""),
        ("bytes=5-2", 200, SMALL, ""),
        ("bytes=a-b", 200, SMALL, ""),
        ("bytes=-", 200, SMALL, ""),
        ("bytes=", 200, SMALL, ""),
        ("lines=1-2", 200, SMALL, ""),
    ):
        @case("Range %s" % value)
        def _():
            r = ask(small, "Range: " + value)
            same((r.status, r["content-range"]), (status, where))
            if body is None:
                check_error(r)
            else:
                same(r.body, body, "body")

    @case("Range of HEAD is ignored")
    def _():
        same(ask(small, "Range: bytes=0-0", method="HEAD").status, 200, "status")

    @case("Range across turns of a big file")
    def _():
        same(ask(big, "Range: bytes=1000-2000999").body == BIG[1000:2001000], True, "equal")

    etag, date = ask(small)["etag"], ask(small)["last-modified"]
    old, new = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"
    assert etag.startswith('"'), "no strong ETag: %r" % etag
    for fields, status in (
        (["If-None-Match: " + etag], 304),
        (["If-None-Match: W/" + etag], 304),
        (["If-None-Match: \"a,b\", " + etag], 304),
        (["If-None-Match: \"a\"", "If-None-Match: " + etag], 304),
        (["If-None-Match: *"], 304),
        (["If-None-Match: \"a\""], 200),
        (["If-None-Match: \"a\"", "If-Modified-Since: " + date], 200),
        (["If-Modified-Since: " + date], 304),
        (["If-Modified-Since: " + new], 304),
        (["If-Modified-Since: " + old], 200),
        (["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"], 200),
        (["If-Modified-Since: Sun Nov  6 08:49:37 1994"], 200),
        (["If-Modified-Since: yesterday"], 200),
        (["If-Match: " + etag], 200),
        (["If-Match: *"], 200),
        (["If-Match: W/" + etag], 412),
        (["If-Match: \"a\", \"b\""], 412),
        (["If-Match: nonsense"], 412),
        (["If-Match: " + etag, "If-Unmodified-Since: " + old], 200),
        (["If-Unmodified-Since: " + date], 200),
        (["If-Unmodified-Since: " + old], 412),
        (["If-Unmodified-Since: soon"], 200),
        (["If-Match: " + etag, "If-None-Match: " + etag], 304),
        (["If-Match: " + etag, "Range: bytes=1-2"], 206),
        (["If-Match: \"a\"", "Range: bytes=1-2"], 412),
        (["If-Unmodified-Since: " + date, "Range: bytes=1-2"], 206),
        (["If-None-Match: " + etag, "Range: bytes=1-2"], 304),
        (["If-Range: " + etag, "Range: bytes=1-2"], 206),
        (["If-Range: " + date, "Range: bytes=1-2"], 206),
        (["If-Range: \"a\"", "Range: bytes=1-2"], 200),
        (["If-Range: W/" + etag, "Range: bytes=1-2"], 200),
        (["If-Range: " + old, "Range: bytes=1-2"], 200),
        (["If-Range: " + etag, "Range: bytes=99-"], 416),
        (["If-Range: \"a\"", "Range: bytes=99-"], 200),
    ):
        @case("condition %s" % "; ".join(fields))
        def _():
            with Conn() as c:
                r = c.send(get(small, *fields)).reply()
                same(r.status, status, "status")
                if status == 304:
                    same((r["etag"], r["content-length"]), (etag, str(n)))
                if status == 412:
                    check_error(r)
                same(c.send(get(small)).reply().body, SMALL, "the next answer")


def connections():
    small, big = BASE + "/small.txt", BASE + "/big.img"

    def after(data, closed):
        with Conn() as c:
            c.send(data).reply()
            if closed:
                assert c.is_closed(), "stays open"
            else:
                same(c.send(get(small)).reply().status, 200, "second status")

    for name, data, closed in (
        ("1.1 stays open", get(small), False),
        ("1.1 close", get(small, "Connection: close"), True),
        ("1.1 Close among others", get(small, "Connection: foo, Close"), True),
        ("1.0 closes", get(small, version="1.0"), True),
        ("1.0 keep-alive", get(small, "Connection: Keep-Alive", version="1.0"), False),
        ("1.0 keep-alive, close", get(small, "Connection: keep-alive, close", version="1.0"), True),
        ("404 stays open", get("/nothing"), False),
        ("416 stays open", get(small, "Range: bytes=99-"), False),
    ):
        @case("connection: " + name)
        def _():
            after(data, closed)

    @case("pipelined requests are answered in order")
    def _():
        with Conn() as c:
            c.send(b"".join(get(BASE + "/small.txt", "Range: bytes=%d-%d" % (i % 9, i % 9)) for i in range(100)))
            for i in range(100):
                same(c.reply().body, SMALL[i % 9:i % 9 + 1], "answer %d" % i)

    @case("pipelined behind a big one, and a refused one last")
    def _():
        with Conn() as c:
            c.send(get(big) + get(small) + b"\r\nGET / HTTP/1.1\r\n\r\n" + get(small))
            same(c.reply().body == BIG, True)
            same(c.reply().body, SMALL)
            same(c.reply().status, 400)
            assert c.is_closed()

    @case("a client that sends its end first is answered")
    def _():
        with Conn() as c:
            c.send(get(small))
            c.s.shutdown(socket.SHUT_WR)
            same(c.reply().body, SMALL)
            assert c.is_closed()

    @case("a refused request with much behind it still reads its answer")
    def _():
        with Conn() as c:
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + b"a" * 200000)
            same(c.reply().status, 405)

    @case("a slow reader gets the old file when it is replaced")
    def _():
        write("swap", HUGE)
        with Conn() as c:
            c.send(get(BASE + "/swap"))
            c.fill()
            write("swap.new", b"xxx")
            os.rename(os.path.join(DIR, "swap.new"), os.path.join(DIR, "swap"))
            same(c.reply().body == HUGE, True, "the old octets")
        same(ask(BASE + "/swap").body[:3], b"xxx", "the new file")

    for name, spoil in (("truncated", lambda f: f.truncate(1000)),
                        ("rewritten", lambda f: f.write(b"y" * len(HUGE)))):
        @case("a file %s in place is cut short" % name)
        def _():
            write("spoilt", HUGE)
            with Conn() as c:
                c.send(get(BASE + "/spoilt"))
                c.fill()
                time.sleep(0.2)
                with open(os.path.join(DIR, "spoilt"), "r+b") as f:
                    spoil(f)
                try:
                    c.reply()
                except (EOFError, ConnectionResetError):
                    pass
                else:
                    raise AssertionError("answered in full")

    @case("a big transfer does not hold up a small one")
    def _():
        with Conn() as slow:
            slow.send(get(big))
            began = time.monotonic()
            same(ask(small).body, SMALL)
            assert time.monotonic() - began < 10

    @case("the server lives after aborted transfers")
    def _():
        for _i in range(20):
            with Conn() as c:
                c.send(get(big))
                c.s.recv(1)
        same(ask(small).body, SMALL)


def deadlines():
    with Conn() as half, Conn() as silent, Conn() as drip:
        @case("a half head is answered 408 after ten seconds, a silent connection closed")
        def _():
            began = time.monotonic()
            half.send(b"GET / HTTP/1.1\r\nHost:")
            drip.send(b"GET / HTTP/1.1\r\n")
            while time.monotonic() - began < 7:
                time.sleep(1)
                drip.send(b"A: b\r\n")
            same(half.reply().status, 408)
            assert half.is_closed()
            took = time.monotonic() - began
            assert 9.5 < took < 25, "after %.1f s" % took
            same(drip.reply().status, 408, "octets now and then: status")
            assert silent.is_closed()


def main():
    outside = tempfile.mkdtemp(prefix="raw-outside-")
    try:
        write("small.txt", SMALL)
        write("big.img", BIG)
        write("empty", b"")
        os.utime(os.path.join(DIR, "small.txt"), (1600000000, 1600000000))
        os.mkdir(os.path.join(DIR, "sub"))
        os.mkfifo(os.path.join(DIR, "fifo"))
        with open(os.path.join(outside, "hostname"), "w") as f:
            f.write("secret\n")
        for target, name in ((os.path.join("..", "..", "..", "..", "..", "..", "etc", "passwd"), "out"),
                             (outside, "outdir"), ("/etc/passwd", "absolute"), ("small.txt", "inside"),
                             ("loop", "loop")):
            os.symlink(target, os.path.join(DIR, name))
        s = socket.socket(socket.AF_UNIX)
        s.bind(os.path.join(DIR, "socket"))
        accepted_heads()
        refused_heads()
        paths()
        replies()
        connections()
        deadlines()
    finally:
        shutil.rmtree(DIR)
        shutil.rmtree(outside)
    if failed:
        print("%d failed: %s" % (len(failed), "; ".join(failed)))
        sys.exit(1)


main()
