#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Writes a C table of this architecture's system calls, as its kernel headers number them.

usage: syscalls.py OUTPUT COMPILER...
"""
import re
import subprocess
import sys

NO_CALL = {"syscalls", "arch_specific_syscall", "SYSCALL_MASK"}


def main():
    output, *compiler = sys.argv[1:]
    run = [*compiler, "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"]
    text = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout
    names = sorted(set(re.findall(r"#define SYS_(\w+) __NR_", text)) - NO_CALL)
    with open(output, "w", encoding="utf-8") as file:
        file.writelines(f'[SYS_{name}] = "{name}",\n' for name in names)
    return 0 if "read" in names or "write" in names else 1


if __name__ == "__main__":
    sys.exit(main())
