# SPDX-License-Identifier: BSD-3-Clause
"""What is there, what is missing, and the way out, of each thing that the accelerator needs."""

import pytest
from linux_machine import CLOCK, DEBUG_CLOCK, MANAGER, MEMORY, FakeMachine
from overlay_files import ENGINE_BASE

from qnn.platforms.linux.survey import missing, survey


def states(machine, bitstream) -> dict[str, str]:
    return {line.name: line.state for line in survey(machine, bitstream)}


def test_all_is_there(machine, bitstream):
    lines = survey(machine, bitstream)
    assert missing(lines) is None
    assert {line.name: line.state for line in lines} == {
        "root": "ok",
        "FPGA manager": "ok",
        "programming": "ok",
        "shared memory": "ok",
        "bitstream": "ok",
        "clock": "ok",
        "registers": "without",
    }
    assert machine.log == [] and machine.logic.log == []  # it only looks
    found = {line.name: line.found for line in lines}
    assert found["FPGA manager"] == "Xilinx Zynq FPGA Manager, unknown"
    assert "16.0 MiB; CMA 128 MiB" in found["shared memory"]
    assert all(bool(line.way_out) == (line.state != "ok") for line in lines)


@pytest.fixture
def machine(tmp_path):
    """With as much memory as a board has."""
    return FakeMachine(tmp_path / "root", memory_bytes=1 << 24)


def not_root(machine):
    machine.root_user = False


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (not_root, "root", "use sudo"),
        (lambda m: (m.root / MANAGER).rename(m.root / "a"), "FPGA manager", "CONFIG_FPGA_MGR"),
        (lambda m: m.take(f"{MANAGER}/firmware"), "programming", "mount -t configfs"),
        (lambda m: (m.root / MEMORY).rename(m.root / "a"), "shared memory", "modprobe u-dma-buf"),
        (lambda m: m.put(f"{MEMORY}/size", "1048576"), "shared memory", "cma=64M"),
        (lambda m: m.put(f"{MEMORY}/size", "many"), "shared memory", "dmesg"),
        (lambda m: m.take(CLOCK), "clock", "mount debugfs"),
        (lambda m: m.take("dev/mem"), "registers", "modprobe uio_pdrv_genirq"),
    ],
)
def test_what_is_missing(machine, bitstream, change, name, words):
    change(machine)
    lines = survey(machine, bitstream)
    wrong = next(line for line in lines if line.state == "missing")
    assert wrong.name == name and words in wrong.way_out
    assert missing(lines) == f"{name}: {wrong.found}; {wrong.way_out}"


def test_no_bitstream(machine, bitstream):
    bitstream.unlink()
    (line,) = [one for one in survey(machine, bitstream) if one.name == "bitstream"]
    assert line.found == f"there is no bitstream {bitstream}"
    assert line.way_out.startswith("build it with `make bitstream`")


def test_a_bitstream_whose_description_lacks_its_clock(machine, bitstream):
    description = bitstream.with_suffix(".hwh")
    text = description.read_text()
    description.write_text(text.replace("PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ", "OTHER"))
    (line,) = [one for one in survey(machine, bitstream) if one.name == "bitstream"]
    assert "names no clock" in line.found and "make bitstream" in line.way_out


def test_a_clock_that_is_only_read(machine, bitstream):
    machine.take(CLOCK)
    machine.put(DEBUG_CLOCK, "100000000")
    assert states(machine, bitstream)["clock"] == "ok"
    machine.put(DEBUG_CLOCK, "200000000")
    assert "200 MHz, too fast" in missing(survey(machine, bitstream))


def test_registers_through_uio(machine, bitstream):
    machine.add_uio(ENGINE_BASE)
    assert states(machine, bitstream)["registers"] == "ok"


def test_registers_through_the_overlay_to_come(tmp_path, bitstream):
    machine = FakeMachine(tmp_path / "root", overlays=True)
    assert states(machine, bitstream)["registers"] == "without"
    machine.make("sys/bus/platform/drivers/uio_pdrv_genirq")
    assert states(machine, bitstream)["registers"] == "ok"
