#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Who goes before whom: no encoder before the supervisor, and no adapter before an encoder.

As root, where libraries may make their threads real-time ones, this shows the first; an ordinary
user's can not.
"""

import os
import pathlib
import socket
import unittest

import hostile_client
from harness import CLIP, Daemon, main, until

ENCODE = {"input": 0, "output": 1, "container": "null", "codecs": ["av1"], "backend": "null"}
GIVES_WAY = 10


def threads(pid):
    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]


class Priority(unittest.TestCase):
    def test_no_encoder_is_real_time(self):
        with Daemon({"SoftwareEncoders": "svtav1"}) as daemon:
            feeder = daemon.feed(codec="av1", backend="software", latency="live", frames=3,
                                 rhythm="step", end="hold")
            feeder.await_ready()
            found = [thread for pid in daemon.children("vencd-worker") for thread in threads(pid)]
            self.assertGreater(len(found), 4, "no encoder is open")
            policies = {os.sched_getscheduler(thread) for thread in found}
            feeder.process.kill()
            feeder.process.communicate()
        self.assertEqual(policies, {os.SCHED_OTHER})

    def test_adapters_give_way(self):
        """All threads of one that decodes; its input stays open, so that it does not end."""
        with Daemon() as daemon:
            read, write = os.pipe()
            with socket.socket(socket.AF_UNIX) as client, open("/dev/null", "wb") as null:
                client.connect(str(daemon.socket))
                hostile_client.send_fds(client, hostile_client.message("Encode", ENCODE),
                                        [read, null.fileno()])
                os.write(write, CLIP.read_bytes()[:16])
                until(lambda: daemon.children("vencd-stream") and
                      len(threads(daemon.children("vencd-stream")[0])) > 1, "it reads its input")
                adapter, = daemon.children("vencd-stream")
                self.assertEqual({self.niceness(thread) for thread in threads(adapter)},
                                 {GIVES_WAY})
                self.check_group(adapter)
                own = self.niceness(daemon.process.pid)
                for name in ("vencd-front", "vencd-worker"):
                    for pid in daemon.children(name):
                        self.assertEqual({self.niceness(thread) for thread in threads(pid)}, {own})
            os.close(read)
            os.close(write)

    def niceness(self, thread):
        return os.getpriority(os.PRIO_PROCESS, thread)

    def check_group(self, pid):
        """Only root may change it at once."""
        group = pathlib.Path(f"/proc/{pid}/autogroup")
        if group.exists() and os.geteuid() == 0:
            self.assertRegex(group.read_text(encoding="utf-8"), rf"nice {GIVES_WAY}$")


if __name__ == "__main__":
    main()
