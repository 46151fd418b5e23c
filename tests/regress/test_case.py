# SPDX-License-Identifier: BSD-3-Clause
"""Names of cases: a folder for each, and a command that a shell takes."""

import re
import shlex

from qnn_sim.regress.case import Case


def test_key_is_a_folder_and_tells_cases_apart():
    cases = [Case(f"tests/rtl/test_a.py::test_b[{p}]", s, True, 1) for p in "xy" for s in (1, 2)]
    keys = {case.key for case in cases}
    assert len(keys) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", key) for key in keys)


def test_repeat_is_one_command_with_seed_and_waves():
    case = Case("tests/rtl/test_a.py::test_b[x y]", 5, True, 1, (("KERNEL", "hls"),))
    words = shlex.split(case.repeat)
    assert words == [
        "KERNEL=hls",
        "SEED=5",
        "WAVES=1",
        ".venv/bin/pytest",
        "tests/rtl/test_a.py::test_b[x y]",
    ]
