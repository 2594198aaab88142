#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Checks reports, as JSON a line from a command, against docs/report.schema.json.

usage: front_schema.py SCHEMA COMMAND...

The schema must also refuse a report with any field too many, and without any field that it needs,
or it would say nothing.
"""
import copy
import json
import subprocess
import sys

import jsonschema

ABSENT_WHEN_LEAST = ("cause", "cancelCause", "firstPacketUs")


def check(condition, what):
    if not condition:
        sys.exit(what)


def check_schema_is_strict(validator, report):
    def refused(change, what):
        changed = copy.deepcopy(report)
        change(changed)
        check(not validator.is_valid(changed), f"the schema takes a report {what}")

    for path in ([], ["params"], ["params", "hdr"], ["attempts", 0], ["attempts", 0, "leaked"],
                 ["attempts", 0, "suspect"],
                 ["attempts", 0, "forensics"], ["attempts", 0, "forensics", "arguments"]):
        def add(root, path=path):
            for key in path:
                root = root[key]
            root["nonsense"] = 1
        refused(add, f"with nonsense in {path}")
    for name in validator.schema["required"]:
        refused(lambda r, name=name: r.pop(name), f"without {name}")
    for name in validator.schema["$defs"]["attempt"]["required"]:
        refused(lambda r, name=name: r["attempts"][0].pop(name), f"without attempts[0].{name}")
    refused(lambda r: r["attempts"][0].pop("call"), "of an abandoned call without its name")
    refused(lambda r: r.update(outcome="splendid"), "with an outcome that is none")
    refused(lambda r: r.update(digest=5), "with a digest that is a number")


def check_full(report):
    attempt = report["attempts"][0]
    check(len(report["attempts"]) == 4, "an attempt is missing")
    check(report["digest"] == "f" * 16, "wrong digest")
    check(attempt["digest"] == "00ab00ff12345678", "wrong digest of an attempt")
    check(report["bytes"] == 2**64 - 1, "bytes are not exact")
    check(report["params"]["hdr"]["maxLuminance"] == 2**32 - 1, "wrong luminance")
    check(report["params"]["quality"] == 0 and report["params"]["speed"] == 0, "0 is a value")
    check(report["params"]["bFrames"] is False, "wrong bFrames")
    check(attempt["leaked"] == {"threads": 1, "fds": 12, "bytes": 2**33}, "wrong leaks")
    check(attempt["call"] == "flush" and attempt["callFrame"] == 110, "wrong call")
    check(attempt["waitedMs"] == 5100 and attempt["budgetMs"] == 5000, "wrong times")
    check(attempt["framesChecked"] == 90, "wrong framesChecked")
    check(attempt["suspect"] == {"first": 104, "last": 109}, "wrong suspect frames")
    check(len(attempt["rejected"]) == 8, "a rejected encoder is missing")
    check(attempt["text"].startswith("line one\nline two ?("), "text is not kept or not cleaned")
    check(attempt["forensics"] == {
        "inspected": "in call", "tid": 4713, "thread": "run-7", "state": "D (disk sleep)",
        "syscall": "ioctl (request 0xc0406448)", "wchan": "dma_fence_wait",
        "stack": [f"function_{i}+0x1/0x2" for i in range(8)], "cpuMs": 12,
        "arguments": {"frame": 110, "pts": -5, "bytes": 2**64 - 1, "keyframe": True},
        "messages": ["first ?(", "last"]}, f"wrong forensics: {attempt['forensics']}")
    check("signal" not in attempt and "exitCode" not in attempt, "these mean nothing here")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    run = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, text=True, check=True)
    reports = [json.loads(line) for line in run.stdout.splitlines()]
    for report in reports:
        for error in validator.iter_errors(report):
            print(json.dumps(report, indent=1))
            sys.exit(f"{error.json_path}: {error.message}")
    check_full(reports[0])
    check(not any(name in reports[1] for name in ABSENT_WHEN_LEAST), "what means nothing is there")
    check(reports[1]["attempts"] == [], "no attempt is no array")
    ends = {report["attempts"][0]["end"] for report in reports[2:]}
    named = set(schema["$defs"]["attempt"]["properties"]["end"]["enum"])
    check(ends == named, f"ends without a name, or names without an end: {ends ^ named}")
    check_schema_is_strict(validator, reports[0])
    print(f"{len(reports)} reports are as the schema says")


if __name__ == "__main__":
    main()
