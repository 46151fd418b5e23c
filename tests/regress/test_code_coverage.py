# SPDX-License-Identifier: BSD-3-Clause
"""Files of Verilator's coverage: read, added up over instances, and counted by line."""

from collections import Counter

from qnn_sim.regress import code_coverage


def point(root, kind, line, name, count, lines="", file="rtl/a.sv", where="top.u", column=3):
    parts = {
        "f": f"{root}/{file}", "l": line, "n": column, "t": kind, "page": f"v_{kind}/a", "o": name,
        **({"S": lines} if lines else {}), "h": where,
    }  # fmt: skip
    body = "".join(f"\1{key}\2{value}" for key, value in parts.items())
    return f"C '{body}' {count}\n"


def read(tmp_path, *lines):
    path = tmp_path / "coverage.dat"
    path.write_text("# SystemC::Coverage-3\n" + "".join(lines))
    return code_coverage.read(path, tmp_path)


def test_instances_are_added_up(tmp_path):
    points = read(
        tmp_path,
        point(tmp_path, "line", 5, "block", 2, "5-7", where="top.u_a"),
        point(tmp_path, "line", 5, "block", 3, "5-7", where="top.u_b"),
        point(tmp_path, "toggle", 2, "x[0]:0->1", 0),
    )
    assert points == {
        "line|rtl/a.sv|5|3|block|5-7": 5,
        "toggle|rtl/a.sv|2|3|x[0]:0->1|": 0,
    }


def test_only_sources_of_the_rtl_count(tmp_path):
    lines = [
        point(tmp_path, "line", 5, "block", 2, "5", file="tests/shell.sv"),
        point("/elsewhere", "line", 5, "block", 2, "5"),
        point(tmp_path, "user", 5, "cover", 2, "5"),
        "garbage\n",
    ]
    assert not read(tmp_path, *lines)


def test_merge_keeps_what_was_never_reached():
    total = Counter({"a": 1})
    code_coverage.merge(total, {"a": 2, "b": 0})
    assert total == {"a": 3, "b": 0} and "b" in total


def test_a_line_is_covered_where_all_on_it_ran(tmp_path):
    points = read(
        tmp_path,
        point(tmp_path, "line", 5, "block", 9, "5-6,8"),
        point(tmp_path, "branch", 6, "if", 0, "6"),
        point(tmp_path, "branch", 6, "else", 4, ""),
        point(tmp_path, "line", 9, "case", 0, "10-11"),
        point(tmp_path, "toggle", 2, "x:0->1", 1),
        point(tmp_path, "toggle", 2, "x:1->0", 0),
        point(tmp_path, "line", 1, "block", 1, "1", file="rtl/0.sv"),
    )
    files = code_coverage.by_file(points)
    assert list(files) == ["rtl/0.sv", "rtl/a.sv"]
    file = files["rtl/a.sv"]
    assert file.lines == {5: True, 6: False, 8: True, 10: False, 11: False}
    assert file.missing == [6, 10, 11]
    assert (file.branches, file.toggles, file.still) == ([1, 2], [1, 2], ["x"])


def test_an_else_that_nobody_has_written_is_on_the_line_of_its_if(tmp_path):
    lines = [
        point(tmp_path, "branch", 6, "if", 3, "6-7"),
        point(tmp_path, "branch", 6, "else", 0),
        point(tmp_path, "branch", 8, "if", 3, "8"),
        point(tmp_path, "branch", 8, "else", 1),
    ]
    file = code_coverage.by_file(read(tmp_path, *lines))["rtl/a.sv"]
    assert file.lines == {6: False, 7: True, 8: True}


def test_a_bit_toggled_where_it_rose_and_fell(tmp_path):
    lines = [
        point(tmp_path, "toggle", 2, f"{bit}:{way}", count)
        for bit, counts in {"x[0]": (1, 2), "x[1]": (1, 0), "x[2]": (0, 0)}.items()
        for way, count in zip(("0->1", "1->0"), counts, strict=True)
    ]
    assert code_coverage.by_file(read(tmp_path, *lines))["rtl/a.sv"].still == ["x[1]", "x[2]"]


def test_two_points_on_one_line_differ_by_column(tmp_path):
    lines = [point(tmp_path, "branch", 6, "cond_then", n, "6", column=n) for n in (0, 7)]
    assert code_coverage.by_file(read(tmp_path, *lines))["rtl/a.sv"].branches == [1, 2]
