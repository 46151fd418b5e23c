# SPDX-License-Identifier: BSD-3-Clause
"""Memory is the same again, of a thread and a name, and only as much of it as may be kept."""

import threading

import numpy as np

from qnn.pictures.scratch import MOST_BYTES, scratch


def address(array):
    return array.__array_interface__["data"][0]


def test_the_same_again_where_it_is_enough():
    first = scratch("test", (40, 30), np.float64)
    assert (first.shape, first.dtype) == ((40, 30), np.float64)
    smaller = scratch("test", (5, 7), np.uint16)
    assert (smaller.shape, smaller.dtype) == ((5, 7), np.uint16)
    assert address(smaller) == address(first)
    assert not np.shares_memory(scratch("another", (40, 30), np.float64), first)
    larger = scratch("test", (41, 30), np.float64)
    assert not np.shares_memory(larger, first)
    assert address(scratch("test", (41, 30), np.float64)) == address(larger)


def test_much_is_not_kept():
    large = scratch("much", (MOST_BYTES + 1,), np.uint8)
    assert not np.shares_memory(scratch("much", (8,), np.uint8), large)


def test_threads_have_their_own():
    found = []
    mine = scratch("test", (100,), np.uint8)
    other = threading.Thread(target=lambda: found.append(scratch("test", (100,), np.uint8)))
    other.start()
    other.join()
    assert not np.shares_memory(found[0], mine)
