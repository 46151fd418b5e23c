# SPDX-License-Identifier: BSD-3-Clause
"""nextpnr-xilinx (0.9.3 and later) and nextpnr-himbaechel, as far as a build can see them.

Sources: common/command.cc, xilinx/main.cc, xilinx/xdc.cc, common/placer_heap.cc of
openXC7/nextpnr-xilinx; common/kernel/command.cc, himbaechel/main.cc and
himbaechel/uarch/xilinx/xilinx.cc of YosysHQ/nextpnr. nextpnr-himbaechel 0.11.1 tells all of its
options here with --help; what comes with Python (--run, --pre-pack, ...) is left out.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from openxc7_stand_in.outcome import Outcome, StandInError, options

FLAGS = {
    "help", "verbose", "quiet", "debug", "force", "randomize-seed", "pack-only", "no-route",
    "no-place", "no-pack", "ignore-loops", "version", "test", "timing-allow-fail", "no-tmdriv",
    "sdf-cvc",
}  # fmt: skip
VALUED = {
    "log", "report", "json", "write", "seed", "placer", "router", "cstrweight", "starttemp",
    "freq", "sdf",
}  # fmt: skip
OF = {
    "nextpnr-xilinx": (
        {"placer-budgets", "route-clock-only"},
        {"slack_redist_iter", "chipdb", "xdc", "fasm", "fixed-routes"},
    ),
    "nextpnr-himbaechel": (
        {"list-uarch", "placer-heap-no-ctrl-set"},
        {"device", "chipdb", "vopt", "placer-heap-alpha", "placer-heap-beta", "threads"},
    ),
}
# Cells of Yosys that the packers know, and what they become in a report.
PACKED = {
    **{f"LUT{n}": "SLICE_LUTX" for n in range(1, 7)},
    "INV": "SLICE_LUTX",
    "SRL16E": "SLICE_LUTX", "SRLC32E": "SLICE_LUTX", "RAM32M": "SLICE_LUTX",
    "RAM64M": "SLICE_LUTX", "RAM64X1D": "SLICE_LUTX", "RAM32X1D": "SLICE_LUTX",
    "FDRE": "SLICE_FFX", "FDSE": "SLICE_FFX",
    "CARRY4": "CARRY4", "MUXF7": "SELMUX2_1", "MUXF8": "SELMUX2_1",
    "RAMB36E1": "RAMB36E1_RAMB36E1", "RAMB18E1": "RAMB18E1_RAMB18E1",
    "DSP48E1": "DSP48E1_DSP48E1", "BUFG": "BUFGCTRL", "PS7": "PS7_PS7",
    "GND": "PSEUDO_GND", "VCC": "PSEUDO_VCC",
}  # fmt: skip
AVAILABLE = {
    "SLICE_LUTX": 106_400, "SLICE_FFX": 106_400, "RAMB36E1_RAMB36E1": 140,
    "RAMB18E1_RAMB18E1": 280, "DSP48E1_DSP48E1": 220, "BUFGCTRL": 32, "PS7_PS7": 1,
    "CARRY4": 13_300, "SELMUX2_1": 39_900, "PSEUDO_GND": 1, "PSEUDO_VCC": 1,
}  # fmt: skip


def run(name: str, arguments: list[str], outcome: Outcome) -> int:
    flags, valued = OF[name]
    valued = (VALUED | valued) - ({"report"} if outcome.no_report else set())
    given, plain = options(arguments, FLAGS | flags, valued)
    if plain:
        raise StandInError(f"{plain[0]} is no option")
    title = f'"{name}" -- Next Generation Place and Route (Version {outcome.version})'
    if "version" in given or "help" in given:
        print(title, file=sys.stderr)
        if "help" in given:
            print("\n".join(f"  --{word} arg" for word in sorted(valued)), file=sys.stderr)
        return 0
    if "list-uarch" in given:
        print(f"Info: Supported uarches: {outcome.uarches}", file=sys.stderr)
        return 0
    outcome.fail(name)
    himbaechel = name == "nextpnr-himbaechel"
    extra = {}
    if himbaechel:
        if not re.fullmatch(r"xc7[azkv]\d+t?[a-z0-9]+-\dL?", given.get("device", [""])[0]):
            raise StandInError("device must be specified")
        extra = dict(word.split("=", 1) for word in given.get("vopt", []))
        if unknown := set(extra) - {"fasm", "xdc"}:
            raise StandInError(f"unrecognised option '--{min(unknown)}'")
    chip = json.loads(_read(given, "chipdb"))
    if chip["kind"] != ("himbaechel" if himbaechel else "xilinx"):
        raise StandInError("this is no chip database of this program")
    module = top_module(json.loads(_read(given, "json")))
    used = pack(module)
    placed = place(module, chip, himbaechel)
    density = given.get("placer-heap-beta", [os.environ.get("NEXTPNR_PLACER_BETA", "0.4")])[0]
    if not 0 < float(density) <= 1:
        raise StandInError(f"no density {density}")
    xdc = extra.get("xdc") if himbaechel else given.get("xdc", [None])[0]
    constraint = clock(Path(xdc).read_text(), module) if xdc else 12.0
    fasm = extra.get("fasm") if himbaechel else given.get("fasm", [None])[0]
    missed = outcome.reached_mhz is not None and outcome.reached_mhz < constraint
    log = [f"Info: Placed {placed} cells based on constraints.",
           f"Info: Placement density {density}, seed {given.get('seed', ['1'])[0]}"]  # fmt: skip
    print("\n".join(log), file=sys.stderr)
    if "log" in given:
        Path(given["log"][0]).write_text("\n".join(log) + "\n")
    if fasm:
        Path(fasm).write_text("# stand-in\nINT_L_X2Y0.BYP_ALT0.GFAN0\n")
    if "report" in given:
        fmax = {"clk": {"achieved": outcome.reached_mhz, "constraint": constraint}}
        report = {
            "critical_paths": [],
            "fmax": {} if outcome.reached_mhz is None else fmax,
            "utilization": {
                kind: {"used": used.get(kind, 0), "available": number}
                for kind, number in AVAILABLE.items()
            },
        }
        Path(given["report"][0]).write_text(json.dumps(report))
    return int(missed and "timing-allow-fail" not in given)


def _read(given: dict[str, list[str]], option: str) -> str:
    try:
        return Path(given[option][0]).read_text()
    except (KeyError, OSError):
        raise StandInError(f"--{option}: no file that can be read") from None


def top_module(netlist: dict) -> dict:
    """The one with the attribute `top`; black boxes of Yosys' library are none."""
    tops = [m for m in netlist["modules"].values() if int(m["attributes"].get("top", "0"), 2)]
    if len(tops) != 1:
        raise StandInError(f"{len(tops)} top modules")
    if tops[0]["ports"]:
        raise StandInError("a port without a pad: no PACKAGE_PIN is given for it")
    return tops[0]


def pack(module: dict) -> dict[str, int]:
    """How many of each kind there are."""
    used: dict[str, int] = {}
    for name, cell in module["cells"].items():
        if cell["type"] not in PACKED:
            raise StandInError(f"unable to place cell '{name}', no BELs of type '{cell['type']}'")
        kind = PACKED[cell["type"]]
        used[kind] = used.get(kind, 0) + 1
    if used.get("PS7_PS7") != 1:
        raise StandInError("one PS7 is on the device")
    (system,) = (cell for cell in module["cells"].values() if cell["type"] == "PS7")
    for port in ("MAXIGP0ACLK", "SAXIHP0ACLK", "SAXIHP2ACLK"):
        if not isinstance(system["connections"][port][0], int):
            raise StandInError(f"{port} has no clock")
    if any(used.get(kind, 0) > number for kind, number in AVAILABLE.items()):
        raise StandInError("no BELs remaining")
    return used


def place(module: dict, chip: dict, himbaechel: bool) -> int:
    """How many cells have a place of their own; StandInError for one that cannot be."""
    taken: dict[str, str] = {}
    sites = {f"RAMB36_X{x}Y{y}" for x, y in chip["sites"]}
    for name, cell in module["cells"].items():
        bel = cell["attributes"].get("BEL")
        if bel is None:
            continue
        if himbaechel:
            raise StandInError(f"No Bel named '{bel}' located for this chip")
        site, _, kind = bel.partition("/")
        if site not in sites or kind != "RAMB36E1/RAMB36E1":
            raise StandInError(f"No Bel named '{bel}' located for this chip")
        if cell["type"] != "RAMB36E1":
            raise StandInError(f"Bel '{bel}' does not match cell '{name}'")
        if bel in taken:
            raise StandInError(f"'{bel}' is already bound to cell '{taken[bel]}'")
        taken[bel] = name
    return len(taken)


def clock(xdc: str, module: dict) -> float:
    """MHz of the one create_clock that is known here, on a net that is driven by a BUFG."""
    found = re.fullmatch(r"create_clock -period (\d+\.\d+) \[get_nets (\S+)\]\s*", xdc)
    if not found:
        raise StandInError("the constraints are not what is known here")
    if found[2] not in module["netnames"]:
        raise StandInError(f"get_nets: no net named '{found[2]}'")
    bits = module["netnames"][found[2]]["bits"]
    buffers = [cell for cell in module["cells"].values() if cell["type"] == "BUFG"]
    if [cell["connections"]["O"] for cell in buffers] != [bits]:
        raise StandInError(f"{found[2]} is not the clock behind the one BUFG")
    return 1000 / float(found[1])
