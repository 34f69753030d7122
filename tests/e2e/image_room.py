#!/usr/bin/env python3
"""Copies of files that lie elsewhere, and what goes for want of room while somebody has it.

    tests/e2e/image_room.py [WORD]      all cases, or those whose name has the word
"""
import os
import signal
import sys
import threading

import netlib
from image_cache import KERNEL, Site, read_to, same, sha
from netlib import SERVER, wait_for
from weblib import Page, random_data

case = netlib.Cases()
HANG_DISK = netlib.tool("hang_disk.so")


class Get:
    """A request in a thread of its own."""

    def __init__(self, s, part, **more):
        self.got = []
        self.thread = threading.Thread(target=lambda: self.got.append(s.get(part, seconds=60, **more)), daemon=True)
        self.thread.start()

    def whole(self, data):
        self.thread.join(60)
        assert self.got, "no answer"
        status, _, body = self.got[0]
        same((status, sha(body)), (200, sha(data)), "status and digest of %.200r" % body[:200])


def start_again(s, end):
    """The daemon killed, and another whose disk hangs over files of this end until `hung` goes."""
    s.d.kill(signal.SIGKILL)
    s.d.wait()
    s.d.checked = True
    hung = s.lab.write("hung", "")
    s.d = s.lab.serve(config=s.config(), prefix=netlib.preloaded(HANG_DISK, HANG_DISK=hung, HANG_DISK_END=end))
    return hung


def path_of(s, digest=""):
    """Of the kernel's copy."""
    return os.path.join(s.dir, sha(("%s/linux\n%s" % (s.web.url, digest)).encode()))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def finds_no_room(s):
    """A download of the initrd that was refused its octets, and has come back for them."""
    one = Get(s, "initrd0")
    wait_for("another try", lambda: s.web.count("/initrd.gz") >= 2, 20)
    return one


def copy_is_here(s, data, more=""):
    s.d.wait_line("/linux is here: %d octets%s$" % (len(data), more), 20)
    same(s.d.count("is here: 0 octets"), 0, "lines")


@case("a copy whose digest is being counted stays, whoever wants room")
def _():
    with Site(True, images="limit: 8M") as s:
        same(sha(s.get()[2]), sha(KERNEL), "digest")
        hung = start_again(s, path_of(s, sha(KERNEL)))
        sock = s.lab.client.connect(SERVER, 80, seconds=60)
        sock.sendall(b"GET /profiles/p/kernel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        s.lab.write("http/small", "")
        for _ in range(20):  # by whichever thread: it has been heard before others
            same(netlib.http_get(s.lab.client, "/small")[0], 200, "status")
        initrd = finds_no_room(s)
        os.unlink(hung)
        head, body = read_to(sock, b"", 1 << 30).split(b"\r\n\r\n", 1)
        same((head[:12], sha(body)), (b"HTTP/1.1 200", sha(KERNEL)), "status and digest")
        copy_is_here(s, KERNEL, ", verified")
        initrd.thread.join(60)
        wait_for("room for the initrd", lambda: s.get("initrd0")[0] == 200, 20, 0.3)


@case("a newer file that is on its way to the disk stays, whoever wants room")
def _():
    with Site(images="limit: 14M") as s:
        same(sha(s.get()[2]), sha(KERNEL), "digest")
        new = random_data(len(KERNEL))
        s.web["/linux"] = Page(new, etag='"2"')
        # it has its name, and what names it is not on disk yet
        hung = start_again(s, "/images")
        kernel = Get(s, "kernel")
        wait_for("the new file", lambda: read(path_of(s)) == new, 20)
        initrd = finds_no_room(s)
        os.unlink(hung)
        kernel.whole(new)
        copy_is_here(s, new)
        initrd.thread.join(60)
        wait_for("room for the initrd", lambda: s.get("initrd0")[0] == 200, 20, 0.3)
        same(s.d.count("/linux goes"), 0, "lines")


@case("a copy that went while its server was asked for a newer one: fetched anew for who waits")
def _():
    with Site() as s:
        s.whole()
        s.d.kill(signal.SIGKILL)
        s.d.wait()
        s.d.checked = True
        s.web["/linux"].silence = threading.Event()
        s.serve()
        kernel = Get(s, "kernel")
        wait_for("a question", lambda: s.web.count("/linux") == 2, 20)
        os.unlink(path_of(s))
        s.web["/linux"].silence.set()
        kernel.whole(KERNEL)
        same(s.web.asked[-2].get("if-none-match"), '"1"', "If-None-Match")
        same(s.web.count("/linux"), 3, "requests upstream")


@case("a file that turned out to be another version is given to nobody any more")
def _():
    with Site() as s:
        page, new = Page(KERNEL), Page(random_data(5 << 20), etag='"2"', length=False)
        page.hold, page.hold_at = threading.Event(), 3 << 20
        new.hold, new.hold_at = threading.Event(), 2 << 20
        s.web["/linux"] = page
        sock, _, body = s.connect()
        body = read_to(sock, body, 3 << 20)
        s.web["/linux"] = new
        s.web.cut()
        page.hold.set()
        read_to(sock, body, len(KERNEL))  # as far as it comes
        sock.close()
        # of a length that nobody knows: it is waited for
        other = Get(s, "kernel")
        s.lab.write("http/small", "")
        same(netlib.http_get(s.lab.client, "/small")[0], 200, "status")
        new.hold.set()
        other.whole(new.data)
        same(s.web.count("/linux"), 2, "requests upstream")


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
