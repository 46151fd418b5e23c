# SPDX-License-Identifier: BSD-3-Clause
"""Changes random lines of the sources, one at a time, and counts the changes that the tests find.

host: host/qnn/engine and host/qnn/importers. The test of the file's own path comes first, then
those of its folder that compile nothing, then all of its own. hls: the headers of the HLS kernels
and their C simulation. All runs are in a copy of the tree. A change does not count where the file
is no program any more, or the same: of Python the same bytecode, of C++ the same libraries that g++
makes. What changes nothing for another reason is a survivor, so look at these. Writes
mutate-<what>.json; exit status 0 where the tests pass without a change. Needs the extra `dev`, and
scripts/mutation/requirements.txt.

    python scripts/mutate_lines.py host --count 60 --seed 1
    python scripts/mutate_lines.py hls --count 40 --seed 1
    python scripts/mutate_lines.py host --seed 1 --only 17
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutation import changed_lines
from mutation.changed_lines import Change, Language
from qnn.errors import QnnError
from qnn_sim import clean_environment, outputs, run_options, script
from qnn_sim.regress import checkout, inputs
from qnn_sim.regress.execute import Processes

ROOT = Path(__file__).resolve().parents[1]
MOST_CPU_S = 300  # of a run of tests; they need a minute
MOST_KIB = 8 << 20  # of memory
WALL_S = 8 * MOST_CPU_S  # on a machine that does other things, too
BOUND = f'ulimit -t {MOST_CPU_S} -v {MOST_KIB}; exec "$@"'
HANGS = (128 + signal.SIGXCPU, 124, 137, -signal.SIGXCPU, -signal.SIGKILL)
HLS_TESTS = ("kernels", "engine", "fixed")
NO_SANITIZERS = ("-k", "not sanitizers")  # they want more addresses than MOST_KIB
LIBRARIES = """
import hashlib
from qnn_sim import hls_csim
for name in ("small", "pynq-z1"):
    print(hashlib.sha256(hls_csim.build(name).read_bytes()).hexdigest())
"""
NO_PROGRAM, SAME, KILLED, HANG, SURVIVES = (
    "no program", "the same program", "killed", "hangs", "survives",
)  # fmt: skip
COUNTED = (KILLED, HANG, SURVIVES)


@dataclass(frozen=True)
class Step:
    """A run of tests: what pytest gets, and what the environment says."""

    arguments: tuple[str, ...]
    environment: dict[str, str]


class Tree:
    """A copy of the files of the project, one of them changed at a time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self._log, self._processes = folder / "log.txt", Processes()
        shutil.rmtree(self.root, ignore_errors=True)
        for name in checkout.files(ROOT):
            if (ROOT / name).is_file() or (ROOT / name).is_symlink():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name, follow_symlinks=False)

    def run(self, command: list[str], environment: dict[str, str]) -> int:
        """Exit status of a command of Python there."""
        env = clean_environment.for_pytest(
            {"PYTHONPATH": str(self.root / "python"), "SEED": "1", **environment}
        )
        bound = ["bash", "-c", BOUND, "bash", sys.executable, *command]
        return self._processes.run(bound, self._log, WALL_S, self.root, env)

    def passes(self, step: Step) -> int:
        """Exit status of its tests; no test at all is well."""
        options = ("-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider")
        status = self.run([*options, "-m", "not nightly", *step.arguments], step.environment)
        return 0 if status == 5 else status

    def libraries(self) -> str | None:
        """Digests of the HLS kernels as g++ makes them; None where it does not."""
        return None if self.run(["-c", LIBRARIES], {}) else self._log.read_text()

    def place(self, change: Change) -> None:
        self._write(change.path, change.applied((ROOT / change.path).read_text()))

    def restore(self, change: Change) -> None:
        self._write(change.path, (ROOT / change.path).read_text())

    def _write(self, name: str, text: str) -> None:
        path = self.root / name
        path.write_text(text)
        # it may have the size and the second of the one before
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


class Host:
    """The Python that makes commands and parameters of networks."""

    language: Language = changed_lines.PYTHON
    folders = ("engine", "importers")

    def __init__(self, tree: Tree) -> None:
        pass

    def paths(self) -> list[str]:
        return [
            str(path.relative_to(ROOT))
            for folder in self.folders
            for path in (ROOT / "host/qnn" / folder).rglob("*.py")
        ]

    def whole(self) -> list[Step]:
        return [self._fast(f"tests/host/{folder}") for folder in self.folders]

    def steps(self, change: Change) -> list[Step]:
        path = Path("tests/host", *Path(change.path).parts[2:])
        own = str(path.with_name(f"test_{path.name}"))
        folder = self._fast(str(Path(*path.parts[:3])))
        if not (ROOT / own).exists():
            return [folder]
        return [self._fast(own), folder, Step((own,), {})]

    def worth(self, change: Change) -> str | None:
        """NO_PROGRAM or SAME; None: it is worth a run of the tests."""
        text = (ROOT / change.path).read_text()
        try:
            same = changed_lines.program(change.applied(text)) == changed_lines.program(text)
        except SyntaxError:
            return NO_PROGRAM
        return SAME if same else None

    @staticmethod
    def _fast(where: str) -> Step:
        return Step((where,), {"FAST": "1"})


class Hls:
    """The headers of the HLS kernels."""

    language: Language = changed_lines.CPP

    def __init__(self, tree: Tree) -> None:
        self._tree, self._unchanged = tree, tree.libraries()
        if self._unchanged is None:
            raise QnnError(f"the HLS kernels do not compile: see {tree.root.parent / 'log.txt'}")

    def paths(self) -> list[str]:
        return [
            str(path.relative_to(ROOT)) for path in (ROOT / "hls_kernels/include").rglob("*.hpp")
        ]

    def whole(self) -> list[Step]:
        return [
            *(Step((f"tests/hls/test_csim_{name}.py", *NO_SANITIZERS), {}) for name in HLS_TESTS),
            Step(("tests/hls/test_exhaustive.py",), {}),
        ]

    def steps(self, change: Change) -> list[Step]:
        return self.whole()

    def worth(self, change: Change) -> str | None:
        """As of Host."""
        found = self._tree.libraries()
        if found is None:
            return NO_PROGRAM
        return SAME if found == self._unchanged else None


SUBJECTS = {"host": Host, "hls": Hls}


def verdict(change: Change, tree: Tree, subject: Host | Hls) -> str:
    """What becomes of a change; the tree is as before afterwards."""
    tree.place(change)
    try:
        if (why := subject.worth(change)) is not None:
            return why
        for step in subject.steps(change):
            if status := tree.passes(step):
                return HANG if status in HANGS else KILLED
        return SURVIVES
    finally:
        tree.restore(change)


def numbered(subject: Host | Hls, seed: int, only: int | None) -> Iterator[tuple[int, Change]]:
    """The changes in the order in which they are drawn."""
    drawn = changed_lines.draw(ROOT, subject.paths(), subject.language, seed)
    return (
        (number, change) for number, change in enumerate(drawn, 1) if only is None or number == only
    )


def main() -> int:
    # Ctrl-C ends it also where a shell has started it in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = script.parser(__doc__)
    parser.add_argument("what", choices=SUBJECTS, help="the sources")
    parser.add_argument("--count", type=int, default=60, help="changes that count (60)")
    parser.add_argument(
        "--seed", type=run_options.seed_argument, default=1,
        help=f"of their choice (1); {run_options.FRESH}: a fresh one",
    )  # fmt: skip
    parser.add_argument("--only", type=int, metavar="NUMBER", help="try only this change again")
    parser.add_argument("--out", type=Path, help="output folder (build/mutate-WHAT)")
    arguments = parser.parse_args()
    what, count, seed, only = arguments.what, arguments.count, arguments.seed, arguments.only
    if count < 1:
        parser.error(f"--count {count} is less than 1")
    if only is not None and only < 1:
        parser.error(f"--only {only} is less than 1")
    if importlib.util.find_spec("universalmutator") is None:
        parser.error(f"universalmutator is not installed: run `make mutate-{what}`")
    out = outputs.make_folder((arguments.out or ROOT / f"build/mutate-{what}").resolve())
    stamp, begun = inputs.stamp(ROOT), time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.0f} s] {text}", file=sys.stderr, flush=True)

    verdicts = dict.fromkeys((NO_PROGRAM, SAME, *COUNTED), 0)
    survivors = []
    stopped = False
    try:
        tree = Tree(out)
        tell(f"tests without a change; then changes of seed {seed}")
        subject = SUBJECTS[what](tree)
        for step in subject.whole():
            if tree.passes(step):
                raise QnnError(f"tests fail without a change: see {out / 'log.txt'}")
        for number, change in numbered(subject, seed, only):
            found = verdict(change, tree, subject)
            verdicts[found] += 1
            if found in COUNTED:
                tell(f"{number} {found}: {change}")
            if found == SURVIVES:
                repeat = f"python scripts/mutate_lines.py {what} --seed {seed} --only {number}"
                survivors.append({"change": str(change), "repeat": repeat})
            if sum(verdicts[name] for name in COUNTED) == count:
                break
    except KeyboardInterrupt:
        stopped = True
        tell("stopped: what follows is of the changes that were tried")
    tried = sum(verdicts[name] for name in COUNTED)
    killed = verdicts[KILLED] + verdicts[HANG]
    share = killed / max(1, tried)
    if only is None:
        result = {
            "origin": stamp, "changes": tried, "killed": killed, "hung": verdicts[HANG],
            "the_same": verdicts[SAME], "no_program": verdicts[NO_PROGRAM],
            "survivors": survivors, "seed": seed,
        }  # fmt: skip
        text = json.dumps(result, indent=1) + "\n"
        outputs.write(out.with_suffix(".json"), text, whole=not stopped)
    for survivor in survivors:
        print(f"survives: {survivor['change']}\n  {survivor['repeat']}")
    print(
        f"{what}: {tried} changes, {killed} killed (of these {verdicts[HANG]} hang),"
        f" {len(survivors)} survive: {100 * share:.1f}% are killed; {verdicts[SAME]} gave the same"
        f" program and {verdicts[NO_PROGRAM]} none"
    )
    return script.STOPPED if stopped else 0


if __name__ == "__main__":
    script.end("mutate_lines", main)
