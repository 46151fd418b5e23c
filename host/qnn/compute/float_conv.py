# SPDX-License-Identifier: BSD-3-Clause
"""A float convolution whose outputs are quantised at once, fast and exact.

One matrix product in float32 gives every output up to a proven error. Where that error could
reach a step of the quantiser, and only there, the output is computed again by the arithmetic that
defines the layer. The codes are therefore those of the defining arithmetic, always.

The error of a sum of n products, each sum and product rounded once in any order and with the
bias added last, is at most g(n+1) * (sum of |w||x| + |b|) with g(m) = m*u / (1 - m*u) and u half
the spacing of floats at 1 (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
section 3.1), plus what underflow takes away. The matrix product and the defining arithmetic each
keep this bound, so they differ by no more than both bounds together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from qnn.errors import NetworkError, QnnError

Arithmetic = Literal["float64", "float32-sequential"]

_DTYPES: dict[str, type[np.floating[Any]]] = {
    "float64": np.float64,
    "float32-sequential": np.float32,
}
_LARGEST = 2.0**126  # of sums, so that none can overflow float32
_BOTH = 3  # times the bound of a sum: of two sums, and the rounding of where they end
_RECOMPUTED_AT_ONCE = 2048  # bounds the memory of a picture whose every output lies on a step


@dataclass(frozen=True)
class Thresholds:
    """Code = number of thresholds strictly below the output; 1 to 255 of them, in any order."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= 255 or not all(abs(v) < _LARGEST for v in self.values):
            raise NetworkError(f"want 1 to 255 thresholds that fit float32, got {self.values}")

    def steps(self, dtype: type[np.floating[Any]]) -> NDArray[np.float64]:
        """Float64 (K,): the code of an output y of type dtype is the number of steps < y."""
        return np.array(self.values, np.float64)


@dataclass(frozen=True)
class Uniform:
    """Code = round_half_even(clip(output, 0, top) / top * levels), rounded after each operation."""

    top: float
    levels: int

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= 255 or not 1 / _LARGEST < self.top < _LARGEST:
            raise NetworkError(f"want a top that fits float32 and 1 to 255 levels, got {self}")

    def steps(self, dtype: type[np.floating[Any]]) -> NDArray[np.float64]:
        """Float64 (levels,): the code of an output y of type dtype is the number of steps < y.

        Step k is the largest float of that type whose code is below k: rounding keeps the order
        of numbers, so there is one.
        """
        top, levels = dtype(self.top), dtype(self.levels)

        def code(y: np.floating[Any]) -> float:
            return float(np.rint(min(max(y, dtype(0)), top) / top * levels))

        steps = []
        for k in range(1, self.levels + 1):
            step = dtype((k - 0.5) * self.top / self.levels)
            while code(step) >= k:
                step = np.nextafter(step, dtype(-np.inf))
            while code(above := np.nextafter(step, dtype(np.inf))) < k:
                step = above
            steps.append(float(step))
        return np.array(steps, np.float64)


Quantizer = Thresholds | Uniform


def error_bound(
    weight_sum: NDArray[np.float64],
    bias: NDArray[np.float64],
    terms: int,
    largest: float,
    dtype: type[np.floating[Any]],
) -> NDArray[np.float64]:
    """Bound of |computed - exact| for a sum of products with a bias, summed in any order.

    Args:
        weight_sum: float64 (O,), sum of |w| of each output.
        bias: float64 (O,).
        terms: number of products in a sum.
        largest: the largest |x|.
        dtype: type of every operation, fused or not, with or without subnormal numbers.

    Returns:
        float64 (O,), in the unit of the outputs.
    """
    unit, tiny = float(np.finfo(dtype).eps) / 2, float(np.finfo(dtype).tiny)
    growth = (terms + 1) * unit / (1 - (terms + 1) * unit)
    underflow = tiny * (terms * (4 + largest) + weight_sum)
    bound: NDArray[np.float64] = growth * (weight_sum * largest + np.abs(bias)) + underflow
    return bound


class Convolution:
    """Convolves a float picture with zero padding and quantises the result.

    Args:
        weight: float32 (O, KH, KW, C).
        bias: float32 (O,), or None.
        stride: step in both directions.
        padding: zero rows and columns on each of the four sides.
        quantizer: Thresholds or Uniform, the same for all outputs.
        arithmetic: what defines the outputs. Both sum in the order channel, kernel row, kernel
            column, then bias: "float64" with float64 operations on the float32 data,
            "float32-sequential" with float32 operations.

    Raises:
        NetworkError: the parts do not fit together.
    """

    def __init__(
        self,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        stride: int,
        padding: int,
        quantizer: Quantizer,
        arithmetic: Arithmetic = "float64",
    ) -> None:
        if weight.dtype != np.float32 or weight.ndim != 4 or 0 in weight.shape:
            raise NetworkError(
                "want weights float32 (outputs, rows, columns, channels), "
                f"got {weight.dtype} {weight.shape}"
            )
        outputs = len(weight)
        if bias is None:
            bias = np.zeros(outputs, np.float32)
        if bias.dtype != np.float32 or bias.shape != (outputs,):
            raise NetworkError(f"want a bias float32 ({outputs},), got {bias.dtype} {bias.shape}")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise NetworkError("weights or biases are not finite")
        if stride < 1 or padding < 0:
            raise NetworkError(f"stride {stride} and padding {padding}: want at least 1 and 0")
        if arithmetic not in _DTYPES:
            raise NetworkError(f"arithmetic {arithmetic!r}: want one of {', '.join(_DTYPES)}")
        self.weight, self.bias, self.stride, self.padding = weight, bias, stride, padding
        self._kernel = weight.shape[1:]
        self._dtype = _DTYPES[arithmetic]
        self.steps = np.sort(quantizer.steps(self._dtype))  # a code is the number of steps < y

        self._terms = int(np.prod(self._kernel))
        self._weight = weight.reshape(outputs, self._terms).copy()
        self._bias = bias[:, None].copy()
        self._exact_weight_sum = np.abs(self._weight).sum(axis=1, dtype=np.float64)
        self._exact_bias = bias.astype(np.float64)
        # A patch holds (row, column, channel); the defining sum runs channel, row, column.
        self._order = np.arange(self._terms).reshape(self._kernel).transpose(2, 0, 1).ravel()
        self._ordered_weight = self._weight[:, self._order].astype(self._dtype)
        self._shape: tuple[int, ...] = ()

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Codes, a new uint8 ((H+2p-KH)//s+1, (W+2p-KW)//s+1, O), of a picture, float32 (H, W, C).

        Raises:
            QnnError: another dtype or shape, or values that are not finite or too large.
        """
        if x.dtype != np.float32 or x.ndim != 3 or x.size == 0:
            raise QnnError(f"want a picture float32 (H, W, C), got {x.dtype} {x.shape}")
        if x.shape != self._shape:
            self._allocate(x.shape)
        error = self._bound(float(max(x.max(), -x.min())))

        p = self.padding
        self._padded[p : p + x.shape[0], p : p + x.shape[1]] = x
        np.copyto(self._patches, self._windows)
        patches = self._patches.reshape(-1, self._terms)
        np.matmul(self._weight, patches.T, out=self._y)
        np.add(self._y, self._bias, out=self._y)

        self._at_least.fill(0)
        self._at_most.fill(0)
        for step in self.steps:
            # Above the upper end the step is passed, up to the lower end it is not.
            upper = np.nextafter((step + error).astype(np.float32), np.float32(np.inf))
            lower = np.nextafter((step - error).astype(np.float32), np.float32(-np.inf))
            self._add_passed(self._at_least, upper)
            self._add_passed(self._at_most, lower)
        doubtful = np.flatnonzero(np.not_equal(self._at_least, self._at_most, out=self._passed))
        for start in range(0, doubtful.size, _RECOMPUTED_AT_ONCE):
            self._recompute(patches, doubtful[start : start + _RECOMPUTED_AT_ONCE])
        return self._at_least.T.copy().reshape(*self._patches.shape[:2], -1)

    def error(self, largest: float) -> NDArray[np.float64]:
        """Float64 (O,): how far the defining arithmetic may be from the exact sum.

        Args:
            largest: no value of a picture is larger in magnitude.
        """
        arguments = self._exact_weight_sum, self._exact_bias, self._terms, largest
        return error_bound(*arguments, self._dtype)

    def codes_at(self, x: NDArray[np.float32], where: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Some codes of a picture, by the defining arithmetic alone.

        Args:
            x: float32 (H, W, C), as when called.
            where: (N, 3): row, column and output of each.

        Returns:
            uint8 (N,).
        """
        margin = self.padding, self.padding
        padded = np.pad(x, (margin, margin, (0, 0)))
        every = sliding_window_view(padded, self._kernel[:2], (0, 1))  # type: ignore[call-overload]
        row, column, output = where.T
        codes = np.empty(len(where), np.uint8)
        for start in range(0, len(where), _RECOMPUTED_AT_ONCE):
            part = slice(start, start + _RECOMPUTED_AT_ONCE)
            patches = every[row[part] * self.stride, column[part] * self.stride]
            # its windows lie as the defining sum runs: channel, row, column
            codes[part] = self._defining(patches.reshape(-1, self._terms), output[part])
        return codes

    def _allocate(self, shape: tuple[int, ...]) -> None:
        height, width, channels = shape
        rows, columns, expected = self._kernel
        padded = (height + 2 * self.padding, width + 2 * self.padding, channels)
        if channels != expected or padded[0] < rows or padded[1] < columns:
            raise QnnError(
                f"a picture {shape} does not fit a kernel of {rows} x {columns}, "
                f"{expected} channels and padding {self.padding}"
            )
        self._padded = np.zeros(padded, np.float32)
        every = sliding_window_view(self._padded, (rows, columns), (0, 1))  # type: ignore[call-overload]
        self._windows = every[:: self.stride, :: self.stride].transpose(0, 1, 3, 4, 2)
        self._patches = np.empty(self._windows.shape, np.float32)
        pixels = self._windows.shape[0] * self._windows.shape[1]
        self._y = np.empty((len(self._weight), pixels), np.float32)
        self._passed = np.empty(self._y.shape, np.bool_)
        self._at_least = np.empty(self._y.shape, np.uint8)
        self._at_most = np.empty(self._y.shape, np.uint8)
        self._shape = shape

    def _bound(self, largest: float) -> NDArray[np.float64]:
        """Float64 (O,): how far the matrix product may be from the defining arithmetic."""
        reach = self._exact_weight_sum * largest + np.abs(self._exact_bias)
        if not reach.max() < _LARGEST:  # also if largest is not a number
            raise QnnError("the picture has values that are not finite or too large for float32")
        arguments = self._exact_weight_sum, self._exact_bias, self._terms, largest
        return error_bound(*arguments, np.float32) + error_bound(*arguments, self._dtype)

    def _add_passed(self, count: NDArray[np.uint8], limits: NDArray[np.float32]) -> None:
        np.greater(self._y, limits[:, None], out=self._passed)
        np.add(count, self._passed.view(np.uint8), out=count)

    def _recompute(self, patches: NDArray[np.float32], where: NDArray[np.intp]) -> None:
        """Set the codes at these flat indices of (O, pixels) by the defining arithmetic."""
        output, pixel = np.divmod(where, len(patches))
        self._at_least.reshape(-1)[where] = self._defining(patches[pixel][:, self._order], output)

    def _defining(
        self, patches: NDArray[np.float32], output: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Codes, uint8 (N,), of patches (N, terms) in the order of the sum, each for one output."""
        if not len(patches):
            return np.zeros(0, np.uint8)
        products = patches * self._ordered_weight[output]
        bias = self._exact_bias[output]
        # Sums of any order first, which numpy has ten times as fast. They, too, keep the bound.
        near = products.sum(axis=1, dtype=np.float64) + bias
        error = _BOTH * self.error(float(np.abs(patches).max()))[output]
        codes = self._passed_by(near - error)
        doubts = np.flatnonzero(codes != self._passed_by(near + error))
        if len(doubts):
            sums = np.add.accumulate(products[doubts], axis=1)[:, -1]
            codes[doubts] = self._passed_by(sums + self._bias[output[doubts], 0])
        return codes

    def _passed_by(self, y: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
        """How many steps are below each output, uint8 (N,)."""
        codes: NDArray[np.uint8] = (y.astype(np.float64)[:, None] > self.steps).sum(
            axis=1, dtype=np.uint8
        )
        return codes
