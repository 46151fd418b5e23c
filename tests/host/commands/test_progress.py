# SPDX-License-Identifier: BSD-3-Clause
"""The progress bar: drawn in a terminal, gone at the end, silent elsewhere."""

import io

import pytest

from qnn.commands import progress
from qnn.commands.progress import Bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time in seconds, set by the test."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def drawn(stream) -> list[str]:
    return stream.getvalue().split("\r\x1b[K")[1:]


def test_a_bar_that_makes_room_is_drawn_again(clock):
    stream = Terminal()
    with Bar("fetching", "files", stream) as bar:
        bar.clear()
        assert stream.getvalue() == ""
        bar.update(1, 4)
        bar.clear()
        stream.write("a line\n")
        bar.update(2, 4)  # at once, although no tenth of a second has passed
    _, cleared, again, end = drawn(stream)
    assert cleared == "a line\n" and again.endswith("2/4 files") and end == ""


def test_what_is_drawn(clock):
    stream = Terminal()
    with Bar("fetching", "files", stream) as bar:
        for done in (0, 1, 2, 4):
            bar.update(done, 4)
            clock[0] += 1
    width = progress.WIDTH
    assert drawn(stream) == [
        f"fetching [{'.' * width}] 0/4 files",
        f"fetching [{'#' * (width // 4)}{'.' * (width - width // 4)}] 1/4 files",
        f"fetching [{'#' * (width // 2)}{'.' * (width // 2)}] 2/4 files",
        f"fetching [{'#' * width}] 4/4 files",
        "",
    ]


def test_at_most_ten_times_a_second_but_the_end_always(clock):
    stream = Terminal()
    with Bar("a", "b", stream) as bar:
        for done in range(1005):
            bar.update(done, 1004)
            clock[0] += 0.01
    counts = [line.split()[-2] for line in drawn(stream)[:-1]]
    assert 90 <= len(counts) <= 102
    assert counts[0] == "0/1004" and counts[-1] == "1004/1004"


def test_elsewhere_it_is_silent():
    stream = io.StringIO()
    with Bar("a", "b", stream) as bar:
        bar.update(1, 2)
        bar.update(2, 2)
    assert stream.getvalue() == ""


def test_no_update_leaves_no_trace():
    stream = Terminal()
    with Bar("a", "b", stream):
        pass
    assert stream.getvalue() == ""


def test_an_error_clears_the_line():
    stream = Terminal()
    with pytest.raises(ValueError, match="wrong"), Bar("a", "b", stream) as bar:
        bar.update(1, 2)
        raise ValueError("wrong")
    assert drawn(stream)[-1] == ""


def test_nothing_to_do():
    stream = Terminal()
    with Bar("a", "b", stream) as bar:
        bar.update(0, 0)
    assert "0/0 b" in stream.getvalue()


def test_standard_error_is_the_default(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Bar("a", "b") as bar:
        bar.update(1, 1)
    out, err = capsys.readouterr()
    assert out == "" and "1/1 b" in err
