# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Proofs from start to start: when one is used, when all is tried anew, and what a file or a disk
that is not as it should be costs.

The null encoder stands in for a device, as in proof.py; at the end there are emulated GPUs.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import fuse
from gpus import GpuDaemon, skip_without_root
from harness import BUILD, LIMIT, Daemon, main, run_tool, until

SETTINGS = {"FullProof": "null", "SoftwareEncoders": "", "Hardware": "no", "WarmWorkers": "0"}
LACKING = "/" * 4 + "send:3:error/"  # in the case "quality live"
DAY = 24 * 3600 * 1000000


class Cache(unittest.TestCase):

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vencd-state-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.directory / "proofs.json"

    def daemon(self, script="", environment=None, **settings):
        return Daemon({**SETTINGS, "NullProbeScript": script,
                       "StateDirectory": self.directory, **settings}, environment=environment)

    def proved(self, script="", environment=None, **settings):
        """What a start shows of the null encoder, and what it logs until its end."""
        with self.daemon(script, environment, **settings) as daemon:
            row = self.settled(daemon)
            log = daemon.messages()
            daemon.process.send_signal(signal.SIGTERM)  # what is to be written is written
            daemon.process.wait(LIMIT)
            return row, log + daemon.messages()[len(log):]

    def settled(self, daemon):
        def row():
            row = daemon.counters()
            return not row["probing"] and row["state"] not in ("probing", "untested") and row
        return until(row, "the probe ends")

    def records(self):
        return json.loads(self.file.read_text())["encoders"]

    def change(self, change):
        text = json.loads(self.file.read_text())
        change(text)
        self.file.write_text(json.dumps(text))

    def check_cached(self, row, before):
        self.assertIn("probeCached", row)
        self.assertTrue(row["probeCached"], row)
        self.assertEqual(row["probedUs"], before["probedUs"])
        for new, old in zip(row["proof"], before["proof"], strict=True):
            self.assertEqual(new["case"], old["case"])
            if new["case"] == "base":
                self.assertGreater(new["atUs"], old["atUs"])
            else:
                self.assertEqual(new, old)
        for name in ("state", "rateControls", "pixelRate", "maxWidth", "maxHeight", "minWidth",
                     "minHeight", "formats"):
            self.assertEqual(row[name], before[name], name)

    def check_anew(self, row, before):
        self.assertFalse(row["probeCached"], row)
        for new, old in zip(row["proof"], before["proof"], strict=True):
            self.assertGreater(new["atUs"], old["atUs"])


class Use(Cache):

    def test_second_start(self):
        """Each case takes time; the second start takes that of one."""
        script = "open:1:slow:300"
        with self.daemon(script) as daemon:
            begin = time.monotonic()
            before = self.settled(daemon)
            first = time.monotonic() - begin
        self.assertFalse(before["probeCached"])
        self.assertEqual(before["state"], "proven")
        self.assertGreater(len(before["proof"]), 10)
        self.assertLessEqual(before["proof"][-1]["atUs"], before["probedUs"])
        with self.daemon(script) as daemon:
            begin = time.monotonic()
            row = self.settled(daemon)
            second = time.monotonic() - begin
            self.check_cached(row, before)
            log = daemon.messages()
            self.assertIn("is still true of it (null 1)", log)
            self.assertNotIn("proven by", log)
            text = run_tool("--socket", daemon.socket, "devices", "--verbose").stdout
            self.assertIn("kept from before the daemon's start", text)
            self.assertIn("8192x8192", text)
            # It takes work at what was proved before.
            report = daemon.feed(frames=3, latency="live").result()["report"]
            self.assertEqual(report["outcome"], "complete")
        self.assertGreater(first, 3)
        self.assertLess(second, first / 2)
        self.check_cached(self.proved(script)[0], before)  # and the third

    def test_degraded(self):
        before, _ = self.proved(LACKING)
        self.assertEqual(before["state"], "degraded", before)
        with self.daemon() as daemon:
            row = self.settled(daemon)
            self.check_cached(row, before)
            self.assertIn("quality live (library)", row["detail"])
            self.assertIn("rate control", daemon.feed(frames=1, latency="live").refusal())

    def test_broken_is_not_kept(self):
        with self.daemon("/send:3:crash", QuarantineMin="1h", QuarantineMax="1h") as daemon:
            self.assertEqual(self.settled(daemon)["state"], "broken")
        self.assertFalse(self.file.exists())

    def test_a_base_that_fails(self):
        self.proved()
        row, _ = self.proved("send:3:crash", QuarantineMin="1h", QuarantineMax="1h")
        self.assertEqual(row["state"], "broken", row)
        self.assertEqual(self.records(), [])

    def test_renewal(self):
        before, _ = self.proved()
        with self.daemon() as daemon:
            self.check_cached(self.settled(daemon), before)
            run_tool("--socket", daemon.socket, "probe")
            row = self.settled(daemon)
            self.check_anew(row, before)
        self.check_cached(self.proved()[0], row)

    def test_verdict(self):
        """It is gone before the probe that looks into the failure has ended."""
        before, _ = self.proved()
        with self.daemon("|open:1:slow:3000") as daemon:
            self.check_cached(self.settled(daemon), before)
            self.assertEqual(len(self.records()), 1)
            daemon.feed(frames=8, script="send:2:crash").result()
            until(lambda: not self.records(), "it is dropped")
            self.assertTrue(daemon.counters()["probing"])
            self.assertEqual(daemon.counters()["strikes"], 0)
            until(lambda: daemon.counters()["strikes"] == 1, "the verdict")
        self.check_anew(self.proved()[0], before)

    def test_state_directory_of_systemd(self):
        if os.path.exists("/var/lib/vencd"):
            self.skipTest("there is a state directory on this host")
        environment = {"STATE_DIRECTORY": f"{self.directory}:/nowhere"}
        before, _ = self.proved(environment=environment, StateDirectory="/var/lib/vencd")
        self.assertEqual(len(self.records()), 1)
        row, _ = self.proved(environment=environment, StateDirectory="/var/lib/vencd")
        self.check_cached(row, before)
        # What the settings name comes first, and nothing is nothing.
        for setting in (self.directory / "other", ""):
            row, _ = self.proved(environment=environment, StateDirectory=setting)
            self.check_anew(row, before)

    def test_private(self):
        config = self.directory / "vencd.conf"
        state = self.directory / "state"
        state.mkdir()
        config.write_text(f"NullEncoder=yes\nFullProof=null\nSoftwareEncoders=\nHardware=no\n"
                          f"StateDirectory={state}\nLogLevel=debug\n")
        ours, theirs = socket.socketpair()
        with ours, subprocess.Popen(
                [BUILD / "vencd", "--config", config, "--connection", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True) as daemon:
            theirs.close()
            log = ""
            while "proven by" not in log:
                line = daemon.stderr.readline()
                self.assertTrue(line, log)
                log += line
            ours.close()
            log += daemon.stderr.read()
            self.assertEqual(daemon.wait(LIMIT), 0, log)
        self.assertEqual(list(state.iterdir()), [])


class Keys(Cache):

    def setUp(self):
        super().setUp()
        self.before, _ = self.proved()

    def check_changed(self, change, words, **settings):
        self.change(change)
        row, log = self.proved(**settings)
        self.check_anew(row, self.before)
        self.assertIn("an earlier proof is not used", log)
        self.assertIn(words, log)
        self.check_cached(self.proved(**settings)[0], row)  # that is the one from now on
        self.before = row

    def key(self, **changes):
        def change(text):
            for record in text["encoders"]:
                self.assertLessEqual(set(changes), set(record["key"]))
                record["key"].update(changes)
        return change

    def value(self, **changes):
        return lambda text: text["encoders"][0].update(changes)

    def test_kernel(self):
        self.check_changed(self.key(kernel="6.1.0-other"), "kernel is not the same")

    def test_drivers(self):
        self.check_changed(self.key(driverVersion="2"), "driverVersion is not the same")
        self.check_changed(self.key(vendorId=0x1002), "vendorId is not the same")
        self.check_changed(self.key(driverLibraries="1 files, 0"), "driverLibraries is not")

    def test_vencd(self):
        self.check_changed(self.key(vencd="0.0.1"), "vencd is not the same")
        self.check_changed(self.key(cases=999), "cases is not the same")

    def test_environment(self):
        self.check_changed(lambda text: None, "driverEnvironment is not the same",
                           DriverEnvironment="RADEON_DEBUG=1")

    def test_version(self):
        """That of the library is known when the base has been tried."""
        self.check_changed(self.value(version="null 0"), "it is of null 0")

    def test_age(self):
        now = time.time_ns() // 1000
        self.check_changed(self.value(provedUs=now - 8 * DAY), "older than ProofAge")
        self.check_changed(self.value(provedUs=now + DAY), "it is of the future")
        self.change(self.value(provedUs=now - 6 * DAY))
        self.check_cached(self.proved()[0], {**self.before, "probedUs": now - 6 * DAY})
        self.check_anew(self.proved(ProofAge="5d")[0], self.before)


class Files(Cache):

    before = None

    def check_ignored(self, spoil, words):
        before = self.before or self.proved()[0]
        spoil()
        row, log = self.proved()
        self.check_anew(row, before)
        self.assertEqual(log.count("proofs.json is not used"), 1, log)
        self.assertIn(words, log)
        self.assertTrue(self.file.is_file() and not self.file.is_symlink())
        self.assertEqual(len(self.records()), 1)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(list(self.directory.iterdir()), [self.file])
        self.before = row

    def rewrite(self, change):
        """change: from the text to another."""
        return lambda: self.file.write_bytes(change(self.file.read_bytes()))

    def set(self, *path, value):
        def change(text):
            for name in path[:-1]:
                text = text[name]
            self.assertIn(path[-1], text)
            text[path[-1]] = value
        return lambda: self.change(change)

    def test_damaged(self):
        """More of this is in tests/unit/proof_file.c."""
        self.check_ignored(self.rewrite(lambda text: text[:len(text) // 2]), "it is damaged")
        self.check_ignored(self.rewrite(lambda text: text.replace(b"}", b"\0", 1)),
                           "it is damaged")
        self.check_ignored(self.set("encoders", 0, "proof", 3, "state", value=7), "it is damaged")

    def test_another_format(self):
        self.check_ignored(self.set("format", value=3), "it has another format")

    def test_a_wider_reach_is_none(self):
        """What is told beyond the catalogue's is not believed."""
        before, _ = self.proved()
        self.set("encoders", 0, "reach", "maxWidth", value=1 << 20)()
        row, _ = self.proved()
        self.assertTrue(row["probeCached"])
        self.assertEqual(row["maxWidth"], before["maxWidth"])

    def test_huge(self):
        self.check_ignored(lambda: os.truncate(self.file, 1 << 40), "it is too large")

    def test_writable_by_others(self):
        self.check_ignored(lambda: self.file.chmod(0o662), "others may write to it")

    def test_no_plain_file(self):
        def be_fifo():
            self.file.unlink()
            os.mkfifo(self.file, 0o600)
        self.check_ignored(be_fifo, "it is no plain file")

    def test_link(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            target = pathlib.Path(elsewhere, "target")

            def be_link():
                self.file.rename(target)
                self.file.symlink_to(target)
            self.check_ignored(be_link, "symbolic links")
            self.assertEqual(len(json.loads(target.read_text())["encoders"]), 1)

    def test_foreign(self):
        skip_without_root(self)
        self.check_ignored(lambda: os.chown(self.file, 60003, 60003), "it is another user's")

    def test_what_was_left_behind(self):
        """Half a file of a daemon that was killed is in nobody's way."""
        before, _ = self.proved()
        (self.directory / "proofs.json.new").write_text("{")
        row, log = self.proved()
        self.check_cached(row, before)
        self.assertNotIn("not used", log)
        old = time.time_ns() // 1000 - 8 * DAY
        self.change(lambda text: text["encoders"][0].update(provedUs=old))
        self.check_anew(self.proved()[0], before)  # and written anew
        self.assertEqual(list(self.directory.iterdir()), [self.file])


class Disks(Cache):

    def start(self, *words, **settings):
        """The daemon below a shell that has mounted something; of the directory it has a copy."""
        mount = words[0]

        class Mounting(Daemon):
            def command(self, words):
                return ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
                        f"mount --make-rprivate / 2>/dev/null; {mount}; exec \"$@\"", "sh",
                        *words]
        return Mounting({**SETTINGS, "StateDirectory": self.directory, **settings})

    def check_costs_a_line(self, daemon, words, level):
        with daemon:
            self.assertEqual(self.settled(daemon)["state"], "proven")
            run_tool("--socket", daemon.socket, "probe")
            self.assertEqual(daemon.feed(frames=3).result()["report"]["outcome"], "complete")
            daemon.process.send_signal(signal.SIGTERM)
            daemon.process.wait(LIMIT)
            lines = [line for line in daemon.messages().splitlines() if words in line]
            self.assertEqual(len(lines), 1, daemon.messages())
            self.assertIn(f" {level}: ", lines[0])

    def test_read_only(self):
        skip_without_root(self)
        mount = f"mount -t tmpfs -o ro state {self.directory}"
        self.check_costs_a_line(self.start(mount), "cannot be written to", "warning")

    def test_full(self):
        skip_without_root(self)
        mount = (f"mount -t tmpfs -o size=8k state {self.directory};"
                 f" head -c 9000 /dev/zero >{self.directory}/other 2>/dev/null")
        self.check_costs_a_line(self.start(mount), "No space left on device", "warning")

    def test_none(self):
        gone = self.directory / "gone"
        self.check_costs_a_line(self.daemon(StateDirectory=gone), "proofs are not kept", "warning")
        if not os.path.exists("/var/lib/vencd"):
            self.check_costs_a_line(self.daemon(StateDirectory="/var/lib/vencd"),
                                    "proofs are not kept", "debug")

    def test_another_daemon(self):
        with self.daemon() as first:
            self.settled(first)
            self.check_costs_a_line(self.daemon(), "is another vencd's", "warning")
        self.assertEqual(len(self.records()), 1)

    def test_silent(self):
        """A file that is never read: the daemon starts without it, and works."""
        if fuse.why_not():
            self.skipTest(fuse.why_not())
        self.proved()

        directory = self.directory

        class Silent(Daemon):
            def command(self, words):
                return [sys.executable, "-c", SILENT, directory, *words]
        try:
            begin = time.monotonic()
            daemon = Silent({**SETTINGS, "StateDirectory": self.directory})
            self.assertLess(time.monotonic() - begin, 20)
            self.assertEqual(self.settled(daemon)["state"], "proven")
            self.assertEqual(daemon.feed(frames=3).result()["report"]["outcome"], "complete")
            self.assertIn("does not answer: proofs of earlier", daemon.messages())
            daemon.process.send_signal(signal.SIGTERM)
            until(lambda: "does not answer: what was proved last" in daemon.messages(),
                  "its end does not wait for the disk")
        finally:
            os.kill(int((self.directory / "server").read_text()), signal.SIGKILL)
        daemon.stop()


# Mounts the silent file over the one of proofs, leaves its server behind, and becomes the daemon.
SILENT = f"""
import os, pathlib, struct, sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
import fuse
def attributes():
    return struct.pack("<QII6Q10I", 3600, 0, 0, 1, 4096, 8, 0, 0, 0, 0, 0, 0, 0o100600, 1, 0, 0,
                       0, 4096, 0)
fuse.attributes = attributes
directory = pathlib.Path(sys.argv[1])
fd = fuse.mount(str(directory / "proofs.json"))
server = os.fork()
if server == 0:
    fuse.serve(fd)
    os._exit(0)
os.close(fd)
(directory / "server").write_text(str(server))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Gpus(Cache):

    def start(self, model="h264-only", date="2026-01-01", **settings):
        """The driver's file is another one in each start, but for its date."""
        class Dated(GpuDaemon):
            def command(self, words):
                host, *rest = super().command(words)
                shell = rest.index("sh")
                touch = f'touch -d {date} "$LIBVA_DRIVERS_PATH"/vencd_drv_video.so && '
                return [host, *rest[:shell + 2], touch + rest[shell + 2], *rest[shell + 3:]]
        return Dated({"a": model}, {"StateDirectory": self.directory, "ProbeBudget": "60s",
                                    "OpenBudget": "10s", "EncodeBudget": "10s",
                                    "FlushBudget": "10s", "CloseBudget": "10s", **settings})

    def test_driver(self):
        skip_without_root(self)
        with self.start() as daemon:
            before = self.row(daemon)
            self.assertEqual((before["state"], before["probeCached"]), ("proven", False), before)
        self.assertEqual([r["key"]["device"] for r in self.records()], ["pci-0000:01:00.0"])
        with self.start() as daemon:
            self.check_cached(self.row(daemon), before)
            feeder = daemon.feed(backend="hardware", codec="h264", frames=5)
            self.assertEqual(feeder.result()["report"]["outcome"], "complete")
        with self.start(date="2026-01-02") as daemon:
            self.assertIn("driverLibraries is not the same", daemon.messages())
            self.check_anew(self.row(daemon), before)

    def row(self, daemon):
        daemon.await_probes()
        return daemon.row("01:00.0", "h264_vaapi")


if __name__ == "__main__":
    main()
