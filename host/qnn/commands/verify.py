# SPDX-License-Identifier: BSD-3-Clause
"""qnn verify: a backend against the golden model, layer by layer."""

from __future__ import annotations

import argparse

from qnn.commands import options
from qnn.commands.progress import Bar
from qnn.measure.verify import Row, compare
from qnn.network import describe
from qnn.pictures import pipe
from qnn.pictures.picture import check_readable


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "verify",
        "Compare every value of every layer with the golden model; exit status 1 if any differs.",
        "qnn verify --model dorefanet --input input.bin",
    )
    options.add_model(parser)
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="a picture, or packed activation codes as in QNN-MO-PYNQ's input.bin, in a file or "
        "through a pipe, - for standard input (default: a random picture, always the same)",
    )
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.input is not None and not pipe.is_pipe(args.input):
        check_readable(args.input)
    rows: list[Row] = []
    with (
        options.open_model(args) as model,
        Bar(f"verifying {args.model}", "layers") as bar,
    ):
        for row in compare(model, args.input, bar.update):
            if not args.json:
                bar.clear()
                if not rows:
                    print(f"{'layer':<14}{'shape':>13}{'mismatches':>12}  sha256")
                shape = describe(row.shape)
                print(f"{row.layer:<14}{shape:>13}{row.mismatches:>12}  {row.sha256}", flush=True)
            rows.append(row)
    mismatches = sum(row.mismatches for row in rows)
    if args.json:
        options.print_json(
            {
                "model": model.network.name,
                "backend": model.backend,
                "layers": [
                    {
                        "layer": row.layer,
                        "shape": list(row.shape),
                        "sha256": row.sha256,
                        "mismatches": row.mismatches,
                    }
                    for row in rows
                ],
                "mismatches": mismatches,
            }
        )
    else:
        verdict = "equal to the golden model" if not mismatches else f"{mismatches} values differ"
        print(f"\nmodel {model.network.name} on {model.backend}: {verdict}")
    return 1 if mismatches else 0
