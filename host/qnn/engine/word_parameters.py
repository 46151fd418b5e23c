# SPDX-License-Identifier: BSD-3-Clause
"""Parameters of a convolution of 16-bit numbers, as the accelerator reads them.

A tile takes a pass over its windows for each 8 of its channels; a pass has at least as many words
as the accelerator has pixels, so a short one gets words of zeros. Sums are compared as unsigned
numbers: 2**(SUM_BITS - 1) is added to them and to the thresholds.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.maps import Blocks
from qnn.engine.word_conv import SUM_BITS, WordConv

Number = TypeVar("Number", bound=np.signedinteger[Any])


def passes_over(channels: int) -> int:
    """Passes of a tile of so many channels."""
    return -(-channels // regs.WORD_CHANNELS)


def row_words(layer: WordConv, caps: Capabilities) -> int:
    """64-bit words of one row of a window."""
    rows, columns = layer.kernel
    return max(-(-columns * layer.in_shape[2] // 4), -(-caps.pixels // rows))


def block_channels(layer: WordConv, caps: Capabilities) -> int:
    """Most channels of a tile: as many as all passes have weights on chip for."""
    words = layer.kernel[0] * row_words(layer, caps)
    return min(caps.pe, regs.WORD_CHANNELS * max(caps.weight_words // words, 1))


def moved(thresholds: NDArray[Number]) -> NDArray[Number]:
    """Thresholds, of the sums as the accelerator has them, in their dtype: has it room for that?"""
    higher: NDArray[Number] = thresholds + 2 ** (SUM_BITS - 1)
    return higher


def places(begin: int, outputs: int, levels: int, caps: Capabilities) -> NDArray[np.intp]:
    """Where the thresholds of a tile lie, which begins at that byte: words of 32 bits, (outputs,
    levels)."""
    return begin // 4 + np.arange(levels) * caps.pe + np.arange(outputs)[:, None]


def weight_bytes(layer: WordConv, block: tuple[int, int], caps: Capabilities) -> bytes:
    """Weights of one tile: for each pass, kernel row and word, that word of 8 channels."""
    first, count = block
    passes, words, (rows, columns) = passes_over(count), row_words(layer, caps), layer.kernel
    lanes = np.zeros((passes * regs.WORD_CHANNELS, rows, words * 4), dtype="<i2")
    used = columns * layer.in_shape[2]
    lanes[:count, :, :used] = layer.weight[first : first + count].reshape(count, rows, used)
    by_pass = lanes.reshape(passes, regs.WORD_CHANNELS, rows, words, 4).transpose(0, 2, 3, 1, 4)
    return by_pass.tobytes()


def runs(blocks: Blocks) -> list[Blocks]:
    """Blocks that follow each other and take as many passes: a command each."""
    found: list[list[tuple[int, int]]] = []
    for block in blocks:
        if found and passes_over(found[-1][-1][1]) == passes_over(block[1]):
            found[-1].append(block)
        else:
            found.append([block])
    return [tuple(run) for run in found]
