# SPDX-License-Identifier: BSD-3-Clause
"""qnn classify: the most probable classes of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from qnn.commands import options
from qnn.pictures import draw
from qnn.pictures.picture import Picture


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "classify",
        "Say what pictures show.",
        "qnn classify shoe.png shirt.png --top 3 --save sheet.png",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="picture files")
    options.add_model(parser)
    parser.add_argument(
        "--top", metavar="K", type=options.positive, default=5, help="classes per picture (5)"
    )
    options.add_json(parser)
    parser.add_argument(
        "--save", metavar="PNG", type=Path, help="draw the pictures and their classes"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    with options.open_model(args) as model:
        results = list(model.classify_all(args.images, args.top))
    if args.save:
        entries = [
            (
                Path(result.image).name,
                Picture.open(result.image).rgb(),
                [(c.name, c.probability) for c in result.classes],
            )
            for result in results
        ]
        options.save_picture(draw.label_sheet(entries), args.save)
    if args.json:
        classes = [
            [{"index": c.index, "name": c.name, "probability": c.probability} for c in one.classes]
            for one in results
        ]
        options.print_results(model, results, "classes", classes)
        return
    for result in results:
        print(result.image)
        for one in result.classes:
            print(f"  {one.probability:7.2%}  {one.name}")
    options.print_times(model, results)
