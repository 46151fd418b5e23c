# SPDX-License-Identifier: BSD-3-Clause
"""qnn_triples counts the equal ones of lanes i, i + 21 and i + 42, and passes lane 63 on."""

import cocotb
from cocotb.triggers import Timer

from qnn_sim.streams import generator


def test_qnn_triples():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__)


def equal_lanes(random):
    """All counts of each triple, lane 63 with and without, and random words."""
    for lanes in range(8):
        places = (place for place in range(3) if lanes >> place & 1)
        word = sum((2**21 - 1) << 21 * place for place in places)
        yield from (word, word | 1 << 63)
    yield from (1 << lane for lane in range(64))
    yield from (random.getrandbits(64) for _ in range(500))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def triples_are_counted(dut):
    random = generator("words")
    for equal in equal_lanes(random):
        w = random.getrandbits(64)
        dut.w_i.value, dut.x_i.value = w, w ^ equal ^ (2**64 - 1)
        await Timer(1, unit="ns")
        one, two = int(dut.one_o.value), int(dut.two_o.value)
        for i in range(21):
            want = sum(equal >> i + 21 * place & 1 for place in range(3))
            assert (one >> i & 1) + 2 * (two >> i & 1) == want, f"triple {i} of {equal:#x}"
        assert int(dut.last_o.value) == equal >> 63
