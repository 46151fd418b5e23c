# SPDX-License-Identifier: BSD-3-Clause
"""The list of what is not covered cannot go stale, and nothing is missing without a reason."""

from pathlib import Path

import pytest

from qnn.errors import QnnError
from qnn_sim.regress import exclusions, functional
from qnn_sim.regress.code_coverage import FileCoverage

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "a.sv").write_text("one\ndefault: x = 1;\nthree\n")
    return tmp_path


def check(root, text, lines=None, uncovered=(), full=True):
    path = root / "list.txt"
    path.write_text(text)
    files = {"rtl/a.sv": FileCoverage(lines={1: True, 2: False} if lines is None else lines)}
    bins = {name: int(name not in uncovered) for name in functional.bins()}
    return exclusions.check(exclusions.read(path), files, bins, root, full)


def test_listed_and_not_covered_is_well(root):
    verdict = check(root, "# why\n\nline | rtl/a.sv: `default: x = 1;` | cannot happen\n")
    assert verdict.complaints == []
    assert verdict.reasons == {"rtl/a.sv:2": "cannot happen"}


def test_neither_covered_nor_listed(root):
    raw = [name for name in functional.bins() if name.endswith("& output=raw")][:1]
    complaints = check(root, "", uncovered=raw).complaints
    assert complaints == [
        "neither covered nor listed: rtl/a.sv:2",
        f"neither covered nor listed: {raw[0]}",
    ]
    assert check(root, "", uncovered=raw, full=False).complaints == []


@pytest.mark.parametrize("full", [True, False])
def test_listed_but_covered(root, full):
    text = "line | rtl/a.sv: default | cannot happen\nbin | endings: end=DONE & command=* | never\n"
    later = ["endings: end=DONE & command=later"]
    complaints = check(root, text, {2: True}, later, full).complaints
    assert [c.partition(" (")[0] for c in complaints] == [
        "listed, but covered: rtl/a.sv:2",
        "listed, but covered: endings: end=DONE & command=first",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "line | rtl/b.sv: default | no such file",
        "line | rtl/a.sv: four | no such line",
        "line | rtl/a.sv: three | no code",
        "bin | commands: colour=* | no such bin",
    ],
)
def test_listed_but_not_there(root, line):
    (complaint,) = check(root, line, {1: True}).complaints
    assert complaint.startswith("listed, but there is no such")


@pytest.mark.parametrize("line", ["line | rtl/a.sv: x", "branch | a | b", "bin |  | why"])
def test_lines_of_another_form(root, line):
    with pytest.raises(QnnError, match=r"list\.txt:1"):
        check(root, line)


def test_the_list_of_the_project_names_things_that_exist():
    for item in exclusions.read(ROOT / "tests" / "coverage_exclusions.txt"):
        found = item.lines(ROOT) if item.kind == "line" else item.bins()
        assert found, item
        assert len(item.reason.split()) > 2, item
