#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""A front or an adapter that crashes, loops for ever or cannot be killed costs its own user alone.

The loop is put into the running program: the instruction that it will go on with becomes a jump to
itself. What cannot be killed sleeps in a FUSE file that its client gave it.
"""

import array
import contextlib
import fcntl
import os
import pathlib
import platform
import re
import signal
import termios
import unittest

import fuse
import hostile
import hostile_client
from harness import CLIP, LIMIT, main, until

JUMP_TO_ITSELF = {"x86_64": b"\xeb\xfe", "aarch64": b"\x00\x00\x00\x14"}
ENCODE = {"input": 0, "output": 1, "container": "mkv", "codecs": ["h264"], "speed": 13}


def loop_for_ever(pid):
    """Its main thread never comes back from the system call in which it waits."""
    place = int(pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[-1], 16)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(place)
        memory.write(JUMP_TO_ITSELF[platform.machine()])


def crash(pid):
    os.kill(pid, signal.SIGSEGV)


class Base(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.daemon = hostile.Users()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def connect(self):
        client = hostile_client.connect(str(self.daemon.socket))
        client.settimeout(LIMIT)
        self.addCleanup(client.close)
        return client

    def others(self):
        feeder = self.daemon.feed(uid=hostile.GOOD, frames=20)
        self.assertEqual(feeder.result()["report"]["outcome"], "complete")


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Fronts(Base):

    def front_of(self, uid):
        """The front of a user that has none yet, by the one that comes."""
        for pid in self.daemon.children("vencd-front"):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not self.daemon.children("vencd-front"), "all fronts are gone")
        self.others()
        before = set(self.daemon.children("vencd-front"))
        session = self.daemon.feed(uid=uid, frames=30, end="finish")
        session.await_ready()
        new = set(self.daemon.children("vencd-front")) - before
        self.assertEqual(len(new), 1)
        return new.pop(), session

    def is_replaced(self, harm):
        front, session = self.front_of(hostile.BAD)
        neighbour = self.daemon.feed(uid=hostile.GOOD, frames=200, pause_ms=5)
        harm(front)
        self.others()
        # Sessions outlive their user's front: what was asked for still comes.
        self.assertEqual(session.result()["report"]["outcome"], "complete")
        self.assertNotIn(front, self.daemon.children("vencd-front"))
        self.assertEqual(neighbour.result()["report"]["outcome"], "complete")
        self.daemon.settle()

    def test_crash(self):
        self.is_replaced(crash)

    @unittest.skipUnless(platform.machine() in JUMP_TO_ITSELF, "no loop for this processor")
    def test_loop(self):
        self.is_replaced(loop_for_ever)

    @unittest.skipIf(fuse.why_not(), fuse.why_not())
    def test_one_that_does_not_die(self):
        """Its user gets another one, and no more than some; the others have theirs."""
        settings = {"ConnectionsPerUser": 4000, "FdsPerUser": 60000, "FrontsMax": 8}
        with hostile.Users(settings) as daemon:
            attack = hostile.Attack(daemon, "fuse_file")
            self.addCleanup(attack.end)
            attack.await_ready()
            until(lambda: len(self.tombstones(daemon)) >= 4, "four fronts are tombstones")
            # The attack goes on for as long as a fifth and a sixth would take to be given up.
            for _ in range(4):
                other = daemon.feed(uid=hostile.GOOD + 5, frames=100, pause_ms=10).result()
                self.assertEqual(other["contiguous"], 100)
                daemon.answers_within(hostile.ANSWER_S)
                self.assertEqual(len(self.tombstones(daemon)), 4)
            attack.end()
            until(lambda: self.served(daemon, hostile.BAD), "the user is served again")

    def tombstones(self, daemon):
        """Fronts in a sleep that nothing ends."""
        found = []
        for pid in daemon.children("vencd-front"):
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/wchan").read_text() == "request_wait_answer":
                    found.append(pid)
        return found

    def served(self, daemon, uid):
        feeder = daemon.feed(uid=uid, frames=3)
        feeder.release()
        feeder.process.communicate(timeout=LIMIT)
        return feeder.process.returncode == 0


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Adapters(Base):

    def adapter(self):
        """An Encode call, its adapter, which waits for input, and the other end of that."""
        client = self.connect()
        read, write = os.pipe()
        os.write(write, CLIP.read_bytes()[:16])
        with open("/dev/null", "wb") as null:
            hostile_client.send_fds(client, hostile_client.message("Encode", ENCODE),
                                    [read, null.fileno()])
        os.close(read)
        until(lambda: self.unread(write) == 0, "the adapter reads")
        return client, self.daemon.children("vencd-stream")[0], write

    def unread(self, pipe):
        count = array.array("i", [0])
        fcntl.ioctl(pipe, termios.FIONREAD, count)
        return count[0]

    def reply(self, client):
        data = b""
        while not data.endswith(b"\0"):
            data += client.recv(65536) or self.fail("the connection was closed")
        return data.decode()

    def test_crash(self):
        client, pid, write = self.adapter()
        crash(pid)
        reply = self.reply(client)
        self.assertIn("AdapterFailed", reply)
        self.assertIn('"signal":11', reply)
        os.close(write)
        self.others()
        self.daemon.settle()

    @unittest.skipUnless(platform.machine() in JUMP_TO_ITSELF, "no loop for this processor")
    def test_loop(self):
        """Nobody waits for it any more when its client has gone, and it is killed."""
        client, pid, write = self.adapter()
        loop_for_ever(pid)
        os.write(write, CLIP.read_bytes()[:4096])
        self.others()
        client.close()
        self.others()
        self.daemon.settle()
        os.close(write)

    @unittest.skipIf(fuse.why_not(), fuse.why_not())
    def test_one_that_does_not_die(self):
        """Its input is a file that never answers: it outlives its kill, and nobody else waits."""
        attack = hostile.Attack(self.daemon, "encode_silent")
        self.addCleanup(attack.end)
        attack.await_ready()
        until(lambda: re.search(r"vencd-stream\[\d+\] does not die", self.daemon.messages()),
              "an adapter is a tombstone")
        self.others()
        self.daemon.answers_within(hostile.ANSWER_S)
        attack.end()
        self.daemon.settle()


if __name__ == "__main__":
    main()
