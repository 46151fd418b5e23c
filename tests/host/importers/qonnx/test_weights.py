# SPDX-License-Identifier: BSD-3-Clause
"""Float weights come back from whole numbers."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.weights import integers, planes

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


def test_more_bits_than_there_are():
    with pytest.raises(NetworkError, match="from -129 to 3 are larger than 128; quantise"):
        planes(NODE, np.array([-129, 0, 3]))
