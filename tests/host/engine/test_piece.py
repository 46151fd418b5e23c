# SPDX-License-Identifier: BSD-3-Clause
"""A piece of a buffer is a buffer: its bytes, its address, and nothing outside."""

import numpy as np

from qnn.engine.piece import Piece


class Whole:
    address = 0x10000

    def __init__(self):
        self.array = np.zeros(3 * 4096, np.uint8)
        self.told = []

    def flush(self, *span):
        self.told.append(("flush", *span))

    def invalidate(self, *span):
        self.told.append(("invalidate", *span))

    def free(self):
        self.told.append(("free",))


def test_a_piece():
    whole = Whole()
    piece = Piece(whole, 4096, 8192)
    assert (piece.address, len(piece.array)) == (0x11000, 4096)
    piece.array[:] = 7
    assert np.flatnonzero(whole.array).tolist() == list(range(4096, 8192))
    piece.flush(128, 256)
    piece.invalidate(1)
    piece.flush()
    piece.free()  # that of the whole is another's
    assert whole.told == [
        ("flush", 4224, 4352), ("invalidate", 4097, 8192), ("flush", 4096, 8192),
    ]  # fmt: skip
