# SPDX-License-Identifier: BSD-3-Clause
"""Quantisers equal the operators of the package qonnx, ties and ends of the range included."""

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.steps import ROUNDINGS, Bipolar, Clip, Count, quantizer, sign
from qnn.network.result import Arithmetic

intquant = pytest.importorskip(
    "qonnx.custom_op.general.intquant", reason="the reference executor is not installed"
)
multithreshold = pytest.importorskip("qonnx.custom_op.general.multithreshold")

EIGHTHS = np.arange(-80, 81, dtype=np.float32) / 8  # every tie between whole numbers


def f32(value) -> np.ndarray:
    return np.array(value, np.float32)


@pytest.mark.parametrize("rounding", [r for r in ROUNDINGS if r != "ROUND_TO_ZERO"])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_quant(rounding, signed, narrow, bits):
    if bits == 1 and narrow and not signed:
        return  # no range is left
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
    node = Node("Quant", "quant", (), (), attributes)
    for scale, zero in ((0.5, 0), (1, 0), (0.3, 0), (0.25, 0 if bits == 1 else 1)):
        parameters = [f32(scale), f32(zero), f32(bits)]
        step = quantizer(node, parameters)
        want = intquant.int_quant(EIGHTHS, *parameters, signed, narrow, rounding)
        codes = step.codes(EIGHTHS)
        assert step(EIGHTHS).tolist() == want.tolist()
        assert step.values(codes).tolist() == want.tolist()
        assert codes.min() >= 0 and codes.max() < 2**bits


def test_bipolar():
    node = Node("BipolarQuant", "sign", (), (), {})
    step = quantizer(node, [f32(0.5)])
    assert isinstance(step, Bipolar)
    assert step(f32([-1, -0.0, 0, 2])).tolist() == [-0.5, 0.5, 0.5, 0.5]
    assert step.codes(f32([-1, -0.0, 0, 2])).tolist() == [0, 1, 1, 1]


def test_multi_threshold():
    rng = np.random.default_rng(0)
    thresholds = np.sort(rng.integers(-20, 20, (3, 7)) / 4, axis=1).astype(np.float32)
    x = (rng.integers(-24, 24, (5, 3)) / 4).astype(np.float32)
    step = Count(thresholds, np.float32(0.5), np.float32(-1))
    want = multithreshold.multithreshold(x, thresholds, 0.5, -1.0)
    assert step(x).tolist() == want.tolist()
    assert step.values(step.codes(x)).tolist() == want.tolist()


def test_clip():
    assert Clip(0, np.inf)(f32([-1, 0, 3])).tolist() == [0, 0, 3]
    assert Clip(-1, 1)(f32([-9, 0.5, 3])).tolist() == [-1, 0.5, 1]


def test_sign():
    values = f32([2, -3, 0])
    for op in ("multiply", "divide"):
        assert sign(Arithmetic(op, values), 3).tolist() == [1, -1, 0]
    assert sign(Arithmetic("add", values), 3).tolist() == [1, 1, 1]
    assert sign(Clip(0, 1), 2).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([], "no scale"),
        ([f32(1)], "no zero point"),
        ([f32(1), f32(0)], "no bit width"),
        ([f32([]), f32(0), f32(2)], "no scale"),
        ([f32(-1), f32(0), f32(2)], "scale is not a positive"),
        ([f32(np.nan), f32(0), f32(2)], "scale is not a positive"),
        ([f32(1), f32(np.inf), f32(2)], "zero point"),
        ([f32(1), f32(0), f32(0)], "0 bits"),
        ([f32(1), f32(0), f32(2.5)], "2.5 bits"),
        ([f32(1), f32(0), f32([2, 3])], "bit width differs"),
    ],
)
def test_parameters_without_a_meaning(parameters, message):
    with pytest.raises(NetworkError, match=f"node 'quant'.*{message}"):
        quantizer(Node("Quant", "quant", (), (), {}), parameters)
