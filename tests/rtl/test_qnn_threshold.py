# SPDX-License-Identifier: BSD-3-Clause
"""qnn_threshold counts the thresholds that each sum reaches, at the times its header gives."""

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from test_qnn_pe_group import control, threshold_parts

from qnn.engine import regs
from qnn_sim import golden
from qnn_sim.streams import generator, pack

ACC, WORDS, PE = 32, 256, 8
TOP = 2**ACC - 1
SHORT = 2**regs.SHORT_W - 1
ODD = 2**regs.SUM_W - 1  # the most of an odd pixel, and of all thresholds where there are such


@pytest.mark.parametrize(("pixels", "whole"), [(2, 1), (4, 0)])
def test_qnn_threshold(pixels, whole):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pixels=pixels, AccW=ACC, ThresholdWords=WORDS, Whole=whole)


async def load(dut, thresholds):
    """Thresholds (words, channels) into the memories."""
    dut.threshold_high_i.value = 0
    dut.ctrl_i.value = dut.sums_i.value = dut.threshold_we_i.value = 0
    for address, row in enumerate(thresholds.tolist()):
        for memory in range(PE // 4):
            dut.threshold_we_i.value, dut.threshold_waddr_i.value = 1 << memory, address
            for high, part in enumerate(threshold_parts(row[4 * memory :][:4])):
                dut.threshold_high_i.value, dut.threshold_data_i.value = high, part
                await RisingEdge(dut.clk_i)
    dut.threshold_we_i.value = 0


def pairs(sums):
    """Sums (channels, pixels) as they come: the odd pixel of two above the even one."""
    even, odd = (sums[:, k::2].ravel().astype(object) for k in (0, 1))
    return pack((even | odd << ACC).tolist(), ACC + regs.SUM_W)


async def codes_of(dut, sums, base, levels, short):
    """Codes (channels, pixels) of sums of that shape, with thresholds from word `base` on, of which
    only the low part is compared where `short`.

    Half of the times there are cycles without a comparison between thresholds.
    """
    rest = generator("later")
    gaps = rest.choice((0.0, 0.3))
    parts = 1 if short else 2
    compared, turns = [False, False], []  # of two cycles ago
    while len(turns) < parts * levels:
        compared += [True] * parts if rest.random() >= gaps else [False]
        turns += range(len(compared) - parts, len(compared)) if compared[-1] else []
    compared += [False] * 4
    for cycle, there in enumerate(compared[:-2]):
        # what means nothing without its valid bit is random; the sums come two cycles later
        now = {"compare_code": rest.getrandbits(8), "compare_first": rest.getrandbits(1),
               "compare_high": rest.getrandbits(1), "compare_last": rest.getrandbits(1),
               "threshold_address": rest.randrange(WORDS)}  # fmt: skip
        now["copy"] = int(cycle + 1 == turns[-1])
        if compared[cycle + 2]:
            k, high = divmod(turns.index(cycle + 2), parts)
            now = {"compare_valid": 1, "compare_first": int(k == 0), "compare_code": k + 1,
                   "compare_high": high, "compare_last": int(high == parts - 1),
                   "threshold_address": (base + k) % WORDS}  # fmt: skip
        dut.ctrl_i.value = control(now)
        bits = PE * sums.shape[1] // 2 * (ACC + regs.SUM_W)
        dut.sums_i.value = pairs(sums) if there else rest.getrandbits(bits)
        await RisingEdge(dut.clk_i)
    codes = int(dut.codes_o.value).to_bytes(sums.size, "little")
    return np.frombuffer(codes, np.uint8).reshape(sums.shape)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def codes_are_counts_of_thresholds(dut):
    """Random sums, ties, the ends of the range, and thresholds out of reach; 1 to 255 of them."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    pixels = int(dut.Pixels.value)
    Clock(dut.clk_i, 2, unit="ns").start()
    for number, levels in enumerate((1, 2, 3, 7, 1, 15, 255, 255, 255)):
        base = int(rng.integers(WORDS))
        wide, short = number % 3 == 1, number % 3 == 2  # odd pixels mean nothing where wide
        top = TOP if wide else SHORT if short else ODD
        bits = int(rng.integers(6, top.bit_length() + 1))
        own = np.sort(rng.integers(0, 2**bits, (levels, PE)), axis=0)
        own[rng.random(own.shape) < 0.1] = top
        own = np.sort(own, axis=0)
        memory = rng.integers(0, TOP + 1, (WORDS, PE))
        memory[(base + np.arange(levels)) % WORDS] = own
        await load(dut, memory)
        for _ in range(6):
            sums = rng.integers(0, own.max() + 2, (PE, pixels))
            ties = rng.random(sums.shape) < 0.4
            tied = np.take_along_axis(own.T, rng.integers(0, levels, sums.shape), axis=1)
            sums = np.where(ties, tied - rng.integers(0, 2, sums.shape), sums).clip(0, top)
            sums[:, 1::2] = sums[:, 1::2].clip(0, ODD)
            want = golden.multi_threshold(sums.T, own.T).T
            got = await codes_of(dut, sums, base, levels, short)
            if wide:
                got, want = got[:, ::2], want[:, ::2]
            assert (got == want).all(), (levels, np.argwhere(got != want)[:3].tolist())
