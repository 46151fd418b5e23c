# SPDX-License-Identifier: BSD-3-Clause
"""What became of the work of one command: how far it came, and everything that went wrong.

Nothing that was found is thrown away because of what came later: errors are told at once, on
standard error, and counted at the end.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

from qnn.errors import QnnError


class Report:
    """How far a command came with some pictures, or arrays.

    Attributes:
        done: pictures whose result is there.
        total: pictures in all.
        errors: JSON of what went wrong: {"image": name, or None where it is not of one picture,
            "error": sentence}; for arrays {"array": ...}.
        interrupted: by Ctrl-C.
    """

    def __init__(
        self,
        did: str,
        total: int,
        one: str = "image",
        many: str = "pictures",
        most_errors: int | None = None,
    ) -> None:
        """`did`: what it does to pictures, for the count: "classified"; `one`, `many`: of what;
        `most_errors`: older ones are forgotten, where the work may never end."""
        self._did, self._one, self._many = did, one, many
        self.done, self.total = 0, total
        self.errors: deque[dict[str, str | None]] = deque(maxlen=most_errors)
        self.interrupted = False

    def fail(self, image: str | None, error: QnnError) -> None:
        """Tells an error and remembers it."""
        self.errors.append({self._one: image, "error": str(error)})
        print(f"qnn: {error}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """An error or Ctrl-C ends the block, and no more than that once there is a word to say."""
        try:
            yield
        except (KeyboardInterrupt, MemoryError, QnnError) as error:
            if not self.done and not self.errors:
                raise
            if isinstance(error, KeyboardInterrupt):
                self.interrupted = True
            else:
                self.fail(None, _told(error))

    @contextlib.contextmanager
    def noting(self, image: str) -> Iterator[None]:
        """An error that ends the block is noted beside the result of a picture that is there."""
        try:
            yield
        except (MemoryError, QnnError) as error:
            self.fail(image, _told(error))

    def document(self) -> dict[str, Any]:
        """What --json says of it."""
        return {
            self._many: self.total,
            "errors": list(self.errors),
            "interrupted": self.interrupted,
        }

    def close(self) -> int:
        """Tells how far it came, if not to the end.

        Returns:
            The exit status: 0; 1 if something went wrong, 2 if nothing was done; 130 after Ctrl-C.
        """
        count = f"{self._did} {self.done} of {self.total} {self._many}"
        if self.interrupted:
            print(f"qnn: interrupted: {count}", file=sys.stderr)
            return 130
        if self.done < self.total and self.total > 1:
            print(f"qnn: {count}", file=sys.stderr)
        if not self.done:
            return 2
        return 1 if self.errors else 0


def _told(error: MemoryError | QnnError) -> QnnError:
    return error if isinstance(error, QnnError) else QnnError("there is not enough memory")
