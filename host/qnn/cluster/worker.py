# SPDX-License-Identifier: BSD-3-Clause
"""One worker: a process that owns its accelerator and does one job after the other."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from qnn.cluster import connection
from qnn.cluster.connection import CONNECT_S, distributed
from qnn.cluster.holder import Holder
from qnn.cluster.job import Job, Reply
from qnn.errors import QnnError

END_S = 60.0  # for what runs, and for Dask, from when the worker is told to end


class Holds(Protocol):
    """What a worker needs of a Holder.

    Attributes:
        description: plain values: what it has.
    """

    description: dict[str, Any]

    def work(self, job: Job) -> Reply:
        """Does one job after the other."""


async def started(address: str, holder: Holds, pool: ThreadPoolExecutor, folder: str) -> Any:
    """A distributed.Worker that has said to the scheduler what it holds; close it.

    Args:
        pool: of the one thread that uses the holder.
        folder: for what Dask writes.

    Raises:
        QnnError: no scheduler answers.
    """
    worker = distributed().Worker(
        address,
        nthreads=1,
        executor=pool,
        name=f"{socket.gethostname()}-{os.getpid()}-{id(holder):x}",
        startup_information={"qnn": lambda _: holder.description},
        memory_limit=0,  # nothing that comes is kept
        local_directory=folder,
        death_timeout=CONNECT_S,
        dashboard=False,
    )
    worker.qnn_holder = holder
    try:
        return await worker
    except (OSError, ValueError, RuntimeError, asyncio.TimeoutError) as problem:
        raise connection.silent(address, problem) from None


def serve(
    address: str, make_holder: Callable[[], Holder], tell: Callable[[str, Holder], None]
) -> None:
    """Works until the scheduler goes or somebody ends it, and leaves the accelerator quiet.

    Once it is told to end it ends within END_S seconds, whatever a job, the accelerator or Dask is
    waiting for; SIGINT tells it so also where a shell, which started it with `&`, had it ignored.

    Args:
        make_holder: opens what there is to hold.
        tell: called once with the address of the worker, when it can work.

    Raises:
        QnnError: the holder cannot be made, no scheduler answers, or it has gone.
        KeyboardInterrupt: by Ctrl-C; SIGTERM ends it without an error.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    pool = ThreadPoolExecutor(1, "qnn-worker")
    try:
        connection.check(address)
        holder = pool.submit(make_holder).result()
        with _bounded() as ends:
            try:
                with tempfile.TemporaryDirectory(prefix="qnn-worker-") as folder:
                    told = asyncio.run(_serve(address, holder, pool, folder, tell, ends))
            finally:
                holder.stop()
                pool.shutdown()  # by now Dask takes no more; the job that runs is waited for
                holder.close()
    finally:
        pool.shutdown()
    if told == signal.SIGINT:
        raise KeyboardInterrupt


@contextmanager
def _bounded() -> Iterator[Callable[[], None]]:
    """What it gives is to be called when the worker begins to end.

    Where the block is not left END_S seconds later, the process is cut off.
    """

    def cut_off() -> None:
        print(f"qnn: the worker did not end within {END_S:g} s and is cut off", file=sys.stderr)
        sys.stderr.flush()
        os._exit(2)

    limit = threading.Timer(END_S, cut_off)
    limit.daemon = True

    def begin() -> None:
        if not limit.is_alive():
            limit.start()

    try:
        yield begin
    finally:
        limit.cancel()


async def _serve(
    address: str,
    holder: Holder,
    pool: ThreadPoolExecutor,
    folder: str,
    tell: Callable[[str, Holder], None],
    ends: Callable[[], None],
) -> int:
    """Serves until it is told to end; the number of the signal that told it."""
    worker = await started(address, holder, pool, folder)
    loop = asyncio.get_running_loop()
    told: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        ends()
        if not told.done():
            told.set_result(number)

    # A signal is an event, not the cancellation of whatever runs: it disturbs no closing.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    try:
        tell(worker.address, holder)
        gone = asyncio.ensure_future(worker.finished())
        await asyncio.wait({gone, told}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ends()
        holder.stop()
        await worker.close(timeout=connection.CLOSE_S, executor_wait=False)
    if not told.done():
        raise QnnError(f"the scheduler at {address} has gone: start it, then this worker again")
    return told.result()
