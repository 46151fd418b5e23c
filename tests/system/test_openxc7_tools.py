# SPDX-License-Identifier: BSD-3-Clause
"""Where scripts/openxc7 finds programs and databases, and what it says where it does not."""

import json

import pytest
from openxc7_stand_in import bench

from openxc7 import tools
from qnn.errors import QnnError


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """An environment with nothing of openXC7 in it; a folder for it."""
    for name in ("OPENXC7", "CHIPDB", "PRJXRAY_DB_DIR", "OPENXC7_STAND_IN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return tmp_path / "openxc7"


def test_all_below_one_directory(environment, monkeypatch):
    root = bench.install(environment)
    monkeypatch.setenv("OPENXC7", str(root))
    found = tools.find(bench.PART)
    assert found.nextpnr == root / "bin/nextpnr-xilinx" and not found.himbaechel
    assert found.chip == root / "share/chipdb/xc7z020clg400.bin"
    assert found.part_file(bench.PART).is_file()
    assert len(found.lines()) == 5 and found.lines()[0].startswith("nextpnr-xilinx 0.9.5: ")


def test_programs_of_the_path_and_databases_as_openxc7_names_them(environment, monkeypatch):
    root = bench.install(environment)
    monkeypatch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")
    with pytest.raises(QnnError, match=r"no chip database xc7z020clg400\.bin of nextpnr-xilinx"):
        tools.find(bench.PART)
    monkeypatch.setenv("CHIPDB", str(root / "share/chipdb"))
    with pytest.raises(QnnError, match=r"no zynq7/xc7z020clg400-1/part\.yaml of prjxray's"):
        tools.find(bench.PART)
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(root / "share/prjxray-db"))
    assert tools.find(bench.PART).database == root / "share/prjxray-db/zynq7"
    monkeypatch.setenv("CHIPDB", str(root / "share/chipdb/xc7z020clg400.bin"))
    assert tools.find(bench.PART).chip.name == "xc7z020clg400.bin"


def test_himbaechel_where_there_is_nothing_else(environment, monkeypatch):
    root = bench.install(environment, bench.PROGRAMS[1:])
    monkeypatch.setenv("OPENXC7", str(root))
    found = tools.find(bench.PART)
    assert found.himbaechel and found.chip.name == "chipdb-xc7z020.bin"
    monkeypatch.setenv("OPENXC7_STAND_IN", json.dumps({"uarches": "example, gowin"}))
    with pytest.raises(QnnError, match="without the micro-architecture xilinx"):
        tools.find(bench.PART)


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ((), "there is no nextpnr-xilinx and no nextpnr-himbaechel: put them into the PATH or"),
        (("nextpnr-xilinx", "xc7frames2bit"), "there is no fasm2frames, which comes with prjxray"),
        (("nextpnr-xilinx", "fasm2frames"), "there is no xc7frames2bit, which comes with prjxray"),
    ],
)
def test_programs_that_are_missing(programs, message, environment, monkeypatch):
    monkeypatch.setenv("OPENXC7", str(bench.install(environment, programs)))
    with pytest.raises(QnnError, match=message):
        tools.find(bench.PART)


@pytest.mark.parametrize("version", ["0.9.3", "0.9.5-3-gabcdef0", "nextpnr-xilinx-0.10.0", "1.0.0"])
def test_versions_that_will_do(version, environment, monkeypatch):
    monkeypatch.setenv("OPENXC7", str(bench.install(environment)))
    monkeypatch.setenv("OPENXC7_STAND_IN", json.dumps({"version": version}))
    assert tools.find(bench.PART).version == version


@pytest.mark.parametrize("text", ["#!/bin/sh\necho hello\n", "no program"])
def test_what_is_no_nextpnr(text, environment, monkeypatch):
    root = bench.install(environment)
    (root / "bin/nextpnr-xilinx").write_text(text)
    monkeypatch.setenv("OPENXC7", str(root))
    with pytest.raises(QnnError, match=r"does not (tell its version|run)"):
        tools.find(bench.PART)


def test_a_directory_that_is_none(environment, monkeypatch):
    monkeypatch.setenv("OPENXC7", str(environment))
    with pytest.raises(QnnError, match="which is no directory"):
        tools.find(bench.PART)


def test_a_device_of_another_family():
    assert tools.die("xc7a35tcsg324-1") == "xc7a35t"
    with pytest.raises(QnnError, match="xczu3eg-sfvc784-1-e is no device of the 7 series"):
        tools.die("xczu3eg-sfvc784-1-e")
