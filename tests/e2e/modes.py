#!/usr/bin/env python3
"""One network, now served, now as proxy: modes.py [WORD...]

What a reload changes between `dhcp: server`, `proxy` and `off`, and clients that are
answered on port 4011 alone, or late. One line per case; with words, only the cases whose name
contains one.
"""
import os
import signal
import socket
import sys
import time

import netlib
from netlib import ACK, CLIENT, DISCOVER, OFFER, REQUEST, SERVER, Client, Lab, message, pxe_options, wait_for

case = netlib.Cases()
CONFIG = """networks: [{interface: sv0, dhcp: %s, pools: [10.77.0.100-10.77.0.120], conflict_check: off}]
profiles: {boot: {bootfile: boot.efi}}
default_profile: boot
"""


def reload(lab, d, mode):
    before = d.count("loaded anew")
    lab.config(CONFIG % mode)
    d.kill(signal.SIGHUP)
    wait_for("the reload", lambda: d.count("loaded anew") > before)


def ask_pxe_port(lab, mac, seconds=netlib.PATIENCE):
    """What UEFI firmware with an address asks after the offer of a proxy: the boot file named, or None."""
    s = lab.client.udp(CLIENT)
    s.settimeout(seconds)
    try:
        s.sendto(message(REQUEST, mac, 7, pxe_options(), ciaddr=CLIENT), (SERVER, 4011))
        b, peer = s.recvfrom(2048)
    except (socket.timeout, ConnectionRefusedError):
        return None
    finally:
        s.close()
    assert peer == (SERVER, 4011) and b[0] == 2 and b[240:243] == bytes([53, 1, ACK]), (peer, b[:4], b[240:243])
    assert b[16:20] == bytes(4), "an address from a proxy"
    return b[108:236].split(b"\0")[0].decode()


def boots_from_pxe_port(lab, mac):
    name = ask_pxe_port(lab, mac)
    assert name == "boot.efi", name
    assert netlib.tftp_get(lab.client, name) == b"loader"


def again(client, lease, seconds=netlib.PATIENCE):
    """The answer to a client that comes back with its address (INIT-REBOOT), or None."""
    return client.ask(REQUEST, [(50, netlib.ip4(lease.yiaddr))], seconds)


@case("SIGHUP from server to proxy, off, and back: each mode is whole, and the lease is the same")
def _():
    with Lab() as lab:
        lab.write("tftp/boot.efi", "loader")
        d = lab.serve(config=CONFIG % "server")
        plain, pxe = Client(lab.link), Client(lab.link, options=pxe_options())
        lease = plain.dora()
        assert pxe.dora().file == b"boot.efi"
        for _ in range(2):
            reload(lab, d, "proxy")
            assert plain.ask(DISCOVER, seconds=0.5) is None, "a proxy offers a plain client something"
            assert again(plain, lease, 0.5) is None, "a proxy gives an address"
            offer = pxe.ask(DISCOVER)
            assert offer.kind == OFFER and offer.yiaddr == "0.0.0.0" and offer.opt[60] == b"PXEClient", offer
            assert 51 not in offer.opt and 1 not in offer.opt, offer.list
            boots_from_pxe_port(lab, pxe.mac)
            reload(lab, d, "off")
            assert pxe.ask(DISCOVER, seconds=0.5) is None, "answered although off"
            reload(lab, d, "server")
            ack = again(plain, lease)
            assert ack.kind == ACK and ack.yiaddr == lease.yiaddr, ack
            assert plain.dora().yiaddr == lease.yiaddr
            offer = pxe.discover()
            assert offer.yiaddr.startswith("10.77.0.1") and 51 in offer.opt, offer
        d.stop()
        assert os.path.exists(lab.state + "/leases.db")


@case("port 67 is another server's alone: firmware boots from port 4011, and from 67 when that is free")
def _():
    with Lab() as lab:
        lab.write("tftp/boot.efi", "loader")
        other = lab.server.udp(port=67)
        d = lab.serve(config=CONFIG % "proxy")
        d.wait_line("belongs to a DHCP server that shares it with nobody: answering on port 4011 only")
        pxe = Client(lab.link, options=pxe_options())
        for _ in range(3):
            assert pxe.ask(DISCOVER, seconds=0.3) is None, "answered from a port that is another's"
            boots_from_pxe_port(lab, pxe.mac)
        line = d.wait_line("REQUEST -> ACK on port 4011 of sv0 as proxy, boot boot.efi by TFTP")
        assert line["mac"] == netlib.mac_text(pxe.mac), line
        other.close()
        wait_for("an offer", lambda: pxe.ask(DISCOVER, seconds=0.3))
        boots_from_pxe_port(lab, pxe.mac)
        assert d.count("answering on port 4011 only") == 1, d.messages()


@case("a Raspberry Pi that comes back again is answered a second late, and nobody waits for it (firmware#934)")
def _():
    with Lab() as lab:
        lab.write("tftp/boot.efi", "loader")
        d = lab.serve(config=CONFIG % "server")
        pi = Client(lab.link, mac=b"\xb8\x27\xeb\1\2\3", options=[(93, b"\0\0"), (94, b"\1\2\1"),
                                                                    (60, b"PXEClient:Arch:00000:UNDI:002001")])
        waited = []
        for _ in range(3):
            began = time.monotonic()
            assert pi.discover().opt[43].find(b"Raspberry Pi Boot") > 0
            waited.append(time.monotonic() - began)
            time.sleep(max(0, began + 3.2 - time.monotonic()))
        assert waited[0] < 1 > waited[1] and 1.05 <= waited[2] < netlib.SOON, waited
        pi.say(DISCOVER)
        for _ in range(5):
            began = time.monotonic()
            Client(lab.link).dora()
            assert time.monotonic() - began < 1, "somebody else waited"
        d.wait_line(r"\(form raspberry-pi-late\)")
        pi.say(DISCOVER)  # held when the daemon stops
        d.stop()


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
