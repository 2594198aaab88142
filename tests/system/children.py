# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""What the kernel says of each kind of child at work: its limits against the table of bounds in
docs/architecture.md, in both directions; what an adapter holds open, and its environment.

An inspector is gone too soon to be looked at, and an idle worker of a device needs one: these two
are started as the supervisor starts them, and get no order.
"""

import contextlib
import os
import re
import resource
import socket
import subprocess
import tempfile
import unittest

import hostile_client
from harness import BUILD, LIMIT, SOURCE, Daemon, main, run_tool, until
from walls import ONE, at_rest, environment, fds, status

UNITS = {"": 1, "GiB": 1 << 30, "MiB": 1 << 20, "days": 24 * 3600, "min": 60}
KINDS = {"vencd-front": "front", "vencd-worker": "worker", "vencd-stream": "adapter",
         "vencd-inspect": "inspection"}
LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"]
ADAPTER_MEMORY = 1 << 30
ENCODE = {"input": 0, "output": 1, "container": "null", "inputFormat": "y4m", "codecs": ["av1"],
          "backend": "null"}


def table():
    """Name and value of each row about limits of a child process."""
    text = (SOURCE / "docs/architecture.md").read_text(encoding="utf-8")
    text = text.split("\n### Limits of a child process\n")[1].split("\n#")[0]
    return dict(re.findall(r"^\| `(RLIMIT_\w+)` \| ([^|]+?) \|", text, re.MULTILINE))


def bound(value, kind):
    """What a value of the table is for a kind; None where it does not speak of it."""
    but = re.fullmatch(r"(\d+), but for (\w+)s", value)
    if but:
        return None if but[2] == kind else int(but[1])
    if value.isdigit():
        return int(value)
    named = re.fullmatch(r"(\d+) for (.+)", value)
    if named:
        return int(named[1]) if f"{kind}s" in named[2] else None
    own = re.search(rf"(\d+) ?(\w*) an? {kind}\b", value)
    return int(own[1]) * UNITS[own[2]] if own else None


def lowered(limit, to):
    """A child may lower what it was started with, and not raise it."""
    return tuple(to if n == resource.RLIM_INFINITY else min(n, to) for n in limit)


@contextlib.contextmanager
def by_hand(program, *arguments):
    """A child that has built its walls and waits for an order; gives its pid."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(LIMIT)
    with ours, theirs, subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs.fileno()}', "bash", BUILD / program, *arguments],
            pass_fds=(theirs.fileno(),)) as process:
        try:
            assert ours.recv(4096), f"{program} never got ready"
            yield process.pid
        finally:
            process.kill()


@contextlib.contextmanager
def waiting_adapter(daemon):
    """One whose input stops amid a session; gives its pid and what its client passed to it."""
    read, write = os.pipe()
    with open(read, "rb"), open(write, "wb"), tempfile.TemporaryFile() as output, \
            socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.socket))
        hostile_client.send_fds(client, hostile_client.message("Encode", ENCODE),
                                [read, output.fileno()])
        os.write(write, b"YUV4MPEG2 W64 H64 F25:1\nFRAME\n" + bytes(64 * 64 * 3 // 2))
        until(lambda: '"framesSubmitted":1' in run_tool("--socket", daemon.socket, "sessions",
                                                        "--json").stdout.replace(" ", ""),
              "its first frame")
        passed = {os.readlink(f"/proc/self/fd/{fd}") for fd in (read, output.fileno())}
        yield daemon.children("vencd-stream")[0], passed


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Children(unittest.TestCase):

    def test_all(self):
        settings = {**ONE, "AdapterMemory": ADAPTER_MEMORY, "SoftwareEncoders": ""}
        with Daemon(settings) as daemon:
            at_rest(daemon)
            before = set(fds(daemon.process.pid).values())
            with waiting_adapter(daemon) as (adapter, passed):
                self.check_limits(daemon)
                self.check_descriptors(adapter, before, passed)
                self.assertLessEqual(environment(adapter).keys(), {"LANG", "LC_ALL", "TZ"})

    def check_limits(self, daemon):
        parent = daemon.process.pid
        for program in ("vencd-front", "vencd-worker", "vencd-stream"):
            pids = daemon.children(program)
            self.assertTrue(pids, program)
            for pid in pids:  # one that has just begun is behind none of its walls yet
                until(lambda: status(pid, "Seccomp") == "2", "its last wall", 10)
                self.check_limits_of(pid, KINDS[program], parent)
        for words in (("vencd-inspect",), ("vencd-worker", "/dev/null")):
            with by_hand(*words) as pid:
                self.check_limits_of(pid, KINDS[words[0]], os.getpid())

    def check_limits_of(self, pid, kind, parent):
        rows = table()
        self.assertGreater(len(rows), 8)
        if kind == "adapter":
            rows["RLIMIT_DATA"] = str(ADAPTER_MEMORY)
        for name in LIMITS:
            number = getattr(resource, name)
            expected, to = resource.prlimit(parent, number), bound(rows.pop(name, ""), kind)
            if to is not None:
                expected = lowered(expected, to)
            self.assertEqual(resource.prlimit(pid, number), expected, (kind, name))
        self.assertEqual(rows, {})

    def check_descriptors(self, pid, before, passed):
        """Three of its own, three wires, the session's three, and what its client passed to it."""
        found = list(fds(pid).values())
        self.assertLessEqual(passed, set(found))
        rest = [target for target in found if target not in passed]
        self.assertEqual(rest.count("/dev/null"), 2, found)
        self.assertEqual(sum(target.startswith("socket:") for target in rest), 7, found)
        for target in set(rest) - {"/dev/null"}:
            self.assertRegex(target, r"^socket:|^anon_inode:\[event(fd|poll)\]$")
            if target.startswith("socket:"):
                self.assertNotIn(target, before)


if __name__ == "__main__":
    main()
