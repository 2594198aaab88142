#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Writes VA_STATUS(NAME) for every status that the installed <va/va.h> defines.

usage: va_statuses.py OUTPUT COMPILER...
"""
import re
import subprocess
import sys


def main():
    output, *compiler = sys.argv[1:]
    run = [*compiler, "-dM", "-E", "-include", "va/va.h", "-x", "c", "/dev/null"]
    macros = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout
    names = re.findall(r"^#define (VA_STATUS_\w+) ", macros, re.MULTILINE)
    with open(output, "w") as file:
        file.writelines(f"VA_STATUS({name})\n" for name in sorted(names))
    return 0 if names else 1


if __name__ == "__main__":
    sys.exit(main())
