#!/usr/bin/env python3
"""A web server far away: slow_web.py ADDRESS PORT DIRECTORY OCTETS_A_SECOND

Serves the files of a directory at that pace each, until it is ended; each request is a line.
"""
import os
import socket
import sys
import threading

from weblib import Page, Web


class Here:
    """This namespace."""

    @staticmethod
    def tcp_listener(address, port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        return s


class Told(list):
    def append(self, request):
        print(request["method"], request["path"], flush=True)


address, port, directory, pace = sys.argv[1:]
web = Web(Here, address, int(port))
web.asked = Told()
for name in os.listdir(directory):
    path = os.path.join(directory, name)
    if os.path.isfile(path):
        with open(path, "rb") as f:
            web["/" + name] = Page(f.read(), pace=int(pace))
print("serving", flush=True)
threading.Event().wait()
