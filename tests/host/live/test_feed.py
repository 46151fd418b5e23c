# SPDX-License-Identifier: BSD-3-Clause
"""A source in its thread: numbered frames, an end, an error, one that goes away and comes back."""

import threading

import pytest

from qnn.errors import QnnError, SourceError
from qnn.live import feed
from qnn.live.feed import Feed
from qnn.live.frame import Frame
from qnn.live.latest import Latest


class Turns:
    """A source whose turns are lists of names, the last of which may be an error."""

    name = "the camera"

    def __init__(self, *turns) -> None:
        self._turns = list(turns)
        self.opened = self.closed = 0

    def frames(self, stop):
        self.opened += 1
        try:
            for one in self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]:
                if isinstance(one, Exception):
                    raise one
                yield one and Frame(one, one)
        finally:
            self.closed += 1


def taken(source, wait_s=60.0) -> tuple[list[Frame], list[str]]:
    """All frames, and what was told of the source."""
    latest, told, found = Latest(every=True), [], []
    with Feed(source, latest, wait_s, told.append):
        while (frame := latest.take()) is not None:
            found.append(frame)
    assert source.opened == source.closed
    return found, told


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(feed, "AGAIN_S", 0)


def test_to_the_end():
    frames, told = taken(Turns(["a", "b", "c"]))
    assert [(one.name, one.source, one.number) for one in frames] == [
        ("a", "a", 1),
        ("b", "b", 2),
        ("c", "c", 3),
    ]
    assert [one.at_s for one in frames] == sorted(one.at_s for one in frames)
    assert frames[0].at_s > 0 and told == []


def test_one_that_never_was_there_is_not_waited_for():
    with pytest.raises(SourceError, match="no such device"):
        taken(Turns([SourceError("no such device")]))


def test_one_that_goes_away_and_comes_back():
    gone = SourceError("the camera gives no more frames")
    frames, told = taken(Turns(["a", gone], [gone], [gone], ["b", gone], ["c"]))
    assert [(one.name, one.number) for one in frames] == [("a", 1), ("b", 2), ("c", 3)]
    went = "the camera gives no more frames; waiting for it, 60 s at most"
    assert told == [went, "the camera is back"] * 2


def test_one_that_is_there_without_a_frame_is_waited_for():
    frames, told = taken(Turns([None, SourceError("gone")], [SourceError("gone")], [None, "a"]))
    assert [(one.name, one.number) for one in frames] == [("a", 1)]
    assert told == ["gone; waiting for it, 60 s at most", "the camera is back"]


def test_the_time_to_wait_begins_again_where_it_was_back_without_a_frame(monkeypatch):
    gone, clock = SourceError("gone"), iter(range(0, 1000, 40))
    monkeypatch.setattr(feed, "_now", lambda: float(next(clock)))
    frames, told = taken(Turns(["a", gone], [None, gone], [None, gone], [None, gone], ["b"]))
    assert [one.name for one in frames] == ["a", "b"]
    assert told.count("the camera is back") == 4


def test_one_that_stays_away():
    source = Turns(["a", SourceError("gone")], [SourceError("still")])
    with pytest.raises(QnnError, match=r"^the camera did not come back within 0.05 s$"):
        taken(source, wait_s=0.05)
    assert source.opened >= 2


def test_a_mistake_is_told_to_the_reader():
    with pytest.raises(ZeroDivisionError):
        taken(Turns(["a", ZeroDivisionError()]))


@pytest.mark.parametrize("every", [True, False])
def test_leaving_it_closes_the_source(every):
    class Endless(Turns):
        def frames(self, stop):
            self.opened += 1
            try:
                while not stop.is_set():
                    yield Frame("a", "a")
            finally:
                self.closed += 1

    source, latest = Endless(), Latest(every)
    with Feed(source, latest, 60, print):
        latest.take()
    assert (source.opened, source.closed) == (1, 1)
    assert not [one for one in threading.enumerate() if one.name == "feed"]
