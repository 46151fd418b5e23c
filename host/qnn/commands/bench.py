# SPDX-License-Identifier: BSD-3-Clause
"""qnn bench: speed of each stage."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from qnn.commands import options, places, stages
from qnn.commands.progress import Bar
from qnn.errors import QnnError
from qnn.measure.bench import PUBLISHED_ALL_MS, PUBLISHED_MS, Flow, Row, bench
from qnn.measure.random_dorefanet import completed, random_dorefanet
from qnn.measure.stages import stages as measure_stages
from qnn.network import Network
from qnn.store import library


def add_parser(commands: options.Commands) -> None:
    parser = options.add_command(
        commands,
        "bench",
        "Time each stage beside straightforward numpy (fancy-index im2col, float64) in one run.",
        "qnn bench --model dorefanet --backend sim --json",
    )
    options.add_model(parser, default="dorefanet")
    parser.add_argument(
        "--repeat", metavar="N", type=options.positive, default=7, help="runs of each stage (7)"
    )
    parser.add_argument(
        "--stages",
        action="store_true",
        help="instead time what is around the layers beside Pillow's own open and resize (decode: "
        "opening, scaling, quantising), and tell the memory and the start of a process",
    )
    parser.add_argument(
        "--picture", metavar="IMAGE", type=Path, help="for --stages (a JPEG of noise)"
    )
    options.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    network, remarks = _network(args.model)
    if args.stages:
        _run_stages(args, network, remarks)
        return
    if args.picture is not None:
        raise QnnError("--picture goes with --stages")
    published = PUBLISHED_MS if args.model == "dorefanet" else {}
    with Bar(f"timing {network.name}", "cycles") as bar:
        bar.update(0, 1)
        settings = options.settings(args, network, bar.update)
        report = bench(network, args.backend, args.repeat, settings)
    rows = report.rows
    machine = _machine()
    all_ms, flow = sum(row.ms for row in rows), report.flow
    kinds = " and ".join(sorted({row.kind for row in rows}))
    if args.json:
        options.print_json(
            {
                "model": network.name,
                "backend": report.backend,
                "remarks": remarks,
                "machine": machine,
                "layers": places.documents(network.layers, report.places),
                "rows": [_document(row, published) for row in rows],
                "all": {
                    "ms": all_ms,
                    "kind": kinds,
                    "published_ms": PUBLISHED_ALL_MS if published else None,
                },
                "flow": {
                    "host_ms": flow.host_ms,
                    "accelerator_ms": flow.accelerator_ms,
                    "pictures_per_s": flow.pictures_per_s,
                    "kind": flow.kind,
                    "critical": flow.critical,
                },
            }
        )
        return
    beside_cpu = any(row.cpu_ms is not None for row in rows)
    print(_line(_HEADINGS, beside_cpu, bool(published)))
    for row in rows:
        print(_line(_cells(row, published.get(row.stage)), beside_cpu, bool(published)))
    whole = {"stage": "all", "ms": f"{all_ms:.2f}", "published": f"{PUBLISHED_ALL_MS:.2f}"}
    print(_line(whole, beside_cpu, bool(published)))
    print()
    print(_flow(flow))
    for sentence in places.sentences(network.layers, report.places):
        print(sentence)
    print(_about(network, report.backend, args.repeat, machine))
    for row in rows:
        if row.simulated and row.cycles is not None:
            print(
                f"{row.stage}: modelled, {row.cycles:,} simulated cycles at "
                f"{row.cycles / row.ms / 1e3:g} MHz"
            )
    for seconds in [row.simulation_s for row in rows if row.simulation_s is not None]:
        print(f"simulating a picture took {seconds:.1f} s")
    if published:
        print("published: measured by a blog post on its Zynq board, another processor than this")
        if any(row.stage == "fully_connected" for row in rows):
            print("published last_layers: fully_connected and last_layers together")
    for remark in remarks:
        print(remark)


def _run_stages(args: argparse.Namespace, network: Network, remarks: list[str]) -> None:
    with Bar(f"timing {network.name}", "cycles") as bar:
        settings = options.settings(args, network, bar.update)
        report = measure_stages(network, args.backend, args.repeat, settings, args.picture)
    machine = _machine()
    if args.json:
        about = {"model": network.name, "backend": report.backend, "remarks": remarks}
        options.print_json(about | {"machine": machine} | stages.document(report))
        return
    print(*stages.lines(report, network.task), sep="\n")
    print(_about(network, report.backend, args.repeat, machine))
    print(*remarks, sep="\n", end="\n" if remarks else "")


def _machine() -> dict[str, Any]:
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "numpy": np.__version__}


def _about(network: Network, backend: str, repeat: int, machine: dict[str, Any]) -> str:
    return (
        f"\nmodel {network.name} on {backend}, medians of {repeat}, measured on this machine; "
        f"{machine['cpus']} CPUs ({machine['machine']}), numpy {machine['numpy']}"
    )


_HEADINGS = {
    "stage": "stage", "where": "where", "macs": "products", "ms": "ms", "kind": "",
    "cpu": "on cpu, ms", "baseline": "baseline ms", "ratio": "ratio", "published": "published ms",
}  # fmt: skip


def _cells(row: Row, published_ms: float | None) -> dict[str, str]:
    """The line of a stage."""
    times = {"cpu": row.cpu_ms, "baseline": row.baseline_ms, "published": published_ms}
    return {
        "stage": row.stage,
        "where": row.where,
        "macs": f"{row.macs:,}" if row.macs else "",
        "ms": f"{row.ms:.2f}",
        "kind": row.kind,
        "ratio": "" if row.ratio is None else f"{row.ratio:.1f}x",
        **{name: "" if ms is None else f"{ms:.2f}" for name, ms in times.items()},
    }


def _line(cells: dict[str, str], beside_cpu: bool, published: bool) -> str:
    """A line of the table."""
    cell = dict.fromkeys(_HEADINGS, "") | cells
    line = f"{cell['stage']:<16}{cell['where']:<12}{cell['macs']:>14}{cell['ms']:>10}"
    line += f"  {cell['kind']:<9}"
    line += f"{cell['cpu']:>12}" if beside_cpu else ""
    line += f"{cell['baseline']:>13}{cell['ratio']:>8}"
    line += f"{cell['published']:>14}" if published else ""
    return line.rstrip()


def _flow(flow: Flow) -> str:
    """How many pictures go through, and what holds them up."""
    text = (
        f"picture after picture: {flow.pictures_per_s:.1f} a second, {flow.kind}; a picture takes"
    )
    text += f" the host {flow.host_ms:.2f} ms"
    if flow.accelerator_ms is None:
        return text
    return (
        f"{text} and the accelerator {flow.accelerator_ms:.2f} ms, at the same time: the "
        f"{flow.critical} is on the critical path"
    )


def _document(row: Row, published: dict[str, float]) -> dict[str, object]:
    document: dict[str, object] = {
        "stage": row.stage,
        "ms": row.ms,
        "kind": row.kind,
        "baseline_ms": row.baseline_ms,
        "ratio": row.ratio,
        "published_ms": published.get(row.stage),
        "where": row.where,
        "products": row.macs,
        "cpu_ms": row.cpu_ms,
    }
    if row.cycles is not None:
        document["cycles"] = row.cycles
        document["cycles_kind"] = "simulated" if row.simulated else "measured"
    if row.simulation_s is not None:
        document["simulation_s"] = row.simulation_s
    return document


def _network(name: str) -> tuple[Network, list[str]]:
    """The network to time; what of DoReFa-Net is not installed is replaced by random numbers."""
    if name != "dorefanet":
        return library.find(name), []
    if all(entry.name != name or entry.directory is None for entry in library.list_models()):
        return random_dorefanet(), [
            "dorefanet is not installed: random parameters of its shapes, the same work"
        ]
    network = library.find(name)
    if network.result is None:
        return completed(network), [
            "its fully connected layers are not installed: random ones of their shapes, the same "
            "work"
        ]
    return network, []
