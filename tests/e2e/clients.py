#!/usr/bin/env python3
"""Real clients against the daemon: clients.py [WORD...]

udhcpc and dhclient get an address and no boot options; curl, wget, busybox wget,
tftp-hpa, atftp, curl and busybox tftp fetch files intact.  A client that is not
installed fails its case: `make deps-check` installs all of them.
"""
import hashlib
import os
import random
import shutil
import sys

import netlib
from netlib import SERVER, Client, Lab, tftp_get

case = netlib.Cases()
DHCLIENT_CONF = """timeout 30; initial-interval 1;
option routes code 121 = array of unsigned integer 8;
option first code 224 = string;
option second code 225 = string;
send vendor-class-identifier "%s";
request subnet-mask, routers, domain-name-servers, tftp-server-name, bootfile-name, vendor-class-identifier,
        vendor-encapsulated-options, host-name%s;
"""
BOOT_OPTIONS = ("new_bootfile_name", "new_tftp_server_name", "new_vendor_encapsulated_options",
                "new_vendor_class_identifier", "new_filename", "new_server_name", "new_next_server")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def script(lab, name):
    """A hook that writes its environment into a file and configures nothing."""
    out = os.path.join(lab.dir, name + ".env")
    path = lab.write(name + ".sh", "#!/bin/sh\n{ echo \"step=$1 reason=$reason\"; env; } > %s.$$\n"
                     "cat %s.$$ >> %s  # in one piece: it is read meanwhile\n" % (out, out, out))
    os.chmod(path, 0o755)
    return path, out


def environment(path):
    with open(path) as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)


def dhclient(lab, link, vendor_class="honest", also=""):
    """What dhclient told its script."""
    hook, out = script(lab, "dhclient")
    conf = lab.write("dhclient.conf", DHCLIENT_CONF % (vendor_class, also and ", " + also))
    leases = lab.write("dhclient.leases", "")
    p = lab.client.spawn(["dhclient", "-4", "-1", "-d", "-sf", hook, "-cf", conf, "-lf", leases, "-pf",
                          os.path.join(lab.dir, "dhclient.pid"), link.name], stdout=netlib.subprocess.DEVNULL,
                         stderr=netlib.subprocess.DEVNULL)
    try:
        return netlib.wait_for("dhclient bound", lambda: os.path.exists(out) and "reason=BOUND" in open(out).read()
                               and environment(out), every=0.1)
    finally:
        p.terminate()
        p.wait(netlib.PATIENCE)


@case("udhcpc: an address, no boot options, and the address again")
def _():
    with Lab() as lab:
        d = lab.serve()
        hook, out = script(lab, "udhcpc")
        argv = ["udhcpc", "-i", "cl0", "-f", "-q", "-n", "-t", "5", "-T", "1", "-s", hook, "-O", "bootfile", "-O", "tftp",
                "-x", "hostname:client1"]
        leases = set()
        for _ in range(2):
            if os.path.exists(out):
                os.unlink(out)
            lab.client.run(argv)
            env = environment(out)
            leases.add(env["ip"])
            assert env["ip"].startswith("10.77.0.") and env["serverid"] == SERVER, env
            assert (env["mask"], env["router"], env["lease"]) == ("24", SERVER, "3600"), env
            bad = {k: env[k] for k in ("boot_file", "bootfile", "tftp", "siaddr", "sname") if env.get(k, "0.0.0.0") != "0.0.0.0"}
            assert not bad, "boot options: %r" % bad
        assert len(leases) == 1, leases
        line = d.wait_line("REQUEST -> ACK")
        assert line["client"] == "dhcp" and line["hostname"] == "client1" and "bootfile" not in line, line


@case("dhclient: an address, no boot options")
def _():
    with Lab() as lab:
        lab.serve()
        env = dhclient(lab, lab.link)
        assert env["new_ip_address"].startswith("10.77.0.") and env["new_dhcp_server_identifier"] == SERVER, env
        assert env["new_routers"] == SERVER and env["new_subnet_mask"] == "255.255.255.0", env
        bad = {k: env[k] for k in BOOT_OPTIONS if env.get(k, "0.0.0.0") != "0.0.0.0"}
        assert not bad, "boot options: %r" % bad


@case("dhclient that claims to be PXE firmware is told what to boot")
def _():
    with Lab() as lab:
        lab.serve()
        env = dhclient(lab, lab.link, "PXEClient:Arch:00000:UNDI:002001")
        assert env.get("new_bootfile_name") == "loaders/undionly.kpxe", env


OPTIONS = """networks:
  - interface: sv0
    options:
      121: {10.9.0.0/16: 10.77.0.2, default: %s}
      domain-search: [lab.example, example]
      ntp-servers: [10.77.0.3, 10.77.0.4]
      17: %s
      224: 0x%s
      225: 0x%s
machines: [{name: m, mac: "%%s", options: {42: 10.77.0.5}}]
""" % (SERVER, "r" * 100, "e4" * 100, "e5" * 60)


@case("options: routes, search list and what option 52 put elsewhere, as udhcpc and dhclient read them")
def _():
    with Lab() as lab:
        lab.serve(config=OPTIONS % netlib.mac_text(lab.link.mac))
        hook, out = script(lab, "udhcpc")
        asked = [w for o in ("121", "search", "ntpsrv", "rootpath", "224", "225") for w in ("-O", o)]
        lab.client.run(["udhcpc", "-i", "cl0", "-f", "-q", "-n", "-t", "5", "-T", "1", "-s", hook, *asked])
        env = environment(out)
        assert env["staticroutes"] == "10.9.0.0/16 10.77.0.2 0.0.0.0/0 " + SERVER, env
        assert (env["search"], env["ntpsrv"], env["rootpath"]) == ("lab.example example", "10.77.0.5", "r" * 100), env
        assert (env["opt224"].lower(), env["opt225"].lower()) == ("e4" * 100, "e5" * 60), env
        env = dhclient(lab, lab.link, also="domain-search, ntp-servers, root-path, routes, first, second")
        assert env["new_routes"] == "16 10 9 10 77 0 2 0 " + SERVER.replace(".", " "), env
        assert env["new_domain_search"] == "lab.example. example." and env["new_ntp_servers"] == "10.77.0.5", env
        assert env["new_root_path"] == "r" * 100 and env["new_second"] == ":".join(["e5"] * 60), env


SIZES = {"empty": 0, "one": 1, "f511": 511, "f512": 512, "f513": 513, "f1468": 1468, "big": 3 << 20}


def files(lab):
    rng = random.Random(7)
    data = {name: rng.randbytes(n) for name, n in SIZES.items()}
    for name, octets in data.items():
        lab.write("http/dir/" + name, octets)
        lab.write("tftp/dir/" + name, octets)
    return data


def fetched_intact(argv_of, names=None):
    """argv_of(name, output path): runs it for each file and compares."""
    with Lab() as lab:
        d = lab.serve()
        data = files(lab)
        work = os.path.join(lab.dir, "got")
        os.mkdir(work)
        for name in names or SIZES:
            out = os.path.join(work, name)
            p = lab.client.run(argv_of(name, out), seconds=120, check=False)
            with open(out, "rb") if os.path.exists(out) else open(os.devnull, "rb") as f:
                got = f.read()
            assert sha(got) == sha(data[name]), "%s: %d octets of %d (exit %d) %s%s" % (
                name, len(got), len(data[name]), p.returncode, p.stdout[-300:], p.stderr[-300:])
        line = d.wait_line(r"big.*\d octets in \d+\.\d\d s, \d+\.\d MB/s")
        rate = line["octets"] * 1e6 / line["duration_us"]
        assert abs(line["octets_per_s"] - rate) <= 1, line
        Client(lab.link)  # the lab stops the daemon and looks for reports of sanitizers
        assert d.alive()


URL = "http://%s/dir/" % SERVER
FETCHERS = {
    "curl, HTTP": lambda name, out: ["curl", "-sSf", "-o", out, URL + name],
    "curl, HTTP/1.0": lambda name, out: ["curl", "-sSf0", "-o", out, URL + name],
    "wget": lambda name, out: ["wget", "-q", "-O", out, URL + name],
    "busybox wget": lambda name, out: ["busybox", "wget", "-q", "-O", out, URL + name],
    "curl, TFTP": lambda name, out: ["curl", "-sSf", "-o", out, "tftp://%s/dir/%s" % (SERVER, name)],
    "curl, TFTP, blksize 1428": lambda name, out: ["curl", "-sSf", "--tftp-blksize", "1428", "-o", out,
                                                   "tftp://%s/dir/%s" % (SERVER, name)],
    "curl, TFTP without options": lambda name, out: ["curl", "-sSf", "--tftp-no-options", "-o", out,
                                                     "tftp://%s/dir/%s" % (SERVER, name)],
    "tftp-hpa": lambda name, out: ["tftp", "-m", "binary", SERVER, "-c", "get", "dir/" + name, out],
    "atftp": lambda name, out: ["atftp", "--get", "-r", "dir/" + name, "-l", out, SERVER],
    "atftp, blksize 1468, tsize, windowsize": lambda name, out: [
        "atftp", "--option", "blksize 1468", "--option", "tsize 0", "--option", "windowsize 8", "--get", "-r", "dir/" + name,
        "-l", out, SERVER],
    "busybox tftp": lambda name, out: ["busybox", "tftp", "-g", "-r", "dir/" + name, "-l", out, SERVER],
    "busybox tftp, blksize 1428": lambda name, out: ["busybox", "tftp", "-g", "-b", "1428", "-r", "dir/" + name, "-l", out,
                                                     SERVER],
}


def add_fetcher(label, argv_of):
    @case("files intact: %s" % label)
    def _():
        argv = argv_of("one", "/dev/null")
        assert shutil.which(argv[0]), "%s is not installed: make deps-check" % argv[0]
        fetched_intact(argv_of)


for label, argv_of in FETCHERS.items():
    add_fetcher(label, argv_of)


@case("atftp with a window that is longer than its receive buffer: little is sent twice")
def _():
    with Lab() as lab:
        d = lab.serve()
        data = os.urandom(24 << 20)
        lab.write("tftp/long", data)
        for windowsize in 256, 1000:
            out = os.path.join(lab.dir, "got%d" % windowsize)
            lab.client.run(["atftp", "--option", "blksize 1468", "--option", "windowsize %d" % windowsize, "--get", "-r", "long",
                            "-l", out, SERVER], seconds=300)
            with open(out, "rb") as f:
                assert sha(f.read()) == sha(data)
            line = d.wait_line(r"long.*windowsize %d" % windowsize)
            blocks = len(data) // 1468
            print("   windowsize %d: %d of %d blocks twice, %.1f MB/s" % (
                windowsize, line["retransmissions"], blocks, line["octets_per_s"] / 1e6))
            assert line["windowsize"] == windowsize and line["retransmissions"] < blocks // 5, line


@case("curl: an aborted download is taken up again by Range")
def _():
    with Lab() as lab:
        lab.serve()
        data = files(lab)["big"]
        out = lab.write("partial", data[:1000000])
        lab.client.run(["curl", "-sSf", "-C", "-", "-o", out, URL + "big"])
        with open(out, "rb") as f:
            assert sha(f.read()) == sha(data)


@case("curl: a file that is not there is a clean 404 with a body; several on one connection")
def _():
    with Lab() as lab:
        lab.serve()
        files(lab)
        p = lab.client.run(["curl", "-sS", "-w", "%{http_code} %{num_connects}\\n", URL + "none", URL + "one", URL + "f513",
                            "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null"])
        assert p.stdout.split("\n")[:3] == ["404 1", "200 0", "200 0"], p.stdout


@case("h11, a strict HTTP/1.1 library: every kind of answer, connections used again")
def _():
    with Lab() as lab:
        lab.serve()
        p = lab.client.run(["/usr/bin/python3", os.path.join(netlib.HERE, "http_h11.py"), SERVER, "80", lab.http],
                           check=False)
        assert p.returncode == 0, (p.stdout + p.stderr)[-800:]
        print("  ", p.stdout.strip())


@case("many at once: 16 curls and 16 TFTP clients")
def _():
    with Lab() as lab:
        lab.serve()
        data = files(lab)["big"]
        running = [lab.client.spawn(["curl", "-sSf", "-o", os.path.join(lab.dir, "h%d" % i), URL + "big"]) for i in range(16)]
        running += [lab.client.spawn(["curl", "-sSf", "--tftp-blksize", "1428", "-o", os.path.join(lab.dir, "t%d" % i),
                                      "tftp://%s/dir/big" % SERVER]) for i in range(16)]
        assert tftp_get(lab.client, "dir/f513") and Client(lab.link).dora()
        for p in running:
            assert p.wait(60) == 0, p.args
        for i in range(16):
            for kind in "ht":
                with open(os.path.join(lab.dir, "%s%d" % (kind, i)), "rb") as f:
                    assert sha(f.read()) == sha(data), "%s%d" % (kind, i)


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
