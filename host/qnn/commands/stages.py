# SPDX-License-Identifier: BSD-3-Clause
"""What `qnn bench --stages` prints."""

from __future__ import annotations

from typing import Any

from qnn.measure.stages import AROUND, QUANTISE, Report, Stage


def document(report: Report) -> dict[str, Any]:
    """In JSON."""
    name, size = report.picture
    return {
        "picture": {"name": name, "size": list(size)},
        "pillow": {"does": "open + resize", "to": list(report.resized_to), "ms": report.pillow.ms},
        "stages": [{"stage": one.name, "ms": one.ms, "ratio": one.ratio} for one in report.stages],
        "ratios_of": "instructions" if report.unit == "instructions" else "time",
        "around": {"stages": list(AROUND), "share_of_decode": report.share},
        "pictures_per_s": report.pictures_per_s,
        "import_s": report.process.import_s,
        "ready_s": report.process.ready_s,
        "peak_mb": report.process.peak_mb,
        "libraries_mb": report.process.libraries_mb,
    }


def lines(report: Report, task: str) -> list[str]:
    """For people."""
    name, size = report.picture
    width, height = report.resized_to
    process = report.process
    found = [f"{'stage':<14}{'ms':>10}{'times Pillow':>14}"]
    found += [_line(one) for one in [report.pillow, *report.stages]]
    quantises = any(one.name == QUANTISE for one in report.stages)
    parts = "pixels, scale and quantise" if quantises else "pixels and scale"
    found += [
        "",
        f"pillow: its own open and resize of {name}, {size[0]} x {size[1]}, to {width} x {height}; "
        f"decode is {parts} in one",
    ]
    *some, last = AROUND
    found.append(f"{', '.join(some)} and {last} take {report.share:.1%} of decode")
    if report.unit == "instructions":
        found.append("ratios and this share are of instructions, as counted in this run")
    if report.pictures_per_s is None:
        found.append("offload: modelled, simulated cycles / clock")
    if report.pictures_per_s is not None:
        found.append(f"{report.pictures_per_s:.2f} pictures a second, from file to result")
    found.append(
        f"import qnn takes {process.import_s:.2f} s, with all that a network on the CPU uses "
        f"{process.ready_s:.2f} s"
    )
    if process.peak_mb is not None and process.libraries_mb is not None:
        apart = ", without the simulation" if report.pictures_per_s is None else ""
        found.append(
            f"qnn {task} of one picture takes {process.peak_mb:.0f} MB at its peak{apart}; the "
            f"interpreter, numpy and pillow take {process.libraries_mb:.0f} MB"
        )
    return found


def _line(one: Stage) -> str:
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    return f"{one.name:<14}{one.ms:>10.2f}{ratio:>14}".rstrip()
