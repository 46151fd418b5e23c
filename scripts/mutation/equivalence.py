# SPDX-License-Identifier: BSD-3-Clause
"""Is a fault of the engine's netlist one that nothing can notice? Proven by Yosys' SAT solver.

The proof is of the logic between the registers, for any state that agrees with what is known of the
registers: bits that never change after a reset have their value, and what nothing depends on may
differ.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pyosys import libyosys

from mutation.forked import run_passes, yosys
from qnn_sim import outputs

GIVES = (".Q", ".RD_DATA", ".rdata_o")  # ports of registers and memories; the others take
PROOF_S = 120
STATES = {"0": libyosys.State.S0, "1": libyosys.State.S1}


def is_state(kind: str) -> bool:
    """Whether a cell of this type is a register or a memory."""
    return "dff" in kind or kind.startswith(("$mem", "\\qnn_ram"))


def port_of(cell: str, port: str) -> str:
    """The name of a port of a register in a module that was cut."""
    return cell.lstrip("\\$") + "." + port


@dataclass(frozen=True)
class Registers:
    """What is known of the registers of a netlist; bits by their number, by `port_of`.

    Attributes:
        dead: bits of D that no output and no memory depends on.
        constant: bits of Q that are always "0", or always "1", after a reset.
    """

    dead: dict[str, list[int]] = field(default_factory=dict)
    constant: dict[str, dict[int, str]] = field(default_factory=dict)


def find_registers(folder: Path) -> Registers:
    """Of flat.il in this folder; kept in registers.json. Raises SystemExit where Yosys fails."""
    path = folder / "registers.json"
    if not path.exists():
        found = Registers(_dead(folder), _constant(folder))
        outputs.write(path, json.dumps(asdict(found)))
    kept = json.loads(path.read_text())
    constant = {
        port: {int(bit): value for bit, value in bits.items()}
        for port, bits in kept["constant"].items()
    }
    return Registers(kept["dead"], constant)


def cut(design: libyosys.Design, name: str, known: Registers) -> None:
    """qnn_engine becomes a module `name` without registers and memories.

    What they gave becomes an input, what they took an output, but for what is `known` of them.
    """
    module = dict(design.modules_)[libyosys.IdString("\\qnn_engine")]
    for cell in list(dict(module.cells_).values()):
        if not is_state(cell.type.str()):
            continue
        for port, bits in dict(cell.connections_).items():
            port_name = port_of(cell.name.str(), port.str()[1:])
            constant, dead = known.constant.get(port_name, {}), known.dead.get(port_name, ())
            taken = libyosys.SigSpec()
            for i in range(bits.size()):
                bit = libyosys.SigSpec(bits.at(i), 1)
                if i in constant:
                    module.connect(bit, libyosys.SigSpec(STATES[constant[i]], 1))
                elif i not in dead:
                    taken.append(bit)
            wire = module.addWire(libyosys.IdString(f"\\{port_name}"), taken.size())
            if port_name.endswith(GIVES):
                wire.port_input = True
                module.connect(taken, libyosys.SigSpec(wire))
            else:
                wire.port_output = True
                module.connect(libyosys.SigSpec(wire), taken)
        module.remove(cell)
    module.fixup_ports()
    design.rename(module, libyosys.IdString(f"\\{name}"))


def proof(fault: str, folder: Path, known: Registers) -> int:
    """0 where no register and no output depends on the fault; else Yosys ends the process."""
    flat = f"read_rtlil -overwrite {folder / 'flat.il'}"
    design = run_passes(flat)
    cut(design, "gold", known)
    for command in (flat, fault):
        libyosys.run_pass(command, design)
    cut(design, "gate", known)
    for command in (
        "miter -equiv -flatten gold gate miter", "hierarchy -top miter", "opt -full",
        f"sat -verify -prove trigger 0 -timeout {PROOF_S} miter",
    ):  # fmt: skip
        libyosys.run_pass(command, design)
    return 0


def _dead(folder: Path) -> dict[str, list[int]]:
    def gates() -> None:
        design = run_passes(f"read_rtlil {folder / 'flat.il'}")
        cut(design, "gold", Registers())
        for command in ("techmap", "opt_clean", f"write_json {folder / 'gates.json'}"):
            libyosys.run_pass(command, design)

    yosys(folder, "gates.log", gates)
    module = json.loads((folder / "gates.json").read_text())["modules"]["gold"]
    ports = {name: facts["bits"] for name, facts in module["ports"].items()}
    givers = {n for n, facts in module["ports"].items() if facts["direction"] == "output"}
    needs = {}
    for cell in module["cells"].values():
        bits = {"input": [], "output": []}
        for port, direction in cell["port_directions"].items():
            bits[direction] += cell["connections"][port]
        needs |= dict.fromkeys(bits["output"], bits["input"])
    registers = {name for name in givers if name.endswith(".D")}
    for name in registers:
        needs |= {q: [d] for q, d in zip(ports[name[:-1] + "Q"], ports[name], strict=True)}

    alive, left = set(), [bit for name in givers - registers for bit in ports[name]]
    while left:
        bit = left.pop()
        if bit not in alive:
            alive.add(bit)
            left += needs.get(bit, [])
    dead = {
        name: [i for i, bit in enumerate(ports[name]) if not (bit in alive or isinstance(bit, str))]
        for name in sorted(registers)
    }
    return {name: bits for name, bits in dead.items() if bits}


def _constant(folder: Path) -> dict[str, dict[int, str]]:
    """Where Yosys, that optimises registers away, leaves a constant on the net of a register."""
    before, after = folder / "registers-before.json", folder / "registers-after.json"

    def optimise() -> None:
        run_passes(
            f"read_rtlil {folder / 'flat.il'}", f"write_json {before}",
            "opt -full -fine", f"write_json {after}",
        )  # fmt: skip

    yosys(folder, "registers.log", optimise)
    was, now = (json.loads(path.read_text())["modules"]["qnn_engine"] for path in (before, after))
    values = {
        bit: value
        for name, net in was["netnames"].items()
        if name in now["netnames"]
        for bit, value in zip(net["bits"], now["netnames"][name]["bits"], strict=True)
        if value in STATES
    }
    constant = {
        port_of(name, "Q"): {i: values[b] for i, b in enumerate(facts) if b in values}
        for name, cell in was["cells"].items()
        if "dff" in cell["type"] and (facts := cell["connections"]["Q"])
    }
    return {port: bits for port, bits in constant.items() if bits}
