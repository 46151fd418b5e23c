# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator on a PYNQ board, through pynq 3 or 4, which is imported when one is opened."""

from __future__ import annotations

import os
import sys
import time
import warnings
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.engine.status import Status
from qnn.errors import OutOfMemoryError, PlatformError
from qnn.platforms.board import BELOW, CLOCK_STEP, CLOSE, LATE_S, NEAR, POLL_S, wanted_clock
from qnn.platforms.lock import LOCK, DeviceLock
from qnn.platforms.overlay import BITSTREAM, Design, read_design
from qnn.platforms.page_allocator import PAGE

if TYPE_CHECKING:  # asyncio is for who opens a board, not for who asks whether there is one
    from qnn.platforms.interrupt import Interrupt

FPGA_MANAGER = Path("/sys/class/fpga_manager/fpga0")  # of the kernel of a board
ROOT = "the FPGA belongs to root: use sudo, or a notebook of the board"
XRT = "/usr"  # where the images of PYNQ have the library behind pynq.allocate

SMALLEST = 2 * PAGE  # pynq reserves that much anyway, but frees what was asked for

_alive: set[PynqMemory] = set()  # pynq would free what nobody refers to, written to or not


def on_board() -> bool:
    """Whether this machine is a board, usable or not."""
    return FPGA_MANAGER.exists()


def unavailable() -> str | None:
    """Why there is no board to open, in a few words; None if there is one. Does not import pynq."""
    if not on_board() and not _devices_of_others():
        return "this machine has no FPGA"
    if _lacks_root():
        return ROOT
    if not BITSTREAM.is_file():
        return f"there is no bitstream {BITSTREAM}: `make bitstream`, then `make deploy`"
    return None


def _lacks_root() -> bool:
    return on_board() and os.geteuid() != 0


def _devices_of_others() -> bool:
    """Whether pynq, where it has been imported, knows a device of another kind."""
    loaded = sys.modules.get("pynq")
    if loaded is None:
        return False
    with warnings.catch_warnings():  # that there is none
        warnings.simplefilter("ignore")
        return bool(loaded.Device.devices)


class PynqPlatform:
    """See qnn.platforms.protocol.Platform.

    Memory is not cacheable: pynq 3.1 and 4 flush and invalidate buffers as a whole, which would
    throw away what the host is writing beside the part that it asks for.

    Args:
        bitstream: a .bit file with its .hwh beside it; None: the one in qnn.overlays.
        clock_mhz: of the accelerator, at most what the bitstream was built for, which is the
            default. A board divides its PLL by whole numbers: it runs at the nearest clock that
            the bitstream was built for, and the attribute says at which.

    Raises:
        PlatformError: bitstream, pynq or device is missing, or fails.
        WrongDeviceError: the bitstream holds something else.
        DeviceBusyError: another process has the device.
    """

    name = "pynq"
    clock_mhz: float

    def __init__(self, bitstream: Path | None = None, clock_mhz: float | None = None) -> None:
        self._lock: DeviceLock | None = None
        self._ip: Any = None
        self._interrupt: Interrupt | None = None
        self._interrupt_on = False
        bitstream = bitstream or BITSTREAM
        design = read_design(bitstream)
        clock_mhz = wanted_clock(clock_mhz, design, bitstream)
        if _lacks_root():
            raise PlatformError(ROOT)
        self._lock = DeviceLock(LOCK)
        try:
            self._pynq = _import_pynq()
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Setting frequency")  # pynq, of clocks on the way
                self._load(bitstream, design)
                self.clock_mhz = self._set_clock(clock_mhz, design)
        except BaseException:
            self.close()
            raise

    def _load(self, bitstream: Path, design: Design) -> None:
        """Programs the device and binds the accelerator."""
        from qnn.platforms import interrupt

        try:
            self._device = self._pynq.Device.active_device
        except Exception as error:
            raise PlatformError(f"pynq finds no device ({_reason(error)})") from error
        try:
            overlay = self._pynq.Overlay(
                str(bitstream), download=False, ignore_version=True, device=self._device
            )
            overlay.download()
            path = design.instance.split("/")
            self._ip = interrupt.call(lambda: reduce(getattr, path, overlay))
        except Exception as error:
            raise PlatformError(f"pynq cannot load {bitstream} ({_reason(error)})") from error
        self._interrupt = getattr(self._ip, "irq", None)

    def _set_clock(self, clock_mhz: float, design: Design) -> float:
        """Sets the clock and reads it back.

        pynq takes the divisor nearest to the one wanted, so the clock may be a faster one. Where
        timing was not met for that, the next slower one is taken.
        """
        wanted = clock_mhz
        try:
            found = self._try_clock(wanted)
            while found > CLOSE * design.clock_mhz and wanted > clock_mhz / 2:
                wanted *= CLOCK_STEP
                found = self._try_clock(wanted)
        except Exception as error:
            raise PlatformError(f"pynq cannot set the clock ({_reason(error)})") from error
        if not 0 < found <= CLOSE * design.clock_mhz:
            raise PlatformError(
                f"the clock reads {found:g} MHz instead of {clock_mhz:g}; the bitstream was built "
                f"for {design.clock_mhz:g}"
            )
        if not clock_mhz / NEAR <= found <= clock_mhz * NEAR:
            warnings.warn(
                f"this board makes no clock of {clock_mhz:g} MHz: the accelerator runs at "
                f"{found:g} MHz",
                stacklevel=2,
            )
        return found

    def _try_clock(self, clock_mhz: float) -> float:
        self._pynq.Clocks.fclk0_mhz = clock_mhz
        return float(self._pynq.Clocks.fclk0_mhz)

    def read(self, offset: int) -> int:
        """See Platform."""
        try:
            return int(self._open_ip.read(offset))
        except (OSError, RuntimeError, ValueError, LookupError, MemoryError) as error:
            raise PlatformError(
                f"register {offset:#x} cannot be read ({_reason(error)})"
            ) from error

    def write(self, offset: int, value: int) -> None:
        """See Platform."""
        try:
            self._open_ip.write(offset, int(value))
        except (OSError, RuntimeError, ValueError, LookupError, MemoryError) as error:
            raise PlatformError(
                f"register {offset:#x} cannot be written ({_reason(error)})"
            ) from error
        if offset == regs.IRQ_ENABLE:
            self._interrupt_on = bool(value)

    def allocate(self, size: int) -> PynqMemory:
        """See Platform."""
        _ = self._open_ip
        whole = max(SMALLEST, -(-size // PAGE) * PAGE)
        try:
            memory = self._pynq.allocate((whole,), np.uint8, target=self._device)
        except (OSError, RuntimeError, MemoryError) as error:
            raise OutOfMemoryError(
                f"there are no {whole / 2**20:.1f} MiB of contiguous memory for the accelerator"
                f"{_contiguous()}: end other programs that use it ({_reason(error)})"
            ) from error
        address = int(memory.physical_address)
        if address % PAGE or address + whole > 1 << 32:
            memory.freebuffer()
            raise PlatformError(
                f"pynq gave memory at {address:#x}, which is no 32-bit address of a page: {BELOW}"
            )
        return PynqMemory(memory, address, size)

    def wait(self, timeout_s: float) -> bool:
        """See Platform. Without an interrupt it sleeps a little.

        The interrupt controller remembers the level of the run before, so an interrupt counts only
        where STATUS agrees; and one that does not come after a run is given up.
        """
        if self._interrupt is None or not self._interrupt_on:
            time.sleep(max(0.0, min(timeout_s, POLL_S)))
            return False
        from qnn.platforms import interrupt

        try:
            came = interrupt.wait(self._interrupt, timeout_s)
            if not Status.decode(self.read(regs.STATUS)).ended:
                return False
            came = came or interrupt.wait(self._interrupt, LATE_S)
            reason = "it does not come"
        except RuntimeError as error:  # pynq: another overlay was loaded
            came, reason = False, _reason(error)
        if not came:
            warnings.warn(f"no interrupts from the accelerator ({reason}): polling", stacklevel=2)
            self._interrupt = None
        return came

    def seconds(self) -> float:
        """See Platform."""
        return time.monotonic()

    def close(self) -> None:
        """See Platform. Buffers live on until they are freed."""
        self._ip = self._interrupt = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def _open_ip(self) -> Any:
        if self._ip is None:
            raise PlatformError("the accelerator was closed")
        return self._ip


class PynqMemory:
    """See qnn.platforms.protocol.Buffer."""

    def __init__(self, memory: Any, address: int, size: int) -> None:
        self.address = address
        self.array: NDArray[np.uint8] = np.asarray(memory)[:size]
        self._memory = memory
        _alive.add(self)

    def flush(self, start: int = 0, stop: int | None = None) -> None:
        """See Buffer."""
        self._part(start, stop).flush()

    def invalidate(self, start: int = 0, stop: int | None = None) -> None:
        """See Buffer."""
        self._part(start, stop).invalidate()

    def free(self) -> None:
        """See Buffer."""
        memory, self._memory = self._memory, None
        if memory is not None:
            _alive.discard(self)
            self.array = np.empty(0, np.uint8)  # the old one is no longer mapped
            memory.freebuffer()

    def _part(self, start: int, stop: int | None) -> Any:
        if self._memory is None:
            raise PlatformError("the buffer was freed")
        return self._memory[start : len(self.array) if stop is None else stop]


def _import_pynq() -> Any:
    if on_board():
        # Without it pynq finds no device; the images of PYNQ set it for login shells alone.
        os.environ.setdefault("XILINX_XRT", XRT)
    try:
        import pynq

        import qnn.platforms.pynq_ip  # noqa: F401  binds the accelerator, and mends the clocks
    except Exception as error:  # its C libraries and its own packages fail in many ways
        raise PlatformError(
            f"package pynq cannot be imported ({_reason(error)}); use the Python of the board's "
            "image"
        ) from error
    return pynq


def _reason(error: BaseException) -> str:
    """What went wrong, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _contiguous() -> str:
    """How much of such memory the kernel has, as it tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kib = {key: int(text.split()[0]) for key, _, text in (li.partition(":") for li in lines)}
        return f" ({kib['CmaFree'] >> 10} of {kib['CmaTotal'] >> 10} MiB are free)"
    except (OSError, ValueError, LookupError):
        return ""
