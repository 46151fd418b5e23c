# SPDX-License-Identifier: BSD-3-Clause
"""What the environment says about a run.

WAVES=1 records waves; RTL_COVERAGE=1 records which lines, toggles and commands it reached;
SANITIZE=1 compiles the HLS kernels with sanitizers; 0, no, false and off switch each of them off,
like an empty value. SEED=<number> chooses what is random, DEFAULT_SEED where it is empty, and
SEED=random a fresh one each time; SIM=verilator or icarus runs the cocotb benches;
RUN_FOLDER=<folder> is where log, waves and coverage of the run go, so that several runs of one
build do not meet. LAYERS=<number> is how many random layers the HLS engine is given. Lists of names
have commas between.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from qnn.errors import QnnError

OFF = ("", "0", "no", "false", "off")
SIMULATORS = ("verilator", "icarus")
MOST_SEED = 2**31 - 1  # what Verilator takes
DEFAULT_SEED = 1
FRESH = "random"


def switched_on(name: str) -> bool:
    """Whether a variable is there and says neither of OFF, in capitals or not."""
    return os.getenv(name, "").strip().lower() not in OFF


def whole_number(name: str, least: int = 0, most: int = MOST_SEED) -> int | None:
    """A number from `least` to `most`; None where the variable is empty.

    Raises:
        QnnError: it is something else.
    """
    text = os.getenv(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and least <= int(text[:30]) <= most):
        raise QnnError(f"{name}={text} is not a whole number from {least} to {most}")
    return int(text)


def names(variable: str, default: str, known: Collection[str]) -> list[str]:
    """The names in a variable with commas between, those of `default` where it is empty.

    Raises:
        QnnError: one of them is not `known`.
    """
    found = (os.getenv(variable) or default).split(",")
    if unknown := set(found) - set(known):
        raise QnnError(f"{variable}={min(unknown)} is not one of {', '.join(known)}")
    return found


def layers(default: int) -> int:
    """LAYERS, `default` where it is empty. QnnError where it is no number."""
    return whole_number("LAYERS", 1) or default


def seed(default: int | None = DEFAULT_SEED) -> int | None:
    """SEED, `default` where it is empty; None: a fresh one is wanted.

    Raises:
        QnnError: it is neither FRESH nor a number.
    """
    if os.getenv("SEED", "").strip().lower() == FRESH:
        return None
    try:
        found = whole_number("SEED")
    except QnnError as problem:
        raise QnnError(f"{problem}, and not {FRESH}") from None
    return default if found is None else found


def simulator() -> str:
    """SIM, verilator where it is empty. QnnError where it is not one of SIMULATORS."""
    name = os.getenv("SIM") or SIMULATORS[0]
    if name not in SIMULATORS:
        raise QnnError(f"SIM={name} is not one of {', '.join(SIMULATORS)}")
    return name


def waves() -> bool:
    return switched_on("WAVES")


def coverage() -> bool:
    return switched_on("RTL_COVERAGE")


def sanitize() -> bool:
    return switched_on("SANITIZE")


def folder(default: Path) -> Path:
    """RUN_FOLDER, else `default`; there is a folder afterwards."""
    found = Path(os.getenv("RUN_FOLDER") or default).resolve()
    found.mkdir(parents=True, exist_ok=True)
    return found
