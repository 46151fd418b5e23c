# SPDX-License-Identifier: BSD-3-Clause
"""The netlist of qnn_zynq, flat, as nextpnr reads it.

Yosys runs in a process of its own, `python -m openxc7.synthesis`: its library ends the process
where something is wrong.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from openxc7 import floorplan
from openxc7.step import run
from qnn.errors import QnnError
from qnn_sim import rtl_build

TOP = "qnn_zynq"
HARD = ("PS7", "BUFG")
ORDER, PLACED = "synthesis.json", "placed.json"  # what the process is told, and what it tells


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
    sources = (
        *rtl_build.xilinx_declarations(), *rtl_build.xilinx_sources(), *rtl_build.zynq_sources()
    )  # fmt: skip
    files = [os.path.relpath(path, folder) for path in sources]
    (folder / ORDER).write_text(
        json.dumps({"sources": files, "parameters": dict(parameters), "places": places})
    )
    scripts = Path(__file__).parents[1]
    try:
        run([sys.executable, "-m", "openxc7.synthesis"], folder, {"PYTHONPATH": str(scripts)})
    except QnnError as error:
        log = folder / "yosys.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        said = [line for line in lines if line.startswith("ERROR: ")]
        raise QnnError(
            f"Yosys: {said[-1].removeprefix('ERROR: ')}" if said else str(error)
        ) from None
    return int(json.loads((folder / PLACED).read_text()))


def check_kinds(kinds: Mapping[str, str], known: Mapping[str, object]) -> None:
    """QnnError where a cell is of no kind that the device has."""
    if unknown := sorted(set(kinds.values()) - set(known) - set(HARD)):
        raise QnnError(f"the netlist has cells that are not known here: {', '.join(unknown)}")


def run_yosys() -> None:
    """All of it, in the current folder, as ORDER there says."""
    try:
        from pyosys import libyosys

        from synth import SERIES_7, merge_copies
    except ImportError:
        raise QnnError("the Python package pyosys is missing; run `make setup`") from None
    order = json.loads(Path(ORDER).read_text())
    design = libyosys.Design()

    def passes(command: str) -> None:
        libyosys.run_pass(f"tee -q -a yosys.log {command}", design)

    told = " ".join(f"-G {key}={value}" for key, value in order["parameters"].items())
    passes(f"read_slang --keep-hierarchy --top {TOP} {told} {' '.join(order['sources'])}")
    merge_copies(design)
    passes(f"hierarchy -check -top {TOP}")
    passes(f"synth_xilinx -family xc7 -noiopad -noclkbuf -top {TOP}")
    passes("flatten")
    passes("opt_clean -purge")
    top = design.top_module()
    cells = {name.str().lstrip("\\"): cell for name, cell in dict(top.cells_).items()}
    kinds = {name: cell.type.str().lstrip("\\") for name, cell in cells.items()}
    check_kinds(kinds, SERIES_7)
    rams = {n: kind for n, kind in kinds.items() if kind in (floorplan.WHOLE, floorplan.HALF)}
    places = order["places"]
    placed = {} if places is None else floorplan.bels(rams, [(x, y) for x, y in places])
    for name, bel in placed.items():
        cells[name].set_string_attribute(libyosys.IdString("\\BEL"), bel)
    passes("write_json netlist.json")
    Path(PLACED).write_text(json.dumps(len(placed)))


if __name__ == "__main__":
    try:
        run_yosys()
    except QnnError as problem:
        sys.exit(f"ERROR: {problem}")
