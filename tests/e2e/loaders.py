#!/usr/bin/env python3
"""Names that loaders ask for, over the wire: loaders.py [WORD...]

What shim, GRUB and iPXE look for beside themselves is found beside what their machine was
given; a profile's files are there by TFTP too; and a machine is known by its lease or, where
somebody else gave it its address, by the kernel's neighbour table.
"""
import os
import signal
import sys

import netlib
from netlib import CLIENT, DISCOVER, OFFER, SERVER, Client, Lab, TftpError, tftp_get

case = netlib.Cases()
UEFI_PXE = [(60, b"PXEClient:Arch:00007:UNDI:003000"), (93, b"\0\7")]
UEFI_HTTP = [(60, b"HTTPClient:Arch:00016:UNDI:003001"), (93, b"\0\x10")]


def own_mac(lab):
    """Of the client's end of the wire, which its kernel answers ARP with."""
    return ":".join("%02x" % b for b in lab.link.mac)


def firmware(lab, options):
    """The client's own MAC asks as such firmware; the boot file that it is told, its address taken."""
    c = Client(lab.link, mac=lab.link.mac, options=options, broadcast=True)
    offer = c.discover()
    assert offer.kind == OFFER, offer
    ack = c.request(offer)
    lab.client.ip("addr flush dev cl0")
    lab.client.ip("addr add %s/16 dev cl0" % ack.yiaddr)
    return ack.opt[67].rstrip(b"\0").decode()


def absent(lab, name):
    try:
        tftp_get(lab.client, name)
    except TftpError as e:
        assert "not found" in str(e), e
        return True
    return False


@case("shim's second stage is found without its directory, beside our shim or the profile's boot file")
def _():
    with Lab() as lab:
        for name in ("shimx64.efi.signed", "grubnetx64.efi.signed", "mmx64.efi"):
            lab.write("loaders/" + name, "our " + name)
        for name in ("deb/bootnetx64.efi", "deb/grubx64.efi", "grubx64.efi"):
            lab.write("tftp/" + name, "tftp " + name)
        for name in ("linux", "initrd"):
            lab.write("http/" + name, name)
        config = """
loaders: {{shim: {{x64: {0}/loaders/shimx64.efi.signed}}, grub: {{x64: {0}/loaders/grubnetx64.efi.signed}}}}
networks: [{{interface: sv0, conflict_check: off}}]
profiles:
  ours: {{kernel: linux, initrd: initrd, loader: shim}}
  theirs: {{bootfile: deb/bootnetx64.efi}}
default_profile: {1}
"""
        d = lab.serve(config=config.format(lab.dir, "ours"))
        assert firmware(lab, UEFI_PXE) == "loaders/shimx64.efi"
        assert tftp_get(lab.client, "loaders/shimx64.efi") == b"our shimx64.efi.signed"
        assert tftp_get(lab.client, "grubx64.efi") == b"our grubnetx64.efi.signed"
        assert tftp_get(lab.client, "loaders/grubx64.efi") == b"our grubnetx64.efi.signed"
        assert lab.http_get("/loaders//grubx64.efi")[2] == b"our grubnetx64.efi.signed"
        assert tftp_get(lab.client, "mmx64.efi") == b"our mmx64.efi"  # beside the shim on this machine
        assert absent(lab, "revocations_sbat.efi") and absent(lab, "shim_certificate_0.efi")
        assert not [x for x in d.lines() if x["level"] == "warning" and ".efi" in x["message"]], d.messages()
        lab.config(config.format(lab.dir, "theirs"))
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        assert firmware(lab, UEFI_PXE) == "deb/bootnetx64.efi"
        assert tftp_get(lab.client, "grubx64.efi") == b"tftp deb/grubx64.efi"
        assert absent(lab, "mmx64.efi")


@case("a stranger's grubx64.efi is the file of the root")
def _():
    with Lab() as lab:
        lab.write("tftp/grubx64.efi", "of the root")
        lab.serve(config="networks: [{interface: sv0}]\n")
        assert tftp_get(lab.client, "grubx64.efi") == b"of the root"
        assert absent(lab, "grubaa64.efi")


@case("a profile's files by TFTP and HTTP; nothing else is below profiles/")
def _():
    with Lab() as lab:
        lab.write("http/k/linux", os.urandom(70000))
        lab.write("http/k/i 0", "first")
        lab.write("http/k/i1", "second")
        lab.serve(config="networks: [{interface: sv0}]\nprofiles: {p: {kernel: k/linux, initrd: [k/i 0, k/i1]}}\n")
        with open(lab.http + "/k/linux", "rb") as f:
            kernel = f.read()
        assert tftp_get(lab.client, "profiles/p/kernel") == kernel
        assert lab.http_get("/profiles/p/kernel")[2] == kernel
        assert tftp_get(lab.client, "profiles/p/initrd0") == b"first"
        assert lab.http_get("/profiles/p/initrd1")[2] == b"second"
        for name in ("profiles/p/initrd2", "profiles/q/kernel"):
            assert absent(lab, name), name
        assert lab.http_get("/profiles/p/initrd")[0] == 404


@case("who has its address from elsewhere is known by the neighbour table")
def _():
    with Lab() as lab:
        lab.write("http/linux", "k")
        lab.serve(config="networks: [{interface: sv0, dhcp: off}]\nprofiles: {p: {kernel: linux, cmdline: 'host={{name}}'}}\n"
                  "machines: [{name: web1, mac: '%s', profile: p}]\n" % own_mac(lab))
        script = lab.http_get("/boot.ipxe")[2].decode()
        assert "host=web1" in script, script
        assert b"host=web1" in lab.http_get("/machines/web1/boot.ipxe")[2]
        assert b"host=web1" in tftp_get(lab.client, "boot.ipxe")  # texts by TFTP, too
        # Another address without a machine behind it, and one whose machine is not in the table.
        lab.client.ip("addr flush dev cl0")
        lab.client.ip("link set cl0 address 02:00:00:00:00:99")
        lab.client.ip("addr add %s/16 dev cl0" % CLIENT)
        lab.server.ip("neigh flush dev sv0")
        assert "host=web1" not in lab.http_get("/boot.ipxe", host=SERVER)[2].decode()


@case("iPXE's autoexec.ipxe is its machine's script")
def _():
    with Lab() as lab:
        lab.write("http/linux", "k")
        lab.serve(config="networks: [{interface: sv0, conflict_check: off}]\nprofiles: {p: {kernel: linux}}\n"
                  "default_profile: p\n")
        assert firmware(lab, UEFI_HTTP).endswith("/loaders/ipxe.efi")
        status, headers, body = lab.http_get("/loaders/autoexec.ipxe")
        assert status == 200 and body.startswith(b"#!ipxe") and b"kernel /linux" in body, (status, body)
        assert tftp_get(lab.client, "autoexec.ipxe") == body


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
