# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Runs programs that know nothing of this project (ffmpeg, vainfo) on an emulated host.

A picture differs from its neighbours by far more than coding changes it (below 26 dB, against 30
and more), so the worst picture's PSNR also says that all are in their places.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
HOST = HERE / "host"
DRIVER = "vencd emulated driver"
NODE = "/dev/dri/renderD3"  # of the first GPU
GUARD = 120  # seconds, after which a program that should have ended is taken to hang
RATE = 30


def host(*gpus):
    return [HOST, *(word for gpu in gpus for word in ("--gpu", gpu))]


def run(command, **options):
    """Its status, and what it said, with libva's own talk left out."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=GUARD,
                          check=False, **options)
    done.stderr = "".join(line for line in done.stderr.splitlines(True) if "libva" not in line)
    return done


def main(names=()):
    """Runs the tests of the main module inside an emulated host with two GPUs."""
    if "EMULATED_DEVICES" not in os.environ:
        os.execv(HOST, [*map(str, host("a=full", "b=full")), sys.executable, *sys.argv])
    unittest.main(argv=[sys.argv[0], *names], verbosity=2)


def set_devices(*lines):
    """What the nodes are from the next display on: "1:3 full EndPicture:3:hang"."""
    path = pathlib.Path(os.environ["EMULATED_DEVICES"])
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    new.rename(path)


def vainfo(model, script="", node=NODE):
    set_devices(f"1:3 {model} {script}")
    return run(["vainfo", "--display", "drm", "--device", node])


def source(size, frames):
    return ["-f", "lavfi", "-t", str(frames / RATE), "-i", f"testsrc2=size={size}:rate={RATE}"]


def encode_command(device, codec, output, *options, size="320x192", frames=24, pixels="nv12",
                   filters=""):
    """Of the first GPU, which becomes that model, with that script behind it."""
    set_devices(f"1:3 {device}")
    return ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-y", "-vaapi_device", NODE,
            *source(size, frames), "-vf", f"{filters}format={pixels},hwupload", "-c:v",
            f"{codec}_vaapi", *options, str(output)]


def encode(device, codec, output, *options, **clip):
    return run(encode_command(device, codec, output, *options, **clip))


def compare(path, size="320x192", frames=24):
    """Pictures that it decodes to, and the worst one's PSNR; any error of the decoder raises."""
    even = "settb=1/30,setpts=N,format=yuv420p"
    with tempfile.NamedTemporaryFile("r") as stats:
        done = run(["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-xerror",
                    *source(size, frames), "-i", path, "-lavfi",
                    f"[0:v]{even}[a];[1:v]{even}[b];[a][b]psnr=shortest=1:stats_file={stats.name}",
                    "-f", "null", "-"])
        if done.returncode or done.stderr:
            raise ValueError(done.stderr or f"ffmpeg ended with {done.returncode}")
        text = stats.read()
    quality = [float(word) for word in re.findall(r"psnr_avg:(\S+)", text)]
    return len(quality), min(quality, default=0.0)


def probe(path, entries, *options):
    """Rows of ffprobe."""
    done = run(["ffprobe", "-v", "error", *options, "-show_entries", entries, "-of", "csv=p=0",
                path])
    if done.returncode:
        raise ValueError(done.stderr)
    return [line.strip(",").split(",") for line in done.stdout.split()]


def count_frames(path):
    return int(probe(path, "stream=nb_read_frames", "-count_frames")[0][0])


class Started:
    """A program that may hang: its stderr is read line by line, and it is killed at the end."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True, errors="replace", env={**os.environ})

    def __enter__(self):
        signal.alarm(GUARD)  # ends a read that nothing answers
        return self

    def __exit__(self, *error):
        signal.alarm(0)
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def wait_for(self, text):
        """The line that has the text, or None where the program ended without it."""
        return next((line for line in self.process.stderr if text in line), None)

    def waits(self):
        """Whether a thread of the program comes to wait for a signal, which is how faults hang."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        while self.process.poll() is None:
            for task in tasks.iterdir():
                try:
                    name = (task / "wchan").read_text(encoding="ascii")
                    call = (task / "syscall").read_text(encoding="ascii").split()[0]
                except OSError:
                    continue
                if call == str(PAUSE) or "pause" in name:
                    return True
        return False


PAUSE = {"x86_64": 34}.get(os.uname().machine, -1)
