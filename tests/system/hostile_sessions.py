#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Requests and shared memory as no library writes them: each gets a named error, or a report that
says what the client did, and leaves nothing behind."""

import contextlib
import fcntl
import json
import mmap
import os
import pathlib
import random
import socket
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "unit"))
import front_plane  # noqa: E402
import hostile  # noqa: E402
import hostile_client  # noqa: E402
from harness import LIMIT, check_report, main, until  # noqa: E402

VARLINK = "org.varlink.service."
OURS = "io.vencd.Encoder."
GOOD = hostile_client.DESCRIPTION
BAD_REQUESTS = [
    ({"width": 0, "height": 0}, ("Invalid", "Unsupported")),
    ({"width": 16384, "height": 1}, ("Invalid", "Unsupported")),
    ({"width": 1, "height": 16384}, ("Invalid", "Unsupported")),
    ({"width": 2**32, "height": 2**32}, ("Invalid",)),
    ({"width": 2**64, "height": 64}, ("InvalidParameter",)),
    ({"width": -64}, ("Invalid",)),
    ({"width": 64.5}, ("InvalidParameter",)),
    ({"width": "wide"}, ("InvalidParameter",)),
    ({"width": None}, ("InvalidParameter",)),
    ({"stride": [1, 3, 7]}, ("InvalidParameter",)),
    ({"unknown": 1}, ("InvalidParameter",)),
    ({"codecs": []}, ("Invalid", "InvalidParameter")),
    ({"codecs": "av1"}, ("InvalidParameter",)),
    ({"codecs": ["av1"] * 1000}, ("Invalid", "InvalidParameter")),
    ({"codecs": [["av1"]]}, ("InvalidParameter",)),
    ({"format": "rgb"}, ("Invalid", "Unsupported", "InvalidParameter")),
    ({"timeBase": {"num": 0, "den": 0}}, ("Invalid",)),
    ({"timeBase": {"num": 1, "den": -1}}, ("Invalid", "InvalidParameter")),
    ({"timeBase": 1}, ("InvalidParameter",)),
    ({"nullScript": "x" * 100000}, ("Invalid", "InvalidParameter")),
    ({"nullScript": "send:1:nonsense"}, ("Invalid", "Unsupported")),
    ({"label": "x" * 100000}, ("Invalid", "InvalidParameter")),
    ({"speed": 2**31}, ("Invalid", "Unsupported", "InvalidParameter")),
]
SEAL_EXEC = 0x20  # F_SEAL_EXEC, where the kernel has it
# Offsets in the submit ring.
HEAD, FINISHED, CONSUMED, ENTRIES = 8, 16, 32, 4096


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

    def answer(self, client, method, parameters):
        reply, fds = hostile_client.call(client, method, parameters)
        for fd in fds:
            os.close(fd)
        return reply


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Requests(Base):

    def test_each_has_its_error(self):
        client = self.connect()
        for wrong, errors in BAD_REQUESTS:
            with self.subTest(wrong=str(wrong)[:80]):
                reply = self.answer(client, "OpenSession", {**GOOD, **wrong})
                self.assertIn("error", reply)
                self.assertIn(reply["error"].rsplit(".", 1)[1], errors, reply)
                self.assertTrue(reply["error"].startswith((OURS, VARLINK)), reply)
        self.assertNotIn("error", self.answer(client, "ListSessions", {}))
        self.daemon.settle()

    def test_fuzzed_ones_are_answered_or_cut_off(self):
        """Bytes of a good request are changed, its end cut off, its text doubled."""
        chance = random.Random(3)
        whole = hostile_client.message("OpenSession", GOOD)
        fronts = set(self.daemon.children("vencd-front"))
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(len(data) - 1)] = chance.randrange(256)
            if chance.random() < 0.2:
                data = data[:chance.randrange(1, len(data))] + data[-1:]
            client = self.connect()
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            for part in self.replies(client):
                reply = json.loads(part)
                self.assertRegex(reply.get("error", OURS), f"^({OURS}|{VARLINK})")
            client.close()
        self.assertTrue(fronts & set(self.daemon.children("vencd-front")), "the front crashed")
        self.daemon.settle()

    def replies(self, client):
        data = b""
        with contextlib.suppress(ConnectionError):
            while True:
                more, fds, _, _ = socket.recv_fds(client, 65536, 253)
                for fd in fds:
                    os.close(fd)
                if not more:
                    break
                data += more
        return [part for part in data.split(b"\0") if part]

    def as_user(self, uid, calls):
        """The errors that a user gets, from a process of its own."""
        read, write = os.pipe()
        if os.fork() == 0:
            status = 1
            with contextlib.suppress(Exception):
                os.setgid(uid)
                os.setuid(uid)
                client = hostile_client.connect(str(self.daemon.socket))
                client.settimeout(LIMIT)
                errors = [hostile_client.call(client, *each)[0].get("error") for each in calls]
                os.write(write, json.dumps(errors).encode())
                status = 0
            os._exit(status)
        os.close(write)
        with os.fdopen(read) as file:
            text = file.read()
        self.assertEqual(os.wait()[1], 0)
        return json.loads(text)

    def test_sessions_of_others(self):
        """Neither another user's nor, without its token, one's own."""
        client = self.connect()
        reply, fds = hostile_client.call(client, "OpenSession", GOOD)
        name = {key: reply["parameters"][key] for key in ("id", "token")}
        wrong = {**name, "token": "0123456789abcdef" * 2}
        cancel = {"cause": "asked"}
        nobody = OURS + "NoSuchSession"
        calls = [("Wait", name), ("Cancel", {**name, **cancel}), ("GetReport", name),
                 ("GetReport", {"id": name["id"]})]
        self.assertEqual(self.as_user(hostile.BAD, calls), [nobody] * len(calls))
        for method, parameters in (("Wait", wrong), ("Cancel", {**wrong, **cancel})):
            self.assertEqual(self.answer(client, method, parameters).get("error"), nobody)
        self.assertEqual(self.answer(client, "GetReport", name)["error"], OURS + "NotEnded")
        self.assertNotIn("error", self.answer(client, "Cancel", {**name, **cancel}))
        for fd in fds:
            os.close(fd)
        self.assertEqual(self.as_user(hostile.BAD, calls), [nobody] * len(calls))
        self.daemon.settle()


class Ring(front_plane.Session):
    """A session whose submit ring is written to by hand."""

    def entry(self, index, slot=0, flags=0, pts=0):
        struct.pack_into("<IIq", self.submit, ENTRIES + 16 * (index % self.layout["submitEntries"]),
                         slot, flags, pts)

    def store(self, offset, value):
        self.set_word(self.submit, offset, value % 2**64)
        self.wake()

    def close(self):
        self.connection.socket.close()
        for fd in self.fds:
            os.close(fd)


def frames(ring, n):
    for i in range(n):
        ring.entry(i, slot=i, pts=i)
    ring.store(HEAD, n)


def backwards(ring):
    frames(ring, 2)
    until(lambda: ring.word(ring.ring[0], 16, 8) == 2, "both frames are taken")
    ring.store(HEAD, 1)


def ends_early(ring):
    frames(ring, 3)
    until(lambda: ring.word(ring.ring[0], 16, 8) == 3, "the frames are taken")
    ring.store(FINISHED, 2)


def one_entry(**what):
    def write(ring):
        ring.entry(0, **what)
        ring.store(HEAD, 1)
    return write


def not_rising(ring):
    ring.entry(0, pts=5)
    ring.entry(1, slot=1, pts=5)
    ring.store(HEAD, 2)


RINGS = {
    "a slot out of range": one_entry(slot=10**6),
    "the first slot that is none": lambda ring: one_entry(slot=ring.layout["slots"])(ring),
    "unknown flags": one_entry(flags=0x80),
    "a pts out of range": one_entry(pts=2**62),
    "a pts that does not rise": not_rising,
    "an index that jumps": lambda ring: ring.store(HEAD, 10**6),
    "the largest index": lambda ring: ring.store(HEAD, -1),
    "an index that runs backwards": backwards,
    "an end before frames": ends_early,
}


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Memory(Base):

    def open(self, **parameters):
        ring = Ring(front_plane.Connection(self.daemon.socket), **{**GOOD, **parameters})
        self.addCleanup(ring.close)
        return ring

    def report(self, ring):
        cancel = {**ring.name, "cause": "asked"}
        self.assertIsNone(ring.connection.call("Cancel", cancel)[0] or None)
        return check_report(ring.connection.call("GetReport", ring.name)[0]["report"])

    def test_submit_rings(self):
        """The session ends, and its report says that the client's ring was wrong."""
        for what, write in RINGS.items():
            with self.subTest(what):
                ring = Ring(front_plane.Connection(self.daemon.socket), **GOOD)
                write(ring)
                until(lambda: ring.word(ring.control, 8) == 2, "the session ends")
                report = self.report(ring)
                self.assertIn(report["outcome"], ("failed", "truncated"), report)
                self.assertIn("client's submit ring", report["cause"])
                ring.close()
        self.daemon.settle()

    def test_consumed_indices(self):
        """Credit that was never given out: the client's own packets suffer, and nobody else."""
        for value in (-1, 10**6):
            with self.subTest(value):
                neighbour = self.daemon.feed(uid=hostile.GOOD, frames=9)
                neighbour.await_ready()
                ring = Ring(front_plane.Connection(self.daemon.socket), **GOOD)
                ring.store(CONSUMED, value)
                frames(ring, 3)
                ring.store(FINISHED, 4)
                report = self.report(ring)
                self.assertIn(report["outcome"], ("complete", "cancelled", "truncated"), report)
                ring.close()
                self.assertEqual(neighbour.result()["report"]["outcome"], "complete")
        self.daemon.settle()

    def test_what_is_not_the_clients_cannot_be_written(self):
        ring = self.open()
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        for place in (0, 1, 2, *range(4, len(ring.fds), 3)):  # all memory of the session
            self.assertEqual(os.fstat(ring.fds[place]).st_mode & 0o177, 0)
            self.assertEqual(fcntl.fcntl(ring.fds[place], fcntl.F_GET_SEALS) & ~SEAL_EXEC, seals)
            self.assertEqual(self.reopen_as(hostile.BAD, ring.fds[place]), "refused")
        memories = [2, *range(4, len(ring.fds), 3)]  # the control page, and each attempt's ring
        for place in memories:
            fd = ring.fds[place]
            with self.assertRaises(PermissionError):
                mmap.mmap(fd, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)
            with self.assertRaises(OSError):
                os.pwrite(fd, b"x", 0)
            with self.assertRaises(OSError):
                os.ftruncate(fd, 0)
        for place in (0, 1):  # pool and submit ring: the client's, but of their size for good
            for size in (0, 1 << 30):
                with self.assertRaises(PermissionError):
                    os.ftruncate(ring.fds[place], size)
            with self.assertRaises(PermissionError):
                fcntl.fcntl(ring.fds[place], fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)

    def reopen_as(self, uid, fd):
        """Whether another user than the daemon's can make its descriptor writable."""
        if (child := os.fork()) == 0:
            os.setgid(uid)
            os.setuid(uid)
            try:
                os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
            except OSError:
                os._exit(0)
            os._exit(1)
        return "refused" if os.waitpid(child, 0)[1] == 0 else "allowed"

    def test_one_that_stops_reading(self):
        """Its packets are not taken: the encoder waits for credit for as long as it likes, and is
        not wedged.
        """
        ring = Ring(front_plane.Connection(self.daemon.socket), **GOOD, nullScript="size=1572864")
        frames(ring, ring.layout["slots"])
        before = self.daemon.counters()["abandoned"]
        until(lambda: self.states() == ["idle-credit"], "it waits for credit")
        until(lambda: self.daemon.sessions()[0]["callMs"] > 3 * hostile.BUDGET_MS, "three budgets")
        self.assertEqual(self.states(), ["idle-credit"])
        self.assertEqual(self.daemon.counters()["abandoned"], before)
        ring.close()
        self.daemon.settle()

    def states(self):
        return [row["callState"] for row in self.daemon.sessions()]


if __name__ == "__main__":
    main()
