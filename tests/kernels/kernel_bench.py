# SPDX-License-Identifier: BSD-3-Clause
"""One bench for both implementations of a kernel: RTL and HLS C++ behind the same two streams.

shells/rtl_<kernel>.sv puts the modules of rtl/ behind them, shells/hls_kernel.sv any of the HLS
kernels. The environment chooses among them: see chosen_kernels.py.
"""

import re
from pathlib import Path
from typing import get_args

import chosen_kernels
import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from random_networks import (
    coefficients_of,
    random_conv,
    random_layer,
    random_numbers,
    random_word_layers,
)

from qnn.engine.passes import passes_of
from qnn.errors import DoesNotFitError
from qnn.network import MaxPool
from qnn_sim import agreement, hls_csim, kernel_frames, run_options
from qnn_sim.streams import Sink, Source, generator, reset, start

SHELLS = Path(__file__).parent / "shells"
IMPLEMENTATIONS = chosen_kernels.implementations()
CONFIGURATIONS = chosen_kernels.configurations()
NETWORKS = chosen_kernels.networks()
SOURCES = get_args(kernel_frames.Source)
PATIENCE = 20_000  # cycles without a beat anywhere
MOST_STEPS = 6000  # product rows of a random layer


def run(bench: str, implementation: str, configuration: str) -> None:
    """Run the bench test_<kernel>.py on one implementation in one folding."""
    from qnn_sim.bench_runner import ROOT, Shell, run_bench

    kernel = Path(bench).stem.removeprefix("test_")
    about = {"kernel": kernel, "implementation": implementation, "configuration": configuration}
    plusargs = [f"+{name}={value}" for name, value in about.items()]
    if implementation == "rtl":
        top = SHELLS / f"rtl_{kernel}.sv"
        shared = [SHELLS / f"{name}.sv" for name in ("frame", "gather", "scatter")]
        has = re.findall(r"parameter int unsigned (\w+)", top.read_text())
        wanted = hls_csim.CONFIGURATIONS[configuration].items()
        parameters = {name: value for name, value in wanted if name in has}
        run_bench(bench, Shell(top.stem, [*shared, top], plusargs=plusargs), **parameters)
    else:
        native = [ROOT / "hls_kernels/dpi/hls_kernel.cpp", hls_csim.build(configuration)]
        run_bench(bench, Shell("hls_kernel", [SHELLS / "hls_kernel.sv"], native, plusargs))


class Bench:
    """The device under test with a source of beats and a sink; made by `begin`."""

    def __init__(self, dut, stall):
        self.dut = dut
        about = cocotb.plusargs
        self.about = about["kernel"], about["implementation"], about["configuration"]
        self.caps = hls_csim.capabilities(about["configuration"])
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)
        self.source = Source(dut, "in", ("data", "last"), stall=stall)
        self.sink = Sink(dut, "out", ("data", "last"), stall=stall)

    @classmethod
    async def begin(cls, dut, stall=0.0):
        bench = cls(dut, stall)
        await start(dut)
        return bench

    def put(self, frame):
        words = frame.words.tolist()
        self.source.put(
            {"data": word, "last": int(n == len(words) - 1)} for n, word in enumerate(words)
        )

    async def take(self):
        """The words of the next frame; what came of it, where it does not end."""
        quiet, seen = 0, (0, 0)
        while True:
            for n, (_, last) in enumerate(self.sink.items):
                if last:
                    taken, self.sink.items[: n + 1] = self.sink.items[: n + 1], []
                    return np.array([word for word, _ in taken], dtype=np.uint64)
            now = len(self.sink.items), self.source.left
            quiet, seen = (0 if now != seen else quiet + 1), now
            if quiet * 20 > PATIENCE:
                return np.array([word for word, _ in self.sink.items], dtype=np.uint64)
            await ClockCycles(self.dut.clk_i, 20)

    async def compare(self, frames):
        """All frames one behind the other; every value of each is compared, then judged."""
        wrong = []
        for frame in frames:
            self.put(frame)
        for frame in frames:
            got = await self.take()
            differing, values = frame.differing(got), frame.values(frame.expected).size
            agreement.record(agreement.Count(*self.about, values, differing))
            if differing:
                wrong.append(f"{differing} of {values} values differ: {frame.about}")
            if len(got) < len(frame.expected):
                wrong.append(f"{len(got)} of {len(frame.expected)} words came")
                break
        assert not wrong, "\n".join(wrong)
        await ClockCycles(self.dut.clk_i, 20)
        assert not self.sink.items, "words that belong to no frame"

    async def compare_after_resets(self, frames):
        """Each frame after a reset in the middle of itself."""
        pause = generator("pause")
        for frame in frames:
            self.put(frame)
            await ClockCycles(self.dut.clk_i, pause.randrange(1, 2 * len(frame.words)))
            await reset(self.dut)
            await self.compare([frame])

    def frames_of_random_layers(self, make, count):
        """`count` frames that `make` makes of random layers, from tight rows, blocks and parts of
        them.

        A short run has 4.
        """
        count, found = run_options.draws(count, 4), []
        while len(found) < count:
            shape = (*self.rng.integers(1, 12, 2).tolist(), int(self.rng.choice([1, 2, 3, 6, 30])))
            bits = int(self.rng.choice([1, 2, 3, 8]))
            layer = random_layer(self.rng, shape, bits, "layer", True)
            codes = self.rng.integers(0, 2**bits, shape)
            found += self.frames_of(make, layer, codes, SOURCES[len(found) % len(SOURCES)])
        return found

    def frames_of_random_words(self, count):
        """`count` frames of random layers of 16-bit words, conv kernel."""
        found = []
        while len(found) < count:
            layer = random_word_layers(self.rng)[0]
            rows, columns, outputs = layer.conv_shape
            groups = -(-rows * columns // self.caps.pixels) * -(-outputs // 8)
            if groups * layer.weight[0].size > 4 * MOST_STEPS:
                continue
            try:
                numbers = random_numbers(self.rng, layer)
                found += kernel_frames.word_conv(layer, numbers, self.caps)
            except DoesNotFitError:
                continue
        return found[:count]

    def frames_of(self, make, layer, codes, source):
        """Those of one layer; none where it does not fit the accelerator or takes too long."""
        outputs = -(-layer.outputs // self.caps.pe)
        pixels = -(-layer.conv_shape[0] * layer.conv_shape[1] // self.caps.pixels)
        words = -(-layer.weight[0, 0, 0].size // 64) + 1
        steps = layer.in_bits * len(passes_of(layer)) * layer.kernel[0] * words
        if outputs * pixels * steps > MOST_STEPS:
            return []
        try:
            return make(layer, codes, self.caps, source)
        except DoesNotFitError:
            return []

    def frames_of_corners(self, make):
        """The smallest layer; a kernel that hangs over all sides; groups that share a block; sums;
        weights of 4 bits; stride, lopsided padding; every number of planes; a map that is read once
        for each tile; wide sums. A short run has 8 of these frames.
        """
        few = {"levels": 3, "in_bits": 2}
        pe, deep = self.caps.pe, self.caps.window_words // 8  # eight rows of it fill the buffer
        layers = [
            random_conv(self.rng, (1, 1, 1), 1, (1, 1), levels=1, in_bits=1),
            random_conv(self.rng, (1, 3, 4), 8, (7, 7), padding=(3, 3, 3, 3), **few),
            random_conv(self.rng, (3, 3, 32), 16, (2, 2), groups=4, **few),
            random_conv(self.rng, (2, 2, 3), 3 * pe, (1, 1), levels=None, coefficients=(1, 2)),
            random_conv(self.rng, (3, 2, 7), 9, (2, 2), coefficients=(8, 4, 2, 1, 1), **few),
            random_conv(self.rng, (3, 5, 70), 9, (3, 3), stride=2, padding=(2, 1, 2, 1), **few),
            *(
                random_conv(self.rng, (3, 4, 5), 3, (2, 3), in_bits=bits, levels=2**bits - 1)
                for bits in range(1, 9)
            ),
            random_conv(self.rng, (12, 8, deep), pe + 1, (2, 1), in_bits=8, pool=MaxPool(2, 2)),
            random_conv(
                self.rng, (4, 5, 60), 3, (3, 3), in_bits=8, coefficients=coefficients_of(8)
            ),
        ]
        frames = []
        for layer in layers:
            top = 2**layer.in_bits - 1
            codes = self.rng.integers(0, top + 1, layer.in_shape)
            for source in SOURCES[:2]:
                frames += make(layer, codes, self.caps, source)
        for layer in layers[1:4]:
            top = 2**layer.in_bits - 1
            for code in (0, top):
                frames += make(layer, np.full(layer.in_shape, code), self.caps)
        return run_options.some(self.rng, frames, 8)
