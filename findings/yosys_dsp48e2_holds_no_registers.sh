#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pyosys 0.70, synth_xilinx: into a DSP48E1 of -family xc7 go the registers around a multiplication,
# the addition behind it, and the cascade to the next one. With -family xcup nothing goes into a
# DSP48E2: its pass xilinx_dsp takes the option and says nothing, and all of these are flip-flops, LUTs
# and carry chains, so that an UltraScale+ design counts too many. Where its section map_dsp is run with
# -family xc7, and all before and behind it with -family xcup, the DSP48E1 hold them here, too.
#
# Seen, for four products of 16 bits in a chain, flip-flops and LUTs:
#   xc7 0 FF 0 LUT, xcup 263 FF 100 LUT, xcup with the map_dsp of xc7 0 FF 0 LUT
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyosys==0.70
cat > design.v <<'V'
module top (input clk, input signed [63:0] a, b, output reg signed [34:0] y);
  reg signed [31:0] p0, p1, p2, p3;
  reg signed [34:0] s0, s1, s2;
  always @(posedge clk) begin
    p0 <= $signed(a[15:0]) * $signed(b[15:0]);
    p1 <= $signed(a[31:16]) * $signed(b[31:16]);
    p2 <= $signed(a[47:32]) * $signed(b[47:32]);
    p3 <= $signed(a[63:48]) * $signed(b[63:48]);
    s0 <= p0;
    s1 <= s0 + p1;
    s2 <= s1 + p2;
    y <= s2 + p3;
  end
endmodule
V
cat > count.py <<'PY'
import sys
from importlib.metadata import version
from pyosys import libyosys

def outside(*passes):
    design = libyosys.Design()
    for command in ("read_verilog design.v", *passes):
        libyosys.run_pass(f"tee -q -o log.txt {command}", design)
    kinds = [cell.type.str() for cell in dict(design.top_module().cells_).values()]
    return [sum(kind.startswith(start) for kind in kinds) for start in ("\\FD", "\\LUT")]

rest = "-noiopad -noclkbuf -top top"
found = (
    outside(f"synth_xilinx -family xc7 {rest}"),
    outside(f"synth_xilinx -family xcup {rest}"),
    outside(
        f"synth_xilinx -family xcup {rest} -run begin:map_dsp",
        f"synth_xilinx -family xc7 {rest} -run map_dsp:coarse",
        f"synth_xilinx -family xcup {rest} -run coarse:",
    ),
)
named = ", ".join(
    f"{name} {ffs} FF {luts} LUT"
    for name, (ffs, luts) in zip(("xc7", "xcup", "xcup with the map_dsp of xc7"), found, strict=True)
)
print(f"pyosys {version('pyosys')}: {named}")
sys.exit(found != ([0, 0], [263, 100], [0, 0]))
PY
venv/bin/python count.py 2>/dev/null | grep ^pyosys
