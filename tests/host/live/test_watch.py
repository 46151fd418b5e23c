# SPDX-License-Identifier: BSD-3-Clause
"""The newest frame, again and again, with a model that takes as long as a test says."""

import threading

import pytest

from qnn.errors import PictureError, SourceError
from qnn.live.frame import Frame
from qnn.live.latest import Latest
from qnn.live.watch import Watch
from qnn.model import Classification, Decoded


class Opener:
    """Opens frames whose source is a number; negative ones cannot be read.

    Attributes:
        opened: numbers, in order.
    """

    def __init__(self) -> None:
        self.opened = []
        self.one_is_open = threading.Semaphore(0)

    def decode(self, source) -> Decoded:
        self.opened.append(source)
        self.one_is_open.release()
        if source < 0:
            raise PictureError(f"{source} is damaged")
        return Decoded(str(source), (1, 1), None, 7)


def look(opened):
    for one in opened:
        yield Classification(one.name, [], {"decode": one.decode_us})


def frame(number) -> Frame:
    return Frame(str(number), number, number)


def no_skip(frame, error):
    pytest.fail(f"{frame}: {error}")


def assert_no_thread_stays():
    assert not [one for one in threading.enumerate() if one.name == "open"]


def test_what_is_late_is_not_even_opened():
    opener, latest, seen = Opener(), Latest(), []
    latest.put(frame(1))
    for one in Watch(opener, latest, look, no_skip):
        seen.append((one.frame.number, one.result.image, one.dropped))
        if len(seen) == 1:  # layers are busy: the thread opens one ahead, the others pass by
            opener.one_is_open.acquire(timeout=600)
            latest.put(frame(2))
            opener.one_is_open.acquire(timeout=600)
            for number in (3, 4, 5):
                latest.put(frame(number))
            latest.end()
    assert seen == [(1, "1", 0), (2, "2", 2), (5, "5", 2)]
    assert opener.opened == [1, 2, 5]
    assert_no_thread_stays()


def test_with_every_frame():
    latest, seen = Latest(every=True), []

    def put_all():
        for number in range(1, 50):
            latest.put(frame(number))
        latest.end()

    threading.Thread(target=put_all).start()
    for one in Watch(Opener(), latest, look, no_skip):
        seen.append(one.frame.number)
    assert seen == list(range(1, 50)) and one.dropped == 0


def test_no_result_waits_for_a_frame_to_come():
    """An accelerator's stream takes the next picture before it gives a result."""

    def look_ahead(opened):
        before = None
        for one in opened:
            if before is not None:
                yield Classification(before.name, [], {})
            before = one
        yield Classification(before.name, [], {})

    latest, seen = Latest(), []
    latest.put(frame(1))
    for one in Watch(Opener(), latest, look_ahead, no_skip):
        seen.append(one.frame.number)
        if len(seen) < 4:
            latest.put(frame(len(seen) + 1))
        else:
            latest.end()
    assert seen == [1, 2, 3, 4]


def test_what_cannot_be_read_is_left_out():
    latest, skipped, seen = Latest(every=True), [], []

    def put_all():
        for number in (-1, 2, -3, 4, -5):
            latest.put(frame(number))
        latest.end()

    threading.Thread(target=put_all).start()
    for one in Watch(Opener(), latest, look, lambda *both: skipped.append(both)):
        seen.append(one.frame.number)
    assert seen == [2, 4]
    assert [(one.number, str(error)) for one, error in skipped] == [
        (number, f"{number} is damaged") for number in (-1, -3, -5)
    ]


def test_a_source_that_fails_after_its_last_frame():
    latest, seen = Latest(), []
    latest.put(frame(1))
    latest.end(SourceError("gone"))
    with pytest.raises(SourceError, match="gone"):
        for one in Watch(Opener(), latest, look, no_skip):
            seen.append(one.frame.number)
    assert seen == [1]
    assert_no_thread_stays()


@pytest.mark.parametrize("where", ["look", "reader"])
def test_an_end_on_the_way_closes_what_looks(where):
    closed = []

    def looking(opened):
        try:
            for one in look(opened):
                if where == "look":
                    raise KeyboardInterrupt
                yield one
        finally:
            closed.append(True)

    latest = Latest()
    latest.put(frame(1))
    found = iter(Watch(Opener(), latest, looking, no_skip))
    if where == "look":
        with pytest.raises(KeyboardInterrupt):
            next(found)
    else:
        next(found)
        found.close()
    assert closed == [True]
    assert latest.put(frame(2)) is False  # the source hears of it
    assert_no_thread_stays()
