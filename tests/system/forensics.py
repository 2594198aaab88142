# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""What is told about a bad end: the call, what it was given, where its thread was, the last words.

Where the kernel does not let anybody look into another process, "not permitted" is the right
answer, and the tests take it.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import BUILD, SOURCE, Daemon, Programs, main, run_tool, until

CALLS = {"open": 1, "send": 5, "flush": 1, "close": 1}
SANITIZED = any(word in (BUILD / "vencd").read_bytes()
                for word in (b"__asan_init", b"__tsan_init"))
# Long enough to be inspected at half of it: an inspector that a sanitizer slows down starts in a
# second where both processors are taken.
BUDGET_MS = 3000 if SANITIZED else 1500
SLOW = {f"{call}Budget": f"{BUDGET_MS}ms" for call in ("Open", "Encode", "Flush", "Close")}


def may_look():
    """Whether a process of ours may look into one that is not dumpable."""
    probe = subprocess.Popen(["sleep", "60"])
    try:
        pathlib.Path(f"/proc/{probe.pid}/syscall").read_text(encoding="utf-8")
        return os.geteuid() == 0
    except OSError:
        return False
    finally:
        probe.kill()
        probe.wait()


class Forensics(unittest.TestCase):

    def check_thread(self, forensics):
        if not may_look():
            self.assertEqual(forensics["inspected"], "not permitted", forensics)
            return
        self.assertEqual(forensics["inspected"], "in call", forensics)
        self.assertRegex(forensics["state"], "^S ")
        self.assertRegex(forensics["thread"], "^run-[0-9]+$")
        # What the null encoder sleeps in.
        self.assertEqual(forensics["syscall"], "pause", forensics)
        self.assertRegex(forensics["wchan"], "pause|none", forensics)
        self.assertRegex(forensics["stack"][0], "pause|not permitted", forensics)

    def attempt(self, daemon, script, **keys):
        """As the report has it; clientMs: from what the client did last until it had that."""
        result = daemon.feed(script=script, frames=24, **keys).result()
        return {**result["report"]["attempts"][0], "clientMs": result["reportMs"]}

    def test_hang(self):
        with Daemon(SLOW) as daemon:
            for call, n in CALLS.items():
                with self.subTest(call):
                    attempt = self.attempt(daemon, f"{call}:{n}:hang", rhythm="step")
                    self.assertEqual((attempt["end"], attempt["call"]), ("abandoned", call))
                    self.assertLessEqual(attempt["waitedMs"], BUDGET_MS + 1000)
                    if call != "open":  # which begins when there is a worker for it
                        self.assertGreaterEqual(attempt["clientMs"], BUDGET_MS)
                        self.assertLessEqual(attempt["clientMs"], BUDGET_MS + 1000)
                    self.check_thread(attempt["forensics"])
                    self.check_arguments(attempt, call)
            self.check_log(daemon.messages())

    def test_the_call_that_it_sleeps_in(self):
        with Daemon(SLOW) as daemon:
            attempt = self.attempt(daemon, "send:5:slow:600000")
            self.assertEqual(attempt["end"], "abandoned", attempt)
            if may_look():
                self.assertEqual(attempt["forensics"]["syscall"], "clock_nanosleep")
                self.assertRegex(attempt["forensics"]["wchan"], "nanosleep|none")

    def check_arguments(self, attempt, call):
        if call != "send":
            self.assertNotIn("arguments", attempt["forensics"])
            return
        given = attempt["forensics"]["arguments"]
        self.assertEqual(given["frame"], attempt["callFrame"])
        self.assertEqual(given["frame"], 4)
        self.assertEqual(given["pts"], 4)
        self.assertGreater(given["bytes"], 0)
        self.assertEqual(given["keyframe"], False)

    def check_log(self, text):
        self.assertRegex(text, r"session \d+ of uid \d+: vencd-worker\[\d+\] abandoned in send of "
                               r"frame 4 after \d+ ms; (in call|not permitted)")
        if may_look():
            self.assertRegex(text, r"system call pause, waiting in ")
            self.assertIn("kernel stack: ", text)

    def test_crash(self):
        with Daemon(SLOW) as daemon:
            attempt = self.attempt(daemon, "send:3:print;send:5:crash")
            self.assertEqual((attempt["end"], attempt["call"], attempt["signal"]),
                             ("crashed", "send", signal.SIGSEGV), attempt)
            self.assertLess(attempt["waitedMs"], BUDGET_MS)
            forensics = attempt["forensics"]
            self.assertTrue(forensics["inspected"].startswith("not inspected: "), forensics)
            self.assertEqual(len(forensics["messages"]), 1, forensics)
            self.assertIn("null", forensics["messages"][0])
            self.assertEqual(forensics["arguments"]["frame"], 4)
            text = daemon.messages()
            self.assertRegex(text, r"crashed by signal 11 in send of frame 4")
            self.assertIn(f"last messages: {forensics['messages'][0]}\n", text)

    def test_one_that_ended_well_has_none(self):
        with Daemon(SLOW) as daemon:
            self.assertNotIn("forensics", self.attempt(daemon, "send:3:print"))

    def test_a_call_that_comes_back_is_not_blamed_on_the_next(self):
        """Suspect, inspected, and back in time: the evidence is not that of a later hang."""
        with Daemon({**SLOW, "InspectorsMax": 1}) as daemon:
            attempt = self.attempt(daemon, f"send:2:slow:{BUDGET_MS * 2 // 3};send:3:crash")
            self.assertEqual((attempt["end"], attempt["call"]), ("crashed", "send"))
            self.assertTrue(attempt["forensics"]["inspected"].startswith("not inspected"), attempt)


class Flood(unittest.TestCase):

    def test_costs_only_its_own_messages(self):
        with Daemon() as daemon:
            start = time.monotonic()
            flood = daemon.feed(frames=20000, script="send:19000:crash;send:*:print")
            fine = daemon.feed(frames=2000)
            self.assertEqual(fine.result()["report"]["outcome"], "complete")
            report = flood.result()["report"]
            attempt = report["attempts"][0]
            self.assertEqual((attempt["end"], attempt["callFrame"]), ("crashed", 18999), report)
            messages = attempt["forensics"]["messages"]
            self.assertLessEqual(sum(map(len, messages)), 768)
            self.assertGreaterEqual(len(messages), 5)
            if SANITIZED:
                return  # all is passed on there: reports of a sanitizer must not be lost
            passed_on = daemon.messages().count("]: " + messages[0][:6])
            seconds = time.monotonic() - start
            self.assertLessEqual(passed_on, 20 * (seconds + 2) + 100)
            until(lambda: "lines of its messages were dropped" in daemon.messages(), "the count")


class Silent(unittest.TestCase):

    def test_a_loop_that_does_not_answer(self):
        """It is looked at before it is killed, and its sessions end as unresponsive."""
        silent = BUILD.resolve() / "tests/system/silent"
        with Programs(vencd_worker=f"exec {silent}") as programs, \
                Daemon({"WorkerAnswer": "3s"}, programs=programs.path) as daemon:
            report = daemon.feed(frames=24).result()["report"]
            attempt = report["attempts"][0]
            self.assertEqual((attempt["end"], attempt["call"]), ("unresponsive", "start"), report)
            forensics = attempt["forensics"]
            self.assertEqual(forensics["messages"], ["silent: from now on"])
            if may_look():
                self.assertEqual(forensics["inspected"], "in call")
                self.assertEqual(forensics["syscall"], "rt_sigsuspend")
                self.assertEqual(forensics["thread"], "silent")
            self.assertRegex(daemon.messages(), r"vencd-worker\[\d+\] unresponsive in start")


class Stuck(unittest.TestCase):

    def test_in_the_midst_of_writing(self):
        """Workers that sleep while their words are being copied hold nobody up."""
        script = pathlib.Path(__file__).with_name("stuck_writer.py")
        with Programs(vencd_worker=f"exec {sys.executable} {script}") as programs, \
                Daemon({"WarmWorkers": 3, "ProbeBudget": "2s", "KillGrace": "300ms"},
                       programs=programs.path) as daemon:
            until(lambda: daemon.messages().count("about to be stuck") >= 2 or
                  not daemon.children(pathlib.Path(sys.executable).name), "they are stuck")
            if "about to be stuck" not in daemon.messages():
                self.skipTest("no userfaultfd here")
            for _ in range(5):
                run_tool("--socket", daemon.socket, "sessions")
            until(lambda: all(row["state"] == "broken" for row in daemon.devices().values()),
                  "their probes are given up")


class Inspector(unittest.TestCase):
    """An inspector that is of no use costs what it would have said, and no time."""

    def run_with(self, text, why, settings=None):
        with Programs(vencd_inspect=text) as programs, \
                Daemon({**SLOW, "InspectBudget": "600ms", **(settings or {})},
                       programs=programs.path) as daemon:
            for _ in range(3):
                report = daemon.feed(frames=24, script="send:5:hang").result()["report"]
                attempt = report["attempts"][0]
                self.assertEqual(attempt["end"], "abandoned", report)
                self.assertLessEqual(attempt["waitedMs"], BUDGET_MS + 1000)
                self.assertEqual(attempt["forensics"]["inspected"], f"not inspected: {why}")
            until(lambda: not daemon.children("vencd-inspect") and not daemon.children("sleep"),
                  "the inspectors are gone", limit=20)
            self.assertEqual(daemon.feed(frames=5).result()["report"]["outcome"], "complete")

    def test_one_that_hangs(self):
        self.run_with("exec sleep 600", "no answer within 600 ms")

    def test_one_that_hangs_beyond_the_budget(self):
        self.run_with("exec sleep 600", "no answer yet", {"InspectBudget": "5s",
                                                         "InspectorsMax": 64})

    def test_one_that_dies(self):
        self.run_with("exit 1", "the inspector died")

    def test_one_that_talks_nonsense(self):
        self.run_with("echo nonsense >&3; sleep 600", "the inspector died")

    def test_none_is_wanted(self):
        self.run_with("exec sleep 600", "InspectorsMax is 0", {"InspectorsMax": 0})

    def test_bounded(self):
        """Many calls wedged at once: never more inspectors than are allowed."""
        with Programs(vencd_inspect="exec sleep 600") as programs, \
                Daemon({**SLOW, "InspectBudget": "5s", "InspectorsMax": 4,
                        "SessionsPerWorker": 1}, programs=programs.path) as daemon:
            feeders = [daemon.feed(frames=24, script="send:5:hang") for _ in range(8)]
            for feeder in feeders:
                feeder.release()
            until(lambda: daemon.children("sleep"), "an inspector")
            most = 0
            while any(f.process.poll() is None for f in feeders):
                most = max(most, len(daemon.children("sleep") + daemon.children("vencd-inspect")))
                time.sleep(0.02)
            self.assertEqual(most, 2)  # half of them, for one user
            said = [f.result()["report"]["attempts"][0]["forensics"]["inspected"]
                    for f in feeders]
            self.assertEqual(sum("as many inspectors" in text for text in said), 6, said)


class JournalDaemon(Daemon):
    """One that finds a journal: a socket of ours where journald's would be, seen by it alone."""

    # In a chroot / is no mount point; what is shared would be mounted outside as well.
    START = ("for m in / /run; do ! mountpoint -q $m || mount --make-rprivate $m; done;"
             " mount -t tmpfs run /run && mkdir -p /run/systemd/journal &&"
             ' mount --bind "$0" /run/systemd/journal && exec "$@"')

    def __init__(self, settings):
        self.entries = []
        self.journal = tempfile.TemporaryDirectory(prefix="vencd-journal-")
        self.receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.bind(f"{self.journal.name}/socket")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        log = pathlib.Path(self.journal.name, "log")
        log.touch()
        stream = f"{log.stat().st_dev}:{log.stat().st_ino}"
        super().__init__(settings, log=log, environment={"JOURNAL_STREAM": stream})

    def command(self, words):
        return ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", self.START,
                self.journal.name, *words]

    def read(self):
        while entry := self.receiver.recv(1 << 16).decode():
            self.entries.append(dict(line.split("=", 1) for line in entry.splitlines()))

    def stop(self, expect=0):
        super().stop(expect)
        self.receiver.shutdown(socket.SHUT_RD)
        self.reader.join()
        self.receiver.close()
        self.journal.cleanup()


@unittest.skipIf(os.geteuid() != 0, "needs root, for a mount namespace")
class Journal(unittest.TestCase):
    """Entries with the fields that vencd(8) names, and the values that the report has."""

    PAGE = (SOURCE / "docs/vencd.8").read_text(encoding="utf-8").split(".Ss Log\n")[1]

    def check(self, daemon, attempt, report):
        number = str(attempt["pid"])
        found = until(lambda: [e for e in daemon.entries if e.get("VENCD_PID") == number],
                      "its entries")
        fields = set(re.findall(r"^\.Li (VENCD_\w+)", self.PAGE, re.MULTILINE))
        forensics = attempt["forensics"]
        for entry in found:
            self.assertEqual({name for name in entry if name.startswith("VENCD_")}, fields)
            self.assertIn(f".It Li {entry['MESSAGE_ID']}\n", self.PAGE)
            self.assertEqual({name: entry[name] for name in fields}, {
                "VENCD_SESSION": str(report["id"]), "VENCD_UID": str(os.geteuid()),
                "VENCD_ENCODER": "null", "VENCD_PID": number, "VENCD_TID": str(forensics["tid"]),
                "VENCD_CALL": "send", "VENCD_WAITED_MS": str(attempt["waitedMs"]),
                "VENCD_SIGNAL": str(attempt.get("signal", 0)),
                "VENCD_SYSCALL": forensics.get("syscall", ""),
                "VENCD_WCHAN": forensics.get("wchan", "")})
        self.assertIn("in send of frame 4 after", found[0]["MESSAGE"])
        return {entry["MESSAGE_ID"] for entry in found}

    def test_fields(self):
        with JournalDaemon(SLOW) as daemon:
            ids = []
            for script in ("send:5:hang", "send:5:crash"):
                report = daemon.feed(script=script, frames=24).result()["report"]
                ids.append(self.check(daemon, report["attempts"][0], report))
            self.assertEqual(ids, [{"494d8b7af6a744e98c9c7ef662f66964"},
                                   {"de7151fae5984a17aadd428309d19c85"}])
            self.assertNotIn("abandoned", daemon.messages())  # it went there, and not to stderr


class Words(unittest.TestCase):

    def test_vencctl_prints_it(self):
        with Daemon(SLOW) as daemon:
            report = daemon.feed(frames=24, script="send:3:print;send:5:hang").result()["report"]
            out = run_tool("--socket", daemon.socket, "report", report["id"], expect=None).stdout
            self.assertRegex(out, "given frame 4, pts 4, .*B\n")
            self.assertIn("stderr: ", out)
            self.assertRegex(out, r"thread \d+ \(run-\d+\), S .*: system call pause, waiting in "
                                  if may_look() else "not permitted")


if __name__ == "__main__":
    main()
