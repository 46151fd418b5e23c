# SPDX-License-Identifier: BSD-3-Clause
"""The table of proofs fits the RTL, and a proof fails where a fault is planted."""

import dataclasses

import pytest

import formal

pytest.importorskip("pyosys", reason="the extra `dev` is not installed")

FAULTS = [(p.unit, f) for p in formal.PROOFS for f in p.faults]


def test_each_file_of_properties_is_proven_covered_and_checked():
    files = {path.name.removesuffix("_properties.sv") for path in formal.PROPERTIES.glob("*.sv")}
    assert files == {proof.unit for proof in formal.PROOFS}
    assert files == {proof.unit for proof in formal.PROOFS if proof.cover}
    assert files == {unit for unit, _ in FAULTS}


@pytest.mark.parametrize(("unit", "fault"), FAULTS, ids=[f"{u}-{f.text[:20]}" for u, f in FAULTS])
def test_each_fault_is_in_the_rtl_once(unit, fault):
    assert (formal.RTL / fault.file).read_text().count(fault.text) == 1
    assert fault.text != fault.instead


def test_the_fifo_is_proven_and_a_planted_fault_is_found(tmp_path):
    small = next(p for p in formal.PROOFS if p.unit == "qnn_fifo" and p.parameters["Depth"] == 4)
    faults = next(p.faults for p in formal.PROOFS if p.unit == "qnn_fifo" and p.faults)
    proof = dataclasses.replace(small, engine="minisat", cover=0, faults=faults)
    row = formal.prove(proof, formal.Tools(), tmp_path)
    assert row["result"] == "proven" and "order_data" in row["properties"]
    assert formal.check_fault(proof, 0, formal.Tools(), tmp_path)["result"] == "found"
