# SPDX-License-Identifier: BSD-3-Clause
"""Imports QONNX and ONNX files and compares their scores with those of the reference executor.

A line for each file: how far its scores are from those of the reference, in parts of their range,
and how often the best one is the same; or why it is refused. With --verify each layer and the whole
output of a backend are compared with the golden model, too: how many tensors, how many values in
them differ, and the cycles of one input. Exit status 1 where scores differ by more than float32
sums in another order may, or a layer differs at all.

    python scripts/compare_onnx.py [--inputs 50] [--seed 1] [--verify sim] [--json] FILE...
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from qnn.backends import BACKENDS
from qnn.commands.progress import Bar
from qnn_sim import script
from qnn_sim.onnx_reference import compare


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/compare_onnx.py --inputs 5 model.onnx",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="an .onnx file")
    parser.add_argument("--inputs", type=int, default=50, metavar="N", help="of each network (50)")
    parser.add_argument("--seed", type=int, default=1, help="of the random inputs (1)")
    parser.add_argument(
        "--verify",
        metavar="BACKEND",
        choices=BACKENDS,
        help="compare each layer with the golden model, too: sim is the RTL",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    arguments = parser.parse_args()
    if arguments.inputs < 1 or arguments.seed < 0:
        parser.error("--inputs is a number from 1 on, --seed one from 0 on")
    found = []
    with Bar("comparing", "networks") as bar:
        for number, path in enumerate(arguments.files):
            bar.update(number, len(arguments.files))
            found.append(compare(path, arguments.inputs, arguments.seed, arguments.verify))
            if not arguments.json:
                bar.clear()
                print(_line(found[-1]), flush=True)
    accepted = [one for one in found if one.refusal is None]
    good = sum(one.good for one in accepted)
    if arguments.json:
        rows = [asdict(one) | {"good": one.good} for one in found]
        print(json.dumps({"networks": rows, "accepted": len(accepted), "agree": good}, indent=2))
    else:
        print(f"\n{len(accepted)} of {len(found)} accepted, {good} of these agree")
    return int(good < len(accepted))


def _line(one) -> str:
    if one.refusal is not None:
        return f"{one.name:26} refused: {one.refusal}"
    verdict = "agrees" if one.good else "DIFFERS"
    line = f"{one.name:26} {verdict:8}{one.error:>9.1e}{one.same_class:>6} of {one.inputs}"
    if one.tensors is None:
        return line
    cycles = "" if one.cycles is None else f"{one.cycles:>12,} cycles, bound {one.bound:,}"
    return f"{line}{one.tensors:>6} tensors,{one.mismatches:>4} values differ{cycles}"


if __name__ == "__main__":
    script.end("compare_onnx", main)
