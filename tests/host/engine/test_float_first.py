# SPDX-License-Identifier: BSD-3-Clause
"""Float convolutions on 16-bit products: the codes are those of the defining arithmetic, always."""

import numpy as np
import pytest

from qnn.compute.float_conv import Convolution, Thresholds, Uniform
from qnn.engine.float_first import lowered
from qnn.engine.word_conv import WordMap
from qnn.errors import DoesNotFitError, QnnError
from qnn.importers import import_network
from qnn.pictures.picture import Picture
from qnn_sim import golden, golden_network
from qnn_sim.float_layers import conv_float32_sequential, conv_float64, count_thresholds


def golden_counts(words, numbers, thresholds):
    """Thresholds passed, int64 (rows, columns, outputs), as the accelerator counts them."""
    sums = golden.word_convolution(
        numbers, words.weight, stride=words.stride, padding=words.padding
    )
    return golden.multi_threshold(sums, thresholds.astype(np.int64)).astype(np.int64)


def golden_codes(x, weight, bias, stride, padding, steps, arithmetic):
    convolve = conv_float64 if arithmetic == "float64" else conv_float32_sequential
    return count_thresholds(convolve(x, weight, bias, stride, padding), np.array(steps))


def mended(layer, x, thresholds=None):
    """Codes by way of the accelerator, and the share of outputs that were in doubt."""
    numbers, quantised = given(layer, x)
    if thresholds is None:
        thresholds = layer.thresholds(quantised)
    counts = golden_counts(layer.words, numbers, thresholds)
    return corrected(layer, x, counts), float((counts & 1).mean())


def given(layer, x):
    """The map of the accelerator, as it lies in memory, and how it was made."""
    rows, columns, channels = layer.words.in_shape
    words = WordMap(rows, columns, channels, layer.words.unsigned)
    memory = np.full(words.size, 0xA5, np.uint8)
    quantised = layer.quantised(x, words.room(memory))
    strings = memory.view("<u2" if words.unsigned else "<i2").reshape(rows, -1)
    assert not strings[:, columns * channels :].any()
    return strings[:, : columns * channels].reshape(x.shape).astype(np.int64), quantised


def kept(layer, x):
    """A picture as it is kept."""
    return layer.keep(x, given(layer, x)[1])


def corrected(layer, x, counts):
    """Codes out of counts, as the driver corrects them in memory."""
    codes, own = counts >> 1, kept(layer, x)
    where = doubts(layer, own, counts)
    codes[where] = layer.codes(own, where)
    return codes


def doubts(layer, own, counts):
    """Where codes are computed again."""
    return np.nonzero(counts & 1 if layer.proves(own) else counts >= 0)


@pytest.mark.parametrize("seed", range(12))
def test_random_layers(seed):
    rng = np.random.default_rng(seed)
    outputs, kernel, channels = int(rng.integers(1, 9)), int(rng.integers(1, 6)), 3
    weight = (rng.normal(size=(outputs, kernel, kernel, channels))).astype(np.float32)
    weight *= np.float32(10) ** rng.integers(-6, 7, (outputs, 1, 1, 1))  # each its own scale
    bias = rng.normal(size=outputs).astype(np.float32) if seed % 2 else None
    stride, padding = int(rng.integers(1, 5)), int(rng.integers(0, kernel))
    size = np.abs(weight).max()
    steps = tuple(np.sort(rng.normal(0, 3, int(rng.integers(1, 8))) * size).tolist())
    arithmetic = ("float64", "float32-sequential")[seed // 2 % 2]
    low = -1.0 if seed % 3 else 0.0
    x = rng.uniform(low, 1, (13, 11, channels)).astype(np.float32)
    conv = Convolution(weight, bias, stride, padding, Thresholds(steps), arithmetic)
    codes, _ = mended(lowered("first", conv, x.shape, low, 1.0), x)
    np.testing.assert_array_equal(
        codes, golden_codes(x, weight, bias, stride, padding, steps, arithmetic)
    )


def on_steps(arithmetic):
    """A layer and a picture whose every output lies on a step, or one float beside it."""
    rng = np.random.default_rng(5)
    weight = rng.normal(size=(3, 3, 3, 3)).astype(np.float32)
    x = np.full((9, 9, 3), np.float32(0.1))
    convolve = conv_float64 if arithmetic == "float64" else conv_float32_sequential
    y = np.sort(convolve(x, weight, None, 1, 0)[0, 0].astype(np.float64))
    return x, weight, [y, np.nextafter(y, -9), np.nextafter(y, 9)]


@pytest.mark.parametrize("arithmetic", ["float64", "float32-sequential"])
def test_pictures_on_a_step(arithmetic):
    x, weight, choices = on_steps(arithmetic)
    for steps in choices:
        conv = Convolution(weight, None, 1, 0, Thresholds(tuple(steps.tolist())), arithmetic)
        layer = lowered("first", conv, x.shape, 0.0, 1.0)
        codes, doubtful = mended(layer, x)
        assert doubtful > 0.3  # of three outputs at least that on its step, everywhere
        np.testing.assert_array_equal(codes, golden_codes(x, weight, None, 1, 0, steps, arithmetic))


def adversarial(rng, weight, rounds_up):
    """A picture of one window, and a pixel of ones that makes its scale: every rounding, of values
    and of weights, goes one way."""
    any_steps = Convolution(weight, None, 1, 0, Thresholds((0.0,)), "float64")
    rounded = lowered("first", any_steps, weight.shape[1:], 0.0, 1.0).words.weight[0]
    exact = weight[0].astype(np.float64)
    lost = exact * ((rounded * exact).sum() / (exact * exact).sum()) - rounded
    steps = np.where((lost > 0) == rounds_up, 65533, 1) + rng.integers(0, 2, lost.shape)
    away = np.where((exact > 0) == rounds_up, 0.49, -0.49)
    x = np.ones((weight.shape[1], weight.shape[2] + 1, weight.shape[3]), np.float32)
    x[:, :-1] = (steps + away) / (2**16 - 1)
    return x


@pytest.mark.parametrize("kernel", [1, 5])
@pytest.mark.parametrize("rounds_up", [False, True])
def test_rounding_that_goes_all_one_way(rounds_up, kernel):
    """The sums stray as far as they can; a layer whose bound is a tenth is found out by them."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        weight = rng.normal(size=(1, kernel, kernel, 1 if kernel == 1 else 3)).astype(np.float32)
        x = adversarial(rng, weight, rounds_up)
        y = conv_float64(x, weight, None, 1, 0)
        # just on the far side of what the rounded numbers say
        step = float(np.nextafter(y[0, 0, 0], -np.inf if rounds_up else np.inf))
        conv = Convolution(weight, None, 1, 0, Thresholds((step,)), "float64")
        layer = lowered("first", conv, x.shape, 0.0, 1.0)
        np.testing.assert_array_equal(mended(layer, x)[0], y > step)
        if kernel == 1:
            continue  # of one product the step of a sum is more than the bound
        # the same thresholds, ten times nearer to their middle
        thresholds = layer.thresholds(given(layer, x)[1])
        middle = thresholds.mean(axis=1, keepdims=True)
        near = np.rint(middle + (thresholds - middle) / 10).astype(np.int32)
        assert mended(layer, x, near)[0][0, 0, 0] != (y[0, 0, 0] > step)


@pytest.mark.parametrize("padding", [0, 1])
def test_the_less_a_picture_reaches_the_less_is_in_doubt(padding):
    """Its range makes its thresholds, down to the darkest; one of a single value is all right."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(8, 5, 5, 3)).astype(np.float32)
    steps = Thresholds(tuple(np.linspace(-1, 1, 7).tolist()))
    conv = Convolution(weight, None, 1, padding, steps)
    layer = lowered("first", conv, (24, 24, 3), -1.0, 1.0)
    wide = {}
    for low, high in ((-1, 1), (-0.1, 0.1), (0.2, 0.4), (-1e-3, 1e-3), (0, 0), (-0.5, -0.5)):
        x = rng.uniform(low, high, (24, 24, 3)).astype(np.float32)
        x[0, 0], x[1, 1] = low, high
        np.testing.assert_array_equal(mended(layer, x)[0], conv(x))
        quantised = given(layer, x)[1]
        thresholds = layer.thresholds(quantised)
        assert (thresholds[:, 1:] >= thresholds[:, :-1]).all()
        wide[high] = np.diff(thresholds)[:, ::2].mean() / quantised.scale
        if (low, high) == (-1, 1):
            np.testing.assert_array_equal(thresholds, layer.words.thresholds)
    assert 0.09 * wide[1] < wide[0.1] < 0.11 * wide[1]
    assert wide[0.4] < 0.4 * wide[1] and wide[0] < wide[1e-3] < 0.01 * wide[1]


def test_steps_that_16_bits_do_not_tell_apart():
    weight = np.ones((1, 1, 1, 3), np.float32)
    conv = Convolution(weight, None, 1, 0, Thresholds((1.0, 1.0 + 1e-6)), "float64")
    with pytest.raises(DoesNotFitError, match="layer first: 16 bits are too few"):
        lowered("first", conv, (4, 4, 3), 0.0, 1.0)


@pytest.mark.parametrize("padding", [0, 2])
def test_pictures_out_of_range(padding):
    """A value out of range proves nothing. What is kept is no copy, but of another type, or where
    it does not lie in one piece."""
    rng = np.random.default_rng(4)
    weight = rng.normal(size=(3, 3, 3, 3)).astype(np.float32)
    conv = Convolution(weight, None, 2, padding, Uniform(1.0, 3))
    layer = lowered("first", conv, (9, 8, 3), 0.0, 1.0)
    for largest in (1.0, 1.5):
        x = rng.uniform(0, largest, (9, 8, 3))
        x[3, 4] = largest
        own = kept(layer, x)
        assert layer.proves(own) == (largest <= 1)
        np.testing.assert_array_equal(own.x, x.astype(np.float32))
        where = np.nonzero(np.ones(layer.words.out_shape))
        right = conv(x.astype(np.float32))
        np.testing.assert_array_equal(layer.codes(own, where), right[where])
        few = tuple(some[::29] for some in where)
        np.testing.assert_array_equal(layer.codes(own, few), right[few])
        np.testing.assert_array_equal(corrected(layer, x, 2 * right.astype(int) + 1), right)
        floats = x.astype(np.float32)
        assert kept(layer, floats).x is floats
        turned = np.ascontiguousarray(floats.swapaxes(0, 1)).swapaxes(0, 1)
        np.testing.assert_array_equal(layer.codes(kept(layer, turned), few), right[few])


def test_a_range_of_nothing():
    conv = Convolution(np.ones((1, 1, 1, 3), np.float32), None, 1, 0, Uniform(1.0, 3))
    x = np.zeros((4, 4, 3), np.float32)
    np.testing.assert_array_equal(mended(lowered("first", conv, x.shape, 0.0, 0.0), x)[0], conv(x))


def test_pictures_that_are_refused():
    conv = Convolution(np.ones((1, 1, 1, 3), np.float32), None, 1, 0, Uniform(1.0, 3))
    layer = lowered("first", conv, (4, 4, 3), 0.0, 1.0)
    with pytest.raises(QnnError, match=r"layer first: want a picture of \(4, 4, 3\)"):
        layer.quantised(np.zeros((4, 3, 3), np.float32), np.zeros((4, 3, 3), np.uint16))
    for bad in (np.nan, np.inf, -np.inf):
        x = np.zeros((4, 4, 3), np.float32)
        x[1, 2, 0] = bad
        with pytest.raises(QnnError, match="layer first: the picture has values that are not fin"):
            given(layer, x)


def test_a_layer_of_zeros():
    conv = Convolution(np.zeros((2, 3, 3, 3), np.float32), None, 1, 1, Uniform(1.0, 3))
    x = np.ones((5, 5, 3), np.float32)
    codes, _ = mended(lowered("first", conv, x.shape, 0.0, 1.0), x)
    np.testing.assert_array_equal(codes, np.zeros((5, 5, 2)))


@pytest.mark.parametrize(("rows", "rows_of_doubt"), [(9, 0), (9, 1), (8, 1), (8, 2), (9, 9)])
def test_few_doubts_are_mended_one_by_one_and_many_by_the_whole_layer(
    rows, rows_of_doubt, monkeypatch
):
    """Few is an eighth of all at most."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 1, 1, 3)).astype(np.float32)
    conv = Convolution(weight, None, 1, 0, Uniform(1.0, 3))
    x = rng.uniform(0, 1, (rows, 9, 3)).astype(np.float32)
    layer = lowered("first", conv, x.shape, 0.0, 1.0)
    right = conv(x)
    counts = 2 * right.astype(np.int64)
    counts[:rows_of_doubt] = 2 * right[:rows_of_doubt] + 1
    one_by_one = []
    codes_at = Convolution.codes_at
    monkeypatch.setattr(
        Convolution, "codes_at", lambda *given: one_by_one.append(given) or codes_at(*given)
    )
    np.testing.assert_array_equal(corrected(layer, x, counts), right)
    assert bool(one_by_one) == (8 * rows_of_doubt <= rows)


@pytest.mark.parametrize("name", ["dorefanet", "tinier-yolo"])
def test_published_first_layers(reference, name):
    """All codes of every picture at hand; few outputs are in doubt."""
    path = reference / f"qnn-mo-pynq/qnn/params/{name}-layers.json"
    network = import_network("qnn-mo", path, name)
    first = network.layers[0]
    layer = lowered("first", first.convolution, first.in_shape, *network.picture.limits)
    pictures = sorted(reference.rglob("*.jpg"))
    assert pictures
    for path in pictures:
        x = network.picture.tensor(Picture.open(path))
        codes, share = mended(layer, x)
        np.testing.assert_array_equal(codes, golden_network.run_layer(first, x))
        print(f"{name} {path.name}: {share:.3%} of {codes.size} outputs in doubt")
        assert share < 0.003
