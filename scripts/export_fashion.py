#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turn a checkpoint of train_fashion.py into the network and the sample pictures that ship.

A layer's sum s of +-1 weights and codes goes through batch norm, y = g*(s*unit - mean)/sigma + b,
and becomes the code k = number of levels (k - 1/2)/3 that y reaches. Solved for s, that is s >= T
with an integer T; where g is negative, the weights change sign and so does the comparison.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from qnn import store
from qnn.backends import open_session
from qnn.network import Conv, Layer, Lookup, MaxPool, Network, PictureInput
from qnn.network.result import Scores
from train_fashion import ACT_LEVELS, DATASET, LAYERS, SCORE_SCALE, FashionCnv, load_split

CLASSES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SAMPLES = 10  # the first test picture of each class


def fold(model: FashionCnv) -> Network:
    """The network that computes what the trained model does, in integers."""
    shape, bits, unit = (28, 28, 1), 8, 1 / 255
    layers: list[Layer] = [Lookup("pixels", shape, np.arange(256, dtype=np.uint8), shape)]
    for i, (name, _, _, padding, pooled) in enumerate(LAYERS):
        weight = model.convs[i].weight.detach().numpy().transpose(0, 2, 3, 1) >= 0
        thresholds = None
        if i < len(model.norms):
            thresholds, negative = fold_norm(model.norms[i], unit, weight[0].size * (2**bits - 1))
            weight = weight ^ negative[:, None, None, None]
        layer = Conv(
            name=name,
            in_shape=shape,
            in_bits=bits,
            weight=weight[None].astype(np.uint8),
            thresholds=thresholds,
            padding=(padding,) * 4,
            pool=MaxPool(2, 2) if pooled else None,
        )
        layers.append(layer)
        shape, bits, unit = layer.out_shape, 2, 1 / ACT_LEVELS
    return Network(
        name="fashion-cnv",
        title="Fashion-MNIST: 10 kinds of clothes, W1A2 convolutions, ships with qnn",
        task="classify",
        classes=CLASSES,
        layers=tuple(layers),
        picture=PictureInput("fit-grey", 28),
        result=Scores(np.zeros(len(CLASSES), np.int64), 1, SCORE_SCALE),
        source="scripts/train_fashion.py on Fashion-MNIST (Zalando SE, MIT)",
        licence="BSD-3-Clause",
    )


def fold_norm(norm: torch.nn.BatchNorm2d, unit: float, bound: int) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds, int32 (O, 3) ascending, and which outputs have their weights negated, (O,)."""
    gain, bias, mean, variance = (
        t.detach().numpy().astype(np.float64)
        for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    levels = (np.arange(ACT_LEVELS) + 0.5) / ACT_LEVELS
    safe_gain = np.where(gain == 0, 1, gain)[:, None]
    sigma = np.sqrt(variance + norm.eps)[:, None]
    sums = ((levels - bias[:, None]) * sigma / safe_gain + mean[:, None]) / unit
    negative = gain < 0
    exact = np.where(negative[:, None], -sums, sums)
    constant = np.where(bias[:, None] >= levels, -bound, bound + 1)
    exact = np.where(gain[:, None] == 0, constant, exact)
    thresholds = np.ceil(exact).clip(-bound, bound + 1).astype(np.int32)
    return np.sort(thresholds, axis=1), negative


def export_samples(images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """The first picture of each class as PNG, named after its class."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for label in range(SAMPLES):
        index = int(np.flatnonzero(labels == label)[0])
        name = CLASSES[label].lower().replace(" ", "-")
        Image.fromarray(images[index]).save(folder / f"{name}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: python scripts/export_fashion.py build/train/fashion.pt params",
    )
    parser.add_argument("checkpoint", type=Path, help="file that train_fashion.py wrote")
    parser.add_argument("params", type=Path, help="directory that gets networks/ and samples/")
    parser.add_argument("--dataset", type=Path, default=DATASET, help=f"IDX files ({DATASET})")
    args = parser.parse_args()

    model = FashionCnv()
    model.load_state_dict(torch.load(args.checkpoint, weights_only=True))
    model.eval()
    network = fold(model)
    directory = args.params / "networks" / network.name
    directory.mkdir(parents=True, exist_ok=True)
    store.save(network, directory)

    x, y = load_split(args.dataset, "t10k")
    labels = y.numpy()
    images = np.rint(x[:, 0].numpy() * 255).astype(np.uint8)
    export_samples(images, labels, args.params / "samples")
    with torch.no_grad():
        trained = torch.cat([model(part).argmax(1) for part in x.split(500)]).numpy()
    _, session = open_session("cpu", network)
    exported = session.run(images[..., None]).reshape(len(images), -1).argmax(axis=1)
    print(f"wrote {directory}")
    print(f"decisions equal to the trained model's: {(trained == exported).sum()} of {len(y)}")
    print(f"right: {(exported == labels).sum()} of {len(y)}")


if __name__ == "__main__":
    main()
