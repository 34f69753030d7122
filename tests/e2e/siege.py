#!/usr/bin/env python3
"""Holds a daemon under siege: siege.py SERVER FIRST-ADDRESS COUNT

From COUNT addresses beginning with FIRST-ADDRESS, which this machine has: 8,000 read
requests by TFTP that nobody ever acknowledges, each replaced by another one before the
server gives it up, and 8,000 HTTP connections of which some
say nothing, some an octet now and then, some ask and do not read.  What the server
closes is opened again.  Prints "holding" once all stand; ends when it is told to, or
after five minutes.
"""
import errno
import ipaddress
import resource
import selectors
import socket
import sys
import time

SERVER, FIRST, COUNT = sys.argv[1], ipaddress.ip_address(sys.argv[2]), int(sys.argv[3])
HALF_OPEN, CONNECTIONS, DEAF = 8000, 8000, 200
PER_S = 800
RRQ = [b"\0\1loaders/ipxe.efi\0octet\0blksize\0%d\0windowsize\x0016\0" % n for n in (1408, 1400)]
REPLACED_S = 30  # half of what the server waits
GET = b"GET /linux HTTP/1.1\r\nHost: x\r\n\r\n"


def address(i):
    return str(FIRST + i % COUNT)


def half_open(i):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address(i), 0))
    s.setblocking(False)
    s.sendto(RRQ[0], (SERVER, 69))
    return s


def replace(requests, n):
    """The nth time that a half-open request is replaced: another one from the same port."""
    requests[n % HALF_OPEN].sendto(RRQ[(n // HALF_OPEN + 1) % 2], (SERVER, 69))


class Connection:
    """number below DEAF: asks and does not read; even: drips a head; odd: says nothing."""

    def __init__(self, number, selector):
        self.number, self.selector, self.s = number, selector, None
        self.open()

    def open(self):
        self.s = socket.socket()
        self.s.setblocking(False)
        if self.number < DEAF:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.s.bind((address(self.number), 0))
        error = self.s.connect_ex((SERVER, 80))
        assert error in (0, errno.EINPROGRESS), error
        self.selector.register(self.s, selectors.EVENT_WRITE, self)

    def writable(self):
        self.say(GET if self.number < DEAF else b"GET /x HTTP/1.1\r\n" if self.number % 2 == 0 else b"")
        # From now on only its end is of interest; the deaf do not want to know.
        if self.number < DEAF:
            self.selector.unregister(self.s)
        else:
            self.selector.modify(self.s, selectors.EVENT_READ, self)

    def say(self, octets):
        try:
            if octets:
                self.s.send(octets)
        except OSError:
            pass  # it is closed, and will be seen to be

    def readable(self):
        """The server has had enough of it: again."""
        self.selector.unregister(self.s)
        self.s.close()
        self.open()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    began = time.monotonic()
    end = began + 300
    selector = selectors.DefaultSelector()
    requests, connections, told, replaced = [], [], False, 0
    while time.monotonic() < end:
        # not all at once: else the server would close them all at once too
        due = int((time.monotonic() - began) * PER_S)
        while len(requests) < min(due, HALF_OPEN):
            requests.append(half_open(len(requests)))
        while len(connections) < min(due, CONNECTIONS):
            connections.append(Connection(len(connections), selector))
        for key, events in selector.select(0.05):
            if events & selectors.EVENT_WRITE:
                key.data.writable()
            else:
                key.data.readable()
        if len(connections) == CONNECTIONS and not told:
            told = True
            print("holding %d requests and %d connections" % (len(requests), len(connections)), flush=True)
            drip = stood = time.monotonic()
        while told and replaced < (time.monotonic() - stood) * HALF_OPEN / REPLACED_S:
            replace(requests, replaced)
            replaced += 1
        if told and time.monotonic() > drip + 4:
            drip = time.monotonic()
            for c in connections[DEAF::2]:
                c.say(b"X")


main()
