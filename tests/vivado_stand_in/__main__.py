# SPDX-License-Identifier: BSD-3-Clause
"""`vivado -mode batch -source SCRIPT -tclargs ARGUMENTS`, as scripts/bitstream.py calls it.

The environment variable VIVADO_STAND_IN holds fields of Outcome as JSON.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from vivado_stand_in.session import Outcome, Session

parser = argparse.ArgumentParser(prog="vivado", allow_abbrev=False)
parser.add_argument("-mode", choices=["batch"], required=True)
parser.add_argument("-notrace", action="store_true")
parser.add_argument("-nojournal", action="store_true")
parser.add_argument("-log", type=Path, required=True)
parser.add_argument("-source", type=Path, required=True)
parser.add_argument("-tclargs", nargs=argparse.REMAINDER, default=[])
arguments = parser.parse_args()
session = Session(Outcome(**json.loads(os.environ.get("VIVADO_STAND_IN", "{}"))))
status = session.run(arguments.source, arguments.tclargs)
print("\n".join(session.lines))
arguments.log.write_text("\n".join(session.lines) + "\n")
sys.exit(status)
