# SPDX-License-Identifier: BSD-3-Clause
"""qnn_requant: codes of sums by one multiplication, at the times its header gives."""

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from qnn_sim import golden
from qnn_sim.streams import pack

WORDS, LATENCY = 4, 8
NIGHT = ((32, 4), (64, 8))
NAMES = ("base", "shift", "multiplier", "addend")  # in the order of the words


@pytest.mark.parametrize(
    ("pe", "pixels"),
    [(8, 4), (16, 2), (32, 8), *(pytest.param(*n, marks=pytest.mark.nightly) for n in NIGHT)],
)
def test_qnn_requant(pe, pixels):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pe=pe, Pixels=pixels)


def parameters(rng, channels):
    """Random ones, of all sizes, and some at an end of their range."""
    found = {
        "base": rng.integers(0, 2 ** rng.integers(1, 33, channels)),
        "shift": rng.integers(0, 32, channels),
        "multiplier": rng.integers(0, 2 ** rng.integers(1, 33, channels)),
        "addend": rng.integers(-(2**31), 2**31, channels) >> rng.integers(0, 32, channels),
    }
    ends = {"base": (0, 2**32 - 1), "shift": (0, 31), "multiplier": (0, 2**32 - 1)}
    ends["addend"] = (-(2**31), 2**31 - 1)
    for name, values in found.items():
        rare = rng.random(channels) < 0.1
        values[rare] = rng.choice(ends[name], rare.sum())
    return found


def sums_for(rng, own, shape, top):
    """Sums (pixels, channels): any, near the base, at its ends, and around those where codes
    change."""
    any_ = rng.integers(0, 2 ** rng.integers(1, 33, shape))
    near = own["base"] + rng.integers(-2, 2 ** rng.integers(2, 26, shape))
    ends = own["base"] + rng.choice([-1, 0, 1, 2**24 - 2, 2**24 - 1, 2**24], shape)
    code = rng.integers(0, top + 2, shape) << own["shift"] + 17
    step = (code - own["addend"] * 2**15) // np.maximum(own["multiplier"], 1)
    kind = rng.integers(0, 8, shape)
    sums = np.choose(np.minimum(kind, 3), [any_, near, ends, own["base"] + step])
    return (sums + np.where(kind > 3, rng.integers(-1, 3, shape), 0)).clip(0, 2**32 - 1)


class Bench:
    def __init__(self, dut):
        self.dut, self.rng = dut, np.random.default_rng(cocotb.RANDOM_SEED)
        self.pe, self.pixels = int(dut.Pe.value), int(dut.Pixels.value)
        self.slot, self.groups = max(self.pixels, WORDS), self.pe // 8
        self.cycle, self.shown = 0, {}
        dut.rst_i.value = dut.planes_i.value = dut.load_i.value = 0
        dut.valid_i.value = dut.last_i.value = 0
        Clock(dut.clk_i, 2, unit="ns").start()

    async def reset(self):
        self.dut.rst_i.value = 1
        await RisingEdge(self.dut.clk_i)
        await RisingEdge(self.dut.clk_i)
        self.dut.rst_i.value = 0
        self.cycle, self.shown = 0, {}

    def idle(self):
        """What means nothing without its flag is random."""
        words = self.rng.integers(0, 2**32, (2, 8))
        return {
            "load": 0, "params": pack(words[0].tolist(), 32), "valid": 0,
            "last": int(self.rng.integers(2)), "present": int(self.rng.integers(2)),
            "sums": pack(words[1].tolist(), 32),
        }  # fmt: skip

    async def clock(self, **inputs):
        for name, value in (self.idle() | inputs).items():
            getattr(self.dut, f"{name}_i").value = value
        await RisingEdge(self.dut.clk_i)
        want = self.shown.pop(self.cycle, None)
        self.cycle += 1
        dut = self.dut
        if want is None:
            assert not dut.valid_o.value, f"a row at cycle {self.cycle}"
            return
        row, present = want
        assert dut.valid_o.value, f"no row at cycle {self.cycle}"
        assert dut.busy_o.value and int(dut.present_o.value) == present
        assert int(dut.row_o.value) == pack(row, 8), f"cycle {self.cycle}"

    async def rows(self, sets, planes):
        """Pixels of sets of channels, one set right behind the other, with their parameters."""
        self.dut.planes_i.value = planes
        top = 2**planes - 1
        length = self.groups * self.slot
        inputs = [{} for _ in range(sets * length + 2)]  # the first one is before the first word
        for number in range(sets):
            own = parameters(self.rng, self.pe)
            sums = sums_for(self.rng, own, (self.pixels, self.pe), top)
            codes = golden.requantise(sums, *(own[name] for name in NAMES), planes)
            for g in range(self.groups):
                at, channels = 1 + number * length + g * self.slot, slice(8 * g, 8 * g + 8)
                for k, name in enumerate(NAMES):
                    words = own[name][channels] % 2**32
                    if name == "shift":  # the other bits of the word mean nothing
                        words = words + self.rng.integers(0, 2**27, 8) * 32
                    inputs[at + k - 1]["load"] = 1 << k
                    inputs[at + k]["params"] = pack(words.tolist(), 32)
                for m in range(self.pixels):
                    present, last = int(self.rng.integers(2)), int(g == self.groups - 1)
                    inputs[at + 1 + m] |= {
                        "valid": 1, "last": last, "present": present,
                        "sums": pack(sums[m, channels].tolist(), 32),
                    }  # fmt: skip
                    if last:
                        shown = self.cycle + at + 1 + m + LATENCY
                        self.shown[shown] = codes[m].tolist(), present
        for each in inputs:
            await self.clock(**each)
        for _ in range(LATENCY):
            await self.clock()
        await self.clock()
        assert not self.shown and not self.dut.busy_o.value
        return codes


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def codes_are_those_of_the_golden_model(dut):
    bench = Bench(dut)
    await bench.reset()
    seen = set()
    for planes in (*range(1, 9), *range(1, 9)):
        seen |= set((await bench.rows(int(bench.rng.integers(1, 5)), planes)).ravel().tolist())
        for _ in range(int(bench.rng.integers(4))):
            await bench.clock()
    assert {0, 1, 3, 7, 15, 31, 63, 127, 255} & seen, "no code at an end"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_in_mid_flight_leaves_nothing_behind(dut):
    bench = Bench(dut)
    await bench.reset()
    for _ in range(10):
        task = cocotb.start_soon(bench.rows(2, 8))
        for _ in range(int(bench.rng.integers(1, 2 * bench.groups * bench.slot))):
            await RisingEdge(dut.clk_i)
        task.cancel()
        dut.valid_i.value = 0
        await bench.reset()
        assert not dut.valid_o.value and not dut.busy_o.value
        await bench.rows(1, 8)
