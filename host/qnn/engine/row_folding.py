# SPDX-License-Identifier: BSD-3-Clause
"""A first layer of few channels: the rows of its kernel side by side, as channels of one row.

A product row of the accelerator is 64 bits of one row of a window. Where a window's row has far
fewer (three pixels of three channels have 12 with what fills them up), most lanes are idle. The map
that the host hands in can hold more of a window in each row:

    folded[y, x, ky * C + c] = in[y - top + ky, x, c],  0 outside,  y < H + top + bottom - KH + 1
    acc[y, x, o] = sum over ky, kx, c of w[o, ky, kx, c] * folded[s y, s x - left + kx, ky * C + c]

so the same sums come from a kernel of one row, without padding above and below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.maps import check_codes
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError
from qnn.network import Conv


@dataclass(frozen=True, eq=False)
class RowFolding:
    """A layer, and the one of one kernel row that gives the same.

    Attributes:
        layer: what reads the codes.
        conv: what reads the folded codes, as the accelerator runs it.
    """

    layer: Conv
    conv: Conv

    def fold(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """What `conv` reads, uint8 (rows, columns, KH*C), of codes, integers (H, W, C).

        Raises:
            QnnError: shape, dtype or a value does not fit the layer.
        """
        check_codes(codes, self.layer.in_shape, self.layer.in_bits)
        top, _, bottom, _ = self.layer.padding
        padded = np.pad(codes.astype(np.uint8, copy=False), ((top, bottom), (0, 0), (0, 0)))
        rows = np.lib.stride_tricks.sliding_window_view(padded, self.layer.kernel[0], axis=0)
        return np.ascontiguousarray(rows.swapaxes(2, 3)).reshape(self.conv.in_shape)


def fold_rows(layer: Conv) -> RowFolding:
    """The folding of a layer of one group."""
    (height, columns, channels), (kernel_rows, kernel_columns) = layer.in_shape, layer.kernel
    top, left, bottom, right = layer.padding
    conv = replace(
        layer,
        in_shape=(height + top + bottom - kernel_rows + 1, columns, kernel_rows * channels),
        weight=layer.weight.swapaxes(2, 3).reshape(
            *layer.weight.shape[:2], 1, kernel_columns, kernel_rows * channels
        ),
        padding=(0, left, 0, right),
    )
    return RowFolding(layer, conv)


def folding_for(layer: Conv, caps: Capabilities) -> RowFolding | None:
    """The folding of a first layer; None where the accelerator would not be faster by a third.

    The host packs each row of the map as often as the kernel has rows.
    """
    if layer.groups > 1:
        return None
    folding = fold_rows(layer)
    try:
        before, after = (_cycles(one, caps) for one in (layer, folding.conv))
    except DoesNotFitError:
        return None
    return folding if 3 * after <= 2 * before else None


def _cycles(layer: Conv, caps: Capabilities) -> int:
    return int(estimate.products(compile_layers([layer], caps), caps).sum())
