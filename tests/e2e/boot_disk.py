#!/usr/bin/env python3
"""Disks with GRUB and a kernel as they are served: boot_disk.py [WORD...]

machines/WHO/boot.img, read with mtools and judged by fsck.fat, by ranges and conditions as
a file is; what changes, and what cannot be made.  Firmware boots them in boot_matrix.
"""
import json
import os
import random
import re
import signal
import sys

import netlib
from netlib import SERVER, Lab
from uki import INSTALLER, asks, get, moves_in, read, same, states

case = netlib.Cases()
GRUB = {"x64": "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
        "ia32": "/usr/lib/grub/i386-efi/monolithic/grubnetia32.efi"}
SHIM = "/usr/lib/shim/shimx64.efi.signed"
PLACES = ["grub", "boot/grub", "EFI/debian", "EFI/BOOT"] + ["debian-installer/%s/grub" % a for a in ("amd64", "arm64", "i386")]
CONFIG = """
networks: [{interface: sv0, conflict_check: off}]
profiles:
  safe: {kernel: linux, initrd: [i0, i1, i2], cmdline: "console=ttyS0 host={{hostname}} x={{vars.x}}", secure_boot: true}
  plain: {kernel: odd, loader: grub}
  ipxe: {kernel: linux, loader: ipxe}
machines:
  - {name: web1, mac: 52:54:00:00:00:01, profile: safe, vars: {x: "it's $(reboot)"}}
  - {name: old, mac: 52:54:00:00:00:02, profile: plain}
  - {name: ipxe1, mac: 52:54:00:00:00:03, profile: ipxe}
  - {name: x64, mac: 52:54:00:00:00:04, profile: plain}
"""
PATH = "/machines/52-54-00-00-00-%02x/boot.img"


def prepared(lab):
    """The parts, in the root; sizes about those of clusters."""
    parts = {"linux": read(INSTALLER % ("amd64", "amd64", "linux")), "odd": b"no UEFI image",
             "i0": random.randbytes(300001), "i1": b"x", "i2": random.randbytes(65536)}
    for name, octets in parts.items():
        lab.write("http/" + name, octets)
    return parts


def tree(lab, image):
    """What is on the disk: {path: octets}; fsck.fat finds nothing amiss with it."""
    name, out = os.path.join(lab.dir, "disk.img"), os.path.join(lab.dir, "tree")
    with open(name, "wb") as f:
        f.write(image)
    r = lab.server.run(["fsck.fat", "-n", "-v", name], check=False)
    assert r.returncode == 0 and not re.search("differ|wrong|error|invalid|reclaim|free cluster", r.stdout.lower().replace(
        "checking for unused clusters", "")), r.stdout + r.stderr
    lab.server.run(["rm", "-rf", out])
    os.mkdir(out)
    lab.server.run(["mcopy", "-s", "-n", "-i", name, "::*", out])
    return {os.path.relpath(os.path.join(d, f), out).lower(): read(os.path.join(d, f))
            for d, _, files in os.walk(out) for f in files}


def holds(lab, image, files, cfg):
    """These files, a grub.cfg of these words in all its places, and nothing else."""
    got = tree(lab, image)
    texts = {got.pop(p.lower() + "/grub.cfg") for p in PLACES}
    same(sorted(got), sorted(f.lower() for f in files))
    for name, octets in files.items():
        assert got[name.lower()] == octets, name
    same(len(texts), 1, "texts")
    for word in cfg:
        assert word.encode() in list(texts)[0], texts


def safe(parts):
    return {"EFI/BOOT/BOOTX64.EFI": read(SHIM), "EFI/BOOT/grubx64.efi": read(GRUB["x64"]), "boot/kernel": parts["linux"],
            "boot/initrd0": parts["i0"], "boot/initrd1": parts["i1"], "boot/initrd2": parts["i2"]}


@case("shim, GRUB, its configuration, kernel and initrds; GRUB alone without Secure Boot, and for ia32")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        lab.serve(config=CONFIG)
        path = asks(lab, 1, 16)
        same(path, PATH % 1)
        status, head, body = get(lab, path)
        same((status, head["content-type"], int(head["content-length"])), (200, "application/vnd.efi-img", len(body)))
        holds(lab, body, safe(parts), ["linux \"$1\"/boot/kernel 'console=ttyS0' 'host=web1' 'x=it'\\''s' '$(reboot)'; then",
                                       'initrd "$1"/boot/initrd0 "$1"/boot/initrd1 "$1"/boot/initrd2'])
        assert get(lab, "/machines/web1/boot.img")[2] == body, "by name"
        for number, arch, suffix in ((2, 15, "ia32"), (4, 16, "x64")):
            path = asks(lab, number, arch)
            same(path, PATH % number)
            holds(lab, get(lab, path)[2], {"EFI/BOOT/BOOT%s.EFI" % suffix: read(GRUB[suffix]), "boot/kernel": parts["odd"]},
                  ['linux "$1"/boot/kernel; then'])


@case("ranges, HEAD and conditions as for a file; a strong tag")
def _():
    with Lab() as lab:
        prepared(lab)
        d = lab.serve(config=CONFIG)
        path = asks(lab, 1, 16)
        want = get(lab, path)[2]
        status, head, _ = get(lab, path, method="HEAD")
        same((status, int(head["content-length"]), head["accept-ranges"]), (200, len(want), "bytes"))
        tag = head["etag"]
        assert tag.startswith('"') and "last-modified" not in head, head
        ranges = [(0, 0), (0, 511), (511, 512), (len(want) - 1, len(want) - 1)]
        for _ in range(30):
            a = random.randrange(len(want))
            ranges.append((a, min(a + random.choice((1, 600, 70000, 1 << 21)), len(want) - 1)))
        for a, b in ranges:
            status, head, body = get(lab, path, "Range: bytes=%d-%d" % (a, b))
            same((status, head["content-range"], head["etag"]), (206, "bytes %d-%d/%d" % (a, b, len(want)), tag))
            assert body == want[a:b + 1], "octets %d to %d" % (a, b)
        same(get(lab, path, "Range: bytes=%d-" % len(want))[0], 416)
        same(get(lab, path, "If-None-Match: " + tag)[0], 304)
        tags = {tag}
        os.utime(lab.http + "/i1", ns=(1, 1))
        tags.add(get(lab, path, method="HEAD")[1]["etag"])
        lab.config(CONFIG.replace("$(reboot)", "$(REBOOT)"))
        d.kill(signal.SIGHUP)
        d.wait_line("loaded anew")
        tags.add(get(lab, path, method="HEAD")[1]["etag"])
        same(len(tags), 3, "tags")


@case("what cannot be made: an error with its reason, the same in the log; others have theirs")
def _():
    with Lab() as lab:
        parts = prepared(lab)
        d = lab.serve(config=CONFIG)

        def refused(number, reason):
            status, _, body = get(lab, PATH % number)
            assert status >= 400 and reason in body.decode(), (status, body[:300])
            d.wait_line(reason.replace("(", ".").replace(")", "."))

        asks(lab, 3, 16)
        refused(3, "iPXE first")
        refused(9, "its architecture is not known")
        path = asks(lab, 1, 16)
        os.rename(lab.http + "/i2", lab.http + "/away")
        refused(1, "http/i2 No such file")
        lab.write("http/i2", "")
        refused(1, "http/i2 is empty")
        os.rename(lab.http + "/away", lab.http + "/i2")
        lab.write("http/linux", parts["odd"])  # of what Secure Boot is asked for
        refused(1, "http/linux is no PE file")
        lab.write("http/linux", parts["linux"])
        holds(lab, get(lab, path)[2], safe(parts), [])
        with open(lab.http + "/i2", "r+b") as f:
            f.truncate(1 << 32)
        refused(1, "larger than the 4 GiB")
        assert get(lab, asks(lab, 2, 15))[0] == 200
        try:
            netlib.tftp_get(lab.client, path[1:])
            raise AssertionError("a disk by TFTP")
        except netlib.TftpError:
            pass


@case("a machine that got the whole disk of an installing profile is installing; with a part of it, not yet")
def _():
    with Lab() as lab:
        prepared(lab)
        lab.serve(config=CONFIG.replace("secure_boot: true", "secure_boot: true, install: true"))
        path = asks(lab, 1, 16)
        moves_in(lab, 1)
        before = states(lab, 1)
        get(lab, path, method="HEAD")
        get(lab, path, "Range: bytes=0-99")
        same(states(lab, 1), before)
        same(get(lab, path)[0], 200)
        netlib.wait_for("installing", lambda: states(lab, 1) == ["installing"], 20)


@case("explain: the disk's URL, and why")
def _():
    with Lab() as lab:
        prepared(lab)
        r = lab.server.run([netlib.BOOTSMITH, "explain", "-c", lab.config(CONFIG), "--json", "--mac", "52:54:00:00:00:01",
                            "--vendor-class", "HTTPClient:Arch:00016:UNDI:003001"])
        got = json.loads(r.stdout)
        same(got["bootfile"], "http://%s%s" % (SERVER, PATH % 1))
        assert "Secure Boot" in got["why"], got


if __name__ == "__main__":
    sys.exit(case.main(sys.argv[1:]))
