# SPDX-License-Identifier: BSD-3-Clause
"""Simulates the netlist that Yosys makes for the XC7Z020, in place of the RTL that it is made of.

LUTs, carry chains, flip-flops, distributed RAM and DSP48E1 are Yosys's models of these cells, block
RAMs are sim/qnn_sim/block_ram.sv. Every register and every word of a memory begins with a random
value, in each engine with another one, so nothing may lean on what a device powers up with. The
shipped network runs whole, some times; then come directed tests of the whole engine: aborts,
resets, errors, 16-bit words, largest sums, all widths of weights and codes. With --all come its
other tests and the random layers, which compare every value with the golden model and HLS. With
--benches, in place of all this, come the benches of these modules, on netlists of the modules with
the parameters of their benches. Prints what was run and how fast, writes gates.json. Exit status 1:
a value differs or a test fails.

    python scripts/gates.py --configuration small --runs 3
    python scripts/gates.py --benches qnn_fifo qnn_window
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pyosys
import pytest
from pyosys import libyosys

import synth
from qnn.commands.options import positive
from qnn.engine.driver import Driver
from qnn.errors import QnnError
from qnn_sim import (
    bench_runner,
    clean_environment,
    engine_battery,
    netlist_shell,
    outputs,
    rtl_build,
    rtl_cases,
    rtl_engine,
    run_options,
    script,
)
from qnn_sim.bench_runner import Shell
from qnn_sim.platform import SimulatedBoard
from qnn_sim.regress import inputs
from qnn_sim.rtl_build import CONFIGURATIONS, ROOT

CELLS = Path(pyosys.__file__).parent / "share/xilinx/cells_sim.v"
BLOCK_RAM = ROOT / "sim/qnn_sim/block_ram.sv"
INSIDE = "gates"  # a netlist, in a module with the name that its bench knows
NETWORK = "fashion-cnv"
CONTENTS = ("INIT", "SRVAL")  # parameters of block RAMs: at power-up, and after a reset
# Of the tests of the engine: at 2,000 cycles a second these take some minutes, with ALL most of an
# hour; the rest of a night. There is one library, whatever configuration a test asks for.
CHOSEN = (
    "first_layer or largest_words or largest_sums or precisions or abort or soft_reset"
    " or read_error or write_error or windows_stop or resident"
)
ALL = "not test_random_networks_equal_golden and not one-port"
Change = Callable[[libyosys.Design], None]
# Verilator leaves out the delays of Yosys's models, and takes the first model of a block RAM: ours,
# whose complaint about a mode that it does not have must end the compilation.
FLAGS = (
    "-Wno-lint", "-Werror-USERERROR", "-Wno-SPECIFYIGN", "-Wno-MODDUP", "--timescale", "1ns/1ps",
    "--x-assign", "unique", "--x-initial", "unique",
)  # fmt: skip


def netlist(folder: Path, top: str, parameters: Mapping[str, int]) -> libyosys.Design:
    """The cells of a module of rtl/ and of all below it.

    Raises:
        QnnError: a block RAM has contents at power-up, which its model does not know.
    """
    design = synth.synthesised(folder, top, parameters)
    for module in dict(design.modules_).values():
        for cell in dict(module.cells_).values():
            if cell.type.str().startswith("\\RAMB"):
                remove_contents(cell)
    return design


def write(folder: Path, design: libyosys.Design) -> Path:
    """The netlist in Verilog."""
    target = folder / "netlist.v"
    libyosys.run_pass(f"tee -q -a {folder / 'yosys.log'} write_verilog -noattr {target}", design)
    return target


def count(folder: Path, design: libyosys.Design) -> Counter[str]:
    """How many cells of each kind the engine has."""
    stat = folder / "stat.json"
    libyosys.run_pass(f"tee -q -o {stat} stat -json -tech xilinx -top qnn_engine", design)
    found = json.loads(stat.read_text())["design"]["num_cells_by_type"]
    return Counter({kind.lstrip("\\"): count for kind, count in found.items()})


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
    design = netlist(folder, "qnn_engine", CONFIGURATIONS[configuration])
    source, library = write(folder, design), folder / "engine.so"
    rtl_build.compile_engine(library, [*FLAGS, *map(str, (BLOCK_RAM, source, CELLS))])
    return library, count(folder, design)


def bench_top(
    folder: Path,
    change: Callable[[libyosys.Design], None],
    module: str,
    parameters: Mapping[str, int],
) -> Shell:
    """The netlist of a module with the parameters of its bench, for bench_runner.use."""
    place = "-".join([module, *(f"{name}-{value}" for name, value in sorted(parameters.items()))])
    folder = outputs.make_folder(folder / place)
    design = netlist(folder, module, parameters)
    change(design)
    libyosys.run_pass(f"tee -q -a {folder / 'yosys.log'} rename {module} {INSIDE}", design)
    around = folder / "around.sv"
    around.write_text(netlist_shell.around(module, INSIDE))
    files = [*netlist_shell.PACKAGES, BLOCK_RAM, write(folder, design), CELLS, around]
    return Shell(module, files, alone=True, flags=FLAGS)


def run_benches(
    folder: Path, benches: Sequence[Path], seed: int,
    change: Change = lambda _: None,
) -> int:  # fmt: skip
    """Runs benches of tests/rtl on the netlists of their modules; exit status of pytest.

    In this process: every bench of it runs on a netlist from now on.

    Args:
        change: of each netlist, before it is compiled.
    """
    for name in (*clean_environment.SELECTION, "WAVES", "RTL_COVERAGE", "SIM"):
        os.environ.pop(name, None)
    os.environ["SEED"] = str(seed)
    bench_runner.use(partial(bench_top, folder, change))
    options = "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not nightly"
    return int(pytest.main([*options, *map(str, benches)]))


def modules() -> list[str]:
    """Those of rtl/ that have a bench."""
    names = (path.stem for path in rtl_build.sources())
    return [name for name in names if (ROOT / f"tests/rtl/test_{name}.py").exists()]


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
    parser.add_argument("--all", action="store_true", help="also what takes most of an hour")
    parser.add_argument(
        "--benches", nargs="+", metavar="MODULE", choices=modules(), default=(),
        help="the benches of these modules in place of the engine",
    )  # fmt: skip
    parser.add_argument("--runs", type=positive, default=3, help=f"of {NETWORK} (3)")
    parser.add_argument(
        "--seed", type=run_options.seed_argument, default=1,
        help=f"of the tests (1); {run_options.FRESH}: a fresh one",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "build/gates", help="output folder")
    arguments = parser.parse_args()
    if reason := rtl_build.unavailable():
        raise QnnError(reason)
    out = outputs.make_folder(arguments.out.resolve())
    if arguments.benches:
        benches = [ROOT / f"tests/rtl/test_{module}.py" for module in arguments.benches]
        return run_benches(outputs.make_folder(out / "benches"), benches, arguments.seed)
    folder = outputs.make_folder(out / arguments.configuration)
    begun, stamp = time.monotonic(), inputs.stamp(ROOT)

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
    chosen = ALL if arguments.all else CHOSEN
    status = engine_battery.run(library, arguments.seed, "-k", chosen)
    tell(f"tests of the engine: {'failed' if status else 'passed'}")
    result = {
        "origin": stamp,
        "configuration": arguments.configuration,
        "cells": dict(cells),
        "networks": {NETWORK: networks},
        "tests": {"files": engine_battery.FILES, "chosen": chosen, "passed": status == 0},
    }
    outputs.write(out.with_suffix(".json"), json.dumps(result, indent=1) + "\n")
    return int(status != 0 or any(run["mismatches"] for run in networks))


if __name__ == "__main__":
    script.end("gates", main)
