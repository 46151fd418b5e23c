# SPDX-License-Identifier: BSD-3-Clause
"""The cone of influence of assertions."""

import pytest

import formal
from proofs import cone

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

MODULE = """
module counted (input logic clk_i, input logic [3:0] in_i, input logic [1:0] place_i,
                input logic we_i, output logic [3:0] out_o, output logic [7:0] free_o);
  logic [3:0] stage, gate;
  logic [7:0] free, word, other;
  logic [7:0] mem [4];
  logic [7:0] dead [2];
  always_ff @(posedge clk_i) begin
    stage <= in_i;
    if (gate[0]) out_o <= stage;
    gate <= in_i;
    free <= free + 8'd1;
    if (we_i) mem[place_i] <= {in_i, in_i};
    if (we_i) dead[place_i[0]] <= {in_i, in_i};
    word <= mem[place_i];
    other <= dead[place_i[0]];
  end
  assign free_o = free ^ other;
endmodule
module counted_properties (input logic clk_i, input logic [3:0] in_i, input logic [1:0] place_i,
                           input logic we_i);
  logic [3:0] out;
  logic [7:0] free;
  logic watched;
  counted dut (.clk_i, .in_i, .place_i, .we_i, .out_o(out), .free_o(free));
  always_ff @(posedge clk_i) watched <= out == 4'd3;
  always_comb assert (!watched);
endmodule
"""


@pytest.fixture
def found(tmp_path):
    def of(*replaced: str) -> cone.Cone:
        text = MODULE.replace(*replaced) if replaced else MODULE
        (tmp_path / "counted.sv").write_text(text)
        netlist = tmp_path / "netlist.json"
        top = "counted_properties"
        script = [
            f"read_slang --top {top} {tmp_path / 'counted.sv'}",
            *cone.commands(top, netlist),
        ]
        code, text = formal.Tools().yosys(script, tmp_path / "log")
        assert not code, text
        return cone.read(netlist, top)

    return of


def test_what_the_assertions_depend_on_is_inside(found):
    """The register that is looked at, the one before it, and the bit that lets it through."""
    one = found()
    assert one.inside == 4 + 4 + 1
    assert one.outside == {
        "dut.gate": 3, "dut.free": 8, "dut.word": 8, "dut.other": 8, "dut.mem": 32,
        "dut.dead": 16,
    }  # fmt: skip
    assert one.bits == one.inside + sum(one.outside.values())


def test_a_memory_is_inside_with_what_is_read_of_it(found):
    one = found("stage <= in_i", "stage <= word[3:0]")
    assert "dut.mem" not in one.outside
    assert one.outside["dut.word"] == 4  # the bits that nothing reads
    assert one.bits == found().bits


def test_of_a_proof_with_a_cone_that_is_full():
    """That of the fifo, which has no state besides."""
    rows = [
        {"unit": "a", "cone": {"bits": 9, "inside": 5, "outside": {"dut.x": 3, "dut.y": 1}}},
        {"unit": "a", "cone": {"bits": 9, "inside": 6, "outside": {"dut.x": 3}}},
        {"unit": "b", "cone": {"bits": 2, "inside": 2, "outside": {}}},
        {"unit": "a"},
    ]
    assert [formal.share(row) for row in rows] == ["5/9", "6/9", "2/2", ""]
    assert formal.outside(rows) == ["", "State of which nothing is proven, in bits:", "  a: x 3"]
    assert formal.outside(rows[2:]) == []
    units = [{"unit": proof.unit, "cone": rows[2]["cone"]} for proof in formal.PROOFS]
    (line,) = formal.outside(units)[2:]
    assert line.startswith("  no proof: ") and "qnn_intc" in line and "qnn_fifo" not in line
    assert "_pkg" not in line
