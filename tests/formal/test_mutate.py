# SPDX-License-Identifier: BSD-3-Clause
"""A fault is killed by a test that fails or hangs, or equivalent where that is proven."""

import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

import mutate

# Of the counter only the low two bits go out; `later` is `step` of the cycle before.
ENGINE = """
module qnn_engine (input clk, input step, output reg [1:0] low, output reg later);
  reg [3:0] count;
  always @(posedge clk) begin
    count <= count + step;
    low <= count[1:0];
    later <= (step & count[0]) | step;
  end
endmodule
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the netlist of ENGINE."""
    folder = tmp_path_factory.mktemp("mutate")
    (folder / "engine.v").write_text(ENGINE)
    mutate.yosys(
        folder, "flatten.log", f"read_verilog {folder / 'engine.v'}", "proc",
        f"write_rtlil {folder / 'flat.il'}",
    )  # fmt: skip
    return folder


def fault(folder, kind, bit, mode):
    """A fault of bit `bit` of the result of the only cell of this kind."""
    (cell,) = re.findall(rf"^  cell \{kind} (\S+)", (folder / "flat.il").read_text(), re.M)
    return f"mutate -mode {mode} -module qnn_engine -cell {cell} -port Y -portbit {bit}"


def test_bits_that_nothing_depends_on(folder):
    ((name, bits),) = mutate.find_dead(folder).items()
    assert name.endswith(".D") and bits == [2, 3]
    assert mutate.find_dead(folder) == {name: bits}  # from its file


@pytest.mark.parametrize(
    ("kind", "bit", "mode", "expected"),
    [("$add", 3, "inv", "equivalent"), ("$add", 2, "inv", "equivalent"),
     ("$add", 1, "inv", "survives"), ("$add", 0, "inv", "survives"),
     ("$and", 0, "const0", "equivalent"), ("$and", 0, "const1", "survives")],
)  # fmt: skip
def test_what_no_test_notices(folder, monkeypatch, kind, bit, mode, expected):
    monkeypatch.setattr(mutate, "battery", lambda *_: 0)
    dead = mutate.find_dead(folder)
    judge = mutate.Judge([fault(folder, kind, bit, mode)], folder, Path(), dead, 1, 60)
    assert judge.verdict(1) == expected


def test_without_what_is_dead_the_counter_would_matter(folder, monkeypatch):
    monkeypatch.setattr(mutate, "battery", lambda *_: 0)
    judge = mutate.Judge([fault(folder, "$add", 3, "inv")], folder, Path(), {}, 1, 60)
    assert judge.verdict(1) == "survives"


def forever(*_):
    while True:
        pass


def breaks(*_):
    raise ValueError("a test that ends badly")


@pytest.mark.parametrize(
    ("battery", "expected"), [(lambda *_: 1, "killed"), (breaks, "killed"), (forever, "hangs")]
)
def test_what_a_test_notices_is_killed(tmp_path, monkeypatch, battery, expected):
    monkeypatch.setattr(mutate, "battery", battery)
    assert mutate.Judge(["no fault"], tmp_path, Path(), {}, 1, 1).verdict(1) == expected


@pytest.mark.parametrize(
    ("bench", "without", "with_it", "expected"),
    [("qnn_fifo", 0, 1, True), ("qnn_fifo", 0, 0, False), ("qnn_fifo", 1, 1, False),
     (None, 0, 1, False)],
)  # fmt: skip
def test_only_a_bench_that_passes_without_a_fault_kills(
    tmp_path, bench, without, with_it, expected
):
    class Benches:
        def bench_of(self, number):
            return bench

        def battery(self, number, module, seed):
            return with_it if number else without

    judge = mutate.BenchJudge(tmp_path, Benches(), 1)
    assert [judge.kills(1), judge.kills(2)] == [expected] * 2
    assert (tmp_path / "bench-qnn_fifo.failed").exists() == bool(without)


def test_output_of_a_process_is_kept(tmp_path):
    assert mutate.status_of(partial(os.system, "echo here"), tmp_path / "log") == 0
    assert (tmp_path / "log").read_text() == "here\n"


def test_a_script_that_fails_names_its_log(tmp_path):
    with pytest.raises(SystemExit, match=r"Yosys fails: see \S+/bad.log"):
        mutate.yosys(tmp_path, "bad.log", "no_such_command")
    assert "no_such_command" in (tmp_path / "bad.log").read_text()


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [("--count", "0", "--count 0 is not in 1..65535"), ("--only", "101", "--only 101 is not in"),
     ("--jobs", "0", "--jobs 0 is less than 1")],
)  # fmt: skip
def test_bad_arguments(tmp_path, monkeypatch, capsys, option, value, text):
    arguments = ["mutate.py", option, value, "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="2"):
        mutate.main()
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_output_folder_may_be_relative(tmp_path, monkeypatch):
    """Verilator's makefiles are run in another folder."""

    def seen(out, count, seed):
        raise SystemExit(str(out))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mutate, "folder_of", seen)
    monkeypatch.setattr(sys, "argv", ["mutate.py", "--out", "found"])
    with pytest.raises(SystemExit, match=f"^{tmp_path}/found$"):
        mutate.main()
