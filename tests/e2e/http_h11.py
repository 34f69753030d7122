#!/usr/bin/python3
"""A strict HTTP/1.1 client library takes every answer: http_h11.py SERVER PORT ROOTDIR

h11 (Debian: python3-h11, hence Debian's Python) is a state machine of RFC 9110 and
9112 that raises on whatever a server does wrong: framing, lengths, what may follow
HEAD, 204 or 304, whether a connection may be used again.  Files are made in ROOTDIR.
"""
import os
import socket
import sys

import h11

HOST, PORT, ROOT = sys.argv[1], int(sys.argv[2]), sys.argv[3]
SMALL, BIG = b"hello, firmware\n", bytes(range(256)) * 12288


class Client:
    def __init__(self):
        self.s = socket.create_connection((HOST, PORT), 10)
        self.h = h11.Connection(h11.CLIENT)

    def send(self, method, target, *fields, body=b""):
        request = h11.Request(method=method, target=target, headers=[("Host", HOST), *fields])
        self.s.sendall(self.h.send(request))
        if body:
            self.s.sendall(self.h.send(h11.Data(body)))
        self.s.sendall(self.h.send(h11.EndOfMessage()))

    def reply(self):
        """(status, fields, body) as h11 understands them."""
        response, body = None, b""
        while True:
            event = self.h.next_event()
            if event is h11.NEED_DATA:
                self.h.receive_data(self.s.recv(65536))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return response.status_code, dict(response.headers), body
            else:
                raise AssertionError("unexpected %r" % event)

    def ask(self, *argv, **more):
        self.send(*argv, **more)
        got = self.reply()
        if self.h.our_state is h11.DONE and self.h.their_state is h11.DONE:
            self.h.start_next_cycle()
        else:
            assert self.h.their_state in (h11.MUST_CLOSE, h11.CLOSED), self.h.states
            assert self.s.recv(1) == b"", "octets after the last answer"
            self.__init__()
        return got


def same(got, want, what):
    if got != want:
        raise AssertionError("%s: %r instead of %r" % (what, got, want))


def main():
    for name, data in (("h11-small.txt", SMALL), ("h11-big", BIG), ("h11-empty", b"")):
        with open(os.path.join(ROOT, name), "wb") as f:
            f.write(data)
    c = Client()
    status, fields, body = c.ask("GET", "/h11-small.txt")
    same((status, body), (200, SMALL), "GET")
    etag, date = fields[b"etag"].decode(), fields[b"last-modified"].decode()
    asked = 1
    for what, status, length, argv in (
            ("HEAD", 200, 0, ("HEAD", "/h11-big")),
            ("a big file", 200, len(BIG), ("GET", "/h11-big")),
            ("an empty file", 200, 0, ("GET", "/h11-empty")),
            ("If-None-Match", 304, 0, ("GET", "/h11-small.txt", ("If-None-Match", etag))),
            ("If-Modified-Since", 304, 0, ("GET", "/h11-small.txt", ("If-Modified-Since", date))),
            ("HEAD If-None-Match", 304, 0, ("HEAD", "/h11-small.txt", ("If-None-Match", etag))),
            ("a range", 206, 5, ("GET", "/h11-small.txt", ("Range", "bytes=2-6"))),
            ("a suffix", 206, 1000, ("GET", "/h11-big", ("Range", "bytes=-1000"))),
            ("If-Range of another", 200, len(BIG), ("GET", "/h11-big", ("Range", "bytes=0-1"), ("If-Range", "\"x\""))),
            ("a range behind the end", 416, None, ("GET", "/h11-small.txt", ("Range", "bytes=99-"))),
            ("several ranges", 200, len(SMALL), ("GET", "/h11-small.txt", ("Range", "bytes=0-1,3-4"))),
            ("If-Match of another", 412, None, ("GET", "/h11-small.txt", ("If-Match", "\"x\""))),
            ("nothing there", 404, None, ("GET", "/h11-missing")),
            ("HEAD of nothing", 404, 0, ("HEAD", "/h11-missing")),
            ("a method that is not offered", 405, None, ("DELETE", "/h11-small.txt")),
            ("a method that nobody knows", 501, None, ("BREW", "/h11-small.txt")),
            ("the last on the connection", 200, len(SMALL), ("GET", "/h11-small.txt", ("Connection", "close"))),
            ("and one on the next", 200, len(SMALL), ("GET", "/h11-small.txt"))):
        got = c.ask(*argv)
        same(got[0], status, what)
        if length is None:
            assert got[2], what + ": no body"
        else:
            same(len(got[2]), length, what + ": octets")
        asked += 1
    same(c.ask("GET", "/h11-big")[2] == BIG, True, "the big file is whole")
    got = c.ask("POST", "/h11-small.txt", ("Content-Length", "3"), body=b"abc")
    assert got[0] in (405, 413), got
    print("%d answers taken" % (asked + 2))


main()
