# SPDX-License-Identifier: BSD-3-Clause
"""Canonical layers as a program of the accelerator: command list, parameters, places of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.engine import parameters, regs, word_parameters
from qnn.engine.binary_dense import DenseSums
from qnn.engine.blocks import blocks_of, borders_of
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES, encode
from qnn.engine.hosted import Hosted
from qnn.engine.maps import BlockMap, Blocks, RawMap, TightMap
from qnn.engine.parameters import Layer
from qnn.engine.reading import Reading, read_blocks, read_tight, read_words
from qnn.engine.word_conv import WordConv, WordMap
from qnn.engine.word_parameters import block_channels, passes_over, row_words, runs
from qnn.errors import DoesNotFitError, NetworkError, QnnError
from qnn.network import Conv, MaxPool
from qnn.network.wiring import OUTSIDE, Wiring, chain, readers

PAGE = 4096
LINE = 128  # no burst crosses a multiple of it: parameters and maps begin there
Compiled: TypeAlias = Layer | Hosted


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
        parts: for each layer, how many commands it has: none, where it is one of the host.
        maps: for each layer, the map it writes, and `places` its address; that of a layer of the
            host has no blocks where the accelerator does not read it.
        inputs: of the first layer, and of each behind one whose sums the host finishes.
        wiring: what each layer reads.
        thresholds: of a first layer whose thresholds come in pairs, which are a picture's own:
            where each lies in the image, in words of 32 bits, (outputs, thresholds); else None.
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
    thresholds: NDArray[np.intp] | None = field(default=None, compare=False)

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


def _readers(layers: Sequence[Compiled], wiring: Wiring) -> list[list[int]]:
    """By layer: the numbers of those on the accelerator that read it."""
    of_host = {number for number, layer in enumerate(layers) if isinstance(layer, Hosted)}
    return [[number for number in own if number not in of_host] for own in readers(wiring)]


def _blocks_of_layers(
    layers: Sequence[Compiled], wiring: Wiring, caps: Capabilities
) -> list[Blocks]:
    """The blocks of what each layer gives, as its readers want them.

    Of maps that are read side by side only the first block and the last can be read in part.
    """
    found: list[Blocks] = []
    for layer, own in zip(layers, _readers(layers, wiring), strict=True):
        if isinstance(layer, Hosted) and not own:
            found.append(())
            continue
        cuts, borders = borders_of(layer.outputs, layer.groups), set[int]()
        for reader in own if not isinstance(layer, DenseSums) else ():
            into = cuts if len(wiring[reader]) > 1 else borders
            into |= borders_of(layer.outputs, layers[reader].groups)
        most = block_channels(layer, caps) if isinstance(layer, WordConv) else caps.pe
        found.append(blocks_of(layer.outputs, most, cuts, borders))
    return found


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


def _parts(layer: Compiled, blocks: Blocks) -> list[Blocks]:
    """The output blocks of each command of a layer."""
    if isinstance(layer, Hosted):
        return []
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


def _inputs(layers: Sequence[Compiled], wiring: Wiring) -> list[Input]:
    """What the host hands in, one after the other from address 0 on."""
    inputs: list[Input] = []
    address = 0
    for number, layer in enumerate(layers):
        if isinstance(layer, Hosted):
            continue
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


def _of_equal_planes(layers: Sequence[Compiled], wiring: Wiring) -> list[Compiled]:
    """The layers, reading as many planes as the others that read the same maps."""
    planes = [0 if isinstance(layer, WordConv | Hosted) else layer.in_bits for layer in layers]
    while True:
        # of each map
        most = [max((planes[n] for n in own), default=0) for own in _readers(layers, wiring)]
        wider = [
            0
            if isinstance(layer, Hosted)
            else max(count, *(most[read] for read in reads if read != OUTSIDE), 0)
            for layer, count, reads in zip(layers, planes, wiring, strict=True)
        ]
        if wider == planes:
            break
        planes = wider
    found: list[Compiled] = []
    for layer, count in zip(layers, planes, strict=True):
        if isinstance(layer, Conv) and layer.in_bits != count:
            layer = replace(layer, in_bits=count)
        elif isinstance(layer, DenseSums) and layer.in_bits != count:
            layer = layer.reading(count)
        found.append(layer)
    return found


def _places(
    layers: Sequence[Compiled], wiring: Wiring, maps: Sequence[BlockMap | RawMap], begin: int
) -> tuple[list[int], int]:
    """Where each map lies, from address `begin` on, and where the last of them ends.

    Maps that a layer reads side by side lie behind each other, where these are more than two
    blocks: of two any distance will do.
    """
    after: dict[int, int] = {}
    for layer, reads in zip(layers, wiring, strict=True):
        count = sum(len(maps[read].blocks) for read in reads)
        if len(reads) == 1 or isinstance(layer, Hosted) or count <= 2 * layer.groups:
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


def _output_map(
    layer: Compiled, own: Sequence[Compiled], blocks: Blocks, caps: Capabilities
) -> BlockMap | RawMap:
    """What a layer writes, with as many planes as its readers read, which are `own`."""
    rows, columns, _ = layer.out_shape
    if not isinstance(layer, WordConv | Hosted) and layer.out_bits is None:
        offsets = parameters.offsets(layer, parameters.passes(layer))
        return RawMap(rows, columns, caps.pe, blocks, tuple(offsets.tolist()))
    planes = layer.out_bits or 0
    for reader in own:
        assert not isinstance(reader, Hosted)
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
    layers: Sequence[Compiled],
    reads: Sequence[int],
    maps: Sequence[BlockMap | RawMap],
    places: Sequence[int],
    group: int,
    reader: Layer,
) -> Reading:
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
        read = read_blocks(sources, group, reader.groups)
    except DoesNotFitError as error:
        raise DoesNotFitError(f"layer {reader.name}: {error}") from None
    read.fields["drop_lowest"] = int(any(pairs))
    return read


def compile_layers(
    layers: Sequence[Compiled],
    caps: Capabilities | None = None,
    base: int = 0,
    wiring: Wiring | None = None,
) -> Program:
    """The program that runs `layers` one after the other.

    Args:
        layers: each reads what others before it write, or what the host makes of that where it is a
            DenseSums; what one reads may hand out no other accumulators, and only the first may be
            a WordConv. Neither the first nor the last is one of the host.
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
    blobs: list[bytes] = []  # parameters
    varying: list[NDArray[np.intp]] = []  # where thresholds lie among these, block by block
    names: list[str] = []
    maps = [
        _output_map(layer, [layers[n] for n in own], blocks, caps)
        for layer, own, blocks in zip(
            layers, _readers(layers, wiring), blocks_by_layer, strict=True
        )
    ]
    inputs = _inputs(layers, wiring)
    given = {one.layer: one for one in inputs}
    # from the first input on, until its address is known
    begin = inputs[-1].address + fill(inputs[-1].map.size, LINE)
    places, work_bytes = _places(layers, wiring, maps, begin)
    for number, layer in enumerate(layers):
        if isinstance(layer, Hosted):
            continue
        blocks, parts = blocks_by_layer[number], parts_by_layer[number]
        weights = None if isinstance(layer, WordConv) else parameters.passes(layer)
        out, place, written = maps[number], places[number], 0
        for part, own in enumerate(parts):
            if number in given and isinstance(words := given[number].map, WordMap):
                read = read_words(words, given[number].address)
            elif number in given and isinstance(tight := given[number].map, TightMap):
                read = read_tight(tight, given[number].address, part)
            else:
                read = _read_maps(layers, wiring[number], maps, places, part, layer)
            shape = _shape(layer, len(read.lanes), caps)
            if isinstance(layer, WordConv):
                tiles, tile_words = parameters.word_weight_bytes(layer, own, caps)
                products = {
                    "word_products": 1,
                    "passes": passes_over(own[0][1]),
                    "words": row_words(layer, caps),
                }
            else:
                assert weights is not None
                tiles, tile_words = parameters.weight_bytes(layer, weights, own, read.lanes, caps)
                products = {
                    "passes": len(weights),
                    "exponent": weights.exponent,
                    "wide_sums": int(parameters.wide_sums(layer, weights)),
                }
            command = {
                "opcode": regs.OPCODE,
                "raw": int(layer.out_bits is None),
                "out_planes": 0 if isinstance(out, RawMap) else out.planes,
                "params_address": sum(fill(len(p), LINE) for p in blobs),
                "tiles": len(own),
                "tile_words": tile_words,
                "out_address": place + written,
                "index": len(fields),
                **read.fields,
                **shape,
                **_ring(layer, shape["row_words"], caps),
                **products,
            }
            codes, how = parameters.codes(layer, weights, own, command, caps)
            fields.append(command | how)
            blobs.append(b"".join(code + tile for code, tile in zip(codes, tiles, strict=True)))
            if isinstance(layer, WordConv) and layer.pairs:
                at, tile = command["params_address"], len(codes[0]) + len(tiles[0])
                for _, outputs in own:
                    varying.append(word_parameters.places(at, outputs, how["thresholds"], caps))
                    at += tile
            written += out.size // len(blocks) * len(own)
            names.append(layer.name if len(parts) == 1 else f"{layer.name}/{part}")

    list_bytes = fill(count * COMMAND_BYTES, LINE)
    work = base + fill(list_bytes + sum(fill(len(p), LINE) for p in blobs), PAGE)
    for command in fields:
        command["params_address"] += base + list_bytes
        command["in_address"] += work
        command["out_address"] += work
    image = b"".join(map(_command, names, fields)).ljust(list_bytes, b"\0")
    image += b"".join(p.ljust(fill(len(p), LINE), b"\0") for p in blobs)
    return Program(
        base, image, work, work_bytes, count, tuple(names), tuple(map(len, parts_by_layer)),
        tuple(replace(one, address=work + one.address) for one in inputs), tuple(maps),
        tuple(work + p for p in places), wiring,
        list_bytes // 4 + np.concatenate(varying) if varying else None,
    )  # fmt: skip
