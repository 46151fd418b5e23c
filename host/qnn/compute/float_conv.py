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
# half the spacing of floats at 1, and the smallest normal one; numpy takes long to tell
_ROUNDING = {
    kind: (float(np.finfo(kind).eps) / 2, float(np.finfo(kind).tiny))
    for kind in (np.float32, np.float64)
}
_LINE = 72  # products whose sum in float32 is near enough to decide all but few outputs
_OF_AN_END = 4  # roundings: bias and bound, bound times value, their sum, and that with products
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
    lines: int = 1,
) -> NDArray[np.float64]:
    """Bound of |computed - exact| for a sum of products with a bias, summed in any order.

    Or for such sums of some lines, which are then added up.

    Args:
        weight_sum: float64 (O,), sum of |w| of each output.
        bias: float64 (O,).
        terms: number of products in a sum; of lines, that in a line and of lines together.
        largest: the largest |x|.
        dtype: type of every operation, fused or not, with or without subnormal numbers.
        lines: so many, below 2**28.

    Returns:
        float64 (O,), in the unit of the outputs.
    """
    unit, tiny = _ROUNDING[dtype]
    growth = (terms + 1) * unit / (1 - (terms + 1) * unit)
    underflow = tiny * (lines * terms * (4 + largest) + weight_sum)
    bound: NDArray[np.float64] = growth * (weight_sum * largest + np.abs(bias)) + underflow
    return bound


def growing_bound(
    weight_sum: NDArray[np.float64],
    bias: NDArray[np.float64],
    terms: int,
    dtype: type[np.floating[Any]],
    lines: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A bound as error_bound has it, which grows evenly with the largest |x|: what it is for x of
    zeros, and what each unit adds; arguments are its own.

    The bias is in the first alone, and what underflows is counted a little too high in the second.
    """
    zero = error_bound(weight_sum, bias, terms, 0.0, dtype, lines)
    each = error_bound(weight_sum, np.zeros_like(bias), terms, 1.0, dtype, lines)
    return zero, each


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
        self._following = np.append(self.steps, np.inf)  # the step behind each code

        self._terms = int(np.prod(self._kernel))
        self._weight = weight.reshape(outputs, self._terms).copy()
        self._bias = bias[:, None].copy()
        self._exact_weight_sum = np.abs(self._weight).sum(axis=1, dtype=np.float64)
        self._exact_bias = bias.astype(np.float64)
        # A patch holds (row, column, channel); the defining sum runs channel, row, column.
        self._order = np.arange(self._terms).reshape(self._kernel).transpose(2, 0, 1).ravel()
        self._defining_weight = self._weight.astype(self._dtype, copy=False)
        self._window_line = np.dtype((np.void, weight[0, 0].nbytes))
        self._lines = self._weight.reshape(outputs, self._lines_of_kernel(), -1)
        self._ones = np.ones(self._lines.shape[1], np.float32)
        self._near = self._near_ends()
        self._nearer = self._nearer_ends() if self._dtype is np.float64 else None
        self._terms_of_one = np.ones(self._terms)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            left = (_LARGEST - np.abs(self._exact_bias)) / self._exact_weight_sum
        self._reach = float(left.min())  # the largest value is below this, for a sum is
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
        largest = float(max(x.max(), -x.min()))
        error = self._bound(largest)

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
            self._recompute(patches, doubtful[start : start + _RECOMPUTED_AT_ONCE], largest)
        return self._at_least.T.copy().reshape(*self._patches.shape[:2], -1)

    def error(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far the defining arithmetic may be from the exact sum, float64 (O,): of a picture of
        zeros, and what each unit of its largest magnitude adds."""
        return growing_bound(self._exact_weight_sum, self._exact_bias, self._terms, self._dtype)

    def codes_at(
        self, picture: NDArray[np.float32], where: tuple[NDArray[np.intp], ...], largest: float
    ) -> NDArray[np.uint8]:
        """Some codes of a picture, by the defining arithmetic alone.

        Args:
            picture: float32 (H, W, C), in one piece.
            where: row, column and output of each, (N,).
            largest: no value of the picture is larger in magnitude.

        Returns:
            uint8 (N,).

        Raises:
            QnnError: values may be too large for float32.
        """
        self._check_reach(largest)
        row, column, output = where
        if len(row) > _RECOMPUTED_AT_ONCE:
            parts = range(0, len(row), _RECOMPUTED_AT_ONCE)
            some = (slice(begin, begin + _RECOMPUTED_AT_ONCE) for begin in parts)
            each = (tuple(one[part] for one in where) for part in some)
            return np.concatenate([self.codes_at(picture, one, largest) for one in each])
        patches = self._patches_at(picture, row, column)
        return self._defining(patches, output, largest).astype(np.uint8)

    def _patches_at(
        self, picture: NDArray[np.float32], row: NDArray[np.intp], column: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """What outputs at N rows and columns see, N patches in one piece."""
        if not self.padding:
            return self._windows_of(picture, self.stride)[row, column].view(np.float32)
        rows, columns, _ = self._kernel
        height, width, _ = picture.shape
        top, left = row * self.stride - self.padding, column * self.stride - self.padding
        if height < rows or width < columns:
            return self._with_margin(picture, top, left)
        inner_top = np.minimum(np.maximum(top, 0), height - rows)
        inner_left = np.minimum(np.maximum(left, 0), width - columns)
        patches = self._windows_of(picture, 1)[inner_top, inner_left].view(np.float32)
        (outer,) = ((top != inner_top) | (left != inner_left)).nonzero()
        if len(outer):
            whole = patches.reshape(-1, *self._kernel)
            whole[outer] = self._with_margin(picture, top[outer], left[outer])
        return patches

    def _with_margin(
        self, picture: NDArray[np.float32], top: NDArray[np.intp], left: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Patches (N, KH, KW, C) that begin there, 0 outside of the picture."""
        line = top[:, None, None] + np.arange(self._kernel[0])[:, None]
        pixel = left[:, None, None] + np.arange(self._kernel[1])
        height, width, _ = picture.shape
        near_line = np.minimum(np.maximum(line, 0), height - 1)
        near_pixel = np.minimum(np.maximum(pixel, 0), width - 1)
        patches: NDArray[np.float32] = picture[near_line, near_pixel]
        patches[(line != near_line) | (pixel != near_pixel)] = 0
        return patches

    def _windows_of(self, picture: NDArray[np.float32], step: int) -> NDArray[np.void]:
        """Windows of a picture, `step` apart: (rows, columns, KH), each a line of a window, which
        lies in one piece."""
        rows, columns, _ = self._kernel
        height, width, _ = picture.shape
        down, right, _ = picture.strides
        shape = (height - rows) // step + 1, (width - columns) // step + 1, rows
        return np.ndarray(
            shape, self._window_line, picture, strides=(down * step, right * step, down)
        )

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
        self._check_reach(largest)
        arguments = self._exact_weight_sum, self._exact_bias, self._terms, largest
        return error_bound(*arguments, np.float32) + error_bound(*arguments, self._dtype)

    def _check_reach(self, largest: float) -> None:
        """QnnError where a sum of values not larger than that may be too large."""
        if not largest < self._reach:  # also if one of them is not a number
            raise QnnError("the picture has values that are not finite or too large for float32")

    def _add_passed(self, count: NDArray[np.uint8], limits: NDArray[np.float32]) -> None:
        np.greater(self._y, limits[:, None], out=self._passed)
        np.add(count, self._passed.view(np.uint8), out=count)

    def _recompute(
        self, patches: NDArray[np.float32], where: NDArray[np.intp], largest: float
    ) -> None:
        """Set the codes at these flat indices of (O, pixels) by the defining arithmetic."""
        output, pixel = np.divmod(where, len(patches))
        self._at_least.reshape(-1)[where] = self._defining(patches[pixel], output, largest)

    def _defining(
        self, patches: NDArray[np.float32], output: NDArray[np.intp], largest: float
    ) -> NDArray[np.intp]:
        """Codes, intp (N,), of patches, N with (KH, KW, C) in one piece, each for one output; none
        of their values is larger in magnitude than `largest`."""
        # Sums in any order first, which numpy has ten times as fast. Most decide already; those of
        # float64 products, which are exact, decide all but ties.
        patches = patches.reshape(len(output), *self._lines.shape[1:])
        lines = np.einsum("nkl,nkl->nk", patches, self._lines.take(output, 0))
        codes, doubts = self._decided(lines @ self._ones, self._near, output, largest)
        if len(doubts):
            of = output[doubts]
            products = self._defining_weight.take(of, 0)
            products *= patches.take(doubts, 0).reshape(products.shape)
            if self._nearer is not None:
                sums = products.dot(self._terms_of_one)
                codes[doubts], ties = self._decided(sums, self._nearer, of, largest)
                if not len(ties):
                    return codes
                doubts, of, products = doubts[ties], of[ties], products[ties]
            sums = np.add.accumulate(products.take(self._order, 1), axis=1)[:, -1]
            sums += self._bias[of, 0]
            codes[doubts] = self.steps.searchsorted(sums)
        return codes

    def _decided(
        self,
        sums: NDArray[np.floating[Any]],
        ends: tuple[NDArray[np.float64], NDArray[np.float64]],
        output: NDArray[np.intp],
        largest: float,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Codes of sums without bias (N,), each of one output, and the places of those in doubt.

        Args:
            ends: what a sum becomes the two ends by, as `_near_ends` has them.
        """
        still, growing = ends
        lower, upper = (still + growing * largest).take(output, 1) + sums
        codes = self.steps.searchsorted(lower)  # how many are below
        return codes, (upper > self._following.take(codes)).nonzero()[0]

    def _lines_of_kernel(self) -> int:
        """Of some rows each, of at most _LINE weights where that goes."""
        rows = self._kernel[0]
        most = max(_LINE * rows // self._terms, 1)
        return rows // max(some for some in range(1, rows + 1) if not rows % some and some <= most)

    def _near_ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a sum of lines becomes the two ends by, between which is what the defining
        arithmetic gives: float64 (2, O), of a picture of zeros, and what each unit of its largest
        magnitude adds. Lines and their sum are in float32: no product passes more roundings than a
        line has terms, and then one for each line."""
        _, lines, terms = self._lines.shape
        return self._ends(
            growing_bound(
                self._exact_weight_sum, self._exact_bias, terms + lines, np.float32, lines
            )
        )

    def _nearer_ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Likewise of a sum of all products in float64, as many roundings as it has terms, and
        those that make an end of it."""
        terms = self._terms + _OF_AN_END
        return self._ends(
            growing_bound(self._exact_weight_sum, self._exact_bias, terms, np.float64)
        )

    def _ends(
        self, own: tuple[NDArray[np.float64], NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of sums that may be so far from the exact ones, as `error` has it."""
        zero, each = (near + defining for near, defining in zip(own, self.error(), strict=True))
        return self._exact_bias + np.stack([-zero, zero]), np.stack([-each, each])
