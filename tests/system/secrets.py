# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""A planted secret shows up nowhere: in the userinfo of an input's URL, in an input's metadata.

The inputs are files whose names are such URLs ("http:" is a folder like any other), so that runs
get as far as a report, and further: refused, broken half-way, killed under the encoder. Looked
through are the daemon's log at debug level, every report and list, the command lines and
environments of all its processes, vencctl's own command line, and what it prints. A session's
label is its client's own word: it is in the report and the list of sessions for that client to
see, and in no log.
"""

import json
import pathlib
import subprocess
import tempfile
import unittest

from harness import BUILD, CLIP, Daemon, answer, main, run_tool

SECRET = "hunter2-s3cr3t"
LABEL = "l4bel-of-a-client"
CODEC = {"SoftwareEncoders": "libx264"}
URL = f"http://someone:{SECRET}@camera.example"
SHOWN = "http://***@camera.example"


class Secrets(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="vencd-secrets-")
        cls.path = pathlib.Path(cls.directory.name)
        folder = cls.path / "http:" / f"someone:{SECRET}@camera.example"
        folder.mkdir(parents=True)
        subprocess.run(["ffmpeg", "-v", "error", "-i", CLIP, "-c", "copy", "-metadata",
                        f"title={SECRET}", "-metadata:s:v", f"handler_name={SECRET}",
                        "-metadata", f"comment=http://someone:{SECRET}@host/", folder / "clip.mp4"],
                       check=True)
        assert SECRET.encode() in (folder / "clip.mp4").read_bytes()
        whole = (folder / "clip.mp4").read_bytes()
        (folder / "cut.mkv").write_bytes(b"")
        subprocess.run(["ffmpeg", "-v", "error", "-i", folder / "clip.mp4", "-c", "copy", "-y",
                        folder / "whole.mkv"], check=True)
        whole = (folder / "whole.mkv").read_bytes()
        (folder / "cut.mkv").write_bytes(whole[:len(whole) * 2 // 3])
        (folder / "noise.mp4").write_bytes(whole[len(whole) // 3:len(whole) // 2])

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def look(self, what, text):
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        self.assertNotIn(SECRET, text, what)
        return text

    def look_at_processes(self, daemon):
        for pid in [daemon.process.pid, *daemon.children()]:
            for file in ("cmdline", "environ"):
                try:
                    text = pathlib.Path(f"/proc/{pid}/{file}").read_bytes()
                except OSError:
                    continue  # it has ended
                self.look(f"{file} of {pid}", text)
                self.assertNotIn(LABEL, text.decode(errors="replace"))

    def is_hidden(self, process):
        """Whether its command line is what may be shown; once it is, it stays so."""
        words = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        if not words:  # it has just ended
            return self.seen_hidden
        return SECRET not in words

    def encode(self, daemon, *arguments, url=URL + "/clip.mp4", out="out.mp4"):
        """Runs vencctl where the URL is the name of a file; gives what it said and its result."""
        process = subprocess.Popen(
            [BUILD.resolve() / "vencctl", "--socket", daemon.socket, "--json", "encode", url, "-o",
             out, "--codec", "h264", "--speed", "13", *arguments], cwd=self.path,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.seen_hidden = False
        while process.poll() is None:
            self.look_at_processes(daemon)
            hidden = self.is_hidden(process)
            self.assertGreaterEqual(hidden, self.seen_hidden)
            self.seen_hidden = hidden
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        said = self.look("stdout", process.stdout.read())
        errors = self.look("stderr", process.stderr.read())
        process.stdout.close()
        process.stderr.close()
        return process.returncode, said, errors

    def look_at_all(self, daemon, reports=1):
        for command in ("sessions", "devices"):
            self.look(command, run_tool("--socket", daemon.socket, command, "--json").stdout)
        answers = [self.look(f"report {n}", answer(daemon.socket, "GetReport", {"id": n}))
                   for n in range(1, 40)]
        found = sum('"report"' in text for text in answers)
        self.assertEqual(found, reports)
        self.assertNotIn(LABEL, self.look("log", daemon.messages()))

    def test_whole(self):
        with Daemon(CODEC) as daemon:
            code, said, _ = self.encode(daemon)
            self.assertEqual(code, 0, said)
            self.assertTrue(self.seen_hidden)
            code, said, _ = self.encode(daemon, out=URL + "/out.mp4")
            self.assertEqual(code, 0, said)
            self.assertTrue(self.seen_hidden)
            self.look_at_all(daemon, reports=2)
        # Metadata belongs to the output: it was there to be found.
        self.assertIn(SECRET.encode(), (self.path / "out.mp4").read_bytes())

    def test_label(self):
        with Daemon(CODEC) as daemon:
            feeder = daemon.feed(frames=9, label=LABEL, script="send:5:crash")
            self.look_at_processes(daemon)
            report = feeder.result()["report"]
            self.assertEqual(report["params"]["label"], LABEL)
            self.look_at_all(daemon)

    def test_not_there(self):
        with Daemon(CODEC) as daemon:
            code, _, errors = self.encode(daemon, url=URL + "/missing.mp4")
            self.assertNotEqual(code, 0)
            self.assertIn(f"{SHOWN}/missing.mp4: ", errors)
            code, _, errors = self.encode(daemon, out=URL + "/nowhere/out.mp4")
            self.assertNotEqual(code, 0)
            self.assertIn(f"{SHOWN}/nowhere/out.mp4: ", errors)
            code, _, errors = self.encode(daemon, url=URL + "/clip.mp4", out=URL + "/clip.mp4")
            self.assertIn("is the input", errors)
            code, _, errors = self.encode(daemon, URL + "/second.mp4")
            self.assertIn(f"{SHOWN}/second.mp4", errors)
            self.look_at_all(daemon, reports=0)

    def test_broken(self):
        for name in ("cut.mkv", "noise.mp4"):
            with self.subTest(name), Daemon(CODEC) as daemon:
                code, said, errors = self.encode(daemon, url=f"{URL}/{name}", out="broken.mkv")
                self.assertNotEqual(code, 0, said)
                self.assertIn(SHOWN, said + errors)
                self.look_at_all(daemon, reports=int(name == "cut.mkv"))

    def test_killed_under_the_encoder(self):
        with Daemon(CODEC) as daemon:
            code, said, _ = self.encode(daemon, "--backend", "null", "--container", "null",
                                        "--null-script", "send:9:hang", out="out.null")
            self.assertNotEqual(code, 0, said)
            self.assertEqual(json.loads(said)["report"]["attempts"][0]["end"], "abandoned")
            code, said, _ = self.encode(daemon, "--backend", "null", "--container", "null",
                                        "--null-script", "send:9:crash", out="out.null")
            self.assertEqual(json.loads(said)["report"]["attempts"][0]["end"], "crashed")
            self.look_at_all(daemon, reports=2)


if __name__ == "__main__":
    main()
