# SPDX-License-Identifier: BSD-3-Clause
"""Simulates the netlist that Yosys makes for the XC7Z020, in place of the RTL that it is made of.

LUTs, carry chains, flip-flops, distributed RAM and DSP48E1 are Yosys's models of these cells, block
RAMs are sim/qnn_sim/block_ram.sv. Every register and every word of a memory begins with a random
value, in each engine with another one, so nothing may lean on what a device powers up with. The
shipped network runs whole, some times; then come the tests of the whole engine and the random
layers, which compare every value with the golden model and HLS, with stalls, errors and aborts.
Prints what was run and how fast, writes gates.json. Exit status 1: a value differs or a test fails.

    python scripts/gates.py --configuration small --runs 3
"""

import json
import time
from collections import Counter
from pathlib import Path

import pyosys
from pyosys import libyosys

import synth
from qnn.commands.options import positive
from qnn.engine.driver import Driver
from qnn.errors import QnnError
from qnn_sim import engine_battery, outputs, rtl_build, rtl_cases, rtl_engine, run_options, script
from qnn_sim.platform import SimulatedBoard
from qnn_sim.rtl_build import CONFIGURATIONS, ROOT

CELLS = Path(pyosys.__file__).parent / "share/xilinx/cells_sim.v"
BLOCK_RAM = ROOT / "sim/qnn_sim/block_ram.sv"
NETWORK = "fashion-cnv"
CONTENTS = ("INIT", "SRVAL")  # parameters of block RAMs: at power-up, and after a reset
CHOSEN = "not test_random_networks_equal_golden"  # of these the gates would take a night
# Verilator leaves out the delays of Yosys's models, and takes the first model of a block RAM: ours.
FLAGS = (
    "-Wno-lint", "-Wno-SPECIFYIGN", "-Wno-MODDUP", "--timescale", "1ns/1ps",
    "--x-assign", "unique", "--x-initial", "unique",
)  # fmt: skip


def netlist(folder: Path, configuration: str) -> tuple[Path, Counter[str]]:
    """The netlist in Verilog, and how many cells of each kind it has.

    Raises:
        QnnError: a block RAM has contents at power-up, which its model does not know.
    """
    design = synth.synthesised(folder, parameters=CONFIGURATIONS[configuration])
    for module in dict(design.modules_).values():
        for cell in dict(module.cells_).values():
            if cell.type.str().startswith("\\RAMB"):
                remove_contents(cell)
    target, stat = folder / "netlist.v", folder / "stat.json"
    log = f"tee -q -a {folder / 'yosys.log'}"
    libyosys.run_pass(f"{log} write_verilog -noattr {target}", design)
    libyosys.run_pass(f"tee -q -o {stat} stat -json -tech xilinx -top qnn_engine", design)
    found = json.loads(stat.read_text())["design"]["num_cells_by_type"]
    return target, Counter({kind.lstrip("\\"): count for kind, count in found.items()})


def remove_contents(cell: libyosys.Cell) -> None:
    """Takes what a block RAM begins with, which is nothing, from its parameters."""
    for name, value in dict(cell.parameters).items():
        if name.str().lstrip("\\").startswith(CONTENTS):
            if "1" in value.as_string():
                raise QnnError(f"block RAM {cell.name.str()} does not begin empty")
            cell.unsetParam(name)


def build(folder: Path, configuration: str) -> tuple[Path, Counter[str]]:
    """The netlist as a library for RtlEngine, and its cells.

    Raises:
        QnnError: it does not compile.
    """
    source, cells = netlist(folder, configuration)
    library = folder / "engine.so"
    rtl_build.compile_engine(library, [*FLAGS, *map(str, (BLOCK_RAM, source, CELLS))])
    return library, cells


def run_network(configuration: str) -> dict[str, int]:
    """The shipped network on a new engine: cycles, values that differ, cycles a second."""
    case = rtl_cases.case(NETWORK, None)
    board = SimulatedBoard(configuration)
    with Driver(board) as driver:
        driver.load(case.layers)
        begun = time.monotonic()
        cycles = driver.run(case.codes).cycles
        per_second = round(cycles / (time.monotonic() - begun))
        differ = case.mismatches(driver.map) + board.violations
    return {"cycles": cycles, "mismatches": differ, "cycles_per_s": per_second}


def main() -> int:
    parser = script.parser(__doc__)
    parser.add_argument(
        "--configuration", choices=CONFIGURATIONS, default="small", help="of the engine (small)"
    )
    parser.add_argument("--runs", type=positive, default=3, help=f"of {NETWORK} (3)")
    parser.add_argument(
        "--seed", type=run_options.seed_argument, default=1,
        help=f"of the tests (1); {run_options.FRESH}: a fresh one",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "build/gates", help="output folder")
    arguments = parser.parse_args()
    if reason := rtl_build.unavailable():
        raise QnnError(reason)
    folder = outputs.make_folder(arguments.out / arguments.configuration)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.0f} s] {text}", flush=True)

    tell(f"synthesis and compilation of {arguments.configuration}")
    library, cells = build(folder, arguments.configuration)
    tell(", ".join(f"{count:,} {kind}" for kind, count in cells.most_common()))
    rtl_engine.use(library)
    networks = []
    for number in range(1, arguments.runs + 1):
        run = run_network(arguments.configuration)
        networks.append(run)
        tell(
            f"{NETWORK} {number}/{arguments.runs}: {run['cycles']:,} cycles,"
            f" {run['mismatches']} values differ, {run['cycles_per_s']:,} cycles a second"
        )
    status = engine_battery.run(library, arguments.seed, "-k", CHOSEN)
    tell(f"tests of the engine and random layers: {'failed' if status else 'passed'}")
    result = {
        "configuration": arguments.configuration,
        "cells": dict(cells),
        "networks": {NETWORK: networks},
        "tests": {"files": engine_battery.FILES, "chosen": CHOSEN, "passed": status == 0},
    }
    outputs.write(arguments.out.with_suffix(".json"), json.dumps(result, indent=1) + "\n")
    return int(status != 0 or any(run["mismatches"] for run in networks))


if __name__ == "__main__":
    script.end("gates", main)
