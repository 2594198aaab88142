# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""A process that SIGKILL does not end is counted and never waited for.

The worker writes a line to its stderr, which a script has made a file on a frozen file system: it
sleeps there without being interruptible until the file system is thawed. The supervisor's own log
writer sleeps there as well, which must not hold up the supervisor. Needs root, mount and loop
devices; skipped without.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, Daemon, Programs, main, until


class Frozen:
    """A small ext4 that can be frozen."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="vencd-frozen-")
        image = pathlib.Path(self.directory.name, "image")
        self.path = pathlib.Path(self.directory.name, "mount")
        self.path.mkdir()
        with open(image, "wb") as file:
            file.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", image, self.path], check=False,
                                 capture_output=True, text=True)
        if mounted.returncode:
            self.directory.cleanup()
            raise unittest.SkipTest(f"no loop mount here: {mounted.stderr.strip()}")
        return self

    def freeze(self, thaw=False):
        subprocess.run(["fsfreeze", "-u" if thaw else "-f", self.path], check=not thaw)

    def __exit__(self, *_):
        self.freeze(thaw=True)
        until(lambda: subprocess.run(["umount", self.path], check=False).returncode == 0,
              "the file system is left")
        self.directory.cleanup()


@unittest.skipIf(os.geteuid() != 0, "needs root")
@unittest.skipUnless(shutil.which("mount"), "needs mount")
class Tombstone(unittest.TestCase):

    def test_counted_and_never_waited_for(self):
        worker = f"exec {BUILD.resolve()}/vencd-worker"
        with Frozen() as frozen, Programs(
                vencd_worker=f"exec 2>>{frozen.path}/worker && {worker}") as programs:
            settings = {"KillGrace": "300ms", "TombstonesMax": 2, "WarmWorkers": 4,
                        "SessionsPerWorker": 1, "StopTimeout": "1s", "SoftwareEncoders": "libx264"}
            with Daemon(settings, log=frozen.path / "log",
                        programs=programs.path) as daemon:
                until(lambda: len(daemon.children("vencd-worker")) == 4, "warm workers")
                frozen.freeze()
                try:
                    self.wedge(daemon, 1)
                    self.others_are_fine(daemon)
                    self.wedge(daemon, 2)
                    self.device_takes_no_more(daemon)
                finally:
                    frozen.freeze(thaw=True)
                self.both_threads_were_looked_at(daemon)
                until(lambda: daemon.counters()["tombstones"] == 0, "the dead are buried")
                self.assertEqual(daemon.counters()["reclaimed"], 2)
                self.assertEqual(daemon.feed(frames=3).result()["report"]["outcome"], "complete")

    def wedge(self, daemon, n):
        report = daemon.feed(frames=9, script="send:3:print").result()["report"]
        self.assertEqual(report["attempts"][0]["end"], "abandoned", report)
        self.assertEqual(report["attempts"][0]["call"], "send")
        counters = until(lambda: (c := daemon.counters())["tombstones"] == n and c, "a tombstone")
        self.assertEqual(counters["reclaimed"], 0, counters)
        self.assertEqual(counters["leakedThreads"], n, counters)

    def both_threads_were_looked_at(self, daemon):
        """The run thread and the main one, when the process became a tombstone: it is in the log,
        which could not be written until now."""
        def looked_at():
            return re.findall(r"vencd-worker\[(\d+)\]: thread (\d+) \((\S+)\) in state (\S) .*, "
                              r"system call (.*), waiting in (\S+)", daemon.messages())
        rows = until(lambda: len(rows := looked_at()) >= 4 and rows, "four threads")
        run = [row for row in rows if row[2].startswith("run-") and row[3] == "D"]
        self.assertEqual(len({row[0] for row in run}), 2, rows)
        for row in run:
            self.assertEqual(row[4], "write", rows)
            self.assertRegex(row[5], "^[a-z_]", rows)

    def others_are_fine(self, daemon):
        self.assertEqual(daemon.feed(frames=20).result()["report"]["outcome"], "complete")

    def device_takes_no_more(self, daemon):
        feeder = daemon.feed(frames=1)
        feeder.release()
        _, errors = feeder.process.communicate(timeout=60)
        self.assertEqual(feeder.process.returncode, 3)
        self.assertIn("do not die, TombstonesMax=2", errors)
        fine = daemon.feed(frames=5, backend="software", codec="h264", speed=13)
        self.assertEqual(fine.result()["report"]["outcome"], "complete")


if __name__ == "__main__":
    main()
