# SPDX-License-Identifier: BSD-3-Clause
"""Work in a process of its own: Yosys and pytest end theirs, or hang, where they find a fault."""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pyosys import libyosys

from qnn_sim.process_session import INTERRUPTS


def status_of(work: Callable[[], int], log: Path, most_cpu_s: int | None = None) -> int:
    """Wait status of `work`, run in a process of its own; what it prints goes into `log`."""
    # Python loses a Ctrl-C that comes within a fork: it waits until there is somebody to end.
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    child = os.fork()
    if child:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
            return os.waitpid(child, 0)[1]
        except BaseException:  # Ctrl-C: what runs in C would not notice before its end
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
    code = 3
    try:
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        with open(log, "w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        if most_cpu_s is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (most_cpu_s, most_cpu_s + 5))
        code = work()
    except BaseException:  # whatever it is, the process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        libyosys.log_flush()
        os._exit(code)


def run_passes(*commands: str) -> libyosys.Design:
    """A new design after these commands; Yosys ends the process where one fails."""
    design = libyosys.Design()
    for command in commands:
        libyosys.run_pass(command, design)
    return design


def yosys(folder: Path, log: str, work: Callable[[], object]) -> None:
    """Runs work of Yosys in a process of its own. Raises SystemExit where it fails."""

    def done() -> int:
        work()
        return 0

    if status_of(done, folder / log):
        raise SystemExit(f"mutate.py: Yosys fails: see {folder / log}")
