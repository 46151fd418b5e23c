# SPDX-License-Identifier: BSD-3-Clause
"""Instructions where something counts them, else time of the processor."""

import time

import pytest

from qnn.errors import QnnError
from qnn.measure.effort import VARIABLE, Meter


def test_time_where_nothing_counts(monkeypatch):
    """Of the processor: what waits, costs nothing."""
    monkeypatch.delenv(VARIABLE, raising=False)
    meter = Meter()
    assert meter.unit == "ns"

    def work():
        ends = time.process_time_ns() + 10_000_000
        while time.process_time_ns() < ends:
            pass

    began = time.process_time_ns()
    cost = meter.of(work)
    assert 10_000_000 <= cost <= time.process_time_ns() - began
    assert meter.of(lambda: time.sleep(0.05)) < 50_000_000


def test_what_a_counter_wrote(monkeypatch, tmp_path):
    """It counts 10 whenever it is asked, and 300 in the action."""
    path = tmp_path / "count"
    path.write_bytes((2**40).to_bytes(8, "little"))
    monkeypatch.setenv(VARIABLE, str(path))
    meter = Meter()
    assert meter.unit == "instructions"

    def add(number):
        with path.open("r+b") as file:
            count = int.from_bytes(file.read(), "little") + number
            file.seek(0)
            file.write(count.to_bytes(8, "little"))

    read = meter._read
    monkeypatch.setattr(meter, "_read", lambda: (add(10), read())[1])
    assert meter.of(lambda: add(300)) == 300


@pytest.mark.parametrize("content", [None, b"", b"1234567"])
def test_no_such_counter(monkeypatch, tmp_path, content):
    path = tmp_path / "count"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(QnnError, match=r"QNN_INSTRUCTIONS: .*count is no file that a counter"):
        Meter()
