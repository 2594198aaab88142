# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""One user's latency while another does all that the system tests know to be hostile.

The attackers are eleven busy programs. What they take from the others by computing, any eleven
programs would: that is for the host to share out between its users, and no matter of vencd's. So
they are measured three times: with a share of the processors that is their user's, as a host with a
slice for each user gives them; as eleven programs beside everything else; and as the same eleven at
another vencd, which costs the processors as much and ours nothing.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

import machine
import rows
from table import Row

CLIENT = pathlib.Path(__file__).resolve().parents[1] / "system/hostile_client.py"
sys.path.insert(0, str(CLIENT.parent))
import fuse  # pylint: disable=wrong-import-position
import hostile_client  # pylint: disable=wrong-import-position

HOSTILE_USER = 20001
END_S = 15
FRAMES = 301  # a turn: its p99 is the fourth of the worst
NULL = {"codec": "av1", "backend": "null", "latency": "live", "width": 1280, "height": 720}


class Attackers:
    """All attacks at once, while the block lasts; in a group, if there is one."""

    def __init__(self, daemon, group):
        self.enter = group.enter if group else None
        silent = pathlib.Path(daemon.directory.name, "silent")
        silent.touch()
        self.environment = {**os.environ, "SILENT_FILE": str(silent)}
        self.socket = daemon.socket

    def __enter__(self):
        names = [name for name in hostile_client.ATTACKS
                 if name not in hostile_client.NEED_FUSE or not fuse.why_not()]
        self.processes = [subprocess.Popen(
            [sys.executable, CLIENT, name, self.socket, str(HOSTILE_USER)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment,
            preexec_fn=self.enter) for name in names]
        for process in self.processes:
            process.stdout.readline()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


    def cpu_ticks(self):
        """Those that serve a file have forked."""
        mine = {str(process.pid) for process in self.processes}
        total = 0
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            fields = machine.stat_fields(path.name)
            if fields and (path.name in mine or fields[1] in mine):
                total += machine.cpu_ticks(path.name)
        return total


class Both:
    """Two daemons, as one that a turn waits for and counts."""

    def __init__(self, *daemons):
        self.daemons = daemons

    def settle(self):
        for daemon in self.daemons:
            daemon.settle()

    def cpu_ticks(self):
        return sum(daemon.cpu_ticks() for daemon in self.daemons)


class Turns:
    """The sides of the row, and what was computed for whom meanwhile."""

    def __init__(self, daemon, other, group):
        self.daemon, self.other, self.group = daemon, other, group
        self.shares = {"the attackers": [], "the supervisor": [], "all of vencd": []}

    def quiet(self):
        result = rows.produce(socket=self.daemon.socket, frames=FRAMES, pace=rows.LIVE_RATE, **NULL)
        return rows.percentile(result["latency_us"][1:], 0.99) / 1000

    def ticks(self, attackers):
        return (attackers.cpu_ticks(), machine.cpu_ticks(self.daemon.process.pid),
                self.daemon.cpu_ticks())

    def beside(self, group):
        with Attackers(self.daemon, group) as attackers:
            begun, before = time.monotonic(), self.ticks(attackers)
            result = self.quiet()
            seconds = time.monotonic() - begun
            for name, old, new in zip(self.shares, before, self.ticks(attackers)):
                self.shares[name].append((new - old) / machine.TICKS / seconds)
        return result

    def elsewhere(self):
        with Attackers(self.other, None):
            return self.quiet()

    def sides(self):
        sides = {"quiet": self.quiet, "same": lambda: self.beside(None)}
        sides["elsewhere"] = self.elsewhere
        return sides | ({"own": lambda: self.beside(self.group)} if self.group else {})

    def computed(self):
        return ", ".join(f"{name} {statistics.median(shares):.0%}"
                         for name, shares in self.shares.items())


def disturbance(bench):
    what = f"720p{rows.LIVE_RATE} live null, submit to packet, p99, beside a hostile user"
    if os.geteuid() != 0:
        bench.facts[what] = "not measured: needs root, to be two users"
        return
    group = machine.CpuGroup()
    try:
        with machine.Daemon() as daemon, machine.Daemon() as other:
            for attacked in (daemon, other):
                os.chmod(attacked.directory.name, 0o755)
            turns = Turns(daemon, other, group)
            found = bench.in_turns(Both(daemon, other), turns.sides())
    finally:
        group.remove()
    if group:
        bench.rows.append(Row(f"{what} with a CPU share of its own", "ms", found["own"],
                              found["quiet"], "quiet", "<= 2"))
    else:
        bench.facts[f"{what} with a CPU share of its own"] = "not measured: no cgroup can be made"
    bench.rows.append(Row(f"{what} at the same priority", "ms", found["same"], found["quiet"],
                          "quiet"))
    bench.rows.append(Row(f"{what} at the same priority", "ms", found["same"], found["elsewhere"],
                          "one at another vencd"))
    bench.facts["beside a hostile user, CPU time of one core"] = turns.computed()
