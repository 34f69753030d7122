#!/usr/bin/env python3
"""Profiles whose kernel and initrds lie on another server: fetched once, kept, served to all.

    tests/e2e/image_cache.py [WORD]      all cases, or those whose name has the word
"""
import hashlib
import http.client
import os
import signal
import sys
import threading
import time

import netlib
from netlib import CLIENT, SERVER, Client, Lab, http_get, wait_for
from weblib import Page, Web, random_data

case = netlib.Cases()
KERNEL, INITRD = random_data((6 << 20) + 5), random_data(3 << 20)
HOLD = 1 << 20  # what is not given before its digest is known


def same(got, want, what="got"):
    if got != want:
        raise AssertionError("%s %.300r, expected %.300r" % (what, got, want))


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Site:
    """The daemon, and a web server in the client's namespace that profiles name."""

    def __init__(self, digest=False, images="", serve=True):
        self.digest, self.images, self.start = digest, images, serve

    def __enter__(self):
        self.lab = Lab().__enter__()
        self.web = Web(self.lab.client, CLIENT)
        self.web["/linux"], self.web["/initrd.gz"] = KERNEL, INITRD
        self.dir = os.path.join(self.lab.state, "images")
        if self.start:
            self.serve()
        return self

    def __exit__(self, *e):
        self.web.close()
        return self.lab.__exit__(*e)

    def config(self):
        def part(name, data):
            url = "%s/%s" % (self.web.url, name)
            return "{url: %s, sha256: %s}" % (url, sha(data)) if self.digest else url
        return ("networks: [{interface: sv0}]\nimages: {%s}\nprofiles:\n  p:\n    kernel: %s\n    initrd: [%s]\ndefault_profile: p\n"
                % (self.images, part("linux", KERNEL), part("initrd.gz", INITRD)))

    def serve(self):
        self.d = self.lab.serve(config=self.config())

    def get(self, part="kernel", seconds=30, **more):
        return http_get(self.lab.client, "/profiles/p/" + part, seconds=seconds, **more)

    def whole(self):
        same([sha(self.get(p)[2]) for p in ("kernel", "initrd0")], [sha(KERNEL), sha(INITRD)], "digests")

    def connect(self, part="kernel", seconds=30):
        """A request, its head read: the socket, the head, and what of the body came with it."""
        s = self.lab.client.connect(SERVER, 80, seconds=seconds)
        s.sendall(b"GET /profiles/p/%s HTTP/1.1\r\nHost: x\r\n\r\n" % part.encode())
        got = b""
        while b"\r\n\r\n" not in got:
            more = s.recv(65536)
            if not more:
                raise AssertionError("closed without an answer")
            got += more
        head, body = got.split(b"\r\n\r\n", 1)
        return s, head, body

    def held(self):
        """All octets in the directory, notes left out."""
        n = 0
        for f in os.listdir(self.dir) if os.path.isdir(self.dir) else []:
            try:
                n += 0 if f.endswith(".of") else os.path.getsize(os.path.join(self.dir, f))
            except FileNotFoundError:
                pass
        return n

    def dhcp_answers(self):
        Client(self.lab.link, broadcast=True).dora()

    def copies(self):
        return sorted(f for f in os.listdir(self.dir) if len(f) == 64) if os.path.isdir(self.dir) else []


def read_to(s, got, n):
    while len(got) < n:
        more = s.recv(1 << 20)
        if not more:
            break
        got += more
    return got


@case("scripts name our own URLs; each file is asked for once; a restart needs no server")
def _():
    for digest in (False, True):
        with Site(digest) as s:
            script = http_get(s.lab.client, "/machines/52-54-00-00-00-01/boot.ipxe")[2].decode()
            assert "kernel /profiles/p/kernel initrd=initrd0" in script and "initrd --name initrd0 /profiles/p/initrd0" in script, script
            assert s.web.url not in script, script
            for _ in range(3):
                s.whole()
            same((s.web.count("/linux"), s.web.count("/initrd.gz")), (1, 1), "requests upstream")
            s.d.wait_line("/linux is here: %d octets%s$" % (len(KERNEL), ", verified" if digest else ""))
            same(len(s.copies()), 2, "copies")
            status, headers, _ = s.get(method="HEAD")
            assert status == 200 and headers.get("etag"), headers
            s.d.kill(signal.SIGKILL)
            s.d.wait()
            s.d.checked = True
            s.serve()
            s.whole()
            same(s.web.count("/linux"), 1 if digest else 2, "requests upstream after a restart")
            if not digest:
                same(s.web.asked[-1].get("if-none-match"), '"1"', "If-None-Match")
            s.d.kill(signal.SIGKILL)
            s.d.wait()
            s.d.checked = True
            s.web.close()
            s.serve()
            s.whole()
            if not digest:
                s.d.wait_line("the copy that is here serves")


@case("a hundred at once: one download, and the first octets flow while it goes on")
def _():
    for digest in (False, True):
        with Site(digest) as s:
            page = Page(KERNEL)
            page.hold, page.hold_at = threading.Event(), 4 << 20
            s.web["/linux"] = page
            open_now = [s.connect() for _ in range(100)]
            got = []
            for sock, head, body in open_now:
                assert b"200" in head.split(b"\r\n")[0] and b"Content-Length: %d" % len(KERNEL) in head, head
                got.append(read_to(sock, body, 4 << 20))
            page.hold.set()
            for (sock, _, _), beginning in zip(open_now, got):
                same(sha(read_to(sock, beginning, len(KERNEL))), sha(KERNEL), "digest")
                sock.close()
            same(s.web.count("/linux"), 1, "requests upstream")


@case("an expected digest: the end waits until it is known; a wrong file nobody gets whole")
def _():
    with Site(True) as s:
        page = Page(KERNEL)
        page.hold, page.hold_at = threading.Event(), len(KERNEL) - 1
        s.web["/linux"] = page
        sock, head, body = s.connect()
        got = read_to(sock, body, len(KERNEL) - HOLD)
        same(len(got), len(KERNEL) - HOLD, "octets before the digest is known")
        sock.settimeout(0.5)
        try:
            raise AssertionError("%d octets more" % len(sock.recv(1)))
        except TimeoutError:
            pass
        sock.settimeout(netlib.PATIENCE)
        page.hold.set()
        same(sha(read_to(sock, got, len(KERNEL))), sha(KERNEL), "digest")
        sock.close()
    with Site(True) as s:
        s.web["/linux"] = evil = KERNEL[:-1] + b"!"
        sock, head, body = s.connect()
        got = read_to(sock, body, len(KERNEL))
        assert len(got) <= len(KERNEL) - HOLD, len(got)
        sock.close()
        s.d.wait_line("/linux is not what was expected: its SHA-256 is %s, expected %s; machines" % (sha(evil), sha(KERNEL)))
        status, _, body = s.get()
        assert status == 503 and b"not what was expected" in body, (status, body)
        same(s.copies(), [], "copies")
        time.sleep(2.1)
        s.web["/linux"] = KERNEL
        s.whole()
        # a copy that was damaged on disk is not used after a restart
        with open(os.path.join(s.dir, next(f for f in s.copies() if os.path.getsize(os.path.join(s.dir, f)) == len(KERNEL))), "r+b") as f:
            f.write(b"damaged")
        s.d.stop()
        s.serve()
        s.whole()


@case("the server is away: 503 and a sentence where there is no copy; later it is tried again")
def _():
    with Site() as s:
        s.web["/linux"] = Page(status=404)
        status, _, body = s.get()
        assert status == 503 and b"/linux: the server answers 404" in body, (status, body)
        s.d.wait_line("the server answers 404; machines that wait for it try again")
        same(s.get()[0], 503, "status")
        same(s.web.count("/linux"), 1, "requests upstream: who asks again at once")
        time.sleep(2.1)
        s.web["/linux"] = KERNEL
        s.whole()
        s.web.close()
        s.whole()


@case("connections upstream that are cut: who downloads does not notice")
def _():
    for digest in (False, True):
        with Site(digest) as s:
            s.web["/linux"] = Page(KERNEL, cuts=[1000000, 2000000, 1000000, None])
            s.whole()
            same(s.web.count("/linux"), 4, "requests upstream")


@case("a server that names two lengths: nobody gets octets whole that were not verified")
def _():
    with Site(True) as s:
        evil = random_data(len(KERNEL))
        page = Page(evil, cuts=[3000000, None])
        page.longer = evil + random_data(4 << 20)  # so that the end of what was announced would be no end
        page.pace = 8 << 20
        s.web["/linux"] = page
        sock, head, body = s.connect()
        assert b"Content-Length: %d" % len(KERNEL) in head, head
        sock.settimeout(30)
        got = len(body)
        while got < len(KERNEL):
            try:
                more = sock.recv(1 << 20)
            except ConnectionResetError:
                break
            if not more:
                break
            got += len(more)
        assert got < len(KERNEL), "all %d octets, unverified" % got
        s.d.wait_line("is not what was expected")
        same(s.copies(), [], "copies")


@case("another version in the middle: nobody gets a mixture")
def _():
    with Site() as s:
        page, new = Page(KERNEL), random_data(len(KERNEL))
        page.hold, page.hold_at = threading.Event(), 3000000
        s.web["/linux"] = page
        sock, head, body = s.connect()
        got = read_to(sock, body, 3000000)
        s.web["/linux"] = Page(new, etag='"2"')
        s.web.cut()
        page.hold.set()
        got = read_to(sock, got, len(KERNEL))
        sock.close()
        assert len(got) < len(KERNEL) and KERNEL.startswith(got), len(got)
        s.d.wait_line("D331")
        same(sha(s.get()[2]), sha(new), "the new version")


@case("no Content-Length upstream, and no validator")
def _():
    with Site() as s:
        s.web["/linux"] = Page(KERNEL, length=False, etag=None)
        for _ in range(2):
            s.whole()
        same(s.web.count("/linux"), 1, "requests upstream")


@case("by TFTP: when all of it is here")
def _():
    with Site() as s:
        same(sha(netlib.tftp_get(s.lab.client, "profiles/p/initrd0", blksize=1400)), sha(INITRD), "digest")
        same(s.web.count("/initrd.gz"), 1, "requests upstream")


@case("a limit: what was not used for longest goes; what is larger is refused")
def _():
    with Site(images="limit: 8M") as s:
        s.whole()
        s.d.wait_line("/linux goes: it was not used for longest, and images may have 8 MiB")
        wait_for("one copy", lambda: len(s.copies()) == 1)
        s.whole()
        same(s.web.count("/linux"), 2, "requests upstream")
    with Site(images="limit: 4M") as s:
        status, _, body = s.get()
        assert status == 503 and b"is larger than the 4 MiB that are allowed" in body, body


@case("clients that go, a reload and a stop in the middle")
def _():
    with Site() as s:
        page = Page(KERNEL)
        page.hold, page.hold_at = threading.Event(), 2 << 20
        s.web["/linux"] = page
        socks = [s.connect()[0] for _ in range(10)]
        for sock in socks[:5]:
            sock.close()
        s.d.kill(signal.SIGHUP)
        s.d.wait_line("^loaded anew")
        socks.append(s.connect()[0])
        same(s.web.count("/linux"), 1, "requests upstream")
        # DHCP and other files do not notice
        s.lab.write("http/small", "hello\n")
        same(http_get(s.lab.client, "/small")[2], b"hello\n", "another file")
        began = time.monotonic()
        s.d.stop()
        assert time.monotonic() - began < 5 + netlib.SOON
        page.hold.set()
        for sock in socks[5:]:
            sock.close()


@case("https with a CA of its own; mistakes in the configuration")
def _():
    with Site(serve=False) as s:
        s.lab.client.run([netlib.BOOTSMITH, "cert", "--dir", os.path.join(s.lab.dir, "tls"), "--name", CLIENT])
        tls = [os.path.join(s.lab.dir, "tls", n) for n in ("server-ecdsa.pem", "server-ecdsa.key", "ca.pem")]
        with Web(s.lab.client, CLIENT, 443, tls[:2]) as web:
            web["/linux"], web["/initrd.gz"] = KERNEL, INITRD
            s.web.url = web.url
            s.images = "ca: " + tls[2]
            s.serve()
            s.whole()
        for text, words in (("images: {limit: 10}", "a size such as"), ("images: {dir: x}", "an absolute path"),
                            ("profiles: {p: {kernel: {url: ftp://h/x}}}", "a URL such as"),
                            ("profiles: {p: {kernel: {sha256: %s}}}" % sha(b""), "no url"),
                            ("profiles: {p: {kernel: {url: http://h/x, sha256: 12}}}", "64 hexadecimal digits")):
            p = s.lab.server.run([netlib.BOOTSMITH, "check", "-c", s.lab.config("networks: [{interface: sv0}]\n%s\n" % text)], check=False)
            assert p.returncode == 1 and words in p.stderr, (text, p.stderr)


class Watch:
    """The most that a function gave while this was open."""

    def __init__(self, f):
        self.f, self.most, self.over = f, 0, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, self.f())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        return False


def given_up(s, page):
    """A download that fails after its tries; what has come stays."""
    s.web["/linux"] = page
    s.connect()[0].close()
    s.d.wait_line("/linux: .*; machines that wait for it try again", 30)


@case("a beginning counts for the limit, makes room, and is gone on with where it stays")
def _():
    cuts = [5000000, 0, 0, 0, 0]
    initrd = random_data(4 << 20)
    with Site() as s:
        given_up(s, Page(KERNEL, cuts=cuts))
        assert s.held() > 4000000, s.held()
        time.sleep(2.1)
        s.web["/linux"] = Page(KERNEL)
        s.whole()
        began = int(s.web.asked[-2]["range"][6:-1])
        assert 4000000 < began <= 5000000, s.web.asked[-2]
    with Site(images="limit: 8M") as s, Watch(s.held) as held:
        s.web["/initrd.gz"] = initrd
        given_up(s, Page(KERNEL, cuts=cuts))
        same(sha(s.get("initrd0")[2]), sha(initrd), "digest")
        wait_for("one copy", lambda: len(s.copies()) == 1)
        same(s.held(), len(initrd), "octets in the directory")
        time.sleep(2.1)
        s.web["/linux"] = KERNEL
        same(sha(s.get()[2]), sha(KERNEL), "digest")
        s.d.wait_line("/initrd.gz goes: ")
        assert held.most <= 8 << 20, held.most
    # without a validator nobody could go on with it
    with Site() as s:
        given_up(s, Page(KERNEL, etag=None, cuts=[1000000]))
        wait_for("nothing", lambda: os.listdir(s.dir) == [])


@case("two downloads that have no room together: one of them waits for its turn")
def _():
    for length in (True, False):
        with Site(images="limit: 8M") as s, Watch(s.held) as held:
            s.web["/initrd.gz"] = initrd = Page(random_data(4 << 20), length=length)
            s.web["/linux"] = page = Page(KERNEL)
            page.hold, page.hold_at = threading.Event(), 5 << 20
            sock, _, body = s.connect()
            status, _, sentence = s.get("initrd0")
            assert status == 503 and b"there is no room for %s/initrd.gz beside" % s.web.url.encode() in sentence, (status, sentence)
            page.hold.set()
            same(sha(read_to(sock, body, len(KERNEL))), sha(KERNEL), "digest")
            sock.close()
            wait_for("its turn", lambda: s.get("initrd0")[0] == 200, 20, 0.3)
            same(sha(s.get("initrd0")[2]), sha(initrd.data), "digest")
            assert held.most <= 8 << 20, held.most


@case("the kernel that has just come makes room for the initrd")
def _():
    with Site(images="limit: 8M", serve=False) as s:
        hung = s.lab.write("hung", "")
        s.d = s.lab.serve(config=s.config(), prefix=netlib.preloaded(HANG_DISK, HANG_DISK=hung, HANG_DISK_END=".part"))
        s.web["/initrd.gz"] = initrd = random_data(4 << 20)
        same(sha(s.get()[2]), sha(KERNEL), "digest")
        got = []
        t = threading.Thread(target=lambda: got.append(s.get("initrd0")), daemon=True)
        t.start()
        wait_for("a request", lambda: s.web.count("/initrd.gz") > 0, 20)
        os.unlink(hung)
        t.join(30)
        same((got[0][0], sha(got[0][2])), (200, sha(initrd)), "status and digest")
        s.d.wait_line("/linux goes: ", 20)


HANG_DISK = netlib.tool("hang_disk.so")


@case("a disk that takes its time for what has come: other downloads flow")
def _():
    with Site(serve=False) as s:
        hung = s.lab.write("hung", "")
        s.d = s.lab.serve(config=s.config(), prefix=netlib.preloaded(HANG_DISK, HANG_DISK=hung, HANG_DISK_END=".part"))
        same(sha(s.get("initrd0")[2]), sha(INITRD), "digest")
        wait_for("a beginning", lambda: s.held() == len(INITRD))
        same(sha(s.get("kernel")[2]), sha(KERNEL), "digest")
        s.dhcp_answers()
        same((s.d.count("/linux is here"), s.d.count("/initrd.gz is here")), (0, 0), "files on disk")
        os.unlink(hung)
        for name in ("linux", "initrd.gz"):
            s.d.wait_line("/%s is here" % name, 20)
        s.whole()


@case("a disk that hangs when a copy is opened: DHCP and other files do not notice")
def _():
    with Site(True, serve=False) as s:
        hung = os.path.join(s.lab.dir, "hung")
        name = sha(("%s/linux\n%s" % (s.web.url, sha(KERNEL))).encode())
        s.lab.write("templates/x.cfg", "of {{name}}\n")
        config = s.config().replace("    kernel:", "    files: {x.cfg: x.cfg}\n    kernel:") + (
            'templates: {root: %s/templates}\nmachines: [{name: web1, mac: "%s", profile: p}]\n'
            % (s.lab.dir, netlib.mac_text(s.lab.link.mac)))
        s.d = s.lab.serve(config=config, prefix=netlib.preloaded(HANG_DISK, HANG_DISK=hung, HANG_DISK_END=name[32:]))
        s.whole()
        s.lab.write("hung", "")
        s.lab.write("http/small", "hello\n")
        got = []
        # more than there are workers
        threads = [threading.Thread(target=lambda: got.append(s.get(seconds=60)), daemon=True) for _ in range(6)]
        for t in threads:
            t.start()
        time.sleep(0.3)
        for _ in range(3):
            s.dhcp_answers()
            same(http_get(s.lab.client, "/small")[2], b"hello\n", "another file")
            same(http_get(s.lab.client, "/machines/web1/x.cfg")[2], b"of web1\n", "a template")
        same(got, [], "the file on a disk that hangs")
        os.unlink(hung)
        for t in threads:
            t.join(30)
        same([sha(g[2]) for g in got], [sha(KERNEL)] * 6, "digests")


@case("a stop while a disk hangs over what has come, and over a copy: it ends when the disk answers")
def _():
    for end in (".part", None):
        with Site(True, serve=False) as s:
            hung = os.path.join(s.lab.dir, "hung")
            name = sha(("%s/linux\n%s" % (s.web.url, sha(KERNEL))).encode())
            s.d = s.lab.serve(config=s.config(), prefix=netlib.preloaded(HANG_DISK, HANG_DISK=hung, HANG_DISK_END=end or name[32:]))
            if not end:
                s.whole()
            s.lab.write("hung", "")
            socks = [s.lab.client.connect(SERVER, 80, seconds=60) for _ in range(4)]
            for sock in socks:
                sock.sendall(b"GET /profiles/p/kernel HTTP/1.1\r\nHost: x\r\n\r\n")
            if end:
                wait_for("all octets", lambda: s.held() == len(KERNEL), 20)
            same(http_get(s.lab.client, "/nothing")[0], 404, "status")
            s.d.kill(signal.SIGTERM)
            s.d.wait_line("^stopping")
            os.unlink(hung)
            for sock in socks:
                sock.close()
            same(s.d.wait(30), 0, "exit code")


@case("a full disk: machines are told so, and where the file is the log has")
def _():
    with Site(serve=False) as s:
        script = "mkdir -p %s; mount -t tmpfs -o size=4m none %s; exec \"$@\"" % (s.dir, s.dir)
        s.d = s.lab.serve(config=s.config(), prefix=["unshare", "--mount", "sh", "-c", script, "sh"])
        s.connect()[0].close()
        line = s.d.wait_line("/linux cannot be written to disk: No space left on device", 20)["message"]
        assert s.dir in line, line
        status, _, body = s.get()
        assert status == 503 and b"No space left on device" in body and s.lab.dir.encode() not in body, (status, body)


@case("a name server that never answers: all else goes on, and the daemon stops")
def _():
    with Site(serve=False) as s:
        silent = s.lab.client.udp(CLIENT, 53)
        resolv = s.lab.write("resolv.conf", "nameserver %s\noptions timeout:30 attempts:5\n" % CLIENT)
        # not by nscd or systemd-resolved, which may run beside the tests
        nsswitch = s.lab.write("nsswitch.conf", "hosts: dns\n")
        script = "mount --bind %s /etc/resolv.conf; mount --bind %s /etc/nsswitch.conf; exec \"$@\"" % (resolv, nsswitch)
        s.lab.write("http/small", "hello\n")
        s.web.url, real = "http://nobody.example", s.web.url
        text = s.config().replace("initrd: [http://nobody.example", "initrd: [" + real)
        s.d = s.lab.serve(config=text, prefix=["unshare", "--mount", "sh", "-c", script, "sh"])
        socks = [s.lab.client.connect(SERVER, 80, seconds=60) for _ in range(3)]
        for sock in socks:
            sock.sendall(b"GET /profiles/p/kernel HTTP/1.1\r\nHost: x\r\n\r\n")
        silent.settimeout(20)
        assert b"nobody" in silent.recv(1000)
        for _ in range(3):
            s.dhcp_answers()
            same(http_get(s.lab.client, "/small")[2], b"hello\n", "another file")
            same(netlib.tftp_get(s.lab.client, "profiles/p/initrd0", blksize=1400), INITRD, "an image, by TFTP")
        s.d.stop(seconds=20)
        for sock in socks:
            sock.close()


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
