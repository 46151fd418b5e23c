# SPDX-License-Identifier: BSD-3-Clause
"""qnn classify: the most probable classes of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from qnn import draw, library
from qnn.commands import options
from qnn.model import Model
from qnn.picture import Picture


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
    with Model(library.find(args.model), args.backend) as model:
        results = [model.classify(image, args.top) for image in args.images]
        backend = model.backend
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
        options.print_json(
            {
                "model": model.network.name,
                "backend": backend,
                "results": [
                    {
                        "image": result.image,
                        "classes": [
                            {"index": c.index, "name": c.name, "probability": c.probability}
                            for c in result.classes
                        ],
                        "times_us": result.times_us,
                    }
                    for result in results
                ],
            }
        )
        return
    for result in results:
        print(result.image)
        for one in result.classes:
            print(f"  {one.probability:7.2%}  {one.name}")
    options.print_times(model.network.name, backend, [result.times_us for result in results])
