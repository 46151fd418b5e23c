# SPDX-License-Identifier: BSD-3-Clause
"""Thresholds found by bisection count as the steps do, for every sum that a layer can have."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers.qonnx.datatypes import grid_of
from qnn.importers.qonnx.feature import Feature, Input, Products
from qnn.importers.qonnx.fold import even, fold_layer, fold_pixels
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.layout import places
from qnn.importers.qonnx.steps import Bipolar, Clip, Count, Uniform
from qnn.network import MaxPool
from qnn.network.arithmetic import Arithmetic

NODE = Node("Conv", "conv", (), (), {})
OUTPUTS = 6


def f32(values) -> np.ndarray:
    return np.asarray(values, np.float32)


def random_steps(rng) -> list:
    """Arithmetic with gains of both signs and 0, limits, and a quantiser at the end."""
    steps: list = []
    for _ in range(rng.integers(0, 4)):
        op = rng.choice(["add", "subtract", "multiply", "divide"])
        values = rng.normal(0, 2, OUTPUTS)
        if op == "multiply":
            values[rng.integers(OUTPUTS)] = 0
        steps.append(Arithmetic(str(op), f32(values)))
        if rng.random() < 0.3:
            steps.append(Clip(-3.0, float(rng.integers(1, 9))))
    kind = rng.integers(3)
    if kind == 0:
        low = int(rng.integers(-4, 1))
        steps.append(Uniform(f32(0.5), f32(0), low, low + int(rng.integers(1, 8)), np.rint))
    elif kind == 1:
        steps.append(Bipolar(f32(2)))
    else:
        borders = np.sort(rng.normal(0, 9, (OUTPUTS, 3)), axis=1)
        steps.append(Count(f32(borders), np.float32(1), np.float32(0), np.arange(OUTPUTS)))
    return steps


@pytest.mark.parametrize("seed", range(40))
def test_every_sum(seed):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-1, 2, (OUTPUTS, 1, 2, 3))
    products = Products(
        node=NODE,
        in_shape=(4, 4, 3),
        in_bits=2,
        top=3,
        weight=weight,
        unit=rng.uniform(0.1, 2, OUTPUTS),
        offset=rng.normal(0, 3, OUTPUTS),
    )
    steps = random_steps(rng)
    feature = Feature(products, (4, 3, OUTPUTS), places((4, 3, OUTPUTS)), tuple(steps))
    (layer,), levels, _ = fold_layer(NODE, feature, products, "conv1")
    low, high = products.bounds
    for output in range(OUTPUTS):
        # the layer may run on negated weights, and counts in units of its own
        negated = (layer.signed_weight[output] * weight[output]).sum() < 0
        factor = 2 if len(layer.coefficients) == 2 else 1
        for acc in range(low[output], high[output] + 1):
            x = products.values(np.full(OUTPUTS, acc))
            for step in steps:
                x = step(x)
            own = factor * (-acc if negated else acc)
            found = levels[(layer.thresholds[output] <= own).sum()]
            assert found == x[output], (output, acc)


def test_a_pool_stays_behind_what_ascends():
    products = Products(NODE, (4, 4, 1), 2, 3, np.ones((2, 1, 1, 1), int), np.ones(2), np.zeros(2))
    pool, quantizer = MaxPool(2, 2), Bipolar(f32(1))
    for steps in ((pool, quantizer), (quantizer, pool), (pool, Clip(0, 1), quantizer)):
        feature = Feature(products, (2, 2, 2), places((2, 2, 2)), steps)
        (layer,), _, _ = fold_layer(NODE, feature, products, "conv1")
        assert layer.pool == pool
    for values, refused in (([1, -1], True), ([1, 0], False)):
        steps = (pool, Arithmetic("multiply", f32(values)), quantizer)
        feature = Feature(products, (2, 2, 2), places((2, 2, 2)), steps)
        if refused:
            with pytest.raises(NetworkError, match="descends in channel 1"):
                fold_layer(NODE, feature, products, "conv1")
        else:
            fold_layer(NODE, feature, products, "conv1")


def pixels(raw: bool, channels: int) -> Input:
    return Input((channels, 4, 4), grid_of("UINT8") if raw else None)


@pytest.mark.parametrize("raw", [False, True])
def test_pixels(raw):
    step = Uniform(f32(1 if raw else 1 / 256), f32(0), 0, 255, np.rint)
    feature = Feature(pixels(raw, 3), (4, 4, 3), places((4, 4, 3)), (step,))
    table, codes = fold_pixels(NODE, feature, feature.source)
    p = np.arange(256, dtype=np.float32)
    want = p if raw else np.minimum(np.rint(p / np.float32(255) * 256), 255)
    assert table.shape == (1, 256)
    assert (codes.zero + codes.step * table[0]).tolist() == (want * float(step.scale)).tolist()


def test_pixels_that_descend():
    feature = Feature(
        pixels(True, 1), (4, 4, 1), places((4, 4, 1)), (Arithmetic("multiply", f32([-1])),)
    )
    table, codes = fold_pixels(NODE, feature, feature.source)
    assert table.tolist() == [list(range(255, -1, -1))]
    assert (codes.zero, codes.step, codes.top) == (-255, 1, 255)


def test_levels():
    codes = even(NODE, f32([-1, 0, 1, 2]))
    assert (codes.zero, codes.step, codes.top, codes.bits) == (-1, 1, 3, 2)
    assert even(NODE, f32([7])).bits == 1
    thirds = even(NODE, f32(np.arange(8)) * np.float32(1 / 3))
    assert thirds.step == pytest.approx(1 / 3)
    for levels in ([0, 1, 3], [0, 1, 1.9], [0, np.inf], np.arange(257)):
        with pytest.raises(NetworkError, match=r"not evenly spaced|not finite"):
            even(NODE, f32(levels))
