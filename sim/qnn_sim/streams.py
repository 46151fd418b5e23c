# SPDX-License-Identifier: BSD-3-Clause
"""Clock, reset and valid/ready streams for the benches.

A stream called `in` is the ports in_valid_*, in_ready_* and in_<field>_*, where the suffix _i or
_o is that of the device under test. All drivers drop what they hold while rst_i is high, so that no
item of one test reaches the next.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge


def port(dut: Any, name: str) -> Any:
    """The port `name`, `name`_i or `name`_o."""
    for candidate in (name, f"{name}_i", f"{name}_o"):
        if (found := getattr(dut, candidate, None)) is not None:
            return found
    raise AttributeError(f"{dut._name} has no port {name}, {name}_i or {name}_o")


def generator(purpose: str) -> random.Random:
    """Random numbers that depend on the seed of the run and on `purpose` alone."""
    return random.Random(f"{cocotb.RANDOM_SEED}/{purpose}")


def noise(purpose: str) -> random.Random:
    """Random numbers for what means nothing at the moment: other ones in each of the two runs that
    qnn_sim.bench_unknowns compares."""
    run = cocotb.plusargs.get("unknowns", "")
    return random.Random(f"{cocotb.RANDOM_SEED}/{run}/{purpose}")


class Driven:
    """A port that is written where its value changes, because each write takes long."""

    def __init__(self, handle: Any) -> None:
        self._handle, self._value = handle, -1

    def drive(self, value: int) -> None:
        if value != self._value:
            self._handle.value = self._value = value


class Source:
    """Offers items; waits before each one, a cycle more with chance `stall` again and again. Until
    it offers the next one, the fields are random.

    To be made before the reset, so that nothing before it is taken for an item. An item is a dict
    of field values, or the value itself where there is one field.
    """

    def __init__(
        self, dut: Any, name: str, fields: Sequence[str] = ("data",),
        ready: str | None = None, stall: float = 0.0,
    ) -> None:  # fmt: skip
        self.stall = stall
        self._dut, self._random = dut, generator(name)
        self._valid = Driven(port(dut, f"{name}_valid"))
        self._ready = port(dut, ready or f"{name}_ready")
        self._fields = {field: port(dut, f"{name}_{field}") for field in fields}
        self._noise = noise(name)
        self._waiting: deque[dict[str, int]] = deque()
        self._offered = self._random_fields = False
        self._valid.drive(0)
        cocotb.start_soon(self._run())

    def put(self, items: Iterable[dict[str, int] | int]) -> None:
        """Queue `items`."""
        only = next(iter(self._fields))
        self._waiting.extend(item if isinstance(item, dict) else {only: item} for item in items)

    @property
    def left(self) -> int:
        """Items that were not taken yet."""
        return len(self._waiting) + self._offered

    @property
    def empty(self) -> bool:
        """Everything was taken."""
        return self.left == 0

    async def _run(self) -> None:
        while True:
            await RisingEdge(self._dut.clk_i)
            if self._dut.rst_i.value:
                self._waiting.clear()
                self._offered = False
            elif self._offered and self._ready.value:
                self._offered = False
            if not self._offered and self._waiting and self._random.random() >= self.stall:
                for field, value in self._waiting.popleft().items():
                    self._fields[field].value = value
                self._offered = True
            if not self._offered and not self._random_fields:
                for handle in self._fields.values():
                    handle.value = self._noise.getrandbits(len(handle))
            self._random_fields = not self._offered
            self._valid.drive(int(self._offered))


class Sink:
    """Collects items; withholds ready, or what `ready` names, in a cycle with chance `stall`.

    An item is a tuple of field values, or the value itself where there is one field.
    """

    def __init__(
        self, dut: Any, name: str, fields: Sequence[str] = ("data",),
        ready: str | None = None, stall: float = 0.0,
    ) -> None:  # fmt: skip
        self.stall = stall
        self.items: list[int | tuple[int, ...]] = []
        self._dut, self._random = dut, generator(name)
        self._valid = port(dut, f"{name}_valid")
        self._ready = Driven(port(dut, ready or f"{name}_ready"))
        self._fields = [port(dut, f"{name}_{field}") for field in fields]
        self._ready.drive(0)
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        ready = False
        while True:
            await RisingEdge(self._dut.clk_i)
            if self._dut.rst_i.value:
                self.items.clear()
            elif ready and self._valid.value:
                values = tuple(int(field.value) for field in self._fields)
                self.items.append(values if len(values) > 1 else values[0])
            ready = self._random.random() >= self.stall
            self._ready.drive(int(ready))

    async def receive(self, count: int, most_cycles: int = 100_000) -> list[int | tuple[int, ...]]:
        """The next `count` items.

        Raises:
            AssertionError: they do not come within `most_cycles`.
        """
        for _ in range(most_cycles):
            if len(self.items) >= count:
                break
            await RisingEdge(self._dut.clk_i)
        assert len(self.items) >= count, f"{len(self.items)} of {count} items came"
        got, self.items[:count] = self.items[:count], []
        return got


def pack(values: Iterable[int], width: int) -> int:
    """Fields of `width` bits, two's complement; element k is bits [k*width +: width]."""
    mask = (1 << width) - 1
    return sum((int(value) & mask) << (k * width) for k, value in enumerate(values))


def unpack(word: int, width: int, count: int) -> list[int]:
    """The `count` unsigned fields of `width` bits; see pack."""
    return [word >> (k * width) & ((1 << width) - 1) for k in range(count)]


async def reset(dut: Any, cycles: int = 2) -> None:
    """Hold rst_i high for some clock edges."""
    dut.rst_i.value = 1
    await ClockCycles(dut.clk_i, cycles)
    dut.rst_i.value = 0
    await RisingEdge(dut.clk_i)


async def start(dut: Any, **inputs: int) -> None:
    """Give the inputs their first values, start the clock, then reset."""
    for name, value in inputs.items():
        getattr(dut, name).value = value
    Clock(dut.clk_i, 2, unit="ns").start()
    await reset(dut)
