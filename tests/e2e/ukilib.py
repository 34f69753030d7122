"""Unified kernel images by another hand: laid out after the UAPI Group's text and
systemd's ukify, with nothing of ours.  What bootsmith serves must be the same octets."""
import struct

PAGE = 4096


def up(v, a):
    return -(-v // a) * a


class Head:
    """The few fields of a PE head that a test asks for."""

    def __init__(self, data):
        self.pe, = struct.unpack_from("<I", data, 60)
        assert data[:2] == b"MZ" and data[self.pe:self.pe + 4] == b"PE\0\0"
        self.machine, self.n, _, self.symbols, self.n_symbols, self.opt_size = struct.unpack_from(
            "<HHIIIH", data, self.pe + 4)
        self.opt = self.pe + 24
        plus = struct.unpack_from("<H", data, self.opt)[0] == 0x20b
        self.section_align, self.file_align = struct.unpack_from("<II", data, self.opt + 32)
        self.image, self.headers, self.checksum = struct.unpack_from("<III", data, self.opt + 56)
        self.initialized, = struct.unpack_from("<I", data, self.opt + 8)
        self.dirs = self.opt + (112 if plus else 96)
        self.n_dirs, = struct.unpack_from("<I", data, self.dirs - 4)
        self.table = self.opt + self.opt_size
        self.sections = []
        for i in range(self.n):
            f = struct.unpack_from("<8sIIIIIIHHI", data, self.table + 40 * i)
            self.sections.append({"name": f[0].rstrip(b"\0").decode(), "vsize": f[1], "va": f[2],
                                  "rsize": f[3], "raw": f[4], "flags": f[9]})


def join_initrds(initrds):
    out = b""
    for i in initrds:
        out = out.ljust(up(len(out), 4), b"\0") + i
    return out


def assemble(stub, kernel, osrel, cmdline, initrds):
    h = Head(stub)
    end = max([h.headers] + [s["raw"] + s["rsize"] for s in h.sections if s["rsize"]])
    memory = max([h.headers] + [s["va"] + s["vsize"] for s in h.sections])
    out = bytearray(stub[:end])
    align = max(PAGE, h.section_align)
    n, data = h.n, h.initialized
    for name, content, flags in ((b".osrel", osrel, 0x40000040), (b".cmdline", cmdline, 0x40000040),
                                 (b".initrd", join_initrds(initrds), 0x40000040),
                                 (b".linux", kernel, 0x40000020)):
        if not content:
            continue
        raw, va = up(len(out), h.file_align), up(memory, align)
        size = up(len(content), h.file_align)
        at = h.table + 40 * n
        assert at + 40 <= h.headers
        struct.pack_into("<8sIIIIIIHHI", out, at, name, len(content), va, size, raw, 0, 0, 0, 0, flags)
        out += bytes(raw - len(out)) + content + bytes(size - len(content))
        memory = va + len(content)
        n += 1
        data += size
    struct.pack_into("<H", out, h.pe + 6, n)
    struct.pack_into("<II", out, h.pe + 12, 0, 0)
    struct.pack_into("<I", out, h.opt + 8, data)
    struct.pack_into("<I", out, h.opt + 56, up(memory, align))
    struct.pack_into("<I", out, h.opt + 64, 0)
    if h.n_dirs > 4:
        struct.pack_into("<II", out, h.dirs + 32, 0, 0)
    return bytes(out)
