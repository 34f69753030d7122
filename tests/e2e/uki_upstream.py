#!/usr/bin/env python3
"""Unified kernel images, and kernels for Secure Boot, whose files lie on another server:
uki_upstream.py [WORD...]

The image leaves as its parts come; what firmware cannot wait for is told in time; what is
not what it should be nobody gets whole, or at all.
"""
import hashlib
import os
import re
import struct
import sys
import threading

import netlib
import uki
import ukilib
from netlib import CLIENT, SERVER, Lab, http_get, wait_for
from weblib import Page, Web, random_data

case = netlib.Cases()
same, get, asks, image = uki.same, uki.get, uki.asks, uki.image
LINUX = uki.read(uki.INSTALLER % ("amd64", "amd64", "linux"))
HELD = 1 << 20  # the end of a file with a digest waits until that is known
PATIENCE = 20   # of these tests, on a machine that has other things to do


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Site:
    """The daemon; a web server in the client's namespace; a profile with parts of both."""

    def __init__(self, digest=True, profile="loader: uki", serve=True):
        self.digest, self.profile, self.start = digest, profile, serve

    def __enter__(self):
        self.lab = Lab().__enter__()
        self.web = Web(self.lab.client, CLIENT)
        self.parts = {"linux": LINUX, "i1": random_data((3 << 20) + 1), "i0": random_data(70001)}
        self.lab.write("http/i0", self.parts["i0"])
        for name in ("linux", "i1"):
            self.web["/" + name] = Page(self.parts[name])
        self.want = image(self.parts, "x64", ("i1", "i0"), "far", b"quiet host=web1", "linux")
        if self.start:
            self.serve()
        return self

    def __exit__(self, *e):
        for page in self.web.pages.values():
            for event in (page.hold, page.silence):
                if event:
                    event.set()
        self.web.close()
        return self.lab.__exit__(*e)

    def config(self):
        def part(name):
            url = "%s/%s" % (self.web.url, name)
            return "{url: %s, sha256: %s}" % (url, sha(self.parts[name])) if self.digest else url
        return ("""
loaders: {stub: {arm64: %s}}
networks: [{interface: sv0, conflict_check: off}]
profiles:
  far: {kernel: %s, initrd: [%s, i0], cmdline: "quiet host={{hostname}}", %s}
machines: [{name: web1, mac: 52:54:00:00:00:01}, {name: web2, mac: 52:54:00:00:00:02}]
default_profile: far
""" % (uki.STUBS["arm64"], part("linux"), part("i1"), self.profile))

    def serve(self):
        self.d = self.lab.serve(config=self.config())

    def asks(self, number=1, arch=16):
        return asks(self.lab, number, arch)

    def connect(self, path):
        """A GET, its answer's head read: the socket, the head, what came of the body."""
        s = self.lab.client.connect(SERVER, 80, seconds=PATIENCE)
        s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        got = b""
        while b"\r\n\r\n" not in got:
            more = s.recv(65536)
            assert more, "closed without an answer"
            got += more
        head, body = got.split(b"\r\n\r\n", 1)
        return s, head, body

    def gets_all(self, path):
        """Sooner or later: what is still being fetched is told so."""
        def whole():
            status, _, body = http_get(self.lab.client, path, seconds=PATIENCE)
            assert status in (200, 503), (status, body)
            return body if status == 200 else None
        return wait_for("the whole image", whole, PATIENCE, every=0.5)

    def counts(self):
        return self.web.count("/linux"), self.web.count("/i1")


def read_to(s, got, n):
    while len(got) < n:
        try:
            more = s.recv(1 << 20)
        except ConnectionResetError:
            break
        if not more:
            break
        got += more
    return got


@case("the octets that another hand makes; twenty machines at once are one download; a strong tag that stays")
def _():
    for digest in (True, False):
        with Site(digest) as s:
            path = s.asks()
            same(path, "/machines/52-54-00-00-00-01/boot.efi")
            other = s.asks(2)
            names = [os.path.join(s.lab.dir, "c%d" % i) for i in range(20)]
            running = [s.lab.client.spawn(["curl", "-sSf", "-o", name, "http://%s%s" % (SERVER, (path, other)[i % 2])])
                       for i, name in enumerate(names)]
            for p in running:
                same(p.wait(60), 0)
            second = image(s.parts, "x64", ("i1", "i0"), "far", b"quiet host=web2", "linux")
            for i, name in enumerate(names):
                assert uki.read(name) == (s.want, second)[i % 2], "image %d is another" % i
            same(s.counts(), (1, 1), "requests upstream")
            s.d.wait_line("/linux is here: %d octets%s$" % (len(LINUX), ", verified" if digest else ""), PATIENCE)
            status, head, _ = get(s.lab, path, method="HEAD")
            same((status, int(head["content-length"])), (200, len(s.want)))
            tag = head["etag"]
            assert tag.startswith('"') and len(tag) == 34, head
            status, head, body = get(s.lab, path, "Range: bytes=4000000-4999999", "If-Range: " + tag)
            same((status, head["etag"]), (206, tag))
            assert body == s.want[4000000:5000000]
            same(get(s.lab, path, "If-None-Match: " + tag)[0], 304)
            # The copy on disk is the same file after a restart; without a digest its server is asked once more.
            s.d.stop()
            s.serve()
            path = s.asks()
            assert s.gets_all(path) == s.want
            same(get(s.lab, path, method="HEAD")[1]["etag"], tag)
            same(s.counts(), (1, 1) if digest else (2, 2), "requests upstream after a restart")
            if not digest:  # a newer version is another image
                s.web["/i1"] = Page(s.parts["i1"], etag='"2"')
                s.d.stop()
                s.serve()
                assert s.gets_all(s.asks()) == s.want
                assert get(s.lab, path, method="HEAD")[1]["etag"] != tag


@case("DHCP hears the machine, and the download begins")
def _():
    for profile in ("loader: uki", "loader: ipxe"):
        with Site(profile=profile) as s:
            same(s.counts(), (0, 0), "requests upstream before")
            s.asks()
            wait_for("both files", lambda: s.counts() == (1, 1), PATIENCE)
            s.d.wait_line("/linux is here", PATIENCE)
            s.d.wait_line("/i1 is here", PATIENCE)
            for number in (1, 2, 3):
                s.asks(number)
            same(s.counts(), (1, 1), "requests upstream after more of DHCP")
    with Site(profile="loader: uki, local_boot: false", serve=False) as s:
        s.lab.serve(config=s.config().replace(", local_boot: false", "").replace("default_profile: far", ""))
        s.asks()
        same(s.counts(), (0, 0), "requests upstream for a profile of nobody")


@case("the image leaves while its parts come: all that there is, and the rest when it is there")
def _():
    for digest in (True, False):
        with Site(digest) as s:
            page = s.web["/linux"]
            page.hold, page.hold_at = threading.Event(), 5 << 20
            path = s.asks()
            sock, head, body = s.connect(path)
            assert b" 200 " in head.split(b"\r\n")[0] and b"Content-Length: %d" % len(s.want) in head, head
            assert b"ETag" not in head, head  # which version it will be nobody knows
            linux = [x for x in ukilib.Head(s.want).sections if x["name"] == ".linux"][0]["raw"]
            got = read_to(sock, body, linux + (5 << 20))
            assert got == s.want[:len(got)]
            # HEAD, another machine, and a range of what there is, meanwhile
            same(get(s.lab, path, method="HEAD")[1]["content-length"], str(len(s.want)))
            other, _, _ = s.connect(s.asks(2))
            other.close()
            same(get(s.lab, path, "Range: bytes=%d-%d" % (linux - 5, linux + 4))[2], s.want[linux - 5:linux + 5])
            # the last MiB, and it alone, waits for the digest
            page.hold.set()
            got = read_to(sock, got, len(s.want))
            assert got == s.want, len(got)
            same(s.counts(), (1, 1), "requests upstream")


@case("a server that says nothing: 503 and a reason before firmware gives up, and the image when it speaks")
def _():
    with Site() as s:
        page = s.web["/i1"]
        page.silence = threading.Event()
        path = s.asks()
        status, head, body = http_get(s.lab.client, path, seconds=PATIENCE)
        same((status, head.get("retry-after")), (503, "5"))
        same(page.silence.is_set(), False)
        assert b"/i1 is still being fetched: try again" in body, body
        s.d.wait_line(r"52:54:00:00:00:01 \(web1\) has nothing to run: .*/i1 is still being fetched", PATIENCE)
        # Others, and other files, do not notice.
        same(http_get(s.lab.client, "/i0", seconds=PATIENCE)[0], 200)
        page.silence.set()
        assert s.gets_all(path) == s.want
        same(s.counts(), (1, 1), "requests upstream")
    with Site() as s:  # a size that nobody tells: all of it must be here
        s.web["/i1"] = page = Page(s.parts["i1"], length=False)
        page.hold, page.hold_at = threading.Event(), 2 << 20
        path = s.asks()
        status, _, body = http_get(s.lab.client, path, seconds=PATIENCE)
        assert status == 503 and b"still being fetched" in body, (status, body)
        page.hold.set()
        assert s.gets_all(path) == s.want


@case("connections upstream that are cut: the machine does not notice; for good, its download ends")
def _():
    with Site() as s:
        s.web["/linux"] = Page(LINUX, cuts=[2000000, 3000000, None])
        assert s.gets_all(s.asks()) == s.want
        same(s.web.count("/linux"), 3, "requests upstream")
    with Site() as s:
        page = s.web["/linux"]
        page.hold, page.hold_at = threading.Event(), 3 << 20
        path = s.asks()
        sock, _, body = s.connect(path)
        got = read_to(sock, body, 4 << 20)
        s.web["/linux"] = Page(status=404)
        s.web.cut()
        page.hold.set()
        sock.settimeout(60)
        got = read_to(sock, got, len(s.want))
        assert len(got) < len(s.want) and got == s.want[:len(got)], len(got)
        s.d.wait_line("D331", PATIENCE)
        status, _, body = http_get(s.lab.client, path, seconds=PATIENCE)
        assert status == 503 and b"/linux" in body, (status, body)
        s.web["/linux"] = Page(LINUX)
        assert s.gets_all(path) == s.want


@case("a wrong digest: nobody has the whole image, and the next one is told why")
def _():
    for name in ("linux", "i1"):
        with Site() as s:
            s.web["/" + name] = page = Page(s.parts[name][:-1] + b"!")
            page.hold, page.hold_at = threading.Event(), 2 << 20
            path = s.asks()
            sock, _, body = s.connect(path)
            page.hold.set()
            got = read_to(sock, body, len(s.want))
            assert len(got) <= len(s.want) - HELD, len(got)
            s.d.wait_line("/%s is not what was expected: its SHA-256 is " % name, PATIENCE)
            status, _, body = http_get(s.lab.client, path, seconds=PATIENCE)
            assert status == 503 and b"/%s is not what was expected" % name.encode() in body, (status, body)
            s.web["/" + name] = Page(s.parts[name])
            assert s.gets_all(path) == s.want


def descriptors_of(s):
    return len(os.listdir("/proc/%d/fd" % s.d.p.pid))


@case("machines that give up free what they held")
def _():
    with Site() as s:
        page = s.web["/linux"]
        page.silence = threading.Event()
        path = s.asks()
        before = descriptors_of(s)
        for _ in range(3):
            socks = [s.lab.client.connect(SERVER, 80) for _ in range(40)]
            for sock in socks:
                sock.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
            s.d.wait_line("is still being fetched", PATIENCE)
            for sock in socks:
                sock.close()
        wait_for("descriptors", lambda: descriptors_of(s) <= before + 2, PATIENCE)
        page.silence.set()
        assert s.gets_all(path) == s.want
        # and in the middle of an answer
        wait_for("descriptors", lambda: descriptors_of(s) <= before + 2, 2 * PATIENCE)
    with Site() as s:
        page = s.web["/linux"]
        page.hold, page.hold_at = threading.Event(), 2 << 20
        path = s.asks()
        before = descriptors_of(s)
        socks = [s.connect(path)[0] for _ in range(20)]
        for sock in socks:
            sock.close()
        page.hold.set()
        s.d.wait_line("/linux is here", PATIENCE)
        wait_for("descriptors", lambda: descriptors_of(s) <= before + 2, PATIENCE)
        assert s.gets_all(path) == s.want


@case("a reload and a stop in the middle")
def _():
    with Site() as s:
        page = s.web["/linux"]
        page.hold, page.hold_at = threading.Event(), 2 << 20
        path = s.asks()
        sock, _, body = s.connect(path)
        s.d.kill(1)
        s.d.wait_line("^loaded anew", PATIENCE)
        other, _, _ = s.connect(path)
        page.hold.set()
        assert read_to(sock, body, len(s.want)) == s.want
        same(s.counts(), (1, 1), "requests upstream")
    with Site() as s:
        s.web["/i1"].silence = threading.Event()
        path = s.asks()
        waiting = s.lab.client.connect(SERVER, 80, seconds=PATIENCE)
        waiting.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        wait_for("the question", lambda: s.counts()[1] == 1, PATIENCE)
        s.d.stop()


@case("what comes is no kernel, or one for other machines: a reason as soon as its head is there")
def _():
    for data, arch, reason in ((b"\x1f\x8b" + random_data(3 << 20), 16, "is no UEFI image (PE) but a gzip file: unpack it"),
                               (LINUX, 19, "is an image for x64, and arm64 is wanted"),
                               (b"short", 16, "is no PE file"), (b"", 16, "is empty")):
        with Site(digest=False) as s:
            s.web["/linux"] = page = Page(data)
            if len(data) > 2 << 20:
                page.hold, page.hold_at = threading.Event(), 1 << 20
            path = s.asks(1, arch)
            status, _, body = http_get(s.lab.client, path, seconds=PATIENCE)
            assert status == 500 and ("/linux " + reason).encode() in body, (status, body, reason)
            s.d.wait_line("has nothing to run: .*/linux " + re.escape(reason), PATIENCE)


def unsigned(kernel):
    """The same without its certificate table."""
    data = bytearray(kernel)
    at = struct.unpack_from("<I", data, 60)[0] + 24
    struct.pack_into("<II", data, at + 112 + 32, 0, 0)
    return bytes(data)


@case("Secure Boot: a kernel that is not signed, or for another architecture, is refused, with a reason on the screen")
def _():
    arm64 = uki.read(uki.INSTALLER % ("arm64", "arm64", "linux"))
    no = "is not signed, and Secure Boot loads nothing unsigned"
    for data, reason in ((unsigned(LINUX), no), (arm64, "is an image for arm64, and x64 is wanted"),
                         (random_data(3 << 20), "is no PE file"), (LINUX, None)):
        with Site(digest=False, profile="secure_boot: true") as s:
            s.web["/linux"] = page = Page(data)
            page.hold, page.hold_at = threading.Event(), 2 << 20
            # The machine itself asks, from the address of its lease.
            c = netlib.Client(s.lab.link, mac=bytes.fromhex("525400000001"), options=netlib.pxe_options(7), broadcast=True)
            s.lab.client.ip("addr add %s/24 dev cl0" % c.dora().yiaddr)
            address = re.search(r"inet (10\.77\.\S+)/24 scope global secondary cl0",
                                s.lab.client.run(["ip", "addr", "show", "dev", "cl0"]).stdout).group(1)
            s.lab.client.ip("route replace %s dev cl0 src %s" % (SERVER, address))
            if not reason:
                sock, head, body = s.connect("/profiles/far/kernel")
                got = read_to(sock, body, 2 << 20)
                page.hold.set()
                assert read_to(sock, got, len(LINUX)) == LINUX
                assert netlib.tftp_get(s.lab.client, "profiles/far/kernel", blksize=1400) == LINUX
                continue
            # by HTTP as soon as the head is there, by TFTP when all is
            status, _, body = http_get(s.lab.client, "/profiles/far/kernel", seconds=PATIENCE)
            assert status == 500 and ("/linux " + reason).encode() in body, (status, body)
            same(page.hold.is_set(), False)
            page.hold.set()
            s.d.wait_line("/linux is here", PATIENCE)
            try:
                netlib.tftp_get(s.lab.client, "profiles/far/kernel")
                raise AssertionError("it was given by TFTP")
            except netlib.TftpError as e:
                assert reason in str(e), e
            s.d.wait_line(r"52:54:00:00:00:01 \(web1\) has nothing to run: http://\S+/linux " + reason, PATIENCE)
            same(s.d.count("has nothing to run"), 2)
            # initrds are not signed, and profiles without Secure Boot are not judged
            same(http_get(s.lab.client, "/profiles/far/initrd0", seconds=PATIENCE)[0], 200)


@case("a disk for Secure Boot by HTTP: made and sent while its files come, or refused with the reason")
def _():
    with Site(profile="secure_boot: true") as s:
        page = s.web["/linux"]
        page.hold, page.hold_at = threading.Event(), 3 << 20
        path = s.asks()
        same(path, "/machines/52-54-00-00-00-01/boot.img")
        sock, head, body = s.connect(path)
        size = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        got = body  # shim and GRUB, and of the kernel what there is
        while LINUX[:2 << 20] not in got:
            got = read_to(sock, got, len(got) + 1)
        page.hold.set()
        got = read_to(sock, got, size)
        same(len(got), size)
        for name, data in s.parts.items():
            assert data in got, name
        same(s.counts(), (1, 1), "requests upstream")
    with Site(digest=False, profile="secure_boot: true") as s:
        s.web["/linux"] = Page(unsigned(LINUX))
        status, _, body = http_get(s.lab.client, s.asks(), seconds=PATIENCE)
        reason = b"/linux is not signed, and Secure Boot loads nothing unsigned"
        assert status == 500 and reason in body, (status, body)
        s.d.wait_line(r"has nothing to run: http://\S+" + reason.decode(), PATIENCE)


@case("check: parts that lie elsewhere are fine, the others are looked into")
def _():
    with Site(serve=False) as s:
        def check(text):
            r = s.lab.server.run([netlib.BOOTSMITH, "check", "-c", s.lab.config(text)], check=False)
            return r.returncode, r.stdout + r.stderr

        same(check(s.config())[0], 0)
        code, said = check(s.config().replace(", i0]", ", gone]"))
        assert code == 1 and "http/gone does not exist" in said, said
        s.lab.write("http/linux", b"none")
        code, said = check(re.sub(r"kernel: {.*?}", "kernel: linux", s.config()))
        assert code == 1 and "http/linux is no PE file" in said, said
        same(s.counts(), (0, 0), "requests upstream")


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
