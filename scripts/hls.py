# SPDX-License-Identifier: BSD-3-Clause
"""C synthesis and C/RTL co-simulation of the HLS kernels with an installed Vitis; one table.

Each kernel is built as its hls_kernels/kernels/<kernel>/hls_config.cfg says, by v++ and vitis-run
(2023.2 and later) or by vitis_hls (2022.1 and later). The test bench compares what comes out with
the golden model. Reports and projects go to build/hls/vitis, the table to build/hls.json as well.
Exit status: 0 well, 1 a step failed, 2 there is no Vitis.

Example: python scripts/hls.py conv pack --no-cosim
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from qnn.engine.program import compile_layers
from qnn.errors import QnnError
from qnn.store import library
from qnn_sim import hls_csim, kernel_frames, outputs, process_session, script
from qnn_sim.golden_network import trace

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "hls_kernels" / "kernels"
NAMES = tuple(sorted(path.parent.name for path in KERNELS.glob("*/hls_config.cfg")))
WORK = ROOT / "build" / "hls" / "vitis"
Frames = list[tuple["np.ndarray", "np.ndarray"]]


@dataclass(frozen=True)
class Report:
    """What synthesis says of one kernel; cycles and clock in ns are estimates of the tool.

    Attributes:
        latency, interval: of one call, (least, most); None where it depends on the data.
        worst_ii: initiation interval of the slowest pipelined loop; None without one.
        cosim: "Pass", "Fail", or "" where it was not run.
    """

    kernel: str
    clock_ns: float
    latency: tuple[int | None, int | None]
    interval: tuple[int | None, int | None]
    worst_ii: int | None
    lut: int
    ff: int
    bram_18k: int
    dsp: int
    cosim: str = ""


def config(kernel: str) -> dict[str, str]:
    """The entries of a kernel's hls_config.cfg, its paths made absolute."""
    folder = KERNELS / kernel
    found = {}
    for line in (folder / "hls_config.cfg").read_text().splitlines():
        key, equals, value = line.partition("=")
        if not equals or line.startswith("#"):
            continue
        if key.endswith(".file"):
            value = str((folder / value).resolve())
        if key.endswith(".cflags"):
            value = re.sub(r"-I(\S+)", lambda m: f"-I{(folder / m[1]).resolve()}", value)
        found[key] = value
    return found


def frames(kernel: str) -> Frames:
    """What the test bench feeds to a kernel, and what must come out: a few small frames."""
    rng = np.random.default_rng(1)
    caps = hls_csim.capabilities("pynq-z1")
    layers = [one for one in library.find(library.DEFAULT).layers if one.name in ("conv4", "conv5")]
    if kernel == "engine":
        return [_memory(layers, rng)]
    if kernel in ("conv", "conv_fixed", "window"):
        make = kernel_frames.window if kernel == "window" else kernel_frames.conv
        codes = rng.integers(0, 4, layers[0].in_shape)
        made = make(layers[0], codes, caps, source="blocks")
    else:
        made = {
            "popcount": lambda: [kernel_frames.popcount(rng)],
            "matvec": lambda: [kernel_frames.matvec(rng, caps, p, 3, (3, 3), 2) for p in (1, 2)],
            "threshold": lambda: [kernel_frames.threshold(rng, caps, n, (3, 3), 2) for n in (1, 3)],
            "max_pool": lambda: [
                kernel_frames.max_pool(rng, caps, size, 2, (1, 1, 1, 1), (5, 5), 2)
                for size in (2, 3)
            ],
            "pack": lambda: [kernel_frames.pack(rng, caps, p, (3, 5), 2) for p in (0, 2)],
        }[kernel]()
    head = 8 if kernel == "conv_fixed" else 0  # it takes no command
    return [(frame.words[head:], frame.expected) for frame in made]


def _memory(layers, rng) -> tuple[np.ndarray, np.ndarray]:
    """A frame of the engine: list address, commands, where the last map is, memory; that map."""
    program = compile_layers(layers, hls_csim.capabilities("pynq-z1"))
    memory = np.zeros(-(-(program.work + program.work_bytes) // 8) * 8, np.uint8)
    codes = rng.integers(0, 4, layers[0].in_shape)
    for address, data in (
        (program.base, program.image),
        (program.input_address, program.tight.pack(codes)),
    ):
        memory[address : address + len(data)] = np.frombuffer(data, np.uint8)
    *_, last = trace(layers, codes)
    out = program.out_map
    words = kernel_frames.block_words(last, out.blocks, hls_csim.capabilities("pynq-z1"), 2)
    head = np.array([program.base, program.commands, program.out_address // 8], np.uint64)
    return np.concatenate([head, memory.view("<u8").astype(np.uint64)]), words


def write_frames(path: Path, pairs: Frames) -> None:
    """As hls_kernels/kernels/testbench.cpp reads them."""
    lines = []
    for pair in pairs:
        for name, words in zip(("in", "out"), pair, strict=True):
            lines.append(f"{name} {len(words)}")
            lines += [f"{int(word):x}" for word in words]
    path.write_text("\n".join(lines) + "\n")


def tcl(kernel: str, entries: dict[str, str], data: Path, cosim: bool) -> str:
    """The same for vitis_hls."""
    lines = [
        f"open_project -reset {kernel}",
        f"set_top {entries['syn.top']}",
        f'add_files {entries["syn.file"]} -cflags "{entries["syn.cflags"]}"',
        f'add_files -tb {entries["tb.file"]} -cflags "{entries["tb.cflags"]}"',
        f"open_solution -reset solution -flow_target {entries['flow_target']}",
        f"set_part {entries['part']}",
        f"create_clock -period {entries['clock']}",
        f'csim_design -argv "{data}"',
        "csynth_design",
        *([f'cosim_design -argv "{data}"'] if cosim else []),
        "exit",
    ]
    return "\n".join(lines) + "\n"


def vitis() -> str | None:
    """ "v++" or "vitis_hls", whichever there is; None without Vitis."""
    if shutil.which("v++") and shutil.which("vitis-run"):
        return "v++"
    return "vitis_hls" if shutil.which("vitis_hls") else None


def steps(kernel: str, folder: Path, cosim: bool) -> list[list[str]]:
    """Write what the tools read into `folder`, and give the commands to run there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data, entries = folder / "frames.txt", config(kernel)
    write_frames(data, frames(kernel))
    if vitis() == "vitis_hls":
        (folder / "run.tcl").write_text(tcl(kernel, entries, data, cosim))
        return [["vitis_hls", "-f", "run.tcl"]]
    part = entries.pop("part")
    lines = [f"part={part}", "", "[hls]", *(f"{key}={value}" for key, value in entries.items())]
    lines += [f"csim.argv={data}", f"cosim.argv={data}"]
    (folder / "hls_config.cfg").write_text("\n".join(lines) + "\n")
    options = ["--config", "hls_config.cfg", "--work_dir", "work"]
    simulate = ["vitis-run", "--mode", "hls"]
    commands = [[*simulate, "--csim", *options], ["v++", "-c", "--mode", "hls", *options]]
    return [*commands, *([[*simulate, "--cosim", *options]] if cosim else [])]


def _number(element: ElementTree.Element, path: str) -> int | None:
    text = (element.findtext(path) or "").strip()
    return int(text) if text.isdigit() else None


def parse(kernel: str, csynth: str, cosim: str = "") -> Report:
    """Out of the text of csynth.xml and of the report of the co-simulation.

    Raises:
        QnnError: it is no such report.
    """
    try:
        root = ElementTree.fromstring(csynth)
    except ElementTree.ParseError as error:
        raise QnnError(f"kernel {kernel}: its csynth.xml cannot be read: {error}") from None
    times = root.find("PerformanceEstimates/SummaryOfOverallLatency")
    area = root.find("AreaEstimates/Resources")
    period = root.findtext("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")
    if times is None or area is None or period is None:
        raise QnnError(f"kernel {kernel}: its csynth.xml has no estimates of time and area")
    intervals = [e.text.strip() for e in root.iter("PipelineII") if e.text]
    slowest = [int(text) for text in intervals if text.isdigit()]
    passed = re.search(r"\|\s*Verilog\s*\|\s*(\w+)\s*\|", cosim)
    return Report(
        kernel=kernel,
        clock_ns=float(period),
        latency=(_number(times, "Best-caseLatency"), _number(times, "Worst-caseLatency")),
        interval=(_number(times, "Interval-min"), _number(times, "Interval-max")),
        worst_ii=max(slowest, default=None),
        lut=_number(area, "LUT") or 0,
        ff=_number(area, "FF") or 0,
        bram_18k=_number(area, "BRAM_18K") or 0,
        dsp=_number(area, "DSP") or _number(area, "DSP48E") or 0,
        cosim=passed[1] if passed else "",
    )


def table(reports: list[Report]) -> str:
    """For people, in Markdown."""

    def span(pair: tuple[int | None, int | None]) -> str:
        low, high = ("?" if value is None else f"{value:,}" for value in pair)
        return low if low == high else f"{low}..{high}"

    lines = [
        "| kernel | clock, ns | latency | interval | worst II | LUT | FF | BRAM18 | DSP | cosim |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for r in reports:
        lines.append(
            f"| {r.kernel} | {r.clock_ns:.2f} | {span(r.latency)} | {span(r.interval)} "
            f"| {r.worst_ii or '-'} | {r.lut:,} | {r.ff:,} | {r.bram_18k} | {r.dsp} "
            f"| {r.cosim or 'not run'} |"
        )
    return "\n".join(lines)


def synthesise(kernel: str, cosim: bool, timeout_s: float) -> Report:
    """Run all steps of one kernel.

    Raises:
        QnnError: a step fails or takes too long; the message names the log.
    """
    folder = WORK / kernel
    for number, command in enumerate(steps(kernel, folder, cosim)):
        log = folder / f"step{number}.log"
        print(f"{kernel}: {' '.join(command)}", file=sys.stderr, flush=True)
        begin = time.monotonic()
        with (
            process_session.started(command, folder, limit_s=timeout_s) as process,
            open(log, "w", buffering=1) as output,
        ):
            output.writelines(process.stdout)
            status = process.wait()
        if status and time.monotonic() - begin >= timeout_s:
            raise QnnError(f"kernel {kernel}: no end after {timeout_s:g} s: {log}")
        if status:
            raise QnnError(f"kernel {kernel}: {command[0]} failed: see {log}")
    csynth = sorted(folder.rglob("csynth.xml"))
    if not csynth:
        raise QnnError(f"kernel {kernel}: synthesis has left no csynth.xml in {folder}")
    rpt = sorted(folder.rglob("*_cosim.rpt"))
    report = parse(kernel, csynth[0].read_text(), rpt[0].read_text() if rpt else "")
    if cosim and report.cosim != "Pass":
        raise QnnError(f"kernel {kernel}: co-simulation says {report.cosim or 'nothing'}: {folder}")
    return report


def main(arguments: list[str] | None = None) -> int:
    description, _, example = (__doc__ or "").partition("Example: ")
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f"Example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--no-cosim", action="store_true", help="only C simulation and synthesis")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds a step may take; 7200")
    parser.add_argument("--json", action="store_true", help="print JSON, not the table")
    options = parser.parse_args(arguments)
    unknown = set(options.kernels) - set(NAMES)
    if unknown:
        parser.error(f"unknown kernel {sorted(unknown)[0]}; there are {', '.join(NAMES)}")
    if vitis() is None:
        print("no Vitis HLS: neither v++ and vitis-run nor vitis_hls is in PATH", file=sys.stderr)
        return 2
    out = outputs.make_folder(ROOT / "build") / "hls.json"
    reports, failed, stopped = [], 0, False
    try:
        for kernel in options.kernels or NAMES:
            try:
                reports.append(synthesise(kernel, not options.no_cosim, options.timeout))
            except QnnError as error:
                print(f"hls: {error}", file=sys.stderr)
                failed += 1
    except KeyboardInterrupt:
        stopped = True
        print("hls: stopped: the table has what is finished", file=sys.stderr)
    text = json.dumps({"rows": [asdict(report) for report in reports]}, indent=2)
    outputs.write(out, text + "\n", whole=not stopped)
    print(text if options.json else table(reports))
    return script.STOPPED if stopped else int(failed > 0)


if __name__ == "__main__":
    script.end("hls", main)
