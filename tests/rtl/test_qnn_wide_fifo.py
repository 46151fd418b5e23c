# SPDX-License-Identifier: BSD-3-Clause
"""qnn_wide_fifo is a qnn_fifo, of any width: one part, or several."""

import cocotb
import pytest
from test_qnn_fifo import random_steps

from qnn_sim.streams import start


@pytest.mark.parametrize(("width", "depth"), [(9, 8), (120, 64), (130, 64), (257, 32), (64, 128)])
def test_qnn_wide_fifo(width, depth):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Width=width, Depth=depth)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(chances=[(0.5, 0.5), (0.9, 0.3), (0.3, 0.9)])
async def keeps_the_order_of_all_parts(dut, chances):
    await start(dut, push_i=0, pop_i=0)
    await random_steps(dut, 300, *chances)
