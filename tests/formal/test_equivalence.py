# SPDX-License-Identifier: BSD-3-Clause
"""A fault is equivalent where no output and no register that matters depends on it, ever."""

import re
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

import mutate
from mutation.equivalence import Registers, find_registers
from mutation.forked import run_passes, yosys

# Of the counter only the low two bits go out; `later` is `step` of the cycle before; `place` counts
# to 3, so its high bit is always 0.
ENGINE = """
module qnn_engine (
  input clk, input rst, input step, output reg [1:0] low, output reg later, output wide
);
  reg [3:0] count;
  reg [2:0] place;
  always @(posedge clk) begin
    count <= count + step;
    low <= count[1:0];
    later <= (step && count[0]) || step;
    if (step) place <= (place - 3'd1) % 3'd4;
    if (rst) place <= 0;
  end
  assign wide = ^place;
endmodule
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the netlist of ENGINE."""
    folder = tmp_path_factory.mktemp("equivalence")
    (folder / "engine.v").write_text(ENGINE)
    passes = f"read_verilog {folder / 'engine.v'}", "proc", f"write_rtlil {folder / 'flat.il'}"
    yosys(folder, "flatten.log", partial(run_passes, *passes))
    return folder


@pytest.fixture
def judge(folder, monkeypatch):
    """Of a fault of bit `bit` of the result of the only cell of this kind; no test notices it."""
    monkeypatch.setattr(mutate, "battery", lambda *_: 0)

    def verdict(kind, bit, mode, known):
        (cell,) = re.findall(rf"^  cell \{kind} (\S+)", (folder / "flat.il").read_text(), re.M)
        fault = f"mutate -mode {mode} -module qnn_engine -cell {cell} -port Y -portbit {bit}"
        return mutate.Judge([fault], folder, Path(), known, 1, 60).verdict(1)

    return verdict


def test_what_is_known_of_the_registers(folder):
    known = find_registers(folder)
    ((dead, bits),) = known.dead.items()
    assert dead.endswith(".D") and bits == [2, 3]
    ((constant, values),) = known.constant.items()
    assert constant.endswith(".Q") and values == {2: "0"}
    assert find_registers(folder) == known  # from its file


@pytest.mark.parametrize(
    ("kind", "bit", "mode", "expected"),
    [("$add", 3, "inv", "equivalent"), ("$add", 2, "inv", "equivalent"),
     ("$add", 1, "inv", "survives"), ("$add", 0, "inv", "survives"),
     ("$logic_and", 0, "const0", "equivalent"), ("$logic_and", 0, "const1", "survives"),
     ("$mod", 2, "const0", "equivalent"), ("$mod", 2, "const1", "survives")],
)  # fmt: skip
def test_what_no_test_notices(folder, judge, kind, bit, mode, expected):
    assert judge(kind, bit, mode, find_registers(folder)) == expected


def test_a_fault_that_only_a_value_that_never_comes_would_show(folder, judge):
    """`place` is inverted where its bit 2 is 1."""
    known = find_registers(folder)
    (register,) = (port.removesuffix(".Q") for port in known.constant)
    text = (folder / "flat.il").read_text()
    (cell,) = (name for name in re.findall(r"^  cell \$dff (\S+)", text, re.M) if register in name)
    option = f"-module qnn_engine -cell {cell} -port Q -portbit 0 -ctrlbit 2"
    for faults, registers, expected in (
        ("cnot1", known, "equivalent"), ("cnot0", known, "survives"),
        ("cnot1", Registers(known.dead), "survives"),
    ):  # fmt: skip
        judged = mutate.Judge([f"mutate -mode {faults} {option}"], folder, Path(), registers, 1, 60)
        assert judged.verdict(1) == expected


def test_without_what_is_dead_the_counter_would_matter(judge):
    assert judge("$add", 3, "inv", Registers()) == "survives"
