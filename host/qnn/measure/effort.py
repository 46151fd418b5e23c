# SPDX-License-Identifier: BSD-3-Clause
"""What an action costs this processor: instructions, where something counts these, else its time
for this process, which no other one prolongs.

Who emulates a processor can count what it executes, and does so in eight bytes of a file, lowest
byte first, that the variable QNN_INSTRUCTIONS names: scripts/armhf.py --count.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

from qnn.errors import QnnError

VARIABLE = "QNN_INSTRUCTIONS"
_BYTES = 8


class Meter:
    """Reads a counter.

    Attributes:
        unit: "instructions" or "ns".
    """

    def __init__(self) -> None:
        name = os.environ.get(VARIABLE)
        self.unit = "instructions" if name else "ns"
        self._read: Callable[[], int] = _counter(name) if name else time.process_time_ns

    def of(self, action: Callable[[], object]) -> int:
        """What an action costs, less what it costs to ask."""
        asked = self._read()
        began = self._read()
        action()
        ended = self._read()
        return max(ended - began - (began - asked), 0)


def _counter(name: str) -> Callable[[], int]:
    try:
        with Path(name).open("rb") as file:
            counted = mmap.mmap(file.fileno(), _BYTES, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise QnnError(f"{VARIABLE}: {name} is no file that a counter writes ({error})") from error
    return lambda: int.from_bytes(counted[:_BYTES], "little")
