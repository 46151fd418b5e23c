# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic of the HLS library, on all inputs where these are few enough and on the ends of
the ranges elsewhere; tests/formal proves the same of the RTL. Each field of a command by itself."""

import subprocess
from functools import partial
from pathlib import Path

import pytest

from qnn.engine import regs
from qnn.errors import QnnError
from qnn_sim import hls_headers

SOURCE = Path(__file__).with_name("exhaustive.cpp")
COMPARED = {  # by hand: 2 + 4 + ... + 2^22; 4 + 16 + ... + 4^9; pairs of columns; see the file
    "Popcount<1..22>": 2**23 - 2,
    "equal_bits<1..9>": (4**10 - 4) // 3,
    "Popcount<64>": 22 * 21 // 2 * 3 * 64,
    "fields": 2 * len(regs.COMMAND),
    "requantised": 2**24 + 8 * 32 * 11 * 4 * 11 * 11 + 2_000_000,
}


def run(seed, folder, *first) -> subprocess.CompletedProcess[str]:
    """Compiles and runs it; include paths in `first` come before all others."""
    program, listed = folder / "exhaustive", folder / "fields.inc"
    listed.write_text(
        "".join(f"FIELD({name}, {', '.join(map(str, at))})\n" for name, at in regs.COMMAND.items())
    )
    try:
        flags = hls_headers.include_flags()
    except QnnError as problem:
        pytest.skip(str(problem))
    command = ["g++", "-O2", *first, *flags, f"-I{folder}", str(SOURCE), "-o", str(program)]
    subprocess.run(command, check=True)
    return subprocess.run(
        [str(program), str(seed)], capture_output=True, text=True, timeout=300, check=False
    )


def test_popcount_and_requantiser_equal_their_definitions(seed, tmp_path):
    done = run(seed, tmp_path)
    assert done.returncode == 0, done.stdout
    found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert {name: int(count) for name, count in found.items()} == COMPARED


night = partial(pytest.param, marks=pytest.mark.nightly)


@pytest.mark.parametrize(
    ("header", "right", "wrong", "where"),
    [
        night("popcount", "(a & b) | (a & c) | (b & c)", "(a & b) | (a & c)", "Popcount differs"),
        ("popcount", "Width > 2 ? bits", "Width > 2 && Width < 64 ? bits", "Popcount<64> differs"),
        night("popcount", "of(ap_uint<Width>(~(w ^ x))", "of(ap_uint<Width>(w ^ x)", "equal_bits"),
        night("requantise", "sum > base ?", "true ?", "requantised differs"),
        night("requantise", "if (code < 0) return 0;", "", "requantised differs"),
        night("command", "ap_uint<10> out_rows", "ap_uint<9> out_rows", "out_rows differs"),
    ],
)  # fmt: skip
def test_a_fault_is_found(seed, tmp_path, header, right, wrong, where):
    text = (hls_headers.HLS / f"include/qnn/{header}.hpp").read_text()
    assert text.count(right) == 1
    changed = tmp_path / f"qnn/{header}.hpp"
    changed.parent.mkdir()
    changed.write_text(text.replace(right, wrong))
    done = run(seed, tmp_path, f"-I{tmp_path}")
    assert done.returncode == 1 and where in done.stdout
