#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""An encoder's threads do not go before the supervisor, which has to watch them.

As root, where libraries may make their threads real-time ones, this shows it; an ordinary user's
can not.
"""

import os
import unittest

from harness import Daemon, main


class Priority(unittest.TestCase):
    def test_no_encoder_is_real_time(self):
        with Daemon() as daemon:
            feeder = daemon.feed(codec="av1", backend="software", latency="live", frames=3,
                                 rhythm="step", end="hold")
            feeder.await_ready()
            threads = [int(thread) for pid in daemon.children("vencd-worker")
                       for thread in os.listdir(f"/proc/{pid}/task")]
            self.assertGreater(len(threads), 4, "no encoder is open")
            policies = {os.sched_getscheduler(thread) for thread in threads}
            feeder.process.kill()
            feeder.process.communicate()
        self.assertEqual(policies, {os.SCHED_OTHER})


if __name__ == "__main__":
    main()
