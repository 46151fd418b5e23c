# SPDX-License-Identifier: BSD-3-Clause
"""Faults of the engine's netlist, put into the netlist of the module that a bench of tests/rtl has.

The module has the parameters of its bench, so it has no copy of each cell of the engine: the
counterpart of a fault is the same fault at a cell of the same type, from the same place of the
source (of a small memory, whose cells have none: of the same part of it), of the same name where
there is one.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pyosys import libyosys

import synth
from qnn_sim import bench_runner, clean_environment, netlist_shell
from qnn_sim.bench_runner import Shell
from qnn_sim.rtl_build import ROOT

LARGE_MEMORY = 16  # words; smaller ones become registers
INSIDE = "faulty"  # the netlist, in a module with the name that the bench knows
CHOICE = """  logic [15:0] fault;
  initial if (!$value$plusargs("fault=%d", fault)) fault = 16'd0;
"""
# modules that are tested with one that uses them
TOGETHER = {
    "qnn_walker": "qnn_sequencer", "qnn_pkg": "qnn_popcount", "qnn_sum_pair": "qnn_pe_group",
    "qnn_accumulator": "qnn_pe_group", "qnn_dsp_accumulator": "qnn_pe_group",
    "qnn_word_sum": "qnn_word_bank", "qnn_skew": "qnn_word_bank", "qnn_pool_lanes": "qnn_pool",
    "qnn_pack_lanes": "qnn_pack", "qnn_ring_step": "qnn_sequencer",
}  # fmt: skip


def flatten(kept: str = "") -> list[str]:
    """Passes of Yosys: one module of cells and larger memories; `kept`: modules that stay apart."""
    small = f"t:$mem_v2 r:SIZE<{LARGE_MEMORY} %i" + (f" {kept} %d" if kept else "")
    return [
        "proc", "flatten", "memory_collect", f"select -set small {small}", "memory_map @small",
        "bwmuxmap", "techmap t:$shift t:$shiftx %u", "opt_expr", "opt_clean",
    ]  # fmt: skip


def numbered(fault: str, number: int) -> str:
    """The mutate command for a fault that is there where `fault`, an input, is `number`."""
    return fault.replace("mutate", f"mutate -ctrl fault 16 {number}", 1)


@dataclass(frozen=True)
class Kind:
    """What a cell has in common with its counterparts.

    Attributes:
        module: of rtl/ that it comes from; empty where that is not known.
        place: in the source.
    """

    type: str
    module: str
    place: str


def kinds(top: libyosys.Module, name: str) -> dict[str, Kind]:
    """Of all cells of a module that was flattened, by their names as `mutate` writes them.

    Args:
        name: of this module in rtl/.
    """
    cells = {key.str().removeprefix("\\"): cell for key, cell in dict(top.cells_).items()}
    attribute = libyosys.IdString("\\module")
    modules = {
        instance: cell.get_string_attribute(attribute).split("$")[0]
        for instance, cell in cells.items()
        if cell.type.str() == "$scopeinfo"
    } | {"": name}

    def kind(cell: str) -> Kind:
        type_, place = cells[cell].type.str(), cells[cell].get_src_attribute()
        if found := re.match(r"rtl/\w+/(\w+)\.sv:", place):
            return Kind(type_, found[1], place)
        if found := re.match(r"\$memory\\(?:(.*)\.)?(\w+[\[$].*)", cell):
            return Kind(type_, modules.get(found[1] or "", ""), re.sub(r"\d+", "#", found[2]))
        return Kind(type_, "", place)

    return {cell: kind(cell) for cell in cells}


def bench_of(kind: Kind) -> str | None:
    """The module whose bench a fault of this kind is a matter of; None where it has none."""
    module = TOGETHER.get(kind.module, kind.module)
    return module if bench(module).exists() else None


def bench(module: str) -> Path:
    return ROOT / f"tests/rtl/test_{module}.py"


def _own_name(cell: str) -> str:
    """The name without the instances above: what another instance calls it, too."""
    return re.split(r"\.\\?(?=\$)", cell, maxsplit=1)[-1]


def counterpart(fault: str, kind: Kind, module: libyosys.Module, name: str) -> str | None:
    """The mutate command for the same fault in another module, None where it has no such cell.

    Args:
        module: flattened; in rtl/ it has the `name`.
    """
    option = dict(re.findall(r"-(mode|cell|port|portbit|ctrlbit) (\S+)", fault))
    alike = [cell for cell, found in kinds(module, name).items() if found == kind]
    if not alike:
        return None
    port, own = libyosys.IdString(f"\\{option['port']}"), _own_name(option["cell"])
    widths = {
        name.str().removeprefix("\\"): dict(cell.connections_)[port].size()
        for name, cell in dict(module.cells_).items()
        if name.str().removeprefix("\\") in alike
    }
    alike = [cell for cell in alike if widths[cell] > int(option["portbit"])] or alike
    alike = [cell for cell in alike if _own_name(cell) == own] or alike
    chosen = alike[zlib.crc32(option["cell"].encode()) % len(alike)]
    width = widths[chosen]
    bit = int(option["portbit"]) % width
    command = (
        f"mutate -mode {option['mode']} -module {module.name.str()[1:]} -cell {chosen}"
        f" -port {option['port']} -portbit {bit}"
    )
    if "ctrlbit" not in option:
        return command
    if width == 1:
        return None
    control = int(option["ctrlbit"]) % width
    return f"{command} -ctrlbit {control if control != bit else (control + 1) % width}"


@dataclass(frozen=True)
class BenchFaults:
    """The faults of some run, by number, and the cells that they are at.

    Attributes:
        folder: of the netlists and of what the benches print and write.
    """

    folder: Path
    faults: Mapping[int, str]
    cells: Mapping[str, Kind] = field(repr=False)

    def kind(self, number: int) -> Kind:
        (cell,) = re.findall(r"-cell (\S+)", self.faults[number])
        return self.cells[cell]

    def bench_of(self, number: int) -> str | None:
        """See the function of this name."""
        return bench_of(self.kind(number))

    def netlist(self, module: str, parameters: Mapping[str, int]) -> Sequence[Path]:
        """Verilog of the module with all of the faults that it has a counterpart of."""
        values = [f"{name}-{value}" for name, value in sorted(parameters.items())]
        folder = self.folder / "-".join([module, *values])
        files = folder / "netlist.v", folder / "wrapper.sv"
        if files[1].exists():
            return files
        folder.mkdir(parents=True, exist_ok=True)
        design = libyosys.Design()

        def run(command: str) -> None:
            libyosys.run_pass(f"tee -q -a {folder / 'yosys.log'} {command}", design)

        read = synth.elaborate(module, parameters), f"hierarchy -check -top {module}"
        for command in (*read, *flatten(), f"rename {module} {INSIDE}"):
            run(command)
        (top,) = dict(design.modules_).values()
        found = {
            number: counterpart(fault, self.kind(number), top, module)
            for number, fault in self.faults.items()
            if self.bench_of(number) == module
        }
        script = folder / "faults.ys"
        script.write_text("\n".join(numbered(c, n) for n, c in found.items() if c))
        for command in (
            f"script {script}", "bwmuxmap", "opt_clean",
            # where no fault is in it, the input is missing
            *(["add -input fault 16"] * (not any(found.values()))),
            f"write_verilog -noattr {files[0]}",
        ):  # fmt: skip
            run(command)
        files[1].write_text(netlist_shell.around(module, INSIDE, CHOICE))
        return files

    def battery(self, number: int, module: str, seed: int) -> int:
        """Runs the bench of the module with this fault (0: none); exit status of pytest.

        In this process: every bench of it runs with this fault from now on.
        """

        def top(module: str, parameters: Mapping[str, int]) -> Shell:
            files = [*netlist_shell.PACKAGES, *self.netlist(module, parameters)]
            return Shell(module, files, plusargs=(f"+fault={number}",), alone=True)

        for name in (*clean_environment.SELECTION, "WAVES", "RTL_COVERAGE", "SIM"):
            os.environ.pop(name, None)
        os.environ["SEED"] = str(seed)
        os.environ["RUN_FOLDER"] = str(self.folder / f"run-{module}-{number}")
        bench_runner.use(top)
        options = ("-q", "-x", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist")
        return int(pytest.main([*options, "-m", "not nightly", str(bench(module))]))
