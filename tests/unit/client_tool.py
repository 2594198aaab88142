# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""vencctl as a program: its command line, exit codes, messages, and its private daemon; and the
example of the documentation, built with what an installation gives.
"""

import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile
import time
import unittest

BUILD = pathlib.Path(os.environ["VENCD_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 60
NO_SOCKET = "/tmp/vencd-there-is-none"


def tool(*arguments, program=BUILD / "vencctl", **options):
    return subprocess.run([program, *arguments], text=True, capture_output=True, timeout=LIMIT,
                          stdin=subprocess.DEVNULL, check=False, **options)


def on_terminal(*arguments, **environment):
    """What it prints on a terminal."""
    parent, child = pty.openpty()
    environment = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **environment}
    subprocess.run([BUILD / "vencctl", *arguments], stdout=child, stderr=subprocess.DEVNULL,
                   timeout=LIMIT, check=True, env=environment)
    os.close(child)
    text = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:  # EIO: nobody has it open any more
            piece = b""
        if not piece:
            break
        text += piece
    os.close(parent)
    return text


class CommandLine(unittest.TestCase):

    def test_help(self):
        for arguments in (["--help"], ["-h"]):
            result = tool(*arguments)
            self.assertEqual(result.returncode, 0)
            for command in ("encode", "devices", "sessions", "doctor", "report"):
                self.assertIn(command, result.stdout)
        for command in ("encode", "devices", "sessions", "doctor", "report"):
            for arguments in ([command, "--help"], ["--help", command]):
                result = tool(*arguments)
                self.assertEqual(result.returncode, 0)
                self.assertIn(f"usage: vencctl {command}", result.stdout)
        self.assertRegex(tool("--version").stdout, r"^vencctl \d+\.\d+\.\d+\n$")

    def test_usage(self):
        for arguments in ([], ["nonsense"], ["devices", "more"], ["sessions", "x"], ["report"],
                          ["report", "x"], ["report", "-1"], ["report", "1", "2"],
                          ["devices", "--socket"],
                          ["devices", "--socket", NO_SOCKET, "--private"]):
            result = tool(*arguments)
            self.assertEqual((arguments, result.returncode), (arguments, 2))
            self.assertEqual(result.stdout, "")
            self.assertIn("--help", result.stderr)

    def test_no_daemon(self):
        for arguments in (["--socket", NO_SOCKET, "devices"], ["devices", "--socket=" + NO_SOCKET],
                          ["report", "1", "--socket", NO_SOCKET]):
            result = tool(*arguments)
            self.assertEqual(result.returncode, 3)
            for words in (NO_SOCKET, "No such file", "vencd(8) says how to start it", "--private"):
                self.assertIn(words, result.stderr)
        result = tool("sessions", env={**os.environ, "VENCD_SOCKET": NO_SOCKET})
        self.assertEqual(result.returncode, 3)
        self.assertIn(NO_SOCKET, result.stderr)

    def test_full_output(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([BUILD / "vencctl", "--private", "devices"], stdout=full,
                                    stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)


class Private(unittest.TestCase):

    def test_devices(self):
        for arguments in (["--private", "devices"], ["devices", "--private"]):
            result = tool(*arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, r"(?m)^cpu +software +\w+ +\w+ +proven ")
            self.assertIn("on the CPU", result.stdout)
            self.assertNotIn("probing", result.stdout)
            self.assertNotIn("\033", result.stdout)
        rows = json.loads(tool("devices", "--private", "--json").stdout)["devices"]
        self.assertIn("proven", {row["state"] for row in rows})

    def test_sessions_and_report(self):
        result = tool("sessions", "--private")
        self.assertEqual((result.returncode, result.stdout), (0, "no sessions\n"))
        self.assertEqual(json.loads(tool("sessions", "--private", "--json").stdout),
                         {"sessions": []})
        result = tool("report", "12345", "--private")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"refused\n +why: +\S.*\n +to do: +\S")

    def test_colours(self):
        self.assertIn(b"\033[1m", on_terminal("devices", "--private"))
        self.assertNotIn(b"\033", on_terminal("devices", "--private", NO_COLOR="1"))

    def with_daemon(self, script, *arguments):
        """A vencctl whose private daemon is this shell script."""
        with tempfile.TemporaryDirectory() as directory:
            program = shutil.copy(BUILD / "vencctl", directory)
            library = subprocess.run(["ldd", BUILD / "vencctl"], text=True, check=True,
                                     capture_output=True).stdout
            folder = next(pathlib.Path(line.split()[2]).parent
                          for line in library.splitlines() if "libvencd" in line)
            daemon = pathlib.Path(directory) / "vencd"
            daemon.write_text("#!/bin/sh\n" + script)
            daemon.chmod(0o755)
            return tool(*arguments, program=program,
                        env={**os.environ, "LD_LIBRARY_PATH": str(folder)})

    def test_daemon_dies(self):
        result = self.with_daemon("echo oops >&2; exit 1\n", "--private", "devices")
        self.assertEqual(result.returncode, 3)
        self.assertIn("oops", result.stderr)
        self.assertIn("closed the connection", result.stderr)

    def test_daemon_stays(self):
        """One that does not end is killed, and the caller waits no longer than it must."""
        begin = time.monotonic()
        result = self.with_daemon(
            'eval "exec $2>&-"; trap "" TERM HUP INT PIPE; exec sleep 600 2>/dev/null\n',
            "--private", "devices")
        self.assertEqual(result.returncode, 3)
        self.assertIn("killing it", result.stderr)
        self.assertGreater(time.monotonic() - begin, 14)


class Example(unittest.TestCase):
    """docs/example.c, with the header, the library and the pkg-config file as installed."""

    def build(self, root):
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root],
                       check=True, stdout=subprocess.DEVNULL)
        folder = next(root.rglob("vencd.pc")).parent
        environment = {**os.environ, "PKG_CONFIG_PATH": str(folder),
                       "PKG_CONFIG_SYSROOT_DIR": str(root)}
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "vencd"], env=environment,
                               check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(["cc", SOURCE / "docs/example.c", *flags, "-Wall", "-Werror",
                        "-o", root / "example"], check=True)
        return folder.parent

    def test_example(self):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            libraries = self.build(root)
            path = root / "socket"
            config = root / "vencd.conf"
            config.write_text("StateDirectory=\n", encoding="utf-8")
            daemon = subprocess.Popen([BUILD / "vencd", "--config", config, "--socket", path],
                                      stderr=subprocess.DEVNULL)
            try:
                end = time.monotonic() + LIMIT
                while not path.exists():
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.02)
                with open(root / "out.obu", "wb") as out:
                    result = subprocess.run(
                        [root / "example"], stdout=out, stderr=subprocess.PIPE, text=True,
                        timeout=LIMIT, check=False,
                        env={**os.environ, "VENCD_SOCKET": str(path),
                             "LD_LIBRARY_PATH": str(libraries)})
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(result.stderr, "complete: 100 packets\n")
            finally:
                daemon.terminate()
                daemon.wait(LIMIT)
            frames = subprocess.run(
                ["ffprobe", "-v", "error", "-count_frames", "-show_entries",
                 "stream=nb_read_frames,width,height", "-of", "csv", root / "out.obu"],
                check=True, capture_output=True, text=True).stdout
            self.assertEqual(frames.strip(), "stream,640,360,100")


if __name__ == "__main__":
    unittest.main(verbosity=2)
