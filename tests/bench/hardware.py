# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""What vencd costs around a GPU's driver, beside ffmpeg with the same driver.

There is no GPU: the driver is the emulated one (tests/emulated), which does next to nothing from
when the encoder has been proved: it codes the first picture, and then says that none has changed.
The two that the producer shows in turn are near enough to each other for the daemon, which decodes
some of what comes out beside it and looks whether it is what went in. So these rows say what goes
by outside of the encoding, copies of the picture included, and nothing of how fast a GPU is.

Every turn is a short run and a long one, and what counts is the difference: frames alone, without
the start of programs, libraries and encoders.
"""
import pathlib
import resource
import statistics
import subprocess

import machine
from rows import produce, seconds_of
from table import Row

HOST = pathlib.Path(__file__).resolve().parents[1] / "emulated/host"
NODE = "/dev/dri/renderD3"  # of the only GPU
OURS, THEIRS = 3000, 1000  # frames of a long run: about as long for both
SHORT = 10
GOP, RATE, QUALITY = 120, 30, 23
SIZES = {"1080p": (1920, 1080), "720p": (1280, 720)}

# glibc gives large blocks back to the kernel, and gets them again for the next frame, page by page.
KEEP = ("GLIBC_TUNABLES=glibc.malloc.mmap_threshold=1073741824"
        ":glibc.malloc.trim_threshold=4294967296:glibc.malloc.top_pad=67108864")

# What the emulated host exports is not known before it is there.
PASS_ON = ('echo "DriverEnvironment=LIBVA_DRIVERS_PATH=$LIBVA_DRIVERS_PATH'
           ' LIBVA_DRIVER_NAME=$LIBVA_DRIVER_NAME" >>"$2"; exec "$0" "$@"')


class Daemon(machine.Daemon):
    """On an emulated host: its pid is that of the command line that it is started through."""

    def __init__(self):
        super().__init__({"Hardware": "yes", "SoftwareEncoders": "", "WarmWorkers": "0",
                          "FullProof": ""},
                         (HOST, "--gpu", "gpu=h264-only", "sh", "-c", PASS_ON))
        environment = self.config.read_text(encoding="utf-8").split("DriverEnvironment=")[1]
        self.inside = ["nsenter", f"--target={self.process.pid}", "--mount", "--root", "--wd",
                       "env", *environment.split()]
        self.stop_encoding()

    def stop_encoding(self):
        """From the next display on, the driver has one picture for all."""
        root = pathlib.Path(f"/proc/{self.process.pid}/root")
        variables = dict(word.split("=", 1) for word in self.inside if "=" in word)
        devices = root / variables["LIBVA_DRIVERS_PATH"].lstrip("/") / "devices"
        text = devices.read_text(encoding="utf-8")
        new = devices.with_suffix(".new")
        new.write_text(text.replace("h264-only", "still"), encoding="utf-8")
        new.replace(devices)

    def spent(self):
        """CPU seconds: the supervisor's own, and those of children that have ended."""
        pid, ns = self.process.pid, 0
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            ns += int((task / "schedstat").read_text(encoding="utf-8").split()[0])
        fields = machine.stat_fields(pid)
        return {"supervisor": ns / 1e9,
                "worker": (int(fields[13]) + int(fields[14])) / machine.TICKS}


def beyond_start(run, frames):
    """Of run(frames), which gives seconds and each process's CPU seconds, what a frame costs."""
    short_s, short = run(SHORT)
    long_s, long = run(frames)
    more = frames - SHORT
    return {"speed": more / (long_s - short_s), "start": short,
            "cpu": {name: (long[name] - short[name]) / more * 1e6 for name in long}}


def ours(daemon, frames, **keys):
    before = daemon.spent()
    result = produce(socket=daemon.socket, codec="h264", backend="hardware", quality=QUALITY,
                     gop=GOP, rate=RATE, frames=frames, **keys)
    daemon.settle()  # by then the worker has ended, and been counted
    after = daemon.spent()
    spent = {name: after[name] - before[name] for name in after}
    return result["seconds"], {"client": result["cpu_s"]} | spent


def ffmpeg(daemon, source, *settings):
    """As our plan for this device has it, so that the driver gets the same to do."""
    return [*daemon.inside, *settings, "ffmpeg", "-nostdin", "-v", "error", "-vaapi_device", NODE,
            *source, "-vf", "format=nv12,hwupload", "-c:v", "h264_vaapi", "-rc_mode", "CQP",
            "-global_quality", str(QUALITY), "-bf", "0", "-async_depth", "2", "-g", str(GOP)]


def children_cpu_s():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def by_pipe(daemon, settings, frames, **keys):
    pixels = {"i420": "yuv420p", "nv12": "nv12"}[keys["format"]]
    source = ["-f", "rawvideo", "-pixel_format", pixels, "-framerate", str(RATE), "-video_size",
              f"{keys['width']}x{keys['height']}", "-i", "pipe:"]
    before = children_cpu_s()
    result = produce([*ffmpeg(daemon, source, *settings), "-f", "h264", "pipe:"], frames=frames,
                     **keys)
    client = result["cpu_s"]
    return result["seconds"], {"client": client, "ffmpeg": children_cpu_s() - before - client}


def by_itself(daemon, frames, width, height):
    """ffmpeg makes the picture, once: it draws nothing into the frames after the first."""
    source = ["-f", "lavfi", "-i", f"color=size={width}x{height}:rate={RATE},format=nv12"]
    before = children_cpu_s()
    seconds = seconds_of(*ffmpeg(daemon, source), "-frames:v", frames, "-f", "h264", "-y",
                         "/dev/null")
    return seconds, {"ffmpeg": children_cpu_s() - before}


def sides_of(daemon, size, pixels):
    width, height = SIZES[size]
    keys = {"width": width, "height": height, "format": pixels}

    def mine(**more):
        return beyond_start(lambda frames: ours(daemon, frames, **keys, **more), OURS)

    def pipe(*settings):
        return beyond_start(lambda frames: by_pipe(daemon, settings, frames, **keys), THEIRS)

    def alone():
        return beyond_start(lambda frames: by_itself(daemon, frames, width, height), THEIRS)

    return {"vencd": mine, "ffmpeg by pipe": pipe,
            "ffmpeg by pipe, memory kept": lambda: pipe(KEEP),
            "vencd, untouched": lambda: mine(touch="none"), "ffmpeg of one picture": alone}


# What is compared: a picture, our side, and theirs.
PAIRS = (
    ("1080p", "nv12", "vencd", "ffmpeg by pipe"),
    ("1080p", "nv12", "vencd", "ffmpeg by pipe, memory kept"),
    ("1080p", "i420", "vencd", "ffmpeg by pipe"),
    ("720p", "nv12", "vencd", "ffmpeg by pipe"),
    ("1080p", "nv12", "vencd, untouched", "ffmpeg of one picture"),
)


def measure(bench, daemon):
    wanted = {}
    for size, pixels, mine, theirs in PAIRS:
        sides = sides_of(daemon, size, pixels)
        wanted |= {f"{size} {pixels}, {side}": sides[side] for side in (mine, theirs)}
    return bench.in_turns(daemon, wanted)


def add_pair(bench, found, picture, mine, theirs):
    turns = [found[f"{picture}, {side}"] for side in (mine, theirs)]
    for what, unit, figure in (
            ("", "frames/s", lambda turn: turn["speed"]),
            (": CPU", "us/frame", lambda turn: sum(turn["cpu"].values()))):
        title = f"idle VA driver, {picture}{mine.removeprefix('vencd')}{what}"
        bench.rows.append(Row(title, unit, *([figure(turn) for turn in side] for side in turns),
                              theirs))


def text_of(turns, which, factor, unit):
    """Of each process, the median."""
    parts = (f"{name} {statistics.median(turn[which][name] for turn in turns) * factor:.0f}"
             for name in turns[0][which])
    return f"{', '.join(parts)} {unit}"


def add_facts(bench, found):
    for name, turns in found.items():
        bench.facts[f"idle VA driver, {name}"] = (
            text_of(turns, "cpu", 1, "us a frame") + "; a run of "
            f"{SHORT} frames: " + text_of(turns, "start", 1000, "ms"))


def hardware(bench):
    try:
        subprocess.run([HOST, "true"], check=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=machine.LIMIT)
    except subprocess.CalledProcessError as error:
        bench.facts["idle VA driver"] = f"not measured, no host for it: {error.stderr.strip()}"
        return
    with Daemon() as daemon:
        found = measure(bench, daemon)
    for size, pixels, mine, theirs in PAIRS:
        add_pair(bench, found, f"{size} {pixels}", mine, theirs)
    add_facts(bench, found)
