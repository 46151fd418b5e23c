# SPDX-License-Identifier: BSD-3-Clause
"""The tests of the engine on another library."""

from pathlib import Path

import pytest

from qnn_sim import engine_battery, rtl_engine
from qnn_sim.rtl_build import ROOT


def test_every_engine_is_of_that_library_and_the_seed_is_the_one_given(monkeypatch):
    monkeypatch.setattr(rtl_engine, "_instead", [])
    monkeypatch.setenv("SEED", "2")
    monkeypatch.setenv("FAST", "1")
    seen = []

    def main(arguments):
        seen.extend([*arguments, engine_battery.os.environ["SEED"]])
        assert "FAST" not in engine_battery.os.environ
        return 3

    monkeypatch.setattr(pytest, "main", main)
    assert engine_battery.run(Path("engine.so"), 7, "-x") == 3
    assert seen[-4:] == ["-x", *engine_battery.FILES, "7"]
    assert rtl_engine._instead == [Path("engine.so")]
    assert all((ROOT / name).exists() for name in engine_battery.FILES)
