# SPDX-License-Identifier: BSD-3-Clause
"""One worker: a process that owns its accelerator and does one job after the other."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from qnn.cluster import connection
from qnn.cluster.connection import CONNECT_S, distributed
from qnn.cluster.holder import Holder
from qnn.cluster.job import Job, Reply
from qnn.errors import QnnError


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

    Args:
        make_holder: opens what there is to hold.
        tell: called once with the address of the worker, when it can work.

    Raises:
        QnnError: the holder cannot be made, no scheduler answers, or it has gone.
        KeyboardInterrupt: by Ctrl-C; SIGTERM ends it without an error.
    """
    pool = ThreadPoolExecutor(1, "qnn-worker")
    try:
        connection.check(address)
        holder = pool.submit(make_holder).result()
        try:
            with tempfile.TemporaryDirectory(prefix="qnn-worker-") as folder:
                asyncio.run(_serve(address, holder, pool, folder, tell))
        finally:
            holder.stop()
            pool.shutdown()  # by now Dask takes no more; the job that runs is waited for
            holder.close()
    finally:
        pool.shutdown()


async def _serve(
    address: str,
    holder: Holder,
    pool: ThreadPoolExecutor,
    folder: str,
    tell: Callable[[str, Holder], None],
) -> None:
    worker = await started(address, holder, pool, folder)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    try:
        tell(worker.address, holder)
        gone = asyncio.ensure_future(worker.finished())
        told = asyncio.ensure_future(ended.wait())
        await asyncio.wait({gone, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
    finally:
        holder.stop()
        await worker.close(timeout=connection.CLOSE_S, executor_wait=False)
    if not ended.is_set():
        raise QnnError(f"the scheduler at {address} has gone: start it, then this worker again")
