# SPDX-License-Identifier: BSD-3-Clause
"""What the commands of the project have left under build/: of which state of the files each result
is, and what it says. A result that is missing or of another state is told, not hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn.errors import QnnError
from qnn_sim.regress import case, inputs, seed_log
from qnn_sim.regress.inputs import Origin
from qnn_sim.regress.run import Run

THIS, OTHER_FILES, OLDER, UNKNOWN, UNREADABLE, MISSING = (
    "this state", "this commit, other files", "another commit", "unknown state", "unreadable",
    "missing",
)  # fmt: skip
LEAST_OF_CHANGES = 0.8  # some of the others change nothing that a test could see
Judgement = tuple[bool, str]  # is it good, and its figures in a few words
Data = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A result: what it is called, where it is below build/, what makes it, what it says.

    Attributes:
        judge: of its JSON; KeyError and the like where this is of another kind.
    """

    title: str
    file: str
    target: str
    judge: Callable[[Data], Judgement]


@dataclass(frozen=True)
class Found:
    """A result as it was found.

    Attributes:
        state: THIS, OTHER_FILES, OLDER, UNKNOWN, UNREADABLE (of another version) or MISSING.
        good: what it says of itself, whatever its state; None: nothing.
        command, began: that it was made by.
        sha256: of the file.
    """

    name: str
    state: str
    good: bool | None = None
    figures: str = ""
    command: str = ""
    began: str = ""
    commit: str = ""
    sha256: str = ""

    @property
    def readable(self) -> bool:
        return self.state not in (MISSING, UNREADABLE)

    @property
    def counts(self) -> bool:
        """It is good, and of what is here now."""
        return self.state == THIS and self.good is True


def _tests(data: Data) -> Judgement:
    failed, skipped = len(data["failed"]), data["skipped"]
    text = f"{data['tests']:,} tests, {failed} failed, {sum(skipped.values())} skipped"
    if skipped:
        text += f" ({'; '.join(skipped)})"
    return data["good"] and not failed and data["tests"] > 0, f"{text}; seed {data['seed']}"


def _left_out(data: Data) -> str:
    """What a command was told not to do, or could not; for the figures."""
    return f"; left out: {', '.join(data['left_out'])}" if data["left_out"] else ""


def _agreement(data: Data) -> Judgement:
    rows = data["rows"]
    values, wrong = (sum(row[name] for row in rows) for name in ("values", "mismatches"))
    good = bool(rows) and not wrong and all(row["values"] for row in rows)
    kernels = len({row["kernel"] for row in rows})
    text = f"{kernels} kernels and networks, {values:,} values compared, {wrong:,} differ"
    return good and not data["left_out"], text + _left_out(data)


def _regression(data: Data) -> Judgement:
    run = Run(**{name: value for name, value in data.items() if name != "format"})
    percents = ", ".join(
        f"{what} {share:.1f}%"
        for what in ("lines", "branches", "toggles", "bins")
        if (share := run.percent(what)) is not None
    )
    text = f"{run.kind}: {len(run.cases)} cases, {len(run.failed)} failed; {percents}"
    return run.kind == "full" and bool(run.cases) and not run.bad, text


def _proofs(data: Data) -> Judgement:
    planted = [row for row in data["proofs"] if row["method"] == "planted fault"]
    proofs = [row for row in data["proofs"] if row["method"] != "planted fault"]
    bad = sum(not row["good"] for row in data["proofs"])
    modules = len({row["unit"] for row in proofs})
    text = f"{len(proofs)} results for {modules} modules, {len(planted)} planted faults; {bad} bad"
    return bool(data["good"] and planted and not data["left_out"]), text + _left_out(data)


def _mutation(data: Data) -> Judgement:
    killed, survive = data["killed"], len(data["survivors"])
    share = 100 * killed / max(1, killed + survive)
    text = (
        f"{data['mutants']} faults: {killed} killed, {data['equivalent']} equivalent,"
        f" {survive} survive; {share:.1f}% of those that are not equivalent are killed"
    )
    return data["good"], text


def _changes(data: Data) -> Judgement:
    killed, survive = data["killed"], len(data["survivors"])
    share = killed / max(1, data["changes"])
    text = (
        f"{data['changes']} changes of lines: {killed} killed, {survive} survive, of which none is"
        f" proven to mean the same; {100 * share:.1f}% are killed; seed {data['seed']}"
    )
    return share >= LEAST_OF_CHANGES and killed + survive == data["changes"], text


def _gates(data: Data) -> Judgement:
    runs = [run for runs in data["networks"].values() for run in runs]
    wrong = sum(run["mismatches"] for run in runs)
    tests = data["tests"]
    speed = round(sum(run["cycles_per_s"] for run in runs) / max(1, len(runs)))
    text = (
        f"{data['configuration']}: {len(runs)} whole networks, {wrong} values differ;"
        f" {speed:,} cycles a second; tests {'passed' if tests['passed'] else 'failed'}:"
        f" {tests['chosen']}"
    )
    return bool(runs) and not wrong and tests["passed"], text


def _soak(data: Data) -> Judgement:
    risen = "not known" if data["risen_bytes"] is None else f"{data['risen_bytes'] / 2**20:.1f} MiB"
    failed = len(data["failures"])
    text = (
        f"{data['hours']:.2f} hours, {data['runs']:,} runs, {data['values']:,} values compared,"
        f" {failed} failed; memory rose by {risen}"
    )
    return not failed and data["risen_bytes"] is not None, text


def _seeds(data: Data) -> Judgement:
    runs = [run for run in data["runs"] if run["outcome"] != case.SKIPPED]
    counts: dict[str, int] = {}
    for run in runs:
        name = seed_log.function(run["test"])
        counts[name] = counts.get(name, 0) + seed_log.fresh_seeds(run)
    failed = sum(run["outcome"] == case.FAILED for run in runs)
    least = min(counts.values(), default=0)
    text = (
        f"{len(counts)} functions, {sum(counts.values()):,} seeds, at least {least} each;"
        f" {failed} failed"
    )
    return bool(counts) and not failed, text


def _synthesis(data: Data) -> Judgement:
    device = data["device"]
    parts = [f"{data[kind]:g} of {device[kind]:g} {kind}" for kind in device]
    return data["good"], ", ".join(parts)


def _cycles(data: Data) -> Judgement:
    networks = data["networks"]
    wrong = sum(network["mismatches"] for network in networks.values())
    text = ", ".join(f"{name} {network['cycles']:,}" for name, network in networks.items())
    targets = "" if data["good"] or wrong else "; a target is missed"
    text = f"cycles: {text}; {wrong} values differ{targets}{_left_out(data)}"
    return bool(networks) and data["good"] and not data["left_out"], text


KINDS = {
    "tests": Kind("Tests of every change", "tests.json", "test", _tests),
    "tests-pynq": Kind("The same on the real pynq", "tests-pynq.json", "test", _tests),
    "agreement": Kind("Agreement table", "verify.json", "verify", _agreement),
    "regression": Kind("Regression and coverage", "regress/result.json", "regress", _regression),
    "proofs": Kind("Proofs", "formal.json", "formal", _proofs),
    "mutation": Kind("Mutation", "mutate.json", "mutate", _mutation),
    "mutation-host": Kind("Mutation of the host", "mutate-host.json", "mutate-host", _changes),
    "mutation-hls": Kind("Mutation of the HLS kernels", "mutate-hls.json", "mutate-hls", _changes),
    "gates": Kind("Netlist of cells", "gates.json", "gates", _gates),
    "soak": Kind("Soak", "soak.json", "soak", _soak),
    "seeds": Kind("Fresh seeds", "seeds.jsonl", "seeds", _seeds),
    "synthesis": Kind("Synthesis", "synth.json", "synth", _synthesis),
    "cycles": Kind("Cycles of networks", "bench-rtl.json", "bench-rtl", _cycles),
}


def name_in_pack(name: str) -> str:
    """Where a pack has the result."""
    return f"results/{name}{Path(KINDS[name].file).suffix}"


def read(kind: Kind, path: Path) -> Data:
    """
    Raises:
        QnnError: it is no result of this kind.
    """
    try:
        if path.suffix == ".jsonl":
            runs = seed_log.entries(path)
            data: Data = {"origin": {"tree": _tree_of(runs)}, "runs": runs}
        else:
            data = json.loads(path.read_text())
        kind.judge(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise QnnError(f"no result of this version of make {kind.target}: {problem!r}") from None
    return data


def _tree_of(runs: list[Data]) -> str:
    """What all runs are of; empty where they are of several states, or of one that is not known."""
    found = {run.get("tree", "") for run in runs}
    return found.pop() if len(found) == 1 else ""


def state_of(origin: Data, now: Origin) -> str:
    """Of which state of the files a result is, by its stamp."""
    if origin.get("tree") and origin["tree"] == now.tree:
        return THIS
    if not origin.get("commit"):
        return UNKNOWN
    return OTHER_FILES if origin["commit"] == now.commit else OLDER


def find(name: str, path: Path, now: Origin) -> Found:
    """The result `name` of KINDS in `path`, seen from the state `now`."""
    if not path.exists():
        return Found(name, MISSING)
    kind = KINDS[name]
    try:
        data = read(kind, path)
    except QnnError as problem:
        return Found(name, UNREADABLE, figures=str(problem), sha256=inputs.digest(path))
    origin: Data = data if name == "regression" else data.get("origin", {})
    good, figures = kind.judge(data)
    return Found(
        name, state_of(origin, now), good, figures, origin.get("command", ""),
        str(origin.get("began") or data.get("started", "")), origin.get("commit", ""),
        inputs.digest(path),
    )  # fmt: skip
