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
from dataclasses import dataclass

import numpy as np

from qnn.engine.capabilities import Capabilities
from qnn.engine.control import CommandCycles, Control, Progress
from qnn.engine.layout import PLACES, Layout
from qnn.engine.lowering import Lowered, folded
from qnn.engine.stages import Codes, Maps, Run, Stages, laid_out
from qnn.engine.status import Status
from qnn.errors import BackendError, DeviceBusyError
from qnn.network.offload import Offload, since_us
from qnn.platforms.protocol import Buffer, Platform

_KEPT: list[Buffer] = []  # of accelerators that did not become quiet


@dataclass
class _Flight:
    """A picture that is handed in, what it took the host so far, and its run once it is started."""

    place: int
    packing_us: int
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
        self._layout: Layout | None = None
        self._stages: Stages | None = None
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
        """Where the network lies in `buffers`; BackendError if there is none."""
        if self._layout is None:
            raise BackendError("the accelerator has no network: it was closed, or none was loaded")
        return self._layout

    @property
    def buffers(self) -> tuple[Buffer, Buffer]:
        """The one that the accelerator only reads, and the one that it writes."""
        read, write = self._buffers
        return read, write

    @property
    def stages(self) -> Stages:
        """What runs the network; BackendError if there is none."""
        _ = self.layout
        assert self._stages is not None
        return self._stages

    def load(self, layers: Sequence[Lowered]) -> None:
        """Lays out the layers of a network, in place of any before.

        Args:
            layers: one after the other, as qnn.engine.lowering makes them. Pictures are what the
                first one reads: codes, or float32 where it is a float convolution.

        Raises:
            DoesNotFitError: they do not fit the accelerator.
            OutOfMemoryError: there is no memory for them; no network is loaded then.
        """
        layers = folded(layers, self.capabilities)
        layout = laid_out(layers, self.capabilities)
        self.unload()
        try:
            for size in (layout.read_bytes, layout.write_bytes):
                self._buffers.append(self._platform.allocate(size))
        except BaseException:
            self.unload()
            raise
        self._stages = Stages(
            layers, layout, self.capabilities, self._control, self.buffers, self._progress
        )
        self._layout = layout
        self.refresh()

    def refresh(self) -> None:
        """Writes lists, parameters and windows again, as happens by itself after a failed run."""
        layout, (read, write) = self.layout, self.buffers
        self.quiet()
        image = np.frombuffer(layout.image(read.address, write.address), dtype=np.uint8)
        read.array[: len(image)] = image
        read.flush(0, len(image))
        self._control.prepare(
            (read.address, layout.read_bytes),
            (write.address, layout.write_bytes),
        )
        self._fresh = True

    def unload(self) -> None:
        """Gives the memory of the network back."""
        self.quiet()
        self._layout = self._stages = None
        self._control.forbid()
        while self._buffers:
            self._buffers.pop().free()

    def stream(self, pictures: Iterable[Codes], resident: bool | None = None) -> Generator[Offload]:
        """Picture after picture; the next one is taken and packed while one is worked on.

        Two are on their way: while the host works on the map of one between two of its stages, the
        accelerator has the other.

        Args:
            pictures: codes (H, W, C) of the first layer.
            resident: run with the parameters on chip; None: where the accelerator has kept them.

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
            yield from self._stream(iter(pictures), resident)
        finally:
            self._streaming = False
            if self._running:
                self.quiet()

    def _stream(self, pictures: Iterator[Codes], resident: bool | None) -> Generator[Offload]:
        places, ready, more = deque(range(PLACES)), deque[_Flight](), True
        busy: _Flight | None = None
        while True:
            if busy is None and ready:
                busy = ready.popleft()
                self._set_off(busy, resident)
            elif more and places:
                if more := (codes := next(pictures, None)) is not None:
                    began = time.perf_counter_ns()
                    self.put(codes, places[0])
                    ready.append(_Flight(places.popleft(), since_us(began)))
            elif busy is None:
                return
            else:
                landed, busy = busy, None
                map_of = self._land(landed)
                if ready:
                    busy = ready.popleft()
                    self._set_off(busy, resident)
                if map_of is None:
                    self._prepare(landed)
                    ready.append(landed)
                else:
                    places.append(landed.place)
                    yield self._offload(landed, map_of)

    def run(self, codes: Codes, resident: bool | None = None) -> Offload:
        """One picture; arguments and errors as of `stream`."""
        (only,) = self.stream([codes], resident)
        return only

    def trace(self, codes: Codes) -> list[Maps]:
        """The map of every layer for one picture; errors as of `stream`."""
        self.run(codes)
        return [self.map(number) for number in range(len(self.layout.maps))]

    def map(self, number: int) -> Maps:
        """What layer `number` gave in the last run."""
        return self.stages.map(number)

    def account(self) -> list[CommandCycles]:
        """Where the cycles of the last run went, command by command."""
        return self.stages.account()

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
        self._running = True
        return stages.start(place, resident)

    def finish(self) -> Callable[[], Maps]:
        """Waits for the end of the run that was started: what makes the map of the last layer,
        whenever."""
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
        self._layout = self._stages = None
        self._running = False
        self._give_back()

    def _set_off(self, flight: _Flight, resident: bool | None) -> None:
        """Begins the next stage of a picture, or the first one."""
        began = time.perf_counter_ns()
        if flight.run is None:
            flight.run = self.start(flight.place, resident)
        else:
            self._running = True
            self.stages.go_on(flight.run)
        flight.offload_us += since_us(began)

    def _land(self, flight: _Flight) -> Callable[[], Maps] | None:
        """Waits for the end of the stage that a picture is in: of the last one, what makes its map;
        else None."""
        began = time.perf_counter_ns()
        assert flight.run is not None
        map_of = self.stages.result(flight.run) if self.stages.end(flight.run) else None
        self._running, self._ours = False, True
        flight.offload_us += since_us(began)
        return map_of

    def _prepare(self, flight: _Flight) -> None:
        """The work of the host behind a stage."""
        began = time.perf_counter_ns()
        assert flight.run is not None
        self.stages.prepare(flight.run)
        flight.offload_us += since_us(began)

    def _offload(self, flight: _Flight, map_of: Callable[[], Maps]) -> Offload:
        began = time.perf_counter_ns()
        assert flight.run is not None
        maps = map_of()
        return Offload(
            maps,
            flight.offload_us + since_us(began),
            flight.packing_us,
            flight.run.cycles,
            between_us=flight.run.between_us,
        )


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
