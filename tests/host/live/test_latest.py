# SPDX-License-Identifier: BSD-3-Clause
"""One place: the newest stays, what it displaced is counted, an end is told once."""

import threading

import pytest

from qnn.errors import SourceError
from qnn.live.latest import Latest


def test_the_newest_stays_and_the_others_are_counted():
    latest = Latest()
    assert latest.take_now() is None
    assert all(latest.put(number) for number in range(5))
    assert (latest.take(), latest.put_in, latest.dropped) == (4, 5, 4)
    assert latest.take_now() is None
    latest.put(5)
    assert (latest.take_now(), latest.dropped) == (5, 4)


def test_with_every_one_who_puts_waits():
    latest, returned = Latest(every=True), []

    def put_all():
        returned.extend(latest.put(number) for number in range(100))
        latest.end()

    thread = threading.Thread(target=put_all)
    thread.start()
    taken = []
    while (item := latest.take()) is not None:
        taken.append(item)
        assert len(returned) <= len(taken) + 1
    thread.join(60)
    assert taken == list(range(100)) and latest.dropped == 0


def test_the_end_comes_after_what_is_there_and_its_error_once():
    latest = Latest()
    latest.put("last")
    latest.end(SourceError("gone"))
    latest.end(SourceError("later ones do not count"))
    assert latest.take() == "last"
    with pytest.raises(SourceError, match="gone"):
        latest.take()
    assert latest.take() is None
    assert latest.put("nobody takes it") is False and latest.take_now() is None


@pytest.mark.parametrize("wait", [Latest.take, Latest.wait_until_free])
def test_an_end_wakes_who_waits(wait):
    latest, results = Latest(), []
    if wait is Latest.wait_until_free:
        latest.put("in the way")
    thread = threading.Thread(target=lambda: results.append(wait(latest)))
    thread.start()
    latest.end()
    thread.join(60)
    assert results == [None] or results == [False]


def test_who_waits_for_the_place_goes_on_once_it_is_free():
    latest, results = Latest(), []
    latest.put("in the way")
    thread = threading.Thread(target=lambda: results.append(latest.wait_until_free()))
    thread.start()
    assert latest.take() == "in the way"
    thread.join(60)
    assert results == [True]
