# SPDX-License-Identifier: BSD-3-Clause
"""Runs the accelerator for hours: fresh seeds, faults, stalls, resets, drivers that come and go.

Tests take turns in one process, each time with a fresh seed: a board that outlives its drivers,
random layers and whole networks under random stalls, every error under every memory, and what can
go wrong between driver and board; every result is compared with the golden model. A line an hour
says what has run. Memory of the process that has risen by more than 64 MiB since each test had run
three times is a failure. So is a crash, and a run that takes longer than --limit.

What has run stays in soak.jsonl in the output folder: ended by Ctrl-C, the command goes on with
the hours that are left. What another state of the files has run does not count. Writes soak.json;
exit status 1: something failed.

    python scripts/soak.py --hours 8
    python scripts/soak.py --hours 0.1 tests/rtl/test_board_life.py
"""

from __future__ import annotations

import argparse
import json
import math
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from qnn.commands.options import positive
from qnn.commands.progress import Bar
from qnn.errors import QnnError
from qnn_sim import clean_environment, outputs, process_session, rtl_build, script
from qnn_sim.regress import collect, inputs, seed_log
from qnn_sim.regress.case import FAILED, SKIPPED, Case

ROOT = Path(__file__).resolve().parent.parent
TESTS = (
    "tests/rtl/test_board_life.py",
    "tests/rtl/test_random_layers.py",
    "tests/rtl/test_word_layers.py",
    "tests/kernels/test_engine_kernel.py::test_random_graphs",
    "tests/system/test_simulated_board.py",
    # The driver keeps its memory on purpose: who still writes there may write there.
    "--deselect=tests/system/test_simulated_board.py::test_memory_that_is_dead_when_the_driver_closes",
)
KERNELS = {"KERNEL": "rtl", "CONFIGURATIONS": "small", "NETWORKS": ""}
HOUR_S = 3600.0
LOOK_S = 1.0  # between two looks at what has run


def hours(text: str) -> float:
    """For argparse."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of hours above 0")
    return found


def parse() -> argparse.Namespace:
    parser = script.parser(__doc__)
    add = parser.add_argument
    add("tests", nargs="*", default=list(TESTS), help="files and nodes of pytest in their place")
    add("--hours", type=hours, default=8.0, help="in all, those of before included (8)")
    add("--limit", type=positive, default=1800, help="seconds after which a run is killed (1800)")
    add("--line", type=positive, default=3600, help="seconds from one line to the next (3600)")
    add("--out", type=Path, default=ROOT / "build", help="output folder (build)")
    add("--new", action="store_true", help="forget what has run")
    add("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args()


def entries(log: Path, tree: str) -> list[dict]:
    """The runs of this state of the files."""
    return [entry for entry in seed_log.entries(log) if entry["tree"] == tree]


def seconds_of(runs: list[dict]) -> float:
    return sum(entry["seconds"] for entry in runs)


def failures_of(runs: list[dict]) -> list[dict]:
    found = []
    for entry in runs:
        if entry["outcome"] == FAILED:
            node = entry["test"]
            chosen = (*entry["settings"].items(), *collect.settings(node))
            case = Case(node, entry["seed"], False, 0, chosen)
            repeat = case.repeat
            if entry["risen"] is not None and entry["why"].startswith("the memory"):
                repeat = f".venv/bin/python scripts/soak.py --hours 1 {shlex.quote(node)}"
            found.append({"seed": entry["seed"], "repeat": repeat, "why": entry["why"]})
    return found


def line(runs: list[dict]) -> str:
    """What has run until now."""
    failed = sum(entry["outcome"] == FAILED for entry in runs)
    text = (
        f"[{seconds_of(runs) / HOUR_S:6.2f} h] {len(runs):,} runs,"
        f" {sum(entry['values'] for entry in runs):,} values compared, {failed} failed"
    )
    if not runs or runs[-1]["resident"] is None:
        return text
    text += f"; memory {runs[-1]['resident'] / 2**20:.0f} MiB"
    rises = [entry["risen"] for entry in runs if entry["risen"] is not None]
    return text + (f", at most {max(rises) / 2**20:+.1f} MiB" if rises else ", still rising")


class Soak:
    """The process in which the tests run, and what it has done."""

    def __init__(self, arguments: argparse.Namespace, tree: str) -> None:
        self._arguments, self._tree = arguments, tree
        out = outputs.make_folder(arguments.out).resolve()
        self.log, self._running = out / "soak.jsonl", out / "soak.running"
        if arguments.new:
            self.log.unlink(missing_ok=True)
        self._said = 0.0

    def runs(self) -> list[dict]:
        return entries(self.log, self._tree)

    def left_s(self) -> float:
        return self._arguments.hours * HOUR_S - seconds_of(self.runs())

    def process(self, tell: Callable[[str], None]) -> None:
        """One process, until the hours are over or it dies, which is a failure of what ran.

        Raises:
            QnnError: the tests cannot begin.
        """
        self._running.unlink(missing_ok=True)
        before, begun = len(self.runs()), time.time()
        with tempfile.TemporaryFile("w+") as said:
            command = [
                sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "--tb=short",
                "-p", "no:cacheprovider", "-p", "no:xdist", f"--soak-seconds={self.left_s()}",
                f"--soak-base={secrets.randbelow(2**31)}", f"--soak-log={self.log}",
                f"--soak-running={self._running}", f"--soak-tree={self._tree}",
                *self._arguments.tests,
            ]  # fmt: skip
            process = subprocess.Popen(
                command, cwd=ROOT, env=clean_environment.for_pytest(KERNELS | {"SEED": ""}),
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
            try:
                why = self._follow(process, tell)
            finally:
                process_session.end(process)
                process.wait()
            said.seek(0)
            output = said.read()
        if process.returncode in (0, 1) and len(self.runs()) > before:
            return
        try:
            running = json.loads(self._running.read_text())
        except (OSError, ValueError):
            raise QnnError(f"the tests cannot begin:\n{output[-3000:]}") from None
        why = why or f"the process died with status {process.returncode}:\n{output[-3000:]}"
        died = running | {
            "outcome": FAILED, "why": why, "values": 0, "resident": None, "risen": None,
            "seconds": round(time.time() - max(begun, self._running.stat().st_mtime), 2),
        }  # fmt: skip
        with self.log.open("a") as file:
            file.write(json.dumps(died) + "\n")

    def _follow(self, process: subprocess.Popen, tell: Callable[[str], None]) -> str:
        """Until the process ends; why it was killed, if so."""
        whole = round(self._arguments.hours * HOUR_S)
        with Bar("soak", "s") as bar:
            while process.poll() is None:
                time.sleep(LOOK_S)
                runs = self.runs()
                spent = seconds_of(runs)
                bar.update(min(int(spent), whole - 1), whole)
                if spent - self._said >= self._arguments.line:
                    self._said = spent
                    bar.clear()
                    tell(line(runs))
                try:
                    age = time.time() - self._running.stat().st_mtime
                except FileNotFoundError:
                    continue
                if age > self._arguments.limit:
                    return f"killed after {self._arguments.limit} s"
        return ""


def table(runs: list[dict], failures: list[dict]) -> str:
    names = sorted({entry["test"] for entry in runs})
    width = max(map(len, [*names, "test"]))
    lines = [f"{'test':{width}}{'runs':>7}{'failures':>10}{'s a run':>9}"]
    for name in names:
        own = [entry for entry in runs if entry["test"] == name]
        failed = sum(entry["outcome"] == FAILED for entry in own)
        skipped = all(entry["outcome"] == SKIPPED for entry in own)
        mean = "skipped" if skipped else f"{seconds_of(own) / len(own):.2f}"
        lines.append(f"{name:{width}}{len(own):>7}{failed:>10}{mean:>9}")
    lines += [f"FAILED  {failure['repeat']}" for failure in failures]
    return "\n".join([*lines, line(runs)])


def soak(arguments: argparse.Namespace) -> int:
    """Runs it, and prints what came of it; the exit status.

    Raises:
        QnnError: it cannot begin.
    """
    if reason := rtl_build.unavailable():
        raise QnnError(reason)
    stamp = inputs.stamp(ROOT)
    work = Soak(arguments, inputs.origin(ROOT).tree)
    stopped = False
    try:
        while work.left_s() > 0:
            work.process(lambda text: print(text, flush=True))
    except KeyboardInterrupt:
        stopped = True
    runs = work.runs()
    failures = failures_of(runs)
    rises = [entry["risen"] for entry in runs if entry["risen"] is not None]
    result = {
        "origin": stamp,
        "hours": round(seconds_of(runs) / HOUR_S, 4),
        "runs": len(runs),
        "values": sum(entry["values"] for entry in runs),
        "risen_bytes": max(rises, default=None),
        "failures": failures,
    }
    document = json.dumps(result, indent=1)
    outputs.write(arguments.out / "soak.json", document + "\n", whole=not stopped)
    print(document if arguments.json else table(runs, failures))
    if stopped:
        print("soak: stopped; called again it goes on", file=sys.stderr)
        return script.STOPPED
    return int(bool(failures))


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the tests end too
    return soak(parse())


if __name__ == "__main__":
    script.end("soak", main)
