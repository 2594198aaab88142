# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The documents against the programs: options of the tools in both directions, commands and links
of README.md, fields of reports in the interface and in the schema. Sets are compared whole, so what
one side has alone is named.
"""

import json
import os
import pathlib
import re
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["VENCD_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]


def read(name):
    return (SOURCE / name).read_text(encoding="utf-8")


def help_of(program, *command):
    return subprocess.run([BUILD / program, *command, "--help"], text=True, check=True,
                          stdout=subprocess.PIPE, timeout=60).stdout


def options_of_help(text):
    """What stands first in a line of a list of options, as in '  --codec LIST   av1, ...'."""
    found = set()
    for line in text.splitlines():
        if re.match(r" +-", line):
            head = re.split(r"  +", line.strip())[0]
            found |= set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", head))
    return found


def options_of_page(text):
    """What the items of the page's lists define."""
    found = set()
    for line in re.findall(r"^\.It (Fl .*)$", text, re.MULTILINE):
        found |= {"-" + name.replace("\\-", "-") for name in re.findall(r"Fl (\S+)", line)}
    return found


def bounds():
    """Name, value and file of each row below the headline Bounds."""
    text = read("docs/architecture.md").split("\n## Bounds\n")[1]
    return re.findall(r"^\| `([^`]+)` \| ([^|]+?) \| ([^|]+?) \|", text, re.MULTILINE)


def code_of(text):
    """The indented blocks of a Markdown text, without comments."""
    blocks = re.findall(r"^    (.*)$", text, re.MULTILINE)
    return [re.split(r"\s+#", line)[0] for line in blocks]


class Pages(unittest.TestCase):

    def test_vencctl(self):
        page = options_of_page(read("docs/vencctl.1")) - {"-h"}  # --help's short form
        shown = options_of_help(help_of("vencctl", "encode"))
        self.assertGreater(len(shown), 15)
        self.assertEqual(page, shown)

    def test_vencctl_commands(self):
        page = set(re.findall(r"^\.It Cm (\w+)", read("docs/vencctl.1"), re.MULTILINE))
        shown = set(re.findall(r"^  (\w+) ", help_of("vencctl").split("Options")[0], re.MULTILINE))
        self.assertIn("encode", shown)
        self.assertEqual(page, shown)

    def test_vencd(self):
        page = options_of_page(read("docs/vencd.8"))
        shown = options_of_help(help_of("vencd"))
        self.assertIn("--config", shown)
        self.assertEqual(page, shown)

    def test_exit_codes(self):
        page = read("docs/vencctl.1").split(".Sh EXIT STATUS")[1]
        stated = set(re.findall(r"^\.It (\d+)$", page, re.MULTILINE))
        said = help_of("vencctl").split("Exit codes:")[1]
        self.assertEqual(stated, set(re.findall(r"\b\d+\b", said)))


class Bounds(unittest.TestCase):

    def test_names(self):
        self.assertGreater(len(bounds()), 80)
        for name, _, file in bounds():
            self.assertRegex(read(file), rf"\b{name}\b", file)

    def test_settings(self):
        """All those that bound something, with their defaults."""
        text = subprocess.run([BUILD / "vencd", "--config", os.devnull, "--check-config"],
                              text=True, check=True, stdout=subprocess.PIPE, timeout=60).stdout
        default = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
        no_bounds = {"Socket", "SocketMode", "LogLevel", "EncoderThreads",
                     "Hardware", "DenyOverride",
                     "SoftwareEncoders", "NullEncoder", "NullProbeScript", "DriverEnvironment",
                     "FullProof", "RequireWalls", "StateDirectory"}
        stated = {name: value for name, value, _ in bounds() if name in default}
        self.assertEqual(stated, {k: v for k, v in default.items() if k not in no_bounds})


def idl_types():
    """The fields of each type of io.vencd.Encoder, as the front has them."""
    found = {}
    blocks = re.split(r"static SD_VARLINK_DEFINE_STRUCT_TYPE\(\s*", read("daemon/front/idl.c"))[1:]
    for block in blocks:
        block = block.split(";\n\n")[0]
        name = re.match(r"\w+", block).group(0)
        found[name] = set(re.findall(r"\b(?:FIELD|TYPED)\((\w+),", block))
    text = read("daemon/front/idl.c").split("#define PARAMETERS(F, T)")[1].split("\n\n")[0]
    found["Parameters"] = set(re.findall(r"\b[FT]\((\w+),", text))
    return found


def report_objects():
    """The same of each object of a report, by the names of the types."""
    schema = json.loads(read("docs/report.schema.json"))
    defs = schema["$defs"]
    params, attempt = defs["params"]["properties"], defs["attempt"]["properties"]
    objects = {"Report": schema, "Parameters": defs["params"], "Attempt": defs["attempt"],
               "Forensics": defs["forensics"], "Rational": defs["rational"],
               "Chromaticity": defs["chromaticity"], "Colour": params["colour"],
               "Hdr": params["hdr"], "Leaked": attempt["leaked"],
               "Suspect": attempt["suspect"],
               "Arguments": defs["forensics"]["properties"]["arguments"]}
    return {name: set(o["properties"]) for name, o in objects.items()}


class Interface(unittest.TestCase):

    def test_reports(self):
        """A field that only one of them knows is one that some reader of reports refuses."""
        types = idl_types()
        for name, fields in report_objects().items():
            with self.subTest(name):
                self.assertTrue(fields)
                self.assertEqual(types[name], fields)


class Readme(unittest.TestCase):

    def test_dev_commands(self):
        text = read("README.md")
        named = {line.split()[1] for line in code_of(text) if line.startswith("./dev ")}
        lists = re.search(r"`\./dev --help` lists the rest: ([^.]*)\.", text)
        named |= {word.split()[0] for word in re.findall(r"`([^`]*)`", lists.group(1))}
        exist = set(re.findall(r"^#   (\w+)", read("dev"), re.MULTILINE))
        self.assertIn("demo", exist)
        self.assertEqual(named, exist)

    def test_vencctl_lines(self):
        """Options and commands of the examples exist."""
        commands = {"devices", "encode", "sessions", "quota", "doctor", "report"}
        options = options_of_help(help_of("vencctl", "encode"))
        lines = [line for line in code_of(read("README.md")) if "vencctl " in line]
        self.assertTrue(lines)
        for line in lines:
            words = line.split("vencctl ")[1].split()
            self.assertIn(next(w for w in words if not w.startswith("-")), commands, line)
            self.assertLessEqual({w for w in words if re.match("--?[a-z]", w)}, options, line)

    def test_links(self):
        for name in ("README.md", "docs/architecture.md", "docs/protocol.md"):
            for link in re.findall(r"\]\((?!https?:)([^)#]+)", read(name)):
                self.assertTrue(((SOURCE / name).parent / link).exists(), f"{name}: {link}")

    def test_nothing_is_left_open(self):
        for name in ("README.md", "docs/architecture.md", "docs/protocol.md", "docs/encoders.md"):
            self.assertNotRegex(read(name), r"@[A-Z]+@|TODO|FIXME", name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
