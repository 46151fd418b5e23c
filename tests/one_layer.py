# SPDX-License-Identifier: BSD-3-Clause
"""One small layer through a whole platform, twice: is what comes of it right?"""

from collections.abc import Callable

import numpy as np

from qnn.engine.driver import Driver
from qnn.errors import QnnError
from qnn.network import Conv
from qnn.platforms.protocol import Platform
from qnn_sim import golden_network


def small_network(seed: int) -> tuple[list[Conv], np.ndarray]:
    """The layer, and codes for it."""
    rng = np.random.default_rng(seed)
    layer = Conv(
        name="one",
        in_shape=(6, 7, 8),
        in_bits=2,
        weight=rng.integers(0, 2, (1, 24, 3, 3, 8), np.uint8),
        thresholds=np.sort(rng.integers(-40, 40, (24, 3)), axis=1).astype(np.int32),
        padding=(1, 1, 1, 1),
    )
    return [layer], rng.integers(0, 4, layer.in_shape, np.uint8)


def golden(layers: list[Conv], codes: np.ndarray) -> np.ndarray:
    *_, last = golden_network.trace(layers, codes)
    return last


def outcome(opened: Callable[[], Platform], layers: list[Conv], codes: np.ndarray) -> str:
    """What comes of two pictures: "right", "wrong", or the name of an error."""
    wanted = golden(layers, codes), golden(layers, codes[::-1].copy())
    try:
        with Driver(opened()) as driver:
            driver.load(layers)
            found = [one.maps for one in driver.stream([codes, codes[::-1].copy()])]
    except QnnError as error:
        return type(error).__name__
    return "right" if all(map(np.array_equal, found, wanted)) else "wrong"
