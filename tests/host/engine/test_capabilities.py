# SPDX-License-Identifier: BSD-3-Clause
"""Capabilities come out of the registers, and nothing else is taken for the accelerator."""

import pytest

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.errors import QnnError


def registers() -> dict[int, int]:
    return {
        regs.ID: regs.ID_VALUE,
        regs.VERSION: regs.VERSION_MAJOR << 16,
        regs.LANES: 64 | 16 << 8 | 2 << 16 | 8 << 24 | 15 << 28,
        regs.STORES: 256 | 128 << 16,
        regs.LIMITS: 512 | 64 << 16 | 32 << 24,
        regs.SHAPES: 60 | 16 << 16 | 8 << 24,
        regs.MEMORY: 2,
        regs.FEATURES: 1,
    }


def test_fields_of_the_registers():
    assert Capabilities.read(registers().__getitem__) == Capabilities(
        pe=16, pixels=2, weight_words=256, threshold_words=128, window_words=512, pool_columns=60
    )


def test_version_2_0_has_one_port():
    assert Capabilities.read((registers() | {regs.MEMORY: 0}).__getitem__).ports == 1


def test_version_2_1_has_no_requantiser():
    assert Capabilities.read((registers() | {regs.FEATURES: 0}).__getitem__).requantiser == 0


def test_something_else_at_that_address():
    with pytest.raises(QnnError, match="no accelerator there"):
        Capabilities.read((registers() | {regs.ID: 0}).__getitem__)
    with pytest.raises(QnnError, match="speaks version 9"):
        Capabilities.read((registers() | {regs.VERSION: 9 << 16}).__getitem__)
