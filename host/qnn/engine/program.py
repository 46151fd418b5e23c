# SPDX-License-Identifier: BSD-3-Clause
"""Canonical layers as a program of the accelerator: command list, parameters, places of maps.

The accelerator counts equal bits. With x the bits of an activation plane and w01 the weight bits,

    popcount(~(w01 ^ x)) = sum of (2 w01 - 1) x + number of w01 that are 0

so its sum is the canonical accumulator plus (2**planes - 1) * zeros of the channel: a constant,
added to the thresholds here, taken from raw sums by RawMap. Lanes without a channel read x = 0 and
get w01 = 1, which counts nothing. Weights of more than one bit are several passes, each over bits
that count a power of two (passes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.engine import command_cycles, regs, requantise
from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES, encode
from qnn.engine.maps import BlockMap, Blocks, RawMap, TightMap
from qnn.engine.passes import Passes, passes_of
from qnn.engine.word_conv import WordConv, WordMap
from qnn.engine.word_parameters import moved_thresholds, passes_over, row_words, runs, weight_bytes
from qnn.errors import DoesNotFitError, NetworkError, QnnError
from qnn.network import Conv, MaxPool
from qnn.network.wiring import OUTSIDE, Wiring, chain, readers

Bits: TypeAlias = Conv | DenseSums  # weights of few bits on codes of few bits
Layer: TypeAlias = Bits | WordConv

PAGE = 4096
LINE = 128  # no burst crosses a multiple of it: parameters and maps begin there


@dataclass(frozen=True)
class Input:
    """A map that the host hands in.

    Attributes:
        layer: number of the layer that reads it.
        source: number of the layer whose sums the host makes it of; OUTSIDE for what goes in.
        map: how it lies in memory.
        address: where.
    """

    layer: int
    source: int
    map: TightMap | WordMap
    address: int


@dataclass(frozen=True)
class Program:
    """All that a run needs, for memory that begins at `base`.

    Attributes:
        image: command list and parameters, to lie at `base`; only read.
        work: first byte of the inputs, a multiple of 4096, and `work_bytes` what they and the maps
            take.
        commands: entries of the list, which begins at `base`.
        names: for each command, its layer, with /number where it has more than one.
        parts: for each layer, how many commands it has.
        maps: for each layer, the map it writes, and `places` its address.
        inputs: of the first layer, and of each behind one whose sums the host finishes.
        wiring: what each layer reads.
    """

    base: int
    image: bytes
    work: int
    work_bytes: int
    commands: int
    names: tuple[str, ...]
    parts: tuple[int, ...]
    inputs: tuple[Input, ...]
    maps: tuple[BlockMap | RawMap, ...]
    places: tuple[int, ...]
    wiring: Wiring

    @property
    def tight(self) -> TightMap | WordMap:
        """The input of the first layer."""
        return self.inputs[0].map

    @property
    def input_address(self) -> int:
        return self.inputs[0].address

    @property
    def out_map(self) -> BlockMap | RawMap:
        return self.maps[-1]

    @property
    def out_address(self) -> int:
        return self.places[-1]


def fill(size: int, to: int) -> int:
    """The least multiple of `to` that is at least `size`."""
    return -(-size // to) * to


def blocks_of(channels: int, groups: int, next_groups: int, pe: int) -> Blocks:
    """Output channels in blocks of at most `pe`.

    A block never crosses a border of the layer's own groups; and one of the next layer's only where
    the border lies at a whole byte of the block, because the reader leaves out whole bytes.
    """
    return _blocks(channels, pe, _borders(channels, groups), _borders(channels, next_groups))


def _borders(channels: int, groups: int) -> set[int]:
    """Where groups of channels begin."""
    return {group * channels // groups for group in range(groups)}


def _blocks(channels: int, pe: int, cuts: set[int], borders: set[int]) -> Blocks:
    """Blocks that begin at each of `cuts`, and that `borders` cross at whole bytes only."""
    cuts = {0, *cuts}
    while True:
        starts = [*sorted(cuts), channels]
        blocks = tuple(
            (first, min(pe, end - first))
            for start, end in pairwise(starts)
            for first in range(start, end, pe)
        )
        crossed = [b for b in sorted(borders) for f, n in blocks if f < b < f + n and (b - f) % 8]
        if not crossed:
            return blocks
        cuts.add(crossed[0])


def _blocks_of_layers(layers: Sequence[Layer], wiring: Wiring, caps: Capabilities) -> list[Blocks]:
    """The blocks of what each layer gives, as its readers want them.

    Of maps that are read side by side only the first block and the last can be read in part.
    """
    found = []
    for layer, own in zip(layers, readers(wiring), strict=True):
        cuts, borders = _borders(layer.outputs, layer.groups), set[int]()
        for reader in own if not isinstance(layer, DenseSums) else ():
            into = cuts if len(wiring[reader]) > 1 else borders
            into |= _borders(layer.outputs, layers[reader].groups)
        found.append(_blocks(layer.outputs, caps.pe, cuts, borders))
    return found


@dataclass(frozen=True)
class _Input:
    """Input of one group, as a command describes it and as the lanes of a pixel see it."""

    fields: dict[str, int]
    lanes: NDArray[np.int64]  # channel of the group at each bit of a pixel, or -1


def _read_tight(tight: TightMap, address: int, group: int) -> _Input:
    lanes = np.full(tight.pixel_nibbles * 4, -1)
    lanes[: tight.channels] = np.arange(tight.channels)
    fields = {
        "tight": 1,
        "in_address": address + group * tight.group_bytes,
        "row_beats": tight.planes * tight.plane_words,
    }
    return _Input(fields, lanes)


def _read_words(tight: WordMap, address: int) -> _Input:
    fields = {
        "tight": 1,
        "word_unsigned": int(tight.unsigned),
        "in_address": address,
        "row_beats": tight.plane_words,
    }
    return _Input(fields, np.repeat(np.arange(tight.channels), 16))


def _read_blocks(source: BlockMap, address: int, group: int, groups: int) -> _Input:
    return _read_side_by_side([(source, address)], group, groups)


def _read_side_by_side(sources: Sequence[tuple[BlockMap, int]], group: int, groups: int) -> _Input:
    """The share of a group in each of some maps and their addresses.

    Raises:
        DoesNotFitError: their blocks are not the same distance from each other.
    """
    lanes: list[NDArray[np.int64]] = []
    addresses: list[int] = []
    skip = cut = before = 0
    for source, address in sources:
        channels = source.channels // groups
        begin, end = group * channels, (group + 1) * channels
        used = [b for b, (f, n) in enumerate(source.blocks) if f < end and f + n > begin]
        for b in used:
            first, count = source.blocks[b]
            channel = np.arange(first, first + source.pe)
            real = (channel < first + count) & (channel >= begin) & (channel < end)
            lanes.append(np.where(real, channel - begin + before, -1))
        if not addresses:
            skip = max(0, begin - source.blocks[used[0]][0]) // 8
        addresses += [address + b * source.block_bytes for b in used]
        first, count = source.blocks[used[-1]]
        cut = source.pe // 8 - -(-(min(end, first + count) - first) // 8)
        before += channels
    like, _ = sources[0]
    apart = {after - one for one, after in pairwise(addresses)} or {like.block_bytes}
    if len(apart) > 1:
        raise DoesNotFitError("the maps that it reads do not lie behind each other in memory")
    pixel_bytes = len(addresses) * like.pe // 8 - skip - cut
    fields = {
        "in_address": addresses[0],
        "block_bytes": apart.pop() % (1 << 32),
        "row_beats": like.row_beats,
        "blocks": len(addresses),
        "first_skip": skip,
        "last_bytes": like.pe // 8 - cut,
        "pixel_bytes": pixel_bytes,
    }
    return _Input(fields, np.concatenate(lanes)[skip * 8 : (skip + pixel_bytes) * 8])


def offsets(layer: Bits, weights: Passes) -> NDArray[np.int64]:
    """What the accelerator counts too much, for each output channel."""
    return (2**layer.in_bits - 1) * (weights.factors @ weights.zeros)


def _weight_bytes(
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
    fan_in = int(np.prod(weight.shape[2:]))
    if (2**layer.in_bits - 1) * fan_in * int(weights.factors.sum()) >= top:
        raise DoesNotFitError(
            f"layer {layer.name}: its sums do not fit {caps.accumulator_bits}-bit accumulators"
        )
    _check_weights(layer, passes * kernel_rows * words, caps)
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


def _check_weights(layer: Layer, tile_words: int, caps: Capabilities) -> None:
    """The weights of a tile fit the accelerator."""
    if tile_words > caps.weight_words:
        raise DoesNotFitError(
            f"layer {layer.name}: {tile_words} weight words for {caps.pe} outputs; the "
            f"accelerator holds {caps.weight_words}"
        )


def _threshold_bytes(moved: NDArray[np.int64], block: tuple[int, int], caps: Capabilities) -> bytes:
    """Thresholds of one tile out of those of all channels, as the accelerator compares them."""
    first, count = block
    top = 2**caps.accumulator_bits - 1  # never reached
    tile = np.full((moved.shape[1], caps.pe), top, dtype="<u4")
    tile[:, :count] = np.clip(moved[first : first + count].T, 0, top)
    return tile.tobytes()


def _word_weight_bytes(
    layer: WordConv, blocks: Blocks, caps: Capabilities
) -> tuple[list[bytes], int]:
    """Weights of each tile of one command, and the weight words of one tile."""
    rows, _ = layer.kernel
    if rows > caps.kernel_rows:
        raise DoesNotFitError(
            f"layer {layer.name}: {rows} kernel rows; the accelerator has {caps.kernel_rows}"
        )
    tile_words = passes_over(blocks[0][1]) * rows * row_words(layer, caps)
    _check_weights(layer, tile_words, caps)
    return [weight_bytes(layer, b, caps) for b in blocks], tile_words


def _codes(
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
    if isinstance(layer, WordConv):
        moved = moved_thresholds(layer)
    else:
        assert isinstance(layer, Conv) and weights is not None
        offset = offsets(layer, weights)
        scaled = {"thresholds": regs.REQUANT_WORDS * caps.pe // 8, "requantise": 1}
        if caps.requantiser and _cheaper(scaled, levels, fields, caps):
            begin, end = blocks[0][0], sum(blocks[-1])
            top = 2 ** fields["out_planes"] - 1
            if found := requantise.of_conv(layer, offset, slice(begin, end), top):
                tiles = [slice(first - begin, first + n - begin) for first, n in blocks]
                return [requantise.tile_bytes(found, tile, caps.pe) for tile in tiles], scaled
        moved = layer.thresholds.astype(np.int64) + offset[:, None]
    if levels["thresholds"] > caps.threshold_words:
        raise DoesNotFitError(
            f"layer {layer.name}: {levels['thresholds']} thresholds for each output; the "
            f"accelerator holds {caps.threshold_words}"
        )
    return [_threshold_bytes(moved, b, caps) for b in blocks], levels


def _cheaper(
    one: dict[str, int], other: dict[str, int], fields: dict[str, int], caps: Capabilities
) -> bool:
    """Whether a command takes fewer cycles with the fields `one` than with `other`, which it may
    not be able to have."""
    if other["thresholds"] > caps.threshold_words:
        return one["thresholds"] <= caps.threshold_words

    def cycles(own: dict[str, int]) -> int:
        found = fields | own
        return int(command_cycles.each(lambda name: np.array([found.get(name, 0)]), caps)[0])

    return one["thresholds"] <= caps.threshold_words and cycles(one) < cycles(other)


def _ring(layer: Layer, row_words: int, caps: Capabilities) -> dict[str, int]:
    """How the window buffer holds the input: all of it, or a ring of its rows for each tile."""
    rows, top = layer.in_shape[0], layer.padding[0]
    ring_rows = min(caps.window_words // row_words, rows)
    reload = ring_rows < rows
    if reload and (
        ring_rows < layer.kernel[0] + 2 * layer.stride or layer.conv_shape[1] < caps.pixels
    ):
        raise DoesNotFitError(
            f"layer {layer.name}: {row_words} words for a row of its input are too many for the "
            f"{caps.window_words} words of the window buffer"
        )
    ring_words = ring_rows * row_words
    return {
        "reload": int(reload),
        "ring_rows": ring_rows,
        "ring_words": ring_words,
        "ring_start": -top % ring_rows * row_words,
        "stride_words": layer.stride * row_words % ring_words,
        "pass_step": rows * row_words % ring_words if reload else 0,
    }


def _shape(layer: Layer, lanes: int, caps: Capabilities) -> dict[str, int]:
    """Fields that follow from the shapes alone; `lanes` are the bits of a pixel."""
    planes = 1 if isinstance(layer, WordConv) else layer.in_bits
    rows, columns, _ = layer.in_shape
    kernel_rows, kernel_columns = layer.kernel
    conv_rows, conv_columns, _ = layer.conv_shape
    out_rows, out_columns, _ = layer.out_shape
    pool = layer.pool or MaxPool(1, 1)
    top, left = pool.padding[:2]
    if max(layer.strides) > 4 or pool.size not in (1, 2, 3) or pool.stride not in (1, 2):
        raise DoesNotFitError(
            f"layer {layer.name}: the accelerator has strides from 1 to 4, and pools of 1, 2 and 3 "
            "with strides 1 and 2"
        )
    if pool.size > 1 and out_columns > caps.pool_columns:
        raise DoesNotFitError(
            f"layer {layer.name}: {out_columns} pooled columns; the accelerator holds "
            f"{caps.pool_columns}"
        )
    nibbles = lanes // 4
    plane_words = -(-columns * nibbles // 16)
    return {
        "planes": planes,
        "kernel_rows": kernel_rows,
        "stride": layer.stride,
        "pool_size": pool.size,
        "pool_stride": pool.stride,
        "pool_top": top,
        "pool_left": left,
        "in_rows": rows,
        "in_columns": columns,
        "conv_rows": conv_rows,
        "conv_columns": conv_columns,
        "walk_rows": max((out_rows - 1) * pool.stride + pool.size, top + conv_rows),
        "walk_columns": max((out_columns - 1) * pool.stride + pool.size, left + conv_columns),
        "out_rows": out_rows,
        "out_columns": out_columns,
        "top": layer.padding[0],
        "first_nibble": -layer.padding[1] * nibbles & 0xFFFF,
        "step_nibbles": layer.strides[1] * nibbles,
        "row_nibbles": columns * nibbles,
        "words": -(-kernel_columns * lanes // 64),
        "window_nibbles": kernel_columns * nibbles,
        "plane_words": plane_words,
        "row_words": planes * plane_words,
    }


def _command(name: str, fields: dict[str, int]) -> bytes:
    try:
        return encode(fields)
    except DoesNotFitError as error:
        raise DoesNotFitError(f"layer {name}: {error}") from None


def _parts(layer: Layer, blocks: Blocks) -> list[Blocks]:
    """The output blocks of each command of a layer."""
    if isinstance(layer, WordConv):
        return runs(blocks)
    share = layer.outputs // layer.groups
    return [
        tuple(b for b in blocks if group * share <= b[0] < (group + 1) * share)
        for group in range(layer.groups)
    ]


def _input_map(layer: Layer) -> TightMap | WordMap:
    """What the host hands in."""
    rows, columns, channels = layer.in_shape
    if isinstance(layer, WordConv):
        return WordMap(rows, columns, channels, layer.unsigned)
    return TightMap(rows, columns, channels // layer.groups, layer.in_bits, layer.groups)


def _inputs(layers: Sequence[Layer], wiring: Wiring) -> list[Input]:
    """What the host hands in, one after the other from address 0 on."""
    inputs: list[Input] = []
    address = 0
    for number, layer in enumerate(layers):
        given = [r for r in wiring[number] if r == OUTSIDE or isinstance(layers[r], DenseSums)]
        if not given:
            continue
        if len(wiring[number]) > 1 or (inputs and OUTSIDE in given):
            raise DoesNotFitError(
                f"layer {layer.name}: the host hands in one map, which one layer reads by itself"
            )
        inputs.append(Input(number, given[0], _input_map(layer), address))
        address += fill(inputs[-1].map.size, LINE)
    return inputs


def _of_equal_planes(layers: Sequence[Layer], wiring: Wiring) -> list[Layer]:
    """The layers, reading as many planes as the others that read the same maps.

    Raises:
        DoesNotFitError: one of 16-bit words reads what another layer gives.
    """
    planes = [0 if isinstance(layer, WordConv) else layer.in_bits for layer in layers]
    own = readers(wiring)
    changed = True
    while changed:
        changed = False
        for number, reads in enumerate(wiring):
            most = max(
                planes[number],
                *(planes[other] for read in reads if read != OUTSIDE for other in own[read]),
            ) if reads != (OUTSIDE,) else planes[number]  # fmt: skip
            changed = changed or most > planes[number]
            planes[number] = most
    found: list[Layer] = []
    for layer, count in zip(layers, planes, strict=True):
        if isinstance(layer, Conv) and layer.in_bits != count:
            layer = replace(layer, in_bits=count)
        elif isinstance(layer, DenseSums) and layer.in_bits != count:
            layer = layer.reading(count)
        found.append(layer)
    return found


def _places(
    layers: Sequence[Layer], wiring: Wiring, maps: Sequence[BlockMap | RawMap], begin: int
) -> tuple[list[int], int]:
    """Where each map lies, from address `begin` on, and where the last of them ends.

    Maps that a layer reads side by side lie behind each other, where these are more than two
    blocks: of two any distance will do.
    """
    after: dict[int, int] = {}
    for layer, reads in zip(layers, wiring, strict=True):
        if len(reads) == 1 or sum(len(maps[read].blocks) for read in reads) <= 2 * layer.groups:
            continue
        for one, other in pairwise(reads):
            if after.setdefault(one, other) != other or list(after.values()).count(other) > 1:
                raise DoesNotFitError(
                    f"layer {layer.name}: {layers[one].name} and {layers[other].name} cannot lie "
                    "behind each other in memory, for one of them lies beside another map already"
                )
    heads = [number for number in range(len(layers)) if number not in after.values()]
    places = [-1] * len(layers)
    for head in heads:
        number: int | None = head
        begin = fill(begin, LINE)
        while number is not None:
            places[number] = begin
            begin += maps[number].size
            number = after.get(number)
    if -1 in places:
        name = layers[places.index(-1)].name
        raise DoesNotFitError(f"layer {name}: its map would have to lie behind itself")
    return places, fill(begin, LINE)


def _weights(layer: Bits) -> Passes:
    return layer.weights if isinstance(layer, DenseSums) else passes_of(layer)


def _output_map(
    layer: Layer, weights: Passes | None, own: Sequence[Layer], blocks: Blocks, caps: Capabilities
) -> BlockMap | RawMap:
    """What a layer writes, with as many planes as its readers read, which are `own`."""
    rows, columns, _ = layer.out_shape
    if weights is not None and layer.out_bits is None:
        assert not isinstance(layer, WordConv)
        return RawMap(rows, columns, caps.pe, blocks, tuple(offsets(layer, weights).tolist()))
    planes = layer.out_bits or 0
    for reader in own:
        if isinstance(reader, WordConv):
            raise DoesNotFitError(
                f"layer {reader.name}: only the first layer can be one of 16-bit words"
            )
        planes = reader.in_bits + int(isinstance(layer, WordConv) and layer.pairs)
        if planes < (layer.out_bits or 0):
            raise NetworkError(f"layer {reader.name}: it reads fewer bits than {layer.name} gives")
    if planes > caps.code_bits:
        raise DoesNotFitError(
            f"layer {layer.name}: codes of {planes} bits are too wide; the accelerator writes "
            f"{caps.code_bits}"
        )
    return BlockMap(rows, columns, planes, caps.pe, blocks)


def _read_maps(
    layers: Sequence[Layer],
    reads: Sequence[int],
    maps: Sequence[BlockMap | RawMap],
    places: Sequence[int],
    group: int,
    reader: Layer,
) -> _Input:
    """What a group of a layer reads of the maps of others."""
    sources = []
    for number in reads:
        source = maps[number]
        if not isinstance(source, BlockMap):
            raise NetworkError(f"layer {layers[number].name}: only the last may be raw")
        sources.append((source, places[number]))
    pairs = [isinstance(one := layers[number], WordConv) and one.pairs for number in reads]
    if any(pairs) and len(reads) > 1:
        raise DoesNotFitError(
            f"layer {reader.name}: a map of 16-bit products is read by itself only"
        )
    try:
        read = _read_side_by_side(sources, group, reader.groups)
    except DoesNotFitError as error:
        raise DoesNotFitError(f"layer {reader.name}: {error}") from None
    read.fields["drop_lowest"] = int(any(pairs))
    return read


def compile_layers(
    layers: Sequence[Layer],
    caps: Capabilities | None = None,
    base: int = 0,
    wiring: Wiring | None = None,
) -> Program:
    """The program that runs `layers` one after the other.

    Args:
        layers: each reads what others before it write, or what the host makes of that where it is a
            DenseSums; what one reads may hand out no other accumulators, and only the first may be
            a WordConv.
        caps: of the accelerator; None for the PYNQ-Z1 configuration.
        base: address where the program will lie, a multiple of 4096.
        wiring: what each layer reads; None: the one before it.

    Raises:
        DoesNotFitError: something does not fit the accelerator.
        NetworkError: a layer that is read hands out accumulators.
    """
    caps = caps or Capabilities()
    if base % PAGE:
        raise QnnError(f"a program begins at a multiple of {PAGE}, not at {base:#x}")
    wiring = wiring or chain(len(layers))
    layers = _of_equal_planes(layers, wiring)
    blocks_by_layer = _blocks_of_layers(layers, wiring, caps)
    parts_by_layer = [_parts(*each) for each in zip(layers, blocks_by_layer, strict=True)]
    count = sum(map(len, parts_by_layer))
    most = max(map(len, parts_by_layer), default=0)
    if not 1 <= most <= caps.commands:
        raise DoesNotFitError(
            f"a layer of {most} commands; the accelerator takes 1 to {caps.commands}"
        )

    fields: list[dict[str, int]] = []
    parameters: list[bytes] = []
    names: list[str] = []
    weights_by_layer = [None if isinstance(one, WordConv) else _weights(one) for one in layers]
    maps = [
        _output_map(layer, weights, [layers[n] for n in own], blocks, caps)
        for layer, weights, own, blocks in zip(
            layers, weights_by_layer, readers(wiring), blocks_by_layer, strict=True
        )
    ]
    inputs = _inputs(layers, wiring)
    given = {one.layer: one for one in inputs}
    # from the first input on, until its address is known
    begin = inputs[-1].address + fill(inputs[-1].map.size, LINE)
    places, work_bytes = _places(layers, wiring, maps, begin)
    for number, layer in enumerate(layers):
        blocks, parts = blocks_by_layer[number], parts_by_layer[number]
        weights, out, place = weights_by_layer[number], maps[number], places[number]
        written = 0
        for part, own in enumerate(parts):
            if number in given and isinstance(words := given[number].map, WordMap):
                read = _read_words(words, given[number].address)
            elif number in given and isinstance(tight := given[number].map, TightMap):
                read = _read_tight(tight, given[number].address, part)
            else:
                read = _read_maps(layers, wiring[number], maps, places, part, layer)
            shape = _shape(layer, len(read.lanes), caps)
            if isinstance(layer, WordConv):
                tiles, tile_words = _word_weight_bytes(layer, own, caps)
                products = {
                    "word_products": 1,
                    "passes": passes_over(own[0][1]),
                    "words": row_words(layer, caps),
                }
            else:
                assert weights is not None
                tiles, tile_words = _weight_bytes(layer, weights, own, read.lanes, caps)
                products = {"passes": len(weights), "exponent": weights.exponent}
            command = {
                "opcode": regs.OPCODE,
                "raw": int(layer.out_bits is None),
                "out_planes": 0 if isinstance(out, RawMap) else out.planes,
                "params_address": sum(fill(len(p), LINE) for p in parameters),
                "tiles": len(own),
                "tile_words": tile_words,
                "out_address": place + written,
                "index": len(fields),
                **read.fields,
                **shape,
                **_ring(layer, shape["row_words"], caps),
                **products,
            }
            codes, how = _codes(layer, weights, own, command, caps)
            fields.append(command | how)
            parameters.append(
                b"".join(code + tile for code, tile in zip(codes, tiles, strict=True))
            )
            written += out.size // len(blocks) * len(own)
            names.append(layer.name if len(parts) == 1 else f"{layer.name}/{part}")

    list_bytes = fill(count * COMMAND_BYTES, LINE)
    work = base + fill(list_bytes + sum(fill(len(p), LINE) for p in parameters), PAGE)
    for command in fields:
        command["params_address"] += base + list_bytes
        command["in_address"] += work
        command["out_address"] += work
    image = b"".join(map(_command, names, fields)).ljust(list_bytes, b"\0")
    image += b"".join(p.ljust(fill(len(p), LINE), b"\0") for p in parameters)
    return Program(
        base, image, work, work_bytes, count, tuple(names), tuple(map(len, parts_by_layer)),
        tuple(replace(one, address=work + one.address) for one in inputs), tuple(maps),
        tuple(work + p for p in places), wiring,
    )  # fmt: skip
