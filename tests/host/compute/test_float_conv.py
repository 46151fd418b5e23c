# SPDX-License-Identifier: BSD-3-Clause
"""The fast first layer gives the code of its defining arithmetic, above all where it is close."""

import math

import numpy as np
import pytest

from qnn.compute import float_conv
from qnn.compute.float_conv import Convolution, Thresholds, Uniform, error_bound, growing_bound
from qnn.errors import NetworkError, QnnError
from qnn.pictures.geometry import letterbox, shrink_and_crop
from qnn.pictures.picture import Picture
from qnn_sim import float_layers as golden

GOLDEN_CONV = {
    "float64": golden.conv_float64,
    "float32-sequential": golden.conv_float32_sequential,
}
DOREFA = Thresholds(tuple(float(np.float32(v)) for v in (5 / 6, 1 / 2, 1 / 6)))
arithmetics = pytest.mark.parametrize("arithmetic", GOLDEN_CONV)
quantizers = pytest.mark.parametrize("quantizer", [DOREFA, Uniform(4.0, 7)])


def golden_codes(x, weight, bias, stride, padding, quantizer, arithmetic):
    y = GOLDEN_CONV[arithmetic](x, weight, bias, stride, padding)
    if isinstance(quantizer, Thresholds):
        return golden.count_thresholds(y, np.array(quantizer.values))
    return golden.quantize_uniform(y, quantizer.top, quantizer.levels)


def assert_equals_golden(x, *layer):
    got, want = Convolution(*layer)(x), golden_codes(x, *layer)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, want)


def random_layer(rng, quantizer, arithmetic):
    rows, columns, channels, outputs = (int(n) for n in rng.integers(1, 6, 4))
    weight = rng.normal(size=(outputs, rows, columns, channels)).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32) if rng.random() < 0.7 else None
    stride, padding = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    shape = rows + int(rng.integers(0, 12)), columns + int(rng.integers(0, 12)), channels
    return shape, (weight, bias, stride, padding, quantizer, arithmetic)


@arithmetics
@quantizers
@pytest.mark.parametrize("seed", range(15))
def test_random_layers(seed, quantizer, arithmetic):
    rng = np.random.default_rng(seed)
    shape, layer = random_layer(rng, quantizer, arithmetic)
    assert_equals_golden(rng.normal(size=shape).astype(np.float32), *layer)


@arithmetics
@quantizers
@pytest.mark.parametrize("seed", range(15))
def test_cancellation(seed, quantizer, arithmetic):
    """Terms of very different size: the error bound covers many steps at once."""
    rng = np.random.default_rng(seed)
    shape, layer = random_layer(rng, quantizer, arithmetic)
    x = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 9, shape)
    assert_equals_golden(x.astype(np.float32), *layer)


@arithmetics
@pytest.mark.parametrize("seed", range(15))
def test_thresholds_exactly_on_outputs(seed, arithmetic):
    """Thresholds that are outputs of the defining arithmetic, and their neighbours."""
    rng = np.random.default_rng(seed)
    shape, (weight, bias, stride, padding, *_) = random_layer(rng, DOREFA, arithmetic)
    x = rng.normal(size=shape).astype(np.float32)
    y = GOLDEN_CONV[arithmetic](x, weight, bias, stride, padding)
    on = rng.choice(y.ravel(), 40)
    below, above = (np.nextafter(on, y.dtype.type(to)) for to in (-np.inf, np.inf))
    steps = Thresholds(tuple(float(v) for v in np.concatenate([on, below, above])))
    assert_equals_golden(x, weight, bias, stride, padding, steps, arithmetic)


@arithmetics
@pytest.mark.parametrize("seed", range(5))
def test_every_output_is_a_tie(seed, arithmetic):
    """Small integers are exact in every order, so outputs lie on integer thresholds for certain."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (40, 31, 3)).astype(np.float32)
    weight = rng.choice([-1, 1], (5, 3, 3, 3)).astype(np.float32)
    bias = rng.integers(-1, 2, 5).astype(np.float32)
    steps = Thresholds(tuple(float(v) for v in range(-40, 41)))
    assert_equals_golden(x, weight, bias, 1, 1, steps, arithmetic)
    # Steps of 4/8 at odd quarters: half of the outputs are ties that go to even.
    assert_equals_golden(x / 4, weight, bias / 4, 1, 1, Uniform(4.0, 8), arithmetic)


def test_a_constant_picture_on_a_step():
    """Every patch is the same, and its float32 sum depends on the order: all are recomputed."""
    x = np.full((60, 60, 3), np.float32(0.1))
    weight = np.random.default_rng(1).normal(size=(2, 3, 3, 3)).astype(np.float32)
    y = golden.conv_float32_sequential(x, weight, None, 1, 0)[0, 0]
    for steps in (y, np.nextafter(y, np.float32(-9))):
        layer = weight, None, 1, 0, Thresholds(tuple(map(float, steps))), "float32-sequential"
        assert_equals_golden(x, *layer)


@arithmetics
@pytest.mark.parametrize("sign", [1, -1])
def test_terms_that_a_sequential_sum_swallows(sign, arithmetic):
    """Half of the largest error there can be: 1, then terms just too small to change it alone."""
    weight = np.full((1, 30, 20, 5), sign * 0.49 * 2.0**-23, np.float32)
    weight[0, 0, 0, 0] = sign
    x = np.ones((30, 20, 5), np.float32)
    y = GOLDEN_CONV[arithmetic](x, weight, None, 1, 0).item()
    for step in (y, float(np.nextafter(np.float32(y), np.float32(-9)))):
        assert_equals_golden(x, weight, None, 1, 0, Thresholds((step,)), arithmetic)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("top", "levels"),
    [(4.0, 7), (1.0, 3), (1.0, 255), (0.1, 10), (6.3, 1), (3e-5, 15), (1e9, 7), (2e-38, 7)],
)
def test_steps_of_uniform_quantisation(top, levels, dtype):
    steps = Uniform(top, levels).steps(dtype)
    near = [steps.astype(dtype)]
    np.testing.assert_array_equal(near[0], steps)  # representable
    for direction in (-np.inf, np.inf):
        y = near[0]
        for _ in range(4):
            y = np.nextafter(y, dtype(direction))
            near.append(y)
    rng = np.random.default_rng(0)
    y = np.concatenate([*near, rng.uniform(-top, 2 * top, 10000).astype(dtype)])
    np.testing.assert_array_equal(
        golden.count_thresholds(y, steps), golden.quantize_uniform(y, top, levels)
    )


@pytest.mark.parametrize("seed", range(20))
def test_error_bound_holds(seed):
    rng = np.random.default_rng(seed)
    terms = int(rng.choice([1, 2, 27, 432, 3000]))
    spread = float(rng.choice([0, 3, 15]))  # up to products that underflow
    x = (rng.normal(size=terms) * 10.0 ** rng.uniform(-spread, 0, terms)).astype(np.float32)
    w = (rng.normal(size=terms) * 10.0 ** rng.uniform(-2 * spread, 0, terms)).astype(np.float32)
    if seed % 2:  # cancel all but a trace
        x = np.concatenate([x, x * np.float32(1 + 1e-6)])
        w = np.concatenate([w, -w])
    b = np.float32(rng.normal())
    if seed % 3 == 0:  # all products are subnormal
        w, b = w * np.float32(1e-42), np.float32(0)
    exact = math.fsum([*(x.astype(np.float64) * w.astype(np.float64)), float(b)])
    bound = error_bound(
        np.array([np.abs(w.astype(np.float64)).sum()]), np.array([float(b)]), len(x),
        float(np.abs(x).max()), np.float32,
    ).item()  # fmt: skip
    by_size = np.argsort(np.abs(x * w))
    for order in (np.arange(len(x)), by_size, by_size[::-1], rng.permutation(len(x))):
        sequential = np.add.accumulate(x[order] * w[order], dtype=np.float32)[-1] + b
        for computed in (sequential, x[order] @ w[order] + b, (x[order] * w[order]).sum() + b):
            assert computed.dtype == np.float32
            assert abs(float(computed) - exact) <= bound


@pytest.mark.parametrize("lines", [1, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bound_grows_evenly(dtype, lines, seed):
    """Never below what error_bound says for a picture, and near to it."""
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.uniform(-6, 6, 20), 10.0 ** rng.uniform(-6, 6, 20), 432, dtype, lines
    zero, each = growing_bound(*sizes)
    for largest in (0.0, 1e-6, 1.0, 255.0, 1e6):
        bound = error_bound(*sizes[:3], largest, *sizes[3:])
        grown = zero + each * largest
        assert (grown >= bound * (1 - 2.0**-50)).all() and (grown <= bound * 1.01).all()


def test_few_outputs_are_recomputed(monkeypatch):
    """Else the layer would be right but slow."""
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.08, (16, 12, 12, 3)).astype(np.float32)
    layer = Convolution(weight, None, 4, 0, DOREFA)
    recompute, counts = layer._recompute, []

    def spy(patches, where, largest):
        counts.append(where.size)
        recompute(patches, where, largest)

    monkeypatch.setattr(layer, "_recompute", spy)
    codes = layer(rng.uniform(-0.5, 0.5, (224, 224, 3)).astype(np.float32))
    assert 0 < sum(counts) < codes.size / 200


@arithmetics
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_codes_at_some_places(padding, arithmetic, monkeypatch):
    """Steps lie on outputs, so that a bound of nothing is noticed."""
    rng = np.random.default_rng(3)
    noticed = 0
    for _ in range(20):
        weight = rng.normal(size=(4, 5, 5, 3)).astype(np.float32)
        x = rng.normal(size=(9, 9, 3)).astype(np.float32)
        outputs = GOLDEN_CONV[arithmetic](x, weight, None, 2, padding)
        steps = Thresholds(tuple(rng.choice(outputs.ravel().astype(np.float64), 7).tolist()))
        conv = Convolution(weight, None, 2, padding, steps, arithmetic)
        where = np.nonzero(np.ones(outputs.shape, bool))
        right = golden_codes(x, weight, None, 2, padding, steps, arithmetic)[where]
        arguments = x, where, float(abs(x).max())
        np.testing.assert_array_equal(conv.codes_at(*arguments), right)
        with monkeypatch.context() as patched:
            patched.setattr(float_conv, "error_bound", lambda *_: np.zeros(4))
            sure = Convolution(weight, None, 2, padding, steps, arithmetic)
            noticed += not np.array_equal(sure.codes_at(*arguments), right)
    assert noticed > 10
    assert conv.codes_at(arguments[0], tuple(some[:0] for some in where), 1.0).shape == (0,)
    with pytest.raises(QnnError, match="too large for float32"):
        conv.codes_at(arguments[0], where, 1e38)


def test_only_ties_are_summed_in_order():
    """Sums in float64 in any order decide the others; a bound of nothing for them is noticed."""
    rng = np.random.default_rng(5)
    weight = rng.normal(size=(4, 6, 12, 3)).astype(np.float32)
    x = rng.normal(size=(60, 60, 3)).astype(np.float32)
    outputs = GOLDEN_CONV["float64"](x, weight, None, 1, 0)
    where = np.nonzero(np.ones(outputs.shape, bool))
    largest = float(abs(x).max())

    near = Convolution(weight, None, 1, 0, Thresholds((0.0, 0.1)))
    sums = outputs[where]
    assert (near.codes_at(x, where, largest) == (sums > 0.0) + 1 * (sums > 0.1)).all()
    near._order = None  # and none of them came so far
    near.codes_at(x, where, largest)
    some = len(sums) // 2
    on = Convolution(weight, None, 1, 0, Thresholds((float(sums[some]),)))
    some = tuple(one[some : some + 1] for one in where)
    assert on.codes_at(x, some, largest) == 0
    on._order = None
    with pytest.raises(TypeError):
        on.codes_at(x, some, largest)

    steps = np.sort(rng.choice(sums, 255)).tolist()
    of_nothing = Convolution(weight, None, 1, 0, Thresholds(tuple(steps)))
    right = golden.count_thresholds(outputs, np.array(steps))[where]
    assert (of_nothing.codes_at(x, where, largest) == right).all()
    of_nothing._nearer = tuple(np.zeros((2, 2, 4)))
    assert (of_nothing.codes_at(x, where, largest) != right).any()


@pytest.mark.parametrize("shape", [(2, 9, 3), (9, 2, 3), (1, 1, 3), (5, 6, 3), (8, 5, 3)])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("padding", [2, 4])
def test_codes_at_the_margin(shape, stride, padding):
    """Also of pictures smaller than the kernel, and of windows with nothing of the picture."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=shape).astype(np.float32)
    conv = Convolution(rng.normal(size=(2, 5, 4, 3)).astype(np.float32), None, stride, padding,
                       Thresholds((-1.0, 0.5, 2.0)))  # fmt: skip
    right = conv(x)
    where = np.nonzero(np.ones(right.shape, bool))
    for some in (slice(None), slice(3, None, 7), slice(1)):
        own = tuple(one[some] for one in where)
        np.testing.assert_array_equal(conv.codes_at(x, own, float(abs(x).max())), right[own])


@pytest.mark.parametrize(
    ("kernel", "lines"),
    [
        ((3, 3, 3), 1),
        ((12, 12, 3), 6),
        ((4, 2, 9), 1),
        ((6, 2, 9), 2),
        ((1, 40, 3), 1),
    ],
)
def test_lines_of_a_kernel(kernel, lines):
    """Some rows each, all as many, of at most 72 weights where that goes."""
    layer = Convolution(np.ones((2, *kernel), np.float32), None, 1, 0, DOREFA)
    assert layer._lines.shape == (2, lines, np.prod(kernel) // lines)


def test_results_are_the_callers_own():
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(1, 2, 2, 1)).astype(np.float32)
    layer = Convolution(weight, None, 1, 0, DOREFA)
    for shape in ((2, 2, 1), (2, 7, 1), (5, 7, 1), (2, 2, 1)):
        x = rng.normal(size=shape).astype(np.float32)
        first = layer(x)
        kept = first.copy()
        layer(-x)
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(kept, golden_codes(x, weight, None, 1, 0, DOREFA, "float64"))
        first.fill(9)
        np.testing.assert_array_equal(layer(x), kept)


def test_a_view_and_padding_after_another_picture():
    rng = np.random.default_rng(4)
    weight = rng.normal(size=(3, 3, 3, 2)).astype(np.float32)
    layer = Convolution(weight, None, 2, 1, DOREFA)
    for _ in range(3):
        x = rng.normal(size=(2, 8, 9)).astype(np.float32).transpose(2, 1, 0)[::-1]
        want = golden_codes(x, weight, None, 2, 1, DOREFA, "float64")
        np.testing.assert_array_equal(layer(x), want)


def test_bad_pictures():
    layer = Convolution(np.ones((1, 3, 3, 2), np.float32), None, 1, 0, DOREFA)
    for x, message in [
        (np.zeros((5, 5, 2)), "want a picture float32"),
        (np.zeros((5, 5), np.float32), "want a picture float32"),
        (np.zeros((0, 5, 2), np.float32), "want a picture float32"),
        (np.zeros((5, 5, 3), np.float32), "does not fit"),
        (np.zeros((2, 5, 2), np.float32), "does not fit"),
        (np.full((5, 5, 2), np.nan, np.float32), "not finite or too large"),
        (np.full((5, 5, 2), -np.inf, np.float32), "not finite or too large"),
        (np.full((5, 5, 2), 1e38, np.float32), "not finite or too large"),
    ]:
        with pytest.raises(QnnError, match=message):
            layer(x)


def test_bad_layers():
    weight, bias = np.ones((2, 3, 3, 1), np.float32), np.zeros(2, np.float32)
    for change, message in [
        ({"weight": weight.astype(np.float64)}, "want weights"),
        ({"weight": weight[0]}, "want weights"),
        ({"weight": weight * np.float32(np.nan)}, "not finite"),
        ({"bias": np.zeros(3, np.float32)}, "want a bias"),
        ({"bias": bias.astype(np.float64)}, "want a bias"),
        ({"stride": 0}, "stride 0"),
        ({"padding": -1}, "padding -1"),
        ({"arithmetic": "float16"}, "float16"),
    ]:
        fine = {"weight": weight, "bias": bias, "stride": 1, "padding": 0, "quantizer": DOREFA}
        with pytest.raises(NetworkError, match=message):
            Convolution(**{**fine, **change})
    for make in (
        lambda: Thresholds(()),
        lambda: Thresholds((math.nan,)),
        lambda: Thresholds((0.0,) * 256),
        lambda: Uniform(0.0, 7),
        lambda: Uniform(1e-40, 7),
        lambda: Uniform(math.inf, 7),
        lambda: Uniform(4.0, 256),
    ):
        with pytest.raises(NetworkError, match="want"):
            make()


def test_tinier_yolo_first_layer_on_the_dog(reference):
    params = reference / "qnn-mo-pynq/qnn/params"
    rgb = np.load(reference / "derived/dog_rgb_darknet_decoder.npz")["rgb"]
    x = letterbox(rgb, 416).transpose(1, 0, 2)  # image x is the slow axis
    weight = np.load(params / "tinier-yolo-conv0-W.npy").transpose(3, 1, 0, 2)
    bias = np.load(params / "tinier-yolo-conv0-bias.npy")
    want = np.load(reference / "derived/tinier_yolo_dog_tensors.npz")["conv0_xyc"]
    layer = weight, bias, 2, 1, Uniform(4.0, 7), "float32-sequential"
    np.testing.assert_array_equal(Convolution(*layer)(x), want)
    np.testing.assert_array_equal(golden_codes(x, *layer), want)


def test_dorefanet_first_layer_on_the_espresso(reference):
    mo = reference / "qnn-mo-pynq"
    picture = Picture.open(mo / "notebooks/imagenet-samples/n07920052_4.jpg")
    mean = np.load(mo / "qnn/params/ilsvrc_pp_mean.npy")[16:240, 16:240]
    x = (shrink_and_crop(picture.rgb()) - mean) / np.float32(255)
    stored = np.load(
        mo / "qnn/params/dorefanet-conv0.npy", allow_pickle=True, encoding="latin1"
    ).item()
    weight = stored["conv0/W"].transpose(0, 2, 3, 1)
    steps = Thresholds(tuple(float(v) for v in stored["conv0/T"]))
    want = np.load(reference / "derived/dorefanet_n07920052_4_tensors.npz")["conv0"]
    layer = weight, None, 4, 0, steps, "float64"
    np.testing.assert_array_equal(Convolution(*layer)(x), want)
    np.testing.assert_array_equal(golden_codes(x, *layer), want)
