# SPDX-License-Identifier: BSD-3-Clause
"""A network that is ready to look at pictures: three stages, timed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn import library
from qnn.backends import open_session
from qnn.errors import QnnError
from qnn.first import First
from qnn.last import FEATURE_SCALES, DenseChain, Region, Scores
from qnn.network import Network
from qnn.picture import Picture, Source


@dataclass(frozen=True)
class Class:
    """One class of a classification."""

    index: int
    name: str
    probability: float


@dataclass(frozen=True)
class Object:
    """One object of a detection; box is (left, top, right, bottom) in pixels of the picture."""

    name: str
    probability: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Classification:
    """Classes of one picture, the most probable first, and the time of each stage."""

    image: str
    classes: list[Class]
    times_us: dict[str, int] = field(compare=False)


@dataclass(frozen=True)
class Detections:
    """Objects in one picture and the time of each stage."""

    image: str
    objects: list[Object]
    times_us: dict[str, int] = field(compare=False)


class Model:
    """A network on a backend. Made by `qnn.load`; `close` it, or use it in a `with` statement."""

    def __init__(self, network: Network, backend: str = "auto") -> None:
        self.network = network
        self.backend, self._session = open_session(backend, network)

    def classify(self, picture: Source, top: int = 5) -> Classification:
        """The `top` most probable classes of a picture (path, PIL image or uint8 RGB array).

        Raises:
            QnnError: the picture cannot be read, or the network does not classify.
        """
        last, network = self.network.last, self.network
        if network.task != "classify":
            raise QnnError(f"model {network.name} detects objects; use detect")
        if not isinstance(last, Scores | DenseChain):
            raise self._incomplete()
        times: dict[str, int] = {}
        opened, maps = self._run(picture, times)
        with _stage(times, "last_layers"):
            probabilities = last.probabilities(maps)[0]
            # Of equals the first, as on the boards.
            order = np.argsort(-probabilities, kind="stable")[: max(top, 0)]
        classes = [Class(int(i), network.classes[i], float(probabilities[i])) for i in order]
        return Classification(opened.name, classes, times)

    def detect(
        self, picture: Source, *, threshold: float = 0.3, feature_scale: str = "published"
    ) -> Detections:
        """The objects in a picture (path, PIL image or uint8 RGB array).

        Args:
            picture: what to look at.
            threshold: least probability of an object.
            feature_scale: "published" reproduces the published results; "dequantized" feeds the
                last layer the values it was trained on (codes times 4/7): boxes fit better,
                probabilities are lower.

        Raises:
            QnnError: the picture cannot be read, or the network does not detect.
        """
        last, network = self.network.last, self.network
        if network.task != "detect":
            raise QnnError(f"model {network.name} classifies pictures; use classify")
        if not isinstance(last, Region):
            raise self._incomplete()
        if feature_scale not in FEATURE_SCALES:
            raise QnnError(
                f"unknown feature scale {feature_scale!r}; known are {', '.join(FEATURE_SCALES)}"
            )
        times: dict[str, int] = {}
        opened, maps = self._run(picture, times)
        with _stage(times, "last_layers"):
            found = last.detect(
                maps[0].astype(np.uint8, copy=False),
                len(network.classes),
                opened.size,
                feature_scale,
                threshold,
            )
        objects = [Object(network.classes[d.class_index], d.probability, d.box) for d in found]
        return Detections(opened.name, objects, times)

    def run(self, codes: NDArray[np.uint8]) -> NDArray[np.integer[Any]]:
        """What the layers make of codes, uint8 (N, H, W, C); see qnn.backends.protocol."""
        return self._session.run(codes)

    def trace(self, codes: NDArray[np.uint8]) -> Iterator[NDArray[np.integer[Any]]]:
        """What each layer in turn makes of codes, uint8 (N, H, W, C)."""
        return self._session.trace(codes)

    def close(self) -> None:
        """Gives the backend back."""
        self._session.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def first(self) -> First:
        """The first stage; QnnError if the network came without one."""
        if self.network.first is None:
            raise self._incomplete()
        return self.network.first

    def _run(
        self, picture: Source, times: dict[str, int]
    ) -> tuple[Picture, NDArray[np.integer[Any]]]:
        first = self.first
        with _stage(times, "decode"):
            opened = Picture.open(picture)
            tensor = first.tensor(opened)
        with _stage(times, "first_layer"):
            codes = first.codes(tensor)
        with _stage(times, "offload"):
            maps = self._session.run(codes[None])
        return opened, maps

    def _incomplete(self) -> QnnError:
        reasons = "; ".join(self.network.missing) or "its stages on the host are missing"
        return QnnError(f"model {self.network.name} is incomplete: {reasons}")


@contextmanager
def _stage(times_us: dict[str, int], name: str) -> Iterator[None]:
    start = time.perf_counter_ns()
    yield
    times_us[name] = (time.perf_counter_ns() - start) // 1000


def load(name: str | os.PathLike[str] = library.DEFAULT, backend: str = "auto") -> Model:
    """A model by its name (see `qnn models`) or the directory of its network.

    Args:
        name: "fashion-cnv" ships with the package.
        backend: "auto" takes the best there is.

    Raises:
        QnnError: the network is unknown, damaged, or the backend cannot run it.
    """
    return Model(library.find(name), backend)
