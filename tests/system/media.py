# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Makes media to encode, runs `vencctl encode`, and looks at what came out by decoding it."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

from harness import CLIP, LIMIT, SCHEMA, SOFTWARE, Daemon, run_tool

import jsonschema

OUTCOMES = {"complete": 0, "degraded": 10, "truncated": 11, "failed": 12, "cancelled": 13}
# Budgets as an operator has them: what is looked at here are files.
SETTINGS = {**SOFTWARE, **dict.fromkeys(("OpenBudget", "EncodeBudget", "FlushBudget",
                                         "CloseBudget"), "10s")}


def run(*arguments, **keywords):
    keywords = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords}
    return subprocess.run([str(a) for a in arguments], check=True, timeout=LIMIT * 3, **keywords)


def ffmpeg(*arguments):
    """stdout, which must come without a word on stderr."""
    result = run("ffmpeg", "-v", "error", "-nostdin", "-y", *arguments)
    assert not result.stderr, result.stderr.decode()
    return result.stdout


def probe(path, *arguments):
    return json.loads(run("ffprobe", "-v", "error", "-of", "json", *arguments, path).stdout)


def stream(path, kind="v:0"):
    return probe(path, "-select_streams", kind, "-show_streams")["streams"][0]


def frames(path, *arguments):
    """Decoded pictures of the video, in order."""
    return probe(path, *arguments, "-select_streams", "v:0", "-show_frames")["frames"]


def seconds(path):
    """The time of each picture, in seconds."""
    return [float(frame["pts_time"]) for frame in frames(path)]


def packet_hashes(path, kind):
    packets = probe(path, "-select_streams", kind, "-show_packets", "-show_data_hash", "md5")
    return [packet["data_hash"] for packet in packets["packets"]]


def count_decoded(path):
    """How many pictures a decoder gives that takes no error."""
    text = ffmpeg("-xerror", "-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f",
                  "framecrc", "-")
    return sum(not line.startswith(b"#") for line in text.splitlines())


def similarity(path, source):
    """The worst picture's SSIM, picture by picture, whatever the timestamps say."""
    same = "settb=1/25,setpts=N"
    text = ffmpeg("-i", path, "-i", source, "-lavfi",
                  f"[0:v]{same}[a];[1:v]{same}[b];[a][b]ssim=stats_file=-", "-an",
                  "-fps_mode", "passthrough", "-enc_time_base", "1:25", "-f", "null",
                  "-").decode()
    return min(float(value) for value in re.findall(r"All:([0-9.]+)", text))


class MediaTest(unittest.TestCase):
    """A folder of its own, and a vencd that all tests of a class share."""

    vencd = None

    @classmethod
    def setUpClass(cls):
        cls.vencd = None
        cls.folder = tempfile.TemporaryDirectory(prefix="vencd-media-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.clip = cls.path / "clip.mp4"
        ffmpeg("-i", CLIP, "-frames:v", "72", "-c", "copy", "-shortest", cls.clip)

    @classmethod
    def tearDownClass(cls):
        if cls.vencd:
            cls.vencd.stop()
        cls.folder.cleanup()

    def socket_options(self):
        """For vencctl: those of the shared vencd, which is started for the first that asks."""
        if not self.vencd:
            type(self).vencd = Daemon(SETTINGS)
        return "--socket", self.vencd.socket

    def draw(self, name, *arguments, source="testsrc2=s=320x180:r=25:d=2"):
        """A file with drawn pictures."""
        path = self.path / name
        ffmpeg("-f", "lavfi", "-i", source, *arguments, path)
        return path

    def encode(self, source, output, *options, outcome="complete", daemon=None, **keywords):
        """Returns the result as JSON, with what stood on stderr."""
        report = self.path / "result.json"
        report.unlink(missing_ok=True)
        tool = run_tool(*(daemon or self.socket_options()), "encode", source, "-o", output,
                        "--speed", "12", *options, "--report", report,
                        expect=OUTCOMES[outcome], **keywords)
        result = json.loads(report.read_text())
        self.check_result(result, outcome)
        return {**result, "said": tool.stderr}

    def check_result(self, result, outcome):
        self.assertEqual(result["outcome"], outcome, result)
        self.assertIn(result["delivery"]["outcome"], OUTCOMES)
        if "report" in result:
            jsonschema.validate(result["report"], SCHEMA)
        if outcome == "complete":
            self.assertEqual(result["report"]["framesEncoded"], result["delivery"]["frames"])
            self.assertNotIn("error", result["delivery"])
