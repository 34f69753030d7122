#!/usr/bin/env python3
"""Names that loaders ask for, over the wire: loaders.py [WORD...]

What shim, GRUB and iPXE look for beside themselves is found beside what their machine was
given; a profile's files are there by TFTP too; and a machine is known by its lease or, where
somebody else gave it its address, by the kernel's neighbour table.
"""
import os
import re
import signal
import sys

import netlib
from netlib import CLIENT, DISCOVER, OFFER, SERVER, Client, Lab, TftpError, tftp_get, uefi_file

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
    return ack.opt.get(67, b"").rstrip(b"\0").decode()


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
            lab.write("loaders/" + name, uefi_file("our " + name))
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
        assert tftp_get(lab.client, "loaders/shimx64.efi") == uefi_file("our shimx64.efi.signed")
        assert tftp_get(lab.client, "grubx64.efi") == uefi_file("our grubnetx64.efi.signed")
        assert tftp_get(lab.client, "loaders/grubx64.efi") == uefi_file("our grubnetx64.efi.signed")
        assert lab.http_get("/loaders//grubx64.efi")[2] == uefi_file("our grubnetx64.efi.signed")
        assert tftp_get(lab.client, "mmx64.efi") == uefi_file("our mmx64.efi")  # beside the shim on this machine
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


KERNELS = """
control: {{socket: {0}/control.sock}}
loaders: {{shim: {{x64: {0}/loaders/shimx64.efi}}, grub: {{x64: {0}/loaders/grubx64.efi}}}}
networks: [{{interface: sv0, conflict_check: off}}]
profiles:
  ours: {{kernel: linux, initrd: initrd, loader: shim, cmdline: 'host={{{{name}}}} at={{{{address}}}}'}}
  theirs: {{kernel: linux, initrd: [initrd, initrd], bootfile: tree/pxelinux.0, cmdline: 'host={{{{name}}}}'}}
  disk: {{local_boot: true}}
  tree: {{bootfile: tree/pxelinux.0}}
  script: {{script: x.ipxe}}
  broken: {{kernel: linux, cmdline: '{{{{vars.none}}}}'}}
machines: [{{name: web1, mac: '{1}', profile: {2}}}, {{name: web2, mac: '02:00:00:00:00:98', profile: disk}}]
"""


class Rendered:
    """A machine that boots such a profile, at an address of its own; what its loaders read."""

    def __init__(self, lab, profile):
        self.lab = lab
        for name in ("linux", "initrd", "x.ipxe"):
            lab.write("http/" + name, name)
        for name in ("loaders/shimx64.efi", "loaders/grubx64.efi", "tftp/tree/pxelinux.0"):
            lab.write(name, uefi_file(name))
        self.daemon = lab.serve(config=self.config(profile))

    def config(self, profile):
        return KERNELS.format(self.lab.dir, own_mac(self.lab), profile)

    def becomes(self, profile):
        self.lab.config(self.config(profile))
        self.daemon.kill(signal.SIGHUP)
        self.daemon.wait_line("loaded anew")

    def read(self, name):
        return tftp_get(self.lab.client, name).decode()

    def warnings(self):
        return [x["message"] for x in self.daemon.lines() if x["level"] == "warning" and x["topic"] in ("tftp", "http")]


@case("GRUB reads the machine's profile as grub.cfg, by whatever name, directory and protocol it asks")
def _():
    with Lab() as lab:
        r = Rendered(lab, "ours")
        assert firmware(lab, UEFI_PXE) == "loaders/shimx64.efi"
        mac = own_mac(lab).replace(":", "-")
        for name in ("grub/grub.cfg", "/grub/grub.cfg", "debian-installer/amd64/grub/grub.cfg", "grub.cfg",
                     "grub/grub.cfg-01-" + mac, "grub/grub.cfg-AC188000"):
            text = r.read(name)
            assert "bootsmith_load '(tftp,%s)'" % SERVER in text and "(http" not in text, text
            assert re.search(r"'host=web1' 'at=10\.77\.\d+\.\d+'", text), text
            assert "initrd \"$1\"/profiles/ours/initrd0;" in text, text
            assert "source '(tftp,%s)/%s'" % (SERVER, name.lstrip("/")) in text, text
        text = lab.http_get("/grub/grub.cfg")[2].decode()
        assert "bootsmith_load '(http,%s)'" % SERVER in text and "source '(http,%s)/grub/grub.cfg'" % SERVER in text, text
        for name in ("command", "fs", "crypto", "terminal"):
            assert absent(lab, "grub/x86_64-efi/%s.lst" % name)
        assert lab.http_get("/grub/x86_64-efi/fs.lst")[0] == 404
        assert "profile disk" in r.read("grub/grub.cfg-01-02-00-00-00-00-98")  # the name tells who
        assert not r.warnings(), r.warnings()


@case("PXELINUX reads the machine's profile under the first name that it tries, and begins anew with its own file")
def _():
    with Lab() as lab:
        r = Rendered(lab, "theirs")
        assert firmware(lab, [(60, b"PXEClient:Arch:00000:UNDI:002001"), (93, b"\0\0")]) == "tree/pxelinux.0"
        mac = own_mac(lab).replace(":", "-")
        for name in ("44454c4c-4200-1030-8056-b7c04f4e3132", "01-" + mac, "AC188000", "AC", "default"):
            text = r.read("tree/pxelinux.cfg/" + name)
            assert "LINUX %s::profiles/theirs/kernel\n" % SERVER in text and "APPEND host=web1\n" in text, text
            assert "INITRD %s::profiles/theirs/initrd0,%s::profiles/theirs/initrd1\n" % (SERVER, SERVER) in text, text
            assert "PXE %s::tree/pxelinux.0\n" % SERVER in text, text
        text = lab.http_get("/pxelinux.cfg/default")[2].decode()
        assert "LINUX http://%s/profiles/theirs/kernel\n" % SERVER in text, text
        assert "LOCALBOOT" in r.read("pxelinux.cfg/01-02-00-00-00-00-98")
        assert not r.warnings(), r.warnings()


@case("boot once: the configuration may be read as often as it likes, what counts is the kernel")
def _():
    with Lab() as lab:
        r = Rendered(lab, "ours")
        firmware(lab, UEFI_PXE)
        lab.server.run([netlib.BOOTSMITH, "machine", "boot", "web1", "theirs", "--socket", lab.socket])
        firmware(lab, UEFI_PXE)
        for name in ("grub/grub.cfg", "grub/grub.cfg", "grub/grub.cfg-01-" + own_mac(lab).replace(":", "-")):
            assert "profile theirs" in r.read(name)
        tftp_get(lab.client, "profiles/ours/kernel")  # not what it boots
        assert "profile theirs" in r.read("grub/grub.cfg")
        tftp_get(lab.client, "profiles/theirs/kernel")
        netlib.wait_for("its own profile again", lambda: "profile ours" in r.read("grub/grub.cfg"))


@case("a profile that boots the disk, in the words of each loader")
def _():
    with Lab() as lab:
        r = Rendered(lab, "disk")
        firmware(lab, UEFI_PXE)
        assert "chainloader" in r.read("grub/grub.cfg") and "LOCALBOOT 0" in r.read("pxelinux.cfg/default")


@case("a boot file of the site's own keeps its own configuration")
def _():
    with Lab() as lab:
        r = Rendered(lab, "tree")
        firmware(lab, UEFI_PXE)
        assert absent(lab, "tree/pxelinux.cfg/default") and absent(lab, "grub/grub.cfg")
        lab.write("tftp/tree/pxelinux.cfg/default", "own default")
        lab.write("tftp/grub/grub.cfg", "own grub")
        assert absent(lab, "tree/pxelinux.cfg/01-" + own_mac(lab).replace(":", "-"))
        assert r.read("tree/pxelinux.cfg/default") == "own default" and r.read("grub/grub.cfg") == "own grub"
        assert not r.warnings(), r.warnings()
        r.becomes("theirs")
        assert "APPEND host=web1\n" in r.read("tree/pxelinux.cfg/default")


@case("nothing to run: the site's file, else the reason on the machine's screen, and the same in the log")
def _():
    with Lab() as lab:
        r = Rendered(lab, "script")
        firmware(lab, UEFI_PXE)
        assert absent(lab, "pxelinux.cfg/AC18") and absent(lab, "grub/grub.cfg-AC18")
        reason = "profile script is an iPXE script, which %s cannot run"
        assert reason % "GRUB" in r.read("grub/grub.cfg") and "sleep 10" in r.read("grub/grub.cfg")
        text = r.read("pxelinux.cfg/default")
        assert reason % "PXELINUX" in text and "CONFIG %s::pxelinux.cfg/default\n" % SERVER in text, text
        netlib.wait_for("a line of the log", lambda: [x for x in r.warnings() if reason % "PXELINUX" in x], 20)
        lab.write("tftp/grub/grub.cfg", "own grub")
        assert r.read("grub/grub.cfg") == "own grub"
        r.becomes("broken")
        text = r.read("grub/grub.cfg")
        assert "command line of profile broken, line 1" in text and "vars.none" in text, text


@case("a machine that no profile is for: the site's own files, and a reason where there is none")
def _():
    with Lab() as lab:
        lab.serve(config="networks: [{interface: sv0}]\n")
        assert absent(lab, "pxelinux.cfg/AC18")
        assert b"no profile applies" in tftp_get(lab.client, "pxelinux.cfg/default")
        assert b"no profile applies" in tftp_get(lab.client, "x/grub.cfg")
        lab.write("tftp/pxelinux.cfg/AC18", "own")
        assert tftp_get(lab.client, "pxelinux.cfg/AC18") == b"own"


@case("unknown: register. The site's own files, and where there is none what the machine waits for")
def _():
    with Lab() as lab:
        mac = own_mac(lab)
        by_mac = ("grub/grub.cfg-01-" + mac.replace(":", "-"), "pxelinux.cfg/01-" + mac.replace(":", "-"))
        d = lab.serve(config="networks: [{interface: sv0, conflict_check: off}]\nunknown: register\n")
        firmware(lab, UEFI_PXE)
        assert absent(lab, by_mac[0]) and absent(lab, by_mac[1])
        for name in ("grub/grub.cfg", "pxelinux.cfg/default"):
            text = tftp_get(lab.client, name).decode()
            assert "waits for: bootsmith machine boot %s PROFILE" % mac in text, text
        netlib.wait_for("two lines of the log", lambda: d.count("has nothing to run.*bootsmith machine boot " + mac) == 2)
        for name in by_mac + ("grub/grub.cfg", "pxelinux.cfg/default"):
            lab.write("tftp/" + name, "own " + name)
            lab.write("http/" + name, "web " + name)
        for name in by_mac + ("grub/grub.cfg", "pxelinux.cfg/default"):
            assert tftp_get(lab.client, name) == b"own " + name.encode()
            assert lab.http_get("/" + name)[2] == b"web " + name.encode()
        lab.config("networks: [{interface: sv0, conflict_check: off}]\nunknown: ignore\n")
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        assert b"unknown ones are ignored" in tftp_get(lab.client, by_mac[0])


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
