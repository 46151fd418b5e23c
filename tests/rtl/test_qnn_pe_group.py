# SPDX-License-Identifier: BSD-3-Clause
"""qnn_pe_group: sums and codes of eight channels by some pixels, at the times its header gives."""

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from qnn.engine import regs
from qnn_sim.streams import generator, pack

ACC, WEIGHTS, THRESHOLDS, PE = 30, 16, 16, 8
SUM = regs.SUM_W


@pytest.mark.parametrize(("pixels", "whole", "dsp"), [(2, 1, 1), (4, 0, 1)])
def test_qnn_pe_group(pixels, whole, dsp):
    from qnn_sim.bench_runner import run_bench

    run_bench(
        __file__, Pixels=pixels, AccW=ACC, WeightWords=WEIGHTS, ThresholdWords=THRESHOLDS,
        WholeThresholds=whole, DspPairs=dsp,
    )  # fmt: skip


# fields of group_ctrl_t, the lowest first
CTRL = {
    "word_last": 1, "word_pair": 2, "word_group": 3, "word_valid": 1, "wide": 1, "words": 1,
    "read_pixel": 3, "copy": 1, "compare_code": 8, "compare_last": 1, "compare_high": 1,
    "compare_first": 1, "compare_valid": 1, "threshold_address": 12,
    "acc_last": 1, "acc_shift": 1, "acc_first": 1, "acc_valid": 1, "weight_address": 12,
}  # fmt: skip


def control(fields):
    """group_ctrl_t as a number."""
    value = place = 0
    for name, width in CTRL.items():
        value |= fields.get(name, 0) << place
        place += width
    return value


def threshold_parts(four):
    """Four thresholds as the store takes them: their low bits, then the rest."""
    short = regs.SHORT_W
    return tuple(pack([int(v) >> k & 2**short - 1 for v in four], short) for k in (0, short))


class Bench:
    def __init__(self, dut):
        self.dut, self.pixels = dut, int(dut.Pixels.value)
        self.rng, self.random = np.random.default_rng(cocotb.RANDOM_SEED), generator("bits")

    async def begin(self, weights, thresholds):
        """Parameters into the memories: (words, channels) each."""
        dut = self.dut
        self.weights, self.thresholds = weights, thresholds
        dut.ctrl_i.value = dut.act_i.value = dut.pixel_i.value = dut.word_i.value = 0
        dut.weight_we_i.value = dut.threshold_we_i.value = 0
        Clock(dut.clk_i, 2, unit="ns").start()
        for address, row in enumerate(weights):
            for channel, word in enumerate(row):
                dut.weight_we_i.value, dut.weight_waddr_i.value = 1 << channel, address
                dut.weight_data_i.value = word
                await RisingEdge(dut.clk_i)
        dut.weight_we_i.value = 0
        for address, row in enumerate(thresholds):
            for memory in range(PE // 4):
                dut.threshold_we_i.value, dut.threshold_waddr_i.value = 1 << memory, address
                parts = threshold_parts(row[4 * memory : 4 * memory + 4])
                for high, part in enumerate(parts):
                    dut.threshold_high_i.value, dut.threshold_data_i.value = high, part
                    await RisingEdge(dut.clk_i)
        dut.threshold_we_i.value = 0

    def group(self, rows, planes, levels, base, at, ones=False):
        """One group of pixels from cycle `at` on: inputs by cycle, its sums and codes."""
        inputs, acts = {}, {}
        sums = np.zeros((PE, self.pixels), dtype=np.int64)
        for plane in range(planes):
            sums *= 2
            for row in range(rows):
                cycle = at + plane * rows + row
                address = int(self.rng.integers(WEIGHTS))
                act = [self.random.getrandbits(64) if not ones else 2**64 - 1
                       for _ in range(self.pixels)]  # fmt: skip
                for channel in range(PE):
                    for m in range(self.pixels):
                        word = self.weights[address][channel]
                        sums[channel, m] += 64 - (word ^ act[m]).bit_count()
                acts[cycle] = pack(act, 64)
                inputs.setdefault(cycle - 2, {})["weight_address"] = address
                inputs.setdefault(cycle, {}).update(
                    acc_valid=1, acc_first=int(plane == row == 0),
                    acc_shift=int(row == 0), acc_last=int(plane == planes - 1 and row == rows - 1),
                )  # fmt: skip
        last = at + planes * rows - 1
        used = [self.thresholds[(base + k) % THRESHOLDS] for k in range(levels)]
        codes = sum((sums >= np.array(t)[:, None]).astype(int) for t in used)
        self.compare(inputs, last + 2, levels, base)
        return inputs, acts, sums, codes, last

    @staticmethod
    def compare(inputs, begin, levels, base):
        """From cycle `begin` on with `levels` thresholds, then copy."""
        for turn in range(2 * levels):
            k, high = divmod(turn, 2)
            inputs.setdefault(begin + turn, {}).update(
                compare_valid=1, compare_first=int(k == 0), compare_code=k + 1,
                compare_high=high, compare_last=high,
                threshold_address=(base + k) % THRESHOLDS,
            )  # fmt: skip
        inputs.setdefault(begin + 2 * levels, {})["copy"] = 1

    async def run(self, groups, wide=False):
        """Groups that follow each other as closely as compares and copies let them."""
        inputs, acts, sums, codes = {}, {}, {}, {}
        free = 4  # no sum may be complete earlier
        at = 4
        for options in groups:
            levels, length = options["levels"], options["rows"] * options["planes"]
            at = max(at, free - length + 1)
            more, act, want_sums, want_codes, last = self.group(at=at, **options)
            for cycle, fields in more.items():
                inputs.setdefault(cycle, {}).update(fields)
            acts.update(act)
            sums[last + 5], codes[last + 2 + 2 * levels + 4] = want_sums, want_codes
            # the next sum must not be there before the last compare of this one
            at, free = last + 1 + int(self.rng.integers(3)), last + 2 * levels
        if wide:
            for cycle in range(at + 40):
                inputs.setdefault(cycle, {})["wide"] = 1
        await self.show(at + 40, inputs, acts, {}, sums, codes, 2 if wide else 1)

    async def run_words(self, passes, levels):
        """Groups of pixels whose sums come from elsewhere, `passes` groups of channels each, as
        closely together as they may; those of the first one are for this group.

        The counts of bits that go on all the while count nothing.
        """
        inputs, words, sums, codes = {}, {}, {}, {}
        pairs = self.pixels // 2
        distance = max(passes * pairs, 2 * levels + 1)
        values = self.rng.integers(0, 2**SUM, (12, pairs, PE, 2))
        for number, group in enumerate(values):
            at = 20 + number * distance
            for passed in range(passes):
                for m in range(pairs):
                    cycle = at + passed * pairs + m
                    end = passed == passes - 1 and m == pairs - 1
                    inputs.setdefault(cycle, {}).update(
                        word_valid=1, word_group=passed, word_pair=m, word_last=int(end)
                    )
                    others = self.rng.integers(0, 2**SUM, (PE, 2))
                    words[cycle] = pack((group[m] if passed == 0 else others).ravel().tolist(), SUM)
            last = at + passes * pairs - 1
            self.compare(inputs, last, levels, 0)
            seen = group.transpose(1, 0, 2).reshape(PE, self.pixels)
            sums[last + 3] = seen
            used = (seen >= np.array(t)[:, None] for t in self.thresholds[:levels])
            codes[last + 2 * levels + 4] = sum(reached.astype(int) for reached in used)
        end = at + passes * pairs + 40
        for cycle in range(end):
            inputs.setdefault(cycle, {})["words"] = 1
        await self.show(end, inputs, {}, words, sums, codes)

    async def show(self, end, inputs, acts, words, sums, codes, step=1):
        """Inputs by cycle; what must come of them from which cycle on, for each step-th pixel."""
        dut = self.dut
        shown_sums = shown_codes = None
        chain, read, asked, pixels = [], [], [], []
        for cycle in range(end):
            fields = dict(inputs.get(cycle, {}))
            for name in ("acc_first", "acc_shift", "acc_last"):  # mean nothing without acc_valid
                if "acc_valid" not in fields:
                    fields[name] = self.random.getrandbits(1)
            if "weight_address" not in fields:
                fields["weight_address"] = self.random.randrange(WEIGHTS)
            if "compare_valid" not in fields:
                fields["compare_high"] = self.random.getrandbits(1)
                fields["compare_last"] = self.random.getrandbits(1)
            pixel = self.random.randrange(0, self.pixels, step)
            fields["read_pixel"] = self.random.randrange(0, self.pixels, step)
            asked.append(fields["read_pixel"])
            pixels.append(pixel)
            act = acts.get(cycle, self.random.getrandbits(64 * self.pixels))
            word = words.get(cycle, 0)
            dut.ctrl_i.value, dut.act_i.value, dut.pixel_i.value = control(fields), act, pixel
            dut.word_i.value = word
            further = fields | {"word_group": (fields.get("word_group", 0) - 1) % 8}
            chain.append((control(further), act, word))
            read.append(fields["weight_address"])
            await RisingEdge(dut.clk_i)
            shown_sums, shown_codes = sums.get(cycle, shown_sums), codes.get(cycle, shown_codes)
            if shown_sums is not None:
                want = pack((int(v) % 2**ACC for v in shown_sums[:, pixels[-2]]), ACC)
                assert int(dut.sums_o.value) == want, f"sums at cycle {cycle}"
            if shown_codes is not None:
                want = pack(shown_codes[:, asked[-2]].tolist(), 8)
                assert int(dut.codes_o.value) == want, f"codes at cycle {cycle}"
            if cycle:
                handed = int(dut.ctrl_o.value), int(dut.act_o.value), int(dut.word_o.value)
                assert handed == chain[-2]
            if cycle > 3:
                assert int(dut.weights_o.value) == pack(self.weights[read[-4]], 64)
        assert shown_codes is not None


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(wide=[False, True])
async def sums_and_codes_are_right(dut, wide):
    bench = Bench(dut)
    weights = [[bench.random.getrandbits(64) for _ in range(PE)] for _ in range(WEIGHTS)]
    thresholds = np.sort(bench.rng.integers(30, 200, (THRESHOLDS, PE)), axis=0)
    await bench.begin(weights, thresholds)
    for levels in (1, 2, 7, 15):
        await bench.run((
            {
                "rows": int(bench.rng.integers(1, 6)), "planes": int(bench.rng.integers(1, 4)),
                "levels": levels, "base": int(bench.rng.integers(THRESHOLDS + 1 - levels)),
            }
            for _ in range(20)
        ), wide)  # fmt: skip


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def extremes_and_ties(dut):
    """The least and the largest sums; thresholds at, below and above them, and out of reach."""
    bench = Bench(dut)
    weights = [[(0, 2**64 - 1)[c % 2] for c in range(PE)] for _ in range(WEIGHTS)]
    reached = 64 * 3 * 7  # of odd channels: three rows, three planes
    values = [0, 0, 1, reached - 1, reached, reached, reached + 1, 2**SUM - 1]
    thresholds = np.array([[values[k % 8]] * PE for k in range(THRESHOLDS)])
    await bench.begin(weights, thresholds)
    await bench.run([{"rows": 3, "planes": 3, "levels": 8, "base": 0, "ones": True}] * 3)
    # the largest sums that fit: doubled until one more would not, with and without odd pixels
    for wide, width in ((False, SUM), (True, ACC)):
        doubled = {"rows": 1, "planes": width - 6, "levels": 1, "base": 7, "ones": True}
        await bench.run([doubled] * 2, wide)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(passes=[1, 4], levels=[1, 3, 14])
async def words_are_taken_and_compared(dut, passes, levels):
    bench = Bench(dut)
    weights = [[bench.random.getrandbits(64) for _ in range(PE)] for _ in range(WEIGHTS)]
    thresholds = np.sort(bench.rng.integers(0, 2**SUM, (THRESHOLDS, PE)), axis=0)
    await bench.begin(weights, thresholds)
    await bench.run_words(passes, levels)
