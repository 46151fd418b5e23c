# SPDX-License-Identifier: BSD-3-Clause
"""The arrays of an .npz file, without pickle, each read once its header was found plausible."""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError
from qnn.memory import drain, enough_for

MAX_TENSOR_BYTES = 1 << 30

MAX_DIMS = 8
_START = 10  # bytes of magic, version and length of the header
ENCRYPTED = 1
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# As numpy.save writes version 1.0: magic, length, and a dictionary padded by blanks.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<|][a-z]\d+)', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\),? *\} *\n",
    re.DOTALL,
)
# What zipfile raises on a file it cannot make sense of.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    struct.error,
)

Value = TypeVar("Value")


class TensorFile:
    """`with TensorFile(path) as tensors: tensors.get(name, dtype, shape)`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = self._guard(lambda: zipfile.ZipFile(path))

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def _guard(self, action: Callable[[], Value]) -> Value:
        try:
            with enough_for(self._path):
                return action()
        except OSError as error:
            raise FormatError(f"{self._path}: cannot be read ({error.strerror or error})") from None
        except _DAMAGED:
            raise FormatError(
                f"{self._path}: truncated or altered; fetch or import the network again"
            ) from None

    def get(
        self, name: str, dtype: type[np.generic], shape: tuple[int, ...] | None
    ) -> NDArray[Any]:
        """The array `name`; FormatError unless it has that dtype and (if given) that shape."""
        try:
            member = self._zip.getinfo(f"{name}.npy")
        except KeyError:
            raise FormatError(
                f"{self._path}: it has no tensor {name}; fetch or import the network again"
            ) from None
        if member.flag_bits & ENCRYPTED or member.compress_type not in COMPRESSIONS:
            raise FormatError(f"{self._path}: tensor {name} is encrypted or packed in another way")
        if member.file_size > MAX_TENSOR_BYTES:
            raise FormatError(f"{self._path}: tensor {name} is larger than any network here")
        return self._guard(lambda: self._read(name, member, np.dtype(dtype), shape))

    def _read(
        self,
        name: str,
        member: zipfile.ZipInfo,
        dtype: np.dtype[Any],
        shape: tuple[int, ...] | None,
    ) -> NDArray[Any]:
        with self._zip.open(member) as file:
            start = file.read(_START)
            start += file.read(int.from_bytes(start[8:], "little"))
            header = _HEADER.fullmatch(start)
            if header is None:
                raise FormatError(f"{self._path}: tensor {name} is not an array as numpy saves it")
            found, order, digits = header.groups()
            found_dtype = found.decode()
            found_shape = tuple(int(n) for n in re.findall(rb"\d+", digits))
            wanted = f"{dtype} {shape if shape is not None else ''}".strip()
            expected = dtype.newbyteorder("<")
            if found_dtype != expected.str or shape not in (None, found_shape):
                raise FormatError(
                    f"{self._path}: tensor {name} is {found_dtype} {found_shape}, but {wanted} is "
                    "expected"
                )
            size = math.prod(found_shape) * expected.itemsize
            if len(start) + size != member.file_size or len(found_shape) > MAX_DIMS:
                raise FormatError(f"{self._path}: tensor {name} is truncated")
            data = drain(file.read, size + 1)  # to its end, where its checksum is checked
        if len(data) != size:
            raise FormatError(f"{self._path}: tensor {name} is truncated")
        array = np.frombuffer(data, expected).copy()
        return array.reshape(found_shape, order="F" if order == b"True" else "C")
