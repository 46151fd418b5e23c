# SPDX-License-Identifier: BSD-3-Clause
"""The golden model gives what its formulas say, value by value, and refuses everything else."""

import numpy as np
import pytest
import scalar_layers
from hypothesis import given
from hypothesis import strategies as st

from qnn_sim import golden

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def convolutions(draw):
    """(x, weight, options) that need not fit together."""
    rng = np.random.default_rng(draw(SEEDS))
    groups = draw(st.integers(1, 3))
    per_group, per_branch = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 6)), groups * per_group
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    x = rng.integers(0, 256, shape)
    weight = rng.integers(-5, 6, (groups * per_branch, *kernel, per_group))
    options = {
        "stride": draw(st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": draw(st.tuples(*[st.integers(0, 3)] * 4)),
        "groups": groups,
    }
    return x, weight, options


class TestSignedWeights:
    def test_one_plane_is_minus_and_plus_one(self):
        np.testing.assert_array_equal(golden.signed_weights([[0, 1, 1, 0]]), [-1, 1, 1, -1])

    def test_planes_add_up(self):
        bits = [[0, 1, 0, 1], [0, 0, 1, 1]]
        np.testing.assert_array_equal(golden.signed_weights(bits, (1, 1)), [-2, 0, 0, 2])
        np.testing.assert_array_equal(golden.signed_weights(bits, (1, 2)), [-3, -1, 1, 3])

    def test_shape_and_type(self):
        weight = golden.signed_weights(np.zeros((2, 3, 4, 5), np.uint8), (1, 128))
        assert weight.shape == (3, 4, 5)
        assert weight.dtype == np.int64
        assert (weight == -129).all()

    def test_booleans_are_bits(self):
        np.testing.assert_array_equal(golden.signed_weights(np.array([[True, False]])), [1, -1])

    @pytest.mark.parametrize("bits", [[[2]], [[-1]], [[255]]])
    def test_other_values_are_refused(self, bits):
        with pytest.raises(ValueError, match="0 or 1"):
            golden.signed_weights(bits)

    def test_planes_without_coefficient_are_refused(self):
        with pytest.raises(ValueError, match="2 weight planes but 1 coefficients"):
            golden.signed_weights([[0], [1]])

    @pytest.mark.parametrize("bits", [[[0.5]], [[1.0]]])
    def test_floats_are_refused(self, bits):
        with pytest.raises(TypeError, match="integers"):
            golden.signed_weights(bits)


class TestBinarizedDot:
    def test_by_hand(self):
        # +1 -1 +1 +1 with +1 +1 -1 +1: 1 - 1 - 1 + 1
        assert golden.binarized_dot([1, 0, 1, 1], [1, 1, 0, 1]) == 0
        assert golden.binarized_dot([1] * 7, [1] * 7) == 7
        assert golden.binarized_dot([0] * 7, [1] * 7) == -7

    @given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=70))
    def test_is_the_product_of_signs(self, pairs):
        x, w = [a for a, _ in pairs], [b for _, b in pairs]
        expected = sum((2 * a - 1) * (2 * b - 1) for a, b in pairs)
        assert golden.binarized_dot(np.array(x, int), np.array(w, int)) == expected

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="2 and 3 bits"):
            golden.binarized_dot([0, 1], [0, 1, 1])
        with pytest.raises(ValueError, match="1 dimensions"):
            golden.binarized_dot([[0, 1]], [[0, 1]])
        with pytest.raises(TypeError, match="integers"):
            golden.binarized_dot([0.0], [1])


class TestConvolution:
    def test_by_hand(self):
        x = np.arange(9).reshape(3, 3, 1)
        kernel = np.array([[1, 2], [3, -4]]).reshape(1, 2, 2, 1)
        # Top left: 0*1 + 1*2 + 3*3 - 4*4 = -5. The kernel is not flipped.
        expected = [[-5, -3], [1, 3]]
        np.testing.assert_array_equal(golden.convolution(x, kernel)[..., 0], expected)

    def test_padding_is_top_left_bottom_right(self):
        x = np.array([[[1]]])
        pixel = np.ones((1, 1, 1, 1), int)
        out = golden.convolution(x, pixel, padding=(1, 2, 3, 4))[..., 0]
        assert out.shape == (5, 7)
        assert out[1, 2] == 1
        assert out.sum() == 1

    @given(convolutions())
    def test_equals_its_definition(self, case):
        x, weight, options = case
        expected = scalar_layers.convolution(x, weight, **options)
        if not expected or not expected[0]:
            with pytest.raises(ValueError, match="does not fit"):
                golden.convolution(x, weight, **options)
            return
        acc = golden.convolution(x, weight, **options)
        assert acc.dtype == np.int64
        np.testing.assert_array_equal(acc, expected)

    @pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint64, np.bool_])
    def test_narrow_types_do_not_overflow(self, dtype):
        top = 1 if dtype == np.bool_ else min(np.iinfo(dtype).max, 2**31)
        x = np.full((5, 5, 64), top, dtype)
        acc = golden.convolution(x, np.full((1, 5, 5, 64), -1, np.int8))
        assert acc.item() == -1600 * int(top)

    def test_accumulator_extremes(self):
        """The largest sums any layer of the known networks can reach, both signs."""
        x = np.full((3, 3, 512), 7, np.uint8)
        weight = np.stack([np.ones((3, 3, 512), int), -np.ones((3, 3, 512), int)])
        assert golden.convolution(x, weight).ravel().tolist() == [32256, -32256]

    @given(st.integers(1, 4), SEEDS)
    def test_groups_are_branches_side_by_side(self, groups, seed):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 4, (4, 4, 2 * groups))
        weight = rng.integers(-1, 2, (3 * groups, 2, 2, 2))
        branches = [
            golden.convolution(part, weight[3 * g : 3 * g + 3])
            for g, part in enumerate(golden.split(x, groups))
        ]
        np.testing.assert_array_equal(
            golden.convolution(x, weight, groups=groups), golden.merge(branches)
        )

    def test_floats_are_refused(self):
        x, weight = np.ones((3, 3, 1), int), np.ones((1, 1, 1, 1), int)
        with pytest.raises(TypeError, match="x: expected integers, got float32"):
            golden.convolution(x.astype(np.float32), weight)
        with pytest.raises(TypeError, match="weight: expected integers, got float64"):
            golden.convolution(x, weight.astype(float))

    @pytest.mark.parametrize(
        ("x", "weight", "groups"),
        [
            ((3, 3, 2), (4, 1, 1, 3), 1),  # other channels
            ((3, 3, 4), (4, 1, 1, 4), 2),  # channels of the whole in a group
            ((3, 3, 4), (3, 1, 1, 2), 2),  # outputs do not divide
            ((3, 3), (1, 1, 1, 1), 1),
            ((3, 3, 1), (1, 1, 1), 1),
            ((3, 3, 1), (1, 4, 1, 1), 1),  # kernel too large
        ],
    )
    def test_shapes_that_do_not_fit_are_refused(self, x, weight, groups):
        with pytest.raises(ValueError, match=r"fit|dimensions"):
            golden.convolution(np.ones(x, int), np.ones(weight, int), groups=groups)


class TestWordConvolution:
    def test_by_hand(self):
        # (24 - 16) * 2^15 is 2^18; the shift is down, for negative sums too
        x = np.array([[[2**15, 2**15]], [[-1, 0]]])
        weight = np.array([[[[24, -16]]]])
        np.testing.assert_array_equal(golden.word_convolution(x, weight), [[[1]], [[-1]]])

    @given(SEEDS)
    def test_is_the_scalar_one(self, seed):
        rng = np.random.default_rng(seed)
        low, high = ((-(2**15), 2**15), (0, 2**16))[int(rng.integers(2))]
        x = rng.integers(low, high, (4, 5, 3))
        weight = rng.integers(-(2**15), 2**15, (2, 2, 3, 3))
        options = {"stride": int(rng.integers(1, 3)), "padding": tuple(rng.integers(0, 3, 4))}
        acc = scalar_layers.convolution(x, weight, *options.values(), 1)
        expected = [[[value >> 18 for value in pixel] for pixel in row] for row in acc]
        np.testing.assert_array_equal(golden.word_convolution(x, weight, **options), expected)

    @pytest.mark.parametrize(("x", "weight"), [(2**16, 1), (-(2**15) - 1, 1), (1, 2**15)])
    def test_more_than_16_bits_are_refused(self, x, weight):
        with pytest.raises(ValueError, match="do not fit 16 bits"):
            golden.word_convolution(np.full((1, 1, 1), x), np.full((1, 1, 1, 1), weight))

    def test_floats_are_refused(self):
        with pytest.raises(TypeError, match="integers"):
            golden.word_convolution(np.ones((1, 1, 1)), np.ones((1, 1, 1, 1), int))


class TestMultiThreshold:
    def test_a_tie_counts(self):
        acc = np.array([[-3], [-2], [-1], [0], [4], [5], [9]])
        codes = golden.multi_threshold(acc, [[-2, 0, 5]])
        assert codes.dtype == np.uint8
        assert codes.ravel().tolist() == [0, 1, 1, 2, 2, 3, 3]

    def test_a_tie_does_not_count_if_strict(self):
        acc = np.array([[-3], [-2], [-1], [0], [1], [5], [6]])
        codes = golden.multi_threshold(acc, [[-2, 0, 5]], strict=True)
        assert codes.ravel().tolist() == [0, 0, 1, 1, 2, 2, 3]

    def test_strict_is_the_next_integer(self):
        acc, thresholds = np.arange(-9, 9)[:, None], np.array([[-4, 0, 7]])
        np.testing.assert_array_equal(
            golden.multi_threshold(acc, thresholds, strict=True),
            golden.multi_threshold(acc, thresholds + 1),
        )

    def test_equal_thresholds_count_each(self):
        assert golden.multi_threshold([[6], [7]], [[7] * 255]).ravel().tolist() == [0, 255]

    def test_thresholds_that_wrapped_count_one_by_one(self):
        """T = 19428, -7474, 31160 of a real network: the middle one is always passed."""
        acc = np.array([[-2550], [0], [2550]])
        assert golden.multi_threshold(acc, [[19428, -7474, 31160]]).ravel().tolist() == [1, 1, 1]

    def test_inverted_channels_complement_their_code(self):
        acc = np.array([[-5, -5], [0, 0], [5, 5]])
        thresholds = [[-1, 0, 1], [-1, 0, 1]]
        codes = golden.multi_threshold(acc, thresholds, inverted=[False, True])
        assert codes.tolist() == [[0, 3], [2, 1], [3, 0]]

    @given(st.integers(1, 4), st.sampled_from([1, 2, 3, 7, 15]), st.booleans(), SEEDS)
    def test_equals_its_definition_in_any_order(self, channels, count, strict, seed):
        rng = np.random.default_rng(seed)
        acc = rng.integers(-6, 7, (3, 2, channels))
        thresholds = rng.integers(-7, 8, (channels, count))
        inverted = rng.integers(0, 2, channels).astype(bool)

        def code(value, c):
            passed = [value > t if strict else value >= t for t in thresholds[c].tolist()]
            return count - sum(passed) if inverted[c] else sum(passed)

        expected = [
            [[code(v, c) for c, v in enumerate(pixel)] for pixel in row] for row in acc.tolist()
        ]
        options = {"strict": strict, "inverted": inverted}
        np.testing.assert_array_equal(golden.multi_threshold(acc, thresholds, **options), expected)
        shuffled = rng.permuted(thresholds, axis=1)
        np.testing.assert_array_equal(golden.multi_threshold(acc, shuffled, **options), expected)

    @given(st.lists(st.integers(-9, 9), min_size=1, max_size=7), st.integers(-12, 12))
    def test_an_inverted_channel_is_one_of_negated_weights(self, thresholds, acc):
        """The identity that importers use: K - count(T <= acc) = count(1 - T <= -acc)."""
        inverted = golden.multi_threshold([acc], [thresholds], inverted=[True])
        assert inverted == golden.multi_threshold([-acc], [[1 - t for t in thresholds]])

    def test_extremes_of_every_width(self):
        for bits in (8, 16, 32, 62):
            low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
            acc = np.array([[low], [low + 1], [-1], [0], [high - 1], [high]])
            codes = golden.multi_threshold(acc, [[low, 0, high]])
            assert codes.ravel().tolist() == [1, 1, 1, 2, 2, 3]

    def test_floats_are_refused(self):
        with pytest.raises(TypeError, match="acc: expected integers"):
            golden.multi_threshold([[0.5]], [[1]])
        with pytest.raises(TypeError, match="thresholds: expected integers"):
            golden.multi_threshold([[0]], [[0.5]])

    @pytest.mark.parametrize(
        ("acc", "thresholds"),
        [
            (np.zeros((2, 3), int), np.zeros((2, 3), int)),
            (np.zeros((2, 3), int), np.zeros(3, int)),
            (np.zeros((2, 1), int), np.zeros((1, 0), int)),
            (np.zeros((2, 1), int), np.zeros((1, 256), int)),
            (np.int64(0), np.zeros((1, 1), int)),
        ],
        ids=["channels", "one dimension", "none", "256", "no channel axis"],
    )
    def test_shapes_that_do_not_fit_are_refused(self, acc, thresholds):
        with pytest.raises(ValueError, match=r"fit|dimensions"):
            golden.multi_threshold(acc, thresholds)

    @pytest.mark.parametrize("inverted", [[True], [True, False, True]])
    def test_flags_for_other_channels_are_refused(self, inverted):
        acc, thresholds = np.zeros((1, 2), int), np.zeros((2, 1), int)
        with pytest.raises(ValueError):
            golden.multi_threshold(acc, thresholds, inverted=inverted)


class TestRequantise:
    def test_by_hand(self):
        # (3 * x + 2 * 2**15) >> 17 for x = sum - 100: 0 up to the sum that gives 2**17
        sums = np.array([[0], [99], [100], [100 + 21845], [100 + 21846], [100 + 87382], [2**24]])
        codes = golden.requantise(sums, [100], [0], [3], [2], 4)
        assert codes.ravel().tolist() == [0, 0, 0, 0, 1, 2, 15]

    def test_saturates(self):
        ends = [[0, 0], [2**32 - 1, 2**32 - 1]]
        codes = golden.requantise(ends, [0, 5], [0, 31], [2**32 - 1, 0], [-(2**31), 2**31 - 1], 3)
        assert codes.tolist() == [[0, 0], [7, 0]]

    @given(SEEDS)
    def test_is_the_scalar_one(self, seed):
        rng = np.random.default_rng(seed)
        base, multiplier = (rng.integers(0, 2 ** int(rng.integers(1, 33)), 3) for _ in range(2))
        shift, bits = rng.integers(0, 32, 3), int(rng.integers(1, 9))
        addend = rng.integers(-(2**31), 2**31, 3) >> rng.integers(0, 32)
        sums = (base + rng.integers(-9, 2 ** int(rng.integers(4, 27)), (5, 3))).clip(0, 2**32 - 1)

        def code(value, c):
            x = min(max(int(value) - int(base[c]), 0), 2**24 - 1)
            y = int(multiplier[c]) * x + int(addend[c]) * 2**15 >> int(shift[c]) + 17
            return min(max(y, 0), 2**bits - 1)

        expected = [[code(value, c) for c, value in enumerate(row)] for row in sums]
        codes = golden.requantise(sums, base, shift, multiplier, addend, bits)
        np.testing.assert_array_equal(codes, expected)

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"sums": [[-1]]}, "sums -1..-1"),
            ({"base": [2**32]}, "base: 4294967296..4294967296 is not in 0"),
            ({"shift": [32]}, "shift: 32..32"),
            ({"multiplier": [-1]}, "multiplier: -1..-1"),
            ({"addend": [2**31]}, "addend: 2147483648"),
            ({"addend": [0, 0]}, "does not fit sums"),
            ({"bits": 9}, "9 bits are out of range"),
        ],
    )
    def test_what_has_no_meaning_is_refused(self, given, says):
        facts = {"sums": [[0]], "base": [0], "shift": [0], "multiplier": [0], "addend": [0]}
        with pytest.raises(ValueError, match=says):
            golden.requantise(**(facts | {"bits": 8} | given))

    def test_floats_are_refused(self):
        with pytest.raises(TypeError, match="integers"):
            golden.requantise([[0]], [0], [0], [0.5], [0], 8)


class TestMaxPool:
    def test_by_hand(self):
        x = np.array([[1, 2, 0], [3, 0, 1], [0, 0, 2]])[..., None]
        assert golden.max_pool(x, 2, 1)[..., 0].tolist() == [[3, 2], [3, 2]]
        assert golden.max_pool(x, 2, 2)[..., 0].tolist() == [[3]]  # the rest is not read
        assert golden.max_pool(x, 3, 2)[..., 0].tolist() == [[3]]

    def test_padding_is_top_left_bottom_right(self):
        x = np.array([[[3]]])
        assert golden.max_pool(x, 2, 1, (1, 0, 0, 1))[..., 0].tolist() == [[3]]
        assert golden.max_pool(x, 2, 1, (0, 0, 1, 2))[..., 0].tolist() == [[3, 0]]
        assert golden.max_pool(x, 2, 1, (1, 2, 0, 0))[..., 0].tolist() == [[0, 3]]

    def test_the_last_row_and_column_may_stay_unread(self):
        """14 -> 6 by 3x3 with stride 2: row and column 13 are never looked at."""
        x = np.zeros((14, 14, 1), int)
        x[13], x[:, 13] = 3, 3
        assert golden.max_pool(x, 3, 2).shape == (6, 6, 1)
        assert not golden.max_pool(x, 3, 2).any()

    @given(st.data(), SEEDS)
    def test_equals_its_definition(self, data, seed):
        rng = np.random.default_rng(seed)
        shape = tuple(data.draw(st.integers(1, 6), label="side") for _ in range(2))
        size, stride = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
        padding = data.draw(st.tuples(*[st.integers(0, 2)] * 4))
        x = rng.integers(0, 4, (*shape, 2))
        expected = scalar_layers.max_pool(x, size, stride, padding)
        if not expected or not expected[0]:
            with pytest.raises(ValueError, match="does not fit"):
                golden.max_pool(x, size, stride, padding)
            return
        np.testing.assert_array_equal(golden.max_pool(x, size, stride, padding), expected)

    def test_commutes_with_thresholds(self):
        rng = np.random.default_rng(7)
        acc = rng.integers(0, 50, (6, 6, 3))
        thresholds = np.sort(rng.integers(1, 50, (3, 7)), axis=1)
        np.testing.assert_array_equal(
            golden.max_pool(golden.multi_threshold(acc, thresholds), 2, 2),
            golden.multi_threshold(golden.max_pool(acc, 2, 2), thresholds),
        )

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="unsigned"):
            golden.max_pool(np.array([[[-1]]]), 1, 1)
        with pytest.raises(TypeError, match="integers"):
            golden.max_pool(np.zeros((2, 2, 1)), 2, 2)
        with pytest.raises(ValueError, match="3 dimensions"):
            golden.max_pool(np.zeros((2, 2), int), 2, 2)


class TestSplitAndMerge:
    def test_branch_zero_comes_first(self):
        x = np.arange(12).reshape(1, 2, 6)
        first, second = golden.split(x, 2)
        assert first.tolist() == [[[0, 1, 2], [6, 7, 8]]]
        assert second.tolist() == [[[3, 4, 5], [9, 10, 11]]]
        assert golden.merge([second, first])[0, 0].tolist() == [3, 4, 5, 0, 1, 2]

    @given(st.integers(1, 6), st.integers(1, 4))
    def test_merge_undoes_split(self, branches, width):
        x = np.arange(6 * branches * width).reshape(2, 3, -1)
        parts = golden.split(x, branches)
        assert len(parts) == branches
        np.testing.assert_array_equal(golden.merge(parts), x)

    def test_unequal_parts_are_refused(self):
        with pytest.raises(ValueError, match="5 channels cannot be split into 2"):
            golden.split(np.zeros((1, 1, 5), int), 2)


class TestFullyConnected:
    def test_by_hand(self):
        assert golden.fully_connected([1, 2, 3], [[1, -1, 1], [0, 2, -2]]).tolist() == [2, -2]

    def test_is_a_convolution_over_the_whole_map(self):
        rng = np.random.default_rng(3)
        x, weight = rng.integers(0, 4, (3, 2, 5)), rng.integers(-1, 2, (7, 3, 2, 5))
        np.testing.assert_array_equal(
            golden.fully_connected(x.ravel(), weight.reshape(7, -1)),
            golden.convolution(x, weight).ravel(),
        )

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="do not fit"):
            golden.fully_connected([1, 2], [[1, 2, 3]])
        with pytest.raises(ValueError, match="dimensions"):
            golden.fully_connected([[1, 2]], [[1, 2]])
        with pytest.raises(TypeError, match="integers"):
            golden.fully_connected([1, 2], [[1.0, 2.0]])
