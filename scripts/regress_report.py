# SPDX-License-Identifier: BSD-3-Clause
"""Writes the page of a regression again, from the JSON that the run has left."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim import outputs
from qnn_sim.regress import report
from qnn_sim.regress.run import Run

RESULT = Path(__file__).resolve().parent.parent / "build" / "regress" / "result.json"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python scripts/regress_report.py build/regress/result.json",
    )
    parser.add_argument("result", nargs="?", type=Path, default=RESULT, help="JSON of the run")
    parser.add_argument("--out", type=Path, help="the page (report.html beside the JSON)")
    arguments = parser.parse_args()
    whole = not arguments.result.stem.endswith(".partial")
    page = arguments.out or outputs.place(arguments.result.with_name("report.html"), whole)
    try:
        outputs.write(page, report.render(Run.read(arguments.result), whole))
    except (QnnError, OSError) as problem:
        print(f"regress_report: {problem}", file=sys.stderr)
        return 2
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
