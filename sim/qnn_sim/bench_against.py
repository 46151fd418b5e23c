# SPDX-License-Identifier: BSD-3-Clause
"""Cycles of `make bench-rtl` beside those of another build: of its JSON, or of its checkout."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn_sim import clean_environment

LIMIT_S = 1800
KINDS = {
    "cycles": "published memory",
    "cycles_resident": "weights of the run before",
    "cycles_ideal_memory": "ideal memory",
}


@dataclass(frozen=True)
class Row:
    """One figure of both builds, in cycles."""

    what: str
    before: int
    now: int

    @property
    def ratio(self) -> float:
        """Less than 1 where it takes fewer cycles now."""
        return self.now / self.before


def earlier(where: Path, networks: Sequence[str], config: str) -> dict[str, Any]:
    """The result of another build: of its checkout, or read from a file; errors as of both."""
    return run(where, networks, config) if where.is_dir() else read(where)


def read(path: Path) -> dict[str, Any]:
    """What a run of bench_rtl.py has written.

    Raises:
        QnnError: the file cannot be read, or is another one.
    """
    try:
        found = json.loads(path.read_text())
        rows(found, found)
    except OSError as error:
        raise QnnError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        reason = "is no result of bench_rtl.py: name its build/bench-rtl.json"
        raise QnnError(f"{path} {reason}") from None
    return found


def run(checkout: Path, networks: Sequence[str], config: str) -> dict[str, Any]:
    """The same measurement by the scripts and the RTL of another checkout.

    Raises:
        QnnError: it is no checkout with an environment, or its run ends badly.
    """
    script, python = checkout / "scripts/bench_rtl.py", checkout / ".venv/bin/python"
    if not script.exists():
        raise QnnError(f"{checkout} is no checkout of the project: it has no scripts/bench_rtl.py")
    if not python.exists():
        raise QnnError(f"{checkout} has no environment: run `make setup` there")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bench-rtl.json"
        command = [str(python), str(script), *networks, "--config", config, "--out", str(out)]
        try:
            ended = subprocess.run(
                command, cwd=checkout, env=clean_environment.for_benches(), timeout=LIMIT_S,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise QnnError(f"the run of {checkout} took more than {LIMIT_S} s") from None
        if not out.exists():
            said = (ended.stderr or ended.stdout).strip().splitlines() or ["it said nothing"]
            raise QnnError(f"the run of {checkout} failed: {said[-1]}")
        return read(out)


def rows(before: dict[str, Any], now: dict[str, Any]) -> list[Row]:
    """The figures that both builds have, network by network."""
    return list(_rows(before, now))


def _rows(before: dict[str, Any], now: dict[str, Any]) -> Iterator[Row]:
    for name, found in now["networks"].items():
        earlier = before["networks"].get(name, {})
        for key, text in KINDS.items():
            if key in found and key in earlier:
                yield Row(f"{name}, {text}", earlier[key], found[key])
    for name, found in now.get("pictures", {}).items():
        earlier = before.get("pictures", {}).get(name, {})
        places = [[layer["where"] for layer in one.get("layers", [])] for one in (earlier, found)]
        if earlier and places[0] == places[1]:
            yield Row(f"{name}, picture", earlier["cycles"], found["cycles"])


def table(found: Sequence[Row]) -> str:
    """For people."""
    lines = [f"{'':46}{'before':>10}{'now':>10}{'ratio':>8}"]
    lines += [f"{row.what:46}{row.before:>10}{row.now:>10}{row.ratio:>8.3f}" for row in found]
    return "\n".join(lines)
