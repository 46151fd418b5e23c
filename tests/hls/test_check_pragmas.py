# SPDX-License-Identifier: BSD-3-Clause
"""The pragmas of the kernels are as documented; and the checker finds each kind of fault."""

from pathlib import Path

import pytest

import check_pragmas

ROOT = Path(__file__).resolve().parents[2]

GOOD = """
#include <ap_int.h>
namespace qnn {
struct Pair { int first; };
template <class Fold, unsigned N = 4>
void scale(const Pair shape, hls::stream<ap_uint<8>> &in, const ap_uint<8> (&weights)[N][2],
           hls::stream<ap_uint<8>> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
#pragma HLS ARRAY_PARTITION variable=weights type=complete dim=2
  hls::stream<ap_uint<8>> one("one"), two("{");  // a brace: }
#pragma HLS STREAM variable=two depth=16
  static const typename Fold::Number first = shape.first, last[2] = {0, 1};
#pragma HLS BIND_STORAGE variable=last type=ram_s2p impl=bram
  for (unsigned i = 0; i < N; ++i) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT min=1 max=4
    ap_uint<8> local[3] = {0, 0, 0};
#pragma HLS ARRAY_PARTITION variable=local type=cyclic factor=2
    if (i > 2) {
#pragma HLS DEPENDENCE variable=local type=inter dependent=false
      out.write(local[i]);
    }
  }
}
}  // namespace qnn
"""

FAULTS = [
    ("INTERFACE mode=axis port=in", "INTERFACE mode=axis port=inn", "there is no port inn"),
    ("INTERFACE mode=axis port=in", "INTERFACE mode=axi port=in", "mode is 'axi'"),
    ("INTERFACE mode=axis port=in", "INTERFACE mode=axis", "INTERFACE lacks port="),
    ("INTERFACE mode=axis port=in", "INTERFACE mode=axis port=in fast", "no option fast"),
    ("INTERFACE mode=axis port=in", "INTERFACE mode=axis port=one", "there is no port one"),
    ("PIPELINE II=1", "PIPELIN II=1", "unknown directive PIPELIN"),
    ("PIPELINE II=1", "PIPELINE ii=1", "PIPELINE has no option ii"),
    ("PIPELINE II=1", "PIPELINE II=fast", "II is 'fast', not a number"),
    ("PIPELINE II=1", "PIPELINE off=1", "off takes no value"),
    ("variable=weights", "variable=weight", "there is no variable weight"),
    ("variable=weights type=complete", "variable=weights", "ARRAY_PARTITION lacks type="),
    ("type=cyclic", "type=cycle", "type is 'cycle'"),
    ("variable=two depth", "variable=local depth", "there is no variable local"),
    ("variable=two depth", "variable=three depth", "there is no variable three"),
    ("impl=bram", "impl=block", "impl is 'block'"),
    ("STREAM variable=two depth=16", "UNROLL", "UNROLL is not at the head of a loop"),
    ("LOOP_TRIPCOUNT min=1 max=4", "LOOP_TRIPCOUNT min=1", "LOOP_TRIPCOUNT lacks max="),
    ("variable=local type=inter", "variable=i2 type=inter", "there is no variable i2"),
    ("dependent=false", "dependent=no", "dependent is 'no'"),
]


def test_the_kernels(capsys):
    folders = [str(ROOT / "hls_kernels" / name) for name in ("include", "kernels")]
    assert check_pragmas.main(folders) == 0
    pragmas = int(capsys.readouterr().out.split()[0])
    assert pragmas > 150


def test_a_good_source_has_no_fault():
    assert check_pragmas.check(GOOD) == []


@pytest.mark.parametrize(("right", "wrong", "fault"), FAULTS)
def test_fault_is_found_in_its_line(right, wrong, fault):
    assert GOOD.count(right) == 1
    source = GOOD.replace(right, wrong)
    line = source[: source.index(wrong)].count("\n") + 1
    ((found, text),) = check_pragmas.check(source)
    assert found == line
    assert fault in text


def test_variable_after_the_pragma_or_of_another_function():
    pragma = "#pragma HLS STREAM variable=late depth=2\n"
    late = f"void f() {{\n{pragma}  int late = 0;\n}}\n"
    assert check_pragmas.check(late) == [(2, "STREAM: there is no variable late")]
    other = f"void g() {{\n  int late = 0;\n}}\nvoid f() {{\n{pragma}}}\n"
    assert check_pragmas.check(other) == [(5, "STREAM: there is no variable late")]


def test_outside_of_functions_and_unbalanced():
    assert check_pragmas.check("#pragma HLS DATAFLOW\n") == [
        (1, "DATAFLOW stands outside of a function")
    ]
    assert "braces do not match" in check_pragmas.check("void f() {\n  if (x) {\n}\n")[0][1]


def test_command(tmp_path, capsys):
    bad = tmp_path / "bad.hpp"
    bad.write_text("void f(int a) {\n#pragma HLS STREAM variable=b\n}\n")
    assert check_pragmas.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{bad}:2: STREAM: there is no variable b\n"
    assert check_pragmas.main([str(tmp_path / "none")]) == 2
    assert "there is no" in capsys.readouterr().err
