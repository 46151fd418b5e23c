# SPDX-License-Identifier: BSD-3-Clause
"""Draws the block diagram of the accelerator, rtl/engine.svg; its source is the tables below.

python scripts/draw_engine.py            write rtl/engine.svg
python scripts/draw_engine.py --check    write nothing; fail where the file differs
"""

import argparse
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "rtl/engine.svg"
WIDTH, HEIGHT = 1052, 506


@dataclass(frozen=True)
class Block:
    """A rectangle that stands for `modules` of rtl/; the first one is its title."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    modules: tuple[str, ...]
    notes: tuple[str, ...]
    count: str = ""


@dataclass(frozen=True)
class Arrow:
    """A polyline with a head at its last point, and a label at `at`."""

    points: tuple[tuple[int, int], ...]
    label: str = ""
    at: tuple[int, int] = (0, 0)


BLOCKS = (
    Block(20, 24, 96, 64, "outside", ("host",), ("registers,", "interrupt")),
    Block(20, 150, 96, 332, "outside", ("memory",), ("command list,", "parameters,", "maps")),
    Block(196, 24, 150, 64, "control", ("qnn_csr",), ("registers",)),
    Block(
        416, 24, 220, 64, "control", ("qnn_control", "qnn_command_check"),
        ("checks the whole list, then walks it;", "errors, time-out, account of cycles"),
    ),
    Block(
        196, 150, 150, 156, "memory", ("qnn_read_dma", "qnn_fifo"),
        ("bursts of up to 16 beats,", "each checked against", "the two windows,",
         "started only when", "its data can be taken"), "\u00d7 Ports"
    ),
    Block(
        416, 150, 220, 64, "memory", ("qnn_weight_loader", "qnn_threshold_parts"),
        ("runs ahead through the list,", "as far as there is room"), "\u00d7 Ports"
    ),
    Block(
        416, 242, 220, 64, "memory", ("qnn_input_loader",),
        ("channel blocks or tight rows", "into rows of bits"),
    ),
    Block(
        706, 242, 104, 64, "data", ("qnn_window",), ("any 64 bits", "of the map"), "\u00d7 Pixels"
    ),
    Block(
        880, 130, 152, 240, "data", (
            "qnn_pe_group", "qnn_popcount", "qnn_triples", "qnn_count7", "qnn_threshold",
            "qnn_at_least", "qnn_at_least_part", "qnn_sum_pair", "qnn_accumulator",
            "qnn_dsp_accumulator", "qnn_ram",
        ),
        ("8 channels \u00d7 Pixels", "pixels: weights,", "counts, sums, thresholds"),
        "\u00d7 Pe / 8",
    ),
    Block(880, 24, 152, 64, "data", ("qnn_word_bank", "qnn_word_sum", "qnn_skew"),
          ("16-bit products",)),
    Block(
        560, 338, 250, 56, "control", ("qnn_sequencer", "qnn_walker"),
        ("tile, pixels, plane, pass, kernel row, word",),
    ),
    Block(880, 426, 104, 56, "data", ("qnn_readout", "qnn_requant"), ("codes or sums",)),
    Block(732, 426, 104, 56, "data", ("qnn_row_fifo",), ("results",)),
    Block(584, 426, 104, 56, "data", ("qnn_pool", "qnn_pool_lanes"), ("max-pool",)),
    Block(436, 426, 104, 56, "data", ("qnn_pack", "qnn_pack_lanes"), ("bit planes",)),
    Block(
        196, 426, 150, 56, "memory", ("qnn_write_dma", "qnn_wide_fifo"),
        ("bursts that are all there",)
    ),
)  # fmt: skip

ARROWS = (
    Arrow(((116, 56), (192, 56)), "AXI4-Lite", (154, 48)),
    Arrow(((346, 56), (412, 56)), "start", (379, 48)),
    Arrow(((116, 228), (192, 228)), "AXI4", (154, 220)),
    Arrow(((300, 150), (300, 119), (526, 119), (526, 92)), "list", (318, 112)),
    Arrow(((636, 56), (740, 56)), "command, to all", (688, 48)),
    Arrow(((346, 182), (412, 182))),
    Arrow(((346, 274), (412, 274))),
    Arrow(((636, 182), (876, 182)), "weights, thresholds", (750, 174)),
    Arrow(((636, 274), (702, 274)), "rows", (668, 266)),
    Arrow(((810, 274), (876, 274)), "pieces", (843, 266)),
    Arrow(((758, 338), (758, 310))),
    Arrow(((810, 366), (846, 366), (846, 292), (876, 292))),
    Arrow(((908, 130), (908, 92))),
    Arrow(((960, 88), (960, 126)), "sums", (978, 112)),
    Arrow(((932, 370), (932, 422))),
    Arrow(((880, 454), (840, 454))),
    Arrow(((732, 454), (692, 454))),
    Arrow(((584, 454), (544, 454))),
    Arrow(((436, 454), (350, 454)), "words", (393, 446)),
    Arrow(((196, 454), (120, 454)), "AXI4", (158, 446)),
)

STYLE = """
    text { font-family: sans-serif; fill: #1c2733; text-anchor: middle }
    .title { font-size: 13px; font-weight: bold }
    .inside { font-size: 11px; font-weight: bold; fill: #45525f }
    .note { font-size: 11px; fill: #45525f }
    .label { font-size: 11px; fill: #45525f }
    rect { stroke: #5b7083; stroke-width: 1.5; fill: #eef2f7 }
    .outside { fill: #ffffff; stroke-dasharray: 4 3 }
    .control { fill: #f7f1e1; stroke: #9c7a22 }
    .memory { fill: #e5f2e6; stroke: #3f7d46 }
    .data { fill: #dbe9f8; stroke: #2f6db3 }
    .back { fill: #ffffff; stroke: none }
    .arrow { fill: none; stroke: #45525f; stroke-width: 1.5; marker-end: url(#head) }
"""


def block(one: Block) -> list[str]:
    centre = one.x + one.width // 2
    title = f"{one.modules[0]} {one.count}".strip()
    wide = len(title) * 7.4 > one.width
    lines = [("title", text) for text in ((one.modules[0], one.count) if wide else (title,))]
    lines += [("inside", f"+ {name}") for name in one.modules[1:]]
    lines += [("note", note) for note in one.notes]
    step = 15
    top = one.y + (one.height - step * len(lines)) // 2 + 11
    found = [
        f'  <rect class="{one.kind}" x="{one.x}" y="{one.y}" width="{one.width}" '
        f'height="{one.height}" rx="6"/>'
    ]
    for number, (style, text) in enumerate(lines):
        found.append(
            f'  <text class="{style}" x="{centre}" y="{top + step * number}">{escape(text)}</text>'
        )
    return found


def arrow(one: Arrow) -> list[str]:
    points = " ".join(f"{x},{y}" for x, y in one.points)
    found = [f'  <polyline class="arrow" points="{points}"/>']
    if one.label:
        x, y = one.at
        found.append(f'  <text class="label" x="{x}" y="{y}">{escape(one.label)}</text>')
    return found


def svg() -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">',
        "  <!-- Generated by scripts/draw_engine.py; do not edit. -->",
        "  <title>The accelerator: modules and what flows between them</title>",
        f"  <style>{STYLE}  </style>",
        '  <defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#45525f"/></marker>'
        "</defs>",
        f'  <rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
    ]
    for one in BLOCKS:
        lines += block(one)
    for one in ARROWS:
        lines += arrow(one)
    return "\n".join([*lines, "</svg>", ""])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="example:\n  python scripts/draw_engine.py --check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="fail where the file differs")
    check, text = parser.parse_args().check, svg()
    if not check:
        OUTPUT.write_text(text)
    elif not OUTPUT.exists() or OUTPUT.read_text() != text:
        print(f"run `make diagram`: {OUTPUT.relative_to(ROOT)} differs from its source")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
