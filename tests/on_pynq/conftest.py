# SPDX-License-Identifier: BSD-3-Clause
"""Of tests that need the real pynq (`make test-pynq`): boards that come and go in one process."""

from pathlib import Path

import pytest
from overlay_files import write_overlay

_opened = []  # UIO files of pynq: read by the loop of qnn.platforms.interrupt as long as it lives


@pytest.fixture
def bitstream(tmp_path) -> Path:
    """A bitstream with its description; no interrupt is connected."""
    return write_overlay(tmp_path / "overlay", interrupt=False)


@pytest.fixture
def board(insert):
    """A board that expects every access."""
    from boards import ScriptedZynq

    return insert(ScriptedZynq())


@pytest.fixture
def platform(board, bitstream):
    """That board, opened."""
    from qnn.platforms.pynq import PynqPlatform

    with board.expect(("load", str(bitstream))):
        platform = PynqPlatform(bitstream)
    yield platform
    platform.close()


@pytest.fixture
def insert(monkeypatch, tmp_path):
    """insert(board) makes it the one board of this machine; None: there is none."""
    import pynq
    import pynq.interrupt
    import pynq.ps

    from qnn.platforms import pynq as platform

    monkeypatch.setattr(platform, "FPGA_MANAGER", tmp_path / "none")
    monkeypatch.setattr(platform, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(pynq.ps, "CPU_ARCH", "armv7l")  # pynq 3.0 goes by the host
    controller = pynq.interrupt._InterruptController
    monkeypatch.setattr(controller, "_controllers", [])
    _opened.append({})
    monkeypatch.setattr(controller, "_uio_devices", _opened[-1])

    def inserted(board):
        monkeypatch.delattr(pynq.Clocks, "_real_instance", raising=False)
        if board is None:
            monkeypatch.setattr(pynq.Device, "_devices", [], raising=False)
            monkeypatch.delattr(pynq.Device, "_active_device", raising=False)
        else:
            monkeypatch.setattr(pynq.Device, "_devices", [board], raising=False)
            monkeypatch.setattr(pynq.Device, "_active_device", board, raising=False)
            monkeypatch.setattr(pynq.Clocks, "device", board, raising=False)
        return board

    yield inserted
    pynq.Clocks.__dict__.get("_real_instance") and delattr(pynq.Clocks, "_real_instance")
