# SPDX-License-Identifier: BSD-3-Clause
"""The drawings: their sizes, their colours at known places, and no text where none belongs."""

import numpy as np
import pytest
from PIL import Image

from qnn.errors import PictureError
from qnn.pictures.draw import boxes, class_colour, confusion, label_sheet

GREY = np.full((200, 300, 3), 128, np.uint8)
LONG = "a name that is much longer than any picture is wide, and then some more of it"


def pixels(image):
    assert image.mode == "RGB"
    return np.array(image)


def cat(probability=0.5, name="Cat", side=32):
    return ("cat.png", np.zeros((side, side, 3), np.uint8), [(name, probability)])


# Sheets


@pytest.mark.parametrize(("entries", "columns", "across", "down"), [(1, 4, 1, 1), (5, 4, 4, 2)])
def test_a_sheet_has_one_cell_for_each_picture(entries, columns, across, down):
    one = label_sheet([cat()], side=100)
    sheet = label_sheet([cat()] * entries, columns=columns, side=100)
    assert sheet.width == 14 + across * (100 + 14)
    assert sheet.height - 14 == down * (one.height - 14)


def test_the_same_entries_give_the_same_sheet():
    entries = [cat(0.7), cat(0.2, LONG)]
    assert np.array_equal(pixels(label_sheet(entries)), pixels(label_sheet(entries)))


@pytest.mark.parametrize("side", [28, 32])
def test_small_pictures_are_enlarged_by_a_whole_factor(side):
    picture = np.random.default_rng(side).integers(1, 256, (side, side, 3), dtype=np.uint8)
    sheet = pixels(label_sheet([("", picture, [])], side=192))
    times = 192 // side
    left = 14 + (192 - side * times) // 2
    top = sheet.shape[0] - 14 - 6 - 192 + (192 - side * times) // 2
    shown = sheet[top : top + side * times, left : left + side * times]
    assert np.array_equal(shown, picture.repeat(times, 0).repeat(times, 1))


@pytest.mark.parametrize("shape", [(100, 400, 3), (400, 100, 3), (120, 120), (1, 1000), (192, 192)])
def test_pictures_of_any_shape_stay_inside_their_cell(shape):
    red = np.zeros((*shape[:2], 3), np.uint8) + np.uint8([255, 0, 0])
    sheet = pixels(label_sheet([("", red if len(shape) == 3 else red[..., 1], [])], side=192))
    colour = [255, 0, 0] if len(shape) == 3 else [0, 0, 0]
    rows, columns = np.nonzero((sheet == colour).all(-1))
    share = min(192 / max(shape[:2]), max(192 // max(shape[:2]), 1))
    assert np.ptp(rows) + 1 == max(round(shape[0] * share), 1)
    assert np.ptp(columns) + 1 == max(round(shape[1] * share), 1)


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
def test_bars_are_as_long_as_the_probability(probability):
    sheet = pixels(label_sheet([cat(probability, "")], side=200))
    bar = sheet[-14 - 4, 14:214]  # its lowest row, under the text
    assert (bar == bar[-1]).all(-1).sum() == (
        200 if probability == 1 else round(200 * (1 - probability))
    )
    assert (sheet[-14 - 3 :] == sheet[0, 0]).all()


@pytest.mark.parametrize(
    "text",
    [LONG, LONG.replace(" ", ""), "汉字 ñ …\n\t" * 30],
    ids=["words", "one word", "letters the font lacks"],
)
def test_long_texts_stay_inside_their_cell(text):
    picture = np.zeros((32, 32, 3), np.uint8)
    sheet = pixels(label_sheet([(text, picture, [(text, 0.9), (text, 0.1)])] * 2, columns=2))
    for left in (0, 14 + 192, 2 * (14 + 192)):
        assert (sheet[:, left : left + 14] == sheet[0, 0]).all()
    short = pixels(label_sheet([("", picture, [("", 0.9), ("", 0.1)])] * 2, columns=2))
    assert not np.array_equal(sheet, short) and sheet.shape == short.shape


def test_an_empty_sheet_is_refused():
    with pytest.raises(PictureError, match="no pictures"):
        label_sheet([])


# Boxes


def test_a_box_is_drawn_in_the_colour_of_its_class_and_nowhere_else():
    got = pixels(boxes(GREY, [("dog", 0.9, (50, 80, 250, 150))]))
    for row, column in [(80, 200), (150, 60), (100, 50), (100, 250), (150, 250)]:
        assert tuple(got[row, column]) == class_colour("dog")
    assert (got[83:147, 53:247] == 128).all()
    assert (got[151:] == 128).all() and (got[:, :50] == 128).all() and (got[:, 251:] == 128).all()
    assert (got[:50] == 128).all() and (got[60:80, 50:60] != 128).any()  # the label on top


def test_the_picture_itself_is_left_alone():
    picture = GREY.copy()
    boxes(picture, [("dog", 0.9, (50, 80, 250, 150))])
    assert np.array_equal(picture, GREY)
    assert np.array_equal(pixels(boxes(picture, [])), GREY)


def test_boxes_are_clipped():
    got = pixels(boxes(GREY, [("dog", 0.9, (-50.5, 80.2, 1e6, 1e6))]))
    colour = class_colour("dog")
    assert all(tuple(got[row, col]) == colour for row, col in [(150, 0), (150, 299), (199, 9)])
    assert (got[90:190, 10:290] == 128).all()


@pytest.mark.parametrize("at", [(-9, 5, -1, 9), (5, -9, 9, -1), (300, 5, 310, 9), (5, 200, 9, 300)])
def test_boxes_wholly_outside_are_left_out(at):
    assert np.array_equal(pixels(boxes(GREY, [("dog", 0.9, at)])), GREY)


def test_boxes_at_the_very_edge_and_of_no_size():
    ends = [(299.7, 199.7, 300, 200), (299, 199, 299, 199), (0, 0, 0, 0), (-1, -1, 0, 0)]
    for at in ends:
        assert boxes(GREY, [("dog", 0.9, at)]).size == (300, 200)


def test_the_surest_box_is_on_top_in_any_order():
    objects = [("dog", 0.9, (50, 80, 250, 150)), ("cat", 0.3, (50, 80, 250, 150))]
    got = pixels(boxes(GREY, objects))
    assert tuple(got[150, 100]) == class_colour("dog")
    assert np.array_equal(got, pixels(boxes(GREY, objects[::-1])))


@pytest.mark.parametrize("shape", [(1, 1), (20, 20), (8, 400), (400, 8), (3000, 40)])
def test_labels_stay_legible_or_away_on_pictures_of_any_size(shape):
    picture = np.full((*shape, 3), 128, np.uint8)
    assert boxes(picture, [(LONG, 0.9, (0, 0, *shape))]).size == shape[::-1]


def test_a_label_is_inside_where_there_is_no_room_above():
    got = pixels(boxes(GREY, [("dog", 0.9, (290, 0, 299, 199))]))
    assert (got[:10, 240:290] == class_colour("dog")).all(-1).any()


def test_class_colours_are_fixed_by_the_name():
    assert class_colour("dog") == (18, 112, 178)
    names = "person bicycle car bus cat dog horse sheep boat train sofa chair bottle bird".split()
    assert len({class_colour(name) for name in names}) == len(names)


def test_an_inverted_box_is_refused():
    with pytest.raises(PictureError, match="box of dog ends before it begins"):
        boxes(GREY, [("dog", 0.9, (50, 80, 40, 150))])


# Confusion matrices


def test_the_heat_map_shows_every_cell():
    classes = 300
    rng = np.random.default_rng(1)
    matrix = rng.integers(0, 3, (classes, classes)) * (rng.random((classes, classes)) < 0.05)
    matrix[5] = 0
    got = pixels(confusion(matrix, [str(n) for n in range(classes)]))
    grid = got[-14 - 900 : -14, 14 : 14 + 900]  # 3 x 3 pixels a cell, without names
    cells = grid[::3, ::3]
    assert np.array_equal(grid, cells.repeat(3, 0).repeat(3, 1))
    assert np.array_equal((cells == 238).all(-1), matrix == 0)
    for row, column in np.argwhere(matrix > 0):
        red, _, blue = (int(part) for part in cells[row, column])
        assert (blue > red) == (row == column)
        share = (238 - cells[row, column, 1]) / (238 - (104 if row == column else 62))
        assert abs(share**2 - matrix[row, column] / matrix[row].sum()) < 0.01


@pytest.mark.parametrize(("classes", "written"), [(10, True), (25, True), (26, False)])
def test_counts_are_written_for_up_to_25_classes(classes, written):
    got = pixels(confusion(np.full((classes, classes), 7), ["x"] * classes))
    error = got[-14 - 5, 14 + got.shape[1] // 3]  # in the last row of cells, below its counts
    assert error[0] > error[2]
    columns = np.nonzero((got == error).all(-1).any(0))[0]
    cells = got[-14 - 13 : -14, columns.min() : columns.max()]
    assert (cells.max(-1) < 120).any() == written


@pytest.mark.parametrize("classes", [1, 2, 10, 25, 26, 47, 1000])
def test_confusion_of_any_size(classes):
    matrix = np.eye(classes, dtype=np.uint8) * 200
    image = confusion(matrix, [f"{LONG} {n}" for n in range(classes)])
    assert max(image.size) < 2100
    got = pixels(image)
    assert np.array_equal(got, pixels(confusion(matrix, [f"{LONG} {n}" for n in range(classes)])))
    edge = got[0, 0]
    for margin in (got[:10], got[-13:], got[:, :10], got[:, -13:]):
        assert (margin == edge).all()


def test_large_counts_fit_into_their_cells():
    small, large = (confusion(np.full((3, 3), n), list("abc")) for n in (1, 123_456_789))
    assert large.height > small.height


def test_empty_names_and_empty_classes():
    assert isinstance(confusion(np.zeros((2, 2), int), ["", ""]), Image.Image)


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        (np.zeros((2, 3), int), "ab"),
        (np.zeros((2, 2), int), "abc"),
        (np.zeros((2, 2)), "ab"),
        (np.zeros((0, 0), int), ""),
        (np.full((2, 2), -1), "ab"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(matrix, names):
    with pytest.raises(PictureError, match=r"want an integer \(N, N\) matrix|negative"):
        confusion(matrix, list(names))
