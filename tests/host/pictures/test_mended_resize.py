# SPDX-License-Identifier: BSD-3-Clause
"""Products of matrices, mended where in doubt, have the bits of sums in the defining order."""

from pathlib import Path

import numpy as np
import pytest

from qnn.pictures import mended_resize
from qnn.pictures.mended_resize import bound, resized
from qnn.pictures.picture import Picture
from qnn.pictures.resize import Taps, cubic
from qnn_sim import run_options

from .test_resize import assert_same_bits, random_rgb, whole

SAMPLES = Path(__file__).parents[3] / "params/samples"
MEAN = np.random.default_rng(5).uniform(90, 130, (224, 224, 3)).astype(np.float32)


def defined(rgb, rows, columns):
    return whole(rgb[..., ::-1], np.arange(256.0), rows, columns)


def for_dorefanet(rgb):
    scale = 256 / min(rgb.shape[:2])
    return [cubic(side, int(max(224, min(side, scale * side))), 224) for side in rgb.shape[:2]]


def assert_mended(rgb, rows, columns, offset, what):
    expected = defined(rgb, rows, columns).astype(np.float32)
    assert_same_bits(resized(rgb, rows, columns, bgr=True), expected, what)
    assert_same_bits(
        resized(rgb, rows, columns, bgr=True, offset=offset), expected - offset, f"{what}, offset"
    )


@pytest.mark.parametrize("few", [1, 40, 10**9], ids=["one by one", "as it is", "all again"])
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
@pytest.mark.parametrize("seed", range(10))
def test_random_sizes(monkeypatch, seed, few, block_bytes):
    """Enlarged, reduced, reduced by powers of two (whose sums are ties), cropped or not."""
    monkeypatch.setattr(mended_resize, "FEW", few)
    monkeypatch.setattr(mended_resize, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(seed)
    for _ in range(6):
        sides = rng.integers(1, 60, 2)
        targets = rng.integers(1, 80, 2)
        if rng.random() < 0.5:
            sides = targets * 2 ** rng.integers(0, 4, 2)
        crops = [int(rng.integers(1, target + 1)) for target in targets]
        rows, columns = (
            cubic(int(side), int(target), crop)
            for side, target, crop in zip(sides, targets, crops, strict=True)
        )
        rgb = random_rgb(rng, *sides)
        offset = rng.uniform(-1, 130, (*crops, 3)).astype(np.float32)
        assert_mended(rgb, rows, columns, offset, f"{seed=} {sides=} {targets=} {crops=}")


def pictures_at_hand():
    folders = [SAMPLES, *filter(None, [run_options.reference()])]
    kinds = (".jpg", ".jpeg", ".png")
    return sorted(one for at in folders for one in at.rglob("*") if one.suffix.lower() in kinds)


@pytest.mark.parametrize("path", pictures_at_hand(), ids=lambda path: path.name)
def test_pictures_at_hand(path):
    rgb = Picture.open(path).rgb()
    assert_mended(rgb, *for_dorefanet(rgb), MEAN, path.name)


@pytest.mark.parametrize("size", [(334, 500), (256, 256), (512, 768), (1024, 900), (1944, 2592)])
def test_sizes_of_cameras(size):
    rgb = random_rgb(np.random.default_rng(size), *size)
    assert_mended(rgb, *for_dorefanet(rgb), MEAN, size)


def test_the_bound_holds_and_is_not_far_off():
    """Of products and of sums from the last tap to the first, beside the defining order; at the
    edges of small pictures taps fall on one pixel."""
    rng = np.random.default_rng(1)
    for height, width in ((1, 1), (2, 3), (40, 60), (334, 500)):
        rgb = random_rgb(rng, height, width)
        axes = for_dorefanet(rgb)
        expected = defined(rgb, *axes)
        near = [sums.copy() for _, sums in mended_resize._near(rgb, *axes, True)]
        assert np.abs(np.concatenate(near) - expected).max() <= bound(*axes)
        backwards = (Taps(taps.index[:, ::-1], taps.weight[:, ::-1]) for taps in axes)
        strays = np.abs(defined(rgb, *backwards) - expected).max()
        assert strays <= bound(*axes)
    assert strays > bound(*axes) / 100


def test_a_bound_that_is_too_small_is_noticed(monkeypatch):
    """Sums that stray further: right with their bound, wrong with a smaller one."""
    rng, near, stray = np.random.default_rng(2), mended_resize._near, 1e-6
    rgb = random_rgb(rng, 334, 500)
    rows, columns = for_dorefanet(rgb)
    expected = defined(rgb, rows, columns).astype(np.float32) - MEAN

    def straying(*given):
        for block, exact in near(*given):
            yield block, exact + rng.uniform(-stray, stray, exact.shape)

    monkeypatch.setattr(mended_resize, "_near", straying)
    monkeypatch.setattr(mended_resize, "FEW", 1)
    for error, right in ((1.001 * stray, True), (0.3 * stray, False), (0, False)):
        monkeypatch.setattr(mended_resize, "bound", lambda *_, error=error: error)
        sums = resized(rgb, rows, columns, bgr=True, offset=MEAN)
        assert np.array_equal(sums, expected) == right, error


@pytest.mark.parametrize("kind", ["noise", "black", "white", "half black"])
def test_few_sums_are_computed_again(monkeypatch, kind):
    """None of a flat picture either, once the mean is off: what is near 0 is not in doubt then."""
    counts = []

    def counting(image, rows, columns, bgr, row, column, channel):
        counts.append(len(row))
        return np.zeros(len(row))

    monkeypatch.setattr(mended_resize, "_sums_at", counting)
    monkeypatch.delattr(mended_resize, "resize")
    rgb = np.random.default_rng(3).integers(0, 256, (334, 500, 3), np.uint8)
    if kind != "noise":
        rgb[: 170 if kind == "half black" else 334] = 255 * (kind == "white")
    resized(rgb, *for_dorefanet(rgb), bgr=True, offset=MEAN)
    assert sum(counts) < 5


@pytest.mark.parametrize("error", [1e-14, 1.2e-12, 1e-9])
def test_every_sum_whose_ends_differ_is_suspected(error):
    """Around halves between two float32, one bound and less away, at each size and sign."""
    rng = np.random.default_rng(4)
    sizes = np.ldexp(rng.uniform(1, 2, 4000), rng.integers(-30, 10, 4000, np.int32))
    single = np.concatenate([sizes, np.ldexp(1.0, np.arange(-30, 10)), [0]]).astype(np.float32)
    above = np.nextafter(single, np.float32(np.inf))
    half = (single.astype(np.float64) + above) / 2
    away = error * rng.choice([0, 0.5, 0.999, 1.001, 3], (4, len(half)))
    near = np.concatenate([single, *(half + away), *(half - away)])
    near = np.concatenate([near, -near])
    ends = [(near + end).astype(np.float32) for end in (-error, error)]
    found = mended_resize._suspects(near, near.astype(np.float32), error)
    assert len(np.unique(found)) == len(found)
    assert np.isin(np.flatnonzero(ends[0] != ends[1]), found).all()


def test_few_sums_are_suspected():
    near = np.random.default_rng(5).uniform(1, 255, 100_000)
    assert len(mended_resize._suspects(near, near.astype(np.float32), 1.2e-12)) < 50


def test_a_sum_in_doubt_is_computed_in_its_order():
    """1e16 + 1 - 1e16 is 0 from left to right, and 1 in another order."""
    taps = Taps(np.array([[0, 1, 2]]), np.array([[1e16, 1.0, -1e16]]))
    one = Taps(np.array([[0]]), np.array([[1.0]]))
    image = np.ones((3, 1, 3), np.uint8)
    assert resized(image, taps, one)[0, 0, 0] == 0
    assert resized(image.swapaxes(0, 1), one, taps)[0, 0, 0] == 0
