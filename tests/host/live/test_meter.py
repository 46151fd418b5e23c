# SPDX-License-Identifier: BSD-3-Clause
"""Rates of the last pictures alone, sums of all."""

import pytest

from qnn.live.meter import WINDOW, Meter


def test_rate_and_sums():
    now = [100.0]
    meter = Meter(lambda: now[0])
    assert meter.pictures_per_s is None
    meter.add({"decode": 3, "offload": 10}, None)
    assert meter.pictures_per_s is None
    for _ in range(WINDOW):
        now[0] += 1
        meter.add({"decode": 1}, 5)
    assert meter.pictures_per_s == pytest.approx(1)
    assert (meter.count, meter.cycles) == (WINDOW + 1, 5 * WINDOW)
    assert meter.sums_us == {"decode": WINDOW + 3, "offload": 10}
    for _ in range(WINDOW):
        now[0] += 0.25
        meter.add({}, None)
    assert meter.pictures_per_s == pytest.approx(4)


def test_a_clock_that_stands():
    meter = Meter(lambda: 1.0)
    meter.add({}, None)
    meter.add({}, None)
    assert meter.pictures_per_s is None
