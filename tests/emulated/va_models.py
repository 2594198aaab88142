# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The models of the emulated VA driver: each can what it says; liars lie as README.md has it."""

import pathlib
import re
import sys
import tempfile
import unittest

import strangers

EVERYTHING = {"H264ConstrainedBaseline", "H264Main", "H264High", "HEVCMain", "HEVCMain10",
              "AV1Profile0", "VP9Profile0", "VP9Profile2"}
PLAIN = {"H264ConstrainedBaseline", "H264Main", "H264High"}
BAR = 29
OTHER = "/dev/dri/renderD5"


class Model(unittest.TestCase):

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, ending):
        return pathlib.Path(self.directory.name) / f"out.{ending}"

    def encode(self, model, codec, ending, *options, **clip):
        path = self.path(ending)
        return path, strangers.encode(model, codec, path, *options, **clip)


class Lists(Model):

    def test_vainfo(self):
        for model, profiles in (("full", EVERYTHING), ("h264-only", PLAIN), ("idle", EVERYTHING)):
            done = strangers.vainfo(model)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"{strangers.DRIVER} (model {model})", done.stdout)
            self.assertEqual(set(re.findall(r"VAProfile(\w+)\s*:\s*VAEntrypointEncSlice\b",
                                            done.stdout)), profiles)

    def test_node_decides(self):
        """The other node is no device of this driver, until the file says that it is."""
        self.assertEqual(strangers.vainfo("full", node=OTHER).returncode, 3)
        strangers.set_devices("1:3 full", "1:5 h264-only")
        done = strangers.run(["vainfo", "--display", "drm", "--device", OTHER])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("model h264-only", done.stdout)


class Plain(Model):

    def test_headers_of_its_own(self):
        path, done = self.encode("h264-only", "h264", "h264", "-bf", "2", "-qp", "24",
                                 size="322x194")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(strangers.probe(path, "stream=width,height,has_b_frames"),
                         [["322", "194", "0"]])
        frames, worst = strangers.compare(path, "322x194")
        self.assertEqual(frames, 24)
        self.assertGreater(worst, BAR)

    def test_no_extradata(self):
        _, done = self.encode("h264-only", "h264", "mkv", frames=3)
        self.assertNotEqual(done.returncode, 0)

    def test_nothing_else(self):
        _, done = self.encode("h264-only", "hevc", "hevc", frames=3)
        self.assertNotEqual(done.returncode, 0)


class Liars(Model):

    def test_garbage(self):
        path, done = self.encode("garbage", "hevc", "hevc", "-bf", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(strangers.probe(path, "packet=flags")), 24)
        with self.assertRaises(ValueError):
            strangers.compare(path)

    def test_garbage_is_honest_in_h264(self):
        path, done = self.encode("garbage", "h264", "h264", "-qp", "24")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(strangers.compare(path)[1], BAR)

    def test_small(self):
        for codec in "h264", "hevc":
            _, done = self.encode("small", codec, codec, size="144x96", frames=3)
            self.assertNotEqual(done.returncode, 0)
            _, done = self.encode("small", codec, codec, size="160x48", frames=3)
            self.assertNotEqual(done.returncode, 0)
            _, done = self.encode("small", codec, codec, size="160x64", frames=3)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_bad_b(self):
        for codec in "h264", "hevc":
            path, done = self.encode("bad-b", codec, codec, "-bf", "2", "-qp", "24")
            self.assertEqual(done.returncode, 0, done.stderr)
            frames, worst = strangers.compare(path)
            self.assertEqual(frames, 24)
            self.assertLess(worst, 26)
            path, done = self.encode("bad-b", codec, codec, "-bf", "0", "-qp", "24")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(strangers.compare(path)[1], BAR)

    def hangs(self, model, frames, where):
        path = self.path("h264")
        command = strangers.encode_command(model, "h264", path, "-bf", "0",
                                           "-async_depth", "1", "-flush_packets", "1",
                                           size="64x64", frames=frames)
        with strangers.Started(command) as started:
            self.assertIn(f"{where} 0: hang", started.wait_for(strangers.DRIVER) or "ended")
            self.assertTrue(started.waits())
        return path

    def test_hang_p(self):
        path = self.hangs("hang-p", 24, "the first P picture")
        self.assertLessEqual(strangers.count_frames(path), 1)

    def test_hang_p_is_honest_in_intra(self):
        path, done = self.encode("hang-p", "h264", "h264", "-g", "1", size="64x64")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(strangers.count_frames(path), 24)

    def test_tired(self):
        path = self.hangs("tired", 400, "tired")
        self.assertLess(strangers.count_frames(path), 300)
        _, done = self.encode("tired", "h264", "h264", "-bf", "0", size="64x64", frames=299)
        self.assertEqual(done.returncode, 0, done.stderr)


class Idle(Model):

    def test_packets(self):
        """Small, one for each picture, and with the keyframes where they belong."""
        for codec, ending in (("h264", "h264"), ("hevc", "hevc"), ("av1", "ivf"), ("vp9", "ivf")):
            path, done = self.encode("idle", codec, ending, "-bf", "0", "-g", "10", frames=40,
                                     size="640x368")
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = strangers.probe(path, "packet=size,flags")
            self.assertEqual(len(rows), 40)
            self.assertEqual([i for i, row in enumerate(rows) if "K" in row[1]], [0, 10, 20, 30])
            self.assertLess(max(int(row[0]) for row in rows), 400)


class Still(Model):

    def test_first_picture(self):
        """All pictures are the first one, and no decoder has anything against them."""
        path, done = self.encode("still", "h264", "h264", "-g", "10", "-qp", "24", frames=40,
                                 size="322x194")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = strangers.probe(path, "packet=size,flags")
        self.assertEqual([i for i, row in enumerate(rows) if "K" in row[1]], [0, 10, 20, 30])
        self.assertLess(max(int(row[0]) for row in rows if "K" not in row[1]), 32)
        done = strangers.run(["ffmpeg", "-v", "error", "-xerror", "-i", path, "-fps_mode",
                              "passthrough", "-f", "framemd5", "-"])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        sums = [line.split()[-1] for line in done.stdout.splitlines() if line[0] != "#"]
        self.assertEqual(len(sums), 40)
        self.assertEqual(len(set(sums)), 1)


class Together(Model):

    def test_four_at_once(self):
        """On one display of one process, each from a thread of its own."""
        outputs, graph = [], "split=4[h264][hevc][av1][vp9]"
        for codec, ending in (("h264", "h264"), ("hevc", "hevc"), ("av1", "ivf"), ("vp9", "webm")):
            path = self.path(ending)
            outputs += ["-map", f"[{codec}]", "-c:v", f"{codec}_vaapi", "-b:v", "2M", path]
        strangers.set_devices("1:3 full")
        done = strangers.run(["ffmpeg", "-v", "error", "-nostdin",
                              "-vaapi_device", strangers.NODE, *strangers.source("320x192", 24),
                              "-filter_complex", f"format=nv12,hwupload,{graph}", *outputs])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for ending in "h264", "hevc", "ivf", "webm":
            frames, worst = strangers.compare(self.path(ending))
            self.assertEqual(frames, 24)
            self.assertGreater(worst, BAR)


class Callers(Model):

    def test_worker_outside_of_a_slot(self):
        """A vencd-worker may call only from threads that stand behind a call slot."""
        strangers.set_devices("1:3 full")
        vainfo = f"vainfo --display drm --device {strangers.NODE}"
        done = strangers.run(["bash", "-c", f"exec -a vencd-worker {vainfo}"])
        self.assertEqual(done.returncode, -6)
        self.assertIn("called outside of a call slot, by thread", done.stderr)
        done = strangers.run(["bash", "-c", f"exec -a vencd {vainfo}"])
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    strangers.main(sys.argv[1:])
