# SPDX-License-Identifier: BSD-3-Clause
"""Cycles of two builds side by side: from a file, from a checkout, or one sentence."""

import json
import subprocess
import sys

import pytest

from qnn.errors import QnnError
from qnn_sim import bench_against
from qnn_sim.rtl_build import ROOT


def result(cycles, where="host"):
    """As bench_rtl.py writes it, of one network and its picture."""
    network = {"cycles": cycles, "cycles_ideal_memory": cycles // 2, "mismatches": 0}
    picture = {"cycles": 3 * cycles, "layers": [{"name": "conv0", "where": where}]}
    return {"networks": {"a": network}, "pictures": {"a": picture}}


def test_rows_have_what_both_builds_have():
    before, now = result(1000), result(500)
    now["networks"]["a"]["cycles_resident"] = 7
    now["networks"]["b"] = {"cycles": 1}
    found = bench_against.rows(before, now)
    assert [(row.what, row.before, row.now, row.ratio) for row in found] == [
        ("a, published memory", 1000, 500, 0.5),
        ("a, ideal memory", 500, 250, 0.5),
        ("a, picture", 3000, 1500, 0.5),
    ]
    assert "a, published memory" in bench_against.table(found)


def test_pictures_of_other_work_are_not_compared():
    """More layers on the accelerator take more cycles, and are no loss."""
    found = bench_against.rows(result(1000), result(1000, where="accelerator"))
    assert [row.what for row in found] == ["a, published memory", "a, ideal memory"]


def test_a_file(tmp_path):
    path = tmp_path / "bench-rtl.json"
    path.write_text(json.dumps(result(1000)))
    assert bench_against.earlier(path, ["a"], "pynq-z1") == result(1000)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"networks": 3}', '{"networks": {"a": 1}}'])
def test_another_file(text, tmp_path):
    path = tmp_path / "bench-rtl.json"
    path.write_text(text)
    with pytest.raises(QnnError, match=r"is no result of bench_rtl\.py"):
        bench_against.earlier(path, ["a"], "pynq-z1")
    with pytest.raises(QnnError, match="cannot be read: No such file"):
        bench_against.earlier(tmp_path / "nothing.json", ["a"], "pynq-z1")


def checkout(folder, script):
    """Something that has a bench of its own."""
    (folder / "scripts").mkdir()
    (folder / "scripts/bench_rtl.py").write_text(script)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    return folder


def test_a_checkout_runs_its_own_bench(tmp_path):
    other = checkout(
        tmp_path,
        "import json, pathlib, sys\n"
        "assert sys.argv[1:4] == ['a', '--config', 'small'] and sys.argv[4] == '--out'\n"
        f"pathlib.Path(sys.argv[5]).write_text(json.dumps({result(9)!r}))\n"
        "sys.exit(1)  # a target that is missed\n",
    )
    assert bench_against.earlier(other, ["a"], "small") == result(9)


def test_a_checkout_that_cannot(tmp_path):
    with pytest.raises(QnnError, match="is no checkout of the project"):
        bench_against.earlier(tmp_path, ["a"], "small")
    other = checkout(tmp_path, "raise SystemExit('no simulator here')")
    with pytest.raises(QnnError, match="failed: no simulator here"):
        bench_against.earlier(other, ["a"], "small")
    (other / ".venv/bin/python").unlink()
    with pytest.raises(QnnError, match="run `make setup` there"):
        bench_against.earlier(other, ["a"], "small")


def test_the_command_says_it_in_a_sentence(tmp_path):
    command = [sys.executable, ROOT / "scripts/bench_rtl.py", "--against", tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and "is no checkout of the project" in ended.stderr
    assert "Traceback" not in ended.stderr
