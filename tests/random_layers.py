# SPDX-License-Identifier: BSD-3-Clause
"""Layers that meet every situation of the accelerator about as often as every other.

tests/random_networks.py draws shapes as they come; here each property of a layer is drawn from the
classes of qnn_sim.regress.functional, so that pairs of them are not rare.
"""

from __future__ import annotations

import numpy as np
import random_networks

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import CommandList
from qnn.engine.program import Program, compile_layers
from qnn.errors import DoesNotFitError
from qnn.network import Conv, MaxPool
from qnn_sim.rtl_engine import IDEAL, PUBLISHED, MemoryModel

PICTURES = 5  # of one network, each with another memory
MOST_CYCLES = 25_000  # of a drawn network, about half a second of simulation with coverage
ROWS = ((1,), (2,), (3,), (4, 5), (6, 7), tuple(range(8, 17)))
COLUMNS = ((1,), (2,), (3,), (4, 5), (6, 7, 8))
PLANES = ((1,), (2,), (3,), (4, 5, 8))
PASSES = ((1,), (1,), (1, 1), (1, 1, 1, 1), (1, 2), (2, 2), (4, 3), (4, 2, 1, 1), (64, 64, 1))
STRIDES = ((1,), (2,), (3, 4))
POOLS = (None, (2, 1), (2, 2), (3, 1), (3, 2))

Shape = tuple[int, int, int]


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


def layer(rng: np.random.Generator, shape: Shape, planes: int, name: str, last: bool) -> Conv:
    """One layer for an input of `shape` and `planes`; only the last may be raw."""
    kernel = _one(rng, ROWS), _one(rng, COLUMNS)
    padding = _padding(rng, shape, kernel)
    stride = _one(rng, STRIDES)
    levels, pool, even = None, None, False
    if not last or rng.random() < 0.7:
        bits = _one(rng, PLANES)
        levels = int(rng.integers(2 ** (bits - 1), 2**bits))
        if bits > 3 and rng.random() < 0.7:
            levels, even = 2**bits - 1, True
        sides = [(padding[s] + shape[s] + padding[s + 2] - kernel[s]) // stride + 1 for s in (0, 1)]
        pool = _pool(rng, *sides)
    groups = int(rng.choice([g for g in (1, 2, 3) if shape[2] % g == 0]))
    outputs = int(rng.choice([1, 5, 8, 16] if rng.random() < 0.4 else [17, 24, 32, 40, 48, 64, 72]))
    return random_networks.random_conv(
        rng, shape, groups * max(1, outputs // groups), kernel, name=name, in_bits=planes,
        levels=levels, coefficients=PASSES[rng.integers(len(PASSES))], groups=groups, even=even,
        stride=stride, padding=tuple(padding), pool=pool,
    )  # fmt: skip


def _spread(rng: np.random.Generator) -> Conv:
    """A light layer with a large output, whose blocks the groups of the next one share."""
    shape = int(rng.integers(10, 25)), int(rng.integers(10, 29)), int(rng.integers(1, 5))
    levels = int(rng.choice([1, 3, 7, 15, 100]))
    outputs = int(rng.choice([24, 48, 72]))
    return random_networks.random_conv(rng, shape, outputs, (1, 1), name="layer0", levels=levels)


def _first_shape(rng: np.random.Generator) -> Shape:
    """Small maps, or ones that are too large for the window buffer of the small configuration."""
    if rng.random() < 0.5:
        rows, columns = rng.integers(1, 14, 2).tolist()
        return rows, columns, int(rng.choice([1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 64]))
    rows, columns = int(rng.integers(10, 29)), int(rng.integers(4, 33))
    return rows, columns, int(rng.choice([12, 16, 24, 32, 48, 64, 64, 96]))


def network(rng: np.random.Generator, caps: Capabilities) -> tuple[list[Conv], Program]:
    """One to three layers that fit the accelerator and take at most MOST_CYCLES, and their program.

    A tenth are a layer of wide sums. Half of the others read some input through a ring of rows; a
    third have a group whose first block begins with channels of another; where they have both, one
    command has.
    """
    if rng.random() < 0.1:
        return _wide(rng, caps)
    wanted = rng.random() < 0.5, rng.random() < 0.33
    for _ in range(20_000):
        layers = [_spread(rng)] * all(wanted)
        shape, planes = _first_shape(rng), _one(rng, PLANES)
        if layers:
            shape, planes = layers[0].out_shape, layers[0].out_bits
        count = int(rng.integers(1 + wanted[1], 4))
        for i in range(len(layers), count):
            layers.append(layer(rng, shape, planes, f"layer{i}", i == count - 1))
            shape, planes = layers[-1].out_shape, layers[-1].out_bits or 0
        try:
            program = compile_layers(layers, caps, 4096)
        except DoesNotFitError:
            continue
        commands = CommandList(program.image, program.commands)
        ring, skips = commands.get("reload") > 0, commands.get("first_skip") > 0
        found = any(ring & skips) if all(wanted) else (any(ring), any(skips)) == wanted
        if found and estimate.cycles(program, caps) <= MOST_CYCLES:
            return layers, program
    raise AssertionError("no network that fits in 20,000 draws")


def _wide(rng: np.random.Generator, caps: Capabilities) -> tuple[list[Conv], Program]:
    """A layer whose sums are wide, likewise."""
    while True:
        layers = [random_networks.wide_conv(rng)]
        try:
            program = compile_layers(layers, caps, 4096)
        except DoesNotFitError:
            continue
        if estimate.cycles(program, caps) <= MOST_CYCLES:
            return layers, program


def memories(rng: np.random.Generator) -> list[MemoryModel]:
    """The published one, the ideal one, and some with latencies and stalls of their own."""
    latency, period = int(rng.integers(1, 80)), int(rng.integers(2, 9))
    random = [
        MemoryModel(int(rng.integers(1, 80)), 0, bool(shared), True, int(rng.integers(2**31)))
        for shared in (0, 1)
    ]
    return [PUBLISHED, IDEAL, MemoryModel(latency, period), *random]


def pictures(rng, layers) -> list[np.ndarray]:
    """Random codes; often all zeros or all ones in places."""
    top, shape = 2 ** layers[0].in_bits - 1, layers[0].in_shape
    found = [rng.integers(0, top + 1, shape) for _ in range(PICTURES)]
    found[1][rng.random(shape) < 0.5] = top
    found[2][rng.random(shape) < 0.5] = 0
    return found
