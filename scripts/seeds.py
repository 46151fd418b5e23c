# SPDX-License-Identifier: BSD-3-Clause
"""Runs every seeded test with many fresh seeds: how often each ran, which seeds fail, what is left.

A function of tests has --count runs in all, shared by its parameters. What has run stays in
seeds.jsonl in the output folder: the command goes on where it was ended, by Ctrl-C or by --seconds.
Exit status 1: a run failed, or runs are left.

    python scripts/seeds.py --count 200 --seconds 3600 tests/rtl/test_qnn_pool.py
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
from pathlib import Path

from qnn.commands.options import positive
from qnn.commands.progress import Bar
from qnn.errors import QnnError
from qnn_sim import clean_environment, outputs, pytest_run, script
from qnn_sim.regress import collect, inputs, seed_log
from qnn_sim.regress.case import FAILED, SKIPPED, Case

ROOT = Path(__file__).resolve().parent.parent


def parse() -> argparse.Namespace:
    parser = script.parser(__doc__)
    add = parser.add_argument
    add("tests", nargs="*", default=["tests"], help="files and nodes of pytest (tests)")
    add("--count", type=positive, default=200, help="runs of each function (200)")
    add("--seconds", type=positive, help="then it ends; what has run counts")
    jobs = len(os.sched_getaffinity(0))
    add("--jobs", type=positive, default=jobs, help=f"tests at a time ({jobs})")
    add("--out", type=Path, default=ROOT / "build", help="output folder (build)")
    add("--new", action="store_true", help="forget what has run")
    add("--json", action="store_true", help="print the result as JSON, not as a table")
    return parser.parse_args()


def options(count: int, log: Path | None, jobs: int) -> list[str]:
    """Of tests/fresh_seeds.py and pytest; without a log nothing has run."""
    chosen = [f"--fresh-seeds={count}", f"--fresh-base={secrets.randbelow(2**31)}"]
    if log is not None:
        chosen += [f"--fresh-log={log}", f"--fresh-tree={inputs.stamp(ROOT)['tree']}"]
    return [*chosen, "-n", str(jobs), "-p", "no:cacheprovider"]


def run_tests(arguments: argparse.Namespace, log: Path) -> str:
    """Runs what is left; why it did not come to its end, if so. Also after Ctrl-C."""
    chosen = ["--tb=short", "--no-header", "--maxschedchunk=1", *arguments.tests]
    status, output = pytest_run.follow(
        ROOT,
        [*options(arguments.count, log, arguments.jobs), *chosen],
        clean_environment.for_pytest({"SEED": ""}),
        arguments.seconds,
        Bar("seeds", "%"),
    )
    if status is None:
        return "stopped"
    if status == -signal.SIGKILL and arguments.seconds:
        return f"ended after {arguments.seconds} s"
    if status in (0, 1, 5):
        return ""
    return "\n".join(["the tests did not come to their end:", *output[-20:]])


def rows_of(functions: list[str], log: Path, count: int) -> list[dict]:
    """What came of each function, those with failures first, then those with runs left."""
    rows = {
        name: {"test": name, "runs": 0, "seconds": 0.0, "skipped": "", "failures": []}
        for name in functions
    }
    for entry in seed_log.entries(log):
        row = rows.get(seed_log.function(entry["test"]))
        if row is None:  # of a test that was not asked for
            continue
        row["seconds"] = round(row["seconds"] + entry["seconds"], 2)
        if entry["outcome"] == SKIPPED:
            row["skipped"] = entry["why"]
            continue
        row["runs"] += seed_log.fresh_seeds(entry)
        if entry["outcome"] == FAILED:
            node = entry["test"]
            chosen = (*entry.get("settings", {}).items(), *collect.settings(node))
            case = Case(node, entry["seed"], False, 0, chosen)
            failure = {"seed": entry["seed"], "repeat": case.repeat, "why": entry["why"]}
            row["failures"].append(failure)
    for row in rows.values():
        left = max(0, count - row["runs"])
        row["left"] = 0 if row["skipped"] and not row["runs"] else left
    return sorted(rows.values(), key=lambda row: (not row["failures"], -row["left"], row["test"]))


def table(rows: list[dict], count: int) -> str:
    width = max(len(row["test"]) for row in rows)
    lines = [f"{'test':{width}}{'runs':>7}{'failures':>10}{'left':>6}{'s a run':>9}"]
    for row in rows:
        mean = "skipped" if row["skipped"] else ""
        if row["runs"]:
            mean = f"{row['seconds'] / row['runs']:.2f}"
        failures = len(row["failures"])
        lines.append(
            f"{row['test']:{width}}{row['runs']:>7}{failures:>10}{row['left']:>6}{mean:>9}"
        )
    failed = [failure for row in rows for failure in row["failures"]]
    lines += [f"FAILED  {failure['repeat']}" for failure in failed]
    lines.append(
        f"{len(rows)} functions, {sum(row['runs'] for row in rows):,} runs, {len(failed)} failed; "
        f"{sum(row['left'] > 0 for row in rows)} have fewer than {count} runs"
    )
    return "\n".join(lines)


def seeds(arguments: argparse.Namespace) -> int:
    """Runs them, and prints what came of it; the exit status.

    Raises:
        QnnError: it cannot begin.
    """
    log = outputs.make_folder(arguments.out).resolve() / "seeds.jsonl"
    chosen = [*options(1, None, 0), *arguments.tests]
    names = [n for n in collect.collected(ROOT, chosen, {"SEED": ""}) if "fresh0]" in n]
    functions = list(dict.fromkeys(map(seed_log.function, names)))
    if not functions:
        raise QnnError(f"no seeded test in {' '.join(arguments.tests)}")
    if arguments.new:
        log.unlink(missing_ok=True)
    reason = run_tests(arguments, log)
    rows = rows_of(functions, log, arguments.count)
    if arguments.json:
        print(json.dumps({"count": arguments.count, "tests": rows}, indent=1))
    else:
        print(table(rows, arguments.count))
    if reason:
        print(f"seeds: {reason}", file=sys.stderr)
    if reason == "stopped":
        return script.STOPPED
    return int(bool(reason) or any(row["failures"] or row["left"] for row in rows))


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the tests end too
    return seeds(parse())


if __name__ == "__main__":
    script.end("seeds", main)
