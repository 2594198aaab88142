# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The fault matrix of the VA driver: every entry point that the encode path uses, every mode; and
pictures that are not what went in.

GPU a encodes H.264 alone and is the one whose sessions fail; GPU b has all but that, since the
deny-list has it for a Polaris. So the codec says where a session goes, whatever the load. From
before the first fault until after the last a healthy session runs on each. A session has a display
of its own, and what stands in the file of devices when that is made holds for it alone: a case
writes its fault there, lets its session open, and the next case may have the file.
"""

import concurrent.futures
import os
import pathlib
import re
import tempfile
import threading
import unittest
from typing import NamedTuple

from gpus import GpuDaemon, skip_without_root
from harness import SOURCE, main, until
from media import count_decoded

# Of every call; more on a busy host.
BUDGET_MS = int(os.environ.get("VENCD_VAAPI_BUDGET_MS", "2000"))
BUDGETS = {name: f"{BUDGET_MS}ms"
           for name in ("OpenBudget", "EncodeBudget", "FlushBudget", "CloseBudget")}
SETTINGS = {**BUDGETS, "FullProof": "", "ProbeBudget": "60s"}  # what is shown here is no proof
FRAMES = 12
OPENED = "run-/Initialize:1:print"  # says that a session has its display
GPUS = {"a": "h264-only", "b": f"full,1002:67df,amdgpu;{OPENED}"}
A, B = "01:00.0", "02:00.0"
ENCODE = ("send", "receive")
OPENING = ("device", "frames", "codec", "open")
CLOSING = ("free-codec", "free-frames", "free-device", "close")


class Point(NamedTuple):
    """An entry point, which of its calls, the slot's calls that it may be in, and what an error
    there does: "error" ends the attempt; of "complete" neither libavcodec nor libva tells; with
    "crashed" libavcodec dereferences what it did not get (docs/encoders.md)."""
    entry: str
    n: int
    calls: tuple
    error: str = "error"


POINTS = (
    Point("Constructor", 1, ("device",), None),
    Point("Initialize", 1, ("device",)),
    Point("QueryConfigProfiles", 1, ("device",)),
    Point("QueryConfigEntrypoints", 1, ("device",)),
    Point("GetConfigAttributes", 1, ("device",)),
    Point("CreateConfig", 1, ("device",)),
    Point("QuerySurfaceAttributes", 1, ("device",)),
    Point("DestroyConfig", 1, ("device",), "complete"),
    Point("QueryImageFormats", 1, ("device",)),
    Point("CreateSurfaces", 1, ("frames",)),
    Point("DeriveImage", 1, ("frames",), "complete"),
    Point("QueryConfigProfiles", 2, ("codec",)),
    Point("CreateConfig", 2, ("codec",)),
    Point("CreateContext", 1, ("codec",)),
    Point("SyncBuffer", 1, ("codec",), "complete"),
    Point("CreateSurfaces", 4, ("surface",) + ENCODE, "crashed"),
    Point("SyncSurface", 3, ("upload",)),
    Point("DeriveImage", 4, ("upload",)),
    Point("MapBuffer", 1, ("upload",)),
    Point("UnmapBuffer", 1, ("upload",), "complete"),
    Point("DestroyImage", 3, ("upload",), "complete"),
    Point("CreateBuffer", 5, ENCODE),
    Point("BeginPicture", 3, ENCODE),
    Point("RenderPicture", 5, ENCODE),
    Point("EndPicture", 3, ENCODE),
    Point("DestroyBuffer", 3, ENCODE, "complete"),
    Point("SyncBuffer", 4, ENCODE),
    Point("MapBuffer", 7, ENCODE + ("upload",)),
    Point("SyncBuffer", FRAMES + 1, ("flush",)),
    Point("DestroyContext", 1, ("free-codec",), "complete"),
    # Of the codec's own surfaces or ours: libavcodec 7.1 keeps its own, with the pictures that it
    # does not free at its end.
    Point("DestroySurfaces", 1, ("free-codec", "free-frames"), "complete"),
    Point("Terminate", 1, ("free-device",), "complete"),
)

# The other calls that the driver's faults can stand at, and why no session makes them.
ELSEWHERE = {
    "QueryConfigAttributes": "libavcodec knows what it made a configuration of",
    "BufferSetNumElements": "buffers are made with as many as they have",
    "BufferInfo": "of buffers that others are to import",
    "QuerySurfaceStatus": "surfaces are waited for, and not polled",
    "QuerySurfaceError": "what is wrong with a decoded picture",
    "CreateImage": "where an image cannot be derived",
    "PutImage": "the same",
    "GetImage": "where pictures are read back",
    "Refused": "what the driver does not have",
}
UNCALLED = "".join(f";run-/{entry}:*:print" for entry in ELSEWHERE)

ENDS = {"hang": "abandoned", "late": "abandoned", "crash": "crashed"}


class Case(NamedTuple):
    point: Point
    mode: str

    def script(self):
        argument = {"late": f":{2 * BUDGET_MS + 1000}", "slow": ":100"}.get(self.mode, "")
        return f"run-/{self.point.entry}:{self.point.n}:{self.mode}{argument}"

    def is_harmless(self):
        return self.mode == "slow" or self.mode == "error" and self.point.error == "complete"


class Points(unittest.TestCase):

    def test_every_call_has_its_place(self):
        """What the driver has a fault for is in the matrix, or not on the path of an encode."""
        text = (SOURCE / "tests/emulated/va/fault.h").read_text(encoding="utf-8")
        calls = re.findall(r"^\tX\((\w+)\)", text, re.M)
        self.assertEqual(len(calls), len(set(calls)))
        points = {point.entry for point in POINTS}
        self.assertEqual(points & ELSEWHERE.keys(), set())
        self.assertEqual(points | ELSEWHERE.keys(), set(calls))


class Faults(unittest.TestCase):
    """Sessions of which each has a fault of its own, between healthy ones."""

    model = "h264-only"  # GPU a's

    def setUp(self):
        skip_without_root(self)
        folder = tempfile.TemporaryDirectory(prefix="vencd-vaapi-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.opening = threading.Lock()

    def opened(self):
        """How many sessions have come as far as the driver, by what it says."""
        return len(re.findall(r"^\S+ notice: vencd-worker\[\d+\]: vencd emulated driver[^:]*: "
                              r"(?:Initialize|Constructor) 1: ", self.daemon.messages(), re.M))

    def feed(self, script, name, **keys):
        """A session on GPU a whose display has that script, and no other display has."""
        keys = {"backend": "hardware", "codec": "h264", **keys}
        # The first fault that fits is played, so this line is said where the fault is another's.
        with self.opening:
            before = self.opened()
            self.daemon.change(a=f"{self.model};{script};{OPENED}")
            feeder = self.daemon.feed(out=self.path / name, **keys)
            until(lambda: self.opened() > before or feeder.process.poll() is not None,
                  f"the driver is asked, for {script}")
        return feeder

    def start_healthy(self, same="h264", other="hevc"):
        """One on each GPU, which make twenty frames a second until they are told to end."""
        keys = {"frames": 100000, "until": "go", "pause_ms": 50, "width": 160, "height": 96,
                "picture": "bands"}
        healthy = {
            f"same.{same}": self.feed("", f"same.{same}", **{**keys, "codec": same}),
            f"other.{other}": self.feed("", f"other.{other}", **{**keys, "codec": other}),
        }
        for feeder in healthy.values():
            feeder.await_ready()
        return healthy

    def end_healthy(self, healthy):
        for name, feeder in healthy.items():
            result = feeder.result()
            report = result["report"]
            attempt = report["attempts"][0]
            self.assertEqual(report["outcome"], "complete", report)
            self.assertTrue(attempt["device"].endswith(A if name.startswith("same") else B))
            self.assertEqual(result["contiguous"], result["submitted"])
            self.assertEqual(count_decoded(self.path / name), result["submitted"])
            self.assertGreater(attempt["framesChecked"], 0, report)
            self.assertNotIn("suspect", attempt)

    def run_cases(self, cases, then, gpus=None, healthy=("h264", "hevc")):
        with GpuDaemon(gpus or GPUS, SETTINGS) as self.daemon:
            self.daemon.await_probes()
            feeders = self.start_healthy(*healthy)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                wrong = list(filter(None, pool.map(self.run_case, range(len(cases)), cases)))
            self.end_healthy(feeders)
            self.assertFalse(wrong, "\n\n".join(wrong))
            then()


class Matrix(Faults):

    def run_case(self, number, case):
        """What is wrong with its report or its output; None is nothing."""
        name = f"{number}.h264"
        result = self.feed(case.script(), name, frames=FRAMES).result()
        report = result["report"]
        try:
            self.check(case, result, report, report["attempts"][0])
            if report["framesEncoded"]:
                self.assertEqual(count_decoded(self.path / name), report["framesEncoded"])
        except AssertionError as error:
            return f"{case}: {error}\n{report}"
        return None

    def check(self, case, result, report, attempt):
        self.assertTrue(attempt["device"].endswith(A), attempt)
        self.assertEqual(report["framesCancelled"], 0)
        self.assertEqual(result["packets"], report["packets"])
        self.assertEqual(result["contiguous"], report["framesEncoded"])
        if case.is_harmless():
            self.assertEqual(report["outcome"], "complete")
            return
        self.check_outcome(case, report)
        self.check_end(case, attempt)

    def check_outcome(self, case, report):
        if set(case.point.calls) & set(CLOSING):
            self.assertEqual(report["outcome"], "degraded")
            self.assertEqual(report["framesEncoded"], FRAMES)
        elif set(case.point.calls) & set(OPENING):
            self.assertEqual(report["outcome"], "failed")
            self.assertEqual(report["framesEncoded"], 0)
        else:
            self.assertIn(report["outcome"], ("truncated", "failed"))
            self.assertLess(report["framesEncoded"], FRAMES)

    def check_end(self, case, attempt):
        end = case.point.error if case.mode == "error" else ENDS[case.mode]
        self.assertEqual(attempt["end"], end)
        if end == "error":
            self.assertIn(attempt["call"], ("open", "send", "receive", "flush"))
            self.assertTrue(attempt["text"])
            return
        self.assertIn(attempt["call"], case.point.calls)
        if end == "crashed":
            self.assertEqual(attempt["signal"], 11)
            return
        self.assertGreaterEqual(attempt["waitedMs"], BUDGET_MS)
        self.assertLessEqual(attempt["waitedMs"], BUDGET_MS + 1000)
        self.assertEqual(attempt["budgetMs"], BUDGET_MS)
        self.assertEqual(attempt["leaked"]["threads"], 1)

    def check_counters(self, abandoned, crashed):
        def settled():
            row = self.daemon.row(A, "h264_vaapi")
            return row if row["reclaimed"] == abandoned else None
        row = until(settled, f"{abandoned} workers are reclaimed")
        self.assertEqual((row["abandoned"], row["crashed"]), (abandoned, crashed), row)
        for key in ("tainted", "tombstones", "leakedThreads", "leakedFds", "leakedBytes"):
            self.assertEqual(row[key], 0, row)
        for row in self.daemon.rows():
            if row["device"].endswith(B):
                self.assertEqual((row["abandoned"], row["crashed"], row["state"]),
                                 (0, 0, "disabled" if row["codec"] == "h264" else "proven"), row)

    def run_matrix(self, cases, abandoned=0, crashed=0):
        self.run_cases(cases, lambda: self.check_counters(abandoned, crashed))

    def test_hang(self):
        self.run_matrix([Case(point, "hang") for point in POINTS], abandoned=len(POINTS))

    def test_late(self):
        self.run_matrix([Case(point, "late") for point in POINTS], abandoned=len(POINTS))

    def test_crash(self):
        self.run_matrix([Case(point, "crash") for point in POINTS], crashed=len(POINTS))

    def test_slow(self):
        """Three times slower than real time is not wedged."""
        entries = dict.fromkeys(point.entry for point in POINTS)
        self.run_matrix([Case(Point(entry, "*" if entry != "Constructor" else 1, ()), "slow")
                         for entry in entries])

    def test_error(self):
        cases = [Case(point, "error") for point in POINTS if point.error]
        self.run_matrix(cases, crashed=sum(case.point.error == "crashed" for case in cases))


class Spoiled(NamedTuple):
    """A coded picture that is not what went in; without B frames, the n-th is frame n - 1."""
    codec: str
    kind: str
    n: int

    def script(self):
        return f"run-/EndPicture:{self.n}:garbage:{self.kind}"


class Garbage(Faults):
    """Wrong output is never complete, and what was delivered of it is named."""

    kinds = ("noise", "empty", "truncated", "slices", "black")
    places = (1, FRAMES // 2, FRAMES)  # a keyframe, one that depends on others, the last

    def run_case(self, number, case):
        result = self.feed(case.script(), f"{number}.{case.codec}", codec=case.codec,
                           frames=FRAMES, b_frames="no", picture="bands").result()
        report = result["report"]
        try:
            self.check(case, result, report, report["attempts"][0])
        except AssertionError as error:
            return f"{case}: {error}\n{report}"
        return None

    def check(self, case, result, report, attempt):
        encoded, wrong = report["framesEncoded"], case.n - 1
        self.assertTrue(attempt["device"].endswith(A), attempt)
        self.assertEqual(attempt["end"], "wrong_output")
        self.assertTrue(attempt["text"])
        self.assertEqual(result["packets"], report["packets"])
        self.assertEqual(report["outcome"], "degraded" if encoded == FRAMES else
                         "truncated" if encoded else "failed")
        # AV1 takes any bits for a tile: the noise may be seen by what is predicted from it.
        if case.codec == "av1" and case.kind == "slices":
            return
        self.assertLessEqual(attempt["framesChecked"], wrong)
        if encoded <= wrong:
            self.assertNotIn("suspect", attempt)
            return
        self.assertLessEqual(attempt["suspect"]["first"], wrong)
        self.assertEqual(attempt["suspect"]["last"], encoded - 1)

    def check_row(self, codec):
        row = until(lambda: (r := self.daemon.row(A, f"{codec}_vaapi"))["state"] != "probing"
                    and not r["probing"] and r, "the verdict")
        self.assertIn("wrong_output", row["detail"], row)
        for row in self.daemon.rows():
            if row["device"].endswith(B):
                self.assertNotIn("wrong_output", row.get("detail", ""), row)

    def run_garbage(self, codecs, **keys):
        cases = [Spoiled(codec, kind, n) for codec in codecs for kind in self.kinds
                 for n in self.places]
        self.run_cases(cases, lambda: [self.check_row(codec) for codec in codecs], **keys)

    def test_h264(self):
        self.run_garbage(["h264"])

    def test_others(self):
        """The other way round: GPU a has all but H.264."""
        self.model = "full"
        self.run_garbage(["hevc", "av1"], healthy=("hevc", "h264"),
                         gpus={"a": f"full,1002:67df,amdgpu;{OPENED}", "b": f"h264-only;{OPENED}"})


class Honest(unittest.TestCase):
    """What is as it should be is never taken for wrong, however badly it is coded."""

    sessions = (
        {"codec": "h264", "frames": 300, "force": 50},
        {"codec": "h264", "frames": 90, "b_frames": "yes", "quality": 51, "gop": 30},
        {"codec": "h264", "frames": 30, "latency": "live", "width": 64, "height": 64},
        {"codec": "hevc", "frames": 90, "b_frames": "yes", "format": "p010", "quality": 51},
        {"codec": "hevc", "frames": 30, "latency": "live", "format": "i010", "force": 7},
        {"codec": "hevc", "frames": 12, "width": 1920, "height": 1080},
        {"codec": "av1", "frames": 60, "quality": 63, "width": 322, "height": 194},
        {"codec": "av1", "frames": 30, "format": "p010", "latency": "live"},
        {"codec": "av1", "frames": 30, "format": "nv12", "gop": 10},
        {"codec": "h264", "frames": 60, "rate_control": "cbr", "bitrate": 20000},
    )

    def test_all(self):
        skip_without_root(self)
        patient = {**SETTINGS, **dict.fromkeys(BUDGETS, "30s")}  # of a driver without a GPU
        with GpuDaemon({"a": f"full{UNCALLED}"}, patient) as daemon:
            daemon.await_probes()
            for keys in self.sessions:
                report = daemon.feed(backend="hardware", picture="bands", **keys).result()["report"]
                attempt = report["attempts"][0]
                self.assertEqual(report["outcome"], "complete", (keys, report))
                self.assertGreater(attempt["framesChecked"], 0, keys)
                self.assertLessEqual(attempt["framesChecked"], keys["frames"])
            called = re.findall(r"vencd emulated driver[^:]*: (\w+) \d+: ", daemon.messages())
            self.assertEqual(set(called), set())  # what stands in ELSEWHERE


class Lock(unittest.TestCase):

    def test_an_open_that_holds_the_codec_mutex(self):
        """libavcodec has one mutex in a process for all opens of SVT-AV1, VA-API and others."""
        skip_without_root(self)
        software = ({"codec": "av1", "speed": 13}, {"codec": "h264", "speed": 13})
        settings = {**SETTINGS, "SoftwareEncoders": "svtav1 libx264", "OpenBudget": "15s"}
        for call in ("CreateContext", "SyncBuffer"):
            with self.subTest(call), GpuDaemon({"a": "h264-only"}, settings) as daemon:
                daemon.await_probes()
                daemon.change(a=f"h264-only;run-/{call}:1:hang")
                sick = daemon.feed(backend="hardware", codec="h264", frames=FRAMES)
                until(lambda: f"{call} 1: hang" in daemon.messages(), "the open hangs")
                for keys in software:
                    report = daemon.feed(backend="software", frames=3, **keys).result()["report"]
                    self.assertEqual(report["outcome"], "complete", report)
                self.assertIsNone(sick.process.poll(), "it was over before software was")
                attempt = sick.result()["report"]["attempts"][0]
                self.assertEqual((attempt["end"], attempt["call"]), ("abandoned", "codec"))
                for keys in software:
                    report = daemon.feed(backend="software", frames=3, **keys).result()["report"]
                    self.assertEqual(report["outcome"], "complete", report)


if __name__ == "__main__":
    main()
