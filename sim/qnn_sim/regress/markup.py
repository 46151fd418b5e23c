# SPDX-License-Identifier: BSD-3-Clause
"""Small pieces of HTML. Plain text goes through `text`; whatever else is a `Markup` already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """HTML, not to be escaped again."""


Cell = str | int | float | None


def text(value: Cell) -> Markup:
    """As a reader writes it: thousands with thin spaces, at most one digit behind the point."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup('<span class="soft">none</span>')
    if isinstance(value, int):
        return Markup(f"{value:,}".replace(",", "\u202f"))
    if isinstance(value, float):
        return Markup(f"{value:,.1f}".replace(",", "\u202f"))
    return Markup(escape(value))


def tag(name: str, inside: Cell, kind: str = "") -> Markup:
    """<name class=kind>inside</name>."""
    attribute = f' class="{kind}"' if kind else ""
    return Markup(f"<{name}{attribute}>{text(inside)}</{name}>")


def link(target: str, label: str) -> Markup:
    return Markup(f'<a href="{escape(target)}">{escape(label)}</a>')


def percent(value: float | None) -> Markup:
    """Never 100 where something is missing."""
    if value is None:
        return Markup('<span class="soft">not recorded</span>')
    shown = f"{value:.1f}"
    return Markup(f"{'99.9' if shown == '100.0' and value < 100 else shown}\u202f%")


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    numbers: Iterable[int] = (),
    wide: Iterable[int] = (),
) -> Markup:
    """A table that scrolls sideways where it is too wide; the first column names the row.

    Args:
        numbers: columns that are numbers, and `wide` those that hold bars.
    """
    kinds = {**dict.fromkeys(numbers, "number"), **dict.fromkeys(wide, "wide")}

    def row(cells: Sequence[Cell]) -> str:
        first = f'<th scope="row">{text(cells[0])}</th>'
        rest = (tag("td", cell, kinds.get(i, "")) for i, cell in enumerate(cells[1:], 1))
        return f"<tr>{first}{''.join(rest)}</tr>"

    titles = "".join(
        f'<th scope="col" class="{kinds.get(i, "")}">{escape(name)}</th>'
        for i, name in enumerate(head)
    )
    return Markup(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption><span>{escape(caption)}</span></caption><thead><tr>{titles}</tr></thead>"
        f"<tbody>{''.join(map(row, rows))}</tbody></table></div>"
    )


def tile(value: Cell, label: str, kind: str = "") -> Markup:
    """One figure with what it is."""
    return Markup(f'<div class="tile">{tag("b", value, kind)}{tag("span", label)}</div>')
