# SPDX-License-Identifier: BSD-3-Clause
"""Tinier-YOLO, called as in the notebooks of QNN-MO-PYNQ."""

from qnn.predecessor.offloaded_network import OffloadedNetwork


class TinierYolo(OffloadedNetwork):
    """The offloaded layers of Tinier-YOLO; pictures are letterboxed and transposed outside."""

    name = "tinier-yolo"
    activation_bits = 3
