# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""Rows of the bench, and how they are printed."""
import dataclasses
import statistics

BUSY = 0.05  # others that use more of the machine than this disturb what is measured


@dataclasses.dataclass
class Row:
    """Two sides of one thing: every round's figure of each, in turns."""
    what: str
    unit: str
    ours: list
    theirs: list = dataclasses.field(default_factory=list)
    against: str = ""
    wanted: str = ""  # ">= 0.98" or "<= 0.25", of the medians' ratio ours / theirs
    note: str = ""

    @property
    def ratio(self):
        return statistics.median(self.ours) / statistics.median(self.theirs) if self.theirs else 0

    @property
    def holds(self):
        if not self.wanted:
            return None
        sign, bound = self.wanted.split()
        return self.ratio >= float(bound) if sign == ">=" else self.ratio <= float(bound)

    def as_json(self):
        result = dataclasses.asdict(self)
        if self.theirs:
            result |= {"ratio": round(self.ratio, 4), "holds": self.holds}
        return result


def figure(values):
    """The median, and how far the rounds lie apart."""
    if not values:
        return ""
    middle, spread = statistics.median(values), max(values) - min(values)
    digits = 0 if middle >= 1000 else 1 if middle >= 10 else 2
    return f"{middle:.{digits}f} ±{spread / 2:.{digits}f}"


def columns(lines):
    widths = [max(len(cell) for cell in column) for column in zip(*lines)]
    for line in lines:
        cells = [cell.ljust(width) if i in (0, 1, 3) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        yield "  ".join(cells).rstrip()


def line_of(row):
    holds = {None: "", True: "yes", False: "NO"}[row.holds]
    ratio = f"{row.ratio:.2f}" if row.theirs else ""
    return [row.what, row.unit, figure(row.ours), row.against, figure(row.theirs), ratio,
            row.wanted, holds]


def disturbance(result):
    others = result["others"]
    disturbed = sum(share > BUSY for share in others)
    if disturbed:
        return [f"DISTURBED: in {disturbed} of {len(others)} turns others used more than "
                f"{BUSY:.0%} of the machine, up to {max(others):.0%}; "
                f"{result['repeated']} were repeated"]
    return [f"others used at most {max(others, default=0):.0%} of the machine; "
            f"{result['repeated']} turns with more were repeated"]


def render(result, rows):
    host = result["machine"]
    head = ["what", "unit", "vencd", "against", "", "ratio", "wanted", "holds"]
    lines = ["", f"{host['cpu']}, {host['cores']} cores, Linux {host['kernel']}; "
             f"FFmpeg {host['ffmpeg']}, SVT-AV1 {host['svtav1']}; "
             f"{host['fault_us']} us of CPU time a page fault",
             f"{result['rounds']} rounds in turns; median, and half of what they lie apart", ""]
    lines[-1:] = disturbance(result) + [""]
    lines += columns([head, *map(line_of, rows)])
    lines += ["", *(f"{row.what}: {row.note}" for row in rows if row.note)]
    lines += [f"{name}: {text}" for name, text in result["facts"].items()]
    return "\n".join(lines)
