"""HTTP(S) beside nginx: a file of 40 MiB and a script of 800 octets on connections that are kept.

Each of the connections (load_http) has an address of its own and asks again as soon as it has the answer. Each octet
of the script is checked, and of the large file those of one connection in 16: with more the load would be what is
measured. Both have as many workers as there are cores (Debian's nginx.conf: worker_processes auto) and write their access log to a file in memory; a row shows nginx without one. HTTPS is TLS 1.3 with
one ECDSA certificate for both. The script of a machine is what our main thread renders for who asks; nginx has nothing like
it, and its file of 800 octets stands beside it. A stall is a connection that was without an octet for two seconds.
"""
import contextlib
import os
import subprocess
import tempfile

from bench_common import (BOOTSMITH, GIB, MACHINES_BEGIN, SERVER, Server, Wire, config_of, goal, goals_table, heading,
                          middle, middles, random_file, ratio, say, table)

RENDERED, RENDERED_PATH = "rendered", "machines/02-00-00-00-00-01/boot.ipxe"
PROFILE = "{p: {kernel: %s, initrd: [%s], cmdline: %s}}"
LARGE, SMALL, LARGE_SIZE, SMALL_SIZE = "image", "script", 40 << 20, 800
FEW, BUSY, ROUNDS = 128, (128, 256, 384, 512, 1000), 3
OURS, NGINX, UNLOGGED = "bootsmith", "nginx", "nginx, no log"

NGINX_CONF = """
daemon off; user root; worker_processes auto; worker_rlimit_nofile 20000; pid {dir}/nginx.pid; error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log {log}; sendfile on; tcp_nopush on; keepalive_timeout 65; keepalive_requests 100000000;
    default_type application/octet-stream;
    server {{ listen {server}:80 reuseport backlog=4096; root {dir}; }}
    {tls}
}}
"""
NGINX_TLS = "server {{ listen {server}:443 ssl reuseport backlog=4096; root {dir}; ssl_certificate {dir}/tls.pem; " \
            "ssl_certificate_key {dir}/tls.key; ssl_session_cache shared:S:10m; ssl_protocols TLSv1.2 TLSv1.3; }}"


def make_certificate(directory):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=bench", "-addext", "subjectAltName=IP:" + SERVER, "-keyout", directory + "/tls.key", "-out",
                    directory + "/tls.pem"], check=True, stderr=subprocess.DEVNULL)


def load(wire, directory, name, *argv, seconds=90):
    path = RENDERED_PATH if name == RENDERED else name
    return wire.tool("load_http", "--server", SERVER, "--path", "/" + path, "--file", os.path.join(directory, name), "--local",
                     MACHINES_BEGIN, *argv, seconds=seconds)


class Http(Server):
    def answers(self, wire):
        return load(wire, self.directory, SMALL, "--connections", 1, "--seconds", 1)["requests"] > 0


class Bootsmith(Http):
    title = OURS

    def commands(self, directory):
        self.directory = directory
        config = config_of(directory, https="{port: 443, certificate: %s/tls.pem, key: %s/tls.key}" % (directory, directory),
                           profiles=PROFILE % (LARGE, SMALL, "x" * (SMALL_SIZE - 389)),
                           machines='[{name: bench, mac: "02:00:00:00:00:01", profile: p}]')
        return [[BOOTSMITH, "serve", "-c", config]]


def nginx_argv(directory, log, tls=""):
    names = {"dir": directory, "server": SERVER}
    with open(os.path.join(directory, "nginx.conf"), "w") as f:
        f.write(NGINX_CONF.format(**names, log=log, tls=tls.format(**names)))
    return ["nginx", "-p", directory, "-e", "stderr", "-c", os.path.join(directory, "nginx.conf")]


class Nginx(Http):
    def __init__(self, title, logged):
        self.title, self.logged = title, logged

    def commands(self, directory):
        self.directory = directory
        return [nginx_argv(directory, directory + "/access.log" if self.logged else "off", NGINX_TLS)]


@contextlib.contextmanager
def served_directory():
    with tempfile.TemporaryDirectory(prefix="bootsmith-bench-", dir="/dev/shm") as d:
        random_file(d, LARGE, LARGE_SIZE)
        random_file(d, SMALL, SMALL_SIZE)
        make_certificate(d)
        yield d


def keep_rendered(wire, directory):
    """The load compares with it what all others are given."""
    path = os.path.join(directory, RENDERED)
    wire.load.run(["curl", "-sSf", "-o", path, "http://%s/%s" % (SERVER, RENDERED_PATH)])
    with open(path) as f:
        assert "02:00:00:00:00:01" in f.read(), "no script of that machine"


def measure(c, wire, directory, name, connections, seconds, tls=False):
    if name == RENDERED:
        keep_rendered(wire, directory)
    before = c.group.cpu_s()
    r = load(wire, directory, name, "--connections", connections, "--seconds", seconds,
             *(["--tls", "--port", 443] if tls else []), *(["--check-one-in", 16] if name == LARGE else []))
    cpu_s = c.group.cpu_s() - before
    return {**r, "cpu_gib": cpu_s / max(1, r["octets"]) * GIB, "cpu_us": cpu_s * 1e6 / max(1, r["requests"]),
            "pss_kb": c.group.memory_kb()}


STEPS = [(name, n, False) for name in (LARGE, SMALL) for n in BUSY] + [(RENDERED, FEW, False), (LARGE, FEW, True), (SMALL, FEW, True)]


def takes(c, step):
    if step[0] == RENDERED:
        return c.title == OURS
    return c.title != UNLOGGED or step == (SMALL, FEW, False)


def goals(rounds):
    for what, step, key, limit, at_least in (
            ("40 MiB, 128 connections: throughput, of nginx's", (LARGE, FEW, False), "mb_s", 1, True),
            ("40 MiB: CPU per GiB, of nginx's", (LARGE, FEW, False), "cpu_gib", 1, False),
            ("800 octets, 128 connections: requests/s, of nginx's", (SMALL, FEW, False), "rate", 1.2, True),
            ("HTTPS, 40 MiB: CPU per GiB, of nginx's", (LARGE, FEW, True), "cpu_gib", 1.1, False)):
        ours, theirs = rounds.get((OURS, *step)), rounds.get((NGINX, *step))
        if ours and theirs:
            got = ratio(ours, theirs, key)
            yield goal(what, "%.2f (%.4g, %.4g)" % (got, middle(ours, key), middle(theirs, key)),
                       "%s %g" % (">=" if at_least else "<=", limit), got >= limit if at_least else got <= limit)
    ours = [middles(r) for key, r in rounds.items() if key[0] == OURS]
    if ours:
        stalls, failed = sum(r["stalls"] for r in ours), sum(r["failed"] for r in ours)
        yield goal("stalls; failures with %s busy connections" % ", ".join(map(str, BUSY)), "%d; %d" % (stalls, failed), "0; 0",
                   stalls == failed == 0)


def beside_file(rounds):
    rendered, file = (rounds.get((OURS, name, FEW, False)) for name in (RENDERED, SMALL))
    if not rendered or not file:
        return ""
    return "; of our own file's requests/s %.2f, of its CPU %.1f" % (
        ratio(rendered, file, "rate"), ratio(rendered, file, "cpu_us"))


def report(rounds, n_rounds, args):
    m = {key: middles(r) for key, r in rounds.items()}

    def rows(name, cells):
        for (title, n, connections, tls), r in sorted(m.items(), key=lambda x: (x[0][3], x[0][2], x[0][0])):
            if n == name:
                yield (title + (", TLS" if tls else ""), connections, *cells(r), "%d" % r["stalls"],
                       "%.0f" % r["longest_gap_ms"], "%d" % r["failed"], "%.1f" % (r["pss_kb"] / 1024))

    def large(r):
        return "%.0f" % r["mb_s"], "%.2f" % r["cpu_gib"]

    def small(r):
        return "%.0f" % r["rate"], "%.1f" % r["cpu_us"], "%.1f, %.1f, %.0f" % (
            r["request_p50_ms"], r["request_p99_ms"], r["request_max_ms"])

    more = ["stalls", "longest gap ms", "failed", "PSS MiB"]
    return heading("HTTP(S)", "connections are kept; medians of %d rounds of %d s a step." % (n_rounds, args.seconds)) + [
        "A file of 40 MiB:", "", *table(["server", "connections", "MB/s", "CPU s/GiB", *more], rows(LARGE, large)),
        "A script of 800 octets:", "",
        *table(["server", "connections", "requests/s", "CPU µs each", "p50, p99, max ms", *more], rows(SMALL, small)),
        "A script that is rendered for the machine (about 800 octets)%s:" % beside_file(rounds), "",
        *table(["server", "connections", "requests/s", "CPU µs each", "p50, p99, max ms", *more], rows(RENDERED, small)),
        *goals_table(goals(rounds))]


def run(args, n_rounds, is_chosen):
    """The report's lines."""
    chosen = [c for c in (Bootsmith(), Nginx(NGINX, True), Nginx(UNLOGGED, False)) if is_chosen(c.title)]
    wire, rounds = Wire().with_machines(), {}
    try:
        for i in range(n_rounds):
            # What is compared is measured one right after the other.
            for (name, connections, tls), c in ((step, c) for step in STEPS for c in chosen if takes(c, step)):
                with served_directory() as d, c.running(wire, d):
                    r = measure(c, wire, d, name, connections, args.seconds, tls)
                rounds.setdefault((c.title, name, connections, tls), []).append(r)
                say(i, "%s, %s, %d connections%s" % (c.title, name, connections, ", TLS" if tls else ""), r)
    finally:
        wire.close()
    return report(rounds, n_rounds, args)
