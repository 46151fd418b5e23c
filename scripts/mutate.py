# SPDX-License-Identifier: BSD-3-Clause
"""Puts random faults into the RTL and counts those that the tests find.

Yosys makes a netlist of the small configuration with all faults in it, each switched on by its
number. For each fault tests run in a process of its own, until one fails: the fault is killed.
First, for all faults, comes the bench of the module that the fault is in, on a netlist of this
module with the same fault (mutation/bench_faults.py); a bench that fails without a fault
is left out, and said to be. For those that are left the engine is compiled, once, and runs
tests/rtl/test_engine.py and tests/rtl/test_random_layers.py, the directed tests first. Tests that
need HANGS times the processor time that they need without a fault hang: that kills, too. A fault is
equivalent where Yosys' SAT solver proves, on the logic between the registers and for any state that
they can have, that it changes no output and no register that an output depends on
(mutation/equivalence.py). What neither dies nor is proven
equivalent is a survivor, listed in mutate.json with what was changed. Needs the extra `dev`.

    python scripts/mutate.py --count 100 --seed 1
    python scripts/mutate.py --count 100 --seed 1 --only 17
    python scripts/mutate.py --count 100 --seed 1 --no-benches
"""

import hashlib
import json
import multiprocessing
import os
import re
import resource
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

from filelock import FileLock
from pyosys import libyosys

import synth
from mutation import bench_faults
from mutation.bench_faults import BenchFaults
from mutation.equivalence import Registers, find_registers, proof
from mutation.forked import run_passes, status_of, yosys
from qnn.errors import QnnError
from qnn_sim import engine_battery, outputs, rtl_build, run_options, script
from qnn_sim.regress import inputs
from qnn_sim.rtl_build import CONFIGURATIONS, HARNESS, ROOT, RTL, compile_engine, sources

CONFIGURATION = "small"
HANGS = 5
BENCH_CPU_S = 300  # a bench needs some seconds
AT_ITS_BENCH = "killed at its bench"
VERDICTS = (AT_ITS_BENCH, "killed", "hangs", "equivalent", "survives")
LEAST_SHARE = 0.95  # of the faults that are not proven equivalent

# The chosen fault comes from the environment, so that the harness need not know of it.
CHOICE = """module chosen_fault (output [15:0] number_o);
  import "DPI-C" context function int unsigned qnn_fault();
  logic [15:0] number;
  initial number = 16'(qnn_fault());
  assign number_o = number;
endmodule
"""
CHOICE_CPP = """#include <cstdlib>
extern "C" unsigned qnn_fault() {
  const char *number = std::getenv("QNN_FAULT");
  return number ? std::strtoul(number, nullptr, 10) : 0;
}
"""


def folder_of(out: Path, count: int, seed: int) -> Path:
    """Where all that belongs to these faults of this RTL lies; what is there is used again."""
    digest = hashlib.sha256(repr((count, seed)).encode())
    mutation = Path(bench_faults.__file__).parent
    own = [Path(__file__), Path(synth.__file__), *sorted(mutation.glob("*.py"))]
    for path in [*sources(), Path(rtl_build.__file__), HARNESS, *own]:
        digest.update(path.read_bytes())
    folder = out / digest.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def flatten(folder: Path) -> None:
    """flat.il: the engine as one module, its qnn_ram kept apart; rams.sv: what they are."""
    passes = (
        synth.elaborate("qnn_engine", CONFIGURATIONS[CONFIGURATION]),
        "hierarchy -check -top qnn_engine", "setattr -mod -set keep_hierarchy 1 qnn_ram*",
        *bench_faults.flatten(kept="qnn_ram*"),
        f"write_json {folder / 'ports.json'}", "blackbox qnn_ram*",
        f"write_rtlil {folder / 'flat.il'}",
    )  # fmt: skip
    yosys(folder, "flatten.log", partial(run_passes, *passes))
    modules = json.loads((folder / "ports.json").read_text())["modules"]
    text = CHOICE
    for name, module in modules.items():
        if not name.startswith("qnn_ram"):
            continue
        width = {port: len(facts["bits"]) for port, facts in module["ports"].items()}
        ports = ", ".join(
            f"{facts['direction']} [{width[port] - 1}:0] {port}"
            for port, facts in module["ports"].items()
        )
        text += (
            f"module \\{name} ({ports});\n  qnn_ram #(.Width({width['wdata_i']}),"
            f" .Depth({2 ** width['waddr_i']}), .Enables({width['we_i']})) u_ram (.*);\nendmodule\n"
        )
    (folder / "rams.sv").write_text(text)


def draw(folder: Path, count: int, seed: int) -> list[str]:
    """The mutate commands, without their numbers; faults of the clock are left out."""
    path = folder / "drawn.txt"
    if not path.exists():
        drawing = f"mutate -list {count + count // 4 + 8} -seed {seed} -o {path}"
        passes = partial(run_passes, f"read_rtlil {folder / 'flat.il'}", drawing)
        yosys(folder, "draw.log", passes)
    drawn = [line for line in path.read_text().splitlines() if "-port CLK" not in line]
    return drawn[:count]


def build(folder: Path, faults: list[str]) -> Path:
    """The library with all faults in it."""
    library = folder / "engine.so"
    if library.exists():
        return library
    script = folder / "faults.ys"
    numbered = (bench_faults.numbered(fault, number) for number, fault in enumerate(faults, 1))
    script.write_text("\n".join(numbered))
    passes = (
        f"read_rtlil {folder / 'flat.il'}", f"script {script}", "bwmuxmap", "opt_clean",
        f"write_verilog -noattr {folder / 'netlist.v'}",
    )  # fmt: skip
    yosys(folder, "insert.log", partial(run_passes, *passes))
    netlist = (folder / "netlist.v").read_text()
    head, rest = netlist.split(");", 1)  # the ports; the number is a signal inside, not one of them
    rest = rest.replace("  input [15:0] fault;\n", "", 1)
    wire = "  wire [15:0] fault;\n"
    rest = rest.replace(wire, f"{wire}  chosen_fault u_fault (fault);\n", 1)
    (folder / "netlist.v").write_text(f"{head.replace(', fault', '')});{rest}")
    (folder / "choice.cpp").write_text(CHOICE_CPP)
    compile_engine(
        library,
        [
            *("-Wno-lint", str(folder / "netlist.v"), str(folder / "rams.sv")),
            *(str(RTL / "core/qnn_ram.sv"), str(folder / "choice.cpp")),
        ],
    )
    return library


def battery(chosen: str, number: int, library: Path, seed: int) -> int:
    """Runs the chosen tests on the library with this fault (0: none); exit status of pytest."""
    os.environ["QNN_FAULT"] = str(number)
    return engine_battery.run(library, seed, "-x", "--tb=line", "-k", chosen)


def check_battery(folder: Path, library: Path, seed: int) -> float:
    """CPU time in s of the tests without a fault. Raises SystemExit where they do not pass."""
    log, before = folder / "test-0.log", resource.getrusage(resource.RUSAGE_CHILDREN)
    if status_of(partial(battery, "", 0, library, seed), log):
        raise SystemExit(f"mutate.py: the tests fail without a fault: see {log}")
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before.ru_utime


def find_benches(folder: Path, faults: list[str]) -> BenchFaults:
    """What it takes to try the faults at the benches of their modules."""
    design = run_passes(f"tee -q -o {folder / 'read.log'} read_rtlil {folder / 'flat.il'}")
    engine = dict(design.modules_)[libyosys.IdString("\\qnn_engine")]
    cells = bench_faults.kinds(engine, "qnn_engine")
    return BenchFaults(folder / "benches", dict(enumerate(faults, 1)), cells)


def forget_benches(folder: Path) -> None:
    """What benches did in a run before: they may have changed, and the netlist is the same."""
    for kept in (*folder.glob("bench-*.passed"), *folder.glob("bench-*.failed")):
        kept.unlink()


@dataclass(frozen=True)
class BenchJudge:
    """Tries a fault at the bench of its module."""

    folder: Path
    benches: BenchFaults
    seed: int

    def kills(self, number: int) -> bool:
        """Whether the bench finds the fault; not where there is none, or it is not sound."""
        module = self.benches.bench_of(number)
        if module is None or not self.sound(module):
            return False
        tests = partial(self.benches.battery, number, module, self.seed)
        return status_of(tests, self.folder / f"bench-{number}.log", BENCH_CPU_S) != 0

    def sound(self, module: str) -> bool:
        """Whether the bench passes on its netlist without a fault; tried once a run."""
        log = self.folder / f"bench-{module}.log"
        passed, failed = log.with_suffix(".passed"), log.with_suffix(".failed")
        with FileLock(f"{log}.lock"):
            if not passed.exists() and not failed.exists():
                tests = partial(self.benches.battery, 0, module, self.seed)
                (failed if status_of(tests, log, BENCH_CPU_S) else passed).touch()
        return passed.exists()


@dataclass(frozen=True)
class Judge:
    """What it takes to try a fault on the whole engine: see the functions above."""

    faults: list[str]
    folder: Path
    library: Path
    registers: Registers
    seed: int
    most_cpu_s: int

    def verdict(self, number: int) -> str:
        """What becomes of a fault: "killed", "hangs", "equivalent" or "survives"."""
        killed = self.killed("not random", number)
        prove = partial(proof, self.faults[number - 1], self.folder, self.registers)
        if not killed and status_of(prove, self.folder / f"proof-{number}.log") == 0:
            return "equivalent"
        return killed or self.killed("random", number) or "survives"

    def killed(self, chosen: str, number: int) -> str | None:
        """How some of the tests find the fault."""
        tests = partial(battery, chosen, number, self.library, self.seed)
        status = status_of(tests, self.folder / f"test-{number}.log", self.most_cpu_s)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return "hangs"
        return "killed" if status else None


def _begin_worker() -> None:
    """Ctrl-C is for the process that hands out the faults; it ends this one, and that its child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def described(number: int, fault: str, seed: int, count: int) -> dict[str, object]:
    """A fault for the reader: where, what, and how to repeat it."""
    found = dict(re.findall(r"-(mode|cell|port|portbit|ctrlbit|wire|wirebit) (\S+)", fault))
    places = re.findall(r"-src \S*?(rtl/\S+)", fault)
    signal = f"{found['wire']}[{found['wirebit']}]" if "wire" in found else "a net without name"
    by = f" by bit {found['ctrlbit']}" if "ctrlbit" in found else ""
    return {
        "number": number,
        "places": places,
        "fault": f"{found['mode']} of bit {found['portbit']}{by} at port {found['port']} of"
        f" {found['cell']} ({signal})",
        "repeat": f"python scripts/mutate.py --count {count} --seed {seed} --only {number}",
    }


def main() -> int:
    parser = script.parser(__doc__)
    parser.add_argument("--count", type=int, default=100, help="faults (100)")
    parser.add_argument(
        "--seed", type=run_options.seed_argument, default=1,
        help=f"of their choice and of the tests (1); {run_options.FRESH}: a fresh one",
    )  # fmt: skip
    parser.add_argument("--only", type=int, metavar="NUMBER", help="try only this fault again")
    parser.add_argument("--jobs", type=int, default=2, help="faults at a time (2)")
    parser.add_argument(
        "--no-benches", action="store_true", help="leave out the benches of the modules"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build/mutate", help="output folder")
    arguments = parser.parse_args()
    count, seed, only = arguments.count, arguments.seed, arguments.only
    if not 0 < count < 1 << 16:
        parser.error(f"--count {count} is not in 1..65535")
    if only is not None and not 0 < only <= count:
        parser.error(f"--only {only} is not in 1..{count}")
    if arguments.jobs < 1:
        parser.error(f"--jobs {arguments.jobs} is less than 1")

    if reason := rtl_build.unavailable():
        parser.error(reason)
    try:
        out = outputs.make_folder(arguments.out.resolve())
    except QnnError as problem:
        parser.error(str(problem))
    stamp, folder = inputs.stamp(ROOT), folder_of(out, count, seed)
    forget_benches(folder)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.0f} s] {text}", file=sys.stderr, flush=True)

    if not (folder / "flat.il").exists():
        tell("netlist of the engine")
        flatten(folder)
    if not (folder / "drawn.txt").exists():
        tell("choice of the faults")
    faults = draw(folder, count, seed)
    numbers = [only] if only else list(range(1, len(faults) + 1))
    verdicts = dict.fromkeys(VERDICTS, 0)
    survivors = []

    def found(number: int, verdict: str) -> None:
        entry = described(number, faults[number - 1], seed, count)
        verdicts[verdict] += 1
        if verdict == "survives":
            survivors.append(entry)
        place = " ".join(entry["places"][:1])
        tell(f"{number}/{len(faults)} {verdict}: {place} {entry['fault']}")

    pools = multiprocessing.get_context("fork")
    try:
        if not arguments.no_benches:
            tell("benches of the modules")
            bench_judge, left = BenchJudge(folder, find_benches(folder, faults), seed), []
            with pools.Pool(arguments.jobs, _begin_worker) as pool:
                for number, dies in zip(
                    numbers, pool.imap(bench_judge.kills, numbers), strict=True
                ):
                    if dies:
                        found(number, AT_ITS_BENCH)
                    else:
                        left.append(number)
            numbers = left
        if numbers:
            tell(f"compilation of the engine with all faults in it; {len(numbers)} are left")
            library, registers = build(folder, faults), find_registers(folder)
            tell("tests without a fault")
            most_cpu_s = HANGS * ceil(check_battery(folder, library, seed))
            tell(f"they pass; with a fault they hang after {most_cpu_s} s")
            judge = Judge(faults, folder, library, registers, seed, most_cpu_s)
            with pools.Pool(arguments.jobs, _begin_worker) as pool:
                for number, verdict in zip(numbers, pool.imap(judge.verdict, numbers), strict=True):
                    found(number, verdict)
            tell("tests without a fault, in case that files have changed meanwhile")
            check_battery(folder, library, seed)
        stopped = False
    except KeyboardInterrupt:
        stopped = True
        tell("stopped: what follows is of the faults that were tried")
    tried = sum(verdicts.values())
    killed = tried - verdicts["equivalent"] - verdicts["survives"]
    unsound = sorted(path.stem.removeprefix("bench-") for path in folder.glob("bench-*.failed"))
    share = killed / max(1, killed + len(survivors))
    result = {
        "origin": stamp,
        "good": share >= LEAST_SHARE,
        "mutants": tried,
        "killed": killed,
        "killed_at_their_bench": verdicts[AT_ITS_BENCH],
        "benches_left_out": unsound,
        "equivalent": verdicts["equivalent"],
        "survivors": survivors,
        "hung": verdicts["hangs"],
        "seed": seed,
    }
    if only is None:
        text = json.dumps(result, indent=1) + "\n"
        outputs.write(out.with_suffix(".json"), text, whole=not stopped)
    for module in unsound:
        print(f"the bench of {module} is left out: see {folder}/bench-{module}.log")
    print(
        f"{tried} faults: {killed} killed (of these {verdicts[AT_ITS_BENCH]} at the bench"
        f" of their module, {verdicts['hangs']} hang),"
        f" {verdicts['equivalent']} equivalent (proven), {len(survivors)} survive;"
        f" {100 * share:.1f}% of those that are not equivalent are killed"
    )
    return script.STOPPED if stopped else int(not result["good"])


if __name__ == "__main__":
    script.end("mutate", main)
