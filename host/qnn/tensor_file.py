# SPDX-License-Identifier: BSD-3-Clause
"""The arrays of an .npz file, without pickle, each read once its header was found plausible."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qnn.errors import FormatError

MAX_TENSOR_BYTES = 1 << 30

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
            return action()
        except OSError as error:
            raise FormatError(f"{self._path}: cannot be read ({error.strerror or error})") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
            raise FormatError(
                f"{self._path}: truncated or altered ({error}); fetch or import the network again"
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
        if member.file_size > MAX_TENSOR_BYTES:
            raise FormatError(f"{self._path}: tensor {name} is larger than any network here")
        raw = self._guard(lambda: self._zip.read(member))
        stream = io.BytesIO(raw)
        header = self._guard(lambda: _read_header(stream))
        wanted = f"{np.dtype(dtype)} {shape if shape is not None else ''}".strip()
        if header[2] != np.dtype(dtype).newbyteorder("<") or shape not in (None, header[0]):
            raise FormatError(
                f"{self._path}: tensor {name} is {header[2]} {header[0]}, but {wanted} is expected"
            )
        if len(raw) - stream.tell() != math.prod(header[0]) * header[2].itemsize:
            raise FormatError(f"{self._path}: tensor {name} is truncated")
        stream.seek(0)
        array = self._guard(lambda: np.lib.format.read_array(stream, allow_pickle=False))
        return array


def _read_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"npy version {version}")
