# SPDX-License-Identifier: BSD-3-Clause
"""The generated files are those that their source gives."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_generated_files_are_current():
    command = [sys.executable, str(ROOT / "scripts/gen_regs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
