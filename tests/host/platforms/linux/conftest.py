# SPDX-License-Identifier: BSD-3-Clause
"""A board with a plain Linux, and a bitstream for it."""

import pytest
from linux_machine import FakeMachine
from overlay_files import write_overlay


@pytest.fixture
def machine(tmp_path):
    """Its kernel has the attribute `firmware`, and no UIO device."""
    return FakeMachine(tmp_path / "root")


@pytest.fixture
def with_overlays(tmp_path):
    """Its kernel takes overlays."""
    return FakeMachine(tmp_path / "root", overlays=True)


@pytest.fixture
def bitstream(tmp_path):
    return write_overlay(tmp_path / "overlay")
