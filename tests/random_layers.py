# SPDX-License-Identifier: BSD-3-Clause
"""Layers that meet every situation of the accelerator about as often as every other.

tests/random_networks.py draws shapes as they come; here each property of a layer is drawn from the
classes of qnn_sim.regress.functional, so that pairs of them are not rare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import random_networks
from random_networks import coefficients_of

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList
from qnn.engine.program import Program, compile_layers
from qnn.engine.word_conv import WordConv
from qnn.errors import DoesNotFitError
from qnn.network import Conv, MaxPool
from qnn_sim.regress import functional
from qnn_sim.rtl_engine import IDEAL, PUBLISHED, MemoryModel

PICTURES = 5  # of one network, each with another memory
MOST_CYCLES = 25_000  # of a drawn network, about half a second of simulation with coverage
MOST_WITH_PARTS = 60_000  # of one that reads parts of blocks: its first layer takes most of them
ROWS = ((1,), (2,), (3,), (4, 5), (6, 7), tuple(range(8, 17)))
COLUMNS = ((1,), (2,), (3,), (4, 5), (6, 7, 8))
PLANES = ((1,), (2,), (3,), (4, 5, 8))
PASSES = ((1,), (1,), (1, 1), (1, 1, 1, 1), (1, 2), (2, 2), (4, 3), (4, 2, 1, 1), (64, 64, 1))
STRIDES = ((1,), (2,), (3, 4))
POOLS = (None, (2, 1), (2, 2), (3, 1), (3, 2))

# Of layers whose sums are wide: many planes and large weights.
WIDE_PLANES = ((4, 5), (8,), (8,))
WIDE_PASSES = ((128,) * 9, (128,) * 9, coefficients_of(8))

Shape = tuple[int, int, int]
Layer = Conv | WordConv


@dataclass(frozen=True)
class Classes:
    """Of what the layers of a network are drawn from: activation planes, and coefficients."""

    planes: tuple[tuple[int, ...], ...]
    passes: tuple[tuple[int, ...], ...]


NARROW, WIDE = Classes(PLANES, PASSES), Classes(WIDE_PLANES, WIDE_PASSES)


def _one(rng: np.random.Generator, classes) -> int:
    """A value of one of the classes, each class as likely as the others."""
    return int(rng.choice(classes[rng.integers(len(classes))]))


def _padding(rng: np.random.Generator, shape: Shape, kernel: tuple[int, int]) -> list[int]:
    """None, the same on opposite sides, or any; more where the kernel would not fit."""
    kind = rng.integers(3)
    padding = [0] * 4
    if kind:
        padding = rng.integers(0, 4, 4).tolist()
    if kind == 1:
        padding = [max(p, 1) for p in padding[:2]] * 2
    for side in (0, 1):
        lacks = kernel[side] - shape[side] - padding[side] - padding[side + 2]
        padding[side] += max(lacks, 0) // 2
        padding[side + 2] += max(lacks, 0) - max(lacks, 0) // 2
    return padding


def _pool(rng: np.random.Generator, rows: int, columns: int) -> MaxPool | None:
    """For a map of this size; None where a pool would hold nothing but padding."""
    kind = POOLS[rng.integers(len(POOLS))]
    if kind is None:
        return None
    size, stride = kind
    before = rng.integers(0, size, 2).tolist()
    after = [
        max(int(rng.integers(0, size)), size - side - first)
        for side, first in zip((rows, columns), before, strict=True)
    ]
    return MaxPool(size, stride, (*before, *after)) if max(after) < size else None


def layer(
    rng: np.random.Generator, shape: Shape, planes: int, name: str, last: bool, classes: Classes
) -> Conv:
    """One layer for an input of `shape` and `planes`; only the last may be raw."""
    kernel = _one(rng, ROWS), _one(rng, COLUMNS)
    padding = _padding(rng, shape, kernel)
    stride = _one(rng, STRIDES)
    levels, pool, even = None, None, False
    if not last or rng.random() < 0.7:
        bits = _one(rng, PLANES if last else classes.planes)
        levels = int(rng.integers(2 ** (bits - 1), 2**bits))
        if bits > 3 and rng.random() < 0.7:
            levels, even = 2**bits - 1, True
        sides = [(padding[s] + shape[s] + padding[s + 2] - kernel[s]) // stride + 1 for s in (0, 1)]
        pool = _pool(rng, *sides)
    groups = int(rng.choice([g for g in (1, 2, 3) if shape[2] % g == 0]))
    outputs = int(rng.choice([1, 5, 8, 16] if rng.random() < 0.4 else [17, 24, 32, 40, 48, 64, 72]))
    return random_networks.random_conv(
        rng, shape, groups * max(1, outputs // groups), kernel, name=name, in_bits=planes,
        levels=levels, coefficients=classes.passes[rng.integers(len(classes.passes))],
        groups=groups, even=even, stride=stride, padding=tuple(padding), pool=pool,
    )  # fmt: skip


def _spread(rng: np.random.Generator, classes: Classes) -> Conv:
    """A light layer with a large output, whose blocks the groups of the next one share."""
    shape = int(rng.integers(10, 25)), int(rng.integers(10, 29)), int(rng.integers(1, 5))
    levels = 2 ** _one(rng, classes.planes) - 1
    outputs = int(rng.choice([24, 48, 72]))
    return random_networks.random_conv(rng, shape, outputs, (1, 1), name="layer0", levels=levels)


def _of_parts(rng: np.random.Generator, classes: Classes, large: bool) -> WordConv:
    """A layer of 16-bit words with so many weights that its blocks have few channels.

    A large output is larger than the window buffer of the small configuration.
    """
    kernel, outputs = (13, 10), int(rng.choice([9, 16, 24, 40]))
    rows, columns = rng.integers(1, 9, 2).tolist()
    levels = 2 ** _one(rng, classes.planes) - 1
    if large:
        outputs, levels = int(rng.choice([16, 24])), 63
        rows = int(rng.integers(11, 20))
        columns = 5461 // (outputs * rows) + 1
    shape = kernel[0] + rows - 1, kernel[1] + columns - 1, 4
    return random_networks.random_word_conv(
        rng, shape, outputs, kernel, name="layer0", levels=levels
    )


def _first_shape(rng: np.random.Generator) -> Shape:
    """Small maps, or ones that are too large for the window buffer of the small configuration."""
    if rng.random() < 0.5:
        rows, columns = rng.integers(1, 14, 2).tolist()
        return rows, columns, int(rng.choice([1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 64]))
    rows, columns = int(rng.integers(10, 29)), int(rng.integers(4, 33))
    return rows, columns, int(rng.choice([12, 16, 24, 32, 48, 64, 64, 96]))


def network(
    rng: np.random.Generator, caps: Capabilities, light: bool = False
) -> tuple[list[Layer], Program]:
    """One to three layers that fit the accelerator and take at most MOST_CYCLES, and their program.

    Half read some input through a ring of rows, a third have a group whose first block begins with
    channels of another, a fifth have wide sums, and a tenth read parts of blocks. Where they have
    several of these, one command has them all. A light one has neither of the last two, which take
    many cycles.
    """
    often = (0.0, 0.5, 0.33, 0.0) if light else (0.2, 0.5, 0.33, 0.1)
    wide, ring, skips, parts = (rng.random(4) < often).tolist()
    wide, skips = wide and not (parts and ring), skips and not parts and not (wide and ring)
    wanted = {"wide": wide, "ring": ring, "skips": skips, "parts": parts}
    most = MOST_WITH_PARTS if parts else MOST_CYCLES
    for _ in range(20_000):
        layers = _drawn(rng, wanted)
        try:
            program = compile_layers(layers, caps, 4096)
        except DoesNotFitError:
            continue
        if _has(program, caps, wanted) and estimate.cycles(program, caps) <= most:
            return layers, program
    raise AssertionError("no network that fits in 20,000 draws")


def _drawn(rng: np.random.Generator, wanted: dict[str, bool]) -> list[Layer]:
    """Layers that may have what is wanted."""
    classes, layers = WIDE if wanted["wide"] else NARROW, list[Layer]()
    if wanted["parts"]:
        layers.append(_of_parts(rng, classes, wanted["ring"]))
    elif wanted["ring"] and wanted["skips"]:
        layers.append(_spread(rng, classes))
    shape, planes = _first_shape(rng), _one(rng, classes.planes)
    count = int(rng.integers(1 + (wanted["skips"] or wanted["parts"]), 4))
    for i in range(count):
        if i >= len(layers):
            layers.append(layer(rng, shape, planes, f"layer{i}", i == count - 1, classes))
        shape, planes = layers[i].out_shape, layers[i].out_bits or 0
    return layers


def _has(program: Program, caps: Capabilities, wanted: dict[str, bool]) -> bool:
    """Whether some command has all that is wanted, and none has anything else of it."""
    get = CommandList(program.image, program.commands).get
    found = {
        "wide": get("wide_sums") > 0,
        "ring": get("reload") > 0,
        "skips": get("first_skip") > 0,
        "parts": functional.in_part(get("blocks"), get("block_used"), caps.pe),
    }
    all_of_them = np.all([found[name] for name, value in wanted.items() if value], axis=0)
    return bool(np.any(all_of_them)) and all(any(found[n]) == value for n, value in wanted.items())


def memories(rng: np.random.Generator) -> list[MemoryModel]:
    """The published one, the ideal one, and some with latencies and stalls of their own."""
    latency, period = int(rng.integers(1, 80)), int(rng.integers(2, 9))
    random = [
        MemoryModel(int(rng.integers(1, 80)), 0, bool(shared), True, int(rng.integers(2**31)))
        for shared in (0, 1)
    ]
    return [PUBLISHED, IDEAL, MemoryModel(latency, period), *random]


def pictures(rng, layers) -> list[np.ndarray]:
    """Random codes, often all zeros or all ones in places; or numbers, of a layer of words."""
    if isinstance(layers[0], WordConv):
        return [random_networks.random_numbers(rng, layers[0]) for _ in range(PICTURES)]
    top, shape = 2 ** layers[0].in_bits - 1, layers[0].in_shape
    found = [rng.integers(0, top + 1, shape) for _ in range(PICTURES)]
    found[1][rng.random(shape) < 0.5] = top
    found[2][rng.random(shape) < 0.5] = 0
    return found
