# SPDX-License-Identifier: BSD-3-Clause
"""qnn models: what can be run here."""

from __future__ import annotations

import argparse
import sys

from qnn.commands import options, places
from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import Place, place_network
from qnn.network import Layer
from qnn.store import library


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "models",
        "List the networks: shipped, installed, and to be fetched; and where their layers run.",
        "qnn models",
    )
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    entries = library.list_models()
    if reason := library.unreadable():
        print(f"qnn: {reason}", file=sys.stderr)
    if args.json:
        options.print_json(
            {
                "models": [
                    {
                        "name": entry.name,
                        "title": entry.title,
                        "state": entry.state,
                        "directory": None if entry.directory is None else str(entry.directory),
                        "missing": list(entry.missing),
                        "layers": places.documents(*_placed(entry)),
                    }
                    for entry in entries
                ]
            }
        )
        return
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = entry.state + (", incomplete" if entry.missing else "")
        print(f"{entry.name:<{width}}  {state:<22}  {entry.title}")
        for sentence in entry.missing:
            print(f"{'':<{width}}  incomplete: {sentence}")
        for sentence in places.sentences(*_placed(entry)):
            print(f"{'':<{width}}  {sentence}")
    if any(entry.directory is None for entry in entries):
        print("\nqnn params fetch NAME installs one that is not")


def _placed(entry: library.Entry) -> tuple[tuple[Layer, ...], tuple[Place, ...]]:
    """Layers, and where they run if opened on the accelerator of a PYNQ-Z1."""
    if entry.network is None:
        return (), ()
    return entry.network.layers, place_network(entry.network, Capabilities())
