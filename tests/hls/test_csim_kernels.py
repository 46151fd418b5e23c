# SPDX-License-Identifier: BSD-3-Clause
"""Each HLS stream kernel, compiled by g++: random frames give what the golden model says."""

from typing import get_args

import numpy as np
import pytest
import random_networks

from qnn.errors import DoesNotFitError, QnnError
from qnn_sim import hls_csim, kernel_frames

CONFIGURATIONS = ("small", "pynq-z1")


def side(rng):
    return int(rng.integers(1, 8)), int(rng.integers(1, 8))


def pool_frame(rng, caps):
    size, rows_columns = int(rng.integers(2, 4)), side(rng)
    before = rng.integers(0, size, 2)
    after = [max(0, size - s - int(b)) for s, b in zip(rows_columns, before, strict=True)]
    padding = (*before.tolist(), *after)
    return kernel_frames.max_pool(
        rng, caps, size, int(rng.integers(1, 3)), padding, rows_columns, int(rng.integers(1, 3))
    )


FREE_STANDING = {
    "popcount": lambda rng, caps: kernel_frames.popcount(rng),
    "matvec": lambda rng, caps: kernel_frames.matvec(
        rng, caps, int(rng.integers(1, 9)), int(rng.integers(1, 9)), side(rng), 2
    ),
    "threshold": lambda rng, caps: kernel_frames.threshold(
        rng, caps, int(rng.choice([1, 2, 3, 7, 255])), side(rng), 2
    ),
    "threshold, multiplied": lambda rng, caps: kernel_frames.requantise(
        rng, caps, int(rng.integers(1, 9)), side(rng), 2
    ),
    "max_pool": pool_frame,
    "pack": lambda rng, caps: kernel_frames.pack(rng, caps, int(rng.integers(0, 9)), side(rng), 2),
}


def assert_frame(kernel, frame, configuration, case):
    got = hls_csim.run_kernel(kernel, frame.words, configuration)
    assert frame.differing(got) == 0, f"SEED={case}: {frame.about}"


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("kernel", FREE_STANDING)
def test_kernel_equals_golden(kernel, configuration, seed):
    frames_equal_golden(kernel, configuration, seed, 20)


def frames_equal_golden(kernel, configuration, seed, frames):
    caps = hls_csim.capabilities(configuration)
    for case in range(seed, seed + frames):
        frame = FREE_STANDING[kernel](np.random.default_rng(case), caps)
        assert_frame(kernel.split(",")[0], frame, configuration, case)


@pytest.mark.parametrize("source", get_args(kernel_frames.Source))
@pytest.mark.parametrize("kernel", ["window", "conv"])
def test_kernel_of_a_layer_equals_golden(kernel, source, seed):
    caps, done = hls_csim.capabilities("small"), 0
    for case in range(seed, seed + 30):
        rng = np.random.default_rng(case)
        layer = random_networks.random_layers(rng)[0]
        codes = rng.integers(0, 2**layer.in_bits, layer.in_shape)
        try:
            frames = getattr(kernel_frames, kernel)(layer, codes, caps, source)
        except DoesNotFitError:
            continue
        for frame in frames:
            assert_frame(kernel, frame, "small", case)
        done += 1
    assert done > 15


def test_frame_too_short_or_too_long():
    frame = kernel_frames.pack(np.random.default_rng(1), hls_csim.capabilities("small"), 2, (3, 3))
    with pytest.raises(QnnError, match="kernel pack: read from the empty stream words"):
        hls_csim.run_kernel("pack", frame.words[:-1])
    with pytest.raises(QnnError, match="kernel pack: words: 1 left"):
        hls_csim.run_kernel("pack", np.append(frame.words, np.uint64(0)))


def test_odd_frame_of_popcount():
    with pytest.raises(QnnError, match="empty stream in"):
        hls_csim.run_kernel("popcount", np.zeros(3, np.uint64))
