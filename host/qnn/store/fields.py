# SPDX-License-Identifier: BSD-3-Clause
"""A JSON document whose every field is asked for with its type; anything else is a FormatError."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TypeVar

from qnn.errors import FormatError
from qnn.memory import drain, enough_for

MAX_BYTES = 4 << 20

Value = TypeVar("Value")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        FormatError: missing, larger than MAX_BYTES, not JSON, or not an object.
    """
    try:
        with enough_for(path), path.open("rb") as file:
            text = drain(file.read, MAX_BYTES + 1)
        document = json.loads(text) if len(text) <= MAX_BYTES else None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(document, dict):
        raise FormatError(f"{path}: not a JSON object of at most {MAX_BYTES} bytes")
    return document


class Fields:
    """One object of the document; `where` is its place there, for messages."""

    def __init__(self, path: Path, where: str, values: dict[str, Any]) -> None:
        self._path, self._where, self._values = path, where, values

    def _fail(self, key: str, wanted: str) -> FormatError:
        found = repr(self._values.get(key))
        return FormatError(
            f"{self._path}: {self._where}{key} should be {wanted}, not "
            f"{found if len(found) < 60 else found[:57] + '...'}"
        )

    def get(self, key: str, kind: type[Value]) -> Value:
        value = self._values.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._fail(key, f"of type {kind.__name__}")
        return value

    def optional(self, key: str, kind: type[Value]) -> Value | None:
        return None if self._values.get(key) is None else self.get(key, kind)

    def choice(self, key: str, choices: tuple[str, ...]) -> Any:
        if self._values.get(key) not in choices:
            raise self._fail(key, f"one of {', '.join(choices)}")
        return self._values[key]

    def positive(self, key: str) -> int:
        value = self.get(key, int)
        if not 1 <= value <= 1 << 24:
            raise self._fail(key, "a positive whole number")
        return value

    def number(self, key: str) -> float:
        return self._float(key, self._values.get(key))

    def optional_number(self, key: str) -> float | None:
        return None if self._values.get(key) is None else self.number(key)

    def _float(self, key: str, value: Any) -> float:
        """Of a number that a float can hold."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._fail(key, "a number")
        if not abs(value) <= sys.float_info.max:  # compared exactly, also if it is a huge integer
            raise self._fail(key, "a number that fits a float")
        return float(value)

    def _list(self, key: str, kind: type | tuple[type, ...], wanted: str) -> list[Any]:
        values = self._values.get(key)
        if not isinstance(values, list) or not all(
            isinstance(v, kind) and not isinstance(v, bool) for v in values
        ):
            raise self._fail(key, wanted)
        return values

    def integers(self, key: str, count: int | None = None) -> tuple[int, ...]:
        values = self._list(key, int, "a list of whole numbers")
        if (count is not None and len(values) != count) or not all(
            0 <= v <= 1 << 24 for v in values
        ):
            raise self._fail(key, f"a list of {count or 'non-negative'} whole numbers")
        return tuple(values)

    def numbers(self, key: str) -> tuple[float, ...]:
        values = self._list(key, (int, float), "a list of numbers")
        return tuple(self._float(key, value) for value in values)

    def strings(self, key: str) -> tuple[str, ...]:
        return tuple(self._list(key, str, "a list of strings"))

    def entry(self, key: str) -> Fields:
        return Fields(self._path, f"{self._where}{key}.", self.get(key, dict))

    def entries(self, key: str) -> list[Fields]:
        values = self._list(key, dict, "a list of objects")
        return [
            Fields(self._path, f"{self._where}{key}[{i}].", value) for i, value in enumerate(values)
        ]
