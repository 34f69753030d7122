#!/usr/bin/env python3
"""Black-box robustness test of the daemon: robust.py [WORD...]

Hostile packets, lost interfaces, taken ports, bad configurations, signals: after
each the daemon must still serve whoever it can, and say in one sentence what is
wrong.  One line per case; with words, only the cases whose name contains one.
BOOTSMITH names the binary; a sanitizer's report in its standard error fails the
case.  Numbers like D4-1 and G-6 are those of the project's list of promises.
"""
import contextlib
import glob
import os
import random
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

import netlib
from netlib import (ACK, BOOTSMITH, CLIENT, DECLINE, DISCOVER, HERE, INFORM, NAK, OFFER, RELEASE, REQUEST, SERVER,
                    SOON, Client, Daemon, Lab, Namespace, Tftp, TftpError, Timeout, http_get, ip4, ipxe_options, mac_bytes,
                    mac_text, message, options_bytes, pxe_options, tftp_get, udp_frame, wait_for)

case = netlib.Cases()
# No first offer waits for a probe: what is wrongly answered is so while somebody listens.
AT_ONCE = "networks: [{interface: sv0, conflict_check: off}]\n"
ARTICLE = b"""#!ipxe
dhcp
kernel /rancher/vmlinuz
initrd /rancher/initrd
imgargs vmlinuz console=ttyS0 rancher.autologin=ttyS0 {{not ours}} ${net0/mac}
boot
"""


def same(got, want, what="got"):
    if got != want:
        raise AssertionError("%s %r, expected %r" % (what, got, want))


def one_sentence(text, *words):
    """A single line that contains these words."""
    lines = text.strip().split("\n")
    assert len(lines) == 1 and lines[0], "%d lines: %r" % (len(lines), text)
    for w in words:
        assert w in text, "%r is not in %r" % (w, text)


def silent(lab, payload, seconds=0.15, **frame):
    """Sends a BOOTP payload that nobody may answer, to a daemon that would do so AT_ONCE."""
    lab.link.drain()
    lab.link.send(payload, mac=b"\2\0\0\0\0\x99", **frame)
    r = lab.link.receive(seconds=seconds)
    assert r is None, "answered by %r" % r


# ---- honest DHCP: where replies go, what is in them ----

def common_reply_checks(r, server=SERVER):
    assert len(r.data) >= 300, "%d octets" % len(r.data)
    assert r.sums_good and r.ended and r.op == 2
    same((r.src, r.sport, r.dport, r.server), (server, 67, 68, server), "source, ports, server identifier")
    same([c for c, _ in r.list][:2], [53, 54], "first options")
    codes = [c for c, _ in r.list]
    same(len(codes), len(set(codes)), "options, each once:")
    assert 13 not in codes, "option 13"


@case("dora: broadcast flag set")
def _():
    with Lab() as lab:
        lab.serve()
        c = Client(lab.link, broadcast=True)
        for r in (c.discover(), c.dora()):
            common_reply_checks(r)
            same((r.dst, r.dst_mac), ("255.255.255.255", netlib.BROADCAST_MAC), "to")
            same((r.chaddr, r.flags, r.siaddr, r.file), (c.mac, 0x8000, "0.0.0.0", b""), "header")
            assert not {60, 43, 66, 67, 97, 175} & set(r.opt), "boot options for a plain client: %r" % r.list
            assert r.yiaddr.startswith("10.77.0.") and 128 <= int(r.yiaddr.split(".")[3]) <= 254, r.yiaddr


@case("dora: broadcast flag clear, a frame to the client's own address")
def _():
    with Lab() as lab:
        lab.serve()
        c = Client(lab.link)
        for r in (c.discover(), c.dora()):
            common_reply_checks(r)
            same((r.dst, r.dst_mac, r.flags), (r.yiaddr, c.mac, 0), "to")
            assert r.src_mac != c.mac


@case("renew: unicast to ciaddr, no NAK for a known client")
def _():
    with Lab() as lab:
        lab.serve()
        c = Client(lab.link, mac=lab.link.mac)
        got = c.dora()
        lab.client.ip("addr add %s/24 dev cl0" % got.yiaddr)
        sv = got.src_mac
        lab.link.send(message(REQUEST, c.mac, 77, ciaddr=got.yiaddr), src=got.yiaddr, dst=SERVER, dst_mac=sv)
        r = lab.link.receive(77)
        assert r and r.kind == ACK, r
        same((r.dst, r.yiaddr, r.ciaddr), (got.yiaddr, got.yiaddr, got.yiaddr))
        common_reply_checks(r)


@case("pxe: 67 last with its NUL, file filled, 97 echoed, no 13, no URL")
def _():
    with Lab() as lab:
        lab.serve()
        uuid = bytes(range(16))
        for arch, name in ((0, b"loaders/undionly.kpxe"), (7, b"loaders/ipxe.efi"), (9, b"loaders/ipxe.efi")):
            c = Client(lab.link, options=pxe_options(arch, uuid=uuid), broadcast=True)
            for r in (c.discover(), c.dora()):
                common_reply_checks(r)
                same(r.list[-1], (67, name + b"\0"), "last option")
                same((r.file, r.siaddr, r.opt[66]), (name, SERVER, SERVER.encode() + b"\0"))
                same((r.opt[60], r.opt[97]), (b"PXEClient", b"\0" + uuid))
                assert r.opt[43].startswith(b"\x06\x01\x08") and r.opt[43].endswith(b"\xff"), r.opt[43]


@case("http boot: URL and HTTPClient; never a URL for PXEClient (P-4)")
def _():
    with Lab() as lab:
        lab.serve()
        r = Client(lab.link, options=pxe_options(16, http=True)).dora()
        common_reply_checks(r)
        same((r.opt[60], r.opt[67]), (b"HTTPClient", b"http://10.77.0.1/loaders/ipxe.efi\0"))
        same(r.list[-1][0], 67, "last option")
        for arch in range(42):
            for is_http in (False, True):
                r = Client(lab.link, options=pxe_options(arch, is_http)).discover()
                common_reply_checks(r)
                url = r.opt.get(67, b"").startswith(b"http")
                assert not url or is_http, "arch %d of a PXEClient got %r" % (arch, r.opt[67])
                if 67 in r.opt:
                    same(r.opt[60], b"HTTPClient" if is_http else b"PXEClient", "option 60")


@case("ipxe: its script's URL, never iPXE again (P-3)")
def _():
    with Lab() as lab:
        lab.write("http/boot.ipxe", ARTICLE)
        lab.serve()
        shapes = [ipxe_options(), ipxe_options(7), [o for o in ipxe_options() if o[0] != 175],
                  [o for o in ipxe_options() if o[0] != 77],
                  [(c, b"\4iPXE" if c == 77 else v) for c, v in ipxe_options() if c != 175],
                  [o for o in ipxe_options() if o[0] not in (60, 93)]]
        for options in shapes:
            r = Client(lab.link, options=options).dora()
            common_reply_checks(r)
            same(r.opt.get(67), b"http://10.77.0.1/boot.ipxe\0", "bootfile for %r" % options)
            same(r.list[-1][0], 67, "last option")


@case("options: client identifier echoed; 52, PAD, missing END, split options (D4-2, D4-3, D4-7)")
def _():
    with Lab() as lab:
        lab.serve()
        c = Client(lab.link, client_id=b"\xff\0\0\0\1some-identifier")
        same(c.dora().opt[61], b"\xff\0\0\0\1some-identifier", "option 61")

        def discover(raw, **more):
            xid = random.getrandbits(32)
            lab.link.send(message(None, netlib.made_up_mac(), xid, flags=0x8000, raw_options=raw, **more))
            r = lab.link.receive(xid)
            assert r and r.kind == OFFER, "%r for %r" % (r, raw)
            common_reply_checks(r)
            return r
        discover(b"\0" * 20 + b"\x35\1\1\xff")
        discover(b"\x35\1\1")
        discover(b"\x34\1\1\xff", file=b"\x35\1\1\xff")
        discover(b"\x34\1\2\xff", sname=b"\x35\1\1\xff")
        r = discover(b"\x34\1\3\xff", file=b"\x3d\3abc\xff", sname=b"\x35\1\1\xff")
        same(r.opt[61], b"abc", "61 from the file field")
        r = discover(b"\x35\1\1\x3d\3abc\x3c\4PXEC\x5d\1\0\x3d\2de\x3c\x0blient:Arch:\x5d\1\7\xff")
        same((r.opt[61], r.opt[60], r.opt[67]), (b"abcde", b"PXEClient", b"loaders/ipxe.efi\0"), "joined")
        r = discover(b"\x35\1\1\x3d\xff" + b"i" * 255 + b"\xff")
        same(r.opt[61], b"i" * 255, "an identifier of 255 octets")


@case("sizes: 57 of 300, 576, 1500 and 65280 (D4-8)")
def _():
    with Lab() as lab:
        lab.serve()
        for size in (0, 300, 575, 576, 1472, 1500, 65280, 65535):
            o = [(57, struct.pack("!H", size)) if c == 57 else (c, v) for c, v in pxe_options()]
            r = Client(lab.link, options=o).dora()
            common_reply_checks(r)
            limit = min(max(size, 576), 1500) - 28
            assert len(r.data) <= limit, "%d octets for 57 = %d" % (len(r.data), size)
            same(r.list[-1][0], 67, "last option")


@case("odd but honest clients (D4-18, D4-19, P-7)")
def _():
    with Lab() as lab:
        lab.serve()

        def offered(payload, xid):
            lab.link.send(payload)
            r = lab.link.receive(xid)
            assert r and r.kind == OFFER, "%r for %r" % (r, payload[240:])
            return r
        mac = netlib.made_up_mac()
        first = offered(message(DISCOVER, mac, 5), 5)
        for xid in (5, 5, 6, 7):
            same(offered(message(DISCOVER, mac, xid), xid).yiaddr, first.yiaddr, "address of a repeated DISCOVER")
        for _ in range(3):
            lab.link.send(message(REQUEST, mac, 7, [(50, ip4(first.yiaddr)), (54, ip4(SERVER))]))
            same((lab.link.receive(7).kind, first.yiaddr), (ACK, first.yiaddr), "repeated REQUEST")
        offered(message(None, b"\2\0\0\0\0\7", 8, raw_options=b"\x35\1\1\x37\4\1\3\6\x0c\xff"), 8)  # 253 octets and less
        offered(message(None, b"\2\0\0\0\0\7", 9, raw_options=b"\x35\1\1\x37\4\0\xcc\xeb\xff\xff"), 9)
        offered(message(DISCOVER, b"\2\0\0\0\0\7", 10, [(93, b"")]), 10)
        offered(message(DISCOVER, b"\2\0\0\0\0\7", 11, [(93, b"\0"), (97, b"\0"), (77, b""), (60, b"")]), 11)
        offered(message(DISCOVER, b"\2\0\0\0\0\7", 12, [(60, b"PXEClient"), (93, b"\xff\xff\0\7")]), 12)
        offered(message(DISCOVER, b"\2\0\0\0\0\7", 13, [(60, b"PXEClient:Arch:zzzzz"), (77, b"\xff\1")]), 13)
        offered(message(DISCOVER, b"\2\0\0\0\0\7", 14, secs=13718), 14)


@case("REQUEST for another server: silence, the offer is free again (D4-4)")
def _():
    with Lab() as lab:
        d = lab.serve()
        a = Client(lab.link)
        got = a.discover()
        r = a.ask(REQUEST, [(50, ip4(got.yiaddr)), (54, ip4("10.77.0.9"))], seconds=0.3)
        assert r is None, r
        d.wait_line("D022")
        b = Client(lab.link)
        lab.link.send(b.message(DISCOVER, [(50, ip4(got.yiaddr))]))
        same(lab.link.receive(b.xid).yiaddr, got.yiaddr, "address for the next")


@case("INIT-REBOOT: NAK off the net, silence for strangers (D4-5)")
def _():
    with Lab() as lab:
        lab.serve()
        c = Client(lab.link)
        r = c.ask(REQUEST, [(50, ip4("192.168.1.5"))])
        assert r and r.kind == NAK, r
        same((r.dst, r.yiaddr, r.src), ("255.255.255.255", "0.0.0.0", SERVER))
        assert len(r.data) >= 300
        assert c.ask(REQUEST, [(50, ip4("10.77.0.200"))], seconds=0.3) is None, "a stranger's address"
        got = c.dora()
        r = c.ask(REQUEST, [(50, ip4(got.yiaddr))])
        assert r and r.kind == ACK and r.yiaddr == got.yiaddr, r
        r = c.ask(REQUEST, [(50, ip4("10.77.0.250"))])
        assert r and r.kind == NAK, r


@case("INFORM: to ciaddr, no yiaddr, no lease times (D4-6)")
def _():
    with Lab() as lab:
        lab.serve()
        lab.link.send(message(INFORM, lab.link.mac, 9, [(55, b"\1\3\x33\x3a\x3b")], ciaddr=CLIENT), src=CLIENT)
        r = lab.link.receive(9)
        assert r and r.kind == ACK, r
        same((r.dst, r.yiaddr, r.server), (CLIENT, "0.0.0.0", SERVER))
        assert not {51, 58, 59} & set(r.opt), r.list


@case("DECLINE and RELEASE: of their own client only (D4-13, D4-14)")
def _():
    with Lab() as lab:
        d = lab.serve()
        a, thief = Client(lab.link), Client(lab.link)
        got = a.dora()
        for kind in (DECLINE, RELEASE):
            thief.ask(kind, [(50, ip4(got.yiaddr)), (54, ip4(SERVER))], seconds=0.05, ciaddr=got.yiaddr)
        a.ask(DECLINE, [(54, ip4(SERVER))], seconds=0.05)
        a.ask(DECLINE, [(50, ip4(got.yiaddr))], seconds=0.05)
        same(a.dora().yiaddr, got.yiaddr, "address after foreign and broken DECLINEs")
        assert d.count("D025") >= 1
        a.ask(RELEASE, [(54, ip4(SERVER))], seconds=0.05, ciaddr=got.yiaddr)
        same(a.dora().yiaddr, got.yiaddr, "address after RELEASE")
        a.ask(DECLINE, [(50, ip4(got.yiaddr)), (54, ip4(SERVER))], seconds=0.05)
        d.wait_line("set aside")
        assert a.dora().yiaddr != got.yiaddr, "a declined address given again"
        b = Client(lab.link)
        lab.link.send(b.message(DISCOVER, [(50, ip4(got.yiaddr))]))
        assert lab.link.receive(b.xid).yiaddr != got.yiaddr, "a declined address given to another"


@case("UUIDs: both orders name a machine, shared ones none (P-5, P-6)")
def _():
    with Lab() as lab:
        lab.write("http/k", "kernel")
        lab.serve(config="""networks: [{interface: sv0}]
profiles: {p: {kernel: k}}
machines:
  - {name: dell, uuid: 4c4c4544-0042-3510-8052-b4c04f4d3532, address: 10.77.0.20, profile: p}
  - {name: ami, mac: "02:00:00:00:00:77", address: 10.77.0.21}
""")
        net_order = bytes.fromhex("4c4c454400423510 8052b4c04f4d3532")
        smbios = net_order[3::-1] + net_order[5:3:-1] + net_order[7:5:-1] + net_order[8:]
        for uuid in (net_order, smbios):
            same(Client(lab.link, options=pxe_options(uuid=uuid)).discover().yiaddr, "10.77.0.20", "by UUID")
        same(Client(lab.link, mac=mac_bytes("02:00:00:00:00:77")).dora().yiaddr, "10.77.0.21", "by MAC")
        for uuid in (bytes(16), b"\xff" * 16, bytes.fromhex("0300020004000500 0006000700080009")):
            a, b = (Client(lab.link, options=pxe_options(uuid=uuid)).dora().yiaddr for _ in range(2))
            assert a != b, "two machines with UUID %s share %s" % (uuid.hex(), a)


# ---- bad packets ----

HOSTILE_NAMES = [b"\x1b[2J\x1b]0;owned\x07", b"a\nb\r\n{\"level\":\"error\"}", b"<script>alert(1)</script>",
                 b"\xff\xfe\xc0\xaf\xed\xa0\x80", b"%n%s%n%s%x", b"\"quoted\"\\", b"\0nul\0", b"\xc2\x9b31m\x7f", b"x" * 255]


def malformed():
    """(name, BOOTP payload): each gets silence."""
    m = message()
    yield "empty", b""
    yield "one octet", b"\1"
    yield "235 octets", m[:235]
    yield "header without cookie", m[:236]
    yield "half a cookie", m[:238]
    yield "wrong cookie", message(cookie=b"\x63\x82\x53\x64")
    yield "no message type", message(None)
    yield "op 2", message(op=2)
    yield "op 0", message(op=0)
    yield "op 255", message(op=255)
    for hlen in (17, 128, 255):
        yield "hlen %d" % hlen, message(hlen=hlen)
    for kind in (0, 2, 5, 6, 9, 13, 18, 254, 255):
        yield "type %d" % kind, message(kind)
    yield "empty type", message(None, raw_options=b"\x35\0\xff")
    yield "type of two octets", message(None, raw_options=b"\x35\2\1\1\xff")
    yield "option past the end", message(None, raw_options=b"\x35\1\1\x0c\xf0abc")
    yield "option without length", message(None, raw_options=b"\x35\1\1\x0c")
    yield "overload of a broken file", message(None, raw_options=b"\x34\1\1\xff", file=b"\x35\xff\1")
    yield "hops 17", message(hops=17)
    yield "no hardware address", message(mac=b"", hlen=0)
    yield "hardware address of zeros", message(mac=bytes(6))
    yield "group hardware address", message(mac=b"\xff" * 6)
    yield "unknown relay", message(giaddr="192.0.2.1")
    yield "over 4 KiB", message(None, raw_options=b"\x35\1\1" + b"\x0c\xffx" * 10 + bytes(5000))


def hostile():
    """(name, BOOTP payload): answered or not, the daemon and its log survive."""
    for overload in (0, 1, 2, 3, 4, 255):
        yield "overload %d" % overload, message(options=[(52, bytes([overload]))], file=b"\x0c\x80abc" + b"\x34\1\3" * 30,
                                                sname=b"\x34\1\3\xff")
    for name in HOSTILE_NAMES:
        yield "hostname %r" % name[:12], message(mac=netlib.made_up_mac(), options=[(12, name)])
        yield "classes %r" % name[:12], message(mac=netlib.made_up_mac(), options=[
            (60, b"PXEClient" + name[:240]), (77, name), (93, b"\0\7"), (97, name), (61, name)])
    yield "300 options", message(None, raw_options=b"\x35\1\1" + b"\x0c\1a" * 300 + b"\xff")
    yield "every option", message(options=[(c, b"\xff" * 2) for c in range(1, 255) if c != 53])
    yield "relay options of garbage", message(options=[(82, b"\1\xff\xff"), (82, b"\5\4"), (82, b"\x0b\4\x0a")], giaddr=SERVER)
    yield "length 0 everywhere", message(options=[(c, b"") for c in range(1, 255) if c != 53])
    yield "57 of one octet", message(options=[(57, b"\1"), (51, b"\1"), (50, b"\1\2"), (54, b"")])
    yield "lease time 0", message(options=[(51, bytes(4))])
    yield "lease time for ever", message(options=[(51, b"\xff" * 4)])
    yield "hlen 1 and 16", message(mac=b"\2", hlen=1) + message(mac=b"\2" * 16, hlen=16)
    yield "infiniband", message(mac=b"", hlen=0, htype=32, options=[(61, b"\xff" + b"\2" * 18)])


@case("malformed packets are dropped in silence, an honest client is served within 1 s (D4-11)")
def _():
    with Lab() as lab:
        d = lab.serve(config=AT_ONCE)
        for name, payload in malformed():
            try:
                silent(lab, payload, 0.04)
            except AssertionError as e:
                raise AssertionError("%s: %s" % (name, e)) from None
            except OSError:  # longer than the MTU: goes as a datagram of the kernel's
                s = lab.client.udp()
                s.sendto(payload, (SERVER, 67))
                s.close()
            Client(lab.link).dora(seconds=SOON)
        dropped = {line["drop"] for line in d.lines() if "drop" in line}
        for want in ("D001", "D002", "D003", "D004", "D005", "D006", "D017", "D019", "D020", "D028", "D029", "D030"):
            assert want in dropped, "no line with %s among %s" % (want, sorted(dropped))
        d.stop()
        told = next(m for m in d.messages() if m.startswith("dropped since the start: "))
        for want in dropped:
            assert want + " " in told, "%s is not in: %s" % (want, told)


@case("hostile texts: each log line stays one line of JSON (L-7)")
def _():
    with Lab() as lab:
        d = lab.serve()
        for name, payload in hostile():
            lab.link.send(payload)
            Client(lab.link).dora(seconds=SOON)
        for name in HOSTILE_NAMES:
            Client(lab.link, options=[(12, name)]).dora(seconds=SOON)
            tftp_fails(lab, name.replace(b"\0", b"") + b"/x")
            raw_http(lab, b"GET /%s HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\n\r\n" % (name, name))
        for line in d.raw().split(b"\n"):
            bad = [c for c in line if c < 0x20 or c == 0x7f]
            assert not bad, "control octets %r in %r" % (bad, line)
        lines = d.lines()
        assert all({"time", "level", "topic", "message"} <= set(line) for line in lines)
        assert any("<script>" in line.get("hostname", "") for line in lines)


@case("hostile texts: the text log has no control octet (L-7)")
def _():
    with Lab() as lab:
        d = lab.start("-i", "sv0", "--http-root", lab.http, "--tftp-root", lab.tftp, "--state-dir", lab.state, log="text")
        wait_for("ready", lambda: b"ready after" in d.raw())
        for name, payload in hostile():
            lab.link.send(payload)
        for name in HOSTILE_NAMES:
            c = Client(lab.link, options=[(12, name)] + pxe_options())
            c.dora(seconds=SOON)
            tftp_fails(lab, name.replace(b"\0", b"") + b"/x")
            raw_http(lab, b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % name)
        text = d.raw()
        bad = {c for c in text if (c < 0x20 and c != 10) or c == 0x7f}
        assert not bad, "control octets %r" % sorted(bad)
        text.decode("utf-8")
        assert text.count(b"\n") > 30 and b"owned\n" not in text


def tftp_fails(lab, name):
    try:
        tftp_get(lab.client, name)
    except TftpError:
        return
    raise AssertionError("TFTP gave %r" % name)


def raw_http(lab, octets):
    s = lab.client.connect(SERVER, 80)
    try:
        s.sendall(octets)
        return s.recv(65536)
    finally:
        s.close()


@case("UDP and IP faults are silent (D4-12)")
def _():
    with Lab() as lab:
        lab.serve(config=AT_ONCE)
        good = message(DISCOVER, b"\2\0\0\0\0\x42", 42, flags=0x8000)
        for fault in ({"udp_sum": 0x1234}, {"udp_len": 7}, {"udp_len": 0}, {"udp_len": 2000}, {"udp_len": 100},
                      {"ip_sum": 0x1234}):
            silent(lab, good, **fault)
        lab.link.send(good, udp_sum=0)  # none at all is allowed
        assert lab.link.receive(42), "no answer without a checksum"
        frame = udp_frame(good, lab.link.mac)
        for n in (13, 14, 20, 33, 34, 41, 42, 100):
            lab.link.send_frame(frame[:n])
        for fragment in (0x2000, 0x0001, 0x3fff):
            head = frame[14:20] + struct.pack("!H", fragment) + frame[22:24] + b"\0\0" + frame[26:34]
            head = head[:10] + struct.pack("!H", netlib.checksum(head)) + head[12:]
            lab.link.drain()
            lab.link.send_frame(frame[:14] + head + frame[34:])
            assert lab.link.receive(42, 0.1) is None, "a fragment was answered"
        Client(lab.link).dora(seconds=SOON)


def recorded():
    """DHCP messages of real clients: the golden vectors, and those that netlib composes."""
    packets = [message(options=pxe_options()), message(options=ipxe_options()), message(options=pxe_options(16, True)),
               message(REQUEST, options=[(50, ip4("10.77.0.200")), (54, ip4(SERVER))])]
    for path in sorted(glob.glob(os.path.join(HERE, "../vectors/dhcp4/*.txt"))):
        with open(path) as f:
            text = ""
            for line in [*f, "packet:"]:
                if line.startswith("hex:"):
                    text += line[4:].strip()
                elif line.startswith("packet:") and text:
                    packets.append(bytes.fromhex(text))
                    text = ""
    return packets


def mutate(rng, packet):
    b = bytearray(packet)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(b)) if rng.random() < 0.3 else rng.randrange(min(236, len(b) - 1), len(b))
        way = rng.randrange(5)
        if way == 0:
            b[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            b[at] = rng.choice((0, 1, 2, 52, 53, 61, 67, 82, 127, 128, 254, 255))
        elif way == 2:
            del b[at:at + rng.randrange(1, 20)]
        elif way == 3:
            b[at:at] = rng.randbytes(rng.randrange(1, 20))
        else:
            b[at:at + 8] = rng.randbytes(8)
        if len(b) < 2:
            b = bytearray(packet)
    return bytes(b[:1400])


@case("2000 mutations of recorded packets, then an honest client within 1 s (D4-17)")
def _():
    seed = int(os.environ.get("SEED") or random.getrandbits(32))
    rng, packets = random.Random(seed), recorded()
    with Lab() as lab:
        d = lab.serve(config=AT_ONCE)
        try:
            for i in range(2000):
                lab.link.send(mutate(rng, rng.choice(packets)))
                if i % 500 == 499:
                    for r in lab.link.replies(0.05):
                        assert len(r.data) >= 300 and r.ended, "%r: %d octets" % (r, len(r.data))
            c = Client(lab.link)
            c.dora(seconds=SOON)
            d.stop()
        except AssertionError as e:
            raise AssertionError("SEED=%d, %d packets recorded: %s" % (seed, len(packets), e)) from None
        print("   seed %d, %d recorded packets" % (seed, len(packets)))


@case("recorded packets as they are: every client model is answered or dropped with a reason")
def _():
    with Lab() as lab:
        d = lab.serve()
        n = 0
        for p in recorded():
            lab.link.send(p[:1400])
            n += 1
            time.sleep(0.002)
        Client(lab.link).dora(seconds=SOON)
        assert d.count("OFFER|ACK") > 10, "of %d packets only %d were answered" % (n, d.count("OFFER|ACK"))


@case("20000 bad packets: rate-limited lines, service goes on (L-7)")
def _():
    with Lab() as lab:
        d = lab.serve(config=AT_ONCE)
        frames = [udp_frame(p, lab.link.mac) for n, p in malformed() if len(p) < 1400]
        before, began = len(d.lines()), time.monotonic()
        for i in range(20000):
            lab.link.send_frame(frames[i % len(frames)])
        took = time.monotonic() - began
        Client(lab.link).dora(seconds=SOON)
        lines = d.lines()[before:]
        # one line a second and reason
        limit = 16 * (took + 3)
        assert len(lines) <= limit, "%d lines in %.1f s" % (len(lines), took)
        time.sleep(1.1)
        silent(lab, frames[2][42:])
        hidden = sum(line.get("hidden", 0) for line in d.lines())
        assert hidden > 100, "the lines hide %d packets" % hidden


# ---- many clients ----

@case("starvation: 600 strangers in a 100-address pool (L-6)")
def _():
    with Lab() as lab:
        lab.serve(config="""networks: [{interface: sv0, pools: [10.77.0.100-10.77.0.199]}]
machines: [{name: kept, mac: "02:00:00:00:00:77", address: 10.77.0.20}]
""")
        known = Client(lab.link)
        lease = known.dora().yiaddr
        for _ in range(600):
            Client(lab.link).say(DISCOVER)
        lab.link.drain()
        same(Client(lab.link, mac=mac_bytes("02:00:00:00:00:77")).dora().yiaddr, "10.77.0.20", "the reserved machine")
        same(known.dora().yiaddr, lease, "the known client")
        took = Client(lab.link).served_within(4 + SOON)  # firm offers last 4 s
        print("   an honest client was served after %.1f s" % took)


@case("a pool that is used up: one line that says so, bound clients stay")
def _():
    with Lab() as lab:
        d = lab.serve(config="networks: [{interface: sv0, pools: [10.77.0.100-10.77.0.103]}]\n")
        clients = [Client(lab.link) for _ in range(4)]
        leases = [c.dora().yiaddr for c in clients]
        same(len(set(leases)), 4, "different addresses")
        for _ in range(50):
            assert Client(lab.link).ask(DISCOVER, seconds=0.01) is None
        d.wait_line("D024.*no free address")
        assert d.count("D024") <= 4, "%d lines" % d.count("D024")
        same([c.dora().yiaddr for c in clients], leases, "addresses")


# ---- relays ----

RELAYED = """networks:
  - interface: sv0
  - {subnet: 10.78.0.0/24, pools: [10.78.0.100-10.78.0.150], router: 10.78.0.1}
  - {subnet: 10.79.0.0/24, pools: [10.79.0.100-10.79.0.150], router: 10.79.0.1}
"""


@case("relay: answer to giaddr port 67, option 82 echoed last, unknown giaddr silent (D4-9, D4-10)")
def _():
    with Lab() as lab:
        lab.client.ip("addr add 10.78.0.1/24 dev cl0")
        lab.server.ip("route add 10.78.0.0/24 via %s" % CLIENT)
        lab.serve(config=RELAYED)
        sv = Client(lab.link).dora().src_mac

        def relayed(giaddr="10.78.0.1", info=b"\1\4abcd\2\2xy", kind=DISCOVER, more=(), options=()):
            xid = random.getrandbits(32)
            lab.link.send(message(kind, b"\2\0\0\0\0\x55", xid, [*options, *more, (82, info)], giaddr=giaddr, hops=1),
                          src="10.77.0.5", dst=SERVER, sport=67, dst_mac=sv)
            return lab.link.receive(xid, 0.5)
        r = relayed(more=pxe_options())
        assert r, "no answer"
        same((r.dst, r.dport, r.src, r.giaddr, r.yiaddr), ("10.78.0.1", 67, SERVER, "10.78.0.1", "10.78.0.100"))
        same(r.list[-1], (82, b"\1\4abcd\2\2xy"), "last option")
        same((r.list[-2][0], r.server, r.opt[3]), (67, SERVER, ip4("10.78.0.1")))
        ack = relayed(kind=REQUEST, options=[(50, ip4(r.yiaddr)), (54, ip4(SERVER))])
        assert ack and ack.kind == ACK and ack.yiaddr == r.yiaddr, ack
        nak = relayed(kind=REQUEST, options=[(50, ip4("1.2.3.4"))])
        assert nak and nak.kind == NAK and nak.dst == "10.78.0.1" and nak.flags & 0x8000, nak
        assert relayed("192.0.2.1") is None, "an unknown giaddr was answered"
        r = relayed(info=b"\5\4\x0a\x4f\0\0")  # link selection, RFC 3527
        assert r and r.yiaddr == "10.79.0.100" and r.dst == "10.78.0.1", r
        r = relayed(info=b"\x0b\4\x0a\x4e\0\x09")  # server identifier override, RFC 5107
        assert r and r.server == "10.78.0.9" and r.src == SERVER, r
        for info in (b"", b"\1", b"\1\xff", b"\5\0", b"\5\4\1", b"\x0b\4\x0a", b"\xff" * 255, b"\0" * 255):
            relayed(info=info)
        assert relayed(), "silent after malformed sub-options"
        lab.write("tftp/file", "by TFTP")
        lab.write("http/file", "by HTTP")
        for scheme in ("tftp", "http"):
            p = lab.client.run(["curl", "-sSf", "-m", "5", "--interface", "10.78.0.1", "%s://%s/file" % (scheme, SERVER)])
            same(p.stdout, "by " + scheme.upper(), "a file for a client behind the relay")


@case("relay: only relayed networks, no interface named")
def _():
    with Lab() as lab:
        lab.client.ip("addr add 10.78.0.1/24 dev cl0")
        lab.server.ip("route add 10.78.0.0/24 via %s" % CLIENT)
        lab.serve(config=RELAYED.replace("  - interface: sv0\n", ""))
        mac = open_sysfs_mac(lab)
        lab.link.send(message(DISCOVER, b"\2\0\0\0\0\x55", 7, giaddr="10.78.0.1"), src="10.78.0.1", dst=SERVER,
                      sport=67, dst_mac=mac)
        r = lab.link.receive(7)
        assert r and r.dst == "10.78.0.1" and r.server == SERVER, r
        silent(lab, message(), 0.4)  # nobody configured the wire itself


def open_sysfs_mac(lab):
    return mac_bytes(lab.server.ip("-o link show sv0").stdout.split("link/ether ")[1].split()[0])


# ---- interfaces ----

@case("an interface without an address is waited for (G-6)")
def _():
    with Lab(address=False) as lab:
        d = lab.serve()
        line = d.wait_line("no IPv4 address")
        assert "sv0" in line["message"] and "ip addr add" in line["message"], line
        silent(lab, message(), 0.4)
        lab.server.ip("addr add %s/24 dev sv0" % SERVER)
        Client(lab.link).served_within(SOON)
        assert http_get(lab.client, "/boot.ipxe")[0] == 200


@case("an interface that is missing at the start is waited for")
def _():
    with Lab() as lab:
        d = lab.serve(interfaces=("sv1",))
        line = d.wait_line("sv1")
        assert "ip link" in line["message"], line
        same(d.count("sv1: there is no such interface"), 1, "lines about it:")
        link = lab.wire("sv1", "cl1", "10.88.0.1")
        c = Client(link)
        c.served_within(SOON)
        same(c.dora().server, "10.88.0.1", "server identifier")


@case("link down and up, address gone and back, address changed (G-6)")
def _():
    with Lab() as lab:
        d = lab.serve()
        c = Client(lab.link)
        lease = c.dora().yiaddr
        lab.server.ip("link set sv0 down")
        d.wait_line("sv0 is down.*it was served until now")
        lab.server.ip("link set sv0 up")
        c.served_within(SOON)
        same(c.dora().yiaddr, lease, "address after down and up")
        lab.server.ip("addr del %s/24 dev sv0" % SERVER)
        d.wait_line("sv0 has no IPv4 address")
        lab.server.ip("addr add %s/24 dev sv0" % SERVER)
        c.served_within(SOON)
        same(c.dora().yiaddr, lease, "address after gone and back")
        same(http_get(lab.client, "/boot.ipxe")[0], 200, "HTTP status")
        lab.server.ip("addr del %s/24 dev sv0" % SERVER)
        lab.server.ip("addr add 10.99.0.1/24 dev sv0")
        wait_for("the new address", lambda: c.ask(DISCOVER, seconds=0.1) and c.dora().server == "10.99.0.1", SOON)
        r = c.dora()
        same((r.server, r.src), ("10.99.0.1", "10.99.0.1"), "after the change")
        assert r.yiaddr.startswith("10.99.0."), r.yiaddr
        lab.client.ip("addr add 10.99.0.2/24 dev cl0")
        same(http_get(lab.client, "/boot.ipxe", host="10.99.0.1")[0], 200, "HTTP status")


@case("an interface deleted and made again (G-7)")
def _():
    with Lab() as lab:
        d = lab.serve()
        Client(lab.link).dora()
        for _ in range(3):
            lab.server.ip("link del sv0")
            time.sleep(0.1)
            link = lab.wire(client=CLIENT)
            Client(link).served_within(SOON)
        lab.write("tftp/f", "after")
        same(tftp_get(lab.client, "f"), b"after", "by TFTP")
        assert d.count("there is no such interface.*it was served until now") >= 1, d.messages()


@case("an interface that comes and goes 40 times at full speed")
def _():
    with Lab() as lab:
        d = lab.serve()
        for i in range(20):
            lab.server.run(["ip", "link", "set", "sv0", "down" if i % 2 == 0 else "up"])
            lab.server.run(["ip", "addr", "add" if i % 2 == 0 else "del", "10.66.%d.1/24" % (i // 2), "dev", "sv0"])
        Client(lab.link).served_within(SOON)
        assert d.alive()


@case("forty addresses on one interface")
def _():
    with Lab() as lab:
        d = lab.serve()
        for i in range(1, 81):
            lab.server.ip("addr add 10.66.%d.1/24 dev sv0" % i)
        Client(lab.link).served_within(SOON)
        assert d.alive()


@case("two networks at once: each with its own server identifier and pool")
def _():
    with Lab() as lab:
        other = lab.wire("sv1", "cl1", "10.88.0.1", "10.88.0.2")
        lab.serve(interfaces=("sv0", "sv1"))
        for i in range(5):
            a, b = Client(lab.link, broadcast=i % 2 == 0).dora(), Client(other, broadcast=i % 2 == 0).dora()
            common_reply_checks(a)
            common_reply_checks(b, "10.88.0.1")
            assert a.yiaddr.startswith("10.77.0.") and b.yiaddr.startswith("10.88.0."), (a, b)
            same((a.opt[3], b.opt[3]), (ip4(SERVER), ip4("10.88.0.1")), "routers")
        r = Client(other, options=ipxe_options()).dora()
        same(r.opt[67], b"http://10.88.0.1/boot.ipxe\0", "URL on the other network")
        c = Client(lab.link)
        c.say(DISCOVER)
        assert other.receive(c.xid, 0.4) is None, "answered on the wrong wire"
        lab.server.ip("link del sv1")
        Client(lab.link).dora()


@case("another DHCP server on the wire is told of")
def _():
    with Lab() as lab:
        def rival():
            for frame, _ in lab.link.datagrams(5):
                data = frame[42:]
                if struct.unpack("!HH", frame[34:38]) == (68, 67) and data[0] == 1:
                    reply = message(OFFER, data[28:34], struct.unpack("!I", data[4:8])[0],
                                    [(54, ip4("10.77.0.9")), (12, b"\x1b[2J")], op=2, flags=0x8000)
                    lab.link.send(reply, src="10.77.0.9", sport=67, dport=68)
                    return
        t = threading.Thread(target=rival)
        t.start()
        d = lab.serve()
        line = d.wait_line("another DHCP server")
        t.join()
        assert "10.77.0.9" in line["message"] and line["level"] == "warning", line


# ---- what the host lacks ----

def service_answers(lab, what):
    if what == "dhcp":
        return Client(lab.link).ask(DISCOVER, seconds=0.3) is not None
    try:
        if what == "tftp":
            return tftp_get(lab.client, "file") == b"content"
        return lab.http_get("/file")[2] == b"content"
    except (OSError, Timeout):
        return False


@case("ports in use: a sentence with port and remedy, the others serve, recovery by itself")
def _():
    with Lab() as lab, Lab() as lab2, Lab() as lab3:
        taken = []
        for x, what in ((lab, "dhcp"), (lab2, "tftp"), (lab3, "http")):
            x.write("http/file", "content")
            x.write("tftp/file", "content")
            s = {"dhcp": lambda: x.server.udp(port=67), "tftp": lambda: x.server.udp(port=69),
                 "http": lambda: x.server.tcp_listener("0.0.0.0", 80)}[what]()
            taken.append((x, what, s, x.serve()))
        for x, what, s, d in taken:
            port = {"dhcp": "67", "tftp": "69", "http": "80"}[what]
            line = d.wait_line("in use")
            assert line["level"] == "error" and port in line["message"] and "stop the other" in line["message"], line
            for other in ("dhcp", "tftp", "http"):
                if other != what:
                    assert service_answers(x, other), "%s in use: %s does not serve" % (port, other)
            same(d.count("in use"), 1, "lines about port %s:" % port)
            s.close()
        for x, what, s, d in taken:
            wait_for("%s again" % what, lambda: service_answers(x, what), every=0.2)


@case("all ports in use: exit 1")
def _():
    with Lab() as lab:
        sockets = [lab.server.udp(port=67), lab.server.udp(port=69), lab.server.tcp_listener("0.0.0.0", 80)]
        err = lab.fails("-i", "sv0", "--http-root", lab.http, "--tftp-root", lab.tftp, "--state-dir", lab.state)
        one_sentence(err, "no port could be opened")
        for s in sockets:
            s.close()


@case("a second bootsmith in the same namespace with another state directory: exit 1, the first serves on")
def _():
    with Lab() as lab:
        lab.serve()
        err = lab.fails("-i", "sv0", "--http-root", lab.http, "--tftp-root", lab.tftp, "--state-dir", lab.state + "2")
        one_sentence(err, "no port could be opened")
        Client(lab.link).dora()


@case("missing iPXE binaries: the package is named, PXE clients get an address only")
def _():
    with Lab() as lab:
        os.mkdir(os.path.join(lab.dir, "empty"))
        d = lab.serve(config="networks: [{interface: sv0}]\nloaders: {dir: %s}\n" % os.path.join(lab.dir, "empty"))
        line = d.wait_line("loader for bios is missing")
        assert "apt install ipxe" in line["message"] and line["level"] == "warning", line
        for arch in (0, 7, 16):
            r = Client(lab.link, options=pxe_options(arch, arch == 16)).dora()
            common_reply_checks(r)
            assert r.file == b"" and not {60, 67, 66, 43} & set(r.opt), r.list
        line = d.wait_line("OFFER.*nothing to boot")
        assert line["level"] == "warning" and "ipxe" in line["message"], line
        r = Client(lab.link, options=ipxe_options()).dora()
        assert 67 in r.opt, "iPXE itself needs no loader"
        line = [x for x in d.lines() if x.get("arch") == "arm64-uefi"]
        r = Client(lab.link, options=pxe_options(11)).dora()
        assert 67 not in r.opt, r.list
        d.wait_line("arm64.*package|arm64.*grub|arm64.*ipxe|arm64.*loader")


@case("missing roots: a warning with the remedy; found as soon as they are made")
def _():
    with Lab() as lab:
        os.rmdir(lab.http)
        os.rmdir(lab.tftp)
        d = lab.serve()
        for what, path in (("HTTP", lab.http), ("TFTP", lab.tftp)):
            line = d.wait_line("%s root .* is missing" % what)
            assert path in line["message"] and "mkdir" in line["message"], line
        Client(lab.link).dora()
        same(lab.http_get("/file")[0], 404, "status")
        tftp_fails(lab, "file")
        lab.write("http/file", "content")
        lab.write("tftp/file", "content")
        same(lab.http_get("/file")[2], b"content", "by HTTP")
        same(tftp_get(lab.client, "file"), b"content", "by TFTP")


@case("without root privileges: exit 1, one sentence")
def _():
    with Lab() as lab:
        binary = os.path.join(lab.dir, "bootsmith")
        shutil.copy(BOOTSMITH, binary)
        p = lab.server.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all",
                            "--inh-caps=-all", binary, "serve", "-i", "sv0", "--state-dir", lab.dir + "/x"], check=False)
        same(p.returncode, 1, "exit code")
        assert not netlib.SANITIZER.search(p.stderr), p.stderr
        one_sentence(p.stderr, "root", "CAP_NET_RAW")


@case("without CAP_NET_RAW but as root: exit 1, one sentence")
def _():
    with Lab() as lab:
        p = lab.server.run(["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", BOOTSMITH, "serve", "-i", "sv0",
                            "--state-dir", lab.state], check=False)
        same(p.returncode, 1, "exit code")
        assert not netlib.SANITIZER.search(p.stderr), p.stderr
        one_sentence(p.stderr, "CAP_NET_RAW")


@case("a second instance on the same state directory: exit 1, the first one is named; modes (S-7)")
def _():
    with Lab() as lab:
        d = lab.serve()
        elsewhere = Namespace()
        try:
            err = lab.fails("-i", "lo", "--state-dir", lab.state, ns=elsewhere)
            one_sentence(err, "process %d" % d.p.pid, "--state-dir")
        finally:
            elsewhere.close()
        same(stat.S_IMODE(os.stat(lab.state).st_mode), 0o750, "mode of the state directory")
        for name in os.listdir(lab.state):
            mode = stat.S_IMODE(os.stat(os.path.join(lab.state, name)).st_mode)
            assert mode & 0o137 == 0, "%s has mode %o" % (name, mode)
        d.stop()
        lab.serve()  # the lock went with it


@case("a state directory that cannot be used: exit 1, one sentence")
def _():
    with Lab() as lab:
        path = lab.write("file", "")
        one_sentence(lab.fails("-i", "sv0", "--state-dir", path), path, "--state-dir")
        one_sentence(lab.fails("-i", "sv0", "--state-dir", "/proc/nowhere/x"), "/proc/nowhere/x", "--state-dir")


# ---- configuration ----

BAD_CONFIG = """networks:
  - interfase: sv0
    dhcp: maybe
    pools: [10.77.0.200-10.77.0.100]
profiles:
  p: {kernel: not/there}
default_profile: q
unknown_key: 1
"""


@case("mistakes of the configuration: check and serve exit 1 with file:line:col, all at once")
def _():
    with Lab() as lab:
        path = lab.config(BAD_CONFIG)
        for verb in ("check", "serve"):
            err = lab.fails("-c", path, verb=verb)
            for line, column, word in ((5, 5, "interfase"), (6, 11, "maybe"), (9, 15, "not/there"), (10, 18, "q"),
                                       (11, 1, "unknown_key")):
                assert "%s:%d:%d:" % (path, line, column) in err, "no %s:%d:%d in %s" % (path, line, column, err)
                assert word in err
            assert "did you mean" in err and "interface" in err, err
        for text in ("a: [", "\t- x", "networks: 3\n", "- a\n", "\0", "\xff\xfe", "a: &a [*a, *a]\n", "{" * 3000):
            path = lab.write("odd.yaml", text.encode("latin-1"))
            err = lab.fails("-c", path, verb="check", code=1)
            assert path in err and len(err) < 20000, err[:500]
        err = lab.fails("-c", lab.dir + "/none.yaml", verb="check")
        assert "none.yaml" in err and "does not exist" in err, err
        err = lab.fails("-c", lab.dir, verb="serve")
        assert "directory" in err, err
        good = lab.config("networks: [{interface: sv0}]\n", "good.yaml")
        p = lab.server.run([BOOTSMITH, "check", "-c", good])
        assert "good" in p.stdout and p.stderr == "", p
        err = lab.fails("-c", good, "--profile", "nothing")
        assert "nothing" in err, err


GOOD = """networks: [{interface: sv0, lease_time: %s}]
profiles: {a: {kernel: a}, b: {kernel: b}}
default_profile: %s
"""


def profile_of(lab, mac):
    _, _, body = lab.http_get("/machines/%s/boot.ipxe" % mac_text(mac).replace(":", "-"))
    return body.split(b"profile ")[1].split()[0]


@case("SIGHUP: behaviour changes; lease, HTTP connection and TFTP transfer stay (G-11)")
def _():
    with Lab() as lab:
        big = random.randbytes(3 << 20)
        for name in ("http/a", "http/b", "http/big", "tftp/big"):
            lab.write(name, big)
        d = lab.serve(config=GOOD % ("1h", "a"))
        c = Client(lab.link, options=ipxe_options())
        lease = c.dora()
        same((profile_of(lab, c.mac), lease.opt[51]), (b"a", struct.pack("!I", 3600)), "before")
        t = Tftp(lab.client, "big", blksize=1428)
        for _ in range(50):
            t.step()
        s = lab.client.connect(SERVER, 80, receive_buffer=8192)
        s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        body = s.recv(4096).split(b"\r\n\r\n", 1)[1]
        lab.config(GOOD % ("2h", "b"))
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        after = c.dora()
        same((profile_of(lab, c.mac), after.opt[51], after.yiaddr), (b"b", struct.pack("!I", 7200), lease.yiaddr), "after")
        same(t.rest() == big, True, "the TFTP transfer is whole")
        while len(body) < len(big):
            more = s.recv(1 << 20)
            assert more, "the HTTP connection ended at %d" % len(body)
            body += more
        same(body == big, True, "the HTTP body is whole")
        s.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200"), "the connection is not kept"
        s.close()


@case("SIGHUP: what needs a restart is named and stays")
def _():
    with Lab() as lab:
        d = lab.serve(config="networks: [{interface: sv0}]\n")
        lab.write("bootsmith.yaml", "state_dir: %s2\nhttp: {root: %s, port: 8080}\ntftp: {root: %s, port: 6969}\n"
                  "networks: [{interface: sv0}]\n" % (lab.state, lab.http, lab.tftp))
        d.kill(signal.SIGHUP)
        line = d.wait_line("takes a restart")
        for word in ("state_dir", "http.port", "tftp.port"):
            assert word in line["message"], line
        d.wait_line("loaded anew")
        same(lab.http_get("/boot.ipxe")[0], 200, "HTTP status on the old port")
        r = Client(lab.link, options=ipxe_options()).dora()
        same(r.opt[67], b"http://10.77.0.1/boot.ipxe\0", "URL")


@case("SIGHUP with a bad file: the old one stays, the mistake is logged with its line (G-11)")
def _():
    with Lab() as lab:
        lab.write("http/a", "a")
        lab.write("http/b", "b")
        d = lab.serve(config=GOOD % ("1h", "a"))
        c = Client(lab.link, options=ipxe_options())
        lease = c.dora().yiaddr
        for bad in (BAD_CONFIG, "networks: [", "", "\0\0"):
            path = lab.config(bad)
            n = d.count("configuration in force stays")
            d.kill(signal.SIGHUP)
            wait_for("the refusal of %r" % bad[:20], lambda: d.count("configuration in force stays") > n)
        os.unlink(path)
        d.kill(signal.SIGHUP)
        d.wait_line("bootsmith.yaml.*does not exist")
        assert d.count("bootsmith.yaml:5:5: error: unknown key") == 1, d.messages()
        same((c.dora().yiaddr, profile_of(lab, c.mac)), (lease, b"a"), "as before")
        lab.config(GOOD % ("1h", "b"))
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        same(profile_of(lab, c.mac), b"b", "profile")


@case("SIGHUP storm: 50 of them, good and bad by turns (G-11)")
def _():
    with Lab() as lab:
        lab.write("http/a", "a")
        lab.write("http/b", random.randbytes(1 << 20))
        d = lab.serve(config=GOOD % ("1h", "a"))
        c = Client(lab.link)
        lease = c.dora().yiaddr
        before = len(os.listdir("/proc/%d/fd" % d.p.pid))
        for i in range(50):
            if i % 5 == 0:
                lab.config(BAD_CONFIG if i % 10 else GOOD % ("1h", "ab"[i % 4 // 2]))
            d.kill(signal.SIGHUP)
            if i % 10 == 0:
                same(len(lab.http_get("/b")[2]), 1 << 20, "octets meanwhile")
        lab.config(GOOD % ("1h", "b"))
        d.kill(signal.SIGHUP)
        wait_for("profile b", lambda: profile_of(lab, c.mac) == b"b")
        same(c.dora().yiaddr, lease, "address")
        wait_for("no more descriptors than before",
                 lambda: len(os.listdir("/proc/%d/fd" % d.p.pid)) <= before + 3)


@case("SIGHUP that takes a network away and brings it back")
def _():
    with Lab() as lab:
        lab.wire("sv1", "cl1", "10.88.0.1", "10.88.0.2")
        both = "networks: [{interface: sv0}, {interface: sv1}]\n"
        d = lab.serve(config=both)
        c, other = Client(lab.link), Client(lab.links[1])
        lease = other.dora().yiaddr
        lab.config("networks: [{interface: sv0}]\n")
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        c.dora()
        assert other.ask(DISCOVER, seconds=0.3) is None, "a network that was taken away is served"
        lab.config(both)
        d.kill(signal.SIGHUP)
        other.served_within(SOON)
        same(other.dora().yiaddr, lease, "address")


@case("SIGHUP: reservations and pools move under bound leases")
def _():
    with Lab() as lab:
        text = "networks: [{interface: sv0, pools: [%s]}]\nmachines: [%s]\n"
        d = lab.serve(config=text % ("10.77.0.100-10.77.0.110", ""))
        a, b = Client(lab.link), Client(lab.link)
        first, _ = a.dora().yiaddr, b.dora().yiaddr

        def reload(config, n):
            lab.config(config)
            d.kill(signal.SIGHUP)
            wait_for("reload %d" % n, lambda: d.count("loaded anew") == n)
        reload(text % ("10.77.0.100-10.77.0.110", '{name: b, mac: "%s", address: %s}' % (mac_text(b.mac), first)), 1)
        a.ask(REQUEST, ciaddr=first, seconds=0.5)
        for _ in range(2):
            assert a.dora().yiaddr != b.dora().yiaddr, "one address for two"
        reload(text % ("10.77.0.200-10.77.0.210", ""), 2)
        assert 200 <= int(a.dora().yiaddr.split(".")[3]) <= 210, "an address outside the new pool"
        reload("networks: [{interface: sv0, subnet: 10.77.0.0/25}]\n", 3)
        seen = [Client(lab.link).dora().yiaddr for _ in range(20)]
        assert len(set(seen)) == 20 and all(int(x.split(".")[3]) < 127 for x in seen), seen


# ---- signals and resources ----

@case("SIGTERM and SIGINT: exit 0, idle connections at once (G-10)")
def _():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Lab() as lab:
            d = lab.serve()
            idle = lab.client.connect(SERVER, 80)
            kept = lab.client.connect(SERVER, 80)
            kept.sendall(b"GET /boot.ipxe HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(4096).startswith(b"HTTP/1.1 200")
            Client(lab.link).dora()
            d.stop(number, seconds=4)  # less than the 5 s that transfers have
            same(d.count("^stopped$"), 1, "last lines")
            for x in (idle, kept):
                x.close()


@case("SIGTERM twice: the second one waits for nobody")
def _():
    with Lab() as lab:
        lab.write("http/big", bytes(64 << 20))
        d = lab.serve()
        stands = lab.client.connect(SERVER, 80, receive_buffer=8192)
        stands.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        stands.recv(4096)
        d.kill(signal.SIGTERM)
        time.sleep(0.5)
        assert d.alive(), "the first one did not wait"
        d.kill(signal.SIGTERM)
        same(d.wait(4), -signal.SIGTERM, "exit code")
        stands.close()


@case("SIGTERM: a download that goes on has 5 s, one that stands still is cut then (G-10)")
def _():
    with Lab() as lab:
        lab.write("http/big", bytes(24 << 20))  # more than sockets hold
        lab.write("tftp/big", bytes(1 << 20))
        d = lab.serve()
        t = Tftp(lab.client, "big")
        stands, reads = (lab.client.connect(SERVER, 80, receive_buffer=8192) for _ in range(2))
        for s in (stands, reads):
            s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        got = len(reads.recv(4096))
        began = time.monotonic()
        d.kill(signal.SIGTERM)
        while True:
            piece = reads.recv(1 << 20)
            if not piece:
                break
            got += len(piece)
        assert got > 24 << 20, "cut after %d octets" % got
        same(d.wait(), 0, "exit code")
        assert time.monotonic() - began < 5 + SOON
        same(d.count("^stopped$"), 1, "last lines")
        for x in (t, stands, reads):
            x.close()


@case("signals at once after the start")
def _():
    for delay in (0, 0.005, 0.01, 0.02, 0.05):
        with Lab() as lab:
            d = lab.start("-i", "sv0", "--http-root", lab.http, "--tftp-root", lab.tftp, "--state-dir", lab.state)
            time.sleep(delay)
            d.kill(signal.SIGTERM)
            code = d.wait()
            assert code in (0, -signal.SIGTERM), "exit code %d after %g s" % (code, delay)


def fetched_slowly(lab, fs):
    """A large file from a file system of that type without RWF_NOWAIT: what its disk was asked for (silent_files.c), and
    how long the slowest of many small files took meanwhile."""
    big, count, whole = random.randbytes(4 << 20), lab.write("count", ""), []
    lab.write("http/big", big)
    lab.write("http/small", "small")
    lab.serve(prefix=netlib.preloaded(netlib.tool("silent_files.so"), SILENT_FILES=fs, SILENT_FILES_COUNT=count))
    t = threading.Thread(target=lambda: whole.append(lab.http_get("/big")[2] == big))
    t.start()
    waits = []
    while t.is_alive() or not waits:
        began = time.monotonic()
        same(lab.http_get("/small")[2], b"small")
        waits.append(time.monotonic() - began)
    t.join()
    same(whole, [True], "whole")
    with open(count) as f:
        return f.read(), max(waits)


@case("HTTP from a file system without RWF_NOWAIT: a worker waits for its disk, others do not")
def _():
    def slowest():
        with Lab() as lab:
            asked, wait = fetched_slowly(lab, "6969")
        same((asked.count("r") >= 64, asked.count("s")), (True, 0), "read by workers, waited for by sendfile")
        return wait
    # What else runs here may cost one of three.
    waits = next((w for w in (slowest() for _ in range(3)) if w < 0.5), None)
    assert waits is not None, "a small file took 0.5 s and more, three times"


@case("HTTP from tmpfs: no worker reads what is in memory")
def _():
    with Lab() as lab:
        same("r" in fetched_slowly(lab, "01021994")[0], False, "read by a worker")


@case("no descriptor left: running transfers finish, new ones are refused, recovery by itself (L-5)")
def _():
    with Lab() as lab:
        big = random.randbytes(2 << 20)
        lab.write("http/big", big)
        lab.write("tftp/big", big)
        lab.write("tftp/small", "small")
        d = lab.serve()
        t = Tftp(lab.client, "big", blksize=1428)
        s = lab.client.connect(SERVER, 80, receive_buffer=8192)
        s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        body = s.recv(4096).split(b"\r\n\r\n", 1)[1]
        subprocess.run(["prlimit", "--pid=%d" % d.p.pid, "--nofile=%d" %
                        (max(map(int, os.listdir("/proc/%d/fd" % d.p.pid))) + 20)], check=True)
        held, began, refused = [lab.client.connect(SERVER, 80) for _ in range(70)], time.monotonic(), 0
        time.sleep(0.3)
        asking = lab.client.udp()
        asking.settimeout(0.05)
        for _ in range(20):
            asking.sendto(b"\0\1small\0octet\0", (SERVER, 69))
            try:
                refused += asking.recv(600)[:2] != b"\0\3"
            except socket.timeout:
                refused += 1
        asking.close()
        Client(lab.link).dora(seconds=SOON)
        same(t.rest() == big, True, "the TFTP transfer is whole")
        while len(body) < len(big):
            more = s.recv(1 << 20)
            assert more, "the HTTP transfer ended"
            body += more
        same(body == big, True, "the HTTP transfer is whole")
        for topic, pattern in (("http", "no descriptor"), ("tftp", "busy|descriptor|out of resources")):
            lines = [x for x in d.lines() if x["topic"] == topic and netlib.re.search(pattern, x["message"])]
            assert 0 < len(lines) <= time.monotonic() - began + 1, "%d lines of %s about it" % (len(lines), topic)
        for x in (s, *held):
            x.close()
        wait_for("HTTP again", lambda: service_answers_small(lab), every=0.2)
        print("   %d of 20 TFTP requests refused meanwhile" % refused)


def service_answers_small(lab):
    try:
        return tftp_get(lab.client, "small") == b"small" and lab.http_get("/big", method="HEAD")[0] == 200
    except (OSError, Timeout, TftpError):
        return False


@case("a reader of the log that stands still does not stop the service")
def _():
    with Lab() as lab:
        r, w = os.pipe()
        try:
            d = lab.start("-i", "sv0", "--http-root", lab.http, "--tftp-root", lab.tftp, "--state-dir", lab.state, stdout=w)
            Client(lab.link).served_within(SOON)
            for i in range(1500):
                Client(lab.link, mac=b"\2\0\0\0\0" + bytes([i % 50])).say(DISCOVER)
                if i % 100 == 0:
                    lab.link.drain()
            lab.link.drain()
            Client(lab.link).dora(seconds=SOON)
            os.close(r)
            r = None
            Client(lab.link).dora(seconds=SOON)  # and one that went away
            d.stop()
        finally:
            os.close(w)
            if r is not None:
                os.close(r)


@case("standard output, error and input closed: none of them becomes a socket")
def _():
    for closed in (">&-", "2>&-", "0<&- >&- 2>&-"):
        with Lab() as lab:
            d = lab.start("-i", "sv0", "--http-root", lab.http, "--tftp-root", lab.tftp, "--state-dir", lab.state,
                          prefix=["sh", "-c", "exec \"$@\" " + closed, "sh"])
            Client(lab.link).served_within(SOON)
            for n in ("0", "1", "2"):
                what = os.readlink("/proc/%d/fd/%s" % (d.p.pid, n))
                assert what == "/dev/null" or what.startswith(lab.dir), "descriptor %s is %s" % (n, what)


@case("killed by SIGKILL and started again on the same state directory")
def _():
    with Lab() as lab:
        d = lab.serve()
        Client(lab.link).dora()
        d.kill(signal.SIGKILL)
        d.p.wait(netlib.PATIENCE)
        lab.serve()
        Client(lab.link).dora()


@case("subnets of every size, and small and large MTUs")
def _():
    for prefix in (8, 16, 29, 30, 31, 32):
        with Lab(address=False) as lab:
            lab.server.ip("addr add %s/%d dev sv0" % (SERVER, prefix))
            lab.client.ip("addr flush dev cl0")  # of a /30 it would be the only address of the pool
            lab.serve()
            c = Client(lab.link)
            if prefix < 31:
                assert c.dora().yiaddr != SERVER
            else:
                assert c.ask(DISCOVER, seconds=0.1) is None
    for mtu in (576, 9000):
        with Lab() as lab:
            lab.server.ip("link set sv0 mtu %d" % mtu)
            lab.client.ip("link set cl0 mtu %d" % mtu)
            lab.serve()
            r = Client(lab.link, options=[(57, b"\xff\xff") if c == 57 else (c, v) for c, v in pxe_options()]).dora()
            assert len(r.data) <= mtu - 28 and r.list[-1][0] == 67, (mtu, len(r.data))


@case("600 slow heads from twenty addresses: an honest GET within 1 s (H-7)")
def _():
    with Lab() as lab:
        lab.write("http/file", "content")
        lab.serve()
        held = []
        for i in range(20):
            lab.client.ip("addr add 10.77.0.%d/24 dev cl0" % (10 + i))
        for i in range(600):
            with lab.client.entered():
                s = socket.socket()
            s.bind(("10.77.0.%d" % (10 + i % 20), 0))
            s.settimeout(netlib.PATIENCE)
            s.connect((SERVER, 80))
            s.send(b"GET /f")
            held.append(s)
        same(lab.http_get("/file", seconds=SOON)[2], b"content")
        for s in held:
            s.close()


# ---- scripts and files ----

@case("boot.ipxe byte for byte, the article's own script included")
def _():
    with Lab() as lab:
        lab.serve()
        for script in (ARTICLE, b"#!ipxe\r\n\xff\xfe{{x}} ${y}\0" + bytes(range(256)), b"", b"{{" * 5000):
            lab.write("http/boot.ipxe", script)
            c = Client(lab.link, options=ipxe_options())
            url = c.dora().opt[67].rstrip(b"\0").decode()
            status, fields, body = lab.http_get(url[len("http://10.77.0.1"):])
            same((status, body == script), (200, True), "script of %d octets" % len(script))
            assert fields["content-type"].startswith("text/plain"), fields
            same(lab.http_get("//boot.ipxe")[2] == script, True, "with a doubled slash")


@case("a script profile: ${…} untouched, {{hostname}} cannot inject (S-11)")
def _():
    with Lab() as lab:
        source = "#!ipxe\necho ${net0/mac} ${uuid:hexraw} {{mac}}\nset host {{hostname}}\nshell\n"
        lab.write("http/s.ipxe", source)
        lab.serve(config="""networks: [{interface: sv0}]
profiles: {s: {script: s.ipxe}}
machines: [{name: web1, mac: "02:00:00:00:00:77", vars: {disk: "/dev/vda ${x}"}}]
rules: [{match: {client: ipxe}, profile: s}]
""")
        bad = ["x\nshell\nimgfree", "a ${net0/ip} b", "a || shell", "a && reboot", "#x", "{{http}}", "\x1b[2J", "a\rb\tc", "%n"]
        for name in bad:
            c = Client(lab.link, options=[(12, name.encode())] + ipxe_options())
            url = c.dora().opt[67].rstrip(b"\0").decode()
            body = lab.http_get(url[len("http://10.77.0.1"):])[2].decode("latin-1")
            assert "${net0/mac} ${uuid:hexraw}" in body, body
            lines = body.split("\n")
            same(len(lines), len(source.split("\n")), "lines of %r" % body)
            host = lines[2][len("set host "):]
            assert host and not set(host) & set(" ${}|&;\"'`\\<>\r\t\x1b#"), "%r became %r" % (name, host)
        lab.write("http/s.ipxe", "#!ipxe\necho ${net0/mac} {{mac}}\nset host {{hostname}} {{vars.disk}} ${a}\n")
        c = Client(lab.link, mac=mac_bytes("02:00:00:00:00:77"), options=ipxe_options())
        url = c.dora().opt[67].rstrip(b"\0").decode()
        same(lab.http_get(url[len("http://10.77.0.1"):])[2],
             b"#!ipxe\necho ${net0/mac} 02:00:00:00:00:77\nset host web1 /dev/vda ${x} ${a}\n", "script")
        for broken in ("{{", "{{nothing}}", "{{#section}}x{{/section}}", "{{}}", "x" * (1 << 20) + "y"):
            lab.write("http/s.ipxe", "#!ipxe\n" + broken)
            body = lab.http_get(url[len("http://10.77.0.1"):])[2]
            assert body.startswith(b"#!ipxe\n") and b"retry" in body and b"{{nothing" not in body, (broken[:20], body[:300])
        os.unlink(os.path.join(lab.http, "s.ipxe"))
        assert b"cannot be read" in lab.http_get(url[len("http://10.77.0.1"):])[2]


def http_once(lab):
    with contextlib.closing(lab.client.connect(SERVER, 80)) as s:
        s.sendall(b"GET /boot.ipxe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return s.recv(65536).split(b" ")[1]


@case("HTTP's door: one address has a quarter of the connections, the rest is told 503 (H-7)")
def _():
    with Lab() as lab:
        lab.serve(prefix=["prlimit", "--nofile=400:400"])  # 200 connections
        busy = [lab.client.connect(SERVER, 80) for _ in range(120)]
        for s in busy:
            with contextlib.suppress(ConnectionError):
                s.sendall(b"GET /")
        time.sleep(0.5)
        told = 0
        for s in busy:
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                told += s.recv(4096).startswith(b"HTTP/1.1 503")
        assert 60 <= told <= 95, "%d of 120 were told 503" % told
        for s in busy:
            s.close()
        wait_for("room", lambda: http_once(lab) == b"200")


@case("HTTP's door: idle connections give way, the oldest first (H-7)")
def _():
    with Lab() as lab:
        lab.serve(prefix=["prlimit", "--nofile=400:400"])
        idle = []
        for _ in range(200):
            s = lab.client.connect(SERVER, 80)
            idle.append(s)
            s.sendall(b"GET /boot.ipxe HTTP/1.1\r\nHost: x\r\n\r\n")
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
        for _ in range(20):
            same(http_once(lab), b"200", "status")
        for s in idle:
            s.setblocking(False)

        def is_open(s):
            try:
                return s.recv(1) != b""
            except BlockingIOError:
                return True
        opened = [is_open(s) for s in idle]
        assert not any(opened[:60]) and all(opened[-20:]), "".join("o" if x else "." for x in opened)
        for s in idle:
            s.close()


@case("path tricks by HTTP (http_raw.py)")
def _():
    with Lab() as lab:
        lab.serve()
        raw_script(lab, "http_raw.py", 80, lab.http)


@case("path tricks by TFTP (tftp_raw.py)")
def _():
    with Lab() as lab:
        lab.serve()
        raw_script(lab, "tftp_raw.py", 69, lab.tftp)


def raw_script(lab, script, port, root):
    p = lab.client.run([sys.executable, os.path.join(HERE, script), SERVER, str(port), root], seconds=400, check=False)
    bad = [line for line in p.stdout.split("\n") if line.startswith("FAIL")]
    assert p.returncode == 0, "%s: %s%s" % (script, "; ".join(bad), p.stderr[-500:])
    lab.link.drain()
    Client(lab.link).dora(seconds=SOON)


@case("a symlink that leads out, exchanged while it is read (S-4)")
def _():
    with Lab() as lab:
        secret = lab.write("secret", "SECRET" * 100)
        lab.write("http/x", "inside")
        lab.serve()
        stop = threading.Event()

        def exchange():
            a, b = os.path.join(lab.http, "t1"), os.path.join(lab.http, "t2")
            while not stop.is_set():
                os.symlink(secret, a)
                os.rename(a, os.path.join(lab.http, "x"))
                with open(b, "w") as f:
                    f.write("inside")
                os.rename(b, os.path.join(lab.http, "x"))
        t = threading.Thread(target=exchange)
        t.start()
        try:
            s, end, seen = lab.client.connect(SERVER, 80), time.monotonic() + 2, {}
            f = s.makefile("rb")
            while time.monotonic() < end:
                s.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
                status, n = f.readline().split()[1], 0
                for line in iter(f.readline, b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        n = int(line.split(b":")[1])
                assert b"SECRET" not in f.read(n), "the secret was served"
                seen[status] = seen.get(status, 0) + 1
            s.close()
        finally:
            stop.set()
            t.join()
        assert set(seen) <= {b"200", b"403", b"404"} and b"200" in seen, seen
        print("   %s" % seen)


# ---- verbs ----

@case("boot: serves the kernel and initrds given, to BIOS, UEFI and iPXE")
def _():
    with Lab() as lab:
        kernel, initrd = random.randbytes(300000), random.randbytes(5000)
        k, i = lab.write("my kernel", kernel), lab.write("in/initrd.gz", initrd)
        j = lab.write("in2/initrd.gz", initrd[::-1])
        d = lab.start(k, i, j, "--cmdline", "console=ttyS0 quiet", "-i", "sv0", "--state-dir", lab.state,
                      "--http-root", lab.http, "--tftp-root", lab.tftp, verb="boot").ready()
        url = Client(lab.link, options=ipxe_options()).dora().opt[67].rstrip(b"\0").decode()
        body = lab.http_get(url[len("http://10.77.0.1"):])[2].decode()
        assert body.startswith("#!ipxe\n") and "console=ttyS0 quiet" in body, body
        lines = [line.split() for line in body.split("\n")]
        kernels = [w[1] for w in lines if w[:1] == ["kernel"]]
        initrds = [next(x for x in w[1:] if x.startswith("/")) for w in lines if w[:1] == ["initrd"]]
        same((len(kernels), len(initrds)), (1, 2), "files in %s" % body)
        assert "initrd=" in body, "a UEFI kernel needs initrd= in %s" % body
        same(lab.http_get(kernels[0])[2] == kernel, True, "the kernel is whole")
        same([lab.http_get(x)[2] for x in initrds], [initrd, initrd[::-1]], "initrds")
        same(Client(lab.link, options=pxe_options(0)).dora().opt[67], b"loaders/undionly.kpxe\0")
        with open("/usr/lib/ipxe/undionly.kpxe", "rb") as f:
            same(tftp_get(lab.client, "loaders/undionly.kpxe") == f.read(), True, "the loader is whole")
        d.stop()
        err = lab.fails(lab.dir + "/no-such-kernel", "-i", "sv0", "--state-dir", lab.state, verb="boot")
        assert "no-such-kernel" in err, err
        lab.fails("-i", "sv0", verb="boot", code=2)
        lab.fails(k, verb="boot", code=2)


EXPLAINED = """networks: [{interface: sv0}]
profiles: {deb: {kernel: k}, sys: {bootfile: f}, disk: {local_boot: true}}
machines: [{name: web1, mac: "02:00:00:00:00:77", address: 10.77.0.10, profile: deb}]
rules:
  - {match: {serial: ABC}, profile: disk}
  - {match: {arch: arm64}, profile: disk}
  - {match: {arch: bios, client: pxe}, profile: sys}
default_profile: deb
"""


@case("explain: a dozen clients, every field of the contract, equal to what they are told")
def _():
    import json
    with Lab() as lab:
        lab.write("http/k", "k")
        lab.write("tftp/f", "f")
        lab.serve(config=EXPLAINED)
        path = os.path.join(lab.dir, "bootsmith.yaml")
        clients = (
            ([], [], "dhcp"),
            (["--arch", "bios"], pxe_options(0), "pxe"),
            (["--arch", "x64"], pxe_options(7), "pxe"),
            (["--arch", "9"], pxe_options(9), "pxe"),
            (["--arch", "arm64"], pxe_options(11), "pxe"),
            (["--arch", "ia32"], pxe_options(6), "pxe"),
            (["--arch", "16"], pxe_options(16, True), "http"),
            (["--arch", "15"], pxe_options(15, True), "http"),
            (["--arch", "19", "--vendor-class", "HTTPClient:Arch:00019"], pxe_options(19, True), "http"),
            (["--arch", "bios", "--user-class", "iPXE"], ipxe_options(), "ipxe"),
            (["--arch", "x64", "--user-class", "iPXE"], ipxe_options(7), "ipxe"),
            (["--mac", "02:00:00:00:00:77", "--arch", "x64", "--user-class", "iPXE"], ipxe_options(7), "ipxe"),
            (["--vendor-class", "PXEClient"], [(60, b"PXEClient")], "pxe"),
            (["--arch", "39"], pxe_options(39), "pxe"),
        )
        for argv, options, kind in clients:
            if "--mac" not in argv:
                argv = ["--mac", "02:00:00:00:00:66", *argv]
            e = json.loads(lab.server.run([BOOTSMITH, "explain", "-c", path, "--json", *argv]).stdout)
            for key in ("kind", "arch", "transport", "profile", "rule", "why", "bootfile", "next_server", "options", "address"):
                assert key in e, "%s: no %s in %r" % (argv, key, e)
            same(e["kind"], kind, "kind of %s:" % argv)
            assert e["why"] and e["rule"], e
            r = Client(lab.link, mac=mac_bytes(argv[1]), options=options).dora()
            told = r.opt.get(67, b"").rstrip(b"\0").decode() or None
            same(e["bootfile"], told, "%s: explained bootfile, told %r:" % (argv, told))
            same(e["next_server"], None if r.siaddr == "0.0.0.0" else r.siaddr, "%s: next_server" % argv)
            text = lab.server.run([BOOTSMITH, "explain", "-c", path, *argv]).stdout
            assert "why" in text and text.isprintable() is False and "\x1b" not in text, text
        e = json.loads(lab.server.run([BOOTSMITH, "explain", "-c", path, "--json", "--arch", "bios", "--user-class",
                                       "iPXE", "--vendor-class", "\x1b[2J\n"]).stdout)
        assert any("serial" in n or "rule 1" in n for n in e["notes"]), "no word about the unknown serial: %r" % e["notes"]
        for argv in (["--mac", "zz"], ["--arch", "99999999"], ["--arch", ""], ["--uuid", "x"], ["--giaddr", "x"], ["more"]):
            same(lab.server.run([BOOTSMITH, "explain", "-c", path, *argv], check=False).returncode, 2, "exit code of %s" % argv)


def capture(frames, order="<", link=1):
    """A classic pcap file."""
    out = struct.pack(order + "IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
    for f in frames:
        out += struct.pack(order + "IIII", 1700000000, 0, len(f), len(f)) + f
    return out


def captured_vectors():
    """The requests of real clients in tests/vectors, as payloads."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "../vectors/dhcp4/*.txt"))):
        with open(path) as f:
            hexes = []
            for line in f:
                word = line.split()
                if word[:1] == ["hex:"]:
                    hexes.append("".join(word[1:]))
                elif hexes:
                    found.append(bytes.fromhex("".join(hexes)))
                    hexes = []
    return found


@case("explain: the address and why, as a fresh daemon gives it")
def _():
    import json
    with Lab() as lab:
        for name, data in (("http/k", "k"), ("tftp/f", "f")):
            lab.write(name, data)
        path = lab.config(EXPLAINED)

        def explain(*argv):
            return json.loads(lab.server.run([BOOTSMITH, "explain", "-c", path, "--json", *argv]).stdout)
        e = explain("--mac", "02:00:00:00:00:77")
        same((e["address"], e["address_why"]), ("10.77.0.10", "reserved for web1"))
        e = explain("--mac", "02:00:00:00:00:66", "--arch", "x64")
        assert "pool" in e["address_why"], e
        text = lab.server.run([BOOTSMITH, "explain", "-c", path, "--mac", "02:00:00:00:00:66"]).stdout
        assert "address      %s, from the pool" % e["address"] in text, text
        lab.serve(config=EXPLAINED)
        same(Client(lab.link, mac=mac_bytes("02:00:00:00:00:66"), options=pxe_options(7)).dora().yiaddr, e["address"])


@case("explain --pcap: each request of a capture, in both orders, and what is no capture")
def _():
    import json
    with Lab() as lab:
        for name, data in (("http/k", "k"), ("tftp/f", "f")):
            lab.write(name, data)
        path = lab.config(EXPLAINED)

        def explain(data, *argv, code=0):
            p = lab.server.run([BOOTSMITH, "explain", "-c", path, "--pcap", lab.write("x.pcap", data), *argv], check=False)
            same(p.returncode, code, "exit code (%s):" % p.stderr)
            assert not netlib.SANITIZER.search(p.stderr), p.stderr
            return (json.loads(p.stdout) if p.stdout and "--json" in argv else p.stdout), p.stderr
        mac, web1 = mac_bytes("02:00:00:00:00:66"), mac_bytes("02:00:00:00:00:77")
        first = udp_frame(message(DISCOVER, mac, 1, pxe_options(0)), mac)
        mine = [(50, ip4("10.77.0.128")), (54, ip4(SERVER))]
        frames = [first, udp_frame(b"noise", mac, dport=53),
                  udp_frame(message(REQUEST, mac, 1, mine + pxe_options(0)), mac),
                  first[:12] + bytes.fromhex("88a8000781000001") + udp_frame(message(DISCOVER, web1, 2), web1)[12:],
                  udp_frame(message(2, mac, 1, op=2), mac, sport=67, dport=67),  # a reply to a relay
                  udp_frame(message(REQUEST, mac, 3, [(50, ip4("10.77.0.128")), (54, ip4("10.77.0.99"))]), mac),
                  udp_frame(b"\1short", mac), b"", b"\xff" * 14]
        for order in "<>":
            got, err = explain(capture(frames, order), "--json")
            same(err, "")
            same([(e["packet"], e["request"], e["reply"], e["drop"]) for e in got],
                 [(1, "DISCOVER", "OFFER", None), (3, "REQUEST", "ACK", None), (4, "DISCOVER", "OFFER", None),
                  (6, "REQUEST", None, "D022"), (7, None, None, "D001")])
            same([e["address"] for e in got], ["10.77.0.128", "10.77.0.128", "10.77.0.10", None, None])
            same((got[0]["bootfile"], got[1]["bootfile"], got[0]["mac"]), ("f", "f", mac_text(mac)))
            assert "already" in got[1]["address_why"] and "web1" in got[2]["address_why"], got
        text, _ = explain(capture(frames))
        same([b.split(":")[0] for b in text.split("\n\n")], ["packet %d" % n for n in (1, 3, 4, 6, 7)], "blocks")
        vectors = captured_vectors()
        got, err = explain(capture([udp_frame(p, mac) for p in vectors]), "--json")
        same((len(got), err), (len(vectors), ""), "requests of real clients")
        assert len(got) > 50 and {e["kind"] for e in got} == {"dhcp", "pxe", "http", "ipxe"}, len(got)
        whole = capture(frames)
        same((len(explain(whole[:-20], "--json")[0]), "ends inside" in explain(whole[:-20])[1]), (5, True), "cut")
        same(explain(capture([first], link=276), "--json")[0], [])
        assert "no Ethernet" in explain(capture([first], link=276))[1]
        assert "DHCPv4 request" in explain(capture([]))[1]
        for data in (b"", b"#!ipxe", whole[4:]):
            one_sentence(explain(data, code=1)[1], "no capture")
        p = lab.server.run([BOOTSMITH, "explain", "-c", path, "--pcap", "/nowhere"], check=False)
        same(p.returncode, 1)
        one_sentence(p.stderr, "/nowhere")
        p = lab.server.run([BOOTSMITH, "explain", "-c", path, "--pcap", "x", "--mac", "02:00:00:00:00:66"], check=False)
        same(p.returncode, 2)


@case("exit codes and --help of every verb")
def _():
    ns = Namespace()
    try:
        for argv, code in ((["--help"], 0), (["-h"], 0), (["version"], 0), (["--version"], 0), ([], 2), (["nothing"], 2),
                           (["version", "x"], 2), (["serve", "--wrong"], 2), (["serve"], 2), (["serve", "-i"], 2),
                           (["serve", "-i", "lo", "more"], 2), (["serve", "-i", "lo", "--log-format", "xml"], 2),
                           (["boot"], 2), (["boot", "-i", "lo"], 2), (["boot", "k"], 2), (["check", "--wrong"], 2),
                           (["check", "more"], 2), (["check", "-c", "/nowhere"], 1), (["explain", "--wrong"], 2), (["lease"], 2), (["lease", "list", "--wrong"], 2),
                           (["lab"], 2), (["lab", "nothing"], 2), (["lab", "network"], 2), (["lab", "node"], 2),
                           (["lab", "network", "--name", "b0", "--address", "1.2.3"], 2)):
            p = ns.run([BOOTSMITH, *argv], check=False)
            same(p.returncode, code, "exit code of %s (%s)" % (argv, p.stderr.strip()))
            if code == 0:
                assert p.stdout and not p.stderr, p
            else:
                assert p.stderr and not p.stdout, p
        for verb in (["serve"], ["boot"], ["check"], ["explain"], ["lease"], ["cert"], ["lab"], ["lab", "network"], ["lab", "node"], ["version"]):
            p = ns.run([BOOTSMITH, *verb, "--help"])
            assert p.stdout.startswith("usage: bootsmith") and len(p.stdout.split("\n")) > 2 and not p.stderr, p
    finally:
        ns.close()


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
