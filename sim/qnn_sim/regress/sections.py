# SPDX-License-Identifier: BSD-3-Clause
"""The sections of the page, each made from a Run; empty where there is nothing to tell."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from itertools import combinations
from typing import Any

from qnn_sim.regress import charts, functional, page
from qnn_sim.regress.case import GOOD
from qnn_sim.regress.markup import Markup, link, percent, table, tag, text, tile
from qnn_sim.regress.run import LEAST_BINS, LEAST_LINES, Run
from qnn_sim.rtl_engine import PUBLISHED

RESOURCES = {"lut": "LUT", "ff": "flip-flops", "bram36": "BRAM36", "dsp": "DSP48"}
BEATS_A_CYCLE = 1 - 1 / PUBLISHED.period  # of the memory that `make bench-rtl` measures with
PARTS = {  # of a layer's cycles -> class and what it means
    "busy": ("busy", "lanes busy"),
    "wait_weights": ("weights", "waits for weights"),
    "wait_input": ("input", "waits for input"),
    "wait_output": ("output", "waits for output"),
    "rest": ("rest", "between commands"),
}


def minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{seconds:.1f} s"


def verdict(run: Run) -> str:
    """One sentence: how it went."""
    if run.failed:
        return f"{len(run.failed)} of {len(run.cases)} cases failed"
    if not run.cases:
        return "Nothing was run"
    passed = f"All {len(run.cases)} cases passed"
    if run.skipped:
        passed = f"No case failed, {len(run.skipped)} of {len(run.cases)} were skipped"
    return f"{passed}, but too little is covered" if run.shortfalls or run.complaints else passed


def head(run: Run) -> Markup:
    """Verdict, facts of the run, and the figures that matter."""
    changed = " with changes" if run.changed else ""
    facts = {
        "commit": (run.commit[:12] or "none") + changed,
        "kind": run.kind,
        "base seed": str(run.base_seed),
        "started": run.started.replace("T", " "),
        "took": minutes(run.seconds),
        **run.machine,
    }
    wrong = sum(row["mismatches"] for row in run.agreement)
    compared = sum(row["values"] for row in run.agreement) - wrong
    tiles = [
        tile(len(run.cases) - len(run.failed) - len(run.skipped), "cases passed"),
        tile(len(run.failed), "cases failed", "bad" if run.failed else "good"),
        tile(len(run.skipped), "cases skipped", "warn" if run.skipped else ""),
        tile(percent(run.percent("lines")), f"of lines; at least {LEAST_LINES:g}"),
        tile(percent(run.percent("bins")), f"of functional bins; at least {LEAST_BINS:g}"),
        tile(compared, f"values equal to the golden model, {text(wrong)} not", "bad" * bool(wrong)),
    ]
    return page.head(verdict(run), not run.bad, facts, tiles)


def failures(run: Run) -> Markup:
    """Every failing case with the command that repeats it."""
    parts = []
    for case in run.failed:
        links = [link(case["log"], "log")]
        if case["waves"]:
            links.append(link(case["waves"], "waves"))
        command = escape(case["repeat"])
        parts.append(
            f'<div class="failure"><h3>{escape(case["name"])}</h3>'
            f'<p><span class="bad">{escape(case["outcome"])}</span>, seed {case["seed"]}, '
            f"{minutes(case['seconds'])}, {' and '.join(links)}</p>"
            f"<pre>{escape(case['message'])}</pre>"
            f'<div class="command"><pre>{command}</pre>'
            f'<button type="button" hidden data-copy="{command}">Copy</button></div></div>'
        )
    return Markup("".join(parts))


def agreement(run: Run) -> Markup:
    """Values compared with the golden model, for each kernel and implementation."""
    rows = [
        [
            row["kernel"],
            row["implementation"].upper(),
            row["configurations"],
            row["values"],
            tag("span", row["mismatches"], "bad" if row["mismatches"] else "good"),
        ]
        for row in run.agreement
    ]
    head = ("kernel or network", "implementation", "configurations", "values", "mismatches")
    caption = "Values that came out, each compared with the golden model"
    return table(caption, head, rows, (2, 3, 4)) if rows else Markup("")


def _share(covered: int, total: int) -> Markup:
    return percent(100 * covered / total) if total else Markup('<span class="soft">-</span>')


def _ranges(lines: list[int]) -> str:
    """3, 5-7"""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][1] + 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def _signals(bits: list[str]) -> str:
    """count, row[3, 5-7]"""
    places: dict[str, list[int]] = {}
    for bit in bits:
        name, _, place = bit.removesuffix("]").rpartition("[")
        if name and place.isdigit():
            places.setdefault(name, []).append(int(place))
        else:
            places[bit] = []
    return ", ".join(
        f"{name}[{_ranges(sorted(found))}]" if found else name for name, found in places.items()
    )


def code(run: Run) -> Markup:
    """Lines, branches and toggles by file."""
    if not run.code:
        return Markup("")
    rows = []
    for name, file in run.code.items():
        covered, total = file["lines"]
        filled = charts.bar([("covered", covered), ("track", total - covered)], max(total, 1))
        rows.append(
            [
                name,
                Markup(filled),
                _share(covered, total),
                _share(*file["branches"]),
                _share(*file["toggles"]),
                _ranges(file["missing"]),
                _signals(file["still"]),
            ]
        )
    rows.append(
        [
            "all",
            "",
            *(percent(run.percent(what)) for what in ("lines", "branches", "toggles")),
            "",
            "",
        ]
    )
    head = (
        "file",
        "",
        "lines",
        "branches",
        "toggles",
        "lines not covered",
        "bits that stood still",
    )
    caption = "Code coverage of rtl/, all instances and configurations of a module together"
    return table(caption, head, rows, (2, 3, 4), (1,))


def bins(run: Run) -> Markup:
    """For each pair of dimensions, how many of its pairs of values were met."""
    if not run.bins:
        return Markup("")
    parts = []
    for group, dimensions in functional.GROUPS.items():
        names = list(dimensions)
        counts: dict[tuple[str, str], list[int]] = {}
        for a, b in combinations(names, 2):
            own = [f"{group}: {a}={x} & {b}={y}" for x in dimensions[a] for y in dimensions[b]]
            counts[a, b] = [sum(bool(run.bins.get(name)) for name in own), len(own)]
        rows = []
        for row, a in enumerate(names[:-1]):
            cells = []
            for column, b in enumerate(names[1:], 1):
                if column <= row:
                    cells.append("<td></td>")
                    continue
                covered, total = counts[a, b]
                kind = "all" if covered == total else "some" if covered else "none"
                shown = str(total) if covered == total else f"{covered}/{total}"
                cells.append(f'<td class="{kind}">{shown}</td>')
            rows.append(f'<tr><th scope="row">{escape(a)}</th>{"".join(cells)}</tr>')
        titles = "".join(f'<th scope="col">{escape(name)}</th>' for name in names[1:])
        caption = f"Pairs of values of two properties of {group} that were met, of how many"
        parts.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
            f'<table class="matrix"><caption><span>{escape(caption)}</span></caption>'
            f"<thead><tr><td></td>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )
    return Markup("<p></p>".join(parts))


def uncovered(run: Run) -> Markup:
    """What is not covered: with its reason where it is listed."""
    rows = [[what, reason] for what, reason in sorted(run.reasons.items())]
    complaints = "".join(f"<li>{escape(text)}</li>" for text in (*run.shortfalls, *run.complaints))
    parts = []
    if complaints:
        parts.append(f'<h3 class="bad">To mend</h3><ul>{complaints}</ul>')
    if rows:
        parts.append(table("Not covered, and why that is right", ("what", "reason"), rows))
    return Markup("".join(parts))


def _cycles(layer: dict[str, Any]) -> list[tuple[str, float]]:
    found = {name: float(layer[name]) for name in PARTS if name != "rest"}
    found["rest"] = max(layer["cycles"] - sum(found.values()), 0.0)
    return [(PARTS[name][0], value) for name, value in found.items()]


def networks(run: Run) -> Markup:
    """Timeline and roofline of each network."""
    found = run.networks.get("networks", {})
    if not found:
        return Markup("")
    key = "".join(
        f'<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{kind}" width="10" '
        f'height="10"/></svg>{escape(meaning)}</li>'
        for kind, meaning in PARTS.values()
    )
    parts = [
        '<p class="soft">Table: when each layer ran, and what it spent its cycles on. Chart: the '
        "share of all lanes that it used, under the roofs that lanes and memory set. A layer may "
        "lie above the slope: its weights were read while those before it ran.</p>"
        f'<ul class="key">{key}</ul>'
    ]
    for name, result in found.items():
        total = float(sum(layer["cycles"] for layer in result["layers"]))
        rows, points, at = [], [], 0.0
        for number, layer in enumerate(result["layers"], 1):
            rows.append(
                [
                    f"{number} {layer['name']}",
                    Markup(charts.bar(_cycles(layer), total, at)),
                    layer["cycles"],
                    layer["ideal_cycles"],
                    percent(100 * layer["busy"] / layer["cycles"]),
                ]
            )
            at += layer["cycles"]
            if layer.get("beats") and layer["ideal_cycles"]:  # else it lies at minus infinity
                share = layer["ideal_cycles"] / layer["cycles"]
                points.append((layer["name"], layer["ideal_cycles"] / layer["beats"], share))
        caption = f"{name}: {text(result['cycles'])} cycles, {text(result['ideal_cycles'])} if all "
        caption += "lanes always worked"
        if "cycles_resident" in result:
            caption += f"; {text(result['cycles_resident'])} with weights that are on chip"
        head = ("layer", "when", "cycles", "ideal", "busy")
        timeline = table(caption, head, rows, (2, 3, 4), (1,))
        figure = ""
        if points:
            label = f"Roofline of {name}: share of the peak over products for each beat"
            figure = f"<figure>{charts.roofline(points, BEATS_A_CYCLE, label)}</figure>"
        parts.append(f'<h3>{escape(name)}</h3><div class="network">{timeline}{figure}</div>')
    return Markup("".join(parts))


def synthesis(run: Run) -> Markup:
    """What the accelerator needs of the device."""
    if "device" not in run.synth:  # nothing was synthesised, or by an older project
        return Markup("")
    device = []
    for kind, name in RESOURCES.items():
        used, available = run.synth[kind], run.synth["device"][kind]
        filled = charts.bar([("covered", used), ("track", max(available - used, 0))], available)
        device.append([name, Markup(filled), used, available, percent(100 * used / available)])
    modules = [
        [m["module"], m["instances"], m["lut"], m["ff"], m["bram36"], m["dsp"], m["longest_path"]]
        for m in run.synth["modules"]
    ]
    head = ("module", "times", *RESOURCES.values(), "cells in a row")
    caption = "Each with all below it; cells in a row are the longest path between registers"
    return Markup(
        table(
            "After synthesis by Yosys, no place and route",
            ("resource", "", "used", "of the XC7Z020", "share"),
            device,
            (2, 3, 4),
            (1,),
        )
        + "<details><summary>By module</summary>"
        + table(caption, head, modules, range(1, 7))
        + "</details>"
    )


def trend(run: Run) -> Markup:
    """Runs of the same kind before this one."""
    rows = [row for row in run.history if row["kind"] == run.kind]
    if len(rows) < 2:
        return Markup("")
    series: dict[str, list[float | None]] = {
        "cases": [row["cases"] for row in rows],
        "failed": [row["failed"] for row in rows],
        "minutes": [row["seconds"] / 60 for row in rows],
        "lines covered, %": [row["lines"] for row in rows],
        "bins covered, %": [row["bins"] for row in rows],
        "LUT": [row["lut"] for row in rows],
    }
    for name in run.networks.get("networks", {}):
        series[f"cycles of {name}"] = [row["cycles"].get(name) for row in rows]
    tiles = []
    for name, values in series.items():
        known = [value for value in values if value is not None]
        if not known:
            continue
        now, before = known[-1], known[-2] if len(known) > 1 else known[-1]
        change = now - before
        note = "as before" if not change else f"{'+' if change > 0 else ''}{text(change)}"
        label = f"{name}, the last {len(values)} runs: from {text(known[0])} to {text(now)}"
        tiles.append(
            f'<div class="tile"><b>{text(now)}</b><span>{escape(name)}, {note}</span>'
            f"{charts.sparkline(values, label)}</div>"
        )
    first = escape(rows[0]["started"][:10])
    return Markup(
        f'<p class="soft">{len(rows)} {run.kind} runs since {first}; the change is to the run '
        "before.</p>"
        f'<div class="trends">{"".join(tiles)}</div>'
    )


def workers(run: Run) -> Markup:
    """Who ran what."""
    found: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for case in run.cases:
        row = found[case["worker"] or "nobody"]
        row[0] += 1
        row[1] += case["outcome"] not in GOOD
        row[2] += case["seconds"]
    rows = [(name, int(n), int(bad), minutes(s)) for name, (n, bad, s) in sorted(found.items())]
    head = ("worker (host/process)", "cases", "failed", "time in cases")
    return table("Who ran what", head, rows, (1, 2, 3)) if len(rows) > 1 else Markup("")


def cases(run: Run) -> Markup:
    """All of them, failures first."""
    if not run.cases:
        return Markup("")
    kinds = {"passed": "good", "skipped": "warn"}
    ranked = sorted(run.cases, key=lambda c: (c["outcome"] in GOOD, c["name"], c["seed"]))
    rows = [
        [
            case["name"].removeprefix("tests/"),
            Markup(f"<code>{case['seed']}</code>"),
            tag("span", case["outcome"], kinds.get(case["outcome"], "bad")),
            float(case["seconds"]),
            case["worker"],
            link(case["log"], "log"),
        ]
        for case in ranked
    ]
    head = ("case", "seed", "outcome", "seconds", "worker", "")
    found = table("All cases", head, rows, (1, 3))
    return Markup(
        '<input type="search" hidden placeholder="Words that the row must have" '
        f'aria-label="Show only rows with these words">{found}'
    )
