# SPDX-License-Identifier: BSD-3-Clause
"""The accuracy of a model on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import QnnError
from qnn.model import Model, reads_arrays
from qnn.network import Network
from qnn.network.result import Classifier
from qnn.pictures.dataset import Dataset
from qnn.pictures.picture import Picture


def confusion(
    model: Model, dataset: Dataset, progress: Callable[[int, int], None] | None = None
) -> NDArray[np.int64]:
    """Counts of decisions, int64 (classes, classes): rows are labels, columns decisions.

    Args:
        model: one that classifies.
        dataset: its labels are indexes of the model's classes.
        progress: called with the number of pictures done and of all.

    Raises:
        QnnError: the model does not classify, or a label is none of its classes.
    """
    for counts in tallies(model, dataset):
        if progress is not None:
            progress(int(counts.sum()), len(dataset.labels))
    return counts


def tallies(model: Model, dataset: Dataset) -> Iterator[NDArray[np.int64]]:
    """As `confusion`, of the pictures so far, again and again: one array, added to in place."""
    check(model.network, dataset)
    result, classes = model.network.result, len(model.network.classes)
    assert isinstance(result, Classifier)
    counts = np.zeros((classes, classes), dtype=np.int64)
    batch, done = model.batch, 0

    def batches() -> Iterator[NDArray[Any]]:
        for start in range(0, len(dataset.labels), batch):
            images = dataset.images[start : start + batch]
            yield np.stack([model.tensor(image) for image in images])

    for offload in model.stream(batches()):
        decisions = result.probabilities(offload.maps).argmax(axis=1)
        np.add.at(counts, (dataset.labels[done : done + len(decisions)], decisions), 1)
        done += len(decisions)
        yield counts


def check(network: Network, dataset: Dataset) -> None:
    """What `confusion` would refuse, before a backend is opened for it.

    Raises:
        QnnError: the network does not classify, a label is none of its classes, or its geometry
            refuses pictures of this size.
    """
    classes = len(network.classes)
    if network.array is not None:
        raise reads_arrays(network)
    if network.picture is None or not isinstance(network.result, Classifier):
        reasons = "; ".join(network.missing) or (
            "it detects objects"
            if network.task == "detect"
            else "its picture or its result is missing"
        )
        raise QnnError(f"model {network.name} cannot classify: {reasons}")
    if not 0 <= dataset.labels.min() <= dataset.labels.max() < classes:
        raise QnnError(
            f"labels from {dataset.labels.min()} to {dataset.labels.max()} do not fit the "
            f"{classes} classes of model {network.name}"
        )
    network.picture.tensor(Picture.open(dataset.images[0]))
