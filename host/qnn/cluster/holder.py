# SPDX-License-Identifier: BSD-3-Clause
"""What a worker holds: some networks, one of them open, with the accelerator where there is one."""

from __future__ import annotations

import dataclasses
import platform
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, cast

import numpy
import PIL

from qnn.backends import DEFAULTS, Settings
from qnn.cluster.job import Item, Job, Outcome, Reply, Unreadable
from qnn.engine.placement import Where, wish_for_first
from qnn.errors import QnnError
from qnn.measure.evaluate import Entry, answers
from qnn.model import Given, Model
from qnn.network import Network
from qnn.pictures.picture import Source
from qnn.store.digest import digest

# Pictures that go to an accelerator together: so many that a job takes it longer than it takes the
# scheduler, and so few that little is lost with a board.
ACCELERATOR_BATCH = 64


class _StoppedError(QnnError):
    """The worker is told to end."""


class Holder:
    """Opens the first network at once, so that the accelerator is taken or the error known.

    Everything but `stop` is called by one thread at a time.

    Args:
        networks: what this worker can look at pictures with; at least one.
        backend: as of qnn.load.
        clock_mhz: of the accelerator.
        first: where the first layer of each runs.

    Raises:
        QnnError: the backend cannot run the first of them.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        backend: str = "auto",
        clock_mhz: float | None = DEFAULTS.clock_mhz,
        first: Where | None = None,
    ) -> None:
        self._networks = {digest(network): network for network in networks}
        self._backend, self._clock_mhz, self._first = backend, clock_mhz, first
        self._stopped = threading.Event()
        self._digest, self._model = "", cast("Model | None", None)
        self.done = 0
        self.opened(next(iter(self._networks)))
        self.description = self._describe()

    def opened(self, wanted: str) -> Model:
        """The model of the network of that digest; another one is closed for it."""
        if self._model is None or wanted != self._digest:
            self.close()
            network = self._networks[wanted]
            wish = wish_for_first(network, self._first)
            settings = Settings(self._clock_mhz, self._tick, wish)
            self._model, self._digest = Model(network, self._backend, settings), wanted
        return self._model

    def _tick(self, *_: int) -> None:
        """Ends what runs, where the worker is told to end."""
        if self._stopped.is_set():
            raise _StoppedError("the worker was told to end")

    def work(self, job: Job) -> Reply:
        """What the network of the job says of its pictures; a failure is an answer too."""
        if job.digest not in self._networks:
            return Reply("", failure="it has no network of that digest")
        try:
            model = self.opened(job.digest)
            look = self._answers if job.top is None else self._classifications
            outcomes = look(model, job)
        except (MemoryError, QnnError) as error:
            self.close()  # the next job opens it afresh
            reason = str(error) if isinstance(error, QnnError) else "there is not enough memory"
            return Reply(job.digest, failure=reason)
        self.done += len(outcomes)
        return Reply(self._digest, outcomes)

    def _each(self, job: Job) -> Iterator[Item]:
        for item in job.items:
            self._tick()
            yield item

    def _answers(self, model: Model, job: Job) -> tuple[Outcome, ...]:
        found: dict[int, Outcome] = {}

        def skip(number: str, error: QnnError) -> None:
            found[int(number)] = Unreadable(job.items[int(number)].name, str(error))

        # By their number in the job: a name may come twice.
        given = (
            Entry(str(number), item.source(), item.label)
            for number, item in enumerate(self._each(job))
        )
        for batch in answers(model, given, skip, any(item.shape is None for item in job.items)):
            for answer in batch:
                number = int(answer.image)
                found[number] = answer._replace(image=job.items[number].name)
        return tuple(found[number] for number in range(len(job.items)))

    def _classifications(self, model: Model, job: Job) -> tuple[Outcome, ...]:
        assert job.top is not None
        found: dict[int, Outcome] = {}
        taken: list[int] = []

        def sources() -> Iterator[Source]:
            for number, item in enumerate(self._each(job)):
                taken.append(number)
                yield item.source()

        def skip(_: Given, error: QnnError) -> None:
            number = taken.pop()  # the picture that was taken last
            found[number] = Unreadable(job.items[number].name, str(error))

        seen = list(model.classify_all(sources(), job.top, skip))
        for number, result in zip(taken, seen, strict=True):
            found[number] = dataclasses.replace(result, image=job.items[number].name)
        return tuple(found[number] for number in range(len(job.items)))

    def _describe(self) -> dict[str, Any]:
        """What a worker says it has: plain values."""
        model = self._model
        assert model is not None
        capabilities = model.capabilities
        return {
            "qnn": version("qnn"),
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "pillow": PIL.__version__,
            "platform": f"{platform.system()} {platform.machine()}",
            "backend": model.backend,
            "simulated": model.simulated,
            "clock_mhz": model.clock_mhz,
            "capabilities": None if capabilities is None else dataclasses.asdict(capabilities),
            "batch": _batch(model),
            "networks": {network.name: key for key, network in self._networks.items()},
        }

    def stop(self) -> None:
        """Ends a job between two pictures, or within one of a simulation; from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Gives the accelerator back; `opened` takes it again. Idempotent."""
        model, self._model = self._model, None
        if model is not None:
            model.close()


def _batch(model: Model) -> int:
    """Pictures of a job for such a worker: of a simulation, which takes seconds for one, one."""
    if model.simulated:
        return 1
    return model.batch if model.capabilities is None else ACCELERATOR_BATCH
