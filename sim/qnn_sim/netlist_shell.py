# SPDX-License-Identifier: BSD-3-Clause
"""A netlist of a module of rtl/ behind the parameters and ports that its bench knows."""

from __future__ import annotations

from qnn_sim.rtl_build import RTL

# What the ports of modules are made of.
PACKAGES = (RTL / "regs/qnn_regs_pkg.sv", RTL / "core/qnn_pkg.sv")


def around(module: str, netlist: str, more: str = "") -> str:
    """SystemVerilog of a module like the one of rtl/, with an instance of `netlist` inside.

    Args:
        netlist: a module whose ports have the same names and widths.
        more: further declarations, for ports that only the netlist has.
    """
    (path,) = RTL.glob(f"*/{module}.sv")
    head, _, _ = path.read_text().partition("\n);\n")
    return f"{head}\n);\n{more}  {netlist} u_netlist (.*);\nendmodule\n"
