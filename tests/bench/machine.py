# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The machine, the daemon, and its processes as /proc shows them."""
import ctypes
import json
import mmap
import os
import pathlib
import platform
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMIT = 60  # seconds that anything may take
VENCD = shutil.which("vencd") or "vencd"  # ./dev puts the release build on the PATH
BUILD = pathlib.Path(VENCD).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))

# The defaults, but for what the rows need: a null encoder, 200 sessions of one user, and no GPU of
# the host's own, which is not what they are about.
SETTINGS = {"NullEncoder": "yes", "SessionsPerUser": "256", "LogLevel": "warning",
            "Hardware": "no", "StateDirectory": ""}


def give_up_priority():
    """As root, SVT-AV1 makes its threads real-time ones, in whichever program: not here."""
    pr_capbset_drop, cap_sys_nice = 24, 23
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.prctl(pr_capbset_drop, cap_sys_nice, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_CAPBSET_DROP)")


def output_of(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=LIMIT).stdout


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def svt_version():
    for line in output_of("SvtAv1EncApp", "--version").splitlines():
        if line.startswith("SVT-AV1"):
            return line.split()[1]
    return "unknown"


def page_fault_us():
    """What the kernel takes to give a program a page: much of what starting an encoder costs."""
    size = 32 << 20
    with mmap.mmap(-1, size) as memory:
        seconds = [0.0, 0.0]
        for turn in (0, 1):  # the second one finds its pages there
            begun = time.thread_time()
            for offset in range(0, size, mmap.PAGESIZE):
                memory[offset] = 1
            seconds[turn] = time.thread_time() - begun
    return (seconds[0] - seconds[1]) * 1e6 / (size // mmap.PAGESIZE)


def describe():
    return {"fault_us": round(page_fault_us(), 2),
            "cpu": cpu_model(), "cores": CORES, "kernel": platform.release(),
            "ffmpeg": output_of("ffmpeg", "-version").split()[2], "svtav1": svt_version()}


def free_bytes(path):
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize


class Use:
    """Of the machine's cores, by the bench with all that it starts, and by others."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.before = self.read()

    def read(self):
        """Ticks of all cores together: all there were, those that we used, and others."""
        line = pathlib.Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
        fields = [int(field) for field in line.split()[1:9]]
        ours = self.daemon.cpu_ticks()
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            use = resource.getrusage(who)
            ours += (use.ru_utime + use.ru_stime) * TICKS
        return sum(fields), ours, sum(fields) - fields[3] - fields[4] - ours

    def since(self):
        """Our CPU seconds, and the share of others (0 to 1; a few ticks are rounding)."""
        after = self.read()
        total, ours, others = (new - old for new, old in zip(after, self.before))
        return round(ours / TICKS, 2), round(others / total, 3) if others > 4 else 0.0


class Daemon:
    """A vencd of its own, on a socket in a temporary directory, with all probes done."""

    def __init__(self, settings=(), through=()):
        """With settings besides, started through another program's command line."""
        self.directory = tempfile.TemporaryDirectory(prefix="vencd-bench-")
        path = pathlib.Path(self.directory.name)
        self.socket = path / "socket"
        self.config = path / "vencd.conf"
        settings = {**SETTINGS, "Socket": self.socket, **dict(settings)}
        self.config.write_text("".join(f"{k}={v}\n" for k, v in settings.items()), encoding="utf-8")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path / "notify"))
            notify.settimeout(LIMIT)
            with (path / "log").open("wb") as log:
                self.process = subprocess.Popen(
                    [*through, VENCD, "--config", self.config], stderr=log,
                    env={**os.environ, "NOTIFY_SOCKET": str(path / "notify")})
            try:
                while "READY=1" not in notify.recv(4096).decode().split("\n"):
                    pass
                self.await_probes()
            except BaseException:
                self.process.kill()
                sys.stderr.write((path / "log").read_text(encoding="utf-8"))
                raise

    def await_probes(self):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            out = output_of(BUILD / "vencctl", "--socket", self.socket, "devices", "--json")
            if all(row["state"] != "probing" for row in json.loads(out)["devices"]):
                self.settle()
                return
            time.sleep(0.1)
        raise TimeoutError("the daemon does not end its probes")

    def settle(self):
        """Until a worker waits for the next session: no process comes, goes or computes."""
        still, before = 0, None
        while still < 4:
            now = [(pid, cpu_ticks(pid)) for pid in self.processes()]
            still = still + 1 if now == before else 0
            before = now
            time.sleep(0.05)

    def processes(self, dead=False):
        """Pids of the supervisor and its children; on demand also of those not reaped yet."""
        pids = [self.process.pid]
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            fields = stat_fields(path.name)
            if fields and int(fields[1]) == self.process.pid and (dead or fields[0] != "Z"):
                pids.append(int(path.name))
        return sorted(pids)

    def cpu_ticks(self):
        """Of its processes, also those that have ended."""
        fields = stat_fields(self.process.pid)
        return int(fields[13]) + int(fields[14]) + sum(map(cpu_ticks, self.processes(dead=True)))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT)
        self.directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def stat_fields(pid):
    """Those of /proc/PID/stat behind the name; [] for a process that is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def cpu_ticks(pid):
    fields = stat_fields(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


class CpuGroup:
    """A group of processes that has one share of the machine, as a user's slice or a service has.

    A user's session may be one anyway, a container's processes are not: so it is made here.
    """

    def __init__(self):
        self.path = None
        for top in map(pathlib.Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/cpu")):
            if self.has_shares(top):
                try:
                    self.path = top / f"vencd-bench-{os.getpid()}"
                    self.path.mkdir()
                    return
                except OSError:
                    self.path = None

    @staticmethod
    def has_shares(top):
        """Version 1, or one of version 2 whose groups have the controller."""
        children = top / "cgroup.subtree_control"
        if children.exists():
            return "cpu" in children.read_text(encoding="utf-8").split()
        return (top / "cpu.shares").exists()

    def __bool__(self):
        return self.path is not None

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")

    def remove(self):
        """Its processes have ended, or are about to."""
        end = time.monotonic() + LIMIT
        while self.path:
            try:
                self.path.rmdir()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


def memory_of(pids):
    """Summed over processes, in MiB; the proportional size counts shared pages once."""
    total = {"pss_mib": 0.0, "rss_mib": 0.0, "processes": len(pids)}
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        for line in text.splitlines():
            for name in ("Pss", "Rss"):
                if line.startswith(name + ":"):
                    total[name.lower() + "_mib"] += int(line.split()[1]) / 1024
    return {key: round(value, 1) for key, value in total.items()}


def cpu_share(pids, seconds):
    """Part of one core that each of them used."""
    before = [cpu_ticks(pid) for pid in pids]
    time.sleep(seconds)
    return [(cpu_ticks(pid) - old) / TICKS / seconds for pid, old in zip(pids, before)]
