#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Encodes IN into OUT through the daemon at SOCKET: oneshot.py SOCKET IN OUT CONTAINER"""
import json
import socket
import sys

CODES = {"complete": 0, "degraded": 10, "truncated": 11, "failed": 12, "cancelled": 13}
path, source, target, container = sys.argv[1:]
call = {"method": "io.vencd.Encoder.Encode",
        "parameters": {"input": 0, "output": 1, "container": container}}

with socket.socket(socket.AF_UNIX) as daemon, open(source, "rb") as i, open(target, "wb") as o:
    daemon.connect(path)
    message = json.dumps(call).encode() + b"\0"
    socket.send_fds(daemon, [message], [i.fileno(), o.fileno()])
    reply = b""
    while not reply.endswith(b"\0"):
        data = daemon.recv(65536)
        reply += data or sys.exit("the daemon closed the connection")

reply = json.loads(reply[:-1])
result = reply["parameters"]
if "error" in reply:
    sys.exit(f"{reply['error']}: {result.get('reason')}; {result.get('advice')}")
print(f"{result['outcome']}: {result['delivery']['frames']} frames, "
      f"{result['delivery']['bytes']} bytes", result["delivery"].get("text", ""))
sys.exit(CODES[result["outcome"]])
