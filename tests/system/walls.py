# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The walls around the daemon's children, tried from inside.

An intruder (intruder.c) stands in the place of each child program, goes behind that program's walls
and tries what a child must not do. Without the walls it does nearly all of it, so that each attempt
is known to be one. A launcher (lacking.c) takes Landlock or seccomp away from the daemon, as a
kernel that was built without it would: then all that is told of the walls must say so.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from harness import BUILD, CLIP, SOURCE, Daemon, Programs, main, run_tool, until

# What ends the process; everything else fails with an error.
ENDED = {"read_memory_by_call", "trace", "take_descriptor", "execute", "execute_descriptor",
         "mount_something", "change_root", "own_namespace"}
# What stands where the kernel has no seccomp, and where it has no Landlock.
LANDLOCK_ALONE = {"read_memory", "read_memory_by_call", "trace", "take_descriptor",
                  "signal_sibling", "signal_supervisor", "signal_by_pidfd", "open_device",
                  "open_device_to_write", "list_home", "look_at_kernel", "read_users",
                  "read_own_program", "write_file", "make_directory", "connect_out", "bind_port",
                  "execute", "mount_something"}
ALWAYS = {"raise_core_limit", "become_another", "go_first"}  # no capabilities
FILES = {"open_device", "list_home", "look_at_kernel", "read_users", "read_own_program"}
# What a device's worker does: load a driver, open its own node, and ask it.
DEVICE = {"open_node", "ask_node", "make_program", "map_code", "make_code"}
NO_GPU = not list(pathlib.Path("/dev").glob("dri/renderD*"))
LANDLOCK, SECCOMP = "landlock", "seccomp"
ALL = {"no_new_privs", "no_capabilities", "not_dumpable", "no_core", "limits", LANDLOCK, SECCOMP}
ONE = {"NullEncoder": "yes", "SoftwareEncoders": "", "StartBudget": "1min", "ProbeBudget": "1min",
       "InspectBudget": "30s"}


def lacking(walls, programs=BUILD):
    """A directory whose vencd runs as on a kernel without these walls."""
    directory = tempfile.TemporaryDirectory(prefix="vencd-lacking-")
    program = pathlib.Path(directory.name, "vencd")
    command = f'{BUILD}/tests/system/lacking {walls} {programs}/vencd "$@"'
    program.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
    program.chmod(0o755)
    return directory


def place(directory, program):
    """Puts the intruder in the place of a program."""
    (directory / program).unlink()
    shutil.copy(BUILD / "tests/system/intruder", directory / program)


def bring_about(daemon, program):
    """Makes the daemon start that program, where it does not by itself."""
    if program == "vencd-front":
        return subprocess.Popen([BUILD / "vencctl", "--socket", daemon.socket, "devices"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if program == "vencd-inspect":
        return daemon.feed(frames=9, script="send:3:hang").process
    return None


def results(path):
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if not text.endswith("end\n"):
        return None
    return dict(line.split(" ", 1) for line in text.splitlines()[:-1])


def intrude(program, bare=False, without=None, device=None):
    """What came of each attempt, from behind the walls of that program, or of a device's worker."""
    with Programs() as programs:
        place(programs.path, program)
        if device:
            (programs.path / "device").write_text(device, encoding="utf-8")
        if bare:
            (programs.path / "bare").touch()
        launcher = lacking(without, programs.path) if without else None
        with Daemon({**ONE, "EncodeBudget": "20s", "KillGrace": "1s"},
                    programs=launcher.name if launcher else programs.path) as daemon:
            client = bring_about(daemon, program)
            found = until(lambda: results(programs.path / "attempts"), "all attempts")
            if client:
                client.kill()
                client.communicate()
        if launcher:
            launcher.cleanup()
    return found


def fds(pid):
    return {int(link.name): os.readlink(link) for link in
            pathlib.Path(f"/proc/{pid}/fd").iterdir()}


def environment(pid):
    text = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(entry.split("=", 1) for entry in text.split("\0") if entry)


def status(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(line.split(":", 1)[1].strip() for line in text.splitlines()
                if line.startswith(field + ":"))


def session_mappings(pid):
    """Name and VmFlags of each mapping of a session's memory."""
    found, name = [], None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        first = line.split(" ", 1)[0]
        if "-" in first and not first.endswith(":"):
            name = line.split(None, 5)[5] if len(line.split(None, 5)) > 5 else ""
        elif first == "VmFlags:" and "/memfd:vencd" in (name or ""):
            found.append((name, line.split()[1:]))
    return found


def at_rest(daemon):
    """Probes and the adapter's trial have ended: no child comes or goes."""
    seen = []

    def is_still():
        seen.append(frozenset(daemon.children()))
        return len(seen) >= 8 and len(set(seen[-8:])) == 1 and not daemon.children("vencd-stream")
    daemon.devices()
    until(is_still, "no child comes or goes")


def walls_of(daemon):
    out = subprocess.run(["varlinkctl", "--json=short", "call", daemon.socket,
                          "io.vencd.Encoder.GetWalls", "{}"], check=True, text=True,
                         stdout=subprocess.PIPE, timeout=60).stdout
    return json.loads(out)


def doctor(daemon, expect):
    """Its findings by subject, as states."""
    arguments = ("--socket", daemon.socket, "doctor")
    out = json.loads(run_tool(*arguments, "--json", expect=expect).stdout)
    assert out["healthy"] == (expect == 0), out
    text = run_tool(*arguments, expect=expect).stdout
    for finding in out["findings"]:
        assert finding["text"] in text, finding
    return {finding["subject"]: finding for finding in out["findings"]}


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Intruder(unittest.TestCase):
    maxDiff = None

    def refused(self, program, but=frozenset(), **keys):
        found = intrude(program, **keys)
        self.assertEqual({name for name, result in found.items() if result == "done"}, but)
        for name, result in found.items():
            with self.subTest(program=program, attempt=name):
                if name in ENDED:
                    self.assertEqual(result, "ended 31")
                elif name not in but:
                    self.assertIn(result, {"EPERM", "EACCES", "ESRCH"})

    def test_front(self):
        self.refused("vencd-front")

    def test_worker(self):
        self.refused("vencd-worker")

    def test_device_worker(self):
        """It opens one node; the session's memory stays what it was given as."""
        self.refused("vencd-worker", but=DEVICE, device="/dev/null")

    def test_device_worker_landlock_alone(self):
        found = intrude("vencd-worker", without=SECCOMP, device="/dev/null")
        held = {name for name, result in found.items() if result != "done"}
        self.assertLessEqual((LANDLOCK_ALONE | ALWAYS | {"open_again_for_writing"}) - DEVICE, held)

    def test_stream(self):
        self.refused("vencd-stream")

    def test_inspector(self):
        """It is there to look: nothing of what it may read is what a client sent."""
        found = intrude("vencd-inspect")
        done = {name for name, result in found.items() if result == "done"}
        self.assertEqual(done, FILES | {"read_memory"}, found)

    def test_bare(self):
        """The same attempts without the walls."""
        found = intrude("vencd-worker", bare=True)
        self.assertEqual({n: r for n, r in found.items() if r != "done"}, {})

    def test_landlock_alone(self):
        found = intrude("vencd-worker", without=SECCOMP)
        held = {name for name, result in found.items() if result != "done"}
        self.assertLessEqual(LANDLOCK_ALONE | ALWAYS, held, found)
        self.assertIn("make_process", found.keys() - held)

    def test_seccomp_alone(self):
        found = intrude("vencd-worker", without=LANDLOCK)
        # It sees no path.
        self.assertEqual({n for n, r in found.items() if r == "done"}, FILES, found)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Lacking(unittest.TestCase):

    def test_told_and_gone_on_without(self):
        directory = lacking(LANDLOCK)
        with Daemon({**ONE}, programs=directory.name) as daemon:
            report = daemon.feed(frames=5).result()["report"]
            self.assertEqual(report["outcome"], "complete")
            self.assertEqual(set(report["attempts"][0]["walls"]), ALL - {LANDLOCK})
            rows = until(lambda: (w := walls_of(daemon)["walls"]) and len(w) >= 3 and w, "walls")
            for row in rows:
                self.assertEqual(row["missing"], [LANDLOCK], row)
                self.assertEqual(set(row["standing"]), ALL - {LANDLOCK}, row)
                self.assertNotIn("landlockAbi", row)
            for program in ("vencd-front", "vencd-worker", "vencd-stream"):
                self.assertIn(f"{program} stands without: landlock", daemon.messages())
            findings = doctor(daemon, expect=1)
            for program in ("vencd-front", "vencd-worker", "vencd-stream"):
                self.assertEqual(findings[program]["state"], "bad")
                self.assertIn("lacks a wall: landlock", findings[program]["text"])
                self.assertIn("CONFIG_SECURITY_LANDLOCK", findings[program]["advice"])
        directory.cleanup()

    def test_required(self):
        """Refused by name, and never used."""
        directory = lacking(SECCOMP)
        settings = {"RequireWalls": "landlock seccomp", "SoftwareEncoders": "libx264"}
        with Daemon(settings, programs=directory.name) as daemon:
            feeder = daemon.feed(frames=5)
            feeder.release()
            _, errors = feeder.process.communicate(timeout=60)
            self.assertNotEqual(feeder.process.returncode, 0)
            self.assertRegex(errors, "RequireWalls demands .*seccomp")
            row = until(lambda: (r := daemon.counters("libx264"))["state"] != "probing" and r,
                        "the probe's end")
            self.assertEqual(row["state"], "absent", row)
            self.assertIn("RequireWalls demands that vencd-worker", row["detail"])
            self.assertEqual(walls_of(daemon)["required"], [LANDLOCK, SECCOMP])
            self.assertEqual(daemon.children("vencd-worker"), [])
        directory.cleanup()

    def test_adapter_required(self):
        """A one-shot request is refused before the adapter gets an order."""
        directory = lacking(LANDLOCK)
        with Daemon({"RequireWalls": "landlock"}, programs=directory.name) as daemon:
            run = subprocess.run(
                [sys.executable, SOURCE / "tests/demo/oneshot.py", daemon.socket, CLIP, "/dev/null",
                 "null"],
                text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                timeout=60)
            self.assertNotEqual(run.returncode, 0, run.stdout)
            self.assertIn("RequireWalls demands that", run.stdout)
        directory.cleanup()

    def test_required_and_standing(self):
        settings = {**ONE, "SoftwareEncoders": "libx264", "RequireWalls": "landlock seccomp"}
        with Daemon(settings) as daemon:
            findings = doctor(daemon, expect=1 if NO_GPU else 0)
            bad = {s for s, f in findings.items() if f["state"] != "good"}
            self.assertLessEqual(bad, {"render node", "hardware", "kernel modules", "unit"}
                                 if NO_GPU else {"kernel modules", "unit"}, findings)
            self.assertIn("uid 0", findings["daemon"]["text"])
            report = daemon.feed(frames=5).result()["report"]
            self.assertEqual(report["outcome"], "complete")
            self.assertEqual(set(report["attempts"][0]["walls"]), ALL)
            for row in walls_of(daemon)["walls"]:
                self.assertEqual(row["missing"], [], row)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class Hygiene(unittest.TestCase):

    def test_status(self):
        """What the kernel says of each child, and of the supervisor."""
        with Daemon(ONE) as daemon:
            at_rest(daemon)
            for pid in daemon.children():
                # It is the last of its walls; one that has just begun is behind none yet.
                until(lambda: status(pid, "Seccomp") == "2", "its filter", 10)
                self.assertEqual(status(pid, "NoNewPrivs"), "1")
                self.assertEqual(int(status(pid, "CapPrm"), 16), 0)
                self.assertGreaterEqual(
                    int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text()), 500)
                limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
                self.assertRegex(limits, r"Max core file size +0 +0 ")

    def test_its_own_user_cannot_look(self):
        """Where vencd is no root: the files of all its processes belong to root all the same."""
        user = 20051
        with tempfile.TemporaryDirectory(prefix="vencd-user-") as directory:
            os.chmod(directory, 0o711)
            program = pathlib.Path(directory, "vencd")
            program.write_text(f"#!/bin/sh\nexec setpriv --reuid={user} --regid={user} "
                               f"--clear-groups {BUILD.resolve()}/vencd \"$@\"\n")
            program.chmod(0o755)
            home = pathlib.Path(directory, "home")
            home.mkdir()
            os.chown(home, user, user)
            with Daemon({**ONE, "Socket": home / "socket"}, programs=directory) as daemon:
                daemon.socket = home / "socket"
                at_rest(daemon)
                for pid in [daemon.process.pid, *daemon.children()]:
                    self.assertEqual(status(pid, "Uid").split()[0], str(user))
                    self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0, pid)

    def test_descriptors(self):
        """Standard ones, the wire, and what the child has made itself; nothing of the session that
        the supervisor held when it was started.
        """
        with Daemon({**ONE, "WarmWorkers": 2}) as daemon:
            at_rest(daemon)
            feeder = daemon.feed(frames=3)
            feeder.await_ready()
            before = self.idle_workers(daemon)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            after = until(lambda: len(pids := self.idle_workers(daemon) - before) >= 1 and pids,
                          "workers in their place")
            held = {target for target in fds(daemon.process.pid).values()
                    if target.startswith(("socket:", "pipe:", "/memfd:"))}
            self.assertTrue(held)
            for pid in [*after, *daemon.children("vencd-front")]:
                until(lambda: not any(target.endswith(".so") or ".so." in target
                                      for target in fds(pid).values()), "its libraries are loaded")
                self.check_descriptors(pid)
                self.assertEqual(held & set(fds(pid).values()), set(), pid)
            feeder.result()

    def idle_workers(self, daemon):
        def is_idle(pid):
            try:
                return not session_mappings(pid)
            except OSError:  # it has just ended
                return False
        return set(filter(is_idle, daemon.children("vencd-worker")))

    def check_descriptors(self, pid):
        found = fds(pid)
        given = {found.pop(n) for n in (0, 1)}
        self.assertEqual(given, {"/dev/null"})
        self.assertRegex(found.pop(2), "^(pipe|socket):")  # to the supervisor
        self.assertRegex(found.pop(3), "socket:")
        for target in found.values():
            self.assertRegex(target, r"^anon_inode:|^pipe:|^/memfd:svt-av1-log|^socket:")
        own = [t for t in found.values() if t.startswith(("socket:", "/memfd:vencd"))]
        self.assertLessEqual(len(own), 2, found)  # a worker's own wake-up, both ends

    def test_session_memory_is_in_no_core(self):
        with Daemon(ONE) as daemon:
            feeder = daemon.feed(frames=3)
            feeder.await_ready()
            worker = until(lambda: [p for p in daemon.children("vencd-worker")
                                    if session_mappings(p)], "the session's worker")
            for pid in (daemon.process.pid, feeder.process.pid, *worker):
                mappings = session_mappings(pid)
                self.assertTrue(mappings, pid)
                for name, flags in mappings:
                    self.assertIn("dd", flags, (pid, name))
            feeder.result()

    # Which memory of a session each process maps, and may write: a pool that a worker could write
    # would not be safe from one that woke up late (docs/architecture.md, The data plane).
    WRITABLE = {"supervisor": {"submit": True, "control": True, "ring": True, "slot": True},
                "client": {"pool": True, "submit": True, "control": False, "ring": False},
                "worker": {"pool": False, "submit": False, "ring": True, "slot": True}}

    def test_who_may_write_what(self):
        with Daemon(ONE) as daemon:
            feeder = daemon.feed(frames=3)
            feeder.await_ready()
            worker = until(lambda: [p for p in daemon.children("vencd-worker")
                                    if session_mappings(p)], "the session's worker")[0]
            for name, pid in (("supervisor", daemon.process.pid), ("worker", worker),
                              ("client", feeder.process.pid)):
                found = {mapping.split("-")[1].split()[0]: "mw" in flags
                         for mapping, flags in session_mappings(pid)}
                self.assertEqual(found, self.WRITABLE[name], name)
            feeder.result()

    def test_environment(self):
        """Drivers' variables come from the settings, and reach workers alone."""
        ours = {"LIBVA_DRIVER_NAME": "ours", "VK_ICD_FILENAMES": "ours", "LD_BIND_NOW": "1",
                "SECRET": "ours"}
        settings = {**ONE, "DriverEnvironment": "LIBVA_DRIVER_NAME=theirs VK_LOADER_DEBUG=none"}
        with Daemon(settings, environment=ours) as daemon:
            at_rest(daemon)
            workers = until(lambda: daemon.children("vencd-worker"), "a worker")
            for pid in daemon.children():
                found = environment(pid)
                driver = {k: v for k, v in found.items() if k in ours or k.startswith("VK_")}
                self.assertEqual(driver, {"LIBVA_DRIVER_NAME": "theirs", "VK_LOADER_DEBUG": "none"}
                                 if pid in workers else {})
                self.assertLessEqual(found.keys() - driver.keys(), {"LANG", "LC_ALL", "TZ"})


if __name__ == "__main__":
    main()
