# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The emulated VA driver, tried by the unmodified ffmpeg: what it codes decodes without an error,
in order, at the visible size, in raw streams, MP4 and Matroska.
"""

import pathlib
import re
import sys
import tempfile
import unittest

import strangers

CODEC = sys.argv[1]
BAR = 29  # dB, of the worst picture

CBR = ["-rc_mode", "CBR", "-b:v", "3M"]
VBR = ["-rc_mode", "VBR", "-b:v", "2M", "-maxrate", "4M"]
B2 = ["-bf", "2"]

# Size, pixel format, how the file's name ends, options.
STREAMS = {
    "h264": [
        ("640x368", "nv12", "h264", ["-qp", "24", "-bf", "0"]),
        ("854x480", "nv12", "mp4", [*VBR, *B2, "-g", "10"]),
        ("1366x768", "nv12", "mkv", [*CBR, "-bf", "3", "-b_depth", "2"]),
        ("320x192", "nv12", "mp4", [*CBR, *B2, "-coder", "cavlc", "-aud", "1"]),
        ("322x194", "nv12", "mkv", ["-profile:v", "constrained_baseline", "-qp", "20", "-g", "1"]),
        ("320x192", "nv12", "mkv", ["-rc_mode", "ICQ", "-global_quality", "20", *B2]),
    ],
    "hevc": [
        ("640x368", "nv12", "hevc", ["-qp", "20", "-bf", "0"]),
        ("854x480", "p010", "mp4", [*VBR, *B2, "-g", "10"]),
        ("1366x768", "nv12", "mkv", [*CBR, "-bf", "3", "-b_depth", "2"]),
        ("322x194", "p010", "hevc", ["-qp", "20", *B2]),
        ("320x192", "nv12", "mp4", ["-tag:v", "hvc1", *CBR, *B2, "-g", "6"]),
        ("320x192", "nv12", "mkv", ["-rc_mode", "ICQ", "-global_quality", "20", *B2]),
    ],
    "av1": [
        ("640x368", "nv12", "ivf", ["-rc_mode", "CQP", "-global_quality", "60"]),
        ("854x480", "p010", "mp4", [*VBR, "-g", "10"]),
        ("1366x768", "nv12", "mkv", CBR),
        ("322x194", "p010", "ivf", CBR),
    ],
    "vp9": [
        ("640x368", "nv12", "ivf", ["-rc_mode", "CQP", "-global_quality", "60"]),
        ("854x480", "p010", "mp4", [*VBR, "-g", "10"]),
        ("1366x768", "nv12", "webm", CBR),
        ("322x194", "p010", "ivf", CBR),
    ],
}
RAW = {"h264": "h264", "hevc": "hevc", "av1": "ivf", "vp9": "ivf"}[CODEC]
IVF = RAW == "ivf"


class Stream(unittest.TestCase):

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def encode(self, ending, *options, model="full", **clip):
        path = pathlib.Path(self.directory.name) / f"out.{ending}"
        done = strangers.encode(model, CODEC, path, *options, **clip)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return path


class Streams(Stream):

    def test_all(self):
        for size, pixels, ending, options in STREAMS[CODEC]:
            with self.subTest(size=size, pixels=pixels, ending=ending, options=options):
                path = self.encode(ending, *options, size=size, pixels=pixels)
                frames, worst = strangers.compare(path, size)
                self.assertEqual(frames, 24)
                self.assertGreater(worst, BAR)
                self.check_description(path, size, pixels)

    def check_description(self, path, size, pixels):
        rows = strangers.probe(path, "stream=codec_name,width,height,pix_fmt,nb_read_frames",
                               "-count_frames")
        depth = "yuv420p10le" if pixels == "p010" else "yuv420p"
        self.assertEqual(rows, [[CODEC, *size.split("x"), depth, "24"]])


class Reordering(Stream):

    def test_timestamps(self):
        """Packets come in the order of decoding: of two B pictures in a row the P comes first."""
        path = self.encode("mkv", *CBR, "-bf", "2")
        shown = [float(row[0]) for row in strangers.probe(path, "packet=pts_time")]
        self.assertEqual(len(shown), 24)
        if IVF:  # these have no B pictures
            self.assertEqual(shown, sorted(shown))
        else:
            self.assertGreater(shown[1], shown[2])
            self.assertGreater(shown[1], shown[3])


class Keyframes(Stream):

    def test_forced(self):
        path = self.encode("mkv", *CBR, "-g", "100", "-force_key_frames", "expr:eq(n,7)+eq(n,18)",
                           "-bf", "2")
        rows = strangers.probe(path, "packet=pts_time,flags")
        keys = sorted(round(float(pts) * strangers.RATE) for pts, flags in rows if "K" in flags)
        self.assertEqual(keys, [0, 7, 18])
        self.assertGreater(strangers.compare(path)[1], BAR)

    def test_parameter_sets_in_each(self):
        """What is cut off before a keyframe decodes, without anything from before."""
        path = self.encode(RAW, *CBR, "-g", "8", "-bf", "0")
        start = strangers.probe(path, "packet=pos,flags")
        places = [int(pos) for pos, flags in start if "K" in flags]
        self.assertEqual(len(places), 3)
        data = path.read_bytes()
        head = data[:32] if IVF else b""  # of its file
        path.write_bytes(head + data[places[1]:])
        self.assertEqual(strangers.count_frames(path), 16)


class Rates(Stream):

    def size(self, *options, frames=90):
        return self.encode(RAW, *options, size="640x368", frames=frames).stat().st_size

    def test_bitrate(self):
        for mode in "CBR", "VBR":
            options = ["-rc_mode", mode, "-b:v", "1M", "-maxrate", "1M" if mode == "CBR" else "2M"]
            bits = self.size(*options) * 8 / 3
            self.assertGreater(bits, 0.6e6, mode)
            self.assertLess(bits, 1.4e6, mode)

    def test_quantiser(self):
        fine, coarse = ("40", "200") if IVF else ("20", "40")
        option = ["-rc_mode", "CQP", "-global_quality"] if IVF else ["-qp"]
        self.assertGreater(self.size(*option, fine, frames=10),
                           2 * self.size(*option, coarse, frames=10))


@unittest.skipIf(CODEC == "vp9", "libavcodec tells the driver nothing of it")
class Colour(Stream):

    def test_in_the_bitstream(self):
        marks = "color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=pc"
        path = self.encode(RAW, *CBR, frames=3, filters=f"setparams={marks},")
        rows = strangers.probe(
            path, "stream=color_range,color_space,color_transfer,color_primaries")
        self.assertEqual(rows, [["pc", "bt2020nc", "smpte2084", "bt2020"]])


@unittest.skipUnless(CODEC == "av1", "a decoder for AV1")
class Dav1d(Stream):

    def test_decodes(self):
        path = self.encode("ivf", *CBR)
        done = strangers.run(["dav1d", "-i", path, "-o", "/dev/null", "--muxer", "null"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Decoded 24/24 frames", re.sub(r"\s+", " ", done.stderr + done.stdout))


if __name__ == "__main__":
    strangers.main(sys.argv[2:])
