# SPDX-License-Identifier: BSD-3-Clause
"""Parameters of a command: weights of its tiles, and what makes codes of their sums.

The accelerator counts equal bits. With x the bits of an activation plane and w01 the weight bits,

    popcount(~(w01 ^ x)) = sum of (2 w01 - 1) x + number of w01 that are 0

so its sum is the canonical accumulator plus (2**planes - 1) * zeros of the channel: a constant,
added to the thresholds here, taken from raw sums by RawMap. Lanes without a channel read x = 0 and
get w01 = 1, which counts nothing. Weights of more than one bit are several passes, each over bits
that count a power of two (passes.py).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.engine import command_cycles, regs, requantise, word_parameters
from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.maps import Blocks
from qnn.engine.passes import Passes, passes_of
from qnn.engine.word_conv import WordConv
from qnn.errors import DoesNotFitError
from qnn.network import Conv

Bits: TypeAlias = Conv | DenseSums  # weights of few bits on codes of few bits
Layer: TypeAlias = Bits | WordConv


def passes(layer: Bits) -> Passes:
    """The weights of a layer, as passes."""
    return layer.weights if isinstance(layer, DenseSums) else passes_of(layer)


def offsets(layer: Bits, weights: Passes) -> NDArray[np.int64]:
    """What the accelerator counts too much, for each output channel."""
    return (2**layer.in_bits - 1) * (weights.factors @ weights.zeros)


def largest_sum(layer: Bits, weights: Passes) -> int:
    """No sum of the accelerator is larger, its constant included."""
    fan_in = int(np.prod(weights.bits.shape[2:]))
    return (2**layer.in_bits - 1) * fan_in * int(weights.factors.sum())


def wide_sums(layer: Bits, weights: Passes) -> bool:
    """Whether sums may be too large for SUM_W bits, of which the largest is never reached."""
    return largest_sum(layer, weights) >= 2**regs.SUM_W - 1


def short_sums(layer: Bits, weights: Passes) -> bool:
    """Whether SHORT_W bits are enough for sums, the largest of which is never reached."""
    return largest_sum(layer, weights) < 2**regs.SHORT_W - 1


def weight_bytes(
    layer: Bits, weights: Passes, blocks: Blocks, lanes: NDArray[np.int64], caps: Capabilities
) -> tuple[list[bytes], int]:
    """Weights of each tile of one group, and the weight words of one tile."""
    weight = weights.bits
    passes, _, kernel_rows, kernel_columns, _ = weight.shape
    words = -(-kernel_columns * len(lanes) // 64)
    top = 2**caps.accumulator_bits - 1
    if layer.in_bits > caps.planes or passes > caps.passes or kernel_rows > caps.kernel_rows:
        raise DoesNotFitError(
            f"layer {layer.name}: {layer.in_bits} activation planes, {passes} weight passes and "
            f"{kernel_rows} kernel rows; the accelerator has {caps.planes}, {caps.passes} and "
            f"{caps.kernel_rows}"
        )
    if largest_sum(layer, weights) >= top:
        raise DoesNotFitError(
            f"layer {layer.name}: its sums do not fit {caps.accumulator_bits}-bit accumulators"
        )
    _check_weights(layer, passes * kernel_rows * words, caps.pe, caps)
    data = []
    for first, count in blocks:
        pixel = np.ones((passes, caps.pe, kernel_rows, kernel_columns, len(lanes)), np.uint8)
        real = lanes >= 0
        pixel[:, :count, ..., real] = weight[:, first : first + count][..., lanes[real]]
        rows = np.ones((passes, caps.pe, kernel_rows, words * 64), np.uint8)
        rows[..., : kernel_columns * len(lanes)] = pixel.reshape(passes, caps.pe, kernel_rows, -1)
        bits = rows.reshape(passes, caps.pe, kernel_rows, words, 64).transpose(0, 2, 3, 1, 4)
        data.append(np.packbits(bits, axis=-1, bitorder="little").tobytes())
    return data, passes * kernel_rows * words


def _check_weights(layer: Layer, tile_words: int, outputs: int, caps: Capabilities) -> None:
    """The weights of a tile, of so many outputs, fit the accelerator."""
    if tile_words > caps.weight_words:
        raise DoesNotFitError(
            f"layer {layer.name}: {tile_words} weight words for {outputs} outputs; the "
            f"accelerator holds {caps.weight_words}"
        )


def _threshold_bytes(
    moved: NDArray[np.int64], block: tuple[int, int], top: int, caps: Capabilities
) -> bytes:
    """Thresholds of one tile out of those of all channels, as the accelerator compares them; `top`
    is never reached."""
    first, count = block
    tile = np.full((moved.shape[1], caps.pe), top, dtype="<u4")
    tile[:, :count] = np.clip(moved[first : first + count].T, 0, top)
    return tile.tobytes()


def word_weight_bytes(
    layer: WordConv, blocks: Blocks, caps: Capabilities
) -> tuple[list[bytes], int]:
    """Weights of each tile of one command, and the weight words of one tile."""
    rows, _ = layer.kernel
    if rows > caps.kernel_rows:
        raise DoesNotFitError(
            f"layer {layer.name}: {rows} kernel rows; the accelerator has {caps.kernel_rows}"
        )
    passes = word_parameters.passes_over(blocks[0][1])
    tile_words = passes * rows * word_parameters.row_words(layer, caps)
    _check_weights(layer, tile_words, passes * regs.WORD_CHANNELS, caps)
    return [word_parameters.weight_bytes(layer, b, caps) for b in blocks], tile_words


def codes(
    layer: Layer,
    weights: Passes | None,
    blocks: Blocks,
    fields: dict[str, int],
    caps: Capabilities,
) -> tuple[list[bytes], dict[str, int]]:
    """What the threshold store holds for each tile of a command of these fields, and its own."""
    if layer.thresholds is None:
        return [b""] * len(blocks), {"thresholds": 0}
    levels = {"thresholds": layer.thresholds.shape[1]}
    top = 2**regs.SUM_W - 1
    if isinstance(layer, WordConv):
        moved = word_parameters.moved(layer.thresholds.astype(np.int64))
    else:
        assert isinstance(layer, Conv) and weights is not None
        if wide_sums(layer, weights):
            top = 2**caps.accumulator_bits - 1
        elif short_sums(layer, weights):
            top = 2**regs.SHORT_W - 1
            levels["short_sums"] = 1
        offset = offsets(layer, weights)
        scaled = {"thresholds": regs.REQUANT_WORDS * caps.pe // regs.WORD_CHANNELS, "requantise": 1}
        if caps.requantiser and _cheaper(scaled, levels, fields, caps):
            begin, end = blocks[0][0], sum(blocks[-1])
            most = 2 ** fields["out_planes"] - 1
            if found := requantise.of_conv(layer, offset, slice(begin, end), most):
                tiles = [slice(first - begin, first + n - begin) for first, n in blocks]
                return [requantise.tile_bytes(found, tile, caps.pe) for tile in tiles], scaled
        moved = layer.thresholds.astype(np.int64) + offset[:, None]
    if levels["thresholds"] > caps.threshold_words:
        raise DoesNotFitError(
            f"layer {layer.name}: {levels['thresholds']} thresholds for each output; the "
            f"accelerator holds {caps.threshold_words}"
        )
    return [_threshold_bytes(moved, b, top, caps) for b in blocks], levels


def _cheaper(
    one: dict[str, int], other: dict[str, int], fields: dict[str, int], caps: Capabilities
) -> bool:
    """Whether a command can have the fields `one`, and takes fewer cycles with them than with
    `other`, if it can have those."""
    if one["thresholds"] > caps.threshold_words:
        return False
    if other["thresholds"] > caps.threshold_words:
        return True

    def cycles(own: dict[str, int]) -> int:
        found = fields | own
        return int(command_cycles.each(lambda name: np.array([found.get(name, 0)]), caps)[0])

    return cycles(one) < cycles(other)
