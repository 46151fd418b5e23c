# SPDX-License-Identifier: BSD-3-Clause
"""What is packed comes out as it went in."""

import os

import numpy as np

from qnn.cluster.job import Item, Unreadable, pack
from qnn.pictures.pipe import Piped


def test_a_file_goes_as_it_is(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"whatever")
    item = pack("name", str(path), 3)
    assert item == Item("name", b"whatever", None, 3)
    assert item.source() == Piped("name", b"whatever")
    assert pack("name", Piped("other", b"x")) == Item("name", b"x", None, -1)


def test_pixels_go_as_they_are():
    for pixels in (np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.eye(4, dtype=np.uint8)[::2]):
        item = pack("0", pixels, 1)
        assert (item.name, item.label, len(item.data)) == ("0", 1, pixels.size)
        assert np.array_equal(item.source(), pixels)


def test_what_cannot_be_read_says_so_in_the_words_of_one_machine(tmp_path):
    path = tmp_path / "none.png"
    assert pack("a", str(path)) == Unreadable("a", f"there is no file {path}: check the path")
    os.mkfifo(path)
    assert "is neither a file nor a pipe" in pack("a", str(path)).reason
