# SPDX-License-Identifier: BSD-3-Clause
"""Results of commands: of which state they are, and what they say; the page of them."""

import dataclasses
import hashlib
import json

import pytest
from parsed_page import Page

from qnn_sim.regress import evidence, evidence_page
from qnn_sim.regress.evidence import KINDS, MISSING, OLDER, OTHER_FILES, THIS, UNKNOWN, UNREADABLE
from qnn_sim.regress.inputs import Origin

NOW = Origin("c" * 40, False, "t" * 16)
STAMP = {**dataclasses.asdict(NOW), "began": "2026-01-02T03:04:05+00:00", "command": "x.py --y"}


def passes(run):
    """A full regression in which all is well, as JSON."""
    done = dataclasses.replace(run, cases=run.cases[:1], complaints=[], tree=NOW.tree)
    done.code = {
        "rtl/a.sv": {
            "lines": [9, 9],
            "branches": [1, 2],
            "toggles": [0, 0],
            "missing": [],
            "still": [],
        }
    }
    done.bins = dict.fromkeys(evidence_page.sections.functional.bins(), 1)
    return {"format": 2, **dataclasses.asdict(done)}


@pytest.fixture
def good(run) -> dict[str, dict]:
    """A good result of each kind."""
    row = {"kernel": "pack", "implementation": "rtl", "configurations": 1, "values": 5}
    proof = {
        "unit": "qnn_csr", "parameters": {"Depth": 4}, "groups": "a & b", "method": "1-induction",
        "result": "proven", "good": True, "seconds": 1.0,
    }  # fmt: skip
    planted = {**proof, "method": "planted fault", "result": "found"}
    device = {"lut": 10, "ff": 10, "bram36": 10, "dsp": 10}
    tests = {"good": True, "tests": 3, "failed": [], "skipped": {"no board": 1}, "seed": 1}
    lines = {
        "changes": 5, "killed": 4, "seed": 1,
        "survivors": [{"change": "host/x.py:2: a  ->  b: c", "repeat": "mutate_lines.py --only 3"}],
    }  # fmt: skip
    return {
        "tests": tests,
        "tests-pynq": tests,
        "agreement": {"rows": [{**row, "mismatches": 0}], "left_out": []},
        "regression": passes(run),
        "proofs": {"good": True, "proofs": [proof, planted], "left_out": []},
        "mutation": {
            "good": True, "mutants": 9, "killed": 7, "equivalent": 1,
            "survivors": [{"places": ["a.sv:1"], "fault": "inv <x>", "repeat": "--only 4"}],
        },
        "mutation-host": lines,
        "mutation-hls": lines,
        "gates": {
            "configuration": "small",
            "networks": {"net": [{"cycles": 9, "mismatches": 0, "cycles_per_s": 2000}]},
            "tests": {"chosen": "abort", "passed": True},
        },
        "soak": {"hours": 1.5, "runs": 4, "values": 8, "risen_bytes": 2**20, "failures": []},
        "seeds": {"runs": [{"test": "a::b", "outcome": o} for o in ("passed", "skipped")]},
        "synthesis": {
            "good": True, "device": device, "modules": [], **dict.fromkeys(device, 10),
        },
        "cycles": {"good": True, "networks": {}, "left_out": []},
    }  # fmt: skip


BAD = {
    "tests": [
        lambda d: d.update(good=False),
        lambda d: d["failed"].append("a::b"),
        lambda d: d.update(tests=0),
    ],
    "agreement": [
        lambda d: d["rows"].clear(),
        lambda d: d["rows"][0].update(mismatches=1),
        lambda d: d["rows"].append({**d["rows"][0], "values": 0}),
        lambda d: d["left_out"].append("conv"),
    ],
    "regression": [
        lambda d: d.update(kind="smoke"),
        lambda d: d["cases"].clear(),
        lambda d: d["cases"][0].update(outcome="failed"),
        lambda d: d["complaints"].append("neither covered nor listed: x"),
        lambda d: d["code"]["rtl/a.sv"].update(lines=[1, 9]),
    ],
    "proofs": [
        lambda d: d.update(good=False),
        lambda d: d["proofs"].pop(),
        lambda d: d["left_out"].append("qnn_fifo"),
    ],
    "mutation": [lambda d: d.update(good=False)],
    "mutation-host": [
        lambda d: d.update(changes=6),
        lambda d: d.update(killed=3, changes=4),
    ],
    "gates": [
        lambda d: d["networks"]["net"][0].update(mismatches=1),
        lambda d: d["tests"].update(passed=False),
        lambda d: d["networks"].clear(),
    ],
    "soak": [
        lambda d: d["failures"].append({"why": "x", "repeat": "y"}),
        lambda d: d.update(risen_bytes=None),
    ],
    "seeds": [lambda d: d["runs"][0].update(outcome="failed"), lambda d: d["runs"].clear()],
    "synthesis": [lambda d: d.update(good=False)],
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_good_and_what_is_not(good, name):
    text = json.dumps(good[name])
    assert KINDS[name].judge(json.loads(text))[0] is True
    for spoil in BAD[name]:
        data = json.loads(text)
        spoil(data)
        assert KINDS[name].judge(data)[0] is False


@pytest.mark.parametrize(
    ("good", "mismatches", "figures"),
    [
        (True, 0, "0 values differ"),
        (False, 1, "1 values differ"),
        (False, 0, "0 values differ; a target is missed"),
    ],
)
def test_of_cycles_every_value_must_be_right(good, mismatches, figures):
    network = {"net": {"cycles": 1234, "mismatches": mismatches}}
    assert KINDS["cycles"].judge({"networks": network, "good": good, "left_out": []}) == (
        good, f"cycles: net 1,234; {figures}",
    )  # fmt: skip


def test_what_was_left_out_is_told():
    networks = {"net": {"cycles": 1, "mismatches": 0}}
    found = KINDS["cycles"].judge({"networks": networks, "good": True, "left_out": ["a", "b"]})
    assert found == (False, "cycles: net 1; 0 values differ; left out: a, b")


def test_no_cycles_are_no_result():
    assert not KINDS["cycles"].judge({"networks": {}, "good": True, "left_out": []})[0]


@pytest.mark.parametrize(
    ("stamp", "state"),
    [
        (STAMP, THIS),
        (STAMP | {"tree": "u" * 16}, OTHER_FILES),
        (STAMP | {"tree": "u" * 16, "commit": "d" * 40}, OLDER),
        (STAMP | {"commit": "d" * 40}, THIS),  # the same files
        (STAMP | {"tree": "", "commit": ""}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_of_which_state_a_result_is(tmp_path, good, stamp, state):
    path = tmp_path / "soak.json"
    path.write_text(json.dumps(good["soak"] | {"origin": stamp}))
    found = evidence.find("soak", path, NOW)
    assert (found.state, found.good, found.counts) == (state, True, state == THIS)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.command == stamp.get("command", "")


def test_where_git_does_not_tell_nothing_is_of_this_state():
    assert evidence.state_of({"tree": "", "commit": ""}, Origin("", False, "")) == UNKNOWN


def test_a_regression_names_its_state_itself(tmp_path, good):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(good["regression"]))
    found = evidence.find("regression", path, NOW)
    assert found.counts and found.began == good["regression"]["started"]
    assert "full: 1 cases, 0 failed; lines 100.0%, branches 50.0%" in found.figures


def test_seeds_are_of_a_state_when_all_are(tmp_path):
    path = tmp_path / "seeds.jsonl"
    run = {"test": "a::b", "seed": 1, "outcome": "passed", "seconds": 0.1}

    def state(*trees) -> str:
        path.write_text("".join(json.dumps(run | tree) + "\n" for tree in trees))
        return evidence.find("seeds", path, NOW).state

    ours, other = {"tree": NOW.tree}, {"tree": "u" * 16}
    assert state(ours, ours) == THIS
    assert state(ours, other) == state(ours, {}) == state({}) == UNKNOWN


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("text", ["", "[]", "{}", "[1", '{"rows": 3}'])
def test_what_is_no_result_is_told(tmp_path, name, text):
    path = tmp_path / KINDS[name].file.replace("/", "-")
    assert evidence.find(name, path, NOW).state == MISSING
    path.write_text(text + "\n")
    found = evidence.find(name, path, NOW)
    assert not found.counts
    if name != "seeds" or text:
        assert found.state == UNREADABLE and f"make {KINDS[name].target}" in found.figures


class TestPage:
    def pack(self, good, tmp_path, **missing):
        found, results = [], {}
        for name, kind in KINDS.items():
            path = tmp_path / f"{name}{'.jsonl' if name == 'seeds' else '.json'}"
            if name == "seeds":
                lines = [json.dumps(r | {"tree": NOW.tree}) for r in good[name]["runs"]]
                path.write_text("\n".join([*lines, ""]))
            elif name not in missing:
                path.write_text(json.dumps({"origin": STAMP} | good[name]))
                if name == "regression":
                    path.write_text(json.dumps(good[name]))
            one = evidence.find(name, path, NOW)
            found.append(one)
            if one.readable:
                results[name] = evidence.read(kind, path)
        return evidence_page.Pack("2026-02-03T04:05:06", NOW, {"yosys": "0.70"}, found), results

    def test_everything_is_on_it(self, good, tmp_path):
        good["cycles"]["networks"]["net"] = {
            "cycles": 8, "ideal_cycles": 5, "mismatches": 0, "layers": [],
        }  # fmt: skip
        pack, results = self.pack(good, tmp_path)
        assert pack.complete
        assert evidence_page.verdict(pack) == (
            "All 13 results are of this state of the files, and good"
        )
        page = Page(evidence_page.render(pack, results))
        shown = " ".join(page.words)
        for words in (
            NOW.commit, NOW.tree, "0.70", "x.py --y", "inv <x>", "a & b", "1.50 hours",
            "host/x.py:2", "a  ->  b: c", "mutate_lines.py --only 3", "--only 4",
        ):  # fmt: skip
            assert words in shown, words
        for kind in KINDS.values():
            assert kind.title in shown
        files = {evidence.name_in_pack(name) for name in KINDS}
        assert files <= set(page.targets)

    def test_what_is_missing_bad_or_older_is_told(self, good, tmp_path):
        good["soak"] |= {"origin": STAMP | {"tree": "u", "commit": "d"}}
        good["gates"]["tests"]["passed"] = False
        pack, results = self.pack(good, tmp_path, proofs=True)
        assert not pack.complete
        said = evidence_page.verdict(pack)
        assert said == (
            "9 of 13 results are of this state of the files and good, 2 bad, 1 missing,"
            " 1 of another state"
        )  # no networks: their cycles are bad too
        page = Page(evidence_page.render(pack, results))
        shown = " ".join(page.words)
        assert "make formal was not run" in shown and OLDER in shown and said in shown
        assert evidence.name_in_pack("proofs") not in page.targets
