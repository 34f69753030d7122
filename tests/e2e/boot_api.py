#!/usr/bin/env python3
"""The boot API: boot_api.py [WORD...]

A service of the test's own, in the server's namespace, says in Pixiecore's form what machines are to boot.
It is asked once for a room of machines, may be slow, dead or talk nonsense, and nobody else waits for it.
"""
import concurrent.futures
import http.server
import json
import socket
import sys
import threading
import time

import netlib
from loaders import absent, firmware, own_mac
from netlib import CLIENT, DISCOVER, SERVER, Client, Lab, http_get, made_up_mac, tftp_get, wait_for

case = netlib.Cases()
MAC = "52:54:00:00:00:01"
CONFIG = """
networks: [{interface: sv0, conflict_check: off}]
profiles: {debian: {kernel: debian/linux, cmdline: quiet}, own: {kernel: own/linux}}
machines: [{name: own1, mac: '52:54:00:00:00:99', profile: own}]
default_profile: debian
boot_api: %s
"""


class Service:
    """What the API says, by MAC: (status, body), or a function of it; what it was asked is in .asked."""

    def __init__(self, lab, port=8090):
        self.answers, self.asked, self.delay = {}, [], 0
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                service.asked.append(self.path)
                time.sleep(service.delay)
                status, body = service.answers.get(self.path.rsplit("/", 1)[-1], (404, "unknown"))
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        with lab.server.entered():
            self.http = http.server.ThreadingHTTPServer((SERVER, port), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *args: None  # who stops in the middle is a part of these tests
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = "http://%s:%d/pixie/" % (SERVER, port)

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def files(lab):
    for name in ("http/debian/linux", "http/own/linux"):
        lab.write(name, name)


def script(lab, mac=MAC):
    status, headers, body = lab.http_get("/machines/%s/boot.ipxe" % mac.replace(":", "-"), seconds=30)
    assert status == 200 and body.startswith(b"#!ipxe\n"), (status, body)
    return body.decode()


@case("a machine boots what the API says: kernel, initrds, command line, message; or its own script")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        lab.serve(config=CONFIG % ("{url: '%s', cache: 0s, timeout: 20s}" % api.url))
        api.answers[MAC] = (200, {"kernel": "/k/linux", "initrd": ["/i0", "/i1"],
                                  "cmdline": "a=1 u={{ URL \"/c\" }}", "message": "from $the API; twice"})
        got = script(lab)
        place = "machines/" + MAC.replace(":", "-")
        assert "kernel /%s/kernel initrd=initrd0 initrd=initrd1 a=1 u=http://%s/%s/url0 || goto" % (place, SERVER, place) in got, got
        assert "initrd --name initrd1 /%s/initrd1 ||" % place in got and "echo from  the API  twice\n" in got, got
        assert api.asked == ["/pixie/v1/boot/" + MAC], api.asked
        # What it names is fetched once and served here, by TFTP too: firmware has no TLS, and no way out.
        api.answers.update({"linux": (200, "k" * 100000), "i1": (200, "second"), "c": (200, "cloud")})
        assert lab.http_get("/%s/kernel" % place)[2] == b"k" * 100000 == tftp_get(lab.client, place + "/kernel")
        assert lab.http_get("/%s/initrd1" % place)[2] == b"second"
        assert api.asked.count("/k/linux") == 1, api.asked
        assert lab.http_get("/%s/url1" % place)[0] in (403, 404)
        api.answers[MAC] = (200, {"ipxe-script": "#!ipxe\necho own\nshell\n"})
        assert script(lab) == "#!ipxe\necho own\nshell\n"
        api.answers[MAC] = (200, {"kernel": "file://%s/debian/linux" % lab.http})
        assert "kernel /debian/linux ||" in script(lab)
        api.close()


def place_of(mac):
    return "machines/" + mac.replace(":", "-")


@case("GRUB and PXELINUX read what the API says in their own languages, by TFTP and HTTP, and find its files by both")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        lab.serve(config=CONFIG % ("{url: '%s', cache: 0s, timeout: 20s}" % api.url))
        place, dashed = place_of(MAC), MAC.replace(":", "-")
        api.answers.update({"linux": (200, "k" * 100000), "i0": (200, "first")})
        api.answers[MAC] = (200, {"kernel": "/k/linux", "initrd": ["/i0", "file://%s/debian/linux" % lab.http],
                                  "cmdline": "a=1 u={{ URL \"/c\" }}", "message": "it's the API's; \"twice\""})
        url = "http://%s/%s/url0" % (SERVER, place)
        for server, text in (("tftp", tftp_get(lab.client, "grub/grub.cfg-01-" + dashed)),
                             ("http", lab.http_get("/grub/grub.cfg-01-" + dashed)[2])):
            text = text.decode()
            assert "linux \"$1\"/%s/kernel 'a=1' 'u=%s'; then" % (place, url) in text, text
            assert "initrd \"$1\"/%s/initrd0 \"$1\"/%s/initrd1; then" % (place, place) in text, text
            assert "bootsmith_load '(%s,%s)'" % (server, SERVER) in text, text
            assert "echo 'it s the API s; \"twice\"'\n" in text, text
        for server, text in ((SERVER + "::", tftp_get(lab.client, "x/pxelinux.cfg/01-" + dashed)),
                             ("http://%s/" % SERVER, lab.http_get("/pxelinux.cfg/01-" + dashed)[2])):
            text = text.decode()
            assert "LINUX %s%s/kernel\n" % (server, place) in text and "APPEND a=1 u=%s\n" % url in text, text
            assert "INITRD {0}{1}/initrd0,{0}{1}/initrd1\n".format(server, place) in text, text
            assert "SAY it's the API's; \"twice\"\n" in text, text
        assert tftp_get(lab.client, place + "/kernel") == b"k" * 100000
        for name, content in (("initrd0", b"first"), ("initrd1", b"http/debian/linux")):
            assert tftp_get(lab.client, "%s/%s" % (place, name)) == content == lab.http_get("/%s/%s" % (place, name))[2]
        del api.answers[MAC]  # 404: the rules
        assert b"profiles/debian/kernel" in tftp_get(lab.client, "grub/grub.cfg-01-" + dashed)
        api.close()


@case("GRUB and PXELINUX where the API says what they cannot run, nothing, or is away")
def _():
    with Lab() as lab:
        files(lab)
        mac = own_mac(lab)
        api = Service(lab)
        d = lab.serve(config=CONFIG % ("{url: '%s', cache: 0s, timeout: 20s, when_away: wait}" % api.url))
        firmware(lab, [(60, b"PXEClient:Arch:00007:UNDI:003000"), (93, b"\0\7")])
        names = ("grub/grub.cfg", "pxelinux.cfg/default")
        by_mac = ("grub/grub.cfg-01-" + mac.replace(":", "-"), "pxelinux.cfg/01-" + mac.replace(":", "-"))
        api.answers[mac] = (200, {"ipxe-script": "#!ipxe\nshell\n"})
        assert absent(lab, by_mac[0]) and absent(lab, by_mac[1])
        for name, loader in zip(names, ("GRUB", "PXELINUX")):
            reason = "the boot API answers with an iPXE script, which %s cannot run" % loader
            assert reason in tftp_get(lab.client, name).decode()
            d.wait_line("has nothing to run: " + reason)
        for name in names + by_mac:
            lab.write("tftp/" + name, "own " + name)
            assert tftp_get(lab.client, name) == b"own " + name.encode()
        api.answers[mac] = (500, "x")
        for name in names + by_mac:
            text = tftp_get(lab.client, name).decode()
            assert "the boot API answers with status 500" in text, text
            assert "sleep 10" in text or "TIMEOUT 100" in text, text
        lab.config(CONFIG % ("{url: '%s', cache: 0s, timeout: 20s}" % api.url))
        d.kill(netlib.signal.SIGHUP)
        d.wait_line("loaded anew")
        for name in names + by_mac:
            assert b"profiles/debian/kernel" in tftp_get(lab.client, name)
        api.close()


@case("what a command line names by URL is its machine's alone, known by its address; kernel and initrd are anybody's")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        d = lab.serve(config=CONFIG % ("{url: '%s', cache: 0s, timeout: 20s}" % api.url))
        api.answers.update({"k": (200, "kernel"), "c": (200, "secret")})
        firmware(lab, [(77, b"iPXE"), (93, b"\0\7")])
        for mac in (own_mac(lab), MAC):
            api.answers[mac] = (200, {"kernel": "/k", "cmdline": "u={{ URL \"/c\" }}"})
            assert "/url0" in script(lab, mac)
            assert lab.http_get("/%s/kernel" % place_of(mac))[2] == b"kernel" == tftp_get(lab.client, place_of(mac) + "/kernel")
        own, other = place_of(own_mac(lab)) + "/url0", place_of(MAC) + "/url0"
        assert lab.http_get("/" + own)[2] == b"secret" == tftp_get(lab.client, own)
        status, headers, body = lab.http_get("/" + other)
        assert status == 403 and b"another machine's file" in body, (status, body)
        try:
            assert not tftp_get(lab.client, other)
        except netlib.TftpError as e:
            assert "ERROR 2" in str(e), e
        wait_for("two refusals in the log", lambda: d.count("another machine's file") >= 2)
        assert http_get(lab.server, "/" + own)[0] == 403  # this host's users are not the machine
        # The installed system's own DHCP calls itself by another name, and has another address.
        c = Client(lab.link, mac=lab.link.mac, client_id=b"\xff\1\2\3\4\0\2", broadcast=True)
        lab.client.ip("addr flush dev cl0")
        lab.client.ip("addr add %s/16 dev cl0" % c.dora().yiaddr)
        assert lab.http_get("/" + own)[2] == b"secret"
        api.close()


@case("a machine behind a relay has what is its own")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        lab.client.ip("addr add 10.78.0.1/24 dev cl0")
        lab.server.ip("route add 10.78.0.0/24 via %s" % CLIENT)
        lab.serve(config=(CONFIG % ("{url: '%s', cache: 0s, timeout: 20s}" % api.url)).replace(
            "off}]", "off}, {subnet: 10.78.0.0/24, pools: [10.78.0.100-10.78.0.150]}]"))
        c = Client(lab.link, mac=netlib.mac_bytes(MAC), options=[(77, b"iPXE"), (93, b"\0\7")], giaddr="10.78.0.1",
                   src="10.78.0.1", dst=SERVER, sport=67, dst_mac=Client(lab.link, broadcast=True).dora().src_mac)
        address = c.dora().yiaddr
        lab.client.ip("addr add %s/24 dev cl0" % address)
        api.answers.update({"c": (200, "secret"), MAC: (200, {"kernel": "/k", "cmdline": "u={{ URL \"/c\" }}"})})
        script(lab)
        with lab.client.entered():
            s = socket.create_connection((SERVER, 80), 30, (address, 0))
        s.sendall(b"GET /%s/url0 HTTP/1.0\r\n\r\n" % place_of(MAC).encode())
        got = b"".join(iter(lambda: s.recv(4096), b""))
        s.close()
        assert got.startswith(b"HTTP/1.1 200") and got.endswith(b"secret"), got
        api.close()


@case("404: not the API's business, so the rules decide; a machine with a profile of its own is never asked for")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        lab.serve(config=CONFIG % ("{url: '%s', timeout: 20s}" % api.url))
        assert "kernel /debian/linux quiet" in script(lab)
        assert api.asked == ["/pixie/v1/boot/" + MAC]
        assert "kernel /own/linux" in script(lab, "52:54:00:00:00:99")
        assert len(api.asked) == 1, api.asked
        api.close()


@case("unknown machines: the API knows them, or they are registered")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        lab.serve(config="unknown: register\n" + CONFIG % ("{url: '%s', cache: 0s, timeout: 20s}" % api.url))
        assert "kernel" not in script(lab)  # 404: it says what it is, and waits
        api.answers[MAC] = (200, {"kernel": "/k"})
        assert "kernel /machines/" in script(lab)
        api.close()


@case("DHCP: firmware is sent iPXE, iPXE its own script's URL, and both are answered while the API is slow")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        api.delay = 15
        d = lab.serve(config=CONFIG % ("{url: '%s', timeout: 50s}" % api.url))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            slow = pool.submit(script, lab)
            wait_for("the API was asked", lambda: api.asked)
            for options, expected in (([(60, b"PXEClient:Arch:00007:UNDI:003000"), (93, b"\0\7")], "loaders/ipxe.efi"),
                                      ([(77, b"iPXE"), (93, b"\0\7")], "/machines/")):
                offer = Client(lab.link, mac=made_up_mac(), options=options, broadcast=True).ask(DISCOVER)
                assert expected in offer.opt[67].decode(), offer.opt[67]
            assert lab.http_get("/debian/linux")[2] == b"http/debian/linux"
            assert not slow.done(), "others waited for the API"
            assert "kernel /debian/linux quiet" in slow.result()
        assert not [x for x in d.lines() if x["level"] == "warning"], d.messages()
        api.close()


@case("a room of machines asks the API once for each, and what it said holds for a while")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        api.delay = 0.5
        api.answers[MAC] = (200, {"kernel": "/k"})
        lab.serve(config=CONFIG % ("{url: '%s', cache: 60s, timeout: 20s}" % api.url))
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            got = list(pool.map(lambda i: script(lab), range(40)))
        assert all("kernel /machines/52-54-00-00-00-01/kernel ||" in x for x in got)
        script(lab)
        assert len(api.asked) == 1, len(api.asked)
        api.close()


@case("dead, too slow, status 500, nonsense: the rules decide, or the machine waits and says why, as configured")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        d = lab.serve(config=CONFIG % ("{url: '%s', timeout: 4s, when_away: wait}" % api.url))
        for i, (answer, delay, why) in enumerate((((500, "x"), 0, "status 500"), ((200, "<html>"), 0, "answer is none: it is no JSON"),
                                                  ((200, {"kernel": "file:///etc/shadow"}), 0, "not below http.root"),
                                                  ((200, "x" * 300000), 0, "too long"), ((200, {"kernel": "/k"}), 8, "timed out"))):
            mac = "52:54:00:00:01:%02x" % i
            api.answers[mac], api.delay = answer, delay
            got = script(lab, mac)
            assert "kernel" not in got and "sleep 10" in got, got
            line = d.wait_line("boot API.*" + why)
            assert line["level"] == "warning" and line["mac"] == mac, line
            assert why.split(":")[-1].strip() in got, (why, got)
        api.close()
        assert "sleep 10" in script(lab, "52:54:00:00:02:01")  # nobody listens any more
        lab.config(CONFIG % ("{url: '%s', timeout: 1s}" % api.url))
        d.kill(netlib.signal.SIGHUP)
        d.wait_line("loaded anew")
        assert "kernel /debian/linux quiet" in script(lab, "52:54:00:00:02:02")


@case("another API after a reload: who waits hears of it alone, and nothing of the former's is served any more")
def _():
    with Lab() as lab:
        files(lab)
        old, new = Service(lab), Service(lab, 8091)
        other = "52:54:00:00:04:01"
        for mac in MAC, other:
            old.answers[mac], new.answers[mac] = (200, {"kernel": "file://%s/own/linux" % lab.http}), (200, {"kernel": "/new"})
        kernel = "/machines/%s/kernel" % MAC.replace(":", "-")

        def serve_with(api):
            lab.config(CONFIG % ("{url: '%s', timeout: 60s, cache: 60s}" % api.url) if api else CONFIG.rsplit("boot_api", 1)[0])
            n = len(d.messages())
            d.kill(netlib.signal.SIGHUP)
            wait_for("loaded anew", lambda: [m for m in d.messages()[n:] if "loaded anew" in m])

        d = lab.serve(config=CONFIG % ("{url: '%s', timeout: 60s, cache: 60s}" % old.url))
        script(lab)
        assert lab.http_get(kernel)[2] == b"http/own/linux"
        old.delay = 50
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            first = pool.submit(script, lab, other)
            wait_for("the old API was asked", lambda: len(old.asked) == 2)
            serve_with(new)
            second = pool.submit(script, lab, other)
            for text in first.result(), second.result():
                assert "linux" not in text and "52-54-00-00-04-01/kernel ||" in text, text
        assert lab.http_get(kernel)[0] in (403, 404), lab.http_get(kernel)
        assert new.asked.count("/pixie/v1/boot/" + other) == 1 and len(old.asked) == 2, (old.asked, new.asked)
        serve_with(None)
        assert lab.http_get("/machines/52-54-00-00-04-01/kernel")[0] in (403, 404)
        old.close()
        new.close()


@case("a stop while machines wait for the API: each is told to ask again, and boots nothing else")
def _():
    with Lab() as lab:
        files(lab)
        api = Service(lab)
        api.delay = 20
        d = lab.serve(config=CONFIG % ("{url: '%s', timeout: 30s}" % api.url))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(script, lab, "52:54:00:00:03:%02x" % i) for i in range(3)]
            loader = pool.submit(tftp_get, lab.client, "grub.cfg-01-52-54-00-00-03-03")
            wait_for("four machines asked for", lambda: len(api.asked) == 4, 20)
            d.stop()
            for text in [w.result() for w in waiting] + [loader.result().decode()]:
                # The rules would have said debian; what the API would have, nobody knows.
                assert "the server stops" in text and "sleep 10" in text and "linux" not in text, text
        api.http.server_close()


@case("mistakes in boot_api are said at their place")
def _():
    with Lab() as lab:
        for text, said in (("ftp://x/", "expected the URL of a service"), ("{timeout: 1s}", "boot_api has no url"),
                           ("{url: 'http://x', timeout: 0s}", "at least 1 seconds, at most 60 seconds"), ("{url: 'http://x', when_away: dance}", "profile or wait"),
                           ("{url: 'http://x?a=b'}", "expected the URL"), ("[a]", "found a list")):
            err = lab.fails("-c", lab.config(CONFIG % text))
            assert said in err, (text, err)


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
