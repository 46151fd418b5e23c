# SPDX-License-Identifier: BSD-3-Clause
"""Labelled pictures in folders and tables: what is found, in which order, as which class."""

import pytest

from qnn.errors import FormatError
from qnn.pictures.folder import Labelled, is_folder, read

CLASSES = ("T-shirt", "Ankle boot", "tench, Tinca tinca", "crane", "crane, machine", "7")


def made(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def relative(found, folder):
    return [(one.path.removeprefix(f"{folder}/"), one.label) for one in found]


def test_one_folder_a_class(tmp_path):
    made(tmp_path, "t_shirt/b.png", "t_shirt/a.jpg", "t_shirt/deep/c", "Ankle boot/1.png")
    made(tmp_path, "t_shirt/.hidden", ".git/x.png", "README", "tinca tinca/z.png", "4/a.png")
    assert is_folder(tmp_path)
    assert relative(read(tmp_path, CLASSES), tmp_path) == [
        ("4/a.png", 4), ("Ankle boot/1.png", 1),
        ("t_shirt/a.jpg", 0), ("t_shirt/b.png", 0), ("t_shirt/deep/c", 0),
        ("tinca tinca/z.png", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("T-shirt", 0), ("t shirt", 0), ("ANKLE_BOOT", 1), ("Tench", 2), ("tench, tinca_tinca", 2),
        ("crane", 3),  # a whole name goes before a part
        ("machine", 4), ("0", 0), ("05", 5),
        ("7", 5),  # and any name before a number
    ],
)  # fmt: skip
def test_names_of_classes(tmp_path, name, label):
    made(tmp_path, f"{name}/a.png")
    assert [one.label for one in read(tmp_path, CLASSES)] == [label]


@pytest.mark.parametrize("name", ["boot", "6", "-1", "", "²"])
def test_names_of_no_class(tmp_path, name):
    (tmp_path / "a.csv").write_text(f"x.png,0\na.png,{name}\n")
    with pytest.raises(FormatError, match=r"a\.csv: line 2: .* no class .* T-shirt, Ankle boot"):
        read(tmp_path, CLASSES)


def test_a_name_of_two_classes(tmp_path):
    made(tmp_path, "maillot/a.png")
    with pytest.raises(FormatError, match=r"folder [^ ]*: 'maillot' names classes 0 and 2"):
        read(tmp_path, ("maillot", "bag", "maillot"))


@pytest.mark.parametrize("heading", ["", "image,label\n"])
@pytest.mark.parametrize("named", [True, False])
def test_a_table(tmp_path, heading, named):
    made(tmp_path, "crane/not-in-the-table.png")
    rows = 'sub/a.png,t-shirt\n\n"b, c.png","crane, machine",0.5\n../d.png,3\n'
    table = tmp_path / "labels.CSV"
    table.write_text("\ufeff" + heading + rows, encoding="utf-8")
    source = table if named else tmp_path
    assert is_folder(source)
    assert read(source, CLASSES) == [
        Labelled(f"{tmp_path}/sub/a.png", 0),
        Labelled(f"{tmp_path}/b, c.png", 4),
        Labelled(f"{tmp_path}/../d.png", 3),
    ]


def test_a_first_line_of_a_picture_is_no_heading(tmp_path):
    made(tmp_path, "a.png")
    (tmp_path / "labels.csv").write_text("a.png,nothing\n")
    with pytest.raises(FormatError, match="line 1: 'nothing' is no class"):
        read(tmp_path, CLASSES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a.png\n", "line 1: want a picture and its class"),
        (b",crane\n", "line 1: want a picture"),
        (b"image,label\n", "names no picture"),
        (b"", "names no picture"),
        (b"\xff\xfe,1\n", "no CSV file in UTF-8"),
        (b'"a.png,1\n', "no CSV file"),
    ],
)
def test_bad_tables(tmp_path, data, message):
    (tmp_path / "labels.csv").write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read(tmp_path, CLASSES)


def test_bad_directories(tmp_path):
    with pytest.raises(FormatError, match="no folder of a class"):
        read(tmp_path, CLASSES)
    (tmp_path / "crane").mkdir()
    with pytest.raises(FormatError, match="hold no picture"):
        read(tmp_path, CLASSES)
    made(tmp_path, "a.csv", "b.csv")
    with pytest.raises(FormatError, match="several CSV files"):
        read(tmp_path, CLASSES)


def test_what_is_of_another_form(tmp_path):
    made(tmp_path, "t10k-images-idx3-ubyte.gz", "a.npz", "a.bin")
    assert not any(is_folder(path) for path in (tmp_path, *tmp_path.iterdir()))
    assert not any(is_folder(name) for name in ("-", f"{tmp_path}/none.csv", "\0"))


def test_links_that_lead_round_are_not_followed(tmp_path):
    made(tmp_path, "crane/a.png")
    (tmp_path / "crane/round").symlink_to(tmp_path / "crane")
    assert relative(read(tmp_path, CLASSES), tmp_path) == [("crane/a.png", 3)]
