# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""In the place of a worker: writes to stderr from memory that never comes.

A page of it is missing, and who is to bring it (userfaultfd) does not, like a driver's mapping of a
device that hangs. The write sleeps in the kernel, in the midst of copying.
"""

import ctypes
import mmap
import os
import struct
import sys

SYS_USERFAULTFD = {"x86_64": 323, "aarch64": 282}[os.uname().machine]
UFFDIO_API = 0xC018AA3F
UFFDIO_REGISTER = 0xC020AA00
UFFD_API = 0xAA
MODE_MISSING = 1


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_USERFAULTFD, os.O_CLOEXEC)
    if fd < 0:
        return 1
    memory = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    api = ctypes.create_string_buffer(struct.pack("QQQ", UFFD_API, 0, 0))
    range_ = ctypes.create_string_buffer(
        struct.pack("QQQQ", address, mmap.PAGESIZE, MODE_MISSING, 0))
    if (libc.ioctl(fd, ctypes.c_ulong(UFFDIO_API), api) < 0 or
            libc.ioctl(fd, ctypes.c_ulong(UFFDIO_REGISTER), range_) < 0):
        return 1
    os.write(2, b"about to be stuck\n")
    libc.write(2, ctypes.c_void_p(address), 100)
    return 1


if __name__ == "__main__":
    sys.exit(main())
