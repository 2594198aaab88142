# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The fault matrix of the null encoder: every call, every mode, queue and input states.

For each: the report comes in time, is never better than the truth, names the call and the wait, and
counts every frame; a healthy session on the same daemon completes.
"""

import concurrent.futures
import itertools
import unittest

from harness import Daemon, main, until

BUDGET_MS = 500  # every call's, see harness.QUICK
FRAMES = 24
CALLS = {"open": 1, "send": 5, "receive": 4, "flush": 1, "close": 1}
HOLD = 6  # frames that the encoder holds back, so that a flush has something to do


def script(call, n, mode):
    return f"hold={HOLD};{call}:{n}:{mode}"


def cases(modes):
    for (call, n), mode, rhythm, end in itertools.product(
            CALLS.items(), modes, ("burst", "step"), ("finish", "hold")):
        if end == "hold" and call in ("flush", "close"):
            continue  # with the input open neither is ever called
        if rhythm == "step" and call != "open":
            yield call, n, mode, rhythm, end, f"hold=0;{call}:{n}:{mode}"
        else:
            yield call, n, mode, rhythm, end, script(call, n, mode)


class Faults(unittest.TestCase):

    def run_case(self, case):
        call, n, mode, rhythm, end, text = case
        result = self.daemon.feed(script=text, frames=FRAMES, rhythm=rhythm, end=end).result()
        report = result["report"]
        try:
            self.check(case, result, report, report["attempts"][0])
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}\n{report}") from error

    def check(self, case, result, report, attempt):
        call, n, mode, rhythm, end, text = case
        self.assertNotIn(report["outcome"], ("complete", "incomplete"))
        if report["outcome"] == "degraded":
            self.assertEqual(report["framesEncoded"], report["framesSubmitted"])
            self.assertEqual(end, "finish")
        self.assertEqual(report["framesCancelled"], 0)
        # Everything that was committed was delivered, in order, with no hole.
        self.assertEqual(result["packets"], report["packets"])
        self.assertEqual(result["contiguous"], report["framesEncoded"])
        self.assertLessEqual(report["framesEncoded"], FRAMES)
        if call == "open":
            self.assertEqual(report["outcome"], "failed")
        if call == "close":
            self.assertEqual(report["outcome"], "degraded")
            self.assertEqual(report["framesEncoded"], FRAMES)
        self.check_end(case, attempt)

    def check_end(self, case, attempt):
        call, n, mode = case[:3]
        word = {"hang": "abandoned", "crash": "crashed", "exit:7": "exited", "error": "error",
                "lost": "error", "late:3000": "abandoned"}[mode]
        if mode in ("error", "lost") and call == "close":
            return  # closing has no result
        self.assertEqual(attempt["end"], word)
        self.assertEqual(attempt["call"], call)
        if word == "abandoned":
            self.assertGreaterEqual(attempt["waitedMs"], BUDGET_MS)
            self.assertLessEqual(attempt["waitedMs"], BUDGET_MS + 1000)
            self.assertEqual(attempt["budgetMs"], BUDGET_MS)
            self.assertEqual(attempt["leaked"]["threads"], 1)
        if word == "crashed":
            self.assertEqual(attempt["signal"], 11)
        if word == "exited":
            self.assertEqual(attempt["exitCode"], 7)

    def run_matrix(self, modes):
        with Daemon({"SessionsPerWorker": 1}) as self.daemon:
            healthy = self.daemon.feed(frames=50, end="finish")
            healthy.await_ready()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(self.run_case, cases(modes)))
            report = healthy.result()["report"]
            self.assertEqual(report["outcome"], "complete", report)

    def test_hang(self):
        self.run_matrix(["hang"])

    def test_late(self):
        self.run_matrix(["late:3000"])

    def test_crash(self):
        self.run_matrix(["crash", "exit:7"])

    def test_error(self):
        with Daemon({"SessionsPerWorker": 1}) as self.daemon:
            wanted = [c for c in cases(["error", "lost"]) if c[0] != "close"]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(self.run_case, wanted))


class Ends(unittest.TestCase):
    """Single faults with a report of their own kind."""

    def outcome(self, text, settings=None, **keys):
        with Daemon(settings) as daemon:
            return daemon.feed(script=text, **{"frames": FRAMES, **keys}).result()["report"]

    def test_error_on_every_frame_is_a_failure(self):
        report = self.outcome("send:*:error")
        self.assertEqual(report["outcome"], "failed")
        self.assertEqual(report["framesLost"], report["framesSubmitted"])

    def test_a_close_that_hangs_does_not_hide_the_error_before(self):
        with Daemon() as daemon:
            report = daemon.feed(frames=FRAMES, script="send:5:error:device-lost;close:1:hang")
            attempt = report.result()["report"]["attempts"][0]
            self.assertEqual((attempt["end"], attempt["call"]), ("error", "send"), attempt)
            until(lambda: daemon.counters()["reclaimed"] == 1, "the wedged close is reclaimed")
            self.assertEqual(daemon.counters()["abandoned"], 1)

    def test_slow_completes(self):
        # A frame every 100 ms at 30 frames a second: three times slower than real time.
        report = self.outcome("send:*:slow:100", frames=10)
        self.assertEqual(report["outcome"], "complete", report)

    def test_garbage_is_wrong_output(self):
        for what in ("pts", "nokey", "empty", "twice"):
            n = 1 if what == "nokey" else 4
            with self.subTest(what):
                report = self.outcome(f"receive:{n}:garbage:{what}")
                self.assertEqual(report["attempts"][0]["end"], "wrong_output", report)
                self.assertIn(report["outcome"], ("failed", "truncated"))

    def test_no_frames_is_complete(self):
        report = self.outcome("", frames=0)
        self.assertEqual(report["outcome"], "complete", report)
        self.assertEqual(report["packets"], 0)

    def test_a_long_pause_completes(self):
        with Daemon() as daemon:
            feeder = daemon.feed(frames=5)
            feeder.await_ready()
            # Four budgets of every kind go by while the client does nothing.
            with self.assertRaises(Exception):
                feeder.process.wait(4 * BUDGET_MS / 1000)
            self.assertEqual(feeder.result()["report"]["outcome"], "complete")


class Slow(unittest.TestCase):

    def test_software_that_burns_cpu_outlives_its_budget(self):
        """Slow is not wedged: one call takes several budgets, and the encode completes."""
        settings = {"EncodeBudget": "100ms", "FlushBudget": "100ms", "WatchdogTick": "20ms",
                    "SoftwareEncoders": "libx265", "EncoderThreads": 1}
        with Daemon(settings) as daemon:
            feeder = daemon.feed(backend="software", codec="hevc", speed=0, frames=6, width=1920,
                                 height=1080)
            feeder.release()

            def long_call():
                return [s for s in daemon.sessions()
                        if s["call"] in ("send", "receive", "flush") and s["callMs"] > 300]
            until(long_call, "a call that takes three budgets")
            report = feeder.result()["report"]
            self.assertEqual(report["outcome"], "complete", report)


class Neighbours(unittest.TestCase):
    """Several attempts in one worker: abandonment by leaking a thread, taint, drain, late."""

    def pair(self, daemon, text):
        healthy = daemon.feed(frames=60, end="finish", script="hold=2")
        healthy.await_ready()
        # While its encoder is being opened nobody else is given the worker.
        until(lambda: self.frames_encoded(daemon), "the healthy session's encoder is open")
        sick = daemon.feed(frames=FRAMES, script=text)
        return healthy, sick

    def frames_encoded(self, daemon):
        return sum(session["framesEncoded"] for session in daemon.sessions())

    def check_same_worker(self, one, other):
        pids = [r["report"]["attempts"][0]["pid"] for r in (one, other)]
        self.assertEqual(pids[0], pids[1], "the two did not share a worker")

    def test_hang_beside_a_healthy_session(self):
        for call, n in CALLS.items():
            with self.subTest(call), Daemon() as daemon:
                healthy, sick = self.pair(daemon, script(call, n, "hang"))
                wedged = sick.result()
                counters = until(lambda: self.tainted(daemon), "the tainted worker is seen")
                self.assertEqual(counters["tainted"], 1, counters)
                self.assertEqual(counters["abandoned"], 1, counters)
                self.assertEqual(counters["leakedThreads"], 1, counters)
                fine = healthy.result()
                self.check_same_worker(fine, wedged)
                self.assertEqual(fine["report"]["outcome"], "complete", fine)
                self.assertEqual(fine["contiguous"], 60)
                self.await_reclaimed(daemon, late=0)

    def tainted(self, daemon):
        """The counters once they tell of it: they follow a little later than the report."""
        counters = daemon.counters()
        return counters if counters["abandoned"] else None

    def await_reclaimed(self, daemon, late):
        def reclaimed():
            counters = daemon.counters()
            return counters if counters["reclaimed"] == 1 else None
        counters = until(reclaimed, "the tainted worker is reclaimed")
        self.assertEqual(counters["late"], late, counters)
        self.assertEqual(counters["abandoned"], 1, counters)
        self.assertEqual(counters["tainted"], 0, counters)
        self.assertEqual(counters["leakedThreads"], 0, counters)
        self.assertEqual(counters["tombstones"], 0, counters)

    def test_late_return_reaches_no_stream(self):
        for call, n in CALLS.items():
            with self.subTest(call), Daemon() as daemon:
                healthy, sick = self.pair(daemon, script(call, n, "late:3000"))
                wedged = sick.result()
                self.assertEqual(wedged["report"]["attempts"][0]["end"], "abandoned")
                until(lambda: daemon.counters()["late"] == 1, "the late return is seen")
                fine = healthy.result()
                self.check_same_worker(fine, wedged)
                self.assertEqual(fine["report"]["outcome"], "complete", fine)
                self.await_reclaimed(daemon, late=1)

    def test_drain_ends_the_others(self):
        with Daemon({"TaintedDrain": "1s"}) as daemon:
            healthy, sick = self.pair(daemon, script("send", 5, "hang"))
            sick.result()
            held = healthy.process
            with self.assertRaises(Exception):
                held.wait(2)
            fine = healthy.result()
            self.assertEqual(fine["report"]["attempts"][0]["end"], "drained", fine)
            self.assertEqual(fine["report"]["outcome"], "truncated", fine)


if __name__ == "__main__":
    main()
