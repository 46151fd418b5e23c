# SPDX-License-Identifier: BSD-3-Clause
"""Results as pictures: a sheet of classified pictures, boxes around objects, a confusion matrix."""

from __future__ import annotations

import colorsys
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from qnn.errors import PictureError
from qnn.pictures.picture import Picture, Resampling, Transpose

Array = NDArray[Any]
Colour = tuple[int, int, int]
Entry = tuple[str, Array, Sequence[tuple[str, float]]]
SHEET_SIDE = 192

_PAPER: Colour = (250, 250, 248)
_INK: Colour = (32, 34, 38)
_FAINT: Colour = (120, 124, 130)
_RULE: Colour = (222, 223, 224)
_BLUE: Colour = (38, 104, 178)
_RED: Colour = (200, 62, 40)
_GAP = 14  # pixels between things


class _Text:
    """One size of the default font; before pillow 10.1 there is one size only, in Latin-1."""

    def __init__(self, size: int) -> None:
        self._font: Any
        try:
            self._font = ImageFont.load_default(size)
        except TypeError:
            self._font = ImageFont.load_default()
        self._scalable = isinstance(self._font, ImageFont.FreeTypeFont)
        if self._scalable:
            _, top, _, bottom = self._font.getbbox("H")
        else:
            _, top, _, bottom = self._font.getmask("H").getbbox()
        self._middle = (top + bottom) / 2
        self.height = max(round(1.6 * (bottom - top)), 13)  # of a line, with some air

    def width(self, text: str) -> int:
        text = self._clean(text)
        if self._scalable:
            return int(np.ceil(self._font.getlength(text)))
        return int(self._font.getmask(text).size[0]) if text else 0

    def shorten(self, text: str, width: int) -> str:
        """The text, or as much of it as fits into `width` pixels with an ellipsis behind it."""
        if self.width(text) <= width:
            return text
        ellipsis = "…" if self._scalable else "..."

        def needed(end: int) -> int:
            return self.width(text[:end].rstrip() + ellipsis)

        end = bisect_right(range(len(text)), width, key=needed) - 1
        return text[:end].rstrip() + ellipsis if end >= 0 else ""

    def put(
        self, draw: ImageDraw.ImageDraw, left: float, middle: float, text: str, colour: Colour
    ) -> None:
        """Write from `left`, with capitals centred on the height `middle`."""
        place = left, round(middle - self._middle)
        draw.text(place, self._clean(text), fill=colour, font=self._font)

    def _clean(self, text: str) -> str:
        text = " ".join(text.split())
        return text if self._scalable else text.encode("latin-1", "replace").decode("latin-1")


def label_sheet(
    entries: Sequence[Entry],
    columns: int = 4,
    side: int = SHEET_SIDE,
) -> Image.Image:
    """A contact sheet: each picture with its title above and its top classes as bars below.

    Args:
        entries: (title, pixels, classes): pixels as `Picture.open` takes them; classes are
            (name, probability in 0..1), best first, and may be none. Long texts are shortened.
        columns: pictures in a row, at most.
        side: of the square that each picture is fitted into, in pixels. Pictures at most half
            as large are enlarged by a whole factor, their pixels kept sharp.

    Raises:
        PictureError: there is no entry, or one of the pictures is refused.
    """
    if not entries:
        raise PictureError("there are no pictures to put on a sheet: pass at least one")
    columns = max(min(columns, len(entries)), 1)
    text, small = _Text(14), _Text(12)
    bar = small.height + 5
    most = max(len(classes) for _, _, classes in entries)
    cell = text.height + 4 + side + 6 + most * (bar + 3)
    rows = -(-len(entries) // columns)
    sheet = Image.new("RGB", (_GAP + columns * (side + _GAP), _GAP + rows * (cell + _GAP)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (title, pixels, classes) in enumerate(entries):
        left = _GAP + number % columns * (side + _GAP)
        top = _GAP + number // columns * (cell + _GAP)
        text.put(draw, left, top + text.height / 2, text.shorten(title, side), _INK)
        top += text.height + 4
        image = Image.fromarray(fitted(Picture.open(pixels).rgb(), side))
        draw.rectangle((left, top, left + side - 1, top + side - 1), fill=_RULE)
        sheet.paste(image, (left + (side - image.width) // 2, top + (side - image.height) // 2))
        top += side + 6
        for place, (name, probability) in enumerate(classes):
            _bar(draw, small, (left, top, side, bar), name, probability, best=place == 0)
            top += bar + 3
    return sheet


def fitted(pixels: Array, side: int) -> Array:
    """Pixels, uint8 (H, W, 3), made to fit a square: smaller, or larger by a whole factor."""
    image = Image.fromarray(pixels)
    longer = max(image.size)
    if longer > side:
        width, height = (max(round(length * side / longer), 1) for length in image.size)
        return np.asarray(image.resize((width, height), Resampling.LANCZOS))
    times = side // longer
    size = (image.width * times, image.height * times)
    return np.asarray(image.resize(size, Resampling.NEAREST))


def _bar(
    draw: ImageDraw.ImageDraw,
    text: _Text,
    place: tuple[int, int, int, int],  # left, top, width, height
    name: str,
    probability: float,
    best: bool,
) -> None:
    left, top, width, height = place
    percent = f"{100 * probability:.1f} %"
    filled = round(width * min(max(probability, 0.0), 1.0))
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill=(238, 239, 240))
    if filled:
        colour = _mix(_PAPER, _BLUE, 0.45 if best else 0.2)
        draw.rectangle((left, top, left + filled - 1, top + height - 1), fill=colour)
    room = width - 16 - text.width(percent)
    middle = top + height / 2
    text.put(draw, left + 5, middle, text.shorten(name, room), _INK)
    text.put(draw, left + width - 5 - text.width(percent), middle, percent, _INK)


def class_colour(name: str) -> Colour:
    """The RGB colour that `boxes` gives to a class: always the same for the same name."""
    code = zlib.crc32(name.encode())
    red, green, blue = colorsys.hsv_to_rgb(code % 360 / 360, 0.9, 0.95 if code >> 16 & 1 else 0.7)
    return round(255 * red), round(255 * green), round(255 * blue)


def boxes(
    rgb: Array, objects: Iterable[tuple[str, float, tuple[float, float, float, float]]]
) -> Image.Image:
    """The picture with a coloured box and a label for every object, the surest on top.

    Args:
        rgb: the pixels, as `Picture.open` takes them.
        objects: (name, probability in 0..1, (left, top, right, bottom) in pixels). Boxes are
            clipped to the picture; one that lies wholly outside is left out.

    Raises:
        PictureError: the picture is refused, or a box ends left of or above where it begins.
    """
    image = Image.fromarray(Picture.open(rgb).rgb())
    draw = ImageDraw.Draw(image)
    line = max(2, round(max(image.size) / 250))
    text = _Text(min(max(round(max(image.size) / 45), 11), 40))
    labels = []
    for name, probability, (left, top, right, bottom) in sorted(objects, key=lambda one: one[1]):
        if right < left or bottom < top:
            raise PictureError(
                f"the box of {name} ends before it begins: {left, top, right, bottom}"
            )
        if right < 0 or bottom < 0 or left >= image.width or top >= image.height:
            continue
        x0, x1 = (min(max(round(x), 0), image.width - 1) for x in (left, right))
        y0, y1 = (min(max(round(y), 0), image.height - 1) for y in (top, bottom))
        draw.rectangle((x0, y0, x1, y1), outline=class_colour(name), width=line)
        labels.append((f"{name} {100 * probability:.0f} %", class_colour(name), (x0, y0)))
    for label, colour, corner in labels:  # after all boxes, so that no line crosses one
        _label(image, draw, text, label, colour, corner)
    return image


def _label(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    text: _Text,
    label: str,
    colour: Colour,
    corner: tuple[int, int],
) -> None:
    """On top of the corner where the picture has room for it, else inside of the box."""
    label = text.shorten(label, image.width - 8)
    width, height = text.width(label) + 8, text.height + 2
    left = max(min(corner[0], image.width - width), 0)
    top = corner[1] - height + 1 if corner[1] >= height else corner[1]
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill=colour)
    text.put(draw, left + 4, top + height / 2, label, _readable_on(colour))


def confusion(matrix: Array, names: Sequence[str]) -> Image.Image:
    """A heat map of a confusion matrix, with the share of right answers for each class and for all.

    Each cell is shaded by the square root of its share in its row, so that rare errors show: blue
    where the answer is right, red where it is not. Up to 25 classes have their counts written out;
    the names fall away where there are too many classes for them to be read.

    Args:
        matrix: counts, any integer dtype, (N, N): row = true class, column = predicted class.
        names: the N class names.

    Raises:
        PictureError: the matrix is not one of counts, or the number of names is another.
    """
    matrix = np.asarray(matrix)
    classes = len(names)
    if matrix.shape != (classes, classes) or not classes or matrix.dtype.kind not in "iu":
        found = f"{matrix.dtype} {matrix.shape} and {classes} names"
        raise PictureError(f"want an integer (N, N) matrix and N names, not {found}")
    if matrix.min() < 0:
        raise PictureError("a confusion matrix holds counts: this one has negative numbers")
    matrix = matrix.astype(np.int64)
    text, small = _Text(14), _Text(12)
    if counted := classes <= 25:
        cell = max(30, small.width(str(matrix.max())) + 10)
    else:
        cell = min(max(1000 // classes, 2), small.height)
    named = cell >= small.height
    total, right = int(matrix.sum()), int(matrix.trace())
    title = f"right: {right} of {total} ({_share(right, total)})"
    legend = "rows: true class, columns: predicted class"
    shown = [small.shorten(name, 140) if named else "" for name in names]
    band = max(1, *map(small.width, shown))  # width of the row names, height of the column names
    left = 2 * _GAP + band if named else _GAP
    top = _GAP + 2 * text.height + (2 * _GAP + band if named else _GAP)
    side = classes * cell
    shares = small.width("100.0 %") + _GAP if named else 0
    wide = max(left + side + shares, _GAP + max(text.width(title), small.width(legend))) + _GAP
    image = Image.new("RGB", (wide, top + side + _GAP), _PAPER)
    draw = ImageDraw.Draw(image)
    text.put(draw, _GAP, _GAP + text.height / 2, title, _INK)
    small.put(draw, _GAP, _GAP + 1.5 * text.height, legend, _FAINT)

    heat = _heat(matrix)
    image.paste(Image.fromarray(heat.repeat(cell, 0).repeat(cell, 1)), (left, top))
    if named:
        for edge in range(0, side + 1, cell):
            draw.line((left, top + edge, left + side, top + edge), fill=_PAPER)
            draw.line((left + edge, top, left + edge, top + side), fill=_PAPER)
    for row, name in enumerate(shown if named else ()):
        start, middle = row * cell, row * cell + cell / 2
        small.put(draw, left - _GAP / 2 - small.width(name), top + middle, name, _INK)
        share = _share(int(matrix[row, row]), int(matrix[row].sum()))
        small.put(draw, left + side + _GAP, top + middle, share, _FAINT)
        upright = Image.new("RGB", (band, small.height), _PAPER)
        small.put(ImageDraw.Draw(upright), 0, small.height / 2, name, _INK)
        upright = upright.transpose(Transpose.ROTATE_90)
        at = left + start + (cell - small.height) // 2
        image.paste(upright, (at, top - _GAP // 2 - band))
    for row, column in np.argwhere(matrix > 0) if counted else ():
        number = str(matrix[row, column])
        middle = top + row * cell + cell / 2
        start = left + column * cell + (cell - small.width(number)) / 2
        red, green, blue = (int(part) for part in heat[row, column])
        small.put(draw, start, middle, number, _readable_on((red, green, blue)))
    return image


def _heat(matrix: Array) -> Array:
    """The colours of the cells, uint8 (N, N, 3)."""
    depth = np.sqrt(matrix / np.maximum(matrix.sum(1, keepdims=True), 1))[..., None]
    colour = np.where(np.eye(len(matrix), dtype=bool)[..., None], _BLUE, _RED)
    white = np.full(3, 238.0)
    return np.round(white + depth * (colour - white)).astype(np.uint8)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _readable_on(colour: Colour) -> Colour:
    red, green, blue = colour
    return _INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
