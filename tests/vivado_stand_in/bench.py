# SPDX-License-Identifier: BSD-3-Clause
"""Runs scripts/vivado in this process, so that a test can look at what it made."""

import os
from pathlib import Path

import bitstream
from qnn_sim import boards
from vivado_stand_in.session import Outcome, Session

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/bitstream.py"
TCL = ROOT / "scripts/vivado"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def run(work: Path, scripts: Path = TCL, board: str = "pynq-z1", **outcome) -> tuple[Session, int]:
    """All steps in the folder `work`, which is made; the session and its exit status."""
    work.mkdir()
    facts = boards.load(board)
    bitstream.prepare(work, facts, facts["configuration"], COMMIT, jobs=2)
    session, before = Session(Outcome(**outcome)), Path.cwd()
    try:
        os.chdir(work)
        return session, session.run(scripts / "bitstream.tcl", ["settings.tcl"])
    finally:
        os.chdir(before)
