# SPDX-License-Identifier: BSD-3-Clause
"""Writes the page of a regression again, from the JSON that the run has left."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from qnn.errors import QnnError
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
    page = arguments.out or arguments.result.with_name("report.html")
    try:
        report.write(Run.read(arguments.result), page)
    except (QnnError, OSError) as problem:
        print(f"regress_report: {problem}", file=sys.stderr)
        return 2
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
