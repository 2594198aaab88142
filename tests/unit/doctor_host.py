# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""What vencctl doctor says of a host and a daemon that this test makes up: a /usr/lib of links, in
the mount namespace of an emulated host, and a daemon that gives the same two answers to everybody.
"""

import contextlib
import fnmatch
import json
import os
import pathlib
import socketserver
import subprocess
import tempfile
import threading
import unittest

BUILD = pathlib.Path(os.environ["VENCD_BUILD"])
LIBRARIES = pathlib.Path("/usr/lib")
LIMIT = 60
KINDS = ("vencd-front", "vencd-worker", "device-worker", "vencd-stream")
NVIDIA = {"vendorId": 0x10de, "deviceId": 0x2684, "driver": "nvidia", "driverVersion": "550.54.14",
          "node": os.environ["EMULATED_NODE_a"]}


def device(state, **more):
    """A row of ListDevices: of a GPU, where it has one."""
    return {"device": "pci-0000:01:00.0" if "gpu" in more else "cpu", "codec": "h264",
            "backend": "vaapi" if "gpu" in more else "software",
            "encoder": "h264_vaapi" if "gpu" in more else "libx264", "state": state, **more}


class Answer(socketserver.StreamRequestHandler):

    def handle(self):
        text = b""
        while (byte := self.rfile.read(1)):
            text += byte
            if byte == b"\0":
                method = json.loads(text[:-1])["method"].rpartition(".")[2]
                reply = json.dumps({"parameters": self.server.answers[method]})
                self.wfile.write(reply.encode() + b"\0")
                text = b""


@contextlib.contextmanager
def fake_daemon(devices, **walls):
    """Its socket."""
    rows = [{"kind": kind, "standing": ["landlock", "seccomp"], "missing": [], "landlockAbi": 6}
            for kind in KINDS]
    with tempfile.TemporaryDirectory() as directory, \
            socketserver.ThreadingUnixStreamServer(f"{directory}/socket", Answer) as server:
        server.daemon_threads = True
        server.answers = {
            "ListDevices": {"devices": devices, "budgets": []},
            "GetWalls": {"version": "0", "uid": 0, "hardware": True, "required": [],
                         "descriptors": 65536, "walls": rows, **walls}}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address
        finally:
            server.shutdown()


@contextlib.contextmanager
def libraries(*files, without="/"):
    """A /usr/lib that has these empty files, and none whose path in it fits `without`."""
    with tempfile.TemporaryDirectory() as directory:
        original, made = pathlib.Path(directory, "original"), pathlib.Path(directory, "made")
        original.mkdir()
        subprocess.run(["mount", "--bind", LIBRARIES, original], check=True)
        fill(made, original, original, without)
        for file in files:
            path = made / file
            path.parent.mkdir(exist_ok=True)
            path.touch()
        subprocess.run(["mount", "--bind", made, LIBRARIES], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", LIBRARIES], check=True)
            subprocess.run(["umount", original], check=True)


def fill(made, folder, top, without):
    """Links to all entries; what a directory with an unwanted one has is linked one by one."""
    made.mkdir()
    for entry in folder.iterdir():
        path = str(entry.relative_to(top))
        if fnmatch.fnmatch(path, without):
            continue
        if entry.is_dir() and not entry.is_symlink() and "/" not in path \
                and any(fnmatch.fnmatch(str(e.relative_to(top)), without) for e in entry.iterdir()):
            fill(made / entry.name, entry, top, without)
        else:
            (made / entry.name).symlink_to(entry)


class Doctor(unittest.TestCase):

    def findings(self, devices, expect, **walls):
        """All of a subject, as states, texts and advice."""
        with fake_daemon(devices, **walls) as path:
            done = subprocess.run([BUILD / "vencctl", "--socket", path, "--json", "doctor"],
                                  text=True, capture_output=True, timeout=LIMIT, check=False)
        found = json.loads(done.stdout)
        self.assertEqual((done.returncode, found["healthy"]), (expect, expect == 0), found)
        return found["findings"]

    def check(self, findings, subject, *expected):
        """These are the findings of that subject: state, words of the text, words of the advice."""
        found = [f for f in findings if f["subject"] == subject]
        self.assertEqual([f["state"] for f in found], [state for state, _, _ in expected], findings)
        for finding, (_, text, advice) in zip(found, expected):
            self.assertIn(text, finding["text"])
            self.assertIn(advice, finding.get("advice", ""))


class Encoders(Doctor):

    def test_exit_code(self):
        """0 where a hardware encoder is usable and nothing is bad; software does not count."""
        gpu = {**NVIDIA, "driver": "i915"}
        with libraries("dri/iHD_drv_video.so"):
            for state in "proven", "degraded":
                found = self.findings([device(state, gpu=gpu)], 0)
                self.check(found, "hardware", ("good", "1 hardware encoders are usable", ""))
            found = self.findings([device("proven"), device("unsupported", gpu=gpu)], 1)
            self.check(found, "hardware", ("bad", "is encoded on the CPU", "about GPUs"))
            self.check(found, "h264_vaapi", ("note", "unsupported on pci-", ""))
            # One that works, beside one that should.
            found = self.findings([device("proven", gpu=gpu), device("broken", gpu=gpu, advice="!",
                                                                    detail="hung")], 1)
            self.check(found, "h264_vaapi", ("good", "proven", ""), ("bad", "broken", "!"))
            null = {**device("proven"), "backend": "null"}
            found = self.findings([null], 1)
            self.check(found, "encoders", ("bad", "every request is refused", "SoftwareEncoders"))


class Walls(Doctor):

    def test_old_landlock(self):
        rows = [{"kind": "vencd-worker", "standing": ["landlock"], "missing": ["seccomp"],
                 "landlockAbi": 5},
                {"kind": "vencd-front", "standing": [], "missing": ["moat"]}]
        found = self.findings([device("proven")], 1, walls=rows, required=["seccomp"])
        self.check(found, "vencd-worker", ("bad", "lacks a wall: seccomp", "CONFIG_SECCOMP_FILTER"),
                   ("note", "is of ABI 5 and holds back no signals", "6.12"))
        self.check(found, "vencd-front", ("bad", "lacks a wall: moat", "the daemon's version"))
        self.check(found, "vencd-stream", ("note", "none has been started yet", "ask again"))
        self.check(found, "RequireWalls", ("good", "seccomp", ""))


class Host(Doctor):

    def test_libraries_of_nvidia(self):
        """Of one version, or they do not work."""
        rows = [device("proven", gpu=NVIDIA)]
        with libraries("nvidia/libcuda.so.535.1"):
            self.check(self.findings(rows, 1), "driver versions",
                       ("bad", "nvidia is 550.54.14, and libcuda is another", "boot again"))
        with libraries("nvidia/libcuda.so.550.54.14"):
            self.check(self.findings(rows, 0), "driver versions")

    def test_kernel_driver(self):
        rows = [device("absent", gpu={**NVIDIA, "driver": ""})]
        found = self.findings(rows, 1)
        self.check(found, "GPU", ("bad", "no kernel driver", "load the kernel driver"))
        self.check(found, "driver library")

    def test_unknown_driver(self):
        """Its library is looked for by its own name."""
        rows = [device("proven", gpu={**NVIDIA, "driver": "imaginary"})]
        self.check(self.findings(rows, 1), "driver library",
                   ("bad", "no imaginary_drv_video.so", "the vendor's packages"))
        with libraries("dri/imaginary_drv_video.so"):
            self.check(self.findings(rows, 0), "driver library", ("good", "imaginary: /usr/", ""))

    def test_after_an_update_of_the_kernel(self):
        with libraries("modules/1.2.3", without="modules"):
            self.check(self.findings([device("proven")], 1), "kernel modules",
                       ("note", f"/lib/modules/{os.uname().release} is not there", "boot again"))
        with libraries(f"modules/{os.uname().release}", without="modules"):
            self.check(self.findings([device("proven")], 1), "kernel modules")

    def test_libva(self):
        with libraries(without="*/libva.so.2.*"):
            self.check(self.findings([device("proven")], 1), "libva",
                       ("note", "not found where libraries usually are", ""))
        self.check(self.findings([device("proven")], 1), "libva", ("good", "libva.so.2.", ""))

    def test_descriptors(self):
        self.check(self.findings([device("proven")], 1, descriptors=65536), "limits",
                   ("good", "65536 descriptors", ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
