# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""One user's latency while another does all that the system tests know to be hostile."""
import os
import pathlib
import subprocess
import sys

import machine
import rows
from table import Row

CLIENT = pathlib.Path(__file__).resolve().parents[1] / "system/hostile_client.py"
sys.path.insert(0, str(CLIENT.parent))
import fuse  # pylint: disable=wrong-import-position
import hostile_client  # pylint: disable=wrong-import-position

HOSTILE_USER = 20001
END_S = 15
NULL = {"codec": "av1", "backend": "null", "latency": "live", "width": 1280, "height": 720}


class Attackers:
    """All attacks at once, while the block lasts."""

    def __init__(self, daemon):
        silent = pathlib.Path(daemon.directory.name, "silent")
        silent.touch()
        self.environment = {**os.environ, "SILENT_FILE": str(silent)}
        self.socket = daemon.socket

    def __enter__(self):
        names = [name for name in hostile_client.ATTACKS
                 if name not in hostile_client.NEED_FUSE or not fuse.why_not()]
        self.processes = [subprocess.Popen(
            [sys.executable, CLIENT, name, self.socket, str(HOSTILE_USER)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment) for name in names]
        for process in self.processes:
            process.stdout.readline()

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


def disturbance(bench):
    what = f"720p{rows.LIVE_RATE} live null, submit to packet, p99, beside a hostile user"
    if os.geteuid() != 0:
        bench.facts[what] = "not measured: needs root, to be two users"
        return

    def quiet():
        result = rows.produce(socket=daemon.socket, frames=rows.LATENCY_FRAMES,
                              pace=rows.LIVE_RATE, **NULL)
        return rows.percentile(result["latency_us"][1:], 0.99) / 1000

    def disturbed():
        with Attackers(daemon):
            return quiet()

    with machine.Daemon() as daemon:
        os.chmod(daemon.directory.name, 0o755)
        found = bench.in_turns(daemon, {"quiet": quiet, "beside a hostile user": disturbed})
    bench.rows.append(Row(what, "ms", found["beside a hostile user"], found["quiet"], "quiet",
                          "<= 2"))
