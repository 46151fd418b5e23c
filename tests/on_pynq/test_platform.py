# SPDX-License-Identifier: BSD-3-Clause
"""qnn.platforms.pynq on the real pynq: every access that reaches the board, and every error."""

import gc
import os
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("pynq", reason="needs pynq: make test-pynq")

import pynq
from boards import MEMORY_BASE, Zynq
from overlay_files import CLOCK_MHZ, ENGINE_BASE, write_overlay

from qnn.engine import regs
from qnn.errors import (
    BackendError,
    DeviceBusyError,
    OutOfMemoryError,
    PlatformError,
    WrongDeviceError,
)
from qnn.platforms import pynq as module
from qnn.platforms.page_allocator import PAGE
from qnn.platforms.pynq import PynqPlatform

FIRST = MEMORY_BASE + PAGE  # the first buffer of a board


def test_opening_loads_once_and_touches_no_register(platform):
    assert (platform.name, platform.clock_mhz) == ("pynq", CLOCK_MHZ)
    assert type(platform._ip).__name__ == "QnnEngine"  # bound by its VLNV


def test_a_register_is_one_access(platform, board):
    with board.expect(
        ("read", ENGINE_BASE + regs.STATUS, 0xFFFFFFFF),
        ("write", ENGINE_BASE + regs.READ_LAST, 0x89ABCDEF),
        ("read", ENGINE_BASE + regs.PERF + 0x7FC, 3),
    ):
        assert platform.read(regs.STATUS) == 0xFFFFFFFF
        platform.write(regs.READ_LAST, np.uint32(0x89ABCDEF))
        assert platform.read(regs.PERF + 0x7FC) == 3


def test_the_ip_tells_its_capabilities(platform, board):
    answers = {
        regs.ID: regs.ID_VALUE,
        regs.VERSION: regs.VERSION_MAJOR << 16 | regs.VERSION_MINOR,
        regs.LANES: 64 | 32 << 8 | 4 << 16,
        regs.STORES: 1024,
        regs.LIMITS: 4096,
        regs.SHAPES: 256,
        regs.MEMORY: 2,
        regs.FEATURES: 1,
    }
    with board.expect(*(("read", ENGINE_BASE + r, answer) for r, answer in answers.items())):
        found = platform._ip.capabilities
    assert (found.simd, found.pe, found.pixels, found.requantiser) == (64, 32, 4, 1)


def test_registers_that_are_not_there(platform):
    for access in (
        lambda: platform.read(0x1_0000),
        lambda: platform.read(2),
        lambda: platform.write(-4, 0),
    ):
        with pytest.raises(PlatformError, match="register"):
            access()


@pytest.mark.parametrize("size", [1, 5000, 3 * PAGE])
def test_a_buffer_is_flushed_invalidated_and_freed_in_its_parts(platform, board, size):
    whole = max(2 * PAGE, -(-size // PAGE) * PAGE)
    with board.expect(("allocate", whole)):
        buffer = platform.allocate(size)
    assert buffer.address == FIRST and buffer.array.shape == (size,)
    assert type(buffer.array) is np.ndarray
    buffer.array[:] = 7
    with board.expect(
        ("flush", FIRST, size),
        ("invalidate", FIRST, 1),
        ("flush", FIRST + size - 1, 1),
        ("free", FIRST),
    ):
        buffer.flush()
        buffer.invalidate(0, 1)
        buffer.flush(size - 1)
        buffer.free()
        buffer.free()  # is idempotent
        gc.collect()
    assert board.live == {} and len(buffer.array) == 0
    for use in (buffer.flush, buffer.invalidate):
        with pytest.raises(PlatformError, match="freed"):
            use()


def test_host_and_logic_see_each_other_only_through_the_cache(insert, bitstream):
    board = insert(Zynq())
    platform = PynqPlatform(bitstream)
    buffer = platform.allocate(PAGE)
    logic = board.dram[buffer.address - MEMORY_BASE :][:PAGE]
    buffer.array[:] = 3
    buffer.flush(8, 16)
    assert logic[8:16].tolist() == [3] * 8 and not logic[:8].any() and not logic[16:].any()
    logic[:] = 4
    buffer.invalidate(0, 8)
    assert buffer.array[:9].tolist() == [4] * 8 + [3]
    platform.close()


def test_memory_outlives_whoever_forgets_it(platform, board):
    """The accelerator may still write to it: only `free` gives it back."""
    with board.expect(("allocate", 2 * PAGE)):
        platform.allocate(PAGE)
        gc.collect()
    platform.close()
    gc.collect()
    assert list(board.live) == [FIRST]
    with board.expect(("free", FIRST)):  # for the tests that follow
        for buffer in [b for b in module._alive if b.address == FIRST]:
            buffer.free()


def test_no_memory(insert, bitstream):
    board = insert(Zynq())
    platform = PynqPlatform(bitstream)
    kept = platform.allocate(PAGE)
    with pytest.raises(OutOfMemoryError, match=r"no 4\.0 MiB of contiguous memory.*Cannot alloc"):
        platform.allocate(4 << 20)
    assert list(board.live) == [kept.address]
    kept.free()
    platform.allocate(PAGE).free()  # the next one is served
    platform.close()


@pytest.mark.parametrize("address", [MEMORY_BASE + 64, (1 << 32) - PAGE, 1 << 36])
def test_memory_that_the_accelerator_cannot_address(platform, board, address, monkeypatch):
    allocate, freed = Zynq.allocate, []

    def elsewhere(self, shape, dtype, **options):
        buffer = allocate(self, shape, dtype, **options)
        buffer.device_address = address
        return buffer

    monkeypatch.setattr(Zynq, "allocate", elsewhere)
    monkeypatch.setattr(Zynq, "take_back", lambda self, b: freed.append(b.physical_address))
    with (
        board.expect(("allocate", 2 * PAGE), ("free", address)),
        pytest.raises(PlatformError, match="no 32-bit address of a page"),
    ):
        platform.allocate(PAGE)
    assert freed == [address]


def test_one_process_at_a_time(platform, board, bitstream):
    with board.expect(), pytest.raises(DeviceBusyError, match=str(os.getpid())):
        PynqPlatform(bitstream)
    platform.close()
    platform.close()  # is idempotent
    with board.expect(("load", str(bitstream))):
        PynqPlatform(bitstream).close()


def test_a_closed_platform(platform):
    platform.close()
    for use in (
        lambda: platform.read(0),
        lambda: platform.write(0, 0),
        lambda: platform.allocate(1),
    ):
        with pytest.raises(PlatformError, match="closed"):
            use()


@pytest.mark.parametrize("clock_mhz", [CLOCK_MHZ, 50.0, 1000 / 11])
def test_the_clock_is_set_and_read_back(insert, bitstream, clock_mhz):
    insert(Zynq())
    platform = PynqPlatform(bitstream, clock_mhz)
    assert platform.clock_mhz == pytest.approx(clock_mhz, abs=1e-5) == pynq.Clocks.fclk0_mhz
    platform.close()


@pytest.mark.parametrize(
    ("asked", "built_for", "found"),
    [
        (154.0, 154.0, 1000 / 7),  # pynq alone: 1000 / 6
        (None, 154.0, 1000 / 7),
        (154.0, 160.0, 1000 / 7),
        (154.0, 170.0, 1000 / 6),  # timing was met for it
        (190.0, 199.0, 1000 / 6),
        (124.0, 124.0, 1000 / 9),
        (700.0, 900.0, 500.0),  # pynq alone: 1000 / 1
        (14.2, 14.2, 1000 / 72),  # two divisors of 6 bits make no 71,
    ],
)
def test_a_clock_between_two_divisors(insert, tmp_path, asked, built_for, found):
    insert(Zynq())
    bitstream = write_overlay(tmp_path, clock_mhz=built_for, interrupt=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        platform = PynqPlatform(bitstream, asked)
    assert platform.clock_mhz == pytest.approx(found, abs=1e-5) == pynq.Clocks.fclk0_mhz
    told = [str(w.message) for w in caught if "MHz" in str(w.message)]
    assert len(told) == 1 and f"the accelerator runs at {found:g} MHz" in told[0]
    platform.close()


def test_the_default_clock_is_that_of_the_bitstream(insert, tmp_path):
    insert(Zynq())
    platform = PynqPlatform(write_overlay(tmp_path, clock_mhz=62.5, interrupt=False))
    assert platform.clock_mhz == 62.5
    platform.close()


@pytest.mark.parametrize("clock_mhz", [0.0, -1.0, 100.1, float("nan")])
def test_a_clock_that_timing_was_not_met_for(board, bitstream, clock_mhz):
    with board.expect(), pytest.raises(PlatformError, match="up to 100"):
        PynqPlatform(bitstream, clock_mhz)


def test_a_clock_that_does_not_follow(insert, bitstream):
    board = insert(Zynq())
    board._slcr[0xF8000108] = 21 << 12  # a PLL of 1050 MHz: pynq's divisors do not fit
    board.write_registers = lambda address, data: None
    with pytest.raises(PlatformError, match="the clock reads 105 MHz instead of 100"):
        PynqPlatform(bitstream)
    check_free(insert, bitstream)


def check_free(insert, bitstream):
    """The device and its lock were given back: the next one gets them."""
    insert(Zynq())
    PynqPlatform(bitstream).close()


def test_without_pynq(board, bitstream, monkeypatch, insert):
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "pynq", None)
        with board.expect(), pytest.raises(PlatformError, match="pynq cannot be imported"):
            PynqPlatform(bitstream)
    check_free(insert, bitstream)


def test_without_a_device(insert, bitstream):
    insert(None)
    with pytest.raises(PlatformError, match="pynq finds no device"):
        PynqPlatform(bitstream)
    check_free(insert, bitstream)


def test_without_root(board, bitstream, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "FPGA_MANAGER", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with board.expect(), pytest.raises(PlatformError, match="root: use sudo"):
        PynqPlatform(bitstream)


def test_a_device_that_cannot_be_programmed(insert, bitstream, monkeypatch):
    board = insert(Zynq())

    def refuse(bitstream, parser=None):
        raise PermissionError(1, "Operation not permitted", "/dev/mem")

    board.download = refuse
    with pytest.raises(PlatformError, match=r"pynq cannot load .*qnn.bit \(.*not permitted") as e:
        PynqPlatform(bitstream)
    assert "\n" not in str(e.value)
    check_free(insert, bitstream)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda bit: bit.unlink(), PlatformError, "no bitstream .*make bitstream"),
        (lambda bit: bit.with_suffix(".hwh").unlink(), PlatformError, "no description"),
        (lambda bit: bit.with_suffix(".hwh").write_text("<EDK"), PlatformError, "cannot be read"),
        (lambda bit: write_overlay(bit.parent, "a:b:c:1.0"), WrongDeviceError, "no qnn_engine"),
    ],
)
def test_a_wrong_bitstream_never_reaches_the_device(board, bitstream, change, error, message):
    change(bitstream)
    with board.expect(), pytest.raises(error, match=message):
        PynqPlatform(bitstream)


def test_an_interrupted_opening_gives_the_device_back(insert, bitstream):
    board = insert(Zynq())

    def interrupted(bitstream, parser=None):
        raise KeyboardInterrupt

    board.download = interrupted
    with pytest.raises(KeyboardInterrupt):
        PynqPlatform(bitstream)
    check_free(insert, bitstream)


def test_errors_are_of_the_package():
    assert issubclass(PlatformError, BackendError)
