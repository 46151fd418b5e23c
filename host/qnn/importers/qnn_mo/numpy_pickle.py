# SPDX-License-Identifier: BSD-3-Clause
"""Read .npy and .pkl parameter files of others without trusting them.

A pickle is a program. This reader knows the instructions that build numbers, strings, containers
and numpy arrays, and no other. What the pickle takes for numpy (`numpy.dtype`, `_reconstruct`, ...)
are stand-ins that only record their arguments: numpy sees nothing but shapes, element types and
bytes that have been checked against each other.

Formats: the pickle instructions as the standard library's `pickletools` documents them; .npy
version 1.0 as `numpy.lib.format` documents it.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import io
import math
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

import numpy as np

from qnn.errors import FormatError
from qnn.memory import drain, enough_for

MAX_BYTES = 512 << 20
_MAX_LABEL_BYTES = 16 << 20
# Bounds the time and memory that many tiny instructions can claim; a real parameter file needs some
# hundred reads, the names of 1000 classes some 20000.
_MAX_READS = 200_000
_MAX_DIMS, _MAX_DIM = 32, 1 << 40  # numpy 1 has 32 dimensions

# As numpy.save writes it; Python 2 marked large numbers by an L.
_HEADER = re.compile(
    rb"\{'descr': '([^']+)', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}L?, ?)*(?:\d{1,18}L?)?)\),? *\} *\n"
)

_Source = str | os.PathLike[str] | bytes | BinaryIO


def load_npy(
    source: _Source, *, max_bytes: int = MAX_BYTES
) -> np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]]:
    """Read a .npy file, or a .npy.bz2 file (known by its content, not by its name).

    Args:
        source: a path, the content itself, or a seekable binary file at its start.
        max_bytes: the most that may be read, after decompression.

    Returns:
        The array of a plain file; of a file with one pickled dictionary, a dictionary from str to
        array. Element types are bool, integer or float in the byte order of the file; every array
        is read-only.

    Raises:
        FormatError: the file is missing, truncated, too large, not what it claims to be, or its
            pickle wants anything but arrays.
    """
    with _open(source, max_bytes) as reader:
        shape, fortran, dtype = _header(reader)
        if dtype is None:
            if shape != ():
                raise FormatError(
                    f"{reader.name} is an array of {shape} Python objects; only one dictionary of "
                    "arrays can be read"
                )
            value = _Unpickler(reader, "bytes", _STAND_INS).load_checked()
            reader.expect_end()
            return _dictionary(value, reader.name)
        raw = reader.read(math.prod(shape) * dtype.itemsize)
        reader.expect_end()
        return _read_only(raw, dtype, shape, fortran)


def load_pickle(path: str | os.PathLike[str]) -> dict[Any, Any]:
    """Read a pickled dictionary of labels, such as imagenet-classes.pkl.

    Returns:
        A dictionary whose keys are int or str and whose values are int, str or a tuple of these.

    Raises:
        FormatError: the file is missing, truncated, larger than 16 MiB, or holds anything else.
    """
    with _open(path, _MAX_LABEL_BYTES) as reader:
        value = _Unpickler(reader, "latin1", {}).load_checked()
        reader.expect_end()
        plain = (int, str)
        if type(value) is not _Dict or not all(
            type(key) in plain
            and all(type(item) in plain for item in (entry if type(entry) is tuple else (entry,)))
            for key, entry in value.items()
        ):
            raise FormatError(
                f"{reader.name} is not a dictionary of numbers, strings and tuples of them"
            )
        return dict(value)


class _Reader:
    """A binary file that gives exactly what is asked for, within a bound, or a FormatError."""

    def __init__(self, file: BinaryIO, name: str, max_bytes: int) -> None:
        self.name = name
        self._file = file
        self._max = self._left = max_bytes
        self._reads = 0

    def _spend(self, size: int) -> None:
        self._left -= size
        self._reads += 1
        if self._left < 0 or self._reads > _MAX_READS:
            raise FormatError(
                f"{self.name} claims more than {self._max} bytes, or more objects than any "
                "parameter file; if it is genuine, raise max_bytes"
            )

    def _guarded(self, method: Any, size: int) -> bytes:
        try:
            with enough_for(self.name):
                return bytes(method(size))
        except EOFError:
            raise self.truncated() from None
        except (OSError, ValueError) as err:
            reason = str(err) or type(err).__name__
            raise FormatError(f"{self.name} cannot be read: {reason}") from None

    def truncated(self) -> FormatError:
        return FormatError(f"{self.name} is truncated; fetch or copy it again")

    def read(self, size: int) -> bytes:
        self._spend(size)
        data = self._guarded(lambda most: drain(self._file.read, most), size)
        if len(data) != size:
            raise self.truncated()
        return data

    def readline(self) -> bytes:
        line = self._guarded(self._file.readline, self._left + 1)
        self._spend(len(line))
        if not line.endswith(b"\n"):
            raise self.truncated()
        return line

    def expect_end(self) -> None:
        """Nothing may follow; this also makes bz2 check its last checksum."""
        if self._guarded(self._file.read, 1):
            raise FormatError(f"{self.name} goes on after its data; fetch or copy it again")


@contextlib.contextmanager
def _open(source: _Source, max_bytes: int) -> Iterator[_Reader]:
    with contextlib.ExitStack() as stack:
        file: BinaryIO
        if isinstance(source, bytes):
            file, name = io.BytesIO(source), "the given data"
        elif isinstance(source, (str, os.PathLike)):
            name = str(source)
            try:
                file = stack.enter_context(Path(source).open("rb"))
            except (OSError, ValueError) as err:
                reason = getattr(err, "strerror", None) or err
                raise FormatError(f"{name} cannot be read: {reason}") from None
        else:
            file, name = source, str(getattr(source, "name", "the given file"))
        with contextlib.suppress(OSError):  # reported by the first read of the reader
            start = file.tell()
            packed = file.read(3) == b"BZh"
            file.seek(start)
            if packed:
                file = cast(BinaryIO, stack.enter_context(bz2.open(file, "rb")))
        yield _Reader(file, name, max_bytes)


def _header(reader: _Reader) -> tuple[tuple[int, ...], bool, np.dtype[Any] | None]:
    """Shape, Fortran order and element type (None: Python objects); the data follows."""
    magic = reader.read(8)
    if magic[:6] != b"\x93NUMPY":
        raise FormatError(f"{reader.name} is not a .npy file")
    text = reader.read(int.from_bytes(reader.read(2), "little"))
    found = _HEADER.fullmatch(text)
    if magic[6:] != b"\x01\x00" or not found:
        raise FormatError(
            f"{reader.name} has a damaged or unusual .npy header; save it again as one plain array "
            "of numbers"
        )
    descr, fortran, dims = found.groups()
    shape = tuple(int(n) for n in re.findall(rb"\d+", dims))
    _check_shape(shape, reader.name)
    is_object = re.fullmatch(rb"\|O\d?", descr)
    return shape, fortran == b"True", None if is_object else _number_type(descr, reader.name)


def _check_shape(shape: tuple[Any, ...], name: str) -> None:
    if len(shape) > _MAX_DIMS or not all(type(n) is int and 0 <= n < _MAX_DIM for n in shape):
        raise FormatError(f"{name} claims an array of an impossible shape")


def _read_only(
    raw: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool
) -> np.ndarray[Any, Any]:
    flat = np.frombuffer(raw, dtype) if raw else np.empty(0, dtype)
    array = flat.reshape(shape, order="F" if fortran else "C")
    array.flags.writeable = False
    return array


class _Dict(dict[Any, Any]):
    """A dictionary with simple keys: hashing a deeply nested tuple would overflow the C stack."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) not in (str, bytes, int):
            raise TypeError("key of a parameter dictionary")
        super().__setitem__(key, value)


class _Dtype:
    """Stand-in for numpy.dtype(code, align, copy) and the state (version, byte order, ...)."""

    state: Any = None

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code


class _Array:
    """Stand-in for an array: state (version, shape, dtype, Fortran order, bytes or list)."""

    state: Any = None

    def __init__(self, *_: Any) -> None:
        pass


def _scalar(dtype: Any, raw: Any) -> _Array:
    array = _Array()
    array.state = (1, (), dtype, False, raw)
    return array


def _encode(text: str, encoding: Any) -> bytes:
    """Python 3 writes bytes in protocols 0 to 2 as a call of _codecs.encode(text, "latin1")."""
    if encoding not in ("latin1", b"latin1"):
        raise ValueError("encoding of pickled bytes")
    return codecs.latin_1_encode(text)[0]


_STAND_INS: dict[tuple[str, str], object] = {
    **{
        (module, name): stand_in
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name, stand_in in (("_reconstruct", _Array), ("scalar", _scalar))
    },
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): object(),  # only ever an argument of _reconstruct
    ("_codecs", "encode"): _encode,
}

# The instructions that numbers, strings, tuples, lists, dictionaries and arrays need. INST stays
# because it names what it wants to call, which find_class refuses by name.
_INSTRUCTIONS = (
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "GLOBAL", "STACK_GLOBAL", "INST"),
    *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET", "REDUCE", "BUILD"),
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("EMPTY_TUPLE", "LIST", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("DICT", "EMPTY_DICT", "SETITEM", "SETITEMS"),
)


class _Unpickler(pickle._Unpickler):
    """The interpreter of the standard library, in Python, with most instructions taken out.

    Its C twin has no table of instructions to take from, and allocates whatever memo index a file
    names.
    """

    # Set by load() of the base class, which the type stubs leave out.
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    stack: list[Any]

    def __init__(
        self, reader: _Reader, encoding: str, known: dict[tuple[str, str], object]
    ) -> None:
        super().__init__(reader, encoding=encoding)
        self._reader = reader
        self._known = known

    def load_checked(self) -> Any:
        try:
            with enough_for(self._reader.name):
                return self.load()
        except FormatError:
            raise
        except Exception:  # a damaged program can fail in any way; none tells the user more
            raise FormatError(
                f"{self._reader.name} holds a damaged pickle, or one that is not a parameter file; "
                "fetch or copy it again"
            ) from None

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            wanted = ascii(f"{module}.{name}")[1:-1][:80]
            raise FormatError(
                f"{self._reader.name} is refused: it wants to run `{wanted}`, so it is not a "
                "parameter file"
            )
        return self._known[module, name]

    def load_frame(self) -> None:
        self.read(8)  # a frame is a hint for buffering; without it every read stays bounded

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, (_Array, _Dtype)):
            raise TypeError("state for something that is neither array nor dtype")
        target.state = state

    def load_empty_dictionary(self) -> None:
        self.append(_Dict())

    def load_dict(self) -> None:
        items = self.pop_mark()
        filled = _Dict()
        for key, value in zip(items[::2], items[1::2], strict=True):
            filled[key] = value
        self.append(filled)

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
        for name in _INSTRUCTIONS
    } | {
        pickle.FRAME[0]: load_frame,
        pickle.BUILD[0]: load_build,
        pickle.EMPTY_DICT[0]: load_empty_dictionary,
        pickle.DICT[0]: load_dict,
    }


def _dictionary(value: Any, name: str) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of the dictionary in a 0-dimensional object array."""
    match getattr(value, "state", None):
        case (_, (), _Dtype(), _, [_Dict() as entries]) if isinstance(value, _Array):
            pass
        case _:
            raise FormatError(f"{name} does not hold one dictionary of arrays")
    arrays = {}
    for key, entry in entries.items():
        label = key.decode("latin1") if isinstance(key, bytes) else key
        if not isinstance(label, str) or not isinstance(entry, _Array):
            raise FormatError(f"{name} does not hold one dictionary of arrays")
        arrays[label] = _array(entry, f"{name}: {ascii(label)[1:-1][:80]}")
    return arrays


def _array(recorded: _Array, name: str) -> np.ndarray[Any, Any]:
    match recorded.state:
        case (int(), tuple(shape), _Dtype() as kind, bool(fortran), bytes(raw)):
            pass
        case _:
            raise FormatError(f"{name} is a damaged array, or one of Python objects")
    dtype = _dtype(kind, name)
    _check_shape(shape, name)
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise FormatError(
            f"{name} claims an array of {'x'.join(map(str, shape)) or 1} elements of "
            f"{dtype.itemsize} bytes, but holds {len(raw)} bytes"
        )
    return _read_only(raw, dtype, shape, fortran)


def _dtype(recorded: _Dtype, name: str) -> np.dtype[Any]:
    code, order = recorded.code, "|"
    if recorded.state is not None:  # (version, byte order, subarray, names, fields, ...)
        match recorded.state:
            case (int(), str() | bytes(), None, None, None, *_):
                order = recorded.state[1]
            case _:
                raise FormatError(f"{name} has a damaged or structured element type")
    text = b"".join(
        part.encode("ascii", "replace") if isinstance(part, str) else part
        for part in (order, code)
        if isinstance(part, (str, bytes))
    )
    return _number_type(text, name)


def _number_type(text: bytes, name: str) -> np.dtype[Any]:
    if not re.fullmatch(b"[<>|=](b1|[iu][1248]|f[248])", text):
        raise FormatError(f"{name} holds elements that are not numbers of 1 to 8 bytes")
    return np.dtype(text.decode())
