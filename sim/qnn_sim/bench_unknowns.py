# SPDX-License-Identifier: BSD-3-Clause
"""A bench that writes down what the outputs of its module say, wherever they say something.

The simulator runs this module in place of the bench, whose name is the plusarg `bench`, two times
with the same stimuli: registers, memories and what RTL calls x begin with other values in each, and
so do the inputs that mean nothing at the moment (qnn_sim.streams.noise). What is written down must
be the same. Outputs are looked at in every cycle that is not in a reset and comes after one: each
output always, but those behind a valid where that is high (`condition`).
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, TextIO

import cocotb
from cocotb.regression import Test, TestGenerator
from cocotb.triggers import RisingEdge

from qnn_sim import bench_turns, rtl_build

NAME = "outputs.txt"
END = "compared"  # values of a test, in its last line
CHANNELS = ("aw", "ar", "w", "r", "b")  # of AXI: awvalid says whether awaddr means something
OUTPUT = re.compile(r"^\s*output\b[^;()]*?(\w+)(?:\s*\[[^\]]*\])*\s*,?\s*(?://.*)?$", re.M)
ALWAYS = ("busy_o", "count_o", "reset_o", "empty_o")  # mean something without a valid
SINCE = "since"  # the first cycle after a reset in which this port is 1
NEVER = "never"  # only the bench knows when
# By module and output: which port says that it means something, where its name does not tell. The
# headers of the modules say so.
CHOSEN = {
    ("qnn_sequencer", "rows_done_o"): f"{SINCE} start_i",
    ("qnn_sequencer", "first_o"): "issue_o",
    ("qnn_sequencer", "shift_o"): "issue_o",
    ("qnn_sequencer", "last_o"): "issue_o",
    ("qnn_sequencer", "pass_last_o"): "issue_o",
    ("qnn_sequencer", "present_o"): "issue_o",
    ("qnn_sequencer", "tile_last_o"): "issue_o",
    ("qnn_sequencer", "weight_address_o"): "issue_o",
    ("qnn_sequencer", "window_word_o"): "issue_o",
    ("qnn_sequencer", "window_nibble_o"): "issue_o",
    ("qnn_sequencer", "window_low_o"): "issue_o",
    ("qnn_sequencer", "window_high_o"): "issue_o",
    ("qnn_control", "cycles_o"): f"{SINCE} start_i",
    ("qnn_control", "resident_run_o"): f"{SINCE} start_i",
    ("qnn_control", "command_o"): f"{SINCE} flush_o",  # behind command_start_o
    ("qnn_control", "weights_beat_o"): NEVER,  # a word of the list, of any command, read or not
    ("qnn_control", "perf_o"): NEVER,  # the account of any command, run or not
    ("qnn_csr", "perf_address_o"): f"{SINCE} arvalid_i",
    ("qnn_read_dma", "error_client_o"): "error_window_o error_response_o",  # one of them
    ("qnn_readout", "threshold_address_o"): "compare_valid_o",
    ("qnn_readout", "pixel_o"): NEVER,  # it chooses what result_o has, which is compared
    ("qnn_input_loader", "wdata_o"): "even_we_o odd_we_o",  # one of them
    ("qnn_input_loader", "rows_loaded_o"): f"{SINCE} start_i",
    ("qnn_write_dma", "written_line_o"): f"{SINCE} start_i",
    ("qnn_weight_loader", "command_o"): f"{SINCE} start_i",
    ("qnn_weight_loader", "loading_command_o"): NEVER,  # while answers are awaited
    ("qnn_threshold_parts", "data_o"): "we_o",
    ("qnn_threshold_parts", "high_o"): "we_o",
    ("qnn_threshold_parts", "waddr_o"): "we_o",
    ("qnn_weight_loader", "weight_data_o"): "weight_we_o",
    ("qnn_weight_loader", "threshold_data_o"): "threshold_we_o",
    ("qnn_weight_loader", "threshold_high_o"): "threshold_we_o",
    ("qnn_weight_loader", "resident_o"): f"{SINCE} start_i",
}
# Pipelines without valid and reset: what comes out means what went in some cycles before, and only
# their benches know when. Both runs of these must pass; nothing more is compared.
NOT_COMPARED = ("qnn_pe_group", "qnn_popcount", "qnn_threshold", "qnn_window")


def outputs_of(module: str) -> list[str]:
    """The outputs of a module of rtl/, by its source."""
    known = (*rtl_build.sources(), *rtl_build.zynq_sources())
    (path,) = (path for path in known if path.stem == module)
    head, _, _ = path.read_text().partition("\n);\n")
    return OUTPUT.findall(head)


def condition(module: str, output: str, outputs: Sequence[str]) -> str | None:
    """The output that says whether `output` means something; None where it always does; NEVER, or
    with SINCE before it another port."""
    if chosen := CHOSEN.get((module, output)):
        return chosen
    if output in ALWAYS or output.endswith(("ready", "ready_o", "valid", "valid_o")):
        return None
    prefixes = [output[:at] for at in range(len(output)) if output[at] == "_"]
    suffix = output[-2:] if output.endswith("_o") else ""
    names = [f"{p}_{what}{suffix}" for p in reversed(prefixes) for what in ("valid", "we")]
    for channel in CHANNELS:
        if found := re.match(rf"(\w*?_|){channel}[a-z]+$", output.removesuffix("_o")):
            names.append(f"{found[1]}{channel}valid{suffix}")
    names.append(f"valid{suffix}")
    return next((name for name in names if name in outputs and name != output), None)


def _high(said: Mapping[str, str], when: str) -> bool:
    """Whether one of the outputs that a condition names is high in some bit."""
    return any("1" in said.get(name, "") for name in when.split())


class Recorder:
    """Writes what changes from one cycle to the next: test, cycle, output, and its value."""

    def __init__(self, dut: Any, module: str, test: str, file: TextIO) -> None:
        self._dut, self._test, self._file = dut, test, file
        names = [] if module in NOT_COMPARED else outputs_of(module)
        self._ports = {name: getattr(dut, name) for name in names}
        self._when = {name: condition(module, name, names) for name in names}
        starts = {when.split()[1] for when in self._when.values() if when and SINCE in when}
        self._starts = {name: getattr(dut, name) for name in starts}
        self.compared = 0

    async def run(self, clock: Any, reset: Any, active: int, longer: int) -> None:
        """Never ends."""
        was_reset, cycle, left, started = reset is None, 0, 0, set[str]()
        shown: dict[str, str] = {}
        while True:
            await RisingEdge(clock)
            cycle += 1
            if reset is not None and int(reset.value) == active:
                was_reset, left = True, longer
                started.clear()
                continue
            left -= was_reset
            if not was_reset or left >= 0:
                continue
            said = {name: str(port.value) for name, port in self._ports.items()}
            for name, value in said.items():
                when = self._when[name]
                if when is not None and when not in started and not _high(said, when):
                    continue
                self.compared += 1
                if shown.get(name) != value:
                    shown[name] = value
                    self._file.write(f"{self._test} | cycle {cycle} | {name} | {value}\n")
            started |= {f"{SINCE} {n}" for n, port in self._starts.items() if int(port.value)}


def _clock_and_reset(dut: Any) -> tuple[Any, Any, int, int] | None:
    """Clock, reset, its active level, and how many cycles longer the reset inside is; no clock: the
    module has no state."""
    for clock, reset, active, longer in (
        ("clk_i", "rst_i", 1, 0),
        ("clk_i", "fclk_resetn_i", 0, 18),
        ("aclk", "aresetn", 0, 0),
    ):
        there = [getattr(dut, name, None) for name in (clock, reset)]
        if None not in there:
            return there[0], there[1], active, longer
    alone = getattr(dut, "clk_i", None)
    return None if alone is None else (alone, None, 0, 0)


def _recorded(module: str, test: Test) -> Test:
    """The test, with what its outputs say in NAME."""

    async def run(*args: Any, **kwargs: Any) -> None:
        dut = args[0]
        with open(NAME, "a") as file:
            recorder, task = Recorder(dut, module, test.name, file), None
            if found := _clock_and_reset(dut):
                task = cocotb.start_soon(recorder.run(*found))
            try:
                body: Coroutine[Any, Any, None] = test.func(*args, **kwargs)
                await body
            finally:
                if task is not None:
                    task.cancel()
                file.write(f"{test.name} | end | {END} | {recorder.compared}\n")

    return Test(**(vars(test) | {"func": run}))


class _Recorded(TestGenerator):
    """What cocotb finds in this module."""

    def __init__(self) -> None:
        pass

    def generate_tests(self) -> Iterator[Test]:
        about = cocotb.plusargs
        for test in bench_turns.declared(str(about["bench"])):
            yield _recorded(str(about["module"]), test)


recorded = _Recorded()


def compare(first: Path, second: Path) -> tuple[int, list[str]]:
    """How many values two runs have in common, and for each output that differs where it first
    does."""
    found = [_by_test_and_output(path) for path in (first, second)]
    one, other = found
    differing: dict[str, str] = {}
    for key in sorted(one.keys() | other.keys()):
        pairs = zip_longest(one.get(key, []), other.get(key, []), fillvalue="nothing more")
        if wrong := next((pair for pair in pairs if pair[0] != pair[1]), None):
            differing.setdefault(key[1], f"{wrong[0]}\n    in the other run: {wrong[1]}")
    ends = [lines for (_, output), lines in one.items() if output == END]
    return sum(int(lines[-1].rpartition(" ")[2]) for lines in ends), list(differing.values())


def _by_test_and_output(path: Path) -> dict[tuple[str, str], list[str]]:
    """The lines of a run; none where it has left none."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        test, _, output, _ = line.split(" | ")
        found.setdefault((test, output), []).append(line)
    return found
