# SPDX-License-Identifier: BSD-3-Clause
"""The accuracy of a model on labelled pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qnn.errors import QnnError
from qnn.model import Model, check_task
from qnn.network import Network
from qnn.network.result import Classifier
from qnn.pictures.ahead import ahead
from qnn.pictures.dataset import Dataset
from qnn.pictures.folder import Labelled
from qnn.pictures.picture import Picture, Source

Pictures = Dataset | Sequence[Labelled]
TOP = 5


class Entry(NamedTuple):
    """A picture, its name and its label, the index of a class."""

    name: str
    source: Source
    label: int


class Answer(NamedTuple):
    """What a model says of a picture whose label is known.

    Attributes:
        image: its path, or its number in a data set, from 0.
        label, decision: indexes of classes.
        rank: place of the label among all classes, the most probable first, from 1.
        probability: of the decision.
    """

    image: str
    label: int
    decision: int
    rank: int
    probability: float


@dataclass
class Tally:
    """What is known of the pictures so far.

    Attributes:
        confusion: int64 (classes, classes), counts: rows are labels, columns decisions.
        in_top: pictures whose label is among the TOP most probable classes.
        wrong: where they are wished for, those of another decision, in order.
    """

    confusion: NDArray[np.int64]
    in_top: int = 0
    wrong: list[Answer] = field(default_factory=list)

    @classmethod
    def of(cls, network: Network) -> Tally:
        """Of no picture."""
        return cls(np.zeros((len(network.classes),) * 2, dtype=np.int64))

    def add(self, answer: Answer, keep_wrong: bool) -> None:
        """Counts one picture more; `keep_wrong`: lists it, if the decision is not its label."""
        self.confusion[answer.label, answer.decision] += 1
        self.in_top += answer.rank <= TOP
        if keep_wrong and answer.decision != answer.label:
            self.wrong.append(answer)


def confusion(
    model: Model, pictures: Pictures, progress: Callable[[int, int], None] | None = None
) -> NDArray[np.int64]:
    """Counts of decisions, int64 (classes, classes): rows are labels, columns decisions.

    Args:
        model: one that classifies.
        pictures: with labels that are indexes of the model's classes.
        progress: called with the number of pictures done and of all.

    Raises:
        QnnError: the model does not classify, a label is none of its classes, or a picture cannot
            be read.
    """
    for tally in tallies(model, pictures):
        if progress is not None:
            progress(int(tally.confusion.sum()), count(pictures))
    return tally.confusion


def tallies(
    model: Model,
    pictures: Pictures,
    skip: Callable[[str, QnnError], None] | None = None,
    keep_wrong: bool = False,
) -> Iterator[Tally]:
    """As `confusion`, of the pictures so far, batch after batch: one tally, added to in place.

    Args:
        skip: called with the name of a picture that cannot be read, and why; it is left out then.
            None: such a picture ends all with its error.
        keep_wrong: list the wrong ones.
    """
    check(model.network, pictures)
    found = answers(model, entries(pictures), skip, not isinstance(pictures, Dataset))
    with closing(found):
        yield from tallied(model.network, found, keep_wrong)


def tallied(
    network: Network, batches: Iterable[Sequence[Answer]], keep_wrong: bool = False
) -> Iterator[Tally]:
    """One tally of what a model has said, added to in place after each batch."""
    tally = Tally.of(network)
    for batch in batches:
        for answer in batch:
            tally.add(answer, keep_wrong)
        yield tally


def answers(
    model: Model,
    pictures: Iterable[Entry],
    skip: Callable[[str, QnnError], None] | None = None,
    decode_ahead: bool = True,
) -> Generator[list[Answer], None, None]:
    """What a model that classifies says of pictures with labels, in batches, in order.

    Args:
        skip: as of `tallies`.
        decode_ahead: decode in another thread, while layers run; what is an array already need not.
    """
    result = model.network.result
    assert isinstance(result, Classifier)
    under_way: deque[tuple[str, int]] = deque()

    def batches() -> Generator[NDArray[Any], None, None]:
        maps = []
        for (name, _, label), tensor in _tensors(model, pictures, decode_ahead):
            try:
                maps.append(tensor())
            except QnnError as error:
                if skip is None:
                    raise
                skip(name, error)
                continue
            under_way.append((name, label))
            if len(maps) == model.batch:
                yield np.stack(maps)
                maps = []
        if maps:
            yield np.stack(maps)

    with closing(batches()) as given:
        for offload in model.stream(given):
            yield [
                _answer(*under_way.popleft(), probabilities)
                for probabilities in result.probabilities(offload.maps)
            ]


def _answer(name: str, label: int, probabilities: NDArray[np.float64]) -> Answer:
    """Of the probabilities of all classes, (classes,)."""
    decision = int(probabilities.argmax())
    # Of equals the first, as in a classification.
    better = np.count_nonzero(probabilities > probabilities[label])
    rank = better + np.count_nonzero(probabilities[:label] == probabilities[label]) + 1
    return Answer(name, label, decision, int(rank), float(probabilities[decision]))


def _tensors(
    model: Model, pictures: Iterable[Entry], decode_ahead: bool
) -> Iterator[tuple[Entry, Callable[[], NDArray[Any]]]]:
    """Each picture, and what gives its tensor."""
    if not decode_ahead:
        for entry in pictures:
            yield entry, partial(model.tensor, entry.source)
        return
    with closing(ahead(pictures, lambda one: model.tensor(one.source), model.ahead)) as found:
        yield from found


def count(pictures: Pictures) -> int:
    """How many there are."""
    return len(pictures.labels if isinstance(pictures, Dataset) else pictures)


def entries(pictures: Pictures) -> Iterator[Entry]:
    """Each picture with its label; those of a data set are called by their number."""
    if isinstance(pictures, Dataset):
        for i, (image, label) in enumerate(zip(pictures.images, pictures.labels, strict=True)):
            yield Entry(str(i), image, int(label))
    else:
        for one in pictures:
            yield Entry(one.path, one.path, one.label)


def check(network: Network, pictures: Pictures) -> None:
    """What `confusion` would refuse, before a backend is opened for it.

    Raises:
        QnnError: the network does not classify, a label is none of its classes, or its geometry
            refuses pictures of a data set's size.
    """
    check_task(network, "classify")
    assert network.picture is not None
    labels = _labels(pictures)
    if not 0 <= labels.min() <= labels.max() < len(network.classes):
        raise QnnError(
            f"labels from {labels.min()} to {labels.max()} do not fit the "
            f"{len(network.classes)} classes of model {network.name}"
        )
    if isinstance(pictures, Dataset):
        network.picture.tensor(Picture.open(pictures.images[0]))


def _labels(pictures: Pictures) -> NDArray[np.int64]:
    if isinstance(pictures, Dataset):
        return pictures.labels
    return np.array([one.label for one in pictures], np.int64)
