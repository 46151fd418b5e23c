# SPDX-License-Identifier: BSD-3-Clause
"""Runs cases on this machine, several at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

from qnn_sim.regress import case as outcomes
from qnn_sim.regress.case import Case, Result
from qnn_sim.regress.execute import Processes, run_case

POLL_S = 0.5  # so that Ctrl-C is noticed


def run(cases: list[Case], root: Path, folder: Path, jobs: int) -> Iterator[Result]:
    """Results as they come; closing the iterator ends what still runs.

    Args:
        folder: every case has a folder of its own in it.
        jobs: cases at a time.
    """
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    done: queue.SimpleQueue[Result] = queue.SimpleQueue()
    processes = Processes()
    for case in cases:
        waiting.put(case)

    def work() -> None:
        while not processes.stopped:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                result = run_case(case, root, folder / case.key, processes)
            except Exception as problem:  # a full disk, say: it is this case that has failed
                result = Result(case, outcomes.FAILED, message=f"could not be run: {problem}")
            done.put(result)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(jobs, len(cases)))]
    for thread in threads:
        thread.start()
    try:
        left = len(cases)
        while left:
            try:
                yield done.get(timeout=POLL_S)
            except queue.Empty:
                continue
            left -= 1
    finally:
        processes.stop()
        for thread in threads:
            thread.join(timeout=10)
