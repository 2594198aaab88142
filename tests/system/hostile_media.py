# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Hostile media through one-shot requests: each ends in a result, within time and memory.

All of it goes to one daemon, a few requests at once, beside an honest request that must not notice.
The encoder is the null one: what is tried is who parses. VENCD_HOSTILE_SEEDS=N (1) breaks the good
files in N ways.
"""

import concurrent.futures
import json
import os
import pathlib
import socket
import tempfile
import threading
import time
import unittest

from harness import LIMIT, Daemon, check_report, main, until
from hostile_files import (ENDLESS, broken, endless, huge, mkv_bombs, make_good, references,
                           subtitles)
from oneshot import Call

SEEDS = int(os.environ.get("VENCD_HOSTILE_SEEDS", "1"))
MEMORY_MB = 512
AT_ONCE = 3
OUTCOMES = ("complete", "degraded", "truncated", "failed", "cancelled")


class Watcher(threading.Thread):
    """Looks at the adapters' memory, and that each was limited before it did anything."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.vencd, self.over = daemon, threading.Event()
        self.peak, self.seen, self.unlimited = 0, set(), set()
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            for pid in self.vencd.children("vencd-stream"):
                self.look(pid)

    def look(self, pid):
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")
        except OSError:
            return
        known = pid in self.seen
        self.seen.add(pid)
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                self.peak = max(self.peak, int(line.split()[1]) >> 10)
        # It is limited right after it was started, and before it was told what to read.
        if known and "Max data size             unlimited" in limits:
            self.unlimited.add(pid)

    def stop(self):
        self.over.set()
        self.join()


class HostileMedia(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vencd-hostile-")
        cls.path = pathlib.Path(cls.folder.name)
        make_good(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.daemon = Daemon({"AdapterMemory": f"{MEMORY_MB}M", "SessionsPerWorker": "1"})
        self.addCleanup(self.daemon.stop)
        self.watcher = Watcher(self.daemon)
        self.pid = self.daemon.process.pid

    def request(self, source, **parameters):
        output = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        try:
            return Call(self.daemon.socket, "Encode",
                        {"input": 0, "output": 1, "container": "null", "codecs": ["av1"],
                         "backend": "null", **parameters}, [source, output])
        finally:
            os.close(output)

    def check_result(self, name, reply):
        """A typed error, or a result that says what is wrong."""
        if "error" in reply:
            self.assertTrue(reply["error"].startswith("io.vencd.Encoder."), (name, reply))
            return reply["error"].rpartition(".")[2], json.dumps(reply["parameters"])
        result = reply["parameters"]
        self.assertIn(result["outcome"], OUTCOMES, name)
        if "report" in result:
            check_report(result["report"])
        if result["outcome"] != "complete":
            self.assertIn("error", result["delivery"], (name, result))
            self.assertTrue(result["delivery"]["text"], (name, result))
        return (result["delivery"].get("error", result["outcome"]),
                result["delivery"].get("text", ""))

    def encode(self, name, content):
        path = self.path / name
        path.write_bytes(content)
        with open(path, "rb") as source:
            call = self.request(source.fileno())
        path.unlink()
        began = time.monotonic()
        result = self.check_result(name, call.last())
        took = time.monotonic() - began
        self.assertLess(took, LIMIT, name)
        if took > 5:
            print(f"{name}: {took:.1f} s")
        return name, result

    def encode_all(self, files):
        """A few at once, and made only as they are needed."""
        results = {}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = set()
            for name, content in files:
                waiting.add(pool.submit(self.encode, name, content))
                if len(waiting) > AT_ONCE:
                    done, waiting = concurrent.futures.wait(
                        waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                    results.update(f.result() for f in done)
            results.update(f.result() for f in waiting)
        return results

    def begin_honest(self):
        source, self.feed = os.pipe()
        self.honest = self.request(source, inputFormat="y4m")
        os.close(source)
        os.write(self.feed, b"YUV4MPEG2 W64 H64 F25:1\n")
        self.fed = 0
        self.feed_honest()

    def feed_honest(self):
        os.write(self.feed, 3 * (b"FRAME\n" + bytes(64 * 64 * 3 // 2)))
        self.fed += 3

    def end_honest(self):
        self.feed_honest()
        os.close(self.feed)
        result = self.honest.last()["parameters"]
        self.assertEqual(result["outcome"], "complete", result)
        self.assertEqual(result["delivery"]["frames"], self.fed)

    def check_left(self):
        """The daemon is the same, nothing of it was killed, and nothing is left."""
        until(lambda: not self.daemon.children("vencd-stream"), "the adapters have ended")
        self.watcher.stop()
        self.assertEqual(self.daemon.process.pid, self.pid)
        self.assertIsNone(self.daemon.process.poll())
        self.assertTrue(self.watcher.seen)
        self.assertFalse(self.watcher.unlimited)
        self.assertLessEqual(self.watcher.peak, MEMORY_MB)
        self.assertNotIn("vencd-front] was killed", self.daemon.messages())
        print(f"{len(self.watcher.seen)} adapters, {self.watcher.peak} MiB at most")

    def tried(self, files):
        self.begin_honest()
        results = self.encode_all(files)
        self.end_honest()
        self.check_left()
        for name, (error, text) in sorted(results.items()):
            if not name.partition("-")[2].startswith(("cut", "flipped")):
                print(f"{name}: {error}: {text[:150]}")
        return results

    def test_broken(self):
        results = self.tried(broken(self.path, SEEDS))
        self.assertGreater(len(results), 50)
        bad = [name for name, (error, _) in results.items() if error == "input_failed"]
        self.assertGreater(len(bad), len(results) // 3)
        crashed = {name: said for name, said in results.items() if said[0] == "AdapterFailed"}
        self.assertFalse(crashed)

    def test_huge(self):
        results = self.tried(huge(self.path))
        for name in ("y4m-65536x65536", "y4m-8192x8192-and-nothing", "h264-16384x16384",
                     "png-30000x29952", "h264-changes-its-size"):
            self.assertEqual(results[name][0], "input_failed", name)
        for name in ("mp4-4-billion-samples",):
            self.assertIn(results[name][0], ("input_failed", "complete"), name)

    def test_bombs(self):
        results = self.tried([*mkv_bombs(), *subtitles()])
        self.assertIn("packets in a row", results["mkv-pictureless"][1])
        for name, (error, _) in results.items():
            self.assertEqual(error, "input_failed", name)

    def test_memory(self):
        """More than AdapterMemory is the input's failure, and is called so."""
        results = self.tried([
            ("h264-hungry", next(c for n, c in huge(self.path) if n == "h264-8192x4096-skips"))])
        self.assertIn("AdapterMemory", results["h264-hungry"][1])

    def test_references(self):
        """Nothing that a file names is opened."""
        target = self.path / "good.ts"
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.2)
            address = f"127.0.0.1:{server.getsockname()[1]}"
            results = self.tried(references(target, address))
            with self.assertRaises(TimeoutError):
                server.accept()
        for name, (error, _) in results.items():
            if name != "svg":  # drawn without what it names
                self.assertEqual(error, "input_failed", name)

    def pour(self, fd, pieces):
        try:
            for piece in pieces:
                os.write(fd, piece)
        except BrokenPipeError:
            pass
        finally:
            os.close(fd)

    def test_endless(self):
        """What never comes to a picture is given up."""
        self.begin_honest()
        for name in ENDLESS:
            source, feed = os.pipe()
            call = self.request(source)
            os.close(source)
            pump = threading.Thread(target=self.pour, args=(feed, endless(name)), daemon=True)
            pump.start()
            began = time.monotonic()
            error, text = self.check_result(name, call.last())
            print(f"{name}: {time.monotonic() - began:.1f} s: {error}: {text[:150]}")
            self.assertEqual(error, "input_failed", name)
            pump.join(LIMIT)
        self.end_honest()
        self.check_left()

    def test_endless_pictures(self):
        """What goes on for ever costs nothing once nobody asks for it."""
        source, feed = os.pipe()
        call = self.request(source, inputFormat="y4m")
        os.close(source)
        frame = b"FRAME\n" + bytes(64 * 64 * 3 // 2)
        pieces = [b"YUV4MPEG2 W64 H64 F25:1\n"] + [frame * 100] * 100000
        pump = threading.Thread(target=self.pour, args=(feed, pieces), daemon=True)
        pump.start()
        sessions = self.daemon.sessions
        until(lambda: any(s["framesEncoded"] > 1000 for s in sessions()), "it is being encoded")
        call.socket.close()
        until(lambda: not sessions(), "the session has ended")
        pump.join(LIMIT)
        self.assertFalse(pump.is_alive())
        self.check_left()


if __name__ == "__main__":
    main()
