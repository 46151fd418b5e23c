# SPDX-License-Identifier: BSD-3-Clause
"""From the RTL to qnn.bit and qnn.hwh: Yosys, nextpnr, fasm2frames, xc7frames2bit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from openxc7 import bit_file, floorplan, handoff, synthesis
from openxc7.step import run
from openxc7.tools import Tools
from qnn.errors import QnnError

CLOCK = "clk"  # of qnn_zynq, behind its BUFG
DENSITY = "0.3"  # of the placer: a device that is so full cannot be routed when it is packed
SEED = 1
# Types of nextpnr's cells, and how many of a kind one of them is.
RESOURCES = {
    "lut": {"SLICE_LUTX": 1.0},
    "ff": {"SLICE_FFX": 1.0},
    "bram36": {"RAMB36E1": 1.0, "RAMB18E1": 0.5},
    "dsp": {"DSP48E1": 1.0},
}


def place_and_route(tools: Tools, part: str, mhz: float) -> tuple[list[str], dict[str, str]]:
    """The command, in a folder with netlist.json and qnn.xdc, and its environment.

    Timing that is not met is judged here, from the report, so nextpnr goes on where it fails.
    """
    command = [
        str(tools.nextpnr), "--chipdb", str(tools.chip), "--json", "netlist.json",
        "--report", "nextpnr.json", "--log", "nextpnr.log", "--freq", f"{mhz:.6f}",
        "--seed", str(SEED), "--timing-allow-fail",
    ]  # fmt: skip
    if tools.himbaechel:
        command += ["--device", part, "--placer-heap-beta", DENSITY]
        command += ["--vopt", "xdc=qnn.xdc", "--vopt", "fasm=qnn.fasm"]
        return command, {}
    return [*command, "--xdc", "qnn.xdc", "--fasm", "qnn.fasm"], {"NEXTPNR_PLACER_BETA": DENSITY}


def _type(name: str) -> str:
    """RAMB36E1_RAMB36E1 is RAMB36E1."""
    return re.sub(r"^(\w+)_\1$", r"\1", name)


def utilization(report: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Used and available of each of RESOURCES; of nextpnr's LUTs, two share a site."""
    counted = {_type(name): row for name, row in report["utilization"].items()}
    found = {}
    for key, kinds in RESOURCES.items():
        rows = [(counted[kind], share) for kind, share in kinds.items() if kind in counted]
        if rows:
            found[key] = {
                "used": sum(row["used"] * share for row, share in rows),
                "available": float(rows[0][0]["available"]),
            }
    return found


def timing(report: Mapping[str, Any], mhz: float) -> dict[str, Any]:
    """Period and slack of the slowest clock. nextpnr tells of no hold time.

    Raises:
        QnnError: no clock is in the report.
    """
    reached = [float(row["achieved"]) for row in report.get("fmax", {}).values()]
    if not reached:
        raise QnnError("nextpnr found no clock in the design")
    period = 1000 / mhz
    slack = period - 1000 / min(reached)
    return {"period_ns": round(period, 3), "setup_slack_ns": round(slack, 3), "hold_slack_ns": None}


def judge(found: Mapping[str, Any]) -> str:
    """Why the clock is not met; empty where it is."""
    period, slack = found["period_ns"], found["setup_slack_ns"]
    if slack >= 0:
        return ""
    met = int(10000 / (period - slack)) / 10
    return (
        f"timing is not met: setup slack is {slack:.3f} ns of {period:.3f} ns; it would be met at"
        f" {met} MHz"
    )


def implement(
    tools: Tools, told: Mapping[str, Any], mhz: float, work: Path, say: Callable[[str], None]
) -> None:
    """All up to nextpnr.json and qnn.fasm."""
    places = None if tools.himbaechel else floorplan.sites(tools.database, told["part"])
    say("synthesise with Yosys")
    placed = synthesis.synthesise(work, told["parameters"], places)
    (work / "qnn.xdc").write_text(f"create_clock -period {1000 / mhz:.3f} [get_nets {CLOCK}]\n")
    say(f"place and route with {tools.nextpnr.name}, {placed} block RAMs in their places")
    command, environment = place_and_route(tools, told["part"], mhz)
    run(command, work, environment)


def write_bitstream(tools: Tools, told: Mapping[str, Any], work: Path) -> None:
    """From qnn.fasm to qnn.bit and qnn.hwh."""
    part = told["part"]
    run(
        [str(tools.fasm2frames), "--db-root", str(tools.database), "--part", part, "qnn.fasm",
         "qnn.frames"],
        work,
    )  # fmt: skip
    run(
        [str(tools.frames2bit), "--part_file", str(tools.part_file(part)), "--part_name", part,
         "--frm_file", "qnn.frames", "--output_file", "unnamed.bit"],
        work,
    )  # fmt: skip
    if not (work / "unnamed.bit").is_file():  # it ends with status 0 where it cannot write
        raise QnnError("xc7frames2bit wrote no bitstream")
    text = bit_file.with_user_id((work / "unnamed.bit").read_bytes(), told["user_id"])
    (work / "qnn.bit").write_bytes(text)
    (work / "qnn.hwh").write_text(handoff.description(told))


def build(
    tools: Tools, told: Mapping[str, Any], work: Path, result: dict[str, Any],
    say: Callable[[str], None],
) -> str:  # fmt: skip
    """All steps; adds what came of them to `result`, tells `say` what comes next.

    Returns:
        What went wrong after the report, empty where nothing did.

    Raises:
        QnnError: there is no report.
    """
    mhz = handoff.actual_mhz(told["clock_mhz"])
    implement(tools, told, mhz, work, say)
    try:
        report = json.loads((work / "nextpnr.json").read_text())
        result["timing"] = timing(report, mhz)
        result["utilization"] = utilization(report)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise QnnError(f"nextpnr's report cannot be read: {error!r}") from None
    result["nextpnr"] = f"{tools.nextpnr.name} {tools.version}"
    if problem := judge(result["timing"]):
        return problem
    say("write the bitstream")
    write_bitstream(tools, told, work)
    return ""
