# SPDX-License-Identifier: BSD-3-Clause
"""Parts of a memory never overlap nor touch, and what is given back can be had again."""

import numpy as np
import pytest

from qnn.platforms.page_allocator import PAGE, PageAllocator

PAGES = 64


@pytest.mark.parametrize("case", range(20))
def test_random_use(case):
    rng = np.random.default_rng(case)
    pages = PageAllocator(PAGES * PAGE)
    taken: dict[int, int] = {}
    for _ in range(300):
        if taken and rng.random() < 0.5:
            address = int(rng.choice(list(taken)))
            assert pages.give(address) == taken.pop(address)
        else:
            size = int(rng.integers(1, 12 * PAGE))
            address = pages.take(size)
            if address is not None:
                taken[address] = -(-size // PAGE) * PAGE
        assert pages.parts == taken
        end = 0
        for address, size in sorted(taken.items()):
            assert address % PAGE == 0 and address >= end + PAGE
            end = address + size
        assert end + PAGE <= PAGES * PAGE
    by_page = pages.free().reshape(PAGES, PAGE)
    held = {(a + at) // PAGE for a, size in taken.items() for at in range(0, size, PAGE)}
    assert set(np.flatnonzero(~by_page.all(axis=1))) == held
    assert not by_page[list(held)].any()
    for address in taken:
        pages.give(address)
    assert pages.take((PAGES - 2) * PAGE) == PAGE


def test_what_does_not_fit():
    pages = PageAllocator(PAGES * PAGE)
    assert pages.take((PAGES - 2) * PAGE + 1) is None
    assert pages.take(0) is None
    assert pages.parts == {}
    assert pages.free_bytes == (PAGES - 1) * PAGE
