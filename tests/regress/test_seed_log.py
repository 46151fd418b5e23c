# SPDX-License-Identifier: BSD-3-Clause
"""The log of runs with many seeds."""

import json

from qnn_sim.regress import seed_log


def test_a_line_that_is_cut_off_is_none(tmp_path):
    log = tmp_path / "seeds.jsonl"
    assert seed_log.entries(None) == seed_log.entries(log) == []
    run = {"test": "a::b[c]", "seed": 1, "outcome": "passed", "seconds": 0.1}
    log.write_text(json.dumps(run) + '\n{"test": "a::')
    assert seed_log.entries(log) == [run]


def test_a_run_of_a_bench_has_many_seeds():
    run = {"test": "a::b", "seed": 1, "outcome": "passed", "seconds": 0.1}
    assert seed_log.fresh_seeds(run) == 1
    assert seed_log.fresh_seeds(run | {"settings": {"SHORT": "1"}}) == 1
    assert seed_log.fresh_seeds(run | {"settings": {"TURNS": "10"}}) == 10


def test_parameters_are_no_part_of_a_function():
    assert seed_log.function("a.py::b[c-[d]]") == seed_log.function("a.py::b") == "a.py::b"
