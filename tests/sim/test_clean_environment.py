# SPDX-License-Identifier: BSD-3-Clause
"""What makes pytest run less does not come from the shell by accident."""

import re

import pytest

from qnn_sim import clean_environment
from qnn_sim.rtl_build import ROOT


@pytest.mark.parametrize("name", clean_environment.SELECTION)
def test_a_script_hands_it_on_only_where_it_chooses_it(monkeypatch, name):
    monkeypatch.setenv(name, "7")
    assert name not in clean_environment.for_pytest({})
    assert name not in clean_environment.for_pytest({name: ""})
    assert clean_environment.for_pytest({name: "3"})[name] == "3"


def test_the_gate_takes_it_away():
    (unset,) = re.findall(r"^unset (.*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    harmless = {"PYTEST_CURRENT_TEST", "TIMES"}  # set by pytest itself; and more, not less
    assert set(unset.split()) >= set(clean_environment.SELECTION) - harmless
