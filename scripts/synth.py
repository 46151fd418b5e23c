# SPDX-License-Identifier: BSD-3-Clause
"""Synthesises the accelerator for the XC7Z020 with Yosys and tells what it needs of it.

Prints a table of LUTs, flip-flops, block RAM and DSP for each module, with the longest
combinational path inside it (LUTs, carry blocks and wide multiplexers in a row). Then, of the whole
design over all borders of modules: the worst paths from register to register, with cells in a row,
loads of the widest net and an estimate in ns (see netlist_timing.py), and the nets with many loads.
Writes the netlist and synth.json into the output folder. Fails where the device would be too full,
where something stays a black box, or where a memory of qnn_ram became anything but block RAM.

    python scripts/synth.py [--top qnn_engine] [--out build/synth]
"""

import argparse
import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path

from pyosys import libyosys

import netlist_timing
from qnn.errors import QnnError
from qnn_sim import outputs, rtl_build, script
from qnn_sim.regress import inputs
from qnn_sim.rtl_build import ROOT, sources

DEVICE = {"lut": 53_200, "ff": 106_400, "bram36": 140, "dsp": 220}
MOST = {"lut": 42_560, "ff": 106_400, "bram36": 126, "dsp": 220}

# What one cell of a kind takes: LUT sites, flip-flops, block RAMs, DSPs. No two small LUTs are
# counted as sharing a site, though many will.
COST = {
    **{f"LUT{n}": (1, 0, 0, 0) for n in range(1, 7)},
    "INV": (0, 0, 0, 0),
    "RAM32M": (4, 0, 0, 0),
    "RAM64M": (4, 0, 0, 0),
    "RAM64X1D": (2, 0, 0, 0),
    "RAM32X1D": (2, 0, 0, 0),
    "SRL16E": (1, 0, 0, 0),
    "SRLC32E": (1, 0, 0, 0),
    "FDRE": (0, 1, 0, 0),
    "FDSE": (0, 1, 0, 0),
    "RAMB36E1": (0, 0, 1, 0),
    "RAMB18E1": (0, 0, 0.5, 0),
    "DSP48E1": (0, 0, 0, 1),
    "CARRY4": (0, 0, 0, 0),
    "MUXF7": (0, 0, 0, 0),
    "MUXF8": (0, 0, 0, 0),
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


def elaborate(top: str, parameters: Mapping[str, int]) -> str:
    """The command of Yosys that reads a module of rtl/ and all below it."""
    signed = {name: (value ^ 1 << 31) - (1 << 31) for name, value in parameters.items()}
    values = " ".join(f"-G {name}={value}" for name, value in signed.items())
    return f"read_slang --keep-hierarchy --top {top} {values} {' '.join(map(str, sources()))}"


def synthesised(
    folder: Path, top: str = "qnn_engine", parameters: Mapping[str, int] | None = None
) -> libyosys.Design:
    """The netlist of cells of the device, module by module; what Yosys says is in yosys.log."""
    design = libyosys.Design()
    log = f"tee -q -a {folder / 'yosys.log'}"
    libyosys.run_pass(f"{log} {elaborate(top, parameters or {})}", design)
    merge_copies(design)
    for command in (
        f"hierarchy -check -top {top}",
        f"synth_xilinx -family xc7 -noiopad -noclkbuf -top {top}",
    ):
        libyosys.run_pass(f"{log} {command}", design)
    return design


def longest_path(design: libyosys.Design, module: str, folder: Path) -> int:
    """Cells in a row between registers, ports and submodules."""
    log = folder / "ltp.txt"
    selection = " ".join(f"{module}/{kind}" for kind in PATH_CELLS.split())
    libyosys.run_pass(f"tee -q -o {log} ltp {selection}", design)
    found = re.search(r"length=(\d+)", log.read_text())
    return int(found[1]) if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/synth.py --top qnn_pool",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--top", default="qnn_engine", help="module to synthesise")
    parser.add_argument("--out", type=Path, default=ROOT / "build/synth", help="output folder")
    arguments = parser.parse_args()
    folder = arguments.out
    try:
        outputs.make_folder(folder)
    except QnnError as problem:
        parser.error(str(problem))
    if reason := rtl_build.wrong_path():
        parser.error(reason)

    # Ctrl-C ends it at once: a pass of Yosys, which takes minutes, comes back to Python at its end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stamp, design = inputs.stamp(ROOT), synthesised(folder, arguments.top)
    for command in (
        f"write_json {folder / 'netlist.json'}",
        f"tee -q -o {folder / 'stat.json'} stat -json -tech xilinx",
    ):
        libyosys.run_pass(f"tee -q -a {folder / 'yosys.log'} {command}", design)
    top = arguments.top
    modules = json.loads((folder / "stat.json").read_text())["modules"]
    cells = {name: module["num_cells_by_type"] for name, module in modules.items()}
    cells = {name.lstrip("\\"): kinds for name, kinds in cells.items()}

    def count(name: str) -> tuple[list[float], dict[str, int]]:
        """Needs of a module with all below it, and how often each module is in it."""
        total, uses = [0.0] * 4, {name: 1}
        for kind, number in cells[name].items():
            kind = kind.lstrip("\\")
            if kind in cells:
                below, used = count(kind)
                for module, times in used.items():
                    uses[module] = uses.get(module, 0) + number * times
            elif kind in COST:
                below = list(COST[kind])
            else:
                raise SystemExit(f"{name}: {kind} is a black box or has no known cost")
            total = [t + number * b for t, b in zip(total, below, strict=True)]
        return total, uses

    total, uses = count(top)
    rows = []
    for name, times in uses.items():
        needs, _ = count(name)
        rows.append(
            {
                "module": name,
                "instances": times,
                "lut": int(needs[0]),
                "ff": int(needs[1]),
                "bram36": needs[2],
                "dsp": int(needs[3]),
                "longest_path": longest_path(design, name, folder),
            }
        )
        ram = name.startswith("qnn_ram")
        if ram and (not needs[2] or needs[1]):
            raise SystemExit(f"{name}: a qnn_ram became {needs} instead of block RAM")
    rows.sort(key=lambda row: (-row["lut"], row["module"]))
    result = {
        "origin": stamp,
        "device": DEVICE,
        "lut": int(total[0]),
        "ff": int(total[1]),
        "bram36": total[2],
        "dsp": int(total[3]),
        "modules": rows,
        "timing": netlist_timing.report(json.loads((folder / "netlist.json").read_text()), top),
    }
    outputs.write(folder.parent / "synth.json", json.dumps(result, indent=1) + "\n")

    print(f"{'module (with all below it)':28}{'times':>6}{'LUT':>8}{'FF':>8}{'BRAM36':>8}"
          f"{'DSP':>5}{'path':>6}")  # fmt: skip
    for row in rows:
        print(f"{row['module']:28}{row['instances']:>6}{row['lut']:>8}{row['ff']:>8}"
              f"{row['bram36']:>8g}{row['dsp']:>5}{row['longest_path']:>6}")  # fmt: skip
    print()
    netlist_timing.show(result["timing"])
    print()
    for kind, device in DEVICE.items():
        share = 100 * result[kind] / device
        print(f"{kind:8}{result[kind]:>8g} of {device:>7}  {share:5.1f}%  (at most {MOST[kind]})")
    return int(any(result[kind] > MOST[kind] for kind in MOST))


if __name__ == "__main__":
    script.end("synth", main)
