#!/usr/bin/env python3
"""Files that are rendered for machines: templates.py [WORD...]

By HTTP and TFTP, for the machine that they are for and for nobody else; what is wrong with a
template is told by `check`, by the answer and by the log; a reload takes what is new.
"""
import json
import os
import signal
import sys
import threading
import time

import netlib
from netlib import CLIENT, SERVER, Client, Lab, TftpError, tftp_get

case = netlib.Cases()
CONFIG = """templates: {root: %(dir)s/templates}
networks: [{interface: sv0, conflict_check: off, pools: [10.77.0.100-10.77.0.150]}]
profiles:
  debian:
    local_boot: true
    vars: {disk: /dev/sda, release: bookworm, mirrors: [a.example, b.example]}
    files: {preseed.cfg: debian/preseed.cfg, nocloud/user-data: cloud.yaml, config.ign: machine.ign, broken.cfg: broken.cfg}
  other: {local_boot: true}
machines:
  - {name: web1, mac: "%(mac)s", profile: debian, vars: {disk: /dev/vda, note: "a: b"}}
  - {name: web2, mac: "02:00:00:00:00:78", address: 10.77.0.20, profile: debian}
  - {name: "020000000001", mac: "02:00:00:00:00:7a", profile: debian}
  - {name: web3, mac: "02:00:00:00:00:79", profile: other}
default_profile: debian
"""
PRESEED = """# {{name}} at {{address}}
{{! not shown }}
d-i partman-auto/disk string {{vars.disk}}
{{#vars.mirrors}}
d-i mirror/http/hostname string {{.}}
{{/vars.mirrors}}
{{> common/late.cfg}}
"""


def own_mac(lab):
    return ":".join("%02x" % b for b in lab.link.mac)


def templates(lab, **files):
    for name, text in {"debian/preseed.cfg": PRESEED, "common/late.cfg": "d-i preseed/late_command string true {{hostname}}\n",
                       "cloud.yaml": "#cloud-config\nhostname: {{name}}\nnote: '{{#vars.note}}{{{.}}}{{/vars.note}}'\n",
                       "machine.ign": '{"name": "{{hostname}}"}\n', "broken.cfg": "fine\n",
                       **files}.items():
        lab.write("templates/" + name, text)


def start(lab, **files):
    templates(lab, **files)
    return lab.serve(config=CONFIG % {"dir": lab.dir, "mac": own_mac(lab)})


def lease(lab, mac=None, hostname=None):
    """An address by DHCP, put on the client's end of the wire."""
    c = Client(lab.link, mac=mac or lab.link.mac, broadcast=True, options=[(12, hostname)] if hostname else [])
    ack = c.request(c.discover())
    lab.client.ip("addr flush dev cl0")
    lab.client.ip("addr add %s/16 dev cl0" % ack.yiaddr)
    return ack.yiaddr


def expected(address):
    return ("# web1 at %s\nd-i partman-auto/disk string /dev/vda\nd-i mirror/http/hostname string a.example\n"
            "d-i mirror/http/hostname string b.example\nd-i preseed/late_command string true web1\n" % address).encode()


@case("a machine has its files by HTTP and by TFTP, by its name and by its MAC")
def _():
    with Lab() as lab:
        start(lab, **{"broken.cfg": ""})
        address = lease(lab)
        dashed = own_mac(lab).replace(":", "-")
        for who in ("web1", dashed, dashed.upper()):
            status, headers, body = lab.http_get("/machines/%s/preseed.cfg" % who)
            assert (status, body) == (200, expected(address)), (status, body)
            assert headers["content-type"] == "text/plain; charset=utf-8", headers
            assert tftp_get(lab.client, "machines/%s/preseed.cfg" % who) == body
        status, headers, body = lab.http_get("/machines/web1/nocloud/user-data")
        assert (status, body) == (200, b"#cloud-config\nhostname: web1\nnote: 'a: b'\n"), (status, body)
        assert headers["content-type"] == "application/yaml", headers
        status, headers, body = lab.http_get("/machines/web1/config.ign")
        assert headers["content-type"] == "application/json" and json.loads(body) == {"name": "web1"}, body
        status, headers, body = lab.http_get("/machines/web1/preseed.cfg", method="HEAD")
        assert status == 200 and headers["content-length"] == str(len(expected(address))) and not body, headers


@case("a machine that nobody configured has the files of its profile; its name for itself is harmless")
def _():
    with Lab() as lab:
        start(lab)
        lab.client.ip("link set cl0 address 02:00:00:00:00:99")
        lease(lab, mac=b"\2\0\0\0\0\x99", hostname=b'x"},\n{"$(id)')
        status, _, body = lab.http_get("/machines/02-00-00-00-00-99/config.ign")
        assert status == 200 and json.loads(body) == {"name": 'x"},\n{"$(id)'}, body
        body = lab.http_get("/machines/02-00-00-00-00-99/preseed.cfg")[2].decode()
        assert "string true x________id_\n" in body and body.startswith("# 02-00-00-00-00-99 at "), body


@case("nobody has another machine's files, and the log says who asked")
def _():
    with Lab() as lab:
        d = start(lab)
        address = lease(lab)
        for who in ("web2", "web3", "02-00-00-00-00-78", "02-00-00-00-00-01", "nobody"):
            status, _, body = lab.http_get("/machines/%s/preseed.cfg" % who)
            assert (status, b"only that machine" in body) == (403, True), (who, status, body)
        try:
            tftp_get(lab.client, "machines/web2/preseed.cfg")
            raise AssertionError("web2's file by TFTP")
        except TftpError as e:
            assert "ERROR 2: this is another machine" in str(e), e
        d.wait_line(r"%s.*this is another machine's file" % own_mac(lab))
        # An address that is nobody's; the server's own; and the next holder of the address.
        lab.client.ip("addr flush dev cl0")
        lab.client.ip("link set cl0 address 02:00:00:00:00:aa")
        lab.client.ip("addr add 10.77.0.9/16 dev cl0")
        assert lab.http_get("/machines/web1/preseed.cfg")[0] == 403
        assert netlib.http_get(lab.server, "/machines/web1/preseed.cfg")[0] == 403
        lab.client.ip("addr flush dev cl0")
        lab.client.ip("addr add 10.77.0.20/16 dev cl0")
        # web2's configured address, on the wire with another MAC: that one counts.
        assert lab.http_get("/machines/web2/preseed.cfg")[0] == 403
        assert lab.http_get("/machines/web1/preseed.cfg")[0] == 403
        lab.client.ip("link set cl0 address 02:00:00:00:00:78")
        lab.server.ip("neigh flush dev sv0")
        assert lab.http_get("/machines/web2/preseed.cfg")[0] == 200
        lab.client.ip("link set cl0 address 02:00:00:00:00:7a")
        lab.server.ip("neigh flush dev sv0")
        assert b"# 020000000001 at" in lab.http_get("/machines/020000000001/preseed.cfg")[2]
        assert lab.http_get("/machines/web2/preseed.cfg")[0] == 403
        lab.client.ip("link set cl0 address 02:00:00:00:00:78")
        lab.server.ip("neigh flush dev sv0")
        assert address not in lab.http_get("/machines/web2/preseed.cfg")[2].decode()


@case("a template that fails is a 500 with its file and line, a warning, and nothing by halves")
def _():
    with Lab() as lab:
        d = start(lab, **{"broken.cfg": "fine\n{{#vars.mirrors}}x{{/vars.mirrors}}\n{{> common/late.cfg}}"})
        lease(lab)
        lab.write("templates/broken.cfg", "fine\n{{vars.none}}\n")
        status, _, body = lab.http_get("/machines/web1/broken.cfg")
        assert status == 500 and b'broken.cfg, line 2: there is no variable "vars.none"' in body and b"fine" not in body, body
        try:
            tftp_get(lab.client, "machines/web1/broken.cfg")
            raise AssertionError("half a file by TFTP")
        except TftpError as e:
            assert "broken.cfg, line 2" in str(e), e
        line = d.wait_line(r'web1.*broken.cfg, line 2: there is no variable')
        assert line["level"] == "warning", line
        lab.write("templates/common/late.cfg", "\n\n{{#vars.x}}")
        assert b"common/late.cfg, line 3: {{#vars.x}} is never closed" in lab.http_get("/machines/web1/preseed.cfg")[2]
        os.unlink(lab.dir + "/templates/common/late.cfg")
        assert b'the partial "common/late.cfg" cannot be read' in lab.http_get("/machines/web1/preseed.cfg")[2]
        os.symlink("/etc/passwd", lab.dir + "/templates/common/late.cfg")
        status, _, body = lab.http_get("/machines/web1/preseed.cfg")
        assert status == 500 and b"root:" not in body, body
        lab.write("templates/cloud.yaml", "note: {{vars.note}}\n")
        status, _, body = lab.http_get("/machines/web1/nocloud/user-data")
        assert status == 500 and b'"vars.note" is no plain text of YAML' in body, body
        assert lab.http_get("/machines/web1/config.ign")[0] == 200  # others are not affected
        status, _, body = lab.http_get("/machines/web1/none.cfg")
        assert status == 404 and b"none of profile debian" in body, (status, body)


@case("check names what is wrong with templates at the lines of the configuration; explain lists the files")
def _():
    with Lab() as lab:
        templates(lab, **{"broken.cfg": "{{vars.disk}}\n{{vars.dsik}}", "machine.ign": "{{#name}}", "cloud.yaml": "{{> gone}}"})
        os.unlink(lab.dir + "/templates/debian/preseed.cfg")
        path = lab.config(CONFIG % {"dir": lab.dir, "mac": own_mac(lab)})
        p = lab.server.run([netlib.BOOTSMITH, "check", "-c", path], check=False)
        out = p.stdout + p.stderr
        assert p.returncode == 1 and "4 mistakes" in out, out
        for text in ("preseed.cfg does not exist", 'cloud.yaml, line 1: the partial "gone" cannot be read',
                     "machine.ign, line 1: {{#name}} is never closed", 'broken.cfg, line 2: there is no variable "vars.dsik"'):
            assert text in out and ":10:" in out, (text, out)
        # What only one machine lacks, or has in a form that cannot stand there.
        templates(lab, **{"broken.cfg": "{{vars.only}}", "cloud.yaml": "note: {{vars.note}}"})
        text = open(path).read().replace("profile: debian}", "profile: debian, vars: {only: x, note: y}}")
        with open(path, "w") as f:
            f.write(text)
        p = lab.server.run([netlib.BOOTSMITH, "check", "-c", path], check=False)
        out = p.stdout + p.stderr
        assert p.returncode == 1 and "2 mistakes" in out and ":13:5: " in out and "for web2:" not in out, out
        assert 'the file broken.cfg cannot be rendered for web1: broken.cfg, line 1: there is no variable "vars.only"' in out, out
        assert 'rendered for web1: cloud.yaml, line 1: the value of "vars.note" is no plain text' in out, out
        templates(lab, **{"broken.cfg": "", "cloud.yaml": ""})
        p = lab.server.run([netlib.BOOTSMITH, "check", "-c", path], check=False)
        assert p.returncode == 0, p.stdout + p.stderr
        out = lab.server.run([netlib.BOOTSMITH, "explain", "-c", path, "--mac", own_mac(lab)]).stdout
        url = "http://%s/machines/%s/" % (SERVER, own_mac(lab).replace(":", "-"))
        assert "file         %spreseed.cfg\n" % url in out, out
        doc = json.loads(lab.server.run([netlib.BOOTSMITH, "explain", "-c", path, "--mac", own_mac(lab), "--json"]).stdout)
        assert doc["files"] == [url + x for x in ("preseed.cfg", "nocloud/user-data", "config.ign", "broken.cfg")], doc


@case("partials in an indented partial: each is read once, by its own name")
def _():
    with Lab() as lab:
        templates(lab, **{"broken.cfg": "  {{> one.inc}}\n{{> two.inc}}\n{{> six.inc}}\n", "one.inc": "1\n{{> six.inc}}\n",
                          "two.inc": "2\n", "six.inc": "6\n"})
        config = lab.config(CONFIG % {"dir": lab.dir, "mac": own_mac(lab)})
        d = lab.start("-c", config).ready()
        lease(lab)
        for _ in range(3):
            assert lab.http_get("/machines/web1/broken.cfg")[2] == b"  1\n  6\n2\n6\n"
        d.stop()


@case("templates are read anew at each request, and a root that was made anew is found")
def _():
    with Lab() as lab:
        start(lab, **{"broken.cfg": ""})
        lease(lab)
        lab.write("templates/debian/preseed.cfg", "one")
        assert lab.http_get("/machines/web1/preseed.cfg")[2] == b"one"
        lab.write("templates/debian/preseed.cfg", "two")
        assert lab.http_get("/machines/web1/preseed.cfg")[2] == b"two"
        os.rename(lab.dir + "/templates", lab.dir + "/old")
        assert lab.http_get("/machines/web1/preseed.cfg")[0] in (200, 500)
        lab.write("templates/debian/preseed.cfg", "three")
        for root, dirs, files in os.walk(lab.dir + "/old", topdown=False):
            for name in files:
                os.unlink(os.path.join(root, name))
            for name in dirs:
                os.rmdir(os.path.join(root, name))
        os.rmdir(lab.dir + "/old")
        assert lab.http_get("/machines/web1/preseed.cfg")[2] == b"three"


@case("a disk that hangs over a template: DHCP and other files do not notice")
def _():
    with Lab() as lab:
        templates(lab)
        lab.write("http/small", "hello\n")
        hung = os.path.join(lab.dir, "hung")
        lab.serve(config=CONFIG % {"dir": lab.dir, "mac": own_mac(lab)},
                  prefix=netlib.preloaded(netlib.tool("hang_disk.so"), HANG_DISK=hung, HANG_DISK_END="/common/late.cfg"))
        address = lease(lab)
        lab.write("hung", "")
        got = []
        t = threading.Thread(target=lambda: got.append(lab.http_get("/machines/web1/preseed.cfg", seconds=60)), daemon=True)
        t.start()
        time.sleep(0.3)
        for _ in range(3):
            Client(lab.link, broadcast=True).dora()
            assert lab.http_get("/small")[2] == b"hello\n"
            assert lab.http_get("/machines/web1/config.ign")[2] == b'{"name": "web1"}\n'
        assert got == [], got
        os.unlink(hung)
        t.join(30)
        assert got[0][2] == expected(address), got


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
