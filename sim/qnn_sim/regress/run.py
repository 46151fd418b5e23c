# SPDX-License-Identifier: BSD-3-Clause
"""A whole regression as one JSON file: the page is made from it, and the next run compares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn_sim import outputs
from qnn_sim.regress import code_coverage, functional
from qnn_sim.regress.case import GOOD, SKIPPED, Result
from qnn_sim.regress.exclusions import Verdict

FORMAT = 2
LEAST_LINES = LEAST_BINS = 90.0  # percent, of a full run
HISTORY = 60  # runs that are remembered


@dataclass
class Run:
    """
    Attributes:
        started: local time, ISO 8601.
        kind: "full", "part" (with a filter, or stopped) or "smoke".
        commit, changed: as in qnn_sim.regress.checkout.
        tree: digest of the files, see qnn_sim.regress.inputs; empty where git cannot tell.
        base_seed: all seeds follow from it.
        machine: facts about it and its tools, for reading.
        cases: name, seed, outcome, seconds, message, worker, repeat, log and waves (paths from the
            folder of the page, or empty).
        code: for each source file covered and all of "lines", "branches", "toggles", the "missing"
            lines, and the bits that stood "still".
        bins: counts of functional coverage.
        reasons, complaints: see exclusions.Verdict.
        agreement: for each kernel and implementation "configurations", "values" compared with the
            golden model, and "mismatches".
        networks, synth: what `make bench-rtl` and `make synth` left under build/.
        history: one row for each run before this one, and the last row for this one.
    """

    started: str
    kind: str
    commit: str
    changed: bool
    base_seed: int
    command: str
    machine: dict[str, str]
    tree: str = ""
    seconds: float = 0.0
    cases: list[dict[str, Any]] = field(default_factory=list)
    code: dict[str, dict[str, Any]] = field(default_factory=dict)
    bins: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    networks: dict[str, Any] = field(default_factory=dict)
    synth: dict[str, Any] = field(default_factory=dict)
    agreement: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [case for case in self.cases if case["outcome"] not in GOOD]

    @property
    def skipped(self) -> list[dict[str, Any]]:
        return [case for case in self.cases if case["outcome"] == SKIPPED]

    def percent(self, what: str) -> float | None:
        """Of "lines", "branches" or "toggles" of the code, or of "bins"; None: not recorded."""
        if what == "bins":
            total, covered = len(functional.bins()), sum(map(bool, self.bins.values()))
            return 100 * covered / total if self.bins else None
        pairs = [file[what] for file in self.code.values()]
        total = sum(pair[1] for pair in pairs)
        return 100 * sum(pair[0] for pair in pairs) / total if total else None

    @property
    def bad(self) -> bool:
        """Something failed, or a full run covered too little."""
        return bool(self.failed or self.complaints or self.shortfalls)

    @property
    def shortfalls(self) -> list[str]:
        """Coverage that a full run must have and this one has not."""
        if self.kind != "full":
            return []
        found = []
        for what, least in (("lines", LEAST_LINES), ("bins", LEAST_BINS)):
            percent = self.percent(what) or 0.0
            if percent < least:
                found.append(f"{percent:.1f}% of the {what} are covered, less than {least:g}%")
        return found

    def row(self) -> dict[str, Any]:
        """This run in `history`."""
        return {
            "started": self.started,
            "commit": self.commit,
            "kind": self.kind,
            "cases": len(self.cases),
            "failed": len(self.failed),
            "seconds": self.seconds,
            "lines": self.percent("lines"),
            "bins": self.percent("bins"),
            "lut": self.synth.get("lut"),
            "cycles": {n: r["cycles"] for n, r in self.networks.get("networks", {}).items()},
        }

    def write(self, path: Path, whole: bool = True) -> Path:
        """Where it is now: see qnn_sim.outputs."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        return outputs.write(path, text + "\n", whole)

    @classmethod
    def read(cls, path: Path) -> Run:
        """
        Raises:
            QnnError: there is no such file, or it is of another kind.
        """
        try:
            fields = json.loads(path.read_text())
            if fields.pop("format") != FORMAT:
                raise KeyError("format")
            return cls(**fields)
        except OSError:
            raise QnnError(f"{path} is not there: `make regress` writes it") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise QnnError(f"{path} is not the JSON of a regression of this version") from None


class Collector:
    """Adds up results as they come."""

    def __init__(self) -> None:
        self.points: Counter[str] = Counter()
        self.bins: Counter[str] = Counter()
        self._counts: list[dict[str, Any]] = []

    def add(self, result: Result) -> None:
        code_coverage.merge(self.points, result.points)
        self.bins.update(result.bins)
        self._counts += result.counts

    def agreement(self) -> list[dict[str, Any]]:
        """For Run.agreement."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for count in self._counts:
            key = count["kernel"], count["implementation"]
            row = found.setdefault(key, {"configurations": set(), "values": 0, "mismatches": 0})
            row["configurations"].add(count["configuration"])
            row["values"] += count["values"]
            row["mismatches"] += count["mismatches"]
        return [
            {"kernel": k, "implementation": i, **row, "configurations": len(row["configurations"])}
            for (k, i), row in sorted(found.items())
        ]


def code_table(files: Mapping[str, code_coverage.FileCoverage]) -> dict[str, dict[str, Any]]:
    """For Run.code."""
    return {
        name: {
            "lines": [sum(file.lines.values()), len(file.lines)],
            "branches": file.branches,
            "toggles": file.toggles,
            "missing": file.missing,
            "still": file.still,
        }
        for name, file in files.items()
    }


def read_json(path: Path) -> dict[str, Any]:
    """What another command has left; nothing where it has not."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def finish(run: Run, verdict: Verdict, previous: Run | None) -> None:
    """Fill in what follows from the rest; `previous` gives the history."""
    run.reasons, run.complaints = verdict.reasons, verdict.complaints
    before = previous.history if previous else []
    run.history = [*before, run.row()][-HISTORY:]
