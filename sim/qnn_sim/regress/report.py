# SPDX-License-Identifier: BSD-3-Clause
"""The page of a regression: one HTML file that needs no server, no network and no other file."""

from __future__ import annotations

from html import escape
from pathlib import Path

from qnn_sim import outputs
from qnn_sim.regress import sections
from qnn_sim.regress.run import Run

HERE = Path(__file__).parent
PARTS = {  # id -> title and the section
    "failures": ("Failures", sections.failures),
    "agreement": ("Agreement with the golden model", sections.agreement),
    "code": ("Code coverage", sections.code),
    "bins": ("Functional coverage", sections.bins),
    "uncovered": ("Not covered", sections.uncovered),
    "networks": ("Networks, cycle by cycle", sections.networks),
    "synthesis": ("Synthesis for the XC7Z020", sections.synthesis),
    "trend": ("Trend", sections.trend),
    "workers": ("Workers", sections.workers),
    "cases": ("Cases", sections.cases),
}


def render(run: Run, whole: bool = True) -> str:
    """The page of a run, or of what was done when it was stopped."""
    data, junit = (outputs.place(Path(name), whole) for name in ("result.json", "junit.xml"))
    shown = {name: (title, make(run)) for name, (title, make) in PARTS.items()}
    shown = {name: part for name, part in shown.items() if part[1]}
    contents = " ".join(f'<a href="#{name}">{title}</a>' for name, (title, _) in shown.items())
    body = "\n".join(
        f'<section id="{name}"><h2>{title}</h2>{inside}</section>'
        for name, (title, inside) in shown.items()
    )
    style, script = ((HERE / f"page.{kind}").read_text() for kind in ("css", "js"))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(sections.verdict(run))}: regression of qnn</title>
<style>
{style}</style>
</head>
<body>
<header>{sections.head(run)}
<nav aria-label="Sections">{contents}</nav></header>
<main>
{body}
</main>
<footer>Written by <code>{escape(run.command)}</code>; the same as JSON: <a href="{data}">\
{data}</a>, for CI servers: <a href="{junit}">{junit}</a>.</footer>
<script>
{script}</script>
</body>
</html>
"""


def write(run: Run, path: Path, whole: bool = True) -> Path:
    """Where it is now: see qnn_sim.outputs."""
    return outputs.write(path, render(run, whole), whole)
