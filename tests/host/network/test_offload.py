# SPDX-License-Identifier: BSD-3-Clause
"""What several pictures took together, shared among them."""

import numpy as np

from qnn.network.offload import Offload


def test_each_picture_has_its_maps_and_its_share_of_the_time():
    maps, head = np.arange(6).reshape(3, 1, 1, 2), np.arange(3).reshape(3, 1, 1, 1)
    whole = Offload(maps, 30, None, 90, before_us=6, after_us=9, between_us=3, heads=(head,))
    found = list(whole.each())
    assert [one.maps.tolist() for one in found] == [[[[[0, 1]]]], [[[[2, 3]]]], [[[[4, 5]]]]]
    assert [one.heads[0].tolist() for one in found] == [[[[[0]]]], [[[[1]]]], [[[[2]]]]]
    for one in found:
        assert (one.offload_us, one.packing_us, one.cycles) == (10, None, 30)
        assert (one.before_us, one.after_us, one.between_us) == (2, 3, 1)
    (alone,) = Offload(maps[:1], 30, 7, None).each()
    assert (alone.offload_us, alone.packing_us, alone.cycles) == (30, 7, None)
