# SPDX-License-Identifier: BSD-3-Clause
"""A command in a session of its own, which is ended with all that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def end(process: subprocess.Popen[str]) -> None:
    """Kills the session of a process, unless the process has ended by itself."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def started(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    limit_s: float | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Runs a command in a folder, without input; its stdout has both its outputs.

    After `limit_s` seconds, or however the block is left, by an error or by Ctrl-C, the session is
    ended. INTERRUPTS of this thread that come while it is made wait until there is something to
    end; in a process with other threads these must have them blocked.
    """
    process = watchdog = None
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", start_new_session=True,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS),
            )  # fmt: skip
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        if limit_s is not None:
            watchdog = threading.Timer(limit_s, end, [process])
            watchdog.start()
        yield process
    finally:
        if watchdog is not None:
            watchdog.cancel()
        if process is not None:
            end(process)
            process.wait()
