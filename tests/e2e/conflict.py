#!/usr/bin/env python3
"""Addresses that somebody uses already: conflict.py [WORD...]

The daemon asks on the wire before the first offer of an address, holds nobody else
up, and offers no address that is in use (promise D4-15).  One line per case; with
words, only the cases whose name contains one.  BOOTSMITH names the binary.
"""
import os
import random
import select
import signal
import socket
import struct
import sys
import threading
import time

import netlib
from netlib import (ACK, CLIENT, DISCOVER, OFFER, REQUEST, SERVER, Client, Lab, Namespace, ip4, mac_bytes,
                    made_up_mac, message, wait_for)

case = netlib.Cases()
POOL = "networks: [{interface: sv0, pools: [10.77.0.100-10.77.0.199]}]\n"
WAIT_MS = 200  # what a first offer waits
SLACK_MS = 150  # a sanitized daemon and this script on two busy cores; less than WAIT_MS
ETH_P_ARP = 0x0806


def arp(sender_mac, sender, target_mac=bytes(6), target="0.0.0.0", reply=True, to=b"\xff" * 6):
    return (to + sender_mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 2 if reply else 1) +
            sender_mac + ip4(sender) + target_mac + ip4(target))


class ArpHost(threading.Thread):
    """Answers ARP requests on the client's end: for these addresses, or for all."""

    def __init__(self, lab, mac, addresses=None):
        super().__init__(daemon=True)
        self.mac, self.addresses, self.stopping, self.asked = mac, addresses, False, []
        with lab.client.entered():
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.s.bind(("cl0", ETH_P_ARP))
        self.start()

    def run(self):
        while not self.stopping:
            if not select.select([self.s], [], [], 0.05)[0]:
                continue
            frame, address = self.s.recvfrom(2048)
            if address[2] == netlib.PACKET_OUTGOING or frame[20:22] != b"\0\1":
                continue
            target = socket.inet_ntoa(frame[38:42])
            self.asked.append((target, frame[6:12], frame[28:32]))
            if self.addresses is None or target in self.addresses:
                self.s.send(arp(self.mac, target, frame[6:12], socket.inet_ntoa(frame[28:32]), to=frame[6:12]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.join()
        self.s.close()


def mac_of(ns, name):
    return ns.ip("-o link show %s" % name).stdout.split("link/ether ")[1].split()[0]


def third_host(lab, *addresses):
    """A machine of its own on the same wire, in a namespace of its own."""
    ns = Namespace()
    lab.client.ip("link add link cl0 name mv0 type macvlan mode bridge")
    lab.client.run(["ip", "link", "set", "mv0", "netns", "/proc/%d/fd/%d" % (os.getpid(), ns.fd)])
    for a in addresses:
        ns.ip("addr add %s/24 dev mv0" % a)
    ns.ip("link set mv0 up")
    return ns, mac_of(ns, "mv0")


def timed(client, seconds=netlib.PATIENCE, **more):
    """The offer and the milliseconds that it took."""
    began = time.monotonic()
    offer = client.discover(seconds, **more)
    return offer, (time.monotonic() - began) * 1000


def first_offer(client):
    offer, ms = timed(client)
    assert WAIT_MS - 5 <= ms <= WAIT_MS + SLACK_MS, "the first offer took %.0f ms" % ms
    return offer


def at_once(client):
    offer, ms = timed(client)
    assert ms <= SLACK_MS, "the offer took %.0f ms" % ms
    return offer


def conflicts(daemon):
    return [line for line in daemon.lines() if "is in use already" in line["message"]]


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


@case("an address of another machine is never offered, and the log names both")
def _():
    with Lab() as lab:
        third, mac = third_host(lab, "10.77.0.100", "10.77.0.102")
        try:
            daemon = lab.serve(config=POOL)
            got = [Client(lab.link).dora().yiaddr for _ in range(3)]
            assert got == ["10.77.0.101", "10.77.0.103", "10.77.0.104"], got
            said = conflicts(daemon)
            assert [(c["address"], c["used_by"], c["network"]) for c in said] == [
                ("10.77.0.100", mac, "sv0"), ("10.77.0.102", mac, "sv0")], said
            # It is no offer to anybody who asks for it by name, and stays set aside over a restart.
            assert Client(lab.link).discover(options=[(50, ip4("10.77.0.100"))]).yiaddr == "10.77.0.105"
            daemon.kill(signal.SIGKILL)
            daemon.wait()
            daemon.checked = True
            daemon = lab.serve(config=POOL)
            assert Client(lab.link).discover(options=[(50, ip4("10.77.0.100"))]).yiaddr != "10.77.0.100"
            assert not conflicts(daemon), "asked for again: it was not stored as set aside"
        finally:
            third.close()


@case("only the first offer waits 200 ms: not the same client's next, nor its REQUEST, nor after a restart", tries=3)
def _():
    with Lab() as lab:
        daemon = lab.serve(config=POOL)
        client = Client(lab.link)
        offer = first_offer(client)
        began = time.monotonic()
        assert client.request(offer).kind == ACK
        assert (time.monotonic() - began) * 1000 <= SLACK_MS
        for _ in range(3):
            at_once(client)
        assert client.dora().yiaddr == offer.yiaddr
        daemon.kill(signal.SIGKILL)
        daemon.wait()
        daemon.checked = True
        lab.serve(config=POOL)
        assert at_once(client).yiaddr == offer.yiaddr


@case("the probe is an ARP probe: no sender address, ours the hardware address", tries=3)
def _():
    with Lab() as lab, ArpHost(lab, made_up_mac(), addresses=()) as host:
        lab.serve(config=POOL)
        ours = mac_bytes(mac_of(lab.server, "sv0"))
        first_offer(Client(lab.link))
        asked = [a for a in host.asked if a[0] == "10.77.0.100"]
        assert asked == [("10.77.0.100", ours, bytes(4))], host.asked


@case("the same client asking again while it waits: one probe, one offer, to its last message")
def _():
    with Lab() as lab, ArpHost(lab, made_up_mac(), addresses=()) as host:
        lab.serve(config=POOL)
        client = Client(lab.link)
        began = time.monotonic()
        for _ in range(4):
            client.say(DISCOVER)
            time.sleep(0.03)
        offers = [r for r in lab.link.replies(0.5) if r.kind == OFFER]
        assert [r.xid for r in offers] == [client.xid], offers
        assert len([a for a in host.asked if a[0] == "10.77.0.100"]) == 1, host.asked
        assert time.monotonic() - began < 1


@case("reserved addresses and INIT-REBOOT are not asked for", tries=3)
def _():
    with Lab() as lab, ArpHost(lab, made_up_mac(), addresses=()) as host:
        mac = made_up_mac()
        lab.serve(config=POOL + "machines: [{name: web1, mac: '%s', address: 10.77.0.150}]\n" % netlib.mac_text(mac))
        assert at_once(Client(lab.link, mac)).yiaddr == "10.77.0.150"
        ack = Client(lab.link, mac).ask(REQUEST, [(50, ip4("10.77.0.150"))])
        assert ack and ack.kind == ACK
        assert not [a for a in host.asked if a[0] == "10.77.0.150" and a[2] == bytes(4)], host.asked


@case("conflict_check: off offers at once, whoever has the address", tries=3)
def _():
    with Lab() as lab, ArpHost(lab, made_up_mac(), addresses=["10.77.0.100"]) as host:
        lab.serve(config=POOL.replace("}", ", conflict_check: off}"))
        assert at_once(Client(lab.link)).yiaddr == "10.77.0.100"
        assert not host.asked, host.asked


@case("any ARP of another machine counts, the client's own and ours do not", tries=3)
def _():
    with Lab() as lab:
        daemon = lab.serve(config=POOL)
        ours = mac_bytes(mac_of(lab.server, "sv0"))
        other = made_up_mac()

        def while_waiting(*frames, mac=None):
            client = Client(lab.link, mac)
            client.say(DISCOVER)
            time.sleep(0.05)
            began = time.monotonic()
            for f in frames:
                lab.link.send_frame(f)
            return client.hear().yiaddr, (time.monotonic() - began) * 1000

        # A gratuitous announcement, and a question of its own to a third.
        assert while_waiting(arp(other, "10.77.0.100", target="10.77.0.100", reply=False))[0] == "10.77.0.101"
        assert while_waiting(arp(other, "10.77.0.102", target="10.77.0.9", reply=False))[0] == "10.77.0.103"
        assert [c["used_by"] for c in conflicts(daemon)] == [netlib.mac_text(other)] * 2
        # Our own frame, brought back by a bridge; another's question for the address, and its probe.
        assert while_waiting(arp(ours, "0.0.0.0", target="10.77.0.104", reply=False),
                             arp(ours, "10.77.0.104", target="10.77.0.104", reply=False),
                             arp(other, "10.77.0.9", target="10.77.0.104", reply=False),
                             arp(other, "0.0.0.0", target="10.77.0.104", reply=False))[0] == "10.77.0.104"
        # The client has it still from before: no reason to wait any longer.
        mac = made_up_mac()
        address, ms = while_waiting(arp(mac, "10.77.0.105"), mac=mac)
        assert address == "10.77.0.105" and ms <= SLACK_MS, (address, ms)
        # Rubbish.
        assert while_waiting(arp(other, "10.77.0.106")[:40], arp(other, "10.77.0.106")[:20] + b"\1" * 22,
                             )[0] == "10.77.0.106"
        assert len(conflicts(daemon)) == 2


@case("three addresses in use one after the other: silence with a reason, the next DISCOVER goes on", tries=3)
def _():
    used = ["10.77.0.%d" % i for i in range(100, 104)]
    with Lab() as lab, ArpHost(lab, made_up_mac(), addresses=used):
        daemon = lab.serve(config=POOL)
        client = Client(lab.link)
        assert client.ask(DISCOVER, seconds=0.6) is None
        wait_for("D033", lambda: "D033" in [line.get("drop") for line in daemon.lines()])
        assert [c["address"] for c in conflicts(daemon)] == used[:3]
        assert client.discover().yiaddr == "10.77.0.104"


@case("a router that does proxy ARP is recognised and no longer asked, until a reload", tries=3)
def _():
    with Lab() as lab:
        with ArpHost(lab, made_up_mac()):
            daemon = lab.serve(config=POOL)
            client = Client(lab.link)
            assert client.ask(DISCOVER, seconds=0.4) is None
            client.discover()
            daemon.wait_line("proxy ARP")
            said = [m for m in daemon.messages() if "proxy ARP" in m]
            assert len(said) == 1 and said[0].startswith("sv0: "), said
            for _ in range(5):
                at_once(Client(lab.link))
            assert len([m for m in daemon.messages() if "proxy ARP" in m]) == 1
        daemon.kill(signal.SIGHUP)
        daemon.wait_line(r"loaded anew")
        first_offer(Client(lab.link))


@case("an interface that goes down and up is asked on again", tries=3)
def _():
    with Lab() as lab, ArpHost(lab, made_up_mac(), addresses=["10.77.0.100"]):
        daemon = lab.serve(config=POOL)
        for pause in (0, 0.3):
            lab.server.ip("link set sv0 down")
            time.sleep(pause)
            lab.server.ip("link set sv0 up")
            time.sleep(0.3)
        client = Client(lab.link)
        client.served_within(netlib.SOON)
        assert client.dora().yiaddr != "10.77.0.100"
        assert len(conflicts(daemon)) == 1


def relayed_lab(route=True):
    lab = Lab()
    lab.client.ip("addr add 10.78.0.1/32 dev lo")
    if route:
        lab.server.ip("route add 10.78.0.0/24 via %s" % CLIENT)
    else:
        lab.server.ip("route add 10.78.0.1/32 via %s" % CLIENT)
    return lab


class Relay:
    """What dhcrelay does, for one client after the other."""

    def __init__(self, lab, address="10.78.0.1"):
        self.s, self.address = lab.client.udp(address, 67), address

    def discover(self, mac, xid=None, seconds=netlib.PATIENCE):
        xid = xid or random.getrandbits(32)
        began = time.monotonic()
        self.s.settimeout(seconds)
        self.s.sendto(message(DISCOVER, mac, xid, giaddr=self.address, hops=1), (SERVER, 67))
        data = self.s.recv(2048)
        assert data[4:8] == struct.pack("!I", xid)
        return socket.inet_ntoa(data[16:20]), (time.monotonic() - began) * 1000


RELAYED = "networks: [{interface: sv0, pools: [10.77.0.100-10.77.0.199]}, {subnet: 10.78.0.0/24, pools: [10.78.0.100-10.78.0.199]}]\n"


@case("behind a relay: asked by ICMP echo", tries=3)
def _():
    with relayed_lab() as lab:
        lab.client.ip("addr add 10.78.0.100/32 dev lo")
        daemon = lab.serve(config=RELAYED)
        relay = Relay(lab)
        mac = made_up_mac()
        address, ms = relay.discover(mac)
        assert address == "10.78.0.101" and WAIT_MS - 5 <= ms <= WAIT_MS + SLACK_MS, (address, ms)
        address, ms = relay.discover(mac)
        assert address == "10.78.0.101" and ms <= SLACK_MS, (address, ms)
        assert [(c["address"], c["network"]) for c in conflicts(daemon)] == [("10.78.0.100", "10.78.0.0/24")]
        # Nobody who did not see the question can answer it.
        with lab.client.entered():
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        lab.client.ip("addr add 10.78.0.102/32 dev lo")
        lab.client.run("sysctl -q -w net.ipv4.icmp_echo_ignore_all=1")
        raw.bind(("10.78.0.102", 0))
        stop = threading.Event()

        def forge():
            while not stop.is_set():
                head = struct.pack("!BBHHH", 0, 0, 0, 0, 0) + bytes(8)
                raw.sendto(head[:2] + struct.pack("!H", netlib.checksum(head)) + head[4:], (SERVER, 0))
                time.sleep(0.02)
        t = threading.Thread(target=forge, daemon=True)
        t.start()
        try:
            assert relay.discover(made_up_mac())[0] == "10.78.0.102"
        finally:
            stop.set()
            t.join()
            raw.close()
        assert len(conflicts(daemon)) == 1


@case("behind a relay without a way there: offered at once, and counted", tries=3)
def _():
    with relayed_lab(route=False) as lab:
        daemon = lab.serve(config=RELAYED)
        address, ms = Relay(lab).discover(made_up_mac())
        assert address == "10.78.0.100" and ms <= SLACK_MS, (address, ms)
        wait_for("D035", lambda: "D035" in [line.get("drop") for line in daemon.lines()])


def known_clients(link, n=40):
    """So many that each asks less often than its limit in a second."""
    clients = [Client(link) for _ in range(n)]
    for i, c in enumerate(clients):  # as if they had an offer of before a restart
        ack = c.ask(REQUEST, [(50, ip4("10.79.0.%d" % (150 + i))), (54, ip4("10.79.0.1"))])
        assert ack and ack.kind == ACK, ack
    return clients


def exchange_times(clients, until):
    """How long each answer to a known client took, until until() says so."""
    times, lost = [], 0
    while not until():
        began = time.monotonic()
        if clients[len(times) % len(clients)].ask(DISCOVER, seconds=netlib.SOON):
            times.append((time.monotonic() - began) * 1000)
        else:
            lost += 1
        time.sleep(0.002)
    return times, lost


def known_while_200_wait():
    """The p99 of answers to known clients while 200 first offers wait."""
    with Lab() as lab:
        lab.wire("sv1", "cl1", "10.79.0.1", "10.79.0.2")
        lab.serve(config="networks: [{interface: sv0, pools: [10.77.0.20-10.77.0.250]}, {interface: sv1}]\n")
        known = known_clients(lab.links[1])
        macs = [made_up_mac() for _ in range(200)]
        began = time.monotonic()
        for i, mac in enumerate(macs):
            lab.link.send(message(DISCOVER, mac, 1000 + i, flags=0x8000), mac=mac)
        times, lost = exchange_times(known, lambda: time.monotonic() - began > 0.6)
        offers = {r.xid: r.yiaddr for r in lab.link.replies(2) if r.kind == OFFER}
        assert len(offers) == 200 and len(set(offers.values())) == 200, "%d offers" % len(offers)
        assert not lost
        print("   %d answers to known clients while 200 waited: p99 %.1f ms" % (len(times), percentile(times, 0.99)))
        return percentile(times, 0.99)


@case("200 DISCOVERs at once: known clients are answered under 50 ms (p99), all within a second (D4-15)")
def _():
    # What else runs here may cost one of three.
    assert any(known_while_200_wait() < 50 for _ in range(3))


@case("a flood of 10,000 DISCOVERs from made-up addresses: known clients are served, the table is bounded", tries=3)
def _():
    with Lab(address=False) as lab:
        lab.server.ip("addr add 10.77.0.1/16 dev sv0")
        lab.wire("sv1", "cl1", "10.79.0.1", "10.79.0.2")
        daemon = lab.serve(config="networks: [{interface: sv0}, {interface: sv1}]\n")
        known = known_clients(lab.links[1])
        over = threading.Event()

        def flood():
            for i in range(10000):
                mac = b"\2\x77" + struct.pack("!I", i)
                try:
                    lab.link.send(message(DISCOVER, mac, i), mac=mac)
                except OSError:
                    pass
            over.set()
        t = threading.Thread(target=flood, daemon=True)
        t.start()
        times, lost = exchange_times(known, over.is_set)
        t.join()
        began = time.monotonic()
        more, lost_after = exchange_times(known, lambda: time.monotonic() - began > 0.5)
        times += more
        print("   %d answers to a known client during the flood: median %.1f ms, p99 %.1f ms, %d lost" % (
            len(times), percentile(times, 0.5), percentile(times, 0.99), lost + lost_after))
        assert lost + lost_after == 0 and percentile(times, 0.5) < 100 and percentile(times, 0.9) < 500
        Client(lab.links[1]).dora()
        counted = [line for line in daemon.lines() if line.get("drop") in ("D034", "D035")]
        assert len(counted) <= 10, "%d lines" % len(counted)


@case("stopped while addresses are being asked for: a clean end")
def _():
    with Lab() as lab:
        daemon = lab.serve(config=POOL)
        for i in range(20):
            mac = made_up_mac()
            lab.link.send(message(DISCOVER, mac, i), mac=mac)
        time.sleep(0.05)
        daemon.stop()


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
