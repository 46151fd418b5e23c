# SPDX-License-Identifier: BSD-3-Clause
"""The one driver of the accelerator: networks and pictures in, maps out, on every platform.

Whatever ends a call (a failed run, a time-out, an exception of the caller, Ctrl-C), the accelerator
is quiet afterwards. Memory that it may write to is given back only when it is quiet; if it does not
become quiet, that memory is kept for as long as this process lives.
"""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.control import CommandCycles, Control, Progress
from qnn.engine.layout import PLACES, Layout
from qnn.engine.lowering import Lowered, folded
from qnn.engine.maps import check_codes
from qnn.engine.piece import Piece
from qnn.engine.stages import Codes, Maps, Run, Stages, laid_out
from qnn.engine.status import Status
from qnn.engine.together import Part, Plan, for_pictures, plans, row_of
from qnn.errors import BackendError, DeviceBusyError
from qnn.network import Conv
from qnn.network.offload import Offload, since_us
from qnn.network.wiring import Wiring
from qnn.platforms.protocol import Buffer, Platform

_KEPT: list[Buffer] = []  # of accelerators that did not become quiet


_Way: TypeAlias = Plan[Stages]  # how pictures pass the network that is loaded


@dataclass
class _Flight:
    """A picture, or a row of them, on its way.

    Attributes:
        stages: that it passes; None for a picture that only waits for others.
        place: of its input there.
        packing_us, offload_us: of the host until now.
        pictures: of a row.
        run: once it is started.
    """

    stages: Stages | None
    place: int
    packing_us: int
    pictures: list[_Flight] = field(default_factory=list)
    offload_us: int = 0
    run: Run | None = None


class Driver:
    """One accelerator with at most one network; `close` it, or use it in a `with` statement.

    Not for several threads at once.

    Args:
        platform: what carries it; closed with the driver, or if the driver cannot be made.
        progress: called with cycles done and expected while a run goes on.

    Raises:
        WrongDeviceError: there is no accelerator, or one of another version.
        EngineStuckError: somebody left it in a state that it cannot be got out of.
    """

    def __init__(self, platform: Platform, progress: Progress | None = None) -> None:
        self._platform, self._progress = platform, progress
        self._control = Control(platform)
        self._buffers: list[Buffer] = []
        try:
            self.capabilities = Capabilities.read(platform.read)
            self._control.quiet()
            self._control.forbid()
        except BaseException:
            platform.close()
            raise
        self._alone: _Way | None = None  # of pictures one by one
        self._batched: _Way | None = None  # of a batch; often the same
        self._last: _Way | None = None  # of the two, what ran last
        self._layers: list[Lowered] = []
        self._fresh = False  # lists, parameters and windows are as they should be
        self._on_chip: Stages | None = None  # whose parameters those on chip are
        self._running = False  # a run was started and has not been seen to end
        self._streaming = False
        self._give_back = weakref.finalize(
            self, _shut_down, os.getpid(), self._control, self._buffers, platform
        )

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def layout(self) -> Layout:
        """Where the network, or its first part, lies; BackendError if there is none."""
        return self.stages.layout

    @property
    def buffers(self) -> tuple[Buffer, Buffer]:
        """The one that the accelerator only reads, and the one that it writes."""
        read, write = self._buffers
        return read, write

    @property
    def stages(self) -> Stages:
        """What runs the network, or its first part; BackendError if there is none."""
        return self._way.parts[0]

    @property
    def together(self) -> int:
        """Pictures that best wait for each other, to share the weights of fully connected layers;
        1 where the network has none that are better run for some at once."""
        return 1 if self._batched is None else self._batched.batch

    def load(
        self,
        layers: Sequence[Lowered],
        wiring: Wiring | None = None,
        wanted: Sequence[int] = (),
        together: bool = False,
    ) -> None:
        """Lays out the layers of a network, in place of any before.

        Args:
            layers: one after the other, as qnn.engine.lowering makes them. Pictures are what the
                first one reads: codes, or float32 where it is a float convolution.
            wiring: what each of them reads; None: the one before it.
            wanted: numbers of layers whose maps a run gives, as Offload.maps and Offload.heads;
                none: that of the last one.
            together: fully connected layers at the end run for several pictures at once, where
                qnn.engine.together can have it so.

        Raises:
            DoesNotFitError: they do not fit the accelerator.
            OutOfMemoryError: there is no memory for them; no network is loaded then.
        """
        if together and tuple(wanted) in ((), (len(layers) - 1,)):
            alone, batched = plans(layers, self.capabilities, wiring)
        else:
            whole = folded(layers, self.capabilities, wiring)
            alone = batched = Plan(Part(whole, laid_out(whole, self.capabilities, wiring)))
        self.unload()
        distinct = [alone] if alone is batched else [alone, batched]
        layouts = [part.layout for plan in distinct for part in plan.parts]
        try:
            for sizes in zip(*((one.read_bytes, one.write_bytes) for one in layouts), strict=True):
                self._buffers.append(self._platform.allocate(sum(sizes)))
        except BaseException:
            self.unload()
            raise
        self._layers = list(layers)
        pieces = self._pieces(layouts)
        self._alone, *more = (self._way_of(plan, pieces, wanted) for plan in distinct)
        self._last = self._alone
        self._batched = more[0] if more else self._alone
        self.refresh()

    def _pieces(self, layouts: Sequence[Layout]) -> Iterator[tuple[Buffer, Buffer]]:
        """Those of the two buffers, for one layout after the other."""
        read = write = 0
        for layout in layouts:
            yield (
                Piece(self._buffers[0], read, read := read + layout.read_bytes),
                Piece(self._buffers[1], write, write := write + layout.write_bytes),
            )

    def _way_of(
        self, plan: Plan[Part], pieces: Iterator[tuple[Buffer, Buffer]], wanted: Sequence[int]
    ) -> _Way:
        stages = [
            Stages(
                part.layers, part.layout, self.capabilities, self._control, next(pieces),
                self._report(number), followed=len(plan.parts) > 1,
                wanted=wanted if plan.row is None else (),
            )
            for number, part in enumerate(plan.parts)
        ]  # fmt: skip
        each = stages[0] if plan.each is not None else None
        return _Way(each, stages[-1] if plan.row is not None else None, plan.batch)

    @property
    def _ways(self) -> list[_Way]:
        """Both, or the one that there is; BackendError if there is none."""
        if self._alone is None or self._batched is None:
            raise BackendError("the accelerator has no network: it was closed, or none was loaded")
        return [self._alone] if self._alone is self._batched else [self._alone, self._batched]

    @property
    def _way(self) -> _Way:
        """What ran last, or would if the next picture came alone; errors as of `_ways`."""
        return self._last or self._ways[0]

    def refresh(self) -> None:
        """Writes lists, parameters and windows again, as happens by itself after a failed run."""
        ways = self._ways
        self.quiet()
        for way in ways:
            for part in way.parts:
                part.refresh()
        read, write = ((one.address, len(one.array)) for one in self.buffers)
        self._control.prepare(read, write)
        self._fresh = True

    def unload(self) -> None:
        """Gives the memory of the network back."""
        self.quiet()
        self._alone = self._batched = self._last = None
        self._control.forbid()
        while self._buffers:
            self._buffers.pop().free()

    def stream(
        self, pictures: Iterable[Codes], resident: bool | None = None, together: int = 1
    ) -> Generator[Offload]:
        """Picture after picture; the next one is taken and packed while one is worked on.

        Two are on their way: while the host works on the map of one between two of its stages, the
        accelerator has the other.

        Args:
            pictures: codes (H, W, C) of the first layer; a map of floats stays as it is until its
                result has come.
            resident: run with the parameters on chip; None: where the accelerator has kept them.
            together: so many pictures, at most those of `together`, wait for each other before
                fully connected layers run for all of them.

        Raises:
            EngineError: a run ended badly.
            EngineTimeoutError: a run did not end.
            EngineStuckError: and the accelerator could not be stopped.
        """
        if self._streaming:
            raise BackendError("the accelerator works on pictures of another stream: end it first")
        if self._running:
            self.quiet()
        self._streaming = True
        try:
            yield from self._stream(iter(pictures), resident, together)
        finally:
            self._streaming = False
            if self._running:
                self.quiet()

    def _stream(
        self, pictures: Iterator[Codes], resident: bool | None, together: int
    ) -> Generator[Offload]:
        way = self._last = self._ways[0 if together < self.together else -1]
        batch = min(together, way.batch)
        row = min(batch, self.capabilities.pixels)
        free_each, free_row = deque(range(PLACES)), deque(range(PLACES))
        ready: deque[_Flight] = deque()
        arrived: list[tuple[_Flight, Maps]] = []  # what waits for a row
        busy: _Flight | None = None
        ended: tuple[_Flight, Callable[[], tuple[Maps, ...]] | None] | None = None
        more, in_rows = True, False
        while True:
            under_way = len(free_each) < PLACES
            # one row after the other, for each kind of run takes the parameters of the other away
            in_rows = len(arrived) >= (row if in_rows else batch)
            if busy is None and ready:
                busy = ready.popleft()
                self._set_off(busy, resident)
            elif ended is not None:
                (flight, maps_of), ended = ended, None
                if maps_of is None:
                    self._prepare(flight)
                    ready.append(flight)
                    continue
                (free_row if flight.pictures else free_each).append(flight.place)
                maps = self._fetch(flight, maps_of)
                if way.row is None or flight.pictures:
                    yield from self._offloads(flight, maps)
                else:
                    arrived.append((flight, maps[0]))
            elif (
                way.row is not None
                and arrived
                and free_row
                and (in_rows or not (more or under_way))
            ):
                some, arrived = arrived[:row], arrived[row:]
                ready.append(self._hand_on(way.row, some, free_row.popleft()))
            elif more and not in_rows and (way.each is None or free_each):
                if not (more := (codes := next(pictures, None)) is not None):
                    continue
                if way.each is None:
                    arrived.append((_Flight(None, 0, 0), self._checked(codes)))
                    continue
                began = time.perf_counter_ns()
                way.each.put(codes, free_each[0])
                ready.append(_Flight(way.each, free_each.popleft(), since_us(began)))
            elif busy is None:
                return
            else:
                ended, busy = (busy, self._land(busy)), None

    def _checked(self, codes: Codes) -> Codes:
        """A picture that goes into a row as it is; QnnError where it does not fit."""
        first = self._layers[0]
        assert isinstance(first, Conv | DenseSums)
        check_codes(cast("NDArray[np.integer[Any]]", codes), first.in_shape, first.in_bits)
        return codes

    def run(self, codes: Codes, resident: bool | None = None) -> Offload:
        """One picture; arguments and errors as of `stream`."""
        (only,) = self.stream([codes], resident)
        return only

    def trace(self, codes: Codes) -> list[Maps]:
        """The map of every layer for one picture; errors as of `stream`."""
        self.run(codes)
        return [self.map(number) for number in range(len(self._layers))]

    def map(self, number: int) -> Maps:
        """What layer `number` gave in the last run, of the first picture of some together."""
        way = self._way
        before = 0 if way.each is None else len(way.each)
        if way.each is not None and number < before:
            return way.each.map(number)
        assert way.row is not None
        return way.row.map(number - before)[:, :1]

    def around(self, codes: Codes) -> dict[str, Callable[[], object]]:
        """What the host does around the accelerator for a picture, each to be called as often as
        one likes, until the next picture is run.

        Args:
            codes: the picture, (H, W, C), which is run once; errors as of `stream`.

        Returns:
            "quantise", where the first layer reads 16-bit numbers of floats, "packing", "between"
            the stages of a run, and "unpacking" what it gave.
        """
        self.run(codes)
        way = self._way
        first, *behind = way.parts
        place = first.last.place
        quantised = first.quantised(codes, place) if way.each else None

        def packing() -> None:
            if way.each:
                first.put(codes, place, quantised=quantised)
            else:
                first.put(row_of([codes]), place, 1)

        def between() -> None:
            first.between()
            for part in behind:
                part.put(row_of([first.result(first.last)()[0]]), part.last.place, 1)
                part.between()

        last = way.parts[-1]
        return {
            **({} if quantised is None else {"quantise": lambda: first.quantised(codes, place)}),
            "packing": packing,
            "between": between,
            "unpacking": lambda: last.result(last.last)(),
        }

    def account(self) -> list[CommandCycles]:
        """Where the cycles of the last run went, command by command."""
        return [command for part in self._way.parts for command in part.account()]

    def layer_cycles(self) -> tuple[int, ...]:
        """Those of each layer."""
        return tuple(cycles for part in self._way.parts for cycles in part.layer_cycles())

    @contextmanager
    def last_as(self, layer: Lowered) -> Iterator[None]:
        """For a while, another layer of the same weights for the last one: other is only what the
        host makes of its sums."""
        with ExitStack() as all_of_them:
            for way in self._ways:
                if way.row is None:
                    all_of_them.enter_context(way.parts[-1].last_as(layer))
                else:
                    other = for_pictures(layer, self.capabilities.pixels)
                    all_of_them.enter_context(way.row.last_as(other))
            yield

    def status(self) -> Status:
        """What the accelerator says of itself."""
        return self._control.status()

    # The parts of a run: put, start, finish.

    def put(self, codes: Codes, place: int = 0) -> None:
        """Packs a picture into one of the two input places; not that of a run under way. A map of
        floats stays as it is until that run has ended.

        Raises:
            QnnError: shape, dtype or a value of the codes does not fit.
        """
        self.stages.put(codes, place)

    def start(self, place: int = 0, resident: bool | None = None) -> Run:
        """Begins a run on what lies in an input place."""
        return self._begin(self.stages, place, resident)

    def finish(self) -> Callable[[], tuple[Maps, ...]]:
        """Waits for the end of the run that was started, of a network of one part: what makes the
        wanted maps, whenever."""
        stages, run = self.stages, self.stages.last
        try:
            while not stages.end(run):
                stages.prepare(run)
                stages.go_on(run)
            made = stages.result(run)
        except BaseException:
            self.quiet()
            raise
        self._running, self._on_chip = False, stages
        return made

    def quiet(self) -> None:
        """Ends whatever goes on; what was under way is lost.

        Raises:
            EngineStuckError: the memory does not answer; the buffers stay reserved.
        """
        self._fresh, self._on_chip = False, None  # what came between may have spoilt the lists too
        self._control.quiet()
        self._running = False

    def close(self) -> None:
        """Gets the accelerator quiet and gives memory and platform back. Idempotent.

        Raises:
            EngineStuckError: it does not become quiet: the platform is closed, its memory kept.
        """
        self._alone = self._batched = self._last = None
        self._running = False
        self._give_back()

    def _begin(self, stages: Stages, place: int, resident: bool | None) -> Run:
        """Begins a run of a part of the network.

        What is not all that is loaded runs with the parameters on chip only where they are its own.
        """
        if not self._fresh:
            self.refresh()
        status = self.status()
        if status.busy:
            raise DeviceBusyError(
                "the accelerator works on something that this program did not start: only one "
                "program may use it"
            )
        several = sum(len(way.parts) for way in self._ways) > 1
        if resident is None or (resident and several):
            resident = status.resident and self._on_chip is stages
        self._running = True
        return stages.start(place, resident)

    def _hand_on(
        self, stages: Stages, arrived: Sequence[tuple[_Flight, Maps]], place: int
    ) -> _Flight:
        """Hands the codes of some pictures in, as a row."""
        began = time.perf_counter_ns()
        stages.put(row_of([maps for _, maps in arrived]), place, len(arrived))
        return _Flight(stages, place, since_us(began), [flight for flight, _ in arrived])

    def _set_off(self, flight: _Flight, resident: bool | None) -> None:
        """Begins the next stage of a flight, or the first one."""
        began = time.perf_counter_ns()
        assert flight.stages is not None
        if flight.run is not None:
            self._running = True
            flight.stages.go_on(flight.run)
        else:
            flight.run = self._begin(flight.stages, flight.place, resident)
        flight.offload_us += since_us(began)

    def _land(self, flight: _Flight) -> Callable[[], tuple[Maps, ...]] | None:
        """Waits for the end of the stage that a flight is in: of the last one, what makes its
        maps; else None."""
        began = time.perf_counter_ns()
        stages, run = flight.stages, flight.run
        assert stages is not None and run is not None
        maps_of = stages.result(run) if stages.end(run) else None
        self._running, self._on_chip = False, stages
        flight.offload_us += since_us(began)
        return maps_of

    def _prepare(self, flight: _Flight) -> None:
        """The work of the host behind a stage."""
        began = time.perf_counter_ns()
        assert flight.stages is not None and flight.run is not None
        flight.stages.prepare(flight.run)
        flight.offload_us += since_us(began)

    def _fetch(self, flight: _Flight, maps_of: Callable[[], tuple[Maps, ...]]) -> tuple[Maps, ...]:
        began = time.perf_counter_ns()
        maps = maps_of()
        flight.offload_us += since_us(began)
        return maps

    def _offloads(self, flight: _Flight, wanted: tuple[Maps, ...]) -> Iterator[Offload]:
        """Of each picture of a flight that has ended, with its share of what they had together."""
        run, count = flight.run, len(flight.pictures)
        assert run is not None
        maps, *heads = wanted
        if not count:
            yield Offload(
                maps, flight.offload_us, flight.packing_us, run.cycles,
                between_us=run.between_us, heads=tuple(heads),
            )  # fmt: skip
        for number, one in enumerate(flight.pictures):
            before = one.run or Run(one.place)
            packed_us = flight.packing_us // count
            own_us, between_us = (packed_us, 0) if one.run is None else (one.packing_us, packed_us)
            yield Offload(
                maps[:, number : number + 1],
                one.offload_us + flight.offload_us // count + between_us,
                own_us,
                before.cycles + run.cycles // count,
                between_us=before.between_us + run.between_us // count + between_us,
            )

    def _report(self, part: int) -> Progress | None:
        """Tells the progress of a part as that of the run."""
        report = self._progress
        if report is None:
            return None

        def tell(done: int, _: int) -> None:
            each = [one.expected for one in self._way.parts]
            report(sum(each[:part]) + done, sum(each))

        return tell


def _shut_down(owner: int, control: Control, buffers: list[Buffer], platform: Platform) -> None:
    """Also run when a driver is collected, or when the program ends; not in a fork of `owner`."""
    if os.getpid() != owner:
        return
    try:
        control.quiet()
        control.forbid()
    except BaseException:
        _KEPT.extend(buffers)
        raise
    else:
        while buffers:
            buffers.pop().free()
    finally:
        platform.close()
