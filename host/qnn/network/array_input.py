# SPDX-License-Identifier: BSD-3-Clause
"""What stands before the layers where no picture does: numbers become the codes of a map.

    code = number of thresholds of its channel <= value, both float32

So the input quantiser of the source decides, whatever its scale, zero point, range and rounding
are: the thresholds are the least values of each of its codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.compute.thresholds import count_thresholds
from qnn.errors import ArrayError, NetworkError
from qnn.network.layers import MAX_BITS, Shape, describe

MAX_THRESHOLDS = 1 << 24  # of all channels
MAX_SIDES = 6


@dataclass(frozen=True)
class Grid:
    """The only values that may go in: low + step * k, k from 0 to count - 1.

    Attributes:
        kind: what the source calls it, for errors: "INT8", "BIPOLAR".
        low, step: of the values; step above 0.
        count: of them.
    """

    kind: str
    low: float
    step: float
    count: int

    @property
    def high(self) -> float:
        """The largest value."""
        return self.low + self.step * (self.count - 1)


@dataclass(frozen=True, eq=False)
class ArrayInput:
    """Arrays of numbers, quantised; see above.

    Attributes:
        shape: of one array, as the source has it, without the batch.
        axes: the sides of `shape` in the order rows, columns, channels, fewer or more of each;
            what is transposed so is reshaped to `map_shape`.
        map_shape: (H, W, C) of the codes.
        thresholds: float32 (channels, K), ascending along K, 1 <= K <= 255; or (1, K) for all
            channels. Channels are the last side of the transposed array. None: the numbers go in as
            they are, and the map is one of floats.
        low, step: value = low + step * code, as the first layer counts.
        grid: None where any finite number may go in.
        constants: codes of channels that the map has behind those of the array, the same
            everywhere; the first layer tells by them where the map ends.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    map_shape: Shape
    thresholds: NDArray[np.float32] | None
    low: float
    step: float
    grid: Grid | None = None
    constants: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        def require(holds: object, reason: str) -> None:
            if not holds:
                raise NetworkError(f"array input: {reason}")

        shape, thresholds = self.shape, self.thresholds
        require(1 <= len(shape) <= MAX_SIDES and min(shape) > 0, f"a shape of {shape}")
        require(sorted(self.axes) == list(range(len(shape))), f"axes {self.axes} of {shape}")
        require(
            min(self.map_shape) > 0 and np.prod(self.map_shape) == np.prod(shape),
            f"{describe(shape)} numbers do not fill a map of {describe(self.map_shape)}",
        )
        require(thresholds is not None or not self.constants, "floats have no constant codes")
        if thresholds is None:
            thresholds = np.zeros((1, 1), np.float32)
        require(
            thresholds.ndim == 2 and thresholds.dtype == np.float32,
            "thresholds are not 2-dimensional float32",
        )
        require(
            len(thresholds) in (1, shape[self.axes[-1]])
            and 1 <= thresholds.shape[1] < 1 << MAX_BITS
            and thresholds.size <= MAX_THRESHOLDS,
            f"thresholds of shape {describe(thresholds.shape)} do not fit {describe(shape)}",
        )
        require(not np.isnan(thresholds).any(), "thresholds are not numbers")
        require((thresholds[:, 1:] >= thresholds[:, :-1]).all(), "thresholds do not ascend")
        require(np.isfinite(self.low) and 0 < self.step < np.inf, f"a step of {self.step}")
        grid = self.grid
        require(
            grid is None or (0 < grid.step < np.inf and grid.count > 1 and np.isfinite(grid.low)),
            f"values {grid} have no meaning",
        )
        require(
            all(0 <= code < 1 << MAX_BITS for code in self.constants),
            f"constant codes {self.constants} are not in 0..{(1 << MAX_BITS) - 1}",
        )
        require(
            not self.constants or self.map_shape[2] == shape[self.axes[-1]],
            "constant channels stand behind channels, not behind a flat array",
        )

    @property
    def out_shape(self) -> Shape:
        """(H, W, C) of the map, constant channels included."""
        rows, columns, channels = self.map_shape
        return rows, columns, channels + len(self.constants)

    @property
    def bits(self) -> int | None:
        """Planes that hold the codes; None for floats."""
        if self.thresholds is None:
            return None
        return max(int(self.thresholds.shape[1]), *self.constants, 1).bit_length()

    def describe(self) -> str:
        """What goes in, in a few words: "arrays of 16 numbers from -1 to 0.992, in 256 steps"."""
        if self.thresholds is None:
            return f"arrays of {describe(self.shape)} numbers, as they are"
        count = self.thresholds.shape[1]
        wanted = (
            f"{self.grid.kind} numbers from {self.grid.low:g} to {self.grid.high:g}"
            if self.grid
            else "numbers"
        )
        return (
            f"arrays of {describe(self.shape)} {wanted}, quantised to {count + 1} codes, value = "
            f"{self.low:.6g} + code x {self.step:.6g}"
        )

    def codes(self, arrays: NDArray[Any]) -> NDArray[Any]:
        """The maps of arrays.

        Args:
            arrays: of any type of numbers, shape (N, *shape).

        Returns:
            uint8, (N, *out_shape); float32 where they go in as they are.

        Raises:
            ArrayError: another shape, no real numbers, some that are not finite, or some that the
                input cannot have.
        """
        if arrays.shape[1:] != self.shape or arrays.ndim != len(self.shape) + 1:
            raise ArrayError(
                f"an array of shape {describe(arrays.shape[1:]) or 'one number'}; the network "
                f"reads {describe(self.shape)}"
            )
        if arrays.dtype.kind not in "fiub":
            raise ArrayError(f"an array of type {arrays.dtype}; the network reads real numbers")
        values = np.asarray(arrays, np.float64)
        if not np.isfinite(values).all():
            raise ArrayError("it has values that are not finite numbers")
        self._check_grid(values)
        with np.errstate(over="ignore"):
            x = values.astype(np.float32).transpose(0, *(axis + 1 for axis in self.axes))
        if self.thresholds is None:
            if not np.isfinite(x).all():
                raise ArrayError("it has values that are too large for float32")
            return x.reshape(len(arrays), *self.map_shape)
        maps = count_thresholds(x, self.thresholds).reshape(len(arrays), *self.map_shape)
        if not self.constants:
            return maps
        constant = np.array(self.constants, np.uint8)
        beside = np.broadcast_to(constant, (*maps.shape[:3], len(constant)))
        return np.concatenate([maps, beside], axis=3)

    def _check_grid(self, values: NDArray[np.float64]) -> None:
        grid = self.grid
        if grid is None:
            return
        steps = (values - grid.low) / grid.step
        wrong = (steps != np.rint(steps)) | (steps < 0) | (steps > grid.count - 1)
        if wrong.any():
            raise ArrayError(
                f"it has the value {values[wrong][0]:g}; the network reads {grid.kind}: "
                f"{grid.low:g} to {grid.high:g} in steps of {grid.step:g}"
            )
