# SPDX-License-Identifier: BSD-3-Clause
"""The page of a regression."""

from __future__ import annotations

from html import escape
from pathlib import Path

from qnn_sim import outputs
from qnn_sim.regress import page, sections
from qnn_sim.regress.markup import Markup, link
from qnn_sim.regress.run import Run

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
    footer = Markup(
        f"Written by <code>{escape(run.command)}</code>; the same as JSON:"
        f" {link(data.name, data.name)}, for CI servers: {link(junit.name, junit.name)}."
    )
    shown = {name: (title, make(run)) for name, (title, make) in PARTS.items()}
    title = f"{sections.verdict(run)}: regression of qnn"
    return page.render(title, sections.head(run), shown, footer)


def write(run: Run, path: Path, whole: bool = True) -> Path:
    """Where it is now: see qnn_sim.outputs."""
    return outputs.write(path, render(run, whole), whole)
