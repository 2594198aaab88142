#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Clients that do what no client should cost nobody but their own user.

While one user does each of hostile_client.py's attacks, and then all of them at once, another one's
session goes on, a third one's wedge is abandoned in its time, and the daemon answers. Afterwards
nothing is left. Needs root, for the users.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import fuse
import hostile_client
from harness import LIMIT, Daemon, main, run_tool, until

BAD, GOOD, WEDGED = 20001, 20002, 20003
SETTINGS = {"SessionsPerWorker": 1, "KillGrace": "300ms", "WorkerAnswer": "1s",
            "ConnectionsPerUser": 32, "SessionsPerUser": 16, "SoftwareEncoders": "libx264",
            # Wedges are a means here: they have tests of their own.
            "StrikesMax": 0, "StrikesPerEncoder": 0, "QuarantineUsers": 0}
BUDGET_MS, TICK_MS, SLACK_MS = 500, 50, 700
FRONT_FDS = 16  # an idle front has six
ANSWER_S = 10  # far below what an attack would hold the daemon up for, and the 30 s of a call
CLIENT = pathlib.Path(__file__).with_name("hostile_client.py")


class Users(Daemon):
    """A daemon that other users can reach, at rest once each of them has been served."""

    def __init__(self, settings=None, **keywords):
        super().__init__({**SETTINGS, **(settings or {})}, **keywords)
        os.chmod(self.directory.name, 0o755)
        silent = pathlib.Path(self.directory.name, "silent")
        silent.touch()
        self.silent = str(silent)
        until(lambda: all(row["state"] != "probing" for row in self.devices().values()), "probes")
        for uid in (BAD, GOOD, WEDGED):
            self.feed(uid=uid, frames=2).result()
        self.fds = len(self.descriptors())
        until(lambda: self.memory_of_sessions() == 0, "no session's memory is left at the start")

    def descriptors(self):
        return os.listdir(f"/proc/{self.process.pid}/fd")

    def memory_of_sessions(self):
        """How often the memory of sessions is mapped or open, in all processes of the daemon."""
        found = 0
        for pid in [self.process.pid, *self.children()]:
            try:
                found += pathlib.Path(f"/proc/{pid}/maps").read_text().count("memfd:vencd")
                for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                    found += "memfd:vencd" in os.readlink(fd)
            except OSError:
                continue  # it has ended meanwhile
        return found

    def fronts_at_work(self):
        """Fronts, the keeper among them, that hold more than what is theirs and a few clients."""
        found = []
        for pid in self.children("vencd-front"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found += [pid] * (len(os.listdir(f"/proc/{pid}/fd")) > FRONT_FDS)
        return found

    def settle(self, limit=LIMIT):
        """Until nothing is left of what clients did."""
        until(lambda: len(self.children("vencd-worker")) <= 1, "workers end", limit)
        until(lambda: not self.children("vencd-stream"), "adapters end", limit)
        until(lambda: self.memory_of_sessions() == 0, "memory of sessions is gone", limit)
        until(lambda: len(self.descriptors()) <= self.fds, "the daemon's descriptors close", limit)
        until(lambda: not self.fronts_at_work(), "the fronts' descriptors close", limit)

    def answers_within(self, limit):
        begun = time.monotonic()
        run_tool("--socket", self.socket, "sessions", "--json")
        took = time.monotonic() - begun
        assert took < limit, f"the daemon took {took:.1f} s to answer"


class Attack:
    """One of hostile_client.py's, by another user, while the block lasts."""

    def __init__(self, daemon, name, uid=BAD):
        self.process = subprocess.Popen(
            [sys.executable, CLIENT, name, daemon.socket, str(uid)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "SILENT_FILE": daemon.silent})

    def await_ready(self):
        line = self.process.stdout.readline()
        assert line == "ready\n", f"the attack did not come about: {line!r}"

    def end(self):
        if self.process.returncode is not None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def possible(name):
    return name not in hostile_client.NEED_FUSE or not fuse.why_not()


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Attacks(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.daemon = Users()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def others_are_undisturbed(self):
        wedged = self.daemon.feed(uid=WEDGED, frames=9, script="send:3:hang").result()["report"]
        attempt = wedged["attempts"][0]
        self.assertEqual(attempt["end"], "abandoned", wedged)
        self.assertLessEqual(attempt["waitedMs"], BUDGET_MS + 2 * TICK_MS + SLACK_MS)
        self.daemon.answers_within(ANSWER_S)

    def attack(self, *names, **keys):
        honest = self.daemon.feed(uid=GOOD, frames=150, pause_ms=10, **keys)
        attacks = [Attack(self.daemon, name) for name in names]
        try:
            for attack in attacks:
                attack.await_ready()
            for _ in range(3):
                self.others_are_undisturbed()
            self.assertEqual(honest.result()["report"]["outcome"], "complete")
        finally:
            for attack in attacks:
                attack.end()
        self.daemon.settle()
        self.is_served_again()

    def is_served_again(self):
        """The user itself, once its front has been replaced."""
        def served():
            feeder = self.daemon.feed(uid=BAD, frames=3)
            feeder.release()
            feeder.process.communicate(timeout=LIMIT)
            return feeder.process.returncode == 0
        until(served, "the user is served again")

    def test_all_at_once(self):
        self.attack(*filter(possible, hostile_client.ATTACKS))

    def test_all_at_once_beside_a_real_encoder(self):
        """One that needs the processors that the attackers are at: late is not wedged."""
        self.attack(*filter(possible, hostile_client.ATTACKS), backend="software", codec="h264",
                    latency="live", speed=13)


def add_test(name):
    def test(self):
        if not possible(name):
            self.skipTest(fuse.why_not())
        self.attack(name)
    setattr(Attacks, f"test_{name}", test)


for attack_name in hostile_client.ATTACKS:
    add_test(attack_name)


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Closing(unittest.TestCase):
    """What the supervisor closes could take long: it is never the last to close a connection."""

    def linger_in(self, client):
        sender, listener = hostile_client.lingering_socket()
        hostile_client.send_fds(client, b"x", [sender.fileno()])
        sender.close()  # the message has the only descriptor now
        self.addCleanup(listener.close)

    def answers(self, daemon):
        daemon.answers_within(ANSWER_S)
        self.assertEqual(daemon.feed(uid=GOOD, frames=5).result()["report"]["outcome"], "complete")

    def test_a_connection_that_is_refused(self):
        with Users({"ConnectionsPerUser": 4}) as daemon:
            held = [hostile_client.connect(str(daemon.socket)) for _ in range(4)]
            daemon.process.send_signal(signal.SIGSTOP)
            for _ in range(4):
                with hostile_client.connect(str(daemon.socket)) as client:
                    self.linger_in(client)
            daemon.process.send_signal(signal.SIGCONT)
            for client in held:
                client.close()
            self.answers(daemon)

    def test_a_connection_whose_front_dies(self):
        with Users() as daemon:
            before = set(daemon.children("vencd-front"))
            daemon.answers_within(ANSWER_S)
            fronts = set(daemon.children("vencd-front"))
            for pid in fronts:
                os.kill(pid, signal.SIGSTOP)
            with hostile_client.connect(str(daemon.socket)) as client:
                self.linger_in(client)
            for pid in fronts | before:
                os.kill(pid, signal.SIGKILL)
            self.answers(daemon)


if __name__ == "__main__":
    main()
