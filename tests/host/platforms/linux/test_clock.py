# SPDX-License-Identifier: BSD-3-Clause
"""The clock of the programmable logic, set or only read."""

import pytest
from linux_machine import CLOCK, DEBUG_CLOCK

from qnn.errors import PlatformError
from qnn.platforms.linux import clock


@pytest.mark.parametrize(
    ("wanted", "built_for", "found"),
    [(100, 100, 100), (50, 100, 50), (154, 154, 1000 / 7), (124, 124, 1000 / 9)],
)
def test_set_and_read_back(machine, wanted, built_for, found):
    assert clock.adjust(machine, wanted, built_for) == pytest.approx(found, abs=1e-5)
    assert {name for name, _ in machine.log} == {CLOCK}
    assert machine.log[0] == (CLOCK, f"{wanted}000000".encode())


def test_of_fclkcfg(machine):
    machine.take(CLOCK)
    machine.put("sys/class/fclkcfg/fpga-clk0/rate", "10000000")
    assert clock.adjust(machine, 100, 100) == 100
    assert machine.log == [("sys/class/fclkcfg/fpga-clk0/rate", b"100000000")]


def test_only_read(machine):
    machine.take(CLOCK)
    machine.put(DEBUG_CLOCK, "90000000")
    assert clock.settable(machine) is None and clock.adjust(machine, 100, 100) == 90
    machine.put(DEBUG_CLOCK, "125000000")
    with pytest.raises(PlatformError, match="is 125 MHz and the bitstream was built for 100: load"):
        clock.adjust(machine, 100, 100)
    assert machine.log == []


def test_only_read_on_an_ultrascale(machine):
    machine.take(CLOCK)
    machine.put("sys/kernel/debug/clk/pl0_ref/clk_rate", "214285690")
    assert clock.adjust(machine, 214.285714, 214.285714) == pytest.approx(214.28569)
    assert machine.log == []


@pytest.mark.parametrize("text", ["0", "-5"])
def test_a_clock_that_stands_still(machine, text):
    machine.take(CLOCK)
    machine.put(DEBUG_CLOCK, text)
    with pytest.raises(PlatformError, match="the clock of the FPGA is"):
        clock.adjust(machine, 100, 100)


def test_nothing_tells_it(machine):
    machine.take(CLOCK)
    with pytest.raises(PlatformError, match="mount debugfs for /sys/kernel/debug/clk/fclk0"):
        clock.adjust(machine, 100, 100)


def test_a_clock_that_does_not_follow(machine, monkeypatch):
    machine.put(CLOCK, "250000000")
    monkeypatch.setattr(machine, "_set_rate", lambda folder, data: None)
    with pytest.raises(PlatformError, match="is 250 MHz"):
        clock.adjust(machine, 100, 100)
    assert 60 < len(machine.log) < 80  # it ends


def test_no_number(machine):
    machine.put(CLOCK, "fast")
    with pytest.raises(PlatformError, match="holds 'fast', no number"):
        clock.now_mhz(machine)
