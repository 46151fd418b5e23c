# SPDX-License-Identifier: BSD-3-Clause
"""Block RAMs side by side: every place once, those of one unit together."""

import random
from itertools import pairwise

import pytest
from openxc7_stand_in import bench

from openxc7 import floorplan
from qnn.errors import QnnError
from qnn_sim import rtl_build

# As Yosys names them in qnn_zynq: 4 groups with 16 + 4, a window of 32, and 3 of others.
START = "u_fabric.u_engine.u_datapath"
CELLS = [
    *(f"{START}.gen_group[{g}].u_group.u_weights.mem.0.{i}" for g in range(4) for i in range(16)),
    *(f"{START}.gen_group[{g}].u_group.u_thresholds.mem.{i}.0" for g in range(4) for i in range(4)),
    *(f"{START}.u_window.gen_copy[{c}].u_bank.mem.0.{i}" for c in range(4) for i in range(8)),
    *(f"{START}.u_weight_loader.mem.0.{i}" for i in range(3)),
]


def test_neighbours_in_the_path_are_neighbours_on_the_device():
    path = floorplan.along(bench.SITES)
    assert sorted(path) == sorted(bench.SITES)
    steps = [abs(y - b) for (x, y), (a, b) in pairwise(path) if x == a]
    assert set(steps) == {1}
    assert path[9:11] == [(0, 9), (1, 9)]


def test_units_keep_together_around_what_they_share():
    shuffled = random.Random(1).sample(CELLS, len(CELLS))
    order = floorplan.in_order(shuffled)
    units = [name.removeprefix(f"{START}.").split(".")[0] for name in order]
    runs = [unit for unit, before in zip(units, [None, *units], strict=False) if unit != before]
    assert runs == ["gen_group[0]", "gen_group[1]", "u_weight_loader", "u_window",
                    "gen_group[2]", "gen_group[3]"]  # fmt: skip
    weights = [name for name in order if "gen_group[0].u_group.u_weights" in name]
    assert [int(name.rpartition(".")[2]) for name in weights] == list(range(16))


def test_the_groups_are_called_so_in_the_rtl():
    assert "begin : gen_group\n" in (rtl_build.RTL / "top/qnn_datapath.sv").read_text()


def test_every_whole_block_ram_has_a_place_of_its_own():
    kinds = dict.fromkeys(CELLS, "RAMB36E1") | {f"half{i}": "RAMB18E1" for i in range(9)}
    bels = floorplan.bels(kinds, bench.SITES)
    assert set(bels) == set(CELLS) and len(set(bels.values())) == len(CELLS)
    known = {f"RAMB36_X{x}Y{y}/RAMB36E1/RAMB36E1" for x, y in bench.SITES}
    assert set(bels.values()) <= known


@pytest.mark.parametrize(("whole", "half", "fits"), [(140, 0, True), (139, 2, True),
                                                     (139, 3, False), (141, 0, False)])  # fmt: skip
def test_as_many_as_the_device_has(whole, half, fits):
    kinds = {f"w{i}": "RAMB36E1" for i in range(whole)} | {f"h{i}": "RAMB18E1" for i in range(half)}
    if fits:
        assert len(floorplan.bels(kinds, bench.SITES)) == whole
    else:
        with pytest.raises(QnnError, match="block RAMs do not fit the 140 of the device"):
            floorplan.bels(kinds, bench.SITES)


def test_sites_come_from_the_database(tmp_path):
    database = bench.install(tmp_path / "openxc7") / "share/prjxray-db/zynq7"
    assert floorplan.sites(database, bench.PART) == sorted(bench.SITES)
    grid = database / "xc7z020/tilegrid.json"
    for text, message in (
        ("{}", "names no block RAM"), ("[1]", "cannot be read"), ("{", "cannot be read"),
    ):  # fmt: skip
        grid.write_text(text)
        with pytest.raises(QnnError, match=message):
            floorplan.sites(database, bench.PART)
    grid.unlink()
    with pytest.raises(QnnError, match=r"the floorplan needs .*tilegrid\.json, which cannot"):
        floorplan.sites(database, bench.PART)
