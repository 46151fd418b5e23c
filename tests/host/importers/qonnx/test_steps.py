# SPDX-License-Identifier: BSD-3-Clause
"""Quantisers equal the operators of the package qonnx, ties and ends of the range included."""

import itertools

import numpy as np
import pytest

from qnn.errors import NetworkError
from qnn.importers.qonnx.graph import Node
from qnn.importers.qonnx.steps import ROUNDINGS, Bipolar, Clip, Count, quantizer, sign
from qnn.network.arithmetic import Arithmetic

intquant = pytest.importorskip(
    "qonnx.custom_op.general.intquant", reason="the reference executor is not installed"
)
multithreshold = pytest.importorskip("qonnx.custom_op.general.multithreshold")

EIGHTHS = np.arange(-80, 81, dtype=np.float32) / 8  # every tie between whole numbers


def f32(value) -> np.ndarray:
    return np.array(value, np.float32)


@pytest.mark.parametrize("rounding", [*ROUNDINGS, "round", "Half_Up"])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_quant(rounding, signed, narrow, bits):
    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
    node = Node("Quant", "quant", (), (), attributes)
    for scale, zero in itertools.product((0.5, 1, 0.3, 0.25), (0, 1, -1, 0.5, -2.25)):
        parameters = [f32(scale), f32(zero), f32(bits)]
        step = quantizer(node, parameters)
        want = intquant.int_quant(EIGHTHS, *parameters, signed, narrow, rounding)
        codes = step.codes(EIGHTHS)
        assert step(EIGHTHS).tolist() == want.tolist()
        assert step.values(codes).tolist() == want.tolist()
        assert codes.min() >= 0 and codes.max() < 2**bits


@pytest.mark.parametrize("mode", ["ROUND_TO_ZERO", "round_to_zero", "TRUNC", "DPU", "", "UP "])
def test_rounding_modes_that_qonnx_has_not(mode):
    node = Node("Quant", "quant", (), (), {"signed": 1, "narrow": 0, "rounding_mode": mode})
    parameters = [f32(1), f32(0), f32(2)]
    with pytest.raises(ValueError, match="Could not resolve rounding mode"):
        intquant.int_quant(EIGHTHS, *parameters, 1, 0, mode)
    with pytest.raises(NetworkError, match=f"'quant'.*no rounding mode '{mode}'.*HALF_EVEN"):
        quantizer(node, parameters)
    one_bit = [f32(0.5), f32(0.5), f32(1)]  # signed: nothing is rounded, so no mode is asked for
    want = intquant.int_quant(EIGHTHS, *one_bit, 1, 0, mode)
    assert quantizer(node, one_bit)(EIGHTHS).tolist() == want.tolist()


def test_rounding_to_zero_has_another_name():
    node = Node("Quant", "quant", (), (), {"rounding_mode": "ROUND_TO_ZERO"})
    with pytest.raises(NetworkError, match="which is called DOWN there"):
        quantizer(node, [f32(1), f32(0), f32(2)])


def test_one_bit_of_a_sum_that_the_scale_takes_away():
    """-1e-45 / 4 is -0, which counts as positive; BipolarQuant does not divide."""
    x, parameters = f32([-1e-45, 0, 1e-45]), [f32(4), f32(0), f32(1)]
    step = quantizer(Node("Quant", "quant", (), (), {"signed": 1, "narrow": 0}), parameters)
    want = intquant.int_quant(x, *parameters, 1, 0, "ROUND")
    assert step(x).tolist() == want.tolist() == [4, 4, 4]
    assert quantizer(Node("BipolarQuant", "sign", (), (), {}), parameters)(x).tolist() == [-4, 4, 4]


def test_bipolar():
    node = Node("BipolarQuant", "sign", (), (), {})
    step = quantizer(node, [f32(0.5)])
    assert isinstance(step, Bipolar)
    assert step(f32([-1, -0.0, 0, 2])).tolist() == [-0.5, 0.5, 0.5, 0.5]
    assert step.codes(f32([-1, -0.0, 0, 2])).tolist() == [0, 1, 1, 1]


def test_multi_threshold():
    rng = np.random.default_rng(0)
    thresholds = (rng.integers(-20, 20, (3, 7)) / 4).astype(np.float32)  # in any order
    thresholds[:, 0], thresholds[1, 1] = np.inf, -np.inf
    x = (rng.integers(-24, 24, (5, 3)) / 4).astype(np.float32)
    step = Count(thresholds, np.float32(0.5), np.float32(-1), np.arange(3))
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
