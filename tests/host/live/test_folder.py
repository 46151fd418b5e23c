# SPDX-License-Identifier: BSD-3-Clause
"""A folder that fills: whole pictures alone, each once, and again when it is another."""

import os
import threading

import pytest

from qnn.errors import SourceError
from qnn.live import folder
from qnn.live.folder import Folder


def put(path, data=b"picture", at_s=1) -> str:
    path.write_bytes(data)
    os.utime(path, (at_s, at_s))
    return str(path)


def test_oldest_first_each_once(tmp_path):
    b, a = put(tmp_path / "b.png", at_s=1), put(tmp_path / "a.jpg", at_s=2)
    frames = Folder(tmp_path)
    assert [frames.look() for _ in range(3)] == [[], [b, a], []]
    c = put(tmp_path / "C.JPEG")
    assert [frames.look() for _ in range(3)] == [[], [c], []]


def test_a_picture_that_is_being_written_is_waited_for(tmp_path):
    frames, path = Folder(tmp_path), tmp_path / "slow.png"
    put(path, b"")
    assert [frames.look(), frames.look()] == [[], []]  # nothing is in it yet
    for size in (10, 20, 30):
        put(path, b"x" * size)
        assert frames.look() == []
    assert frames.look() == [str(path)]


@pytest.mark.parametrize(("data", "at_s"), [(b"picture", 5), (b"other", 1)])
def test_a_picture_that_is_replaced_comes_again(tmp_path, data, at_s):
    frames, path = Folder(tmp_path), tmp_path / "newest.png"
    put(path)
    assert [frames.look(), frames.look()] == [[], [str(path)]]
    put(path, data, at_s)
    assert [frames.look() for _ in range(3)] == [[], [str(path)], []]
    path.unlink()
    assert frames.look() == []
    put(path, data, at_s)
    assert [frames.look() for _ in range(3)] == [[], [str(path)], []]


def test_what_is_no_picture(tmp_path):
    for name in (".hidden.png", "notes.txt", "half.png.part", "png"):
        put(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dangling.png").symlink_to("none")
    frames = Folder(tmp_path)
    assert [frames.look(), frames.look()] == [[], []]
    (tmp_path / "link.png").symlink_to("notes.txt")
    assert [frames.look(), frames.look()] == [[], [str(tmp_path / "link.png")]]


def test_a_folder_that_goes_and_comes_gives_no_picture_twice(tmp_path):
    path = tmp_path / "card"
    path.mkdir()
    frames, one = Folder(path), put(path / "one.png")
    assert [frames.look(), frames.look()] == [[], [one]]
    path.rename(tmp_path / "away")
    with pytest.raises(SourceError, match=f"{path} cannot be read: No such file or directory"):
        frames.look()
    (tmp_path / "away").rename(path)
    two = put(path / "two.png")
    assert [frames.look(), frames.look()] == [[], [two]]


def test_frames_come_until_the_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "LOOK_S", 0)
    stop, one = threading.Event(), put(tmp_path / "one.png")
    frames = Folder(str(tmp_path)).frames(stop)
    assert next(frames) is None  # it is there, and the picture may not be whole yet
    first = next(frames)
    assert (first.name, first.source) == (one, one)
    stop.set()
    assert list(frames) == []
