#!/usr/bin/env python3
"""How much of a siege stands, seen from outside of the daemon: standing.py WORD...

connections                  each second, the time and how many connections to port 80 the
                             daemon has accepted, until it is told to end
least LOG SAMPLES FROM TO    the least numbers between these times (seconds since 1970) of
                             transfers that stood half open and of connections

LOG is the daemon's, as JSON and to its end: each transfer has a line there when it is over,
with its duration.  SAMPLES is what "connections" printed.
"""
import datetime
import json
import sys
import time

ESTABLISHED, NOT_ACCEPTED = "01", "0"
HALF_OPEN = ("timeout", "evicted", "superseded", "stopped")


def accepted():
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f][1:]
    # a connection that nobody has accepted has no inode
    return sum(r[1].endswith(":0050") and r[3] == ESTABLISHED and r[9] != NOT_ACCEPTED for r in rows)


def connections():
    while True:
        print("%.3f %d" % (time.time(), accepted()), flush=True)
        time.sleep(1)


def half_open(path):
    """When each of them began and ended."""
    with open(path) as f:
        for line in f:
            event = json.loads(line)
            if event["topic"] == "tftp" and event.get("outcome") in HALF_OPEN:
                end = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
                yield end - event["duration_us"] / 1e6, end


def least_at_once(intervals, begin, end):
    steps = sorted(step for first, last in intervals for step in ((first, 1), (last, -1)))
    now = sum(change for at, change in steps if at <= begin)
    least = now
    for at, change in steps:
        if begin < at < end:
            now += change
            least = min(least, now)
    return least


def least(log, samples, begin, end):
    begin, end = float(begin), float(end)
    with open(samples) as f:
        seen = [(float(at), int(n)) for at, n in map(str.split, f)]
    print(least_at_once(half_open(log), begin, end), min(n for at, n in seen if begin <= at <= end))


{"connections": connections, "least": least}[sys.argv[1]](*sys.argv[2:])
