# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The faults of the emulated VA driver, played to the unmodified ffmpeg: each does what its script
says, where it says so, and says so first.
"""

import pathlib
import signal
import sys
import tempfile
import time
import unittest

import strangers

CLIP = {"size": "64x64", "frames": 8}
OPTIONS = ["-bf", "0", "-qp", "24", "-async_depth", "1"]

# Every entry point on the way of an encode, with a call of it that ffmpeg makes.
WAY = {
    "Constructor": 1,
    "Initialize": 1,
    "QueryConfigProfiles": 1,
    "QueryConfigEntrypoints": 1,
    "GetConfigAttributes": 1,
    "CreateConfig": 1,
    "QuerySurfaceAttributes": 1,
    "CreateSurfaces": 1,
    "CreateContext": 1,
    "CreateBuffer": 5,
    "SyncBuffer": 1,  # at open
    "DeriveImage": 1,
    "MapBuffer": 3,
    "UnmapBuffer": 3,
    "BeginPicture": 2,
    "RenderPicture": 2,
    "EndPicture": 3,
    "DestroyBuffer": 1,
    "DestroyImage": 1,
    "DestroyContext": 1,
    "DestroyConfig": 1,
    "DestroySurfaces": 1,
}

# Opens a display and asks for its profiles three times, then for its image formats.
CALLS = f"""
import ctypes, os
va, drm = ctypes.CDLL("libva.so.2"), ctypes.CDLL("libva-drm.so.2")
drm.vaGetDisplayDRM.restype = ctypes.c_void_p
display = ctypes.c_void_p(drm.vaGetDisplayDRM(os.open("{strangers.NODE}", os.O_RDWR)))
n, room = ctypes.c_int(), ctypes.create_string_buffer(4096)
print(va.vaInitialize(display, ctypes.byref(n), ctypes.byref(n)))
for _ in range(3):
    print(va.vaQueryConfigProfiles(display, room, ctypes.byref(n)))
print(va.vaQueryImageFormats(display, room, ctypes.byref(n)))
"""


class Faults(unittest.TestCase):

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name) / "out.h264"

    def encode(self, script):
        return strangers.encode(f"full {script}", "h264", self.path, *OPTIONS, **CLIP)

    def assert_said(self, done, call, n, what):
        who = strangers.DRIVER if call == "Constructor" else f"{strangers.DRIVER} (model full)"
        self.assertIn(f"{who}: {call} {n}: {what}\n", done.stderr)

    def assert_well(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(strangers.count_frames(self.path), 8)

    def test_hang_everywhere(self):
        for call, n in WAY.items():
            command = strangers.encode_command(f"full {call}:{n}:hang", "h264", self.path,
                                               *OPTIONS, **CLIP)
            with self.subTest(call=call), strangers.Started(command) as started:
                self.assertIn(f"{call} {n}: hang", started.wait_for(strangers.DRIVER) or "ended")
                self.assertTrue(started.waits())

    def test_late(self):
        begun = time.monotonic()
        done = self.encode("EndPicture:3:late:700")
        self.assertGreater(time.monotonic() - begun, 0.7)
        self.assert_said(done, "EndPicture", 3, "late")
        self.assert_well(done)

    def test_slow(self):
        begun = time.monotonic()
        done = self.encode("EndPicture:*:slow:150")
        self.assertGreater(time.monotonic() - begun, 8 * 0.15)
        self.assert_said(done, "EndPicture", 8, "slow")
        self.assert_well(done)

    def test_spin_and_print(self):
        done = self.encode("EndPicture:2:spin:50; MapBuffer:2:print")
        self.assert_said(done, "EndPicture", 2, "spin")
        self.assert_said(done, "MapBuffer", 2, "print")
        self.assert_well(done)

    def test_crash(self):
        for call in "Initialize", "CreateContext", "EndPicture":
            done = self.encode(f"{call}:1:crash")
            self.assert_said(done, call, 1, "crash")
            self.assertEqual(done.returncode, -signal.SIGSEGV)

    def test_exit(self):
        for call in "Constructor", "EndPicture":
            done = self.encode(f"{call}:1:exit:7")
            self.assert_said(done, call, 1, "exit")
            self.assertEqual(done.returncode, 7)

    def test_error(self):
        for call, name, text in (("EndPicture", "", "operation failed"),
                                 ("CreateContext", ":no-memory", "resource allocation failed"),
                                 ("EndPicture", ":busy", "HW busy"),
                                 ("Initialize", ":unknown", "Device creation failed")):
            done = self.encode(f"{call}:1:error{name}")
            self.assert_said(done, call, 1, "error")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(text, done.stderr)

    def test_terminate(self):
        """ffmpeg ends without it, vainfo does not."""
        done = strangers.vainfo("full", "Terminate:1:exit:7")
        self.assert_said(done, "Terminate", 1, "exit")
        self.assertEqual(done.returncode, 7)
        strangers.set_devices("1:3 full Terminate:1:hang")
        with strangers.Started(["vainfo", "--display", "drm", "--device",
                                strangers.NODE]) as started:
            self.assertIn("Terminate 1: hang", started.wait_for(strangers.DRIVER) or "ended")
            self.assertTrue(started.waits())

    def test_lost(self):
        """That call and all later ones, whatever they are."""
        done = self.encode("EndPicture:3:lost")
        self.assert_said(done, "EndPicture", 3, "lost")
        self.assertNotEqual(done.returncode, 0)
        strangers.set_devices("1:3 full QueryConfigProfiles:2:lost")
        done = strangers.run([sys.executable, "-c", CALLS])
        self.assertEqual(done.stdout.split(), ["0", "0", "1", "1", "1"], done.stderr)

    def test_garbage(self):
        for kind in "noise", "empty", "truncated", "slices", "black":
            done = self.encode(f"EndPicture:5:garbage:{kind}")
            self.assert_said(done, "EndPicture", 5, "garbage")
            if done.returncode == 0:
                with self.assertRaises(ValueError, msg=kind):
                    frames, worst = strangers.compare(self.path, CLIP["size"], CLIP["frames"])
                    if frames != 8 or worst < 20:
                        raise ValueError(f"{frames} frames, the worst at {worst} dB")

    def test_thread(self):
        """For sessions alone: no thread of ffmpeg has such a name."""
        done = self.encode("run-/EndPicture:1:crash")
        self.assert_well(done)
        self.assertEqual(done.stderr, "")
        done = self.encode("enc/EndPicture:1:exit:5")  # ffmpeg's encoder threads have this one
        self.assertEqual(done.returncode, 5)

    def test_changed_while_running(self):
        """The file is read for each display."""
        self.assertEqual(strangers.vainfo("full", "Initialize:1:exit:9").returncode, 9)
        self.assertEqual(strangers.vainfo("full").returncode, 0)

    def test_wrong_scripts(self):
        for script, why in (("EndPicture:0:hang", "from 1"), ("EndPicture:1:hung", "no such fault"),
                            ("EndPictures:1:hang", "no such call"), ("MapBuffer:*:hang", "number"),
                            ("EndPicture:1:late", "milliseconds"),
                            ("MapBuffer:1:garbage:noise", "only at EndPicture"),
                            ("EndPicture:1:error:often", "no such error")):
            done = strangers.vainfo("full", script)
            self.assertNotEqual(done.returncode, 0, script)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    strangers.main(sys.argv[1:])
