# SPDX-License-Identifier: BSD-3-Clause
"""Values of the registers out of their fields, and back; the fields are those of regs.FIELDS."""

from __future__ import annotations

from qnn.engine import regs


def field(register: str, name: str, value: int) -> int:
    """The field `name` of a register that reads as `value`."""
    lowest, width = regs.FIELDS[register][name]
    return value >> lowest & ((1 << width) - 1)


def flags(register: str, *names: str) -> int:
    """The value of a register in which just these fields of one bit are 1."""
    return sum(1 << regs.FIELDS[register][name][0] for name in names)
