#!/usr/bin/env python3
"""`bootsmith events`: events.py [WORD...]

What the daemon did, as text and JSON, then and while it happens; readers that are
slow, that leave, and that are strangers.  One line per case, as robust.py.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import sys
import time

import netlib
from control import Talk, come_and_go, connections, same
from netlib import BOOTSMITH, DISCOVER, SERVER, Client, Lab, Tftp, Timeout, http_get, mac_bytes, mac_text, message, tftp_get, wait_for

case = netlib.Cases()
QUIET = "networks: [{interface: sv0, conflict_check: off}]\n"
LAST_OF_START = "no other DHCP server answers there"  # comes a second after the others


def events(lab, *argv, code=0):
    """What `bootsmith events` says: text, or the parsed document with --json."""
    p = lab.server.run([BOOTSMITH, "events", *argv, "--socket", lab.socket], check=False, seconds=60)
    same(p.returncode, code, "exit code of events %s (%s%s):" % (" ".join(argv), p.stdout[-300:], p.stderr))
    if code:
        assert p.stderr.count("\n") == 1 or code == 2, p.stderr
        return p.stderr
    return json.loads(p.stdout) if "--json" in argv else p.stdout


class Follower:
    """`bootsmith events --follow` as a process."""

    def __init__(self, lab, *argv):
        self.path = os.path.join(lab.dir, "%x.events" % id(self))
        with open(self.path, "wb") as out, open(self.path + ".err", "wb") as err:
            self.p = lab.server.spawn([BOOTSMITH, "events", "--follow", *argv, "--socket", lab.socket], stdout=out,
                                      stderr=err)

    def lines(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read().split("\n")[:-1]

    def errors(self):
        with open(self.path + ".err", encoding="utf-8") as f:
            return f.read()

    def wait_line(self, pattern, seconds=netlib.PATIENCE):
        try:
            return wait_for("a line /%s/" % pattern, lambda: [x for x in self.lines() if re.search(pattern, x)], seconds)[0]
        except Timeout as e:
            raise Timeout("%s; it ends: %s; %s" % (e, self.lines()[-4:], self.errors())) from None

    def end(self, number):
        self.p.send_signal(number)
        return self.p.wait(netlib.PATIENCE)


@case("a real client's exchange: then, and as it happens; text and JSON; by MAC")
def _():
    assert shutil.which("udhcpc"), "udhcpc is not installed: make deps-check"
    with Lab(address=True) as lab:
        d = lab.serve(config=QUIET)
        mine = mac_text(lab.link.mac)
        all_text, all_json, other = Follower(lab), Follower(lab, "--json"), Follower(lab, "02:00:00:00:00:01", "--json")
        for f in (all_text, all_json):
            f.wait_line("ready after")  # what was before comes first
            f.wait_line(LAST_OF_START)
        lab.client.run(["udhcpc", "-i", "cl0", "-f", "-q", "-n", "-t", "5", "-T", "1", "-s", "/bin/true"])
        Client(lab.link, mac=mac_bytes("02:00:00:00:00:01")).dora()
        for kind in ("DISCOVER -> OFFER", "REQUEST -> ACK"):
            line = all_text.wait_line(mine + ".*" + kind)
            assert re.match(r"\d\d:\d\d:\d\d\.\d{3} dhcp   " + mine, line), line
            all_json.wait_line(mine + ".*" + kind)
            for f in (all_text, all_json, other):
                f.wait_line("02:00:00:00:00:01.*" + kind)
        assert all("02:00:00:00:00:01" in x for x in other.lines()), other.lines()
        live = [json.loads(x) for x in all_json.lines()]
        then = events(lab, "--json")
        same(live, then, "what was followed and what is remembered:")
        same([x["seq"] for x in then], list(range(1, len(then) + 1)), "numbers")
        # an event is what the log said, and a number
        wait_for("the log's lines", lambda: len(d.lines()) >= len(then))
        same([{k: v for k, v in x.items() if k != "seq"} for x in then], d.lines(), "events and log:")
        ack = [x for x in then if x.get("reply") == "ACK" and x["mac"] == mine][0]
        assert list(ack)[:4] == ["seq", "time", "level", "topic"], ack
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ack["time"]), ack
        same((ack["level"], ack["topic"], ack["request"]), ("info", "dhcp", "REQUEST"))
        same([x["seq"] for x in events(lab, mine.upper().replace(":", "-"), "--json")],
             [x["seq"] for x in then if x.get("mac") == mine], "by MAC, however it is written:")
        same(events(lab, "--json", "--since", str(ack["seq"])), [x for x in then if x["seq"] > ack["seq"]], "since")
        same(events(lab, "--json", "--since", str(then[-1]["seq"])), [], "since the last")
        same(events(lab, "02:00:00:00:00:99"), "", "of a machine that nobody saw")
        text = events(lab).split("\n")
        same([x[13:] for x in text], [x[13:] for x in all_text.lines()] + [""], "text")
        same([f.end(signal.SIGINT) for f in (all_text, all_json, other)], [0, 0, 0], "exit codes after Ctrl-C")
        same("".join(f.errors() for f in (all_text, all_json, other)), "", "errors")
        same(list(json.loads(all_json.lines()[-1])), list(live[-1]), "the last line is whole")


@case("transfers and requests: size, rate, machine")
def _():
    with Lab() as lab:
        lab.serve(config=QUIET)
        lab.write("tftp/loader", b"x" * 300000)
        lab.write("http/kernel", b"y" * 3000000)
        c = Client(lab.link)
        address = c.dora().yiaddr
        lab.client.ip("addr flush dev cl0")
        lab.client.ip("addr add %s/24 dev cl0" % address)
        tftp_get(lab.client, "loader", blksize=1400)
        same(http_get(lab.client, "/kernel")[0], 200)
        def told():  # the thread that served it tells of it afterwards
            got = {x["topic"]: x for x in events(lab, mac_text(c.mac), "--json")}
            return got if {"tftp", "http"} <= set(got) else None
        got = wait_for("events of both", told)
        same((got["tftp"]["file"], got["tftp"]["octets"], got["tftp"]["outcome"]), ("loader", 300000, "sent"))
        same((got["http"]["target"], got["http"]["octets"], got["http"]["status"]), ("/kernel", 3000000, 200))
        for x in got["tftp"], got["http"]:
            assert x["octets_per_s"] > 0 and "MB/s" in x["message"], x


@case("a transfer that takes its time says how far it is, each second, by TFTP and HTTP")
def _():
    with Lab() as lab:
        lab.serve(config=QUIET)
        lab.write("tftp/slow", b"x" * (1 << 20))
        lab.write("http/slow", b"y" * (64 << 20))
        address = Client(lab.link).dora().yiaddr
        lab.client.ip("addr add %s/24 dev cl0" % address)
        t = Tftp(lab.client, "slow", blksize=1400)
        s = lab.client.connect(SERVER, 80, receive_buffer=8192)
        s.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 3.2:
            s.recv(65536)
            t.step()
            time.sleep(0.05)
        took = time.monotonic() - began
        for topic, name, size in (("tftp", "slow", 1 << 20), ("http", "/slow", 64 << 20)):
            seen = [x for x in events(lab, "--json") if x["topic"] == topic and "progress" in x]
            assert 2 <= len(seen) <= took + 1, "%d events of %s in %.1f s: %r" % (len(seen), topic, took, seen)
            assert all(name in x["message"] and 0 <= x["progress"] < 100 for x in seen), seen
        s.close()
        t.rest()


@case("hostile names: nothing of them reaches terminal or JSON as it is (L-7)")
def _():
    name = b"\x1b[2J\n\r\"\\</script><script>\x9b\xc2\x9b31m\xff%n"
    with Lab() as lab:
        lab.serve(config=QUIET)
        live = Follower(lab)
        lab.link.drain()
        Client(lab.link, options=[(12, name)]).dora()
        s = lab.client.connect(netlib.SERVER, 80, 5)
        s.sendall(b"GET /" + name.replace(b"\n", b"").replace(b"\r", b"") + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        s.recv(1000)
        s.close()
        try:
            tftp_get(lab.client, name)
        except netlib.TftpError:
            pass
        live.wait_line("tftp .*refused")
        raw = lab.server.run([BOOTSMITH, "events", "--json", "--socket", lab.socket]).stdout
        for out in (raw, events(lab), "\n".join(live.lines())):
            same(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out), [], "control characters")
        same({x.get("hostname") for x in json.loads(raw) if x.get("reply") == "ACK"},
             {"\x1b[2J\n\r\"\\</script><script>\x9b\x9b31m\xff%n"}, "the name itself, for programs:")
        same(live.end(signal.SIGINT), 0)


@case("followers that do not read: DHCP does not wait, and they are told what they missed")
def _():
    with Lab() as lab:
        d = lab.serve(config=QUIET)
        talks = [Talk(lab) for _ in range(20)]
        for t in talks:
            t.say({"v": 1, "verb": "events", "follow": True})
        macs = [b"\2\1\0\0\0" + bytes([i]) for i in range(64)]
        slowest, sent, began = 0, 0, time.monotonic()
        while time.monotonic() - began < 4:
            for _ in range(50):  # exchanges for the rings to run over
                lab.link.send(message(DISCOVER, macs[sent % 64], sent, flags=0x8000, options=[(12, b"h" * 60)]),
                              mac=macs[sent % 64])
                sent += 1
            time.sleep(0.02)
            if sent % 500 == 0:
                lab.link.drain()
                start = time.monotonic()
                Client(lab.link, broadcast=True).dora()
                slowest = max(slowest, time.monotonic() - start)
        Client(lab.link, broadcast=True, mac=mac_bytes("02:00:00:00:00:07")).dora()
        assert slowest < 5, slowest
        last = events(lab, "--json", "02:00:00:00:00:07")[-1]["seq"]
        for t in talks[:3]:
            seen, missed, after = 0, 0, 0
            while after < last:
                got = json.loads(t.f.readline())
                missed += got.get("missed", 0)
                if "event" in got:
                    seen += 1
                    assert got["event"]["seq"] > after
                    after = got["event"]["seq"]
            same(seen + missed, last, "seen and missed (%d)" % missed)
            assert missed > 0, seen
        print("   %d requests, %d events, an honest exchange in %.0f ms at most; %d missed" % (sent, last, slowest * 1000,
                                                                                          missed))
        assert d.alive()
        for t in talks:
            t.close()
        wait_for("all followers gone", lambda: connections(lab) == 0)


@case("followers that leave, half close, or are too many; strangers' requests (S-9)")
def _():
    with Lab() as lab:
        d = lab.serve(config=QUIET)
        d.wait_line(LAST_OF_START)
        t = Talk(lab)
        for request, word in (({"mac": 7}, "MAC"), ({"mac": "zz"}, "MAC"), ({"mac": "\x1b" * 999}, "MAC"), ({"mac": ""}, "MAC"),
                              ({"since": "1"}, "number"), ({"since": -1}, "number"), ({"since": 1.5}, "number"),
                              ({"since": [1]}, "number"), ({"follow": "yes"}, "true or false"), ({"follow": 1}, "true or false")):
            t.error({"v": 1, "verb": "events", **request}, word)
        t.error(b'{"v":1,"verb":"events","since":99999999999999999999}', "JSON")
        n = len(t.ask({"v": 1, "verb": "events"}))
        same(len(t.ask({"v": 1, "verb": "events", "since": 2**62})), n, "of a daemon that was here before: all")
        # while it follows, further requests wait
        t.say({"v": 1, "verb": "events", "follow": True, "since": n - 2})
        t.say({"v": 1, "verb": "lease.list"})
        assert LAST_OF_START in json.loads(t.f.readline())["event"]["message"]
        Client(lab.link).dora()
        assert "DISCOVER" in json.loads(t.f.readline())["event"]["message"]
        t.close()
        wait_for("who left is noticed", lambda: connections(lab) == 0)
        # quiet ones leave while there is nothing to tell them
        quiet = [Talk(lab) for _ in range(32)]
        for t in quiet:
            t.say({"v": 1, "verb": "events", "follow": True, "mac": "02:00:00:00:00:99"})
        assert "too many" in wait_for("a full house", lambda: connections(lab) == 32 and events(lab, code=1))
        for t in quiet[:31]:
            t.close()
        wait_for("those who left are noticed", lambda: connections(lab) == 1)
        # who only says that it sends no more still listens
        t = quiet[31]
        t.s.shutdown(socket.SHUT_WR)
        time.sleep(1.2)
        Client(lab.link, mac=mac_bytes("02:00:00:00:00:99")).dora()
        same(json.loads(t.f.readline())["event"]["mac"], "02:00:00:00:00:99")
        t.close()
        wait_for("that one too", lambda: connections(lab) == 0)
        come_and_go(lab, 200, {"v": 1, "verb": "events", "follow": True})  # in the middle of what is told
        Client(lab.link).dora()
        assert d.alive()


@case("requests with octets changed, removed and added at random: an answer each, nothing else (S-9)")
def _():
    seed = int(os.environ.get("SEED", time.time_ns() & 0xffffff))
    rng = random.Random(seed)
    print("   SEED=%d" % seed)
    good = [json.dumps(x).encode() for x in (
        {"v": 1, "verb": "events", "mac": "02:00:00:00:00:01", "since": 1, "follow": False},
        {"v": 1, "verb": "status"}, {"v": 1, "verb": "lease.show", "key": "10.77.0.128"},
        {"v": 1, "verb": "lease.list", "state": "bound", "network": "sv0", "all": True})]
    with Lab() as lab:
        d = lab.serve(config=QUIET)
        Client(lab.link).dora()
        t = Talk(lab)
        for _ in range(3000):
            request = bytearray(rng.choice(good))
            for _ in range(rng.randrange(1, 5)):
                at = rng.randrange(len(request))
                request[at:at + rng.randrange(3)] = rng.choice((rng.randbytes(rng.randrange(3)), b'"', b"{", b"]", b"9", b"-"))
            if b"true" not in request.lower() or b"follow" not in request:
                t.ask(bytes(request).replace(b"\n", b" "))
        t.close()
        Client(lab.link).dora()
        assert d.alive()


@case("the daemon stops: a sentence and exit 1; no daemon; wrong usage")
def _():
    with Lab() as lab:
        assert "bootsmith serve" in events(lab, code=1)
        d = lab.serve(config=QUIET)
        f, g = Follower(lab), Follower(lab, "--json")
        f.wait_line("ready")
        g.wait_line("ready")
        d.stop()
        same((f.p.wait(netlib.PATIENCE), g.p.wait(netlib.PATIENCE)), (1, 1), "exit codes")
        assert "stopped" in f.errors() and f.errors().count("\n") == 1, f.errors()
        assert f.lines()[-1].endswith("stopping (SIGTERM)"), f.lines()[-2:]
        same(json.loads(g.lines()[-1])["message"], "stopping (SIGTERM)", "the last that it said")
        d = lab.serve(config=QUIET)
        f = Follower(lab)
        f.wait_line("ready")
        d.kill(9)
        d.wait()
        same(f.p.wait(netlib.PATIENCE), 1, "after kill -9")
        for argv in (("x",), ("02:00:00:00:00:99", "y"), ("--since", "x"), ("--since", "-1"), ("--since",), ("--odd",)):
            events(lab, *argv, code=2)


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
