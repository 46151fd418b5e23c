# SPDX-License-Identifier: BSD-3-Clause
"""What the environment says about a run.

WAVES=1 records waves; RTL_COVERAGE=1 records which lines, toggles and commands it reached; X=1 runs
each bench of a module two times, with other values in all that is unknown, and compares its outputs
(qnn_sim.bench_unknowns); SANITIZE=1 compiles the HLS kernels with sanitizers; with SHORT=1 a test
that draws many cases from one seed draws few of them; 0, no, false and off switch each of these
off, like an empty value. SEED=<number> chooses what is random, DEFAULT_SEED where it is empty, and
SEED=random a fresh one each time; TURNS=<number> runs each function of a bench so often, each time
with another seed; SIM=verilator or icarus runs the cocotb benches; RUN_FOLDER=<folder> is where
log, waves and coverage of the run go, so that several runs of one build do not meet.
LAYERS=<number> is how many random layers the HLS engine is given. Lists of names have commas
between. QNN_REFERENCE=<folder> is where the data of others lies. A variable that is empty is as one
that is not there.
"""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from qnn.errors import QnnError
from qnn_sim import outputs

Case = TypeVar("Case")
OFF = ("", "0", "no", "false", "off")
SIMULATORS = ("verilator", "icarus")
MOST_SEED = 2**31 - 1  # what Verilator takes
DEFAULT_SEED = 1
FRESH = "random"


def switched_on(name: str) -> bool:
    """Whether a variable is there and says neither of OFF, in capitals or not."""
    return _text(name).lower() not in OFF


def _text(name: str) -> str:
    return os.getenv(name, "").strip()


def _number(text: str, least: int, most: int) -> int | None:
    """None where it is no whole number from `least` to `most`."""
    plain = text.isascii() and text.isdigit()
    return int(text) if plain and least <= int(text[:30]) <= most else None


def whole_number(name: str, least: int = 0, most: int = MOST_SEED) -> int | None:
    """A number from `least` to `most`; None where the variable is empty.

    Raises:
        QnnError: it is something else.
    """
    text = _text(name)
    if text and _number(text, least, most) is None:
        raise QnnError(f"{name}={text} is not a whole number from {least} to {most}")
    return _number(text, least, most)


def names(variable: str, default: str, known: Collection[str]) -> list[str]:
    """The names in a variable with commas between, those of `default` where it is empty.

    Raises:
        QnnError: one of them is not `known`.
    """
    found = (os.getenv(variable) or default).split(",")
    if unknown := set(found) - set(known):
        raise QnnError(f"{variable}={min(unknown)} is not one of {', '.join(known)}")
    return found


def short() -> bool:
    return switched_on("SHORT")


def draws(whole: int, few: int) -> int:
    """How many random cases a test draws: `few` of them where it is SHORT."""
    return few if short() else whole


def some(rng: np.random.Generator, cases: Iterable[Case], few: int) -> list[Case]:
    """The cases that a test goes through: `few` of them, drawn, where it is SHORT."""
    found = list(cases)
    return [found[number] for number in rng.permutation(len(found))[:few]] if short() else found


def layers(default: int) -> int:
    """LAYERS, `default` where it is empty. QnnError where it is no number."""
    return whole_number("LAYERS", 1) or default


def turns() -> int | None:
    """TURNS; None where it is empty. QnnError where it is no number."""
    return whole_number("TURNS", 1, 10_000)


def seed(default: int | None = DEFAULT_SEED) -> int | None:
    """SEED, `default` where it is empty; None: a fresh one is wanted.

    Raises:
        QnnError: it is neither FRESH nor a number.
    """
    text = _text("SEED")
    try:
        return _seed_of(text) if text else default
    except ValueError as problem:
        raise QnnError(f"SEED={problem}") from None


def _seed_of(text: str) -> int | None:
    """What people write for a seed; None for FRESH.

    Raises:
        ValueError: it is neither FRESH nor a number.
    """
    found = _number(text, 0, MOST_SEED)
    if found is None and text.lower() != FRESH:
        raise ValueError(f"{text} is not a whole number from 0 to {MOST_SEED}, and not {FRESH}")
    return found


def seed_argument(text: str) -> int:
    """For argparse: what SEED may say; one of its own choice for FRESH."""
    try:
        found = _seed_of(text.strip())
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return secrets.randbelow(10**8) if found is None else found


def reference() -> Path | None:
    """QNN_REFERENCE, the folder of parameters and test vectors of others; None: there is none."""
    return Path(_text("QNN_REFERENCE")) if _text("QNN_REFERENCE") else None


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


def unknowns() -> bool:
    return switched_on("X")


def sanitize() -> bool:
    return switched_on("SANITIZE")


def folder(default: Path) -> Path:
    """RUN_FOLDER, else `default`; there is a folder afterwards, or a QnnError."""
    return outputs.make_folder(Path(os.getenv("RUN_FOLDER") or default).resolve())
