# SPDX-License-Identifier: BSD-3-Clause
"""The table of proofs fits the RTL, and a proof fails where a fault is planted."""

import dataclasses

import pytest

import formal

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

FAULTS = [(p.unit, f) for p in formal.PROOFS for f in p.faults]


def test_each_file_of_properties_is_proven_covered_and_checked():
    files = {
        path.name.removesuffix("_properties.sv")
        for path in formal.PROPERTIES.glob("*_properties.sv")
    }
    assert files == {proof.unit for proof in formal.PROOFS}
    assert files == {proof.unit for proof in formal.PROOFS if proof.cover}
    assert files == {unit for unit, _ in FAULTS}


@pytest.mark.parametrize(("unit", "fault"), FAULTS, ids=[f"{u}-{f.text[:20]}" for u, f in FAULTS])
def test_each_fault_is_in_the_rtl_once(unit, fault):
    assert (formal.RTL / fault.file).read_text().count(fault.text) == 1
    assert fault.text != fault.instead


def of_fifo():
    """A small FIFO with a solver that the extra `dev` has."""
    small = next(p for p in formal.PROOFS if p.unit == "qnn_fifo" and p.parameters["Depth"] == 4)
    faults = next(p.faults for p in formal.PROOFS if p.unit == "qnn_fifo" and p.faults)
    return dataclasses.replace(small, engine="minisat", cover=0, faults=faults)


def test_the_fifo_is_proven(tmp_path):
    row = formal.prove(of_fifo(), formal.Tools(), tmp_path)
    assert row["result"] == "proven" and "order_data" in row["properties"]


@pytest.mark.parametrize("unit", ["qnn_fifo", "qnn_popcount"])  # by the step, by the base
def test_a_planted_fault_is_found(unit, tmp_path):
    popcount = next(p for p in formal.PROOFS if p.unit == "qnn_popcount")
    proof = of_fifo() if unit == "qnn_fifo" else popcount
    assert formal.check_fault(proof, 0, formal.Tools(), tmp_path)["result"] == "found"


def test_no_answer_is_no_find(tmp_path, monkeypatch):
    run = formal.Tools.run

    def cut_short(self, command, log):
        return (124, "") if log.name == "induction.log" else run(self, command, log)

    monkeypatch.setattr(formal.Tools, "run", cut_short)
    row = formal.check_fault(of_fifo(), 0, formal.Tools(), tmp_path)
    assert not row["good"] and "no answer" in row["result"]
    assert "no answer" in formal.prove(of_fifo(), formal.Tools(), tmp_path)["result"]
