# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Real media through `vencctl encode` into every container, checked by decoding it."""

import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import unittest
from fractions import Fraction

from harness import BUILD, LIMIT, main, run_tool, until
from media import (MediaTest, count_decoded, ffmpeg, frames, packet_hashes, probe, run, seconds,
                   similarity, stream)

CONTAINERS = {
    "mkv": ("av1", "hevc", "h264"), "mp4": ("av1", "hevc", "h264"), "webm": ("av1",),
    "ts": ("hevc", "h264"), "ivf": ("av1",), "obu": ("av1",), "h264": ("h264",),
    "hevc": ("hevc",),
}
TICK = {"mkv": Fraction(1, 1000), "webm": Fraction(1, 1000), "ts": Fraction(1, 90000)}
RAW = ("obu", "h264", "hevc")
WITH_AUDIO = ("mkv", "mp4", "ts")


def processes_of(user):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has just ended
            if f"\nUid:\t{user}\t" in path.read_text():
                found.append(path.parent.name)
    return found


def files_of(user):
    """Where programs leave what is to be forgotten."""
    found = []
    for directory in ("/tmp", "/var/tmp", "/dev/shm", "/run"):
        for path in pathlib.Path(directory).glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_uid == user:
                    found.append(path)
    return found


class Containers(MediaTest):

    def check_times(self, path, source, extension):
        """Exact to the container's tick; ts has no zero, so only distances count there."""
        if extension in RAW:
            return
        expected, found = seconds(source), seconds(path)
        shift = found[0] - expected[0] if extension == "ts" else 0
        tick = float(TICK.get(extension, Fraction(1, 1000000)))
        for want, have in zip(expected, found, strict=True):
            self.assertAlmostEqual(want + shift, have, delta=tick / 2 + 2e-6)

    def check_audio(self, path, extension):
        if extension not in WITH_AUDIO:
            return
        expected = packet_hashes(self.clip, "a")
        if extension == "ts":  # its packets get a header each
            expected, found = len(expected), len(packet_hashes(path, "a"))
        else:
            found = packet_hashes(path, "a")
        self.assertEqual(expected, found)

    def check(self, extension, codec):
        output = self.path / f"{codec}.{extension}"
        result = self.encode(self.clip, output, "--codec", codec)
        self.assertEqual(result["delivery"]["bytes"], output.stat().st_size)
        self.assertEqual(result["delivery"]["frames"], 72)
        self.assertEqual(count_decoded(output), 72)
        self.assertGreater(similarity(output, self.clip), 0.9)
        video = stream(output)
        self.assertEqual((video["codec_name"], video["width"], video["height"]),
                         (codec, 854, 480))
        if extension in ("mkv", "mp4", "webm"):
            self.assertGreater(video["extradata_size"], 0)
        self.check_times(output, self.clip, extension)
        self.check_audio(output, extension)
        self.assertFalse((self.path / f"{codec}.{extension}.partial").exists())

    def test_every_container_and_codec(self):
        for extension, codecs in CONTAINERS.items():
            for codec in codecs:
                with self.subTest(container=extension, codec=codec):
                    self.check(extension, codec)

    def test_dav1d_agrees(self):
        output = self.path / "dav1d.ivf"
        self.encode(self.clip, output)
        pixels = self.path / "dav1d.y4m"
        run("dav1d", "-q", "-i", output, "-o", pixels)
        self.assertGreater(similarity(pixels, self.clip), 0.9)

    def test_container_narrows_codecs(self):
        output = self.path / "narrow.ts"
        self.encode(self.clip, output, "--codec", "av1,h264")
        self.assertEqual(stream(output)["codec_name"], "h264")

    def test_what_cannot_be_copied_is_named(self):
        result = self.encode(self.clip, self.path / "named.webm")
        self.assertIn("stream 1 (audio, aac) is not copied", result["said"])

    def test_subtitles_are_copied(self):
        text = self.path / "words.srt"
        text.write_text("1\n00:00:00,500 --> 00:00:01,000\none\n\n"
                        "2\n00:00:01,500 --> 00:00:02,500\ntwo\n")
        source = self.path / "words.mkv"
        ffmpeg("-i", self.clip, "-i", text, "-map", "0", "-map", "1", "-c", "copy", "-c:s", "srt",
               "-metadata:s:s:0", "language=fin", source)
        output = self.path / "words-out.mkv"
        self.encode(source, output)
        self.assertEqual(packet_hashes(source, "s"), packet_hashes(output, "s"))
        self.assertEqual(stream(output, "s:0")["tags"]["language"], "fin")

    def test_chapters_and_title_are_copied(self):
        words = self.path / "chapters.txt"
        words.write_text(";FFMETADATA1\ntitle=Whole\n"
                         "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=First\n"
                         "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=3000\ntitle=Second\n")
        source = self.path / "chapters.mkv"
        ffmpeg("-i", self.clip, "-i", words, "-map_metadata", "1", "-c", "copy", source)
        for name in ("chapters-out.mkv", "chapters-out.mp4"):
            output = self.path / name
            self.encode(source, output)
            result = probe(output, "-show_chapters", "-show_format")
            self.assertEqual([chapter["tags"]["title"] for chapter in result["chapters"]],
                             ["First", "Second"])
            self.assertEqual(float(result["chapters"][1]["start_time"]), 1)
            self.assertEqual(result["format"]["tags"]["title"], "Whole")

    def test_tracks_are_interleaved(self):
        """No audio packet stands far from the pictures of its time."""
        output = self.path / "interleaved.mkv"
        self.encode(self.clip, output)
        last = {0: 0.0, 1: 0.0}
        for packet in probe(output, "-show_packets")["packets"]:
            last[packet["stream_index"]] = float(packet["pts_time"])
            self.assertLess(abs(last[0] - last[1]), 0.5)


class Pictures(MediaTest):

    def test_ten_bits_stay(self):
        source = self.draw("ten.mkv", "-pix_fmt", "yuv420p10le", "-c:v", "ffv1")
        for codec in ("av1", "hevc", "h264"):
            with self.subTest(codec):
                output = self.path / f"ten-{codec}.mkv"
                self.encode(source, output, "--codec", codec)
                self.assertEqual(stream(output)["pix_fmt"], "yuv420p10le")
                self.assertGreater(similarity(output, source), 0.9)

    def test_other_formats_are_converted_and_named(self):
        cases = {"yuv444p": "yuv420p", "yuv422p10le": "yuv420p10le", "gbrp10le": "yuv420p10le",
                 "gray": "yuv420p"}
        for format_in, format_out in cases.items():
            with self.subTest(format_in):
                source = self.draw(f"{format_in}.mkv", "-pix_fmt", format_in, "-c:v", "ffv1")
                output = self.path / f"from-{format_in}.mkv"
                result = self.encode(source, output)
                self.assertEqual(
                    result["said"].count(f"converted from {format_in} to {format_out}"), 1)
                self.assertEqual(stream(output)["pix_fmt"], format_out)
                self.assertGreater(similarity(output, source), 0.9)

    def test_semi_planar(self):
        source = self.draw("nv12.nut", "-pix_fmt", "nv12", "-c:v", "rawvideo")
        for codec in ("av1", "h264"):
            with self.subTest(codec):
                output = self.path / f"nv12-{codec}.mkv"
                result = self.encode(source, output, "--codec", codec)
                self.assertEqual(result["report"]["params"]["format"], "nv12")
                self.assertGreater(similarity(output, source), 0.9)

    def test_colour_aspect_and_rotation_are_carried(self):
        source = self.draw("colour.mp4", "-c:v", "libx264", "-qp", "10", "-pix_fmt", "yuv420p",
                           "-vf", "setsar=4/3,setparams=color_primaries=bt709:color_trc=bt709:"
                           "colorspace=bt709:range=tv")
        turned = self.path / "turned.mp4"
        ffmpeg("-display_rotation", "90", "-i", source, "-c", "copy", turned)
        for extension in ("mkv", "mp4"):
            output = self.path / f"colour.{extension}"
            self.encode(turned, output)
            video = stream(output)
            self.assertEqual(video["sample_aspect_ratio"], "4:3")
            for key in ("color_primaries", "color_transfer", "color_space"):
                self.assertEqual(video[key], "bt709")
            self.assertEqual(video["color_range"], "tv")
            self.assertEqual(video["side_data_list"][0]["rotation"], 90)

    def test_hdr_is_carried(self):
        source = self.draw(
            "hdr.mkv", "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params",
            "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1:"
            "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
            "L(10000000,50):max-cll=1000,400")
        for codec, extension in itertools.product(("av1", "hevc"), ("mkv", "mp4")):
            output = self.path / f"hdr-{codec}.{extension}"
            result = self.encode(source, output, "--codec", codec)
            self.assertEqual(stream(output)["codec_name"], codec)
            self.assertEqual(result["report"]["params"]["hdr"]["maxContentLight"], 1000)
            side = {data["side_data_type"]: data
                    for data in stream(output).get("side_data_list", [])}
            light = side["Content light level metadata"]
            self.assertEqual((light["max_content"], light["max_average"]), (1000, 400))
            display = side["Mastering display metadata"]
            self.assertEqual(Fraction(display["red_x"]), Fraction(34000, 50000))
            self.assertEqual(Fraction(display["max_luminance"]), 1000)

    def test_sizes_are_kept(self):
        """None of these is a multiple of 8; one more or less would show."""
        source = self.draw("small.mkv", "-pix_fmt", "yuv420p", "-c:v", "ffv1",
                           source="testsrc=s=134x78:r=25:d=1")
        for codec in ("av1", "hevc", "h264"):
            with self.subTest(codec):
                output = self.path / f"small-{codec}.mkv"
                self.encode(source, output, "--codec", codec)
                self.assertEqual((stream(output)["width"], stream(output)["height"]), (134, 78))
                self.assertGreater(similarity(output, source), 0.9)

    def test_a_size_that_does_not_exist_is_refused(self):
        source = self.draw("odd.mkv", "-pix_fmt", "yuv420p", "-c:v", "ffv1",
                           source="testsrc=s=133x77:r=25:d=1")
        output = self.path / "odd.mp4"
        refused = run_tool("--private", "encode", source, "-o", output, "--codec", "h264",
                           expect=2)
        self.assertIn("133x77", refused.stderr)
        self.assertIn("accepted:", refused.stderr)
        self.assertEqual(list(self.path.glob("odd.mp4*")), [])

    def test_a_size_goes_to_an_encoder_that_can(self):
        """SVT-AV1 has none below 64x64: the next codec of the list has."""
        source = self.draw("tiny.mkv", "-pix_fmt", "yuv420p", "-c:v", "ffv1",
                           source="testsrc=s=48x34:r=25:d=1")
        output = self.path / "tiny.mp4"
        result = self.encode(source, output, "--codec", "av1,h264")
        self.assertEqual(result["report"]["params"]["codecs"], ["h264"])
        self.assertEqual((stream(output)["width"], stream(output)["height"]), (48, 34))
        refused = run_tool("--private", "encode", source, "-o", output, "--codec", "av1", expect=2)
        self.assertIn("64x64", refused.stderr)

    def test_interlaced_is_named(self):
        source = self.draw("fields.mkv", "-vf", "setfield=tff", "-c:v", "libx264", "-flags",
                           "+ildct+ilme")
        result = self.encode(source, self.path / "fields-out.mkv")
        self.assertIn("interlaced", result["said"])


class Times(MediaTest):

    def variable(self):
        """Distances from 1 to 13 ticks of 1/600 s."""
        return self.draw(
            "variable.mp4", "-vf", "settb=1/600,setpts='N*7+mod(N*N\\,7)'", "-c:v", "libx264",
            "-enc_time_base", "1/600", "-fps_mode", "passthrough", "-video_track_timescale", "600")

    def test_variable_rate(self):
        source = self.variable()
        expected = seconds(source)
        self.assertGreater(len({round(b - a, 4) for a, b in zip(expected, expected[1:])}), 2)
        for name, tick in (("v.mp4", 1e-6), ("v.mkv", 1e-3), ("v.ivf", 1e-6)):
            for options in ((), ("--codec", "h264", "--b-frames", "on")):
                if options and name == "v.ivf":
                    continue
                with self.subTest(name, options=options):
                    output = self.path / name
                    self.encode(source, output, *options)
                    found = seconds(output)
                    for want, have in zip(expected, found, strict=True):
                        self.assertAlmostEqual(want, have, delta=tick / 2 + 2e-6)

    def test_two_frames_in_a_tick_are_refused(self):
        source = self.draw("fast.y4m", "-pix_fmt", "yuv420p",
                           source="testsrc2=s=128x64:r=3000:d=0.02")
        result = self.encode(source, self.path / "fast.mkv", outcome="truncated")
        self.assertEqual(result["delivery"]["error"], "output_failed")
        self.assertIn("tick (1/1000 s) of mkv", result["delivery"]["text"])
        self.assertFalse((self.path / "fast.mkv").exists())
        self.encode(source, self.path / "fast.mp4")
        self.assertEqual(count_decoded(self.path / "fast.mp4"), 60)

    def test_a_late_start_becomes_zero(self):
        late = self.path / "late.ts"
        ffmpeg("-i", self.clip, "-c", "copy", "-output_ts_offset", "100", late)
        output = self.path / "late.mkv"
        self.encode(late, output)
        self.assertLess(float(frames(output)[0]["pts_time"]), 1)


class Pipes(MediaTest):

    def y4m(self, *arguments):
        return subprocess.Popen(
            ["ffmpeg", "-v", "error", "-i", self.clip, "-f", "yuv4mpegpipe", *arguments, "-"],
            stdout=subprocess.PIPE)

    def test_y4m_from_a_pipe(self):
        for arguments in ((), ("-pix_fmt", "yuv420p10le", "-strict", "-1")):
            with self.subTest(arguments), self.y4m(*arguments) as source:
                output = self.path / "piped.mkv"
                self.encode("-", output, stdin=source.stdout)
                self.assertEqual(count_decoded(output), 72)
                self.assertGreater(similarity(output, self.clip), 0.9)

    def test_media_from_a_pipe(self):
        """Not only y4m, where it has a name."""
        fifo = self.path / "fifo.mkv"
        os.mkfifo(fifo)
        with subprocess.Popen(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", self.clip, "-c",
                               "copy", fifo]):
            output = self.path / "fifo-out.mkv"
            self.encode(fifo, output)
        self.assertEqual(count_decoded(output), 72)
        self.assertEqual(packet_hashes(output, "a"), packet_hashes(self.clip, "a"))

    def test_output_to_a_pipe(self):
        for container in ("mkv", "mp4"):
            with self.subTest(container):
                output = self.path / f"stdout.{container}"
                shell = (f'"$0" --private encode "$1" -o - --container {container} --speed 12 '
                         f'| cat > "$2"; exit ${{PIPESTATUS[0]}}')
                run("bash", "-c", shell, BUILD / "vencctl", self.clip, output)
                self.assertEqual(count_decoded(output), 72)
                self.assertGreater(similarity(output, self.clip), 0.9)

    def test_progress_is_for_terminals(self):
        result = self.encode(self.clip, self.path / "quiet.mkv")
        self.assertNotIn("fps", result["said"])
        terminal, other = os.openpty()
        tool = subprocess.Popen(
            [BUILD / "vencctl", "--private", "encode", self.clip, "-o", self.path / "loud.mkv"],
            stderr=other)
        os.close(other)
        said = b""
        try:
            while piece := os.read(terminal, 4096):
                said += piece
        except OSError:  # how a terminal ends
            pass
        os.close(terminal)
        self.assertEqual(tool.wait(LIMIT), 0)
        self.assertRegex(said.decode(), r"\d+ frames +[\d.]+ fps +[\d.]+x +\d+ KiB +0:0\d left")

    def test_live(self):
        for codec in ("av1", "h264"):
            with self.subTest(codec):
                output = self.path / f"live-{codec}.mkv"
                self.encode(self.clip, output, "--codec", codec, "--latency", "live")
                self.assertEqual(count_decoded(output), 72)

    @unittest.skipIf(os.geteuid() != 0, "needs root, to be another user")
    def test_private_of_another_user(self):
        """It needs no right that only root has, and is gone when the command is."""
        user, home = 20052, self.path / "home"
        home.mkdir()
        os.chown(home, user, user)
        self.path.chmod(0o711)
        source = self.draw("another.y4m")
        output, report = home / "out.mkv", home / "out.json"
        run_tool("--private", "encode", source, "-o", output, "--codec", "h264", "--report",
                 report, user=user, group=user, extra_groups=[],
                 env={**os.environ, "HOME": str(home)})
        self.check_result(json.loads(report.read_text()), "complete")
        self.assertEqual(count_decoded(output), 50)
        self.assertEqual({path.name: path.stat().st_uid for path in home.iterdir()},
                         {output.name: user, report.name: user})
        self.assertEqual(files_of(user), [])
        until(lambda: not processes_of(user), "its processes are gone", 10)


if __name__ == "__main__":
    main()
