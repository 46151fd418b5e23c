# SPDX-License-Identifier: BSD-3-Clause
"""Board files are complete, and what is made of them."""

import pytest

from qnn.errors import QnnError
from qnn_sim import boards
from qnn_sim.rtl_build import CONFIGURATIONS
from qnn_sim.rtl_engine import PUBLISHED

FIELDS = {"title", "image", "part", "resources", "configuration", "ultra_ram", "clock_mhz",
          "memory_mib", "memory_latency_ns", "system", "ps"}  # fmt: skip
LANES = {"aup-zu3": 16_384, "kv260": 32_768, "zcu104": 32_768}


@pytest.mark.parametrize("name", boards.names())
def test_a_board(name):
    board = boards.load(name)
    assert board.keys() - {"like"} == FIELDS
    sizes = {"Pe": 64, "Pixels": 4} | CONFIGURATIONS[board["configuration"]]
    assert 64 * sizes["Pe"] * sizes["Pixels"] == LANES.get(name, 16_384)
    assert (board["clock_mhz"] >= 200) == (name in LANES)
    assert (board["system"] == "zynq_ultrascale") == (name in LANES)
    memory = board["memory_mib"] << 20
    assert memory & (memory - 1) == 0 and memory <= 1 << 31
    assert not board["ultra_ram"] or board["resources"]["uram"] > 0


@pytest.mark.parametrize(
    ("name", "latency"), [("pynq-z1", 40), ("aup-zu3", 86), ("kv260", 80), ("zcu104", 86)]
)
def test_the_first_data_come_after_the_same_time(name, latency):
    model = boards.memory_model(boards.load(name))
    assert model.latency == latency
    assert (model == PUBLISHED) == (name == "pynq-z1")


def test_no_such_board():
    with pytest.raises(QnnError, match=r"no board 'pynq-z9'; params/boards/ has aup-zu3, kv260"):
        boards.load("pynq-z9")
