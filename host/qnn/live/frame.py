# SPDX-License-Identifier: BSD-3-Clause
"""One picture of a stream, and what gives them."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from qnn.pictures.picture import Source


@dataclass(frozen=True)
class Frame:
    """A picture that came.

    Attributes:
        name: where it came from: the file, or what the source is called.
        source: the picture itself.
        number: of all that came, from 1 on; 0 before it is counted.
        at_s: when it was there, by time.monotonic.
    """

    name: str
    source: Source
    number: int = 0
    at_s: float = 0.0


class FrameSource(Protocol):
    """Something that frames come from."""

    @property
    def name(self) -> str:
        """For people."""

    def frames(self, stop: threading.Event) -> Generator[Frame | None, None, None]:
        """Opens it; frame after frame as they come, to its end, if it has one, or until `stop` is
        set; None: it is there, and has no new frame. What is open is closed with the generator.

        Raises:
            SourceError: it cannot be opened, or went away.
        """
