# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Probing by proof: what a case that fails, hangs or crashes costs, and what is shown of it.

The null encoder stands in for a device: NullProbeScript says how each probe goes, with a bar
between probes and a slash between the cases of one.
"""

import json
import os
import socket
import subprocess
import sys
import time
import unittest

from harness import Daemon, main, run_tool, until

SETTINGS = {"FullProof": "null", "SoftwareEncoders": ""}
CASES = ["base", "vbr", "capped_vbr", "cbr", "quality live", "vbr live"]


def fault(case, script, then=""):
    """The script of one probe, with a fault in one case."""
    return "/" * CASES.index(case) + script + "/" + then


class Proof(unittest.TestCase):

    def daemon(self, script="", **settings):
        return Daemon({**SETTINGS, "NullProbeScript": script, **settings})

    def settled(self, daemon, limit=60):
        def row():
            row = daemon.counters()
            return row["state"] not in ("probing", "untested") and row
        return until(row, "the probe ends", limit)

    def rows(self, daemon):
        """Without waiting for probes, as vencctl does."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(daemon.socket))
            link.sendall(b'{"method":"io.vencd.Encoder.ListDevices","parameters":{}}\0')
            reply = b""
            while not reply.endswith(b"\0"):
                reply += link.recv(65536)
        return {row["encoder"]: row for row in json.loads(reply[:-1])["parameters"]["devices"]}

    def cases(self, row):
        return {evidence["case"]: evidence for evidence in row["proof"]}


class Cases(Proof):

    def test_all_pass(self):
        begin = time.time()
        with self.daemon() as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "proven", row)
            self.assertGreaterEqual(row["probedUs"] / 1e6, begin)
            self.assertGreater(row["pixelRate"], 0)
            cases = self.cases(row)
            self.assertEqual(list(cases)[:len(CASES)], CASES)
            self.assertEqual({e["state"] for e in cases.values()}, {"passed"})
            self.assertEqual(cases["base"]["packets"], 30)
            self.assertEqual((cases["8192x8192"]["width"], row["maxWidth"]), (8192, 8192))
            text = run_tool("--socket", daemon.socket, "devices", "--verbose").stdout
            for name in cases:
                self.assertIn(name, text)

    def test_base_alone(self):
        with self.daemon(FullProof="hardware", SoftwareEncoders="libx264") as daemon:
            row = self.settled(daemon)
            self.assertEqual(list(self.cases(row)), ["base"])
            until(lambda: daemon.counters("libx264")["state"] == "proven", "x264's probe")
            proof = self.cases(daemon.counters("libx264"))
            self.assertEqual(list(proof), ["base"])
            self.assertGreater(proof["base"]["psnr"], 30)

    def test_an_error_costs_what_it_was_about(self):
        with self.daemon(fault("quality live", "send:3:error")) as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "degraded", row)
            self.assertIn("quality live (library)", row["detail"])
            self.assertEqual(self.cases(row)["quality live"]["state"], "failed")
            self.assertEqual(self.cases(row)["quality live"]["status"], "library")
            self.assertNotIn("quality", row["rateControls"]["live"])
            self.assertIn("quality", row["rateControls"]["file"])
            # It takes work, but none that it has failed at.
            self.assertEqual(daemon.feed(frames=3).result()["report"]["outcome"], "complete")
            self.assertIn("rate control", daemon.feed(frames=1, latency="live").refusal())

    def test_what_is_refused_is_tried_again(self):
        """Want of a session says nothing of a rate control, unless there is never one."""
        refused = fault("vbr", "open:1:error:busy")
        with self.daemon(f"{refused}||{refused}", QuarantineMin="500ms") as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "degraded", row)
            self.assertIn("vbr (busy)", row["detail"])
            self.assertTrue(row["probing"] or "paroleUs" in row, row)
            self.assertNotIn("vbr", row["rateControls"]["file"])  # it was not seen
            self.assertIn("cbr", row["rateControls"]["file"])
            proven = until(lambda: (row := daemon.counters())["state"] == "proven" and row, "vbr")
            self.assertIn("vbr", proven["rateControls"]["file"])
            self.assertNotIn("paroleUs", proven)
            # What was proved stays.
            run_tool("--socket", daemon.socket, "probe", "null")
            until(lambda: 'its case "vbr" was refused: busy' in daemon.messages(), "its refusal")
            row = daemon.counters()
            self.assertEqual((row["state"], row["rateControls"], row["probedUs"]),
                             ("proven", proven["rateControls"], proven["probedUs"]))
            # In the end it counts as what it cannot do.
            row = until(lambda: (row := daemon.counters())["state"] == "degraded" and row,
                        "its end")
            self.assertNotIn("vbr", row["rateControls"]["file"])
            self.assertNotIn("paroleUs", row)
            self.assertEqual(daemon.messages().count("was refused: busy"), 3)

    def test_garbage(self):
        with self.daemon(fault("vbr", "receive:2:garbage:pts")) as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "degraded", row)
            self.assertIn("no frame", self.cases(row)["vbr"]["text"])
            self.assertNotIn("vbr", row["rateControls"]["file"])
            self.assertIn("vbr", row["rateControls"]["live"])

    def test_the_base_must_pass(self):
        with self.daemon(fault("base", "receive:2:garbage:pts")) as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "broken", row)
            self.assertEqual(list(self.cases(row)), ["base"])


class Ends(Proof):

    def check_broken(self, script, state, words, **settings):
        settings = {"SoftwareEncoders": "libx264", "QuarantineMin": "1h", "QuarantineMax": "1h",
                    **settings}
        with self.daemon(fault("cbr", script), **settings) as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "broken", row)
            self.assertIn('in its case "cbr"', row["detail"])
            for word in words:
                self.assertIn(word, row["detail"])
            cases = self.cases(row)
            self.assertEqual(list(cases), ["base", "vbr", "capped_vbr", "cbr"])
            self.assertEqual([e["state"] for e in cases.values()], ["passed"] * 3 + [state])
            # That encoder, and nothing else.
            until(lambda: daemon.counters("libx264")["state"] == "proven", "x264's probe")
            fine = daemon.feed(frames=3, backend="software", codec="h264", speed=13)
            self.assertEqual(fine.result()["report"]["outcome"], "complete")
            self.assertIn("NoEncoder", daemon.feed(frames=1).refusal())
            return row

    def test_hang(self):
        row = self.check_broken("send:3:hang", "hung", ["did not return within"],
                                ProbeBudget="2s")
        self.assertEqual(row["abandoned"], 1)

    def test_crash(self):
        row = self.check_broken("flush:1:crash", "crashed", ["signal 11"])
        self.assertEqual(row["crashed"], 1)

    def test_exit(self):
        self.check_broken("close:1:exit:7", "crashed", ["status 7"])

    def test_lost_device(self):
        with self.daemon(fault("cbr", "send:3:lost")) as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "broken", row)
            self.assertIn("device-lost", row["detail"])

    def test_each_case_has_its_deadline(self):
        """All of them take several times the budget."""
        with self.daemon("open:1:slow:700", ProbeBudget="3s") as daemon:
            row = self.settled(daemon)
            self.assertEqual(row["state"], "proven", row)
            self.assertGreater(sum(e["ms"] for e in row["proof"]), 6000)

    def test_parole(self):
        """What was never proved is proved in full; what has failed since is looked at only."""
        script = fault("cbr", "send:3:crash") + "||"
        with self.daemon(script, QuarantineMin="1s") as daemon:
            until(lambda: daemon.counters()["state"] == "broken", "it is broken")
            until(lambda: daemon.counters()["state"] == "proven", "its parole", 60)
            cases = self.cases(daemon.counters())
            self.assertGreater(len(cases), len(CASES))
            self.assertEqual(cases["cbr"]["state"], "passed")

    def test_a_verdict_is_about_the_base(self):
        script = fault("vbr", "send:3:error") + "|"
        with self.daemon(script) as daemon:
            self.settled(daemon)
            report = daemon.feed(frames=8, script="send:2:crash").result()["report"]
            self.assertEqual(report["attempts"][0]["end"], "crashed", report)
            row = until(lambda: (c := daemon.counters())["strikes"] == 1 and c, "the verdict")
            # What it lacks is not forgotten.
            self.assertEqual(row["state"], "degraded", row)
            self.assertNotIn("vbr", row["rateControls"]["file"])
            self.assertGreater(len(row["proof"]), len(CASES))


class Start(Proof):

    def test_ready_before_the_probes_end(self):
        """A session that comes earlier waits for the probe that it needs."""
        with self.daemon("open:1:slow:500") as daemon:  # the daemon has notified: it is ready
            feeder = daemon.feed(frames=3)
            self.assertNotIn("proven by", daemon.messages())
            self.assertEqual(feeder.result()["report"]["outcome"], "complete")
            self.assertEqual(daemon.counters()["state"], "proven")

    def test_a_request_does_not_wait_for_ever(self):
        script = "open:1:slow:2500"
        settings = {"ProbeBudget": "10s", "ProbeWait": "1s", "SoftwareEncoders": "libx264"}
        with self.daemon(script, **settings) as daemon:
            errors = daemon.feed(frames=1).refusal()
            self.assertIn("NoEncoder", errors)
            self.assertIn("ProbeWait", errors)
            self.assertNotIn("null: proven by", daemon.messages())

    def test_those_that_try_all_take_turns(self):
        settings = {"ProbesAtOnce": 1, "FullProof": "null software",
                    "SoftwareEncoders": "libx264 libx265", "ProbeBudget": "30s"}
        with self.daemon("open:1:slow:300", **settings) as daemon:
            # The supervisor starts them before it is ready: one, and a worker that is warm.
            until(lambda: len(daemon.children("vencd-worker")) >= 1, "a probe")
            self.assertLessEqual(len(daemon.children("vencd-worker")), 2)
            self.assertEqual(self.rows(daemon)["null"]["state"], "untested")
            self.assertTrue(self.rows(daemon)["null"]["probing"])


class Renewal(Proof):

    def probe(self, daemon, *arguments, **keywords):
        return run_tool("--socket", daemon.socket, "probe", *arguments, **keywords)

    def test_probe(self):
        """The second probe finds what the first did not, and the third again."""
        script = "|" + fault("quality live", "send:3:error") + "|"
        with self.daemon(script, FullProof="") as daemon:
            row = self.settled(daemon)
            self.assertEqual((row["state"], len(row["proof"])), ("proven", 1))
            text = self.probe(daemon).stdout
            self.assertIn("quality live", text)
            self.assertIn("failed", text)
            row = daemon.counters()
            self.assertEqual(row["state"], "degraded", row)
            self.assertNotIn("quality", row["rateControls"]["live"])
            self.probe(daemon, "null")
            row = daemon.counters()
            self.assertEqual(row["state"], "proven", row)
            self.assertIn("quality", row["rateControls"]["live"])
            self.assertNotIn("no verdict", daemon.messages())

    def test_a_failed_one_is_a_quarantine(self):
        with self.daemon("|" + fault("vbr", "send:3:crash") + "|", FullProof="",
                         QuarantineMin="1h", QuarantineMax="1h") as daemon:
            self.settled(daemon)
            self.probe(daemon)
            row = daemon.counters()
            self.assertEqual(row["state"], "quarantined", row)
            self.assertIn('in its case "vbr"', row["detail"])
            self.assertIn("NoEncoder", daemon.feed(frames=1).refusal())
            # Its parole is now, for who asks.
            self.probe(daemon)
            self.assertEqual(daemon.counters()["state"], "proven")

    def test_what_it_did_not_survive_is_tried_again(self):
        """Its parole is no look at the base alone, which had passed before, too."""
        with self.daemon("|" + fault("vbr", "send:3:crash") + "|", FullProof="",
                         QuarantineMin="1s", QuarantineMax="1s") as daemon:
            self.settled(daemon)
            self.probe(daemon)
            row = until(lambda: (row := daemon.counters())["state"] not in ("quarantined",)
                        and not row["probing"] and row, "the end of its parole")
            self.assertEqual((row["state"], row["quarantines"]), ("proven", 1), row)
            self.assertEqual(self.cases(row)["vbr"]["state"], "passed")

    def test_no_such_device(self):
        with self.daemon() as daemon:
            self.settled(daemon)
            self.assertIn("no-such-gpu", self.probe(daemon, "no-such-gpu", expect=1).stderr)

    def test_who_may(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to be another user")
        with self.daemon() as daemon:
            self.settled(daemon)
            call = json.dumps({"method": "io.vencd.Encoder.Probe", "parameters": {}})
            child = subprocess.run(
                [sys.executable, "-c", CALL, daemon.socket, call], user=60003, check=True,
                stdout=subprocess.PIPE, text=True)
            self.assertEqual(json.loads(child.stdout)["error"], "io.vencd.Encoder.NotAllowed")
            self.assertFalse(daemon.counters()["probing"])


# One call over a socket, as the user that runs it.
CALL = """
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(sys.argv[2].encode() + b"\\0")
    print(s.recv(65536).rstrip(b"\\0").decode())
"""

if __name__ == "__main__":
    main()
