# SPDX-License-Identifier: BSD-3-Clause
"""The frame of a page."""

from parsed_page import Page

from qnn_sim.regress import page
from qnn_sim.regress.markup import Markup


def test_sections_with_something_in_them_are_linked():
    shown = {"a": ("First", Markup("<p>x</p>")), "b": ("Second", Markup(""))}
    text = page.render("1 < 2", Markup("<h1>Head</h1>"), shown, Markup("<code>end</code>"))
    found = Page(text)
    assert found.ids == {"a"} and found.targets == ["#a"]
    assert "<title>1 &lt; 2</title>" in text
    for words in ("Head", "First", "x", "end"):
        assert words in found.words
