# SPDX-License-Identifier: BSD-3-Clause
"""One multiplication in place of many thresholds: the same code for every sum, or none is found."""

from dataclasses import replace

import numpy as np
import pytest

from qnn.engine.requantise import Requantisation, requantisation, same_codes
from qnn_sim import golden


def affine(rng, outputs, levels, step):
    """Thresholds ceil(a + step * k), with a and the step at random, and the sums around them."""
    steps = step * rng.uniform(0.5, 2, (outputs, 1))
    first = rng.uniform(2, 5000, (outputs, 1)) * steps
    thresholds = np.ceil(first + steps * np.arange(1, levels + 1)).astype(np.int64)
    return thresholds, np.zeros(outputs, np.int64), thresholds[:, -1] + 2**20


def counts(thresholds, sums):
    """Codes (O, N) by definition."""
    return golden.multi_threshold(sums.T, thresholds).T.astype(np.int64)


def parameters(found):
    return found.base, found.shift, found.multiplier, found.addend


@pytest.mark.parametrize("levels", [1, 3, 7, 15, 31, 255])
@pytest.mark.parametrize("step", [0.3, 1, 5, 300, 2**14])
def test_thresholds_of_equal_steps_are_always_found(levels, step, seed):
    rng = np.random.default_rng(seed)
    thresholds, least, largest = affine(rng, 5, levels, step)
    found = requantisation(thresholds, least, largest, levels)
    assert found is not None
    ends = np.concatenate([thresholds - 1, thresholds, least[:, None], largest[:, None]], axis=1)
    sums = np.concatenate([ends, rng.integers(0, largest[:, None] + 1, (5, 500))], axis=1)
    expected = counts(thresholds, sums)
    np.testing.assert_array_equal(found.codes(sums, levels), expected)
    bits = levels.bit_length()
    np.testing.assert_array_equal(golden.requantise(sums.T, *parameters(found), bits).T, expected)


def test_a_code_behind_the_last_one_must_not_be_reached():
    """100 thresholds of equal steps, and codes to 127."""
    rng = np.random.default_rng(4)
    thresholds, least, largest = affine(rng, 5, 100, 300)
    assert requantisation(thresholds, least, largest, 127) is None
    assert requantisation(thresholds, least, thresholds[:, -1] + 100, 127) is not None


def test_every_sum_of_a_small_range():
    """Any thresholds, of equal steps or not: where something is found, no sum has another code."""
    rng, seen = np.random.default_rng(1), [0, 0]
    for _ in range(400):
        levels, most = int(rng.choice([1, 3, 4, 7])), int(rng.integers(2, 60))
        thresholds = np.sort(rng.integers(-5, most + 5, (2, levels)), axis=1)
        least = rng.integers(0, most, 2)
        largest = least + rng.integers(0, most, 2)
        bits = levels.bit_length() + int(rng.integers(2))
        found = requantisation(thresholds, least, largest, 2**bits - 1)
        seen[found is None] += 1
        if found is None:
            continue
        for o in range(2):
            sums = np.arange(least[o], largest[o] + 1)[:, None]
            one = [each[o : o + 1] for each in parameters(found)]
            expected = golden.multi_threshold(sums, thresholds[o : o + 1])
            np.testing.assert_array_equal(golden.requantise(sums, *one, bits), expected)
    assert min(seen) > 50, seen


def test_what_some_parameters_give_is_found():
    """Thresholds made of parameters at random, over sums of less than 2**24: none is missed."""
    rng = np.random.default_rng(2)
    for _ in range(100):
        levels = int(rng.choice([1, 3, 7, 15, 31]))
        step = 2 ** rng.uniform(-3, 16)
        whole = int(rng.integers(17, 44))
        multiplier = int(min(2**whole / step, 2**32 - 1))
        true = Requantisation(
            *(
                np.array([v], np.int64)
                for v in (1000, whole - 17, multiplier, int(rng.integers(2**20)))
            )
        )
        # the least sum with each code: ceil((k * 2**S - A) / multiplier)
        k = np.arange(1, levels + 1, dtype=object)
        numbers = (k * 2**whole - int(true.addend[0]) * 2**15 + multiplier - 1) // multiplier
        thresholds = np.array([numbers.clip(0, 2**30)]).astype(np.int64) + 1000
        largest = np.minimum(thresholds[:, -1] + 5, 1000 + 2**24 - 1)
        top = 2 ** levels.bit_length() - 1
        least = np.array([1000], np.int64)
        assert same_codes(true, thresholds, least, largest, top)
        assert requantisation(thresholds, least, largest, top) is not None


def test_thresholds_that_no_sum_passes_do_not_count():
    """Of uneven steps, those that sums can reach are two of equal ones."""
    thresholds = np.array([[-(2**31), 5, 10, 15, 90, 2**31 - 1, 2**31 - 1]])
    found = requantisation(thresholds, np.array([4]), np.array([16]), 7)
    sums = np.arange(4, 17)[None]
    np.testing.assert_array_equal(found.codes(sums, 7), counts(thresholds, sums))
    assert requantisation(thresholds, np.array([4]), np.array([90]), 7) is None


@pytest.mark.parametrize("code", [0, 3, 7])
def test_one_code_for_all_sums(code):
    thresholds = np.array([[0] * code + [2**31 - 1] * (7 - code)])
    found = requantisation(thresholds, np.array([0]), np.array([2**31 - 2]), 7)
    sums = np.array([[0, 1, 2**24, 2**31 - 2]])
    assert found.codes(sums, 7).tolist() == [[code] * 4]


def test_thresholds_that_are_too_far_apart():
    """Sums beyond base + 2**24 - 1 all count as that one."""
    for levels, found in ((4, True), (5, False)):
        thresholds = 1000 + 2**22 * np.arange(levels)[None]
        given = thresholds, np.array([0]), thresholds[:, -1], 7
        assert (requantisation(*given) is not None) == found


def test_one_threshold_out_of_line():
    """One sum less or more, and no multiplication gives the same codes."""
    thresholds = 4 * np.arange(1, 256)[None]
    least, largest = np.array([0]), np.array([2000])
    assert requantisation(thresholds, least, largest, 255) is not None
    for away in (-2, 2):
        moved = thresholds.copy()
        moved[0, 100] += away
        assert requantisation(moved, least, largest, 255) is None


@pytest.mark.parametrize("name", ["base", "shift", "multiplier", "addend"])
def test_parameters_that_are_off_by_one_are_noticed(name):
    """The proof looks where codes change, so any parameter matters."""
    rng = np.random.default_rng(3)
    thresholds, least, largest = affine(rng, 3, 255, 2000)
    found = requantisation(thresholds, least, largest, 255)
    assert same_codes(found, thresholds, least, largest, 255)
    by = 2**24 if name == "addend" else 2**14 if name == "multiplier" else 1
    wrong = replace(found, **{name: getattr(found, name) + by})
    assert not same_codes(wrong, thresholds, least, largest, 255)
