# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The emulated host itself: sd-device and libdrm find the GPUs that were asked for, programs find
what else they need in /sys, and nothing of it is seen outside.
"""

import glob
import os
import pathlib
import unittest

import strangers

GPUS = pathlib.Path(os.environ["VENCD_BUILD"]) / "tests/emulated/emulated-gpus"


class Host(unittest.TestCase):

    def lines(self, *command):
        done = strangers.run(command)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.splitlines())

    def test_both_libraries(self):
        found = self.lines(*strangers.host("a=full", "b=small,1002:73bf,amdgpu,0000:0c:00.1",
                                           "c=idle,10de:2204,nvidia"), GPUS)
        self.assertEqual(found, {
            "sd-device /dev/dri/renderD3 0000:01:00.0 8086:56a0 i915",
            "sd-device /dev/dri/renderD5 0000:0c:00.1 1002:73bf amdgpu",
            "sd-device /dev/dri/renderD7 0000:03:00.0 10de:2204 nvidia",
            "libdrm /dev/dri/renderD3 0000:01:00.0 8086:56a0",
            "libdrm /dev/dri/renderD5 0000:0c:00.1 1002:73bf",
            "libdrm /dev/dri/renderD7 0000:03:00.0 10de:2204",
        })

    def test_none(self):
        self.assertEqual(self.lines(*strangers.host(), GPUS), set())

    def test_without_udev(self):
        """As in a container: the node is there, and no database that tells of it."""
        found = self.lines(strangers.HOST, "--no-udev", "--gpu", "a=full", GPUS)
        self.assertEqual(found, {"libdrm /dev/dri/renderD3 0000:01:00.0 8086:56a0"})

    def test_processors(self):
        inside = self.lines(*strangers.host("a=full"), "cat", "/sys/devices/system/cpu/online")
        self.assertEqual(inside, self.lines("cat", "/sys/devices/system/cpu/online"))

    def test_outside(self):
        before = self.lines("cat", "/proc/self/mountinfo")
        self.lines(*strangers.host("a=full"), "true")
        self.assertEqual(before, self.lines("cat", "/proc/self/mountinfo"))

    def test_nothing_stays(self):
        """Not even the directories that things are mounted on, where the host had none."""
        bare = ("mount -t tmpfs dev /dev && mount -t tmpfs run /run && mkdir /run/other &&"
                " mknod -m 666 /dev/null c 1 3 && ln -s null /dev/link && mkdir /dev/shm &&"
                ' "$@" && find /dev /run -not -path /run/mount -printf "%p %y\\n"')
        inside = ("test -c $EMULATED_NODE_a && test -c /dev/link &&"
                  " test -d /run/other && test -d /dev/shm")
        before = set(glob.glob("/tmp/emulated*"))
        found = self.lines("unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
                           f"{bare}; true", "sh", *strangers.host("a=full"), "sh", "-c", inside)
        self.assertEqual(set(glob.glob("/tmp/emulated*")) - before, set())
        self.assertEqual(found, {"/dev d", "/dev/null c", "/dev/link l", "/dev/shm d", "/run d",
                                 "/run/other d"})

    def test_nodes_by_name(self):
        done = strangers.run([*strangers.host("a=full", "b=idle"), "sh", "-c",
                              "echo $EMULATED_NODE_a $EMULATED_NODE_b; cat $EMULATED_DEVICES"])
        self.assertEqual(done.stdout.split("\n")[0], "/dev/dri/renderD3 /dev/dri/renderD5")
        self.assertEqual([line.split() for line in done.stdout.splitlines()[1:]],
                         [["1:3", "full"], ["1:5", "idle"]])

    def test_wrong_words(self):
        for gpu in ("full", "a=full,8086", "a b=full"):
            self.assertNotEqual(strangers.run([*strangers.host(gpu), "true"]).returncode, 0, gpu)


if __name__ == "__main__":
    unittest.main(verbosity=2)
