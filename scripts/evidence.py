# SPDX-License-Identifier: BSD-3-Clause
"""Packs what was run at this state of the files into one folder that a reviewer can check.

Takes what `make test`, `verify`, `regress`, `formal`, `mutate`, `mutate-host`, `mutate-hls`,
`gates`, `soak`, `seeds`, `synth` and `bench-rtl` have left under build/. The page, evidence.html,
says of each result whether it is of this state of the files, of another one, or missing. Beside it
lie the results themselves, digests of every file of the checkout (inputs.sha256), versions of all
tools, and digests of all that is in the folder. Exit status 1: a result is missing, bad, or of
another state.

--run makes what is not of this state first, with `make`; all of it takes most of a day. --check
FOLDER, in a checkout of the same commit, says whether files of the pack or of the checkout differ,
and whether the page says what the results say.

    python scripts/evidence.py --run agreement synthesis
    python scripts/evidence.py --check build/evidence
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from qnn.errors import QnnError
from qnn_sim import outputs, script
from qnn_sim.regress import evidence, evidence_page, inputs
from qnn_sim.regress.evidence import KINDS, MISSING, THIS, Found, name_in_pack
from qnn_sim.regress.evidence_page import Pack
from qnn_sim.regress.inputs import Origin

ROOT = Path(__file__).resolve().parent.parent
PAGE, DATA, INPUTS, SUMS = "evidence.html", "evidence.json", "inputs.sha256", "SHA256SUMS"
PROGRAMS = {"g++": "g++ -dumpfullversion", "make": "make --version", "git": "git --version"}
SHOWN = 10  # of the differences


def parse() -> argparse.Namespace:
    parser = script.parser(__doc__)
    add = parser.add_argument
    add("--build", type=Path, default=ROOT / "build", help="where the results lie (build)")
    add("--out", type=Path, help="the folder, which is made new (evidence, in build)")
    add(
        "--run", nargs="+", choices=("all", *KINDS), default=(), metavar="NAME",
        help=f"make these first where they are not of this state: all, {', '.join(KINDS)}",
    )  # fmt: skip
    add("--check", type=Path, metavar="FOLDER", help="only check this pack")
    return parser.parse_args()


def tools() -> dict[str, str]:
    """Versions of all packages of this environment and of what comes from the system."""
    found = {
        package.metadata["Name"]: package.version for package in importlib.metadata.distributions()
    }
    for name, command in PROGRAMS.items():
        if shutil.which(name):
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            found[name] = done.stdout.partition("\n")[0].strip()
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return found | {"Python": platform.python_version(), "system": system}


def find_all(place: dict[str, Path], now: Origin) -> list[Found]:
    return [evidence.find(name, place[name], now) for name in KINDS]


def sums(folder: Path) -> str:
    """Of all files of a pack, but for SUMS."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return "".join(f"{inputs.digest(p)}  {p.relative_to(folder).as_posix()}\n" for p in found)


def page_of(folder: Path, pack: Pack) -> str:
    results = {
        one.name: evidence.read(KINDS[one.name], folder / name_in_pack(one.name))
        for one in pack.found
        if one.readable
    }
    return evidence_page.render(pack, results)


def write(folder: Path, build: Path) -> Pack:
    """Makes the pack.

    Raises:
        QnnError: the folder is something else, or git does not tell.
    """
    if folder.exists() and not (folder / DATA).is_file() and any(folder.iterdir()):
        raise QnnError(f"{folder} is there already, and no pack: choose another folder")
    files = inputs.digests(ROOT)
    now = inputs.origin(ROOT)
    place = {name: build / kind.file for name, kind in KINDS.items()}
    made = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    pack = Pack(made, now, tools(), find_all(place, now))
    shutil.rmtree(folder, ignore_errors=True)
    outputs.make_folder(folder / "results")
    for one in pack.found:
        if one.state != MISSING:
            shutil.copy(place[one.name], folder / name_in_pack(one.name))
    outputs.write(folder / INPUTS, inputs.listing(files))
    outputs.write(folder / DATA, json.dumps(asdict(pack), indent=1) + "\n")
    outputs.write(folder / PAGE, page_of(folder, pack))
    outputs.write(folder / SUMS, sums(folder))
    return pack


def read(folder: Path) -> Pack:
    """
    Raises:
        QnnError: there is no pack.
    """
    try:
        fields = json.loads((folder / DATA).read_text())
        found = [Found(**one) for one in fields.pop("found")]
        return Pack(origin=Origin(**fields.pop("origin")), found=found, **fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise QnnError(f"{folder} is no pack of `make evidence`") from None


def differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Names whose digests differ, or that only one of them has."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def check(folder: Path) -> list[str]:
    """What is wrong with a pack, a sentence each.

    Raises:
        QnnError: there is no pack, or git does not tell about this checkout.
    """
    pack, problems = read(folder), []
    stated = inputs.read_listing(folder / SUMS)
    if changed := differences(stated, inputs.parse_listing(sums(folder))):
        problems.append(f"files of the pack differ from {SUMS}: {some(changed)}")
    files = inputs.read_listing(folder / INPUTS)
    if inputs.tree_of(files) != pack.origin.tree:
        problems.append(f"{INPUTS} is not of the files that {DATA} names")
    if changed := differences(files, inputs.digests(ROOT)):
        problems.append(f"files of this checkout are not those of the pack: {some(changed)}")
    place = {name: folder / name_in_pack(name) for name in KINDS}
    if (found := find_all(place, pack.origin)) != list(pack.found):
        wrong = [a.name for a, b in zip(found, pack.found, strict=False) if a != b]
        problems.append(f"{DATA} does not say what the results say: {some(wrong) or 'too few'}")
    elif page_of(folder, pack) != (folder / PAGE).read_text():
        problems.append(f"{PAGE} does not say what {DATA} and the results say")
    return problems


def run_missing(chosen: list[str], build: Path) -> None:
    """Makes what is chosen and is not of this state of the files."""
    now = inputs.origin(ROOT)
    for name in KINDS if "all" in chosen else [name for name in KINDS if name in chosen]:
        kind = KINDS[name]
        if evidence.find(name, build / kind.file, now).state == THIS:
            continue
        print(f"make {kind.target}", flush=True)
        status = subprocess.run(["make", kind.target], cwd=ROOT, check=False).returncode
        if status:
            print(f"make {kind.target} ended with status {status}", file=sys.stderr)


def line(one: Found) -> str:
    kind = KINDS[one.name]
    says = {None: "", True: "good", False: "BAD"}[one.good]
    return f"{kind.title:28}{one.state:27}{says:6}{one.figures or f'make {kind.target}'}"


def main() -> int:
    arguments = parse()
    if arguments.check is not None:
        problems = check(arguments.check)
        pack = read(arguments.check)
        for problem in problems:
            print(problem)
        if not problems:
            print(f"as it was written, of this checkout: {evidence_page.verdict(pack)}")
        return int(bool(problems))
    if arguments.run:
        run_missing(arguments.run, arguments.build)
    folder = arguments.out or arguments.build / "evidence"
    pack = write(folder, arguments.build)
    for one in pack.found:
        print(line(one))
    print(f"{evidence_page.verdict(pack)}: {folder / PAGE}")
    return int(not pack.complete)


if __name__ == "__main__":
    script.end("evidence", main)
