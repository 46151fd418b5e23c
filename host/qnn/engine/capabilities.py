# SPDX-License-Identifier: BSD-3-Clause
"""What an instance of the accelerator can do, as its registers tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qnn.engine import regs
from qnn.engine.registers import field
from qnn.errors import WrongDeviceError


@dataclass(frozen=True)
class Capabilities:
    """Sizes of one instance; the defaults are those of the PYNQ-Z1 configuration.

    Attributes:
        pe: output channels at a time; also the channels of a block of a feature map.
        pixels: output pixels at a time.
        simd: activation bits of one product row.
        planes, passes: most activation planes and most weight passes.
        weight_words: words of simd x pe weight bits on chip.
        threshold_words: words of pe thresholds on chip.
        window_words: 64-bit words of the input map on chip.
        commands: longest command list.
        accumulator_bits: width of an unsigned accumulator.
        pool_columns: columns of a pooled map, at most.
        kernel_rows: rows of a kernel, at most.
        code_bits: bits of an output code, at most.
        ports: of memory, 64 bits each; with two, each brings half of the parameters and the second
            one the input maps.
        requantiser: 1 where codes can be made by multiplication, see requantise.py, else 0.
    """

    pe: int = 64
    pixels: int = 4
    simd: int = 64
    planes: int = 8
    passes: int = 15
    weight_words: int = 512
    threshold_words: int = 256
    window_words: int = 4096
    commands: int = 64
    accumulator_bits: int = 32
    pool_columns: int = 256
    kernel_rows: int = 16
    code_bits: int = 8
    ports: int = 2
    requantiser: int = 1

    @property
    def lanes(self) -> int:
        """Products of one bit in a cycle."""
        return self.simd * self.pe * self.pixels

    @classmethod
    def read(cls, read: Callable[[int], int]) -> Capabilities:
        """Ask the hardware; `read` gives the 32-bit register at a byte address.

        Raises:
            WrongDeviceError: there is something else, or another version of it.
        """
        identity, version = read(regs.ID), read(regs.VERSION)
        if identity != regs.ID_VALUE:
            raise WrongDeviceError(
                f"no accelerator there: its identity reads {identity:#010x}, expected "
                f"{regs.ID_VALUE:#010x}; load its bitstream first"
            )
        if (major := field("VERSION", "major", version)) != regs.VERSION_MAJOR:
            raise WrongDeviceError(
                f"the accelerator speaks version {major}, this software version "
                f"{regs.VERSION_MAJOR}: load the bitstream that belongs to it"
            )
        names = ("LANES", "STORES", "LIMITS", "SHAPES", "MEMORY", "FEATURES")
        found = {
            name: field(register, name, value)
            for register, value in ((r, read(getattr(regs, r))) for r in names)
            for name in regs.FIELDS[register]
        }
        found["ports"] = found["ports"] or 1  # version 2.0 had one and did not say so
        return cls(**found)
