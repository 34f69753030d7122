"""DHCP beside a responder that only echoes, Kea and dnsmasq: medians over rounds in which they alternate.

The load is relayed DHCPv4 (load4: one relay address, 50,000 hardware addresses): the
way that is cheapest for all of them. Conflict checks are off on every side. bootsmith writes
its usual log, a line per message, to a file in memory; Kea logs warnings only, dnsmasq is quiet.
"""
import json
import os
import subprocess
import tempfile

from bench_common import (BOOTSMITH, PREFIX, RELAY, SERVER, TOOLS, Server, Wire, goal, goals_table, heading, middles, say,
                          table)

POOL_BEGIN, POOL_END = "10.97.0.0", "10.127.255.254"
LOSS_MAX, BURST, MANY, ROUNDS = 0.01, 2000, 1000000, 3


def load4(wire, *argv, seconds=60):
    return wire.tool("load4", "--server", SERVER, "--local", RELAY, *argv, seconds=seconds)


class Candidate(Server):
    """A server that can be started on a directory."""
    window = 128

    def __init__(self, title):
        self.title = title

    def answers(self, wire):
        return load4(wire, "--window", 1, "--seconds", 1, "--first", 900000)["acks"]

    def prepare(self, directory):
        pass

    def argv(self, directory):
        raise NotImplementedError

    def commands(self, directory):
        return [self.argv(directory)]


class Echo(Candidate):
    window = 256

    def argv(self, directory):
        return [os.path.join(TOOLS, "echo4"), SERVER]


class Bootsmith(Candidate):
    window = 256

    def __init__(self, title, conflict_check="off"):
        super().__init__(title)
        self.conflict_check = conflict_check

    def prepare(self, directory):
        with open(os.path.join(directory, "bootsmith.yaml"), "w") as f:
            f.write("state_dir: %s\nhttp: {root: %s}\ntftp: {root: %s}\nnetworks:\n  - {interface: sv0, pools: [%s-%s], "
                    "lease_time: 1h, conflict_check: %s}\n" % (directory, directory, directory, POOL_BEGIN, POOL_END,
                                                              self.conflict_check))

    def argv(self, directory):
        return [BOOTSMITH, "serve", "-c", os.path.join(directory, "bootsmith.yaml")]

    def fill(self, directory, n):
        subprocess.run([os.path.join(TOOLS, "fill4"), directory, str(n), POOL_BEGIN, "sv0"], check=True)


class Kea(Candidate):
    def __init__(self, title, persist):
        super().__init__(title)
        self.persist = persist

    def environment(self, directory):
        return {"KEA_PIDFILE_DIR": directory, "KEA_LOCKFILE_DIR": directory}

    def prepare(self, directory):
        config = {"Dhcp4": {
            "interfaces-config": {"interfaces": ["sv0"], "dhcp-socket-type": "udp"},
            "lease-database": {"type": "memfile", "persist": self.persist, "lfc-interval": 0,
                               "name": os.path.join(directory, "leases4.csv")},
            "valid-lifetime": 3600,
            "subnet4": [{"subnet": "10.96.0.0/11", "pools": [{"pool": "%s - %s" % (POOL_BEGIN, POOL_END)}],
                         "option-data": [{"name": "routers", "data": SERVER}]}],
            "loggers": [{"name": "kea-dhcp4", "severity": "WARN", "output_options": [{"output": "stdout"}]}]}}
        with open(os.path.join(directory, "kea.json"), "w") as f:
            json.dump(config, f)

    def argv(self, directory):
        return ["kea-dhcp4", "-c", os.path.join(directory, "kea.json")]


class Dnsmasq(Candidate):
    window = 16

    def argv(self, directory):
        return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=sv0", "--no-ping",
                "--dhcp-range=%s,%s,255.224.0.0,1h" % (POOL_BEGIN, POOL_END), "--dhcp-lease-max=2000000",
                "--dhcp-authoritative", "--dhcp-leasefile=" + os.path.join(directory, "leases"), "--user=root",
                "--pid-file=" + os.path.join(directory, "pid"), "--quiet-dhcp", "--log-facility=/dev/null"]


def lost_share(r):
    return (r["lost"] + r["naks"]) / max(1, r["begun"])


def sustained(wire, guess, seconds):
    """The highest pace, in steps of some 7 %, at which less than 1 % is lost."""
    best, too_much, rate = None, None, max(20, guess)
    for _ in range(12):
        r = load4(wire, "--rate", int(rate), "--seconds", seconds)
        if lost_share(r) < LOSS_MAX:
            best = r
        else:
            too_much = rate
        if best and too_much and too_much < 1.07 * best["rate"]:
            break
        if best and too_much:
            rate = (best["rate"] * too_much) ** 0.5
        else:
            rate *= 1.2 if best else 0.6
    return best


def flat_out(c, wire, seconds):
    """As fast as it can: exchanges a second, and CPU microseconds for each."""
    load4(wire, "--window", c.window, "--seconds", 1)
    before = c.group.cpu_s()
    r = load4(wire, "--window", c.window, "--seconds", seconds)
    return r["rate"], (c.group.cpu_s() - before) * 1e6 / max(1, r["acks"])


def measure(c, wire, seconds):
    """One round of one candidate."""
    flat, cpu_us = flat_out(c, wire, seconds)
    top = sustained(wire, flat, seconds)
    rate = top["rate"] if top else 0
    half = load4(wire, "--rate", max(1, int(rate / 2)), "--seconds", seconds)
    burst = load4(wire, "--burst", BURST, "--hold", c.group.pids()[0], "--first", 500000)
    return {"rate": rate, "cpu_us": cpu_us, "p50_ms": half["p50_ms"], "p99_ms": half["p99_ms"],
            "burst": burst["offers"], "burst_ms": burst["max_ms"]}


def measure_full(wire, seconds):
    """bootsmith with a database of n leases: start, memory, rate."""
    got = {}
    for n in (0, 1000, 100000, MANY):
        with tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as d:
            c = Bootsmith("bootsmith")
            c.prepare(d)
            c.fill(d, n)
            with c.running(wire, d):
                memory_kb = c.group.memory_kb("Pss_Anon")
                start_ms = int(c.log().split("ready after ")[1].split()[0])
                flat, cpu_us = flat_out(c, wire, seconds) if n in (1000, MANY) else (0, 0)
        got[n] = {"memory_kb": memory_kb, "start_ms": start_ms, "flat": flat, "cpu_us": cpu_us}
    return {"start_ms": got[MANY]["start_ms"], "ratio": got[MANY]["flat"] / got[1000]["flat"],
            "few": got[1000]["flat"], "many": got[MANY]["flat"],
            "octets_100k": (got[100000]["memory_kb"] - got[0]["memory_kb"]) * 1024 / 100000,
            "octets_1m": (got[MANY]["memory_kb"] - got[0]["memory_kb"]) * 1024 / MANY}


def goals(m, full):
    b, echo, kea = m.get("bootsmith"), m.get("echo responder"), m.get("Kea, memfile")
    if not b:
        return
    yield goal("2,000 DISCOVERs at once, answered", "%d" % b["burst"], "2000", b["burst"] >= BURST)
    yield goal("p99 at half the top rate", "%.1f ms" % b["p99_ms"], "< 10 ms", b["p99_ms"] < 10)
    if echo:
        above = b["cpu_us"] - echo["cpu_us"]
        yield goal("CPU above the echo responder", "%.1f µs" % above, "<= 15 µs", above <= 15)
    if kea:
        yield goal("sustained rate, of Kea's", "%.1f" % (b["rate"] / kea["rate"]), ">= 4", b["rate"] >= 4 * kea["rate"])
        share = b["cpu_us"] / kea["cpu_us"]
        yield goal("CPU per exchange, of Kea's", "%.2f" % share, "<= 0.3", share <= 0.3)
    if full:
        yield goal("memory per lease (100,000; 1,000,000)", "%.0f; %.0f octets" % (full["octets_100k"], full["octets_1m"]),
                   "<= 250", full["octets_1m"] <= 250)
        yield goal("start with 1,000,000 leases", "%d ms" % full["start_ms"], "< 1000 ms", full["start_ms"] < 1000)
        yield goal("rate with 1,000,000 leases, of that with 1,000", "%.2f (%d, %d)" % (full["ratio"], full["many"],
                   full["few"]), ">= 0.9", full["ratio"] >= 0.9)


def report(m, full, n_rounds, args):
    floor = m.get("echo responder", {}).get("cpu_us")
    rows = [(name, "%d" % r["rate"], "%.1f" % r["cpu_us"], "%.1f" % (r["cpu_us"] - floor) if floor else "?",
             "%.1f, %.1f" % (r["p50_ms"], r["p99_ms"]), "%d" % r["burst"], "%.0f" % r["burst_ms"]) for name, r in m.items()]
    return heading("DHCP", "relayed clients, 50,000 hardware addresses; medians of %d rounds of %d s a step. Conflict "
                   "checks off but where said." % (n_rounds, args.seconds)) + table(
        ["server", "exchanges/s, < 1 % lost", "CPU µs each", "µs above echo", "p50, p99 ms at half", "of 2,000 at once",
         "last after ms"], rows) + goals_table(goals(m, full))


CANDIDATES = [Echo("echo responder"), Bootsmith("bootsmith"), Kea("Kea, memfile", True), Kea("Kea, nothing kept", False),
              Dnsmasq("dnsmasq"), Bootsmith("bootsmith, conflict_check: arp", "arp")]


def run(args, n_rounds, is_chosen):
    """The report's lines.  `full` among the candidates' words: the million leases."""
    chosen = [c for c in CANDIDATES if is_chosen(c.title)]
    wire, rounds, full = Wire(), {c.title: [] for c in chosen}, []
    try:
        for i in range(n_rounds):
            for c in chosen:
                with tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as d:
                    c.prepare(d)
                    with c.running(wire, d):
                        rounds[c.title].append(measure(c, wire, args.seconds))
                say(i, c.title, rounds[c.title][-1])
            if is_chosen("full"):
                full.append(measure_full(wire, args.seconds))
                say(i, "many leases", full[-1])
    finally:
        wire.close()
    return report({name: middles(r) for name, r in rounds.items()}, middles(full) if full else None, n_rounds, args)
