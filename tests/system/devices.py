# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""GPUs, from finding them to what is said of them, on a host that has emulated ones.

Started by tests/emulated/host, which puts the node of each GPU into the environment: `full` encodes
all codecs, `h264` only that one, `polaris` and `nvidia` have ids that are on the deny-list.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, CLIP, Daemon, main, run_tool, until
from media import count_decoded, ffmpeg, similarity, stream

FULL, H264, POLARIS, NVIDIA = (f"pci-0000:0{slot}:00.0" for slot in (1, 2, 3, 4))
NODE = {id: os.environ.get(f"EMULATED_NODE_{name}", "") for id, name in
        ((FULL, "full"), (H264, "h264"), (POLARIS, "polaris"), (NVIDIA, "nvidia"))}
DRIVER = " ".join(f"{k}={os.environ.get(k, '')}" for k in
                  ("LIBVA_DRIVERS_PATH", "LIBVA_DRIVER_NAME", "EMULATED_DEVICES"))
SETTINGS = {"SoftwareEncoders": "libx264", "NullEncoder": "no", "DriverEnvironment": DRIVER,
            "ProbeBudget": "60s", "OpenBudget": "20s", "EncodeBudget": "20s",
            "FlushBudget": "20s", "CloseBudget": "20s"}
BASE_ONLY = {**SETTINGS, "FullProof": ""}  # where it is not the proof that matters
NOBODY = 65534
FRAMES = 72  # of the clip, where a file is made
REFUSED = 12  # vencctl's exit code


def proved(daemon):
    found = daemon.rows()
    unknown = [row for row in found
               if row.get("probing") or row["state"] in ("untested", "probing")]
    return found if not unknown else None


def rows(daemon):
    """Once all probes have ended: twelve encoders prove all that they claim."""
    found = until(lambda: proved(daemon), "the end of all probes", limit=400)
    return {(row["device"], row["encoder"]): row for row in found}


def encode(daemon, *options, expect=0):
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory, "out.mp4")
        return run_tool("--socket", daemon.socket, "encode", CLIP, "-o", out, *options,
                        expect=expect)


class Devices(unittest.TestCase):

    def test_rows(self):
        """Each hardware encoder on each GPU, by where it sits; none of it by number."""
        with Daemon(SETTINGS) as daemon:
            found = rows(daemon)
            self.assertEqual(set(found), {(gpu, codec + "_vaapi") for gpu in NODE
                                          for codec in ("av1", "h264", "hevc", "vp9")}
                             | {("cpu", "libx264")})
            states = {key: row["state"] for key, row in found.items()}
            for encoder in ("av1_vaapi", "h264_vaapi", "hevc_vaapi", "vp9_vaapi"):
                self.assertEqual(states[FULL, encoder], "proven", found[FULL, encoder])
                self.assertEqual(states[NVIDIA, encoder], "disabled")
            self.assertEqual(states[H264, "h264_vaapi"], "proven")
            self.assertEqual(states[H264, "hevc_vaapi"], "unsupported")
            self.assertEqual(states[POLARIS, "h264_vaapi"], "disabled")
            self.assertEqual(states[POLARIS, "hevc_vaapi"], "proven")
            row = found[POLARIS, "h264_vaapi"]
            self.assertIn("https://github.com/lgse/strata/issues/127", row["detail"])
            self.assertIn("DenyOverride=amd-polaris-vce", row["advice"])
            self.assertEqual(row["backend"], "vaapi")
            gpu = row["gpu"]
            self.assertEqual((gpu["vendorId"], gpu["deviceId"], gpu["driver"], gpu["node"]),
                             (0x1002, 0x67df, "amdgpu", NODE[POLARIS]))
            self.assertNotIn("gpu", found["cpu", "libx264"])
            # One after the other on a GPU, riskiest last: what drivers have had longest is first.
            self.assertEqual(re.findall(rf"(\w+)_vaapi on {FULL}: proven by", daemon.messages()),
                             ["h264", "hevc", "vp9", "av1"])
            self.check_words(daemon)

    def check_words(self, daemon):
        """What people see: card by card, with what to do."""
        text = run_tool("--socket", daemon.socket, "devices").stdout
        order = re.findall(r"^(\S+) +(?:vaapi|software) ", text, re.MULTILINE)
        self.assertEqual(order, sorted(order, key=order.index))
        self.assertEqual(len([a for a, b in zip(order, order[1:]) if a != b]), len(set(order)) - 1)
        self.assertIn(f"1002:67df, amdgpu {os.uname().release}, {NODE[POLARIS]}", text)
        self.assertIn("to do: ", text)
        found = json.loads(run_tool("--socket", daemon.socket, "doctor", "--json").stdout)
        subjects = [f["subject"] for f in found["findings"] if f["state"] == "good"]
        self.assertEqual(subjects.count("GPU"), 4, found)
        self.assertIn("driver library", subjects)
        self.assertIn("device-worker", subjects)
        self.assertIn("hardware", subjects)

    def test_override(self):
        with Daemon({**BASE_ONLY, "DenyOverride": "amd-polaris-vce"}) as daemon:
            found = rows(daemon)
            self.assertEqual(found[POLARIS, "h264_vaapi"]["state"], "proven")
            self.assertEqual(found[NVIDIA, "h264_vaapi"]["state"], "disabled")

    def test_hardware_off(self):
        with Daemon({**SETTINGS, "Hardware": "no"}) as daemon:
            self.assertEqual(set(rows(daemon)), {("cpu", "libx264")})
            self.assertIn("Hardware=no", encode(daemon, "--codec", "h264", "--backend",
                                                "hardware", expect=REFUSED).stderr)
            self.assertIn("Hardware=no", run_tool("--socket", daemon.socket, "doctor",
                                                  expect=1).stdout)

    def test_encode(self):
        """On a GPU, in a worker of its own kind behind all walls; the report says why."""
        with Daemon(BASE_ONLY) as daemon:
            self.check_headers(daemon, rows(daemon))
            report = daemon.feed(frames=9, backend="hardware", codec="h264").result()["report"]
            attempt = report["attempts"][0]
            self.assertEqual(report["outcome"], "complete", report)
            self.assertEqual((attempt["device"], attempt["backend"], attempt["encoder"]),
                             (FULL, "vaapi", "h264_vaapi"))
            self.assertRegex(attempt["picked"], "least busy GPU, load 0.0 %")
            others = "\n".join(attempt["rejected"])
            self.assertRegex(others, rf"h264_vaapi on {H264}: load 0.0 %")
            self.assertRegex(others, rf"h264_vaapi on {POLARIS}: on the deny-list")
            self.assertIn("landlock", attempt["walls"])
            self.assertIn("seccomp", attempt["walls"])

    def check_headers(self, daemon, found):
        """What a driver takes of libavcodec's headers; `h264-only` takes none."""
        self.assertEqual(found[FULL, "h264_vaapi"]["packedHeaders"],
                         ["sequence", "slice", "misc", "raw"])
        self.assertEqual(found[H264, "h264_vaapi"]["packedHeaders"], [])
        for key in ((H264, "hevc_vaapi"), (POLARIS, "h264_vaapi"), ("cpu", "libx264")):
            self.assertNotIn("packedHeaders", found[key])
        text = run_tool("--socket", daemon.socket, "devices").stdout
        self.assertIn("headers that its driver takes: sequence slice misc raw", text)
        self.assertIn("its driver writes all headers by itself", text)

    def test_vp9(self):
        """On a GPU into each container that takes it; without one it is refused, by name."""
        with tempfile.TemporaryDirectory() as directory, Daemon(BASE_ONLY) as daemon:
            rows(daemon)
            clip = pathlib.Path(directory, "clip.mp4")
            ffmpeg("-i", CLIP, "-frames:v", FRAMES, "-an", "-c", "copy", clip)
            for name in ("out.webm", "out.mkv", "out.mp4", "out.ivf"):
                out = pathlib.Path(directory, name)
                run_tool("--socket", daemon.socket, "encode", clip, "-o", out, "--codec", "vp9")
                video = stream(out)
                self.assertEqual((video["codec_name"], video["width"], video["height"]),
                                 ("vp9", 854, 480), name)
                self.assertEqual(count_decoded(out), FRAMES, name)
                self.assertGreater(similarity(out, clip), 0.9, name)
            ts = pathlib.Path(directory, "out.ts")
            run_tool("--socket", daemon.socket, "encode", clip, "-o", ts, "--codec", "vp9",
                     expect=2)
        with Daemon({**SETTINGS, "Hardware": "no"}) as daemon:
            rows(daemon)
            refusal = encode(daemon, "--codec", "vp9", expect=REFUSED).stderr
            self.assertIn("this host has no usable encoder for the codecs asked for", refusal)
            self.assertRegex(refusal, r"\bh264\b")  # which it has instead

    def test_not_permitted(self):
        """The daemon of another user, whom the nodes do not let in: nothing is tried."""
        for node in NODE.values():
            os.chmod(node, 0o660)
        try:
            with tempfile.TemporaryDirectory() as directory:
                self.check_not_permitted(pathlib.Path(directory))
        finally:
            for node in NODE.values():
                os.chmod(node, 0o666)

    def check_not_permitted(self, directory):
        for name in ("vencd", "vencd-front", "vencd-worker", "vencd-stream", "vencd-inspect"):
            shutil.copy(BUILD / name, directory / name)
        (directory / "vencd").rename(directory / "vencd-itself")
        program = directory / "vencd"
        program.write_text(f'#!/bin/sh\nexec setpriv --reuid={NOBODY} --regid={NOBODY} '
                           f'--clear-groups {directory}/vencd-itself "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        directory.chmod(0o755)
        socket = directory / "run"
        socket.mkdir()
        shutil.chown(socket, NOBODY)
        self.addCleanup(os.umask, os.umask(0))  # it is told to be ready by a socket of root's
        settings = {**SETTINGS, "Socket": str(socket / "socket")}
        with Daemon(settings, programs=directory) as daemon:
            daemon.socket = socket / "socket"
            row = rows(daemon)[FULL, "h264_vaapi"]
            self.assertEqual(row["state"], "not-permitted")
            self.assertIn(f"uid {NOBODY} may not open {NODE[FULL]}", row["detail"])
            self.assertIn("SupplementaryGroups=root", row["advice"])
            refusal = encode(daemon, "--codec", "h264", "--backend", "hardware",
                             expect=REFUSED).stderr
            self.assertIn(f"h264_vaapi on {FULL}: uid {NOBODY} may not open", refusal)
            self.assertIn("more", refusal)
            report = run_tool("--socket", daemon.socket, "doctor", expect=1).stdout
            self.assertIn("not-permitted", report)
            self.assertIn("no hardware encoder is usable", report)
            encode(daemon, "--codec", "h264")  # in software


if __name__ == "__main__":
    if os.geteuid() != 0 or not NODE[FULL]:
        raise SystemExit(77)
    main()
