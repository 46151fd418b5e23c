# SPDX-License-Identifier: BSD-3-Clause
"""The timing of a synthesised design: paths, cells, loads and ns of designs that are known."""

import json

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

from math import sqrt

from pyosys import libyosys

import netlist_timing

FD, LUT = 0.303, 0.127  # ns, clock to output and through a LUT, of Yosys' models


def wire(loads):
    return 0.60 + 0.11 * sqrt(loads)


# All of them are synthesised in one run of Yosys.
DESIGNS = """
(* keep_hierarchy *) module parity(input [5:0] a, output y);
  assign y = ^a;
endmodule
(* keep_hierarchy *) module border(input clk_i, input [5:0] d_i, output reg q_o);
  reg [5:0] a;
  wire y;
  parity u_parity(.a(a), .y(y));
  always @(posedge clk_i) begin
    a <= d_i;
    q_o <= y;
  end
endmodule
(* keep_hierarchy *) module longer(input clk_i, input [5:0] d_i, output reg q_o);
  reg [5:0] a;
  wire x, y;
  parity u_first(.a(a), .y(x));
  parity u_second(.a({a[5:1], x}), .y(y));
  always @(posedge clk_i) begin
    a <= d_i;
    q_o <= y;
  end
endmodule
(* keep_hierarchy *) module adder(input clk_i, input [31:0] d_i, output reg [31:0] sum);
  reg [31:0] a, b;
  always @(posedge clk_i) begin
    a <= d_i;
    b <= a;
    sum <= a + b;
  end
endmodule
(* keep_hierarchy *) module wide #(parameter W = 65) (
  input clk_i, input rst_i, input go_i, input [W-1:0] d_i, output reg [W-1:0] q);
  reg go;
  always @(posedge clk_i) begin
    go <= go_i;
    if (go) q <= d_i;
    if (rst_i) q <= 0;
  end
endmodule
(* keep_hierarchy *) module ram(
  input clk_i, input we, input [9:0] a_i, input [35:0] d_i, output reg [35:0] q_o);
  (* ram_style = "block" *) reg [35:0] mem [1023:0];
  reg [35:0] read;
  reg [9:0] a;
  always @(posedge clk_i) begin
    a <= a_i;
    if (we) mem[a_i] <= d_i;
    read <= mem[a];
    q_o <= read;
  end
endmodule
(* keep_hierarchy *) module dsp #(parameter P = 1) (
  input clk_i, input signed [17:0] a_i, b_i, output reg signed [35:0] q_o);
  (* keep *) reg signed [17:0] a, b;
  wire signed [35:0] p;
  DSP48E1 #(
    .AREG(0), .BREG(0), .ADREG(0), .CREG(0), .MREG(0), .PREG(P), .USE_DPORT("FALSE")
  ) u_dsp (
    .CLK(clk_i), .A({{12{a[17]}}, a}), .B(b), .P(p));
  always @(posedge clk_i) begin
    a <= a_i;
    b <= b_i;
    q_o <= p ^ {36{a[0]}};
  end
endmodule
(* keep_hierarchy *) module both(input a, b, output y);
  assign y = a & b;
endmodule
(* keep_hierarchy *) module loop(input b, c, output y);
  wire x;
  both u_x(.a(y), .b(b), .y(x));
  both u_y(.a(x), .b(c), .y(y));
endmodule
module top(input clk_i, rst_i, input [89:0] d, output [9:0] y, output [31:0] sum,
    output [35:0] q, p1, p0, output [64:0] w65, output [63:0] w64);
  border u_border(clk_i, d[5:0], y[0]);
  longer u_longer(clk_i, d[5:0], y[1]);
  adder u_adder(clk_i, d[31:0], sum);
  wide #(65) u_65(clk_i, rst_i, d[0], d[64:0], w65);
  wide #(64) u_64(clk_i, rst_i, d[0], d[63:0], w64);
  ram u_ram(clk_i, d[0], d[10:1], d[46:11], q);
  dsp #(1) u_1(clk_i, d[17:0], d[35:18], p1);
  dsp #(0) u_0(clk_i, d[17:0], d[35:18], p0);
  loop u_loop(d[0], d[1], y[2]);
endmodule
"""


@pytest.fixture(scope="module")
def netlist(made_once):
    def make(folder):
        source = folder / "top.v"
        source.write_text(DESIGNS)
        design = libyosys.Design()
        for command in (
            f"read_verilog {source}",
            "synth_xilinx -family xc7 -noiopad -noclkbuf -top top",
            f"write_json {folder / 'top.json'}",
        ):
            libyosys.run_pass(f"tee -q -o {folder / 'log'} {command}", design)

    return json.loads((made_once("timed-netlist", make) / "top.json").read_text())


@pytest.fixture
def timed(netlist):
    """The report of one of the designs, by the name of its instance."""

    def run(instance):
        kind = netlist["modules"]["top"]["cells"][f"u_{instance}"]["type"]
        return netlist_timing.report(netlist, kind)

    return run


def test_a_path_goes_on_over_the_border_of_a_module(timed):
    found = timed("border")
    path = found["paths"][0]
    assert path["from"].startswith("a[") and path["to"] == "q_o"
    assert path["kinds"] == {"LUT": 1} and path["cells"] == found["cells"] == 1
    # the LUT lies beside the register that it alone drives
    assert path["ns"] == found["ns"] == round(FD + wire(1) + LUT, 2)
    assert path["from_kind"] == path["to_kind"] == "FDRE" and path["loads"] == 1
    assert path["nets"][0] == {"net": path["from"], "loads": 1}


def test_more_logic_in_another_module_costs_time(timed):
    found = timed("longer")
    assert found["cells"] == found["deepest"][0]["cells"] == 2
    assert found["ns"] == round(FD + wire(2) + LUT + wire(1) + LUT, 2)
    assert [net["loads"] for net in found["paths"][0]["nets"]] == [2, 1, 1]


def test_a_sum_is_a_carry_chain(timed):
    found = timed("adder")
    path = found["paths"][0]
    assert path["kinds"] == {"CARRY4": 8, "LUT": 1} and path["cells"] == found["cells"] == 9
    assert path["to"].startswith("sum[") and path["ends"] > 1
    # to the lowest LUT, which drives its sum, too; through 8 blocks without leaving their slices
    assert path["ns"] == round(FD + wire(3) + LUT + wire(2) + 0.508 + 6 * 0.114 + 0.334, 2)
    pairs = [(p["from"].split("[")[0], p["to"].split("[")[0]) for p in found["paths"]]
    assert len(pairs) == len(set(pairs)), "one path for each pair of registers"


def test_nets_with_many_loads_are_listed_without_clock_and_reset(timed):
    (net,) = timed("65")["wide_nets"]
    assert net["loads"] == 65 and net["net"].endswith("go") and net["most_at"] == "q CE"
    assert timed("64")["wide_nets"] == []


def test_block_ram_is_slow_and_its_pins_are_ends(timed):
    found = timed("ram")
    assert found["paths"][0]["from_kind"] == "RAMB36E1" and found["cells"] == 0
    assert found["paths"][0]["ns"] == round(2.454 + wire(1), 2)
    assert any(p["to_kind"] == "RAMB36E1" and p["from"].startswith("a[") for p in found["paths"])


@pytest.mark.parametrize(("registers", "passed"), [(1, 0), (0, 1)])
def test_a_dsp_is_passed_or_not_as_its_registers_say(timed, registers, passed):
    found = timed(str(registers))
    assert max(p["kinds"].get("DSP48E1", 0) for p in found["paths"]) == passed
    # A to P is 2.823 ns without a register on the way
    assert not passed or found["ns"] > FD + wire(1) + 2.823 + wire(1) + LUT


def test_a_loop_without_a_register_is_refused(timed):
    with pytest.raises(SystemExit, match="combinational loop"):
        timed("loop")


def test_a_cell_without_delays_is_named():
    netlist = {"modules": {"top": {"ports": {}, "netnames": {}, "cells": {
        "u": {"type": "NOT_A_CELL", "connections": {}, "port_directions": {}}}}}}  # fmt: skip
    with pytest.raises(SystemExit, match="no delays are known of NOT_A_CELL"):
        netlist_timing.report(netlist, "top")


def test_the_command_prints_the_report_and_refuses_what_is_no_netlist(
    netlist, tmp_path, monkeypatch, capfd
):
    file = tmp_path / "netlist.json"
    file.write_text(json.dumps(netlist))
    monkeypatch.setattr("sys.argv", ["netlist_timing.py", str(file), "--top", "border"])
    assert netlist_timing.main() == 0
    assert "a[0] -> q_o  (1 LUT)" in capfd.readouterr().out
    for text, top in (("{}", "border"), ("no JSON", "border"), (json.dumps(netlist), "nothing")):
        file.write_text(text)
        monkeypatch.setattr("sys.argv", ["netlist_timing.py", str(file), "--top", top])
        with pytest.raises(SystemExit) as stopped:
            netlist_timing.main()
        assert stopped.value.code == 2
        assert str(file) in capfd.readouterr().err
