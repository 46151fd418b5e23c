# SPDX-License-Identifier: BSD-3-Clause
"""qnn_count7 counts the ones of all words of seven bits."""

import cocotb
from cocotb.triggers import Timer


def test_qnn_count7():
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def all_words_are_counted(dut):
    for word in range(2**7):
        dut.bits_i.value = word
        await Timer(1, unit="ns")
        assert int(dut.count_o.value) == word.bit_count(), f"{word:07b}"
