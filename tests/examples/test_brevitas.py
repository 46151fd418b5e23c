# SPDX-License-Identifier: BSD-3-Clause
"""Random networks as Brevitas exports them, by every form and operator set that it has, untrained:
they import, and give the scores of the reference executor.

`make test-brevitas` installs Brevitas and runs them; it prints what came of each export.
"""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="`make test-brevitas` installs it")
pytest.importorskip("brevitas", reason="`make test-brevitas` installs it")

import onnx
import torch
from brevitas import nn as layers
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant.binary import SignedBinaryWeightPerTensorConst
from torch import nn

from qnn_sim.onnx_reference import compare

pytestmark = pytest.mark.nightly
SIDE = 16  # rows and columns of the pictures
OPSETS = range(9, 26)
INPUTS = 5


class Binary(SignedBinaryWeightPerTensorConst):
    scaling_const = 0.25


def conv(inputs: int, outputs: int, kernel: int, bits: int, **options) -> nn.Module:
    if bits == 1:
        options |= {"weight_quant": Binary}
    else:
        options |= {"weight_bit_width": bits}
    return layers.QuantConv2d(inputs, outputs, kernel, bias=False, **options)


def block(
    inputs: int, outputs: int, kernel: int, bits: int, codes: int, **options
) -> nn.Sequential:
    return nn.Sequential(
        conv(inputs, outputs, kernel, bits, **options),
        nn.BatchNorm2d(outputs),
        layers.QuantReLU(bit_width=codes),
    )


def plain(bits: int, codes: int) -> nn.Module:
    """Convolutions, a pool and fully connected layers."""
    return nn.Sequential(
        layers.QuantIdentity(bit_width=8),
        block(3, 8, 3, max(bits, 2), codes, padding=1),
        nn.MaxPool2d(2),
        block(8, 12, 3, bits, codes, weight_scaling_per_output_channel=bits > 1),
        nn.Flatten(),
        layers.QuantLinear(12 * 36, 10, bias=True, weight_bit_width=max(bits, 2)),
    )


def separable() -> nn.Module:
    """Depthwise and 1x1 layers, and an average of the whole map."""
    return nn.Sequential(
        layers.QuantIdentity(bit_width=8),
        block(3, 8, 3, 4, 4, stride=2, padding=1),
        block(8, 8, 3, 4, 4, padding=1, groups=8),
        block(8, 16, 1, 4, 4),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        layers.QuantLinear(16, 10, bias=True, weight_bit_width=4),
    )


class Residual(nn.Module):
    """A block whose two maps have one scale."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            layers.QuantIdentity(bit_width=8), block(3, 8, 3, 4, 4, padding=1)
        )
        self.inner = nn.Sequential(
            block(8, 8, 3, 4, 4, padding=1), conv(8, 8, 3, 4, padding=1), nn.BatchNorm2d(8)
        )
        self.shared = layers.QuantIdentity(bit_width=4)
        self.after = layers.QuantReLU(bit_width=4)
        self.head = nn.Sequential(
            nn.MaxPool2d(2), nn.Flatten(),
            layers.QuantLinear(8 * (SIDE // 2) ** 2, 10, bias=True, weight_bit_width=4),
        )  # fmt: skip

    def forward(self, x):
        x = self.first(x)
        return self.head(self.after(self.shared(self.inner(x)) + self.shared(x)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "W1A2": lambda: plain(1, 2),
    "W2A2": lambda: plain(2, 2),
    "W4A4": lambda: plain(4, 4),
    "W8A8": lambda: plain(8, 8),
    "separable": separable,
    "residual": Residual,
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request) -> tuple[str, nn.Module]:
    """Random, with scales and statistics of a few pictures."""
    torch.manual_seed(1)
    made = NETWORKS[request.param]()
    made.train()
    with torch.no_grad():
        for _ in range(5):
            made(torch.rand(8, 3, SIDE, SIDE))
    return request.param, made.eval()


def exported(export: Callable, module: nn.Module, path: Path, **options) -> str:
    """ "" where it was exported, else why Brevitas or PyTorch did not."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            export(module, torch.rand(1, 3, SIDE, SIDE), str(path), verbose=False, **options)
        except Exception as error:  # any of PyTorch's
            return f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"
    return ""


def operator_set(path: Path) -> int:
    """Of the standard operators of a file."""
    return next(one.version for one in onnx.load(path).opset_import if not one.domain)


def agree(path: Path) -> None:
    found = compare(path, INPUTS, 1)
    assert found.good, found


def test_the_present_exporter(network, tmp_path):
    _, module = network
    path = tmp_path / "net.onnx"
    assert exported(export_qonnx, module, path) == ""
    agree(path)


def test_every_operator_set(network, tmp_path):
    name, module = network
    exports = 0
    for opset in OPSETS:
        path = tmp_path / f"net{opset}.onnx"
        why = exported(export_qonnx, module, path, opset_version=opset)
        stands = why or f"exported, with operator set {operator_set(path)}"
        print(f"{name}, {opset} asked for: {stands}")
        if not why:
            exports += 1
            agree(path)
    assert exports > 5


def test_quantize_and_dequantize(network, tmp_path):
    name, module = network
    if name == "W1A2":
        pytest.skip("QuantizeLinear has no sign")
    path = tmp_path / "net.onnx"
    assert exported(export_onnx_qcdq, module, path, opset_version=13) == ""
    agree(path)
