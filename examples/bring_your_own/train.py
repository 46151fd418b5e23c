#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Train a small network with Brevitas on Fashion-MNIST, and export it as QONNX.

Weights are +-1, activations 0..3 (W1A2), the pictures go in as they are, in 8 bits. All scales are
powers of two, so what the accelerator computes in integers is what PyTorch computes in floats.
"""

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch
from brevitas import nn as qnn_layers
from brevitas.core.restrict_val import RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.export import export_qonnx
from brevitas.quant.binary import SignedBinaryWeightPerTensorConst
from torch import nn

from qnn.pictures.dataset import read_idx

DATASET = Path("/usr/share/datasets/fashion-mnist")
CLASSES = "T-shirt,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")


class Weight(SignedBinaryWeightPerTensorConst):
    """The sign of the trained number, times 1/8."""

    scaling_const = 0.125


def activation(bits: int, step: float) -> nn.Module:
    """ReLU, then 0, step, 2 step, ... (2^bits - 1) step."""
    return qnn_layers.QuantReLU(
        bit_width=bits,
        scaling_impl_type=ScalingImplType.CONST,
        restrict_scaling_type=RestrictValueType.FP,
        max_val=step * (2**bits - 1),
    )


def conv(inputs: int, outputs: int, kernel: int, **options: int) -> list[nn.Module]:
    layer = qnn_layers.QuantConv2d(
        inputs, outputs, kernel, bias=False, weight_quant=Weight, **options
    )
    return [layer, nn.BatchNorm2d(outputs), activation(2, 0.5)]


def make_network() -> nn.Sequential:
    """Three convolutions and two fully connected layers; 28 x 28 pixels to 10 scores."""
    return nn.Sequential(
        activation(8, 1 / 256),
        *conv(1, 16, 5, stride=2),  # 12 x 12
        *conv(16, 32, 3, padding=1),
        nn.MaxPool2d(2),  # 6 x 6
        *conv(32, 64, 3),  # 4 x 4
        nn.MaxPool2d(2),  # 2 x 2
        nn.Flatten(),
        qnn_layers.QuantLinear(256, 64, bias=False, weight_quant=Weight),
        nn.BatchNorm1d(64),
        activation(2, 0.5),
        qnn_layers.QuantLinear(64, 10, bias=True, weight_quant=Weight),
    )


def load_split(folder: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures in 0..1, float32 (N, 1, 28, 28), and labels, int64 (N,), of "train" or "t10k"."""
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    pictures = torch.from_numpy(images.astype(np.float32)) / 255
    return pictures[:, None], torch.from_numpy(labels.astype(np.int64))


@torch.no_grad()
def accuracy(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    network.eval()
    decisions = torch.cat([network(part).argmax(1) for part in x.split(500)])
    return (decisions == y).float().mean().item()


def train(args: argparse.Namespace) -> nn.Sequential:
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)  # layers as small as these are slower on two
    x, y = load_split(args.dataset, "train")
    x, y = x[: args.pictures], y[: args.pictures]
    network = make_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=args.lr)
    steps = args.epochs * -(-len(x) // args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=steps)
    started = time.monotonic()
    for epoch in range(1, args.epochs + 1):
        network.train()
        total = 0.0
        for batch in torch.randperm(len(x)).split(args.batch):
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        seconds = time.monotonic() - started
        print(f"epoch {epoch}  loss {total / len(x):.4f}  {seconds:.0f} s", flush=True)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: train.py --epochs 2 --output build/bring_your_own",
    )
    parser.add_argument("--dataset", type=Path, default=DATASET, help=f"IDX files ({DATASET})")
    parser.add_argument("--output", type=Path, required=True, help="directory for model.onnx")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=60_000, help="how many to train on")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    network = train(args)
    x, y = load_split(args.dataset, "t10k")
    print(f"PyTorch: {100 * accuracy(network, x, y):.2f}% of {len(y)} test pictures right")
    args.output.mkdir(parents=True, exist_ok=True)
    model = args.output / "model.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    export_qonnx(network, x[:1], str(model), opset_version=18, external_data=False, verbose=False)
    (args.output / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    print(f"wrote {model}")


if __name__ == "__main__":
    main()
