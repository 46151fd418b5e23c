# SPDX-License-Identifier: BSD-3-Clause
"""The block diagram of the accelerator shows every module of rtl/ once, and only those."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHOLES = {"qnn_engine", "qnn_datapath"}  # the page shows what is in them
SMALL = {"qnn_copy", "qnn_gate", "qnn_ring_step"}  # in many of them


def test_every_module_is_in_the_diagram():
    files = [Path(name) for name in (ROOT / "rtl/files.f").read_text().split()]
    modules = {path.stem for path in files if not path.stem.endswith("_pkg")} - WHOLES - SMALL
    shown = re.findall(
        r"\bqnn_\w+", re.sub(r"<!--.*?-->", "", (ROOT / "rtl/engine.svg").read_text())
    )
    assert sorted(shown) == sorted(modules)
