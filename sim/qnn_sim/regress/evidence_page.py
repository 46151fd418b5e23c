# SPDX-License-Identifier: BSD-3-Clause
"""The page of an evidence pack: what was run, of which state of the files, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from qnn_sim.regress import page, sections
from qnn_sim.regress.evidence import KINDS, MISSING, THIS, Data, Found, name_in_pack
from qnn_sim.regress.inputs import Origin
from qnn_sim.regress.markup import Markup, link, table, tag, tile
from qnn_sim.regress.run import Run


@dataclass(frozen=True)
class Pack:
    """What a pack says.

    Attributes:
        made: local time, ISO 8601.
        origin: the state of the files that it is about.
        tools: versions, by name.
        found: the results, in the order of KINDS.
    """

    made: str
    origin: Origin
    tools: Mapping[str, str]
    found: Sequence[Found]

    @property
    def complete(self) -> bool:
        """Every result is there, good, and of this state of the files."""
        return all(one.counts for one in self.found)


def verdict(pack: Pack) -> str:
    """One sentence."""
    if pack.complete:
        return f"All {len(pack.found)} results are of this state of the files, and good"
    good = sum(one.counts for one in pack.found)
    bad = sum(one.good is False for one in pack.found)
    missing = sum(one.state == MISSING for one in pack.found)
    parts = [f"{good} of {len(pack.found)} results are of this state of the files and good"]
    if bad:
        parts.append(f"{bad} bad")
    if missing:
        parts.append(f"{missing} missing")
    if other := len(pack.found) - missing - sum(one.state == THIS for one in pack.found):
        parts.append(f"{other} of another state")
    return ", ".join(parts)


def _head(pack: Pack) -> Markup:
    origin = pack.origin
    facts = {
        "commit": (origin.commit or "none") + (" with changes" if origin.changed else ""),
        "digest of all files": origin.tree,
        "made": pack.made.replace("T", " "),
    }
    count = sum(one.counts for one in pack.found)
    tiles = [
        tile(count, "results that count", "good" if pack.complete else "warn"),
        tile(len(pack.found) - count, "that do not", "" if pack.complete else "bad"),
    ]
    return page.head(verdict(pack), pack.complete, facts, tiles)


def _results(pack: Pack) -> Markup:
    rows = []
    for one in pack.found:
        kind = KINDS[one.name]
        says = {None: "", True: "good", False: "bad"}[one.good]
        rows.append(
            [
                link(name_in_pack(one.name), kind.title) if one.state != MISSING else kind.title,
                tag("span", one.state, "good" if one.state == THIS else "warn"),
                tag("span", says or "-", says or "soft"),
                one.figures or f"make {kind.target} was not run",
                _code(one.command or f"make {kind.target}"),
                one.began.replace("T", " "),
                _code(one.commit[:12]),
            ]
        )
    head = ("result", "of", "says", "figures", "command", "began", "commit")
    return table("What was run, and what it says", head, rows)


def _proofs(data: Data) -> Markup:
    rows = [
        [
            row["unit"],
            ", ".join(f"{name} {value}" for name, value in row["parameters"].items()),
            row["groups"],
            row["method"],
            tag("span", row["result"], "good" if row["good"] else "bad"),
            float(row["seconds"]),
        ]
        for row in data.get("proofs", [])
    ]
    head = ("module", "parameters", "what", "method", "result", "seconds")
    caption = "Proofs, and faults planted in what is proven"
    return table(caption, head, rows, (5,)) if rows else Markup("")


def _survivors(results: Mapping[str, Data]) -> Markup:
    """Faults of the netlist, then changes of lines, each with the command that tries it again."""
    rows = [
        [KINDS["mutation"].title, ", ".join(one["places"][:2]), one["fault"], _code(one["repeat"])]
        for one in results.get("mutation", {}).get("survivors", [])
    ]
    for name in ("mutation-host", "mutation-hls"):
        for one in results.get(name, {}).get("survivors", []):
            place, _, what = one["change"].partition(": ")
            rows.append([KINDS[name].title, place, what, _code(one["repeat"])])
    head = ("of", "place", "fault", "tries it again")
    return table("What no test found", head, rows) if rows else Markup("")


def _code(text: str) -> Markup:
    return Markup(f"<code>{escape(text)}</code>")


def _soak_failures(data: Data) -> Markup:
    rows = [[one["repeat"], one["why"][-400:]] for one in data.get("failures", [])]
    return table("Failures of the soak", ("repeat it", "why"), rows) if rows else Markup("")


def _tools(pack: Pack) -> Markup:
    rows = sorted(pack.tools.items(), key=lambda item: item[0].lower())
    inside = table("Versions of all tools", ("tool", "version"), rows)
    return Markup(f"<details><summary>{len(rows)} tools and packages</summary>{inside}</details>")


def _regression(results: Mapping[str, Data]) -> Run:
    """What the sections of a regression are made from, with what other commands have left."""
    fields: dict[str, Any] = dict(results.get("regression", {}))
    fields.pop("format", None)
    run = Run(**fields) if fields else Run("", "part", "", False, 0, "", {})
    run.agreement = results.get("agreement", {}).get("rows", [])
    run.synth = results.get("synthesis", {})
    run.networks = results.get("cycles", {})
    return run


def render(pack: Pack, results: Mapping[str, Data]) -> str:
    """The page.

    Args:
        results: the JSON of those that are there, by name.
    """
    run = _regression(results)
    shown = {
        "results": ("What was run", _results(pack)),
        "agreement": ("Agreement with the golden model", sections.agreement(run)),
        "code": ("Code coverage", sections.code(run)),
        "bins": ("Functional coverage", sections.bins(run)),
        "uncovered": ("Not covered", sections.uncovered(run)),
        "proofs": ("Proofs", _proofs(results.get("proofs", {}))),
        "mutation": ("Mutation", _survivors(results)),
        "soak": ("Soak", _soak_failures(results.get("soak", {}))),
        "networks": ("Networks, cycle by cycle", sections.networks(run)),
        "synthesis": ("Synthesis for the XC7Z020", sections.synthesis(run)),
        "tools": ("Tools", _tools(pack)),
    }
    footer = Markup(
        f"The same as JSON: {link('evidence.json', 'evidence.json')}; digests of the files of the"
        f" checkout: {link('inputs.sha256', 'inputs.sha256')}, of those of this folder:"
        f" {link('SHA256SUMS', 'SHA256SUMS')}. <code>scripts/evidence.py --check FOLDER</code> in a"
        " checkout of this commit checks all of it."
    )
    return page.render(f"{verdict(pack)}: evidence for qnn", _head(pack), shown, footer)
