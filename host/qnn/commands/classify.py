# SPDX-License-Identifier: BSD-3-Clause
"""qnn classify: the most probable classes of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from qnn.commands import options
from qnn.commands.pictures import Pictures
from qnn.model import Classification, check_task
from qnn.pictures.picture import Picture, Source
from qnn.store import library

if TYPE_CHECKING:
    from qnn.pictures import draw


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "classify",
        "Say what pictures show.",
        "qnn classify shoe.png shirt.png --top 3 --save sheet.png",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help=options.IMAGES)
    options.add_model(parser)
    options.add_top(parser)
    options.add_cluster(parser)
    options.add_json(parser)
    parser.add_argument(
        "--save", metavar="PNG", type=Path, help="draw the pictures and their classes"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    network = check_task(library.find(args.model), "classify")
    options.check_cluster(args)
    args.images = options.expanded(args.images)
    options.check_targets([args.save] if args.save else [], args.images)
    entries: list[draw.Entry] = []
    pictures = Pictures[Classification](
        args,
        network,
        lambda model, sources, skip, ahead: model.classify_all(sources, args.top, skip, ahead),
        "classified",
        args.cluster,
    )

    def tell(result: Classification, source: Source) -> None:
        if not args.json:
            lines = [f"  {one.probability:7.2%}  {one.name}" for one in result.classes]
            print(result.image, *lines, sep="\n", flush=True)
        if args.save:
            with pictures.report.noting(result.image):
                entries.append(_entry(result, source))

    pictures.each(tell)
    if entries:
        from qnn.pictures import draw

        with pictures.report.keeping():
            options.save_picture(draw.label_sheet(entries), args.save)
    return pictures.close("classes", options.classes_document)


def _entry(result: Classification, source: Source) -> draw.Entry:
    """What the sheet shows of it; its pixels no larger than needed."""
    from qnn.pictures import draw

    pixels = draw.fitted(Picture.open(source).rgb(), draw.SHEET_SIDE)
    return Path(result.image).name, pixels, [(c.name, c.probability) for c in result.classes]
