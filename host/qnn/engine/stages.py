# SPDX-License-Identifier: BSD-3-Clause
"""A picture through a program, stage by stage, and the work of the host between two stages.

A stage ends behind each layer whose map the host has to do with: of a float first layer it corrects
codes where they lie in memory (qnn.engine.float_first); out of the sums of a fully connected layer
it makes what the next stage reads (qnn.engine.binary_dense). While it does, the accelerator waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from qnn.engine import estimate
from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES
from qnn.engine.control import CommandCycles, Control, Progress
from qnn.engine.float_first import FloatFirst
from qnn.engine.layout import Layout
from qnn.engine.lowering import Lowered, compiled
from qnn.engine.maps import BlockMap
from qnn.engine.program import compile_layers
from qnn.engine.row_folding import RowFolding
from qnn.network.offload import since_us
from qnn.platforms.protocol import Buffer

Codes: TypeAlias = "NDArray[np.number[Any]]"  # (H, W, C): codes; floats for a float first layer
Maps: TypeAlias = "NDArray[np.number[Any]]"  # (H, W, C): uint8 codes, int32 sums, or float64


def laid_out(layers: Sequence[Lowered], capabilities: Capabilities) -> Layout:
    """Layers one after the other, in stages; DoesNotFitError where they do not fit."""
    program = compile_layers([compiled(layer) for layer in layers], capabilities)
    works = [isinstance(layer, FloatFirst | DenseSums) for layer in layers]
    return Layout(program, [number for number, one in enumerate(works) if one])


class Stages:
    """The runs of a network that lies in the buffers of a driver.

    Whatever ends a call badly leaves the accelerator as it is; the driver gets it quiet.

    Args:
        layers: of the network, as they were laid out.
        layout: of these.
        capabilities: of the accelerator.
        control: its registers.
        buffers: the one that it only reads, and the one that it writes.
        progress: called with cycles done and expected while a run goes on.

    Attributes:
        mended: outputs of a float first layer that the host has computed in the last run.
        cycles: of the stages of that run that have ended.
        between_us: of the host, between them.
    """

    def __init__(
        self,
        layers: Sequence[Lowered],
        layout: Layout,
        capabilities: Capabilities,
        control: Control,
        buffers: tuple[Buffer, Buffer],
        progress: Progress | None = None,
    ) -> None:
        self._layers, self._layout, self._control = list(layers), layout, control
        self._read, self._write = buffers
        self._progress = progress
        each = estimate.each(layout.program, capabilities)
        self._expected = [int(each[stage.commands].sum()) for stage in layout.stages]
        # in the input places, where the host needs them
        self._floats: dict[int, NDArray[np.float32]] = {}
        self._codes: dict[int, Codes] = {}
        self._made: dict[int, Maps] = {}  # by layer, in the run under way or the last one
        self._place = 0
        self._stage = 0
        self._accounts: list[CommandCycles] = []  # of stages before
        self.cycles = self.mended = self.between_us = 0

    def put(self, picture: Codes, place: int) -> None:
        """Packs a picture into one of the two input places; QnnError where it does not fit."""
        first = self._layers[0]
        numbers = cast("NDArray[np.integer[Any]]", picture)
        if isinstance(first, FloatFirst):
            self._floats[place] = picture.astype(np.float32)
            numbers = first.numbers(self._floats[place])
        elif isinstance(first, DenseSums):
            self._codes[place] = picture.copy()
        elif isinstance(first, RowFolding):
            numbers = first.fold(numbers)
        self._hand_in(0, numbers, self._layout.inputs[place])

    def start(self, place: int, resident: bool) -> None:
        """Begins a run on what lies in an input place; `resident` where parameters are on chip."""
        self._place, self._stage = place, 0
        self.cycles = self.mended = self.between_us = 0
        self._accounts, self._made = [], {}
        # stages take the place of each other's parameters
        self._start(resident and len(self._layout.stages) == 1)

    def finish(self) -> Callable[[], Maps]:
        """Waits for the end of a run, and works between its stages.

        Returns:
            What makes the map of the last layer of what is now copied: the next run may go on.

        Raises:
            EngineError: a stage ended badly.
            EngineTimeoutError: a stage did not end.
        """
        stages = self._layout.stages
        while True:
            self._end()
            began = time.perf_counter_ns()
            number = stages[self._stage].layers[-1]
            if isinstance(first := self._layers[number], FloatFirst):
                self._mend(first)
            if self._stage + 1 == len(stages):
                return partial(self._given, number, self._written(number), self._read_by(number))
            self._accounts += self._account()
            if isinstance(self._layers[number], DenseSums):
                made = cast("NDArray[np.integer[Any]]", self.map(number))
                self._made[number] = made
                self._hand_in(number + 1, made, self._layout.made[number + 1])
            self._stage += 1
            self.between_us += since_us(began)
            self._start(resident=False)

    @contextmanager
    def last_as(self, layer: Lowered) -> Iterator[None]:
        """For a while, another layer of the same weights for the last one: other is only what the
        host makes of its sums."""
        before, self._layers[-1] = self._layers[-1], layer
        try:
            yield
        finally:
            self._layers[-1] = before

    def map(self, number: int) -> Maps:
        """What layer `number` gave in the last run."""
        if number in self._made:
            return self._made[number]
        return self._given(number, self._written(number), self._read_by(number))

    def account(self) -> list[CommandCycles]:
        """Where the cycles of the last run went, command by command."""
        return [*self._accounts, *self._account()]

    def layer_cycles(self) -> tuple[int, ...]:
        """Those of each layer."""
        account = iter(self.account())
        parts = self._layout.program.parts
        return tuple(sum(next(account).cycles for _ in range(part)) for part in parts)

    def _start(self, resident: bool) -> None:
        stage = self._layout.stages[self._stage]
        begin = self._layout.lists[self._place] + stage.begin * COMMAND_BYTES
        self._control.start(self._read.address + begin, stage.count, resident)

    def _end(self) -> None:
        """Waits for the end of a stage."""
        status = self._control.wait(self._expected[self._stage], self._report())
        if not status.done:
            raise status.failure(self._names())
        self._control.acknowledge()
        self.cycles += self._control.cycles()

    def _report(self) -> Progress | None:
        """Tells the progress of a stage as that of the run."""
        report = self._progress
        if report is None:
            return None
        before, whole = sum(self._expected[: self._stage]), sum(self._expected)
        return lambda done, _: report(before + done, whole)

    def _mend(self, first: FloatFirst) -> None:
        """Corrects the codes in doubt in the map of the first layer, where it lies in memory."""
        out, write = self._layout.program.maps[0], self._write
        assert isinstance(out, BlockMap)
        begin, end = self._layout.maps[0], self._layout.maps[0] + out.size
        write.invalidate(begin, end)
        data = write.array[begin:end]
        where, codes = first.corrections(self._floats[self._place], out.odd(data))
        self.mended = len(where)
        if len(where):
            out.mend(data, where, codes)
            write.flush(begin, end)

    def _hand_in(self, number: int, codes: NDArray[np.integer[Any]], begin: int) -> None:
        """Packs what layer `number` reads."""
        (how,) = (one.map for one in self._layout.program.inputs if one.layer == number)
        data = np.frombuffer(how.pack(codes), dtype=np.uint8)
        self._read.array[begin : begin + len(data)] = data
        self._read.flush(begin, begin + len(data))

    def _read_by(self, number: int) -> Codes | None:
        """The codes that a fully connected layer has read; None for others."""
        if not isinstance(self._layers[number], DenseSums):
            return None
        return self.map(number - 1) if number else self._codes[self._place]

    def _given(self, number: int, data: bytes, read: Codes | None) -> Maps:
        """What a layer gives, out of its map as it lies in memory and what `_read_by` says."""
        layer, maps = self._layers[number], self._layout.program.maps[number].unpack(data)
        if isinstance(layer, DenseSums):
            codes = cast("NDArray[np.integer[Any]]", read)
            return layer.finish(codes, cast("NDArray[np.int32]", maps))
        return maps >> 1 if isinstance(layer, FloatFirst) else maps

    def _written(self, number: int) -> bytes:
        """The map of a layer as it lies in memory."""
        begin = self._layout.maps[number]
        end = begin + self._layout.program.maps[number].size
        self._write.invalidate(begin, end)
        return self._write.array[begin:end].tobytes()

    def _names(self) -> tuple[str, ...]:
        """Of the commands of the stage under way, or of the last one."""
        return self._layout.program.names[self._layout.stages[self._stage].commands]

    def _account(self) -> list[CommandCycles]:
        return self._control.account(self._names())
