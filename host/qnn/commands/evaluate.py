# SPDX-License-Identifier: BSD-3-Clause
"""qnn eval: accuracy on labelled pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qnn.commands import options
from qnn.commands.progress import Bar
from qnn.commands.report import Report
from qnn.measure.evaluate import check, tallies
from qnn.model import Model
from qnn.pictures import dataset, draw
from qnn.store import library


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
        help="a directory with MNIST's file names (t10k-images-idx3-ubyte[.gz] and labels), a "
        'CIFAR-10 .bin file, or an .npz with "images" (uint8 NxHxW or NxHxWx3) and "labels"; the '
        "last two also through a pipe, - for standard input",
    )
    options.add_model(parser)
    options.add_json(parser)
    parser.add_argument("--save", metavar="PNG", type=Path, help="draw the confusion matrix")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    network = library.find(args.model)
    options.check_targets([args.save] if args.save else [], [args.dataset])
    labelled = dataset.read(args.dataset)
    check(network, labelled)
    report = Report("evaluated", len(labelled.labels))
    backend = None
    counts: NDArray[np.int64] = np.zeros((len(network.classes),) * 2, dtype=np.int64)
    with (
        report.keeping(),
        Bar(f"evaluating {network.name}", "pictures") as bar,
        Model(network, args.backend, options.settings(args, network)) as model,
    ):
        backend = model.backend
        for counts in tallies(model, labelled):
            report.done = int(counts.sum())
            bar.update(report.done, report.total)
    correct = int(counts.trace())
    if args.save:
        with report.keeping():
            options.save_picture(draw.confusion(counts, network.classes), args.save)
    if args.json:
        document = {
            "model": network.name,
            "backend": backend,
            "correct": correct,
            "total": report.done,
            "confusion": counts.tolist(),
        }
        options.print_json(document | report.document())
        return report.close()
    print(f"{'class':<16}{'right':>8}{'of':>8}{'':>9}")
    for name, row, right in zip(network.classes, counts, counts.diagonal(), strict=True):
        if row.sum():
            print(f"{name[:15]:<16}{right:>8}{row.sum():>8}{right / row.sum():>9.2%}")
    print(f"{'all':<16}{correct:>8}{report.done:>8}{correct / report.done:>9.2%}")
    print(f"\nmodel {network.name} on {backend}")
    return report.close()
