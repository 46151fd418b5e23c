# SPDX-License-Identifier: BSD-3-Clause
"""The netlist of qnn_zynq, flat, as nextpnr reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from openxc7 import floorplan
from qnn.errors import QnnError
from qnn_sim import rtl_build

TOP = "qnn_zynq"
HARD = ("PS7", "BUFG")


def synthesise(
    folder: Path, parameters: Mapping[str, int], places: list[tuple[int, int]] | None
) -> int:
    """Writes netlist.json and yosys.log into a folder.

    Args:
        parameters: of qnn_zynq.
        places: sites of block RAMs for the floorplan; None: there is none.

    Returns:
        How many block RAMs have a place.

    Raises:
        QnnError: Yosys is missing or fails, or leaves something that the device does not have.
    """
    if reason := rtl_build.wrong_path():
        raise QnnError(reason)
    try:
        from pyosys import libyosys

        from synth import COST, merge_copies
    except ImportError:
        raise QnnError("the Python package pyosys is missing; run `make setup`") from None
    design = libyosys.Design()
    log = folder / "yosys.log"
    files = " ".join(
        os.path.relpath(path) for path in (*rtl_build.sources(), *rtl_build.zynq_sources())
    )
    told = " ".join(f"-G {key}={value}" for key, value in parameters.items())
    netlist = folder / "netlist.json"

    def run(command: str) -> None:
        try:
            libyosys.run_pass(f"tee -q -a {log} {command}", design)
        except Exception as error:  # libyosys has no type for its own
            raise QnnError(f"Yosys fails in `{command.split()[0]}` ({error}), see {log}") from None

    run(f"read_slang --keep-hierarchy --top {TOP} {told} {files}")
    merge_copies(design)
    run(f"hierarchy -check -top {TOP}")
    run(f"synth_xilinx -family xc7 -noiopad -noclkbuf -top {TOP}")
    run("flatten")
    run("opt_clean -purge")
    top = design.top_module()
    cells = {name.str().lstrip("\\"): cell for name, cell in dict(top.cells_).items()}
    kinds = {name: cell.type.str().lstrip("\\") for name, cell in cells.items()}
    if unknown := sorted(set(kinds.values()) - set(COST) - set(HARD)):
        raise QnnError(f"the netlist has cells that are not known here: {', '.join(unknown)}")
    rams = {n: kind for n, kind in kinds.items() if kind in (floorplan.WHOLE, floorplan.HALF)}
    placed = {} if places is None else floorplan.bels(rams, places)
    for name, bel in placed.items():
        cells[name].set_string_attribute(libyosys.IdString("\\BEL"), bel)
    run(f"write_json {netlist}")
    return len(placed)
