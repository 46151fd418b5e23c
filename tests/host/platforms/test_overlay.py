# SPDX-License-Identifier: BSD-3-Clause
"""What is read of a bitstream before a device is touched."""

import re

import pytest
from overlay_files import CLOCK_MHZ, ENGINE_BASE, INTC_BASE, write_overlay

from qnn import overlays
from qnn.engine import regs
from qnn.errors import PlatformError, WrongDeviceError
from qnn.platforms.overlay import BITSTREAM, VLNV, Design, read_design

MAJOR, MINOR = regs.VERSION_MAJOR, regs.VERSION_MINOR


def edited(bitstream, pattern: str, replacement: str):
    """The bitstream with another description."""
    path = bitstream.with_suffix(".hwh")
    text, count = re.subn(pattern, replacement, path.read_text())
    assert count
    path.write_text(text)
    return bitstream


def test_a_design(tmp_path):
    with_controller = Design("qnn_engine_0", ENGINE_BASE, CLOCK_MHZ, INTC_BASE)
    assert read_design(write_overlay(tmp_path)) == with_controller
    bitstream = write_overlay(tmp_path, interrupt=False)
    assert read_design(bitstream) == Design("qnn_engine_0", ENGINE_BASE, CLOCK_MHZ)


def test_an_engine_inside_a_hierarchy(tmp_path):
    bitstream = edited(write_overlay(tmp_path), 'FULLNAME="/qnn', 'FULLNAME="/inner/qnn')
    assert read_design(bitstream).instance == "inner/qnn_engine_0"


def test_the_bitstream_of_the_package_lies_where_pynq_looks():
    assert list(overlays.__path__) == [str(BITSTREAM.parents[1])]
    assert BITSTREAM.parent.name == BITSTREAM.stem


@pytest.mark.parametrize("missing", [".bit", ".hwh"])
def test_a_missing_file(tmp_path, missing):
    bitstream = write_overlay(tmp_path)
    bitstream.with_suffix(missing).unlink()
    with pytest.raises(PlatformError, match=rf"qnn\{missing}: .*make bitstream.*make deploy"):
        read_design(bitstream)


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff" * 50, b"<EDKSYSTEM>", b'<?xml version="1.0" encoding="x"?><a/>']
)
def test_a_description_that_is_none(tmp_path, content):
    bitstream = write_overlay(tmp_path)
    bitstream.with_suffix(".hwh").write_bytes(content)
    with pytest.raises(PlatformError, match=r"qnn\.hwh cannot be read") as error:
        read_design(bitstream)
    assert "\n" not in str(error.value)


def test_a_folder_in_the_place_of_a_file(tmp_path):
    bitstream = write_overlay(tmp_path)
    bitstream.unlink()
    bitstream.mkdir()
    with pytest.raises(PlatformError, match="there is no bitstream"):
        read_design(bitstream)


@pytest.mark.parametrize("vlnv", ["xilinx.com:ip:axi_dma:7.1", "qnn:qnn:other:1.0"])
def test_another_ip(tmp_path, vlnv):
    with pytest.raises(WrongDeviceError, match="describes no qnn_engine"):
        read_design(write_overlay(tmp_path, vlnv=vlnv))


def test_two_engines(tmp_path):
    bitstream = edited(write_overlay(tmp_path), r"xilinx\.com:ip:axi_intc:4\.1", VLNV)
    with pytest.raises(WrongDeviceError, match="describes 2 qnn_engine"):
        read_design(bitstream)


@pytest.mark.parametrize("version", [f"{MAJOR + 1}.{MINOR}", f"{MAJOR - 1}.9", f"{MAJOR}.x", "7"])
def test_another_version(tmp_path, version):
    with pytest.raises(WrongDeviceError, match=rf"version {version} .* drives {MAJOR}\.{MINOR}:"):
        read_design(write_overlay(tmp_path, vlnv=f"qnn:qnn:qnn_engine:{version}"))


def test_a_later_minor_version_only_adds(tmp_path):
    read_design(write_overlay(tmp_path, vlnv=f"qnn:qnn:qnn_engine:{MAJOR}.{MINOR + 1}"))


def test_too_few_addresses(tmp_path):
    read_design(write_overlay(tmp_path, engine_bytes=0x1000))
    with pytest.raises(WrongDeviceError, match="2048 bytes of addresses; its registers take 4096"):
        read_design(write_overlay(tmp_path, engine_bytes=0x800))


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ('INSTANCE="qnn_engine_0" IS_DATA', 'INSTANCE="elsewhere" IS_DATA'),
        ('BASEVALUE="0[xX]43C00000"', 'BASEVALUE="?"'),
    ],
)
def test_no_address(tmp_path, pattern, replacement):
    with pytest.raises(WrongDeviceError, match="no address"):
        read_design(edited(write_overlay(tmp_path), pattern, replacement))


@pytest.mark.parametrize("rate", ["", "fast", "0", "-1", "nan", "inf"])
def test_no_clock(tmp_path, rate):
    bitstream = edited(write_overlay(tmp_path), f'VALUE="{CLOCK_MHZ:.6f}"', f'VALUE="{rate}"')
    with pytest.raises(WrongDeviceError, match="names no clock"):
        read_design(bitstream)
