# SPDX-License-Identifier: BSD-3-Clause
"""The newest shot: drawn once, only if somebody looks, no larger than a page."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from qnn.live import shown
from qnn.live.frame import Frame
from qnn.live.shown import Shown, annotated
from qnn.live.watch import Seen
from qnn.model import Class, Classification, Detections, Object
from qnn.pictures.draw import class_colour
from qnn.pictures.pipe import Piped


def boxed(size=(100, 80), box=(10, 20, 60, 70), source=None) -> Seen:
    source = np.zeros((size[1], size[0], 3), np.uint8) if source is None else source
    result = Detections("a", [Object("red", 0.9, box)], {})
    return Seen(Frame("a", source, 1), result, 0, 1.0)


def jpeg_file(size) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "JPEG")
    return file.getvalue()


def test_boxes_are_where_they_are():
    image = annotated(boxed())
    assert image.size == (100, 80)
    assert image.getpixel((10, 60)) == image.getpixel((60, 60)) == class_colour("red")
    assert image.getpixel((5, 60)) == (0, 0, 0)


@pytest.mark.parametrize("as_jpeg", [True, False])
@pytest.mark.parametrize(
    ("size", "shown_as"), [((2560, 1280), (1280, 640)), ((1000, 5120), (250, 1280))]
)
def test_large_pictures_are_shown_smaller_and_their_boxes_too(size, shown_as, as_jpeg):
    width, height = size
    box = (width // 2, height // 2, width - 8, height - 8)
    source = Piped("a.jpg", jpeg_file(size)) if as_jpeg else None
    image = annotated(boxed(size, box, source))
    assert image.size == shown_as
    found = np.argwhere((np.asarray(image) == class_colour("red")).all(axis=2))
    left, right = found[:, 1].min(), found[:, 1].max()
    assert abs(left - shown_as[0] // 2) <= 2 and abs(right - shown_as[0]) <= 4


def test_a_line_of_pixels():
    assert annotated(boxed((8000, 1), (0, 0, 9, 0), Piped("a.jpg", jpeg_file((8000, 1))))).size == (
        shown.SIDE,
        1,
    )


def test_classes_stand_below():
    result = Classification("a", [Class(0, "Bag", 0.9), Class(1, "Coat", 0.1)], {})
    image = annotated(Seen(Frame("a", np.zeros((28, 28), np.uint8)), result, 0, 1.0))
    assert image.width > shown.SHEET and image.height > image.width + 20


def test_drawn_once_and_only_if_somebody_looks(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        shown, "annotated", lambda seen: drawn.append(seen) or Image.new("L", (9, 9))
    )
    board, seen = Shown(), boxed()
    assert board.newest() is None
    for number in range(5):
        board.show(seen, {"frame": number})
    shot = board.newest()
    assert (shot.number, shot.status, drawn) == (5, {"frame": 4}, [])
    assert shot.jpeg() is shot.jpeg() and len(drawn) == 1
    assert Image.open(io.BytesIO(shot.jpeg())).size == (9, 9)


def test_a_file_that_has_gone_is_grey(tmp_path):
    board = Shown()
    board.show(boxed(source=str(tmp_path / "gone.png")), {})
    assert Image.open(io.BytesIO(board.newest().jpeg())).format == "JPEG"


def test_who_waits_gets_the_newest():
    board, found = Shown(), []
    assert board.after(0, 0) is None
    thread = threading.Thread(target=lambda: found.append(board.after(0, 60)))
    thread.start()
    board.show(boxed(), {})
    thread.join(60)
    assert found[0].number == 1
    assert board.after(0, 60).number == 1 and board.after(1, 0) is None


def test_the_end_wakes_who_waits():
    board, found = Shown(), []
    thread = threading.Thread(target=lambda: found.append(board.after(0, 60)))
    thread.start()
    board.close()
    thread.join(60)
    assert found == [None] and board.closed
    board.show(boxed(), {})
    assert board.after(0, 60) is None
