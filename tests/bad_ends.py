# SPDX-License-Identifier: BSD-3-Clause
"""Runs of the accelerator that must end with an error, whatever the memory does.

Each error is put into one run of a loaded network: BEFORE has what is done before its start, LATER
what is done a number of cycles after it, by the code that the run must end with.
"""

import random_layers

from qnn.engine import estimate, regs
from qnn.engine.command_list import CommandList
from qnn.engine.control import ABORT
from qnn.engine.lowering import folded
from qnn.engine.stages import laid_out

MOST_S = 0.01  # a million cycles: a run that ends badly has ended


def line(rng, begin: int, size: int) -> int:
    """Address of a line of 128 bytes, one of those from `begin` on."""
    return begin + int(rng.integers(size)) // 128 * 128


def bad_list(rng, driver, board):
    """The next start says another number of commands than the driver meant."""
    bad, write = int(rng.choice([0, 255])), board.write

    def spoil(offset: int, value: int) -> None:
        if offset == regs.LIST_COUNT:
            board.write, value = write, bad
        write(offset, value)

    board.write = spoil


def bad_command(rng, driver, board):
    command = int(rng.integers(driver.layout.program.commands))
    board.engine.memory[driver.buffers[0].address + 64 * command] ^= 0xFF  # its opcode


def read_window(rng, driver, board):
    program = driver.layout.program
    parameters = CommandList(program.image, program.commands).get("params_address")
    last = int(rng.choice([128, *parameters])) - 1
    board.write(regs.READ_LAST, driver.buffers[0].address + last)


def write_window(rng, driver, board):
    write, layout = driver.buffers[1], driver.layout
    board.write(regs.WRITE_LAST, write.address + int(rng.choice(layout.maps[1:])) - 1)
    if rng.random() < 0.5:
        board.write(regs.WRITE_BASE, write.address + layout.write_bytes)


def read_response(rng, driver, board):
    (read, write), layout = driver.buffers, driver.layout
    places = [
        (read.address, layout.program.commands * 64),
        (read.address + layout.inputs[0], layout.program.tight.size),
        (write.address, layout.program.maps[0].size),
    ]
    board.engine.fail(bad_read=line(rng, *places[rng.integers(len(places))]))


def write_response(rng, driver, board):
    layout = driver.layout
    number = int(rng.integers(len(layout.maps)))
    begin = driver.buffers[1].address + layout.maps[number]
    board.engine.fail(bad_write=line(rng, begin, layout.program.maps[number].size))


BEFORE = {
    "BAD_LIST": bad_list,
    "BAD_COMMAND": bad_command,
    "READ_WINDOW": read_window,
    "WRITE_WINDOW": write_window,
    "READ_RESPONSE": read_response,
    "WRITE_RESPONSE": write_response,
    "TIMED_OUT": lambda rng, driver, board: board.write(regs.TIMEOUT, 1000),
}
LATER = {
    "TIMED_OUT": lambda board: board.engine.fail(dead=True),
    "ABORTED": lambda board: board.write(regs.CTRL, ABORT),
}


CODES = (*BEFORE, *LATER)


def small_network(rng, caps):
    """More than one command, soon done, and parameters that stay on chip."""
    while True:
        layers, _ = random_layers.network(rng, caps, light=True)
        program = laid_out(folded(layers, caps), caps).program  # as the driver has them
        commands = CommandList(program.image, program.commands)
        tiles, thresholds = commands.get("tiles"), commands.get("thresholds")
        weights = int((tiles * commands.get("tile_words")).sum())
        fits = weights <= caps.weight_words and (tiles * thresholds).sum() <= caps.threshold_words
        if len(layers) > 1 and fits and estimate.cycles(program, caps) < 6000:
            return layers


def end_badly(rng, driver, board, code, resident, cycles):
    """One run that must end with `code`; `cycles` are those of a good one."""
    driver.refresh()
    if code in BEFORE:
        BEFORE[code](rng, driver, board)
    driver.start(0, resident)
    if code in LATER:
        board.engine.clocks(int(rng.integers(cycles // 2)))
        LATER[code](board)
    board.wait(MOST_S)
    status = driver.status()
    assert (status.error, status.done, status.code) == (True, False, code)
    board.engine.fail()
    driver.quiet()
