#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Clients that do what no client should, as another user: hostile_client.py ATTACK SOCKET UID

Says "ready" when its attack stands, goes on until the end of stdin, and then ends. An attack is a
generator: what it does before its first yield is done once, what comes after each is repeated.
"""

import array
import ctypes
import json
import mmap
import os
import random
import select
import socket
import struct
import sys
import threading
import time

import fuse

SCM_MAX_FD = 253
BATCH = 100
LINGER_S = 30
DESCRIPTION = {"codecs": ["av1"], "width": 64, "height": 64, "format": "i420", "backend": "null",
               "timeBase": {"num": 1, "den": 30}}


def message(method, parameters=None, **flags):
    call = {"method": f"io.vencd.Encoder.{method}", "parameters": parameters or {}, **flags}
    return json.dumps(call).encode() + b"\0"


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(1)
    client.connect(path)
    return client


def send_fds(client, data, fds):
    client.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


def call(client, method, parameters=None):
    """The reply and its descriptors."""
    client.sendall(message(method, parameters))
    data, fds = b"", []
    while not data.endswith(b"\0"):
        more, new, _, _ = socket.recv_fds(client, 65536, SCM_MAX_FD)
        if not more:
            raise ConnectionResetError("closed by the daemon")
        data += more
        fds += new
    return json.loads(data[:-1]), fds


def ignore_refusals(attack, *arguments):
    """A connection that the daemon closed, or did not take, is what it should do."""
    try:
        return attack(*arguments)
    except OSError:
        return None


def lingering_socket():
    """Closing it takes LINGER_S: what it has to send is never read."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.create_connection(listener.getsockname())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER_S))
    client.setblocking(False)
    try:
        while True:
            client.send(bytes(1 << 16))
    except BlockingIOError:
        return client, listener


def silent_file():
    return os.open(os.environ["SILENT_FILE"], os.O_RDWR)


def send_and_leave(path, fds, data=b"x"):
    """The descriptors stay in the message alone."""
    with connect(path) as client:
        send_fds(client, data, fds)


# Descriptors that take long to close


def fuse_file(path):
    while True:
        fd = silent_file()
        # The copy here stays: closing it would be for ever.
        ignore_refusals(send_and_leave, path, [fd], message("ListSessions"))
        yield


def linger(path):
    listeners = []
    while True:
        client, listener = lingering_socket()
        listeners.append(listener)
        ignore_refusals(send_and_leave, path, [client.fileno()])
        # Ours must not be the last: a process that ends does not linger.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER_S))
        threading.Thread(target=client.close, daemon=True).start()
        yield


def encode_silent(path):
    """One-shot requests whose input never comes."""
    held = []
    while True:
        client = ignore_refusals(connect, path)
        if client and len(held) < 3:
            request = message("Encode", {"input": 0, "output": 1, "container": "mkv"})
            ignore_refusals(send_fds, client, request,
                            [silent_file(), os.open("/dev/null", os.O_WRONLY)])
            held.append(client)
        yield


# Bytes


def half_request(path):
    """16 MiB of one request, without its end."""
    start = message("ListSessions")[:-3] + b', "more": "'
    held = None
    while True:
        client = ignore_refusals(connect, path)
        if client and ignore_refusals(send_all, client, start, b"x" * (15 << 20)):
            held = client  # the one before is closed
        yield


def silence(path):
    """Connections that send nothing."""
    held = []
    for _ in range(500):
        client = ignore_refusals(connect, path)
        if client:
            held.append(client)
    while True:
        yield


def bytewise(path):
    """A request that is cut off after each of its bytes."""
    whole = message("OpenSession", DESCRIPTION)
    while True:
        for n in range(1, len(whole)):
            client = ignore_refusals(connect, path)
            if client:
                ignore_refusals(client.sendall, whole[:n])
                client.close()
        yield


def garbage(path):
    chance = random.Random(1)
    whole = message("OpenSession", DESCRIPTION)
    while True:
        client = ignore_refusals(connect, path)
        for _ in range(BATCH if client else 0):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(len(data) - 1)] = chance.randrange(1, 256)
            if ignore_refusals(client.sendall, data) is None:
                select.select([client], [], [], 0.001)
        if client:
            client.close()
        yield


def send_all(client, *parts):
    for part in parts:
        client.sendall(part)
    return True


def fd_flood(path):
    """As many descriptors as a message can have, again and again."""
    null = os.open("/dev/null", os.O_RDONLY)
    while True:
        client = ignore_refusals(connect, path)
        if client:
            client.setblocking(False)
            for _ in range(BATCH):
                ignore_refusals(send_fds, client, b"\n", [null] * SCM_MAX_FD)
            client.close()
        yield


def unread_replies(path):
    """Sessions whose replies, and the descriptors in them, nobody reads."""
    held = []
    while True:
        client = ignore_refusals(connect, path)
        if client:
            client.setblocking(False)
            for _ in range(BATCH):
                ignore_refusals(client.send, message("OpenSession", DESCRIPTION))
            held.append(client)
        if len(held) > 4:
            held.pop(0).close()
        yield


# Shared memory


def open_session(path, **more):
    client = connect(path)
    reply, fds = call(client, "OpenSession", {**DESCRIPTION, **more})
    if "error" in reply:
        for fd in fds:
            os.close(fd)
        raise ConnectionRefusedError(reply["error"])
    return client, reply["parameters"], fds


def wedge_channels(path):
    """Reads and writes every channel of a session with a buffer that is never there."""
    libc = ctypes.CDLL(None)
    memory = mmap.mmap(silent_file(), fuse.SIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    held = []
    while True:
        opened = ignore_refusals(open_session, path) if len(held) < 2 else None
        if opened:
            client, _, fds = opened
            # Whatever is readable later is read into it; what is writable is written from it.
            for use, fd in ((libc.read, fds[6]), (libc.write, fds[3]), (libc.write, fds[5])):
                threading.Thread(target=use, args=(fd, ctypes.c_void_p(address), 64),
                                 daemon=True).start()
            # The frame makes the encoder write, and the reader sleep with what it got.
            submit = mmap.mmap(fds[1], 0)
            struct.pack_into("<IIq", submit, 4096, 0, 0, 0)
            memoryview(submit).cast("I")[6] = 1
            memoryview(submit).cast("Q")[1] = 1
            held.append((client, fds, submit))
            time.sleep(0.2)
            memoryview(submit).cast("Q")[2] = 2  # finished: it ends, and everything is closed
        yield


def scribble(path):
    """Maps all that can be written, and writes over it while it is read."""
    chance = random.Random(2)
    while True:
        opened = ignore_refusals(open_session, path)
        if opened:
            client, _, fds = opened
            maps = [mmap.mmap(fd, 0) for fd in fds[:2]]
            end = time.monotonic() + 0.2
            while time.monotonic() < end:
                for m in maps:
                    place = chance.randrange(0, min(len(m), 8192) // 8) * 8
                    m[place:place + 8] = chance.randbytes(8)
                ignore_refusals(os.write, fds[5], b"x" * 100)
            client.close()
            for fd in fds:
                os.close(fd)
        yield


ATTACKS = {attack.__name__: attack for attack in (
    fuse_file, linger, encode_silent, half_request, silence, bytewise, garbage, fd_flood,
    unread_replies, wedge_channels, scribble)}
NEED_FUSE = ("fuse_file", "encode_silent", "wedge_channels")


def run(name, path, uid):
    os.setgid(uid)
    os.setuid(uid)
    steps = ATTACKS[name](path)
    next(steps)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        next(steps)
    os._exit(0)


def main():
    name, path, uid = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if name not in NEED_FUSE:
        run(name, path, uid)
    # The file is served by a process of its own: one that served itself could never end.
    device = fuse.mount(os.environ["SILENT_FILE"])
    if os.fork() == 0:
        os.close(device)
        run(name, path, uid)
    threading.Thread(target=fuse.serve, args=(device,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
