# SPDX-License-Identifier: BSD-3-Clause
"""Counts the instructions that a program of this Python executes, for `qnn bench --stages`.

QEMU emulates this processor's own kind for it, of the package qemu-user, and a plugin counts; that
wants gcc, too. An x86-64 processor is emulated as a Haswell: numpy and OpenBLAS take the AVX2 that
nearly all have, and no two machines count differently. It is told to have no fast "rep movsb", of
which the emulation would count each byte. OpenBLAS gets one thread, for instructions of threads
that run at the same moment may be lost. Processes that the program starts are not counted.

    python scripts/count.py qnn bench --stages --model dorefanet --backend sim
    python scripts/count.py scripts/bench_host.py build/dorefanet.npz
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from qnn.errors import QnnError
from qnn.measure import effort
from qnn_sim import script

PLUGIN = Path(__file__).with_name("count_instructions.c")
# Without what the emulation has not, of which it would warn.
PROCESSORS = {
    "x86_64": "Haswell-v4,-erms,-pcid,-x2apic,-tsc-deadline,-invpcid,-spec-ctrl",
    "aarch64": "max",
}


def compile_plugin(library: Path) -> list[str]:
    """The command that makes the plugin."""
    return ["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(library), str(PLUGIN)]


def counted(library: Path, into: Path) -> list[str]:
    """What an emulator is told, so that it counts in that file."""
    return ["-plugin", f"{library},into={into}"]


def _emulator() -> list[str]:
    """With its processor; QnnError where there is none."""
    machine = platform.machine()
    if machine not in PROCESSORS:
        raise QnnError(f"nothing is known of how to emulate this processor, {machine}")
    missing = [tool for tool in (f"qemu-{machine}", "gcc") if shutil.which(tool) is None]
    if missing:
        raise QnnError(f"there is no {' and no '.join(missing)}: apt install qemu-user gcc")
    return [f"qemu-{machine}", "-cpu", PROCESSORS[machine]]


def _program(name: str) -> str:
    """A command beside this Python, else a script."""
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return str(beside)
    if not Path(name).is_file():
        raise QnnError(f"{name} is no script, and no command of {Path(sys.executable).parent}")
    return name


def main() -> int:
    parser = script.parser(__doc__)
    parser.add_argument("program", help="a command of this Python, as qnn, or a script")
    parser.add_argument("arguments", nargs="...", help="its own")
    arguments = parser.parse_args()
    emulator, program = _emulator(), _program(arguments.program)
    with tempfile.TemporaryDirectory() as folder:
        library, into = Path(folder) / "count.so", Path(folder) / "instructions"
        if subprocess.run(compile_plugin(library), check=False).returncode:
            raise QnnError("the counter does not compile; the reason stands above")
        command = [*emulator, *counted(library, into), sys.executable, program]
        environment = os.environ | {effort.VARIABLE: str(into), "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run([*command, *arguments.arguments], env=environment, check=False)
    return done.returncode


if __name__ == "__main__":
    script.end("count", main)
