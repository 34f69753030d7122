#!/usr/bin/python3
"""The unified kernel images that core/uki.c lays out, held against other tools: the same
octets as another hand's (ukilib.py), pefile's opinion, and objcopy's copy of its sections.

    tests/e2e/uki_image.py          (make builds the tool that puts images together)
"""
import os
import subprocess
import sys
import tempfile

import pefile

import ukilib

MAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/tests/make_uki")
MAKE = os.environ.get("MAKE_UKI", MAKE)
INSTALLER = "/usr/lib/debian-installer/images/12/%s/text/debian-installer/%s/%s"
STUBS = {"amd64": "/usr/lib/systemd/boot/efi/linuxx64.efi.stub",
         "arm64": "build/peers/arm64/usr/lib/systemd/boot/efi/linuxaa64.efi.stub"}
OSREL = 'ID=linux\nPRETTY_NAME="a test"\n'
CMDLINE = "console=ttyS0 root=LABEL=é  quiet"


def read(path):
    with open(path, "rb") as f:
        return f.read()


def make(*args):
    return subprocess.run([MAKE, *args], capture_output=True, timeout=60)


def check_against_pefile(image, stub, parts):
    """Warnings of pefile are errors, but for those that it has of the stub alone."""
    pe = pefile.PE(data=image)
    known = pefile.PE(data=stub).get_warnings()
    strange = [w for w in pe.get_warnings() if w not in known]
    assert not strange, strange
    found = {s.Name.rstrip(b"\0").decode(): s for s in pe.sections}
    for name, content in parts.items():
        s = found[name]
        assert s.Misc_VirtualSize == len(content), name
        assert s.get_data()[:len(content)] == content, name
        assert not any(s.get_data()[len(content):]), name
    memory = sorted((s.VirtualAddress, s.VirtualAddress + s.Misc_VirtualSize) for s in pe.sections)
    raw = sorted((s.PointerToRawData, s.PointerToRawData + s.SizeOfRawData) for s in pe.sections)
    for spans in memory, raw:
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            assert end <= begin, "sections overlap"
    assert memory[-1][1] <= pe.OPTIONAL_HEADER.SizeOfImage
    assert pe.OPTIONAL_HEADER.SizeOfImage % pe.OPTIONAL_HEADER.SectionAlignment == 0
    assert pe.sections[0].PointerToRawData >= pe.OPTIONAL_HEADER.SizeOfHeaders
    assert raw[-1][1] == len(image)
    assert pe.FILE_HEADER.PointerToSymbolTable == 0
    # The stub's own sections, .sbat among them, are as they were.
    for s in pefile.PE(data=stub).sections:
        ours = found[s.Name.rstrip(b"\0").decode()]
        assert ours.get_data() == s.get_data() and ours.VirtualAddress == s.VirtualAddress


def check_against_objcopy(path, parts, tmp):
    """binutils reads the sections out of it again, byte for byte."""
    for name, content in parts.items():
        out = os.path.join(tmp, "section")
        subprocess.run(["objcopy", "-O", "binary", "--only-section=" + name,
                        "--set-section-flags", name + "=alloc,load,contents", path, out], check=True)
        got = read(out)
        assert got[:len(content)] == content, name


def one(arch, tmp):
    stub_path, kernel_path = STUBS[arch], INSTALLER % (arch, arch, "linux")
    stub, kernel = read(stub_path), read(kernel_path)
    initrds = [os.urandom(1), os.urandom(4095), os.urandom(4096), os.urandom(1000000)]
    paths = []
    for i, octets in enumerate(initrds):
        paths.append(os.path.join(tmp, "initrd%d" % i))
        with open(paths[-1], "wb") as f:
            f.write(octets)
    for n in range(len(initrds) + 1):
        r = make(stub_path, kernel_path, OSREL, CMDLINE, *paths[:n])
        assert r.returncode == 0, r.stderr
        parts = {".osrel": OSREL.encode(), ".cmdline": CMDLINE.encode(), ".linux": kernel}
        if n:
            parts[".initrd"] = ukilib.join_initrds(initrds[:n])
        assert r.stdout == ukilib.assemble(stub, kernel, OSREL.encode(), CMDLINE.encode(), initrds[:n]), n
        if n in (0, 4):
            check_against_pefile(r.stdout, stub, parts)
        if n == 4 and arch == "amd64":  # binutils for amd64 knows no arm64
            path = os.path.join(tmp, "image.efi")
            with open(path, "wb") as f:
                f.write(r.stdout)
            check_against_objcopy(path, parts, tmp)
    r = make(stub_path, kernel_path, "", "")
    assert r.stdout == ukilib.assemble(stub, kernel, b"", b"", [])
    # An image is no stub.
    path = os.path.join(tmp, "image.efi")
    with open(path, "wb") as f:
        f.write(r.stdout)
    r = make(path, kernel_path, "", "")
    assert r.returncode == 1 and b"unified kernel image already" in r.stderr, r.stderr
    for bad in "a\nb", "a\x7fb":
        r = make(stub_path, kernel_path, "", bad)
        assert r.returncode == 1 and b"control character" in r.stderr, r.stderr
    print("%s: six images, the same octets by two hands" % arch)


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    with tempfile.TemporaryDirectory() as tmp:
        for arch in STUBS:
            one(arch, tmp)
    return 0


sys.exit(main())
