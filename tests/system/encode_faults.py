# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""`vencctl encode` with bad inputs, bad outputs and bad words: named, bounded, nothing lost."""

import array
import fcntl
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import subprocess
import termios
import unittest

from harness import BUILD, CLIP, LIMIT, SOURCE, Daemon, main, run_tool, until
from media import MediaTest, count_decoded, ffmpeg, probe, similarity


class Inputs(MediaTest):

    def fails(self, source, word, outcome="failed", **keywords):
        output = self.path / "never.mkv"
        output.write_text("the good old one")
        result = self.encode(source, output, outcome=outcome, **keywords)
        self.assertEqual(result["delivery"]["error"], "input_failed")
        self.assertRegex(result["delivery"]["text"], word)
        self.assertIn(result["delivery"]["text"], result["said"])
        self.assertEqual(output.read_text(), "the good old one")
        return result

    def file(self, name, content):
        path = self.path / name
        path.write_bytes(content)
        return path

    def cut(self, name, *arguments):
        """A file without its last third."""
        path = self.path / name
        ffmpeg("-i", self.clip, "-c", "copy", *arguments, path)
        return self.file(name, path.read_bytes()[:path.stat().st_size * 2 // 3])

    def test_no_media(self):
        self.fails(self.file("empty", b""), "cannot be read|empty")
        self.fails(self.file("text.mp4", b"no video at all\n" * 1000), "cannot be read")
        sound = self.path / "sound.mp4"
        ffmpeg("-i", self.clip, "-vn", "-c", "copy", sound)
        self.fails(sound, "no video in it")

    def test_no_file(self):
        result = run_tool("--private", "encode", self.path / "absent", "-o",
                          self.path / "absent.mkv", expect=12)
        self.assertIn("No such file", result.stderr)
        self.assertFalse((self.path / "absent.mkv.partial").exists())

    def test_a_folder(self):
        self.fails(self.path, "directory")

    def test_truncated(self):
        """What is there is encoded, and kept beside the name."""
        for name, options in (("cut.mp4", ("-movflags", "+faststart")), ("cut.mkv", ()),
                              ("cut.ts", ())):
            with self.subTest(name):
                result = self.fails(self.cut(name, *options), "damaged|ends", "truncated")
                self.assertEqual(result["report"]["outcome"], "truncated")
                self.assertEqual(result["report"]["cancelCause"], "input_failed")
                partial = self.path / "never.mkv.partial"
                self.assertIn(str(partial), result["said"])
                self.assertGreater(result["delivery"]["frames"], 24)
                self.assertEqual(count_decoded(partial), result["delivery"]["frames"])

    def test_corrupted(self):
        content = bytearray(self.clip.read_bytes())
        start = content.index(b"mdat") + 20000
        for i in range(start, start + 30000, 97):
            content[i] ^= 0x5a
        result = self.fails(self.file("corrupted.mp4", bytes(content)), "damaged", "truncated")
        self.assertGreater(result["delivery"]["frames"], 24)
        self.assertEqual(result["report"]["framesLost"], 0)

    def test_a_recording_starts_in_the_middle(self):
        """What no decoder can use is named, and no damage."""
        whole = self.draw("whole.ts", "-c:v", "libx264", "-g", "10", "-bf", "0")
        content = whole.read_bytes()
        starts = [packet["pos"] for packet in probe(
            whole, "-select_streams", "v", "-show_packets")["packets"]]
        tables = content[:int(starts[0])]
        output = self.path / "middle.mkv"
        result = self.encode(self.file("middle.ts", tables + content[int(starts[4]):]), output)
        self.assertIn("6 packets before the first keyframe are left out", result["said"])
        self.assertEqual(count_decoded(output), 40)

    def test_size_changes(self):
        parts = [self.draw(f"part{n}.ts", "-c:v", "libx264", "-g", "5",
                           source=f"testsrc2=s={size}:r=25:d=1").read_bytes()
                 for n, size in enumerate(("320x180", "640x360"))]
        result = self.fails(self.file("changes.ts", b"".join(parts)),
                            "from 320x180 to 640x360", "truncated")
        self.assertIn("frame 25", result["delivery"]["text"])

    def test_a_playlist_opens_nothing_but_files(self):
        self.fails(self.file("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n"
                             b"http://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"), "cannot be read")

    def test_y4m(self):
        header = b"YUV4MPEG2 W64 H64 F25:1"
        frame = b"FRAME\n" + bytes(64 * 64 * 3 // 2)
        cases = (
            (b"YUV4MPEG3 W64 H64\n", "does not begin"),
            (header + b" C444\n" + frame, "4:2:0"),
            (header + b" C420p12\n", "420p10"),
            (b"YUV4MPEG2 W64 F25:1\n", "no width or no height"),
            (b"YUV4MPEG2 W0 H64\n", "W0"),
            (b"YUV4MPEG2 W64 H99999\n", "H99999"),
            (b"YUV4MPEG2 W64 H64 F25\n", "F25"),
            (header + b" Q1\n", "Q1"),
            (header * 100, "no end"),
            (b"", "empty"),
            (b"YUV4MPEG2", "no end"),
        )
        for content, word in cases:
            with self.subTest(content[:40]):
                self.fails("-", word, input=content.decode())

    def test_y4m_that_lies_or_ends_early(self):
        frame = b"FRAME\n" + bytes(64 * 64 * 3 // 2)
        good = b"YUV4MPEG2 W64 H64 F25:1 C420mpeg2\n" + 10 * frame
        cases = (
            (good[:-1], "ends inside frame 9", 9),
            (good + b"FRAM", "frame 10 does not begin", 10),
            (good.replace(b"H64", b"H66", 1), "size is wrong", 1),
        )
        for content, word, kept in cases:
            with self.subTest(word):
                result = self.fails("-", word, "truncated", input=content.decode("latin-1"))
                self.assertEqual(result["delivery"]["frames"], kept)


class Outputs(MediaTest):

    def test_device_full(self):
        for container in ("mkv", "mp4", "h264"):
            with self.subTest(container):
                result = self.encode(self.clip, "/dev/full", "--container", container,
                                     outcome="failed")
                self.assertEqual(result["delivery"]["error"], "output_failed")
                self.assertIn("No space left on device", result["delivery"]["text"])
                self.assertEqual(result["report"]["cancelCause"], "output_failed")

    def test_disk_full(self):
        """The file on a full disk has its trailer, and every frame that it says it has."""
        disk = self.path / "disk"
        disk.mkdir(exist_ok=True)
        for extension, size in (("mkv", "1800k"), ("mp4", "1000k"), ("ts", "1000k")):
            with self.subTest(extension):
                keep = self.path / f"kept.{extension}"
                shell = ('mount --make-rslave "$(findmnt -no TARGET -T "$2")" || exit 77\n'
                         'mount -t tmpfs -o size=$1 tmpfs "$2" || exit 77\n'
                         '"$3" --private encode "$4" -o "$2/out.$6" --codec h264 --bitrate 6M '
                         '--report "$5.json"\n'
                         'code=$?; ls "$2" >&2; cp "$2/out.$6.partial" "$5"; exit $code')
                done = subprocess.run(
                    ["unshare", *(() if os.geteuid() == 0 else ("-Ur",)), "-m",
                     "--propagation", "unchanged", "bash", "-c",
                     shell, "-", size, disk, BUILD / "vencctl", self.clip, keep, extension],
                    stderr=subprocess.PIPE, text=True, timeout=LIMIT * 2, check=False)
                if done.returncode == 77:
                    self.skipTest("no small disk can be mounted here")
                self.assertEqual(done.returncode, 11, done.stderr)
                result = json.loads(pathlib.Path(f"{keep}.json").read_text())
                self.check_result(result, "truncated")
                self.assertIn("No space left on device", result["delivery"]["text"])
                self.assertGreater(result["delivery"]["frames"], 10)
                self.assertEqual(count_decoded(keep), result["delivery"]["frames"])
                self.assertIn(f"out.{extension}.partial", done.stderr)

    def test_a_write_fails_without_warning(self):
        """Nothing set the trailer's room aside: what is said to be stored is."""
        source = self.draw("long.mp4", "-c:v", "libx264", "-preset", "ultrafast",
                           source="testsrc2=s=320x180:r=25:d=40")
        limit = 400 << 10
        output = self.path / "limited.mkv"
        # A daemon of its own: the limit is vencctl's alone.
        with Daemon({"SoftwareEncoders": "libx264"}) as daemon:
            result = self.encode(source, output, "--codec", "h264", outcome="truncated",
                                 daemon=("--socket", daemon.socket),
                                 preexec_fn=lambda: resource.setrlimit(
                                     resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertIn("File too large", result["delivery"]["text"])
        partial = self.path / "limited.mkv.partial"
        self.assertLessEqual(result["delivery"]["bytes"], limit)
        self.assertEqual(result["delivery"]["bytes"], partial.stat().st_size)
        self.assertGreater(result["delivery"]["frames"], 0)
        stored = subprocess.run(
            ["ffmpeg", "-v", "quiet", "-i", partial, "-f", "framecrc", "-"], check=False,
            stdout=subprocess.PIPE).stdout.splitlines()
        stored = sum(not line.startswith(b"#") for line in stored)
        self.assertLessEqual(result["delivery"]["frames"], stored)
        self.assertLess(stored, 1000)

    def test_the_reader_goes(self):
        shell = '"$0" --private encode "$1" -o - --container mkv --report "$2" | head -c 1000 >&2'
        report = self.path / "gone.json"
        subprocess.run(["bash", "-c", shell, BUILD / "vencctl", self.clip, report],
                       stderr=subprocess.DEVNULL, timeout=LIMIT, check=False)
        result = json.loads(report.read_text())
        self.assertIn(result["outcome"], ("truncated", "failed"))
        self.assertEqual(result["delivery"]["error"], "output_failed")
        self.assertIn("Broken pipe", result["delivery"]["text"])

    def test_partial_in_use(self):
        """Two encodes into one file; and an input that its own output would overwrite."""
        partial = self.path / "taken.mkv.partial"
        shutil.copy(self.clip, partial)
        result = run_tool("--private", "encode", partial, "-o", self.path / "taken.mkv",
                          expect=12)
        self.assertIn("is the input", result.stderr)
        self.assertEqual(partial.read_bytes(), self.clip.read_bytes())

    def test_over_its_own_input(self):
        path = self.path / "same.mp4"
        shutil.copy(self.clip, path)
        for name in (path, pathlib.Path(f"{path.parent}/./{path.name}")):
            errors = run_tool("--private", "encode", path, "-o", name, expect=2).stderr
            self.assertIn("is the input", errors)
        self.assertEqual(path.read_bytes(), pathlib.Path(self.clip).read_bytes())

    def test_a_link_stays_a_link(self):
        link = self.path / "link.mkv"
        link.symlink_to("linked.mkv")
        (self.path / "linked.mkv").write_text("old")
        self.encode(self.clip, link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(count_decoded(self.path / "linked.mkv"), 72)


class Stops(MediaTest):

    def start(self, source, output, *options, **keywords):
        report = self.path / f"{output.name}.json"
        report.unlink(missing_ok=True)
        process = subprocess.Popen(
            [BUILD / "vencctl", "--private", "encode", source, "-o", output, "--speed", "12",
             "--report", report, *options], stderr=subprocess.PIPE, text=True, **keywords)
        self.addCleanup(process.kill)
        return process, report

    def endless(self):
        return subprocess.Popen(
            ["ffmpeg", "-v", "quiet", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=50",
             "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"], stdout=subprocess.PIPE)

    def grown(self, path, size=1):
        until(lambda: path.exists() and path.stat().st_size >= size, f"{path} grows")

    def end(self, process, report, outcome):
        said = process.communicate(timeout=LIMIT)[1]
        self.assertTrue(report.exists(), said)
        result = json.loads(report.read_text())
        self.check_result(result, outcome)
        return result

    def test_an_endless_input_is_whole_when_stopped(self):
        source, output = self.endless(), self.path / "endless.mkv"
        process, report = self.start("-", output, "--latency", "live", stdin=source.stdout)
        self.grown(self.path / "endless.mkv.partial", 2000)
        process.send_signal(signal.SIGINT)
        result = self.end(process, report, "complete")
        source.kill()
        source.wait()
        source.stdout.close()
        self.assertEqual(process.returncode, 0)
        self.assertEqual(count_decoded(output), result["delivery"]["frames"])

    def long_clip(self):
        path = self.path / "long.mkv"
        if not path.exists():
            ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=120", "-c:v", "libx264",
                   "-preset", "ultrafast", path)
        return path

    def test_a_file_is_cut_when_stopped(self):
        output = self.path / "stopped.mkv"
        partial = self.path / "stopped.mkv.partial"
        process, report = self.start(self.long_clip(), output, "--speed", "8")
        self.grown(partial, 2000)
        process.send_signal(signal.SIGINT)
        result = self.end(process, report, "cancelled")
        self.assertEqual(process.returncode, 13)
        self.assertEqual(result["delivery"]["error"], "stopped")
        self.assertEqual(result["report"]["outcome"], "complete")
        self.assertFalse(output.exists())
        self.assertEqual(count_decoded(partial), result["delivery"]["frames"])

    def test_twice_cancels(self):
        output = self.path / "twice.mkv"
        partial = self.path / "twice.mkv.partial"
        process, report = self.start(self.long_clip(), output, "--speed", "4")
        self.grown(partial, 2000)
        process.send_signal(signal.SIGINT)
        until(lambda: "once more" in process.stderr.readline(), "it says so")
        process.send_signal(signal.SIGINT)
        result = self.end(process, report, "cancelled")
        self.assertEqual(result["report"]["outcome"], "cancelled")
        self.assertEqual(count_decoded(partial), result["delivery"]["frames"])

    def test_a_stalled_input(self):
        read, write = os.pipe()
        output = self.path / "stalled.mkv"
        frame = b"FRAME\n" + bytes(64 * 64 * 3 // 2)
        os.write(write, b"YUV4MPEG2 W64 H64 F25:1\n" + frame + frame[:1000])
        process, report = self.start("-", output, "--latency", "live", stdin=read)
        self.grown(self.path / "stalled.mkv.partial")
        process.send_signal(signal.SIGTERM)
        result = self.end(process, report, "complete")
        self.assertEqual(result["delivery"]["frames"], 1)
        os.close(read)
        os.close(write)

    def test_an_input_that_never_comes(self):
        read, write = os.pipe()
        process, report = self.start("-", self.path / "nothing.mkv", stdin=read)
        until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1, "its input thread runs")
        process.send_signal(signal.SIGINT)
        result = self.end(process, report, "cancelled")
        self.assertNotIn("report", result)
        self.assertEqual(list(self.path.glob("nothing.mkv*")), [report])
        os.close(read)
        os.close(write)

    def test_a_stalled_output(self):
        """A reader that does not read stops nothing for good."""
        read, write = os.pipe()
        report = self.path / "full.json"
        process = subprocess.Popen(
            [BUILD / "vencctl", "--private", "encode", self.long_clip(), "-o", "-",
             "--container", "mkv", "--speed", "12", "--bitrate", "8M", "--report", report],
            stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)

        self.addCleanup(process.kill)
        seen = []

        def full():
            seen.append(array.array("i", [0]))
            fcntl.ioctl(read, termios.FIONREAD, seen[-1])
            return seen[-1][0] > 0 and len(seen) > 20 and seen[-1] == seen[-20]

        until(full, "nothing more goes into the pipe")
        process.send_signal(signal.SIGINT)
        until(lambda: "once more" in process.stderr.readline(), "it says so")
        process.send_signal(signal.SIGINT)
        result = self.end(process, report, "cancelled")
        self.assertEqual(result["delivery"]["error"], "stopped")
        os.close(read)


class Encoders(MediaTest):
    """The null encoder's faults as encode tells them."""

    def null(self, daemon, script, outcome):
        tool = run_tool("--socket", daemon.socket, "encode", self.clip, "-o",
                        self.path / "out.null", "--backend", "null", "--null-script", script,
                        "--json", expect={"complete": 0, "degraded": 10, "truncated": 11,
                                          "failed": 12}[outcome])
        result = json.loads(tool.stdout)
        self.check_result(result, outcome)
        return result

    def test_outcomes_and_exit_codes(self):
        output, partial = self.path / "out.null", self.path / "out.null.partial"
        with Daemon() as daemon:
            self.null(daemon, "", "complete")
            self.assertTrue(output.exists())
            output.unlink()
            result = self.null(daemon, "send:30:hang", "truncated")
            self.assertLess(result["delivery"]["frames"], 72)
            self.assertEqual(result["delivery"]["bytes"], partial.stat().st_size)
            self.assertFalse(output.exists())
            self.null(daemon, "close:1:hang", "degraded")
            self.assertTrue(output.exists())
            self.null(daemon, "open:1:error", "failed")
            self.check_readme(daemon)

    def check_readme(self, daemon):
        """What README.md shows of a degraded run: line by line the same, but for the figures."""
        text = (SOURCE / "README.md").read_text(encoding="utf-8")
        text = text.split("\n## What a degraded run looks like\n")[1].split("\n## ")[0]
        command, *shown = re.findall(r"^    (.*)$", text, re.MULTILINE)
        words = [str({CLIP.relative_to(SOURCE): CLIP}.get(pathlib.Path(word), word))
                 for word in shlex.split(command)[1:]]
        words[words.index("-o") + 1] = self.path / "readme.null"
        tool = run_tool("--socket", daemon.socket, *words, expect=10)
        said = (tool.stdout + tool.stderr).splitlines()
        # The last line depends on what one may see here, and on the load.
        self.assertRegex(said.pop(), "^ {13}(thread [0-9]+ |not inspected|not permitted)")
        self.assertRegex(shown.pop(), "^ {13}thread [0-9]+ ")
        self.assertEqual([self.shape(line) for line in said], [self.shape(line) for line in shown])

    def shape(self, line):
        return re.sub(r"\d+(\.\d+)?( (ms|s|[kMG]?B)\b)?", "#", line)

    OPTIONS = (
        (("--quality", "20", "--gop", "12", "--speed", "3"),
         {"rateControl": "quality", "quality": 20, "gop": 12, "speed": 3}),
        (("--bitrate", "1500k", "--latency", "file"),
         {"rateControl": "vbr", "bitrate": 1500000, "latency": "file"}),
        (("--bitrate", "1M", "--max-bitrate", "2M"),
         {"rateControl": "capped_vbr", "bitrate": 1000000, "maxBitrate": 2000000}),
        (("--bitrate", "1M", "--cbr", "--latency", "live"),
         {"rateControl": "cbr", "bitrate": 1000000, "latency": "live"}),
        (("--on-failure", "fail", "--codec", "hevc,av1"),
         {"onFailure": "fail", "codecs": ["hevc"], "rateControl": "quality"}),
        (("--on-failure", "failover"), {"onFailure": "failover", "backend": "null"}),
    )

    def test_options_reach_the_request(self):
        """As the report has it, which comes from the supervisor."""
        with Daemon() as daemon:
            for words, wanted in self.OPTIONS:
                with self.subTest(words):
                    result = self.encode(self.clip, self.path / "asked.null", "--backend", "null",
                                         *words, daemon=("--socket", daemon.socket))
                    found = result["report"]["params"]
                    self.assertEqual({key: found.get(key) for key in wanted}, wanted)


class Words(unittest.TestCase):

    CASES = (
        (("-o", "a.mkv"), "an input is missing"),
        (("in",), "-o OUT is missing"),
        (("in", "-o", "a"), "which container"),
        (("in", "-o", "a.avi"), "mkv (av1, hevc, h264, vp9)"),
        (("in", "-o", "a.webm", "--codec", "h264"), "webm takes none of the codecs"),
        (("in", "in2", "-o", "a.mkv"), "one input is enough"),
        (("in", "-o", "a.mkv", "--speed", "14"), "--speed 14 is not accepted: only a number from "
                                                 "0 to 13"),
        (("in", "-o", "a.mkv", "--quality", "64"), "--quality 64 is not accepted"),
        (("in", "-o", "a.mkv", "--quality", "-1"), "--quality -1"),
        (("in", "-o", "a.mkv", "--gop", "0"), "--gop 0"),
        (("in", "-o", "a.mkv", "--codec", "vp8"), "--codec vp8"),
        (("in", "-o", "a.mkv", "--codec", "av1,av1"), "--codec av1,av1"),
        (("in", "-o", "a.mkv", "--backend=gpu"), "--backend gpu"),
        (("in", "-o", "a.mkv", "--latency", "low"), "only file or live"),
        (("in", "-o", "a.mkv", "--bitrate", "5"), "--bitrate 5 is not accepted: only 1k"),
        (("in", "-o", "a.mkv", "--bitrate", "5x"), "--bitrate 5x"),
        (("in", "-o", "a.mkv", "--bitrate"), "--bitrate needs a value"),
        (("in", "-o", "a.mkv", "--bitrate", "1M", "--quality", "3"), "exclude each other"),
        (("in", "-o", "a.mkv", "--max-bitrate", "1M"), "--max-bitrate needs --bitrate"),
        (("in", "-o", "a.mkv", "--cbr"), "--cbr needs --bitrate"),
        (("in", "-o", "a.mkv", "--cbr=1"), "takes no value"),
        (("in", "-o", "a.mkv", "--nonsense"), "there is no option --nonsense"),
        (("in", "-o", "a.mkv", "--backend", "null"), "only the container null"),
        (("in", "-o", "a.null", "--null-script", "x"), "needs --backend null"),
        (("in", "-o", "-", "--container", "mkv", "--json"), "both want stdout"),
    )

    def test_wrong_usage(self):
        for words, said in self.CASES:
            with self.subTest(words):
                tool = run_tool("encode", *words, expect=2)
                self.assertIn(said, tool.stderr)
                self.assertEqual(tool.stdout, "")

    def test_no_daemon(self):
        tool = run_tool("--socket", "/nowhere/socket", "encode", "/dev/null", "-o", "/dev/null",
                        "--container", "mkv", expect=3)
        self.assertIn("vencctl --private", tool.stderr)

    def test_help_names_every_option(self):
        said = run_tool("encode", "--help").stdout
        source = pathlib.Path(__file__).resolve().parents[2] / "client/vencctl/encode_options.c"
        if source.exists():
            for name in re.findall(r'^\t\{"(-[-a-z]+)"', source.read_text(), re.M):
                self.assertIn(f"  {name} ", said)


if __name__ == "__main__":
    main()
