# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""What vencctl doctor says of the daemon's unit, of which a fake systemd tells. On an emulated
host, so that there is a render node.
"""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

BUILD = pathlib.Path(os.environ["VENCD_BUILD"])
NODE = os.environ["EMULATED_NODE_a"]
LIMIT = 60
LOADED = ["Unit LoadState s loaded", "Unit ActiveState s active"]
# A unit of which nothing is in the way of a GPU; what systemd tells by default, and more.
SOUND = {
    "User": "s vencd", "Group": "s", "SupplementaryGroups": "as root", "PrivateDevices": "b 0",
    "DevicePolicy": "s closed", "DeviceAllow": "a(ss) char-pts rw char-drm rw",
    "MemoryDenyWriteExecute": "b 0", "RestrictAddressFamilies": "(bas) 1 AF_UNIX AF_NETLINK",
    "SystemCallFilter": "(bas) 0 reboot kexec_load:1", "ProcSubset": "s all",
    "ProtectProc": "s default", "LimitNOFILE": "t 65536", "TasksMax": "t 18446744073709551615",
    "MemoryMax": "t 18446744073709551615", "Environment": "as HOME=/nonexistent"}
ALLOWED = "ioctl memfd_create pidfd_send_signal landlock_create_ruleset seccomp"


class Bus:
    """A socket for the system's bus; behind it a systemd, or nobody where there is no unit."""

    def __init__(self, properties=None):
        self.properties = properties

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = f"{self.directory.name}/bus"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.process = self.properties and subprocess.Popen(
            [BUILD / "tests/unit/fake-systemd", *self.properties], stdin=self.listener)
        return self

    def __exit__(self, *error):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.listener.close()
        self.directory.cleanup()


def findings(address):
    done = subprocess.run([BUILD / "vencctl", "--socket", "/nonexistent", "doctor", "--json"],
                          text=True, capture_output=True, timeout=LIMIT, check=False,
                          env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address})
    return [f for f in json.loads(done.stdout)["findings"] if f["subject"] == "unit"]


def of_unit(**changed):
    """Findings about the sound unit with some settings changed."""
    service = {**SOUND, **changed}
    with Bus(LOADED + [f"Service {k} {v}" for k, v in service.items()]) as bus:
        return findings(f"unix:path={bus.path}")


class Unit(unittest.TestCase):

    def check(self, state, *words, **changed):
        """One finding, of that state, with those words; the last one is of the advice."""
        found = of_unit(**changed)
        self.assertEqual([f["state"] for f in found], [state], found)
        for word in words[:-1]:
            self.assertIn(word, found[0]["text"])
        self.assertIn(words[-1], found[0]["advice"])

    def test_sound(self):
        os.chmod(NODE, 0o660)
        self.addCleanup(os.chmod, NODE, 0o666)
        found = of_unit()
        self.assertEqual([f["state"] for f in found], ["good"], found)
        self.assertIn("vencd.service (active)", found[0]["text"])

    def test_devices(self):
        self.check("bad", "PrivateDevices=yes", "/dev/dri", "PrivateDevices=no",
                   PrivateDevices="b 1")
        for policy in "auto", "closed", "strict":
            self.check("bad", f"DevicePolicy={policy}", "DeviceAllow=char-drm rw",
                       DevicePolicy=f"s {policy}", DeviceAllow="a(ss) char-drm r char-rtc rw")
        for allowed in "a(ss) /dev/dri/renderD128 rw", "a(ss) char-* rwm":
            self.assertEqual(of_unit(DeviceAllow=allowed)[0]["state"], "good", allowed)
        self.assertEqual(of_unit(DevicePolicy="s auto", DeviceAllow="a(ss)")[0]["state"], "good")

    def test_groups(self):
        """The node is of group root, whom nobody is not in."""
        others = {"User": "s nobody", "SupplementaryGroups": "as audio"}
        self.assertEqual(of_unit(**others)[0]["state"], "good")
        os.chmod(NODE, 0o660)
        self.addCleanup(os.chmod, NODE, 0o666)
        self.check("bad", "User=nobody", "group root", NODE, "SupplementaryGroups=", **others)
        for let_in in {"User": "s"}, {"User": "s root"}, {"Group": "s 0"}, \
                {"SupplementaryGroups": "as audio root"}:
            self.assertEqual(of_unit(**{**others, **let_in})[0]["state"], "good", let_in)

    def test_filters(self):
        self.check("bad", "RestrictAddressFamilies keeps out AF_UNIX", "add AF_UNIX",
                   RestrictAddressFamilies="(bas) 1 AF_INET")
        self.check("bad", "keeps out AF_UNIX", "add", RestrictAddressFamilies="(bas) 0 AF_UNIX")
        self.check("bad", "SystemCallFilter keeps out seccomp", "@sandbox",
                   SystemCallFilter="(bas) 1 " + ALLOWED.removesuffix(" seccomp"))
        self.check("bad", "keeps out ioctl", "allow", SystemCallFilter="(bas) 0 ioctl:1")
        self.assertEqual(of_unit(SystemCallFilter="(bas) 1 " + ALLOWED)[0]["state"], "good")

    def test_notes(self):
        for name, value, said in (
                ("MemoryDenyWriteExecute", "b 1", "=yes"), ("ProcSubset", "s pid", "=pid"),
                ("ProtectProc", "s ptraceable", "=ptraceable"), ("LimitNOFILE", "t 1024", "=1024"),
                ("TasksMax", "t 100", "=100"), ("MemoryMax", "t 268435456", "=268435456")):
            self.check("note", name + said, f"set {name}=", **{name: value})

    def test_all_at_once(self):
        found = of_unit(PrivateDevices="b 1", DeviceAllow="a(ss)", MemoryDenyWriteExecute="b 1")
        self.assertEqual([f["state"] for f in found], ["bad", "bad", "note"], found)

    def test_strange(self):
        """Another type than today's, or nothing at all: not known, and not judged."""
        self.assertEqual(of_unit(PrivateDevices="s yes")[0]["state"], "good")
        with Bus(LOADED) as bus:
            self.assertEqual(findings(f"unix:path={bus.path}")[0]["state"], "good")


class NoUnit(unittest.TestCase):

    def check_note(self, address, words):
        found = findings(address)
        self.assertEqual([f["state"] for f in found], ["note"], found)
        self.assertIn(words, found[0]["text"])

    def test_no_bus(self):
        self.check_note("unix:path=/nonexistent/bus", "No such file")

    def test_no_unit(self):
        with Bus(["Unit LoadState s not-found"]) as bus:
            self.check_note(f"unix:path={bus.path}", "no vencd.service (not-found)")

    def test_silent_bus(self):
        """It takes connections and never answers: a time-out, and the other findings."""
        with Bus() as bus:
            begin = time.monotonic()
            self.check_note(f"unix:path={bus.path}", "timed out")
            self.assertLess(time.monotonic() - begin, LIMIT / 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
