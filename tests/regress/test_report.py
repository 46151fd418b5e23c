# SPDX-License-Identifier: BSD-3-Clause
"""The page: well formed, complete, without anything from elsewhere, whatever the run was like."""

import dataclasses
import re

import pytest
from parsed_page import Page

from qnn_sim.regress import charts, report
from qnn_sim.regress.markup import percent, text
from qnn_sim.regress.run import Run


@pytest.fixture
def page(run) -> Page:
    return Page(report.render(run))


def test_everything_is_on_it(page, run):
    assert page.ids == set(report.PARTS)
    shown = " ".join(page.words)
    for words in (
        "2 of 4 cases failed", "1 < 2 &", "test_<x>", "never <reached>", run.cases[1]["repeat"],
        "neither covered nor listed: x", "12\u202f344", "rtl/a.sv", "90.0", "conv1", "host/2",
        "118.5", "1 min 15 s", "u.x[0-2], on, m[1][7]",
    ):  # fmt: skip
        assert words in shown, words


def test_nothing_comes_from_elsewhere(page, run):
    files = {case[kind] for case in run.cases for kind in ("log", "waves")} - {""}
    for target in page.targets:
        inside = target.startswith("#") and target[1:] in page.ids
        assert inside or target in files | {"result.json", "junit.xml"}, target
    assert not re.search(r"https?://|@import|url\(", report.render(run))


def test_links_of_failures_lead_to_log_and_waves(page, run):
    assert run.cases[1]["waves"] in page.targets and run.cases[1]["log"] in page.targets


def test_a_run_of_nothing(run):
    empty = Run("2026-01-02T03:04:05+00:00", "part", "", False, 1, "regress.py", {})
    page = Page(report.render(empty))
    assert "Nothing was run" in " ".join(page.words)
    assert page.ids == set()


def test_a_synthesis_of_an_older_project_has_no_section(run):
    del run.synth["device"]
    assert set(report.PARTS) - Page(report.render(run)).ids == {"synthesis"}


def test_verdict_of_a_run_that_covers_too_little(run):
    run = dataclasses.replace(run, cases=run.cases[:1])
    page = Page(report.render(run))
    assert "All 1 cases passed, but too little is covered" in " ".join(page.words)


def test_verdict_names_what_was_skipped(run):
    run = dataclasses.replace(run, cases=[run.cases[0], *run.skipped])
    page = Page(report.render(run))
    assert "No case failed, 1 of 2 were skipped, but too little" in " ".join(page.words)


def test_numbers():
    assert percent(99.97) == "99.9\u202f%" and percent(100.0) == "100.0\u202f%"
    assert text(1234567) == "1\u202f234\u202f567" and text("<") == "&lt;"


def test_bar_keeps_to_its_scale():
    drawn = charts.bar([("a", 30), ("b", 0), ("c", 50)], 200, 40)
    spans = re.findall(r'class="(\w)" x="([\d.]+)" y="0" width="([\d.]+)"', drawn)
    assert [(kind, float(x), float(width)) for kind, x, width in spans] == [
        ("a", 20, 15), ("c", 35, 25),
    ]  # fmt: skip


def test_sparkline_has_gaps_where_nothing_is_known():
    assert charts.sparkline([None, None], "x") == ""
    drawn = charts.sparkline([1.0, 2.0, None, 3.0, 4.0], "a & b")
    assert drawn.count("<polyline") == 2 and 'aria-label="a &amp; b"' in drawn


def test_roofline_points_lie_inside():
    points = [("a", 0.004, 0.003), ("b", 50.0, 0.98), ("<c>", 1.0, 1.0)]
    drawn = charts.roofline(points, 0.8, "roof")
    places = re.findall(r'<circle class="point" cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert len(places) == 3 and "&lt;c&gt;" in drawn
    for x, y in places:
        assert charts.LEFT <= float(x) <= charts.WIDTH - charts.RIGHT
        assert charts.TOP <= float(y) <= charts.HEIGHT - charts.BOTTOM
