# SPDX-License-Identifier: BSD-3-Clause
"""qnn eval: accuracy on labelled pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from qnn.commands import options
from qnn.commands.progress import Bar
from qnn.measure.evaluate import confusion
from qnn.pictures import dataset, draw


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "eval",
        "Measure the accuracy of a model on labelled pictures.",
        "qnn eval --model fashion-cnv /usr/share/datasets/fashion-mnist --save confusion.png",
    )
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        type=Path,
        help="a directory with MNIST's file names (t10k-images-idx3-ubyte[.gz] and labels), a "
        'CIFAR-10 .bin file, or an .npz with "images" (uint8 NxHxW or NxHxWx3) and "labels"',
    )
    options.add_model(parser)
    options.add_json(parser)
    parser.add_argument("--save", metavar="PNG", type=Path, help="draw the confusion matrix")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    labelled = dataset.read(args.dataset)
    with (
        options.open_model(args, show_cycles=False) as model,
        Bar(f"evaluating {args.model}", "pictures") as bar,
    ):
        counts = confusion(model, labelled, bar.update)
        network, backend = model.network, model.backend
    correct, total = int(counts.trace()), int(counts.sum())
    if args.save:
        options.save_picture(draw.confusion(counts, network.classes), args.save)
    if args.json:
        options.print_json(
            {
                "model": network.name,
                "backend": backend,
                "correct": correct,
                "total": total,
                "confusion": counts.tolist(),
            }
        )
        return
    print(f"{'class':<16}{'right':>8}{'of':>8}{'':>9}")
    for name, row, right in zip(network.classes, counts, counts.diagonal(), strict=True):
        if row.sum():
            print(f"{name[:15]:<16}{right:>8}{row.sum():>8}{right / row.sum():>9.2%}")
    print(f"{'all':<16}{correct:>8}{total:>8}{correct / total:>9.2%}")
    print(f"\nmodel {network.name} on {backend}")
