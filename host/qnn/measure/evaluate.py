# SPDX-License-Identifier: BSD-3-Clause
"""The accuracy of a model on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.errors import QnnError
from qnn.model import Model
from qnn.network.result import Classifier
from qnn.pictures.dataset import Dataset


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
    result, classes = model.network.result, len(model.network.classes)
    if not isinstance(result, Classifier):
        reasons = "; ".join(model.network.missing) or "it detects objects"
        raise QnnError(f"model {model.network.name} cannot classify: {reasons}")
    if not 0 <= dataset.labels.min() <= dataset.labels.max() < classes:
        raise QnnError(
            f"labels from {dataset.labels.min()} to {dataset.labels.max()} do not fit the "
            f"{classes} classes of model {model.network.name}"
        )
    counts = np.zeros((classes, classes), dtype=np.int64)
    total = len(dataset.labels)
    batch, done = model.batch, 0

    def batches() -> Iterator[NDArray[Any]]:
        for start in range(0, total, batch):
            images = dataset.images[start : start + batch]
            yield np.stack([model.tensor(image) for image in images])

    for offload in model.stream(batches()):
        decisions = result.probabilities(offload.maps).argmax(axis=1)
        np.add.at(counts, (dataset.labels[done : done + len(decisions)], decisions), 1)
        done += len(decisions)
        if progress is not None:
            progress(done, total)
    return counts
