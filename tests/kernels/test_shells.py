# SPDX-License-Identifier: BSD-3-Clause
"""The shells of the kernels, whatever stands at their ports before the first reset."""

from pathlib import Path

import pytest
from kernel_bench import IMPLEMENTATIONS, run

FRAME = "20261130"  # a seed of Verilator with which a beat, the last one of a frame, stands there


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_what_comes_before_the_first_reset_is_no_frame(implementation, monkeypatch):
    monkeypatch.setenv("SEED", FRAME)
    run(str(Path(__file__).with_name("test_popcount.py")), implementation, "small")
