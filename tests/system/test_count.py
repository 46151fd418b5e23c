# SPDX-License-Identifier: BSD-3-Clause
"""scripts/count.py: what runs under the emulation; where there is an emulator, it counts."""

import platform
import shutil
import subprocess
import sys

import pytest

import count as script
from qnn.errors import QnnError

EMULATOR = f"qemu-{platform.machine()}"
LOOP = """
import sys
from qnn.measure.effort import Meter
meter = Meter()
print(meter.unit)
for times in (10_000, 20_000):
    print(min(meter.of(lambda: sum(range(times))) for _ in range(5)))
sys.exit(3)
"""


@pytest.fixture
def emulated(monkeypatch, tmp_path):
    """An emulator that says what it was told, and how; its status is 5."""
    monkeypatch.setattr(script.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    said = 'printf "%s\\n" "$@" "$QNN_INSTRUCTIONS" "$OPENBLAS_NUM_THREADS"'
    (tmp_path / "qemu-x86_64").write_text(f"#!/bin/sh\n{said}\nexit 5\n")
    (tmp_path / "qemu-x86_64").chmod(0o755)


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["count.py", *map(str, arguments)])
    return script.main()


def test_what_is_emulated(emulated, monkeypatch, capfd):
    assert run(monkeypatch, "qnn", "bench", "--stages") == 5
    *options, threads = capfd.readouterr().out.splitlines()
    into = options.pop()
    assert options[:3] == ["-cpu", script.PROCESSORS["x86_64"], "-plugin"]
    assert options[3].endswith(f",into={into}") and threads == "1"
    qnn = script.Path(sys.executable).with_name("qnn")
    assert options[4:] == [sys.executable, str(qnn), "bench", "--stages"]


def test_the_plugin_compiles(tmp_path):
    command = [*script.compile_plugin(tmp_path / "count.so"), "-Wextra", "-Werror"]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.skipif(shutil.which(EMULATOR) is None, reason=f"there is no {EMULATOR}")
def test_instructions(monkeypatch, tmp_path, capfd):
    """Twice the work is about twice as many; the status is that of the program."""
    (tmp_path / "loop.py").write_text(LOOP)
    assert run(monkeypatch, tmp_path / "loop.py") == 3
    unit, once, twice = capfd.readouterr().out.split()
    assert unit == "instructions"
    assert int(once) > 10 * 10_000 and 1.9 < int(twice) / int(once) < 2.1


@pytest.mark.parametrize(
    ("spoil", "program", "message"),
    [
        (lambda m: m.setattr(script.platform, "machine", lambda: "s390x"), "qnn", "s390x"),
        (lambda m: m.setattr(script.shutil, "which", lambda _: None), "qnn", "apt install qemu-u"),
        (lambda m: None, "none.py", "none.py is no script"),
        (lambda m: m.setattr(script, "PLUGIN", script.Path("/none.c")), "qnn", "does not compile"),
    ],
)
def test_where_it_cannot(emulated, monkeypatch, spoil, program, message):
    spoil(monkeypatch)
    with pytest.raises(QnnError, match=message):
        run(monkeypatch, program)
