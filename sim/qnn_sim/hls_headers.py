# SPDX-License-Identifier: BSD-3-Clause
"""Where the HLS kernels find their headers, in C simulation.

`ap_int.h` comes from an installed Vitis (XILINX_HLS) or else, once, from the Apache-2.0 headers in
the package that hls_kernels/csim/requirements.txt pins; it is kept under build/ and never in the
repository. `hls_stream.h` and `ap_axi_sdata.h` are our own stand-ins in hls_kernels/csim.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim import outputs

ROOT = Path(__file__).resolve().parents[2]
HLS = ROOT / "hls_kernels"
REQUIREMENTS = HLS / "csim" / "requirements.txt"
INSIDE = "hls4ml/templates/vivado/ap_types/"  # of the package


def fetch(folder: Path) -> None:
    """Download the pinned package and unpack its ap_* headers into `folder`.

    Raises:
        QnnError: it cannot be had, or it is another one than pinned.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", scratch,
            "--requirement", str(REQUIREMENTS),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise QnnError(
                f"the headers of the C simulation cannot be downloaded ({reason}); "
                "or set XILINX_HLS to an installed Vitis HLS"
            )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                short = name.removeprefix(INSIDE)
                if short != name and not name.endswith("/") and short != "hls_stream.h":
                    path = folder / short
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(name))


def vendor() -> Path:
    """The folder with ap_int.h; the first call may download it.

    Raises:
        QnnError: there is none and none can be downloaded.
    """
    if installed := os.environ.get("XILINX_HLS"):
        folder = Path(installed) / "include"
        if not (folder / "ap_int.h").exists():
            raise QnnError(f"XILINX_HLS: there is no {folder / 'ap_int.h'}")
        return folder
    from filelock import FileLock

    folder, pin = ROOT / "build" / "hls-headers", REQUIREMENTS.read_bytes()
    stamp = folder / REQUIREMENTS.name  # the pin that they are of
    outputs.make_folder(folder.parent)
    with FileLock(f"{folder}.lock"):
        if not stamp.exists() or stamp.read_bytes() != pin:
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                part = Path(scratch) / "part"
                fetch(part)
                (part / stamp.name).write_bytes(pin)
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
    return folder


def include_flags() -> list[str]:
    """What g++ needs to compile the kernels: standard, include paths, and quiet vendor headers."""
    return [
        "-std=c++17", f"-I{HLS / 'include'}", f"-I{HLS}", f"-I{HLS / 'csim'}",
        "-isystem", str(vendor()), "-Wno-unknown-pragmas", "-Wno-uninitialized",
        "-Wno-maybe-uninitialized",
    ]  # fmt: skip
