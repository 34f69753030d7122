"""Network namespaces, the daemon and a DHCP client for the end-to-end tests.

A Lab is a server namespace and a client namespace with a veth pair between
them.  Namespaces have no name: they are held by descriptors of this process
and by the processes in them, which die with it.  However a test ends, kill -9
included, the kernel removes all of it.  Needs root; touches nothing of the host.

Every wait has an end: functions that wait take a number of seconds and raise
Timeout, or return None where that is said.  By default that is PATIENCE: what must
happen is waited for until it does, on a machine that has a hundred other things to do.
"""
import contextlib
import ctypes
import http.client
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BOOTSMITH = os.path.abspath(os.environ.get("BOOTSMITH") or os.path.join(HERE, "../../build/bootsmith"))
CLONE_NEWNET, PR_SET_PDEATHSIG = 0x40000000, 1
SERVER, CLIENT, PREFIX = "10.77.0.1", "10.77.0.2", 24
BROADCAST_MAC = b"\xff" * 6
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
libc = ctypes.CDLL(None, use_errno=True)
PATIENCE = 30
# What a promise says to happen within a second or two: a busy machine takes longer, what hangs takes longer than this.
SOON = 10


class Timeout(AssertionError):
    pass


def wait_for(what, probe, seconds=PATIENCE, every=0.02):
    """What probe() returns as soon as that is true."""
    end = time.monotonic() + seconds
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() >= end:
            raise Timeout("%s: not within %g s" % (what, seconds))
        time.sleep(every)


# ---- namespaces ----

def _check(r):
    if r < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Namespace:
    def __init__(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(libc.unshare(CLONE_NEWNET))
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            _check(libc.setns(home, CLONE_NEWNET))
        finally:
            os.close(home)
        self.processes = []
        self.ip("link set lo up")

    @contextlib.contextmanager
    def entered(self):
        """Sockets made inside belong to the namespace for good."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(libc.setns(self.fd, CLONE_NEWNET))
            yield
        finally:
            _check(libc.setns(home, CLONE_NEWNET))
            os.close(home)

    def spawn(self, argv, **more):
        def prepare():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            libc.setns(self.fd, CLONE_NEWNET)
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=prepare, **more)
        self.processes.append(p)
        return p

    def run(self, argv, seconds=2 * PATIENCE, check=True):
        """Runs a command to its end; its output as text."""
        if isinstance(argv, str):
            argv = argv.split()
        p = self.spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = p.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise Timeout("%s: still running after %g s" % (" ".join(argv), seconds)) from None
        finally:
            self.processes.remove(p)
        done = subprocess.CompletedProcess(argv, p.returncode, out.decode("utf-8", "replace"),
                                           err.decode("utf-8", "replace"))
        if check and p.returncode != 0:
            raise AssertionError("%s: exit %d: %s%s" % (" ".join(argv), p.returncode, done.stdout, done.stderr))
        return done

    def ip(self, command):
        return self.run(["ip", *command.split()])

    def udp(self, address="0.0.0.0", port=0):
        with self.entered():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))
        s.settimeout(PATIENCE)
        return s

    def tcp_listener(self, address, port):
        with self.entered():
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(1)
        return s

    def connect(self, host, port, seconds=PATIENCE, receive_buffer=None):
        with self.entered():
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(seconds)
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.connect((host, port))
        return s

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
            for stream in (p.stdout, p.stderr):
                if stream:
                    stream.close()
        os.close(self.fd)


# ---- DHCP messages ----

def ip4(text):
    return socket.inet_aton(text)


def mac_text(mac):
    return ":".join("%02x" % b for b in mac)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def made_up_mac(rng=random):
    return b"\x02" + rng.randbytes(5)


def options_bytes(options, end=True):
    out = b""
    for code, value in options:
        out += struct.pack("!BB", code, len(value)) + value
    return out + (b"\xff" if end else b"")


def message(kind=DISCOVER, mac=b"\2\0\0\0\0\1", xid=1, options=(), flags=0, ciaddr="0.0.0.0",
            giaddr="0.0.0.0", op=1, htype=1, hlen=None, hops=0, secs=0, sname=b"", file=b"",
            cookie=b"\x63\x82\x53\x63", end=True, raw_options=None):
    """A BOOTP message; kind None leaves option 53 out."""
    head = struct.pack("!BBBBIHH", op, htype, len(mac) if hlen is None else hlen, hops, xid, secs, flags)
    head += ip4(ciaddr) + bytes(8) + ip4(giaddr) + mac.ljust(16, b"\0")[:16]
    head += sname.ljust(64, b"\0") + file.ljust(128, b"\0") + cookie
    if raw_options is not None:
        return head + raw_options
    options = list(options)
    if kind is not None:
        options.insert(0, (53, bytes([kind])))
    return head + options_bytes(options, end)


def pxe_options(arch=7, http=False, uuid=b"\x11" * 16):
    name = "%s:Arch:%05d:UNDI:003016" % ("HTTPClient" if http else "PXEClient", arch)
    return [(57, b"\x05\xc0"), (55, bytes([1, 3, 6, 12, 13, 43, 54, 60, 66, 67, 97])),
            (97, b"\0" + uuid), (94, b"\1\3\x10"), (93, struct.pack("!H", arch)), (60, name.encode())]


def ipxe_options(arch=0, uuid=b"\x11" * 16):
    return [(57, b"\x05\xc0"), (93, struct.pack("!H", arch)), (94, b"\1\2\1"),
            (60, b"PXEClient:Arch:%05d:UNDI:002001" % arch), (77, b"iPXE"),
            (55, bytes([1, 3, 6, 12, 43, 60, 66, 67, 97, 175])),
            (175, bytes.fromhex("b105011af41000eb0301000017010115010113010111010112010119010110010121010118010120010114010112010000")),
            (97, b"\0" + uuid)]


# ---- frames ----

def checksum(data):
    if len(data) & 1:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def udp_frame(payload, src_mac, dst_mac=BROADCAST_MAC, src="0.0.0.0", dst="255.255.255.255", sport=68,
              dport=67, udp_sum=None, udp_len=None, ip_sum=None):
    """An Ethernet frame; the last three put wrong values in."""
    n = 8 + len(payload)
    udp = struct.pack("!HHHH", sport, dport, n if udp_len is None else udp_len, 0) + payload
    pseudo = ip4(src) + ip4(dst) + struct.pack("!BBH", 0, 17, n)
    s = (checksum(pseudo + udp) or 0xffff) if udp_sum is None else udp_sum
    udp = udp[:6] + struct.pack("!H", s) + udp[8:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ip4(src) + ip4(dst)
    s = checksum(head) if ip_sum is None else ip_sum
    return dst_mac + src_mac + b"\x08\0" + head[:10] + struct.pack("!H", s) + head[12:] + udp


class Reply:
    """A frame with a BOOTP reply in it, taken apart."""

    def __init__(self, frame, checked):
        self.dst_mac, self.src_mac = frame[:6], frame[6:12]
        ip = frame[14:]
        ihl, total = (ip[0] & 15) * 4, struct.unpack("!H", ip[2:4])[0]
        ip = ip[:total]
        self.src, self.dst = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
        udp = ip[ihl:]
        self.sport, self.dport, length, self.udp_sum = struct.unpack("!HHHH", udp[:8])
        self.sums_good = checksum(ip[:ihl]) == 0 and length == len(udp) and (
            not checked or self.udp_sum == 0 or
            checksum(ip[12:20] + struct.pack("!BBH", 0, 17, length) + udp) == 0)
        b = self.data = udp[8:]
        (self.op, self.htype, self.hlen, self.hops, self.xid, self.secs, self.flags) = struct.unpack(
            "!BBBBIHH", b[:12])
        self.ciaddr, self.yiaddr, self.siaddr, self.giaddr = (
            socket.inet_ntoa(b[i:i + 4]) for i in range(12, 28, 4))
        self.chaddr = b[28:28 + min(self.hlen, 16)]
        self.sname, self.file = b[44:108].split(b"\0")[0], b[108:236].split(b"\0")[0]
        self.list, self.ended = [], False
        at = 240
        while at < len(b):
            code = b[at]
            if code == 255:
                self.ended = True
                break
            if code == 0:
                at += 1
                continue
            self.list.append((code, b[at + 2:at + 2 + b[at + 1]]))
            at += 2 + b[at + 1]
        self.opt = {}
        for code, value in self.list:
            self.opt[code] = self.opt.get(code, b"") + value
        self.kind = self.opt.get(53, b"\0")[0]
        self.server = socket.inet_ntoa(self.opt[54]) if len(self.opt.get(54, b"")) == 4 else None

    def __repr__(self):
        return "<%s xid=%08x yiaddr=%s server=%s to %s %s>" % (
            (["?", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK"] + ["?"] * 250)[self.kind], self.xid,
            self.yiaddr, self.server, self.dst, mac_text(self.dst_mac))


SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING, CSUM_NOT_READY, SO_ATTACH_FILTER = 263, 8, 4, 8, 26
# UDP from or to port 67: a transfer beside it must not fill the socket.
DHCP_ONLY = [(0x30, 0, 0, 23), (0x15, 0, 5, 17), (0x28, 0, 0, 34), (0x15, 2, 0, 67), (0x28, 0, 0, 36), (0x15, 0, 1, 67),
             (6, 0, 0, 65535), (6, 0, 0, 0)]


def attach_filter(s, program):
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))


class Link:
    """A raw socket on an interface of the client's namespace."""

    def __init__(self, ns, name):
        self.ns, self.name = ns, name
        with ns.entered():
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        attach_filter(self.s, DHCP_ONLY)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.s.bind((name, 0x0800))
        self.mac = self.s.getsockname()[4]

    def send(self, payload, mac=None, **frame):
        self.s.send(udp_frame(payload, mac or self.mac, **frame))

    def send_frame(self, frame):
        """False where the interface does not take it (it is down, or too long)."""
        try:
            return self.s.send(frame) > 0
        except OSError:
            return False

    def _packet(self, seconds):
        if not select.select([self.s], [], [], max(0, seconds))[0]:
            return None
        try:
            frame, controls, _, address = self.s.recvmsg(65536, 64)
        except OSError:  # the interface went away
            return None
        if address[2] == PACKET_OUTGOING or len(frame) < 42 or frame[23] != 17:
            return None
        ready = True
        for level, kind, data in controls:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                ready = not struct.unpack("=I", data[:4])[0] & CSUM_NOT_READY
        return frame, ready

    def datagrams(self, seconds):
        """Each (frame, are its checksums final) until the time is over."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            got = self._packet(left)
            if got:
                yield got
            elif left <= 0:
                return

    def replies(self, seconds):
        for frame, ready in self.datagrams(seconds):
            ihl = (frame[14] & 15) * 4
            ports = struct.unpack("!HH", frame[14 + ihl:18 + ihl])
            if ports[0] == 67 and len(frame) >= 14 + ihl + 8 + 240 and frame[14 + ihl + 8] == 2:
                yield Reply(frame, ready)

    def receive(self, xid=None, seconds=PATIENCE, kinds=None):
        """The next reply (of this xid), or None."""
        for r in self.replies(seconds):
            if (xid is None or r.xid == xid) and (kinds is None or r.kind in kinds):
                return r
        return None

    def drain(self):
        while select.select([self.s], [], [], 0)[0]:
            self._packet(0)

    def close(self):
        self.s.close()


class Client:
    """An honest DHCP client with a hardware address of its own."""

    def __init__(self, link, mac=None, options=(), broadcast=False, giaddr="0.0.0.0", client_id=None, **frame):
        self.link, self.mac = link, mac or made_up_mac()
        self.options = list(options) + ([(61, client_id)] if client_id else [])
        self.flags, self.giaddr, self.frame = 0x8000 if broadcast else 0, giaddr, frame
        self.xid = random.getrandbits(32)

    def message(self, kind, options=(), **more):
        more.setdefault("flags", self.flags)
        more.setdefault("giaddr", self.giaddr)
        return message(kind, self.mac, self.xid, list(options) + self.options, **more)

    def say(self, kind, options=(), **more):
        self.xid = random.getrandbits(32)
        self.link.send(self.message(kind, options, **more), mac=self.mac, **self.frame)

    def hear(self, seconds=PATIENCE):
        return self.link.receive(self.xid, seconds)

    def ask(self, kind, options=(), seconds=PATIENCE, **more):
        """The reply, or None."""
        self.say(kind, options, **more)
        return self.hear(seconds)

    def insist(self, kind, options=(), seconds=PATIENCE, **more):
        """The reply, or None; as clients do, it asks again when a packet was lost."""
        end = time.monotonic() + seconds
        while True:
            r = self.ask(kind, options, min(6, end - time.monotonic()), **more)
            if r or time.monotonic() >= end:
                return r

    def discover(self, seconds=PATIENCE, **more):
        offer = self.insist(DISCOVER, seconds=seconds, **more)
        if not offer:
            raise Timeout("no OFFER within %g s" % seconds)
        if offer.kind != OFFER:
            raise AssertionError("%r where an OFFER should be" % offer)
        return offer

    def request(self, offer, seconds=PATIENCE, **more):
        return self.insist(REQUEST, [(50, ip4(offer.yiaddr)), (54, offer.opt[54])], seconds, **more)

    def dora(self, seconds=PATIENCE):
        offer = self.discover(seconds)
        ack = self.request(offer, seconds)
        if not ack:
            raise Timeout("no ACK within %g s" % seconds)
        if ack.kind != ACK or ack.yiaddr != offer.yiaddr:
            raise AssertionError("%r after %r" % (ack, offer))
        return ack

    def served_within(self, seconds):
        """DORA as soon as somebody answers; how long that took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            try:
                self.discover(0.1)
                self.dora(0.5)
                return time.monotonic() - began
            except (Timeout, OSError):
                pass
        raise Timeout("no service again within %g s" % seconds)


# ---- HTTP and TFTP ----

def http_get(ns, path, host=SERVER, port=80, seconds=PATIENCE, method="GET", body=None):
    """(status, headers with lower-case names, body)"""
    c = http.client.HTTPConnection(host, port)
    c.sock = ns.connect(host, port, seconds)
    try:
        c.request(method, path, body)
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    finally:
        c.close()


class TftpError(AssertionError):
    pass


class Tftp:
    """A transfer in lock step that can be left standing between two blocks.  As clients do, it says
    again what has not been answered for a while."""

    def __init__(self, ns, name, host=SERVER, port=69, blksize=None):
        self.s, self.n, self.data, self.blksize, self.over = ns.udp(), 0, b"", 512, False
        if isinstance(name, str):
            name = name.encode()
        ask = b"\0\1" + name + b"\0octet\0" + (b"blksize\0%d\0" % blksize if blksize else b"")
        self.peer = None
        self._say(ask, (host, port))
        p = self._hear()
        if p[:2] == b"\0\6":
            self.blksize = blksize
            self._acknowledge(0)
            p = self._hear()
        self._take(p)

    def _say(self, packet, to):
        self.said = packet, to
        self.s.sendto(packet, to)

    def _hear(self):
        end = time.monotonic() + PATIENCE
        while True:
            self.s.settimeout(3)
            try:
                p, peer = self.s.recvfrom(65536)
                if self.peer in (None, peer):
                    break
            except socket.timeout:
                if time.monotonic() > end:
                    raise Timeout("TFTP: nothing after block %d" % self.n) from None
                self.s.sendto(*self.said)
        self.peer = peer
        if p[:2] == b"\0\5":
            raise TftpError("TFTP ERROR %d: %s" % (p[3], p[4:-1].decode("latin-1")))
        return p

    def _acknowledge(self, n):
        self._say(b"\0\4" + struct.pack("!H", n & 0xffff), self.peer)

    def _take(self, p):
        assert p[:2] == b"\0\3", p[:4]
        n = struct.unpack("!H", p[2:4])[0]
        if n != (self.n + 1) & 0xffff:
            return
        self.n += 1
        self.data += p[4:]
        self.over = len(p) - 4 < self.blksize

    def step(self):
        self._acknowledge(self.n)
        self._take(self._hear())

    def rest(self):
        while not self.over:
            self.step()
        self._acknowledge(self.n)
        self.close()
        return self.data

    def abort(self):
        self.s.sendto(b"\0\5\0\0stop\0", self.peer)
        self.close()

    def close(self):
        self.s.close()


def tftp_get(ns, name, **more):
    return Tftp(ns, name, **more).rest()


# ---- the daemon ----

SANITIZER = re.compile(r"(Sanitizer|runtime error:|SUMMARY:)")


class Daemon:
    """bootsmith in a namespace, its standard output and error in files."""

    def __init__(self, ns, argv, directory, prefix=(), stdout=None):
        self.ns, self.argv, self.at = ns, [BOOTSMITH, *argv], 0
        self.out_path = os.path.join(directory, "%x.out" % id(self))
        self.err_path = os.path.join(directory, "%x.err" % id(self))
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.p = ns.spawn([*prefix, *self.argv], stdout=stdout or out, stderr=err)
        self.checked = False

    def raw(self):
        with open(self.out_path, "rb") as f:
            return f.read()

    def lines(self):
        """The log's whole lines, parsed; one that is no JSON is an error."""
        return [json.loads(line) for line in self.raw().split(b"\n")[:-1]]

    def messages(self):
        return [line["message"] for line in self.lines()]

    def errors(self):
        with open(self.err_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def wait_line(self, pattern, seconds=PATIENCE):
        """The first line whose message matches."""
        def look():
            for line in self.lines():
                if re.search(pattern, line["message"]):
                    return line
            if self.p.poll() is not None:
                raise AssertionError("the daemon ended (exit %d): %s" % (self.p.returncode, self.errors()))
            return None
        try:
            return wait_for("log line /%s/" % pattern, look, seconds)
        except Timeout as e:
            raise Timeout("%s; the log ends: %s" % (e, self.messages()[-4:])) from None

    def count(self, pattern):
        return sum(1 for m in self.messages() if re.search(pattern, m))

    def ready(self, seconds=PATIENCE):
        self.wait_line(r"^ready after", seconds)
        return self

    def alive(self):
        return self.p.poll() is None

    def kill(self, number):
        self.p.send_signal(number)

    def wait(self, seconds=PATIENCE):
        """Exit code, and the end of the story: no sanitizer may have spoken."""
        try:
            code = self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Timeout("the daemon still runs after %g s" % seconds) from None
        finally:
            self.check_sanitizers()
        return code

    def check_sanitizers(self):
        self.checked = True
        if SANITIZER.search(self.errors()):
            raise AssertionError("a sanitizer reports:\n" + self.errors()[:3000])

    def stop(self, number=signal.SIGTERM, seconds=PATIENCE):  # transfers have 5 s
        if self.p.poll() is None:
            self.kill(number)
        code = self.wait(seconds)
        if code != 0:
            raise AssertionError("exit code %d after signal %d: %s" % (code, number, self.errors()))


def tool(name):
    """One of tests/tools, built beside the daemon."""
    return os.path.join(os.path.dirname(BOOTSMITH), "tests", name)


def preloaded(library, **more):
    """A prefix for serve(): a library before libc's own; the sanitizer's need not be the first."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return ["env", "LD_PRELOAD=" + library, "ASAN_OPTIONS=%sverify_asan_link_order=0" % (options and options + ":"),
            *("%s=%s" % item for item in more.items())]


class Lab:
    """Two namespaces, the wire between them, and a directory for files.

    The server's end is sv0 with SERVER, the client's end cl0 with CLIENT.
    """

    def __init__(self, address=True):
        self.dir = tempfile.mkdtemp(prefix="bootsmith-e2e-")
        os.chmod(self.dir, 0o755)
        self.http, self.tftp, self.state = (os.path.join(self.dir, d) for d in ("http", "tftp", "state"))
        self.socket = os.path.join(self.dir, "control.sock")
        os.mkdir(self.http)
        os.mkdir(self.tftp)
        self.server, self.client = Namespace(), Namespace()
        self.daemons, self.links = [], []
        self.link = self.wire(address=SERVER if address else None, client=CLIENT)

    def __enter__(self):
        return self

    def wire(self, sv="sv0", cl="cl0", address=SERVER, client=None, prefix=PREFIX):
        """A veth pair; the raw socket on its client's end."""
        self.server.ip("link add %s type veth peer name %s" % (sv, cl))
        self.server.run(["ip", "link", "set", cl, "netns", "/proc/%d/fd/%d" % (os.getpid(), self.client.fd)])
        if address:
            self.server.ip("addr add %s/%d dev %s" % (address, prefix, sv))
        if client:
            self.client.ip("addr add %s/%d dev %s" % (client, prefix, cl))
        self.server.ip("link set %s up" % sv)
        self.client.ip("link set %s up" % cl)
        link = Link(self.client, cl)
        self.links.append(link)
        return link

    def write(self, path, data):
        """A file below the directory; its whole path."""
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
        return path

    def config(self, text, name="bootsmith.yaml"):
        """Writes a configuration that begins with our directories."""
        head = "state_dir: %s\nhttp: {root: %s}\ntftp: {root: %s}\n" % (self.state, self.http, self.tftp)
        return self.write(name, head + text)

    def start(self, *argv, verb="serve", log="json", ns=None, prefix=(), stdout=None):
        if "--socket" not in argv:
            argv = (*argv, "--socket", self.socket)
        d = Daemon(ns or self.server, [verb, *argv, "--log-format", log], self.dir, prefix, stdout)
        self.daemons.append(d)
        return d

    def serve(self, *argv, config=None, interfaces=("sv0",), **more):
        """The daemon, ready: with this configuration text, else without a file."""
        if config is not None:
            argv = ("-c", self.config(config), *argv)
        else:
            for i in interfaces:
                argv = (*argv, "-i", i)
            argv = (*argv, "--http-root", self.http, "--tftp-root", self.tftp, "--state-dir", self.state)
        return self.start(*argv, **more).ready()

    def fails(self, *argv, verb="serve", code=1, seconds=PATIENCE, prefix=(), ns=None):
        """A daemon that must not start: its standard error."""
        d = Daemon(ns or self.server, [verb, *argv], self.dir, prefix)
        got = d.wait(seconds)
        assert got == code, "exit code %d, expected %d: %s" % (got, code, d.errors())
        return d.errors()

    def http_get(self, path, **more):
        return http_get(self.client, path, **more)

    def __exit__(self, kind, value, trace):
        try:
            for d in self.daemons:
                if d.alive():
                    d.stop()
                elif not d.checked:
                    d.check_sanitizers()
        except AssertionError:
            if kind is None:
                raise
        finally:
            for link in self.links:
                link.close()
            self.server.close()
            self.client.close()
            shutil.rmtree(self.dir, ignore_errors=True)
        return False


# ---- files ----

def uefi_file(content, machine=0x8664, signed=True):
    """A small PE32+ file that check takes for a loader; content tells one from another."""
    head = bytearray(512)
    head[0:2], head[64:68] = b"MZ", b"PE\0\0"
    struct.pack_into("<I", head, 60, 64)
    struct.pack_into("<HHIIIHH", head, 68, machine, 1, 0, 0, 0, 240, 2)
    struct.pack_into("<H", head, 88, 0x20b)
    struct.pack_into("<II", head, 88 + 32, 4096, 512)
    struct.pack_into("<IIIH", head, 88 + 56, 8192, 512, 0, 10)
    struct.pack_into("<I", head, 88 + 108, 16)
    struct.pack_into("<8sIIII", head, 88 + 240, b".text", 512, 4096, 512, 512)
    if signed:
        struct.pack_into("<II", head, 88 + 112 + 32, 512, 8)
    return bytes(head) + content.encode().ljust(512, b"\0")


# ---- running cases ----

class Cases:
    """Cases by name; the command line chooses those whose name contains a word of it."""

    def __init__(self):
        self.list = []

    def __call__(self, name, tries=1):
        """tries: more than one for a case that measures short times.  What else runs on the machine
        may spoil one of three; a mistake spoils all."""
        def add(f):
            self.list.append((name, f, tries))
            return f
        return add

    def main(self, words):
        if os.geteuid() != 0:
            print("these tests make network namespaces: run them as root")
            return 1
        if not os.access(BOOTSMITH, os.X_OK):
            print("%s is not there: build it, or name the binary by BOOTSMITH=PATH" % BOOTSMITH)
            return 1
        chosen = [c for c in self.list if not words or any(w in c[0] for w in words)]
        failed, began = [], time.monotonic()
        for name, f, tries in chosen:
            for left in reversed(range(tries)):
                start = time.monotonic()
                try:
                    f()
                    print("ok %s (%.1f s)" % (name, time.monotonic() - start), flush=True)
                    break
                except Exception as e:  # a failed case must not stop the others
                    print("%s %s: %s: %s%s" % ("again" if left else "FAIL", name, type(e).__name__, e, _place(e)), flush=True)
                    if left == 0:
                        failed.append(name)
        print("%d of %d cases passed in %.0f s" % (len(chosen) - len(failed), len(chosen), time.monotonic() - began))
        return 1 if failed or not chosen else 0


def _place(e):
    """The line of the case in which it failed."""
    t, line = e.__traceback__, ""
    while t:
        if not t.tb_frame.f_code.co_filename.endswith("netlib.py"):
            line = " (line %d)" % t.tb_lineno
        t = t.tb_next
    return line
