# SPDX-License-Identifier: BSD-3-Clause
"""qnn params: fetch, import and describe the parameters of networks."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from qnn import store
from qnn.commands import options, places
from qnn.commands.check import check
from qnn.commands.progress import Bar
from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import place_network
from qnn.errors import QnnError
from qnn.importers import IMPORTERS, INPUTS, import_network
from qnn.measure import forecast
from qnn.network import Conv, Dense, FloatConv, Floats, Layer, Network, describe
from qnn.network.layer import KINDS
from qnn.store import library
from qnn.store.sources import SOURCES, Source


def add_parser(commands: options.Commands) -> None:
    params = options.add_command(
        commands,
        "params",
        "Fetch, import and describe the parameters of networks.",
        "qnn params fetch cnv-w1a1",
    )
    verbs = params.add_subparsers(metavar="VERB", required=True)

    parser = options.add_command(
        verbs,
        "fetch",
        "Download a trained network of others, check every file, and install it for this user.",
        "qnn params fetch dorefanet",
    )
    parser.add_argument("name", metavar="NAME", help=", ".join(SOURCES))
    parser.add_argument(
        "--mirror",
        metavar="DIR",
        type=Path,
        help="take the files from this local copy of the repository, with the same checks",
    )
    parser.set_defaults(run=run_fetch)

    parser = options.add_command(
        verbs,
        "import",
        "Install a network from files in the format of others.",
        "qnn params import bnn-pynq road-signs/cnvW1A1 --name road-signs",
    )
    parser.add_argument(
        "format", metavar="FORMAT", nargs="?", help=f"{', '.join(IMPORTERS)} (of --check: qonnx)"
    )
    parser.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        type=Path,
        help="qnn-mo: the layer JSON; bnn-pynq: the directory; qonnx: the .onnx file",
    )
    parser.add_argument("--name", metavar="NAME", help="what to call it")
    parser.add_argument(
        "--check",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="install nothing; print a table of files: layers, cycles and where each runs, or why "
        "a file is refused",
    )
    options.add_json(parser)
    parser.add_argument(
        "--input",
        choices=INPUTS,
        help="qonnx: what goes in (default: what the file says; it is printed)",
    )
    parser.set_defaults(run=run_import, wrong_usage=parser.error)

    parser = options.add_command(
        verbs, "info", "Describe a network layer by layer.", "qnn params info fashion-cnv"
    )
    parser.add_argument("name", metavar="NAME", help="a name from `qnn models`, or a directory")
    options.add_json(parser)
    parser.set_defaults(run=run_info)

    parser = options.add_command(
        verbs, "remove", "Remove an installed network and its files.", "qnn params remove cnv-w1a1"
    )
    parser.add_argument("name", metavar="NAME", help="a name from `qnn models`")
    parser.set_defaults(run=run_remove)


def run_fetch(args: argparse.Namespace) -> None:
    source = SOURCES.get(args.name)
    if source is None:
        raise QnnError(f"nothing called {args.name!r} can be fetched; known: {', '.join(SOURCES)}")
    directory, network = fetch(source, args.mirror)
    _report(network, directory)


def fetch(source: Source, mirror: Path | None, base_url: str | None = None) -> tuple[Path, Network]:
    """Gathers, checks, imports and installs a source.

    Args:
        base_url: of the public repositories; None: where they are.

    Returns:
        The directory of the installed network, and the network.

    Raises:
        QnnError: a file is missing or altered, or the disk is full; nothing is left behind.
    """
    from qnn.store.fetch import UPSTREAM, collect

    target = library.models_directory() / source.name
    with (
        library.installing(source.name),
        library.replacing(target) as partial,
        Bar(f"fetching {source.name}", "files") as bar,
    ):
        originals = partial / library.ORIGINALS
        originals.mkdir()
        collect(
            source, originals, mirror=mirror, base_url=base_url or UPSTREAM, progress=bar.update
        )
        network = replace(
            import_network(source.importer, originals / source.root, source.name),
            title=source.title,
            source=f"https://github.com/{source.repository} at {source.commit}",
            licence=source.licence,
        )
        store.save(network, partial)
    return target, network


def run_import(args: argparse.Namespace) -> int:
    if args.check is not None:
        if args.path is not None or args.name is not None:
            raise QnnError("--check installs nothing: give it files, and neither PATH nor --name")
        return check(args.format or "qonnx", args.check, args.input, args.json)
    if args.format is None or args.path is None or args.name is None:
        args.wrong_usage("an import wants FORMAT, PATH and --name NAME, or --check FILE...")
    if args.json:
        raise QnnError("--json belongs to --check here; of a network: qnn params info NAME --json")
    library.check_installable(args.name)
    network = import_network(args.format, args.path, args.name, args.input)
    directory = library.install(network)
    _report(network, directory)
    return 0


def _report(network: Network, directory: Path) -> None:
    print(f"installed {network.name} in {directory}")
    if network.reads:
        print(f"input: {network.reads}")
    for sentence in network.missing:
        print(f"incomplete: {sentence}")
    for sentence in network.notes:
        print(f"note: {sentence}")


def run_remove(args: argparse.Namespace) -> None:
    library.remove(args.name)
    print(f"removed {args.name}")


def run_info(args: argparse.Namespace) -> None:
    network = library.find(args.name)
    if args.json:
        options.print_json(_document(network))
        return
    print(f"{network.name}: {network.title}")
    print(f"{len(network.classes)} classes, {network.macs / 1e6:.1f} M products in the layers")
    for label, text in (("source", network.source), ("licence", network.licence)):
        if text:
            print(f"{label}: {text}")
    print(
        f"\n{'layer':<10}{'input':>13}{'bits':>5}{'kernel':>8}{'stride':>7}{'groups':>7}"
        f"{'weights':>12}{'pool':>7}{'output':>13}{'M products':>12}{'cycles':>11}  where"
    )
    found = place_network(network, Capabilities())
    cycles = forecast.layer_cycles(network, found, Capabilities())
    for layer, one, own in zip(network.layers, found, cycles, strict=True):
        cells = _cells(layer)
        print(
            f"{layer.name:<10}{describe(layer.in_shape):>13}{layer.in_bits or 'float':>5}"
            f"{cells['kernel']:>8}{cells['stride']:>7}{cells['groups']:>7}{cells['weights']:>12}"
            f"{cells['pool']:>7}{describe(layer.out_shape):>13}{layer.macs / 1e6:>12.2f}"
            f"{'' if own is None else f'{own:,}':>11}  {one.where}"
        )
    for name, reads in network.inputs.items():
        print(f"{name} reads {', '.join(read or 'what goes in' for read in reads)}")
    for head in network.heads:
        print(f"output {head.name} is what {head.layer} gives")
    print("\non a PYNQ-Z1, with the cycles of one picture as they are estimated:")
    for sentence in places.sentences(network.layers, found):
        print(sentence)
    if network.reads:
        print(f"\ninput: {network.reads}")
    for sentence in network.missing:
        print(f"\nincomplete: {sentence}")
    for sentence in network.notes:
        print(f"\nnote: {sentence}")


def _cells(layer: Layer) -> dict[str, str]:
    """What a row says of the kind of a layer."""
    cells = dict.fromkeys(("kernel", "stride", "groups", "weights", "pool"), "")
    if isinstance(layer, Conv):
        planes, pool = len(layer.coefficients), layer.pool
        return {
            "kernel": describe(layer.kernel),
            "stride": str(layer.stride) if layer.across is None else describe(layer.strides),
            "groups": str(layer.groups),
            "weights": f"{layer.weight.size // planes}" + (f" x{planes}" if planes > 1 else ""),
            "pool": "" if pool is None else f"{pool.size}/{pool.stride}",
        }
    if isinstance(layer, FloatConv):
        kernel = describe(layer.weight.shape[1:3])
        return cells | {
            "kernel": kernel,
            "stride": str(layer.stride),
            "weights": str(layer.weight.size),
        }
    if isinstance(layer, Floats):
        return cells | {
            "kernel": describe(layer.kernel),
            "stride": describe(layer.strides),
            "groups": str(layer.groups),
            "weights": str(0 if layer.weight is None else layer.weight.size),
        }
    if isinstance(layer, Dense):
        return cells | {"weights": str(layer.inputs * layer.out_shape[2])}
    return cells


def _document(network: Network) -> dict[str, object]:
    placed = place_network(network, Capabilities())
    found = places.documents(network.layers, placed)
    cycles = forecast.layer_cycles(network, placed, Capabilities())
    return {
        "name": network.name,
        "title": network.title,
        "task": network.task,
        "classes": list(network.classes),
        "source": network.source,
        "licence": network.licence,
        "missing": list(network.missing),
        "notes": list(network.notes),
        "reads": network.reads,
        "macs": network.macs,
        **({"outputs": {head.name: head.layer for head in network.heads}} if network.heads else {}),
        "layers": [
            {**_facts(layer), **one, "cycles": own}
            | ({"reads": list(network.inputs[layer.name])} if layer.name in network.inputs else {})
            for layer, one, own in zip(network.layers, found, cycles, strict=True)
        ],
    }


def _facts(layer: Layer) -> dict[str, object]:
    facts: dict[str, object] = {
        "layer": layer.name,
        "kind": KINDS[type(layer)],
        "input": list(layer.in_shape),
        "input_bits": layer.in_bits,
        "output": list(layer.out_shape),
        "output_bits": layer.out_bits,
        "macs": layer.macs,
    }
    if isinstance(layer, Conv):
        facts |= {
            "kernel": list(layer.kernel),
            "groups": layer.groups,
            "weight_planes": list(layer.coefficients),
        }
    elif isinstance(layer, FloatConv):
        facts["kernel"] = list(layer.weight.shape[1:3])
    return facts
