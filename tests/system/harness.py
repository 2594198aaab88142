# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Starts the real daemon for a test, and looks at it from outside.

Nothing here sleeps where an event can be awaited: readiness is sd_notify's, ends are waitpid's,
and what has no event is polled with a limit (until()).
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import jsonschema

BUILD = pathlib.Path(os.environ.get("VENCD_BUILD", "."))
SOURCE = pathlib.Path(__file__).resolve().parents[2]
CLIP = SOURCE / "tests/media/bbb-480p24.mp4"
SCHEMA = json.loads((SOURCE / "docs/report.schema.json").read_text(encoding="utf-8"))
LIMIT = 60  # seconds that anything may take before the test calls it hung

# Short budgets: the rules are the same, and the tests are done sooner.
QUICK = {
    "StartBudget": "20s", "OpenBudget": "500ms", "EncodeBudget": "500ms", "FlushBudget": "500ms",
    "CloseBudget": "500ms", "ProbeBudget": "20s", "OwnBudget": "2s", "WatchdogTick": "50ms",
    "TaintedDrain": "10s", "StopTimeout": "2s", "NullEncoder": "yes", "LogLevel": "debug",
    # Whoever wants them says SOFTWARE: their proofs take both processors for seconds.
    "SoftwareEncoders": "",
    "StateDirectory": "",  # nothing of this host's, and nothing from one test to the next
    # Whoever wants faults by the dozen; tests/system/blame.py is about strikes.
    "StrikesMax": "0", "StrikesPerEncoder": "0", "QuarantineUsers": "0",
}


SOFTWARE = {"SoftwareEncoders": "svtav1 libx264 libx265"}


def until(condition, what, limit=LIMIT):
    """Polls for what has no event to await."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {limit} s: {what}")


def check_report(report):
    """What holds for every report, whatever happened."""
    jsonschema.validate(report, SCHEMA)
    total = report["framesEncoded"] + report["framesLost"] + report["framesCancelled"]
    assert report["framesSubmitted"] == total, f"frames unaccounted for: {report}"
    return report


class Programs:
    """A directory with all programs of the daemon, some of them replaced by shell scripts."""

    def __init__(self, **scripts):
        self.directory = tempfile.TemporaryDirectory(prefix="vencd-programs-")
        self.path = pathlib.Path(self.directory.name)
        shutil.copy(BUILD / "vencd", self.path)  # it looks for the others beside itself
        for program in BUILD.glob("vencd-*"):
            if program.is_file() and os.access(program, os.X_OK):
                (self.path / program.name).symlink_to(program.resolve())
        for name, text in scripts.items():
            program = self.path / name.replace("_", "-")
            program.unlink(missing_ok=True)
            program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            program.chmod(0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.directory.cleanup()


class Daemon:
    """A vencd of its own, on a socket in a temporary directory."""

    def __init__(self, settings=None, arguments=(), environment=None, log=None, programs=BUILD):
        self.directory = tempfile.TemporaryDirectory(prefix="vencd-test-")
        path = pathlib.Path(self.directory.name)
        path.chmod(0o755)  # for clients of other uids
        self.socket = path / "socket"
        self.config = path / "vencd.conf"
        self.log = open(log or path / "log", "w+", encoding="utf-8")
        settings = {**QUICK, "Socket": str(self.socket), **(settings or {})}
        self.config.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path / "notify"))
        (path / "notify").chmod(0o777)  # for a daemon of another uid
        self.notify.settimeout(LIMIT)
        self.process = subprocess.Popen(
            self.command([pathlib.Path(programs) / "vencd", "--config", self.config, *arguments]),
            stderr=self.log,
            env={**os.environ, "NOTIFY_SOCKET": str(path / "notify"), **(environment or {})})
        self.await_notification("READY=1")

    def command(self, words):
        """What is started; whatever it is, it becomes the daemon by exec."""
        return words

    def await_notification(self, what):
        end = time.monotonic() + LIMIT
        while what not in self.notify.recv(4096).decode().split("\n"):
            assert time.monotonic() < end, f"the daemon never said {what}"

    def children(self, name=None):
        """Pids of the daemon's children, of that program if named."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                text = stat.read_text()
            except OSError:
                continue
            comm = text[text.index("(") + 1:text.rindex(")")]
            state, ppid = text[text.rindex(")") + 2:].split()[:2]
            if int(ppid) == self.process.pid and state != "Z" and (not name or comm == name[:15]):
                found.append(int(stat.parent.name))
        return found

    def rows(self):
        return ask(self.socket, "ListDevices")["devices"]

    def sessions(self):
        return ask(self.socket, "ListSessions")["sessions"]

    def devices(self):
        return {row["encoder"]: row for row in self.rows()}

    def counters(self, encoder="null"):
        return self.devices()[encoder]

    def feed(self, **keys):
        return Feeder(self.socket, **keys)

    def messages(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text(encoding="utf-8")

    def stop(self, expect=0):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(LIMIT)
        code = self.process.returncode
        text = self.messages()
        self.log.close()
        self.notify.close()
        self.directory.cleanup()
        assert code == expect, f"the daemon ended with {code}:\n{text}"
        for word in ("runtime error:", "Sanitizer"):
            assert word not in text, text

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind:
            print(self.messages())
            self.process.kill()
            self.process.wait()
        else:
            self.stop()


def answer(path, method, parameters):
    """The whole answer to a call, as it comes over the socket."""
    call = {"method": f"io.vencd.Encoder.{method}", "parameters": parameters}
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(str(path))
        client.sendall(json.dumps(call).encode() + b"\0")
        data = b""
        while not data.endswith(b"\0"):
            more = client.recv(1 << 20)
            assert more, f"{method}: the daemon closed the connection after {data}"
            data += more
    return data


def ask(path, method, **parameters):
    """A reply, sooner than by vencctl: what is polled must not take a processor while it is."""
    reply = json.loads(answer(path, method, parameters)[:-1])
    assert "error" not in reply, reply
    return reply["parameters"]


class Feeder:
    """tests/system/feeder.c as a process."""

    def __init__(self, path, uid=None, **keys):
        ready, ready_child = os.pipe()
        go_child, go = os.pipe()
        self.ready, self.go = ready, go
        arguments = [f"{k}={v}" for k, v in keys.items()]
        self.process = subprocess.Popen(
            [BUILD / "tests/system/feeder", path, *arguments, f"ready={ready_child}",
             f"go={go_child}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            pass_fds=(ready_child, go_child), user=uid)
        os.close(ready_child)
        os.close(go_child)

    def await_ready(self):
        """Until its frames are submitted; it then waits for release()."""
        assert os.read(self.ready, 1) == b"r", self.process.communicate(timeout=LIMIT)

    def release(self):
        if self.go >= 0:
            os.close(self.go)
            self.go = -1

    def refusal(self):
        """What it is told when it gets no session."""
        code, errors = self.end()
        assert code == 3, f"feeder: {code}: {errors}"
        return errors

    def end(self):
        """Its exit code, whatever it is, and what it said."""
        self.release()
        _, errors = self.process.communicate(timeout=LIMIT)
        os.close(self.ready)
        return self.process.returncode, errors

    def result(self):
        """Lets it go on, and gives what it printed."""
        self.release()
        out, errors = self.process.communicate(timeout=LIMIT * 2)
        os.close(self.ready)
        assert self.process.returncode == 0, f"feeder: {self.process.returncode}: {errors}"
        result = json.loads(out)
        check_report(result["report"])
        return result


def run_tool(*arguments, expect=0, **keywords):
    result = subprocess.run([BUILD / "vencctl", *map(str, arguments)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT * 5,
                            check=False, **keywords)
    if expect is not None and result.returncode != expect:
        raise AssertionError(f"vencctl {arguments}: exit {result.returncode}, not {expect}\n"
                             f"{result.stdout}\n{result.stderr}")
    return result


def main():
    unittest.main(verbosity=2)
