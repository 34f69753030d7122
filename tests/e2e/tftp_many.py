#!/usr/bin/env python3
"""TFTP for many at once, and what happens to files meanwhile: tftp_many.py [WORD...]

single_port, long windows, half-open floods, ten thousand transfers and what they
cost, files that change, files larger than the cache, no descriptors left, paths that take
no UDP_SEGMENT.
"""
import errno
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

import netlib
from netlib import Lab, wait_for

case = netlib.Cases()
SERVER = "10.77.0.1"
RRQ, DATA, ACK, ERROR, OACK = 1, 3, 4, 5, 6
CONFIG = "networks: [{interface: sv0, pools: [10.77.1.1-10.77.1.9]}]\n"
SO_RCVBUFFORCE = 33


class Wide(Lab):
    """A /16, of which the client's end owns the upper half."""

    def __init__(self):
        super().__init__(address=False)
        self.server.ip("addr add %s/16 dev sv0" % SERVER)
        self.client.ip("addr add 10.77.128.1/16 dev cl0")
        self.client.ip("route add local 10.77.128.0/17 dev lo")

    def files(self, **sizes):
        rng = random.Random(5)
        made = {name: rng.randbytes(n) for name, n in sizes.items()}
        for name, octets in made.items():
            self.write("tftp/" + name, octets)
        time.sleep(0.1)  # no longer young: shared between transfers
        return made

    def many(self, **more):
        return self.serve(config=CONFIG, **more)


def request(name, **options):
    fields = [name, "octet"]
    for k, v in options.items():
        fields += [k, str(v)]
    return struct.pack("!H", RRQ) + b"".join(f.encode() + b"\0" for f in fields)


def ack(n):
    return struct.pack("!HH", ACK, n & 0xFFFF)


class Fetch:
    """A correct client (RFC 7440), one block at a time."""

    def __init__(self, lab, name, source="0.0.0.0", room=8 << 20, **options):
        self.s = lab.client.udp(source)
        self.s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)
        self.blksize, self.window = 512, 1
        self.n, self.in_window, self.got, self.done, self.peer = 0, 0, [], False, None
        self.first = request(name, **options)
        self.s.sendto(self.first, (SERVER, 69))
        if options:
            f = self.hear(OACK)[2:].split(b"\0")[:-1]
            self.agreed = {k.decode(): int(v) for k, v in zip(f[::2], f[1::2])}
            self.blksize = self.agreed.get("blksize", 512)
            self.window = self.agreed.get("windowsize", 1)
            self.say(ack(0))

    def say(self, packet):
        self.s.sendto(packet, self.peer)

    def hear(self, kind=DATA):
        """The next packet; what may have been lost in a flood is said again."""
        end = time.monotonic() + netlib.PATIENCE
        while True:
            self.s.settimeout(3 if self.peer else 0.5)
            try:
                p, peer = self.s.recvfrom(70000)
            except socket.timeout:
                if time.monotonic() > end:
                    raise netlib.Timeout("TFTP: silence after block %d" % self.n) from None
                self.s.sendto(ack(self.n) if self.peer else self.first, self.peer or (SERVER, 69))
                self.in_window = 0
                continue
            self.peer = self.peer or peer
            op, code = struct.unpack("!HH", p[:4])
            if op == OACK != kind:  # once more: it had not heard our ACK yet
                continue
            if peer == self.peer:
                break
        assert op == kind, "packet %d (%d, %r) instead of %d" % (op, code, p[4:60], kind)
        return p

    def step(self):
        """One packet."""
        p = self.hear()
        n = struct.unpack("!H", p[2:4])[0]
        if n != (self.n + 1) & 0xFFFF:
            if self.in_window or n == self.n & 0xFFFF:  # a gap: once; or our ACK was lost
                self.say(ack(self.n))
            self.in_window = 0
            return
        self.n += 1
        self.in_window += 1
        self.got.append(p[4:])
        self.done = len(p) - 4 < self.blksize
        if self.done or self.in_window == self.window:
            self.in_window = 0
            self.say(ack(self.n))

    def rest(self):
        while not self.done:
            self.step()
        self.s.close()
        return b"".join(self.got)


def address(i):
    """One of the client's many."""
    return socket.inet_aton("10.77.%d.%d" % (130 + i // 200, i % 200 + 1))


def memory_kib(d):
    with open("/proc/%d/status" % d.p.pid) as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def single(lab, **more):
    config = "state_dir: %s\nhttp: {root: %s}\ntftp: {root: %s, single_port: true}\n" % (lab.state, lab.http, lab.tftp)
    return lab.serve("-c", lab.write("single.yaml", config + CONFIG), interfaces=(), **more)


@case("single_port: files intact, all from port 69, strangers hear nothing")
def _():
    with Wide() as lab:
        made = lab.files(empty=0, small=513, big=3 << 20)
        single(lab)
        for name in made:
            for options in ({}, {"tsize": 0}, {"blksize": 1468, "windowsize": 16}):
                f = Fetch(lab, name, **options)
                assert f.rest() == made[name], (name, options)
                assert f.peer == (SERVER, 69), f.peer
        running = Fetch(lab, "big", tsize=0)
        running.step()
        with lab.client.udp() as s:
            s.settimeout(0.3)
            for p in (ack(1), struct.pack("!HH", DATA, 1), struct.pack("!HH", ERROR, 0) + b"x\0", b"\0\x09"):
                s.sendto(p, (SERVER, 69))
            try:
                raise AssertionError("a stranger was answered: %r" % (s.recvfrom(600),))
            except socket.timeout:
                pass
        assert running.rest() == made["big"]
        f = lab.client.udp()
        f.sendto(request("none"), (SERVER, 69))
        p, peer = f.recvfrom(600)
        assert p[:4] == struct.pack("!HH", ERROR, 1) and peer == (SERVER, 69), (p, peer)


@case("windowsize 64, 256 and 1000, and blocks that lie across two pieces of the file")
def _():
    with Wide() as lab:
        made = lab.files(big=(5 << 20) + 77)
        lab.many()
        for window in (64, 256, 1000):
            for blksize in (1468, 1000, 512):
                f = Fetch(lab, "big", blksize=blksize, windowsize=window)
                assert (f.agreed["windowsize"], f.agreed["blksize"]) == (window, blksize), f.agreed
                assert f.rest() == made["big"], (window, blksize)


@case("transfers of one address have different ports, and never the same twice in a row")
def _():
    with Wide() as lab:
        lab.files(f=2000)
        lab.many()
        s = lab.client.udp()
        ports = []
        for _ in range(60):
            s.sendto(request("f", tsize=0), (SERVER, 69))
            p, peer = s.recvfrom(600)
            assert p[1] == OACK, p
            s.sendto(struct.pack("!HH", ERROR, 0) + b"\0", peer)
            ports.append(peer[1])
        assert all(a != b for a, b in zip(ports, ports[1:])), ports
        assert 69 not in ports


@case("8,000 half-open requests, and an honest client beside them")
def _():
    with Wide() as lab:
        made = lab.files(f=700000)
        d = lab.many()
        # not more addresses than fit into the kernel's table of neighbours
        flood = [lab.client.udp() for _ in range(30)]
        honest, n = None, 0
        for i in range(8000):
            info = struct.pack("@i4s4s", 0, address(i // 30), b"\0" * 4)
            flood[i % 30].sendmsg([request("f", tsize=0)], [(socket.IPPROTO_IP, 8, info)], 0, (SERVER, 69))
            if i % 50 == 0:
                time.sleep(0.003)
            if i == 4000:
                began = time.monotonic()
                honest = Fetch(lab, "f", source="10.77.128.1", blksize=1468, windowsize=8)
                n = time.monotonic() - began
            if honest and not honest.done and i % 8 == 0:
                honest.step()
        assert honest.rest() == made["f"]
        assert n < 1, "the honest client waited %g s" % n
        assert Fetch(lab, "f", source="10.77.128.1").rest() == made["f"]
        assert d.alive()
        print("  first answer in the flood after %.0f ms" % (n * 1000))


@case("10,000 transfers at once on one port: less than 4 KiB each")
def _():
    with Wide() as lab:
        made = lab.files(f=1500)
        d = single(lab)
        assert Fetch(lab, "f").rest() == made["f"]
        sockets, poll = {}, select.epoll()
        with lab.client.entered():
            for i in range(10000):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                s.bind((socket.inet_ntoa(address(i // 30)), 0))
                sockets[s.fileno()] = s
                poll.register(s, select.EPOLLIN)
        before, descriptors = memory_kib(d), len(os.listdir("/proc/%d/fd" % d.p.pid))
        first, started, end = request("f", blksize=512, tsize=0), set(), time.monotonic() + 150

        def hear(seconds):
            for fd, _ in poll.poll(seconds):
                p = sockets[fd].recv(600)
                if p[1] == OACK:
                    sockets[fd].sendto(ack(0), (SERVER, 69))
                elif p[1] == DATA:
                    started.add(fd)
        while len(started) < 10000 and time.monotonic() < end:
            # what the flood lost is asked for again, as clients do
            for i, s in enumerate([s for fd, s in sockets.items() if fd not in started]):
                s.sendto(first, (SERVER, 69))
                if i % 50 == 0:
                    hear(0.005)
            pause = time.monotonic() + 1
            while len(started) < 10000 and time.monotonic() < pause:
                hear(0.1)
        assert len(started) == 10000, "%d transfers began" % len(started)
        after, now = memory_kib(d), len(os.listdir("/proc/%d/fd" % d.p.pid))
        assert Fetch(lab, "f").rest() == made["f"], "an honest client beside them"
        each = (after - before) * 1024 / 10000
        print("  %.0f octets each (%d KiB before, %d after), %d descriptors more" % (each, before, after, now - descriptors))
        assert each < 4096 and now - descriptors < 10, (each, now, descriptors)
        # and all of them to their end
        got = {fd: {} for fd in sockets}
        finished = 0
        for s in sockets.values():
            s.sendto(ack(1), (SERVER, 69))
        while finished < 10000 and time.monotonic() < end:
            for fd, _ in poll.poll(0.2):
                p = sockets[fd].recv(600)
                n = struct.unpack("!H", p[2:4])[0]
                if p[1] != DATA:
                    continue
                sockets[fd].sendto(ack(n), (SERVER, 69))  # again, if it was lost
                finished += n == 3 and n not in got[fd]
                got[fd][n] = p[4:]
        assert finished == 10000, "%d of 10000 ended" % finished
        assert all(g[3] == made["f"][1024:] for g in got.values())
        for s in sockets.values():
            s.close()


@case("a file replaced by rename is sent in its old octets; one changed or truncated in place ends in an error")
def _():
    with Wide() as lab:
        made = lab.files(replaced=900000, changed=900000, truncated=900000)
        lab.many()
        running = {name: Fetch(lab, name, blksize=1468, windowsize=8) for name in made}
        for f in running.values():
            for _ in range(40):
                f.step()
        os.rename(lab.write("tftp/new", b"n" * 500000), os.path.join(lab.tftp, "replaced"))
        with open(os.path.join(lab.tftp, "changed"), "r+b") as f:
            f.seek(800000)
            f.write(b"changed")
        os.truncate(os.path.join(lab.tftp, "truncated"), 1000)
        assert running["replaced"].rest() == made["replaced"]
        for name in ("changed", "truncated"):
            try:
                running[name].rest()
                raise AssertionError("%s was sent to its end" % name)
            except AssertionError as e:
                assert "packet 5 (0, b'The file changed" in str(e), e
        assert Fetch(lab, "replaced").rest() == b"n" * 500000
        assert Fetch(lab, "truncated").rest() == made["truncated"][:1000]
        changed = made["changed"][:800000] + b"changed" + made["changed"][800007:]
        assert Fetch(lab, "changed", blksize=1468, windowsize=8).rest() == changed


@case("a file larger than the cache, for three clients far apart")
def _():
    with Wide() as lab:
        piece = random.Random(6).randbytes(1 << 20)
        big = b"".join(piece[i:] + piece[:i] for i in range(96))
        lab.write("tftp/big", big)
        time.sleep(0.1)
        d = lab.many()
        clients = []
        for _ in range(3):
            clients.append(Fetch(lab, "big", blksize=1468, windowsize=64))
            for f in clients:
                for _ in range(64 * 20):
                    f.step()
        while any(not f.done for f in clients):
            for f in clients:
                for _ in range(64):
                    if not f.done:
                        f.step()
        for f in clients:
            assert b"".join(f.got) == big
        print("  %d MiB resident" % (memory_kib(d) >> 10))


@case("no descriptor left: what runs goes on, what is new is told, and all is well after that")
def _():
    with Wide() as lab:
        made = lab.files(f=400000, g=1000)
        d = lab.many()
        running = Fetch(lab, "f", blksize=1468, windowsize=4)
        running.step()
        now = len(os.listdir("/proc/%d/fd" % d.p.pid))
        subprocess.run(["prlimit", "--pid=%d" % d.p.pid, "--nofile=%d:20000" % now], check=True)
        with lab.client.udp() as s:
            s.settimeout(3)
            s.sendto(request("g"), (SERVER, 69))
            try:
                p = s.recvfrom(600)[0]
                assert p[:4] == struct.pack("!HH", ERROR, 0), p
            except socket.timeout:
                pass
        assert running.rest() == made["f"]
        subprocess.run(["prlimit", "--pid=%d" % d.p.pid, "--nofile=20000:20000"], check=True)
        wait_for("service again", lambda: Fetch(lab, "g").rest() == made["g"])


def refused_segments(lab, error, serve):
    """Transfers where UDP_SEGMENT is refused: how often, after one and after five more."""
    made = lab.files(f=(1 << 20) + 77)
    count = lab.write("refused", b"")
    d = serve(prefix=netlib.preloaded(netlib.tool("refuse_segments.so"), REFUSE_SEGMENTS=error, REFUSE_SEGMENTS_COUNT=count))
    assert Fetch(lab, "f", blksize=1468, windowsize=16).rest() == made["f"]
    first = os.path.getsize(count)
    clients = [Fetch(lab, "f", source="10.77.128.1", blksize=1468, windowsize=w) for w in (4, 16, 16, 64, 256)]
    while any(not f.done for f in clients):
        for f in clients:
            if not f.done:
                f.step()
    for f in clients:
        assert b"".join(f.got) == made["f"], f.window
    assert Fetch(lab, "f").rest() == made["f"]
    assert d.count("[Ss]egment") <= 1, d.messages()
    return first, os.path.getsize(count)


@case("a device that takes no UDP_SEGMENT (EIO) is asked once, and all arrives")
def _():
    for port in (Wide.many, single):
        with Wide() as lab:
            got = refused_segments(lab, errno.EIO, lambda **more: port(lab, **more))
            assert got == (1, 1), "%d refusals, then %d" % got


@case("a path that takes no UDP_SEGMENT (EINVAL) is asked once for each transfer, and all arrives")
def _():
    for port in (Wide.many, single):
        with Wide() as lab:
            got = refused_segments(lab, errno.EINVAL, lambda **more: port(lab, **more))
            assert got == (1, 6), "%d refusals, then %d" % got


@case("a path's MTU sinks below a segment while it is used")
def _():
    with Wide() as lab:
        made = lab.files(f=(1 << 20) + 77)
        lab.many()
        f = Fetch(lab, "f", blksize=1468, windowsize=16)
        for _ in range(100):
            f.step()
        lab.server.ip("route add 10.77.0.2 dev sv0 mtu 600")
        lab.server.ip("route add 10.77.128.0/24 dev sv0 mtu 600")
        assert f.rest() == made["f"]
        later = Fetch(lab, "f", source="10.77.128.1", blksize=1468, windowsize=16)
        assert (later.agreed["blksize"], later.rest()) == (568, made["f"]), later.agreed


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
