# SPDX-License-Identifier: BSD-3-Clause
"""What the page shows: the newest frame with its boxes or classes, drawn only if somebody looks."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qnn.errors import QnnError
from qnn.live.watch import Seen
from qnn.model import Classification
from qnn.pictures.picture import Picture, Resampling, Source

SIDE = 1280  # pixels, of the longer side at most
SHEET = 480  # pixels, of a picture with its classes under it
QUALITY = 80


class Shot:
    """A frame that was looked at, and its status."""

    def __init__(self, number: int, seen: Seen, status: dict[str, Any]) -> None:
        self.number, self.status, self._seen = number, status, seen
        self._drawing = threading.Lock()
        self._jpeg: bytes | None = None

    def jpeg(self) -> bytes:
        """The annotated frame as a JPEG file, made once for all who look."""
        with self._drawing:
            if self._jpeg is None:
                self._jpeg = jpeg(self._seen)
            return self._jpeg


class Shown:
    """The newest shot, for many who look at their own pace."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shot: Shot | None = None
        self._closed = False

    def show(self, seen: Seen, status: dict[str, Any]) -> None:
        """A frame was looked at; `status` is told beside it, as JSON."""
        with self._changed:
            number = 1 if self._shot is None else self._shot.number + 1
            self._shot = Shot(number, seen, status)
            self._changed.notify_all()

    def newest(self) -> Shot | None:
        """What is shown now."""
        with self._changed:
            return self._shot

    def after(self, number: int, wait_s: float) -> Shot | None:
        """The newest shot, once it has a higher number; None after `wait_s`, or at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._is_after(number), wait_s)
            return self._shot if self._is_after(number) and not self._closed else None

    def _is_after(self, number: int) -> bool:
        return self._shot is not None and self._shot.number > number

    @property
    def closed(self) -> bool:
        """Nothing more will be shown."""
        return self._closed

    def close(self) -> None:
        """Nothing more will be shown: who waits need not."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def jpeg(seen: Seen) -> bytes:
    """The annotated frame as a JPEG file; grey where it cannot be read any more."""
    try:
        image = annotated(seen)
    except QnnError:  # the file has gone, or is another by now
        image = Image.new("RGB", (320, 240), "grey")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def annotated(seen: Seen) -> Image.Image:
    """The frame with boxes around objects, or with its classes below; not larger than a page.

    Raises:
        PictureError: it cannot be read any more.
    """
    from qnn.pictures import draw

    result = seen.result
    if isinstance(result, Classification):
        pixels, _ = _small(seen.frame.source, SHEET)
        classes = [(one.name, one.probability) for one in result.classes]
        return draw.label_sheet([(Path(seen.frame.name).name, pixels, classes)], side=SHEET)
    pixels, share = _small(seen.frame.source, SIDE)
    objects = []
    for one in result.objects:
        left, top, right, bottom = (share * edge for edge in one.box)
        objects.append((one.name, one.probability, (left, top, right, bottom)))
    return draw.boxes(pixels, objects)


def _small(source: Source, side: int) -> tuple[NDArray[np.uint8], float]:
    """Pixels, uint8 (H, W, 3), of at most `side` in each direction, and their share of its own."""
    picture = Picture.open(source)
    longer = max(picture.size)
    scale = max(scale for scale in (1, 2, 4, 8) if scale == 1 or longer // scale >= side)
    image = picture.reduced(scale if scale <= min(picture.size) else 1)
    if max(image.size) > side:
        width, height = (max(round(length * side / longer), 1) for length in picture.size)
        image = image.resize((width, height), Resampling.BILINEAR)
    return np.asarray(image.convert("RGB")), image.width / picture.size[0]
