#!/usr/bin/env python3
"""Machines' states, orders and unknown machines: machines.py [WORD...]

`bootsmith machine` over the control socket; what is given, phoning home, and what a
machine is told in each state; registration; and all of it after kill -9.
"""
import json
import os
import re
import select
import signal
import sqlite3
import struct
import sys
import time

import netlib
from durable import Disk
from netlib import ACK, BOOTSMITH, Client, Lab, Timeout, mac_text, made_up_mac, tftp_get

case = netlib.Cases()
CONFIG = """control: {{socket: {lab.socket}}}
networks: [{{interface: sv0, conflict_check: off}}]
{more}
profiles:
  debian: {{kernel: linux, cmdline: 'done={{{{installed_url}}}}', install: true}}
  rescue: {{kernel: rescue}}
  disk: {{local_boot: true}}
  memtest: {{bootfile: memtest.bin}}
  own: {{bootfile: undionly.kpxe}}
  elsewhere: {{bootfile: "http://10.77.0.99/menu.ipxe"}}
  installer: {{bootfile: "tftp://10.77.0.99/installer.0", install: true}}
machines:
  - {{name: web1, mac: "{mac}", profile: debian}}
  - {{name: web2, mac: "02:00:00:00:00:78"}}
  - {{name: by-uuid, uuid: 4c4c4544-0000-2010-8020-a0c04f202020}}
"""
FIELDS = ["name", "mac", "state", "boot_once", "profile", "rule", "known", "first_seen", "last_seen", "given", "given_at",
          "client", "arch", "uuid", "address", "vendor_class", "hostname", "serial", "asset", "manufacturer", "product",
          "network"]
BIOS = [(60, b"PXEClient:Arch:00000:UNDI:002001"), (93, b"\0\0")]
IPXE = BIOS + [(77, b"iPXE")]
STRANGERS_MAX = 16384  # core/machine_table.h
UEFI = [(60, b"PXEClient:Arch:00007:UNDI:003000"), (93, b"\0\7")]


def same(got, want, what="got"):
    if got != want:
        raise AssertionError("%s %r, expected %r" % (what, got, want))


class Site(Lab):
    """A daemon, and a machine, web1, that has its address on the client's end."""

    def begin(self, more="", **options):
        for name in ("linux", "rescue"):
            self.write("http/" + name, name)
        self.write("tftp/memtest.bin", os.urandom(5000))
        self.write("tftp/undionly.kpxe", b"iPXE")
        self.mac = mac_text(self.link.mac)
        self.config_text = options.pop("text", CONFIG).format(lab=self, mac=options.pop("mac", self.mac), more=more)
        self.daemon = self.serve(config=self.config_text, **options)
        return self.daemon

    def boot(self, options=IPXE):
        """DORA as the client's own MAC, its address taken; the boot file, or None."""
        c = Client(self.link, mac=self.link.mac, options=options, broadcast=True)
        ack = c.request(c.discover())
        same(ack.kind, ACK)
        self.client.ip("addr flush dev cl0")
        self.client.ip("addr add %s/16 dev cl0" % ack.yiaddr)
        self.address = ack.yiaddr
        return ack.opt[67].rstrip(b"\0").decode() if 67 in ack.opt else None

    def path(self, name="boot.ipxe"):
        return "/machines/%s/%s" % (self.mac.replace(":", "-"), name)

    def script(self, query=""):
        status, headers, body = self.http_get(self.path() + query)
        same(status, 200, "status (%r)" % body)
        return body.decode()

    def machine(self, *argv, code=0):
        p = self.server.run([BOOTSMITH, "machine", *argv, "--socket", self.socket], check=False, seconds=30)
        same(p.returncode, code, "exit code of machine %s (%s%s):" % (" ".join(argv), p.stdout[-300:], p.stderr))
        if code:
            same((p.stdout, code == 2 or len(p.stderr.strip().split("\n"))), ("", 1), p.stderr)
            return p.stderr
        return json.loads(p.stdout) if "--json" in argv else p.stdout

    def phase(self, name="web1"):
        j = self.machine("show", name, "--json")
        return j["state"], j["boot_once"]

    def again(self):
        """Killed at once, and started again."""
        self.daemon.kill(9)
        self.daemon.wait()
        self.daemon = self.serve(config=self.config_text)


def installed_url(script):
    return re.search(r"done=http://[0-9.]+(/machines/\S+/installed\?token=([0-9a-f]{32}))", script)


def is_local(script):
    return "sanboot" in script and "kernel" not in script


@case("machine list and show: every field; names, MACs, states; mistakes are sentences")
def _():
    with Site() as lab:
        lab.begin()
        lab.boot(UEFI)
        stranger = Client(lab.link, options=IPXE + [(97, b"\0" + b"\x11" * 16), (12, b"desk")])
        stranger.dora()
        Client(lab.link).dora()  # boots nothing: not a machine of ours
        got = {x["mac"]: x for x in lab.machine("list", "--json")}
        same(set(got), {lab.mac, "02:00:00:00:00:78", None, mac_text(stranger.mac)})
        for x in got.values():
            same(list(x), FIELDS, "fields")
            same((x["state"], x["boot_once"]), ("new", None))
        mine, other, by_uuid = got[lab.mac], got[mac_text(stranger.mac)], got[None]
        same((mine["name"], mine["known"], mine["client"], mine["arch"], mine["address"], mine["network"]),
             ("web1", True, "pxe", "x64-uefi", lab.address, "sv0"))
        same((mine["profile"], mine["rule"], mine["vendor_class"]), ("debian", "machine web1", "PXEClient:Arch:00007:UNDI:003000"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", mine["last_seen"]), mine
        same((other["name"], other["known"], other["client"], other["uuid"], other["hostname"]),
             (None, False, "ipxe", "11111111-1111-1111-1111-111111111111", "desk"))
        same((by_uuid["name"], by_uuid["uuid"], by_uuid["first_seen"]),
             ("by-uuid", "4c4c4544-0000-2010-8020-a0c04f202020", None))
        same([x["mac"] for x in lab.machine("list", "--json", "--unknown")], [mac_text(stranger.mac)])
        for key in ("web1", lab.mac, lab.mac.replace(":", "-").upper()):
            same(lab.machine("show", key, "--json"), mine, key)
        assert "state        new\n" in lab.machine("show", "web1")
        table = lab.machine("list").split("\n")
        same((table[0].split()[:3], len(table)), (["MAC", "NAME", "STATE"], 6))
        same(lab.machine("hold", "web2"), "web2: hold\n")
        same([x["name"] for x in lab.machine("list", "--json", "--state", "hold")], ["web2"])
        for argv, word in ((("show", "web9"), 'did you mean \\"web1'), (("hold", "nobody-at-all"), "no machine"),
                           (("show", "02:00:00:00:00:99"), "not heard of"), (("boot", "web1", "debain"), 'did you mean \\"debian'),
                           (("boot", "web1", "xyzzyxyzzy"), "no profile"), (("boot", "web1", "disk"), "machine local"),
                           (("local", "by-uuid"), "has no MAC"), (("hold", "ff:ff:ff:ff:ff:ff"), "group"),
                           (("list", "--state", "odd"), "odd")):
            assert word in lab.machine(*argv, code=1), (argv, lab.machine(*argv, code=1))
        for argv, word in (((), "say list, show, boot, hold, local or reset"), (("nothing",), "say list"),
                           (("show",), "show takes a machine's name"), (("boot", "web1"), "and a profile"),
                           (("hold", "a", "b"), "hold takes"), (("list", "x"), '"x" is no option'), (("--odd",), "odd"),
                           (("show", "x", "--unknown"), "belong to list")):
            assert word in lab.machine(*argv, code=2), (argv, lab.machine(*argv, code=2))
        # By its UUID, which firmware sends in SMBIOS order, a machine has a MAC once it was heard.
        c = Client(lab.link, options=BIOS + [(97, b"\0DELL\0\0\x10\x20\x80\x20\xa0\xc0O   ")])
        c.dora()
        same(lab.machine("show", "by-uuid", "--json")["mac"], mac_text(c.mac))
        lab.machine("local", "by-uuid")
        same(lab.phase("by-uuid"), ("local", None))


@case("install once: given, phoned home, its own disk from then on; kill -9 between all of them")
def _():
    with Site() as lab:
        d = lab.begin()
        lab.boot()
        script = lab.script()
        assert "kernel /linux" in script and installed_url(script), script
        same(lab.phase(), ("installing", None))
        d.wait_line(r"\(web1\) is installing \(was new\): it was given the profile debian")
        lab.again()
        lab.boot()
        same(lab.phase(), ("installing", None), "after kill -9:")
        url, token = installed_url(script).groups()
        same(installed_url(lab.script()).group(2), token, "the token of an installation that begins anew:")
        status, headers, body = lab.http_get(url)
        same((status, body), (200, b"installed\n"))
        lab.again()  # answered, so it is on disk
        lab.boot()
        same(lab.phase(), ("installed", None), "after kill -9:")
        assert is_local(lab.script()), lab.script()
        same(lab.boot(UEFI), None, "boot file of firmware")
        same(lab.http_get(url)[0], 200, "an answer that got lost, asked for again:")
        same(lab.http_get(url.replace("?", "?host=x&"))[0], 200, "with another word before it:")
        same(lab.machine("reset", "web1"), "web1: new\n")
        same(lab.http_get(url)[0], 403, "after a reset:")
        lab.boot()
        fresh = installed_url(lab.script())
        assert fresh.group(2) != token
        same(lab.http_get(fresh.group(1), method="POST", body=b"pub_key=" + b"x" * 5000)[0], 200, "by POST:")
        same(lab.phase(), ("installed", None))
        log = lab.daemon.raw().decode()
        assert token not in log and fresh.group(2) not in log, "a token in the log"


@case("phoning home: not without the token, not with another one; nobody else is told it (S-12)")
def _():
    with Site() as lab:
        d = lab.begin()
        lab.boot()
        url, token = installed_url(lab.script()).groups()
        for wrong in (lab.path("installed"), lab.path("installed") + "?token=", lab.path("installed") + "?token=" + "0" * 32,
                      url[:-1], url + "0", lab.path("installed") + "?t=" + token):
            status, headers, body = lab.http_get(wrong)
            same((status, len(body) > 0), (403, True), wrong)
        same(lab.http_get("/machines/web2/installed?token=" + token)[0], 403, "another machine's:")
        same(lab.http_get("/machines/nobody/installed?token=" + token)[0], 403)
        same(lab.http_get("/machines/web1/boot.ipxe", method="POST", body=b"x")[0], 405, "POST elsewhere:")
        same(lab.http_get(url, method="POST", body=b"x" * 9000)[0], 413, "a body that is too long:")
        # somebody else on the wire
        lab.client.ip("addr flush dev cl0")
        lab.client.ip("addr add 10.77.0.99/16 dev cl0")
        lab.client.ip("link set cl0 address 02:00:00:00:00:99")
        theirs = lab.script()
        assert not installed_url(theirs) and "only-for-the-machine-itself" in theirs, theirs
        same(lab.http_get(lab.path("installed") + "?token=only-for-the-machine-itself")[0], 403, "from another address:")
        same(lab.phase(), ("installing", None))
        d.wait_line("somebody else's address phoned home")
        # What was installed speaks from an address of its own choice: it has the token.
        same(lab.http_get(url)[0], 200, "with the token, from another address:")
        same(lab.phase(), ("installed", None))
        d.wait_line(r"\(web1\) is installed \(was installing\): it phoned home from 10.77.0.99")


def as_another(lab, mac, address=None):
    """The client's end goes on with another interface's MAC."""
    lab.client.ip("addr flush dev cl0")
    lab.client.ip("link set cl0 address " + mac)
    lab.link.mac = netlib.mac_bytes(mac)
    if address:
        lab.client.ip("addr add %s dev cl0" % address)


@case("a machine is one by each of its interfaces: installed by one, it is not installed again by the next")
def _():
    for known_by in ('mac: "%s", uuid: 22222222-0000-0000-0000-222222222222', "uuid: 22222222-0000-0000-0000-222222222222"):
        with Site() as lab:
            options = [(97, b"\0" + b"\x22" * 4 + bytes(6) + b"\x22" * 6)]
            mac = mac_text(lab.link.mac)
            text = CONFIG.replace('name: web1, mac: "{mac}"', "name: web1, " + (known_by.replace("%s", "{mac}")))
            lab.begin(text=text)
            second = Client(lab.link, options=IPXE + options)
            lab.boot(IPXE + options)
            script = lab.script()
            url = installed_url(script).group(1)
            same(lab.phase(), ("installing", None))
            first, lab.mac = lab.mac, mac_text(second.mac)
            as_another(lab, lab.mac)
            lab.boot(IPXE + options)
            same(installed_url(lab.script()).group(1), url, "the URL that its other interface is told:")
            same(lab.http_get(url)[0], 200)
            same(lab.phase(), ("installed", None))
            assert is_local(lab.script()), lab.script()
            same(lab.boot(BIOS + options), None, "boot file of its other interface")
            lab.again()
            same(lab.boot(BIOS + options), None, "after kill -9:")
            same([(x["mac"], x["name"]) for x in lab.machine("list", "--json", "--state", "installed")], [(first, "web1")])
            same(lab.machine("reset", lab.mac), "web1: new\n")
            assert lab.boot(BIOS + options)
            lab.machine("hold", "web1")
            same(lab.boot(BIOS + options), None, "on hold:")


@case("a machine that is known by its UUID alone stays itself: after kill -9, without its UUID, by its other interface")
def _():
    with Site() as lab:
        uuid = [(97, b"\0DELL\0\0\x10\x20\x80\x20\xa0\xc0O   ")]
        lab.write("done", "done={{installed_url}}")
        text = CONFIG.replace("name: by-uuid,", "name: by-uuid, profile: debian,").replace(
            "install: true}}\n  rescue", "install: true, files: {{done: done}}}}\n  rescue").replace(
            "{more}", "templates: {{root: {lab.dir}}}")
        lab.begin(text=text, mac="02:00:00:00:00:77")
        first = lab.mac = mac_text(lab.link.mac)
        second = made_up_mac()
        lab.boot(IPXE + uuid)
        url = installed_url(lab.script()).group(1)
        lab.again()
        same(lab.boot([]), None, "an installer's own DHCP")  # which says no UUID
        same(lab.http_get("/machines/by-uuid/done")[2].decode(), "done=http://%s%s" % (netlib.SERVER, url))
        same(installed_url(lab.script()).group(1), url)
        same(lab.http_get(url)[0], 200)
        Client(lab.link, mac=lab.link.mac, options=BIOS + [(97, b"\0" + b"\x33" * 16)]).discover()  # somebody else
        as_another(lab, mac_text(second))
        same(lab.boot(BIOS + uuid), None, "boot file of its other interface")
        lab.again()
        lab.mac = mac_text(second)
        assert is_local(lab.script()), lab.script()
        same(lab.machine("hold", mac_text(second)), "by-uuid: hold\n")
        same(lab.phase("by-uuid"), ("hold", None))
        assert "on hold" in lab.script()
        same([(x["mac"], x["name"]) for x in lab.machine("list", "--json", "--state", "hold")], [(first, "by-uuid")])
        same(lab.machine("list", "--json", "--unknown"), [])


@case("who asks by another machine's UUID is told no token, and neither installs it nor uses up its order")
def _():
    with Site() as lab:
        uuid = "4c4c4544-0000-2010-8020-a0c04f202020"
        lab.begin(text=CONFIG.replace("name: by-uuid,", "name: by-uuid, profile: debian,"), mac="02:00:00:00:00:77")
        lab.boot(BIOS)
        text = tftp_get(lab.client, "pxelinux/pxelinux.cfg/" + uuid).decode()
        assert "only-for-the-machine-itself" in text and not installed_url(text), text
        same(lab.phase("by-uuid"), ("new", None))
        lab.boot(BIOS + [(97, b"\0DELL\0\0\x10\x20\x80\x20\xa0\xc0O   ")])
        first = installed_url(tftp_get(lab.client, "pxelinux/pxelinux.cfg/" + uuid).decode()).group(1)
        lab.again()
        same(installed_url(tftp_get(lab.client, "pxelinux/pxelinux.cfg/" + uuid).decode()).group(1), first,
             "of a daemon that started meanwhile:")


@case("a machine behind a router, known by its configured address alone, installs once too")
def _():
    with Site() as lab:
        text = CONFIG.replace("conflict_check: off}}]", "conflict_check: off}}, {{subnet: 10.99.0.0/24}}]\ntemplates: {{root: {lab.dir}}}")
        text = text.replace("install: true", "install: true, files: {{done: done}}").replace(
            "name: web1,", "name: web1, address: 10.99.0.5,")
        lab.write("done", "done={{installed_url}}")
        lab.begin(text=text, mac="02:00:00:00:00:77")
        lab.mac = "02:00:00:00:00:77"
        lab.client.ip("addr add 10.99.0.5/32 dev lo")
        lab.client.ip("addr add 10.99.0.6/32 dev lo")
        lab.server.ip("route add 10.99.0.0/24 via " + netlib.CLIENT)
        lab.client.ip("route add %s/32 dev cl0 src 10.99.0.6" % netlib.SERVER)
        same(lab.http_get("/machines/web1/done")[0], 403, "to its neighbour:")
        lab.client.ip("route replace %s/32 dev cl0 src 10.99.0.5" % netlib.SERVER)
        url = installed_url(lab.http_get("/machines/web1/done")[2].decode()).group(1)
        same(installed_url(lab.script()).group(1), url)
        same(lab.phase(), ("installing", None))
        same(lab.http_get(url)[0], 200)
        same(lab.phase(), ("installed", None))


@case("somebody else who reads its script neither installs it nor uses up what was ordered")
def _():
    with Site() as lab:
        lab.begin(mac="02:00:00:00:00:77")
        lab.machine("boot", "web1", "rescue")
        for _ in range(2):
            assert b"kernel /rescue" in lab.http_get("/machines/web1/boot.ipxe")[2]
        same(lab.phase(), ("new", "rescue"))
        lab.machine("reset", "web1")
        assert b"kernel /linux" in lab.http_get("/machines/web1/boot.ipxe")[2]
        same(lab.phase(), ("new", None))


@case("boot once: used up by the script, not by DHCP; the disk again afterwards; also after kill -9")
def _():
    with Site() as lab:
        d = lab.begin()
        lab.boot()
        same(lab.machine("local", "web1", "--json")["state"], "local")
        d.wait_line(r"\(web1\) is local \(was new\): ordered by the control socket")
        same([x["uid"] for x in d.lines() if x["topic"] == "machine" and x.get("state") == "local"], [0])
        assert is_local(lab.script())
        same(lab.machine("boot", "web1", "rescue"), "web1: local, boots once: rescue\n")
        lab.again()
        for _ in range(3):
            assert lab.boot(BIOS) == "loaders/undionly.kpxe"
            assert lab.boot().endswith("/boot.ipxe")
        same(lab.phase(), ("local", "rescue"))
        assert "kernel /rescue" in lab.script()
        lab.again()
        lab.boot()
        same(lab.phase(), ("local", None), "after kill -9:")
        assert is_local(lab.script())
        j = lab.machine("show", "web1", "--json")
        same(j["given"], "rescue")
        # An installer once, of a machine that was installed: installed anew.
        lab.machine("boot", "web1", "debian")
        url = installed_url(lab.script()).group(1)
        same(lab.phase(), ("installing", None))
        same(lab.http_get(url)[0], 200)
        same(lab.phase(), ("installed", None))


@case("boot once a boot file: used up when the last block arrived, not before")
def _():
    with Site() as lab:
        lab.begin()
        lab.boot(BIOS)
        lab.machine("local", "web1")
        lab.machine("boot", "web1", "memtest")
        same(lab.boot(BIOS), "memtest.bin")
        t = netlib.Tftp(lab.client, "memtest.bin")
        t.step()
        t.abort()
        t.close()
        time.sleep(0.3)
        same(lab.phase(), ("local", "memtest"), "after half a transfer:")
        tftp_get(lab.client, "memtest.bin")
        netlib.wait_for("it is used up", lambda: lab.phase() == ("local", None))
        same(lab.boot(BIOS), None)


@case("boot once our own iPXE, on a machine that runs iPXE already: used up by the site's script")
def _():
    with Site() as lab:
        lab.begin()
        lab.machine("local", "web1")
        lab.machine("boot", "web1", "own")
        url = lab.boot()
        path = url[url.index("/", len("http://")):]
        assert b"no readable" in lab.http_get(path)[2]
        same(lab.phase(), ("local", "own"), "when there is no such script:")
        lab.write("http/boot.ipxe", "#!ipxe\nshell\n")
        same(lab.http_get(path)[2], b"#!ipxe\nshell\n")
        same(lab.phase(), ("local", None))
        assert is_local(lab.script())


MENU = "http://10.77.0.99/menu.ipxe"


@case("boot once a file of another server: used up by the ACK that names it, and told again in the same boot")
def _():
    with Site() as lab:
        d = lab.begin()
        lab.boot()
        lab.machine("local", "web1")
        lab.machine("boot", "web1", "elsewhere")
        same(lab.boot(BIOS), "loaders/undionly.kpxe", "the loader of firmware that cannot follow a URL")
        c = Client(lab.link, mac=lab.link.mac, options=IPXE, broadcast=True)
        offer = c.discover()
        same(offer.opt[67], MENU.encode() + b"\0")
        same(lab.phase(), ("local", "elsewhere"), "after an OFFER:")
        for _ in range(2):  # an ACK may get lost
            ack = c.request(offer)
            same((ack.kind, ack.opt[67]), (ACK, MENU.encode() + b"\0"))
            same(lab.phase(), ("local", None))
        d.wait_line(r"\(web1\) is local \(was local, and elsewhere once\): it was given the profile elsewhere")
        same(lab.boot(), MENU, "a script that says dhcp twice:")
        same(lab.machine("show", "web1", "--json")["given"], "elsewhere")
        lab.again()
        assert lab.boot().endswith("/boot.ipxe"), "after kill -9"
        assert is_local(lab.script())
        # UEFI HTTP Boot follows it by itself; the next order is the end of it.
        lab.machine("boot", "web1", "elsewhere")
        http = [(60, b"HTTPClient:Arch:00016:UNDI:003000"), (93, b"\0\x10")]
        same(lab.boot(http), MENU)
        same(lab.boot(http), MENU)
        lab.machine("hold", "web1")
        same(lab.boot(http), None)
        # An installer from elsewhere.
        lab.machine("reset", "web1")
        lab.machine("boot", "web1", "installer")
        same(lab.boot(), "tftp://10.77.0.99/installer.0")
        same(lab.phase(), ("installing", None))
        lab.again()
        same(lab.phase(), ("installing", None), "after kill -9:")


@case("boot once a file of another server, beside a DHCP server: used up when its offer is taken")
def _():
    with Site() as lab:
        lab.begin(text=CONFIG.replace("interface: sv0,", "interface: sv0, dhcp: proxy,"))
        lab.machine("boot", "web1", "elsewhere")
        c = Client(lab.link, mac=lab.link.mac, options=IPXE, broadcast=True)
        same(c.discover().opt[67], MENU.encode() + b"\0")
        same(lab.phase(), ("new", "elsewhere"), "after an OFFER:")
        c.say(netlib.REQUEST, [(50, netlib.ip4("10.77.0.50")), (54, netlib.ip4("10.77.0.2"))])
        netlib.wait_for("the order is used up", lambda: lab.phase() == ("new", None), seconds=20)
        same(c.discover().opt[67], MENU.encode() + b"\0", "in the same boot:")
        lab.again()
        assert c.discover().opt[67].endswith(b"/boot.ipxe\0")


@case("a disk that hangs: no ACK names a file of another server before that is on disk")
def _():
    with Site() as lab:
        hang = os.path.join(lab.dir, "hang")
        d = lab.begin(prefix=netlib.preloaded(netlib.tool("hang_disk.so"), HANG_DISK=hang))
        lab.boot()
        lab.machine("boot", "web1", "elsewhere")
        c = Client(lab.link, mac=lab.link.mac, options=IPXE, broadcast=True)
        offer = c.discover()
        lab.write("hang", "")
        assert c.request(offer, seconds=1) is None, "an ACK that is not on disk"
        d.wait_line("the disk does not answer", seconds=20)
        os.unlink(hang)
        d.wait_line("can be stored again", seconds=20)
        netlib.wait_for("what hung is done", lambda: lab.phase() == ("new", None), seconds=20)
        ack = c.request(offer)
        same((ack.kind, ack.opt[67]), (ACK, MENU.encode() + b"\0"), "asked again:")


def asked(lab, path):
    """A connection that has sent a request."""
    s = lab.client.connect(netlib.SERVER, 80, seconds=30)
    s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path).encode())
    return s


def status_of(s):
    with s:
        return int(s.makefile("rb").readline().split()[1])


@case("a disk that hangs: nobody is told what is not on disk, however often it is asked")
def _():
    with Site() as lab:
        hang = os.path.join(lab.dir, "hang")
        lab.begin(prefix=netlib.preloaded(netlib.tool("hang_disk.so"), HANG_DISK=hang))
        lab.boot()
        lab.write("hang", "")
        scripts = [asked(lab, lab.path()) for _ in range(2)]
        same(select.select(scripts, [], [], 1)[0], [], "scripts with a token that is not stored:")
        os.unlink(hang)
        same([status_of(s) for s in scripts], [200, 200], "scripts:")
        url = installed_url(lab.script()).group(1)
        lab.daemon.wait_line("is installing")
        lab.write("hang", "")
        calls = [asked(lab, url) for _ in range(3)]
        same(select.select(calls, [], [], 1)[0], [], "answers to calls that are not stored:")
        os.unlink(hang)
        same([status_of(s) for s in calls], [200] * 3, "phoning home:")
        lab.daemon.wait_line("it phoned home")
        same(lab.daemon.count("it phoned home"), 1)
        lab.again()
        same(lab.phase(), ("installed", None))


@case("hold: nothing to boot, with the reason on its screen; lifted by the next order")
def _():
    with Site() as lab:
        lab.begin()
        assert lab.boot()
        lab.machine("hold", "web1")
        same(lab.boot(), None)
        same(lab.boot(UEFI), None)
        script = lab.script()
        assert "on hold" in script and "chain" in script and "kernel" not in script, script
        lab.machine("boot", "web1", "rescue")
        assert "kernel /rescue" in lab.script()
        same(lab.boot(), None)
        lab.machine("reset", "web1")
        assert "kernel /linux" in lab.script()


@case("unknown: register. It says what it is, waits, and boots what is ordered")
def _():
    with Site() as lab:
        lab.begin(mac="02:00:00:00:00:77", more="unknown: register\ndefault_profile: rescue")
        same(lab.boot(BIOS), "loaders/undionly.kpxe")
        assert lab.boot().endswith(lab.path())
        script = lab.script()
        assert "kernel" not in script and "sleep" in script and lab.mac in script, script
        query = re.search(r"boot\.ipxe(\?\S+)", script).group(1)
        for key in ("serial", "asset", "manufacturer", "product"):
            assert "%s=${%s:uristring}" % (key, key) in query, query
        lab.script("?uuid=55555555-0000-1020-8020-a0c04f202020&serial=S%2f1%0a\x1b[2J&asset=&manufacturer=ACME%20Inc&product=X"
                   .replace("\x1b", "%1b"))
        x, = lab.machine("list", "--json", "--unknown")
        same((x["mac"], x["state"], x["rule"], x["serial"], x["asset"], x["manufacturer"], x["product"], x["arch"], x["uuid"]),
             (lab.mac, "new", "unknown: register", "S/1\n\x1b[2J", None, "ACME Inc", "X", "x86-bios", "55555555-0000-1020-8020-a0c04f202020"))
        same(re.findall(r"[\x00-\x09\x0b-\x1f\x7f]", lab.machine("list")), [], "control characters in the table:")
        lab.again()
        same([x["product"] for x in lab.machine("list", "--json", "--unknown")], ["X"], "after kill -9:")
        lab.boot()
        lab.machine("boot", lab.mac, "rescue")
        assert "kernel /rescue" in lab.script()
        assert "kernel" not in lab.script()
        # firmware without a loader asks once, and is registered all the same
        arm = Client(lab.link, options=[(60, b"PXEClient:Arch:00010:UNDI:003000"), (93, b"\0\x0a")])
        arm.discover()
        same(lab.machine("show", mac_text(arm.mac), "--json")["arch"], "arm32-uefi")


@case("unknown: ignore. A line of the log and nothing else, until it is ordered (S-13)")
def _():
    with Site() as lab:
        d = lab.begin(mac="02:00:00:00:00:77", more="unknown: ignore\ndefault_profile: rescue")
        for options in (BIOS, UEFI, IPXE):
            c = Client(lab.link, mac=lab.link.mac, options=options, broadcast=True)
            c.say(netlib.DISCOVER)
            assert lab.link.receive(seconds=0.5) is None
        d.wait_line("D051")
        same(lab.machine("list", "--json", "--unknown"), [])
        same(lab.http_get(lab.path())[0], 404)
        same(Client(lab.link, mac=lab.link.mac).dora().kind, ACK)  # what boots nothing has its address
        lab.machine("boot", lab.mac, "rescue")
        assert lab.boot().endswith(lab.path())
        assert "kernel /rescue" in lab.script()
        same(lab.http_get(lab.path())[0], 404)


@case("a reload that names a machine, or forgets it, keeps its state")
def _():
    with Site() as lab:
        d = lab.begin()
        lab.boot()
        lab.machine("local", "web1")
        lab.config(lab.config_text.replace("web1", "web7"))
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        same(lab.phase("web7"), ("local", None))
        lab.config(lab.config_text.replace('- {name: web1', '- {name: x, mac: "02:00:00:00:00:79"}\n  #'))
        d.kill(signal.SIGHUP)
        netlib.wait_for("the second reload", lambda: d.count("loaded anew") == 2)
        x = lab.machine("show", lab.mac, "--json")
        same((x["name"], x["known"], x["state"]), (None, False, "local"))


@case("a disk that is full: no installation begins, no order is taken, and it is said why")
def _():
    with Site() as lab:
        disk = Disk(lab, "mount -t tmpfs -o size=300k none STATE")
        d = lab.begin(prefix=disk.prefix)
        lab.boot()
        disk.fill()

        def is_full():
            try:
                Client(lab.link, options=IPXE).dora(seconds=0.5)
            except (Timeout, AssertionError):
                pass
            return d.count("disk is full")
        netlib.wait_for("it cannot write any more", is_full)
        assert "store cannot write" in lab.machine("hold", "web1", code=1)
        netlib.wait_for("a script", lambda: lab.http_get(lab.path())[0] == 200)  # whose commit failed first: 503
        script = lab.script()
        assert "kernel" not in script and "store cannot write" in script, script
        same(lab.phase(), ("new", None))
        disk.make_room()
        d.wait_line("can be stored again")
        assert "kernel /linux" in lab.script()
        same(lab.phase(), ("installing", None))


def row_of_machine(mac, state, last_seen):
    """A row as edge/store_machines.c writes it, of a machine that said nothing."""
    def add(h, b):
        for x in (len(b), *b):
            h = (h ^ x) * 16777619 & 0xffffffff
        return h
    phase = ["new", "installing", "installed"].index(state)
    h = add(2166136261, struct.pack("=9q", phase, 0, 0, last_seen, last_seen, -1, -1, 0, 0))
    for part in (mac, b"", b"", bytes(16), bytes(16), *[b""] * 7):
        h = add(h, part)
    return (mac, state, "", bytes(16), 0, "", 0, last_seen, last_seen, None, None, None, 0, *[b""] * 7, h)


@case("more machines on disk than there is room for: those that must stay do, the rest is deleted there too")
def _():
    with Site() as lab:
        d = lab.begin()
        d.stop()
        db = sqlite3.connect(lab.state + "/leases.db")
        mac = lambda i: struct.pack("!HI", 0x0206, i)
        db.executemany("INSERT INTO machine VALUES (%s)" % ",".join("?" * 21),
                       [row_of_machine(mac(i), "installed" if i < 3 else "new", 1000 + i) for i in range(STRANGERS_MAX + 40)])
        db.commit()
        db.close()
        d = lab.daemon = lab.serve(config=lab.config_text)
        same(lab.machine("show", mac_text(mac(2)), "--json")["state"], "installed")
        assert "not heard of" in lab.machine("show", mac_text(mac(42)), code=1)
        lab.machine("show", mac_text(mac(43)))
        d.stop()
        db = sqlite3.connect(lab.state + "/leases.db")
        same(db.execute("SELECT count(*), sum(state = 'installed') FROM machine").fetchone(), (STRANGERS_MAX, 3), "rows")
        db.close()
        lab.daemon = lab.serve(config=lab.config_text)


@case("a flood of strangers takes nothing from those that matter")
def _():
    with Site() as lab:
        lab.begin(more="default_profile: rescue")
        lab.boot()
        lab.machine("local", "web1")
        lab.machine("hold", "02:00:00:00:00:aa")
        macs = [made_up_mac() for _ in range(60)]
        for mac in macs:
            Client(lab.link, mac=mac, options=IPXE).dora()
        same(len(lab.machine("list", "--json", "--unknown")), 61)
        same(lab.phase(), ("local", None))
        same(lab.phase("02:00:00:00:00:aa"), ("hold", None))


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
