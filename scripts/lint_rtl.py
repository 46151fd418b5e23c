# SPDX-License-Identifier: BSD-3-Clause
"""`verilator --lint-only -Wall` over rtl/ in every configuration, and over the shells of kernels.

Of a large configuration 16 channels at a time; the whole one where it is named, and by
tests/system/test_lint_rtl.py at night. pynq-z1 is in qnn_zynq. Waivers with their reasons are in
rtl/lint.vlt and tests/kernels/shells/lint.vlt.
"""

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qnn_sim import script, verilator_package
from qnn_sim.rtl_build import CONFIGURATIONS, LARGE, ROOT, RTL, sources, zynq_sources

SHELLS = ROOT / "tests" / "kernels" / "shells"
# Optimising warns of nothing more, and takes a third of the time.
QUICK = ("-O0", "-fgate")
ONLY_BY_NAME = ("pynq-z1", *LARGE)


def designs() -> dict[str, tuple[str, list[Path], list[str]]]:
    """Top module, files and options, by the names of configurations, and of tops elsewhere."""
    rtl = [RTL / "lint.vlt", *sources()]
    shells = [SHELLS / "lint.vlt", *sorted(SHELLS.glob("*.sv"))]
    narrow = {f"{name}-narrow": {**CONFIGURATIONS[name], "Pe": 16} for name in LARGE}
    found = {
        name: ("qnn_engine", rtl, [f"-G{key}={value}" for key, value in parameters.items()])
        for name, parameters in {**CONFIGURATIONS, **narrow}.items()
    }
    found["qnn_zynq"] = "qnn_zynq", [*rtl, *zynq_sources()], []
    for path in shells[1:]:
        if path.stem.startswith(("rtl_", "hls_")):
            found[path.stem] = path.stem, [*rtl, *shells], []
    return found


def lint(title: str, top: str, files: Sequence[Path], *options: str) -> int:
    """0 where there is nothing to say."""
    print(f"verilator --lint-only -Wall, {title}", flush=True)
    verilator = verilator_package.root() / "bin/verilator"
    command = [verilator, "--lint-only", "-Wall", *QUICK, "--top", top, *options, *files]
    return subprocess.run(command, env=verilator_package.environment(), check=False).returncode


def main() -> int:
    found = designs()
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/lint_rtl.py small rtl_max_pool",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("only", nargs="*", help=f"of {', '.join(found)}")
    only = parser.parse_args().only
    if unknown := set(only) - set(found):
        parser.error(f"there is no {min(unknown)}")
    failed = 0
    for title in only or (name for name in found if name not in ONLY_BY_NAME):
        top, files, options = found[title]
        failed |= lint(title, top, files, *options)
    return int(bool(failed))


if __name__ == "__main__":
    script.end("lint_rtl", main)
