"""TFTP beside a sender that only sends, tftpd-hpa, atftpd and dnsmasq: 128 clients at once, and 10,000 transfers that are held.

Each of the clients (load_tftp) has an address of its own and fetches a file of 1 MiB again and again,
blksize 1468. tftpd-hpa and dnsmasq do not know windowsize. What the 10,000 cost is the growth of the
server's own memory (PSS) while all of them wait; kernel memory is not in it.
"""
import contextlib
import os
import tempfile

from bench_common import (BOOTSMITH, BUILD, GIB, MACHINES_BEGIN, SERVER, TOOLS, Server, Wire, accepts, config_of, goal,
                          goals_table, heading, middle, middles, random_file, ratio, say, table)

NAME, SIZE, CLIENTS, HELD = "loader.efi", 1 << 20, 128, 10000
WINDOWS, ROUNDS = (1, 16, 64), 3


def load_argv(directory, *argv):
    return ["load_tftp", "--server", SERVER, "--name", NAME, "--file", os.path.join(directory, NAME), "--local", MACHINES_BEGIN, *argv]


def load(wire, directory, *argv):
    return wire.tool(*load_argv(directory, *argv), seconds=90)


class Tftp(Server):
    windows = (1,)

    def __init__(self, title, argv=None, windows=(1,)):
        self.title, self.argv, self.windows = title, argv, windows

    def commands(self, directory):
        self.directory = directory
        return [self.argv(directory)]

    def answers(self, wire):
        return load(wire, self.directory, "--clients", 1, "--rounds", 1)["done"] == 1


class Bootsmith(Tftp):
    def commands(self, directory):
        self.directory = directory
        config = config_of(directory, tftp="{root: %s, single_port: true}" % directory)
        if self.title == "bootsmith" or not accepts(config):
            config = config_of(directory)
        return [[BOOTSMITH, "serve", "-c", config]]


def atftpd(directory):
    return [os.path.join(BUILD, "peers/usr/sbin/atftpd"), "--daemon", "--no-fork", "--user", "root.root", "--bind-address",
            SERVER, "--maxthread", "2000", "--logfile", "/dev/null", directory]


def tftpd_hpa(directory):
    return ["in.tftpd", "--foreground", "--secure", "--user", "root", "--address", SERVER + ":69", directory]


def dnsmasq(directory):
    return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=sv0", "--enable-tftp",
            "--tftp-root=" + directory, "--tftp-max=2000", "--user=root", "--log-facility=/dev/null",
            "--pid-file=" + os.path.join(directory, "pid")]


OURS, SINGLE, HPA, ATFTPD, DNSMASQ = "bootsmith", "bootsmith, one port", "tftpd-hpa", "atftpd", "dnsmasq"
FLOOR = "floor: a sender without manners"
CANDIDATES = [Tftp(FLOOR, lambda directory: [os.path.join(TOOLS, "floor_tftp"), SERVER, os.path.join(directory, NAME)], WINDOWS),
              Bootsmith(OURS, windows=WINDOWS), Tftp(HPA, tftpd_hpa), Tftp(ATFTPD, atftpd, WINDOWS), Tftp(DNSMASQ, dnsmasq)]
HOLDER = Bootsmith(SINGLE)


@contextlib.contextmanager
def served_directory():
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-", dir="/dev/shm") as d:
        random_file(d, NAME, SIZE)
        yield d


def measure(c, wire, directory, window, seconds):
    before = c.group.cpu_s()
    r = load(wire, directory, "--clients", CLIENTS, "--windowsize", window, "--seconds", seconds)
    r["cpu_gib"] = (c.group.cpu_s() - before) / max(1, r["octets"]) * GIB
    r["failed"] += r["unfinished"]
    r["pss_kb"] = c.group.memory_kb()
    return r


def measure_held(wire, directory):
    """Memory for each of many transfers that wait for an ACK, and how many of them there were."""
    with HOLDER.running(wire, directory):
        before = HOLDER.group.memory_kb()
        with wire.holding(*load_argv(directory, "--clients", HELD, "--windowsize", 4, "--seconds", 20, "--hold")) as r:
            grown_kb = HOLDER.group.memory_kb() - before
    return {"held": r["held"], "octets": grown_kb * 1024 / max(1, r["held"])}


def goals(rounds, held):
    ours16, theirs16, ours1 = rounds.get((OURS, 16)), rounds.get((ATFTPD, 16)), rounds.get((OURS, 1))
    if ours16 and theirs16:
        speed, share = ratio(ours16, theirs16, "mb_s"), ratio(ours16, theirs16, "cpu_gib")
        yield goal("windowsize 16: throughput, of atftpd's", "%.2f" % speed, ">= 4", speed >= 4)
        yield goal("windowsize 16: CPU per GiB, of atftpd's", "%.2f" % share, "<= 0.2", share <= 0.2)
    peers = [r for (title, window), r in rounds.items() if window == 1 and title not in (OURS, FLOOR)]
    if ours1 and peers:
        speed = min(ratio(ours1, r, "mb_s") for r in peers)
        share = max(ratio(ours1, r, "cpu_gib") for r in peers)
        yield goal("no window: throughput, of the best peer's", "%.2f" % speed, ">= 1", speed >= 1)
        yield goal("no window: CPU per GiB, of the best peer's", "%.2f" % share, "<= 1", share <= 1)
    if held:
        number, octets = middle(held, "held"), middle(held, "octets")
        yield goal("transfers at once on a shared port", "%d" % number, "%d" % HELD, number == HELD)
        yield goal("memory of each, file blocks included", "%.0f octets" % octets, "<= 4096",
                   number == HELD and octets <= 4096)


def report(rounds, held, n_rounds, args):
    m = sorted(((key, middles(r)) for key, r in rounds.items()), key=lambda x: x[0][1])
    rows = [(title, window, "%.1f" % r["mb_s"], "%.2f" % r["cpu_gib"], "%.0f" % r["transfer_p50_ms"],
             "%.0f" % r["transfer_max_ms"], "%d" % r["failed"], "%d" % r["resent"], "%d" % r["duplicates"],
             "%.1f" % (r["pss_kb"] / 1024)) for (title, window), r in m]
    return heading("TFTP", "%d clients at once, blksize 1468, files of 1 MiB; medians of %d rounds of %d s a step." % (
        CLIENTS, n_rounds, args.seconds)) + table(
        ["server", "windowsize", "MB/s", "CPU s/GiB", "p50 ms", "slowest ms", "failed", "sent again by clients",
         "blocks twice", "PSS MiB"], rows) + goals_table(goals(rounds, held))


def run(args, n_rounds, is_chosen):
    """The report's lines."""
    chosen = [c for c in CANDIDATES if is_chosen(c.title)]
    wire, rounds, held = Wire().with_machines(), {}, []
    try:
        for i in range(n_rounds):
            # What is compared is measured one right after the other.
            for window, c in ((window, c) for window in WINDOWS for c in chosen if window in c.windows):
                with served_directory() as d, c.running(wire, d):
                    r = measure(c, wire, d, window, args.seconds)
                rounds.setdefault((c.title, window), []).append(r)
                say(i, "%s, windowsize %d" % (c.title, window), r)
            if is_chosen(HOLDER.title):
                with served_directory() as d:
                    held.append(measure_held(wire, d))
                say(i, "%s, %d held" % (HOLDER.title, HELD), held[-1])
    finally:
        wire.close()
    return report(rounds, held, n_rounds, args)
