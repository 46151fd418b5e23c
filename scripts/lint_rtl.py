# SPDX-License-Identifier: BSD-3-Clause
"""`verilator --lint-only -Wall` over rtl/ in every configuration, and over the shells of kernels.

Waivers with their reasons are in rtl/lint.vlt and tests/kernels/shells/lint.vlt.
"""

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qnn_sim import script, verilator_package
from qnn_sim.rtl_build import CONFIGURATIONS, ROOT, RTL, sources, zynq_sources

SHELLS = ROOT / "tests" / "kernels" / "shells"


def lint(title: str, top: str, files: Sequence[Path], *options: str) -> int:
    """0 where there is nothing to say."""
    print(f"verilator --lint-only -Wall, {title}", flush=True)
    verilator = verilator_package.root() / "bin/verilator"
    command = [verilator, "--lint-only", "-Wall", "--top", top, *options, *files]
    return subprocess.run(command, env=verilator_package.environment(), check=False).returncode


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/lint_rtl.py",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    rtl = [RTL / "lint.vlt", *sources()]
    shells = [SHELLS / "lint.vlt", *sorted(SHELLS.glob("*.sv"))]
    failed = 0
    for name, parameters in CONFIGURATIONS.items():
        options = [f"-G{key}={value}" for key, value in parameters.items()]
        failed |= lint(name, "qnn_engine", rtl, *options)
    failed |= lint("qnn_zynq", "qnn_zynq", [*rtl, *zynq_sources()])
    for path in shells[1:]:
        if path.stem.startswith(("rtl_", "hls_")):
            failed |= lint(path.stem, path.stem, [*rtl, *shells])
    return int(bool(failed))


if __name__ == "__main__":
    script.end("lint_rtl", main)
