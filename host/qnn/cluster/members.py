# SPDX-License-Identifier: BSD-3-Clause
"""The workers of a scheduler: who is there, who may look at pictures, and who may not and why."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from types import TracebackType
from typing import Any

from qnn.cluster.connection import close, connect, why
from qnn.cluster.job import Job, Reply, work
from qnn.errors import QnnError
from qnn.network import Network
from qnn.store.digest import digest

WORKERS_S = 15.0  # how long to wait for the first worker
LOOK_S = 1.0  # between two looks at who is there


@dataclass
class Worker:
    """A worker that may take jobs.

    Attributes:
        address: where the scheduler finds it.
        about: what it says of itself; qnn.cluster.holder.
        pictures: that it has looked at.
        jobs: numbers of what it has not answered yet.
        since: when it began with the first of them, by time.monotonic.
        given_up: it is there, but takes too long.
    """

    address: str
    about: dict[str, Any]
    pictures: int = 0
    jobs: list[int] = field(default_factory=list)
    since: float = 0.0
    given_up: bool = False

    @property
    def batch(self) -> int:
        return int(self.about["batch"])


class Cluster:
    """The workers of one scheduler that have a network. `with Cluster(...) as cluster:`.

    Args:
        address: of a Dask scheduler.
        network: that is to look at the pictures.
        tell: called with a sentence for each worker that is left out, and for each that is lost.

    Attributes:
        digest: of the network.
        workers: by their address, also those that have gone.

    Raises:
        QnnError: no scheduler answers, or it has no worker with this network.
    """

    def __init__(self, address: str, network: Network, tell: Callable[[str], None]) -> None:
        self.address, self.network, self.tell = address, network, tell
        self.digest = digest(network)
        self.workers: dict[str, Worker] = {}
        self._refused: dict[str, str] = {}
        self._present: list[Worker] = []
        self._client = connect(address)
        try:
            self._await_workers()
        except BaseException:
            close(self._client)
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; what runs on workers comes to its end there."""
        close(self._client)

    def _await_workers(self) -> None:
        deadline = time.monotonic() + WORKERS_S
        self.look()
        while not self._present:
            if self._refused or time.monotonic() > deadline:
                raise QnnError(self._nobody())
            time.sleep(LOOK_S / 4)
            self.look()

    def _nobody(self) -> str:
        if not self._refused:
            return (
                f"the scheduler at {self.address} has no worker: start some with "
                f"`qnn worker --cluster {self.address}`"
            )
        reasons = [f"{name} {why}" for name, why in self._refused.items()]
        more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        return (
            f"no worker of {self.address} can take {self.network.name}: "
            f"{'; '.join(reasons[:3])}{more}"
        )

    def look(self) -> list[Worker]:
        """The workers that are there and may take jobs."""
        try:
            found = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as problem:
            raise self.gone(problem) from None
        known = set(self._refused)
        for address in found:
            about = found[address].get("qnn")
            if address in self.workers or address in known:
                continue
            if (reason := self._reason_against(about)) is not None:
                self._refused[address] = reason
            else:
                self.workers[address] = Worker(address, about)
        if set(found) - set(self._refused):
            for address in set(self._refused) - known:
                self.tell(f"worker {address} is left out: it {self._refused[address]}")
        self._present = [self.workers[one] for one in found if one in self.workers]
        return self._present

    def _reason_against(self, about: Any) -> str | None:
        """Why such a worker gets no job; None: it may."""
        if not isinstance(about, dict):
            return "is none of `qnn worker`"
        if about["qnn"] != (here := version("qnn")):
            return f"runs qnn {about['qnn']}, this program {here}"
        if self.digest in about["networks"].values():
            return None
        name = self.network.name
        if name not in about["networks"]:
            return f"has no {name}, but {', '.join(about['networks'])}"
        theirs = about["networks"][name]
        return f"has another {name}: digest {theirs[:12]}, here {self.digest[:12]}"

    def gone(self, problem: Exception) -> QnnError:
        """The error to raise where the scheduler does not answer any more."""
        return QnnError(f"the scheduler at {self.address} has gone: {why(problem)}")

    def submit(self, job: Job, worker: Worker, done: Callable[[Any], None]) -> Any:
        """A future of Dask; `done` is called with it in another thread."""
        future = self._client.submit(
            work, job, key=f"qnn-{uuid.uuid4().hex}", workers=[worker.address],
            allow_other_workers=False, pure=False, retries=0,
        )  # fmt: skip
        future.add_done_callback(done)
        return future

    def gather(self, futures: dict[int, Any], timeout_s: float) -> dict[int, Reply]:
        """What came of futures that are finished; whatever Dask raises, where one is lost."""
        found = self._client.gather(list(futures.values()), asynchronous=True)
        replies = self._client.sync(lambda: found, callback_timeout=timeout_s)
        return dict(zip(futures, replies, strict=True))
