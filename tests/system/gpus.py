# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The vencd authors
"""A daemon on a host that has emulated GPUs (tests/emulated/README.md), whose models and faults
change while it runs.
"""

import os
import pathlib

from harness import SOURCE, Daemon, run_tool, until

HOST = SOURCE / "tests/emulated/host"
# Driver's variables are the workers' alone, and only that host knows their values.
START = ('echo "DriverEnvironment=LIBVA_DRIVERS_PATH=$LIBVA_DRIVERS_PATH'
         ' LIBVA_DRIVER_NAME=$LIBVA_DRIVER_NAME" >>"$0" && exec "$@"')


def skip_without_root(case):
    if os.geteuid() != 0:
        case.skipTest("needs root, for a mount namespace")


class GpuDaemon(Daemon):
    """gpus: what each is, as host's --gpu has it: {"a": "full;run-/EndPicture:3:hang"}."""

    def __init__(self, gpus, settings=None, **keywords):
        self.gpus = dict(gpus)
        super().__init__({"SoftwareEncoders": "", "NullEncoder": "no", **(settings or {})},
                         **keywords)
        # The host's directory is a mount of the daemon's namespace.
        environment = pathlib.Path(f"/proc/{self.process.pid}/environ").read_bytes()
        variables = dict(word.split(b"=", 1) for word in environment.split(b"\0") if word)
        self.file = pathlib.Path(f"/proc/{self.process.pid}/root"
                                 + variables[b"EMULATED_DEVICES"].decode())
        self.numbers = [line.split()[0] for line in self.file.read_text().splitlines()]

    def command(self, words):
        options = [word for name, gpu in self.gpus.items() for word in ("--gpu", f"{name}={gpu}")]
        return [HOST, *options, "sh", "-c", START, self.config, *words]

    def change(self, **gpus):
        """From the next display on; the ids of a GPU stay what they were."""
        self.gpus.update(gpus)
        lines = []
        for number, gpu in zip(self.numbers, self.gpus.values(), strict=True):
            model, _, script = gpu.partition(";")
            lines.append(f"{number} {model.split(',')[0]} {script}\n")
        new = self.file.with_name("devices.new")
        new.write_text("".join(lines), encoding="utf-8")
        new.rename(self.file)

    def row(self, device, encoder):
        """device: as the table has it, or its last part, such as "01:00.0"."""
        found = [row for row in self.rows()
                 if row["device"].endswith(device) and row["encoder"] == encoder]
        assert len(found) == 1, self.rows()
        return found[0]

    def await_probes(self):
        """Until no encoder is probed for the first time any more."""
        until(lambda: not [row for row in self.rows() if row["state"] in ("probing", "untested")],
              "the first probes", limit=180)
        return self.rows()

    def table(self):
        return run_tool("--socket", self.socket, "devices").stdout
