# SPDX-License-Identifier: BSD-3-Clause
"""What stands between the sums of a layer and its codes, in the float32 arithmetic of QONNX.

Every step is monotone in each channel and rounds as the reference executor does, so a threshold
can be found by asking the steps, instead of by algebra that would round elsewhere. Arrays are
float32 (..., C), channels last.

Source: the operator pages of QONNX (IntQuant, BipolarQuant, MultiThreshold) and ONNX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.truncation import Truncated
from qnn.network import MaxPool
from qnn.network.arithmetic import Arithmetic

MAX_WIDTH = 32  # bits of a quantiser


@dataclass(frozen=True)
class Clip:
    """y = min(max(x, low), high)."""

    low: float
    high: float

    def __call__(self, x: Array) -> Array:
        y: Array = np.clip(x, np.float32(self.low), np.float32(self.high))
        return y


@dataclass(frozen=True, eq=False)
class Uniform:
    """Quant: code = round(clip(x / scale + zero, low, high)) - low."""

    scale: Array
    zero: Array
    low: int
    high: int
    rounding: Callable[[Array], Array]

    def codes(self, x: Array) -> Array:
        """int64 from 0 on."""
        y = x / self.scale + self.zero
        y = self.rounding(np.clip(y, np.float32(self.low), np.float32(self.high)))
        return y.astype(np.int64) - self.low

    def values(self, codes: Array) -> Array:
        """float32 that stand for the codes."""
        y: Array = ((codes + self.low).astype(np.float32) - self.zero) * self.scale
        return y

    def __call__(self, x: Array) -> Array:
        return self.values(self.codes(x))


@dataclass(frozen=True, eq=False)
class Linear:
    """QuantizeLinear: whole number = round(x / scale) + zero, from low to high; that is the value.

    Its code is this number - low.
    """

    scale: Array
    zero: int
    low: int
    high: int

    def codes(self, x: Array) -> Array:
        """int64 from 0 on."""
        y = np.rint(x / self.scale).astype(np.float64) + self.zero
        return np.clip(y, self.low, self.high).astype(np.int64) - self.low

    def values(self, codes: Array) -> Array:
        """float32 that stand for the codes."""
        y: Array = (codes + self.low).astype(np.float32)
        return y

    def __call__(self, x: Array) -> Array:
        return self.values(self.codes(x))


@dataclass(frozen=True, eq=False)
class Bipolar:
    """BipolarQuant: code 1 where x >= 0; and Quant of 1 bit, signed, which has a zero point.

    Code 1 where x / divisor + zero >= 0; value = (-1 - zero) * scale or (1 - zero) * scale.
    """

    scale: Array
    divisor: Array = field(default_factory=lambda: np.ones((), np.float32))
    zero: Array = field(default_factory=lambda: np.zeros((), np.float32))

    def codes(self, x: Array) -> Array:
        """0 or 1, int64."""
        return (x / self.divisor + self.zero >= 0).astype(np.int64)

    def values(self, codes: Array) -> Array:
        """float32 that stand for the codes."""
        y: Array = ((2 * codes - 1).astype(np.float32) - self.zero) * self.scale
        return y

    def __call__(self, x: Array) -> Array:
        return self.values(self.codes(x))


@dataclass(frozen=True, eq=False)
class Count:
    """MultiThreshold: code = number of thresholds of its row <= x; value = scale * code + bias.

    Attributes:
        thresholds: float32 (rows, K).
        row: int64 (C,), of each channel.
    """

    thresholds: Array
    scale: np.float32
    bias: np.float32
    row: Array

    def codes(self, x: Array) -> Array:
        """int64 from 0 to K."""
        y: Array = (x[..., None] >= self.thresholds[self.row]).sum(axis=-1, dtype=np.int64)
        return y

    def values(self, codes: Array) -> Array:
        """float32 that stand for the codes."""
        y: Array = self.scale * codes.astype(np.float32) + self.bias
        return y

    def __call__(self, x: Array) -> Array:
        return self.values(self.codes(x))


Quantizer = Uniform | Linear | Bipolar | Count | Truncated
Step = Arithmetic | Clip | Quantizer | MaxPool
QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant")


def _away(x: Array) -> Array:
    y: Array = np.sign(x) * np.ceil(np.abs(x))
    return y


def _half_up(x: Array) -> Array:
    y: Array = np.sign(x) * np.floor(np.abs(x) + np.float32(0.5))
    return y


def _half_down(x: Array) -> Array:
    y: Array = np.sign(x) * np.ceil(np.abs(x) - np.float32(0.5))
    return y


ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _away,
    "DOWN": np.trunc,
    "HALF_UP": _half_up,
    "HALF_DOWN": _half_down,
}


def quantizer(node: Node, parameters: list[Array | None]) -> Uniform | Bipolar:
    """The step of a node of type QUANTIZERS.

    Args:
        node: the quantiser.
        parameters: its inputs after the first; scale and zero point may differ between channels.

    Raises:
        NetworkError: parameters without a meaning.
    """
    scale = given(node, "scale", parameters, 0)
    if not (scale > 0).all() or not np.isfinite(scale).all():
        raise node.refuse("its scale is not a positive number")
    if node.op == "BipolarQuant":
        return Bipolar(scale)
    zero = given(node, "zero point", parameters, 1)
    width = float(only(node, "bit width", given(node, "bit width", parameters, 2)))
    signed = bool(node.attributes.get("signed", 1))
    narrow = bool(node.attributes.get("narrow", 1))
    if not (1 <= width <= MAX_WIDTH and width == int(width)) or not np.isfinite(zero).all():
        raise node.refuse(f"a width of {width:g} bits or its zero point have no meaning here")
    if width == 1 and signed:  # whatever its range and its rounding are said to be
        return Bipolar(scale, scale, zero)
    half = 1 << (int(width) - 1)
    if signed:
        low, high = -half + narrow, half - 1
    else:
        low, high = 0, 2 * half - 1 - narrow
    return Uniform(scale, zero, low, high, _rounding(node))


def truncation(node: Node, parameters: list[Array | None]) -> Truncated:
    """The step of a Trunc node; errors as of `quantizer`.

    Args:
        node: the one.
        parameters: its inputs after the first: scale, zero point, bits; then bits (version 1 of the
            operator), or scale and bits (version 2); one number each. The version that the file
            imports must be that of its inputs, as the reference goes by the import alone.
    """
    fits = 1 if len(parameters) <= 4 else 2
    imported = node.attributes.get("version", fits)
    if fits != min(imported, 2):
        raise node.refuse(
            f"its inputs are those of version {fits} of the operator, and the file imports version "
            f"{imported} of its domain: export it again with version {fits}"
        )
    names: tuple[str, ...] = ("scale", "zero point", "width", "width behind it")
    if fits == 2:
        names = (*names[:3], "scale behind it", "width behind it")
    scale, zero, width, *behind = (
        only(node, name, given(node, name, parameters, i)) for i, name in enumerate(names)
    )
    numbers = np.array([scale, width, *behind])
    if not (numbers > 0).all() or not np.isfinite([*numbers, zero]).all() or width > MAX_WIDTH:
        raise node.refuse("its scale, its zero point or its widths have no meaning here")
    rounding = _rounding(node, "FLOOR")
    if len(behind) == 1:
        parts = np.float32(2.0 ** float(width - behind[0]))
        return Truncated(scale, zero, parts, -np.inf, np.inf, rounding, np.float32(zero),
                         np.float32(scale))  # fmt: skip
    step, bits = behind
    parts = np.float32(2.0 ** np.rint(np.log2(step / scale)))
    signed, narrow = node.attributes.get("signed", 1), int(node.attributes.get("narrow", 0))
    half = 2.0 ** (float(bits) - 1)
    low, high = (narrow - half, half - 1) if signed else (0.0, 2 * half - 1 - narrow)
    moved = np.float32(zero / parts)
    return Truncated(scale, zero, parts, low, high, rounding, moved, np.float32(step))


def _rounding(node: Node, default: str = "ROUND") -> Callable[[Array], Array]:
    mode = str(node.attributes.get("rounding_mode", default))
    rounding = ROUNDINGS.get(mode.upper())
    if rounding is None:
        same = ", which is called DOWN there" if mode.upper() == "ROUND_TO_ZERO" else ""
        raise node.refuse(
            f"QONNX has no rounding mode {mode!r}{same}; it has {', '.join(ROUNDINGS)}"
        )
    return rounding


def given(node: Node, name: str, parameters: list[Array | None], position: int) -> Array:
    """A parameter that a node must have, as float32."""
    found = parameters[position] if position < len(parameters) else None
    if found is None or not found.size:
        raise node.refuse(f"it has no {name}")
    return found.astype(np.float32)


def only(node: Node, name: str, given: Array) -> Array:
    """The one number in `given`, float32 (), which may hold it many times."""
    if (given != given.flat[0]).any():
        raise node.refuse(
            f"its {name} differs between channels; use one for the whole feature map "
            "(weights may have a scale for each output)"
        )
    return np.asarray(given.flat[0], np.float32)


def select(step: Step, channels: Array) -> Step:
    """A step for some of its channels, or for each several times."""
    if isinstance(step, Arithmetic):
        return Arithmetic(step.op, step.values[channels])
    if isinstance(step, Count):
        return replace(step, row=step.row[channels])
    if isinstance(step, Uniform | Bipolar) and step.scale.size > 1:
        scale = step.scale[channels]
        if isinstance(step, Uniform):
            return replace(step, scale=scale)
        divisor = step.divisor[channels] if step.divisor.size > 1 else step.divisor
        return replace(step, scale=scale, divisor=divisor)
    return step


def is_linear(step: Step) -> bool:
    """Whether a step only shifts and scales."""
    return isinstance(step, Arithmetic) and step.op in ("add", "subtract", "multiply", "divide")


def sign(step: Step, channels: int) -> Array:
    """Direction of a step in each channel, int64 (C,): 1 ascends, -1 descends, 0 is constant."""
    if isinstance(step, Arithmetic) and step.op in ("multiply", "divide"):
        return np.sign(np.broadcast_to(step.values, channels)).astype(np.int64)
    return np.ones(channels, np.int64)
