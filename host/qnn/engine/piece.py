# SPDX-License-Identifier: BSD-3-Clause
"""A piece of a buffer, as a buffer."""

from __future__ import annotations

from qnn.platforms.protocol import Buffer


class Piece:
    """See qnn.platforms.protocol.Buffer; the memory is given back with the whole.

    Args:
        whole: the buffer that it is of.
        begin, end: bytes of that, multiples of 4096.
    """

    def __init__(self, whole: Buffer, begin: int, end: int) -> None:
        self._whole, self._begin = whole, begin
        self.address = whole.address + begin
        self.array = whole.array[begin:end]

    def flush(self, start: int = 0, stop: int | None = None) -> None:
        self._whole.flush(self._begin + start, self._stop(stop))

    def invalidate(self, start: int = 0, stop: int | None = None) -> None:
        self._whole.invalidate(self._begin + start, self._stop(stop))

    def free(self) -> None:
        pass

    def _stop(self, stop: int | None) -> int:
        return self._begin + (len(self.array) if stop is None else stop)
