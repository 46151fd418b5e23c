# SPDX-License-Identifier: BSD-3-Clause
"""qnn_word_bank: sums of products of 16-bit words, at the times its header gives."""

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from qnn.engine import regs
from qnn_sim import golden
from qnn_sim.streams import pack

PE, NUMBERS, LATENCY = 8, 4, 10
LEAST, MOST, TOP = -(2**15), 2**15 - 1, 2**16 - 1


@pytest.mark.parametrize("pixels", [2, 4])
def test_qnn_word_bank(pixels):
    from qnn_sim.bench_runner import run_bench

    run_bench(__file__, Pixels=pixels)


def as_word(numbers):
    """Numbers of 16 bits, signed or unsigned, the first one lowest."""
    return pack([int(n) % 2**16 for n in numbers], 16)


class Bench:
    def __init__(self, dut, unsigned):
        self.dut, self.pixels = dut, int(dut.Pixels.value)
        self.unsigned, self.rng = unsigned, np.random.default_rng(cocotb.RANDOM_SEED)
        dut.unsigned_i.value = int(unsigned)
        dut.valid_i.value = dut.first_i.value = dut.last_i.value = dut.end_i.value = 0
        Clock(dut.clk_i, 2, unit="ns").start()

    async def reset(self):
        self.dut.rst_i.value = 1
        await RisingEdge(self.dut.clk_i)
        self.dut.rst_i.value = 0
        await RisingEdge(self.dut.clk_i)

    def numbers(self, words):
        """Random numbers of one pass: weights (words, PE, 4) and windows (words, pixels, 4)."""
        low, high = (0, TOP) if self.unsigned else (LEAST, MOST)
        weights = self.rng.integers(LEAST, MOST + 1, (words, PE, NUMBERS))
        return weights, self.rng.integers(low, high + 1, (words, self.pixels, NUMBERS))

    def beside_steps(self, words):
        """The same, but that each sum lies at a step of the shift or just below it: two words
        more, of which each pixel has a number of its own, make it so. What is off by a little
        anywhere on the way shows."""
        weights, acts = self.numbers(words)
        sums = np.einsum("wcn,wpn->cp", weights.astype(np.int64), acts)
        rest = (-self.rng.integers(0, 2, sums.shape) - sums) % (1 << regs.WORD_SHIFT)
        own = np.zeros((2, PE, NUMBERS), np.int64)
        own[0, :, : self.pixels], own[1, :, : self.pixels] = rest // 1024, rest % 1024
        each = np.eye(self.pixels, NUMBERS, dtype=np.int64)
        return np.concatenate([weights, own]), np.concatenate([acts, [1024 * each, each]])

    def expected(self, weights, acts):
        """Sums (pixels, PE) of a pass, made unsigned."""
        maps = acts.transpose(1, 0, 2).reshape(1, self.pixels, -1)  # a pixel for each window
        kernel = weights.transpose(1, 0, 2).reshape(PE, 1, 1, -1)
        return golden.word_convolution(maps, kernel)[0] + 2 ** (regs.SUM_W - 1)

    async def clock(self, **inputs):
        """One cycle, with operands at random where there are none."""
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        await RisingEdge(self.dut.clk_i)
        self.cycle += 1
        dut = self.dut
        if (want := self.shown.pop(self.cycle, None)) is None:
            assert not dut.valid_o.value and not dut.sums_o.value, f"sums at cycle {self.cycle}"
        else:
            *flags, sums = want
            found = [int(f.value) for f in (dut.group_o, dut.pair_o, dut.last_o)]
            assert dut.valid_o.value and found == flags, f"{found}, expected {flags}"
            assert int(dut.sums_o.value) == pack(sums, regs.SUM_W), f"{flags} at cycle {self.cycle}"

    async def run(self, passes, gaps):
        """Passes one behind the other, up to four for the same pixels; in front of each word some
        cycles without one."""
        self.cycle, self.shown = 0, {}
        group = 0
        for number, (weights, acts) in enumerate(passes):
            end = group == 3 or bool(self.rng.integers(2)) or number == len(passes) - 1
            for n, (weight, act) in enumerate(zip(weights, acts, strict=True)):
                for _ in range(int(self.rng.integers(gaps + 1))):
                    await self.clock(
                        valid_i=0, first_i=int(self.rng.integers(2)),
                        last_i=int(self.rng.integers(2)), end_i=int(self.rng.integers(2)),
                        weights_i=as_word(self.rng.integers(0, TOP + 1, PE * NUMBERS)),
                        act_i=as_word(self.rng.integers(0, TOP + 1, self.pixels * NUMBERS)),
                    )  # fmt: skip
                if n == len(weights) - 1:
                    sums = self.expected(weights, acts).tolist()
                    at = self.cycle + 1 + LATENCY  # seen at the edge that ends that cycle
                    pairs = self.pixels // 2
                    for m in range(pairs):
                        both = [v for pair in zip(*sums[2 * m :][:2], strict=True) for v in pair]
                        self.shown[at + m] = group, m, int(end and m == pairs - 1), both
                    group = 0 if end else group + 1
                await self.clock(
                    valid_i=1, first_i=int(n == 0), last_i=int(n == len(weights) - 1),
                    end_i=int(end) if n == len(weights) - 1 else int(self.rng.integers(2)),
                    weights_i=as_word(weight.ravel()), act_i=as_word(act.ravel()),
                )  # fmt: skip
        for _ in range(LATENCY + self.pixels + 1):
            await self.clock(valid_i=0)
        assert not self.shown


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(unsigned=[False, True], gaps=[0, 3])
async def sums_are_right(dut, unsigned, gaps):
    bench = Bench(dut, unsigned)
    await bench.reset()
    lengths = bench.rng.integers(bench.pixels, 3 * bench.pixels, 20).tolist()
    await bench.run([bench.numbers(n) for n in (*[bench.pixels] * 4, *lengths)], gaps)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(unsigned=[False, True])
async def sums_beside_steps_are_right(dut, unsigned):
    bench = Bench(dut, unsigned)
    await bench.reset()
    lengths = bench.rng.integers(bench.pixels, 3 * bench.pixels, 12).tolist()
    await bench.run([bench.beside_steps(n) for n in lengths], 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(unsigned=[False, True])
async def extremes(dut, unsigned):
    """The least and the largest numbers with each other, one lane alone, sums around a step of the
    shift, and the largest sums that fit."""
    bench = Bench(dut, unsigned)
    await bench.reset()
    ends = (0, TOP) if unsigned else (LEAST, MOST)
    passes = []
    for weight in (LEAST, MOST):
        for act in ends:
            full = np.full((bench.pixels, PE, NUMBERS), weight)
            passes.append((full, np.full((bench.pixels, bench.pixels, NUMBERS), act)))
            for lane in range(NUMBERS):
                alone = np.zeros_like(full)
                alone[:, :, lane] = weight
                passes.append((alone, np.full((bench.pixels, bench.pixels, NUMBERS), act)))
    step = 1 << regs.WORD_SHIFT
    for total in (-step - 1, -step, -step + 1, -1, 0, 1, step - 1, step, step + 1):
        weights = np.zeros((bench.pixels, PE, NUMBERS), np.int64)
        weights[bench.pixels - 1, :, 2:] = total % 16, total // 16
        passes.append((weights, np.full((bench.pixels, bench.pixels, NUMBERS), [1, 1, 1, 16])))
    words = (2**41 - 1) // (ends[1] * -LEAST * NUMBERS)
    for weight in (LEAST, MOST):
        full = np.full((words, PE, NUMBERS), weight)
        passes.append((full, np.full((words, bench.pixels, NUMBERS), ends[1])))
    await bench.run(passes, 0)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_drops_a_pass(dut):
    bench = Bench(dut, False)
    await bench.reset()
    weights, acts = bench.numbers(bench.pixels)
    for after in range(LATENCY + bench.pixels):
        bench.cycle, bench.shown = 0, {}
        for n in range(bench.pixels):
            dut.valid_i.value = 1
            dut.first_i.value, dut.last_i.value = int(n == 0), int(n == bench.pixels - 1)
            dut.weights_i.value = as_word(weights[n].ravel())
            dut.act_i.value = as_word(acts[n].ravel())
            await RisingEdge(dut.clk_i)
        dut.valid_i.value = 0
        for _ in range(after):
            await RisingEdge(dut.clk_i)
        await bench.reset()
        for _ in range(20):
            await bench.clock()
    await bench.run([bench.numbers(bench.pixels) for _ in range(4)], 0)  # begins with group 0
