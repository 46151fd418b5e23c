# SPDX-License-Identifier: BSD-3-Clause
"""Commands as fields: one written and read, and a whole list moved to other addresses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qnn.engine import regs
from qnn.errors import DoesNotFitError

COMMAND_BYTES = regs.COMMAND_BEATS * 8


def encode(fields: dict[str, int]) -> bytes:
    """One command; fields that are not given are 0.

    Raises:
        DoesNotFitError: a value does not fit its field.
    """
    beats = [0] * regs.COMMAND_BEATS
    for name, value in fields.items():
        beat, lowest, width = regs.COMMAND[name]
        if not 0 <= value < 1 << width:
            raise DoesNotFitError(
                f"{name} = {value} does not fit the {width} bits of its command field"
            )
        beats[beat] |= value << lowest
    return np.array(beats, dtype="<u8").tobytes()


def decode(image: bytes, index: int = 0) -> dict[str, int]:
    """Every field of a command of a list that an image begins with; undoes `encode`."""
    beats = np.frombuffer(image, "<u8", regs.COMMAND_BEATS, index * COMMAND_BYTES).tolist()
    return {
        name: beats[beat] >> lowest & ((1 << width) - 1)
        for name, (beat, lowest, width) in regs.COMMAND.items()
    }


class CommandList:
    """The commands at the head of a program's image; its own copy."""

    def __init__(self, image: bytes, commands: int) -> None:
        words = np.frombuffer(image, dtype="<u8", count=commands * regs.COMMAND_BEATS)
        self._beats = words.reshape(commands, regs.COMMAND_BEATS).copy()

    def get(self, name: str) -> NDArray[np.int64]:
        """One field of every command."""
        beat, lowest, width = regs.COMMAND[name]
        field = self._beats[:, beat] >> np.uint64(lowest) & np.uint64((1 << width) - 1)
        return field.astype(np.int64)

    def set(self, name: str, values: NDArray[np.int64]) -> None:
        """Writes one field of every command; the values must fit."""
        beat, lowest, width = regs.COMMAND[name]
        if values.min() < 0 or values.max() >= 1 << width:
            raise ValueError(f"{name}: {values} do not fit {width} bits")
        kept = self._beats[:, beat] & np.uint64(~(((1 << width) - 1) << lowest) & (1 << 64) - 1)
        self._beats[:, beat] = kept | values.astype(np.uint64) << np.uint64(lowest)

    def tobytes(self) -> bytes:
        return self._beats.tobytes()
