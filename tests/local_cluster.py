# SPDX-License-Identifier: BSD-3-Clause
"""A Dask scheduler and workers of qnn in a thread of this process."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import distributed

from qnn.cluster import worker
from qnn.cluster.holder import Holder

LIMIT_S = 300


class LocalCluster:
    """`with local_cluster(folder) as cluster: cluster.add(Holder([network], "cpu"))`.

    Attributes:
        address: of the scheduler.
        holders: by the address of the worker that has them.
    """

    def __init__(self, folder: Path) -> None:
        worker.distributed()  # says nothing that is not fatal from here on
        self._folder = str(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.holders: dict[str, Holder] = {}
        self._workers: dict[str, distributed.Worker] = {}
        self._scheduler = self._call(self._started())
        self.address: str = self._scheduler.address

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LIMIT_S)

    async def _started(self) -> distributed.Scheduler:
        return await distributed.Scheduler(host="127.0.0.1", port=0, dashboard=False)

    def add(self, holder: Holder) -> str:
        """A worker that holds that; its address."""
        pool = ThreadPoolExecutor(1)
        found = self._call(worker.started(self.address, holder, pool, self._folder))
        self.holders[found.address], self._workers[found.address] = holder, found
        return found.address

    def add_stranger(self) -> str:
        """A worker of Dask that is none of qnn."""

        async def started() -> distributed.Worker:
            return await distributed.Worker(
                self.address, nthreads=1, dashboard=False, local_directory=self._folder
            )

        found = self._call(started())
        self._workers[found.address] = found
        return found.address

    def lose(self, address: str) -> None:
        """This worker is gone from one moment to the other, whatever it has."""
        self.holders.pop(address).stop()

        async def cut() -> None:
            worker = self._workers.pop(address)
            worker.batched_stream.comm.abort()  # as where its process dies
            await worker.close(timeout=5, executor_wait=False)

        self._call(cut())

    def close_scheduler(self) -> None:
        self._call(self._scheduler.close())

    def close(self) -> None:
        for address in list(self.holders):
            self.holders[address].stop()
        for found in self._workers.values():
            self._call(found.close(timeout=1, executor_wait=False))
        for holder in self.holders.values():
            holder.close()
        self.close_scheduler()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)


@contextlib.contextmanager
def local_cluster(folder: Path) -> Iterator[LocalCluster]:
    cluster = LocalCluster(folder)
    try:
        yield cluster
    finally:
        cluster.close()
