# SPDX-License-Identifier: BSD-3-Clause
"""What a few characters name, and what names nothing."""

import sys

import pytest

from qnn.errors import SourceError
from qnn.live import source, video
from qnn.live.folder import Folder


@pytest.fixture
def library(monkeypatch):
    """PyAV may be missing: nothing is opened here."""
    monkeypatch.setitem(sys.modules, "av", object())


def test_a_folder_needs_no_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert isinstance(source.find(str(tmp_path)), Folder)
    assert source.find(str(tmp_path)).name == str(tmp_path)


def test_a_file(tmp_path, library):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"video")
    found = source.find(str(path))
    assert (found.name, found.form, found.paced, found.endless) == (str(path), None, True, False)
    assert not source.find(str(path), every=True).paced


@pytest.mark.parametrize(("text", "device"), [("0", "/dev/video0"), ("/dev/video12",) * 2])
def test_a_camera(text, device, library, monkeypatch):
    monkeypatch.setattr(video.os.path, "exists", lambda path: path == device)
    found = source.find(text)
    assert (found.name, found.target, found.form) == (device, device, "v4l2")
    assert found.endless and not found.paced


def test_an_address_is_shown_without_its_password(library):
    found = source.find("rtsp://me:secret@camera.local:554/live")
    assert found.name == "rtsp://camera.local:554/live" and found.endless
    assert found.target == "rtsp://me:secret@camera.local:554/live"


@pytest.mark.parametrize("text", ["", "none.mp4", "none/none.png", "\0", "9999", "-1"])
def test_what_names_nothing(text, tmp_path, monkeypatch, library):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError):
        source.find(text)


def test_no_camera(library):
    with pytest.raises(SourceError, match="there is no camera /dev/video987"):
        source.find("987")


@pytest.mark.parametrize("text", ["clip.mp4", "http://127.0.0.1:1/stream"])
def test_without_the_library(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "clip.mp4").write_bytes(b"video")
    with pytest.raises(SourceError, match=r"pip install 'qnn\[live\]'"):
        source.find(text)
