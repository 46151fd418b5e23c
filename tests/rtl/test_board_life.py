# SPDX-License-Identifier: BSD-3-Clause
"""A board that stays on: drivers come and go, networks change, runs end badly, are reset or left
running; whatever was before, the next run gives the golden values and nothing else is touched."""

import bad_ends
import numpy as np
import random_layers

from qnn.engine import regs
from qnn.engine.control import RESET
from qnn.engine.driver import Driver
from qnn.engine.placement import integer_layers
from qnn.store import library
from qnn_sim import agreement
from qnn_sim.golden_network import trace
from qnn_sim.platform import POISON, SimulatedBoard
from qnn_sim.rtl_engine import PUBLISHED
from qnn_sim.run_options import draws

CONFIGURATION = "small"
MEMORY = 1 << 22
DRIVERS = 12  # that a board sees in one test
ACTIONS = 6  # of each


class PoweredBoard(SimulatedBoard):
    """Stays on when its driver is closed."""

    def close(self):
        pass

    def switch_off(self):
        super().close()


class Life:
    """One driver of the board, with a network of its own."""

    def __init__(self, rng, board):
        self.rng, self.board, self.driver = rng, board, Driver(board)
        self.layers = bad_ends.small_network(rng, self.driver.capabilities)
        self.driver.load(self.layers)
        self.cycles = self.compare(resident=False)

    def codes(self):
        return random_layers.pictures(self.rng, self.layers)[self.rng.integers(3)]

    def golden(self, codes):
        return list(trace(self.layers, codes))

    def compare(self, resident=None):
        """A run of which every value of every layer is compared; its cycles."""
        codes = self.codes()
        expected = self.golden(codes)
        cycles = self.driver.run(codes, resident).cycles
        for number, layer in enumerate(expected):
            np.testing.assert_array_equal(self.driver.map(number), layer, f"layer {number}")
        values = sum(layer.size for layer in expected)
        agreement.record(agreement.Count("board life", "rtl", CONFIGURATION, values, 0))
        return cycles

    def runs(self):
        self.cycles = self.compare()

    def streams(self):
        pictures = [self.codes() for _ in range(3)]
        for offload, codes in zip(self.driver.stream(pictures), pictures, strict=True):
            np.testing.assert_array_equal(offload.maps, self.golden(codes)[-1])

    def ends_badly(self):
        code = bad_ends.CODES[self.rng.integers(len(bad_ends.CODES))]
        self.driver.refresh()
        resident = bool(self.rng.integers(2))
        for kind in sorted({False, resident}):
            cycles = self.driver.run(self.codes(), kind).cycles
        bad_ends.end_badly(self.rng, self.driver, self.board, code, resident, cycles)

    def starts(self):
        """A run that is somewhere on its way."""
        self.driver.put(self.codes())
        self.driver.start()
        self.board.engine.clocks(int(self.rng.integers(self.cycles)))

    def is_reset(self):
        self.driver.refresh()
        self.starts()
        self.board.write(regs.CTRL, RESET)
        self.driver.quiet()
        assert self.board.engine.count("pending") == 0
        self.driver.refresh()

    def is_killed(self):
        """As by SIGKILL in the middle of a run: the memory is given back when the next driver has
        got the accelerator quiet."""
        buffers = self.driver.buffers
        self.driver.refresh()
        self.starts()
        self.driver._give_back.detach()
        Driver(self.board).close()
        for buffer in buffers:
            buffer.free()


ALL_ACTIONS = (Life.runs, Life.streams, Life.ends_badly, Life.ends_badly, Life.is_reset)


def test_a_board_outlives_its_drivers(seed):
    rng = np.random.default_rng(seed)
    board = PoweredBoard(CONFIGURATION, MEMORY)
    for _ in range(draws(DRIVERS, 3)):
        life = Life(rng, board)
        for _ in range(ACTIONS):
            memories = random_layers.memories(rng)
            board.engine.model(memories[rng.integers(len(memories))])
            ALL_ACTIONS[rng.integers(len(ALL_ACTIONS))](life)
            assert board.violations == 0 and board.untouched()
        life.runs()
        if rng.integers(2):
            life.driver.close()
        else:
            life.is_killed()
        assert board.buffers == {} and board.violations == 0
        assert (board.engine.memory == POISON).all()
    board.switch_off()


def test_the_shipped_network_whole(seed):
    """On random codes, each with another memory."""
    rng = np.random.default_rng(seed)
    layers = integer_layers(library.find(library.DEFAULT).layers)
    board = SimulatedBoard(CONFIGURATION)
    with Driver(board) as driver:
        driver.load(layers)
        memories = random_layers.memories(rng)
        for model in (PUBLISHED, memories[-1 - rng.integers(2)])[: draws(2, 1)]:
            board.engine.model(model)
            codes = rng.integers(0, 2 ** layers[0].in_bits, layers[0].in_shape).astype(np.uint8)
            for found, layer in zip(driver.trace(codes), trace(layers, codes), strict=True):
                np.testing.assert_array_equal(found, layer)
        assert board.violations == 0
