# SPDX-License-Identifier: BSD-3-Clause
"""Float weights come back from whole numbers, and those from planes of +-1."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.weights import LARGEST, integers, planes

NODE = Node("Conv", "conv", (), (), {})


@pytest.mark.parametrize("largest", [1, 2, 3, 5, 7, 31, 127, 128])
@pytest.mark.parametrize("seed", range(5))
def test_integers(largest, seed):
    rng = np.random.default_rng(seed)
    whole = rng.integers(-largest, largest + 1, (6, 3, 3, 4))
    whole[0] = 0
    scale = rng.uniform(0.01, 4, 6).astype(np.float32)
    weight = (whole * scale[:, None, None, None]).astype(np.float32)
    found, scales = integers(NODE, weight)
    assert found.shape == weight.shape and (scales > 0).all()
    np.testing.assert_allclose(found * scales[:, None, None, None], weight, rtol=1e-6)
    assert np.abs(found).max() <= largest
    exact = integers(NODE, np.float32(whole / 8))  # powers of two stay exact
    assert (exact[0] * exact[1][:, None, None, None] == whole / 8).all()


@pytest.mark.parametrize(
    "row",
    [[1, 1.153], [1, 129], [1, 2.5, 100], [1e-3, 1], [3, np.pi], [1, np.inf], [np.nan, 1]],
)
def test_weights_that_are_no_small_multiples(row):
    with pytest.raises(NetworkError, match=r"node 'conv'.*(quantise|finite)"):
        integers(NODE, np.float32([row]))


@pytest.mark.parametrize(
    "values", [[-1, 1], [-1, 0, 1], [-3, -1, 1, 3], [-2, 1], [-7, 4], [15, 1], [-128, 127]]
)
def test_planes(values):
    weight = np.random.default_rng(0).choice(values, (5, 2, 3, 4))
    weight[0, 0, 0] = [values[0], values[-1], values[0], values[-1]]
    bits, coefficients, factor = planes(NODE, weight)
    assert bits.dtype == np.uint8 and set(np.unique(bits)) <= {0, 1}
    signs = 2 * bits.astype(int) - 1
    assert (np.tensordot(coefficients, signs, 1) == factor * weight).all()
    assert len(coefficients) <= 9 and max(coefficients) <= 128


def test_planes_of_every_range():
    """Each value in a range is a sum, and no range takes more than its largest value."""
    for largest in range(1, LARGEST + 1):
        weight = np.arange(-largest, largest + 1)
        bits, coefficients, factor = planes(NODE, weight)
        assert factor == 2 and sum(coefficients) == 2 * largest
        assert len(coefficients) <= 9 and max(coefficients) <= 128
        signs = 2 * bits.astype(int) - 1
        assert (np.tensordot(coefficients, signs, 1) == 2 * weight).all()


def test_more_bits_than_there_are():
    with pytest.raises(NetworkError, match="from -129 to 3 are larger than 128; quantise"):
        planes(NODE, np.array([-129, 0, 3]))
