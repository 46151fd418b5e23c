# SPDX-License-Identifier: BSD-3-Clause
"""The platform: every access that reaches the machine, and every error."""

import os
import time

import numpy as np
import pytest
from linux_machine import CLOCK, DEBUG_CLOCK, MANAGER, MEMORY, FakeMachine
from overlay_files import CLOCK_MHZ, ENGINE_BASE, INTC_BASE, write_overlay

from qnn.engine import regs
from qnn.engine.registers import flags
from qnn.errors import DeviceBusyError, PlatformError, WrongDeviceError
from qnn.platforms.linux import platform as module
from qnn.platforms.linux.platform import LinuxPlatform

DONE = flags("STATUS", "done")
STATUS = ENGINE_BASE + regs.STATUS


class Line:
    """An interrupt that comes when a test says so."""

    def __init__(self, comes=lambda: False) -> None:
        self.comes, self.waits, self.closed = comes, [], 0

    def wait(self, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        return self.comes()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def opened(machine, bitstream):
    platform = LinuxPlatform(bitstream, machine=machine)
    yield platform
    platform.close()


@pytest.fixture
def with_line(with_overlays, bitstream, monkeypatch):
    """with_line(comes) opens a board with overlays, whose interrupt is that."""
    opened = []

    def open_board(comes):
        line = Line(comes)
        monkeypatch.setattr(FakeMachine, "interrupt", lambda self, name: line)
        opened.append(LinuxPlatform(bitstream, machine=with_overlays))
        opened[-1].write(regs.IRQ_ENABLE, 3)
        with_overlays.logic.log.clear()
        return opened[-1], line

    yield open_board
    for platform in opened:
        platform.close()


def test_opening_loads_once_and_touches_no_register(opened, machine):
    assert (opened.name, opened.clock_mhz) == ("linux", CLOCK_MHZ)
    assert [name for name, _ in machine.log] == [
        CLOCK, f"{MANAGER}/flags", f"{MANAGER}/firmware", CLOCK,
    ]  # fmt: skip
    assert machine.logic.log == []


def test_a_register_is_one_access(opened, machine):
    machine.logic.values[STATUS] = 0xFFFF_FFFF
    assert opened.read(regs.STATUS) == 0xFFFF_FFFF
    opened.write(regs.READ_LAST, np.uint32(0x89ABCDEF))
    assert machine.logic.log == [
        ("read", STATUS, 0xFFFF_FFFF),
        ("write", ENGINE_BASE + regs.READ_LAST, 0x89ABCDEF),
    ]


@pytest.mark.parametrize("offset", [-4, 2, 0x1000])
def test_registers_that_are_not_there(opened, machine, offset):
    for use in (lambda: opened.read(offset), lambda: opened.write(offset, 0)):
        with pytest.raises(PlatformError, match=r"register .* does not exist"):
            use()
    assert machine.logic.log == []


def test_a_closed_platform(opened):
    opened.close()
    opened.close()
    for use in (
        lambda: opened.read(0),
        lambda: opened.write(0, 0),
        lambda: opened.allocate(1),
    ):
        with pytest.raises(PlatformError, match="closed"):
            use()


def test_one_process_at_a_time(opened, machine, bitstream):
    machine.log.clear()
    with pytest.raises(DeviceBusyError, match=str(os.getpid())):
        LinuxPlatform(bitstream, machine=machine)
    assert machine.log == []
    opened.close()
    LinuxPlatform(bitstream, machine=machine).close()


def test_a_clock_of_its_own(machine, bitstream):
    platform = LinuxPlatform(bitstream, 50.0, machine)
    assert platform.clock_mhz == 50
    platform.close()


@pytest.mark.parametrize("clock_mhz", [0.0, -1.0, 100.1, float("nan")])
def test_a_clock_that_timing_was_not_met_for(machine, bitstream, clock_mhz):
    with pytest.raises(PlatformError, match="up to 100"):
        LinuxPlatform(bitstream, clock_mhz, machine)
    assert machine.log == []


def test_another_clock_than_the_one_wanted_is_told(machine, bitstream):
    machine.take(CLOCK)
    machine.put(DEBUG_CLOCK, "50000000")
    with pytest.warns(UserWarning, match="runs at 50 MHz, not at 100"):
        platform = LinuxPlatform(bitstream, machine=machine)
    assert platform.clock_mhz == 50
    platform.close()


def nobody(machine, bitstream):
    machine.root_user = False


def no_memory(machine, bitstream):
    (machine.root / MEMORY).rename(machine.root / "elsewhere")


def no_clock(machine, bitstream):
    machine.take(CLOCK)


def no_description(machine, bitstream):
    bitstream.with_suffix(".hwh").unlink()


def another_ip(machine, bitstream):
    write_overlay(bitstream.parent, "a:b:c:1.0")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (nobody, PlatformError, "root: use sudo"),
        (no_memory, PlatformError, "modprobe u-dma-buf"),
        (no_clock, PlatformError, "nothing tells the clock"),
        (no_description, PlatformError, "no description"),
        (another_ip, WrongDeviceError, "no qnn_engine"),
    ],
)
def test_what_is_missing_is_found_before_anything_is_written(
    machine, bitstream, change, error, words
):
    change(machine, bitstream)
    with pytest.raises(error, match=words):
        LinuxPlatform(bitstream, machine=machine)
    assert machine.log == []
    assert (
        not (machine.root / "run/qnn.lock").exists()
        or not (machine.root / "run/qnn.lock").read_text()
    )  # it was given back


def test_an_interrupted_opening_gives_the_device_back(machine, bitstream, monkeypatch):
    def interrupted(folder, data):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(machine, "_firmware", interrupted)
        with pytest.raises(KeyboardInterrupt):
            LinuxPlatform(bitstream, machine=machine)
    LinuxPlatform(bitstream, machine=machine).close()


def test_an_overlay_whose_uio_device_does_not_come(with_overlays, bitstream, monkeypatch):
    """The wait for it ends, and /dev/mem and polling take its place."""
    monkeypatch.setattr(FakeMachine, "add_uio", lambda self, *addresses: None)
    monkeypatch.setattr(module, "SETTLE_S", 0.01)
    platform = LinuxPlatform(bitstream, machine=with_overlays)
    platform.write(regs.READ_LAST, 5)
    assert with_overlays.logic.log == [("write", ENGINE_BASE + regs.READ_LAST, 5)]
    platform.close()


def test_polling_sleeps_a_little(opened):
    opened.write(regs.IRQ_ENABLE, 3)
    began = time.monotonic()
    assert not opened.wait(1e-5)
    assert time.monotonic() > began


def test_an_interrupt_after_a_run(with_line, with_overlays):
    platform, line = with_line(lambda: True)
    with_overlays.logic.values[STATUS] = DONE
    assert platform.wait(5) and line.waits == [5]
    assert with_overlays.logic.log == [
        ("write", INTC_BASE + 0x0C, 1),
        ("read", STATUS, DONE),
    ]


def test_an_edge_of_before_the_wait_is_not_lost(with_line, with_overlays):
    """The controller remembers it until it is acknowledged, which must not be before it came."""
    platform, _ = with_line(lambda: not with_overlays.logic.log)
    with_overlays.logic.values[STATUS] = DONE
    assert platform.wait(5)
    assert with_overlays.logic.log[0] == ("write", INTC_BASE + 0x0C, 1)


def test_an_interrupt_that_status_knows_nothing_of(with_line):
    platform, line = with_line(lambda: True)
    assert not platform.wait(5) and line.waits == [5] and not line.closed


def test_no_interrupt_yet(with_line, with_overlays):
    platform, line = with_line(lambda: False)
    assert not platform.wait(0.5) and line.waits == [0.5] and not line.closed
    assert with_overlays.logic.log == [("read", STATUS, 0)]  # there is nothing to acknowledge


def test_an_interrupt_that_is_late(with_line, with_overlays):
    answers = iter([False, True])
    platform, line = with_line(lambda: next(answers))
    with_overlays.logic.values[STATUS] = DONE
    assert platform.wait(0.5) and line.waits == [0.5, module.LATE_S]


def failing():
    raise PlatformError("cannot wait at /dev/uio0: Input/output error")


@pytest.mark.parametrize(
    ("comes", "words"), [(lambda: False, "it does not come"), (failing, "cannot wait at")]
)
def test_an_interrupt_that_never_comes_is_given_up(with_line, with_overlays, comes, words):
    platform, line = with_line(comes)
    with_overlays.logic.values[STATUS] = DONE
    with pytest.warns(UserWarning, match=rf"no interrupts from the accelerator \({words}"):
        assert not platform.wait(0.5)
    asked = len(line.waits)
    assert line.closed == 1 and not platform.wait(1e-5) and len(line.waits) == asked


def test_no_wait_for_an_interrupt_that_is_switched_off(with_line):
    platform, line = with_line(lambda: True)
    platform.write(regs.IRQ_ENABLE, 0)
    assert not platform.wait(1e-5) and line.waits == []
