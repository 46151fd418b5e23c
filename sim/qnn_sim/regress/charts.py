# SPDX-License-Identifier: BSD-3-Clause
"""Small charts as inline SVG; their colours are classes of page.css, so they follow the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 420, 300  # of the roofline
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 44


def bar(parts: Sequence[tuple[str, float]], total: float, begin: float = 0.0) -> str:
    """One bar of parts (class, length), from `begin` on, on a scale of `total`; any width."""
    rects, at = [], begin
    for kind, length in parts:
        if length > 0:
            x, width = 100 * at / total, max(100 * length / total, 0.15)
            rects.append(
                f'<rect class="{kind}" x="{x:.3f}" y="0" width="{width:.3f}" height="10"/>'
            )
        at += length
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>"
    )


def sparkline(values: Sequence[float | None], label: str) -> str:
    """A line through the values, old to new, with a dot at the last; gaps where there are none."""
    known = [v for v in values if v is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    spread = (high - low) or 1.0
    step = 200 / max(len(values) - 1, 1)
    lines: list[list[str]] = [[]]
    x = y = 0.0
    for number, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        x = 4 + (number * step if len(values) > 1 else 200)
        y = 36 - 28 * (value - low) / spread if high > low else 22
        lines[-1].append(f"{x:.1f},{y:.1f}")
    drawn = "".join(f'<polyline points="{" ".join(line)}"/>' for line in lines if len(line) > 1)
    return (
        f'<svg class="spark" viewBox="0 0 208 44" role="img" aria-label="{escape(label)}">'
        f'{drawn}<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/></svg>'
    )


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**n for n in range(first, last + 1)]


def roofline(points: Sequence[tuple[str, float, float]], slope: float, label: str) -> str:
    """Share of the peak over arithmetic intensity, both logarithmic, under the two roofs.

    Args:
        points: name, products of all lanes for each beat of memory, and share of the peak.
        slope: beats of memory in a cycle.
    """
    known = [x for _, x, _ in points] + [1 / slope]
    ticks = _decades(min(known), max(known) * 1.5)
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    shares = _decades(min([0.1, *(y for _, _, y in points)]), 1.0)
    least = shares[0]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low) / (high - low)
        up = math.log10(y / least) / math.log10(1 / least)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (
            HEIGHT - TOP - BOTTOM
        )

    parts = []
    for tick in ticks:
        x, bottom = place(tick, least)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom:.1f}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{tick:g}</text>'
        )
    for share in shares:
        x, y = place(ticks[0], share)
        end = WIDTH - RIGHT
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>')
        parts.append(
            f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{100 * share:g}%</text>'
        )
    start = max(ticks[0], least / slope)
    corner = place(1 / slope, 1)
    first, last = place(start, min(1.0, slope * start)), place(ticks[-1], 1)
    roof = " ".join(f"{x:.1f},{y:.1f}" for x, y in (first, corner, last))
    parts.append(f'<polyline class="roof" points="{roof}"/>')
    for number, (name, x, y) in enumerate(points, 1):
        cx, cy = place(x, y)
        parts.append(
            f"<g><title>{escape(name)}: {x:.2f} products a beat, {y:.1%} of the peak</title>"
            f'<circle class="point" cx="{cx:.1f}" cy="{cy:.1f}" r="8"/>'
            f'<text class="mark" x="{cx:.1f}" y="{cy + 3.5:.1f}" text-anchor="middle">{number}'
            "</text></g>"
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
        "products of all lanes for each beat of memory</text>"
    )
    return (
        f'<svg class="roofline" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )
