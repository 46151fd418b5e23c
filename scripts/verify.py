# SPDX-License-Identifier: BSD-3-Clause
"""Do RTL and HLS agree with the golden model? One table of values compared and mismatches.

Runs the benches of tests/kernels, which drive both implementations with the same data; every value
that comes out is compared and counted. Networks of the reference data are left out where
QNN_REFERENCE is not set. Writes verify.json and verify.xml (JUnit) into the output folder. Exit
status 1: a value differs, a test failed, or nothing was compared where something should have been.
Of each test that failed it prints the reason, and the command that repeats it.

    python scripts/verify.py --kernels conv,engine --configurations small
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path

from qnn.commands.progress import Bar
from qnn.errors import FormatError, QnnError
from qnn_sim import (
    agreement,
    clean_environment,
    outputs,
    pytest_run,
    rtl_build,
    run_options,
    script,
)
from qnn_sim.regress import inputs, pytest_report
from qnn_sim.regress.case import FAILED, Case
from qnn_sim.regress.collect import BREADTH, settings

ROOT = Path(__file__).resolve().parent.parent
BENCHES = ROOT / "tests" / "kernels"
STREAMS = ("popcount", "window", "matvec", "threshold", "max_pool", "pack", "conv")
NETWORKS, CONFIGURATIONS = BREADTH["NETWORKS"], BREADTH["CONFIGURATIONS"]
ENGINES = tuple(rtl_build.CONFIGURATIONS)  # configurations of the engine
WHOLE = {"engine": "test_random_networks", "graph": "test_random_graphs"}  # many layers
KERNELS = (*STREAMS, *WHOLE, *NETWORKS)
IMPLEMENTATIONS = ("rtl", "hls")
LIMIT_S = 3600  # then the benches are ended
COLUMNS = ("kernel", "implementation", "configurations", "values", "mismatches")


def names(known: tuple[str, ...]):
    """For argparse: some of `known`, with commas between."""

    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in known]:
            raise argparse.ArgumentTypeError(
                f"{unknown[0]!r} is not known; choose from {', '.join(known)}"
            )
        return [name for name in known if name in chosen]

    return parse


def parse() -> argparse.Namespace:
    parser = script.parser(__doc__)
    for name, known in (
        ("kernels", KERNELS),
        ("implementations", IMPLEMENTATIONS),
        ("configurations", CONFIGURATIONS),
    ):
        parser.add_argument(
            f"--{name}", type=names(known), default=list(known), metavar="NAME,...",
            help=f"of {', '.join(known)} (all)",
        )  # fmt: skip
    jobs = len(os.sched_getaffinity(0))
    parser.add_argument("--jobs", type=int, default=jobs, help=f"benches at a time ({jobs})")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="output folder (build)")
    parser.add_argument("--json", action="store_true", help="print verify.json, not the table")
    arguments = parser.parse_args()
    try:
        run_options.seed(), run_options.simulator()
    except QnnError as problem:
        parser.error(str(problem))
    if arguments.jobs < 1:
        parser.error("--jobs must be at least 1")
    if set(arguments.kernels) <= set(WHOLE) and not set(ENGINES) & set(arguments.configurations):
        parser.error(f"the engine has the configurations {', '.join(ENGINES)}")
    # The shell of an HLS kernel of streams is RTL, too.
    simulated = "rtl" in arguments.implementations or set(STREAMS) & set(arguments.kernels)
    if simulated and (reason := rtl_build.unavailable()):
        parser.error(reason)
    try:
        outputs.make_folder(arguments.out)
    except QnnError as problem:
        parser.error(str(problem))
    return arguments


def tests_of(kernels: Iterable[str]) -> list[str]:
    """What pytest has to run for these kernels."""
    chosen = [f"test_{kernel}.py" for kernel in kernels if kernel in STREAMS]
    chosen += [f"test_engine_kernel.py::{WHOLE[kernel]}" for kernel in kernels if kernel in WHOLE]
    if set(NETWORKS) & set(kernels):
        chosen.append("test_engine_kernel.py::test_real_networks")
    return [str(BENCHES / test) for test in chosen]


def run_tests(
    arguments: argparse.Namespace, seed: int, report: Path, counts: Path
) -> tuple[int | None, list[str]]:
    """Exit status of pytest, None after Ctrl-C, and what it said last; every result is shown as it
    comes."""
    print(f"SEED={seed} repeats this", file=sys.stderr)
    environment = clean_environment.for_pytest(
        {
            "SEED": str(seed),
            "AGREEMENT": str(counts),
            "KERNEL": ",".join(arguments.implementations),
            "CONFIGURATIONS": ",".join(arguments.configurations),
            "NETWORKS": ",".join(k for k in arguments.kernels if k in NETWORKS),
        }
    )
    tests = tests_of(arguments.kernels)
    options = ["-ra", "-n", str(arguments.jobs), f"--junitxml={report}", *tests]
    live = sys.stderr.isatty()

    def show(percent: int, outcome: str, name: str) -> None:
        if not live or outcome != "PASSED":
            print(f"[{percent:>3}%] {outcome.lower():7} {name}", file=sys.stderr)

    return pytest_run.follow(ROOT, options, environment, LIMIT_S, Bar("verify", "%"), show)


def rows_of(arguments: argparse.Namespace, counts: list[agreement.Count]) -> list[dict]:
    """One row for each kernel and implementation, with zeros where nothing was compared."""
    rows = []
    for kernel in arguments.kernels:
        for implementation in arguments.implementations:
            own = [c for c in counts if (c.kernel, c.implementation) == (kernel, implementation)]
            values = kernel, implementation, len({c.configuration for c in own})
            sums = sum(c.values for c in own), sum(c.mismatches for c in own)
            rows.append(dict(zip(COLUMNS, (*values, *sums), strict=True)))
    return rows


def table(rows: list[dict]) -> str:
    lines = [COLUMNS, *([f"{v:,}" if isinstance(v, int) else v for v in r.values()] for r in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if n < 2 else text.rjust(width)
            for n, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def failures(report: Path, seed: int) -> list[str]:
    """Each test that failed: its name, why, and the command that repeats it."""
    found = []
    for test in pytest_report.read(report):
        if test.outcome == FAILED:
            case = Case(test.node, seed, False, LIMIT_S, settings(test.node))
            why = textwrap.indent(test.message or "no reason given", "    ")
            found.append(f"FAILED  {test.node}\n{why}\n    repeat it: {case.repeat}")
    return found


def verify(arguments: argparse.Namespace) -> int:
    stamp, chosen = inputs.stamp(ROOT), run_options.seed(default=None)
    seed = secrets.randbelow(2**31) if chosen is None else chosen
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "verify.xml"
        status, output = run_tests(arguments, seed, report, Path(scratch))
        counts = agreement.read(Path(scratch))
        try:
            problems, ended = failures(report, seed), status in (0, 1)
            outputs.write(arguments.out / report.name, report.read_text(), whole=ended)
        except FormatError:
            problems, ended = [], False
    absent = [k for k in arguments.kernels if k in NETWORKS[1:]]
    if absent and run_options.reference() is None:
        arguments.kernels = [k for k in arguments.kernels if k not in absent]
    else:
        absent = []
    rows = rows_of(arguments, counts)
    both = (
        (KERNELS, arguments.kernels), (IMPLEMENTATIONS, arguments.implementations),
        (CONFIGURATIONS, arguments.configurations),
    )  # fmt: skip
    left_out = [name for known, chosen in both for name in known if name not in chosen]
    found = {"origin": stamp, "seed": seed, "left_out": left_out, "rows": rows}
    result = json.dumps(found, indent=1)
    outputs.write(arguments.out / "verify.json", result + "\n", whole=ended)
    print(result if arguments.json else table(rows))
    if status is None:
        print("stopped: the table has what was compared until then", file=sys.stderr)
        return script.STOPPED

    problems += [
        f"{row['kernel']}, {row['implementation']}: nothing was compared"
        for row in rows
        if not row["values"]
    ]
    wrong = sum(row["mismatches"] for row in rows)
    if wrong:
        problems.append(f"{wrong:,} values differ")
    if not ended or (status and not problems):
        problems += ["the benches did not come to their end:", *output]
    for problem in problems:
        print(problem, file=sys.stderr)
    if absent:
        print(f"left out: {', '.join(absent)} (QNN_REFERENCE is not set)", file=sys.stderr)
    if not problems and not arguments.json:
        print(f"{sum(row['values'] for row in rows):,} values, none differs")
    return int(bool(problems))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the benches end too
    script.end("verify", lambda: verify(parse()))
