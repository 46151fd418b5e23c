# SPDX-License-Identifier: BSD-3-Clause
"""What pytest has written is read: outcome, reason, and a name that runs the test again."""

import subprocess
import sys

import pytest

from qnn.errors import FormatError
from qnn_sim.regress import pytest_report
from qnn_sim.regress.case import FAILED, PASSED, SKIPPED

TESTS = """
import pytest

@pytest.mark.parametrize("size", [0.5, "a-b"])
def test_good(size):
    pass

class TestShape:
    @pytest.mark.parametrize("side", [3])
    def test_bad(self, side):
        assert side == 4, f"SEED=7: {side} sides"

def test_skipped():
    pytest.skip("not here")

@pytest.fixture
def board():
    raise OSError("no board")

def test_without_its_fixture(board):
    pass

def test_long():
    raise AssertionError("\\n".join(map(str, range(100))))
"""


@pytest.fixture
def report(tmp_path):
    """What pytest writes of TESTS, and of a file that cannot be read."""
    folder = tmp_path / "tests" / "kernels"
    folder.mkdir(parents=True)
    (folder / "test_shapes.py").write_text(TESTS)
    (folder / "test_unreadable.py").write_text("import nothing_of_this_name")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "--rootdir", ".", "-p"]
    more = ["no:cacheprovider", "--continue-on-collection-errors", "--junitxml=report.xml"]
    done = subprocess.run([*command, *more, "tests"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    return tmp_path / "report.xml"


def test_every_test_has_its_outcome(report):
    found = {test.node: test for test in pytest_report.read(report)}
    file = "tests/kernels/test_shapes.py::"
    assert {node: test.outcome for node, test in found.items()} == {
        file + "test_good[0.5]": PASSED,
        file + "test_good[a-b]": PASSED,
        file + "TestShape::test_bad[3]": FAILED,
        file + "test_skipped": SKIPPED,
        file + "test_without_its_fixture": FAILED,
        file + "test_long": FAILED,
        "tests/kernels/test_unreadable.py": FAILED,
    }
    assert "SEED=7: 3 sides" in found[file + "TestShape::test_bad[3]"].message
    assert found[file + "test_skipped"].message == "not here"
    assert "no board" in found[file + "test_without_its_fixture"].message
    assert "nothing_of_this_name" in found["tests/kernels/test_unreadable.py"].message
    assert found[file + "test_good[0.5]"].message == ""


def test_a_long_reason_is_cut(report):
    (long,) = (test for test in pytest_report.read(report) if test.node.endswith("test_long"))
    lines = long.message.splitlines()
    assert len(lines) == pytest_report.MESSAGE_LINES and lines[-1] == "11"


@pytest.mark.parametrize("content", [None, "", "<testsuites><testsuite><testcase name='a'"])
def test_a_report_that_is_not_there_or_cut_off(tmp_path, content):
    path = tmp_path / "report.xml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FormatError, match="missing or cut off"):
        pytest_report.read(path)
