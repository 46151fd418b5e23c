# SPDX-License-Identifier: BSD-3-Clause
"""A page as a test reads it."""

from html.parser import HTMLParser

VOID = {"meta", "input"}
SVG = {"rect", "line", "circle", "polyline"}


class Page(HTMLParser):
    """All elements closed in order; what it refers to."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.targets, self.words = [], set(), [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "id" in found:
            assert found["id"] not in self.ids
            self.ids.add(found["id"])
        self.targets += [found[name] for name in ("href", "src", "xlink:href") if name in found]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in SVG, f"{tag} is not an element without content"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
