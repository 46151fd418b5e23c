# SPDX-License-Identifier: BSD-3-Clause
"""Frames for the stream kernels, RTL and HLS alike: what goes in, and what must come out.

A frame is 64-bit words, the last one marked by TLAST. All but those of `popcount` begin with the
eight words of a command of the accelerator (rtl/regs/README.md), in which a kernel looks at what
concerns it. Element k of a word is bits [k*W +: W].

    kernel     in, after the command                                out
    popcount   pairs of words: weights, activations                 of each pair the equal bits
    window     the map; again for each tile where reload            pieces
    matvec     for each tile: its weights, its pieces               sums
    threshold  for each tile: its thresholds, its sums              codes
               (or, where requantise, its parameters)
    max_pool   codes of conv_rows x conv_columns pixels a tile      codes of out_rows x out_columns
    pack       codes, or sums where raw                             the map as it lies in memory
    conv       tile 0, the map, tile 1 (the map again where         the map as it lies in memory
               reload), tile 2 ...

    sums       of a pixel, Pe of 32 bits, as the accelerator counts: without the channel's offset
    codes      of a pixel, Pe of 8 bits
    tile       its thresholds, then its weights, as they lie in memory (rtl/README.md); where
               word_products, of 16-bit numbers, as the map
    map        row after row; of a row, block after block; tight rows are one block
    pieces     for each group of Pixels output pixels, for each product row (plane, highest first;
               pass; kernel row; word): 64 bits of the window of each pixel; of a pixel beyond the
               map, zeros

Expected values come from qnn_sim.golden; no kernel's own code makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES, decode, encode
from qnn.engine.maps import BlockMap, Blocks, RawMap
from qnn.engine.program import Program, compile_layers
from qnn.engine.word_conv import WordConv
from qnn.network import Conv
from qnn_sim import golden
from qnn_sim.golden_network import run_conv, run_word_layer

Words = NDArray[np.uint64]
# How an input lies in memory. Of parts of blocks each has the channels of its first bytes only.
Source: TypeAlias = Literal["tight rows", "blocks", "parts of blocks"]
Integers: TypeAlias = "NDArray[np.integer[Any]]"


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        words: what goes in, uint64.
        expected: what must come out, uint64.
        values: the values that some words hold: for words of any content, as many as the kernel
            must give.
        about: what it is, for messages.
    """

    words: Words
    expected: Words
    values: Callable[[Words], Integers]
    about: str

    def differing(self, got: Words) -> int:
        """Values that are wrong or missing; words too many count one each, and so does every word
        that is wrong only in bits without a meaning."""
        there = got[: len(self.expected)]
        missing = len(self.expected) - len(there)
        filled = np.concatenate([there, ~self.expected[len(there) :]])
        wrong = int((self.values(filled) != self.values(self.expected)).sum())
        if not wrong:
            wrong = int((there != self.expected[: len(there)]).sum()) + missing
        return wrong + len(got) - len(there)


def fields(width: int) -> Callable[[Words], Integers]:
    """The unsigned fields of `width` bits (8, 32 or 64) of words."""
    return lambda words: words.astype("<u8").view(f"<u{width // 8}")


def _words(data: bytes | Integers) -> Words:
    """Bytes, or an array of little-endian integers, as words."""
    return np.frombuffer(data if isinstance(data, bytes) else data.tobytes(), dtype="<u8").astype(
        np.uint64
    )


def _bits_to_words(bits: NDArray[np.uint8]) -> Words:
    """Bits, first one lowest, shape (..., 64 * n), as words, shape (..., n)."""
    data = np.ascontiguousarray(np.packbits(bits, axis=-1, bitorder="little"))
    return data.view("<u8").astype(np.uint64)


def _words_to_bits(words: Words) -> NDArray[np.uint8]:
    """The reverse."""
    data = np.ascontiguousarray(words).astype("<u8").view(np.uint8)
    return np.unpackbits(data, axis=-1, bitorder="little")


def random_words(rng: np.random.Generator, shape: int | tuple[int, ...]) -> Words:
    """Words of which some are all zeros, all ones, or have a single bit."""
    words = rng.integers(0, 2**64, shape, dtype=np.uint64)
    kind = rng.integers(0, 16, shape)
    single = np.uint64(1) << rng.integers(0, 64, shape, dtype=np.uint64)
    chosen = [words, np.zeros_like(words), ~np.zeros_like(words), single, ~single]
    return np.choose(np.where(kind < 5, kind, 0), chosen)


def popcount(rng: np.random.Generator, pairs: int = 64) -> Frame:
    """Random pairs; some are equal, some complements, some differ in one lane."""
    weights, acts = random_words(rng, pairs), random_words(rng, pairs)
    kind = rng.integers(0, 6, pairs)
    one = np.uint64(1) << rng.integers(0, 64, pairs, dtype=np.uint64)
    acts = np.where(kind == 0, weights, acts)
    acts = np.where(kind == 1, ~weights, acts)
    acts = np.where(kind == 2, weights ^ one, acts)
    bits = zip(_words_to_bits(weights[:, None]), _words_to_bits(acts[:, None]), strict=True)
    # a dot product is equal pairs minus unequal ones, and there are 64
    equal = [(golden.binarized_dot(x, w) + 64) // 2 for w, x in bits]
    words = np.stack([weights, acts], axis=1).ravel()
    return Frame(words, np.array(equal, dtype=np.uint64), fields(64), f"{pairs} pairs")


def matvec(
    rng: np.random.Generator, caps: Capabilities, planes: int, tile_words: int,
    shape: tuple[int, int], tiles: int = 1,
) -> Frame:  # fmt: skip
    """Random weights and pieces, for `shape` pixels of each of `tiles` tiles."""
    pixels = shape[0] * shape[1]
    groups = -(-pixels // caps.pixels)
    command = encode(
        {
            "raw": 1, "planes": planes, "passes": 1, "kernel_rows": 1, "words": tile_words,
            "tile_words": tile_words, "tiles": tiles, "conv_rows": shape[0],
            "conv_columns": shape[1], "out_rows": shape[0], "out_columns": shape[1],
        }
    )  # fmt: skip
    frame, expected = [_words(command)], []
    for _ in range(tiles):
        weights = random_words(rng, (tile_words, caps.pe))
        pieces = random_words(rng, (groups, planes, tile_words, caps.pixels))
        beyond = np.arange(groups * caps.pixels).reshape(groups, caps.pixels) >= pixels
        pieces.transpose(0, 3, 1, 2)[beyond] = 0
        frame += [weights.ravel(), pieces.ravel()]
        bits = _words_to_bits(weights.T).astype(np.int64)  # (pe, lanes)
        x = _words_to_bits(pieces.transpose(0, 3, 1, 2)).astype(np.int64)
        x = (x.reshape(groups * caps.pixels, planes, -1)[:pixels].transpose(0, 2, 1)) @ (
            1 << np.arange(planes)[::-1]
        )
        # equal bits: the accumulator, and every plane once for each weight bit that is 0
        offset = (2**planes - 1) * (bits == 0).sum(axis=1)
        signed = golden.signed_weights(bits[None])
        sums = np.stack([golden.fully_connected(pixel, signed) + offset for pixel in x])
        expected.append(_words(sums.astype("<u4")))
    about = f"{planes} planes, {tile_words} words, {shape} pixels, {tiles} tiles"
    return Frame(np.concatenate(frame), np.concatenate(expected), fields(32), about)


def threshold(
    rng: np.random.Generator, caps: Capabilities, levels: int, shape: tuple[int, int],
    tiles: int = 1,
) -> Frame:  # fmt: skip
    """Random sums, many at a threshold or one below it; thresholds of all sizes, some equal, some
    out of reach."""
    top = 2**caps.accumulator_bits - 1
    command = encode(
        {
            "thresholds": levels, "tiles": tiles, "conv_rows": shape[0], "conv_columns": shape[1],
            "out_rows": shape[0], "out_columns": shape[1],
        }
    )  # fmt: skip
    frame, expected = [_words(command)], []
    for _ in range(tiles):
        own = rng.integers(0, 2 ** int(rng.integers(4, 33)), (levels, caps.pe))
        own[rng.random(own.shape) < 0.05] = top
        own[rng.random(own.shape) < 0.05] = 0
        own = np.sort(own, axis=0)
        size = shape[0] * shape[1], caps.pe
        sums = rng.integers(0, min(top, int(own.max()) + 2), size)
        tied = np.take_along_axis(own, rng.integers(0, levels, size), axis=0)
        sums = np.where(rng.random(size) < 0.5, tied - rng.integers(0, 2, size), sums)
        sums = sums.clip(0, top - 1)
        frame += [_words(own.astype("<u4")), _words(sums.astype("<u4"))]
        expected.append(_words(golden.multi_threshold(sums, own.T)))
    about = f"{levels} thresholds, {shape} pixels, {tiles} tiles"
    return Frame(np.concatenate(frame), np.concatenate(expected), fields(8), about)


def requantise(
    rng: np.random.Generator, caps: Capabilities, planes: int, shape: tuple[int, int],
    tiles: int = 1,
) -> Frame:  # fmt: skip
    """Random parameters in the place of thresholds, and sums near the base, around those where
    codes change, and any."""
    lanes = regs.WORD_CHANNELS
    words = regs.REQUANT_WORDS * caps.pe // lanes
    command = encode(
        {
            "thresholds": words, "requantise": 1, "out_planes": planes, "tiles": tiles,
            "conv_rows": shape[0], "conv_columns": shape[1],
            "out_rows": shape[0], "out_columns": shape[1],
        }
    )  # fmt: skip
    frame, expected = [_words(command)], []
    size = shape[0] * shape[1], caps.pe
    for _ in range(tiles):
        base = rng.integers(0, 2 ** rng.integers(1, 33, caps.pe))
        multiplier = rng.integers(0, 2 ** rng.integers(1, 33, caps.pe))
        shift = rng.integers(0, 32, caps.pe)
        addend = rng.integers(-(2**31), 2**31, caps.pe) >> rng.integers(0, 32, caps.pe)
        own = rng.integers(0, 2**32, (words // regs.REQUANT_WORDS, regs.REQUANT_WORDS, caps.pe))
        for k, values in enumerate((base, shift, multiplier, addend)):
            own[:, k, :lanes] = (values % 2**32).reshape(-1, lanes)  # the other lanes mean nothing
        code = rng.integers(0, 2**planes + 1, size) << shift + regs.REQUANT_LEAST_SHIFT
        change = (code - addend * 2**regs.REQUANT_ADDEND_SHIFT) // np.maximum(multiplier, 1)
        near = base + rng.integers(-2, 2 ** rng.integers(2, 26, size))
        choices = [rng.integers(0, 2**32, size), near, base + change, base + change + 1]
        sums = np.choose(rng.integers(0, 4, size), choices).clip(0, 2**32 - 1)
        frame += [_words(own.astype("<u4")), _words(sums.astype("<u4"))]
        expected.append(_words(golden.requantise(sums, base, shift, multiplier, addend, planes)))
    about = f"codes of {planes} bits by multiplication, {shape} pixels, {tiles} tiles"
    return Frame(np.concatenate(frame), np.concatenate(expected), fields(8), about)


def max_pool(
    rng: np.random.Generator, caps: Capabilities, size: int, stride: int,
    padding: golden.Padding, shape: tuple[int, int], tiles: int = 1,
) -> Frame:  # fmt: skip
    """Random codes; of some frames all are small, so that windows of zeros occur."""
    codes = rng.integers(0, 2 ** int(rng.integers(1, 9)), (tiles, *shape, caps.pe), dtype=np.uint8)
    pooled = np.stack([golden.max_pool(tile, size, stride, padding) for tile in codes])
    top, left = padding[:2]
    out_rows, out_columns = pooled.shape[1:3]
    command = encode(
        {
            "pool_size": size, "pool_stride": stride, "pool_top": top, "pool_left": left,
            "tiles": tiles, "conv_rows": shape[0], "conv_columns": shape[1],
            "out_rows": out_rows, "out_columns": out_columns,
            "walk_rows": max((out_rows - 1) * stride + size, top + shape[0]),
            "walk_columns": max((out_columns - 1) * stride + size, left + shape[1]),
        }
    )  # fmt: skip
    words = np.concatenate([_words(command), _words(codes)])
    about = f"size {size}, stride {stride}, padding {padding}, {shape} pixels, {tiles} tiles"
    return Frame(words, _words(pooled.astype(np.uint8)), fields(8), about)


def pack(
    rng: np.random.Generator, caps: Capabilities, planes: int, shape: tuple[int, int],
    tiles: int = 1,
) -> Frame:  # fmt: skip
    """Random codes of `planes` planes; 0 stands for raw sums."""
    raw = planes == 0
    codes = rng.integers(0, 2 ** (planes or caps.accumulator_bits), (tiles, *shape, caps.pe))
    command = encode(
        {
            "raw": int(raw), "out_planes": planes, "tiles": tiles, "out_rows": shape[0],
            "out_columns": shape[1], "conv_rows": shape[0], "conv_columns": shape[1],
        }
    )  # fmt: skip
    data = codes.astype("<u4" if raw else "u1")
    blocks = tuple((tile * caps.pe, caps.pe) for tile in range(tiles))
    expected = _words(data) if raw else block_words(np.concatenate(codes, 2), blocks, caps, planes)
    words = np.concatenate([_words(command), _words(data)])
    out = _out_map(shape, blocks, caps, planes)
    return Frame(words, expected, _unpacked(out), f"{planes} planes, {shape} pixels, {tiles} tiles")


def _out_map(
    shape: tuple[int, int], blocks: Blocks, caps: Capabilities, planes: int
) -> BlockMap | RawMap:
    if planes:
        return BlockMap(*shape, planes, caps.pe, blocks)
    return RawMap(*shape, caps.pe, blocks, (0,) * sum(count for _, count in blocks))


def _unpacked(out: BlockMap | RawMap) -> Callable[[Words], Integers]:
    return lambda words: out.unpack(words.astype("<u8").tobytes())


def block_words(codes: Integers, blocks: Blocks, caps: Capabilities, planes: int) -> Words:
    """Codes (rows, columns, channels) as channel blocks; see rtl/README.md."""
    rows, columns, _ = codes.shape
    share = 64 // caps.pe
    parts = []
    for first, count in blocks:
        wide = np.zeros((rows, -(-columns // share) * share, caps.pe), dtype=np.int64)
        wide[:, :columns, :count] = codes[..., first : first + count]
        bits = wide[..., None] >> np.arange(planes) & 1
        bits = bits.reshape(rows, -1, share, caps.pe, planes).transpose(0, 1, 4, 2, 3)
        parts.append(_bits_to_words(bits.reshape(-1, 64).astype(np.uint8)).ravel())
    return np.concatenate(parts)


@dataclass(frozen=True)
class Command:
    """One command of a compiled layer, and what it reads: its group of a layer's channels."""

    layer: Conv
    group: int
    beats: bytes
    tiles: Sequence[Words]  # parameters of each
    blocks: Blocks  # of its outputs
    map: Words  # in the order of reading
    pixels: NDArray[np.uint8]  # bits (planes, rows, columns, lanes)

    @property
    def fields(self) -> dict[str, int]:
        return decode(self.beats)

    @property
    def maps(self) -> int:
        """How often the map is read."""
        return len(self.tiles) if self.fields["reload"] else 1


def _feeder(layer: Conv, source: Source) -> Conv | WordConv:
    """A layer whose output `layer` reads, so that it lies in channel blocks; in parts of them where
    so many weights of words leave no room for more."""
    rows, columns, channels = layer.in_shape
    if source == "parts of blocks":
        size = 16
        return WordConv(
            "feeder", (rows + size - 1, columns + size - 1, 4), False,
            np.ones((channels, size, size, 4), np.int16),
            np.zeros((channels, 2**layer.in_bits - 1), np.int32),
        )  # fmt: skip
    return Conv(
        "feeder", (rows, columns, 1), 1, np.ones((1, channels, 1, 1, 1), np.uint8),
        np.zeros((channels, 2**layer.in_bits - 1), np.int32),
    )  # fmt: skip


def commands(layer: Conv, codes: Integers, caps: Capabilities, source: Source) -> list[Command]:
    """The commands of `layer`, one for each group, with `codes` (H, W, C) as its input.

    Raises:
        DoesNotFitError: the layer does not fit the accelerator.
    """
    tight = source == "tight rows"
    before = [] if tight else [_feeder(layer, source)]
    program = compile_layers([*before, layer], caps)
    out = program.maps[-1]
    found = []
    for group in range(layer.groups):
        number = program.commands - layer.groups + group
        beats = program.image[COMMAND_BYTES * number :][:COMMAND_BYTES]
        f = decode(beats)
        tile = caps.pe * (4 * f["thresholds"] + 8 * f["tile_words"])
        begin = f["params_address"]
        tiles = [
            _words(program.image[begin + t * tile : begin + (t + 1) * tile])
            for t in range(f["tiles"])
        ]
        share = layer.outputs // layer.groups
        own = tuple(b for b in out.blocks if group * share <= b[0] < (group + 1) * share)
        place = _tight_in(program, layer, codes, group) if tight else _blocks_in(program, codes, f)
        found.append(Command(layer, group, beats, tiles, own, *place))
    return found


def _planes(codes: Integers, planes: int) -> NDArray[np.uint8]:
    """Bits, shape (planes, *codes.shape), plane 0 the lowest."""
    return np.stack([codes >> k & 1 for k in range(planes)]).astype(np.uint8)


def _tight_in(
    program: Program, layer: Conv, codes: Integers, group: int
) -> tuple[Words, NDArray[np.uint8]]:
    """The map of a group as it is read, and the bits of its pixels."""
    rows, columns, _ = codes.shape
    mine = golden.split(codes.astype(np.int64), layer.groups)[group]
    channels = mine.shape[2]
    pixels = np.zeros((layer.in_bits, rows, columns, -(-channels // 4) * 4), np.uint8)
    pixels[..., :channels] = _planes(mine, layer.in_bits)
    strings = pixels.transpose(1, 0, 2, 3).reshape(rows, layer.in_bits, -1)
    filled = np.zeros((rows, layer.in_bits, program.tight.plane_words * 64), np.uint8)
    filled[..., : strings.shape[-1]] = strings
    return _bits_to_words(filled).ravel(), pixels


def _blocks_in(
    program: Program, codes: Integers, f: dict[str, int]
) -> tuple[Words, NDArray[np.uint8]]:
    """Likewise, out of the channel blocks that a command reads. What it leaves out of the end of a
    block is all ones."""
    source = program.maps[0]
    assert isinstance(source, BlockMap)
    caps = Capabilities(pe=source.pe)
    first = (f["in_address"] - program.places[0]) // f["block_bytes"]
    used = source.blocks[first : first + f["blocks"]]
    rows, columns, _ = codes.shape
    lanes = np.zeros((rows, columns, len(used), source.pe), dtype=np.int64)
    for b, (channel, count) in enumerate(used):
        lanes[:, :, b, :count] = codes[..., channel : channel + count]
    string = lanes[..., : 8 * f["block_used"]].reshape(rows, columns, -1)
    begin, size = 8 * f["first_skip"], 8 * f["pixel_bytes"]
    pixels = _planes(string[..., begin : begin + size], source.planes)
    lanes[..., 8 * f["block_used"] :] = lanes[:, :, -1, 8 * f["last_bytes"] :] = -1
    # a block lies there as a whole; a row of each is read before the next row
    whole = ((0, source.pe),)
    by_block = np.stack(
        [block_words(lanes[:, :, b], whole, caps, source.planes) for b in range(len(used))]
    )
    return by_block.reshape(len(used), rows, -1).transpose(1, 0, 2).ravel(), pixels


def products(planes: int, passes: int, exponent: int) -> list[tuple[int, int]]:
    """(weight pass, activation plane) of all products, in the order of the accelerator.

    Pass i counts 2**max(exponent - i, 0) and plane k 2**k: the largest first, equal ones by pass.
    """
    pairs = [(i, k) for i in range(passes) for k in range(planes)]
    return sorted(pairs, key=lambda pair: (-max(exponent - pair[0], 0) - pair[1], pair[0]))


def pieces(command: Command, caps: Capabilities) -> Words:
    """The pieces of the windows of one tile, shape (groups * product rows * Pixels,)."""
    layer, f = command.layer, command.fields
    top, left, bottom, right = layer.padding
    padded = np.pad(command.pixels, ((0, 0), (top, bottom), (left, right), (0, 0)))
    kernel_rows, kernel_columns = layer.kernel
    out_rows, out_columns, _ = layer.conv_shape
    count = out_rows * out_columns
    groups = -(-count // caps.pixels)
    strings = np.zeros(
        (groups * caps.pixels, layer.in_bits, kernel_rows, f["words"] * 64), dtype=np.uint8
    )
    for pixel in range(count):
        y, x = (layer.stride * i for i in divmod(pixel, out_columns))
        window = padded[:, y : y + kernel_rows, x : x + kernel_columns]
        rows = window.reshape(layer.in_bits, kernel_rows, -1)
        strings[pixel, :, :, : rows.shape[-1]] = rows
    planes = [plane for _, plane in products(layer.in_bits, f["passes"], f["exponent"])]
    words = _bits_to_words(strings)[:, planes]
    return words.reshape(groups, caps.pixels, -1).transpose(0, 2, 1).ravel()


def window(
    layer: Conv, codes: Integers, caps: Capabilities, source: Source = "tight rows"
) -> list[Frame]:
    """The windows of a layer, a frame for each of its groups; see commands.

    Of Pixels pixels at a time, whatever their sums are: none are made.
    """
    frames = []
    for command in commands(layer, codes, caps, source):
        beats = encode(command.fields | {"wide_sums": 0})
        words = np.concatenate([_words(beats), *[command.map] * command.maps])
        expected = np.tile(pieces(command, caps), len(command.tiles))
        frames.append(Frame(words, expected, fields(64), _about(command, source)))
    return frames


def conv(
    layer: Conv, codes: Integers, caps: Capabilities, source: Source = "tight rows"
) -> list[Frame]:
    """A whole layer, a frame for each of its groups; see commands."""
    frames = []
    own = commands(layer, codes, caps, source)
    values: Integers
    if layer.thresholds is None:
        values = _sums(layer, codes, _most(own[0].fields))
    else:
        values = run_conv(layer, codes.astype(np.uint8))
    planes = layer.out_bits or 0
    for command in own:
        deal = chain.from_iterable(
            (tile, command.map) if t < command.maps else (tile,)
            for t, tile in enumerate(command.tiles)
        )
        words = np.concatenate([_words(command.beats), *deal])
        if planes:
            expected = block_words(values, command.blocks, caps, planes)
        else:
            expected = _raw_words(command, codes, values, caps)
        mine = tuple((first - command.blocks[0][0], count) for first, count in command.blocks)
        out = _out_map(layer.out_shape[:2], mine, caps, planes)
        frames.append(Frame(words, expected, _unpacked(out), _about(command, source)))
    return frames


def word_conv(layer: WordConv, numbers: Integers, caps: Capabilities) -> list[Frame]:
    """A whole layer of 16-bit words, a frame for each of its commands: tiles that take as many
    passes.

    Raises:
        DoesNotFitError: the layer does not fit the accelerator.
    """
    program = compile_layers([layer], caps)
    out = program.maps[0]
    assert isinstance(out, BlockMap)
    values = run_word_layer(layer, numbers)
    rows, columns, channels = numbers.shape
    strings = np.zeros((rows, -(-columns * channels // 4) * 4), "<u2")
    strings[:, : columns * channels] = numbers.reshape(rows, -1)  # two's complement
    own_map, frames, first = _words(strings.tobytes()), [], 0
    for number in range(program.commands):
        beats = program.image[COMMAND_BYTES * number :][:COMMAND_BYTES]
        f = decode(beats)
        size, begin = 4 * caps.pe * f["thresholds"] + 64 * f["tile_words"], f["params_address"]
        tiles = [_words(program.image[begin + t * size :][:size]) for t in range(f["tiles"])]
        maps = f["tiles"] if f["reload"] else 1
        deal = chain.from_iterable(
            (tile, own_map) if t < maps else (tile,) for t, tile in enumerate(tiles)
        )
        blocks = out.blocks[first : first + f["tiles"]]
        first += f["tiles"]
        mine = tuple((channel - blocks[0][0], count) for channel, count in blocks)
        frames.append(
            Frame(
                np.concatenate([_words(beats), *deal]),
                block_words(values, blocks, caps, out.planes),
                _unpacked(BlockMap(out.rows, out.columns, out.planes, caps.pe, mine)),
                f"words {layer.in_shape}, weights {layer.weight.shape}, stride {layer.stride}, "
                f"padding {layer.padding}, thresholds {layer.thresholds.shape[1]}, pairs "
                f"{layer.pairs}, pool {layer.pool}, command {number} of {program.commands}",
            )
        )
    return frames


def _most(f: dict[str, int]) -> int:
    """The largest weight that the passes of a command give."""
    return sum(2 ** max(f["exponent"] - i, 0) for i in range(f["passes"]))


def _sums(layer: Conv, codes: Integers, most: int) -> NDArray[np.int64]:
    """What the accelerator counts: accumulators, and each plane once for each weight bit that is 0.

    Those of a weight count (most - weight) / 2.
    """
    weight = golden.signed_weights(layer.weight, layer.coefficients)
    acc = golden.convolution(
        codes, weight, stride=layer.stride, padding=layer.padding, groups=layer.groups
    )
    zeros = ((most - weight) // 2).sum(axis=(1, 2, 3))
    return acc + (2**layer.in_bits - 1) * zeros


def _raw_words(command: Command, codes: Integers, sums: Integers, caps: Capabilities) -> Words:
    """Sums of the blocks of a command; a channel that does not exist has weights of 1."""
    layer = command.layer
    ones = np.full((1, *layer.kernel, layer.weight.shape[4]), _most(command.fields))
    mine = golden.split(codes.astype(np.int64), layer.groups)[command.group]
    absent = golden.convolution(mine, ones, stride=layer.stride, padding=layer.padding)
    parts = []
    for first, count in command.blocks:
        block = np.repeat(absent, caps.pe, axis=2)
        block[..., :count] = sums[..., first : first + count]
        parts.append(_words(block.astype("<u4")))
    return np.concatenate(parts)


def _about(command: Command, source: Source) -> str:
    layer, wide = command.layer, command.fields["wide_sums"]
    pool = layer.pool and (layer.pool.size, layer.pool.stride, layer.pool.padding)
    levels = None if layer.thresholds is None else layer.thresholds.shape[1]
    return (
        f"input {layer.in_shape} in {source}, {layer.in_bits} bits, "
        f"weights {layer.weight.shape} x {layer.coefficients}, stride {layer.stride}, padding "
        f"{layer.padding}, group {command.group} of {layer.groups}, thresholds {levels}, "
        f"pool {pool}, {'wide' if wide else 'narrow'} sums"
    )
