#!/usr/bin/env python3
"""The control socket and `bootsmith lease`: control.py [WORD...]

Leases listed, shown and released as the contract has it; strangers on the socket;
long answers while DHCP goes on.  One line per case, as robust.py.
"""
import contextlib
import json
import os
import random
import re
import socket
import stat
import struct
import sys
import time

import netlib
from netlib import (ACK, BOOTSMITH, DISCOVER, SERVER, Client, Lab, Timeout, ip4, mac_bytes, mac_text, made_up_mac,
                    message)

case = netlib.Cases()
CONFIG = """control: {socket: %s}
networks: [{interface: sv0, conflict_check: off}]
profiles: {disk: {local_boot: true}}
machines:
  - {name: web1, mac: "02:00:00:00:00:77", address: 10.77.0.10, profile: disk}
  - {name: web2, mac: "02:00:00:00:00:78", address: 10.77.0.11, profile: disk}
"""
FIELDS = ["address", "mac", "client_id", "network", "state", "expires", "hostname", "machine"]


def same(got, want, what="got"):
    if got != want:
        raise AssertionError("%s %r, expected %r" % (what, got, want))


def lease(lab, *argv, code=0, where=None):
    """What `bootsmith lease` says: text, or the parsed document with --json."""
    p = lab.server.run([BOOTSMITH, "lease", *argv, *(where or ("--socket", lab.socket))], check=False, seconds=60)
    same(p.returncode, code, "exit code of lease %s (%s%s):" % (" ".join(argv), p.stdout[-300:], p.stderr))
    if code:
        same((p.stdout, code == 2 or len(p.stderr.strip().split("\n"))), ("", 1),
             "output of lease %s (%s):" % (argv, p.stderr))
        return p.stderr
    return json.loads(p.stdout) if "--json" in argv else p.stdout


def by_address(leases):
    same(len({x["address"] for x in leases}), len(leases), "addresses, each once:")
    return {x["address"]: x for x in leases}


class Talk:
    """A connection to the socket."""

    def __init__(self, lab, seconds=netlib.PATIENCE):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.connect(lab.socket)
        self.s.settimeout(seconds)
        self.f = self.s.makefile("rb")

    def say(self, request):
        if not isinstance(request, bytes):
            request = json.dumps(request).encode()
        self.s.sendall(request + b"\n")

    def answer(self):
        """All lines of one answer."""
        lines = []
        while not lines or not ("done" in lines[-1] or "error" in lines[-1]):
            line = self.f.readline()
            if not line:
                raise AssertionError("the answer ended after %d lines" % len(lines))
            lines.append(json.loads(line))
            same(lines[-1]["v"], 1, "version")
        return lines

    def ask(self, request):
        self.say(request)
        return self.answer()

    def error(self, request, word):
        got = self.ask(request)
        assert len(got) == 1 and word in got[0]["error"], "%r, expected an error with %r" % (got, word)

    def over(self):
        """The other side hangs up."""
        try:
            return self.f.read() == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.f.close()
        self.s.close()


def come_and_go(lab, n, request):
    """So many ask and leave, some with an answer on its way, until the daemon has noticed all."""
    for _ in range(n):
        t = Talk(lab)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # too many, since it has not noticed others yet
            t.say(request)
        t.close()
    netlib.wait_for("all have left", lambda: connections(lab) == 0)


def quick_lease(lab, n):
    """n clients leased as fast as they are answered: {mac: address}."""
    offers, got, sent, last = {}, {}, 0, time.monotonic()
    macs = {i: b"\2\1" + struct.pack("!I", i) for i in range(n)}
    lab.link.drain()
    while len(got) < n:
        while sent < n and sent - len(got) < 64:
            lab.link.send(message(DISCOVER, macs[sent], sent, flags=0x8000), mac=macs[sent])
            sent += 1
        r = lab.link.receive(seconds=1)
        if r is None:
            if time.monotonic() - last > netlib.PATIENCE:
                raise Timeout("%d of %d clients were served" % (len(got), n))
            for i in range(sent):
                if i not in got:
                    lab.link.send(message(DISCOVER, macs[i], i, flags=0x8000), mac=macs[i])
            continue
        last = time.monotonic()
        if r.kind == netlib.OFFER and r.xid not in offers and r.xid in macs:
            offers[r.xid] = r.yiaddr
            lab.link.send(message(netlib.REQUEST, macs[r.xid], r.xid, [(50, ip4(r.yiaddr)), (54, r.opt[54])],
                                  flags=0x8000), mac=macs[r.xid])
        elif r.kind == ACK and r.xid in macs:
            got[r.xid] = r.yiaddr
    return {mac_text(macs[i]): a for i, a in got.items()}


@case("lease list and show: every field of the contract")
def _():
    with Lab() as lab:
        lab.serve(config=CONFIG % lab.socket)
        plain = Client(lab.link, options=[(12, b"desk")])
        with_id = Client(lab.link, client_id=b"\xff\0\1")
        reserved = Client(lab.link, mac=mac_bytes("02:00:00:00:00:77"))
        offered = Client(lab.link)
        a, b, c, d = plain.dora().yiaddr, with_id.dora().yiaddr, reserved.dora().yiaddr, offered.discover().yiaddr
        got = by_address(lease(lab, "list", "--json"))
        same(set(got), {a, b, c, d, "10.77.0.11"}, "addresses")
        for x in got.values():
            same(list(x), FIELDS, "fields")
            same(x["network"], "sv0", "network")
        same([got[x]["state"] for x in (a, b, c, d, "10.77.0.11")], ["bound", "bound", "bound", "offered", "reserved"])
        same((got[a]["mac"], got[a]["client_id"], got[a]["hostname"], got[a]["machine"]),
             (mac_text(plain.mac), None, "desk", None))
        same((got[b]["mac"], got[b]["client_id"], got[b]["hostname"]), (mac_text(with_id.mac), "ff:00:01", None))
        same((c, got[c]["machine"]), ("10.77.0.10", "web1"))
        same((got["10.77.0.11"]["mac"], got["10.77.0.11"]["expires"], got["10.77.0.11"]["machine"]),
             ("02:00:00:00:00:78", None, "web2"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", got[a]["expires"]), got[a]
        left = time.mktime(time.strptime(got[a]["expires"], "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
        assert 3590 <= left <= 3601, left
        for key, address in ((a, a), (mac_text(plain.mac), a), (mac_text(plain.mac).replace(":", "-").upper(), a),
                             ("DESK", a), ("web1", c), ("web2", "10.77.0.11"), ("10.77.0.11", "10.77.0.11"),
                             ("02:00:00:00:00:78", "10.77.0.11"), (mac_text(offered.mac), d)):
            same(lease(lab, "show", key, "--json"), got[address], "lease show %s:" % key)
        text = lease(lab, "show", "desk")
        assert "address    %s\n" % a in text and "state      bound\n" in text, text
        for state, want in (("bound", {a, b, c}), ("offered", {d}), ("reserved", {"10.77.0.11"}), ("declined", set())):
            same(set(by_address(lease(lab, "list", "--json", "--state", state))), want, state)
        same(set(by_address(lease(lab, "list", "--json", "--network", "sv0"))), set(got), "network sv0")
        table = lease(lab, "list").split("\n")
        same((table[0].split()[:3], len(table)), (["ADDRESS", "STATE", "MAC"], 7), "table")
        at = table[0].index("NETWORK")
        same({line[at:at + 3] for line in table[1:6]}, {"sv0"}, "aligned")
        same([line.split()[0] for line in table[1:6]], sorted(got, key=ip4), "order")
        # -c finds the socket; wrong usage and unknown things are sentences
        same(len(lease(lab, "list", "--json", where=("-c", os.path.join(lab.dir, "bootsmith.yaml")))), 5)
        for argv, word in ((("show", "nobody"), "nobody"), (("show", "10.77.0.200"), "no lease"),
                           (("list", "--network", "sv9"), "sv9"), (("list", "--state", "odd"), "odd"),
                           (("release", "desk"), "neither"), (("release", "10.77.0.11"), "no lease")):
            assert word in lease(lab, *argv, code=1), argv
        for argv in ((), ("nothing",), ("show",), ("show", "a", "b"), ("list", "x"), ("release",), ("--odd",),
                     ("show", "x", "--all")):
            lease(lab, *argv, code=2)


@case("a stage's other lease: show names the one in use, and says so of the rest")
def _():
    with Lab() as lab:
        lab.serve()
        mac = made_up_mac()
        one = Client(lab.link, mac=mac, client_id=b"\0one").dora().yiaddr
        Client(lab.link, mac=mac, client_id=b"\0two").discover()
        p = lab.server.run([BOOTSMITH, "lease", "show", mac_text(mac), "--json", "--socket", lab.socket])
        same((json.loads(p.stdout)["address"], json.loads(p.stdout)["state"]), (one, "bound"))
        assert "fits too" in p.stderr and "offered" in p.stderr, p.stderr


@case("a hostile hostname: neither table nor JSON has a control character of it (L-7)")
def _():
    name = b"\x1b[2J\n\"\\</script>\x9b\xc2\x9b31m\xff%n"
    with Lab() as lab:
        lab.serve()
        address = Client(lab.link, options=[(12, name)]).dora().yiaddr
        for argv in (("list",), ("list", "--json"), ("show", address), ("show", address, "--json")):
            out = lab.server.run([BOOTSMITH, "lease", *argv, "--socket", lab.socket]).stdout
            same(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out), [], "control characters of %s:" % (argv,))
        same(lease(lab, "show", address, "--json")["hostname"], "\x1b[2J\n\"\\</script>\x9b\x9b31m\xff%n")


@case("release: free at once, on disk, logged, and discovered again")
def _():
    with Lab() as lab:
        d = lab.serve()
        c = Client(lab.link)
        address = c.dora().yiaddr
        other = Client(lab.link).dora().yiaddr
        same(lease(lab, "release", address), "%s released\n" % address)
        d.wait_line("%s.*released by the control socket, for user 0" % address)
        same(set(by_address(lease(lab, "list", "--json"))), {other}, "left")
        same(lease(lab, "list", "--json", "--state", "free")[0]["address"], address, "free")
        same({x["state"] for x in lease(lab, "list", "--json", "--all")}, {"free", "bound"}, "--all")
        assert "no lease" in lease(lab, "release", address, code=1)
        d.kill(9)
        d.wait()
        # a dead daemon's socket is replaced, and what was released is so still
        assert os.path.exists(lab.socket)
        d = lab.serve()
        same(set(by_address(lease(lab, "list", "--json"))), {other}, "after kill -9")
        same(c.dora().yiaddr, address, "discovered again")
        same([x["address"] for x in lease(lab, "release", mac_text(c.mac), "--json")], [address], "by MAC")
        same(Client(lab.link, mac=c.mac).request(c.discover()).kind, ACK)
        d.stop()
        assert not os.path.exists(lab.socket), "the socket is still there"


@case("no daemon: one sentence, exit 1")
def _():
    with Lab() as lab:
        assert "bootsmith serve" in lease(lab, "list", code=1)
        s = socket.socket(socket.AF_UNIX)
        s.bind(lab.socket)
        s.close()
        assert "bootsmith serve" in lease(lab, "show", "x", code=1)
        path = lab.config("networks: [")
        assert lab.server.run([BOOTSMITH, "lease", "list", "-c", path], check=False).returncode == 1


@case("the socket: mode, directory, a stale one, a live one, a file in its place")
def _():
    with Lab() as lab:
        lab.socket = os.path.join(lab.dir, "run", "control.sock")
        d = lab.serve()
        same(stat.S_IMODE(os.stat(lab.socket).st_mode), 0o660, "mode")
        same(stat.S_IMODE(os.stat(os.path.dirname(lab.socket)).st_mode), 0o750, "directory's mode")
        lab.wire("sv1", "cl1", "10.78.0.1")
        second = lab.start("-i", "sv1", "--state-dir", lab.dir + "/s2", "--http-root", lab.http, "--tftp-root", lab.tftp)
        second.wait_line("another daemon listens on the control socket")
        second.ready()
        same(second.count("control socket"), 1, "sentences")
        Client(lab.link).dora()
        same({x["network"] for x in lease(lab, "list", "--json")}, {"sv0"})
        second.stop()
        same(len(lease(lab, "list", "--json")), 1, "still there after the second stopped:")
        d.stop()
        for path, word in ((lab.write("file", "mine"), "no socket"), (lab.dir + "/no/such/dir/x", "No such file"),
                           ("/" + "x" * 120, "too long")):
            d = lab.serve("--socket", path)
            d.wait_line(word)
            Client(lab.link).dora()
            d.stop()
        with open(os.path.join(lab.dir, "file")) as f:
            same(f.read(), "mine")


@case("strangers on the socket: garbage, depth, size, halves (S-9)")
def _():
    with Lab() as lab:
        d = lab.serve()
        Client(lab.link).dora()
        good = {"v": 1, "verb": "lease.list"}
        t = Talk(lab)
        t.error(b"", "JSON")
        t.error(b"\0\xff\x1b[2J", "JSON")
        t.error(b"GET / HTTP/1.1\r", "JSON")
        t.error(b"[" * 20000, "levels")
        t.error(b'{"v":1,"verb":"lease.list","x":' + b"[" * 20000 + b"]" * 20000 + b"}", "levels")
        t.error(b'{"a":' * 10000, "levels")
        t.error(b'{"v":1,"verb":"lease.list","x":"' + b'[\\"{' * 9000, "JSON")
        t.error(b"[]", "version")
        t.error({"verb": "lease.list"}, "version")
        t.error({"v": 2, "verb": "lease.list"}, "version")
        t.error({"v": "1", "verb": "lease.list"}, "version")
        t.error({"v": 1}, "verb")
        t.error({"v": 1, "verb": "\x1b[2J" + "x" * 1000}, "verb")
        t.error({"v": 1, "verb": ["lease.list"]}, "verb")
        t.error(b'{"v":1,"v":1,"verb":"lease.list"}', "JSON")
        t.error({"v": 1, "verb": "lease.list", "network": 7}, "texts")
        t.error({"v": 1, "verb": "lease.list", "network": "x" * 60000}, "network")
        t.error({"v": 1, "verb": "lease.show"}, "key")
        t.error({"v": 1, "verb": "lease.show", "key": ""}, "key")
        t.error({"v": 1, "verb": "lease.show", "key": {"a": 1}}, "key")
        t.error({"v": 1, "verb": "lease.show", "key": "\x1b%n<script>"}, "script")
        t.error({"v": 1, "verb": "lease.release", "key": "*"}, "neither")
        same(len(t.ask(good)), 2, "and then an honest request:")
        # several at once, in pieces, with CR LF; answered in order
        t.say(json.dumps(good).encode() + b"\r\n" + b'{"v":1}' + b"\n" + json.dumps(good).encode())
        same([len(t.answer()) for _ in range(3)], [2, 1, 2], "pipelined")
        for b in json.dumps(good).encode() + b"\n":
            t.s.sendall(bytes([b]))
        same(len(t.answer()), 2, "octet by octet")
        t.s.sendall(json.dumps(good).encode() + b"\n")
        t.s.shutdown(socket.SHUT_WR)
        same((len(t.answer()), t.over()), (2, True), "half closed")
        t.close()
        t = Talk(lab)
        try:
            t.s.sendall(b"x" * 200000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert "65536" in t.answer()[0]["error"] and t.over()
        t.close()
        # half a line: given up after 5 s, while others are served
        t, began = Talk(lab), time.monotonic()
        t.s.sendall(b'{"v":1')
        same(len(lease(lab, "list", "--json")), 1)
        assert "5 seconds" in t.answer()[0]["error"] and t.over()
        assert 4 < time.monotonic() - began, time.monotonic() - began
        t.close()
        Client(lab.link).dora()
        assert d.alive()


@case("a hundred connections: 32 are taken, the rest told so; DHCP does not notice")
def _():
    with Lab() as lab:
        d = lab.serve()
        talks = [Talk(lab) for _ in range(100)]
        Client(lab.link).dora()
        told = 0
        for t in talks[32:]:
            told += "too many" in t.answer()[0]["error"] and t.over()
        same(told, 68, "turned away")
        assert "too many" in lease(lab, "list", code=1)
        for t in talks[:32]:
            same(len(t.ask({"v": 1, "verb": "lease.list"})), 2)
            t.close()
        for t in talks:
            t.close()
        netlib.wait_for("room again", lambda: lab.server.run([BOOTSMITH, "lease", "list", "--socket", lab.socket],
                                                             check=False).returncode == 0)
        come_and_go(lab, 300, {"v": 1, "verb": "lease.list"})
        same(len(lease(lab, "list", "--json")), 1)
        with open("/proc/%d/status" % d.p.pid) as f:
            assert d.alive() and f.read()


@case("2,000 leases listed while DHCP goes on; readers that stop, or leave in the middle")
def _():
    with Lab(address=False) as lab:
        lab.server.ip("addr add 10.77.0.1/16 dev sv0")
        lab.serve(config="networks: [{interface: sv0, conflict_check: off, pools: [10.77.16.0-10.77.31.255]}]\n")
        want = quick_lease(lab, 2000)
        got = lease(lab, "list", "--json")
        same({x["mac"]: x["address"] for x in got}, want, "leases")
        same([x["address"] for x in got], sorted((x["address"] for x in got), key=ip4), "order")
        same({x["state"] for x in got}, {"bound"})
        # one that reads nothing and one that leaves: nobody waits for them
        stopped, leaver = Talk(lab), Talk(lab)
        for _ in range(20):
            stopped.say({"v": 1, "verb": "lease.list"})
        leaver.say({"v": 1, "verb": "lease.list"})
        leaver.f.readline()
        leaver.close()
        slowest = 0
        lister = lab.server.spawn(["sh", "-c", 'for i in 1 2 3 4 5; do "$0" lease list --socket "$1" > /dev/null; done',
                                   BOOTSMITH, lab.socket])
        served = 0
        while lister.poll() is None:
            began = time.monotonic()
            Client(lab.link, broadcast=True).dora()
            slowest = max(slowest, time.monotonic() - began)
            served += 1
        same(lister.returncode, 0, "the lister")
        assert served and slowest < 5, (served, slowest)
        same(connections(lab), 1, "connections: the reader that stopped, still:")
        print("   %d clients served meanwhile, the slowest in %.0f ms" % (served, slowest * 1000))
        netlib.wait_for("the reader that stopped is dropped", lambda: connections(lab) == 0, 45, 0.5)
        # releases in a row, each by its MAC
        for mac in list(want)[:20]:
            same(lease(lab, "release", mac), "%s released\n" % want[mac])
        same(len(lease(lab, "list", "--json")), 1980 + served)
        stopped.close()


def connections(lab):
    """How many of ours the daemon holds: they belong to our namespace, and bear the path."""
    with open("/proc/net/unix") as f:
        return f.read().count(lab.socket)


def status(lab, *argv, code=0):
    p = lab.server.run([BOOTSMITH, "status", *argv, "--socket", lab.socket], check=False)
    same(p.returncode, code, "exit code of status (%s):" % p.stderr)
    return json.loads(p.stdout) if "--json" in argv and code == 0 else p.stdout + p.stderr


@case("status: networks, pools, leases by state, drops")
def _():
    with Lab() as lab:
        assert "bootsmith serve" in status(lab, code=1)
        status(lab, "x", code=2)
        d = lab.serve(config=""" networks:
  - {interface: sv0, conflict_check: off, pools: [10.77.0.100-10.77.0.109], lease_time: 2m}
  - {interface: sv9}
profiles: {disk: {local_boot: true}}
machines: [{name: web1, mac: "02:00:00:00:00:77", address: 10.77.0.10, profile: disk}]
"""[1:])
        got = status(lab, "--json")
        same(list(got), ["version", "pid", "started", "uptime_s", "config", "store_failing", "events", "running", "networks",
                         "leases", "drops"])
        same((got["pid"], got["store_failing"], got["drops"]), (d.p.pid, False, []))
        assert 0 <= got["uptime_s"] < 30 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", got["started"]), got
        bound = [Client(lab.link).dora() for _ in range(3)]
        Client(lab.link).discover()
        Client(lab.link, mac=mac_bytes("02:00:00:00:00:77")).dora()
        released = Client(lab.link)
        lease(lab, "release", released.dora().yiaddr)
        same(len(bound), 3)
        for _ in range(5):
            lab.link.send(b"\1\1\6\0short", mac=made_up_mac())
        netlib.wait_for("five drops", lambda: sum(x["times"] for x in status(lab, "--json")["drops"]) >= 5)
        got = status(lab, "--json")
        same([{k: x[k] for k in ("drop", "times")} for x in got["drops"]], [{"drop": "D001", "times": 5}], "drops")
        same(got["leases"], {"bound": 4, "offered": 1, "declined": 0, "free": 1}, "leases")
        same(got["networks"][0], {"network": "sv0", "interface": "sv0", "dhcp": "server", "served": True,
                                  "subnet": "10.77.0.0/24", "server": "10.77.0.1", "pool": 10, "taken": 4,
                                  "bound": 4, "offered": 1, "declined": 0, "free": 1}, "sv0")
        same((got["networks"][1]["network"], got["networks"][1]["served"], got["networks"][1]["subnet"]), ("sv9", False, None))
        text = status(lab)
        for want in ("4 bound, 1 offered, 0 declined, 1 free", "4 of 10 (40 %)", "not served now",
                     "5  D001  shorter than a BOOTP header"):
            assert want in text, text
        # a reload while it counts, and clients that leave in the middle
        talks = [Talk(lab) for _ in range(8)]
        for t in talks:
            t.say({"v": 1, "verb": "status"})
        d.kill(1)
        for t in talks[:4]:
            t.close()
        same([t.answer()[0]["status"]["leases"]["bound"] for t in talks[4:]], [4] * 4)
        for t in talks[4:]:
            t.close()
        d.wait_line("^loaded anew")
        same(status(lab, "--json")["networks"][0]["taken"], 4, "after a reload")


@case("status: connections and transfers that run now, by thread")
def _():
    def running(lab):
        r = status(lab, "--json")["running"]
        http = [t for t in r["threads"] if t["protocol"] == "http"]
        same((sum(t["connections"] for t in http), sum(t["transfers"] for t in http)),
             (r["http_connections"], r["http_transfers"]), "sums")
        same([(t["thread"], t["transfers"]) for t in r["threads"] if t["protocol"] != "http"], [("tftp", r["tftp_transfers"])])
        same([t["thread"] for t in http], ["http%d" % i for i in range(len(http))])
        return r["http_connections"], r["http_transfers"], r["tftp_transfers"]

    with Lab() as lab:
        lab.serve()
        lab.write("http/big", random.randbytes(8 << 20))
        lab.write("tftp/big", random.randbytes(1 << 20))
        same(running(lab), (0, 0, 0), "before")
        held = [lab.client.connect(SERVER, 80, receive_buffer=8192) for _ in range(7)]
        for s in held[:3]:
            s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        transfers = [netlib.Tftp(lab.client, "big", blksize=1428) for _ in range(2)]
        netlib.wait_for("7 connections, 3 answers, 2 transfers", lambda: running(lab) == (7, 3, 2))
        text = status(lab)
        assert "running: 7 HTTP connections, 3 of them being answered; 2 TFTP transfers (tftp: 2, http0: " in text, text
        for s in held:
            s.close()
        for t in transfers:
            t.rest()
        netlib.wait_for("none", lambda: running(lab) == (0, 0, 0))


@case("a daemon that stops while answers and releases are under way")
def _():
    with Lab() as lab:
        for signal_number in (15, 2):
            d = lab.serve(config="networks: [{interface: sv0, conflict_check: off}]\n")
            for _ in range(20):
                Client(lab.link).dora()
            talks = [Talk(lab) for _ in range(10)]
            for i, t in enumerate(talks):
                t.say({"v": 1, "verb": "lease.release", "key": "10.77.0.%d" % (128 + i)} if i % 2 else
                      {"v": 1, "verb": "lease.list"})
            d.stop(signal_number)
            for t in talks:
                t.close()


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
