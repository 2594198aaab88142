# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Devices that lie (tests/emulated/README.md has the models) are not listed with what they lie
about; the one whose lie no probe is long enough for is found out at work.
"""

import re
import unittest

from gpus import GpuDaemon, skip_without_root
from harness import main, until

A, B = "01:00.0", "02:00.0"
SETTINGS = {"FullProof": "", "ProbeBudget": "20s", "OpenBudget": "5s", "EncodeBudget": "3s",
            "FlushBudget": "5s", "CloseBudget": "5s"}


class Liars(unittest.TestCase):

    def setUp(self):
        skip_without_root(self)

    def proved(self, models, **settings):
        daemon = GpuDaemon(models, {**SETTINGS, **settings})
        self.addCleanup(daemon.stop)
        daemon.await_probes()
        return daemon

    def refused(self, daemon, **keys):
        errors = daemon.feed(backend="hardware", frames=1, **keys).refusal()
        self.assertIn("NoEncoder", errors)

    def test_garbage(self):
        daemon = self.proved({"a": "garbage", "b": "full;EndPicture:*:garbage:noise"})
        for where, encoder in ((A, "hevc_vaapi"), (B, "h264_vaapi"), (B, "hevc_vaapi"),
                               (B, "vp9_vaapi"), (B, "av1_vaapi")):
            row = daemon.row(where, encoder)
            self.assertEqual(row["state"], "broken", row)
            self.assertTrue(row["detail"], row)
        self.refused(daemon, codec="hevc")
        for encoder in ("h264_vaapi", "vp9_vaapi", "av1_vaapi"):  # of which it gives what it says
            self.assertEqual(daemon.row(A, encoder)["state"], "proven")
        self.check_vp9_at_work(daemon)

    def check_vp9_at_work(self, daemon):
        """What passes its probes, and is slow, gives another picture, hangs."""
        for fault, outcome, end in (("*:slow:100", "complete", "finished"),
                                    ("5:garbage:black", None, "wrong_output"),
                                    ("5:hang", "truncated", "abandoned")):
            with self.subTest(fault):
                daemon.change(a=f"garbage;run-/EndPicture:{fault}")
                report = daemon.feed(backend="hardware", codec="vp9", frames=9,
                                     picture="bands").result()["report"]
                attempt = report["attempts"][0]
                self.assertEqual(attempt["end"], end, report)
                self.assertEqual(report["outcome"], outcome or report["outcome"])
                if end == "wrong_output":
                    self.assertNotEqual(report["outcome"], "complete")
                    self.assertLessEqual(attempt["framesChecked"], 4)

    def test_hang_at_the_first_p_picture(self):
        daemon = self.proved({"a": "hang-p"}, ProbeBudget="8s")
        for encoder, codec in (("h264_vaapi", "h264"), ("hevc_vaapi", "hevc"),
                               ("vp9_vaapi", "vp9"), ("av1_vaapi", "av1")):
            row = daemon.row(A, encoder)
            self.assertEqual(row["state"], "broken", row)
            self.assertIn("did not return", row["detail"])
            self.refused(daemon, codec=codec)

    def test_small(self):
        """It says 16x16, and takes nothing below 145x49."""
        daemon = self.proved({"a": "small"}, FullProof="hardware")
        for encoder in ("h264_vaapi", "hevc_vaapi"):
            row = daemon.row(A, encoder)
            self.assertIn(row["state"], ("proven", "degraded"), row)
            self.assertGreaterEqual(row["minWidth"], 145, row)
            self.assertGreaterEqual(row["minHeight"], 49, row)
        errors = daemon.feed(backend="hardware", codec="h264", frames=1, width=64,
                             height=64).refusal()
        self.assertIn("64", errors)

    def workers(self, daemon):
        """Pids of those that asked the driver before and behind the end of H.264's probe."""
        text = re.split(rf"h264_vaapi on pci-0000:{A}: proven by a probe", daemon.messages())
        found = [set(re.findall(r"vencd-worker\[(\d+)\]: vencd emulated", part)) for part in text]
        return found if len(found) == 2 and all(found) else None

    def test_bad_b(self):
        """What comes in the wrong order is no B frame that anybody gets. Probes of all that is
        claimed take turns on a GPU, H.264's first, each in a process of its own.
        """
        daemon = GpuDaemon({"a": "bad-b;Initialize:*:print"}, {**SETTINGS, "FullProof": "hardware"})
        self.addCleanup(daemon.stop)
        first, others = until(lambda: self.workers(daemon), "the second probe", limit=180)
        self.assertEqual(len(first), 1, daemon.messages())
        self.assertFalse(first & others, daemon.messages())
        row = daemon.row(A, "h264_vaapi")
        self.assertEqual(row["state"], "degraded", row)
        self.assertIn("b-frames", row["detail"].lower())
        report = daemon.feed(backend="hardware", codec="h264", frames=12).result()["report"]
        self.assertEqual(report["outcome"], "complete", report)
        self.assertEqual(report["attempts"][0]["reorder"], 0, report)

    def test_tired(self):
        """It passes its probes, and hangs at the 300th picture."""
        daemon = self.proved({"a": "tired", "b": "full"})
        keys = {"backend": "hardware", "codec": "h264", "width": 160, "height": 96}
        self.assertEqual(daemon.row(A, "h264_vaapi")["state"], "proven")
        report = daemon.feed(frames=310, **keys).result()["report"]
        attempt = report["attempts"][0]
        self.assertTrue(attempt["device"].endswith(A), attempt)
        self.assertEqual(report["outcome"], "truncated", report)
        self.assertEqual(attempt["end"], "abandoned", attempt)
        self.assertIn(attempt["call"], ("send", "receive"))
        self.assertGreater(report["framesEncoded"], 250)
        row = until(lambda: (r := daemon.row(A, "h264_vaapi"))["state"] == "degraded" and r,
                    "it is demoted")
        self.assertIn("demoted", row["detail"])
        self.assertIn(f"abandoned in {attempt['call']}", row["detail"])
        self.assertIn("demoted", daemon.table())
        # The next one goes elsewhere, and its report says why.
        report = daemon.feed(frames=310, **keys).result()["report"]
        self.assertEqual(report["outcome"], "complete", report)
        self.assertTrue(report["attempts"][0]["device"].endswith(B), report)
        self.assertIn("demoted", " ".join(report["attempts"][0]["rejected"]))
        self.check_error(daemon, keys)

    def check_error(self, daemon, keys):
        """An error is no wedge, but what was claimed was not kept: the same is done about it."""
        daemon.change(b="full;run-/EndPicture:3:error:encoding")
        attempt = daemon.feed(frames=9, **keys).result()["report"]["attempts"][0]
        self.assertTrue(attempt["device"].endswith(B), attempt)
        self.assertEqual(attempt["end"], "error", attempt)
        row = until(lambda: (r := daemon.row(B, "h264_vaapi"))["state"] == "degraded" and r,
                    "it is demoted")
        self.assertIn("ended as error", row["detail"])
        self.assertEqual(row["strikes"], 1, row)


if __name__ == "__main__":
    main()
