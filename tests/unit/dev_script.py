# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""./dev itself: a copy of it in a tree of its own, where what it calls are stand-ins, which build
and mount nothing. What is seen is what it makes of wrong words, of tests' results, and of its list
of packages.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]

# Tests as meson tells of them; each ends as its name says.
MESON = '''#!/usr/bin/env python3
import json, pathlib, sys
tests = [{"name": "good", "suite": ["vencd:unit"]}, {"name": "bad", "suite": ["vencd:unit"]},
         {"name": "good-twice", "suite": ["vencd:unit", "vencd:asan"]}]
word, rest = sys.argv[1], sys.argv[2:]
if any(argument.endswith("-fuzz") for argument in rest):
    tests = []
if word == "setup":
    pathlib.Path(rest[0]).mkdir(parents=True)
elif word == "introspect":
    print(json.dumps(tests))
elif word == "test":
    logs = pathlib.Path(rest[rest.index("-C") + 1], "meson-logs")
    logs.mkdir(exist_ok=True)
    names = [test["name"] for test in tests]
    run = [name for name in names if name in rest] or names  # without a name it runs all
    (logs / (rest[rest.index("--logbase") + 1] + ".json")).write_text("".join(
        json.dumps({"name": name, "result": "FAIL" if name == "bad" else "OK"}) + "\\n"
        for name in run))
    sys.exit("bad" in run)
'''
# Becomes its command, but for the step into the root, whose name it tells instead.
UNSHARE = '''#!/bin/bash
while [[ $1 == -* ]]; do shift; done
if [[ ${2:-} == --mount ]]; then echo "$3"; else exec "$@"; fi
'''
MMDEBSTRAP = '''#!/bin/bash
for word; do [[ $word != *.new ]] || mkdir "$word"; done
'''
STANDINS = {"meson": MESON, "unshare": UNSHARE, "mmdebstrap": MMDEBSTRAP,
            "dpkg-query": "#!/bin/sh\necho installed\n",
            **dict.fromkeys(("ninja", "apt-get", "apt-config"), "#!/bin/sh\n")}


class Dev(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vencd-dev-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.script = self.path / "tree/dev"
        self.script.parent.mkdir()
        (self.path / "bin").mkdir()
        self.write(self.script, (SOURCE / "dev").read_text(encoding="utf-8"))
        for name, text in STANDINS.items():
            self.write(self.path / "bin" / name, text)

    def write(self, path, text):
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run_it(self, *words, expect, root="native"):
        """What it wrote to stdout, and to stderr."""
        environment = {"PATH": f"{self.path}/bin:{os.environ['PATH']}", "HOME": str(self.path),
                       "VENCD_MIRROR": "nowhere", **({"VENCD_DEV_ROOT": root} if root else {})}
        done = subprocess.run([self.script, *words], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env=environment, timeout=60)
        self.assertEqual(done.returncode, expect, done)
        return done.stdout, done.stderr

    def test_words(self):
        self.assertIn("usage: ./dev", self.run_it("--help", expect=0)[0])
        for words in ((), ("nonsense",), ("--nonsense",)):
            out, errors = self.run_it(*words, expect=2)
            self.assertEqual(out, "")
            self.assertIn("usage: ./dev", errors)
            self.assertIn(f"there is no command '{''.join(words)}'", errors)
        for words in (("--suite",), ("--suite", "../x", "build")):
            self.assertIn("wants the name of a Debian suite", self.run_it(*words, expect=1)[1])
        self.assertIn("run what?", self.run_it("run", expect=1)[1])
        self.assertIn("inside native already",
                      self.run_it("--suite", "testing", "build", expect=1)[1])

    def test_results(self):
        self.assertEqual(self.run_it("test", "good", expect=0)[0], "3 passed, 0 failed\n")
        out, errors = self.run_it("test", expect=1)
        self.assertEqual(out, "3 passed, 1 failed\n")
        self.assertIn("FAILED: plain: bad (FAIL)", errors)

    def test_no_test_is_no_success(self):
        out, errors = self.run_it("test", "nonsense", expect=1)
        self.assertEqual(out, "0 passed, 0 failed\n")
        self.assertIn("no test ran", errors)

    def test_what_does_not_build(self):
        self.write(self.path / "bin/ninja", "#!/bin/sh\nexit 1\n")
        self.assertIn("FAILED: plain: the build", self.run_it("test", "good", expect=1)[1])

    def root(self):
        out, errors = self.run_it("--suite", "testing", "run", "true", expect=0, root=None)
        return out, "building a Debian testing root" in errors

    def test_root_is_built_once_for_its_packages(self):
        first, built = self.root()
        self.assertTrue(built)
        self.assertRegex(first, r"/\.cache/vencd/root-testing-[0-9a-f]{12}\n$")
        self.assertEqual(self.root(), (first, False))
        text = self.script.read_text(encoding="utf-8")
        self.write(self.script, text.replace("packages='\n", "packages='\n\tone-more\n", 1))
        second, built = self.root()
        self.assertTrue(built)
        self.assertNotEqual(second, first)
        self.assertFalse(os.path.exists(first.strip()), "the older one is in the way")


if __name__ == "__main__":
    unittest.main(verbosity=2)
