# SPDX-License-Identifier: BSD-3-Clause
"""Imported networks beside the reference executor of QONNX: same numbers in, same numbers out?"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.engine import estimate
from qnn.errors import QnnError
from qnn.importers import import_network
from qnn.measure.verify import verify
from qnn.model import Model
from qnn.network import Conv, Network

CLOSE = 1e-5  # of the range of the scores: what float32 sums in another order may differ by
_BEYOND = 0.2  # beyond the outermost thresholds, in parts of what lies between them


def execute(model: Any, x: NDArray[Any], *tensors: str) -> dict[str, NDArray[Any]]:
    """Tensors (all outputs where none is named) of an onnx.ModelProto for one input, float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import onnxruntime
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes

        # it warns of domains that are not its own
        onnxruntime.set_default_logger_severity(4)  # type: ignore[attr-defined]
        wrapped = ModelWrapper(model).transform(InferShapes())
        found = execute_onnx(wrapped, {_input(model): x}, return_full_exec_context=True)
    return {tensor: found[tensor] for tensor in tensors or [o.name for o in model.graph.output]}


def _input(model: Any) -> str:
    """The name of what goes in."""
    constants = {one.name for one in model.graph.initializer}
    return next(one.name for one in model.graph.input if one.name not in constants)


@dataclass(frozen=True)
class Agreement:
    """What came of one file.

    Attributes:
        name: of the file.
        refusal: why the network was not imported; None where it was.
        inputs: how many were compared.
        error: largest difference of any score, in parts of the range of the scores of its output.
        same_class: inputs with the same largest score of each output.
        tensors: compared with the golden model, layer by layer, and the whole output; None where
            that was not asked for.
        mismatches: values of these that differ.
        cycles, bound: of one input on an accelerator, and of the products that its layers have,
            were all lanes busy; None where there is none.
    """

    name: str
    refusal: str | None
    inputs: int = 0
    error: float = 0.0
    same_class: int = 0
    tensors: int | None = None
    mismatches: int = 0
    cycles: int | None = None
    bound: int | None = None

    @property
    def good(self) -> bool:
        """It was imported, and nothing differs by more than the order of sums."""
        alike = self.error <= CLOSE and self.same_class == self.inputs
        return self.refusal is None and alike and not self.mismatches


def compare(path: Path, inputs: int, seed: int, backend: str | None = None) -> Agreement:
    """One .onnx file: imported and run on the CPU, and by the reference executor.

    Args:
        path: of the file.
        inputs: how many, random; of arrays every second one has values on thresholds.
        seed: of these.
        backend: on which every layer is compared with the golden model, too.
    """
    import onnx

    try:
        network = import_network("qonnx", path, "compared")
        model = onnx.load(path)
        x, maps = _inputs(network, model, np.random.default_rng(seed), inputs)
        with Model(network, "cpu") as opened:
            outputs = opened.outputs(maps)
    except QnnError as error:
        return Agreement(path.stem, str(error))
    wanted = [_first_of_batch(model, one) for one in x]
    worst, same = 0.0, np.ones(inputs, bool)
    for name, values in outputs.items():
        found = values.reshape(inputs, -1)
        want = np.array([one.get(name, next(iter(one.values()))) for one in wanted])
        want = want.reshape(inputs, -1)
        spread = max(float(np.ptp(want)), float(np.finfo(np.float32).tiny))
        worst = max(worst, float(abs(found - want).max()) / spread)
        same &= found.argmax(axis=1) == want.argmax(axis=1)
    agreement = Agreement(path.stem, None, inputs, worst, int(same.sum()))
    if backend is None:
        return agreement
    return _verified(agreement, network, backend, maps[:1])


def _verified(found: Agreement, network: Network, backend: str, maps: NDArray[Any]) -> Agreement:
    """Every layer by itself, and the whole network at once."""
    with Model(network, backend) as model, Model(network, "cpu") as cpu:
        rows = verify(model)
        (whole,), (wanted,) = model.stream([maps]), cpu.stream([maps])
        caps, places = model.capabilities, model.places
    tensors = list(zip((whole.maps, *whole.heads), (wanted.maps, *wanted.heads), strict=True))
    wrong = sum(int((one != other).sum()) for one, other in tensors)
    wrong += sum(row.mismatches for row in rows)
    found = replace(found, tensors=len(rows) + len(tensors), mismatches=wrong)
    if caps is None or whole.cycles is None:
        return found
    ideal = [
        estimate.ideal(layer, caps)
        for layer, place in zip(network.layers, places, strict=True)
        if isinstance(layer, Conv) and place.where == "accelerator"
    ]
    return replace(found, cycles=whole.cycles, bound=math.ceil(sum(ideal)))


def _first_of_batch(model: Any, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Outputs of one input by name, where the graph states how many go in at a time."""
    shape = _shape(model)
    batch = np.repeat(x.reshape(1, *shape[1:]), shape[0] or 1, axis=0)
    return {name: found[0] for name, found in execute(model, batch).items()}


def _shape(model: Any) -> list[int]:
    (given,) = (one for one in model.graph.input if one.name == _input(model))
    return [side.dim_value for side in given.type.tensor_type.shape.dim]


def _inputs(
    network: Network, model: Any, rng: np.random.Generator, count: int
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """What the graph reads, and what the first layer does."""
    if network.array is not None:
        x = _arrays(network.array, rng, count)
        return x, network.array.codes(x)
    if network.picture is None:
        raise QnnError(f"network {network.name} reads neither pictures nor arrays")
    pixels = rng.integers(0, 256, (count, *network.picture.out_shape), dtype=np.uint8)
    x = pixels.astype(np.float32) / np.float32(255)
    maps: NDArray[Any] = pixels
    if network.picture.bits is None:
        maps = x
    elif network.picture.table is not None:
        maps = network.picture.table[np.arange(pixels.shape[3]), pixels]
    sides = _shape(model)[1:]
    channels_first = len(sides) == 3 and sides[0] == pixels.shape[3] and sides != [*x.shape[1:]]
    return (x.transpose(0, 3, 1, 2) if channels_first else x), maps


def _arrays(array: Any, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    shape = (count, *array.shape)
    if array.grid is not None:
        steps = rng.integers(0, array.grid.count, shape)
        return (array.grid.low + array.grid.step * steps).astype(np.float32)
    if array.thresholds is None:
        return rng.normal(0, 1, shape).astype(np.float32)
    thresholds = array.thresholds[np.isfinite(array.thresholds)]
    low, high = thresholds.min(), thresholds.max()
    beyond = _BEYOND * max(high - low, 1.0)
    x = rng.uniform(low - beyond, high + beyond, shape).astype(np.float32)
    x[::2] = rng.choice(thresholds, math.prod(shape[1:]) * len(x[::2])).reshape(x[::2].shape)
    return x
