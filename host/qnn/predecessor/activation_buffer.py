# SPDX-License-Identifier: BSD-3-Clause
"""Activation codes packed as QNN-MO-PYNQ packs them, in files and in its buffers.

Code of channel c of a pixel lies in bits [c*bits, c*bits + bits) of that pixel, least significant
bit first, bytes in order; pixels follow each other row by row, each at a fixed pitch. Bits that
hold no code are 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError
from qnn.network import Shape, describe

# Bytes per pixel of the overlays of the original, by activation bits.
OVERLAY_PITCH = {2: 96, 3: 192}


def tight_pitch(channels: int, bits: int) -> int:
    """Bytes that hold the codes of one pixel."""
    return -(-channels * bits // 8)


def pack(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Codes, uint8 (H, W, C), as bytes, uint8 (H, W, tight_pitch(C, bits))."""
    planes = np.unpackbits(codes[..., None], axis=3, count=bits, bitorder="little")
    return np.packbits(planes.reshape(*codes.shape[:2], -1), axis=2, bitorder="little")


def unpack(packed: NDArray[np.uint8], channels: int, bits: int) -> NDArray[np.uint8]:
    """Bytes, uint8 (H, W, pitch), as codes, uint8 (H, W, channels); undoes `pack`."""
    used = packed[..., : tight_pitch(channels, bits)]
    planes = np.unpackbits(used, axis=2, count=channels * bits, bitorder="little")
    planes = planes.reshape(*packed.shape[:2], channels, bits)
    return np.packbits(planes, axis=3, bitorder="little")[..., 0]


def read(
    path: Path, shape: Shape, bits: int, raw: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Codes, uint8 of `shape`, of a file such as the original's input.bin; `raw`: its bytes, if
    they were read already.

    The pitch follows from the size of the file: tight, tight and rounded up to 8 bytes, or that
    of an overlay; a file of an overlay may have further pixels behind the last, which are not read.

    Raises:
        FormatError: the file cannot be read, or its size fits no pitch.
    """
    rows, columns, channels = shape
    if raw is None:
        try:
            raw = np.fromfile(path, np.uint8)
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    pixels, tight = rows * columns, tight_pitch(channels, bits)
    pitch = next((p for p in (tight, -(-tight // 8) * 8) if len(raw) == pixels * p), None)
    overlay = OVERLAY_PITCH.get(bits, 0)
    if (
        pitch is None
        and overlay >= tight
        and len(raw) >= pixels * overlay
        and not len(raw) % overlay
    ):
        pitch = overlay
    if pitch is None:
        raise FormatError(
            f"{path}: neither a picture nor a buffer of {describe(shape)} codes of {bits} bits; "
            f"{len(raw)} bytes, where {pixels * tight} are needed"
        )
    return unpack(raw[: pixels * pitch].reshape(rows, columns, pitch), channels, bits)
