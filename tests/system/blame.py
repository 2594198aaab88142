# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Who pays for a failure: strikes, quarantine and parole, leak budgets, workers that grow.

The null encoder stands in for a device; its clients wedge it at will, and NullProbeScript says how
the device does in its probes. Uids are real ones, so most of this needs root.
"""

import datetime
import json
import os
import re
import select
import subprocess
import time
import unittest

from harness import BUILD, Daemon, main, run_tool, until

HOSTILE, ACCOMPLICE, HONEST = 60001, 60002, 60003
FRAMES = 8
STRICT = {"StrikesMax": 3, "StrikesPerEncoder": 6, "QuarantineUsers": 2, "SoftwareEncoders": ""}
WEDGE = "send:2:hang"


class Uids(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root, to be several users")
        try:
            subprocess.run([BUILD / "tests/system/feeder"], user=HONEST, check=False,
                           stderr=subprocess.DEVNULL)
        except PermissionError:
            raise unittest.SkipTest("other users cannot run what is in this directory") from None

    def daemon(self, **settings):
        return Daemon({**STRICT, **settings})

    def fail(self, daemon, uid, script=WEDGE, end="abandoned", **keys):
        report = daemon.feed(uid=uid, script=script, frames=FRAMES, **keys).result()["report"]
        self.assertEqual(report["attempts"][0]["end"], end, report)
        return report

    def encode(self, daemon, uid, **keys):
        result = daemon.feed(uid=uid, frames=FRAMES, **keys).result()
        self.assertEqual(result["report"]["outcome"], "complete", result)
        return result

    def refused(self, daemon, uid, **keys):
        errors = daemon.feed(uid=uid, frames=1, **keys).refusal()
        self.assertIn("NoEncoder", errors)
        return errors

    def await_state(self, daemon, state):
        return until(lambda: (c := daemon.counters())["state"] == state and c, state)


class Strikes(Uids):

    def test_a_hostile_uid_loses_the_encoder_and_others_keep_it(self):
        with self.daemon(SoftwareEncoders="libx264") as daemon:
            running = daemon.feed(uid=HONEST, frames=30)
            running.await_ready()
            for n in range(3):
                self.fail(daemon, HOSTILE)
                self.encode(daemon, HONEST)
                until(lambda n=n: daemon.counters()["strikes"] == n + 1, "the strike")
            errors = self.refused(daemon, HOSTILE)
            self.assertIn(f"lost to uid {HOSTILE} until 2", errors)
            self.assertIn("3 strikes", errors)
            self.assertIn("StrikesMax=3", errors)
            # What is lost is this encoder, for requests of this shape, to this uid.
            self.encode(daemon, HONEST)
            self.encode(daemon, HOSTILE, width=1920, height=1080)
            self.encode(daemon, HOSTILE, backend="software", codec="h264", speed=13)
            self.assertEqual(running.result()["report"]["outcome"], "complete")
            counters = daemon.counters()
            self.assertEqual((counters["state"], counters["quarantines"], counters["strikes"]),
                             ("proven", 0, 3), counters)

    def test_whatever_the_shapes(self):
        shapes = [{}, {"width": 1920, "height": 1080}, {"format": "nv12"}, {"codec": "hevc"}]
        with self.daemon(StrikesPerEncoder=4) as daemon:
            for keys in shapes:
                self.fail(daemon, HOSTILE, **keys)
            errors = self.refused(daemon, HOSTILE, codec="h264")
            self.assertIn("4 strikes", errors)
            self.assertIn("StrikesPerEncoder=4", errors)
            self.encode(daemon, HONEST)

    def test_access_comes_back(self):
        with self.daemon(StrikeTime="2s") as daemon:
            for _ in range(2):
                self.fail(daemon, HOSTILE)
            begin = time.monotonic()
            self.fail(daemon, HOSTILE)  # takes EncodeBudget, and the strike comes after it

            def accepted():
                return daemon.feed(uid=HOSTILE, frames=FRAMES).end()[0] == 0
            self.assertFalse(accepted())
            until(accepted, "the encoder is given back")
            self.assertGreaterEqual(time.monotonic() - begin, 0.5 + 2)

    def test_what_is_a_strike(self):
        scripts = {WEDGE: "abandoned", "send:2:crash": "crashed", "send:2:exit:3": "exited",
                   "receive:1:garbage:nokey": "wrong_output", "send:2:error:device-lost": "error",
                   "send:*:error:again": "stalled"}
        with self.daemon(StrikesMax=0, StrikesPerEncoder=0) as daemon:
            for n, (script, end) in enumerate(scripts.items(), 1):
                self.fail(daemon, HOSTILE, script, end)
                until(lambda n=n: daemon.counters()["strikes"] == n, f"a strike for {script}")
            # An error is an answer, and a cancel the client's own end.
            self.fail(daemon, HOSTILE, "send:2:error", "error")
            daemon.feed(uid=HOSTILE, frames=FRAMES, end="cancel").result()
            self.encode(daemon, HOSTILE)
            # The log tells things in their order.
            until(lambda: f": complete, {FRAMES} of {FRAMES}" in daemon.messages(), "the end")
            self.assertEqual(daemon.messages().count("a strike for uid"), len(scripts))

    def test_a_process_is_one_strike(self):
        """Three sessions of one worker that crashes."""
        with self.daemon() as daemon:
            others = [daemon.feed(uid=HOSTILE, frames=FRAMES) for _ in range(2)]
            for feeder in others:
                feeder.await_ready()
            pids = {self.fail(daemon, HOSTILE, "send:2:crash", "crashed")["attempts"][0]["pid"]}
            for feeder in others:
                attempt = feeder.result()["report"]["attempts"][0]
                if attempt["end"] == "crashed":
                    pids.add(attempt["pid"])
            self.encode(daemon, HOSTILE)  # which waits for the verdict
            self.assertEqual(len(pids), 1)
            until(lambda: daemon.counters()["strikes"] > 0, "the strike")
            self.assertEqual(daemon.counters()["strikes"], 1)

    def test_the_accused_wait_and_others_do_not(self):
        with self.daemon(NullProbeScript="|open:1:slow:4000|") as daemon:
            self.fail(daemon, HOSTILE)
            accused = daemon.feed(uid=HOSTILE, frames=FRAMES)
            self.encode(daemon, HONEST)
            self.assertFalse(select.select([accused.ready], [], [], 0)[0], "it did not wait")
            self.assertEqual(daemon.counters()["strikes"], 0)
            accused.await_ready()
            until(lambda: daemon.counters()["strikes"] == 1, "the strike")
            self.assertEqual(accused.result()["report"]["outcome"], "complete")


class Quarantine(Uids):

    def test_two_uids(self):
        with self.daemon(QuarantineMin="2s") as daemon:
            running = daemon.feed(uid=HONEST, frames=30)
            running.await_ready()
            self.fail(daemon, HOSTILE)
            self.fail(daemon, ACCOMPLICE)
            row = self.await_state(daemon, "quarantined")
            begin = time.time()
            self.assertIn("QuarantineUsers", row["detail"])
            self.assertGreater(row["paroleUs"], (begin - 2) * 1e6)
            errors = self.refused(daemon, HONEST)
            self.assertIn("quarantined", errors)
            self.assertIn("until 2", errors)
            # What runs goes on.
            self.assertEqual(running.result()["report"]["outcome"], "complete")
            row = self.await_state(daemon, "proven")
            self.assertGreaterEqual(time.time() * 1e6, row["probedUs"])
            self.assertGreaterEqual(row["probedUs"] / 1e6, begin)
            self.assertEqual((row["quarantines"], row["strikes"]), (1, 2), row)
            self.assertNotIn("paroleUs", row)
            self.encode(daemon, HONEST)

    def test_failed_probe(self):
        """At once, with no strike for anybody, and for twice as long when the parole fails."""
        script = "|probe:1:crash|probe:1:error:device-lost|"
        with self.daemon(NullProbeScript=script, QuarantineMin="1s") as daemon:
            self.await_state(daemon, "proven")
            self.fail(daemon, HOSTILE)
            row = self.await_state(daemon, "quarantined")
            begin = time.monotonic()
            self.assertIn("signal 11", row["detail"])
            self.assertIn("quarantined", self.refused(daemon, HONEST))
            row = until(lambda: "device-lost" in (c := daemon.counters())["detail"] and c,
                        "the parole fails")
            self.assertEqual(row["state"], "quarantined", row)
            said = until(lambda: re.search(r"^(\S+) .*null: still not usable", daemon.messages(),
                                           re.M), "it is said")
            failed = datetime.datetime.fromisoformat(said.group(1)).timestamp()
            # The probe itself took some of the time since the last parole, but not of this one.
            self.assertGreater(row["paroleUs"] / 1e6 - failed, 1.5)
            row = self.await_state(daemon, "proven")
            self.assertGreater(time.monotonic() - begin, 2.5)
            self.assertEqual((row["quarantines"], row["strikes"]), (1, 0), row)
            self.encode(daemon, HOSTILE)

    def test_hanging_probe(self):
        settings = {"NullProbeScript": "|open:1:hang|", "ProbeBudget": "3s", "QuarantineMin": "1s"}
        with self.daemon(**settings) as daemon:
            self.fail(daemon, HOSTILE)
            self.await_state(daemon, "quarantined")
            self.await_state(daemon, "proven")
            self.encode(daemon, HOSTILE)

    def test_broken_at_the_start(self):
        with self.daemon(NullProbeScript="probe:1:crash|", QuarantineMin="1s") as daemon:
            self.await_state(daemon, "broken")
            self.await_state(daemon, "proven")
            self.encode(daemon, HONEST)


class Budgets(unittest.TestCase):
    """A tainted worker that still has a healthy session holds what its wedged call leaked."""

    BOUNDS = {"TaintedMax": 1, "LeakedThreadsMax": 1, "LeakedFdsMax": 7, "LeakedBytesMax": "1M"}

    def frames_encoded(self, daemon):
        return sum(session["framesEncoded"] for session in daemon.sessions())

    def wedge_beside(self, daemon):
        healthy = daemon.feed(frames=30)
        healthy.await_ready()
        until(lambda: self.frames_encoded(daemon), "the healthy session's encoder is open")
        report = daemon.feed(frames=FRAMES, script=WEDGE).result()["report"]
        self.assertEqual(report["attempts"][0]["end"], "abandoned", report)
        until(lambda: daemon.counters()["tainted"] == 1, "the tainted worker is seen")
        return healthy, report["attempts"][0]["leaked"]

    def check(self, setting, value, whole):
        settings = {setting: value, "SoftwareEncoders": "libx264", "TaintedDrain": "60s"}
        with Daemon(settings) as daemon:
            healthy, leaked = self.wedge_beside(daemon)
            errors = daemon.feed(frames=1).refusal()
            self.assertIn(f"{setting}=", errors)
            self.check_shown(daemon, setting, whole, leaked)
            fine = daemon.feed(frames=FRAMES, backend="software", codec="h264", speed=13)
            self.assertEqual(fine.result()["report"]["outcome"], "complete")
            self.assertEqual(healthy.result()["report"]["outcome"], "complete")
            until(lambda: daemon.counters()["tainted"] == 0, "the worker is reclaimed")
            row = daemon.counters()
            self.assertEqual((row["leakedThreads"], row["leakedFds"], row["leakedBytes"]),
                             (0, 0, 0), row)
            self.assertEqual(daemon.feed(frames=3).result()["report"]["outcome"], "complete")

    def check_shown(self, daemon, setting, whole, leaked):
        reply = json.loads(run_tool("--socket", daemon.socket, "devices", "--json").stdout)
        row = next(row for row in reply["devices"] if row["encoder"] == "null")
        self.assertEqual((row["leakedThreads"], row["leakedFds"], row["leakedBytes"]),
                         (leaked["threads"], leaked["fds"], leaked["bytes"]))
        budgets = {b["setting"]: b for b in (reply if whole else row)["budgets"]}
        self.assertGreaterEqual(budgets[setting]["used"], budgets[setting]["limit"], budgets)
        other = next(row for row in reply["devices"] if row["encoder"] == "libx264")
        self.assertEqual([b["used"] for b in other["budgets"]], [0] * 5)
        self.assertIn(setting, run_tool("--socket", daemon.socket, "devices").stdout)

    def test_of_a_device(self):
        for setting, value in self.BOUNDS.items():
            with self.subTest(setting):
                self.check(setting, value, whole=False)

    def test_of_the_daemon(self):
        for setting, value in self.BOUNDS.items():
            with self.subTest("Daemon" + setting):
                self.check("Daemon" + setting, value, whole=True)


    def test_one_uid_does_not_hold_the_budget(self):
        """Its tainted workers are not drained for a minute where others would have to wait."""
        settings = {"TaintedMax": 2, "TaintedDrain": "60s", "SessionsPerWorker": 2,
                    "SoftwareEncoders": ""}
        with Daemon(settings) as daemon:
            healthy = []
            for _ in range(2):
                feeder = daemon.feed(frames=30)
                feeder.await_ready()
                healthy.append(feeder)
                until(lambda n=len(healthy): self.frames_encoded(daemon) == 30 * n, "it is open")
                daemon.feed(frames=FRAMES, script=WEDGE).result()
                if len(healthy) == 1:
                    until(lambda: daemon.counters()["tainted"] == 1, "one may be drained")
            until(lambda: daemon.counters()["reclaimed"] == 2, "two may not", limit=30)
            self.assertEqual(daemon.feed(frames=3).result()["report"]["outcome"], "complete")
            for feeder in healthy:
                self.assertEqual(feeder.result()["report"]["attempts"][0]["end"], "drained")


class Growth(unittest.TestCase):

    def pids(self, daemon, *scripts):
        """Workers of sessions that are opened one after the other and held; their feeders."""
        feeders, pids = [], []
        for script in scripts:
            feeder = daemon.feed(frames=12, script=script)
            feeder.await_ready()
            feeders.append(feeder)
            until(lambda n=len(feeders): self.encoded(daemon) == [12] * n, "all is encoded")
        row = daemon.counters()
        for feeder in feeders:
            pids.append(feeder.result()["report"]["attempts"][0]["pid"])
        return pids, row

    def encoded(self, daemon):
        return [session["framesEncoded"] for session in daemon.sessions()]

    def test_a_worker_that_grows_is_recycled(self):
        with Daemon({"WorkerGrowth": "24M", "SoftwareEncoders": ""}) as daemon:
            pids, row = self.pids(daemon, "leak=4194304", "", "")
            self.assertNotEqual(pids[0], pids[1])
            self.assertEqual(pids[1], pids[2])
            self.assertEqual(row["recycled"], 1, row)
            until(lambda: not set(pids) & set(daemon.children("vencd-worker")), "they are gone")
            self.assertEqual(daemon.counters()["crashed"], 0)

    def test_one_that_does_not_is_shared(self):
        with Daemon({"WorkerGrowth": "24M", "SoftwareEncoders": ""}) as daemon:
            pids, row = self.pids(daemon, "leak=262144", "", "")
            self.assertEqual(len(set(pids)), 1)
            self.assertEqual(row["recycled"], 0, row)

    def test_sessions_of_a_worker(self):
        with Daemon({"WorkerSessions": 2, "SoftwareEncoders": ""}) as daemon:
            pids, row = self.pids(daemon, "", "", "")
            self.assertEqual(pids[0], pids[1])
            self.assertNotEqual(pids[1], pids[2])
            self.assertEqual(row["recycled"], 1, row)


if __name__ == "__main__":
    main()
