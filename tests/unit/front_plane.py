#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""A client in another language: docs/protocol.md is enough to encode with, and says what is so.

Starts the real daemon and encodes frames through the shared memory, with nothing of ours but the
page's numbers. The packets, their digest and the report must agree.
"""
import json
import mmap
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import harness  # noqa: E402

PAGE = (harness.SOURCE / "docs/protocol.md").read_text(encoding="utf-8")
NO_CUT = 2**64 - 1
DATA = 200704
FRAMES = 90


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(harness.LIMIT)
        self.socket.connect(str(path))

    def call(self, method, parameters):
        message = {"method": f"io.vencd.Encoder.{method}", "parameters": parameters}
        self.socket.sendall(json.dumps(message).encode() + b"\0")
        data, fds = b"", []
        while not data.endswith(b"\0"):
            more, new, _, _ = socket.recv_fds(self.socket, 65536, 64)
            assert more, "the connection was closed"
            data += more
            fds += new
        reply = json.loads(data[:-1])
        assert "error" not in reply, reply
        return reply.get("parameters", {}), fds  # absent where there are none: systemd 262


class Session:
    def __init__(self, connection, **parameters):
        self.connection = connection
        reply, fds = connection.call("OpenSession", parameters)
        self.layout = layout = reply["layout"]
        self.name = {"id": reply["id"], "token": reply["token"]}
        assert len(fds) == 4 + 3 * layout["attempts"]
        self.fds = fds
        self.pool = mmap.mmap(fds[0], layout["slots"] * layout["slotSize"])
        self.submit = mmap.mmap(fds[1], 0)
        self.control = mmap.mmap(fds[2], 4096, prot=mmap.PROT_READ)
        self.ring = [mmap.mmap(fds[4 + 3 * n], DATA + layout["dataSize"], prot=mmap.PROT_READ)
                     for n in range(layout["attempts"])]
        for memory in (self.submit, self.control, *self.ring):
            assert struct.unpack_from("<II", memory) == (0x636e6576, 1)
        self.free = list(range(layout["slots"]))
        self.head = self.attempt = self.position = 0
        self.packets, self.digest = [], 0xcbf29ce484222325

    def wake(self):
        current = self.word(self.control, 12)
        if self.word(self.ring[current], 24):
            try:
                os.write(self.fds[5 + 3 * current], b"x")
            except BlockingIOError:
                pass

    @staticmethod
    def word(memory, offset, size=4):
        return memoryview(memory).cast("I" if size == 4 else "Q")[offset // size]

    @staticmethod
    def set_word(memory, offset, value):
        memoryview(memory).cast("Q")[offset // 8] = value

    def submit_frame(self, pts, value):
        slot = self.free.pop()
        for plane in range(self.layout["planes"]):
            start = slot * self.layout["slotSize"] + self.layout["offset"][plane]
            size = self.layout["stride"][plane] * self.layout["rows"][plane]
            self.pool[start:start + size] = bytes([value]) * size
        entry = 4096 + 16 * (self.head % self.layout["submitEntries"])
        struct.pack_into("<IIq", self.submit, entry, slot, 0, pts)
        self.head += 1
        self.set_word(self.submit, 8, self.head)
        self.wake()

    def finish(self):
        self.set_word(self.submit, 16, 1 + self.head)
        self.wake()

    def take_entry(self, ring):
        entry = ring[4096 + 96 * (self.position % 2048):][:96]
        kind, flags, slot, size, offset, pts, dts, frame = struct.unpack_from("<IIIIQqqQ", entry)
        self.position += 1
        if kind == 1:
            data = ring[DATA + offset:DATA + offset + size]
            for byte in data:
                self.digest = (self.digest ^ byte) * 0x100000001b3 % 2**64
            self.packets.append((pts, dts, flags, frame, data))
            assert struct.unpack_from("<Q", entry, 56)[0] == len(self.packets)
            assert struct.unpack_from("<Q", entry, 72)[0] == self.digest
        elif kind == 2:
            self.free.append(slot)
        else:
            assert kind == 3, kind

    def read(self):
        """Reads what is there; false after the last packet."""
        cut = self.word(self.control, 16 + 8 * self.attempt, 8)
        ring = self.ring[self.attempt]
        limit = self.word(ring, 8, 8) if cut == NO_CUT else cut
        while self.position < limit:
            self.take_entry(ring)
            self.set_word(self.submit, 32 + 8 * self.attempt, self.position)
            self.wake()
        if cut == NO_CUT:
            return True
        ended = self.word(self.control, 8) == 2
        if self.word(self.control, 12) > self.attempt:
            self.attempt, self.position = self.attempt + 1, 0
            return True
        return not ended

    def doze(self):
        """Without memory barriers, for some milliseconds only."""
        memoryview(self.submit).cast("I")[6] = 1
        select.select([self.fds[6 + 3 * self.attempt]], [], [], 0.005)
        memoryview(self.submit).cast("I")[6] = 0
        try:
            os.read(self.fds[6 + 3 * self.attempt], 4096)
        except BlockingIOError:
            pass


def encode(session, frames):
    end = time.monotonic() + harness.LIMIT
    submitted = 0
    while session.read():
        assert time.monotonic() < end, "it does not end"
        if submitted < frames and session.free:
            session.submit_frame(submitted * 2, submitted * 2 + 16)
            submitted += 1
            if submitted == frames:
                session.finish()
        else:
            session.doze()
    return session.connection.call("GetReport", session.name)[0]["report"]


class Plane(unittest.TestCase):
    def check(self, codec, **parameters):
        with harness.Daemon(harness.SOFTWARE) as daemon:
            session = Session(
                Connection(daemon.socket), codecs=[codec], width=128, height=96, format="i420",
                timeBase={"num": 1, "den": 50}, frameRate={"num": 25, "den": 1}, **parameters)
            report = encode(session, FRAMES)
            harness.check_report(report)
            self.assertEqual(report["outcome"], "complete")
            self.assertEqual(report["framesEncoded"], FRAMES)
            self.assertEqual(report["digest"], f"{session.digest:016x}")
            self.assertEqual(report["bytes"], sum(len(p[4]) for p in session.packets))
            self.assertEqual(sorted(p[0] for p in session.packets), [i * 2 for i in range(FRAMES)])
            self.assertEqual(sorted(p[3] for p in session.packets), list(range(FRAMES)))
            times = [p[1] for p in session.packets]
            self.assertEqual(times, sorted(set(times)))
            self.assertTrue(all(p[1] <= p[0] for p in session.packets))
            self.assertEqual(session.packets[0][2] & 1, 1)
            session.connection.socket.close()
            return b"".join(p[4] for p in session.packets)

    def test_null(self):
        self.check("av1", backend="null")

    def test_h264_decodes(self):
        stream = self.check("h264", speed=10)
        raw = subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo", "-"],
            input=stream, stdout=subprocess.PIPE, check=True).stdout
        size = 128 * 96 * 3 // 2
        self.assertEqual(len(raw), size * FRAMES)
        for i in range(FRAMES):
            self.assertAlmostEqual(raw[i * size + 640], i * 2 + 16, delta=4)


class OneShot(unittest.TestCase):
    """The twenty lines of tests/demo/oneshot.py."""

    def run_example(self, daemon, source, target, container):
        return subprocess.run(
            [harness.SOURCE / "tests/demo/oneshot.py", daemon.socket, source, target, container],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
            timeout=harness.LIMIT)

    def test_it(self):
        with harness.Daemon(harness.SOFTWARE) as daemon:
            directory = pathlib.Path(daemon.directory.name)
            source, target = directory / "in.y4m", directory / "out.mkv"
            subprocess.run(
                ["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                 "testsrc=s=192x128:d=2,format=yuv420p", source], check=True)
            run = self.run_example(daemon, source, target, "matroska")
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertTrue(run.stdout.startswith("complete: 50 frames"), run.stdout)
            count = subprocess.run(
                ["ffprobe", "-v", "error", "-count_frames", "-show_entries",
                 "stream=codec_name,nb_read_frames", "-of", "csv=p=0", target],
                stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertEqual(count.strip(), "av1,50")
            run = self.run_example(daemon, daemon.config, directory / "none.mkv", "mkv")
            self.assertEqual(run.returncode, 12, run.stderr)
            self.assertTrue(run.stdout.startswith("failed: 0 frames"), run.stdout)
            run = self.run_example(daemon, source, directory / "none.avi", "avi")
            self.assertEqual(run.returncode, 1)
            self.assertIn("io.vencd.Encoder.Invalid", run.stderr)


class Page(unittest.TestCase):
    def test_names_all(self):
        """Every method and error of the interface is on the page."""
        with harness.Daemon(harness.SOFTWARE) as daemon:
            text = subprocess.run(
                ["varlinkctl", "introspect", daemon.socket, "io.vencd.Encoder"],
                stdout=subprocess.PIPE, text=True, check=True).stdout
        names = re.findall(r"^(?:method|error) (\w+)", text, re.MULTILINE)
        self.assertGreater(len(names), 16)
        for name in names:
            self.assertIn(f"| `{name}`", PAGE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
