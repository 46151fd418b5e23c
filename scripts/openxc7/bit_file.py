# SPDX-License-Identifier: BSD-3-Clause
"""The header of a .bit, which says of what commit it is."""

from qnn.errors import QnnError


def with_user_id(bitstream: bytes, user_id: str) -> bytes:
    """The .bit of xc7frames2bit, with a header that names design and commit as Vivado's does."""
    start = 13
    fields = []
    while bitstream[start : start + 1] != b"e":
        length = int.from_bytes(bitstream[start + 1 : start + 3], "big")
        fields.append((bitstream[start : start + 1], bitstream[start + 3 : start + 3 + length]))
        start += 3 + length
        if start >= len(bitstream) or len(fields) > 4:
            raise QnnError("xc7frames2bit wrote no header that can be read")
    value = f"qnn_zynq;UserID=0X{user_id.upper()};Generator=xc7frames2bit".encode() + b"\0"
    head = bitstream[:13]
    for key, old in fields:
        text = value if key == b"a" else old
        head += key + len(text).to_bytes(2, "big") + text
    return head + bitstream[start:]
