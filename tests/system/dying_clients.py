#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""A client that dies at each step of a session costs nobody anything, and nothing is left of it.

One that uses the library is killed before each of the library's calls, at each system call that it
makes on the way (by strace), and while the encoder is in each of its calls; one with a one-shot
request at each step of that. After every death another user is served, and no process, memory,
descriptor or charge is left.
"""

import array
import collections
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import traceback
import unittest

import hostile
import hostile_client
from harness import BUILD, LIMIT, check_report, main, run_tool, until

# Time enough to see an encoder in a call, for the test and for a slow machine.
HELD_MS = 1500
SETTINGS = {"TaintedDrain": "1s",
            **dict.fromkeys(("OpenBudget", "EncodeBudget", "FlushBudget", "CloseBudget"), "3s")}
HELD = {"open": "open:1", "send": "send:2", "receive": "receive:2", "flush": "hold=1;flush:1",
        "close": "close:1"}
DYING = 20041  # no other test's: the kernel, too, counts descriptors on their way by user
FEEDER = BUILD / "tests/system/feeder"
SMALL = {"uid": DYING, "width": 64, "height": 64}
FRONT_FDS = 7  # that a user's front is charged with while it has no client, and some


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Death(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.start()

    @staticmethod
    def start(**settings):
        """A daemon that has served the user once, whose front is there by then."""
        daemon = hostile.Users({**SETTINGS, **settings})
        daemon.feed(**SMALL, frames=2).result()
        daemon.asked = hostile_client.connect(str(daemon.socket))
        daemon.asked.settimeout(LIMIT)
        until(lambda: hostile_client.call(daemon.asked, "ListSessions")[0], "an answer")
        daemon.fds = len(daemon.descriptors())
        return daemon

    @classmethod
    def tearDownClass(cls):
        cls.daemon.asked.close()
        cls.daemon.stop()

    def ask(self, what):
        """Over one connection, and quickly: what is looked for does not last."""
        reply = hostile_client.call(self.daemon.asked, f"List{what}")[0]["parameters"]
        return [row for row in reply[what.lower()] if row.get("uid") == DYING]

    def sessions(self):
        return self.ask("Sessions")

    def charged(self):
        """Whether the user is charged with more than its front."""
        used = collections.Counter({row["kind"]: row["used"] for row in self.ask("Quotas")})
        return (any(used[kind] for kind in ("connections", "sessions", "memory", "requests"))
                or used["children"] > 1 or used["fds"] > FRONT_FDS)

    def nothing_is_left(self):
        other = self.daemon.feed(uid=hostile.GOOD, frames=2).result()["report"]
        self.assertEqual(other["outcome"], "complete", other)
        until(lambda: not self.charged(), "nothing is charged to the user")
        self.assertEqual(self.sessions(), [])
        self.daemon.settle()

    def in_call(self, name):
        """The user's session, once its encoder is in that call."""
        def found():
            return next((row for row in self.sessions()
                         if row["call"] == name and row["callState"] == "running"), None)
        return until(found, f"an encoder in {name}")

    def report(self, session):
        text = run_tool("--socket", self.daemon.socket, "report", session["id"], "--json",
                        expect=None, user=DYING).stdout
        return check_report(json.loads(text))


class Library(Death):
    """Clients that use libvencd."""

    def test_before_each_call_of_the_library(self):
        """A client that is killed before its n-th call of the library, for every n there is."""
        for n in range(1, 200):
            feeder = self.daemon.feed(**SMALL, frames=2, rhythm="step", die_at=n)
            code, errors = feeder.end()
            if code == 0:
                break
            self.assertEqual(code, -signal.SIGKILL, errors)
        self.assertEqual(code, 0, "it never came to its end")
        self.assertGreater(n, 12, "it makes more calls than that")
        self.nothing_is_left()

    def trace(self, *options):
        """A feeder under strace; its exit code."""
        keys = (f"{key}={value}" for key, value in {**SMALL, "frames": 2}.items())
        done = subprocess.run(["strace", "-qq", *options, FEEDER, self.daemon.socket, *keys],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              timeout=LIMIT, check=False)
        self.assertIn(done.returncode, (0, -signal.SIGKILL), done.stderr)
        return done.returncode

    def system_calls(self):
        """What a whole session makes of them from connect() on: name, and which of that name."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
            self.trace("-o", log.name)
            names = re.findall(r"^(\w+)\(", log.read(), re.M)
        counts, found = collections.Counter(), []
        for name in names:
            counts[name] += 1
            if counts["connect"]:
                found.append((name, counts[name]))
        return [call for call in found if call[0] != "exit_group"]

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_at_each_system_call(self):
        calls = self.system_calls()
        self.assertIn("mmap", [name for name, _ in calls])
        killed = 0
        for name, n in calls:
            with self.subTest(call=name, n=n):
                # How often it waits is not the same each time: it may come to its end.
                killed += self.trace("-o", os.devnull, "-e", f"inject={name}:signal=KILL:when={n}"
                                     ) == -signal.SIGKILL
                self.nothing_is_left()
        print(f"killed at {killed} of {len(calls)} system calls", flush=True)
        self.assertGreater(killed, len(calls) * 3 // 4)

    def die_in(self, call, mode):
        feeder = self.daemon.feed(**SMALL, frames=4, script=f"{HELD[call]}:{mode}")
        feeder.release()
        session = self.in_call(call)
        feeder.process.kill()
        self.assertEqual(feeder.end()[0], -signal.SIGKILL)
        self.nothing_is_left()
        return self.report(session)

    def test_while_the_encoder_is_in_each_call(self):
        for call in HELD:
            with self.subTest(call):
                report = self.die_in(call, f"slow:{HELD_MS}")
                # What the client did not read was delivered all the same if it was committed.
                wanted = ("complete", "cancelled") if call == "close" else ("cancelled",)
                self.assertIn(report["outcome"], wanted, report)

    def test_while_the_encoder_hangs_in_each_call(self):
        for call in HELD:
            with self.subTest(call):
                report = self.die_in(call, "hang")
                self.assertNotEqual(report["outcome"], "complete", report)

    def test_before_the_reply(self):
        for _ in range(20):
            client = hostile_client.connect(str(self.daemon.socket))
            client.sendall(hostile_client.message("OpenSession", hostile_client.DESCRIPTION))
            client.close()
        self.nothing_is_left()


class Probing(Death):

    def test_while_its_request_waits_for_a_probe(self):
        """That of one who is accused: it waits for the verdict, and the probe before that."""
        with self.start(NullProbeScript=f"|open:1:slow:{2 * HELD_MS}|") as self.daemon:
            self.daemon.feed(**SMALL, frames=2, script="send:1:crash").result()
            feeder = self.daemon.feed(**SMALL, frames=2)
            feeder.release()
            until(self.waits, "its request waits")
            feeder.process.kill()
            self.assertEqual(feeder.end()[0], -signal.SIGKILL)
            self.nothing_is_left()
            self.daemon.asked.close()

    def waits(self):
        return any(row["used"] for row in self.ask("Quotas") if row["kind"] == "requests")


class OneShotClient:
    """A process of the user that sends a request, or a part of it, and waits to be killed."""

    REQUEST = {"input": 0, "output": 1, "container": "null", "inputFormat": "y4m",
               "backend": "null", "codecs": ["av1"]}
    FRAME = b"FRAME\n" + bytes(64 * 64 * 3 // 2)
    HEADER = b"YUV4MPEG2 W64 H64 F25:1\n"

    def __init__(self, path, share=1.0, **parameters):
        source, self.feed = os.pipe()
        self.drain, output = os.pipe()
        ready, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.feed)
            os.close(self.drain)
            self.be(str(path), share, parameters, (source, output), tell)
        for fd in (source, output, tell):
            os.close(fd)
        assert os.read(ready, 1) == b"r", "the client could not send its request"
        os.close(ready)

    def be(self, path, share, parameters, fds, tell):
        try:
            os.setgid(DYING)
            os.setuid(DYING)
            client = hostile_client.connect(path)
            data = hostile_client.message("Encode", {**self.REQUEST, **parameters})
            data = data[:int(len(data) * share)]
            if data:
                hostile_client.send_fds(client, data, fds)
            for fd in fds:
                os.close(fd)
            os.write(tell, b"r")
            signal.pause()
        except OSError:
            traceback.print_exc()
        finally:
            os._exit(1)

    def write(self, data):
        os.write(self.feed, data)
        return self

    def finish(self):
        os.close(self.feed)
        self.feed = -1

    def unread(self, fd):
        count = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, count)
        return count[0]

    def die(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def let_go(self):
        """Until nobody has its descriptors any more; what was written to the output is read."""
        if self.feed >= 0:
            poll = select.poll()
            poll.register(self.feed, 0)
            until(lambda: any(event & select.POLLERR for _, event in poll.poll(0)),
                  "the input is closed")
            self.finish()
        while select.select([self.drain], [], [], LIMIT)[0] and os.read(self.drain, 1 << 16):
            pass
        os.close(self.drain)


class OneShot(Death):

    def client(self, **keys):
        return OneShotClient(self.daemon.socket, **keys)

    def die(self, client):
        client.die()
        client.let_go()
        self.nothing_is_left()
        self.assertEqual(self.daemon.children("vencd-stream"), [])

    def adapter(self):
        return until(lambda: self.daemon.children("vencd-stream"), "an adapter runs")

    def test_before_it_has_asked(self):
        for share in (0.0, 0.5, 0.99):
            with self.subTest(share):
                self.die(self.client(share=share))

    def test_once_it_has_asked(self):
        for _ in range(5):
            self.die(self.client())

    def test_before_the_adapter_knows_the_input(self):
        client = self.client().write(OneShotClient.HEADER[:9])
        self.adapter()
        until(lambda: not client.unread(client.feed), "the adapter reads")
        self.die(client)

    def test_between_two_frames(self):
        client = self.client().write(OneShotClient.HEADER + OneShotClient.FRAME)
        until(self.sessions, "a session is open")
        self.die(client)

    def test_while_the_encoder_is_in_each_call(self):
        cases = [(call, f"slow:{HELD_MS}") for call in HELD] + [("send", "hang"), ("close", "hang")]
        for call, mode in cases:
            with self.subTest(call=call, mode=mode):
                client = self.client(nullScript=f"{HELD[call]}:{mode}")
                client.write(OneShotClient.HEADER + 3 * OneShotClient.FRAME).finish()
                session = self.in_call(call)
                self.die(client)
                report = self.report(session)
                if mode == "hang" or call != "close":
                    self.assertNotEqual(report["outcome"], "complete", report)

    def test_while_its_output_takes_nothing(self):
        client = self.client(nullScript="size=65536")
        client.write(OneShotClient.HEADER + 4 * OneShotClient.FRAME)
        until(lambda: client.unread(client.drain) >= 65536, "the output is full")
        self.die(client)

    def test_before_it_has_read_the_reply(self):
        client = self.client().write(OneShotClient.HEADER + OneShotClient.FRAME)
        client.finish()
        self.adapter()
        until(lambda: not self.daemon.children("vencd-stream"), "the adapter has ended")
        self.die(client)


if __name__ == "__main__":
    main()
