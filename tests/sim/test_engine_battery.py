# SPDX-License-Identifier: BSD-3-Clause
"""The tests of the engine on another library: which of them run."""

from pathlib import Path

import pytest

from qnn_sim import engine_battery, rtl_engine


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("", "not pynq-z1 and not one-port"),
        ("random or list", "(random or list) and not pynq-z1 and not one-port"),
    ],
)
def test_those_of_other_configurations_are_left_out(monkeypatch, chosen, expected):
    monkeypatch.setattr(rtl_engine, "_instead", [])
    monkeypatch.setenv("SEED", "2")
    monkeypatch.setattr(pytest, "main", lambda arguments: arguments)
    monkeypatch.setattr(engine_battery, "int", lambda found: found, raising=False)
    found = engine_battery.run(Path("engine.so"), "small", 7, chosen, "-x")
    assert found[found.index("-k") + 1] == expected
    assert found[-3:] == ["-x", *engine_battery.FILES]
    assert rtl_engine._instead == [Path("engine.so")]
