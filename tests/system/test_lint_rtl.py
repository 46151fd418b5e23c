# SPDX-License-Identifier: BSD-3-Clause
"""scripts/lint_rtl.py: what `make lint-rtl` leaves to the night, and that nothing else is left."""

import pytest

import lint_rtl
from qnn_sim.rtl_build import CONFIGURATIONS


@pytest.mark.nightly
@pytest.mark.parametrize("name", lint_rtl.ONLY_BY_NAME)
def test_there_is_nothing_to_say(name):
    top, files, options = lint_rtl.designs()[name]
    assert lint_rtl.lint(name, top, files, *options) == 0


def test_each_value_of_a_parameter_is_in_a_design_of_every_run(monkeypatch):
    linted = []
    monkeypatch.setattr("sys.argv", ["lint_rtl.py"])
    monkeypatch.setattr(lint_rtl, "lint", lambda *arguments: linted.append(arguments) or 0)
    lint_rtl.main()
    by_name = {title: options for title, _, _, *options in linted}
    assert by_name["qnn_zynq"] == []  # its engine is pynq-z1, which has no options either
    said = {option for options in by_name.values() for option in options}
    for name, parameters in CONFIGURATIONS.items():
        for key, value in parameters.items():
            assert f"-G{key}={value}" in said, f"{name}: {key}"
