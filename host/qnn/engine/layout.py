# SPDX-License-Identifier: BSD-3-Clause
"""A program in the two buffers of the driver: one that the accelerator only reads, one it writes.

    read     list | parameters | list of place 1 | parameters of place 1
             | input of place 0 | input of place 1 | made maps
    written  the map of every layer, one after the other, of place 0 | of place 1

A program may run in stages, each with its own part of the list, so that the host can work on a map
in between: correct it where it lies, or make of it what the next stage reads. Two pictures can be
on their way, each in a place of its own: while the accelerator has one of them, the host has the
other. So there are two lists, for a command holds addresses, and two of each map; but one, where
there is one stage, which leaves nothing behind that is not copied at its end. Place 1 has
parameters of its own for a first layer whose thresholds are a picture's own, and else none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qnn.engine.command_list import COMMAND_BYTES, CommandList
from qnn.engine.program import LINE, PAGE, Program, fill

PLACES = 2


@dataclass(frozen=True)
class Stage:
    """Part of a program that runs in one go.

    Attributes:
        layers: their numbers, without a gap.
        begin, count: its first command, and how many it has.
    """

    layers: range
    begin: int
    count: int

    @property
    def commands(self) -> slice:
        """Its commands among those of the program."""
        return slice(self.begin, self.begin + self.count)


class Layout:
    """Offsets in the two buffers of a program that was compiled for address 0.

    Attributes:
        program: what is laid out.
        lists, inputs: of each place, bytes from the beginning of the buffer that is read.
        own: the parameters of the first layer there, of each place, where its thresholds are a
            picture's own; else empty. `thresholds`: where these lie, in words of 32 bits,
            (thresholds, outputs).
        made: by layer, where the map lies that the host makes for it, in each place; likewise.
        stages: one after the other.
        maps: of each layer, bytes from the beginning of the buffer that is written, for place 0.
        apart: so many bytes further they lie for place 1.
        read_bytes, write_bytes: sizes of the buffers, multiples of 4096.
    """

    def __init__(self, program: Program, breaks: Collection[int] = ()) -> None:
        """`breaks`: numbers of layers behind which the host works; the last one may be of them."""
        self.program = program
        last = len(program.parts) - 1
        stops = sorted({number + 1 for number in (*breaks, last)})
        starts = [0, *stops[:-1]]
        self._first_commands = np.cumsum((0, *program.parts))
        self.stages = tuple(
            Stage(range(start, end), begin, self._first_command(end) - begin)
            for start, end in zip(starts, stops, strict=True)
            for begin in [self._first_command(start)]
        )
        second_list = fill(len(program.image), LINE)
        own_place = second_list + fill(program.commands * COMMAND_BYTES, LINE)
        own = self._own()
        self.own = (own, range(own_place, own_place + len(own)))
        self.thresholds: tuple[NDArray[np.intp], ...] = ()
        if program.thresholds is not None:
            apart = (own_place - own.start) // 4
            each = np.ascontiguousarray(program.thresholds.T)
            self.thresholds = (each, each + apart)
        first_input = own_place + fill(len(own), LINE)
        second_input = first_input + fill(program.tight.size, LINE)
        self.lists = (0, second_list)
        self.inputs = (first_input, second_input)
        self.made: dict[int, tuple[int, int]] = {}
        end = second_input + fill(program.tight.size, LINE)
        for one in program.inputs[1:]:
            size = fill(one.map.size, LINE)
            self.made[one.layer] = (end, end + size)
            end += PLACES * size
        self.read_bytes = fill(end, PAGE)
        self._first_map = min(program.places)
        self.maps = tuple(place - self._first_map for place in program.places)
        ends = (place + one.size for place, one in zip(self.maps, program.maps, strict=True))
        size = fill(max(ends), PAGE)
        self.apart = size if len(self.stages) > 1 else 0
        self.write_bytes = size + self.apart

    def image(self, read: int, write: int) -> bytes:
        """Lists and parameters, for buffers at these addresses; to lie where the first begins."""
        program = self.program
        lists = [self._list(read, write, place) for place in range(PLACES)]
        head = lists[0] + program.image[len(lists[0]) :]
        first, second = self.own
        tail = lists[1].ljust(second.start - self.lists[1], b"\0")
        tail += program.image[first.start : first.stop]
        return head.ljust(self.lists[1], b"\0") + tail

    def _list(self, read: int, write: int, place: int) -> bytes:
        program = self.program
        commands = CommandList(program.image, program.commands)
        to_maps = write - self._first_map + place * self.apart
        reads = [to_maps] * len(program.parts)
        for one in program.inputs:
            at = self.made.get(one.layer, self.inputs)
            reads[one.layer] = read + at[place] - one.address
        commands.set("in_address", commands.get("in_address") + np.repeat(reads, program.parts))
        commands.set("out_address", commands.get("out_address") + to_maps)
        commands.set("index", np.concatenate([np.arange(one.count) for one in self.stages]))
        parameters = commands.get("params_address") + read - program.base
        if self.thresholds:
            parameters[: program.parts[0]] += self.own[place].start - self.own[0].start
        commands.set("params_address", parameters)
        return commands.tobytes()

    def _own(self) -> range:
        """The parameters of the first layer in the image, where its thresholds vary."""
        program = self.program
        if program.thresholds is None:
            return range(0)
        begins = CommandList(program.image, program.commands).get("params_address") - program.base
        behind = [*begins.tolist(), len(program.image)][program.parts[0]]
        return range(int(begins[0]), behind)

    def _first_command(self, layer: int) -> int:
        return int(self._first_commands[layer])
