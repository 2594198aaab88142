# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Hosts that lack something, emulated (tests/emulated/README.md): what the daemon says of their
GPUs, and what vencctl doctor, run on that host, says is to be done. And files made on two GPUs, one
of which lets nobody write its headers.
"""

import itertools
import json
import re
import subprocess
import unittest

from gpus import START, GpuDaemon, skip_without_root
from harness import BUILD, LIMIT, check_report, main, run_tool, until
from media import MediaTest, count_decoded, ffmpeg, seconds, similarity, stream
from walls import fds, session_mappings

GPU = "01:00.0"
# The only GPU; a library that is loaded says so.
DENIED = {"a": "h264-only,10de:2684,nvidia;Constructor:1:print"}
LOADED = "vencd emulated driver: Constructor 1: print"


class HostDaemon(GpuDaemon):
    """GpuDaemon on a host with other options; before: a shell command, on that host."""

    def __init__(self, gpus, *options, driver="vencd", before="true", **settings):
        self.options, self.driver, self.before = options, driver, before
        super().__init__(gpus, {"FullProof": "", **settings})

    def command(self, words):
        host, *rest = super().command(words)
        start = START.replace("$LIBVA_DRIVER_NAME", self.driver)
        rest = [f"{self.before} && {start}" if word is START else word for word in rest]
        return [host, *self.options, *rest]

    def doctor(self, expect):
        """The findings, by subject, of a doctor who looks at that host."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.process.pid), "--mount", "--root", "--wd=/",
             BUILD.resolve() / "vencctl", "--socket", self.socket, "--json", "doctor"],
            text=True, stdout=subprocess.PIPE, check=False, timeout=LIMIT)
        found = json.loads(done.stdout)
        assert (done.returncode, found["healthy"]) == (expect, expect == 0), found
        return {finding["subject"]: finding for finding in found["findings"]}


class Files(MediaTest):

    def setUp(self):
        skip_without_root(self)

    def check(self, daemon, codec, extension):
        clip, output = self.path / "short.mp4", self.path / f"{codec}.{extension}"
        ffmpeg("-i", self.clip, "-frames:v", "24", "-an", "-c", "copy", clip)
        done = run_tool("--socket", daemon.socket, "--json", "encode", clip, "-o", output,
                        "--codec", codec, "--backend", "hardware")
        report = check_report(json.loads(done.stdout)["report"])
        self.assertEqual((report["outcome"], report["attempts"][0]["encoder"]),
                         ("complete", f"{codec}_vaapi"))
        video = stream(output)
        self.assertEqual((video["codec_name"], video["width"], video["height"]),
                         (codec, 854, 480))
        self.assertGreater(video["extradata_size"], 0)
        self.assertEqual(count_decoded(output), 24)
        self.assertGreater(similarity(output, clip), 0.9)
        if extension == "mp4":
            self.assertEqual(seconds(output), seconds(clip))

    def test_containers(self):
        for model, codecs in (("full", ("h264", "hevc", "av1")), ("h264-only", ("h264",))):
            with HostDaemon({"a": model}) as daemon:
                daemon.await_probes()
                for codec, extension in itertools.product(codecs, ("mkv", "mp4")):
                    with self.subTest(model=model, codec=codec, extension=extension):
                        self.check(daemon, codec, extension)


class Hosts(unittest.TestCase):

    def setUp(self):
        skip_without_root(self)

    def start(self, *arguments, **keywords):
        daemon = HostDaemon(*arguments, **keywords)
        self.addCleanup(daemon.stop)
        return daemon

    def check(self, finding, state, text, advice):
        self.assertEqual(finding["state"], state, finding)
        self.assertRegex(finding["text"], text)
        self.assertRegex(finding.get("advice", ""), advice)

    def session(self, daemon):
        out = run_tool("--socket", daemon.socket, "sessions", "--json").stdout
        return json.loads(out)["sessions"][0]

    def check_descriptors(self, daemon, before):
        """Of a worker that encodes: its node and no other, no file, nothing of its siblings."""
        until(lambda: self.session(daemon)["framesEncoded"] > 0, "the first packet")
        worker, = (pid for pid in daemon.children("vencd-worker") if session_mappings(pid))
        found = list(fds(worker).values())
        kernels = [target for target in found if re.match("(socket|pipe|anon_inode):", target)]
        nodes = [target.rpartition("/")[2] for target in found if target not in kernels]
        self.assertEqual(sorted(nodes), ["null", "null", "renderD3"], found)
        self.assertEqual(len([t for t in kernels if t.startswith("socket:")]), 4, found)
        self.assertEqual(before & set(kernels), set(), found)

    def test_without_udev(self):
        """As in a container: /sys and /dev/dri, and no database that tells of them."""
        daemon = self.start({"a": "h264-only"}, "--no-udev", before="test ! -e /run/udev/control")
        daemon.await_probes()
        row = daemon.row(GPU, "h264_vaapi")
        self.assertEqual(row["state"], "proven", row)
        self.assertEqual((row["gpu"]["vendorId"], row["gpu"]["driver"]), (0x8086, "i915"))
        before = set(fds(daemon.process.pid).values())
        feeder = daemon.feed(backend="hardware", codec="h264", frames=9)
        feeder.await_ready()
        self.check_descriptors(daemon, before)
        report = feeder.result()["report"]
        self.assertEqual(report["outcome"], "complete", report)
        findings = daemon.doctor(0)
        self.check(findings["GPU"], "good", "8086:56a0", "^$")
        self.check(findings["render node"], "good", "renderD3 is of group ", "^$")

    def test_driver_library_is_missing(self):
        daemon = self.start({"a": "h264-only"}, driver="nobody")
        daemon.await_probes()
        for encoder in ("h264_vaapi", "hevc_vaapi", "av1_vaapi"):
            row = daemon.row(GPU, encoder)
            self.assertEqual(row["state"], "library-missing", row)
            self.assertTrue(row["detail"] and row["advice"], row)
        errors = daemon.feed(backend="hardware", codec="h264", frames=1).refusal()
        self.assertIn("NoEncoder", errors)
        findings = daemon.doctor(1)
        self.check(findings["driver library"], "bad", "no nobody_drv_video.so",
                   "install intel-media-va-driver")
        self.check(findings["hardware"], "bad", "no hardware encoder is usable", "GPUs")

    def test_node_without_gpu(self):
        """A container that was given the node of a GPU, and no /sys that tells of it."""
        daemon = self.start({}, before="mknod /dev/dri/renderD9 c 1 9")
        self.assertEqual(daemon.rows(), [])
        self.check(daemon.doctor(1)["GPU"], "bad", "but the daemon sees no GPU", "DeviceAllow=")

    def test_no_node(self):
        """Nor any encoder: that is told at once, as everything is."""
        daemon = self.start({})
        self.assertEqual(daemon.rows(), [])
        self.assertIn("NoEncoder", daemon.feed(codec="h264", frames=1).refusal())
        findings = daemon.doctor(1)
        self.check(findings["render node"], "bad", "no render node", "/dev/dri")
        self.check(findings["encoders"], "bad", "every request is refused", "SoftwareEncoders")

    def test_few_descriptors(self):
        """Worth a note; encoding goes on."""
        daemon = self.start({"a": "h264-only"}, before="ulimit -n 1000")
        daemon.await_probes()
        self.check(daemon.doctor(0)["limits"], "note", "may hold 1000 descriptors", "LimitNOFILE=")

    def test_no_daemon(self):
        done = run_tool("--socket", "/nonexistent/socket", "--json", "doctor", expect=1)
        findings = {f["subject"]: f for f in json.loads(done.stdout)["findings"]}
        self.check(findings["daemon"], "bad", "does not answer", "start it")

    def test_denied_is_not_loaded(self):
        """Loading a driver is what may hang; the list is asked before."""
        daemon = self.start(DENIED)
        daemon.await_probes()
        self.assertEqual(daemon.row(GPU, "h264_vaapi")["state"], "disabled")
        self.assertNotIn("emulated driver", daemon.messages())
        daemon = self.start(DENIED, DenyOverride="nvidia-vaapi-decodes-only")
        daemon.await_probes()
        self.assertEqual(daemon.row(GPU, "h264_vaapi")["state"], "proven")
        self.assertIn(LOADED, daemon.messages())


if __name__ == "__main__":
    main()
