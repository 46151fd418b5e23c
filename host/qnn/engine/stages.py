# SPDX-License-Identifier: BSD-3-Clause
"""Pictures through a program, stage by stage, and the work of the host between two stages.

A stage ends behind each layer whose map the host has to do with: of a float first layer it corrects
codes where they lie in memory (qnn.engine.float_first); out of the sums of a fully connected layer
it makes what the next stage reads (qnn.engine.binary_dense); and layers between those of the
accelerator it computes itself (qnn.engine.hosted). While it does, the accelerator can have a stage
of another picture, in the other place (qnn.engine.layout).
One ends, too, where a list of commands would be longer than the accelerator takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from qnn.engine import estimate, word_parameters
from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import COMMAND_BYTES
from qnn.engine.control import CommandCycles, Control, Progress
from qnn.engine.float_first import FloatFirst, Kept, Quantised
from qnn.engine.hosted import Hosted
from qnn.engine.layout import Layout
from qnn.engine.lowering import Lowered, compiled
from qnn.engine.maps import BlockMap, RawMap
from qnn.engine.program import compile_layers
from qnn.engine.row_folding import RowFolding
from qnn.engine.word_conv import WordMap
from qnn.network.offload import since_us
from qnn.network.wiring import OUTSIDE, Wiring, side_by_side
from qnn.platforms.protocol import Buffer

Codes: TypeAlias = "NDArray[np.number[Any]]"  # (H, W, C): codes; floats for a float first layer
Maps: TypeAlias = "NDArray[np.number[Any]]"  # (H, W, C): uint8 codes, int32 sums, or float64


def laid_out(
    layers: Sequence[Lowered], capabilities: Capabilities, wiring: Wiring | None = None
) -> Layout:
    """Layers one after the other, in stages; DoesNotFitError where they do not fit."""
    program = compile_layers([compiled(layer) for layer in layers], capabilities, wiring=wiring)
    breaks, commands = set[int](), 0
    for number, (layer, parts) in enumerate(zip(layers, program.parts, strict=True)):
        commands += parts
        if commands > capabilities.commands:  # a list holds no more
            breaks.add(number - 1)
            commands = parts
        of_host = isinstance(layer, FloatFirst | DenseSums | Hosted)
        if of_host and not (number + 1 < len(layers) and isinstance(layers[number + 1], Hosted)):
            breaks.add(number)
            commands = 0
    return Layout(program, breaks)


@dataclass
class Run:
    """A picture on its way through the stages.

    Attributes:
        place: of its input, and of the maps that the host has to do with.
        stage: the one that it is in.
        mended: outputs of a float first layer that the host has computed.
        cycles: of the stages that have ended.
        between_us: of the host, between two stages.
    """

    place: int
    stage: int = 0
    mended: int = 0
    cycles: int = 0
    between_us: int = 0
    accounts: list[CommandCycles] = field(default_factory=list)  # of stages before
    made: dict[int, Maps] = field(default_factory=dict)  # by the host, by layer


class Stages:
    """The runs of a network that lies in the buffers of a driver.

    A run is `start`ed, and then by turns `end`s a stage and `go_on`es: two runs may be on their
    way, in different places, if only one at a time is in a stage. Whatever ends a call badly leaves
    the accelerator as it is; the driver gets it quiet.

    Args:
        layers: of the network, as they were laid out.
        layout: of these.
        capabilities: of the accelerator.
        control: its registers.
        buffers: the one that it only reads, and the one that it writes.
        progress: called with cycles done and expected while a run goes on.
        followed: other stages may run before somebody asks for the account of a run.
        wanted: numbers of layers whose maps a run gives; the last one by itself: none.

    Attributes:
        layout: as above.
        expected: cycles of a run.
        last: the run that was in a stage last.
    """

    def __init__(
        self,
        layers: Sequence[Lowered],
        layout: Layout,
        capabilities: Capabilities,
        control: Control,
        buffers: tuple[Buffer, Buffer],
        progress: Progress | None = None,
        followed: bool = False,
        wanted: Sequence[int] = (),
    ) -> None:
        self._layers, self.layout, self._control = list(layers), layout, control
        self._wanted = tuple(wanted) or (len(layers) - 1,)
        self._followed = followed
        self._read, self._write = buffers
        self._reads = {one.layer: one.map for one in layout.program.inputs}  # of the host
        self._progress = progress
        each = estimate.each(layout.program, capabilities)
        self._expected = [int(each[stage.commands].sum()) for stage in layout.stages]
        self.expected = sum(self._expected)
        # in the input places, where the host needs them
        self._kept: dict[int, Kept] = {}
        self._thresholds: dict[int, NDArray[np.int32]] = {}
        self._codes: dict[int, Codes] = {}
        self._pictures: dict[int, int | None] = {}  # of rows; None: all
        self.last = Run(0)

    def __len__(self) -> int:
        """Layers."""
        return len(self._layers)

    def refresh(self) -> None:
        """Writes lists and parameters."""
        image = self.layout.image(self._read.address, self._write.address)
        self._read.array[: len(image)] = np.frombuffer(image, np.uint8)
        self._read.flush(0, len(image))
        for place in self._thresholds:
            self._put_thresholds(place)

    def quantised(self, picture: Codes, place: int) -> Quantised | None:
        """Makes what the first layer reads of a picture of floats, in one of the two input places;
        None, and nothing is made, of codes.

        Raises:
            QnnError: it does not fit.
        """
        first, how = self._layers[0], self._reads[0]
        if not isinstance(first, FloatFirst) or not isinstance(how, WordMap):
            return None
        begin = self.layout.inputs[place]
        return first.quantised(picture, how.room(self._read.array[begin : begin + how.size]))

    def put(
        self,
        picture: Codes,
        place: int,
        pictures: int | None = None,
        quantised: Quantised | None = None,
    ) -> None:
        """Packs a picture into one of the two input places; QnnError where it does not fit.

        Args:
            pictures: it is a row of so many, which fit, and maps of this run are, too; there may
                be fewer of them than the layers have pixels.
            quantised: of it, where that was made in that place before.
        """
        first = self._layers[0]
        self._pictures[place] = pictures
        numbers = cast("NDArray[np.integer[Any]]", picture)
        if isinstance(first, FloatFirst):
            quantised = quantised or self.quantised(picture, place)
            assert quantised is not None
            self._kept[place] = first.keep(picture, quantised)
            self._thresholds[place] = first.thresholds(quantised)
            self._put_thresholds(place)
            begin = self.layout.inputs[place]
            self._read.flush(begin, begin + self._reads[0].size)
            return
        if isinstance(first, DenseSums):
            self._codes[place] = picture.copy()
        elif isinstance(first, RowFolding):
            numbers = first.fold(numbers)
        self._hand_in(0, numbers, self.layout.inputs[place], place, fit=pictures is not None)

    def start(self, place: int, resident: bool) -> Run:
        """Begins a run on what lies in an input place; `resident` where parameters are on chip."""
        run = Run(place)
        # stages take the place of each other's parameters, thresholds of a picture those of another
        own = len(self.layout.stages) > 1 or place in self._thresholds
        self._start(run, resident and not own)
        return run

    def end(self, run: Run) -> bool:
        """Waits for the end of the stage that a run is in.

        Returns:
            Whether it was the last one.

        Raises:
            EngineError: it ended badly.
            EngineTimeoutError: it did not end.
        """
        status = self._control.wait(self._expected[run.stage], self._report(run.stage))
        if not status.done:
            raise status.failure(self._names(run.stage))
        self._control.acknowledge()
        run.cycles += self._control.cycles()
        last = run.stage + 1 == len(self.layout.stages)
        if self._followed or not last:
            run.accounts += self._account(run.stage)
        return last

    def prepare(self, run: Run) -> None:
        """The work of the host behind a stage that has ended, and was not the last one."""
        began = time.perf_counter_ns()
        self._prepare(run, run.stage)
        run.between_us += since_us(began)

    def _prepare(self, run: Run, stage: int) -> None:
        """As above, behind some stage."""
        for number in self.layout.stages[stage].layers:
            layer = self._layers[number]
            if isinstance(layer, FloatFirst):
                self._mend(layer, run)
            elif isinstance(layer, DenseSums):
                made = cast("NDArray[np.integer[Any]]", self._map(number, run))
                run.made[number] = made
                for one in self.layout.program.inputs:
                    if one.source == number:
                        begin = self.layout.made[one.layer][run.place]
                        self._hand_in(one.layer, made, begin, run.place, fit=True)
            elif isinstance(layer, Hosted):
                self._compute(number, layer, run)

    def go_on(self, run: Run) -> None:
        """Begins the next stage of a run that is prepared for it."""
        run.stage += 1
        self._start(run, resident=False)

    def result(self, run: Run) -> Callable[[], tuple[Maps, ...]]:
        """What makes the wanted maps of a run that has ended; the next may go on, for what is now
        read is copied."""
        if isinstance(first := self._layers[-1], FloatFirst):
            self._mend(first, run)
        copied = [self._copied(number, run) for number in self._wanted]
        return lambda: tuple(one() for one in copied)

    def between(self) -> None:
        """The work of the host between the stages of the last run, which has ended, once more; it
        changes nothing."""
        again = Run(self.last.place)  # what that one has made is made once more
        for stage in range(len(self.layout.stages) - 1):
            self._prepare(again, stage)

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
        return self._map(number, self.last)

    def account(self) -> list[CommandCycles]:
        """Where the cycles of the last run went, command by command."""
        run = self.last
        return [*run.accounts, *([] if self._followed else self._account(run.stage))]

    def layer_cycles(self) -> tuple[int, ...]:
        """Those of each layer."""
        account = iter(self.account())
        parts = self.layout.program.parts
        return tuple(sum(next(account).cycles for _ in range(part)) for part in parts)

    def _start(self, run: Run, resident: bool) -> None:
        self.last = run
        stage = self.layout.stages[run.stage]
        begin = self.layout.lists[run.place] + stage.begin * COMMAND_BYTES
        self._control.start(self._read.address + begin, stage.count, resident)

    def _report(self, stage: int) -> Progress | None:
        """Tells the progress of a stage as that of the run."""
        report = self._progress
        if report is None:
            return None
        before = sum(self._expected[:stage])
        return lambda done, _: report(before + done, self.expected)

    def _mend(self, first: FloatFirst, run: Run) -> None:
        """Corrects the codes in doubt in the map of the first layer, where it lies in memory."""
        out, write = self.layout.program.maps[0], self._write
        assert isinstance(out, BlockMap)
        begin = self._begin(0, run)
        end = begin + out.size
        write.invalidate(begin, end)
        data = write.array[begin:end]
        kept = self._kept[run.place]
        odd = out.odd(data) if first.proves(kept) else out.every()
        run.mended = len(odd)
        if len(odd):
            out.mend(data, odd, first.codes(kept, odd.where))
            write.flush(begin, end)

    def _compute(self, number: int, layer: Hosted, run: Run) -> None:
        """Makes the map of a layer of the host, and puts it where the accelerator reads it."""
        program, write = self.layout.program, self._write
        made = run.made[number] = layer([self._map(read, run) for read in program.wiring[number]])
        out = program.maps[number]
        if not out.blocks:
            return
        assert isinstance(out, BlockMap)
        data = out.pack(cast("NDArray[np.integer[Any]]", made))
        begin = self._begin(number, run)
        end = begin + len(data)
        write.invalidate(begin, end)  # at its ends it may share cache lines with other maps
        write.array[begin:end] = data
        write.flush(begin, end)

    def _put_thresholds(self, place: int) -> None:
        """Writes those of the picture in that place."""
        words, own = self._read.array.view("<i4"), self.layout.own[place]
        # those of a picture lie among its sums, so no int32 overflows
        words[self.layout.thresholds[place]] = word_parameters.moved(self._thresholds[place].T)
        self._read.flush(own.start, own.stop)

    def _hand_in(
        self, number: int, codes: NDArray[np.integer[Any]], begin: int, place: int, fit: bool
    ) -> None:
        """Packs what layer `number` reads; `fit`: it is known to."""
        how = self._reads[number]
        end = begin + how.size
        memory = self._read.array[begin:end]
        if isinstance(how, WordMap):
            how.write(codes, memory)
        else:
            how.write(codes, memory, self._pictures[place], fit)
        self._read.flush(begin, end)

    def _map(self, number: int, run: Run) -> Maps:
        """What a layer gave."""
        return self._copied(number, run)()

    def _copied(self, number: int, run: Run) -> Callable[[], Maps]:
        """What makes it of what is copied here."""
        if number in run.made:
            return partial(run.made.__getitem__, number)
        data, pictures = self._written(number, run), self._pictures[run.place]
        return partial(self._given, number, data, self._read_by(number, run), pictures)

    def _read_by(self, number: int, run: Run) -> Codes | None:
        """The codes that a fully connected layer has read; None for others."""
        if not isinstance(self._layers[number], DenseSums):
            return None
        reads = self.layout.program.wiring[number]
        if reads == (OUTSIDE,):
            return self._codes[run.place]
        return side_by_side([self._map(read, run) for read in reads])

    def _given(self, number: int, data: bytes, read: Codes | None, pictures: int | None) -> Maps:
        """What a layer gives, out of its map as it lies in memory and what `_read_by` says; of a
        row so many pictures."""
        layer, how = self._layers[number], self.layout.program.maps[number]
        maps: NDArray[np.integer[Any]]
        if isinstance(how, RawMap):
            maps = how.unpack(data, pictures)
        else:
            maps = how.unpack(data)[:, :pictures]
        if isinstance(layer, DenseSums):
            codes = cast("NDArray[np.integer[Any]]", read)
            return layer.finish(codes, cast("NDArray[np.int32]", maps))
        return maps >> 1 if isinstance(layer, FloatFirst) else maps

    def _written(self, number: int, run: Run) -> bytes:
        """The map of a layer as it lies in memory."""
        begin = self._begin(number, run)
        end = begin + self.layout.program.maps[number].size
        self._write.invalidate(begin, end)
        return self._write.array[begin:end].tobytes()

    def _begin(self, number: int, run: Run) -> int:
        """Where the map of a layer begins in the buffer that is written."""
        return self.layout.maps[number] + run.place * self.layout.apart

    def _names(self, stage: int) -> tuple[str, ...]:
        """Of the commands of a stage."""
        return self.layout.program.names[self.layout.stages[stage].commands]

    def _account(self, stage: int) -> list[CommandCycles]:
        """Of a stage, which is the last one that was run."""
        return self._control.account(self._names(stage))
