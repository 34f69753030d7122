#!/usr/bin/env python3
"""`bootsmith image`: fetching from a web server that cuts, lies, stalls and goes away.

    tests/e2e/images.py [WORD]      all cases, or those whose name has the word
"""
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time

import netlib
from netlib import BOOTSMITH, CLIENT, SERVER, Lab, wait_for
from weblib import Page, Web, random_data

case = netlib.Cases()
KERNEL, INITRD = random_data(3 << 20), random_data((5 << 20) + 77)


def same(got, want, what="got"):
    if got != want:
        raise AssertionError("%s %.300r, expected %.300r" % (what, got, want))


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Site:
    """A lab with a web server in the client's namespace, and a catalogue of one image there."""

    def __init__(self, **more):
        self.more = more

    def __enter__(self):
        self.lab = Lab().__enter__()
        self.web = Web(self.lab.client, CLIENT)
        self.web["/d/linux"] = KERNEL
        self.web["/d/initrd.gz"] = INITRD
        self.catalogue("kernel: {url: %s, sha256: %s}" % (self.at("linux"), sha(KERNEL)),
                       "initrd: {url: %s, sha256: %s}" % (self.at("initrd.gz"), sha(INITRD)))
        return self

    def __exit__(self, *e):
        self.web.close()
        return self.lab.__exit__(*e)

    def at(self, name):
        return "%s/d/%s" % (self.web.url, name)

    def catalogue(self, *lines):
        self.file = self.lab.write("images.yaml", "images:\n  test:\n" + "".join("    %s\n" % l for l in lines))

    def argv(self, *argv):
        return [BOOTSMITH, "image", "fetch", "test", "--catalogue", self.file, "-c", self.lab.config("networks: []\n"), *argv]

    def fetch(self, *argv, code=0, seconds=120, prefix=()):
        p = self.lab.server.run([*prefix, *self.argv(*argv)], check=False, seconds=seconds)
        same(p.returncode, code, "exit code of image fetch (%s%s):" % (p.stdout, p.stderr))
        return p.stdout + p.stderr

    def path(self, name=""):
        return os.path.join(self.lab.http, "images/test", name)

    def content(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def files(self):
        return sorted(os.path.relpath(os.path.join(d, f), self.path()) for d, _, names in os.walk(self.path()) for f in names)

    def whole(self):
        same(self.files(), ["initrd.gz", "linux"], "files")
        same((sha(self.content("linux")), sha(self.content("initrd.gz"))), (sha(KERNEL), sha(INITRD)), "digests")
        same(os.listdir(self.path().rstrip("/")).count(".new"), 0, "leftovers")

    def requests(self, name):
        return [r for r in self.web.asked if r["path"] == "/d/" + name]


@case("an image by its digests: files in place, lines for the configuration; a second time nothing is fetched")
def _():
    with Site() as s:
        out = s.fetch()
        s.whole()
        assert "kernel: images/test/linux\n    initrd: [images/test/initrd.gz]\n" in out, out
        n = len(s.web.asked)
        assert "is there already, and verified" in s.fetch()
        same(len(s.web.asked), n, "requests")
        # what it printed is a configuration
        lines = out[out.index("profiles:"):]
        s.lab.server.run([BOOTSMITH, "check", "-c", s.lab.config("networks: [{interface: sv0}]\n" + lines)])


@case("a file of the same name with other content is replaced")
def _():
    with Site() as s:
        s.lab.write("http/images/test/linux", b"old")
        s.fetch()
        s.whole()


@case("connections that are cut: each goes on where the one before stopped")
def _():
    with Site() as s:
        s.web["/d/initrd.gz"] = Page(INITRD, cuts=[1000000, 1500000, 2000000, None])
        s.fetch()
        s.whole()
        asked = s.requests("initrd.gz")
        same(len(asked), 4, "requests")
        starts = [int(r["range"][6:-1]) for r in asked[1:]]
        assert 0 < starts[0] <= 1000000 < starts[1] <= 2500000 < starts[2] <= 4500000, starts
        same({r["if-range"] for r in asked[1:]}, {'"1"'}, "If-Range")


@case("killed in the middle: the next run goes on with what is on disk")
def _():
    with Site() as s:
        s.web["/d/initrd.gz"] = Page(INITRD, pace=2000000)
        p = s.lab.server.spawn(s.argv(), stdout=subprocess.DEVNULL)
        part = s.path(".new/.initrd.gz.part")
        wait_for("a beginning", lambda: os.path.exists(part) and os.path.getsize(part) > 500000)
        p.send_signal(signal.SIGKILL)
        p.wait()
        had = os.path.getsize(part)
        assert not os.path.exists(s.path("linux")), "the kernel is in place before its initrd is there"
        s.web["/d/initrd.gz"] = INITRD
        s.fetch()
        s.whole()
        same(s.requests("initrd.gz")[-1]["range"], "bytes=%d-" % had, "Range")
        same(len(s.requests("linux")), 1, "the kernel was asked for")


@case("a server without ranges, or with another version by now: from the beginning")
def _():
    for manners in ({"ranges": False}, {"etag": '"2"'}, {"etag": None, "modified": "Mon, 23 Nov 2026 01:00:00 GMT"}):
        with Site() as s:
            s.web["/d/initrd.gz"] = Page(os.urandom(2 << 20) if "etag" in manners else INITRD, cuts=[1000000])
            s.web["/d/initrd.gz"].cuts = [1000000, 0, 0, 0, 0, 0]
            s.fetch(code=1)
            s.web["/d/initrd.gz"] = Page(INITRD, **manners)
            s.fetch()
            s.whole()


@case("no validator: a cut download begins anew")
def _():
    with Site() as s:
        s.web["/d/initrd.gz"] = Page(INITRD, etag=None, cuts=[1000000, None])
        s.fetch()
        s.whole()
        assert "range" not in s.requests("initrd.gz")[1], s.requests("initrd.gz")


@case("a beginning on disk that is not what the server has: fetched anew, once")
def _():
    with Site() as s:
        s.lab.write("http/images/test/.new/.initrd.gz.part", os.urandom(100000))
        s.lab.write("http/images/test/.new/.initrd.gz.of", '%s\n"1"\n' % s.at("initrd.gz"))
        s.fetch()
        s.whole()
        same([r.get("range") for r in s.requests("initrd.gz")], ["bytes=100000-", None], "ranges")


@case("a wrong digest: the old files stay, and the sentence says expected and got")
def _():
    with Site() as s:
        s.fetch()
        new = random_data(1 << 20)
        s.web["/d/linux"] = new
        s.web["/d/initrd.gz"] = new[:-1]
        s.catalogue("kernel: {url: %s, sha256: %s}" % (s.at("linux"), sha(new)),
                    "initrd: {url: %s, sha256: %s}" % (s.at("initrd.gz"), sha(new)))
        out = s.fetch(code=1)
        assert "%s is not what was expected: its SHA-256 is %s, expected %s\n" % (s.at("initrd.gz"), sha(new[:-1]), sha(new)) in out, out
        same((s.content("linux"), s.content("initrd.gz")), (KERNEL, INITRD), "old files")
        s.web["/d/initrd.gz"] = new
        s.fetch()
        same((s.content("linux"), s.content("initrd.gz")), (new, new), "new files")
        same(s.files(), ["initrd.gz", "linux"], "files")


@case("a full disk: one sentence, nothing of it stays, the old files do")
def _():
    with Site() as s:
        s.fetch()
        big = random_data(12 << 20)
        s.web["/d/initrd.gz"] = big
        s.catalogue("kernel: {url: %s, sha256: %s}" % (s.at("linux"), sha(KERNEL)),
                    "initrd: {url: %s, sha256: %s}" % (s.at("initrd.gz"), sha(big)))
        target = s.path()
        script = "mount -t tmpfs -o size=10m none %s && cp -r /dev/fd/8/. %s; echo old > %sinitrd.gz; " % (target, target, target)
        out = s.fetch(code=1, prefix=["unshare", "--mount", "sh", "-c", script + '"$@"; r=$?; ls -A %s %s.new 2>&1; df -k %s; exit $r'
                                      % (target, target, target), "sh"])
        assert "No space left on device" in out, out
        assert ".part" not in out and "initrd.gz" in out, out


@case("no server, no such file, a server in trouble, one that stalls: a sentence each, in time")
def _():
    with Site() as s:
        s.web["/d/linux"] = Page(b"gone", status=404)
        assert "/d/linux: the server answers 404" in s.fetch(code=1)
        same(len(s.requests("linux")), 1, "requests")
        s.web["/d/linux"] = Page(b"busy", status=503)
        assert "the server answers 503" in s.fetch(code=1)
        same(len(s.requests("linux")), 6, "requests")
        hold = Page(KERNEL, cuts=[None])
        hold.hold = threading.Event()
        s.web["/d/linux"] = hold
        began = time.monotonic()
        out = s.fetch("--timeout", "1", code=1)
        assert "Operation too slow" in out or "timed out" in out, out
        assert time.monotonic() - began < 60
        hold.hold.set()
        s.web.close()
        assert "Failed to connect" in s.fetch(code=1)
        same(os.path.exists(s.path()), False, "files")


@case("a name that nobody knows")
def _():
    with Site() as s:
        s.catalogue("kernel: {url: http://nobody.invalid/linux, sha256: %s}" % sha(KERNEL))
        assert "Could not resolve host" in s.fetch(code=1)


@case("a server that sends more than it said: an end, and nothing stays")
def _():
    with Site() as s:
        s.web["/d/initrd.gz"] = page = Page(INITRD, length=False, cuts=[1000000, None])
        page.more = b"!"
        assert "/d/initrd.gz: the server sends more than the length that it said" in s.fetch(code=1)
        same(s.files(), [".new/linux"], "files")


@case("a server that says \"not modified\" to who has nothing")
def _():
    with Site() as s:
        s.web["/d/linux"] = Page(status=304)
        assert "/d/linux: the server answers 304" in s.fetch(code=1)


@case("a directory beside the root: the lines name the files as they lie")
def _():
    with Site() as s:
        where = os.path.join(s.lab.dir, "elsewhere")
        out = s.fetch("--dir", where)
        assert "kernel: %s/test/linux\n    initrd: [%s/test/initrd.gz]\n" % (where, where) in out, out
        assert "is not below the HTTP root" in out, out


@case("redirects: followed five times, never to another scheme")
def _():
    with Site() as s:
        for i in range(1, 8):
            s.web["/d/r%d" % i] = Page(status=302, headers=[("Location", "/d/r%d" % (i - 1) if i > 1 else "/d/linux")])
        s.web["/d/file"] = Page(status=302, headers=[("Location", "file:///etc/passwd")])
        s.web["/d/ftp"] = Page(status=302, headers=[("Location", "ftp://%s/linux" % CLIENT)])
        for name, code, words in (("r5", 0, "r5 verified"), ("r6", 1, "Maximum (5) redirects"), ("file", 1, "rotocol \"file\""),
                                  ("ftp", 1, "rotocol \"ftp\"")):
            s.catalogue("kernel: {url: %s, sha256: %s}" % (s.at(name), sha(KERNEL)))
            out = s.fetch(code=code)
            assert words in out, out


@case("https: a CA of its own, lists of digests by it; from https to http only where a digest proves it")
def _():
    with Site() as s:
        s.lab.client.run([BOOTSMITH, "cert", "--dir", os.path.join(s.lab.dir, "tls"), "--name", CLIENT])
        tls = [os.path.join(s.lab.dir, "tls", n) for n in ("server-ecdsa.pem", "server-ecdsa.key", "ca.pem")]
        with Web(s.lab.client, CLIENT, 443, tls[:2]) as web:
            for name, data in (("linux", KERNEL), ("initrd.gz", INITRD)):
                web["/d/" + name] = data
            web["/d/SHA256SUMS"] = ("%s  ./linux\n%s  ./initrd.gz\n" % (sha(KERNEL), sha(INITRD))).encode()
            s.catalogue("base: %s/d/" % web.url, "kernel: linux", "initrd: [initrd.gz]", "sums: SHA256SUMS")
            assert "certificate" in s.fetch(code=1)
            s.fetch("--ca", tls[2])
            s.whole()
            web["/d/SHA256SUMS"] = ("%s  ./linux\n" % sha(KERNEL)).encode()
            assert "SHA256SUMS has no SHA-256 for %s/d/initrd.gz" % web.url in s.fetch("--ca", tls[2], code=1)
            # to http: the files yes, the list that proves them no
            away = Page(status=302, headers=[("Location", s.at("initrd.gz"))])
            web["/d/SHA256SUMS"] = ("%s  ./linux\n%s  ./initrd.gz\n" % (sha(KERNEL), sha(INITRD))).encode()
            web["/d/initrd.gz"] = away
            os.unlink(s.path("initrd.gz"))
            s.fetch("--ca", tls[2])
            s.whole()
            s.web["/d/SHA256SUMS"] = web["/d/SHA256SUMS"]
            web["/d/SHA256SUMS"] = Page(status=302, headers=[("Location", s.at("SHA256SUMS"))])
            assert "rotocol \"http\"" in s.fetch("--ca", tls[2], code=1)


def gpg(home, *argv):
    done = subprocess.run(["gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback",
                           "--passphrase", "", *argv], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@case("signed lists: one that holds its signature, and one beside it; a chain of two; what is not signed is refused")
def _():
    with Site() as s:
        home = os.path.join(s.lab.dir, "gpg")
        os.mkdir(home, 0o700)
        for who in ("archive", "stranger"):
            gpg(home, "--quick-gen-key", who, "rsa2048")
            s.lab.write(who + ".gpg", gpg(home, "--export", who))
        try:
            sums = s.lab.write("SHA256SUMS", "%s  ./linux\n%s  ./initrd.gz\n" % (sha(KERNEL), sha(INITRD)))
            with open(sums, "rb") as f:
                listed = f.read()
            release = s.lab.write("Release", "Origin: Test\nSHA256:\n %s %d d/SHA256SUMS\n" % (sha(listed), len(listed)))
            s.web["/d/SHA256SUMS"] = listed
            s.web["/InRelease"] = gpg(home, "-u", "archive", "--clearsign", "-o", "-", release)
            s.web["/d/SHA256SUMS.gpg"] = gpg(home, "-u", "archive", "--detach-sign", "-o", "-", sums)
            chain = ["kernel: d/linux", "initrd: d/initrd.gz", "base: %s/" % s.web.url, "sums: [InRelease, d/SHA256SUMS]"]
            beside = chain[:3] + ["sums: d/SHA256SUMS", "signature: d/SHA256SUMS.gpg"]
            good, other = ("keyring: " + os.path.join(s.lab.dir, n + ".gpg") for n in ("archive", "stranger"))
            for lines in (chain, beside):
                s.catalogue(*lines, good)
                assert "is signed by a key of" in s.fetch()
                s.whole()
                for name in ("linux", "initrd.gz"):
                    os.unlink(s.path(name))
                s.catalogue(*lines, other)
                assert re.search("the signature of .* is not good: gpgv: .*No public key", s.fetch(code=1))
            s.catalogue(*chain, good)
            # text before the signed part proves nothing
            s.web["/d/SHA256SUMS"] = evil = ("%s  ./linux\n%s  ./initrd.gz\n" % (sha(b"x"), sha(b"x"))).encode()
            s.web["/d/linux"] = s.web["/d/initrd.gz"] = b"x"
            s.web["/InRelease"] = b" %s %d d/SHA256SUMS\n" % (sha(evil).encode(), len(evil)) + s.web["/InRelease"].data
            out = s.fetch(code=1)
            assert "not what was expected" in out or "two SHA-256" in out or "not good" in out, out
            s.web["/InRelease"] = b"SHA256:\n %s %d d/SHA256SUMS\n" % (sha(evil).encode(), len(evil))
            assert "the signature of" in s.fetch(code=1)
            s.catalogue(*chain, "keyring: /nonexistent.gpg")
            assert "the signature of" in s.fetch(code=1)
            assert not os.path.exists(s.path("linux")), s.files()
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)


@case("two at once: the second says so, the first is not disturbed")
def _():
    with Site() as s:
        s.web["/d/initrd.gz"] = Page(INITRD, pace=4000000)
        p = s.lab.server.spawn(s.argv(), stdout=subprocess.DEVNULL)
        wait_for("a beginning", lambda: os.path.exists(s.path(".new/.initrd.gz.part")))
        assert "another bootsmith fetches" in s.fetch(code=1)
        same(p.wait(netlib.PATIENCE), 0, "exit code of the first")
        s.whole()


@case("a list larger than any list")
def _():
    with Site() as s:
        s.lab.client.run([BOOTSMITH, "cert", "--dir", os.path.join(s.lab.dir, "tls"), "--name", CLIENT])
        tls = [os.path.join(s.lab.dir, "tls", n) for n in ("server-ecdsa.pem", "server-ecdsa.key", "ca.pem")]
        with Web(s.lab.client, CLIENT, 443, tls[:2]) as web:
            s.catalogue("base: %s/d/" % web.url, "kernel: linux", "sums: SUMS")
            for length in (True, False):
                web["/d/SUMS"] = Page(b"x" * (17 << 20), length=length)
                assert "is larger than the 16 MiB that are allowed" in s.fetch("--ca", tls[2], code=1)
                same(s.files(), [], "files")


@case("a progress bar on a terminal")
def _():
    with Site() as s:
        s.web["/d/initrd.gz"] = Page(INITRD, pace=8000000)
        ours, theirs = pty.openpty()
        p = s.lab.server.spawn(s.argv(), stdout=theirs, stderr=theirs)
        os.close(theirs)
        out = b""
        try:
            while True:
                more = os.read(ours, 65536)
                if not more:
                    break
                out += more
        except OSError:
            pass
        os.close(ours)
        same(p.wait(netlib.PATIENCE), 0, "exit code (%r):" % out)
        assert len(re.findall(rb"\rinitrd\.gz|\x1b\[Kinitrd\.gz \[#* *\] +\d+% of 5\.0 MiB", out)) > 3, out


@case("list, and wrong words")
def _():
    with Site() as s:
        run = lambda *a: s.lab.server.run([BOOTSMITH, "image", *a], check=False)
        p = run("list", "--catalogue", s.file)
        assert p.returncode == 0 and "test" in p.stdout and "digest" in p.stdout, p
        p = run("list", "--json", "--catalogue", s.file)
        same(json.loads(p.stdout)[0]["kernel"], s.at("linux"), "kernel")
        for argv, code, words in ((["fetch", "tset", "--catalogue", s.file], 1, "did you mean test?"),
                                  (["fetch"], 2, "the name of one image"), ([], 2, "say list or fetch"),
                                  (["list", "x"], 2, '"x" is no option'), (["fetch", "test", "--json"], 2, "belongs to list"),
                                  (["fetch", "test", "--timeout", "x"], 2, "1 to 3600 seconds"),
                                  (["list", "--catalogue", "/nonexistent"], 1, "nonexistent"),
                                  (["list", "--catalogue", s.lab.write("bad.yaml", "images: {a: {krenel: x}}\n")], 1, "did you mean")):
            p = run(*argv)
            same(p.returncode, code, "exit code of %s (%s):" % (argv, p.stderr))
            assert words in p.stderr, p.stderr


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
