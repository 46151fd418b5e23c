# SPDX-License-Identifier: BSD-3-Clause
"""Spreads pictures over workers; what they found comes in the order of the pictures.

Every job goes to a worker that this side has chosen, so that it is known who had it: Dask carries
it there and back. What a worker had that is gone, or has failed, goes to others.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from qnn.cluster.connection import why
from qnn.cluster.job import Item, Job, Outcome, Reply, Unreadable
from qnn.cluster.members import LOOK_S, Cluster, Worker
from qnn.errors import BackendError, QnnError

NOBODY_S = 60.0  # how long to wait for another worker, where the last has gone
JOB_S = 600.0  # a worker that takes longer for a job is given up
FETCH_S = 10.0  # for what a worker has found
AGAIN = 3  # times that a job runs again
AHEAD = 2  # jobs at a worker: one runs, one waits
JOB_BYTES = 4 << 20
SHARE = 8  # jobs for each worker, at least, where there are so many pictures


def spread(
    cluster: Cluster, items: Iterable[Item | Unreadable], total: int, top: int | None = None
) -> Generator[tuple[Outcome, ...], None, None]:
    """What the workers say of pictures, some at a time, in the order of the pictures.

    Args:
        items: taken as workers have room for them; what is unreadable only takes its place.
        total: how many there are.
        top: classes of each picture; None: how right the decision is.

    Raises:
        BackendError: a job was tried 1 + AGAIN times in vain.
        QnnError: the scheduler has gone, or no worker is left.
    """
    return _Run(cluster, iter(items), total, top).outcomes()


@dataclass
class _Running:
    """A job that has no answer yet.

    Attributes:
        left_out: pictures that could not be read here, by their place among all of the job.
        worker: who has it now.
        failed: addresses of workers that did not do it.
        tries: how often it was tried in vain.
    """

    job: Job
    left_out: dict[int, Unreadable]
    future: Any = None
    worker: Worker | None = None
    failed: set[str] = field(default_factory=set)
    tries: int = 0

    def whole(self, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        """What a worker found, and between it what was left out."""
        found = list(outcomes)
        for place in sorted(self.left_out):
            found.insert(place, self.left_out[place])
        return tuple(found)


class _Run:
    """One call of `spread`."""

    def __init__(
        self, cluster: Cluster, items: Iterator[Item | Unreadable], total: int, top: int | None
    ) -> None:
        self._cluster, self._items, self._total, self._top = cluster, items, total, top
        self._running: dict[int, _Running] = {}
        self._again: list[int] = []  # jobs that wait for another worker
        self._ready: dict[int, tuple[Outcome, ...]] = {}
        self._made, self._more = 0, True
        self._done: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()

    def outcomes(self) -> Generator[tuple[Outcome, ...], None, None]:
        told = 0
        try:
            workers, looked = self._cluster.look(), time.monotonic()
            last_seen = looked
            while True:
                self._hand_out(workers)
                while told in self._ready:
                    yield self._ready.pop(told)
                    told += 1
                if not self._running and not self._more:
                    return
                done = self._take(looked + LOOK_S - time.monotonic())
                self._hand_out(workers)  # first of all: nobody waits for what others have found
                self._fetch(done)
                now = time.monotonic()
                if now - looked >= LOOK_S:
                    workers, looked = self._cluster.look(), now
                    self._miss(workers, now)
                    workers = [one for one in workers if not one.given_up]
                    last_seen = now if workers else last_seen
                    if now - last_seen > NOBODY_S:
                        raise QnnError(f"no worker is left at {self._cluster.address}")
        finally:
            for one in self._running.values():
                self._drop(one)

    def _hand_out(self, workers: list[Worker]) -> None:
        """Every worker gets what it has room for: first what another one did not do."""
        for depth in range(1, AHEAD + 1):
            for worker in workers:
                if len(worker.jobs) < depth and (number := self._next_for(worker, workers)) >= 0:
                    self._start(number, worker)

    def _next_for(self, worker: Worker, workers: list[Worker]) -> int:
        """The number of a job; -1: there is none for this worker."""
        everybody = {one.address for one in workers}
        for number in self._again:
            failed = self._running[number].failed
            if worker.address not in failed or everybody <= failed:
                self._again.remove(number)
                return number
        while self._more:
            number, size = self._made, self._size(worker, len(workers))
            made = self._make(size)
            if made is None:
                self._more = False
            else:
                self._made += 1
                if made.job.items:
                    self._running[number] = made
                    return number
                self._ready[number] = made.whole(())
        return -1

    def _size(self, worker: Worker, workers: int) -> int:
        """Pictures of a job."""
        return max(1, min(worker.batch, self._total // (SHARE * workers)))

    def _make(self, most: int) -> _Running | None:
        """A job of the next pictures; None where all were taken."""
        items: list[Item] = []
        left_out: dict[int, Unreadable] = {}
        size = 0
        while len(items) + len(left_out) < most and size < JOB_BYTES:
            item = next(self._items, None)
            if item is None:
                break
            if isinstance(item, Unreadable):
                left_out[len(items) + len(left_out)] = item
            else:
                items.append(item)
                size += len(item.data)
        if not items and not left_out:
            return None
        return _Running(Job(self._cluster.digest, self._top, tuple(items)), left_out)

    def _start(self, number: int, worker: Worker) -> None:
        one = self._running[number]
        if not worker.jobs:
            worker.since = time.monotonic()
        worker.jobs.append(number)
        one.worker = worker
        one.future = self._cluster.submit(
            one.job, worker, lambda future: self._done.put((number, future))
        )

    def _take(self, timeout_s: float) -> dict[int, Any]:
        """The futures of what workers have done by now, by number; waits for the first of it."""
        found: dict[int, Any] = {}
        with contextlib.suppress(queue.Empty):
            number, future = self._done.get(timeout=max(timeout_s, 0.0))
            while True:
                one = self._running.get(number)
                if one is not None and one.future is future:  # nobody else has got it meanwhile
                    found[number] = future
                    self._free(number, one)
                number, future = self._done.get_nowait()
        return found

    def _fetch(self, done: dict[int, Any]) -> None:
        """What workers have found, all in one go where that goes."""
        if any(future.status in ("cancelled", "lost") for future in done.values()):
            raise self._cluster.gone(ConnectionError("it has forgotten the pictures"))
        replies: dict[int, Any] = {}
        good = {number: future for number, future in done.items() if future.status == "finished"}
        with contextlib.suppress(Exception):  # told below, for each of them
            replies = self._cluster.gather(good, FETCH_S)
        for number, future in done.items():
            self._finish(number, future, replies.get(number))

    def _finish(self, number: int, future: Any, reply: Reply | None) -> None:
        one = self._running[number]
        assert one.worker is not None
        reason = "it did not say what it found"
        try:
            reply = reply or future.result(timeout=FETCH_S)
        except Exception as problem:  # whatever a worker, or the way to it, raises
            reason = why(problem)
        else:
            assert reply is not None
            if reply.failure is not None:
                reason = reply.failure
            elif reply.digest != self._cluster.digest:
                reason = f"it looked with another network, of digest {reply.digest[:12]}"
            elif len(reply.outcomes) == len(one.job.items):
                self._drop(one)
                del self._running[number]
                one.worker.pictures += len(reply.outcomes)
                self._ready[number] = one.whole(reply.outcomes)
                return
        self._fail(number, reason)

    def _fail(self, number: int, reason: str) -> None:
        """A job runs again, or was tried too often."""
        one = self._running[number]
        assert one.worker is not None
        address = one.worker.address
        self._free(number, one)
        self._drop(one)
        one.failed.add(address)
        one.tries += 1
        if one.tries > AGAIN:
            first = one.job.items[0].name
            raise BackendError(
                f"{len(one.job.items)} pictures from {first} on were tried {one.tries} times in "
                f"vain, at last by worker {address}: {reason}"
            )
        self._again.append(number)
        self._again.sort()

    @staticmethod
    def _free(number: int, one: _Running) -> None:
        """The worker has room for another job."""
        worker = one.worker
        if worker is not None and number in worker.jobs:
            worker.jobs.remove(number)
            worker.since = time.monotonic()

    @staticmethod
    def _drop(one: _Running) -> None:
        if one.future is not None:
            one.future.release()
            one.future = None

    def _miss(self, workers: list[Worker], now: float) -> None:
        """Takes their jobs from workers that have gone, or take too long."""
        present = {one.address for one in workers}
        for worker in self._cluster.workers.values():
            if not worker.jobs:
                continue
            if worker.address not in present:
                reason = "it was lost"
            elif now - worker.since > JOB_S:
                reason, worker.given_up = f"it took more than {JOB_S:g} s", True
            else:
                continue
            others = "; others go on" * any(not one.given_up for one in workers)
            self._cluster.tell(f"worker {worker.address} has failed: {reason}{others}")
            for number in list(worker.jobs):
                self._fail(number, reason)
