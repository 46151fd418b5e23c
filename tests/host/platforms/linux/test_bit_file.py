# SPDX-License-Identifier: BSD-3-Clause
"""What the FPGA manager is given of a .bit file."""

import pytest
from overlay_files import CONFIGURATION, bit_file

from qnn.errors import PlatformError
from qnn.platforms.linux.bit_file import image


@pytest.fixture
def written(tmp_path):
    def write(data: bytes):
        path = tmp_path / "qnn.bit"
        path.write_bytes(data)
        return path

    return write


def test_header_is_gone_and_bytes_of_words_are_swapped(written):
    found = image(written(bit_file(CONFIGURATION)))
    assert found.hex(" ", 4) == "ffffffff bb000000 44002211 ffffffff 665599aa 00000020"


def test_what_lies_behind_the_configuration_is_left_out(written):
    assert len(image(written(bit_file(CONFIGURATION) + b"more"))) == len(CONFIGURATION)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no header"),
        (CONFIGURATION, "no header"),  # a .bin
        (bit_file(CONFIGURATION)[:-1], "cut short: 23 of 24"),
        (bit_file(CONFIGURATION)[:40], "no header"),
        (bit_file(CONFIGURATION[:-1]), "23 bytes, no whole words"),
        (bit_file(b"\xff" * 24), "no sync word"),
        (bit_file(b"\xff\xff" + CONFIGURATION[:-2]), "no sync word"),  # not at a word
    ],
)
def test_what_is_none(written, data, words):
    with pytest.raises(PlatformError, match=words) as error:
        image(written(data))
    assert "qnn.bit" in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(PlatformError, match=r"cannot read .*none\.bit: No such file"):
        image(tmp_path / "none.bit")
