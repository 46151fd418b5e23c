# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of a changed line, in a project of one file and its test."""

import json
import subprocess
import sys

import pytest

import mutate_lines
from mutation.changed_lines import Change
from qnn.errors import QnnError
from qnn_sim.script import STOPPED

FILE = "host/qnn/engine/half.py"
LINES = (
    "def half(x):\n", "    while x % 2:\n", "        x -= 1\n", "    return x // 2\n",
    "def unused(x):\n", "    return x\n",
)  # fmt: skip
TEST = "from half import half\ndef test_half():\n    assert half(8) == half(9) == 4\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The project; `half` is found where the packages are."""
    made = tmp_path / "root"
    for name, text in (
        (FILE, "".join(LINES)), ("tests/host/engine/test_half.py", TEST),
        ("tests/host/importers/test_none.py", "def test_none():\n    pass\n"),
        ("pytest.ini", "[pytest]\nmarkers = nightly\n"),
    ):  # fmt: skip
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    (made / "python").mkdir()
    (made / "python/half.py").symlink_to(f"../{FILE}")
    subprocess.run(["git", "init", "--quiet", str(made)], check=True)
    monkeypatch.setattr(mutate_lines, "ROOT", made)
    return made


def change(line, now):
    return Change(FILE, line, LINES[line - 1], now)


@pytest.mark.parametrize(
    ("line", "now", "expected"),
    [(4, "    return x / 3\n", "killed"),
     pytest.param(3, "        x -= 2\n", "hangs", marks=pytest.mark.nightly),
     (6, "    return -x\n", "survives"), (4, "    return x //\n", "no program"),
     (4, "    return (x // 2)\n", "the same program")],
)  # fmt: skip
def test_verdict(root, tmp_path, monkeypatch, line, now, expected):
    monkeypatch.setattr(mutate_lines, "BOUND", 'ulimit -t 3; exec "$@"')
    tree = mutate_lines.Tree(tmp_path)
    subject = mutate_lines.Host(tree)
    assert mutate_lines.verdict(change(line, now), tree, subject) == expected
    assert (tree.root / FILE).read_text() == "".join(LINES)
    if expected == "killed":  # nothing is left of it, also where Python keeps what it compiles
        assert not any(map(tree.passes, subject.whole()))


def test_the_test_of_the_file_comes_first_and_whole_at_the_end(root, tmp_path):
    steps = mutate_lines.Host(mutate_lines.Tree(tmp_path)).steps(change(4, "    return 1\n"))
    own = "tests/host/engine/test_half.py"
    assert [step.arguments for step in steps] == [(own,), ("tests/host/engine",), (own,)]
    assert [step.environment for step in steps] == [{"FAST": "1"}, {"FAST": "1"}, {}]


def test_a_file_without_a_test_has_those_of_its_folder(root, tmp_path):
    other = Change("host/qnn/importers/qonnx/walk.py", 1, "x = 1\n", "x = 2\n")
    steps = mutate_lines.Host(mutate_lines.Tree(tmp_path)).steps(other)
    assert [step.arguments for step in steps] == [("tests/host/importers",)]


class TestCommand:
    @pytest.fixture(autouse=True)
    def arguments(self, root, tmp_path, monkeypatch):
        drawn = [change(4, "    return 1\n"), change(6, "    return -x\n")]
        monkeypatch.setattr(mutate_lines.changed_lines, "draw", lambda *_: iter(drawn))
        monkeypatch.setattr(mutate_lines.importlib.util, "find_spec", lambda _: object())
        self.out = tmp_path / "out"
        self.argv = ["mutate_lines.py", "host", "--out", str(self.out)]
        monkeypatch.setattr(sys, "argv", self.argv)

    def result(self, name="out.json"):
        return json.loads((self.out.parent / name).read_text())

    def test_counts_and_names_what_survives(self, capsys):
        assert mutate_lines.main() == 0
        out = capsys.readouterr().out
        assert "host: 2 changes, 1 killed (of these 0 hang), 1 survive: 50.0% are killed" in out
        (survivor,) = self.result()["survivors"]
        assert survivor["change"] == f"{FILE}:6: return x  ->  return -x"
        assert survivor["repeat"] == "python scripts/mutate_lines.py host --seed 1 --only 2"

    @pytest.mark.nightly
    def test_one_change_again(self, capsys):
        self.argv += ["--only", "2"]
        assert mutate_lines.main() == 0
        assert "1 changes, 0 killed" in capsys.readouterr().out
        assert not self.out.with_suffix(".json").exists()

    @pytest.mark.nightly
    def test_what_was_tried_before_it_was_stopped_stays(self, monkeypatch):
        def stop(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(mutate_lines, "verdict", stop)
        assert mutate_lines.main() == STOPPED
        assert self.result("out.partial.json")["changes"] == 0

    def test_tests_that_fail_without_a_change(self, root):
        (root / "tests/host/engine/test_half.py").write_text("def test_half():\n    assert 0\n")
        with pytest.raises(QnnError, match=r"tests fail without a change: see .*/out/log.txt"):
            mutate_lines.main()

    @pytest.mark.parametrize("option", ["--count", "--only"])
    def test_bad_arguments(self, capsys, option):
        self.argv += [option, "0"]
        with pytest.raises(SystemExit, match="2"):
            mutate_lines.main()
        assert f"{option} 0 is less than 1" in capsys.readouterr().err

    def test_without_the_rules(self, monkeypatch, capsys):
        monkeypatch.setattr(mutate_lines.importlib.util, "find_spec", lambda _: None)
        with pytest.raises(SystemExit, match="2"):
            mutate_lines.main()
        assert (
            "universalmutator is not installed: run `make mutate-host`" in capsys.readouterr().err
        )


def test_kernels_that_do_not_compile(root, tmp_path, monkeypatch):
    monkeypatch.setattr(mutate_lines, "LIBRARIES", "raise SystemExit(1)")
    with pytest.raises(QnnError, match="the HLS kernels do not compile: see"):
        mutate_lines.Hls(mutate_lines.Tree(tmp_path))


def test_a_kernel_is_the_same_where_its_libraries_are(root, tmp_path, monkeypatch):
    say = "print(len(open('host/qnn/engine/half.py').read().splitlines()))"
    monkeypatch.setattr(mutate_lines, "LIBRARIES", say)
    tree = mutate_lines.Tree(tmp_path)
    subject = mutate_lines.Hls(tree)
    for now, expected in (("    return 1\n", "the same program"), ("    x\n    x\n", None)):
        tree.place(change(6, now))
        assert subject.worth(change(6, now)) == expected
