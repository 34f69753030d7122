#!/usr/bin/env python3
"""A disk that hangs below what is served: hung_disk.py [WORD...]

Whoever asks for what lies on it waits; DHCP, the control socket and everybody else's files
do not, a stop ends all the same, and when the disk answers, so does everything.
"""
import json
import os
import signal
import sys
import threading

import netlib
from netlib import Client, Lab, tftp_get, wait_for

case = netlib.Cases()
ASKERS = 6  # more than libuv has workers by itself
CONFIG = """networks: [{interface: sv0, conflict_check: off, pools: [10.77.0.100-10.77.0.250]}]
templates: {root: %(dir)s/templates}
loaders: {dir: /usr/lib/ipxe}
profiles:
  own: {script: scripts/late.ipxe, files: {x.cfg: x.cfg}}
  image: {kernel: late.linux, loader: uki}
machines:
  - {name: web1, mac: "%(mac)s", profile: own}
  - {name: web2, mac: "52:54:00:00:00:02", profile: image}
"""
MACHINE = "52-54-00-00-00-02"


def by_http(path):
    return lambda lab: netlib.http_get(lab.client, path, seconds=120)[2]


def own_script(lab):
    mac = netlib.mac_text(lab.link.mac).replace(":", "-")
    return by_http("/machines/%s/boot.ipxe" % mac)(lab)


def image_of_web2(lab):
    return by_http("/machines/%s/boot.efi" % MACHINE)(lab)[:2]


# how the files end that hang, who asks, and what comes when the disk answers again
WAYS = {
    "boot.ipxe": (by_http("/boot.ipxe"), b"#!ipxe\n# of the site\n"),
    "a profile's script": (own_script, b"#!ipxe\n# for web1\n"),
    "grub.cfg": (by_http("/grub/grub.cfg"), b"# own\n"),
    "a plain file": (by_http("/cold.bin"), b"cold"),
    "a made image": (image_of_web2, b"MZ"),
}
ENDS = {"boot.ipxe": "boot.ipxe", "a profile's script": "late.ipxe", "grub.cfg": "grub.cfg", "a plain file": "cold.bin",
        "a made image": "late.linux"}


class Hanging:
    def __init__(self, what):
        self.what = what
        self.lab = Lab()

    def __enter__(self):
        lab = self.lab
        for path, text in {"http/boot.ipxe": "#!ipxe\n# of the site\n", "http/scripts/late.ipxe": "#!ipxe\n# for {{name}}\n",
                           "http/grub/grub.cfg": "# own\n", "http/cold.bin": "cold", "http/small": "small", "tftp/small": "small",
                           "http/late.linux": netlib.uefi_file("linux"), "templates/x.cfg": "of {{name}}\n"}.items():
            lab.write(path, text)
        self.hung = os.path.join(lab.dir, "hung")
        self.d = lab.serve(config=CONFIG % {"dir": lab.dir, "mac": netlib.mac_text(lab.link.mac)},
                           prefix=netlib.preloaded(netlib.tool("hang_disk.so"), HANG_DISK=self.hung,
                                                   HANG_DISK_END=ENDS[self.what]))
        ack = Client(lab.link, mac=lab.link.mac, broadcast=True).dora()
        lab.client.ip("addr flush dev cl0")
        lab.client.ip("addr add %s/16 dev cl0" % ack.yiaddr)
        firmware = Client(lab.link, mac=bytes.fromhex("525400000002"), broadcast=True,
                          options=[(60, b"HTTPClient:Arch:00016:UNDI:003001"), (93, b"\0\x10")])
        firmware.request(firmware.discover())
        return self

    def __exit__(self, *how):
        if os.path.exists(self.hung):
            os.unlink(self.hung)
        return self.lab.__exit__(*how)

    def hang(self):
        self.lab.write("hung", "")
        self.got = []
        ask, _ = WAYS[self.what]
        self.askers = [threading.Thread(target=self.asker, args=(ask,), daemon=True) for _ in range(ASKERS)]
        for t in self.askers:
            t.start()
        # Some connection of each is there: the questions have been asked, or are about to be.
        wait_for("the askers", lambda: self.status()["running"]["http_connections"] >= ASKERS)

    def asker(self, ask):
        try:
            self.got.append(ask(self.lab))
        except OSError as e:
            self.got.append(e)

    def status(self):
        return json.loads(self.lab.server.run([netlib.BOOTSMITH, "status", "--socket", self.lab.socket, "--json"]).stdout)

    def others_are_served(self):
        for _ in range(3):
            Client(self.lab.link, broadcast=True).dora()
            assert self.lab.http_get("/small")[2] == b"small"
            assert tftp_get(self.lab.client, "small") == b"small"
            assert self.lab.http_get("/machines/web1/x.cfg")[2] == b"of web1\n"
            self.status()


def one(what):
    @case("%s on a disk that hangs: DHCP and all others are answered, and it comes when the disk does" % what)
    def _():
        with Hanging(what) as h:
            h.hang()
            h.others_are_served()
            assert h.got == [], h.got
            os.unlink(h.hung)
            for t in h.askers:
                t.join(60)
            assert h.got == [WAYS[what][1]] * ASKERS, h.got
            h.d.stop()

    @case("%s on a disk that hangs: SIGTERM ends the daemon in its grace, and DHCP goes on until then" % what)
    def _():
        with Hanging(what) as h:
            h.hang()
            h.d.kill(signal.SIGTERM)
            h.d.wait_line("^stopping")
            Client(h.lab.link, broadcast=True).dora()
            assert h.d.wait(25) == 0
            assert h.d.count("without waiting for a disk") == 1, h.d.messages()[-4:]


for way in WAYS:
    one(way)


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
