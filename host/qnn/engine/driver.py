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
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from qnn.engine.binary_dense import DenseSums
from qnn.engine.capabilities import Capabilities
from qnn.engine.control import CommandCycles, Control, Progress
from qnn.engine.layout import PLACES, Layout
from qnn.engine.lowering import Lowered, folded
from qnn.engine.piece import Piece
from qnn.engine.stages import Codes, Maps, Run, Stages, laid_out
from qnn.engine.status import Status
from qnn.engine.together import row_of, split
from qnn.errors import BackendError, DeviceBusyError
from qnn.network.offload import Offload, since_us
from qnn.network.wiring import Wiring, chain
from qnn.platforms.protocol import Buffer, Platform

_KEPT: list[Buffer] = []  # of accelerators that did not become quiet


@dataclass
class _Flight:
    """What is handed in, what it took the host so far, and its run once it is started.

    Attributes:
        part: of the network.
        pictures: of the part before, whose codes it reads side by side; none for a picture itself.
    """

    part: int
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
        self._parts: list[Stages] = []  # of the network, one after the other
        self._fresh = False  # lists, parameters and windows are as they should be
        self._ours = False  # parameters on chip are those of this network
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
        if not self._parts:
            raise BackendError("the accelerator has no network: it was closed, or none was loaded")
        return self._parts[0]

    @property
    def together(self) -> int:
        """Pictures that share the weights of the second part of a network; 1 if it has none."""
        return self.capabilities.pixels if len(self._parts) > 1 else 1

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
        layers = folded(layers, self.capabilities)
        whole = wiring or chain(len(layers))
        parts = [layers]
        if together and tuple(wanted) in ((), (len(layers) - 1,)):
            parts = split(layers, self.capabilities, whole)
        wirings = [whole[: len(parts[0])], *(chain(len(part)) for part in parts[1:])]
        layouts = [
            laid_out(part, self.capabilities, own) for part, own in zip(parts, wirings, strict=True)
        ]
        self.unload()
        try:
            for sizes in zip(*((one.read_bytes, one.write_bytes) for one in layouts), strict=True):
                self._buffers.append(self._platform.allocate(sum(sizes)))
        except BaseException:
            self.unload()
            raise
        read = write = 0
        for part, layout in zip(parts, layouts, strict=True):
            pieces = (
                Piece(self._buffers[0], read, read := read + layout.read_bytes),
                Piece(self._buffers[1], write, write := write + layout.write_bytes),
            )
            self._parts.append(
                Stages(
                    part, layout, self.capabilities, self._control, pieces,
                    self._report(len(self._parts)), followed=len(parts) > 1,
                    wanted=wanted if len(parts) == 1 else (),
                )
            )  # fmt: skip
        self.refresh()

    def refresh(self) -> None:
        """Writes lists, parameters and windows again, as happens by itself after a failed run."""
        _ = self.stages
        self.quiet()
        for part in self._parts:
            part.refresh()
        read, write = ((one.address, len(one.array)) for one in self.buffers)
        self._control.prepare(read, write)
        self._fresh = True

    def unload(self) -> None:
        """Gives the memory of the network back."""
        self.quiet()
        self._parts = []
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
            pictures: codes (H, W, C) of the first layer.
            resident: run with the parameters on chip; None: where the accelerator has kept them.
            together: so many pictures, at most those of `together`, wait for each other before the
                second part of a network.

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
            yield from self._stream(iter(pictures), resident, min(together, self.together))
        finally:
            self._streaming = False
            if self._running:
                self.quiet()

    def _stream(
        self, pictures: Iterator[Codes], resident: bool | None, together: int
    ) -> Generator[Offload]:
        _ = self.stages
        places = [deque(range(PLACES)) for _ in self._parts]
        ready: deque[_Flight] = deque()
        arrived: list[tuple[_Flight, Maps]] = []  # behind the first of two parts
        busy: _Flight | None = None
        ended: tuple[_Flight, Callable[[], tuple[Maps, ...]] | None] | None = None
        more = True
        while True:
            under_way = len(places[0]) < PLACES
            if busy is None and ready:
                busy = ready.popleft()
                self._set_off(busy, resident)
            elif ended is not None:
                (flight, maps_of), ended = ended, None
                if maps_of is None:
                    self._prepare(flight)
                    ready.append(flight)
                    continue
                places[flight.part].append(flight.place)
                maps = self._fetch(flight, maps_of)
                if flight.part + 1 < len(self._parts):
                    arrived.append((flight, maps[0]))
                else:
                    yield from self._offloads(flight, maps)
            elif arrived and places[1] and (len(arrived) >= together or not (more or under_way)):
                some, arrived = arrived[:together], arrived[together:]
                ready.append(self._hand_on(some, places[1].popleft()))
            elif more and places[0] and len(arrived) < together:
                if more := (codes := next(pictures, None)) is not None:
                    began = time.perf_counter_ns()
                    self.put(codes, places[0][0])
                    ready.append(_Flight(0, places[0].popleft(), since_us(began)))
            elif busy is None:
                return
            else:
                ended, busy = (busy, self._land(busy)), None

    def run(self, codes: Codes, resident: bool | None = None) -> Offload:
        """One picture; arguments and errors as of `stream`."""
        (only,) = self.stream([codes], resident)
        return only

    def trace(self, codes: Codes) -> list[Maps]:
        """The map of every layer for one picture; errors as of `stream`."""
        self.run(codes)
        return [self.map(number) for number in range(sum(len(part) for part in self._parts))]

    def map(self, number: int) -> Maps:
        """What layer `number` gave in the last run, of the first picture of some together."""
        first = self.stages
        if number < len(first):
            return first.map(number)
        return self._parts[1].map(number - len(first))[:, :1]

    def account(self) -> list[CommandCycles]:
        """Where the cycles of the last run went, command by command."""
        _ = self.stages
        return [command for part in self._parts for command in part.account()]

    def layer_cycles(self) -> tuple[int, ...]:
        """Those of each layer."""
        _ = self.stages
        return tuple(cycles for part in self._parts for cycles in part.layer_cycles())

    def last_as(self, layer: Lowered) -> AbstractContextManager[None]:
        """For a while, another layer of the same weights for the last one: other is only what the
        host makes of its sums."""
        _ = self.stages
        if len(self._parts) > 1 and isinstance(layer, DenseSums):
            layer = layer.for_pictures(self.together)
        return self._parts[-1].last_as(layer)

    def status(self) -> Status:
        """What the accelerator says of itself."""
        return self._control.status()

    # The parts of a run: put, start, finish.

    def put(self, codes: Codes, place: int = 0) -> None:
        """Packs a picture into one of the two input places; not that of a run under way.

        Raises:
            QnnError: shape, dtype or a value of the codes does not fit.
        """
        self.stages.put(codes, place)

    def start(self, place: int = 0, resident: bool | None = None) -> Run:
        """Begins a run on what lies in an input place."""
        stages = self.stages
        if not self._fresh:
            self.refresh()
        status = self.status()
        if status.busy:
            raise DeviceBusyError(
                "the accelerator works on something that this program did not start: only one "
                "program may use it"
            )
        if resident is None:
            resident = status.resident and self._ours
        resident = resident and len(self._parts) == 1
        self._running = True
        return stages.start(place, resident)

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
        self._running, self._ours = False, True
        return made

    def quiet(self) -> None:
        """Ends whatever goes on; what was under way is lost.

        Raises:
            EngineStuckError: the memory does not answer; the buffers stay reserved.
        """
        self._fresh = self._ours = False  # whatever came between may also have spoilt the lists
        self._control.quiet()
        self._running = False

    def close(self) -> None:
        """Gets the accelerator quiet and gives memory and platform back. Idempotent.

        Raises:
            EngineStuckError: it does not become quiet: the platform is closed, its memory kept.
        """
        self._parts = []
        self._running = False
        self._give_back()

    def _hand_on(self, arrived: Sequence[tuple[_Flight, Maps]], place: int) -> _Flight:
        """Hands the codes of some pictures in to the second part."""
        began = time.perf_counter_ns()
        row = row_of([maps for _, maps in arrived], self.together)
        self._parts[1].put(row, place)
        return _Flight(1, place, since_us(began), [flight for flight, _ in arrived])

    def _set_off(self, flight: _Flight, resident: bool | None) -> None:
        """Begins the next stage of a flight, or the first one."""
        began = time.perf_counter_ns()
        if flight.run is not None:
            self._running = True
            self._parts[flight.part].go_on(flight.run)
        elif flight.part:
            self._running = True
            flight.run = self._parts[flight.part].start(flight.place, resident=False)
        else:
            flight.run = self.start(flight.place, resident)
        flight.offload_us += since_us(began)

    def _land(self, flight: _Flight) -> Callable[[], tuple[Maps, ...]] | None:
        """Waits for the end of the stage that a flight is in: of the last one, what makes its
        maps; else None."""
        began = time.perf_counter_ns()
        part, run = self._parts[flight.part], flight.run
        assert run is not None
        maps_of = part.result(run) if part.end(run) else None
        self._running, self._ours = False, True
        flight.offload_us += since_us(began)
        return maps_of

    def _prepare(self, flight: _Flight) -> None:
        """The work of the host behind a stage."""
        began = time.perf_counter_ns()
        assert flight.run is not None
        self._parts[flight.part].prepare(flight.run)
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
        between_us = flight.packing_us + run.between_us
        for number, one in enumerate(flight.pictures):
            assert one.run is not None
            yield Offload(
                maps[:, number : number + 1],
                one.offload_us + (flight.offload_us + flight.packing_us) // count,
                one.packing_us,
                one.run.cycles + run.cycles // count,
                between_us=one.run.between_us + between_us // count,
            )

    def _report(self, part: int) -> Progress | None:
        """Tells the progress of a part as that of the run."""
        report = self._progress
        if report is None:
            return None

        def tell(done: int, _: int) -> None:
            each = [one.expected for one in self._parts]
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
