# SPDX-License-Identifier: BSD-3-Clause
"""qnn run: what a network makes of arrays of numbers."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qnn.backends.protocol import Maps
from qnn.commands import options
from qnn.commands.progress import Bar
from qnn.commands.report import Report
from qnn.errors import ArrayError
from qnn.model import Model, check_arrays, outputs_of
from qnn.network import ArrayInput, Network, describe
from qnn.network.result import FloatMap
from qnn.pictures import arrays, pipe
from qnn.store import library

ON_HOST = 64  # arrays run together where there is no accelerator

_Outputs: TypeAlias = "dict[str, NDArray[Any]]"  # of one array: by the name of an output


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "run",
        "Run a network on arrays of numbers, quantised by its own input quantiser.",
        "qnn run --model radio --input samples.npz --output scores.npz",
    )
    options.add_model(parser)
    parser.add_argument(
        "--input",
        metavar="FILE",
        nargs="+",
        required=True,
        help=".npy or .npz files, also pipes, and - for standard input; an array as the network's "
        "source has it, or a batch of them",
    )
    parser.add_argument(
        "--output",
        metavar="NPZ",
        type=Path,
        help="write the scores, or maps, of each array read under its name, of several outputs "
        "under name:output; what could not be run is not a number there",
    )
    parser.add_argument(
        "--top", metavar="K", type=options.positive, default=5, help="classes to tell of (5)"
    )
    options.add_json(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _Item:
    """One array of a batch; `told` is its name for people."""

    told: str
    name: str
    number: int


class _Arrays:
    """All arrays of a command line: read, checked, and what became of them."""

    def __init__(self, args: argparse.Namespace, array: ArrayInput) -> None:
        self._args, self._array = args, array
        self.report = Report("ran", 0, "array", "arrays")
        self.under_way: deque[list[_Item]] = deque()
        self.sizes: dict[str, int] = {}  # arrays in each input, by its name
        self.single: set[str] = set()  # those that are no batch

    def batches(self, names: list[str], size: int) -> Iterator[Maps]:
        """Maps of at most `size` arrays; what is in each lies in `under_way`."""
        for file in names:
            try:
                for name, found in arrays.read(file):
                    if isinstance(found, ArrayError):
                        self.fail(name, found)
                    else:
                        yield from self._of_input(file, name, found, size)
            except ArrayError as error:
                self.fail(file, error)

    def fail(self, told: str, error: ArrayError) -> None:
        """An input that cannot be read counts as one array."""
        self.report.total += 1
        self.report.fail(told, error)

    def _of_input(self, file: str, name: str, found: NDArray[Any], size: int) -> Iterator[Maps]:
        label = file if name == arrays.own_name(file) else f"{file}: {name}"
        if name in self.sizes:
            self.fail(label, ArrayError(f"{label}: another array is called {name}; rename it"))
            return
        single = found.ndim == len(self._array.shape)
        batch = found[None] if single else found
        if batch.shape[1:] != self._array.shape:
            wanted = describe(self._array.shape)
            self.fail(
                label,
                ArrayError(
                    f"{label}: an array of {describe(found.shape) or 'one number'}; the network "
                    f"reads {wanted}, or a batch Nx{wanted}"
                ),
            )
            return
        self.sizes[name] = len(batch)
        if single:
            self.single.add(name)
        self.report.total += len(batch)
        for first in range(0, len(batch), size):
            items, maps = [], []
            for number, one in enumerate(batch[first : first + size], start=first):
                told = label if single else f"{label}[{number}]"
                try:
                    maps.append(self._array.codes(one[None]))
                    items.append(_Item(told, name, number))
                except ArrayError as error:
                    self.report.fail(told, ArrayError(f"{told}: {error}"))
            if items:
                self.under_way.append(items)
                yield np.concatenate(maps)


def run(args: argparse.Namespace) -> int:
    network = library.find(args.model)
    array, _ = check_arrays(network)
    options.check_targets([args.output] if args.output else [], args.input)
    given = _Arrays(args, array)
    report, model = given.report, None
    found: dict[tuple[str, int], _Outputs] = {}
    documents: list[dict[str, Any]] = []
    names = [name for name in args.input if _is_readable(name, given)]
    with report.keeping(), Bar(f"running {network.name}", "arrays") as bar:
        if names:
            settings = options.settings(args, network)
            with Model(network, args.backend, settings) as model:
                size = model.batch if model.clock_mhz is not None else ON_HOST
                document, clock_mhz = options.what_ran(network, model)
                for offload in model.stream(given.batches(names, size)):
                    items = given.under_way.popleft()
                    outputs = outputs_of(network, offload)
                    for place, item in enumerate(items):
                        one = {name: values[place] for name, values in outputs.items()}
                        found[item.name, item.number] = one
                        bar.clear()
                        told = _document(item, one, network, args.top)
                        if offload.cycles is not None and clock_mhz is not None:
                            told["cycles"] = offload.cycles // len(items)
                            told["accelerator_ms"] = told["cycles"] / clock_mhz / 1e3
                        documents.append(told)
                        if not args.json:
                            _print(told)
                        report.done += 1
                        bar.update(report.done, report.total)
    if found and args.output:
        with report.keeping():
            options.save_arrays(_by_name(given, found), args.output)
    if args.json:
        document, _ = options.what_ran(network, model)
        options.print_json(document | {"results": documents} | report.document())
    return report.close()


def _is_readable(name: str, given: _Arrays) -> bool:
    if not pipe.is_pipe(name):
        try:
            arrays.check_readable(name)
        except ArrayError as error:
            given.fail(name, error)
            return False
    return True


def _document(item: _Item, outputs: _Outputs, network: Network, top: int) -> dict[str, Any]:
    """The first output as scores and classes, or values; all by name where there are several."""
    told: dict[str, Any] = {"array": item.told}
    values = outputs[network.output]
    if isinstance(network.result, FloatMap):
        told["values"] = values.tolist()
    else:
        order = np.argsort(-values, kind="stable")[:top]
        told["scores"] = values.tolist()
        told["classes"] = [
            {"index": int(i), "name": network.classes[i], "score": float(values[i])} for i in order
        ]
    if network.heads:
        told["outputs"] = {name: one.tolist() for name, one in outputs.items()}
    return told


def _print(told: dict[str, Any]) -> None:
    if "classes" in told:
        lines = [f"  {one['score']:12.6g}  {one['name']}" for one in told["classes"]]
        lines.insert(0, told["array"])
    else:
        lines = [f"{told['array']}: {_span(told['values'])}"]
    others = list(told.get("outputs", {}).items())[1:]
    lines += [f"  {name}: {_span(values)}" for name, values in others]
    print(*lines, sep="\n", flush=True)


def _span(values: Any) -> str:
    found = np.array(values)
    return f"{describe(found.shape)} values from {found.min():.6g} to {found.max():.6g}"


def _by_name(given: _Arrays, found: dict[tuple[str, int], _Outputs]) -> dict[str, NDArray[Any]]:
    """What came of each input, under its name; not a number where nothing did."""
    examples = next(iter(found.values()))
    arrays = {}
    for name, count in given.sizes.items():
        for output, example in examples.items():
            rows = np.full((count, *example.shape), np.nan, example.dtype)
            for number in range(count):
                if (name, number) in found:
                    rows[number] = found[name, number][output]
            key = name if len(examples) == 1 else f"{name}:{output}"
            arrays[key] = rows[0] if name in given.single else rows
    return arrays
