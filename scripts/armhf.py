#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a command on 32-bit ARM, the tests of the host package: Debian armhf, emulated.

Makes a root file system of Debian packages (python3, numpy, pillow, pytest, hypothesis) once: they
are unpacked, none is configured, so that nothing is emulated for it. The command runs in it, and
sees the checkout at its own path, and of variables QNN_HOME and SEED. Wants root (chroot, mounts),
mmdebstrap, and qemu-user-static with binfmt_misc. The packages come from the address in MIRROR,
else from where apt here has Debian's, else from where mmdebstrap looks by itself.

With --count the instructions that the command executes are counted, for `qnn bench --stages`: a
Python program, for it is run by the python3 there. That wants gcc, and the package qemu-user, whose
qemu-arm takes plugins. Processes that it starts are not counted.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import count
from qnn.errors import QnnError
from qnn.measure import effort

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE, SUITE = "armhf", "bookworm"
PACKAGES = (
    "dash", "coreutils", "python3", "python3-numpy", "python3-pil",
    "python3-pytest", "python3-pytest-xdist", "python3-hypothesis",
)  # fmt: skip
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "qemu-arm-static": "qemu-user-static",
}
# Asks apt for the addresses of Debian's archive.
ARCHIVE = (
    "apt-get", "indextargets", "--format", "$(REPO_URI)",
    "Created-By: Packages", "Origin: Debian", "Label: Debian",
)  # fmt: skip
COUNTING = {"qemu-arm": "qemu-user", "gcc": "gcc", "ldd": "libc-bin"}
COUNTER = "usr/local/lib/count"  # in the root file system: the emulator that counts, and its parts
BINFMT = Path("/proc/sys/fs/binfmt_misc/qemu-arm")
LIBRARIES = "usr/lib/arm-linux-gnueabihf"
ALTERNATIVES = ("blas/libblas.so.3", "lapack/liblapack.so.3")  # what configuring would have linked
SITE = "usr/local/lib/python3.11/dist-packages"  # of the Python of SUITE
PASSED = ("QNN_HOME", "SEED")
DONE = ".made-of"  # in the root file system, what it was made of


def check(counting: bool = False) -> None:
    """Refuses, before any work, where it cannot be done."""
    tools = TOOLS | (COUNTING if counting else {})
    missing = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if missing:
        raise QnnError(f"for the emulation: apt install {' '.join(missing)}")
    if os.geteuid() != 0:
        raise QnnError("the root file system is entered as root: sudo make test-armhf")
    if not BINFMT.exists():
        raise QnnError(
            "the kernel does not know how to start ARM programs: mount binfmt_misc on "
            f"{BINFMT.parent}, then update-binfmts --enable {BINFMT.name}"
        )


def mirror() -> list[str]:
    """Where Debian's packages are: MIRROR, else what apt here has; empty where there is neither."""
    if given := os.environ.get("MIRROR"):
        return [given]
    try:
        said = subprocess.run(ARCHIVE, capture_output=True, text=True, check=False).stdout
    except OSError:  # no apt
        return []
    return said.split()[:1]


def make_root(target: Path) -> list[object]:
    """The command that makes the root file system."""
    return [
        "mmdebstrap", "--mode=root", f"--architectures={ARCHITECTURE}", "--variant=extract",
        f"--include={','.join(PACKAGES)}", "--format=directory", SUITE, target, *mirror(),
    ]  # fmt: skip


def furnish(root: Path) -> None:
    """What configuring its packages would have left, as far as the tests want it."""
    for name in ("proc", "root", "tmp"):
        (root / name).mkdir(exist_ok=True)
    for name in ALTERNATIVES:
        (root / LIBRARIES / Path(name).name).symlink_to(name)


def install(root: Path) -> None:
    """The package as `make setup` installed it, by a line in a file of paths; and its script."""
    site, here = root / SITE, Path(sysconfig.get_path("purelib"))
    for old in site.glob("*qnn*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    site.mkdir(parents=True, exist_ok=True)
    found = [*here.glob("__editable__.qnn-*.pth"), *here.glob("qnn-*.dist-info")]
    if len(found) != 2:
        raise QnnError(f"the package is not installed in {here}: make setup")
    for path in found:
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, site / path.name)
    script = root / "usr/bin/qnn"
    text = Path(sys.executable).with_name("qnn").read_text().split("\n", 1)[1]
    script.write_text(f"#!/usr/bin/python3\n{text}")
    script.chmod(0o755)


def counter(root: Path, command: Sequence[str]) -> list[str]:
    """Puts an emulator that counts into the root file system, with the libraries of this machine.

    Returns:
        The command, a Python program in its PATH or the words behind "python3", as that runs it.
    """
    folder, inside = root / COUNTER, Path("/", COUNTER)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    emulator = str(shutil.which("qemu-arm"))
    linked = subprocess.run(["ldd", emulator], capture_output=True, text=True, check=True).stdout
    files = [word for word in linked.split() if word.startswith("/")]
    for file in [emulator, *files]:
        shutil.copy(file, folder)
    (loader,) = (Path(file).name for file in files if Path(file).name.startswith("ld-"))
    library, into = "count.so", inside / "instructions"
    if call(count.compile_plugin(folder / library)):
        raise QnnError("the counter does not compile; the reason stands above")
    program, *arguments = command
    script = [] if program == "python3" else [f"/usr/bin/{program}"]
    return [
        "env", f"{effort.VARIABLE}={into}",
        str(inside / loader), "--library-path", str(inside), str(inside / "qemu-arm"),
        *count.counted(inside / library, into), "/usr/bin/python3", *script, *arguments,
    ]  # fmt: skip


def enter(root: Path, command: Sequence[str]) -> list[object]:
    """The command that runs another one in it, in mounts of its own; nothing stays mounted."""
    inside = root / str(ROOT).lstrip("/")
    mounts = [
        ["mkdir", "-p", inside, root / "proc", root / "dev"],
        ["mount", "--bind", ROOT, inside],
        ["mount", "-t", "proc", "proc", root / "proc"],
        ["mount", "--rbind", "/dev", root / "dev"],
    ]
    environment = [
        "HOME=/root", "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", "CI=true",
        "PYTHONPYCACHEPREFIX=/tmp/pycache",  # none of its files in the checkout
    ]  # fmt: skip
    environment += [f"{name}={os.environ[name]}" for name in PASSED if name in os.environ]
    inner = f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(command)}"
    mounts.append(["exec", "chroot", root, "/usr/bin/env", "-i", *environment, "sh", "-c", inner])
    whole = " && ".join(shlex.join(map(str, one)) for one in mounts)
    return ["unshare", "--mount", "sh", "-c", whole]


def call(command: Sequence[object]) -> int:
    """Runs a command; its status."""
    print("+", shlex.join(map(str, command)), flush=True)
    return subprocess.run(list(map(str, command)), check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: sudo .venv/bin/python scripts/armhf.py --count qnn bench --stages",
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT / "build/armhf/root", help="the root file system"
    )
    parser.add_argument("--count", action="store_true", help="count instructions")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run (pytest tests/host)")
    args = parser.parse_args()
    root, made_of = args.root.absolute(), " ".join((ARCHITECTURE, SUITE, *PACKAGES))
    command = args.command or ["python3", "-m", "pytest", "-p", "no:cacheprovider", "tests/host"]
    try:
        check(args.count)
        done = root / DONE
        if not done.is_file() or done.read_text() != made_of:
            shutil.rmtree(root, ignore_errors=True)
            root.parent.mkdir(parents=True, exist_ok=True)
            if call(make_root(root)):
                raise QnnError("the root file system could not be made; the reason stands above")
            furnish(root)
            done.write_text(made_of)
        install(root)
        if args.count:
            command = counter(root, command)
    except QnnError as error:
        print(f"armhf: {error}", file=sys.stderr)
        return 2
    return call(enter(root, command))


if __name__ == "__main__":
    sys.exit(main())
