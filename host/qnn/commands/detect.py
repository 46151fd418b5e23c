# SPDX-License-Identifier: BSD-3-Clause
"""qnn detect: objects in pictures and where they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from qnn.commands import options
from qnn.commands.pictures import Pictures
from qnn.errors import QnnError
from qnn.model import Detections, check_task
from qnn.pictures import draw
from qnn.pictures.picture import Picture, Source
from qnn.store import library


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "detect",
        "Find objects in pictures.",
        "qnn detect street.jpg --model tinier-yolo --save boxes.png",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help=options.IMAGES)
    options.add_model(parser, default="tinier-yolo")
    options.add_boxes(parser)
    options.add_json(parser)
    parser.add_argument(
        "--save",
        metavar="PNG",
        type=Path,
        help="draw the boxes; with several pictures, PNG gets their names appended",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    network = check_task(library.find(args.model), "detect")
    args.images = options.expanded(args.images)
    targets = _targets(args.save, args.images) if args.save else {}
    options.check_targets(list(targets.values()), args.images)
    pictures = Pictures[Detections](
        args,
        network,
        lambda model, sources, skip, ahead: model.detect_all(
            sources,
            threshold=args.threshold,
            feature_scale=args.feature_scale,
            skip=skip,
            ahead=ahead,
        ),
        "searched",
    )

    def tell(result: Detections, source: Source) -> None:
        if not args.json:
            print(result.image, *_lines(result), sep="\n", flush=True)
        if args.save:
            with pictures.report.noting(result.image):
                options.save_picture(_drawn(result, source), targets[result.image])

    pictures.each(tell)
    return pictures.close("objects", options.objects_document)


def _targets(path: Path, images: list[str]) -> dict[str, Path]:
    """Where to draw each picture: `path`, or for several `path` with the picture's name added."""
    options.check_name(path)
    if len(images) == 1:
        return {images[0]: path}
    images_of: dict[Path, str] = {}
    for image in images:
        target = path.with_name(f"{path.stem}-{Path(image).stem}{path.suffix}")
        if target in images_of:
            raise QnnError(
                f"{images_of[target]} and {image} have the same name and would both be drawn in "
                f"{target}: draw them one at a time"
            )
        images_of[target] = image
    return {image: target for target, image in images_of.items()}


def _drawn(result: Detections, source: Source) -> Image.Image:
    objects = [(o.name, o.probability, o.box) for o in result.objects]
    return draw.boxes(Picture.open(source).rgb(), objects)


def _lines(result: Detections) -> list[str]:
    lines = []
    for one in result.objects:
        left, top, right, bottom = one.box
        lines.append(
            f"  {one.probability:4.0%}  {one.name:<12} ({left}, {top}) - ({right}, {bottom})"
        )
    return lines or ["  nothing found"]
