# SPDX-License-Identifier: BSD-3-Clause
"""A .bit file as the FPGA manager of the kernel wants it: no header, bytes of each word swapped.

The header is fields with their length before them: one of 9 bytes, the number 1, then by letter
a (design), b (part), c (date), d (time), each a text of 16-bit length, and e, the configuration,
of 32-bit length; all big-endian. drivers/fpga/zynq-fpga.c looks for the sync word AA995566 at a
multiple of 4, as 66 55 99 AA.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qnn.errors import PlatformError

SYNC = bytes.fromhex("aa995566")


def image(bitstream: Path) -> bytes:
    """What goes to the FPGA manager, a multiple of 4 bytes.

    Raises:
        PlatformError: it cannot be read, is cut short, or holds no configuration.
    """
    try:
        data = bitstream.read_bytes()
    except OSError as error:
        raise PlatformError(f"cannot read {bitstream}: {error.strerror}") from None
    configuration = _configuration(data, bitstream)
    if len(configuration) % 4:
        raise PlatformError(f"{bitstream} holds {len(configuration)} bytes, no whole words")
    words = np.frombuffer(configuration, dtype=">u4")
    if not np.any(words == int.from_bytes(SYNC, "big")):
        raise PlatformError(f"{bitstream} has no sync word: it is no bitstream for this device")
    return words.astype("<u4").tobytes()


def _configuration(data: bytes, bitstream: Path) -> bytes:
    """The field e."""
    place = 2 + int.from_bytes(data[:2], "big") + 2
    while place + 5 <= len(data):
        letter, place = data[place : place + 1], place + 1
        if letter == b"e":
            size = int.from_bytes(data[place : place + 4], "big")
            found = data[place + 4 : place + 4 + size]
            if len(found) < size:
                raise PlatformError(f"{bitstream} is cut short: {len(found)} of {size} bytes")
            return found
        if letter not in (b"a", b"b", b"c", b"d"):
            break
        place += 2 + int.from_bytes(data[place : place + 2], "big")
    raise PlatformError(f"{bitstream} has no header of a .bit file: take the one that Vivado wrote")
