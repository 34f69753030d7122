#!/usr/bin/env python3
"""Lease lives as real clients and relay agents live them: dhcp_clients.py [WORD...]

dhclient, udhcpc and systemd-networkd bind, renew, release and decline, on the
wire and behind a router with dhcrelay; perfdhcp asks at a modest rate; a network
comes and goes with its interface.  `make deps-check` installs all of them.
"""
import json
import os
import re
import subprocess
import sys

import netlib
from netlib import ACK, BOOTSMITH, SERVER, Client, Lab, Link, Namespace, wait_for

case = netlib.Cases()
SHORT = "networks: [{interface: sv0, pools: [10.77.0.100-10.77.0.199], lease_time: 60s, conflict_check: off}]\n"

# What a client's script does with its address, and what it says; a file `refuse`
# beside it makes it refuse the address, once, with that exit code.
SCRIPT = """#!/bin/sh
reason=${reason:-$1} ip=${new_ip_address:-$ip} mask=${new_subnet_mask:-$subnet} router=${new_routers:-$router}
case $reason in
BOUND|RENEW|REBIND|REBOOT|bound|renew)
	if [ -e %(dir)s/refuse ]; then
		code=$(cat %(dir)s/refuse)
		rm %(dir)s/refuse
		echo "$reason $ip refused" >> %(dir)s/story
		exit $code
	fi
	ip -4 addr flush dev $interface
	ip addr add $ip/24 dev $interface
	[ -z "$router" ] || ip route replace default via $router ;;
EXPIRE|FAIL|RELEASE|STOP|deconfig)
	ip -4 addr flush dev $interface ;;
PREINIT)
	ip link set $interface up ;;
esac
echo "$reason $ip" >> %(dir)s/story
"""


def neighbour(lab, address):
    """A machine of its own on the client's wire that has that address; mv1 is where the client is then."""
    ns = Namespace()
    lab.client.ip("addr flush dev cl0")
    for name in "mv0", "mv1":
        lab.client.ip("link add link cl0 name %s type macvlan mode bridge" % name)
    lab.client.run(["ip", "link", "set", "mv0", "netns", "/proc/%d/fd/%d" % (os.getpid(), ns.fd)])
    ns.ip("addr add %s/24 dev mv0" % address)
    ns.ip("link set mv0 up")
    lab.client.ip("link set mv1 up")
    return ns


class Story:
    """A client's working directory and what its script was told: (reason, address) each."""

    def __init__(self, lab, name):
        self.dir = os.path.join(lab.dir, name)
        os.mkdir(self.dir)
        self.path = lab.write(name + "/story", "")
        self.hook = lab.write(name + "/script", SCRIPT % {"dir": self.dir})
        os.chmod(self.hook, 0o755)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def steps(self):
        with open(self.path) as f:
            return [line.split() for line in f]

    def wait(self, reason, seconds=60, count=1):
        """The address of that step's count'th time."""
        def look():
            found = [s for s in self.steps() if s[0] == reason]
            return found[count - 1] if len(found) >= count else None
        try:
            return wait_for("%s of the client" % reason, look, seconds)[1:]
        except netlib.Timeout as e:
            raise netlib.Timeout("%s; its story: %s" % (e, self.steps())) from None


def udhcpc(ns, story, interface="cl0", *more):
    return ns.spawn(["udhcpc", "-i", interface, "-f", "-t", "10", "-T", "1", "-s", story.hook, *more],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def dhclient_argv(story, *more):
    conf = story.file("conf", "timeout 20; initial-interval 1; backoff-cutoff 2; retry 2; reboot 10;\n"
                      "request subnet-mask, routers;\nsupersede dhcp-renewal-time 4;\n")
    return ["dhclient", "-4", "-sf", story.hook, "-cf", conf, "-lf", os.path.join(story.dir, "leases"), "-pf",
            os.path.join(story.dir, "pid"), *more]


def dhclient(ns, story, interface="cl0"):
    return ns.spawn([*dhclient_argv(story), "-d", interface], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def leases(lab):
    """{address: lease} of the daemon."""
    p = lab.server.run([BOOTSMITH, "lease", "list", "--json", "--socket", lab.socket])
    return {x["address"]: x for x in json.loads(p.stdout)}


def replies_to(daemon, request, reply="ACK"):
    return [x for x in daemon.lines() if x.get("request") == request and x.get("reply") == reply]


def wait_replies(daemon, request, count, reply="ACK", seconds=60):
    wait_for("%d times %s answered by %s" % (count, request, reply),
             lambda: len(replies_to(daemon, request, reply)) >= count, seconds)
    return replies_to(daemon, request, reply)


# ---- on the wire ----

@case("udhcpc: bound, renewed when asked, released, and bound to the same address again")
def _():
    with Lab() as lab:
        lab.client.ip("addr flush dev cl0")
        d, story = lab.serve(config=SHORT), Story(lab, "udhcpc")
        p = udhcpc(lab.client, story, "cl0", "-R")
        address, = story.wait("bound")
        wait_replies(d, "REQUEST", 1)
        p.send_signal(netlib.signal.SIGUSR1)
        assert story.wait("renew") == [address]
        wait_replies(d, "REQUEST", 2)
        p.send_signal(netlib.signal.SIGTERM)  # -R: released at the end
        d.wait_line(r"RELEASE %s" % re.escape(address))
        p.wait(netlib.PATIENCE)
        p = udhcpc(lab.client, story)
        assert story.wait("bound", count=2) == [address]


@case("udhcpc: an address that it finds in use is declined, and another one given")
def _():
    with Lab() as lab:
        other = neighbour(lab, "10.77.0.100")
        d, story = lab.serve(config=SHORT), Story(lab, "udhcpc")
        udhcpc(lab.client, story, "mv1", "-a", "-A", "1")
        address, = story.wait("bound")
        assert address != "10.77.0.100", address
        d.wait_line(r"DECLINE 10\.77\.0\.100")
        assert leases(lab)["10.77.0.100"]["state"] == "declined", leases(lab)
        other.close()


@case("dhclient: bound, renewed at T1, released, and bound to the same address again")
def _():
    with Lab() as lab:
        lab.client.ip("addr flush dev cl0")
        d = lab.serve(config=SHORT)
        story = Story(lab, "dhclient")
        p = dhclient(lab.client, story)
        address = story.wait("BOUND")[0]
        assert story.wait("RENEW")[0] == address
        wait_replies(d, "REQUEST", 2)
        p.terminate()
        p.wait(netlib.PATIENCE)
        lab.client.run(dhclient_argv(story, "-r", "cl0"))
        d.wait_line(r"RELEASE %s" % re.escape(address))
        dhclient(lab.client, story)
        assert story.wait("BOUND", count=2)[0] == address


@case("dhclient: INIT-REBOOT after a new start, with its lease file")
def _():
    with Lab() as lab:
        lab.client.ip("addr flush dev cl0")
        d, story = lab.serve(config=SHORT), Story(lab, "dhclient")
        p = dhclient(lab.client, story)
        address = story.wait("BOUND")[0]
        p.terminate()
        p.wait(netlib.PATIENCE)
        dhclient(lab.client, story)
        assert story.wait("REBOOT")[0] == address
        assert len(wait_replies(d, "REQUEST", 2)) == 2 and len(replies_to(d, "DISCOVER", "OFFER")) == 1


@case("dhclient: an address that its script refuses is declined, and another one given")
def _():
    with Lab() as lab:
        lab.client.ip("addr flush dev cl0")
        d, story = lab.serve(config=SHORT), Story(lab, "dhclient")
        story.file("refuse", "1")
        dhclient(lab.client, story)
        address, refused = story.wait("BOUND")
        d.wait_line(r"DECLINE %s" % re.escape(address))
        assert refused == "refused" and story.wait("BOUND", count=2)[0] != address
        assert leases(lab)[address]["state"] == "declined", leases(lab)


NETWORKD = """
mount -t tmpfs none /run
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp /run/systemd/network
chown -R systemd-network: /run/systemd/netif
mount -t sysfs -o ro none /sys
printf '[Match]\\nName=cl0\\n[Network]\\nDHCP=ipv4\\nIPv6AcceptRA=no\\n[DHCPv4]\\nClientIdentifier=mac\\nUseHostname=no\\n' \\
    > /run/systemd/network/cl0.network
exec /lib/systemd/systemd-networkd
"""


@case("systemd-networkd: bound, renewed at T1, released at its end, and the same address again")
def _():
    def started():
        """Without systemd around it: a /run of its own, and no udev, which a read-only /sys tells it."""
        return lab.client.spawn(["unshare", "--mount", "sh", "-ec", NETWORKD], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def address():
        m = re.search(r"inet (10\.77\.0\.1\d\d)/", lab.client.ip("-4 addr show cl0").stdout)
        return m and m[1]

    with Lab() as lab:
        lab.client.ip("addr flush dev cl0")
        d = lab.serve(config=SHORT)
        p = started()
        first = wait_for("systemd-networkd has an address", address)
        wait_replies(d, "REQUEST", 2)
        assert address() == first
        p.terminate()
        d.wait_line(r"RELEASE %s" % re.escape(first))
        p.wait(netlib.PATIENCE)
        started()
        wait_replies(d, "REQUEST", 3)
        assert wait_for("the address again", address) == first


# ---- behind a router with a relay agent ----

BEHIND = """networks:
  - {interface: sv8, dhcp: off}
  - {subnet: 10.9.0.0/24, router: 10.9.0.1, pools: [10.9.0.100-10.9.0.199], lease_time: 60s, conflict_check: off}
"""
RELAYS = {
    "dhcrelay": ["dhcrelay", "-4", "-d", "--no-pid", "-a", "-D", "-id", "lan", "-iu", "wan", "10.8.0.1"],
    "dnsmasq": ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=0", "--log-facility=-",
                "--log-dhcp", "--user=root", "--dhcp-relay=10.9.0.1,10.8.0.1"],
}


def cable(a, a_name, a_address, b, b_name, b_address):
    a.ip("link add %s type veth peer name %s" % (a_name, b_name))
    a.run(["ip", "link", "set", b_name, "netns", "/proc/%d/fd/%d" % (os.getpid(), b.fd)])
    for ns, name, address in (a, a_name, a_address), (b, b_name, b_address):
        if address:
            ns.ip("addr add %s/24 dev %s" % (address, name))
        ns.ip("link set %s up" % name)


class Routed(Lab):
    """cl9 of the client, lan and wan of a router, sv8 of the server; a relay agent on the router."""

    def __init__(self, agent):
        super().__init__()
        self.client.ip("addr flush dev cl0")
        self.router = Namespace()
        cable(self.client, "cl9", None, self.router, "lan", "10.9.0.1")
        cable(self.server, "sv8", "10.8.0.1", self.router, "wan", "10.8.0.2")
        self.server.ip("route add 10.9.0.0/24 via 10.8.0.2")
        self.router.run("sysctl -q -w net.ipv4.ip_forward=1")
        self.upstream = Link(self.router, "wan")
        self.links.append(self.upstream)
        self.agent = self.router.spawn(RELAYS[agent], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("the relay agent listens", lambda: ":67 " in self.router.run("ss -lun").stdout)

    def __exit__(self, *why):
        self.router.close()
        return super().__exit__(*why)


@case("dhcrelay -a: every reply brings option 82 back as it was (RFC 3046 2.2)")
def _():
    with Routed("dhcrelay") as lab:
        lab.serve(config=BEHIND)
        story = Story(lab, "udhcpc")
        udhcpc(lab.client, story, "cl9", "-q")
        story.wait("bound")
        for kind in netlib.OFFER, ACK:
            r = lab.upstream.receive(kinds=[kind])
            assert r and r.dst == r.giaddr == "10.9.0.1" and r.opt[82] == b"\1\3lan" and r.list[-1][0] == 82, (r, r and r.list)


def add_relayed(agent):
    @case("behind %s: udhcpc and dhclient renew and release by unicast, through the router" % agent)
    def _():
        with Routed(agent) as lab:
            d, first, second = lab.serve(config=BEHIND), Story(lab, "udhcpc"), Story(lab, "dhclient")
            p = udhcpc(lab.client, first, "cl9", "-R")
            address, = first.wait("bound")
            assert address.startswith("10.9.0.") and "by relay 10.9.0.1" in wait_replies(d, "REQUEST", 1)[0]["message"]
            p.send_signal(netlib.signal.SIGUSR1)
            assert first.wait("renew") == [address]
            assert "by relay" not in wait_replies(d, "REQUEST", 2)[1]["message"]
            p.terminate()
            d.wait_line(r"RELEASE %s" % re.escape(address))
            p.wait(netlib.PATIENCE)
            had = len(replies_to(d, "REQUEST"))
            p = dhclient(lab.client, second, "cl9")
            address = second.wait("BOUND")[0]
            assert second.wait("RENEW")[0] == address
            assert ["by relay" in x["message"] for x in wait_replies(d, "REQUEST", had + 2)[had:had + 2]] == [True, False]
            p.terminate()
            p.wait(netlib.PATIENCE)
            lab.client.run(dhclient_argv(second, "-r", "cl9"))
            wait_for("the release", lambda: d.count(r"RELEASE %s" % re.escape(address)) >= 1)


for agent in RELAYS:
    add_relayed(agent)


# ---- many, and interfaces that come and go ----

@case("perfdhcp: 500 exchanges a second for 5 s, less than 0.1 % unanswered", tries=3)
def _():
    with Lab(address=False) as lab:
        lab.server.ip("addr add %s/16 dev sv0" % SERVER)
        lab.serve(config="networks: [{interface: sv0, pools: [10.77.64.0-10.77.127.255], conflict_check: off}]\n")
        p = lab.client.run(["perfdhcp", "-4", "-r", "500", "-R", "1000", "-p", "5", "-W", "3000000", "-l", "cl0", SERVER],
                           check=False)
        sent = [int(n) for n in re.findall(r"sent packets: (\d+)", p.stdout)]
        drops = [int(n) for n in re.findall(r"^drops: (-?\d+)", p.stdout, re.M)]
        assert len(sent) == len(drops) == 2 and min(sent) > 1000, p.stdout + p.stderr
        assert all(n <= s * 0.001 for s, n in zip(sent, drops)), p.stdout
        assert 1000 <= len(leases(lab)) + 1 and "rejected leases: 0" in p.stdout, p.stdout


@case("a network on a VLAN interface's stand-in (macvlan), removed and made again while the other is served")
def _():
    with Lab(address=False) as lab:
        def make():
            lab.server.ip("link add link sv0 name vlan7 type macvlan mode bridge")
            lab.server.ip("addr add %s/24 dev vlan7" % SERVER)
            lab.server.ip("link set vlan7 up")
        make()
        other = Client(lab.wire("sv1", "cl1", address="10.78.0.1"))
        d = lab.serve(config="networks: [{interface: vlan7, conflict_check: off}, {interface: sv1, conflict_check: off}]\n")
        client = Client(lab.link)
        before = client.dora()
        assert before.server == SERVER and other.dora().server == "10.78.0.1"
        for _ in range(2):
            lab.server.ip("link del vlan7")
            d.wait_line("vlan7: .*was served until now")
            assert other.dora() and client.ask(netlib.DISCOVER, seconds=0.3) is None
            make()
            client.served_within(netlib.PATIENCE)
            assert client.dora().yiaddr == before.yiaddr
            assert other.dora().server == "10.78.0.1"


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
