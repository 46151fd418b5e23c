# SPDX-License-Identifier: BSD-3-Clause
"""qnn detect: objects in pictures and where they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from qnn.commands import options
from qnn.errors import QnnError
from qnn.network.result import FEATURE_SCALES
from qnn.pictures import draw
from qnn.pictures.picture import Picture


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "detect",
        "Find objects in pictures.",
        "qnn detect street.jpg --model tinier-yolo --save boxes.png",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="picture files")
    options.add_model(parser, default="tinier-yolo")
    parser.add_argument(
        "--threshold",
        metavar="P",
        type=options.fraction,
        default=0.3,
        help="least probability of an object (0.3)",
    )
    parser.add_argument(
        "--feature-scale",
        choices=tuple(FEATURE_SCALES),
        default="published",
        help="what the last layer of Tinier-YOLO is fed: its codes 0..7 as they are, as in the "
        "published results (default), or times 4/7, the values it was trained on: boxes fit "
        "better then, probabilities are lower",
    )
    options.add_json(parser)
    parser.add_argument(
        "--save",
        metavar="PNG",
        type=Path,
        help="draw the boxes; with several pictures, PNG gets their names appended",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    with options.open_model(args) as model:
        results = list(
            model.detect_all(
                args.images, threshold=args.threshold, feature_scale=args.feature_scale
            )
        )
    if args.save:
        for result, path in zip(results, _names(args.save, args.images), strict=True):
            drawn = [(o.name, o.probability, o.box) for o in result.objects]
            options.save_picture(draw.boxes(Picture.open(result.image).rgb(), drawn), path)
    if args.json:
        objects = [
            [
                {"class": o.name, "probability": o.probability, "box": list(o.box)}
                for o in one.objects
            ]
            for one in results
        ]
        options.print_results(model, results, "objects", objects)
        return
    for result in results:
        print(result.image)
        for one in result.objects:
            left, top, right, bottom = one.box
            print(f"  {one.probability:4.0%}  {one.name:<12} ({left}, {top}) - ({right}, {bottom})")
        if not result.objects:
            print("  nothing found")
    options.print_times(model, results)


def _names(path: Path, images: list[str]) -> list[Path]:
    """Where to draw each picture: `path`, or for several `path` with the picture's name added."""
    if len(images) == 1:
        return [path]
    names = [path.with_name(f"{path.stem}-{Path(image).stem}{path.suffix}") for image in images]
    if len(set(names)) < len(names):
        raise QnnError("two of the pictures have the same name; draw them one at a time")
    return names
