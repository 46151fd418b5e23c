# SPDX-License-Identifier: BSD-3-Clause
"""qnn bench: speed of each stage."""

from __future__ import annotations

import argparse
import os
import platform
from dataclasses import replace

import numpy as np

from qnn import library
from qnn.bench import bench, random_dense_chain, random_dorefanet
from qnn.commands import options
from qnn.network import Network
from qnn.progress import Bar


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "bench",
        "Time each stage beside straightforward numpy (fancy-index im2col, float64) in one run.",
        "qnn bench --model dorefanet --json",
    )
    options.add_model(parser, default="dorefanet")
    parser.add_argument(
        "--repeat", metavar="N", type=options.positive, default=7, help="runs of each stage (7)"
    )
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    network, remarks = _network(args.model)
    with Bar(f"timing {network.name}", "networks") as bar:
        bar.update(0, 1)
        backend, rows = bench(network, args.backend, args.repeat)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "numpy": np.__version__}
    if args.json:
        options.print_json(
            {
                "model": network.name,
                "backend": backend,
                "remarks": remarks,
                "machine": machine,
                "rows": [
                    {
                        "stage": row.stage,
                        "ms": row.ms,
                        "baseline_ms": row.baseline_ms,
                        "ratio": row.ratio,
                    }
                    for row in rows
                ],
            }
        )
        return
    print(f"{'stage':<14}{'ms':>10}{'baseline ms':>13}{'ratio':>8}")
    for row in rows:
        text = f"{row.stage:<14}{row.ms:>10.2f}"
        if row.baseline_ms is not None:
            text += f"{row.baseline_ms:>13.2f}{row.ratio:>7.1f}x"
        print(text)
    print(
        f"\nmodel {network.name} on {backend}, medians of {args.repeat}; "
        f"{machine['cpus']} CPUs ({machine['machine']}), numpy {machine['numpy']}"
    )
    for remark in remarks:
        print(remark)


def _network(name: str) -> tuple[Network, list[str]]:
    """The network to time; what of DoReFa-Net is not installed is replaced by random numbers."""
    installed = {entry.name for entry in library.list_models() if entry.directory is not None}
    if name != "dorefanet":
        return library.find(name), []
    if name not in installed:
        return random_dorefanet(), [
            "dorefanet is not installed: random parameters of its shapes, the same work"
        ]
    network = library.find(name)
    if network.last is None:
        classes = tuple(f"class {i}" for i in range(1000))
        network = replace(network, last=random_dense_chain(), classes=classes)
        return network, [
            "its fully connected layers are not installed: random ones of their shapes, the same "
            "work"
        ]
    return network, []
