#!/usr/bin/env python3
"""What is acknowledged stays: durable.py [WORD...]

kill -9 in the middle of a load, full and read-only disks, databases that are
damaged, too new or deleted, one that hangs, and clocks that are set. One line per case; with words, only the cases whose
name contains one. BOOTSMITH names the binary, KILLS how often it is killed.
"""
import contextlib
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import netlib
from netlib import ACK, DISCOVER, NAK, OFFER, REQUEST, Lab, message, wait_for

case = netlib.Cases()
FAKETIME = "/usr/lib/%s/faketime/libfaketime.so.1" % (sys.implementation._multiarch)
HANG_DISK = netlib.tool("hang_disk.so")
KILLS = int(os.environ.get("KILLS", "4"))
CONFIG = "networks: [{interface: sv0, pools: [10.64.0.10-10.127.255.250], conflict_check: off}]\n"
SERVER, RELAY = "10.64.0.1", "10.64.0.2"


class BigLab(Lab):
    """A subnet in which tests can take addresses by the thousand."""

    def wire(self, **more):
        return super().wire(address=SERVER, client=RELAY, prefix=10)


class Disk:
    """A file system of its own under the state directory, in a mount namespace of
    its own, which goes with the process that keeps it."""

    def __init__(self, lab, *commands):
        os.makedirs(lab.state, exist_ok=True)
        self.lab = lab
        script = " && ".join(c.replace("STATE", lab.state) for c in ("mount --make-rprivate /", *commands, "echo", "exec sleep 3600"))
        self.keeper = lab.server.spawn(["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE)
        assert self.keeper.stdout.readline() == b"\n", "the mounts failed: %s" % script
        self.prefix = ["nsenter", "--mount=/proc/%d/ns/mnt" % self.keeper.pid]

    def path(self, name):
        return "/proc/%d/root%s/%s" % (self.keeper.pid, self.lab.state, name)

    def fill(self):
        with open(self.path("filler"), "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(bytes(4096))

    def make_room(self):
        os.unlink(self.path("filler"))


def stored(lab, path):
    """Address by hardware address, as a database says that may be in use."""
    with contextlib.closing(sqlite3.connect(copied(lab, path))) as db:
        return {row[0]: (row[1].to_bytes(4, "big"), row[2]) for row in db.execute(
            "SELECT chaddr, address, state FROM lease_log ORDER BY row")}


def copied(lab, path):
    to = os.path.join(lab.dir, "copy.db")
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(to + suffix)
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(path + suffix, to + suffix)
    return to


class Crowd:
    """Clients behind one relay address, and what they were promised.

    They are driven by load(), some at once; what is remembered is every ACK, and
    an address that was promised to two is an error at once.
    """

    def __init__(self, lab):
        self.s = lab.client.udp(RELAY, 67)
        self.has, self.owner = {}, {}  # address by number of the client, and back
        self.at_acks = None            # how many promises start a timer

    def mac(self, n):
        return b"\2\0" + n.to_bytes(4, "big")

    def say(self, n, kind, options=(), **more):
        packet = message(kind, self.mac(n), n, options, giaddr=RELAY, hops=1, **more)
        with contextlib.suppress(ConnectionRefusedError):  # the daemon is dead
            self.s.sendto(packet, (SERVER, 67))

    def hear(self, seconds):
        """One (number of the client, kind, address, server, lease time), or None."""
        if not select.select([self.s], [], [], seconds)[0]:
            return None
        try:
            b = self.s.recv(2048)
        except ConnectionRefusedError:
            return None
        options, at = {}, 240
        while at < len(b) and b[at] != 255:
            if b[at]:
                options[b[at]] = b[at + 2:at + 2 + b[at + 1]]
            at += 2 + b[at + 1] if b[at] else 1
        return (int.from_bytes(b[4:8], "big"), options[53][0], b[16:20], options[54],
                int.from_bytes(options.get(51, b""), "big"))

    def ask(self, n, kind, options=(), seconds=1, **more):
        """The answer to this client, or None."""
        self.say(n, kind, options, **more)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.hear(end - time.monotonic())
            if got and got[0] == n:
                return got
        return None

    def dora(self, n, seconds=1):
        """Was it acknowledged?"""
        offer = self.ask(n, DISCOVER, seconds=seconds)
        ack = offer and self.ask(n, REQUEST, [(50, offer[2]), (54, offer[3])], seconds)
        if not ack:
            return False
        assert ack[1] == ACK, ack
        self.promised(n, ack[2])
        return True

    def renew(self, n, seconds=netlib.PATIENCE):
        got = self.ask(n, REQUEST, ciaddr=".".join(map(str, self.has[n])), seconds=seconds)
        assert got and got[1] == ACK and got[2] == self.has[n], "client %d renews %s: %r" % (n, list(self.has[n]), got)
        return got[4]

    def promised(self, n, address):
        other = self.owner.setdefault(address, n)
        assert other == n, "%s given to client %d, and it is client %d's" % (list(address), n, other)
        before = self.has.setdefault(n, address)
        assert before == address, "client %d had %s and was given %s" % (n, list(before), list(address))

    def load(self, first, count, alive=lambda: True, window=64):
        """So many new clients get leases, or those who can while the server lives; the next one's number."""
        end, next_number, open_ = time.monotonic() + 60, first, {}
        while time.monotonic() < end and alive():
            while len(open_) < window and next_number < first + count:
                # Some ask for an address that is another's: they must not get it.
                wish = [(50, random.choice(list(self.owner)))] if self.owner and next_number % 16 == 0 else []
                self.say(next_number, DISCOVER, wish)
                open_[next_number] = time.monotonic()
                next_number += 1
            if not open_:
                break
            self.step(open_)
            for n, since in list(open_.items()):
                if time.monotonic() - since > 1:
                    self.say(n, DISCOVER)
                    open_[n] = time.monotonic()
        while not alive() and self.step(open_):  # what it promised at the last moment counts
            pass
        return next_number

    def step(self, open_):
        got = self.hear(0.02)
        if not got:
            return False
        n, kind, address, server, _ = got
        if kind == OFFER and n in open_:
            other = self.owner.get(address, n)
            assert other == n, "%s offered to client %d, and it is client %d's" % (list(address), n, other)
            self.say(n, REQUEST, [(50, address), (54, server)])
        elif kind == ACK:
            self.promised(n, address)
            open_.pop(n, None)
            if self.at_acks and len(self.has) >= self.at_acks[0]:
                self.at_acks[1].start()
                self.at_acks = None
        return True

    def still_theirs(self, numbers, window=64):
        """Each asks as after a reboot: a server that does not know it says nothing."""
        todo, asked = list(numbers), {}
        tries = dict.fromkeys(todo, 0)
        while todo or asked:
            while todo and len(asked) < window:
                n = todo.pop()
                tries[n] += 1
                assert tries[n] <= 10, "client %d is not known any more (%s)" % (n, list(self.has[n]))
                self.say(n, REQUEST, [(50, self.has[n])])
                asked[n] = time.monotonic()
            got = self.hear(0.1)
            if got and got[0] in asked:
                n, kind, address, _, _ = got
                assert kind != NAK, "NAK for client %d's own %s" % (n, list(self.has[n]))
                if kind == ACK:
                    self.promised(n, address)
                    del asked[n]
            for n, since in list(asked.items()):
                if time.monotonic() - since > 2:
                    del asked[n]
                    todo.append(n)

    def close(self):
        self.s.close()


@contextlib.contextmanager
def crowd_in(lab):
    crowd = Crowd(lab)
    try:
        yield crowd
    finally:
        crowd.close()


@case("kill -9 in the middle of a load, again and again: no promise is broken")
def _():
    with BigLab() as lab, crowd_in(lab) as crowd:
        number = 1
        for i in range(KILLS):
            d = lab.serve(config=CONFIG)
            before = list(crowd.has)
            crowd.still_theirs(random.sample(before, min(300, len(before))))
            killer = threading.Timer(random.uniform(0, 0.3), d.kill, [signal.SIGKILL])
            crowd.at_acks = (len(before) + random.randrange(1, 200), killer)
            number = crowd.load(number, 100000, d.alive)
            killer.join()
            d.p.wait(5)
            d.check_sanitizers()
            assert len(crowd.has) > len(before), "nobody was served before kill %d" % i
        lab.serve(config=CONFIG)
        crowd.still_theirs(list(crowd.has))
        for n in random.sample(list(crowd.has), 50):
            crowd.renew(n)
        print("   %d leases outlived %d kills" % (len(crowd.has), KILLS))


@case("stopped and started: leases, and what was given back, are as they were")
def _():
    with BigLab() as lab, crowd_in(lab) as crowd:
        d = lab.serve(config=CONFIG)
        crowd.load(1, 200)
        d.stop()
        d = lab.serve(config=CONFIG)
        crowd.still_theirs(range(1, 201))
        d.stop()
        assert not os.path.exists(lab.state + "/leases.db-wal"), "the log was not folded in"
        rows = stored(lab, lab.state + "/leases.db")
        assert all(rows[crowd.mac(n)] == (crowd.has[n], 2) for n in range(1, 201)), rows


def until_refused(crowd, first, seconds=60):
    """New clients until one is not served."""
    end = time.monotonic() + seconds
    for n in range(first, first + 20000):
        if not crowd.dora(n, 2):
            return n
        assert time.monotonic() < end, "served on a disk that cannot be written"


def failing_store_is_safe(lab, disk, d, crowd, first):
    """Nothing new, known leases what is left of them, nothing promised that is not stored."""
    refused = until_refused(crowd, first)
    d.wait_line("until then nobody gets a new lease")
    assert crowd.ask(refused + 1, DISCOVER, seconds=0.3) is None, "an OFFER that cannot be kept"
    left = [crowd.renew(n) for n in (1, 2, 3)]
    assert all(0 < x < 3600 for x in left), left
    rows = stored(lab, disk.path("leases.db"))
    for n, address in crowd.has.items():
        assert rows.get(crowd.mac(n)) == (address, 2), "client %d was promised %s, stored is %r" % (
            n, list(address), rows.get(crowd.mac(n)))
    return refused + 2


def works_again(d, crowd, n):
    d.wait_line("leases can be stored again")
    wait_for("a new lease", lambda: crowd.dora(n))
    assert crowd.renew(1) == 3600, "a renewal is not whole again"


@case("disk full: no promise that is not stored, renewals go on, recovers by itself")
def _():
    with BigLab() as lab, crowd_in(lab) as crowd:
        disk = Disk(lab, "mount -t tmpfs -o size=1m none STATE")
        d = lab.serve(config=CONFIG, prefix=disk.prefix)
        crowd.load(1, 50)
        time.sleep(1.1)  # so that what is left of a lease is less than the whole
        disk.fill()
        n = failing_store_is_safe(lab, disk, d, crowd, 1000)
        d.stop()
        d = lab.serve(config=CONFIG, prefix=disk.prefix)  # a start on a full disk
        crowd.still_theirs([1, 2, 3])
        n = failing_store_is_safe(lab, disk, d, crowd, n)
        disk.make_room()
        works_again(d, crowd, n)
        crowd.still_theirs(crowd.has)


@case("a state directory that is read-only from the start: known leases are served")
def _():
    with BigLab() as lab, crowd_in(lab) as crowd:
        d = lab.serve(config=CONFIG)
        crowd.load(1, 20)
        d.stop()
        time.sleep(1.1)
        disk = Disk(lab, "mount --bind STATE STATE", "mount -o remount,bind,ro STATE")
        d = lab.serve(config=CONFIG, prefix=disk.prefix)
        d.wait_line("cannot be written: make the file and its directory writable")
        crowd.still_theirs(range(1, 21))
        failing_store_is_safe(lab, disk, d, crowd, 1000)


def database_of(lab, crowd, count=300):
    d = lab.serve(config=CONFIG)
    crowd.load(1, count)
    d.stop()
    return lab.state + "/leases.db"


def refused_in_one_sentence(lab, *words):
    err = lab.fails("-c", lab.config(CONFIG)).strip()
    assert len(err.split("\n")) == 1 and lab.state in err and all(w in err for w in words), err


@case("a damaged database is refused in one sentence, wherever the damage is")
def _():
    with BigLab() as lab, crowd_in(lab) as crowd:
        path = database_of(lab, crowd)
        with open(path, "rb") as f:
            good = f.read()
        assert len(good) > 12000, len(good)
        damages = [bytes(100) + good[100:], b"not a database\n" * 100, good[:len(good) // 2], good[:5000],
                   good[:4096] + bytes(len(good) - 4096)]
        at = good.index(crowd.mac(100))
        damages.append(good[:at + 5] + b"\xff" + good[at + 6:])  # a bit that SQLite does not miss
        for bad in damages:
            with open(path, "wb") as f:
                f.write(bad)
            refused_in_one_sentence(lab, "damaged")
            with open(path, "rb") as f:
                assert f.read() == bad, "a refused database was changed"
        with open(path, "wb") as f:
            f.write(good)
        lab.serve(config=CONFIG)
        crowd.still_theirs(crowd.has)


@case("a database of a newer version is refused in one sentence")
def _():
    with BigLab() as lab, crowd_in(lab) as crowd:
        path = database_of(lab, crowd, 5)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 99")
            db.commit()
        refused_in_one_sentence(lab, "newer", "99")


@case("the database is deleted, or moved, under the running daemon")
def _():
    for suffix in ("", "-wal"):
        with BigLab() as lab, crowd_in(lab) as crowd:
            d = lab.serve(config=CONFIG)
            crowd.load(1, 20)
            time.sleep(1.1)
            path = lab.state + "/leases.db" + suffix
            os.rename(path, path + ".away")
            refused = until_refused(crowd, 1000)
            assert refused == 1000, "%d clients were given what nobody will know" % (refused - 1000)
            d.wait_line("was moved or deleted")
            crowd.renew(1)
            os.rename(path + ".away", path)
            works_again(d, crowd, 2000)
            d.stop()
            lab.serve(config=CONFIG)
            crowd.still_theirs(crowd.has)


def answers_files(lab):
    assert netlib.tftp_get(lab.client, "file", host=SERVER) == b"there"
    assert lab.http_get("/file", host=SERVER)[0::2] == (200, b"there")


@case("the disk hangs for 10 s: renewals are answered, nothing new is promised, all else goes on (G-9, G-13)")
def _():
    with BigLab() as lab, crowd_in(lab) as crowd:
        for root in (lab.http, lab.tftp):
            lab.write(os.path.join(root, "file"), "there")
        hung = os.path.join(lab.dir, "hung")
        d = lab.serve(config=CONFIG, prefix=netlib.preloaded(HANG_DISK, HANG_DISK=hung))
        crowd.load(1, 50)
        lab.write(hung, "")
        end = time.monotonic() + 10
        assert not crowd.dora(1000, 1), "an ACK that is on no disk"
        d.wait_line("the disk does not answer")
        left, longest, new = [], 0, 1001
        while time.monotonic() < end:
            began = time.monotonic()
            left.append(crowd.renew(random.randrange(1, 51)))
            answers_files(lab)
            longest = max(longest, time.monotonic() - began)
            assert not crowd.dora(new, 0.2), "an ACK that is on no disk"
            new += 1
        assert all(0 < x <= 3600 for x in left) and min(left) < 3600, left
        assert longest < 2, "the loop stood still for %.1f s" % longest
        os.unlink(hung)
        works_again(d, crowd, 2000)
        crowd.load(3000, 50)
        assert d.count("the disk does not answer") == 1, d.messages()
        d.kill(signal.SIGKILL)
        d.p.wait(5)
        lab.serve(config=CONFIG)
        crowd.still_theirs(list(crowd.has))
        print("   %d renewals while it hung, the slowest round %.2f s" % (len(left), longest))


@case("the clock is set a year forward and two back: no lease ends, none is eternal, a line each (G-5)")
def _():
    year = 365 * 86400
    with BigLab() as lab, crowd_in(lab) as crowd:
        clock = lab.write("clock", "+0")
        d = lab.serve(config=CONFIG, prefix=netlib.preloaded(FAKETIME, FAKETIME_TIMESTAMP_FILE=clock, FAKETIME_NO_CACHE="1",
                                                             FAKETIME_DONT_FAKE_MONOTONIC="1"))
        crowd.load(1, 50)
        for step, said in ((year, "forward by 3153"), (-year, "back by 6307")):
            lab.write("clock", "%+d" % step)
            first = len(crowd.has) + 1
            crowd.still_theirs(range(1, 51))
            d.wait_line("the clock was set " + said)
            assert crowd.renew(1) == 3600
            crowd.load(first, 20)  # no address of those that the clock says to be over
        assert d.count("the clock was set") == 2, d.messages()
        d.stop()
        # What was stored since is a date of the clock as it is now, for the next start to read.
        with contextlib.closing(sqlite3.connect(lab.state + "/leases.db")) as db:
            (ends,), = db.execute("SELECT expires FROM lease_log WHERE chaddr = ? ORDER BY row DESC LIMIT 1", [crowd.mac(1)])
        assert 3500 < ends - (time.time() - year) < 3700, ends


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
