# SPDX-License-Identifier: BSD-3-Clause
"""A bench whose functions each run many times in one simulation, each time with a fresh seed.

What TURNS of qnn_sim.run_options asks for. The simulator runs this module in place of the bench,
whose name is the plusarg `bench`. The parameters of a function take turns; the order is random, so
that of many simulations each begins, with the random registers of its own, with another test.
"""

from __future__ import annotations

import hashlib
import importlib
import random
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from typing import Any

import cocotb
from cocotb.regression import Test, TestGenerator


def declared(bench: str) -> list[Test]:
    """All cocotb tests in a module of Python, one for each set of parameters."""
    found: list[Test] = []
    for value in vars(importlib.import_module(bench)).values():
        if isinstance(value, Test):
            found.append(value)
        elif isinstance(value, TestGenerator):
            found += value.generate_tests()
    return found


def _with(seed: int, test: Test) -> Test:
    """The test as a bench with this SEED runs it."""
    own = seed + int(hashlib.sha1(test.fullname.encode()).hexdigest(), 16)  # as cocotb does

    async def run(*args: Any, **kwargs: Any) -> None:
        cocotb.RANDOM_SEED = own  # cocotb puts its own back
        random.seed(own)
        body: Coroutine[Any, Any, None] = test.func(*args, **kwargs)
        await body

    fields = vars(test) | {"func": run, "name": f"{test.name}/seed={seed}"}
    return Test(**fields)


def tests(bench: str, seed: int, turns: int) -> list[Test]:
    """Each function of a bench `turns` times; all follows from `seed`."""
    functions = defaultdict(list)
    for test in declared(bench):
        functions[test.name.partition("/")[0]].append(test)
    chance = random.Random(f"{seed}/turns")
    found = []
    for parameters in functions.values():
        first = chance.randrange(len(parameters))
        found += [
            _with(chance.randrange(1, 2**31), parameters[(first + turn) % len(parameters)])
            for turn in range(turns)
        ]
    chance.shuffle(found)
    return found


class _Turns(TestGenerator):
    """What cocotb finds in this module."""

    def __init__(self) -> None:
        pass

    def generate_tests(self) -> Iterator[Test]:
        about = cocotb.plusargs
        yield from tests(str(about["bench"]), cocotb.RANDOM_SEED, int(about["turns"]))


turns = _Turns()
