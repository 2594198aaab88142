#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""500 clients of several users for LOAD_SECONDS (120), a third of them hostile.

Every honest session completes, or is refused by a limit that the refusal names; the supervisor's
memory, descriptors and threads do not grow; nothing is left afterwards. Clients come one after the
other in a few places at once, so that two cores keep up: the time is given, and how many there are
follows from it, at least 500. Ends with a table.
"""

import collections
import itertools
import json
import os
import pathlib
import random
import re
import subprocess
import threading
import time
import unittest

import hostile
import hostile_client
from harness import BUILD, LIMIT, check_report, main, until

SECONDS = int(os.environ.get("LOAD_SECONDS", "120"))
CLIENTS = 500
HONEST = (20011, 20012, 20013, 20014)
HOSTILE = (20021, 20022)
PLACES = 9  # clients at once
NEXT = ("honest", "hostile", "honest")  # who comes, in turn
# Few reports are kept, so that this memory is full when the growth is looked at.
SETTINGS = {"SessionsPerUser": 3, "ReportsKept": 16, "StopTimeout": "10s", "LogLevel": "info"}
# What the supervisor may grow by between the first quarter and the end.
GROWTH = {"RSS KiB": 2048, "descriptors": 8, "threads": 0}
ATTACK_S = 2.0  # as long as one attacker goes on
ATTACKS = [name for name in hostile_client.ATTACKS if hostile.possible(name)]
HOSTILE_SHARE = 0.32  # at least: a third, but for the last few
LIMITS = re.compile(r"(io\.vencd\.Encoder\.(?:LimitReached|OutOfResources)): (\w+)")


class Totals:
    """What became of all clients; several threads add to it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.refusals = collections.Counter()
        self.errors = []
        self.slowest = 0.0

    def add(self, what, seconds=0.0):
        with self.lock:
            self.counts[what] += 1
            self.slowest = max(self.slowest, seconds)

    def refused(self, errors):
        found = LIMITS.search(errors)
        with self.lock:
            if found:
                self.refusals[found.group(2)] += 1
            else:
                self.errors.append(errors)

    def wrong(self, text):
        with self.lock:
            self.errors.append(text)


def honest_client(daemon, chance, totals):
    """One session, mostly of the null encoder, from its request to its report."""
    uid = chance.choice(HONEST)
    keys = {"uid": uid, "frames": chance.randrange(1, 80), "width": 160, "height": 96}
    if chance.random() < 0.05:
        keys |= {"backend": "software", "codec": "h264", "speed": 13, "frames": 10}
    elif chance.random() < 0.3:
        keys |= {"pause_ms": 10}
    begun = time.monotonic()
    done = subprocess.run(
        [BUILD / "tests/system/feeder", daemon.socket, *(f"{k}={v}" for k, v in keys.items())],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT * 2, check=False)
    took = time.monotonic() - begun
    if done.returncode == 3:
        totals.refused(done.stderr)
        return totals.add("honest, refused", took)
    if done.returncode:
        return totals.wrong(f"{keys}: {done.returncode}: {done.stderr}")
    result = json.loads(done.stdout)
    report = check_report(result["report"])
    if report["outcome"] != "complete" or result["contiguous"] != keys["frames"]:
        totals.wrong(f"{keys}: {done.stdout}")
    return totals.add("honest, complete", took)


def hostile_process(daemon, name, uid, totals, until_then):
    attack = hostile.Attack(daemon, name, uid)
    try:
        attack.await_ready()
        time.sleep(min(ATTACK_S, max(0.0, until_then - time.monotonic())))
        totals.add(f"hostile, {name}")
    except AssertionError:
        totals.add(f"hostile, {name}, kept out")
    finally:
        attack.end()


def hostile_session(daemon, chance, totals):
    """A client that dies on the way, or whose encoder wedges or crashes."""
    uid = chance.choice(HOSTILE)
    what = chance.choice(({"die_at": chance.randrange(1, 40)}, {"script": "send:3:hang"},
                          {"script": "send:2:crash"}, {"script": "receive:2:garbage:pts"},
                          {"end": "die", "script": "hold=4"}))
    keys = {"uid": uid, "frames": 9, **what}
    subprocess.run(
        [BUILD / "tests/system/feeder", daemon.socket, *(f"{k}={v}" for k, v in keys.items())],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT * 2, check=False)
    totals.add("hostile, sessions that die or wedge")


class Supervisor:
    """Its figures, as /proc has them."""

    def __init__(self, pid):
        self.path = pathlib.Path(f"/proc/{pid}")

    def look(self):
        status = (self.path / "status").read_text()
        return {"RSS KiB": int(re.search(r"VmRSS:\s+(\d+)", status).group(1)),
                "descriptors": len(os.listdir(self.path / "fd")),
                "threads": len(os.listdir(self.path / "task"))}


@unittest.skipIf(os.geteuid() != 0, "needs root, to be several users")
class Load(unittest.TestCase):

    def places(self, daemon, totals, end):
        """Threads that each bring one client after the other."""
        def enough():
            done = sum(totals.counts.values())
            return time.monotonic() > end and (done >= CLIENTS or time.monotonic() > end + SECONDS)

        # In turn, for all places together: none is left out by chance.
        attacks, kinds = itertools.cycle(ATTACKS), itertools.cycle(NEXT)

        def serve(chance):
            while not enough():
                if next(kinds) == "honest":
                    honest_client(daemon, chance, totals)
                elif chance.random() < 0.2:
                    hostile_process(daemon, next(attacks), chance.choice(HOSTILE), totals, end)
                else:
                    hostile_session(daemon, chance, totals)

        def guarded(seed):
            try:
                serve(random.Random(seed))
            except Exception as error:  # a thread's would be lost
                totals.wrong(repr(error))

        return [threading.Thread(target=guarded, args=(seed,)) for seed in range(PLACES)]

    def run_clients(self, daemon, totals):
        supervisor = Supervisor(daemon.process.pid)
        figures = {"at the start": supervisor.look()}
        begun = time.monotonic()
        threads = self.places(daemon, totals, begun + SECONDS)
        for thread in threads:
            thread.start()
        for name, share in (("after a quarter", 0.25), ("in the middle", 0.5), ("near the end", 1)):
            time.sleep(max(0, begun + share * SECONDS - time.monotonic()))
            figures[name] = supervisor.look()
        for thread in threads:
            thread.join()
        daemon.settle(LIMIT * 2)
        figures["when all have gone"] = supervisor.look()
        return figures

    def show(self, totals, figures, seconds):
        print(f"\n{sum(totals.counts.values())} clients in {seconds:.0f} s, the slowest honest one "
              f"{totals.slowest:.1f} s")
        for what, n in sorted(totals.counts.items()):
            print(f"  {n:6} {what}")
        for name, n in sorted(totals.refusals.items()):
            print(f"  {n:6} of the refusals by {name}")
        for when, row in figures.items():
            print(f"  supervisor {when}: " + ", ".join(f"{k} {v}" for k, v in row.items()))

    def check_hostile(self, counts):
        hostile_ones = sum(n for what, n in counts.items() if what.startswith("hostile"))
        self.assertGreaterEqual(hostile_ones, HOSTILE_SHARE * sum(counts.values()))
        done = {what.split(", ")[1] for what in counts if what.startswith("hostile")}
        self.assertLessEqual(set(ATTACKS), done)

    def test_load(self):
        totals = Totals()
        shared = set(os.listdir("/dev/shm"))
        begun = time.monotonic()
        with hostile.Users(SETTINGS) as daemon:
            for uid in HONEST + HOSTILE:
                daemon.feed(uid=uid, frames=2).result()
            daemon.fds = len(daemon.descriptors())
            figures = self.run_clients(daemon, totals)
            self.show(totals, figures, time.monotonic() - begun)
            self.assertEqual(totals.errors, [])
            self.assertGreaterEqual(sum(totals.counts.values()), CLIENTS)
            self.assertGreater(totals.counts["honest, complete"], 0)
            self.check_hostile(totals.counts)
            warm, last = figures["after a quarter"], figures["when all have gone"]
            for what, growth in GROWTH.items():
                self.assertLessEqual(last[what] - warm[what], growth, f"{what} of the supervisor")
            pids = [daemon.process.pid, *daemon.children()]
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "all processes end")
        self.assertLessEqual(set(os.listdir("/dev/shm")), shared)


if __name__ == "__main__":
    main()
