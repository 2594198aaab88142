# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""What is measured. Every group starts a daemon of its own and adds rows to the bench."""
import json
import operator
import pathlib
import statistics
import subprocess
import sys
import time

import machine
import table
from table import Row

CLIP = pathlib.Path(__file__).resolve().parents[1] / "media/bbb-480p24.mp4"
PRODUCER = machine.BUILD / "tests/bench/producer"
HOLDER = machine.BUILD / "tests/bench/holder"

SOURCE_FRAMES = 400
SOURCE_BYTES = SOURCE_FRAMES * 1920 * 1080 * 3 // 2
GOP = 120
LIVE_GOP = 150
LIVE_RATE = 30
LIVE_FRAMES = 60  # of the clip, in turns
LATENCY_FRAMES = 121  # a round
START_TURNS = 2  # a round: a start is short
IDLE_SECONDS = 5


def parallelism():
    """What the worker passes to SVT-AV1 on as many cores as there are here."""
    return 1 + sum(machine.CORES > step for step in (1, 2, 5, 11, 23))


class Bench:
    """What the groups share, and what they found."""

    def __init__(self, scratch, rounds):
        self.scratch, self.rounds = scratch, rounds
        self.rows, self.facts = [], {}
        self.others = []  # the share of the machine that others used, in every turn that counts
        self.cpu_s = {}  # of each side's turns
        self.repeated = 0

    def in_turns(self, daemon, sides, turns=1):
        """Runs every side, as often as there are rounds, one after the other; their results.

        Before each the daemon has come to rest: what it does behind a session that has ended, such
        as loading the next worker's libraries, is no part of any side.
        """
        results = {name: [] for name in sides}
        rounds = self.rounds * turns
        spare = {name: rounds for name in sides}
        for number in range(1, rounds + 1):
            for name, measure in sides.items():
                show_progress(f"round {number} of {rounds}: {name}", number == rounds)
                results[name].append(self.take_turn(daemon, name, measure, spare))
        show_progress("", False)
        return results

    def take_turn(self, daemon, name, measure, spare):
        """Once more where others disturbed it, so far as the spare turns last."""
        while True:
            daemon.settle()
            use = machine.Use(daemon)
            result = measure()
            ours, others = use.since()
            if others <= table.BUSY or not spare[name]:
                self.others.append(others)
                self.cpu_s.setdefault(name, []).append(ours)
                return result
            spare[name] -= 1
            self.repeated += 1


def show_progress(text, last):
    """One line that changes; where nobody watches, what the last round has come to."""
    if sys.stderr.isatty():
        print(f"\r{text:72}\r{text}", end="", file=sys.stderr, flush=True)
    elif last:
        print(text, file=sys.stderr, flush=True)


def run(*command):
    done = subprocess.run([str(word) for word in command], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds_of(*command):
    begun = time.perf_counter()
    run(*command)
    return time.perf_counter() - begun


def produce(program=(), **keys):
    """The producer's result; to the program through a pipe, where there is one."""
    arguments = [f"{key}={value}" for key, value in keys.items()]
    return json.loads(run(PRODUCER, *arguments, *(["--", *program] if program else [])))


def ffmpeg(width, height, rate, *arguments):
    return ["ffmpeg", "-nostdin", "-v", "error", "-f", "rawvideo", "-pixel_format", "yuv420p",
            "-video_size", f"{width}x{height}", "-framerate", str(rate), "-i", "pipe:", *arguments]


def make_source(bench, width, height, frames):
    """The clip, scaled, as a y4m file."""
    path = bench.scratch / f"{height}.y4m"
    if not path.exists():
        run("ffmpeg", "-nostdin", "-v", "error", "-stream_loop", "-1", "-i", CLIP, "-an",
            "-vf", f"scale={width}:{height}", "-frames:v", frames, "-pix_fmt", "yuv420p",
            "-f", "yuv4mpegpipe", path)
    return path


# --- 1080p AV1, against the library's own program and against ffmpeg fed by a pipe ---



def encode_sides(bench, daemon, source):
    """Each gives its frames a second; outputs are files in the scratch directory."""
    out = {name: bench.scratch / f"{name}.ivf" for name in ("app", "tool", "pipe")}
    lp = parallelism()
    app = ["SvtAv1EncApp", "-i", source, "-b", out["app"], "--preset", 10, "--crf", 35,
           "--keyint", GOP, "--lp", lp, "--progress", 0]
    tool = ["vencctl", "--socket", daemon.socket, "encode", source, "-o", out["tool"], "--codec",
            "av1", "--speed", 10, "--quality", 35, "--gop", GOP]
    pipe = ffmpeg(1920, 1080, 24, "-c:v", "libsvtav1", "-preset", "10", "-crf", "35",
                  "-g", str(GOP), "-svtav1-params", f"lp={lp}", "-y", out["pipe"])
    client = {"file": source, "socket": daemon.socket, "codec": "av1", "speed": 10, "quality": 35,
              "gop": GOP, "rate": 24, "out": bench.scratch / "client.obu"}
    return {
        "SvtAv1EncApp": lambda: SOURCE_FRAMES / seconds_of(*app),
        "vencctl": lambda: SOURCE_FRAMES / seconds_of(*tool),
        "client": lambda: SOURCE_FRAMES / produce(**client)["seconds"],
        "ffmpeg by pipe": lambda: SOURCE_FRAMES / produce(pipe, file=source)["seconds"],
    }


def ivf_payload(path):
    """The packets of an IVF file, back to back: what a client gets."""
    data, at, packets = path.read_bytes(), 32, []
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "little")
        packets.append(data[at + 12:at + 12 + size])
        at += 12 + size
    return b"".join(packets)


def compare_outputs(bench):
    """Of the same work the same bytes come out; metadata may differ (chroma location)."""
    streams = {name: ivf_payload(bench.scratch / f"{name}.ivf") for name in ("app", "tool", "pipe")}
    streams["client"] = (bench.scratch / "client.obu").read_bytes()
    names = {"app": "SvtAv1EncApp", "tool": "vencctl", "pipe": "ffmpeg", "client": "client"}
    for name, stream in streams.items():
        text = f"{len(stream)} bytes"
        if name != "app":
            differ = sum(map(operator.ne, stream, streams["app"]))
            text += f", {differ} of them other than {names['app']}'s"
        bench.facts[f"1080p AV1, all packets of {names[name]}"] = text


def note_cpu(bench, sides):
    """Less noisy than the time, and says what a machine with more to do would see."""
    bench.facts["1080p AV1, CPU seconds of a run, all processes"] = ", ".join(
        f"{name} {statistics.median(bench.cpu_s[name]):.2f}" for name in sides)


def note_starts(bench):
    """Part of what encode_sides() times for all but the client program."""
    programs = {"SvtAv1EncApp": ["SvtAv1EncApp", "--version"],
                "vencctl": ["vencctl", "--version"], "ffmpeg": ["ffmpeg", "-version"]}
    found = {name: statistics.median(seconds_of(*command) for _ in range(bench.rounds))
             for name, command in programs.items()}
    bench.facts["1080p AV1, of it the start of the program (--version), ms"] = ", ".join(
        f"{name} {seconds * 1000:.0f}" for name, seconds in found.items())


def encode(bench):
    source = make_source(bench, 1920, 1080, SOURCE_FRAMES)
    with machine.Daemon() as daemon:
        found = bench.in_turns(daemon, encode_sides(bench, daemon, source))
    compare_outputs(bench)
    note_cpu(bench, found)
    note_starts(bench)
    source.unlink()
    app, pipe = found["SvtAv1EncApp"], found["ffmpeg by pipe"]
    bench.rows += [
        Row("1080p AV1, vencctl, y4m file", "frames/s", found["vencctl"], app, "SvtAv1EncApp",
            ">= 0.98"),
        Row("1080p AV1, client program", "frames/s", found["client"], app, "SvtAv1EncApp",
            ">= 0.98"),
        Row("1080p AV1, client program", "frames/s", found["client"], pipe, "ffmpeg by pipe",
            ">= 1.1"),
    ]


# --- from the request to the first packet ---

LIVE_X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "23",
             "-g", str(LIVE_GOP), "-threads", str(machine.CORES), "-flush_packets", "1",
             "-f", "h264", "pipe:"]
LIVE_SVT = ["-c:v", "libsvtav1", "-preset", "10", "-crf", "35", "-g", str(LIVE_GOP),
            "-svtav1-params", f"lp={parallelism()}:pred-struct=1:hierarchical-levels=2",
            "-flush_packets", "1", "-f", "obu", "pipe:"]  # IVF would begin with a header
X264 = {"codec": "h264", "speed": 13, "quality": 23, "gop": LIVE_GOP, "latency": "live"}
SVT = {"codec": "av1", "speed": 10, "quality": 35, "gop": LIVE_GOP, "latency": "live"}


def start_sides(bench, daemon, width, height):
    source = make_source(bench, width, height, LIVE_FRAMES)

    def ours(keys):
        return produce(socket=daemon.socket, frames=10, file=source, **keys)["first_ms"]

    def theirs(arguments):
        program = ffmpeg(width, height, LIVE_RATE, *arguments)
        return produce(program, frames=10, file=source)["first_ms"]

    return {
        f"{height}p H.264 first packet, vencd": lambda: ours(X264),
        f"{height}p H.264 first packet, ffmpeg": lambda: theirs(LIVE_X264),
        f"{height}p AV1 first packet, vencd": lambda: ours(SVT),
        f"{height}p AV1 first packet, ffmpeg": lambda: theirs(LIVE_SVT),
    }


def start(bench):
    """The larger the picture, the more of both sides is the encoder's own first keyframe."""
    found = {}
    with machine.Daemon() as daemon:
        for size in ((640, 360), (1280, 720)):
            found |= bench.in_turns(daemon, start_sides(bench, daemon, *size), START_TURNS)
    for name in [name for name in found if name.endswith(", vencd")]:
        what = name.removesuffix(", vencd")
        bench.rows.append(Row(f"{what}, live", "ms", found[name], found[what + ", ffmpeg"],
                              "starting ffmpeg", "<= 0.25" if "H.264" in what else "<= 0.5"))


# --- frames moved, without an encoder ---

def transport(bench):
    def ours(daemon, frames, **keys):
        return frames / produce(socket=daemon.socket, codec="av1", backend="null", frames=frames,
                                **keys)["seconds"]

    def theirs(frames, width, height):
        program = ffmpeg(width, height, LIVE_RATE, "-f", "null", "-")
        return frames / produce(program, frames=frames, width=width, height=height)["seconds"]

    uhd = {"width": 3840, "height": 2160}
    with machine.Daemon() as daemon:
        found = bench.in_turns(daemon, {
            "null 1080p, vencd": lambda: ours(daemon, 16000),
            "null 1080p, ffmpeg": lambda: theirs(2500, 1920, 1080),
            "null 1080p untouched, vencd": lambda: ours(daemon, 100000, touch="none"),
            "null 4K, vencd": lambda: ours(daemon, 2500, **uhd),
            "null 4K, ffmpeg": lambda: theirs(600, 3840, 2160),
        })
    against = "ffmpeg -f null by pipe"
    bench.rows += [
        Row("1080p null, every byte written", "frames/s", found["null 1080p, vencd"],
            found["null 1080p, ffmpeg"], against, ">= 10"),
        Row("4K null, every byte written", "frames/s", found["null 4K, vencd"],
            found["null 4K, ffmpeg"], against),
        Row("1080p null, pixels not touched", "frames/s", found["null 1080p untouched, vencd"]),
    ]


# --- from submitting a frame to its packet, paced as a live source is ---

def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def latency(bench):
    source = make_source(bench, 1280, 720, LIVE_FRAMES)

    def measure(daemon, keys):
        """Without the first frame, which waits for the encoder to open: see the start's rows."""
        result = produce(socket=daemon.socket, frames=LATENCY_FRAMES, pace=LIVE_RATE, file=source,
                         **keys)
        return result["latency_us"][1:]

    null = {"codec": "av1", "backend": "null", "latency": "live"}
    with machine.Daemon() as daemon:
        found = bench.in_turns(daemon, {
            "null": lambda: measure(daemon, null),
            "x264": lambda: measure(daemon, X264),
        })
    for name, runs in found.items():
        for share in (0.5, 0.99):
            bench.rows.append(Row(
                f"720p{LIVE_RATE} live {name}, submit to packet, p{share * 100:.0f}", "ms",
                [percentile(values, share) / 1000 for values in runs]))


# --- memory ---

def hold(daemon, sessions, backend, codec):
    return subprocess.Popen(
        [HOLDER, daemon.socket, str(sessions), backend, codec, "320", "240"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def look_at_held(sessions, backend, codec, look):
    """What look() says of a daemon while so many sessions are open and idle."""
    with machine.Daemon() as daemon:
        before = machine.memory_of(daemon.processes())
        holder = hold(daemon, sessions, backend, codec)
        try:
            if holder.stdout.readline() != "ready\n":
                raise RuntimeError(f"{sessions} {backend} sessions could not be held open")
            daemon.settle()
            return look(daemon, before)
        finally:
            holder.communicate(timeout=machine.LIMIT)


def text_of(memory):
    return (f"PSS {memory['pss_mib']} MiB, RSS {memory['rss_mib']} MiB, "
            f"{memory['processes']} processes")


def memory(bench):
    facts = bench.facts

    def look(what):
        def write(daemon, _):
            facts[what] = text_of(machine.memory_of(daemon.processes()))
        return write

    def look_at_one(daemon, before):
        facts["memory, no session"] = text_of(before)
        facts["memory, supervisor alone"] = text_of(machine.memory_of([daemon.process.pid]))
        look("memory, 1 session (null 320x240)")(daemon, before)

    def look_at_many(daemon, before):
        look("memory, 200 sessions (null 320x240)")(daemon, before)
        facts["memory, supervisor of 200 sessions"] = text_of(
            machine.memory_of([daemon.process.pid]))
        pids = daemon.processes()
        shares = dict(zip(pids, machine.cpu_share(pids, IDLE_SECONDS)))
        facts[f"CPU over {IDLE_SECONDS} s, 200 idle sessions"] = (
            f"supervisor {shares[daemon.process.pid]:.1%} of a core, "
            f"all processes {sum(shares.values()):.1%}")

    look_at_held(1, "null", "av1", look_at_one)
    look_at_held(200, "null", "av1", look_at_many)
    look_at_held(20, "software", "h264", look("memory, 20 sessions (x264 live 320x240)"))
    look_at_held(20, "software", "av1", look("memory, 20 sessions (SVT-AV1 live 320x240)"))
