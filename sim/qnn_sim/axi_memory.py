# SPDX-License-Identifier: BSD-3-Clause
"""Memory behind an AXI4 master, for benches: random stalls and latencies, faults, and a referee.

Whatever the master does that no AXI3 memory would take, or that leaves `allowed`, is put down in
`violations`: bursts of more than 16 beats or across 4 KiB, payload that changes before it is taken,
a wrong last beat; a read of a line for which a write is not answered. A read gives what was there
when its address was taken. Accesses are put down in `bursts`.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from qnn_sim.streams import Driven, generator, noise, port

OKAY, SLVERR, DECERR = 0, 2, 3
MOST_BEATS = 16
LINE = 128


@dataclass(frozen=True)
class Burst:
    """One accepted burst."""

    kind: str  # "read" or "write"
    address: int
    beats: int


@dataclass
class _Job:
    burst: Burst
    due: int
    response: int
    data: bytes = b""  # of a read
    done: int = 0


@dataclass
class AxiMemory:
    """Memory of `size` bytes at address 0; serve_reads and serve_writes connect it.

    Attributes:
        stall: chance that a channel pauses for a cycle.
        latency: least and most cycles to the first data or the answer.
        faults: (kind, line) -> response, for bursts in that 128-byte line.
        dead: kinds of bursts that are taken but not answered while they are in here.
        deaf: kinds of bursts that are not even taken.
        allowed: kind -> ranges of addresses; None allows everything.
    """

    size: int
    stall: float = 0.0
    latency: tuple[int, int] = (1, 1)
    faults: dict[tuple[str, int], int] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    allowed: dict[str, list[range]] | None = None
    violations: list[str] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = bytearray(self.size)
        self.pending = 0  # bursts taken and not yet answered to the end
        self.writing: Counter[int] = Counter()  # lines, by writes that are not answered
        self.random, self.noise = generator("memory"), noise("memory")

    def stalls(self) -> bool:
        return self.random.random() < self.stall

    def accept(self, kind: str, request: list[int], cycle: int) -> _Job:
        """A burst at request[0] of request[1] + 1 beats of 8 bytes."""
        address, length = request
        burst = Burst(kind, address, length + 1)
        end = address + 8 * burst.beats
        self.bursts.append(burst)
        self.pending += 1
        if address % 8 or burst.beats > MOST_BEATS:
            self.violations.append(f"not a burst of AXI3 with whole words: {burst}")
        if address // 4096 != (end - 1) // 4096:
            self.violations.append(f"crosses 4 KiB: {burst}")
        ranges = [range(self.size)] if self.allowed is None else self.allowed[kind]
        if not any(address in r and end - 1 in r for r in ranges):
            self.violations.append(f"leaves what is allowed: {burst}")
        line = address // LINE
        if kind == "write":
            self.writing[line] += 1
        elif self.writing[line]:
            self.violations.append(f"reads what may not be written yet: {burst}")
        response = self.faults.get((kind, line), OKAY)
        due = cycle + self.random.randint(*self.latency)
        return _Job(burst, due, response, bytes(self.data[address:end]))

    def answered(self, burst: Burst) -> None:
        """A write is over, by its answer or a reset."""
        self.pending -= 1
        self.writing[burst.address // LINE] -= 1


class _Watch:
    """Valid and payload of a channel must stay until they are taken."""

    def __init__(self, memory: AxiMemory, name: str) -> None:
        self._memory, self._name = memory, name
        self._held: list[int] | None = None

    def see(self, valid: bool, ready: bool, payload: list[int]) -> None:
        if self._held is not None and (not valid or payload != self._held):
            self._memory.violations.append(f"{self._name} changed before it was taken")
        self._held = payload if valid and not ready else None

    def forget(self) -> None:
        self._held = None


def _in_reset(reset: Any, active: int) -> bool:
    return bool(reset.value) == bool(active)


async def _serve_reads(
    memory: AxiMemory, dut: Any, prefix: str, clock: Any,
    reset: Any, active: int,
) -> None:  # fmt: skip
    names = "arvalid arready araddr arlen rvalid rready rdata rresp rlast".split()
    arvalid, arready, araddr, arlen, rvalid, rready, rdata, rresp, rlast = (
        port(dut, prefix + name) for name in names
    )
    takes, gives = Driven(arready), Driven(rvalid)
    jobs: deque[_Job] = deque()
    watch, cycle = _Watch(memory, "AR"), 0
    ready = valid = meaningless = False
    takes.drive(0)
    gives.drive(0)
    while True:
        await RisingEdge(clock)
        cycle += 1
        if _in_reset(reset, active):
            memory.pending -= len(jobs)
            jobs.clear()
            watch.forget()
            ready = valid = False
            takes.drive(0)
            gives.drive(0)
            continue
        asked = bool(arvalid.value)
        payload = [int(araddr.value), int(arlen.value)] if asked else []
        watch.see(asked, ready, payload)
        if asked and ready:
            jobs.append(memory.accept("read", payload, cycle))
        if valid and rready.value:
            valid = False
            jobs[0].done += 1
            if jobs[0].done == jobs[0].burst.beats:
                jobs.popleft()
                memory.pending -= 1
        if not valid and jobs and jobs[0].due <= cycle and "read" not in memory.dead:
            job = jobs[0]
            if not memory.stalls():
                valid = True
                rdata.value = int.from_bytes(job.data[8 * job.done :][:8], "little")
                rresp.value = job.response
                rlast.value = int(job.done + 1 == job.burst.beats)
        if not valid and not meaningless:  # what nobody may look at, until the next word
            rdata.value = memory.noise.getrandbits(64)
            rresp.value = memory.noise.getrandbits(2)
            rlast.value = memory.noise.getrandbits(1)
        meaningless = not valid
        ready = "read" not in memory.deaf and not memory.stalls()
        gives.drive(int(valid))
        takes.drive(int(ready))


async def _serve_writes(
    memory: AxiMemory, dut: Any, prefix: str, clock: Any,
    reset: Any, active: int,
) -> None:  # fmt: skip
    names = "awvalid awready awaddr awlen wvalid wready wdata wlast bvalid bready bresp".split()
    awvalid, awready, awaddr, awlen, wvalid, wready, wdata, wlast, bvalid, bready, bresp = (
        port(dut, prefix + name) for name in names
    )
    takes_address, takes_data, answers_now = Driven(awready), Driven(wready), Driven(bvalid)
    wstrb = getattr(dut, f"{prefix}wstrb", None)
    jobs: deque[_Job] = deque()  # with words to come
    answers: deque[_Job] = deque()
    words: deque[list[int]] = deque()  # that came before their address
    watch_address, watch_data, cycle = _Watch(memory, "AW"), _Watch(memory, "W"), 0
    address_ready = data_ready = valid = meaningless = False
    takes_address.drive(0)
    takes_data.drive(0)
    answers_now.drive(0)
    while True:
        await RisingEdge(clock)
        cycle += 1
        if _in_reset(reset, active):
            for job in (*jobs, *answers):
                memory.answered(job.burst)
            jobs.clear()
            answers.clear()
            words.clear()
            watch_address.forget()
            watch_data.forget()
            address_ready = data_ready = valid = False
            takes_address.drive(0)
            takes_data.drive(0)
            answers_now.drive(0)
            continue
        asked, given = bool(awvalid.value), bool(wvalid.value)
        request = [int(awaddr.value), int(awlen.value)] if asked else []
        watch_address.see(asked, address_ready, request)
        strobes = 255 if wstrb is None or not given else int(wstrb.value)
        word = [int(wdata.value), int(wlast.value), strobes] if given else []
        watch_data.see(given, data_ready, word)
        if asked and address_ready:
            jobs.append(memory.accept("write", request, cycle))
        if given and data_ready:
            words.append(word)
        while jobs and words:
            job, (value, last, strobes) = jobs[0], words.popleft()
            address = job.burst.address + 8 * job.done
            job.done += 1
            for i, byte in enumerate(value.to_bytes(8, "little")):
                if strobes >> i & 1 and job.response == OKAY and address + i < memory.size:
                    memory.data[address + i] = byte
            if bool(last) != (job.done == job.burst.beats):
                memory.violations.append(f"last word in the wrong place: {job.burst}")
            if job.done == job.burst.beats:
                job.due = max(job.due, cycle + memory.random.randint(*memory.latency))
                answers.append(jobs.popleft())
        if valid and bready.value:
            valid = False
            memory.answered(answers.popleft().burst)
        alive = "write" not in memory.dead
        if not valid and answers and answers[0].due <= cycle and alive and not memory.stalls():
            valid = True
            bresp.value = answers[0].response
        if not valid and not meaningless:
            bresp.value = memory.noise.getrandbits(2)
        meaningless = not valid
        address_ready = "write" not in memory.deaf and not memory.stalls()
        data_ready = alive and not memory.stalls()
        takes_address.drive(int(address_ready))
        takes_data.drive(int(data_ready))
        answers_now.drive(int(valid))


def serve_reads(
    memory: AxiMemory, dut: Any, prefix: str, clock: Any,
    reset: Any, active: int = 1,
) -> None:  # fmt: skip
    """Connect the ports {prefix}ar* and {prefix}r*; `reset` is in force while it is `active`."""
    cocotb.start_soon(_serve_reads(memory, dut, prefix, clock, reset, active))


def serve_writes(
    memory: AxiMemory, dut: Any, prefix: str, clock: Any,
    reset: Any, active: int = 1,
) -> None:  # fmt: skip
    """Connect the ports {prefix}aw*, {prefix}w* and {prefix}b*; see serve_reads."""
    cocotb.start_soon(_serve_writes(memory, dut, prefix, clock, reset, active))
