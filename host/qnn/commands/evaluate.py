# SPDX-License-Identifier: BSD-3-Clause
"""qnn eval: accuracy on labelled pictures."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from qnn.commands import clusters, options
from qnn.commands.progress import Bar
from qnn.commands.report import Report
from qnn.errors import QnnError
from qnn.measure.evaluate import (
    TOP,
    Answer,
    Pictures,
    Tally,
    check,
    count,
    tallied,
    tallies,
)
from qnn.model import Model, check_task
from qnn.network import Network
from qnn.pictures import dataset, folder
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
        help="a directory with one folder of pictures a class, named like the class or its number; "
        "or with a CSV file of pictures and classes, or that file; a directory with MNIST's file "
        "names (t10k-images-idx3-ubyte[.gz] and labels), a CIFAR-10 .bin file, or an .npz with "
        '"images" (uint8 NxHxW or NxHxWx3) and "labels"; the last two also through a pipe, - for '
        "standard input",
    )
    options.add_model(parser)
    options.add_cluster(parser)
    options.add_json(parser)
    parser.add_argument("--save", metavar="PNG", type=Path, help="draw the confusion matrix")
    parser.add_argument(
        "--wrong", metavar="CSV", type=Path, help="list the pictures taken for another class"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    network = library.find(args.model)
    pictures = _pictures(args, network)
    check(network, pictures)
    options.check_cluster(args)
    report = Report("evaluated", count(pictures))
    ran: dict[str, Any] = {"backend": None}
    tally = Tally.of(network)
    with (
        report.keeping(),
        Bar(f"evaluating {network.name}", "pictures") as bar,
        _tallies(args, network, pictures, report, bar, ran) as found,
    ):
        for tally in found:
            report.done = int(tally.confusion.sum())
            bar.update(report.done, report.total)
    if args.save and report.done:
        from qnn.pictures import draw

        with report.keeping():
            options.save_picture(draw.confusion(tally.confusion, network.classes), args.save)
    if args.wrong and report.done:
        with report.keeping():
            options.save_text(_table(tally.wrong, network.classes), args.wrong)
    if args.json:
        document = {
            "model": network.name,
            **ran,
            "correct": int(tally.confusion.trace()),
            "top5": tally.in_top,
            "total": report.done,
            "confusion": tally.confusion.tolist(),
        }
        options.print_json(document | report.document())
    elif report.done:
        print(*_lines(tally, network.classes), sep="\n")
        print(f"\nmodel {network.name} on {clusters.what(ran)}")
    return report.close()


@contextmanager
def _tallies(
    args: argparse.Namespace,
    network: Network,
    pictures: Pictures,
    report: Report,
    bar: Bar,
    ran: dict[str, Any],
) -> Iterator[Iterator[Tally]]:
    """Tallies of the pictures, by this machine or by a cluster; `ran` is what that was."""

    def skip(name: str, error: QnnError) -> None:
        bar.clear()
        report.fail(name, error)

    keep_wrong = args.wrong is not None
    if args.cluster is None:
        with Model(network, args.backend, options.settings(args, network)) as model:
            ran["backend"] = model.backend
            yield tallies(model, pictures, skip, keep_wrong)
        return
    with clusters.opened(args.cluster, network, bar, ran) as cluster:
        found = clusters.answers(cluster, pictures, skip)
        with closing(found):
            yield tallied(network, found, keep_wrong)


def _pictures(args: argparse.Namespace, network: Network) -> Pictures:
    """What is to be looked at, and nothing that will be written is among it."""
    targets = [path for path in (args.save, args.wrong) if path]
    if args.save and args.wrong and args.save.absolute() == args.wrong.absolute():
        raise QnnError(f"{args.save} cannot be both a picture and a table: give --wrong another")
    options.check_targets(targets, [args.dataset])
    if not folder.is_folder(args.dataset):
        return dataset.read(args.dataset)
    check_task(network, "classify")
    pictures = folder.read(args.dataset, network.classes)
    options.check_targets(targets, [one.path for one in pictures])
    return pictures


def _lines(tally: Tally, classes: Sequence[str]) -> list[str]:
    counts = tally.confusion
    correct, done = int(counts.trace()), int(counts.sum())
    found = [f"{'class':<16}{'right':>8}{'of':>8}"]
    for name, row, right in zip(classes, counts, counts.diagonal(), strict=True):
        if row.sum():
            found.append(f"{name[:15]:<16}{right:>8}{row.sum():>8}{right / row.sum():>9.2%}")
    found.append(f"{'all':<16}{correct:>8}{done:>8}{correct / done:>9.2%}")
    if len(classes) > TOP:
        name = f"among the top {TOP}"
        found.append(f"{name:<16}{tally.in_top:>8}{done:>8}{tally.in_top / done:>9.2%}")
    return found


def _table(wrong: Sequence[Answer], classes: Sequence[str]) -> str:
    """A CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", "decision", "probability", "rank"])
    for one in wrong:
        label, decision = classes[one.label], classes[one.decision]
        writer.writerow([one.image, label, decision, f"{one.probability:.6f}", one.rank])
    return text.getvalue()
