# SPDX-License-Identifier: BSD-3-Clause
"""A network that is ready to look at pictures or arrays, timed."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.backends import DEFAULTS, Settings, open_session
from qnn.backends.protocol import Maps
from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import Place, Where, wish_for_first
from qnn.errors import ArrayError, PictureError, QnnError
from qnn.network import ArrayInput, Dense, Layer, Network, PictureInput, describe
from qnn.network.offload import Offload, since_us
from qnn.network.result import FEATURE_SCALES, Boxes, Classifier, FloatMap
from qnn.pictures.picture import Picture, Source
from qnn.store import library

Given: TypeAlias = "Source | Decoded"
Skip: TypeAlias = Callable[[Given, QnnError], None]
_SMALL = 1 << 14  # values of a map that the first layer reads
_TOGETHER = 8
_FEW = 16  # classes: of more, one after the other takes longer than sorting all


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
    """Classes of one picture, the most probable first.

    Attributes:
        times_us: of this host, by stage: "decode"; "first_layer", "packing", "offload" and
            "last_layers" as qnn.network.offload has them, and the result is in the last.
        cycles: of the accelerator; None where there is none.
    """

    image: str
    classes: list[Class]
    times_us: dict[str, int] = field(compare=False)
    cycles: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Detections:
    """Objects in one picture; times and cycles as of a Classification."""

    image: str
    objects: list[Object]
    times_us: dict[str, int] = field(compare=False)
    cycles: int | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture, or an array, as the first layer of a network reads it.

    Attributes:
        name: of the picture.
        size: its width and height in pixels; of an array nothing.
        tensor: uint8 or float32, (H, W, C).
        decode_us: what it took.
    """

    name: str
    size: tuple[int, int]
    tensor: NDArray[Any]
    decode_us: int


@dataclass(frozen=True)
class _Seen:
    """A picture whose layers run, or have run."""

    name: str
    size: tuple[int, int]
    times_us: dict[str, int]


class Model:
    """A network on a backend. Made by `qnn.load`; `close` it, or use it in a `with` statement."""

    def __init__(
        self, network: Network, backend: str = "auto", settings: Settings = DEFAULTS
    ) -> None:
        self.network = network
        self.backend, self._session = open_session(backend, network, settings)

    def classify(self, picture: Source, top: int = 5) -> Classification:
        """The `top` most probable classes of a picture (path, PIL image or uint8 RGB array).

        A network that reads arrays takes an array of real numbers in the shape that its source
        has, `network.array.shape`.

        Raises:
            QnnError: the picture cannot be read, or the network does not classify.
        """
        (only,) = self.classify_all([picture], top)
        return only

    def classify_all(
        self,
        pictures: Iterable[Given],
        top: int = 5,
        skip: Skip | None = None,
        ahead: int = 0,
    ) -> Iterator[Classification]:
        """As `classify`, picture after picture; an accelerator works on one while the host opens
        the next, so a result may come only after the next picture was taken from `pictures`.

        Args:
            pictures: what to look at; also what `decode` made of it.
            top: classes of each.
            skip: called with a picture that cannot be read, and why; it is left out then. None:
                such a picture ends all with its error.
            ahead: so many more pictures are taken before a result comes, and opened by another
                thread while layers run; up to twice as many where they run `together`.

        Raises:
            QnnError: a picture cannot be read, or the network does not classify.
        """
        result, network = check_task(self.network, "classify", arrays=True).result, self.network
        assert isinstance(result, Classifier)
        for seen, offload in self._stages(pictures, skip, ahead):
            with _stage(seen.times_us, "last_layers"):
                classes = best_classes(network, result, offload.maps, top)
            yield Classification(seen.name, classes, seen.times_us, offload.cycles)

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
        (only,) = self.detect_all([picture], threshold=threshold, feature_scale=feature_scale)
        return only

    def detect_all(
        self,
        pictures: Iterable[Given],
        *,
        threshold: float = 0.3,
        feature_scale: str = "published",
        skip: Skip | None = None,
        ahead: int = 0,
    ) -> Iterator[Detections]:
        """As `detect`, picture after picture; see `classify_all`, also for `skip` and `ahead`.

        Raises:
            QnnError: a picture cannot be read, or the network does not detect.
        """
        result, network = check_task(self.network, "detect").result, self.network
        assert isinstance(result, Boxes)
        if feature_scale not in FEATURE_SCALES:
            raise QnnError(
                f"unknown feature scale {feature_scale!r}; known are {', '.join(FEATURE_SCALES)}"
            )
        last = None if feature_scale == "published" else self._scaled(feature_scale)
        for seen, offload in self._stages(pictures, skip, ahead, last):
            with _stage(seen.times_us, "last_layers"):
                objects = objects_in(network, result, offload.maps, seen.size, threshold)
            yield Detections(seen.name, objects, seen.times_us, offload.cycles)

    def tensor(self, picture: Source) -> NDArray[Any]:
        """What the first layer reads of a picture (or an array, where the network reads arrays):
        pixels or codes, uint8, or floats, float32 (H, W, C).

        Raises:
            QnnError: the picture cannot be read, or no picture can go into the network.
        """
        return self.decode(picture).tensor

    def decode(self, picture: Given) -> Decoded:
        """A picture opened and made what the first layer reads, to be looked at later; needs no
        accelerator, and may be called in another thread. What is decoded is returned as it is.

        Raises:
            QnnError: the picture cannot be read, or no picture can go into the network.
        """
        return picture if isinstance(picture, Decoded) else _decoded(picture, self._input)

    def evaluate(self, arrays: NDArray[Any]) -> NDArray[Any]:
        """What the network makes of arrays.

        Args:
            arrays: real numbers, (N, *network.array.shape).

        Returns:
            Scores (N, classes), or where the network ends with a map its values (N, *shape), as
            its source has them; float32 or float64.

        Raises:
            ArrayError: the arrays are not what the network reads.
            QnnError: the network reads no arrays, or its result is missing.
        """
        array, result = check_arrays(self.network)
        maps = self._session.run(array.codes(np.asarray(arrays)))
        return result.values(maps) if isinstance(result, FloatMap) else result.scores(maps)

    def outputs(self, maps: Maps) -> dict[str, NDArray[Any]]:
        """What each output of the network is, by the name that it has in the source.

        Args:
            maps: what the first layer reads, (N, H, W, C).

        Returns:
            Scores (N, classes), or the values of a map (N, *shape); float32 or float64.

        Raises:
            QnnError: a result is missing, or gives boxes.
        """
        (offload,) = self._session.stream([maps])
        return outputs_of(self.network, offload)

    def run(self, maps: Maps) -> Maps:
        """What the layers make of what the first of them reads, (N, H, W, C); see
        qnn.backends.protocol."""
        return self._session.run(maps)

    def stream(self, batches: Iterable[Maps]) -> Iterator[Offload]:
        """As `run`, batch after batch; see qnn.backends.protocol."""
        return self._session.stream(batches)

    def around(self, maps: Maps) -> dict[str, Callable[[], object]]:
        """What the host does around an accelerator, of one picture; see qnn.backends.protocol."""
        return self._session.around(maps)

    def trace(self, maps: Maps, skip: int = 0) -> Iterator[Maps]:
        """What each layer in turn makes of what the first of them reads, (N, H, W, C); or the
        first behind `skip` layers that are left out."""
        return self._session.trace(maps, skip)

    def close(self) -> None:
        """Gives the backend back."""
        self._session.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def batch(self) -> int:
        """Pictures that the backend had best run together."""
        return self._session.batch

    @property
    def together(self) -> int:
        """Pictures that `classify_all` and `detect_all` run together, if so many are opened ahead:
        several only of small ones, where all of them take milliseconds."""
        most = self.batch if self.capabilities is None or self.batch <= _TOGETHER else 1
        return min(most, _TOGETHER) if np.prod(self.network.in_shape) <= _SMALL else 1

    @property
    def ahead(self) -> int:
        """Pictures that may be opened before they are needed, as memory has it at the moment; at
        least those that run together."""
        from qnn.pictures.ahead import allowed

        bytes_of_one = np.dtype(np.float32).itemsize * int(np.prod(self.network.in_shape))
        return max(allowed(bytes_of_one), self.together - 1)

    @property
    def clock_mhz(self) -> float | None:
        """Of the accelerator, for `cycles`; None where the backend has none."""
        return self._session.clock_mhz

    @property
    def simulated(self) -> bool:
        """The accelerator is a simulation: cycles / clock is the time that it would take."""
        return self._session.simulated

    @property
    def capabilities(self) -> Capabilities | None:
        """Of the accelerator, as its registers tell; None where the backend has none."""
        return self._session.capabilities

    @property
    def places(self) -> tuple[Place, ...]:
        """Where each layer runs, and why."""
        return self._session.places

    @property
    def _input(self) -> PictureInput | ArrayInput:
        """What makes a map of what is given; QnnError if the network came without it."""
        found = self.network.picture or self.network.array
        if found is None:
            raise _incomplete(self.network)
        return found

    def _scaled(self, feature_scale: str) -> Layer:
        """The last layer, its codes worth so much more."""
        layer = self.network.layers[-1]
        if not isinstance(layer, Dense) or layer.in_bits is None or layer.unit is None:
            raise QnnError(
                f"model {self.network.name} knows only the feature scale published: its last layer "
                "reads no codes of a fixed unit"
            )
        return replace(layer, unit=layer.unit * FEATURE_SCALES[feature_scale])

    def _stages(
        self, pictures: Iterable[Given], skip: Skip | None, ahead: int, last: Layer | None = None
    ) -> Iterator[tuple[_Seen, Offload]]:
        """Each picture, and what the layers made of it, with `last` in place of the last one."""
        under_way: deque[_Seen] = deque()
        most = min(self.together, ahead + 1)

        def batches() -> Generator[Maps, None, None]:
            maps: list[NDArray[Any]] = []
            with closing(self._decoding(pictures, ahead)) as found:
                for picture, decoded in found:
                    try:
                        one = decoded()
                    except QnnError as error:
                        if skip is None:
                            if maps:  # what came before it is not lost
                                yield _batch(maps)
                            raise
                        skip(picture, error)
                        continue
                    under_way.append(_Seen(one.name, one.size, {"decode": one.decode_us}))
                    maps.append(one.tensor)
                    if len(maps) == most:
                        yield _batch(maps)
                        maps = []
            if maps:
                yield _batch(maps)

        with closing(batches()) as given:
            for offload in self._session.stream(given, last):
                for one in offload.each():
                    seen = under_way.popleft()
                    seen.times_us["first_layer"] = one.before_us
                    if one.packing_us is not None:
                        seen.times_us["packing"] = one.packing_us
                    seen.times_us["offload"] = one.offload_us
                    seen.times_us["last_layers"] = one.after_us
                    yield seen, one

    def _decoding(
        self, pictures: Iterable[Given], ahead: int
    ) -> Generator[tuple[Given, Callable[[], Decoded]], None, None]:
        """Each picture, and what gives it decoded."""
        if not ahead:
            for picture in pictures:
                yield picture, partial(self.decode, picture)
            return
        from qnn.pictures.ahead import ahead as work_ahead

        with closing(work_ahead(pictures, self.decode, ahead)) as found:
            yield from found


def _batch(maps: list[NDArray[Any]]) -> Maps:
    """What the first layer reads, of some pictures; of one it is no copy."""
    return maps[0][None] if len(maps) == 1 else np.stack(maps)


def best_classes(network: Network, result: Classifier, maps: Maps, top: int = 5) -> list[Class]:
    """The `top` most probable classes of the only picture of a last map; of equals the first, as on
    the boards."""
    probabilities = result.probabilities(maps)[0]
    order = _largest(probabilities, max(top, 0))
    return [Class(n, network.classes[n], probabilities.item(n)) for n in order]


def _largest(values: NDArray[np.float64], count: int) -> list[int]:
    """Places of the so many largest values, in order; of equals the first."""
    if count > _FEW:
        order: list[int] = (-values).argsort(kind="stable")[:count].tolist()
        return order
    left, found = values.copy(), list[int]()
    for _ in range(min(count, len(left))):
        found.append(int(left.argmax()))
        left[found[-1]] = -np.inf
    return found


def objects_in(
    network: Network, result: Boxes, maps: Maps, size: tuple[int, int], threshold: float = 0.3
) -> list[Object]:
    """The objects in the only picture of a last map, of a width and a height in pixels."""
    features = np.asarray(maps[0], np.float64)
    found = result.detect(features, len(network.classes), size, threshold)
    return [Object(network.classes[d.class_index], d.probability, d.box) for d in found]


def check_task(network: Network, task: str, arrays: bool = False) -> Network:
    """The network, if it can do that from the picture to the answer.

    Args:
        task: "classify" or "detect".
        arrays: it may also read arrays instead of pictures.

    Raises:
        QnnError: it is for the other one, or its picture or its result is missing.
    """
    if network.task != task:
        does = "detects objects" if task == "classify" else "classifies pictures"
        raise QnnError(f"model {network.name} {does}; use {network.task}")
    if network.array is not None and not arrays:
        raise _reads_arrays(network)
    if (network.picture is None and network.array is None) or not isinstance(
        network.result, Classifier if task == "classify" else Boxes
    ):
        raise _incomplete(network)
    return network


def check_arrays(network: Network) -> tuple[ArrayInput, Classifier | FloatMap]:
    """What makes maps of arrays, and numbers of the last map.

    Raises:
        QnnError: the network reads no arrays, or its result is missing.
    """
    if network.array is None:
        if network.picture is None:
            raise _incomplete(network)
        raise QnnError(
            f"model {network.name} reads pictures: use {network.task}, or import it again with "
            "--input array"
        )
    if not isinstance(network.result, Classifier | FloatMap):
        raise _incomplete(network)
    return network.array, network.result


def outputs_of(network: Network, offload: Offload) -> dict[str, NDArray[Any]]:
    """What `Model.outputs` gives, of what the layers made; the output of the last layer first."""
    result = network.result
    if not isinstance(result, Classifier | FloatMap):
        raise _incomplete(network)
    given = {network.output: (result, offload.maps)} | {
        head.name: (head.result, found)
        for head, found in zip(network.heads, offload.heads, strict=True)
    }
    return {
        name: one.values(found) if isinstance(one, FloatMap) else one.scores(found)
        for name, (one, found) in given.items()
    }


def _reads_arrays(network: Network) -> QnnError:
    """The error to raise where a picture is given to a network that reads arrays."""
    assert network.array is not None
    return QnnError(
        f"model {network.name} reads arrays of {describe(network.array.shape)} numbers, no "
        f"pictures: qnn run --model {network.name} --input x.npy"
    )


def _incomplete(network: Network) -> QnnError:
    reasons = "; ".join(network.missing) or "its picture or its result is missing"
    return QnnError(f"model {network.name} is incomplete: {reasons}")


def _decoded(source: Source, seen_by: PictureInput | ArrayInput) -> Decoded:
    """What is given, and the map of it."""
    began = time.perf_counter_ns()
    if isinstance(seen_by, ArrayInput):
        if not isinstance(source, np.ndarray):
            raise ArrayError(
                f"{source!s:.80}: the network reads arrays of {describe(seen_by.shape)} numbers; "
                "give it a numpy array"
            )
        return Decoded("array", (0, 0), seen_by.codes(source[None])[0], since_us(began))
    picture = Picture.open(source)
    try:
        tensor = seen_by.tensor(picture)
    except MemoryError:
        raise PictureError(f"{picture.name} does not fit into memory: save it smaller") from None
    except PictureError as error:
        if picture.name in str(error):
            raise
        raise PictureError(f"{picture.name}: {error}") from None
    return Decoded(picture.name, picture.size, tensor, since_us(began))


@contextmanager
def _stage(times_us: dict[str, int], name: str) -> Iterator[None]:
    start = time.perf_counter_ns()
    yield
    times_us[name] = times_us.get(name, 0) + (time.perf_counter_ns() - start) // 1000


def load(
    name: str | os.PathLike[str] = library.DEFAULT,
    backend: str = "auto",
    clock_mhz: float | None = None,
    first: Where | None = None,
) -> Model:
    """A model by its name (see `qnn models`) or the directory of its network.

    Args:
        name: "fashion-cnv" ships with the package.
        backend: "auto" takes the best there is.
        clock_mhz: of an accelerator; None: what its bitstream was built for, 100 in a simulation.
        first: "host" or "accelerator" for the first layer, where a backend has an accelerator;
            None: a layer of integers there, one of floats on the host. The codes are the same.

    Raises:
        QnnError: the network is unknown, damaged, or the backend cannot run it.
    """
    network = library.find(name)
    return Model(network, backend, Settings(clock_mhz, wish=wish_for_first(network, first)))
