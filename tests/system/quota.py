# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""What a user is charged with: each limit driven over, the refusal named, and all of it given back.

Clients hold connections of their own, so that the daemon's figures can be asked for while another
connection would be refused. Uids are real ones; being two of them needs root.
"""

import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from harness import BUILD, CLIP, Daemon, LIMIT, Programs, main, run_tool, until

ONE, OTHER = 60011, 60012
ME = os.geteuid()
SMALL = {"codecs": ["av1"], "width": 64, "height": 64, "format": "i420", "backend": "null",
         "timeBase": {"num": 1, "den": 25}}


class Connection:
    """A varlink connection that is kept, and the fds that came over it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(str(path))
        self.fds = []

    def send(self, method, parameters=None, fds=()):
        message = {"method": f"io.vencd.Encoder.{method}", "parameters": parameters or {}}
        socket.send_fds(self.socket, [json.dumps(message).encode() + b"\0"], fds)

    def reply(self):
        data = b""
        while not data.endswith(b"\0"):
            more, fds, _, _ = socket.recv_fds(self.socket, 65536, 64)
            if not more:
                return None
            data += more
            self.fds += fds
        return json.loads(data[:-1])

    def call(self, method, parameters=None, fds=()):
        self.send(method, parameters, fds)
        return self.reply()

    def open(self, **keys):
        reply = self.call("OpenSession", {**SMALL, **keys})
        assert "error" not in reply, reply
        return {key: reply["parameters"][key] for key in ("id", "token")}

    def quota(self, uid=ME):
        """By kind; uid None: the daemon's own."""
        rows = self.call("ListQuotas")["parameters"]["quotas"]
        return {row["kind"]: row for row in rows if row.get("uid") == uid}

    def used(self, uid=ME):
        return {kind: row["used"] for kind, row in self.quota(uid).items()}

    def close(self):
        self.socket.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class QuotaTest(unittest.TestCase):

    def start(self, programs=BUILD, **settings):
        self.daemon = Daemon(settings, programs=programs)
        self.addCleanup(self.daemon.stop)
        self.connections = []
        self.watch = self.connect()

    def connect(self):
        connection = Connection(self.daemon.socket)
        self.addCleanup(connection.close)
        self.connections.append(connection)
        return connection

    def call_states(self):
        rows = self.watch.call("ListSessions")["parameters"]["sessions"]
        return [row["callState"] for row in rows]

    def check_refused(self, reply, setting, limit, used=None):
        self.assertEqual(reply.get("error"), "io.vencd.Encoder.LimitReached", reply)
        fields = reply["parameters"]
        self.assertEqual((fields["name"], fields["limit"]), (setting, limit), fields)
        self.assertGreater(fields["used"] + fields["asked"], limit)
        self.assertIn(setting, fields["reason"])
        self.assertTrue(fields["advice"] and fields["unit"])
        if used is not None:
            self.assertEqual(fields["used"], used)
        return fields

    def check_zero(self):
        """Nothing but the connection that asks, and the front that it asks."""
        for connection in self.connections:
            if connection is not self.watch:
                connection.close()
        alone = {"connections": 1, "sessions": 0, "memory": 0, "fds": 7, "requests": 0,
                 "children": 1}
        until(lambda: alone.items() <= self.watch.used().items(), "everything is given back")


class Limits(QuotaTest):

    def tearDown(self):
        self.check_zero()

    def test_connections(self):
        self.start(ConnectionsPerUser=4)
        others = [self.connect() for _ in range(3)]
        for each in others:
            self.assertEqual(each.call("ListSessions"), {"parameters": {"sessions": []}})
        beyond = self.connect()
        self.assertEqual(beyond.socket.recv(1), b"")  # closed unread
        row = self.watch.quota()["connections"]
        self.assertEqual((row["used"], row["limit"], row["refused"]), (4, 4, 1))
        self.assertIn("ConnectionsPerUser", self.daemon.messages())
        others[0].close()
        until(lambda: self.watch.used()["connections"] == 3, "a connection is given back")
        self.assertIn("sessions", self.connect().call("ListSessions")["parameters"])
        for each in others:
            each.close()

    def test_sessions(self):
        self.start(SessionsPerUser=2)
        first, second = self.connect(), self.connect()
        first.open(), second.open()
        reply = self.watch.call("OpenSession", SMALL)
        self.check_refused(reply, "SessionsPerUser", 2, used=2)
        row = self.watch.quota()["sessions"]
        self.assertEqual((row["used"], row["refused"]), (2, 1))
        first.close()
        until(lambda: self.watch.used()["sessions"] == 1, "a session is given back")
        self.connect().open()

    def test_memory(self):
        self.start(MemoryPerUser="64M")
        connection, total, reply = self.connect(), 0, None
        while "error" not in (reply := connection.call(
                "OpenSession", {**SMALL, "width": 1920, "height": 1080})):
            layout = reply["parameters"]["layout"]
            total += layout["slots"] * layout["slotSize"] + layout["dataSize"]
            self.assertLess(total, 64 << 20)
        fields = self.check_refused(reply, "MemoryPerUser", 64 << 20)
        used = self.watch.used()["memory"]
        self.assertEqual(fields["used"], used)
        self.assertGreater(used, total)  # rings and pages come on top of pool and packets
        self.assertLess(used, total + (1 << 20))
        self.assertIn("of 64 MiB in use", fields["reason"])
        told = run_tool("--socket", self.daemon.socket, "encode", CLIP, "-o", "/dev/null",
                        "--container", "null", "--backend", "null", "--null-script", "hold=90",
                        expect=None)
        self.assertRegex(told.stderr, r"MemoryPerUser [\d.]+ MiB of 64 MiB")
        connection.close()

    def test_fds(self):
        self.start(FdsPerUser=64)
        connection, opened = self.connect(), 0
        while "error" not in (reply := connection.call("OpenSession", SMALL)):
            opened += 1
        self.assertTrue(1 <= opened <= 3, opened)
        fields = self.check_refused(reply, "FdsPerUser", 64)
        self.assertEqual(self.watch.used()["fds"], fields["used"])
        connection.close()

    def test_requests(self):
        self.start(RequestsPerUser=2)
        connection = self.connect()
        session = connection.open()
        waiting = [self.connect() for _ in range(2)]
        for each in waiting:
            each.send("Wait", session)
        until(lambda: self.watch.used()["requests"] == 2, "both wait")
        reply = self.connect().call("Wait", session)
        self.check_refused(reply, "RequestsPerUser", 2, used=2)
        waiting[0].close()  # called off
        until(lambda: self.watch.used()["requests"] == 1, "a request is given back")
        self.watch.call("Cancel", session)
        self.assertIn("report", waiting[1].reply()["parameters"])
        connection.close()

    def test_requests_that_wait_for_a_probe(self):
        self.start(RequestsPerUser=1, NullProbeScript="probe:1:hang", ProbeBudget="3s")
        first = self.connect()
        first.send("OpenSession", SMALL)
        until(lambda: self.watch.used()["requests"] == 1, "it waits for the probe")
        self.check_refused(self.connect().call("OpenSession", SMALL), "RequestsPerUser", 1, used=1)
        self.assertEqual(first.reply()["error"], "io.vencd.Encoder.NoEncoder")

    def test_children(self):
        self.start(ChildrenPerUser=2, SessionsPerWorker=1)
        connection = self.connect()
        connection.open()
        reply = self.watch.call("OpenSession", SMALL)
        self.check_refused(reply, "ChildrenPerUser", 2, used=2)
        with open(CLIP, "rb") as source, open("/dev/null", "wb") as target:
            reply = self.watch.call("Encode", {"input": 0, "output": 1, "container": "null"},
                                    [source.fileno(), target.fileno()])
        self.check_refused(reply, "ChildrenPerUser", 2, used=2)
        connection.close()
        until(lambda: self.watch.used()["children"] == 1, "the worker is dead")
        self.connect().open()

    def test_the_whole_daemon(self):
        self.start(SessionsMax=1, SessionsPerUser=1)
        connection = self.connect()
        connection.open()
        self.check_refused(self.watch.call("OpenSession", SMALL), "SessionsMax", 1, used=1)
        row = self.watch.quota(None)["sessions"]
        self.assertEqual((row["used"], row["limit"], row["refused"]), (1, 1, 1))

    def test_workers_of_the_whole_daemon(self):
        self.start(WorkersMax=1, WarmWorkers=0, SessionsPerWorker=1)
        connection = self.connect()
        connection.open()
        self.check_refused(self.watch.call("OpenSession", SMALL), "WorkersMax", 1, used=1)
        self.assertEqual(self.watch.used()["children"], 2)  # the one refused is not charged


class Starts(QuotaTest):
    """Workers that start are work, too: two of a user's at once, whatever it asks for."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.gate = pathlib.Path(folder.name, "gate")
        wait = f"while [ -e {self.gate} ]; do sleep 0.05; done; exec {BUILD}/vencd-worker"
        programs = Programs(vencd_worker=wait)
        self.addCleanup(programs.__exit__)
        self.start(programs=programs.path, WarmWorkers=0, SessionsPerWorker=1, ProbeWait="2s")
        until(lambda: self.daemon.counters()["state"] == "proven", "the probe has ended")
        self.gate.touch()

    def ask(self, n):
        asked = [self.connect() for _ in range(n)]
        for connection in asked:
            connection.send("OpenSession", SMALL)
        until(lambda: self.watch.used()["requests"] == n - 2, "the others wait")
        self.assertEqual(len(self.daemon.children("vencd-worker")), 2)
        return asked

    def test_others_wait(self):
        asked = self.ask(5)
        self.gate.unlink()
        for connection in asked:
            self.assertIn("id", connection.reply()["parameters"])
        self.check_zero()

    def test_not_for_ever(self):
        replies = [connection.reply() for connection in self.ask(4)]
        refused = [reply for reply in replies if "error" in reply]
        self.assertEqual([reply["error"] for reply in refused],
                         ["io.vencd.Encoder.OutOfResources"] * 2)
        self.assertIn("have not started yet", refused[0]["parameters"]["reason"])
        self.gate.unlink()
        self.check_zero()

    @unittest.skipIf(ME != 0, "needs root, to be several users")
    def test_one_does_not_keep_the_other_waiting(self):
        self.ask(4)
        other = self.daemon.feed(uid=OTHER, frames=3)
        until(lambda: len(self.daemon.children("vencd-worker")) == 3, "the other's starts, too")
        self.gate.unlink()
        self.assertEqual(other.result()["report"]["outcome"], "complete")
        self.check_zero()


class Rates(QuotaTest):

    def feed(self, seconds, **keys):
        keys = {"width": 640, "height": 360, "frames": 25 * seconds, **keys}
        return self.daemon.feed(**keys)

    def test_pixels(self):
        rate = 640 * 360 * 25
        self.start(PixelsPerUser=rate)
        began = time.monotonic()
        feeder = self.feed(4)
        until(lambda: "idle-rate" in self.call_states(), "it waits for its rate")
        until(lambda: self.watch.used()["pixel-rate"] > rate * 0.7, "the rate is shown")
        self.assertLess(self.watch.used()["pixel-rate"], rate * 2)
        self.assertEqual(feeder.result()["report"]["outcome"], "complete")
        self.assertGreater(time.monotonic() - began, 3)
        self.assertEqual(self.watch.quota()["pixel-rate"]["refused"], 0)
        self.check_zero()

    def test_sessions_share_the_pixels(self):
        self.start(PixelsPerUser=640 * 360 * 50)
        began = time.monotonic()
        feeders = [self.feed(2) for _ in range(2)]
        for feeder in feeders:
            self.assertEqual(feeder.result()["report"]["outcome"], "complete")
        self.assertGreater(time.monotonic() - began, 1.3)

    def test_no_limit(self):
        self.start()
        feeder = self.feed(8)
        self.assertNotIn("idle-rate", self.call_states())
        self.assertEqual(feeder.result()["report"]["outcome"], "complete")

    def test_a_worker_that_goes_faster_is_killed(self):
        """One that is never told of a rate: what says so is cut out on the way to it."""
        script = f"exec {sys.executable} {os.path.abspath(__file__)} proxy {BUILD}/vencd-worker"
        programs = Programs(vencd_worker=script)
        self.addCleanup(programs.__exit__)
        self.start(programs=programs.path, PixelsPerUser=640 * 360)
        report = self.feed(60, script="send:*:slow:5", end="hold").result()["report"]
        self.assertEqual(report["attempts"][0]["end"], "unresponsive", report)
        self.assertIn("PixelsPerUser", report["cause"])
        self.assertEqual(self.watch.quota()["pixel-rate"]["refused"], 1)
        self.check_zero()


class Adapters(QuotaTest):

    def encode(self):
        connection = self.connect()
        with open(CLIP, "rb") as source, open("/dev/null", "wb") as target:
            connection.send("Encode", {"input": 0, "output": 1, "container": "null",
                                       "backend": "null"}, [source.fileno(), target.fileno()])
        return connection

    def states(self):
        """Of the adapters' processes."""
        found = []
        for pid in self.daemon.children("vencd-stream"):
            try:
                text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            except OSError:
                continue
            found.append(text[text.rindex(")") + 2])
        return found

    def test_cpu(self):
        self.start()
        self.assertEqual(self.encode().reply()["parameters"]["outcome"], "complete")
        row = until(lambda: (r := self.watch.quota()["adapter-cpu"])["used"] and r, "it is seen")
        self.assertEqual(row["limit"], 0)
        self.check_zero()
        cost = row["used"]  # ms that the whole file takes
        self.watch.close()
        limit = max(cost * 2 // 3, 1)
        self.start(AdapterCpuPerUser=f"{limit}ms")
        encode = self.encode()
        until(lambda: "T" in self.states(), "it is paused")
        refused = self.encode().reply()
        self.check_refused(refused, "AdapterCpuPerUser", limit)
        self.assertEqual(refused["parameters"]["unit"], "ms/min")
        # Late, and whole.
        encode.socket.settimeout(LIMIT * 3)
        self.assertEqual(encode.reply()["parameters"]["outcome"], "complete")
        self.assertGreaterEqual(self.watch.quota()["adapter-cpu"]["refused"], 2)
        self.check_zero()

    def test_a_paused_adapter_ends_with_its_client(self):
        self.start(AdapterCpuPerUser="40ms")
        encode = self.encode()
        until(lambda: "T" in self.states(), "it is paused")
        encode.close()
        self.check_zero()


class GivenBack(QuotaTest):
    """Whatever dies, and whenever."""

    def setUp(self):
        self.start(SessionsPerWorker=4)

    def tearDown(self):
        self.check_zero()

    def test_clients_killed_at_each_step(self):
        for frames, script in ((0, ""), (1, ""), (40, "hold=4"), (5, "open:1:slow:300"),
                               (9, "send:*:slow:20")):
            feeder = self.daemon.feed(frames=frames, script=script, end="hold")
            if frames < 9:
                feeder.await_ready()
            feeder.process.kill()
            feeder.end()
            self.check_zero()

    def test_clients_gone_with_their_request_under_way(self):
        for _ in range(8):
            connection = self.connect()
            connection.send("OpenSession", SMALL)
            connection.close()
        with open(CLIP, "rb") as source, open("/dev/null", "wb") as target:
            connection = self.connect()
            connection.send("Encode", {"input": 0, "output": 1, "container": "null",
                                       "backend": "null"}, [source.fileno(), target.fileno()])
            connection.close()

    def test_a_worker_is_killed(self):
        feeder = self.daemon.feed(frames=10, script="hold=3", end="hold")
        feeder.await_ready()
        self.assertEqual(self.watch.used()["children"], 2)
        for pid in self.daemon.children("vencd-worker"):
            os.kill(pid, signal.SIGKILL)
        feeder.result()

    def test_a_front_is_killed(self):
        connection = self.connect()
        connection.open()
        for pid in self.daemon.children("vencd-front"):
            os.kill(pid, signal.SIGKILL)
        self.assertIsNone(connection.reply())
        connection.close()
        self.watch.close()
        self.watch = until(self.reconnect, "there is a front again")

    def reconnect(self):
        connection = self.connect()
        try:
            return connection if connection.call("ListSessions") else None
        except OSError:
            return None

    def test_an_abandoned_attempt_stays_charged_until_its_worker_is_dead(self):
        neighbour = self.connect()
        session = neighbour.open()
        until(lambda: self.call_states() == ["idle-input"], "it can be shared with")
        healthy = self.daemon.feed(frames=5, width=320, height=240)
        healthy.await_ready()
        until(lambda: self.call_states() == ["idle-input"] * 2, "so can the second")
        before = self.watch.used()
        feeder = self.daemon.feed(frames=5, script="send:3:hang", width=640, height=360)
        self.assertEqual(feeder.result()["report"]["attempts"][0]["end"], "abandoned")
        after = self.watch.used()
        self.assertEqual(after["sessions"], 2)
        self.assertEqual(after["children"], before["children"])  # they share a worker
        self.assertGreater(after["memory"], before["memory"] + 640 * 360)
        self.assertGreater(after["fds"], before["fds"])
        # One that ends well in the tainted worker: nothing is given back there any more.
        self.assertEqual(healthy.result()["report"]["outcome"], "complete")
        until(lambda: self.watch.used()["sessions"] == 1, "its session is given back")
        self.assertEqual(self.watch.used()["memory"], after["memory"])
        self.watch.call("Cancel", session)
        neighbour.close()


class Users(QuotaTest):

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to be several users")
        try:
            subprocess.run([BUILD / "tests/system/feeder"], user=OTHER, check=False,
                           stderr=subprocess.DEVNULL)
        except PermissionError:
            self.skipTest("other users cannot run what is in this directory")

    def test_one_at_its_limit_leaves_the_other_alone(self):
        self.start(SessionsPerUser=1, ConnectionsPerUser=3)
        held = self.daemon.feed(uid=ONE, frames=5, end="hold")
        held.await_ready()
        refused = self.daemon.feed(uid=ONE, frames=1).refusal()
        self.assertIn("SessionsPerUser", refused)
        other = self.daemon.feed(uid=OTHER, frames=5).result()
        self.assertEqual(other["report"]["outcome"], "complete")
        self.assertEqual(self.watch.quota(ONE)["sessions"]["refused"], 1)
        self.assertEqual(self.watch.quota(OTHER).get("sessions", {}).get("refused", 0), 0)
        held.process.kill()
        held.end()
        until(lambda: self.watch.used(ONE).get("sessions", 0) == 0, "its session is given back")

    def tool(self, uid):
        text = run_tool("--socket", self.daemon.socket, "quota", "--json", user=uid).stdout
        return json.loads(text)["quotas"]

    def test_who_sees_what(self):
        self.start()
        self.assertEqual({row.get("uid") for row in self.tool(ONE)}, {ONE})
        self.assertLessEqual({None, ME}, {row.get("uid") for row in self.tool(ME)})

    def test_the_table(self):
        self.start(MemoryPerUser="16G")
        text = run_tool("--socket", self.daemon.socket, "quota").stdout
        self.assertRegex(text, r"^UID +KIND +USED +LIMIT +REFUSED +SETTING\n")
        self.assertRegex(text, rf"(?m)^{ME} +memory +0 B +16 GiB +0 +MemoryPerUser$")
        self.assertRegex(text, r"(?m)^all +workers +\d+ +320 +0 +WorkersMax$")


WIRE_FD, WIRE_MAX, WIRE_RATE_SIZE = 3, 1 << 17, 24


def proxy(worker):
    """In the place of a worker: hands everything to a real one and back, but what is said of rates.

    The rate is at the end of the one message that has fds, and a message of its own.
    """
    supervisor = socket.socket(fileno=os.dup(WIRE_FD))
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    os.dup2(far.fileno(), WIRE_FD)
    far.close()
    subprocess.Popen([worker], pass_fds=(WIRE_FD,))
    os.close(WIRE_FD)
    other = {supervisor: near, near: supervisor}
    while True:
        for end in select.select([supervisor, near], [], [])[0]:
            data, fds, _, _ = socket.recv_fds(end, WIRE_MAX, 64)
            if not data:
                return
            if end is supervisor and fds:
                data = data[:-16] + bytes(16)
            if end is near or len(data) != WIRE_RATE_SIZE:
                other[end].setblocking(True)
                socket.send_fds(other[end], [data], fds)
            for fd in fds:
                os.close(fd)


if __name__ == "__main__":
    if sys.argv[1:2] == ["proxy"]:
        proxy(sys.argv[2])
    else:
        main()
