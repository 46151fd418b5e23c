#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Train the shipped model: a W1A2 convolution network for Fashion-MNIST, on the CPU.

    formula   y = round(clip(bn(sum w x), 0, 1) * 3), w = sign(v), x an unsigned 2-bit code / 3
    input     28 x 28 grey pictures, unsigned 8-bit codes, no normalisation
    output    sum w x of the last layer times one fixed scale, for a softmax

Everything the network computes between its 8-bit input and its scores is an integer sum compared
with thresholds, so `export_fashion.py` turns the checkpoint into exact integers.

Straight-through estimators after Hubara et al., "Binarized Neural Networks", NIPS 2016
(arXiv:1602.02830), and Zhou et al., "DoReFa-Net" (arXiv:1606.06160).
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from qnn.pictures.dataset import read_idx
from qnn_sim.outputs import writing

DATASET = Path("/usr/share/datasets/fashion-mnist")
ACT_LEVELS = 3  # 2-bit codes 0..3
SCORE_SCALE = 1 / 16  # one scale for all classes: the arg max of the integers stays the decision

# name, outputs, kernel, padding, pooled 2x2
LAYERS = (
    ("conv1", 32, 3, 0, False),
    ("conv2", 32, 3, 0, True),
    ("conv3", 64, 3, 1, False),
    ("conv4", 64, 3, 0, True),
    ("conv5", 128, 3, 1, False),
    ("conv6", 128, 3, 0, False),
    ("fc7", 256, 3, 0, False),
    ("fc8", 10, 1, 0, False),
)


class Sign(torch.autograd.Function):
    """Forward +1 where v >= 0, else -1; backward the identity inside [-1, 1]."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return torch.where(v >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad * (v.abs() <= 1)


class Quantize(torch.autograd.Function):
    """Forward round(clip(x, 0, 1) * 3) / 3; backward the identity inside [0, 1]."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.round(x.clamp(0, 1) * ACT_LEVELS) / ACT_LEVELS

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * ((x >= 0) & (x <= 1))


class FashionCnv(nn.Module):
    """Binary-weight convolutions, batch norm and 2-bit activations, as LAYERS lists them."""

    def __init__(self) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        channels = 1
        for name, outputs, kernel, padding, _ in LAYERS:
            conv = nn.Conv2d(channels, outputs, kernel, padding=padding, bias=False)
            nn.init.uniform_(conv.weight, -0.3, 0.3)
            self.convs.append(conv)
            if name != LAYERS[-1][0]:
                norm = nn.BatchNorm2d(outputs)
                nn.init.constant_(norm.weight, 0.4)
                nn.init.constant_(norm.bias, 0.3)
                self.norms.append(norm)
            channels = outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, (_, _, _, padding, pooled) in enumerate(LAYERS):
            x = nn.functional.conv2d(x, Sign.apply(self.convs[i].weight), padding=padding)
            if i == len(LAYERS) - 1:
                return x.flatten(1) * ACT_LEVELS * SCORE_SCALE
            x = self.norms[i](x)
            if (
                pooled
            ):  # before the rounding, which is monotone: the same codes, a quarter of the work
                x = nn.functional.max_pool2d(x, 2)
            x = Quantize.apply(x)
        raise AssertionError("LAYERS is empty")


def load_split(folder: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures in 0..1, float32 (N, 1, 28, 28), and labels, int64 (N,), of "train" or "t10k"."""
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    return (
        torch.from_numpy(images.astype(np.float32) / 255)[:, None],
        torch.from_numpy(labels.astype(np.int64)),
    )


def augment(x: torch.Tensor, shift: int) -> torch.Tensor:
    """Mirror half of a batch left to right and shift all of it by one random offset."""
    mirrored = torch.rand(len(x)) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    dy, dx = torch.randint(0, 2 * shift + 1, (2,)).tolist()
    return nn.functional.pad(x, (shift,) * 4)[:, :, dy : dy + 28, dx : dx + 28]


@torch.no_grad()
def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    model.eval()
    decisions = torch.cat([model(part).argmax(1) for part in x.split(500)])
    return (decisions == y).float().mean().item()


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    x, y = load_split(args.dataset, "train")
    test_x, test_y = load_split(args.dataset, "t10k")
    model = FashionCnv().to(memory_format=torch.channels_last)
    forward = torch.compile(model)  # fuses the element-wise steps: a third faster
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    steps = math.ceil(len(x) / args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.epochs * steps, pct_start=0.1
    )
    started = time.monotonic()
    for epoch in range(1, args.epochs + 1):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(x)).split(args.batch):
            inputs = augment(x[batch], args.shift).contiguous(memory_format=torch.channels_last)
            loss = nn.functional.cross_entropy(forward(inputs), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for conv in model.convs:
                    conv.weight.clamp_(-1, 1)
            total += loss.item() * len(batch)
        minutes = (time.monotonic() - started) / 60
        line = f"epoch {epoch:3d}  loss {total / len(x):.4f}  minutes {minutes:.1f}"
        if epoch % args.every == 0 or epoch == args.epochs:
            line += f"  test accuracy {100 * accuracy(model, test_x, test_y):.2f}%"
            with writing(args.checkpoint, whole=epoch == args.epochs) as part:
                torch.save(model.state_dict(), part)
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: python scripts/train_fashion.py --epochs 30 --checkpoint build/fashion.pt",
    )
    parser.add_argument("--dataset", type=Path, default=DATASET, help=f"IDX files ({DATASET})")
    parser.add_argument(
        "--checkpoint", type=Path, required=True,
        help="file to write; before the last epoch a .partial one beside it",
    )  # fmt: skip
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--shift", type=int, default=1, help="pixels of random shift")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=2, help="epochs between test accuracies")
    args = parser.parse_args()
    args.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
