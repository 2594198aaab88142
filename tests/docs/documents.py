# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""The documents against the programs: options of the tools in both directions, commands and links
of README.md, fields of reports in the interface and in the schema, tables of encoders. Sets are
compared whole, so what one side has alone is named.
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


def rows_below(name, headline):
    """Cells of the rows of the first table below a headline, without its head."""
    text = ("\n" + read(name)).split(f"\n{headline}\n")[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE).group(0)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [cells[0], *cells[2:]]


class Encoders(unittest.TestCase):
    """docs/encoders.md against the catalogue and the plans, which encoders.c prints."""

    CODECS = {"AV1": "av1", "H.264": "h264", "HEVC": "hevc", "VP9": "vp9"}

    @classmethod
    def setUpClass(cls):
        out = subprocess.run([BUILD / "tests/docs/encoders"], text=True, check=True,
                             stdout=subprocess.PIPE, timeout=60).stdout
        said = json.loads(out)
        cls.limits, cls.speeds, cls.delay = said["limits"], said["speeds"], said["vaapi_delay"]

    def rows(self, headline):
        return rows_below("docs/encoders.md", headline)[1:]

    def test_limits(self):
        rows = self.rows("# Encoders")
        names = [re.findall(r"`(\w+)`", row[0]) for row in rows]
        self.assertEqual(sorted(sum(names, [])), sorted(self.limits))
        for encoders, (_, codecs, _, sizes, taken, converted) in zip(names, rows, strict=True):
            codecs = ["any" if c == "any" else self.CODECS[c] for c in codecs.split(", ")]
            for name, codec in zip(encoders, codecs, strict=True):
                row = self.limits[name]
                self.assertEqual(row["codec"], codec, name)
                self.assertIn(row["sizes"], sizes, name)
                self.assertEqual("even" in sizes, row["multiple"] == 2, name)
                long_side = re.search(r"at least (\d+) where the other side is above (\d+)", sizes)
                self.assertEqual([int(n) for n in long_side.groups()] if long_side else [0, 0],
                                 [row["long_side_min"], row["long_side"]], name)
                self.assertEqual(self.formats(taken), set(row["formats"]), name)
                self.assertEqual(self.formats(converted), set(row["converted"]), name)

    def formats(self, cell):
        return {"i420", "nv12", "i010", "p010"} if cell == "all" else \
            {word.lower() for word in cell.split(", ") if word}

    def test_rate_controls(self):
        for rate, _, svtav1, x26x in self.rows("## Rate control"):
            rate = rate.strip("`")
            for name, cell in (("svtav1", svtav1), ("libx264", x26x), ("libx265", x26x)):
                self.assertEqual(self.place(self.limits[name], rate), self.meant(cell),
                                 (name, rate))

    def place(self, row, rate):
        """Where there is this rate control: in which latency, with which kind of frames."""
        kinds = " with" * (rate in row["reordering"]) + " without" * (rate in row["low_delay"])
        return {"live": rate in row["live"], "file": kinds if rate in row["file"] else ""}

    def meant(self, cell):
        if cell == "-":
            return {"live": False, "file": ""}
        kind = re.search(r"file( with| without) B frames", cell)
        live = "live" in cell or ";" not in cell
        return {"live": live, "file": kind[1] if kind else " with without"}

    def test_quality(self):
        text = re.search(r"is the codec's own scale: ((?:.|\n)*?)\)\.\n",
                         read("docs/encoders.md"))[1]
        stated = {}
        for part in text.split("), "):
            least, most = re.match(r"(\d+) to (\d+) for ", part).groups()
            for codec, value in re.findall(r"(\S+) \((?:default )?(\d+)", part):
                stated[self.CODECS[codec]] = [int(least), int(most), int(value)]
        for name, row in self.limits.items():
            if row["codec"] != "any":
                self.assertEqual(row["quality"], stated[row["codec"]], name)

    def test_speed(self):
        """At least 7 without B frames, as the text below the table says."""
        seen = []
        for speeds, svtav1, x26x in self.rows("## Speed"):
            speeds = [int(speed) for speed in speeds.split(", ")]
            plain, _, with_b = svtav1.partition("; ")
            for i, speed in enumerate(speeds):
                preset = int(plain.split(", ")[i])
                b = int(re.match(r"(\d+) with B frames", with_b)[1]) if with_b else preset
                seen.append({"svtav1": max(preset, 7), "svtav1_b": b, "libx264": x26x,
                             "libx265": x26x, "vaapi": self.level(speed)})
        self.assertEqual(self.speeds, seen)

    def level(self, speed):
        head, row = rows_below("docs/encoders.md", "### Speed")
        return next(int(row[i]) for i in range(1, len(head))
                    if str(speed) in head[i].split(", "))

    def test_delay(self):
        stated = {row[0]: [int(n) for n in row[1:]] for row in self.rows("### Delay")}
        self.assertEqual(stated, self.delay)


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
