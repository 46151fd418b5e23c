# SPDX-License-Identifier: BSD-3-Clause
"""The frame of a page: one HTML file that needs no server, no network and no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from qnn_sim.regress.markup import Markup

HERE = Path(__file__).parent


def head(verdict: str, good: bool, facts: Mapping[str, str], tiles: Sequence[str]) -> Markup:
    """Verdict, facts by name, and the figures that matter, each a tile of markup.py."""
    shown = "".join(
        f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items()
    )
    return Markup(
        f'<h1 class="{"good" if good else "bad"}">{escape(verdict)}</h1>'
        f'<dl class="facts">{shown}</dl><div class="tiles">{"".join(tiles)}</div>'
    )


def render(
    title: str, head: Markup, sections: Mapping[str, tuple[str, Markup]], footer: Markup
) -> str:
    """A page with a link to each section.

    Args:
        title: in plain text.
        sections: by their id, what each is called, and what is in it; empty ones are left out.
    """
    shown = {name: part for name, part in sections.items() if part[1]}
    contents = " ".join(f'<a href="#{name}">{called}</a>' for name, (called, _) in shown.items())
    body = "\n".join(
        f'<section id="{name}"><h2>{called}</h2>{inside}</section>'
        for name, (called, inside) in shown.items()
    )
    style, script = ((HERE / f"page.{kind}").read_text() for kind in ("css", "js"))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<header>{head}
<nav aria-label="Sections">{contents}</nav></header>
<main>
{body}
</main>
<footer>{footer}</footer>
<script>
{script}</script>
</body>
</html>
"""
