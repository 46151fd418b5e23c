# SPDX-License-Identifier: BSD-3-Clause
"""Every write that programs the FPGA, and every way in which it fails."""

import pytest
from linux_machine import MANAGER, OVERLAYS, UIO
from overlay_files import CONFIGURATION, bit_file

from qnn.errors import PlatformError
from qnn.platforms.linux import fpga_manager
from qnn.platforms.overlay import read_design


def program(machine, bitstream):
    fpga_manager.program(machine, bitstream, read_design(bitstream))


def test_by_the_attribute(machine, bitstream):
    program(machine, bitstream)
    assert machine.log == [(f"{MANAGER}/flags", b"0"), (f"{MANAGER}/firmware", b"qnn.bit.bin")]
    assert machine.read(f"{MANAGER}/state") == "operating"


def test_by_an_overlay(with_overlays, bitstream):
    program(with_overlays, bitstream)
    assert [(name, data[:4]) for name, data in with_overlays.log] == [
        (f"{OVERLAYS}/qnn", b"mkdi"),
        (f"{OVERLAYS}/qnn/dtbo", b"\xd0\x0d\xfe\xed"),
    ]
    assert with_overlays.exists(UIO)


def test_an_overlay_takes_the_place_of_the_one_before(with_overlays, bitstream):
    program(with_overlays, bitstream)
    with_overlays.log.clear()
    program(with_overlays, bitstream)
    assert [data[:4] for _, data in with_overlays.log] == [b"rmdi", b"mkdi", b"\xd0\x0d\xfe\xed"]


def test_of_dtbocfg(with_overlays, bitstream, monkeypatch):
    """Its status is a number, and 1 applies what was written."""
    machine = with_overlays

    def dtbo(folder, data):
        machine.put(f"{folder}/status", "0")

    def status(folder, data):
        machine._load("qnn.bit.bin")
        machine.put(f"{folder}/status", data.decode())

    monkeypatch.setattr(machine, "_dtbo", dtbo)
    monkeypatch.setattr(machine, "_status", status, raising=False)
    program(machine, bitstream)
    assert machine.log[-1] == (f"{OVERLAYS}/qnn/status", b"1")


def test_an_overlay_that_the_kernel_refuses_is_taken_away(with_overlays, bitstream, monkeypatch):
    monkeypatch.setattr(with_overlays, "_dtbo", lambda folder, data: None)
    with pytest.raises(PlatformError, match=r"did not apply the overlay \(unapplied\)"):
        program(with_overlays, bitstream)
    assert not with_overlays.exists(f"{OVERLAYS}/qnn")


def test_a_manager_that_fails(machine, bitstream):
    bitstream.write_bytes(bit_file(CONFIGURATION + CONFIGURATION))
    with pytest.raises(PlatformError, match=r"manager says 'write init error' of .*dmesg"):
        program(machine, bitstream)


def test_no_manager(machine, bitstream):
    (machine.root / MANAGER).rename(machine.root / "elsewhere")
    with pytest.raises(PlatformError, match=r"no FPGA manager .*CONFIG_FPGA_MGR_ZYNQ_FPGA"):
        program(machine, bitstream)


def test_a_mainline_kernel(machine, bitstream):
    machine.take(f"{MANAGER}/firmware")
    with pytest.raises(PlatformError, match=r"neither overlays .* mount configfs, or load dtbocfg"):
        program(machine, bitstream)
    assert machine.log == [] and not machine.exists("lib/firmware/qnn.bit.bin")


def test_a_bitstream_that_is_none_reaches_nothing(machine, bitstream):
    bitstream.write_bytes(b"\xff" * 100)
    with pytest.raises(PlatformError, match="no header"):
        program(machine, bitstream)
    assert machine.log == []
