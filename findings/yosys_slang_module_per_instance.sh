#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pyosys 0.70, read_slang: with --keep-hierarchy every instance becomes a module of its own, also
# where module and parameters are the same; neither `hierarchy` nor `opt_merge` makes one of them
# again. So a flow that counts LUTs by module sees each once, and maps equal modules again and again.
# Yosys's own front end (read_verilog -sv) makes one module of the same source.
#
# Seen, for three equal instances and one with another parameter, the top module left out:
#   read_verilog 2 modules, read_slang 4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyosys==0.70
cat > design.sv <<'SV'
module add #(parameter int unsigned W = 4) (input logic [W-1:0] a, output logic [W-1:0] y);
  assign y = a + 1'b1;
endmodule
module top (input logic [3:0] a, input logic [4:0] b, output logic [3:0] x, y, z, output logic [4:0] v);
  add u_x (.a(a), .y(x));
  add u_y (.a(a), .y(y));
  add u_z (.a(a), .y(z));
  add #(.W(5)) u_v (.a(b), .y(v));
endmodule
SV
cat > count.py <<'PY'
import sys
from importlib.metadata import version
from pyosys import libyosys

def modules(*commands):
    design = libyosys.Design()
    for command in (*commands, "hierarchy -check -top top", "proc", "opt_merge"):
        libyosys.run_pass(f"tee -q -o log.txt {command}", design)
    names = [name.str() for name in dict(design.modules_)]
    return sum("add" in name for name in names)

classic = modules("read_verilog -sv design.sv")
slang = modules("read_slang --keep-hierarchy --top top design.sv")
print(f"pyosys {version('pyosys')}: read_verilog {classic} modules, read_slang {slang}")
sys.exit((classic, slang) != (2, 4))
PY
venv/bin/python count.py 2>/dev/null | grep ^pyosys
