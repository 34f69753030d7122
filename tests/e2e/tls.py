#!/usr/bin/env python3
"""HTTPS as clients see it, and `bootsmith cert`: tls.py [WORD...]

openssl s_client and curl on one side, the daemon on the other; each case makes its
own authority.  See robust.py for what BOOTSMITH and the words are.
"""
import http.client
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time

import netlib
from netlib import BOOTSMITH, SERVER, Lab, wait_for

case = netlib.Cases()
CONTENT = os.urandom(1 << 16) * 400  # 25 MiB


def same(got, want, what="got"):
    if got != want:
        raise AssertionError("%s %r, expected %r" % (what, got, want))


def cert(lab, *argv, code=0, directory="tls"):
    p = lab.server.run([BOOTSMITH, "cert", "--dir", os.path.join(lab.dir, directory), *argv], check=False)
    same(p.returncode, code, "exit code of cert (%s%s):" % (p.stdout, p.stderr))
    return p.stdout + p.stderr


def tls(lab, name):
    return os.path.join(lab.dir, "tls", name)


def section(lab, more=""):
    pairs = ["%s: [%s, %s]" % (word, tls(lab, "server-rsa." + end), tls(lab, "server-ecdsa." + end))
             for word, end in (("certificate", "pem"), ("key", "key"))]
    return "networks: [{interface: sv0}]\nhttps: {%s, %s%s}\n" % (*pairs, more)


def serve(lab, more="", **other):
    cert(lab, "-i", "sv0")
    lab.write("http/big", CONTENT)
    lab.write("http/small", "hello\n")
    return lab.serve(config=section(lab, more), **other)


def context(lab, **versions):
    c = ssl.create_default_context(cafile=tls(lab, "ca.pem"))
    for name, value in versions.items():
        setattr(c, name, value)
    return c


def connect(lab, ctx, session=None, source=None):
    s = lab.client.connect(SERVER, 443) if not source else bound(lab, source)
    return ctx.wrap_socket(s, server_hostname=SERVER, session=session)


def bound(lab, source):
    with lab.client.entered():
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(netlib.PATIENCE)
    s.bind((source, 0))
    s.connect((SERVER, 443))
    return s


def shown(lab, ctx):
    """The certificate that the server shows, after a request by it."""
    with connect(lab, ctx) as s:
        same(get(s)[2], b"hello\n", "body")
        return s.getpeercert(True)


def is_closed(lab):
    try:
        lab.client.connect(SERVER, 443).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def get(s, path="/small", method="GET", fields=()):
    """Status, fields and body of one request on a connection that stays open."""
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: x", *fields, "", ""]
    s.sendall("\r\n".join(lines).encode())
    r = http.client.HTTPResponse(s, method=method)
    r.begin()
    return r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read()


def openssl(lab, *argv):
    """openssl s_client to the daemon: exit code and all that it says."""
    p = lab.client.spawn(["timeout", "60", "openssl", "s_client", "-connect", SERVER + ":443", "-CAfile", tls(lab, "ca.pem"),
                          *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = p.communicate(timeout=90)[0].decode("utf-8", "replace")
    lab.client.processes.remove(p)
    return p.returncode, out


@case("cert: files, modes, names, the authority is kept")
def _():
    with Lab() as lab:
        said = cert(lab, "-i", "sv0", "--name", "boot.lab.example")
        for word in ("certificate: [", "--https-ca", "cacerts,file=", "setup menu"):
            assert word in said, said
        modes = {n: stat.S_IMODE(os.stat(tls(lab, n)).st_mode) for n in os.listdir(os.path.join(lab.dir, "tls"))}
        same(modes, {"ca.pem": 0o644, "ca.key": 0o600, "ca.esl": 0o644, "server-rsa.pem": 0o644,
                     "server-rsa.key": 0o600, "server-ecdsa.pem": 0o644, "server-ecdsa.key": 0o600}, "files")
        text = lab.server.run(["openssl", "x509", "-in", tls(lab, "server-rsa.pem"), "-noout", "-text"]).stdout
        for word in ("IP Address:%s, DNS:boot.lab.example" % SERVER, "Jan  1 00:00:00 2000", "TLS Web Server Auth"):
            assert word in text, text
        for kind in ("rsa", "ecdsa"):
            lab.server.run(["openssl", "verify", "-x509_strict", "-CAfile", tls(lab, "ca.pem"), tls(lab, "server-%s.pem" % kind)])
        before, server = open(tls(lab, "ca.pem")).read(), open(tls(lab, "server-rsa.pem")).read()
        assert "used again" in cert(lab, "--name", "10.0.0.1")
        same(open(tls(lab, "ca.pem")).read(), before, "the CA:")
        assert open(tls(lab, "server-rsa.pem")).read() != server
        os.rename(tls(lab, "ca.key"), tls(lab, "elsewhere"))
        assert "--new-ca" in cert(lab, "-i", "sv0", code=1)
        same(open(tls(lab, "ca.pem")).read(), before, "the CA:")
        assert "the CA, new" in cert(lab, "-i", "sv0", "--new-ca")
        assert open(tls(lab, "ca.pem")).read() != before


@case("cert: names from the configuration, and what is wrong in one sentence")
def _():
    with Lab() as lab:
        path = lab.config("networks: [{interface: sv0}]\nhttps: {certificate: /not/there, key: /not/there}\n")
        assert SERVER in cert(lab, "-c", path)
        for argv, code, word in (([], 1, "for which server"), (["-i", "sv9"], 1, "no interface sv9"),
                                 (["--name", "a b"], 1, "host name"), (["--days", "0", "-i", "sv0"], 2, "--days"),
                                 (["x"], 2, 'takes no "x"'), (["--dir", "/proc/x", "-i", "sv0"], 1, "/proc/x"),
                                 (["-c", "/not/there"], 1, "does not exist")):
            said = cert(lab, *argv, code=code, directory="other")
            assert word in said, "%s: %s" % (argv, said)


@case("certificates: mistakes at their line and column, warnings")
def _():
    with Lab() as lab:
        cert(lab, "-i", "sv0")
        os.chmod(tls(lab, "server-rsa.key"), 0o644)
        p = lab.server.run([BOOTSMITH, "check", "-c", lab.config(section(lab))])
        assert "warning: %s can be read by others" % tls(lab, "server-rsa.key") in p.stdout, p.stdout
        bad = lab.config("https:\n  certificate: [%s, /not/there]\n  key: [%s, %s]\n" % (
            tls(lab, "server-rsa.pem"), tls(lab, "server-ecdsa.key"), tls(lab, "ca.pem")))
        p = lab.server.run([BOOTSMITH, "check", "-c", bad], check=False)
        same(p.returncode, 1, "exit code")
        for word in (":5:", "/not/there does not exist", ":6:", "is not the key of", "holds no private key", "3 mistakes"):
            assert word in p.stderr, p.stderr
        assert "is not the key of" in lab.fails("-c", bad)


@case("versions: 1.2 and 1.3, nothing older")
def _():
    with Lab() as lab:
        d = serve(lab)
        for version in ("TLSv1.2", "TLSv1.3"):
            code, out = openssl(lab, "-" + version.lower().replace(".", "_").replace("v", ""))
            assert code == 0 and "Verification: OK" in out and "Compression: NONE" in out, out
            assert "New, %s" % version in out or "Protocol  : %s" % version in out, out
        for version in ("-tls1", "-tls1_1"):
            code, out = openssl(lab, version, "-cipher", "ALL:@SECLEVEL=0")
            assert code != 0 and "alert protocol version" in out, out
        d.wait_line("D329")

        def distrusts():
            p = lab.client.run(["curl", "-sS", "https://%s/small" % SERVER], check=False)
            same(p.returncode, 60, "curl without the CA")
            # Who has not sent all of its certificates by then finds a connection that is reset, and no alert.
            return d.count("D328")
        netlib.wait_for("D328", distrusts, every=0.5)
        s = lab.client.connect(SERVER, 443)
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        d.wait_line("D330")


@case("ciphers: forward secrecy and AEAD only; RSA and ECDSA side by side")
def _():
    with Lab() as lab:
        serve(lab)
        good = {"ECDHE-ECDSA-AES128-GCM-SHA256": "ECDSA", "ECDHE-RSA-AES128-GCM-SHA256": "RSA",
                "ECDHE-RSA-AES256-GCM-SHA384": "RSA", "ECDHE-ECDSA-CHACHA20-POLY1305": "ECDSA",
                "DHE-RSA-AES256-GCM-SHA384": "RSA"}
        for cipher, key in good.items():
            code, out = openssl(lab, "-tls1_2", "-cipher", cipher)
            assert code == 0 and "Cipher is " + cipher in out, out
            assert "Peer signature type: " + ("ECDSA" if key == "ECDSA" else "RSA") in out, out
        for cipher in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA", "AES256-SHA", "NULL",
                       "DHE-RSA-AES128-SHA256", "aNULL"):
            code, out = openssl(lab, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
            assert code != 0, "%s was taken: %s" % (cipher, out)
        code, out = openssl(lab, "-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256")
        assert "Cipher is ECDHE-RSA-AES128-GCM" in out, "the server does not choose: " + out
        for algorithms, key in (("rsa_pss_rsae_sha256", "RSA-PSS"), ("ecdsa_secp256r1_sha256", "ECDSA")):
            code, out = openssl(lab, "-tls1_3", "-sigalgs", algorithms + ":rsa_pkcs1_sha256")
            assert code == 0 and "Peer signature type: " + key in out, out


@case("sessions are resumed, renegotiation is refused")
def _():
    with Lab() as lab:
        serve(lab)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for options in (0, ssl.OP_NO_TICKET):
                if options and version == ssl.TLSVersion.TLSv1_3:
                    continue
                ctx = context(lab, maximum_version=version)
                ctx.options |= options
                session = None
                for i in range(4):
                    with connect(lab, ctx, session) as s:
                        same(get(s)[2], b"hello\n", "body")
                        same(s.session_reused, i > 0, "resumed")
                        session = s.session
        with lab.client.entered():
            p = subprocess.Popen(["timeout", "60", "openssl", "s_client", "-connect", SERVER + ":443", "-tls1_2"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        p.stdin.write(b"R\n")
        p.stdin.flush()
        time.sleep(1)
        out = p.communicate(b"Q\n", timeout=90)[0].decode("utf-8", "replace")
        assert "RENEGOTIATING" in out and "no renegotiation" in out, out[-600:]


@case("downloads to the octet: whole, ranges, HEAD, keep-alive, small records")
def _():
    with Lab() as lab:
        serve(lab)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with connect(lab, context(lab, minimum_version=version, maximum_version=version)) as s:
                same(get(s, "/big")[2] == CONTENT, True, "whole file equal:")
                for first, last in ((0, 0), (16383, 16385), (1, len(CONTENT) - 1), (len(CONTENT) - 1, len(CONTENT) - 1)):
                    status, _, body = get(s, "/big", fields=["Range: bytes=%d-%d" % (first, last)])
                    same(status, 206, "status")
                    assert body == CONTENT[first:last + 1], "range %d-%d differs" % (first, last)
                status, fields, body = get(s, "/big", method="HEAD")
                same((status, fields["content-length"], body), (200, str(len(CONTENT)), b""), "HEAD")
                same(get(s, "/none")[0], 404, "status")
                same(get(s)[2], b"hello\n", "body")
                # 200 requests in one record, and octet by octet
                s.sendall(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
                for _ in range(200):
                    r = http.client.HTTPResponse(s)
                    r.begin()
                    same(r.read(), b"hello\n", "body")
                for c in b"GET /small HTTP/1.1\r\nHost: x\r\n":
                    s.sendall(bytes([c]))
                s.sendall(b"Connection: close\r\n\r\n")
                r = http.client.HTTPResponse(s)
                r.begin()
                same(r.read(), b"hello\n", "body")
                same(s.recv(1), b"", "after close_notify")
        p = lab.client.run(["curl", "-sS", "--cacert", tls(lab, "ca.pem"), "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
                            "https://%s/big" % SERVER])
        same(p.stdout, "200 %d" % len(CONTENT), "curl")


@case("many at once: 24 downloads")
def _():
    with Lab() as lab:
        serve(lab)
        wrong = []

        ctx = context(lab)
        sockets = [connect(lab, ctx) for _ in range(24)]  # namespaces are entered by this thread only

        def fetch(s):
            with s:
                s.settimeout(60)
                if get(s, "/big")[2] != CONTENT:
                    wrong.append(1)
        threads = [threading.Thread(target=fetch, args=(s,)) for s in sockets]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        same(wrong, [], "wrong downloads")


@case("1,200 half handshakes, and an honest client is served")
def _():
    with Lab() as lab:
        d = serve(lab)
        for i in range(20):
            lab.client.ip("addr add 10.77.0.%d/24 dev cl0" % (100 + i))
        hello = bytes.fromhex("160301020001000200030300")
        half, ctx = [], context(lab)
        for i in range(1200):
            try:
                s = bound(lab, "10.77.0.%d" % (100 + i % 20))
                s.sendall(hello[:i % len(hello)])
                half.append(s)
            except OSError:
                pass
            if i % 200 == 199:
                began = time.monotonic()
                with connect(lab, ctx) as s:
                    same(get(s)[2], b"hello\n", "body")
                assert time.monotonic() - began < netlib.SOON, "%.1f s" % (time.monotonic() - began)
        with connect(lab, ctx) as s:
            same(get(s, "/big")[2] == CONTENT, True, "whole file equal:")
        for s in half:
            s.close()
        # Half a handshake does not stay: the deadline of a head is its own too.
        s = lab.client.connect(SERVER, 443)
        s.sendall(hello)
        began = time.monotonic()
        try:
            same(s.recv(100), b"", "answer")
        except ConnectionResetError:
            pass
        assert 5 < time.monotonic() - began < 10 + netlib.SOON, "closed after %.1f s" % (time.monotonic() - began)
        assert d.alive()


@case("SIGHUP: new certificates without a dropped connection; bad ones are not taken")
def _():
    with Lab() as lab:
        d = serve(lab)
        ctx = context(lab)
        slow = connect(lab, ctx)
        slow.settimeout(netlib.PATIENCE)
        slow.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        r = http.client.HTTPResponse(slow)
        r.begin()
        got = r.read(100000)
        before = shown(lab, ctx)
        cert(lab, "-i", "sv0")
        d.kill(signal.SIGHUP)
        d.wait_line("^loaded anew")
        # Each thread takes it by itself, and a connection goes to any of them.
        wait_for("the new certificate", lambda: all(shown(lab, ctx) != before for _ in range(12)))
        after = shown(lab, ctx)
        os.rename(tls(lab, "server-rsa.key"), tls(lab, "away"))
        d.kill(signal.SIGHUP)
        d.wait_line("server-rsa.key does not exist")
        d.wait_line("the configuration in force stays")
        with connect(lab, ctx) as s:
            same(s.getpeercert(True), after, "certificate")
            same(get(s)[2], b"hello\n", "body")
        got += r.read()
        same(got == CONTENT, True, "the download that began before is equal:")
        same(get(slow)[2], b"hello\n", "body")
        # https: comes and goes
        lab.config("networks: [{interface: sv0}]\n")
        d.kill(signal.SIGHUP)
        wait_for("a second load", lambda: d.count("^loaded anew") == 2)
        wait_for("port 443 closed", lambda: is_closed(lab))
        os.rename(tls(lab, "away"), tls(lab, "server-rsa.key"))
        lab.config(section(lab))
        d.kill(signal.SIGHUP)
        wait_for("port 443 open again", lambda: not is_closed(lab))
        with connect(lab, ctx) as s:
            same(get(s)[2], b"hello\n", "body")


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
