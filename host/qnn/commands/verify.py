# SPDX-License-Identifier: BSD-3-Clause
"""qnn verify: a backend against the golden model, layer by layer."""

from __future__ import annotations

import argparse

from qnn.commands import options
from qnn.commands.progress import Bar
from qnn.measure.verify import verify
from qnn.network import describe


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
        help="a picture, or packed activation codes as in QNN-MO-PYNQ's input.bin (default: a "
        "random picture, always the same)",
    )
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with (
        options.open_model(args) as model,
        Bar(f"verifying {args.model}", "layers") as bar,
    ):
        rows = verify(model, args.input, bar.update)
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
        print(f"{'layer':<14}{'shape':>13}{'mismatches':>12}  sha256")
        for row in rows:
            print(f"{row.layer:<14}{describe(row.shape):>13}{row.mismatches:>12}  {row.sha256}")
        verdict = "equal to the golden model" if not mismatches else f"{mismatches} values differ"
        print(f"\nmodel {model.network.name} on {model.backend}: {verdict}")
    return 1 if mismatches else 0
