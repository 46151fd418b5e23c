# SPDX-License-Identifier: BSD-3-Clause
"""`python -m openxc7_stand_in PROGRAM ...`: one of the programs."""

from __future__ import annotations

import sys

from openxc7_stand_in import nextpnr, prjxray
from openxc7_stand_in.outcome import Outcome, StandInError

# How a program says what it ends with, and its status.
LAST_WORDS = {
    "fasm2frames": ("Traceback (most recent call last):\n  File ...\n{}", 1),
    "xc7frames2bit": ("{}", 1),
}
OF_NEXTPNR = "ERROR: {}", 255


def main() -> int:
    name, *arguments = sys.argv[1:]
    outcome = Outcome.of_environment()
    try:
        if name.startswith("nextpnr-"):
            return nextpnr.run(name, arguments, outcome)
        return {"fasm2frames": prjxray.fasm2frames, "xc7frames2bit": prjxray.frames2bit}[name](
            arguments, outcome
        )
    except StandInError as error:
        words, status = LAST_WORDS.get(name, OF_NEXTPNR)
        print(words.format(error), file=sys.stderr)
        return status


sys.exit(main())
