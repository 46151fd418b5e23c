# SPDX-License-Identifier: BSD-3-Clause
"""What goes over the wire: some pictures to a worker, what it found in each back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from qnn.errors import QnnError
from qnn.measure.evaluate import Answer
from qnn.model import Classification
from qnn.pictures import dataset, pipe
from qnn.pictures.picture import Source, check_readable


class Unreadable(NamedTuple):
    """A picture that is left out, and why, in a sentence."""

    name: str
    reason: str


class Item(NamedTuple):
    """A picture on its way.

    Attributes:
        name: what messages call it.
        data: its file as it is, or pixels.
        shape: of the pixels, uint8; None: it is a file.
        label: index of its class; -1 where nobody knows.
    """

    name: str
    data: bytes
    shape: tuple[int, ...] | None
    label: int = -1

    def source(self) -> Source:
        """What a model can look at."""
        if self.shape is None:
            return pipe.Piped(self.name, self.data)
        return np.frombuffer(self.data, np.uint8).reshape(self.shape)


@dataclass(frozen=True)
class Job:
    """Pictures for one worker.

    Attributes:
        digest: of the network that is to look at them.
        top: so many classes of each are wanted; None: how right it is.
    """

    digest: str
    top: int | None
    items: tuple[Item, ...]


Outcome: TypeAlias = "Answer | Classification | Unreadable"


@dataclass(frozen=True)
class Reply:
    """What a worker has to say to a job.

    Attributes:
        digest: of the network that looked at them.
        outcomes: one for each picture, in order.
        failure: why there are none, in a sentence.
    """

    digest: str
    outcomes: tuple[Outcome, ...] = ()
    failure: str | None = None


def pack(name: str, source: Source, label: int = -1) -> Item | Unreadable:
    """A picture for the wire: a file as it lies on the disk, read here; or pixels."""
    if isinstance(source, np.ndarray):
        return Item(name, np.ascontiguousarray(source, np.uint8).tobytes(), source.shape, label)
    if isinstance(source, pipe.Piped):
        return Item(name, source.data, None, label)
    assert isinstance(source, (str, os.PathLike))
    path = os.fspath(source)
    try:
        check_readable(path)
        return Item(name, dataset.read_bytes(Path(path), pipe.MAX_BYTES), None, label)
    except QnnError as error:
        return Unreadable(name, str(error))


def work(job: Job) -> Reply:
    """Runs on a worker: a job, by what that worker holds."""
    from distributed import get_worker

    here: Any = get_worker()
    reply: Reply = here.qnn_holder.work(job)
    return reply
