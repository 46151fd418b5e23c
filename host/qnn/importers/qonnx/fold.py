# SPDX-License-Identifier: BSD-3-Clause
"""Sums and the float steps behind them, folded into integer thresholds or into float scores.

Every step is monotone, so code(acc) is too, and the least acc that reaches a code is found by
bisection over the integers, asking the steps themselves. Where they descend, the weights of that
output change their sign, and acc with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from qnn.importers.qonnx.feature import Codes, Feature, Input, Products
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.pools import leaves_out, pool_layers
from qnn.importers.qonnx.steps import Bipolar, Clip, Quantizer, Step, Uniform, select, sign
from qnn.importers.qonnx.weights import planes
from qnn.network import MAX_BITS, Conv, MaxPool
from qnn.network.arithmetic import Arithmetic

MAX_LEVELS = 1 << MAX_BITS
MAX_GRID = 1 << 20  # levels of a quantiser before later steps merge them


def fold_pixels(node: Node, feature: Feature, source: Input) -> tuple[Array, Codes]:
    """A table from pixel to code, uint8 (1 or channels, 256), and what the codes stand for.

    Args:
        node: the one that reads the codes, for the error.
        feature: the input and the steps behind it.
        source: of the feature.

    Raises:
        NetworkError: the steps differ between colours and no quantiser follows, or their results
            are no even steps.
    """
    steps = feature.steps
    p: Array = np.arange(256, dtype=np.float32)
    p = p if raw(source, steps) else p / np.float32(255)
    values: Array = np.repeat(p[:, None], feature.shape[2], axis=1)
    last = last_quantizer(steps)
    if last is None:
        values = through(steps, values)
        levels, ranks = np.unique(values[:, 0], return_inverse=True)
        if (values != values[:, :1]).any():
            raise node.refuse(
                "the steps before it differ between colours, and no quantiser follows; put a "
                "Quant of 8 bits behind them"
            )
        table = ranks[:, None]
    else:
        values = codes_behind(steps[: last + 1])(values)
        least = down_to_zero(steps[last], int(values.min()))
        levels, rank = levels_of(node, steps, last, least, int(values.max()))
        table = rank[values - least]
    if (table == table[:, :1]).all():
        table = table[:, :1]
    return np.ascontiguousarray(table.T.astype(np.uint8)), even(node, levels)


def raw(source: Input, steps: Sequence[Step]) -> bool:
    """Whether pixels go in as 0..255: stated, or the graph divides by 255 itself."""
    first = steps[0] if steps else None
    if not isinstance(first, Arithmetic) or first.op not in ("multiply", "divide"):
        return source.raw
    by_255 = np.float32(255 if first.op == "divide" else 1 / 255)
    return source.raw or bool((first.values == by_255).all())


def fold_layer(
    node: Node, feature: Feature, products: Products, name: str
) -> tuple[list[Conv], Array, int]:
    """A layer whose codes are those of the last quantiser behind its sums, and layers behind it
    where more pools follow than one.

    Args:
        node: the one that reads the codes, for the error.
        feature: the sums and the steps behind them.
        products: its source.
        name: of the layer.

    Returns:
        The layers, the values that its codes stand for, float32, and how many outputs have a sum
        that lies on a step of the quantiser, but for what float32 rounds off where the reference
        adds it up.

    Raises:
        NetworkError: there is no quantiser, or the steps cannot become thresholds.
    """
    steps, outputs = feature.steps, len(products.weight)
    last = last_quantizer(steps)
    if last is None:
        raise node.refuse(
            f"what it reads from node {products.node.name!r} is not quantised; put an activation "
            f"quantiser of {MAX_BITS} bits or fewer between them"
        )
    pools = pools_among(node, steps, last, outputs)
    own = pools[:1] if pools and not leaves_out(pools[0]) else []
    direction = direction_of(steps[: last + 1], outputs)
    flip = np.where(direction < 0, -1, 1)
    code_of = codes_behind(steps[: last + 1])
    low, high = products.bounds
    low, high = np.where(flip < 0, -high, low), np.where(flip < 0, -low, high)

    def codes(acc: Array, side: int = 0) -> Array:
        return code_of(products.values(flip * acc, side))

    least, most = int(codes(low).min()), int(codes(high).max())
    least = down_to_zero(steps[last], least)
    levels, rank = levels_of(node, steps, last, least, most)
    if len(levels) > MAX_LEVELS:
        raise node.refuse(f"it reads {len(levels)} levels; quantise to at most {MAX_BITS} bits")
    if levels.ndim > 1 and levels.shape[1] != outputs:
        raise node.refuse("what it reads is quantised otherwise in each pixel; use one scale")

    def ranks(acc: Array, side: int = 0) -> Array:
        ranked: Array = rank[np.clip(codes(acc, side), least, most) - least]
        return ranked

    wanted = np.arange(1, max(len(levels), 2))
    found = _least(lambda acc: ranks(acc) >= wanted[:, None], low, high, len(wanted))
    beside = np.clip([found - 1, found], low, high)  # sums on both sides of each threshold
    undecided = ranks(beside, -1) != ranks(beside, 1)
    turned = flip.astype(products.weight.dtype)[:, None, None, None] * products.weight
    bits, coefficients, factor = planes(products.node, turned)
    thresholds = np.ascontiguousarray((factor * found).T.astype(np.int32))
    layer = _layer(products, name, bits, coefficients, thresholds, own[0] if own else None)
    top = thresholds.shape[1]
    more = pool_layers(products.node, pools[len(own) :], layer.out_shape, top, name)
    return [layer, *more], levels, int(undecided.any(axis=(0, 1)).sum())


def fold_scores(
    node: Node, feature: Feature, products: Products, name: str
) -> tuple[list[Conv], tuple[Arithmetic, ...], Array | None]:
    """The last layer, which hands out accumulators, and the steps that make scores of them.

    Where pools follow, it hands out a code for each sum that it can have, and layers behind it may
    follow; the third is what the codes stand for before the steps, float32.

    Raises:
        NetworkError: one of the steps is no arithmetic, or sums to be pooled have more values than
            codes.
    """
    bits, coefficients, factor = planes(products.node, products.weight)
    pools = [step for step in feature.steps if isinstance(step, MaxPool)]
    steps: list[Arithmetic] = []
    unit = products.unit if pools else products.unit / factor
    for op, values in (("multiply", unit), ("add", products.offset)):
        if (values != (op == "multiply")).any():
            steps.append(Arithmetic(op, values.astype(np.float32)))
    for step in feature.steps:
        if not isinstance(step, MaxPool):
            assert not isinstance(step, Quantizer)
            steps += arithmetic(step, len(products.weight))
    if not pools:
        return [_layer(products, name, bits, coefficients)], tuple(steps), None
    low, high = products.bounds
    pools_among(node, feature.steps, len(feature.steps) - 1, len(products.weight))
    least, most = int(low.min()), int(high.max())
    if most - least >= MAX_LEVELS:
        raise node.refuse(
            f"a max-pool stands between the last layer and the scores, whose sums have "
            f"{most - least + 1} values; put an activation quantiser of 8 bits or fewer before it"
        )
    thresholds = np.repeat(factor * np.arange(least + 1, most + 1)[None], len(low), axis=0)
    own = pools[:1] if not leaves_out(pools[0]) else []
    layer = _layer(
        products, name, bits, coefficients, thresholds.astype(np.int32), own[0] if own else None
    )
    more = pool_layers(products.node, pools[len(own) :], layer.out_shape, thresholds.shape[1], name)
    codes = 1 << (layer.out_bits or 0)
    levels = np.minimum(np.arange(least, least + codes), most).astype(np.float32)
    return [layer, *more], tuple(steps), levels


def arithmetic(step: Arithmetic | Clip, channels: int) -> list[Arithmetic]:
    """A step that is no quantiser, as operations of a result."""
    if isinstance(step, Arithmetic):
        return [step]
    limits = (("maximum", step.low), ("minimum", step.high))
    return [
        Arithmetic(op, np.full(channels, limit, np.float32))
        for op, limit in limits
        if np.isfinite(limit)
    ]


def _layer(
    products: Products,
    name: str,
    bits: Array,
    coefficients: tuple[int, ...],
    thresholds: Array | None = None,
    pool: MaxPool | None = None,
) -> Conv:
    return Conv(
        name=name,
        in_shape=products.in_shape,
        in_bits=products.in_bits,
        weight=bits,
        thresholds=thresholds,
        coefficients=coefficients,
        stride=products.strides[0],
        across=None if products.strides[0] == products.strides[1] else products.strides[1],
        padding=products.padding,
        groups=products.groups,
        pool=pool,
        parts=_part_names(products),
    )


def _part_names(products: Products) -> tuple[str, ...]:
    """What the graph calls each group of a layer."""
    name = "".join(c if c.isprintable() else "?" for c in products.node.name)
    if products.groups == 1:
        return (name,)
    return tuple(f"{name}/{group}" for group in range(products.groups))


def _least(reaches: Callable[[Array], Array], low: Array, high: Array, count: int) -> Array:
    """For `count` rows the least acc in low..high that reaches, else high + 1; int64 (count, O)."""
    low, high = np.repeat(low[None], count, axis=0), np.repeat(high[None] + 1, count, axis=0)
    while (low < high).any():
        middle = (low + high) // 2
        reached = reaches(middle)
        low, high = (
            np.where(reached, low, np.minimum(middle + 1, high)),
            np.where(reached, middle, high),
        )
    return high


def last_quantizer(steps: Sequence[Step]) -> int | None:
    """Where the last quantiser stands, or None."""
    return max((i for i, step in enumerate(steps) if isinstance(step, Quantizer)), default=None)


def through(steps: Sequence[Step], x: Array) -> Array:
    """x, float32 (..., C), after steps; a pool is left out."""
    with np.errstate(over="ignore", invalid="ignore"):
        for step in steps:
            if not isinstance(step, MaxPool):
                x = step(x)
    return x


def codes_behind(steps: Sequence[Step]) -> Callable[[Array], Array]:
    """The codes that the last of these steps, a quantiser, gives; a pool between is left out."""
    *before, quantizer = steps
    assert isinstance(quantizer, Quantizer)
    return lambda x: quantizer.codes(through(before, x))


def levels_of(
    node: Node, steps: Sequence[Step], last: int, least: int, most: int
) -> tuple[Array, Array]:
    """Values after all steps, ascending, and for each code least..most its place among them.

    Values are float32 (levels,), or (levels, C) where they differ between channels.

    Args:
        node: the one that reads the codes, for the error.
        steps: behind a source.
        last: where their last quantiser stands.
        least, most: its codes that occur.

    Raises:
        NetworkError: what follows the quantiser descends, or makes levels one in some channels.
    """
    quantizer = steps[last]
    assert isinstance(quantizer, Quantizer)
    if most - least >= MAX_GRID:
        raise node.refuse(
            f"what it reads is quantised to {most - least + 1} levels; quantise it to {MAX_BITS} "
            "bits or fewer"
        )
    behind = [step for step in steps[last + 1 :] if not isinstance(step, MaxPool)]
    widths = [step.values.size for step in behind if isinstance(step, Arithmetic)]
    if isinstance(quantizer, Uniform | Bipolar):
        widths.append(quantizer.scale.size)
    width = max(widths, default=1)
    for step in behind:
        if isinstance(step, Arithmetic) and (sign(step, step.values.size) <= 0).any():
            raise node.refuse(
                "what it reads is quantised and then multiplied by a number that is not positive; "
                "use a positive one, and turn the sign of the weights behind it"
            )
    codes = np.repeat(np.arange(least, most + 1)[:, None], width, axis=1)
    values = through(behind, quantizer.values(codes))
    if (values == values[:, :1]).all():
        levels, rank = np.unique(values[:, 0], return_inverse=True)
        return levels, rank
    levels, rank = np.unique(values, axis=0, return_inverse=True)
    if any(len(np.unique(column)) < len(levels) for column in levels.T):
        raise node.refuse(
            "the levels of its input differ between channels, and some are one in some of them; "
            "use the same steps for all channels"
        )
    return levels, rank.reshape(-1)


def down_to_zero(quantizer: Step, least: int) -> int:
    """The code of value 0 where all reached ones lie above it: a layer may pad its input with 0."""
    assert isinstance(quantizer, Quantizer)
    quantizer = select(quantizer, np.zeros(1, np.int64))
    assert isinstance(quantizer, Quantizer)
    values = quantizer.values(np.arange(max(0, least - MAX_LEVELS), least + 1))
    zero = np.flatnonzero(values == 0)
    return least - (len(values) - 1 - int(zero[0])) if zero.size else least


def even(node: Node, levels: Array) -> Codes:
    """Levels, float32 (levels,) ascending, as codes.

    Raises:
        NetworkError: they are not evenly spaced, but for float rounding, or too many, or differ
            between channels.
    """
    if levels.ndim > 1:
        raise node.refuse(
            "the scale of what it reads differs between channels; use one for the whole feature "
            "map (weights may have a scale for each output)"
        )
    if not np.isfinite(levels).all():
        raise node.refuse("the levels of its input are not finite; use smaller scales before it")
    exact = [Fraction(float(level)) for level in levels]
    top = len(exact) - 1
    step = (exact[-1] - exact[0]) / top if top else Fraction(1)
    tolerance = max(abs(exact[0]), abs(exact[-1])) / (1 << 20)
    errors = [abs(level - exact[0] - k * step) for k, level in enumerate(exact)]
    if top >= MAX_LEVELS or max(errors) > tolerance:
        raise node.refuse("the levels of its input are not evenly spaced; quantise it uniformly")
    return Codes(float(exact[0]), float(step), top, max(errors) == 0 and float(step) == step)


def direction_of(steps: Sequence[Step], outputs: int) -> Array:
    """Of all steps in each output, int64 (O,): 1 ascends, -1 descends, 0 is constant."""
    return np.prod([np.ones(outputs, np.int64), *(sign(s, outputs) for s in steps)], axis=0)


def pools_among(node: Node, steps: Sequence[Step], last: int, outputs: int) -> list[MaxPool]:
    """The pools among the steps, which codes can pass as well as what they stand behind."""
    where = [i for i, step in enumerate(steps) if isinstance(step, MaxPool)]
    behind = direction_of(steps[min(where, default=last) : last + 1], outputs)
    if where and (behind < 0).any():
        raise node.refuse(
            f"a max-pool stands before a step that descends in channel {behind.argmin()} (a "
            "negative gain); put the pool behind the activation quantiser"
        )
    return [step for step in steps if isinstance(step, MaxPool)]
