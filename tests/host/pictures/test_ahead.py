# SPDX-License-Identifier: BSD-3-Clause
"""Order, errors, and an end on the way, where one thread works ahead."""

import threading

import pytest

from qnn.pictures import ahead as working
from qnn.pictures.ahead import MOST, ahead, allowed


@pytest.mark.parametrize("most", [1, 3, 100])
def test_in_order_in_another_thread_and_not_too_far(most):
    taken = []

    def items():
        for number in range(20):
            taken.append(threading.current_thread())
            yield number

    for place, (number, result) in enumerate(
        ahead(items(), lambda n: (10 * n, threading.current_thread()), most)
    ):
        value, thread = result()
        assert (number, value) == (place, 10 * place)
        assert thread is not threading.current_thread()
        assert len(taken) == min(place + 1 + most, 20)
    assert place == 19 and set(taken) == {threading.current_thread()}


def test_the_next_is_worked_on_while_the_first_is_there():
    begun = threading.Event()

    def work(number):
        if number == 1:
            begun.set()

    results = ahead(range(3), work, 1)
    next(results)
    assert begun.wait(60)
    results.close()


def test_an_error_comes_where_its_item_comes():
    results = ahead([1, 0, 2], lambda number: 6 // number, 2)
    assert next(results)[1]() == 6
    with pytest.raises(ZeroDivisionError):
        next(results)[1]()
    assert next(results)[1]() == 3
    assert list(results) == []


def test_an_error_of_the_items_ends_all_and_no_thread_stays():
    def items():
        yield 1
        raise KeyError("no more")

    with pytest.raises(KeyError):
        list(ahead(items(), str, 5))
    assert not [one for one in threading.enumerate() if one.name.startswith("ahead")]


def test_closed_on_the_way():
    done, hold = [], threading.Event()

    def work(number):
        if number:
            hold.wait(60)
        done.append(number)

    results = ahead(range(100), work, 50)
    next(results)
    threading.Timer(0.2, hold.set).start()
    results.close()
    assert len(done) <= 2
    assert not [one for one in threading.enumerate() if one.name.startswith("ahead")]


@pytest.mark.parametrize(
    ("free", "bytes_of_one", "most"),
    [
        (200 << 20, 4 * 224 * 224 * 3, 43),
        (200 << 20, 4 * 416 * 416 * 3, 12),
        (200 << 20, 784, MOST),
        (1 << 20, 1 << 20, 1),
        (0, 784, 1),
        (None, 1 << 20, 32),
    ],
)
def test_as_many_as_memory_allows(free, bytes_of_one, most, monkeypatch):
    monkeypatch.setattr(working, "free_bytes", lambda: free)
    assert allowed(bytes_of_one) == most
