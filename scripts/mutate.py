# SPDX-License-Identifier: BSD-3-Clause
"""Puts random faults into the RTL and counts those that the tests of the whole engine find.

Yosys makes a netlist of the small configuration with all faults in it, each switched on by its
number; that is compiled once. Then, for each fault, tests/rtl/test_engine.py runs on it in a
process of its own until a test fails (the fault is killed), and tests/rtl/test_random_layers.py
after it. A fault that changes no register and no output in any state is equivalent: Yosys' SAT
solver proves it on the logic between the registers. What neither dies nor is proven equivalent is a
survivor, listed in mutate.json with what was changed. Needs the extra `dev`.

    python scripts/mutate.py --count 100 --seed 1
    python scripts/mutate.py --count 100 --seed 1 --only 17
"""

import argparse
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qnn_sim import rtl_engine
from qnn_sim.rtl_build import CONFIGURATIONS, ROOT, RTL, compile_engine, sources

CONFIGURATION = "small"
BATTERY = ["tests/rtl/test_engine.py", "tests/rtl/test_random_layers.py"]
MOST_CPU_S = 300  # of one fault; a test that runs longer hangs
PROOF_S = 120
LEAST_SHARE = 0.95  # of the faults that are not proven equivalent
LARGE_MEMORY = 16  # words; smaller ones become registers

# The chosen fault comes from the environment, so that the harness need not know of it.
CHOICE = """module chosen_fault (output [15:0] number_o);
  import "DPI-C" context function int unsigned qnn_fault();
  logic [15:0] number;
  initial number = 16'(qnn_fault());
  assign number_o = number;
endmodule
"""
CHOICE_CPP = """#include <cstdlib>
extern "C" unsigned qnn_fault() {
  const char *number = std::getenv("QNN_FAULT");
  return number ? std::strtoul(number, nullptr, 10) : 0;
}
"""


def yosys(folder: Path, log: str, *commands: str) -> str:
    """Runs the commands in a process of its own; the log. Raises SystemExit where one fails."""
    code = "import sys; from pyosys import libyosys as y; d = y.Design()\n"
    code += "for c in sys.argv[1:]: y.run_pass(c, d)"
    with open(folder / log, "w") as out:
        command = [sys.executable, "-c", code, *commands]
        if subprocess.run(command, stdout=out, stderr=out, check=False).returncode:
            raise SystemExit(f"mutate.py: Yosys fails: see {folder / log}")
    return (folder / log).read_text()


def flatten(folder: Path) -> None:
    """flat.il: the engine as one module, its qnn_ram kept apart; rams.sv: what they are."""
    files = " ".join(map(str, sources()))
    parameters = " ".join(f"-G {k}={v}" for k, v in CONFIGURATIONS[CONFIGURATION].items())
    yosys(
        folder, "flatten.log",
        f"read_slang --keep-hierarchy --top qnn_engine {parameters} {files}",
        "hierarchy -check -top qnn_engine", "setattr -mod -set keep_hierarchy 1 qnn_ram*",
        "proc", "flatten", "memory_collect",
        f"select -set small t:$mem_v2 r:SIZE<{LARGE_MEMORY} %i qnn_ram* %d", "memory_map @small",
        "bwmuxmap", "techmap t:$shift t:$shiftx %u", "opt_expr", "opt_clean",
        f"write_json {folder / 'ports.json'}", "blackbox qnn_ram*",
        f"write_rtlil {folder / 'flat.il'}",
    )  # fmt: skip
    modules = json.loads((folder / "ports.json").read_text())["modules"]
    text = CHOICE
    for name, module in modules.items():
        if not name.startswith("qnn_ram"):
            continue
        width = {port: len(facts["bits"]) for port, facts in module["ports"].items()}
        ports = ", ".join(
            f"{facts['direction']} [{width[port] - 1}:0] {port}"
            for port, facts in module["ports"].items()
        )
        text += (
            f"module \\{name} ({ports});\n  qnn_ram #(.Width({width['wdata_i']}),"
            f" .Depth({2 ** width['waddr_i']}), .Enables({width['we_i']})) u_ram (.*);\nendmodule\n"
        )
    (folder / "rams.sv").write_text(text)


def draw(folder: Path, count: int, seed: int) -> list[str]:
    """The mutate commands, without their numbers; faults of the clock are left out."""
    path = folder / "drawn.txt"
    if not path.exists():
        yosys(
            folder, "draw.log", f"read_rtlil {folder / 'flat.il'}",
            f"mutate -list {count + count // 4 + 8} -seed {seed} -o {path}",
        )  # fmt: skip
    drawn = [line for line in path.read_text().splitlines() if "-port CLK" not in line]
    return drawn[:count]


def build(folder: Path, faults: list[str]) -> Path:
    """The library with all faults in it."""
    library = folder / "engine.so"
    if library.exists():
        return library
    script = folder / "faults.ys"
    numbered = [
        fault.replace("mutate", f"mutate -ctrl fault 16 {number}", 1)
        for number, fault in enumerate(faults, 1)
    ]
    script.write_text("\n".join(numbered))
    yosys(
        folder, "insert.log", f"read_rtlil {folder / 'flat.il'}", f"script {script}", "bwmuxmap",
        "opt_clean", f"write_verilog -noattr {folder / 'netlist.v'}",
    )  # fmt: skip
    netlist = (folder / "netlist.v").read_text()
    head, rest = netlist.split(");", 1)  # the ports; the number is a signal inside, not one of them
    rest = rest.replace("  input [15:0] fault;\n", "", 1)
    wire = "  wire [15:0] fault;\n"
    rest = rest.replace(wire, f"{wire}  chosen_fault u_fault (fault);\n", 1)
    (folder / "netlist.v").write_text(f"{head.replace(', fault', '')});{rest}")
    (folder / "choice.cpp").write_text(CHOICE_CPP)
    compile_engine(
        library,
        [
            *("-Wno-lint", str(folder / "netlist.v"), str(folder / "rams.sv")),
            *(str(RTL / "core/qnn_ram.sv"), str(folder / "choice.cpp")),
        ],
    )
    return library


def survives(number: int, library: Path, log: Path, seed: int) -> bool:
    """Whether the battery passes with this fault (0: none) in a process of its own."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return status == 0
    try:
        with open(log, "w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S + 5))
        os.environ |= {"QNN_FAULT": str(number), "SEED": str(seed), "CI": "true"}
        rtl_engine.build = lambda *_: library
        options = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist"]
        code = int(pytest.main([*options, *BATTERY]))
    except BaseException:  # whatever it is, the process ends here
        code = 3
    os._exit(code)


CUT = """
import sys
from pyosys import libyosys as y

flat, fault, limit = sys.argv[1:]
design = y.Design()
OUTPUTS = {"Q", "RD_DATA", "rdata_o"}

def cut(name):
    # registers and memories away; what they gave becomes an input, what they took an output
    module = dict(design.modules_)[y.IdString("\\\\qnn_engine")]
    for cell in list(dict(module.cells_).values()):
        kind = cell.type.str()
        if "dff" not in kind and not kind.startswith(("$mem", "\\\\qnn_ram")):
            continue
        label = cell.name.str().lstrip("\\\\$")
        for port, signal in dict(cell.connections_).items():
            short = port.str()[1:]
            wire = module.addWire(y.IdString(f"\\\\{label}.{short}"), signal.size())
            if short in OUTPUTS:
                wire.port_input = True
                module.connect(signal, y.SigSpec(wire))
            else:
                wire.port_output = True
                module.connect(y.SigSpec(wire), signal)
        module.remove(cell)
    module.fixup_ports()
    design.rename(module, y.IdString(f"\\\\{name}"))

for name in ("gold", "gate"):
    y.run_pass(f"read_rtlil -overwrite {flat}", design)
    if name == "gate":
        y.run_pass(fault, design)
    cut(name)
for command in (
    "miter -equiv -flatten gold gate miter", "hierarchy -top miter", "opt -full",
    f"sat -verify -prove trigger 0 -timeout {limit} miter",
):
    y.run_pass(command, design)
"""


def equivalent(fault: str, folder: Path, log: Path) -> bool:
    """Whether it is proven that no register and no output depends on the fault, in any state."""
    command = [sys.executable, "-c", CUT, str(folder / "flat.il"), fault, str(PROOF_S)]
    with open(log, "w") as out:
        code = subprocess.run(command, stdout=out, stderr=out, check=False).returncode
    return code == 0 and "SAT proof finished - no model found: SUCCESS!" in log.read_text()


def described(number: int, fault: str, seed: int, count: int) -> dict[str, object]:
    """A fault for the reader: where, what, and how to repeat it."""
    found = dict(re.findall(r"-(mode|cell|port|portbit|ctrlbit|wire|wirebit) (\S+)", fault))
    places = re.findall(r"-src \S*?(rtl/\S+)", fault)
    signal = f"{found['wire']}[{found['wirebit']}]" if "wire" in found else "a net without name"
    return {
        "number": number,
        "places": places,
        "fault": f"{found['mode']} of bit {found['portbit']} at port {found['port']} of"
        f" {found['cell']} ({signal})",
        "repeat": f"python scripts/mutate.py --count {count} --seed {seed} --only {number}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example: python scripts/mutate.py --count 100 --seed 1",
    )
    parser.add_argument("--count", type=int, default=100, help="faults (100)")
    parser.add_argument("--seed", type=int, default=1, help="of their choice and of the tests (1)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="try only this fault again")
    parser.add_argument("--out", type=Path, default=ROOT / "build/mutate", help="output folder")
    arguments = parser.parse_args()
    count, seed = arguments.count, arguments.seed
    if not 0 < count < 1 << 16:
        parser.error(f"--count {count} is not in 1..65535")

    digest = hashlib.sha256(repr((count, seed)).encode())
    for path in [*sources(), Path(__file__)]:
        digest.update(path.read_bytes())
    folder = arguments.out / digest.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.0f} s] {text}", file=sys.stderr, flush=True)

    if not (folder / "flat.il").exists():
        tell("netlist of the engine")
        flatten(folder)
    if not (folder / "drawn.txt").exists():
        tell("choice of the faults")
    faults = draw(folder, count, seed)
    tell("compilation with all faults in it")
    library = build(folder, faults)
    tell("tests without a fault")
    if not survives(0, library, folder / "test-0.log", seed):
        raise SystemExit(f"mutate.py: the tests fail without a fault: see {folder / 'test-0.log'}")

    killed = equivalents = 0
    survivors = []
    numbers = [arguments.only] if arguments.only else range(1, len(faults) + 1)
    for number in numbers:
        fault = faults[number - 1]
        entry = described(number, fault, seed, count)
        log = folder / f"test-{number}.log"
        if not survives(number, library, log, seed):
            killed += 1
            verdict = "killed"
        elif equivalent(fault, folder, folder / f"proof-{number}.log"):
            equivalents += 1
            verdict = "equivalent (proven)"
        else:
            survivors.append(entry)
            verdict = "SURVIVES"
        tell(f"{number}/{len(faults)} {verdict}: {' '.join(entry['places'][:1])} {entry['fault']}")
    result = {
        "mutants": len(numbers),
        "killed": killed,
        "equivalent": equivalents,
        "survivors": survivors,
        "seed": seed,
    }
    if not arguments.only:
        arguments.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    share = killed / max(1, killed + len(survivors))
    print(
        f"{len(numbers)} faults: {killed} killed, {equivalents} equivalent (proven),"
        f" {len(survivors)} survive; {100 * share:.1f}% of the others are killed"
    )
    return int(share < LEAST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
