"""What the bench's topics share: the wire, servers in a group whose CPU is counted, tables."""
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
from netlib import BOOTSMITH, Namespace, Timeout, wait_for  # noqa: E402

BUILD = os.path.join(ROOT, "build")  # BOOTSMITH=FILE measures another one
TOOLS = os.path.join(BUILD, "tests")
SERVER, RELAY, PREFIX = "10.96.0.1", "10.96.0.2", 11
# Every address of these is the load's, so that one process can be many machines.
MACHINES, MACHINES_BEGIN, MACHINES_END = "10.97.0.0/16", "10.97.0.0", "10.97.255.254"
SERVER_CORE, LOAD_CORE = "0", "1"
# So that what else runs on the machine matters less: --realtime for more of that.
PINNED_SERVER, PINNED_LOAD = ["nice", "-n", "-20", "taskset", "-c"], ["chrt", "-f", "1", "taskset", "-c"]
REALTIME = ["chrt", "-r", "1", "taskset", "-c"]
GIB = 1 << 30


class Wire:
    """Two namespaces and the veth pair."""

    def __init__(self):
        self.server, self.load = Namespace(), Namespace()
        self.server.ip("link add sv0 type veth peer name cl0")
        self.server.run(["ip", "link", "set", "cl0", "netns", "/proc/%d/fd/%d" % (os.getpid(), self.load.fd)])
        for ns, name, address in ((self.server, "sv0", SERVER), (self.load, "cl0", RELAY)):
            ns.ip("addr add %s/%d dev %s" % (address, PREFIX, name))
            ns.ip("link set %s up" % name)
            # Debian's cubic is not let into namespaces everywhere; where nothing is lost, reno is the same. With BBR,
            # which paces each connection by a timer, its luck with the first rounds would be what is measured.
            ns.run(["sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno"])

    def with_machines(self):
        """Gives the load's side all addresses of MACHINES.  By a route, on the server's
        side: a thousand neighbours are more than the kernel's table holds by default."""
        self.load.ip("route add local %s dev lo" % MACHINES)
        self.server.ip("route add %s via %s dev sv0" % (MACHINES, RELAY))
        return self

    def argv(self, name, *argv):
        return [*PINNED_LOAD, LOAD_CORE, os.path.join(TOOLS, name), *map(str, argv)]

    def tool(self, name, *argv, seconds=60):
        """Runs a load generator; what it printed."""
        return json.loads(self.load.run(self.argv(name, *argv), seconds=seconds).stdout)

    @contextlib.contextmanager
    def holding(self, name, *argv):
        """Runs one that prints and then stays; what it printed.  It ends by itself, too."""
        with self.load.spawn(self.argv(name, *argv), stdout=subprocess.PIPE) as p:
            try:
                yield json.loads(p.stdout.readline())
            finally:
                p.kill()

    def close(self):
        self.server.close()
        self.load.close()


def cgroup2():
    with open("/proc/mounts") as f:
        for line in f:
            if line.split()[2] == "cgroup2":
                return line.split()[1]
    raise AssertionError("no cgroup2 is mounted: CPU could not be counted")


class Group:
    """A control group: the CPU and memory of a server's processes, also of those that ended."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="bootsmith-bench-", dir=cgroup2())

    def argv(self, argv):
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', self.path, *argv]

    def read(self, name):
        with open(os.path.join(self.path, name)) as f:
            return f.read()

    def cpu_s(self):
        return int(self.read("cpu.stat").split("usage_usec")[1].split()[0]) / 1e6

    def pids(self):
        return [int(p) for p in self.read("cgroup.procs").split()]

    def memory_kb(self, what="Pss"):
        """Pss, or Pss_Anon: what the processes have of their own."""
        total = 0
        for pid in self.pids():
            try:
                with open("/proc/%d/smaps_rollup" % pid) as f:
                    total += next(int(line.split()[1]) for line in f if line.startswith(what + ":"))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return total

    def close(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        wait_for("the end of the server's processes", lambda: not self.pids(), 10)
        os.rmdir(self.path)


class Server:
    """One or more processes that are measured as one."""
    title = "?"

    @contextlib.contextmanager
    def running(self, wire, directory):
        """Started on the directory, and ended, with all its processes, whatever happens."""
        # The log is not on the disk, which is the leases' here.
        with tempfile.TemporaryFile(dir="/dev/shm") as self.log_file, contextlib.closing(Group()) as self.group:
            self.processes = [wire.server.spawn(
                [*PINNED_SERVER, SERVER_CORE, *self.group.argv(argv)], stdout=self.log_file, stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment(directory)}) for argv in self.commands(directory)]
            try:
                wait_for("an answer", lambda: self.answers(wire), 20)
            except (Timeout, subprocess.CalledProcessError):
                raise AssertionError("%s does not answer; its log ends: %s" % (self.title, self.log()[-500:])) from None
            try:
                yield self
            finally:
                self.stop()

    def commands(self, directory):
        raise NotImplementedError

    def environment(self, directory):
        return {}

    def answers(self, wire):
        raise NotImplementedError

    def log(self):
        return os.pread(self.log_file.fileno(), 1 << 20, 0).decode(errors="replace")

    def stop(self):
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()


def config_of(directory, **more):
    """A configuration of ours that serves nothing but what `more` says: values are YAML."""
    path = os.path.join(directory, "bootsmith.yaml")
    more.setdefault("networks", "[{interface: sv0, pools: [%s-%s], lease_time: 1h, conflict_check: off}]" % (
        MACHINES_BEGIN, MACHINES_END))
    lines = {"state_dir": directory, "control": "{socket: %s/control.sock}" % directory,
             "http": "{root: %s}" % directory, "tftp": "{root: %s}" % directory, **more}
    with open(path, "w") as f:
        f.writelines("%s: %s\n" % line for line in lines.items())
    return path


def accepts(config):
    """Does this version of ours know what the configuration asks for?"""
    return subprocess.run([BOOTSMITH, "check", "-c", config], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def random_file(directory, name, size):
    path = os.path.join(directory, name)
    with open(path, "wb") as f:
        f.write(os.urandom(size))
    return path


def middle(rounds, key):
    return statistics.median(r[key] for r in rounds)


def middles(rounds):
    """The same as one result, of each key's numbers."""
    return {k: middle(rounds, k) for k in rounds[0] if not isinstance(rounds[0][k], str)}


def ratio(ours, theirs, key):
    """The median of each round's ratio: what the machine does else changes from one round to the next."""
    return statistics.median(a[key] / max(b[key], 1e-9) for a, b in zip(ours, theirs))


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "?")
    return "%s, %d cores, Linux %s" % (model, os.cpu_count(), os.uname().release)


def say(round_number, name, result):
    print("round %d, %s: %s" % (round_number + 1, name, json.dumps(
        {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()})), flush=True)


def heading(title, words):
    return ["# bench: %s, %s" % (title, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())), "",
            "%s. Server on one core%s, load on the other, veth between two namespaces; %s" % (
                machine(), " in real time (SCHED_RR)" if PINNED_SERVER == REALTIME else "", words), ""]


def table(columns, rows):
    """Columns after the first are numbers."""
    return ["| %s |" % " | ".join(columns), "| --- |%s" % (" ---: |" * (len(columns) - 1)),
            *("| %s |" % " | ".join(map(str, row)) for row in rows), ""]


def goal(name, value, wanted, good):
    return "| %s | %s | %s | %s |" % (name, value, wanted, "yes" if good else "**no**")


def goals_table(goals):
    return ["| goal | measured | wanted | met |", "| --- | --- | --- | --- |", *goals, ""]
