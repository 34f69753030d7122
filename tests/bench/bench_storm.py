"""A boot storm beside dnsmasq and nginx: N machines that are switched on at the same moment.

Each (storm) has a MAC and an address of its own: DHCP as UEFI PXE x64, a loader of 1 MiB by TFTP, DHCP as iPXE,
the script, and 48 MiB of kernel and initrd by HTTP, all of it checked. dnsmasq gives addresses and TFTP, nginx
the rest, one process each; ours renders a script for each machine, theirs is a file. All of them log each request
to a file in memory; leases are on the disk.
"""
import os
import tempfile

from bench_common import (BOOTSMITH, MACHINES_BEGIN, MACHINES_END, SERVER, Server, Wire, config_of, goal, goals_table, heading,
                          middle, middles, random_file, ratio, say, table)
from bench_http import nginx_argv
from netlib import uefi_file

LOADER, KERNEL, INITRD = ("loader.efi", 1 << 20), ("kernel", 12 << 20), ("initrd", 36 << 20)
OURS, PEERS = "bootsmith", "dnsmasq and nginx"
LIMIT_S, ROUNDS = 180, 2


def load(wire, directory, machines, first=0, seconds=LIMIT_S):
    files = [part for name, _ in (LOADER, KERNEL, INITRD)
             for part in ("--" + name.split(".")[0], os.path.join(directory, name))]
    return wire.tool("storm", "--interface", "cl0", *files, "--machines", machines, "--first", first, "--seconds", seconds,
                     seconds=seconds + 30)


class Boot(Server):
    """Served files lie in the directory; leases do in one on the disk."""

    def answers(self, wire):
        return load(wire, self.directory, 1, first=0x1000000, seconds=10)["booted"] == 1


class Bootsmith(Boot):
    title = OURS

    def __init__(self, leases):
        self.leases = leases

    def commands(self, directory):
        self.directory = directory
        config = config_of(self.leases, http="{root: %s}" % directory, tftp="{root: %s}" % directory,
                           loaders="{dir: %s, x64: %s}" % (directory, LOADER[0]),
                           profiles="{linux: {kernel: %s, initrd: %s, cmdline: console=ttyS0}}" % (KERNEL[0], INITRD[0]),
                           default_profile="linux")
        return [[BOOTSMITH, "serve", "-c", config]]


class Peers(Boot):
    title = PEERS

    def __init__(self, leases):
        self.leases = leases

    def commands(self, directory):
        self.directory = directory
        with open(os.path.join(directory, "boot.ipxe"), "w") as f:
            f.write("#!ipxe\nkernel /%s initrd=initrd console=ttyS0\ninitrd /%s\nboot\n" % (KERNEL[0], INITRD[0]))
        dnsmasq = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=sv0", "--no-ping",
                   "--dhcp-range=%s,%s,255.224.0.0,1h" % (MACHINES_BEGIN, MACHINES_END), "--dhcp-lease-max=100000",
                   "--dhcp-authoritative", "--dhcp-leasefile=" + os.path.join(self.leases, "leases"), "--user=root",
                   "--pid-file=" + os.path.join(directory, "pid"), "--log-facility=" + os.path.join(directory, "dnsmasq.log"),
                   "--enable-tftp", "--tftp-root=" + directory, "--tftp-max=5000", "--dhcp-userclass=set:ipxe,iPXE",
                   "--dhcp-boot=tag:!ipxe," + LOADER[0], "--dhcp-boot=tag:ipxe,http://%s/boot.ipxe" % SERVER]
        return [dnsmasq, nginx_argv(directory, directory + "/access.log")]


def measure(candidate, wire, machines):
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-", dir="/dev/shm") as d, \
            tempfile.TemporaryDirectory(prefix="bootsmith-bench-") as leases:
        for name, size in (LOADER, KERNEL, INITRD):
            random_file(d, name, size)
        with open(os.path.join(d, LOADER[0]), "r+b") as loader:
            loader.write(uefi_file("a loader that nobody runs"))
        c = candidate(leases)
        with c.running(wire, d):
            before = c.group.cpu_s()
            r = load(wire, d, machines)
            return {**r, "cpu_ms": (c.group.cpu_s() - before) * 1e3 / max(1, r["booted"]), "pss_kb": c.group.memory_kb()}


def goals(rounds, most):
    ours, theirs = rounds.get((most, OURS)), rounds.get((most, PEERS))
    if not ours:
        return
    failed = middle(ours, "failed")
    yield goal("%d machines at once: failed" % most, "%d" % failed, "0", failed == 0)
    if theirs:
        for what, key, limit in (("wall time", "seconds", 0.75), ("CPU per machine", "cpu_ms", 0.9)):
            share = ratio(ours, theirs, key)
            yield goal("%s, of theirs" % what, "%.2f" % share, "<= %g" % limit, share <= limit)
    for what in ("address", "script"):
        ms = middle(ours, what + "_p99_ms")
        yield goal("p99 of the wait for %s" % ("an address" if what == "address" else "the script"), "%.0f ms" % ms,
                   "< 1000 ms", ms < 1000)


def report(rounds, n_rounds):
    rows = [(title, machines, "%.1f" % r["seconds"], "%d" % r["failed"], "%.1f" % r["cpu_ms"],
             "%.0f, %.0f, %.0f" % tuple(r["address_%s_ms" % k] for k in ("p50", "p99", "max")),
             "%.0f, %.0f, %.0f" % tuple(r["script_%s_ms" % k] for k in ("p50", "p99", "max")),
             "%d" % r["dhcp_resent"], "%d" % r["naks"], "%d" % r["tftp_resent"], "%.1f" % (r["pss_kb"] / 1024))
            for (machines, title), r in sorted((key, middles(r)) for key, r in rounds.items())]
    return heading("boot storm", "a loader of 1 MiB and 48 MiB of kernel and initrd for each machine; medians of %d rounds." %
                   n_rounds) + table(
        ["server", "machines", "all booted after s", "failed", "CPU ms a machine", "wait for an address ms: p50, p99, max",
         "for the script", "DHCP sent again", "NAKs", "TFTP sent again", "PSS MiB"], rows) + goals_table(
        goals(rounds, max(machines for machines, _ in rounds)) if rounds else [])


def run(args, n_rounds, is_chosen):
    """The report's lines."""
    chosen = [c for c in (Bootsmith, Peers) if is_chosen(c.title)]
    wire, rounds = Wire().with_machines(), {}
    try:
        for i in range(n_rounds):
            for machines in map(int, args.machines.split(",")):
                for c in chosen:
                    r = measure(c, wire, machines)
                    rounds.setdefault((machines, c.title), []).append(r)
                    say(i, "%s, %d machines" % (c.title, machines), r)
    finally:
        wire.close()
    return report(rounds, n_rounds)
