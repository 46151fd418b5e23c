# SPDX-License-Identifier: BSD-3-Clause
"""Cycles of whole networks on the RTL, per layer, with the memory of a board and an ideal one.

With --board they are those of its configuration, and pictures a second at its clock stand beside
those that FINN has published for that board. Prints a table and writes build/bench-rtl.json, for a
board other than the PYNQ-Z1 build/<board>/bench-rtl.json.

Ideal cycles are products x activation planes x weight planes / lanes. Networks with a float first
layer run once more as whole pictures, with all layers on the accelerator that it can take; the
others as batches of pictures, which share weights. Networks of the reference data are left out
where QNN_REFERENCE is not set. Fails where a value differs from what the network must give, or
where a target is missed.

    python scripts/bench_rtl.py [--board pynq-z1] [--waves FILE] [--against WHERE] [network ...]
"""

import argparse
import json
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path

from qnn.engine import estimate
from qnn.engine.control import CommandCycles
from qnn.engine.driver import Driver
from qnn.errors import DoesNotFitError, QnnError
from qnn_sim import (
    bench_against,
    boards,
    outputs,
    rtl_batches,
    rtl_build,
    rtl_cases,
    rtl_pictures,
    run_options,
    script,
)
from qnn_sim.platform import SimulatedBoard
from qnn_sim.regress import inputs
from qnn_sim.rtl_engine import IDEAL, PUBLISHED, MemoryModel

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {  # network -> most cycles with the published memory, and with resident weights
    "fashion-cnv": (10_500, 6_000),
    "dorefanet": (200_000, None),
    "tinier-yolo": (445_000, None),
    "cnv-w1a1": (22_000, 11_500),
    "cnv-w1a2": (25_000, None),
    "cnv-w2a2": (40_000, None),
}
KNOWN = tuple(dict.fromkeys((*rtl_cases.NAMES, *rtl_batches.NAMES)))
PICTURE_TARGETS = {"dorefanet": 1_950_000, "tinier-yolo": 1_150_000}  # cycles of a whole picture
FINN = {  # pictures a second of dataflow builds on a board, as Xilinx/finn #1499 publishes them
    "aup-zu3": {"cnv-w1a1": 5310.9, "cnv-w1a2": 3029.3, "cnv-w2a2": 3030.7},
}
MOST_ON_HOST = 0.01  # of the products of a whole picture
WAITS = ("wait_weights", "wait_input", "wait_output")


def by_layer(parts: tuple[int, ...], account: list[CommandCycles]) -> list[dict[str, int]]:
    """Accounts of the commands of each layer added up."""
    found, commands = [], iter(account)
    for part in parts:
        own = [next(commands) for _ in range(part)]
        found.append({k: sum(getattr(a, k) for a in own) for k in ("cycles", "busy", *WAITS)})
    return found


def measure(config: str, name: str, waves: Path | None, memory: MemoryModel = PUBLISHED) -> dict:
    case = rtl_cases.case(name, run_options.reference())
    result: dict = {}
    board = SimulatedBoard(config, model=memory, waves=waves)
    with Driver(board) as driver:
        caps = driver.capabilities
        driver.load(case.layers)
        begin = time.perf_counter()
        result["cycles"] = driver.run(case.codes).cycles
        result["seconds"] = round(time.perf_counter() - begin, 2)
        result["ideal_cycles"] = round(sum(estimate.ideal(layer, caps) for layer in case.layers))
        parts = driver.layout.program.parts
        published = by_layer(parts, driver.account())
        result["mismatches"] = case.mismatches(driver.map)
        if driver.status().resident:
            result["cycles_resident"] = driver.run(case.codes, resident=True).cycles
            result["mismatches"] += case.mismatches(driver.map)
        board.engine.model(IDEAL)
        result["cycles_ideal_memory"] = driver.run(case.codes, resident=False).cycles
        result["mismatches"] += case.mismatches(driver.map)
        free = by_layer(parts, driver.account())
        moved = iter(estimate.beats(driver.layout.program, driver.capabilities).tolist())
    result["layers"] = [
        {
            "name": layer.name,
            **account,
            "ideal_cycles": round(estimate.ideal(layer, caps)),
            "beats": sum(next(moved) for _ in range(part)),
            "busy_percent": round(100 * account["busy"] / account["cycles"], 1),
            "cycles_ideal_memory": other["cycles"],
        }
        for layer, part, account, other in zip(case.layers, parts, published, free, strict=True)
    ]
    return result


def show(name: str, result: dict) -> None:
    print(f"\n{name:14}{'cycles':>9}{'ideal':>9}{'busy %':>8}{'weights':>9}{'input':>8}"
          f"{'output':>8}{'ideal memory':>14}")  # fmt: skip
    for layer in result["layers"]:
        print(f"  {layer['name']:12}{layer['cycles']:>9}{layer['ideal_cycles']:>9}"
              f"{layer['busy_percent']:>8}{layer['wait_weights']:>9}{layer['wait_input']:>8}"
              f"{layer['wait_output']:>8}{layer['cycles_ideal_memory']:>14}")  # fmt: skip
    busy = 100 * sum(layer["busy"] for layer in result["layers"]) / result["cycles"]
    print(f"  {'all':12}{result['cycles']:>9}{result['ideal_cycles']:>9}{busy:>8.1f}"
          f"{'':25}{result['cycles_ideal_memory']:>14}")  # fmt: skip
    if "cycles_resident" in result:
        print(f"  {'resident':12}{result['cycles_resident']:>9}   (weights of the run before)")
    print(f"  {result['mismatches']} values differ; simulated in {result['seconds']} s")


def show_picture(name: str, result: dict) -> None:
    print(f"\n{name + ', picture':22}{'cycles':>9}{'MMAC':>9}")
    for layer in result["layers"]:
        taken = layer["cycles"] or layer["where"]
        print(f"  {layer['name']:20}{taken:>9}{layer['macs'] / 1e6:>9.1f}")
    left = result["host_macs"] / result["macs"]
    print(f"  {'all':20}{result['cycles']:>9}{result['macs'] / 1e6:>9.1f}")
    if (together := result["together"]) > 1:
        print(f"  {f'of {together} together':20}{result['cycles_together']:>9}")
    print(f"  {result['mismatches']} values differ; {result['doubts']} codes in doubt; "
          f"{left:.2%} of the products left to the host; "
          f"simulated in {result['seconds']} s")  # fmt: skip


def show_batch(name: str, result: dict) -> None:
    how = f"{result['batch']} at once" if result["batch"] > 1 else "one by one, as alone"
    print(f"\n{name + ', batch':22}{'cycles':>9}\n"
          f"  {how:20}{result['cycles']:>9}   (a picture)\n"
          f"  {'alone':20}{result['cycles_alone']:>9}\n"
          f"  {result['mismatches']} values differ")  # fmt: skip


def single_start(result: dict) -> int:
    """Cycles of a picture that is started alone: with resident parameters, where they can be."""
    return result.get("cycles_resident", result["cycles"])


def show_rates(name: str, board: dict, networks: dict) -> bool:
    """Pictures a second beside FINN's; whether one of those is not reached."""
    finn = FINN.get(name, {})
    print(f"\n{board['title']} at {board['clock_mhz']:g} MHz, modelled: pictures, a start for each"
          f"\n{'':14}{'cycles':>9}{'':10}{'a second':>10}{'FINN':>10}")  # fmt: skip
    missed = False
    for network, result in networks.items():
        cycles, how = single_start(result), "resident" if "cycles_resident" in result else ""
        rate = result["pictures_per_s"] = round(board["clock_mhz"] * 1e6 / cycles, 1)
        other = f"{finn[network]:>10,.1f}" if network in finn else ""
        print(f"  {network:12}{cycles:>9}  {how:8}{rate:>10,.1f}{other}")
        missed |= rate <= finn.get(network, 0)
    return missed


def misses_target(name: str, picture: dict) -> bool:
    on_host = picture["host_macs"] / picture["macs"]
    return picture["cycles"] > PICTURE_TARGETS[name] or on_host > MOST_ON_HOST


def measure_all(
    arguments: argparse.Namespace, names: list[str], networks: dict, pictures: dict, batches: dict
) -> bool:
    """Measures and shows every network, picture and batch; the rows go into the last three.

    Whether a value differs, or a target is missed.
    """
    failed = False
    memory = arguments.memory
    targets = arguments.config == "pynq-z1" and memory == PUBLISHED
    for name in [name for name in names if name in rtl_cases.NAMES]:
        waves = arguments.waves
        if waves is None and run_options.waves():
            waves = ROOT / "build" / f"{name}.vcd"
        networks[name] = result = measure(arguments.config, name, waves, memory)
        show(name, result)
        failed |= result["mismatches"] != 0
        if targets:
            most, most_resident = TARGETS[name]
            failed |= result["cycles"] > most
            if most_resident is not None:
                failed |= result.get("cycles_resident", math.inf) > most_resident
            resident = f", {most_resident} resident" if most_resident else ""
            print(f"  targets: {most} cycles{resident}")
    reference = run_options.reference()
    for name in [name for name in names if name in rtl_batches.NAMES]:
        batches[name] = rtl_batches.measure(arguments.config, name, reference, memory)
        show_batch(name, batches[name])
        failed |= batches[name]["mismatches"] != 0
    for name in [name for name in names if name in rtl_pictures.NAMES]:
        assert reference is not None
        try:
            pictures[name] = rtl_pictures.measure(arguments.config, name, reference, memory)
        except DoesNotFitError as problem:
            print(f"\n{name}, picture: left out: {problem}")
            failed |= targets
            continue
        show_picture(name, pictures[name])
        failed |= pictures[name]["mismatches"] != 0
        if targets:
            failed |= misses_target(name, pictures[name])
            print(f"  targets: {PICTURE_TARGETS[name]} cycles, {MOST_ON_HOST:.0%} of the products")
    if arguments.board is not None:
        failed |= show_rates(arguments.board, boards.load(arguments.board), networks)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/bench_rtl.py --board aup-zu3 cnv-w1a1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("networks", nargs="*", help=f"of {', '.join(KNOWN)}")
    parser.add_argument("--board", help="whose configuration, clock and memory")
    parser.add_argument(
        "--config",
        choices=rtl_build.CONFIGURATIONS,
        help="configuration of the RTL (pynq-z1, or the board's)",
    )
    parser.add_argument(
        "--waves", type=Path,
        help="write a VCD of everything here (WAVES=1 in the environment: build/NETWORK.vcd)",
    )  # fmt: skip
    parser.add_argument(
        "--against", type=Path, metavar="WHERE",
        help="another checkout, whose own bench runs first, or its bench-rtl.json: cycles of both "
        "and their ratios in one table",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="default: see above")
    arguments = parser.parse_args()
    if reason := rtl_build.wrong_path():
        parser.error(reason)
    try:
        board = boards.load(arguments.board or "pynq-z1")
    except QnnError as problem:
        parser.error(str(problem))
    arguments.config = arguments.config or board["configuration"]
    arguments.memory = boards.memory_model(board)
    folder = "" if arguments.board in (None, "pynq-z1") else arguments.board
    arguments.out = arguments.out or ROOT / "build" / folder / "bench-rtl.json"
    names = arguments.networks or list(KNOWN)
    if unknown := set(names) - set(KNOWN):
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(KNOWN)}")
    if run_options.reference() is None:
        left_out = [name for name in names if name != "fashion-cnv"]
        names = [name for name in names if name == "fashion-cnv"]
        if left_out:
            print(f"left out, because QNN_REFERENCE is not set: {', '.join(left_out)}")
    before = None
    try:
        outputs.make_folder(arguments.out.parent)
        if arguments.against is not None:
            both = [name for name in names if name in rtl_cases.NAMES]
            if not both:
                parser.error(f"--against compares {', '.join(rtl_cases.NAMES)}")
            before = bench_against.earlier(arguments.against, both, arguments.config)
        rtl_build.build(arguments.config, arguments.waves is not None or run_options.waves())
    except QnnError as problem:
        parser.error(str(problem))

    networks, pictures, batches, stamp = {}, {}, {}, inputs.stamp(ROOT)
    try:
        failed, stopped = measure_all(arguments, names, networks, pictures, batches), False
    except KeyboardInterrupt:
        failed, stopped = True, True
        place = outputs.place(arguments.out, whole=False)
        print(f"\nstopped: {place} has what is finished", file=sys.stderr)
    with Driver(SimulatedBoard(arguments.config)) as driver:
        caps = driver.capabilities
    config = {
        "name": arguments.config, "simd": caps.simd, "pe": caps.pe, "pixels": caps.pixels,
        "lanes": caps.lanes, "memory_ports": caps.ports, "latency": arguments.memory.latency,
    }  # fmt: skip
    found = {
        "origin": stamp, "config": config, "networks": networks, "pictures": pictures,
        "batches": batches, "left_out": [n for n in KNOWN if n not in names], "good": not failed,
    }  # fmt: skip
    if before is not None and not stopped:
        compared = bench_against.rows(before, found)
        print(f"\n{bench_against.table(compared)}")
        found["against"] = [asdict(row) | {"ratio": row.ratio} for row in compared]
    outputs.write(arguments.out, json.dumps(found, indent=1) + "\n", whole=not stopped)
    return script.STOPPED if stopped else int(failed)


if __name__ == "__main__":
    script.end("bench_rtl", main)
