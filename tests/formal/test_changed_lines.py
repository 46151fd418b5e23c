# SPDX-License-Identifier: BSD-3-Clause
"""Which changes of a line there are, and which of them are none."""

import ast

import pytest

from mutation.changed_lines import CPP, PYTHON, Change, changes, draw, program

BEFORE = '''"""A file."""
from os import path, sep

def half(x: int) -> int:
    """Of x."""
    for _ in range(2):
        if x < 0:
            raise ValueError(x)
    return x // 2
'''
TEXT = BEFORE.splitlines(keepends=True)


def changed(was, now):
    assert BEFORE.count(was) == 1
    return BEFORE.replace(was, now)


@pytest.mark.parametrize(
    ("was", "now"),
    [("x // 2", "x / 2"), ("x < 0", "x <= 0"), ("return x // 2", "pass"), ("(2)", "(2.0)"),
     ("    for _ in range(2):\n", "    for _ in range(2):\n        break\n")],
)  # fmt: skip
def test_another_program(was, now):
    assert program(changed(was, now)) != program(BEFORE)


@pytest.mark.parametrize(
    ("was", "now"),
    [("Of x.", "Of y."), ("A file", "No file"), ("x: int", "x: float"), ("-> int", "-> None"),
     ("path, sep", "path"), ("(x)\n", "(x)\n            continue\n"),
     ("def half", "\n\ndef half")],
)  # fmt: skip
def test_the_same_program(was, now):
    assert program(changed(was, now)) == program(BEFORE)


def test_only_a_whole_file_tells_that_it_is_no_program():
    text = changed("return x // 2", "break")
    ast.parse(text)
    with pytest.raises(SyntaxError):
        program(text)


def test_a_change_leaves_the_other_lines():
    change = Change("a.py", 9, TEXT[8], "    return 1\n    break\n")
    assert change.applied(BEFORE) == "".join(TEXT[:8]) + "    return 1\n    break\n"
    assert str(change) == "a.py:9: return x // 2  ->  return 1 break"


class TestDrawn:
    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("universalmutator", reason="scripts/mutation/requirements.txt")

    def test_an_import_stays(self):
        assert 2 not in changes("a.py", BEFORE, PYTHON)

    def test_what_computes_nothing_in_cpp_stays(self):
        text = "// a + b\n#pragma HLS PIPELINE II=1\ntemplate <class A>\n}\nint c = a + b;\n"
        assert list(changes("a.hpp", text, CPP)) == [5]

    def test_a_line_is_drawn_once_and_a_seed_repeats_it(self, tmp_path):
        for name in ("a.py", "b.py"):
            (tmp_path / name).write_text(BEFORE)
        drawn, again, other = (
            list(draw(tmp_path, ["b.py", "a.py"], PYTHON, seed)) for seed in (1, 1, 2)
        )
        places = [(change.path, change.line) for change in drawn]
        assert drawn == again != other
        assert len(places) == len(set(places)) and {name for name, _ in places} == {"a.py", "b.py"}
        assert all(change.was != change.now for change in drawn)
