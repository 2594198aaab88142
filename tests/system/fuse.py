# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""A FUSE file that can be opened and mapped, and never answers a read, a write or a flush.

Speaks the kernel's protocol over /dev/fuse without a library. Whoever reads it, touches a mapping
of it, or closes it sleeps until the process that serves it ends, SIGKILL or not.
"""

import ctypes
import errno
import os
import struct

SIZE = 1 << 20
INIT, OPEN, GETATTR, RELEASE, FORGET, INTERRUPT, SETATTR = 26, 14, 3, 18, 2, 36, 4
MS_NOSUID_NODEV = 2 | 4

libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """What keeps this from working here; "" if nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    return "" if os.access("/dev/fuse", os.R_OK | os.W_OK) else "there is no /dev/fuse"


def attributes():
    return struct.pack("<QII6Q10I", 3600, 0, 0, 1, SIZE, SIZE // 512, 0, 0, 0, 0, 0, 0,
                       0o100666, 1, 0, 0, 0, 4096, 0)


def init(_):
    return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 16, 0, 12, 9, 1 << 16, 1, 0, 0, 0)


ANSWERS = {INIT: init, OPEN: lambda _: struct.pack("<QII", 1, 0, 0),
           GETATTR: lambda _: attributes(), SETATTR: lambda _: attributes(),
           RELEASE: lambda _: b""}


def serve(fd):
    while True:
        try:
            request = os.read(fd, 1 << 17)
        except OSError:
            return
        opcode, unique = struct.unpack_from("<IQ", request, 4)
        if opcode in ANSWERS:
            body = ANSWERS[opcode](request)
            os.write(fd, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


def mount(path):
    """Mounts over the file at path, for this process and its children; what serve() is to serve."""
    os.unshare(os.CLONE_NEWNS)
    # In a chroot / is no mount, and the namespace that it stands in is private already.
    private = 1 << 14 | 1 << 18  # MS_REC | MS_PRIVATE
    if libc.mount(b"none", b"/", None, private, None) < 0 and ctypes.get_errno() != errno.EINVAL:
        raise OSError(ctypes.get_errno(), "mount namespace")
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=100666,user_id=0,group_id=0,allow_other"
    if libc.mount(b"silent", os.fsencode(path), b"fuse", MS_NOSUID_NODEV, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), "mount of FUSE")
    return fd
