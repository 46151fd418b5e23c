#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Puts the package, the bitstream of a board and the notebooks onto that board, over ssh.

Makes a wheel that holds the bitstream of build/<board>, copies it, and installs it: on an image of
PYNQ into its Python environment; on a plain Debian or Ubuntu (--system debian) into an environment
of its own, /opt/qnn, with numpy and pillow from the packages of the system. The board needs no
connection to the Internet: nothing else is installed, and what it lacks is said at the end.

First it says which image the board must have booted.
"""

import argparse
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from qnn.errors import QnnError
from qnn.platforms.overlay import BITSTREAM, read_design
from qnn_sim import boards, run_options, script

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = "python"  # links to them
PROJECT = ("pyproject.toml", "README.md", "LICENSE")
PYTHON = "/usr/local/share/pynq-venv/bin/python"
DEBIAN = "/opt/qnn"
PACKAGES_OF_DEBIAN = "python3-venv python3-numpy python3-pil"
NOTEBOOKS = "/home/xilinx/jupyter_notebooks"
INBOX = "qnn-deploy"  # in the home directory of whoever logs in
INSTALL = "install.sh"
CHECK = (
    "from qnn.backends import BACKENDS; "
    "print('backend pynq:', BACKENDS['pynq'].unavailable() or 'ready')"
)
UNREACHABLE = 255  # status of ssh
# While ssh makes its socket, the name has a suffix; struct sockaddr_un has this much room for it.
SOCKET, SUFFIX, UNIX_PATH = "ssh", "." + 16 * "x", 108

Command = Sequence[object]


def find_bitstream(board: str) -> Path:
    """The bitstream that `make bitstream` left; QnnError where there is none that fits."""
    bitstream = ROOT / "build" / board / BITSTREAM.name
    if not bitstream.is_file():
        raise QnnError(f"there is no bitstream {bitstream}: make bitstream BOARD={board}")
    read_design(bitstream)
    return bitstream


def stage(bitstream: Path, folder: Path) -> None:
    """Copies what a wheel is made of to a new folder, the bitstream where pynq looks for it."""
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / PACKAGES, folder / PACKAGES, ignore=leave)
    for name in PROJECT:
        shutil.copy(ROOT / name, folder)
    overlay = folder / PACKAGES / "qnn/overlays" / bitstream.stem
    overlay.mkdir(exist_ok=True)
    for path in (bitstream, bitstream.with_suffix(".hwh")):
        shutil.copy(path, overlay)


def pip_wheel(source: Path, out: Path) -> list[object]:
    """The command that makes the wheel, with the setuptools of this environment: offline."""
    quiet = ("--quiet", "--disable-pip-version-check")
    return [sys.executable, "-m", "pip", "wheel", *quiet, "--no-deps", "--no-index",
            "--no-build-isolation", "--wheel-dir", out, source]  # fmt: skip


def make_wheel(bitstream: Path, out: Path) -> Path:
    """Makes the wheel in a folder; its path."""
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "qnn"
        source.mkdir()
        stage(bitstream, source)
        run(pip_wheel(source, out), "the wheel cannot be made: what pip says is above")
    (wheel,) = out.glob("*.whl")
    return wheel


def install_script(wheel: str, python: str, notebooks: str) -> str:
    """What root does on the board."""
    pynq = Path(python).with_name("pynq")
    steps: list[Command] = [
        [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--force-reinstall",
         f"{INBOX}/{wheel}"],
        [pynq, "get-notebooks", "qnn", "--force", "--quiet", "--ignore-overlays",
         "--path", notebooks],
        [python, "-c", CHECK],
    ]  # fmt: skip
    return "\n".join(["set -e", *map(line, steps), ""])


def install_script_debian(wheel: str, python: str) -> str:
    """The same, on a board without pynq; `python` is in an environment that is made here."""
    folder = Path(python).parents[1]
    lacks = f"this board lacks packages: apt install {PACKAGES_OF_DEBIAN}"
    steps: list[Command] = [
        ["python3", "-m", "venv", "--system-site-packages", folder],
        [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--force-reinstall",
         f"{INBOX}/{wheel}"],
        ["ln", "-sf", folder / "bin/qnn", "/usr/local/bin/qnn"],
    ]  # fmt: skip
    return "\n".join(
        [
            "set -e",
            line(["python3", "-c", "import numpy, PIL, ensurepip"])
            + f" || {{ {line(['echo', lacks])}; exit 1; }}",
            *map(line, steps),
            line([folder / "bin/qnn", "doctor"]) + " || true",  # it tells; the package is installed
            "",
        ]
    )


def commands(host: str, files: Sequence[Path], options: Sequence[str]) -> list[tuple[Command, str]]:
    """Each command, with the sentence for the case that it fails; the last file is a script."""
    return [
        (["ssh", *options, host, f"mkdir -p {INBOX}"], f"nothing can be written on {host}"),
        (["scp", *options, *files, f"{host}:{INBOX}/"], f"copying to {host} failed"),
        (
            ["ssh", "-t", *options, host, f"sudo sh {INBOX}/{files[-1].name}"],
            f"the installation on {host} failed: what it says is above",
        ),
    ]


def line(command: Command) -> str:
    """As one would type it."""
    return shlex.join(map(str, command))


def run(command: Command, failure: str) -> None:
    """Runs a command, which may ask for a password; QnnError if it fails."""
    try:
        status = subprocess.run(list(map(str, command)), check=False).returncode
    except FileNotFoundError:
        raise QnnError(f"there is no command {command[0]!r}: install OpenSSH") from None
    if status == UNREACHABLE and command[0] in ("ssh", "scp"):
        raise QnnError(
            f"the board cannot be reached by `{command[0]}`, which says why above: check cable, "
            "address and password"
        )
    if status:
        raise QnnError(failure)


def socket_folder() -> str | None:
    """Where a socket of ssh can lie: its name may be short only, and no words of ssh_config."""
    for folder in (tempfile.gettempdir(), "/tmp"):
        longest = Path(folder, "tmp01234567", SOCKET + SUFFIX)
        fits = len(os.fsencode(longest)) < UNIX_PATH and re.fullmatch(r"[\w./-]+", folder)
        if fits and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


@contextlib.contextmanager
def one_connection(host: str) -> Iterator[list[str]]:
    """Options of ssh and scp that ask for a password once, and do not wait for ever.

    Where there is no place for a socket each command asks.
    """
    options = ["-o", "ConnectTimeout=10"]
    parent = socket_folder()
    if parent is None:
        yield options
        return
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        path = f"ControlPath={folder}/{SOCKET}"
        yield [*options, "-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", path]
        if any(Path(folder).iterdir()):
            subprocess.run(["ssh", "-o", path, "-O", "exit", host], stderr=subprocess.DEVNULL)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python scripts/deploy.py pynq-z2 xilinx@192.168.2.99",
    )
    parser.add_argument("board", help="a file of params/boards/, for example pynq-z1")
    parser.add_argument("host", help="where ssh finds it")
    parser.add_argument(
        "--system", choices=("pynq", "debian"), default="pynq",
        help="what runs on the board: an image of PYNQ, or a plain Debian or Ubuntu (pynq)",
    )  # fmt: skip
    parser.add_argument(
        "--python", help=f"on the board ({PYTHON}; debian: {DEBIAN}/bin/python, which is made)"
    )
    parser.add_argument("--notebooks", default=NOTEBOOKS, help=f"on the board ({NOTEBOOKS})")
    parser.add_argument(
        "--dry-run", action="store_true", default=run_options.switched_on("DRY_RUN"),
        help="print the commands, run none (DRY_RUN=1 in the environment does it, too)",
    )  # fmt: skip
    args = parser.parse_args(arguments)
    out = ROOT / "build" / "deploy" / args.board
    debian = args.system == "debian"
    python = args.python or (f"{DEBIAN}/bin/python" if debian else PYTHON)

    def script_for(wheel: str) -> str:
        if debian:
            return install_script_debian(wheel, python)
        return install_script(wheel, python, args.notebooks)

    try:
        if not args.host or args.host.startswith("-"):
            raise QnnError("which board? make deploy HOST=xilinx@192.168.2.99")
        board = boards.load(args.board)
        architecture = "armhf" if board["system"] == "zynq_7000" else "arm64"
        image = f"Debian or Ubuntu, {architecture}," if debian else board["image"]
        print(f"{board['title']}: {image} must run on it")
        if args.dry_run:
            wheel = out / "qnn.whl"
            print(line(pip_wheel(Path("SOURCE"), out)))
            for command, _ in commands(args.host, [wheel, out / INSTALL], []):
                print(line(command))
            print(f"\n{INSTALL}:")
            print(script_for(wheel.name), end="")
            return 0
        wheel = make_wheel(find_bitstream(args.board), out)
        script = out / INSTALL
        script.write_text(script_for(wheel.name))
        with one_connection(args.host) as options:
            for command, failure in commands(args.host, [wheel, script], options):
                run(command, failure)
    except QnnError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 2
    where = "sudo qnn runs it" if debian else f"notebooks are in {args.notebooks}/qnn"
    print(f"{args.host} has {wheel.name}; {where}")
    return 0


if __name__ == "__main__":
    script.end("deploy", main)
