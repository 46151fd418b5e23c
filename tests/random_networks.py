# SPDX-License-Identifier: BSD-3-Clause
"""Small layers and networks with random parameters, made from a seeded generator."""

from __future__ import annotations

import numpy as np

from qnn.compute.dense import BinaryDense, FloatDense
from qnn.compute.float_conv import Thresholds, Uniform
from qnn.engine import regs
from qnn.engine.word_conv import WordConv
from qnn.network import (
    ArrayInput,
    Conv,
    Dense,
    FloatConv,
    Grid,
    Layer,
    Lookup,
    MaxPool,
    Network,
    PictureInput,
)
from qnn.network.arithmetic import Arithmetic
from qnn.network.result import Boxes, FloatMap, FloatScores, Probabilities, Scores


def random_conv(
    rng: np.random.Generator,
    in_shape: tuple[int, int, int] = (5, 6, 4),
    outputs: int = 4,
    kernel: tuple[int, int] = (3, 3),
    *,
    name: str = "conv",
    in_bits: int = 2,
    levels: int | None = 3,
    coefficients: tuple[int, ...] = (1,),
    groups: int = 1,
    even: bool = False,
    **options,
) -> Conv:
    """A layer with random weights, and `levels` thresholds for each output where sums lie.

    A few thresholds are the least and the largest sum, one beyond them, or far away, as far as 32
    bits go. Where `even` they are those of a multiplication: between them are equal steps, rounded
    up.
    """
    per_group = in_shape[2] // groups
    weight = rng.integers(0, 2, (len(coefficients), outputs, *kernel, per_group), dtype=np.uint8)
    thresholds = None
    if levels is not None:
        fan_in, top = kernel[0] * kernel[1] * per_group, 2**in_bits - 1
        spread = max(2, int(fan_in**0.5 * sum(coefficients) * top))
        thresholds = rng.integers(-spread, spread + 1, (outputs, levels))
        if even:
            step = spread / levels * rng.uniform(0.1, 3, (outputs, 1))
            middle = rng.uniform(-spread / 4, spread / 4, (outputs, 1))
            thresholds = np.ceil(middle + step * (np.arange(levels) - levels / 2)).astype(np.int64)
        bound = fan_in * sum(coefficients) * top
        extremes = [-(2**30), -bound - 1, -bound, bound, bound + 1, 2**30]
        rare = rng.random(thresholds.shape) < (0 if even else 0.1)
        thresholds[rare] = rng.choice(extremes, rare.sum())
        ends = np.iinfo(np.int32)
        thresholds = np.sort(thresholds, axis=1).clip(ends.min, ends.max).astype(np.int32)
    return Conv(
        name=name,
        in_shape=in_shape,
        in_bits=in_bits,
        weight=weight,
        thresholds=thresholds,
        coefficients=coefficients,
        groups=groups,
        **options,
    )


def coefficients_of(bits: int) -> tuple[int, ...]:
    """Of the planes that give every weight of two's complement, doubled: n + 1 for n bits."""
    return (*(2**k for k in reversed(range(bits))), 1)


def random_coefficients(rng: np.random.Generator) -> tuple[int, ...]:
    """One plane, two's complement of 2 to 8 bits, or any few planes."""
    kind = rng.random()
    if kind < 0.6:
        return (1,)
    if kind < 0.85:
        return coefficients_of(int(rng.integers(2, 9)))
    return tuple(rng.integers(1, 4, int(rng.integers(1, 4))).tolist())


def random_layer(
    rng: np.random.Generator, shape: tuple[int, int, int], bits: int, name: str, last: bool
) -> Conv:
    """Any layer the accelerator can run: kernels to 16 rows, strides to 4, lopsided padding, all
    pools, weights of 1 to 8 bits."""
    groups = int(rng.choice([g for g in (1, 1, 2, 3) if shape[2] % g == 0]))
    kernel = (int(rng.integers(1, rng.choice([8, 8, 8, 17]))), int(rng.integers(1, 8)))
    padding = rng.integers(0, 4, 4).tolist()
    for side in (0, 1):
        padding[side + 2] = max(padding[side + 2], kernel[side] - shape[side] - padding[side])
    stride = int(rng.choice([1, 1, 1, 2, 2, 2, 3, 4]))
    out_bits = int(rng.choice([1, 1, 2, 2, 3, 3, 4, 5, 6, 8]))
    levels = int(rng.integers(2 ** (out_bits - 1), 2**out_bits))
    even = out_bits > 3 and rng.random() < 0.7
    if even and rng.random() < 0.7:
        levels = 2**out_bits - 1
    if last and rng.random() < 0.3:
        levels = None
    pool = None
    if levels and rng.random() < 0.6:
        size = int(rng.integers(2, 4))
        sides = [(padding[s] + shape[s] + padding[s + 2] - kernel[s]) // stride + 1 for s in (0, 1)]
        before = rng.integers(0, size, 2).tolist()
        after = [
            max(int(rng.integers(0, size)), size - side - first)
            for side, first in zip(sides, before, strict=True)
        ]
        if max(after) < size:
            pool = MaxPool(size, int(rng.integers(1, 3)), (*before, *after))
    return random_conv(
        rng,
        shape,
        groups * int(rng.choice([1, 2, 5, 8, 8, 16, 17, 24, 40])),
        kernel,
        name=name,
        in_bits=bits,
        levels=levels,
        coefficients=random_coefficients(rng),
        groups=groups,
        even=even,
        stride=stride,
        padding=tuple(padding),
        pool=pool,
    )


def random_layers(rng: np.random.Generator) -> list[Conv]:
    """One to three of them, each reading what the one before it gives."""
    shape = (*rng.integers(1, 14, 2).tolist(), int(rng.choice([1, 2, 3, 4, 6, 8, 12, 30])))
    bits, layers = int(rng.choice([1, 2, 3, 8])), []
    count = int(rng.integers(1, 4))
    for i in range(count):
        layers.append(random_layer(rng, shape, bits, f"layer{i}", i == count - 1))
        shape, bits = layers[-1].out_shape, layers[-1].out_bits
    return layers


def wide_conv(rng: np.random.Generator, name: str = "wide") -> Conv:
    """A layer of 8-bit codes and weights whose sums need more than SUM_W bits, more often than not
    in most places; a third of its maps do not fit a small window buffer."""
    options = {"name": name, "in_bits": 8, "coefficients": coefficients_of(8)}
    levels = [None, 1, 3, 15, 255][int(rng.integers(5))]
    options |= {"levels": levels, "even": levels == 255}
    outputs = int(rng.choice([1, 8, 17, 40]))
    if rng.random() < 1 / 3:
        shape = int(rng.integers(10, 15)), 8, 64
        return random_conv(rng, shape, outputs, (3, 3), stride=2, **options)
    kernel = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    channels = int(rng.integers(260, 800)) // (kernel[0] * kernel[1]) + 1
    shape = (*(side + int(rng.integers(3)) for side in kernel), channels)
    padding = tuple(rng.integers(0, 2, 4).tolist())
    return random_conv(rng, shape, outputs, kernel, padding=padding, **options)


def random_dense(
    rng: np.random.Generator,
    in_shape: tuple[int, int, int] = (2, 3, 5),
    outputs: int = 20,
    *,
    name: str = "fc",
    in_bits: int = 2,
    levels: int = 3,
    unit: float | None = None,
) -> Dense:
    """A fully connected layer of random bits, which stand for any two values in each output, so
    that most of what it gives lies within 0..1."""
    inputs = int(np.prod(in_shape))
    bits = np.zeros((outputs, -(-inputs // 64) * 64), np.uint8)
    bits[:, :inputs] = rng.integers(0, 2, (outputs, inputs))
    words = np.packbits(bits, axis=1, bitorder="little").view("<u8")
    values = np.sort(rng.normal(0, 1 / inputs**0.5, (2, outputs)), axis=0).astype(np.float32)
    bias = rng.uniform(0, 1, outputs).astype(np.float32)
    return Dense(
        name, in_shape, in_bits, BinaryDense(words, *values, bias, inputs), levels, unit=unit
    )


def dense_chain(rng: np.random.Generator) -> list[Conv | Dense]:
    """Two fully connected layers behind a convolution, or alone; the last may give floats."""
    shape = (*rng.integers(1, 5, 2).tolist(), int(rng.choice([1, 3, 5, 8, 17, 40])))
    bits = int(rng.choice([1, 2, 3, 8]))
    layers: list[Conv | Dense] = []
    if rng.random() < 0.7:
        kernel = (8 - shape[0], 8 - shape[1])
        levels = int(rng.integers(1, 8))
        conv = random_conv(rng, (7, 7, 4), shape[2], kernel, name="conv", levels=levels)
        layers.append(conv)
        shape, bits = conv.out_shape, max(conv.out_bits or 0, int(rng.integers(1, 5)))
    for name, last in (("fc0", False), ("fc1", True)):
        levels = int(rng.choice([0, 1, 3, 255] if last else [2, 3, 7]))
        outputs = int(rng.choice([1, 4, 16, 17, 70]))
        unit = None if rng.random() < 0.5 else float(rng.choice([1 / 3, 1.0, 0.1]))
        dense = random_dense(rng, shape, outputs, name=name, in_bits=bits, levels=levels, unit=unit)
        layers.append(dense)
        shape, bits = dense.out_shape, dense.out_bits or 0
    return layers


def plain_conv(**options) -> Conv:
    """A valid layer of a 3x3 kernel, 4 inputs and 2 outputs with 3 thresholds each."""
    facts = {
        "name": "conv1",
        "in_shape": (5, 6, 4),
        "in_bits": 2,
        "weight": np.ones((1, 2, 3, 3, 4), np.uint8),
        "thresholds": np.array([[-1, 0, 1], [5, 5, 7]], np.int32),
    }
    return Conv(**(facts | options))


def random_word_conv(
    rng: np.random.Generator,
    in_shape: tuple[int, int, int] = (5, 6, 3),
    outputs: int = 4,
    kernel: tuple[int, int] = (3, 3),
    *,
    name: str = "words",
    levels: int = 3,
    **options,
) -> WordConv:
    """A layer of 16-bit words with random weights, and thresholds where sums lie.

    Some weights are the least and the largest number; a few thresholds are far away.
    """
    weight = rng.integers(-(2**15), 2**15, (outputs, *kernel, in_shape[2])).astype(np.int16)
    rare = rng.random(weight.shape) < 0.1
    weight[rare] = rng.choice([-(2**15), -1, 0, 1, 2**15 - 1], rare.sum())
    spread = int(np.prod(weight.shape[1:]) ** 0.5 * 2**28) >> regs.WORD_SHIFT
    thresholds = rng.integers(-spread, spread + 1, (outputs, levels))
    rare = rng.random(thresholds.shape) < 0.1
    thresholds[rare] = rng.choice([-(2**31), 0, 1, 2**31 - 1], rare.sum())
    thresholds = np.sort(thresholds, axis=1).astype(np.int32)
    return WordConv(
        name=name, in_shape=in_shape, unsigned=bool(rng.integers(2)), weight=weight,
        thresholds=thresholds, **options,
    )  # fmt: skip


def random_numbers(rng: np.random.Generator, layer: WordConv) -> np.ndarray:
    """A map for it: all 16-bit numbers, some of them the least and the largest."""
    ends = np.iinfo(np.uint16 if layer.unsigned else np.int16)
    numbers = rng.integers(ends.min, ends.max + 1, layer.in_shape)
    rare = rng.random(layer.in_shape) < 0.1
    numbers[rare] = rng.choice([ends.min, ends.max], rare.sum())
    return numbers.astype(ends.dtype)


def random_word_layers(rng: np.random.Generator) -> list[WordConv | Conv]:
    """A layer of 16-bit words, with thresholds in pairs or not, and up to two behind it."""
    shape = (*rng.integers(1, 14, 2).tolist(), int(rng.choice([1, 2, 3, 3, 4])))
    pairs, bits = bool(rng.integers(2)), int(rng.choice([1, 2, 3]))
    levels = int(rng.integers(2 ** (bits - 1), 2**bits))
    like = random_layer(rng, shape, 1, "words", False)  # its kernel, stride, padding and pool
    layers: list[WordConv | Conv] = [
        random_word_conv(
            rng, shape, int(rng.choice([1, 4, 8, 9, 16, 17, 20, 24, 40])), like.kernel,
            levels=levels * (2 if pairs else 1), pairs=pairs, stride=like.stride,
            padding=like.padding, pool=like.pool,
        )
    ]  # fmt: skip
    shape = layers[0].out_shape
    count = int(rng.integers(0, 3))
    for i in range(count):
        layers.append(random_layer(rng, shape, bits, f"layer{i}", i == count - 1))
        shape, bits = layers[-1].out_shape, layers[-1].out_bits or 0
    return layers


def many_bits(rng: np.random.Generator) -> list[Conv]:
    """Layers whose codes of 5 to 8 bits are those of a multiplication, one of two groups, with and
    without a pool; the third has fewer thresholds than its codes have room for."""
    four, mid = coefficients_of(4), int(rng.integers(17, 41)) * 2
    most = int(rng.choice([31, 63, 127]))
    return [
        random_conv(
            rng, (9, 9, 12), mid, (3, 3), name="a", in_bits=4, levels=255, coefficients=four,
            even=True, padding=(1, 1, 1, 1),
        ),
        random_conv(
            rng, (9, 9, mid), 20, (1, 1), name="b", in_bits=8, levels=most, even=True, groups=2
        ),
        random_conv(
            rng, (9, 9, 20), 24, (1, 1), name="c", in_bits=most.bit_length(), levels=100, even=True
        ),
        random_conv(rng, (9, 9, 24), 9, (2, 2), name="d", in_bits=7, levels=3),
        random_conv(
            rng, (8, 8, 9), 9, (2, 2), name="e", in_bits=3, levels=63, even=True,
            pool=MaxPool(2, 2),
        ),
    ]  # fmt: skip


def on_codes(rng: np.random.Generator) -> tuple[list[Conv], np.ndarray]:
    """Layers and the codes of a picture, sometimes the largest everywhere."""
    layers = random_layers(rng)
    levels = 2 ** layers[0].in_bits
    lowest = levels - 1 if rng.random() < 0.1 else 0
    return layers, rng.integers(lowest, levels, layers[0].in_shape)


def on_words(rng: np.random.Generator) -> tuple[list[WordConv | Conv], np.ndarray]:
    """Layers that begin with one of 16-bit words, and the numbers of a picture."""
    layers = random_word_layers(rng)
    first = layers[0]
    assert isinstance(first, WordConv)
    return layers, random_numbers(rng, first)


def on_wide_sums(rng: np.random.Generator) -> tuple[list[Conv], np.ndarray]:
    """A layer whose sums are wide, sometimes one behind it, and the codes of a picture, sometimes
    the largest everywhere."""
    layers = [wide_conv(rng)]
    if layers[0].out_bits and rng.random() < 0.5:
        layers.append(random_layer(rng, layers[0].out_shape, layers[0].out_bits, "behind", True))
    return layers, rng.integers(rng.choice([0, 0, 255]), 256, layers[0].in_shape)


def on_parts_of_blocks(rng: np.random.Generator) -> tuple[list[WordConv | Conv], np.ndarray]:
    """A layer of 16-bit words with so many weights that a block has few channels, and one that
    reads the blocks, often groups of them."""
    kernel = int(rng.integers(14, 17)), int(rng.integers(10, 13))
    shape = (*(side + int(rng.integers(4)) for side in kernel), 4)
    outputs = int(rng.choice([9, 16, 24, 40, 72, 80]))
    first = random_word_conv(rng, shape, outputs, kernel, levels=int(rng.choice([1, 3, 6])))
    bits = first.thresholds.shape[1].bit_length()
    groups = int(rng.choice([g for g in (1, 2, 3) if outputs % g == 0]))
    behind = random_conv(
        rng, first.out_shape, 8 * groups, (1, 1), name="behind", in_bits=bits, groups=groups
    )
    return [first, behind], random_numbers(rng, first)


CASES = {  # what an accelerator is compared on
    "codes": on_codes,
    "words": on_words,
    "wide sums": on_wide_sums,
    "parts of blocks": on_parts_of_blocks,
}


def small_layers(rng: np.random.Generator) -> list[Conv]:
    """Three layers that run in moments: one that pads, one of two groups, one of raw sums."""
    return [
        random_conv(rng, (9, 9, 6), 34, (3, 3), name="a", padding=(1, 1, 1, 1)),
        random_conv(rng, (9, 9, 34), 20, (3, 3), name="b", groups=2, levels=1),
        random_conv(rng, (7, 7, 20), 5, (7, 7), name="c", in_bits=1, levels=None),
    ]


def random_codes(rng: np.random.Generator, network: Network | Layer, count: int) -> np.ndarray:
    """What is read, (count, H, W, C): codes, uint8, of which the first picture is all zero, the
    second all ones; or floats, float32."""
    shape = (count, *network.in_shape)
    if network.in_bits is None:
        return rng.uniform(-1, 1, shape).astype(np.float32)
    codes = rng.integers(0, 2**network.in_bits, shape, dtype=np.uint8)
    codes[:1], codes[1:2] = 0, 2**network.in_bits - 1
    return codes


def network_of(*layers: Layer, **options) -> Network:
    """The layers as a network without a picture and a result."""
    facts = {"name": "net", "title": "A network", "task": "classify", "classes": ()}
    return Network(layers=layers, **(facts | options))


def layered(rng: np.random.Generator) -> Network:
    """Groups, a padded pool, a stride, two weight planes; what is missing is said."""
    return network_of(
        random_conv(
            rng,
            (9, 7, 6),
            4,
            (3, 2),
            name="conv1",
            groups=2,
            padding=(1, 0, 2, 1),
            pool=MaxPool(3, 2, (0, 1, 1, 0)),
            parts=("conv1/1", "conv1/2"),
        ),
        random_conv(
            rng, (5, 3, 4), 7, (2, 2), name="conv2", coefficients=(1, 1), levels=7, stride=2
        ),
        random_conv(rng, (2, 1, 7), 3, (2, 1), name="conv3", in_bits=3, levels=255),
        missing=("No first stage: without it no picture can go in.", "Keine Klassen, größte Not."),
        source="made by a test",
        licence="BSD-3-Clause",
    )


def scoring(rng: np.random.Generator) -> Network:
    """Pixels through a table, two layers, scores of three classes."""
    layers = (
        random_conv(rng, (2, 2, 1), 5, (2, 2), name="layer0", in_bits=8, levels=2),
        random_conv(rng, (1, 1, 5), 3, (1, 1), name="layer1", levels=None, coefficients=(1, 1)),
    )
    return network_of(
        Lookup("pixels", (2, 2, 1), rng.permutation(256).astype(np.uint8), (2, 2, 1)),
        *layers,
        classes=("cat", "dog", "größer"),
        picture=PictureInput("fit-grey", 2),
        result=Scores(rng.integers(-9, 9, 3), 2, 1 / 32),
        notes=("sums lie on a step in layer0 ('größer')",),
    )


def float_scoring(rng: np.random.Generator) -> Network:
    """Scores of four classes by float steps; an input that no picture gives."""
    steps = (
        Arithmetic(op, rng.uniform(0.5, 2, 4).astype(np.float32))
        for op in ("multiply", "subtract", "divide", "add")
    )
    return network_of(
        random_conv(rng, (1, 1, 9), 4, (1, 1), name="fc1", levels=None, parts=("Gemm_0",)),
        classes=("a", "b", "c", "d"),
        result=FloatScores(tuple(steps)),
        missing=("a picture: its input is none",),
    )


def connected(rng: np.random.Generator) -> Network:
    """A float convolution with thresholds, one layer, fully connected ones of bits and floats."""
    normal = rng.standard_normal
    values = [rng.uniform(-1, 1, 70).astype(np.float32) for _ in range(2)]
    bits = rng.integers(0, 2**62, (70, 1)).astype(np.uint64) & np.uint64(2**27 - 1)
    lo, hi = np.minimum(*values), np.maximum(*values)
    conv1 = random_conv(rng, (3, 3, 5), 3, (1, 1), name="conv1")
    mean = rng.uniform(90, 130, (12, 12, 3)).astype(np.float32)
    return network_of(
        FloatConv(
            name="conv0",
            in_shape=(12, 12, 3),
            weight=normal((5, 4, 4, 3)).astype(np.float32),
            bias=None,
            stride=4,
            padding=0,
            quantizer=Thresholds((5 / 6, 1 / 2, 1 / 6)),
            arithmetic="float64",
        ),
        conv1,
        Dense(
            name="fc0",
            in_shape=(3, 3, 3),
            in_bits=2,
            matrix=BinaryDense(bits, lo, hi, normal(70).astype(np.float32), 27),
            levels=3,
            unit=None,
        ),
        Dense(
            name="fct",
            in_shape=(1, 1, 70),
            in_bits=2,
            matrix=FloatDense(normal((70, 4)).astype(np.float32), normal(4).astype(np.float32)),
            levels=0,
            unit=1 / 3,
        ),
        classes=("a", "b", "c", "d"),
        picture=PictureInput("shrink-and-crop", 12, mean),
        result=Probabilities(),
    )


def detecting(rng: np.random.Generator) -> Network:
    """A float convolution with a uniform quantiser and a bias, one layer, a matrix for each pixel
    and the boxes."""
    normal = rng.standard_normal
    conv1 = random_conv(rng, (8, 8, 4), 6, (3, 3), name="conv1", in_bits=3, levels=7)
    return network_of(
        FloatConv(
            name="conv0",
            in_shape=(16, 16, 3),
            weight=normal((4, 3, 3, 3)).astype(np.float32),
            bias=normal(4).astype(np.float32),
            stride=2,
            padding=1,
            quantizer=Uniform(4.0, 7),
            arithmetic="float32-sequential",
        ),
        conv1,
        Dense(
            name="conv8",
            in_shape=(6, 6, 6),
            in_bits=3,
            matrix=FloatDense(
                normal((6, 21)).astype(np.float32) / 9, normal(21).astype(np.float32)
            ),
            levels=0,
        ),
        task="detect",
        classes=("car", "dog"),
        picture=PictureInput("letterbox", 16, transposed=True),
        result=Boxes(
            anchors=np.array([[1.0, 2.0], [3.0, 1.5], [0.5, 0.25]]),
            input_size=16,
            transposed=True,
        ),
    )


def of_arrays(rng: np.random.Generator) -> Network:
    """Arrays of numbers of a kind, quantised by channel, a constant channel behind them, one layer,
    whose codes are the values of a map."""
    thresholds = np.sort(rng.normal(0, 3, (2, 5)), axis=1).astype(np.float32)
    grid = Grid("FIXED<8,3>", -4.0, 1 / 32, 256)
    return network_of(
        random_conv(rng, (3, 4, 3), 2, (2, 2), name="conv1", in_bits=3, levels=2, parts=("Conv",)),
        array=ArrayInput((2, 3, 4), (1, 2, 0), (3, 4, 2), thresholds, -0.75, 0.25, grid, (6,)),
        result=FloatMap(
            (Arithmetic("leaky", rng.uniform(0.1, 1, 2).astype(np.float32)),),
            rng.normal(0, 1, 4).astype(np.float32),
            (2, 0, 1),
            (2, 2, 3),
        ),
        missing=("no classes: it ends with a map",),
        reads="arrays, because they are",
    )


def of_colours(rng: np.random.Generator) -> Network:
    """Pixels through a table of each colour, codes as scores."""
    table = rng.integers(0, 8, (3, 256), dtype=np.uint8)
    return network_of(
        random_conv(rng, (2, 2, 3), 4, (2, 2), name="fc1", in_bits=3, levels=2),
        classes=("a", "b", "c", "d"),
        picture=PictureInput("thumbnail-on-white", 2, table=table),
        result=FloatScores((), rng.normal(0, 1, 4).astype(np.float32)),
    )


KINDS = {
    make.__name__: make
    for make in (
        layered, scoring, float_scoring, connected, detecting, of_arrays, of_colours,
    )
}  # fmt: skip
