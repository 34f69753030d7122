#!/usr/bin/env python3
"""Unified kernel images as they are served: uki.py [WORD...]

machines/WHO/boot.efi, octet for octet what another hand makes of the same parts
(ukilib.py), by ranges and conditions as a file is; what changes, and what cannot be made.
"""
import json
import os
import random
import signal
import sys

import netlib
import ukilib
from netlib import ACK, SERVER, Client, Lab

case = netlib.Cases()
ROOT = os.path.join(netlib.HERE, "../..")
INSTALLER = "/usr/lib/debian-installer/images/12/%s/text/debian-installer/%s/%s"
STUBS = {"x64": "/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
         "arm64": os.path.join(ROOT, "build/peers/arm64/usr/lib/systemd/boot/efi/linuxaa64.efi.stub")}
ARCHES = {"x64": (16, "amd64"), "arm64": (19, "arm64")}
CONFIG = """
loaders: {stub: {arm64: %s}}
networks: [{interface: sv0, conflict_check: off}]
profiles:
  live: {kernel: linux, initrd: [i0, i1, i2], cmdline: "console=ttyS0 host={{hostname}} a=\\"b c\\" x={{vars.x}} s={{server}}", loader: uki}
  arm: {kernel: linux-arm64, initrd: i0, cmdline: quiet}
  ipxe: {kernel: linux, loader: ipxe}
  bare: {kernel: linux, loader: uki}
machines:
  - {name: web1, mac: 52:54:00:00:00:01, profile: live, vars: {x: "über $(reboot)"}}
  - {name: arm1, mac: 52:54:00:00:00:02, profile: arm}
  - {name: ipxe1, mac: 52:54:00:00:00:03, profile: ipxe}
  - {name: wrong, mac: 52:54:00:00:00:04, profile: live, vars: {x: y}}
  - {name: bare1, mac: 52:54:00:00:00:05, profile: bare}
default_profile: live
""" % STUBS["arm64"]


def read(path):
    with open(path, "rb") as f:
        return f.read()


def same(got, want, what=""):
    assert got == want, "%s %r, expected %r" % (what, got, want)


def prepared(lab):
    """The parts, in the root; a short third initrd, so that padding counts."""
    parts = {"linux": read(INSTALLER % ("amd64", "amd64", "linux")),
             "linux-arm64": read(INSTALLER % ("arm64", "arm64", "linux")),
             "i0": random.randbytes(300001), "i1": b"x", "i2": random.randbytes(70000)}
    for name, octets in parts.items():
        lab.write("http/" + name, octets)
    return parts


def asks(lab, number, arch, hostname=None):
    """A machine's firmware asks by DHCP; the URL's path that it is told."""
    options = [(60, b"HTTPClient:Arch:%05d:UNDI:003001" % arch), (93, bytes([0, arch]))]
    if hostname:
        options.append((12, hostname))
    c = Client(lab.link, mac=bytes.fromhex("5254000000%02x" % number), options=options, broadcast=True)
    ack = c.request(c.discover())
    assert ack.kind == ACK, ack
    url = ack.opt.get(67, b"").rstrip(b"\0").decode()
    return url and url.split(SERVER, 1)[1]


def address(lab, number):
    """Of the machine's lease."""
    r = lab.server.run([netlib.BOOTSMITH, "lease", "list", "--json", "--socket", lab.socket])
    return [x["address"] for x in json.loads(r.stdout) if x["mac"].endswith(":%02x" % number)][0]


def moves_in(lab, number):
    """The client asks from the machine's own address, as firmware does: nobody else moves its state."""
    at = address(lab, number)
    lab.client.ip("addr flush dev cl0")
    lab.client.ip("addr add %s/24 dev cl0" % at)


def states(lab, number):
    r = lab.server.run([netlib.BOOTSMITH, "machine", "list", "--json", "--socket", lab.socket])
    return [m["state"] for m in json.loads(r.stdout) if m["mac"] == "52:54:00:00:00:%02x" % number]


def image(parts, arch, names, profile, cmdline, kernel):
    return ukilib.assemble(read(STUBS[arch]), parts[kernel],
                           b'ID=linux\nPRETTY_NAME="%s"\n' % profile.encode(), cmdline,
                           [parts[n] for n in names])


def web1(parts):
    return image(parts, "x64", ("i0", "i1", "i2"), "live",
                 'console=ttyS0 host=web1 a="b c" x=über $(reboot) s=10.77.0.1'.encode(), "linux")


def get(lab, path, *fields, method="GET"):
    """(status, headers, body) by curl, which is strict about lengths."""
    out, head = os.path.join(lab.dir, "body"), os.path.join(lab.dir, "head")
    argv = ["curl", "-sS", "--path-as-is", "-o", out, "-D", head, "http://%s%s" % (SERVER, path)]
    for f in fields:
        argv += ["-H", f]
    if method == "HEAD":
        argv.append("-I")
    lab.client.run(argv)
    lines = read(head).decode().split("\r\n")
    return (int(lines[0].split()[1]), {k.lower(): v for k, v in (x.split(": ", 1) for x in lines[1:] if x)},
            b"" if method == "HEAD" or not os.path.exists(out) else read(out))


@case("the octets that another hand makes of the same parts: x64 and arm64, with and without initrds")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        lab.serve(config=CONFIG)
        path = asks(lab, 1, 16)
        same(path, "/machines/52-54-00-00-00-01/boot.efi")
        status, head, body = get(lab, path)
        same((status, head["content-type"]), (200, "application/efi"))
        assert body == web1(parts), "web1's image is another"
        assert get(lab, "/machines/web1/boot.efi")[2] == body, "by name"
        path = asks(lab, 2, 19)
        assert get(lab, path)[2] == image(parts, "arm64", ["i0"], "arm", b"quiet", "linux-arm64"), "arm1's"
        path = asks(lab, 5, 16)
        assert get(lab, path)[2] == image(parts, "x64", [], "bare", b"", "linux"), "bare1's"


@case("ranges, HEAD and conditions as for a file; a strong tag")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        d = lab.serve(config=CONFIG)
        path, want = asks(lab, 1, 16), web1(parts)
        status, head, _ = get(lab, path, method="HEAD")
        same((status, int(head["content-length"]), head["accept-ranges"]), (200, len(want), "bytes"))
        tag = head["etag"]
        assert tag.startswith('"') and len(tag) == 34 and "last-modified" not in head, head
        # Across each border between two pieces, and anywhere.
        table = ukilib.Head(want)
        borders = {0, table.table + 40 * table.n, len(want)}
        for s in table.sections:
            borders |= {s["raw"], s["raw"] + s["vsize"], s["raw"] + s["rsize"]}
        initrd = [s for s in table.sections if s["name"] == ".initrd"][0]["raw"]
        borders |= {initrd + 300001, initrd + 300004, initrd + 300005, initrd + 300008}
        ranges = [(max(b - 3, 0), min(b + 3, len(want) - 1)) for b in sorted(borders) if b < len(want)]
        for _ in range(20):
            a, b = sorted(random.randrange(len(want)) for _ in range(2))
            ranges.append((a, b))
        for a, b in ranges:
            status, head, body = get(lab, path, "Range: bytes=%d-%d" % (a, b))
            same((status, head["content-range"], head["etag"]), (206, "bytes %d-%d/%d" % (a, b, len(want)), tag))
            assert body == want[a:b + 1], "octets %d to %d" % (a, b)
        same(get(lab, path, "Range: bytes=-7")[2], want[-7:])
        same(get(lab, path, "Range: bytes=%d-" % len(want))[0], 416)
        same(get(lab, path, "If-None-Match: " + tag)[0], 304)
        same(get(lab, path, "If-Match: \"x\"")[0], 412)
        same(get(lab, path, "If-Range: " + tag, "Range: bytes=1-2")[0], 206)
        same(get(lab, path, "If-Range: \"x\"", "Range: bytes=1-2")[0], 200)
        # Each part is in the tag: the command line, a file's time, another file of that name.
        tags = {tag}
        os.utime(lab.http + "/i1", ns=(1, 1))
        tags.add(get(lab, path, method="HEAD")[1]["etag"])
        lab.write("http/i1.new", "x")
        os.rename(lab.http + "/i1.new", lab.http + "/i1")
        tags.add(get(lab, path, method="HEAD")[1]["etag"])
        lab.config(CONFIG.replace("$(reboot)", "$(REBOOT)"))
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        tags.add(get(lab, path, method="HEAD")[1]["etag"])
        same(len(tags), 4, "tags")
        assert d.alive()


@case("twenty at once, some of them slow: each has its own machine's")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        lab.serve(config=CONFIG)
        path, want = asks(lab, 1, 16), web1(parts)
        other, others = asks(lab, 5, 16), image(parts, "x64", [], "bare", b"", "linux")
        slow = lab.client.connect(SERVER, 80, receive_buffer=4096)
        slow.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        names = [os.path.join(lab.dir, "c%d" % i) for i in range(20)]
        running = [lab.client.spawn(["curl", "-sSf", "-o", name, "http://%s%s" % (SERVER, (path, other)[i % 2])])
                   for i, name in enumerate(names)]
        for p in running:
            same(p.wait(60), 0)
        for i, name in enumerate(names):
            assert read(name) == (want, others)[i % 2], i
        got = b""
        slow.settimeout(30)
        while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < len(want):
            got += slow.recv(1 << 20)
        assert got.split(b"\r\n\r\n", 1)[1] == want


@case("a part that is written anew while it is sent ends the answer; nothing mixed goes out")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        d = lab.serve(config=CONFIG)
        path, want = asks(lab, 1, 16), web1(parts)
        s = lab.client.connect(SERVER, 80, receive_buffer=4096)
        s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        got = s.recv(4096)
        with open(lab.http + "/linux", "r+b") as f:
            f.seek(4 << 20)
            f.write(b"changed")
        s.settimeout(20)
        while True:
            more = s.recv(1 << 20)
            if not more:
                break
            got += more
        body = got.split(b"\r\n\r\n", 1)[1]
        assert len(body) < len(want) and body == want[:len(body)], len(body)
        d.wait_line("D325")
        same(get(lab, path)[0], 200)


@case("what cannot be made: an error with its reason, the same in the log; others have theirs")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        d = lab.serve(config=CONFIG)

        def refused(number, arch, reason, path=None):
            path = path or asks(lab, number, arch) or "/machines/52-54-00-00-00-%02x/boot.efi" % number
            status, _, body = get(lab, path)
            assert status >= 400 and reason in body.decode(), (status, body[:300])
            return d.wait_line(reason.replace("(", ".").replace(")", "."))

        refused(4, 19, "http/linux is an image for x64, and arm64 is wanted")
        asks(lab, 3, 16)
        refused(3, 16, "iPXE first", "/machines/52-54-00-00-00-03/boot.efi")
        refused(9, 16, "its architecture is not known", "/machines/52-54-00-00-00-09/boot.efi")
        refused(8, 16, "vars.x")  # nobody's machine has no such variable
        path = asks(lab, 1, 16)
        os.rename(lab.http + "/i2", lab.http + "/away")
        refused(1, 16, "http/i2 No such file", path)
        lab.write("http/i2", "")
        refused(1, 16, "http/i2 is empty", path)
        os.rename(lab.http + "/away", lab.http + "/i2")
        assert get(lab, path)[2] == web1(parts)
        lab.write("http/linux", b"\x1f\x8b" + random.randbytes(5000))
        refused(1, 16, "is no UEFI image (PE) but a gzip file: unpack it", path)
        assert get(lab, asks(lab, 2, 19))[0] == 200
        try:
            netlib.tftp_get(lab.client, path[1:])
            raise AssertionError("an image by TFTP")
        except netlib.TftpError:
            pass


@case("check and a reload refuse what would not boot, and the old configuration stays")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        d = lab.serve(config=CONFIG)
        path = asks(lab, 1, 16)
        lab.write("http/linux", parts["i0"])
        for argv in ((), ("serve",)):
            if argv:
                d.kill(signal.SIGHUP)
                d.wait_line("http/linux is no PE file")
            else:
                r = lab.server.run([netlib.BOOTSMITH, "check", "-c", lab.config(CONFIG)], check=False)
                assert r.returncode == 1 and "http/linux is no PE file" in r.stdout + r.stderr, r
        lab.write("http/linux", parts["linux"])
        assert get(lab, path)[2] == web1(parts)
        lab.config(CONFIG.replace("{stub: {arm64: %s}}" % STUBS["arm64"], "{stub: {arm64: %s}}" % STUBS["x64"]))
        d.kill(signal.SIGHUP)
        d.wait_line("is an image for x64, and arm64 is wanted")
        assert get(lab, path)[2] == web1(parts)


@case("a client's own host name stays one word of the command line")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        lab.serve(config=CONFIG.replace(" x={{vars.x}}", ""))
        path = asks(lab, 7, 16, b"a b\n\"$(x)")
        body = get(lab, path)[2]
        want = image(parts, "x64", ("i0", "i1", "i2"), "live",
                     b'console=ttyS0 host=a_b____x_ a="b c" s=10.77.0.1', "linux")
        table = ukilib.Head(body)
        s = [s for s in table.sections if s["name"] == ".cmdline"][0]
        line = body[s["raw"]:s["raw"] + s["vsize"]]
        assert line.startswith(b"console=ttyS0 host=") and line.endswith(b' a="b c" s=10.77.0.1'), line
        assert line.count(b" ") == 4 and b"\n" not in line and b"$" not in line, line
        same(len(body), len(want))


@case("a machine that got the whole image of an installing profile is installing; with a part of it, not yet")
def _():
    with Lab() as lab:
        prepared(lab)
        lab.serve(config=CONFIG.replace("loader: uki}\n  arm", "loader: uki, install: true}\n  arm"))
        path = asks(lab, 1, 16)
        moves_in(lab, 1)
        before = states(lab, 1)
        assert before != ["installing"], before
        get(lab, path, method="HEAD")
        get(lab, path, "Range: bytes=0-99")
        same(states(lab, 1), before)
        same(get(lab, path)[0], 200)
        netlib.wait_for("installing", lambda: states(lab, 1) == ["installing"])


@case("explain: the image's URL")
def _():
    with Lab() as lab:
        prepared(lab)
        r = lab.server.run([netlib.BOOTSMITH, "explain", "-c", lab.config(CONFIG), "--json", "--mac", "52:54:00:00:00:01",
                            "--vendor-class", "HTTPClient:Arch:00016:UNDI:003001"])
        got = json.loads(r.stdout)
        same(got["bootfile"], "http://%s/machines/52-54-00-00-00-01/boot.efi" % SERVER)


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
