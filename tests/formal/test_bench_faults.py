# SPDX-License-Identifier: BSD-3-Clause
"""A fault of the engine is tried at a cell that is its counterpart in the netlist of a bench."""

import os
import re
from functools import partial

import pytest

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

from pyosys import libyosys

import synth
from mutation import bench_faults
from mutation.bench_faults import BenchFaults, Kind
from mutation.forked import run_passes, status_of
from qnn_sim import rtl_build

PLACES = {
    "mem$wren": ("qnn_fifo", "qnn_fifo"),
    "qnn_walker.sv:58": ("qnn_walker", "qnn_sequencer"),
    "qnn_csr.sv:108": ("qnn_csr", "qnn_csr"),
    "qnn_word_sum.sv:62": ("qnn_word_sum", "qnn_word_bank"),
    "qnn_pack_lanes.sv:22": ("qnn_pack_lanes", "qnn_pack"),
}


def elaborated(folder, top, parameters):
    """A module of rtl/, flat."""
    log = f"tee -q -a {folder / 'yosys.log'}"
    commands = synth.elaborate(top, parameters), *bench_faults.flatten()
    design = run_passes(*(f"{log} {command}" for command in commands))
    (module,) = dict(design.modules_).values()
    return design, module


@pytest.mark.parametrize(("place", "expected"), PLACES.items())
def test_module_and_bench_of_a_place(place, expected):
    module, bench = expected
    assert bench_faults.bench_of(Kind("$mux", module, f"rtl/x/{place}")) == bench


@pytest.mark.parametrize("module", bench_faults.TOGETHER)
def test_a_bench_of_another_module_holds_this_one(module):
    bench = bench_faults.bench_of(Kind("$mux", module, ""))
    beside = [one for one, by in bench_faults.TOGETHER.items() if by == bench and one != module]
    holders = [rtl_build.RTL / f"core/{one}.sv" for one in (bench, *beside)]
    assert any(module in holder.read_text() for holder in holders)


@pytest.mark.parametrize("module", ["", "qnn_ram", "qnn_datapath"])
def test_what_has_no_bench_of_its_own(module):
    assert bench_faults.bench_of(Kind("$mux", module, "")) is None


def test_counterparts_in_another_size(tmp_path):
    """Of cells with a place in the source, and of those of a small memory, which have none."""
    sizes = {"Width": 9, "Depth": 8}, {"Width": 5, "Depth": 4}
    designs = [elaborated(tmp_path, "qnn_fifo", parameters) for parameters in sizes]
    large, small = (module for _, module in designs)
    known, found = bench_faults.kinds(large, "qnn_fifo"), bench_faults.kinds(small, "qnn_fifo")
    for part, mode in (("qnn_fifo.sv:34.", "cnot1"), ("mem$wrmux", "inv")):
        name = next(name for name, kind in known.items() if part in kind.place)
        assert known[name].module == "qnn_fifo"
        fault = f"mutate -mode {mode} -module qnn_engine -cell {name} -port Y -portbit 2"
        fault += " -ctrlbit 1" * (mode == "cnot1")
        command = bench_faults.counterpart(fault, known[name], small, "qnn_fifo")
        options = dict(re.findall(r"-(\w+) (\S+)", command))
        assert found[options["cell"]] == known[name]
        assert options["mode"] == mode and options["port"] == "Y"
        assert options["portbit"] == "0"  # the cells have 2 bits, and 1
        assert options.get("ctrlbit") == ("1" if mode == "cnot1" else None)


def test_one_bit_cannot_control_itself(tmp_path):
    _, module = elaborated(tmp_path, "qnn_fifo", {"Width": 5, "Depth": 4})
    known = bench_faults.kinds(module, "qnn_fifo")
    name = next(name for name, kind in known.items() if "mem$wrmux" in kind.place)
    fault = f"mutate -mode cnot1 -module x -cell {name} -port Y -portbit 2 -ctrlbit 1"
    assert bench_faults.counterpart(fault, known[name], module, "qnn_fifo") is None


def test_no_counterpart(tmp_path):
    _, module = elaborated(tmp_path, "qnn_fifo", {"Width": 5, "Depth": 2})
    fault = "mutate -mode inv -module qnn_engine -cell x -port Y -portbit 0"
    assert bench_faults.counterpart(fault, Kind("$mul", "qnn_fifo", ""), module, "qnn_fifo") is None


@pytest.fixture(scope="module")
def counters(tmp_path_factory):
    """A counter that is read through qnn_csr turns bit 1 over where bit 22 is set."""
    folder = tmp_path_factory.mktemp("faults")
    _, module = elaborated(folder, "qnn_csr", {})
    perf = libyosys.SigSpec(module.wire(libyosys.IdString("\\perf_i")))
    name, port = next(
        (cell.name.str().removeprefix("\\"), port.str()[1:])
        for cell in dict(module.cells_).values()
        for port, signal in dict(cell.connections_).items()
        if signal == perf
    )
    fault = f"mutate -mode cnot1 -module qnn_engine -cell {name} -port {port} -portbit 1"
    kinds = bench_faults.kinds(module, "qnn_csr")
    return BenchFaults(folder / "benches", {7: f"{fault} -ctrlbit 22"}, kinds)


@pytest.mark.nightly
@pytest.mark.parametrize(("number", "passes"), [(0, True), (7, False)])
def test_the_bench_finds_its_fault_and_no_other(counters, number, passes):
    assert counters.bench_of(7) == "qnn_csr"
    tests = partial(counters.battery, number, "qnn_csr", 1)
    status = status_of(tests, counters.folder.parent / f"bench-{number}.log")
    assert os.WIFEXITED(status) and (status == 0) == passes
    log = counters.folder / f"run-qnn_csr-{number}/test_qnn_csr.log"
    assert ("counters_are_read_through failed" in log.read_text()) != passes
