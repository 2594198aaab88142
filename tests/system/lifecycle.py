# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The daemon's own life: start, settings, probes, clients that die, stop, being stopped."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import BUILD, Daemon, LIMIT, check_report, main, run_tool, until


class Start(unittest.TestCase):

    def test_supervisor_links_no_driver_and_no_codec(self):
        out = subprocess.run(["ldd", BUILD / "vencd"], text=True, capture_output=True, check=True)
        names = {line.split()[0].split(".so")[0] for line in out.stdout.splitlines()}
        self.assertIn("libsystemd", names)
        self.assertIn("libdrm", names)
        for bad in ("libav", "libsw", "libva", "libvulkan", "libcuda", "libnvidia", "libSvt"):
            self.assertFalse([n for n in names if n.startswith(bad)], f"vencd links {bad}*")

    def test_bad_setting_names_the_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("# a comment\nSessionsMax=banana\n")
            file.flush()
            for arguments in (["--check-config"], []):
                result = subprocess.run([BUILD / "vencd", "--config", file.name, *arguments],
                                        text=True, capture_output=True, check=False, timeout=LIMIT)
                self.assertEqual(result.returncode, 2)
                self.assertIn(f"{file.name}:2:", result.stderr)
                self.assertIn("SessionsMax", result.stderr)

    def test_check_config_prints_every_setting(self):
        result = subprocess.run([BUILD / "vencd", "--config", "/dev/null", "--check-config"],
                                text=True, capture_output=True, check=True, timeout=LIMIT)
        self.assertIn("OpenBudget", result.stdout)

    def test_introspection_has_comments(self):
        with Daemon() as daemon:
            result = subprocess.run(
                ["varlinkctl", "introspect", daemon.socket, "io.vencd.Encoder"],
                text=True, capture_output=True, check=True, timeout=LIMIT)
        found = re.findall(r"((?:^#.*\n)*)^(method|error) (\w+) ?(.*(?:\n(?!\n|#).*)*)",
                           result.stdout, re.MULTILINE)
        names = {(kind, name) for _, kind, name, _ in found}
        self.assertGreaterEqual(names, {("method", "OpenSession"), ("error", "Unsupported")})
        self.assertEqual(len(found), len(re.findall(r"^(?:method|error) ", result.stdout,
                                                    re.MULTILINE)))
        for comment, kind, name, fields in found:
            with self.subTest(name):
                self.assertRegex(comment, r"(?m)^# \w")
                for field in ("reason", "advice") if kind == "error" else ():
                    self.assertRegex(fields, rf"\b{field}: string\b")

    def test_no_daemon_is_exit_code_3(self):
        result = run_tool("--socket", "/nonexistent/socket", "devices", expect=3)
        self.assertIn("--private", result.stderr)

    def test_second_daemon_on_the_same_socket_refuses(self):
        with Daemon() as daemon:
            result = subprocess.run([BUILD / "vencd", "--config", daemon.config], text=True,
                                    capture_output=True, check=False, timeout=LIMIT)
            self.assertEqual(result.returncode, 1)
            run_tool("--socket", daemon.socket, "devices")

    def test_socket_activation(self):
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/socket"
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen()
            config = pathlib.Path(directory, "conf")
            config.write_text("Socket=/nonexistent/must-not-be-used\nStateDirectory=\n")
            fd = listener.fileno()
            script = f'exec 3<&{fd}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" --config "$1"'
            process = subprocess.Popen(["bash", "-c", script, BUILD / "vencd", config],
                                       pass_fds=(fd,))
            run_tool("--socket", path, "devices")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(LIMIT), 0)
            self.assertTrue(os.path.exists(path), "a socket that was passed in was removed")


class Probe(unittest.TestCase):

    def null_state(self, script, state, **settings):
        with Daemon({"NullProbeScript": script, "SoftwareEncoders": "libx264",
                     **settings}) as daemon:
            row = until(lambda: (r := daemon.devices()["null"])["state"] != "probing" and r,
                        "the probe ends")
            self.assertEqual(row["state"], state, row)
            refused = daemon.feed(frames=1)
            refused.release()
            _, errors = refused.process.communicate(timeout=LIMIT)
            self.assertEqual(refused.process.returncode, 3)
            self.assertIn("NoEncoder", errors)
            # Nothing else is harmed.
            fine = daemon.feed(frames=10, backend="software", codec="h264", speed=13)
            self.assertEqual(fine.result()["report"]["outcome"], "complete")
            return row

    def test_hang(self):
        row = self.null_state("probe:1:hang", "broken", ProbeBudget="3s")
        self.assertEqual(row["abandoned"], 1)

    def test_hang_in_open(self):
        self.null_state("open:1:hang", "broken", ProbeBudget="3s")

    def test_crash(self):
        row = self.null_state("probe:1:crash", "broken")
        self.assertIn("signal 11", row["detail"])

    def test_error(self):
        self.null_state("probe:1:error", "broken")


class Clients(unittest.TestCase):

    def test_a_client_that_dies_is_a_cancelled_session(self):
        with Daemon() as daemon:
            for frames in (0, 1, 40):
                feeder = daemon.feed(frames=frames, end="die", script="hold=4")
                feeder.await_ready()
                number = daemon.sessions()[0]["id"]
                feeder.release()
                feeder.process.communicate(timeout=LIMIT)
                report = until(lambda: self.report(daemon, number), "the report")
                self.assertEqual(report["outcome"], "cancelled")
                self.assertEqual(report["framesLost"], 0)

    def report(self, daemon, number):
        result = run_tool("--socket", daemon.socket, "report", number, "--json", expect=None)
        return check_report(json.loads(result.stdout)) if result.returncode == 13 else None

    def test_cancel(self):
        with Daemon() as daemon:
            result = daemon.feed(frames=20, end="cancel").result()
            self.assertEqual(result["report"]["outcome"], "cancelled")

    def test_nothing_is_left_behind(self):
        with Daemon({"WarmWorkers": 0}) as daemon:
            daemon.feed(frames=5).result()
            fds = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
            for script in ("", "hold=3", "send:3:crash", "send:3:error", "send:2:hang") * 4:
                daemon.feed(frames=5, script=script).result()
            until(lambda: not daemon.children("vencd-worker"), "all workers end")
            self.assertLessEqual(len(os.listdir(f"/proc/{daemon.process.pid}/fd")), fds)
            threads = os.listdir(f"/proc/{daemon.process.pid}/task")
            self.assertLessEqual(len(threads), 3, "the supervisor has grown threads")


class Stop(unittest.TestCase):

    def test_sigterm_lets_a_session_finish(self):
        daemon = Daemon({"StopTimeout": "30s"})
        feeder = daemon.feed(frames=30, script="hold=5")
        feeder.await_ready()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.await_notification("STOPPING=1")
        self.assertEqual(feeder.result()["report"]["outcome"], "complete")
        self.assertEqual(daemon.process.wait(LIMIT), 0)
        daemon.stop()

    def test_sigterm_reports_what_does_not_finish(self):
        daemon = Daemon({"StopTimeout": "500ms"})
        feeder = daemon.feed(frames=30, end="hold", script="hold=5")
        feeder.await_ready()
        feeder.release()
        daemon.process.send_signal(signal.SIGTERM)
        report = feeder.result()["report"]
        self.assertEqual(report["outcome"], "truncated")
        self.assertIn("stopped", report["cause"])
        self.assertEqual(report["framesLost"], 5)
        self.assertEqual(daemon.process.wait(LIMIT), 0)
        daemon.stop()

    def test_second_sigterm_stops_now(self):
        daemon = Daemon({"StopTimeout": "10min"})
        feeder = daemon.feed(frames=30, end="hold")
        feeder.await_ready()
        feeder.release()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.await_notification("STOPPING=1")
        daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(LIMIT), 0)
        self.assertIn(feeder.result()["report"]["outcome"], ("truncated",))
        daemon.stop()

    def test_children_die_with_the_supervisor(self):
        daemon = Daemon()
        feeder = daemon.feed(frames=5, end="hold", script="send:3:hang")
        until(lambda: daemon.children("vencd-worker"), "a worker")
        children = daemon.children()
        daemon.process.kill()
        daemon.process.wait()
        until(lambda: not [p for p in children if self.alive(p)], "all children end")
        feeder.process.kill()
        feeder.process.communicate()
        daemon.stop(expect=-signal.SIGKILL)

    def alive(self, pid):
        try:
            return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False


class BeingStopped(unittest.TestCase):
    """SIGSTOP for longer than every budget abandons nothing."""

    def stopped(self, target):
        with Daemon({"WorkerAnswer": "500ms"}) as daemon:
            # In a call for most of its life: each send takes a fifth of its budget.
            feeder = daemon.feed(frames=20, script="send:*:slow:100")
            worker = until(lambda: self.worker_of_session(daemon), "the worker")
            pid = daemon.process.pid if target == "supervisor" else worker
            os.kill(pid, signal.SIGSTOP)
            time.sleep(2)  # the point of the test: four budgets pass while nothing runs
            os.kill(pid, signal.SIGCONT)
            result = feeder.result()
            self.assertEqual(result["report"]["outcome"], "complete", result)
            self.assertEqual(daemon.counters()["abandoned"], 0)

    def worker_of_session(self, daemon):
        match = re.search(r"session \d+: .* null", daemon.messages())
        pids = daemon.children("vencd-worker")
        busy = [p for p in pids if self.threads(p) > 1]
        return busy[0] if match and busy else None

    def threads(self, pid):
        try:
            return len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            return 0  # a probe that is through

    def test_supervisor(self):
        self.stopped("supervisor")

    def test_worker(self):
        self.stopped("worker")


if __name__ == "__main__":
    main()
