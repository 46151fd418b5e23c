# SPDX-License-Identifier: BSD-3-Clause
"""Synthesises the accelerator for the device of a board with Yosys and tells what it needs of it.

Prints a table of LUTs, flip-flops, block RAM and DSP for each module, with the longest
combinational path inside it (LUTs, carry blocks and wide multiplexers in a row), and what all
instances of it take of a lane, which is a bit of a product; below it what structures of a popcount
are known to take. Then for each memory how many block RAMs it would take at best, by its width and
depth, and how many it takes. Then, of the whole design over all borders of modules: the worst paths
from register to register, with cells in a row, loads of the widest net and an estimate in ns (see
netlist_timing.py), and the nets with many loads; of an UltraScale+ no delays are published, so
there are none of these.

Writes the netlist into build/synth and synth.json beside it; of a board other than the PYNQ-Z1 both
below build/<board>. Fails where the device would be too full, where something stays a black box, or
where a memory of qnn_ram became anything but block RAM or, where the board says so, UltraRAM.

    python scripts/synth.py [--board pynq-z1] [--top qnn_engine] [--out build/synth]
"""

import argparse
import json
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyosys import libyosys

import netlist_timing
from netlist import block_rams, carry_places
from qnn.errors import QnnError
from qnn_sim import boards, outputs, rtl_build, script
from qnn_sim.regress import inputs
from qnn_sim.rtl_build import ROOT, sources, xilinx_declarations, xilinx_sources

KINDS = ("lut", "ff", "bram36", "dsp", "uram")
SHARE = {"lut": 0.85, "bram36": 0.9}  # of a device, at most; else all of it

# What one cell of a kind takes, in the order of KINDS. No two small LUTs are counted as sharing a
# site, though many will, but those that a carry chain puts there. A CARRY8 of an UltraScale+ has
# the places of two CARRY4.
OF_ALL = {
    **{f"LUT{n}": (1, 0, 0, 0, 0) for n in range(1, 7)},
    "INV": (0, 0, 0, 0, 0),
    "RAM32M": (4, 0, 0, 0, 0),
    "RAM64M": (4, 0, 0, 0, 0),
    "RAM64X1D": (2, 0, 0, 0, 0),
    "RAM32X1D": (2, 0, 0, 0, 0),
    "SRL16E": (1, 0, 0, 0, 0),
    "SRLC32E": (1, 0, 0, 0, 0),
    "FDRE": (0, 1, 0, 0, 0),
    "FDSE": (0, 1, 0, 0, 0),
    "CARRY4": (0, 0, 0, 0, 0),
    "MUXF7": (0, 0, 0, 0, 0),
    "MUXF8": (0, 0, 0, 0, 0),
}
SERIES_7 = {
    **OF_ALL,
    "RAMB36E1": (0, 0, 1, 0, 0),
    "RAMB18E1": (0, 0, 0.5, 0, 0),
    "DSP48E1": (0, 0, 0, 1, 0),
}
ULTRASCALE = {
    **OF_ALL,
    "RAM32M16": (8, 0, 0, 0, 0),
    "RAM64M8": (8, 0, 0, 0, 0),
    "MUXF9": (0, 0, 0, 0, 0),
    "RAMB36E2": (0, 0, 1, 0, 0),
    "RAMB18E2": (0, 0, 0.5, 0, 0),
    "DSP48E1": (0, 0, 0, 1, 0),  # see passes
    "DSP48E2": (0, 0, 0, 1, 0),
    "URAM288": (0, 0, 0, 0, 1),
}
LANES = 64  # of one qnn_popcount
# LUTs a lane of AND and popcount by Yosys 0.70, counted as here, each checked against a model.
STRUCTURES = {
    "loop or tree": 1.75,
    "three products a group, then added": 1.50,
    "... with 3:2 or 6:3 compressors": 1.28,
    "... with compressors on carry chains": 1.02,
    "two planes of activations together": 0.93,
}
PATH_CELLS = "t:LUT* t:CARRY4 t:MUXF* w:*"


def contents(module: libyosys.Module) -> tuple:
    """Ports and cells of a module, with all constants: what its parameters have made of it."""

    def wiring(cell: libyosys.Cell) -> tuple:
        return tuple(
            (port.str(), signal.as_const().as_string() if signal.is_fully_const() else "")
            for port, signal in dict(cell.connections_).items()
        )

    cells = (
        (
            re.sub(r"(?<=\w)\$.*", "", cell.type.str()),
            tuple((name.str(), value.as_string()) for name, value in dict(cell.parameters).items()),
            wiring(cell),
        )
        for cell in dict(module.cells_).values()
    )
    ports = ((w.name.str(), w.width) for w in dict(module.wires_).values() if w.port_id)
    return tuple(sorted(ports)), tuple(sorted(cells))


def merge_copies(design: libyosys.Design) -> None:
    """Make one module of all copies of it: the front end makes one for each instance."""
    kept: dict[tuple, str] = {}
    renamed = {}
    modules = dict(design.modules_)
    for name, module in modules.items():
        base = name.str().split("$")[0]
        key = (base, *contents(module))
        if key not in kept:
            alike = sum(k[0] == base for k in kept)
            kept[key] = base + f"_{alike + 1}" * bool(alike)
            design.rename(module, libyosys.IdString(kept[key]))
        renamed[name.str()] = kept[key]
    for module in modules.values():
        for cell in dict(module.cells_).values():
            if (kind := cell.type.str()) in renamed:
                cell.type = libyosys.IdString(renamed[kind])


def elaborate(top: str, parameters: Mapping[str, int], files: Sequence[Path] | None = None) -> str:
    """The command of Yosys that reads a module of rtl/ and all below it; `files` instead of the
    portable ones."""
    signed = {name: (value ^ 1 << 31) - (1 << 31) for name, value in parameters.items()}
    values = " ".join(f"-G {name}={value}" for name, value in signed.items())
    read = " ".join(map(str, sources() if files is None else files))
    return f"read_slang --keep-hierarchy --top {top} {values} {read}"


def family(part: str) -> str:
    """As Yosys names it."""
    return "xc7" if part.startswith("xc7") else "xcup"


def passes(board: Mapping[str, Any], top: str) -> list[str]:
    """The commands of Yosys that make cells of the device of a board from a design that is read.

    Yosys packs registers and additions into DSP48E1 alone. So an UltraScale+ gets these, too: its
    DSP48E2 do all that they can, and Vivado makes DSP48E2 of them.
    """
    options = f"{'-uram' if board['ultra_ram'] else ''} -noiopad -noclkbuf -top {top}"
    if family(board["part"]) == "xc7":
        return [f"synth_xilinx -family xc7 {options}"]
    return [
        f"synth_xilinx -family xcup {options} -run begin:map_dsp",
        "synth_xilinx -family xc7 -run map_dsp:coarse",
        f"synth_xilinx -family xcup {options} -run coarse:",
    ]


def make_ultra_ram(design: libyosys.Design, instances: Sequence[str]) -> None:
    """Marks the memories of those instances of qnn_ram; other instances of their modules, too."""
    kinds = {
        cell.type.str()
        for module in dict(design.modules_).values()
        for name, cell in dict(module.cells_).items()
        if name.str().lstrip("\\").split(".")[-1] in instances
    }
    for kind in kinds:
        module = kind.lstrip("\\")
        libyosys.run_pass(f'tee -q setattr -set ram_style "ultra" {module}/m:*', design)


def synthesised(
    folder: Path, top: str = "qnn_engine", parameters: Mapping[str, int] | None = None,
    board: Mapping[str, Any] | None = None,
) -> libyosys.Design:  # fmt: skip
    """The netlist of cells of the device, module by module; what Yosys says is in yosys.log.

    Args:
        parameters: of the top.
        board: its part and which memories are UltraRAM; None: the PYNQ-Z1.
    """
    board = board or boards.load("pynq-z1")
    design = libyosys.Design()
    log = f"tee -q -a {folder / 'yosys.log'}"
    files = [*xilinx_declarations(), *xilinx_sources()]
    libyosys.run_pass(f"{log} {elaborate(top, parameters or {}, files)}", design)
    merge_copies(design)
    make_ultra_ram(design, board["ultra_ram"])
    for command in (f"hierarchy -check -top {top}", *passes(board, top)):
        libyosys.run_pass(f"{log} {command}", design)
    return design


def longest_path(design: libyosys.Design, module: str, folder: Path) -> int:
    """Cells in a row between registers, ports and submodules."""
    log = folder / "ltp.txt"
    selection = " ".join(f"{module}/{kind}" for kind in PATH_CELLS.split())
    libyosys.run_pass(f"tee -q -o {log} ltp {selection}", design)
    found = re.search(r"length=(\d+)", log.read_text())
    return int(found[1]) if found else 0


def show_memories(memories: Sequence[block_rams.Memory]) -> None:
    print(f"{'memory':44}{'times':>6}{'bits':>6}{'words':>7}{'at best':>9}{'BRAM36':>8}")
    for memory in memories:
        print(f"{memory.module + '.' + memory.name:44}{memory.times:>6}{memory.width:>6}"
              f"{memory.depth:>7}{memory.best:>9g}{memory.taken:>8g}")  # fmt: skip
    best = sum(memory.times * memory.best for memory in memories)
    taken = sum(memory.times * memory.taken for memory in memories)
    print(f"{'all':63}{best:>9g}{taken:>8g}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/synth.py --top qnn_pool",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--top", default="qnn_engine", help="module to synthesise")
    parser.add_argument("--board", default="pynq-z1", help="a file of params/boards/ (pynq-z1)")
    parser.add_argument("--out", type=Path, help="output folder (see above)")
    arguments = parser.parse_args()
    if reason := rtl_build.wrong_path():
        parser.error(reason)
    try:
        board = boards.load(arguments.board)
        own = "" if arguments.board == "pynq-z1" else arguments.board
        folder = arguments.out or ROOT / "build" / own / "synth"
        outputs.make_folder(folder)
    except QnnError as problem:
        parser.error(str(problem))

    # Ctrl-C ends it at once: a pass of Yosys, which takes minutes, comes back to Python at its end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stamp = inputs.stamp(ROOT)
    top = arguments.top
    parameters = rtl_build.CONFIGURATIONS[board["configuration"]] if top == "qnn_engine" else {}
    design = synthesised(folder, top, parameters, board)
    for command in (
        f"write_json {folder / 'netlist.json'}",
        f"tee -q -o {folder / 'stat.json'} stat -json -tech xilinx",
    ):
        libyosys.run_pass(f"tee -q -a {folder / 'yosys.log'} {command}", design)
    modules = json.loads((folder / "stat.json").read_text())["modules"]
    cells = {name: module["num_cells_by_type"] for name, module in modules.items()}
    cells = {name.lstrip("\\"): kinds for name, kinds in cells.items()}
    netlist = json.loads((folder / "netlist.json").read_text())
    shared = {name: carry_places.shared(netlist["modules"][name]) for name in cells}

    cost = SERIES_7 if family(board["part"]) == "xc7" else ULTRASCALE

    def count(name: str) -> tuple[list[float], dict[str, int]]:
        """Needs of a module with all below it, and how often each module is in it."""
        total, uses = [-shared[name], *[0.0] * (len(KINDS) - 1)], {name: 1}
        for kind, number in cells[name].items():
            kind = kind.lstrip("\\")
            if kind in cells:
                below, used = count(kind)
                for module, times in used.items():
                    uses[module] = uses.get(module, 0) + number * times
            elif kind in cost:
                below = list(cost[kind])
            else:
                raise SystemExit(f"{name}: {kind} is a black box or has no known cost")
            total = [t + number * b for t, b in zip(total, below, strict=True)]
        return total, uses

    total, uses = count(top)
    places = sum(shared[name] * times for name, times in uses.items())
    lanes = LANES * uses.get("qnn_popcount", 0)
    rows = []
    for name, times in uses.items():
        needs, _ = count(name)
        rows.append(
            {
                "module": name,
                "instances": times,
                "lut": int(needs[0]),
                "lut_per_lane": round(times * needs[0] / lanes, 2) if lanes else None,
                "ff": int(needs[1]),
                "bram36": needs[2],
                "dsp": int(needs[3]),
                "uram": int(needs[4]),
                "longest_path": longest_path(design, name, folder),
            }
        )
        ram = name.startswith("qnn_ram")
        if ram and (not (needs[2] or needs[4]) or needs[1]):
            raise SystemExit(f"{name}: a qnn_ram became {needs} instead of block RAM")
    rows.sort(key=lambda row: (-row["lut"], row["module"]))
    rams = {row["module"]: row["bram36"] for row in rows
            if row["module"].startswith("qnn_ram") and row["bram36"]}  # fmt: skip
    memories = block_rams.memories(netlist["modules"], uses, rams)
    device = {kind: number for kind, number in board["resources"].items() if number}
    result = {
        "origin": stamp,
        "board": arguments.board,
        "device": device,
        "lut": int(total[0]),
        "lut_carry_pairs": places,  # each counts as one
        "ff": int(total[1]),
        "bram36": total[2],
        "dsp": int(total[3]),
        "uram": int(total[4]),
        "modules": rows,
        "structures": STRUCTURES,
        "memories": [asdict(memory) for memory in memories],
    }
    most = {kind: SHARE.get(kind, 1) * number for kind, number in device.items()}
    result["good"] = all(result[kind] <= most[kind] for kind in most)
    if family(board["part"]) == "xc7":
        result["timing"] = netlist_timing.report(netlist, top)
    outputs.write(folder.parent / "synth.json", json.dumps(result, indent=1) + "\n")

    print(f"{'module (with all below it)':28}{'times':>6}{'LUT':>8}{'a lane':>8}{'FF':>8}"
          f"{'BRAM36':>8}{'DSP':>5}{'URAM':>6}{'path':>6}")  # fmt: skip
    for row in rows:
        share = row["lut_per_lane"] if lanes else "-"
        print(f"{row['module']:28}{row['instances']:>6}{row['lut']:>8}{share:>8}{row['ff']:>8}"
              f"{row['bram36']:>8g}{row['dsp']:>5}{row['uram']:>6}"
              f"{row['longest_path']:>6}")  # fmt: skip
    print()
    if lanes:
        print("LUTs a lane of structures of a popcount")
        for structure, share in STRUCTURES.items():
            print(f"{share:6.2f}  {structure}")
        print()
    if memories:
        show_memories(memories)
        print()
    if "timing" in result:
        netlist_timing.show(result["timing"])
        print()
    for kind, number in device.items():
        share = 100 * result[kind] / number
        print(f"{kind:8}{result[kind]:>8g} of {number:>7}  {share:5.1f}%  (at most {most[kind]:g})")
    print(
        f"         {places} LUTs are the second output of another one, on a place of a carry chain"
    )
    return int(not result["good"])


if __name__ == "__main__":
    script.end("synth", main)
