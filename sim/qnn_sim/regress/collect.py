# SPDX-License-Identifier: BSD-3-Clause
"""The cases of a regression: what pytest finds below FOLDERS, so that no bench is forgotten, and
what is marked NIGHTLY elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from qnn.errors import QnnError
from qnn_sim import clean_environment
from qnn_sim.regress.case import Case

FOLDERS = ("tests/rtl", "tests/kernels", "tests/hls")
NIGHTLY = "nightly"  # the marker of tests, of any folder, that `make test` leaves to the night
# What the kernels are run with, beside one folding and the shipped network; by the variable of the
# environment that chooses it.
BREADTH = {
    "CONFIGURATIONS": ("small", "8x4", "pynq-z1"),
    "NETWORKS": ("fashion-cnv", "dorefanet", "cnv-w1a1", "cnv-w1a2", "cnv-w2a2"),
}
# Benches whose parameters are each a build of its own.
BENCHES = re.compile(r"tests/(rtl/test_qnn_|kernels/)")
# Tests of whole networks: another seed is the same run, and coverage would make them slow.
NETWORKS = re.compile(r"networks\.py::|::test_(real_network|published_network|shipped_model)")
RANDOM_LAYERS = "tests/rtl/test_random_layers.py::test_three_implementations_agree"
LIMIT_S = 1800.0


def nodes(root: Path, folders: Iterable[str] = FOLDERS, broad: bool = True) -> list[str]:
    """All tests below the folders of `root`, in order; a bench once for each of its configurations.
    Behind them the marked ones of other folders.

    Args:
        broad: with all of BREADTH, not only what the tests take by themselves.

    Raises:
        QnnError: pytest cannot read them.
    """
    there = [folder for folder in folders if (root / folder).is_dir()]
    env = {name: ",".join(values) if broad else "" for name, values in BREADTH.items()}
    found = collected(root, there, env) if there else []
    marked = [
        path.relative_to(root).as_posix()
        for path in sorted((root / "tests").rglob("test_*.py"))
        if f"mark.{NIGHTLY}" in path.read_text()
    ]
    if elsewhere := [name for name in marked if not name.startswith(tuple(folders))]:
        found += collected(root, ["-m", NIGHTLY, *elsewhere], env)
    # Parameters of other tests share one process.
    return list(dict.fromkeys(n if BENCHES.match(n) else n.partition("[")[0] for n in found))


def collected(root: Path, chosen: list[str], env: Mapping[str, str]) -> list[str]:
    """The names of all tests that pytest finds with these arguments.

    Raises:
        QnnError: it cannot read them, or not what is chosen.
    """
    command = [
        sys.executable, "-m", "pytest", "-o", "addopts=", "--collect-only", "-q",
        "-p", "no:cacheprovider", *chosen,
    ]  # fmt: skip
    done = subprocess.run(
        command,
        env=clean_environment.for_pytest({**env, "KERNEL": ""}),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode not in (0, 5):
        raise QnnError(f"pytest cannot collect the tests:\n{done.stdout[-3000:]}{done.stderr}")
    return [line for line in done.stdout.splitlines() if "::" in line and " " not in line[:5]]


def settings(name: str) -> tuple[tuple[str, str], ...]:
    """The environment in which a test of a kernel has this name."""
    found = re.search(r"[\[-](?:rtl|hls)-(.+)\]$", name)
    return tuple(
        (variable, found[1]) for variable, values in BREADTH.items() if found and found[1] in values
    )


def fresh_seed(base: int, turn: int, name: str) -> int:
    """SEED of one run of a node: of each node and each turn another one, all from `base`."""
    entropy = [base, turn, *name.encode()]
    return int(np.random.default_rng(entropy).integers(1, 2**31 - 1000))


def cases(names: Iterable[str], base_seed: int, seeds: int, layers: int) -> list[Case]:
    """Every node with every seed; the first seed of all comes before the second of any.

    Args:
        base_seed: all seeds follow from it.
        seeds: for each node.
        layers: seeds for RANDOM_LAYERS.
    """
    rounds: list[tuple[int, int, Case]] = []
    for name in names:
        count = layers if name == RANDOM_LAYERS else seeds
        if network := NETWORKS.search(name):
            count = 1
        for turn in range(count):
            seed = fresh_seed(base_seed, turn, name)
            coverage = name.startswith("tests/rtl/") and not network
            case = Case(name, seed, coverage, LIMIT_S, settings(name))
            rounds.append((turn, len(rounds), case))
    return [case for _, _, case in sorted(rounds, key=lambda r: r[:2])]


def longest_first(found: list[Case], seconds: Mapping[str, float]) -> list[Case]:
    """The cases of each round with the longest first, by what each name took in a run before."""
    order: dict[str, int] = {}
    ranked = []
    for case in found:
        order[case.name] = order.get(case.name, -1) + 1
        ranked.append((order[case.name], -seconds.get(case.name, 1e9), case))
    return [case for _, _, case in sorted(ranked, key=lambda r: r[:2])]
