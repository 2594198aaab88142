# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The machine, the daemon, and its processes as /proc shows them."""
import ctypes
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time

LIMIT = 60  # seconds that anything may take
VENCD = shutil.which("vencd") or "vencd"  # ./dev puts the release build on the PATH
BUILD = pathlib.Path(VENCD).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))

# The defaults, but for what the rows need: a null encoder, and 200 sessions of one user.
SETTINGS = {"NullEncoder": "yes", "SessionsPerUser": "256", "LogLevel": "warning"}


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


def describe():
    return {"cpu": cpu_model(), "cores": CORES, "kernel": platform.release(),
            "ffmpeg": output_of("ffmpeg", "-version").split()[2], "svtav1": svt_version()}


def free_bytes(path):
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize


def busy(seconds=1.0):
    """The share of all cores that others use while the bench does nothing, 0 to 1."""
    def read():
        line = pathlib.Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
        fields = [int(field) for field in line.split()[1:9]]
        return sum(fields), fields[3] + fields[4]
    before = read()
    time.sleep(seconds)
    after = read()
    return round(1 - (after[1] - before[1]) / max(after[0] - before[0], 1), 3)


class Daemon:
    """A vencd of its own, on a socket in a temporary directory, with all probes done."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="vencd-bench-")
        path = pathlib.Path(self.directory.name)
        self.socket = path / "socket"
        config = path / "vencd.conf"
        settings = {**SETTINGS, "Socket": self.socket}
        config.write_text("".join(f"{k}={v}\n" for k, v in settings.items()), encoding="utf-8")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path / "notify"))
            notify.settimeout(LIMIT)
            self.process = subprocess.Popen(
                [VENCD, "--config", config],
                env={**os.environ, "NOTIFY_SOCKET": str(path / "notify")})
            while "READY=1" not in notify.recv(4096).decode().split("\n"):
                pass
        self.await_probes()

    def await_probes(self):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            out = output_of(BUILD / "vencctl", "--socket", self.socket, "devices", "--json")
            if all(row["probedUs"] for row in json.loads(out)["devices"]):
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

    def processes(self):
        """Pids of the supervisor and its children."""
        pids = [self.process.pid]
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z":
                pids.append(int(stat.parent.name))
        return sorted(pids)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT)
        self.directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def cpu_ticks(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


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
