# SPDX-License-Identifier: BSD-3-Clause
"""Trunc, as qonnx computes it, in both versions of the operator."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.steps import truncation

pytest.importorskip("qonnx", reason="the reference executor is not installed")

from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

X = (np.arange(-600, 600) / 4).astype(np.float32)


def step(attributes, *given):
    node = Node("Trunc", "trunc", (), (), attributes)
    return truncation(node, [np.array(x, np.float32) for x in given])


@pytest.mark.parametrize("rounding", ["FLOOR", "CEIL", "ROUND"])
@pytest.mark.parametrize("zero", [0.0, 4.0])
def test_version_1(zero, rounding):
    given = [np.float32(x) for x in (0.5, zero, 8, 5)]
    found = step({"rounding_mode": rounding}, *given)(X)
    assert len(np.unique(found)) > 30
    assert found.tolist() == trunc_v1(X, *given, rounding).tolist()


@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND"])
@pytest.mark.parametrize(("signed", "narrow"), [(0, 0), (1, 0), (1, 1)])
@pytest.mark.parametrize("zero", [0.0, 8.0])
def test_version_2(zero, signed, narrow, rounding):
    scale, zero, width, step_behind, bits = (np.float32(x) for x in (0.5, zero, 8, 2.0, 5))
    attributes = {"rounding_mode": rounding, "signed": signed, "narrow": narrow}
    found = step(attributes, scale, zero, width, step_behind, bits)(X)
    assert len(np.unique(found)) > 15
    want = trunc_v2(X, scale, zero, width, narrow, signed, step_behind, bits, rounding)
    assert found.tolist() == want.tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0.5, 0, 8), "it has no width behind it"),
        (([0.5, 1.0], 0, 8, 5), "its scale differs between channels"),
        ((-0.5, 0, 8, 5), "have no meaning here"),
        ((np.inf, 0, 8, 5), "have no meaning here"),
        ((0.5, np.inf, 8, 5), "have no meaning here"),
        ((0.5, 0, 8, -1), "have no meaning here"),
        ((0.5, 0, 64, 5), "have no meaning here"),
        ((0.5, 0, 8, 0, 5), "have no meaning here"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(NetworkError, match=message):
        step({}, *given)
