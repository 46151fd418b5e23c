# SPDX-License-Identifier: BSD-3-Clause
"""What the driver does to a platform, access by access. On the RTL: tests/system and tests/rtl."""

import os

import numpy as np
import pytest
import random_networks

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.control import START
from qnn.engine.driver import Driver
from qnn.errors import OutOfMemoryError, WrongDeviceError

RESIDENT_START = START | 2


class Memory:
    """A buffer that notes what is done with it."""

    def __init__(self, board, address, size):
        self._board, self.address = board, address
        self.array = np.zeros(size, np.uint8)

    def _note(self, action, *span):
        self._board.events.append((action, self.address, *span))

    def flush(self, start=0, stop=None):
        self._note("flush", start, stop)

    def invalidate(self, start=0, stop=None):
        self._note("invalidate", start, stop)

    def free(self):
        self._note("free")


class Board:
    """A platform whose accelerator does nothing, and ends at once.

    Attributes:
        events: writes of registers by name, and what happens to buffers, in order.
        resident: what STATUS.resident reads as.
    """

    name, clock_mhz = "board", 100.0

    def __init__(self, most_buffers=2):
        self.events, self.status, self.resident = [], 0, True
        self._most, self._given = most_buffers, 0

    def read(self, offset):
        if offset == regs.STATUS:
            return self.status | self.resident << 4
        fields = regs.FIELDS[self._name(offset)]
        if offset in (regs.ID, regs.VERSION):
            return regs.ID_VALUE if offset == regs.ID else regs.VERSION_MAJOR << 16
        caps = Capabilities()
        return sum(getattr(caps, f, 0) << low for f, (low, _) in fields.items())

    def _name(self, offset):
        return next(name for name in regs.FIELDS if getattr(regs, name) == offset)

    def write(self, offset, value):
        self.events.append((self._name(offset), value))
        if offset == regs.CTRL and value & START:
            self.status = 2
        if offset == regs.STATUS:
            self.status &= ~value

    def allocate(self, size):
        if self._given == self._most:
            raise OutOfMemoryError("no more")
        self._given += 1
        return Memory(self, 0x1000_0000 * self._given, size)

    def wait(self, timeout_s):
        raise AssertionError("nothing to wait for")

    def seconds(self):
        return 0.0

    def close(self):
        self.events.append(("close",))

    def last(self, name):
        """The value that was written last."""
        return [event[1] for event in self.events if event[0] == name][-1]

    def of(self, *names):
        return [event for event in self.events if event[0] in names]


@pytest.fixture
def layers():
    rng = np.random.default_rng(1)
    return [
        random_networks.random_conv(rng, (5, 5, 4), 40, (3, 3)),
        random_networks.random_conv(rng, (3, 3, 40), 3, (3, 3), levels=None),
    ]


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def driver(board, layers):
    driver = Driver(board)
    driver.load(layers)
    board.events.clear()
    return driver


def codes():
    return np.zeros((5, 5, 4), np.uint8)


def test_begins_quiet_and_forbidden(board):
    Driver(board).close()
    names = [event[0] for event in board.events]
    assert names[:2] == ["IRQ_ENABLE", "STATUS"]
    assert "CTRL" not in names and "flush" not in names
    assert names.index("READ_BASE") < names.index("close")
    assert board.last("READ_BASE") > board.last("READ_LAST")


def test_windows_are_its_buffers(board, layers):
    driver = Driver(board)
    driver.load(layers)
    read, write = driver.buffers
    for name, buffer in (("READ", read), ("WRITE", write)):
        assert board.last(f"{name}_BASE") == buffer.address
        assert board.last(f"{name}_LAST") == buffer.address + len(buffer.array) - 1
    (flush,) = board.of("flush")
    layout = driver.layout
    assert flush == ("flush", read.address, 0, len(layout.image(read.address, write.address)))
    driver.close()


def test_a_picture_goes_into_the_first_of_two_places_and_is_run_there(driver, board):
    first, second = (
        [driver.buffers[0].address, place, place + driver.layout.program.tight.size]
        for place in driver.layout.inputs
    )
    assert first != second
    for given, expected in (((), first), ((0,), first), ((1,), second)):
        board.events.clear()
        driver.put(codes(), *given)
        assert board.of("flush") == [("flush", *expected)]
    lists = []
    for given in ((), (0,), (1,)):
        board.events.clear()
        driver.start(*given)
        lists.append(board.last("LIST_ADDRESS"))
        board.status = 0
    assert lists[0] == lists[1] != lists[2]


def test_a_run_access_by_access(driver, board):
    driver.run(codes())
    read, write = driver.buffers
    layout, place = driver.layout, driver.layout.inputs[0]
    assert board.events == [
        ("flush", read.address, place, place + layout.program.tight.size),
        ("LIST_ADDRESS", read.address),
        ("LIST_COUNT", layout.program.commands),
        ("STATUS", 0b1110),
        ("IRQ_ENABLE", 1),
        ("CTRL", START),
        ("STATUS", 0b1110),
        ("invalidate", write.address, layout.maps[1], layout.maps[1] + layout.program.maps[1].size),
    ]


def test_places_take_turns(driver, board):
    assert len(list(driver.stream(codes() for _ in range(4)))) == 4
    read, _ = driver.buffers
    lists = [value - read.address for _, value in board.of("LIST_ADDRESS")]
    assert lists == [*driver.layout.lists, *driver.layout.lists]
    flushed = [event[2] for event in board.of("flush")]
    assert flushed == [*driver.layout.inputs, *driver.layout.inputs]


def test_resident_only_with_its_own_parameters(driver, board, layers):
    def starts():
        found = [value for _, value in board.of("CTRL")]
        board.events.clear()
        return found

    driver.run(codes())
    driver.run(codes())
    assert starts() == [START, RESIDENT_START]
    board.resident = False
    driver.run(codes())
    board.resident = True
    driver.run(codes(), resident=False)
    driver.run(codes())
    assert starts() == [START, START, RESIDENT_START]
    driver.quiet()
    driver.run(codes())
    assert starts() == [START]
    board._given = 0
    driver.load(layers[:1])
    driver.run(codes())
    assert starts() == [START]


def test_what_failed_is_written_again(driver, board):
    driver.quiet()
    driver.run(codes())
    assert [event[2] for event in board.of("flush")] == [driver.layout.inputs[0], 0]
    board.events.clear()
    driver.run(codes())
    assert [event[2] for event in board.of("flush")] == [driver.layout.inputs[0]]


def test_close_forbids_then_frees_then_closes(driver, board):
    addresses = sorted(buffer.address for buffer in driver.buffers)
    driver.close()
    driver.close()
    names = [event[0] for event in board.events]
    assert names == [
        "IRQ_ENABLE", "STATUS", "READ_BASE", "READ_LAST", "WRITE_BASE", "WRITE_LAST", "free",
        "free", "close",
    ]  # fmt: skip
    assert sorted(event[1] for event in board.of("free")) == addresses


def test_half_way_out_of_memory(layers):
    board = Board(most_buffers=1)
    with Driver(board) as driver:
        with pytest.raises(OutOfMemoryError):
            driver.load(layers)
        assert len(board.of("free")) == 1
    assert len(board.of("free")) == len(board.of("close")) == 1


def test_wrong_device_is_closed(board):
    board.read = lambda offset: 0
    with pytest.raises(WrongDeviceError):
        Driver(board)
    assert board.events == [("close",)]


def test_a_fork_leaves_the_device_alone(driver, board, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)
    driver.close()
    assert board.events == []
