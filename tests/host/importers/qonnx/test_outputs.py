# SPDX-License-Identifier: BSD-3-Clause
"""Which outputs of a graph can be results."""

from types import SimpleNamespace

import numpy as np
import pytest

from qnn.errors import FormatError
from qnn.importers.qonnx.layers import Layers
from qnn.importers.qonnx.outputs import outputs_of
from qnn.importers.qonnx.reading import Reading


@pytest.mark.parametrize("tensors", [{}, {"y": np.zeros(3)}], ids=["nowhere", "a constant"])
def test_an_output_that_is_no_feature_map(tensors):
    graph = SimpleNamespace(outputs=("y",))
    with pytest.raises(FormatError, match="output 'y' is no feature map; leave it out"):
        outputs_of(Reading(Layers()), graph, tensors)
