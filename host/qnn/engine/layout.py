# SPDX-License-Identifier: BSD-3-Clause
"""A program in the two buffers of the driver: one that the accelerator only reads, one it writes.

    read     list | parameters | list of place 1 | input of place 0 | input of place 1
    written  the map of every layer, one after the other

A program may run in stages, each with its own part of the list, so that the host can look at a map
in between. Two lists, because a command holds the address of its input: while the accelerator reads
one place, the host fills the other.
"""

from __future__ import annotations

import numpy as np

from qnn.engine.command_list import COMMAND_BYTES, CommandList
from qnn.engine.program import LINE, PAGE, Program, fill

PLACES = 2


class Layout:
    """Offsets in the two buffers of a program that was compiled for address 0.

    Attributes:
        program: what is laid out.
        lists, inputs: of each place, bytes from the beginning of the buffer that is read.
        stages: for each, its first command and how many it has.
        maps: of each layer, bytes from the beginning of the buffer that is written.
        read_bytes, write_bytes: sizes of the buffers, multiples of 4096.
    """

    def __init__(self, program: Program, apart: bool = False) -> None:
        """`apart`: the first layer is a stage of its own."""
        self.program = program
        first = program.parts[0] if apart else 0
        stages = ((0, first), (first, program.commands - first))
        self.stages = tuple(stage for stage in stages if stage[1])
        second_list = fill(len(program.image), LINE)
        first_input = second_list + fill(program.commands * COMMAND_BYTES, LINE)
        second_input = first_input + fill(program.tight.size, LINE)
        self.lists = (0, second_list)
        self.inputs = (first_input, second_input)
        self.read_bytes = fill(second_input + program.tight.size, PAGE)
        self.maps = tuple(place - program.places[0] for place in program.places)
        self.write_bytes = fill(self.maps[-1] + program.out_map.size, PAGE)

    def image(self, read: int, write: int) -> bytes:
        """Lists and parameters, for buffers at these addresses; to lie where the first begins."""
        program = self.program
        lists = [self._list(read, write, place) for place in range(PLACES)]
        head = lists[0] + program.image[len(lists[0]) :]
        return head.ljust(self.lists[1], b"\0") + lists[1]

    def _list(self, read: int, write: int, place: int) -> bytes:
        program = self.program
        commands = CommandList(program.image, program.commands)
        to_maps = write - program.places[0]
        tight = commands.get("tight")
        to_input = read + self.inputs[place] - program.input_address
        commands.set(
            "in_address",
            commands.get("in_address") + tight * to_input + (1 - tight) * to_maps,
        )
        commands.set("out_address", commands.get("out_address") + to_maps)
        commands.set("index", np.concatenate([np.arange(count) for _, count in self.stages]))
        commands.set("params_address", commands.get("params_address") + read - program.base)
        return commands.tobytes()
