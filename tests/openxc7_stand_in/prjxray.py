# SPDX-License-Identifier: BSD-3-Clause
"""fasm2frames and xc7frames2bit. Sources: utils/fasm2frames.py, tools/xc7frames2bit.cc and
lib/include/prjxray/xilinx/bitstream_writer.h of openXC7/prjxray."""

from __future__ import annotations

import sys
from pathlib import Path

from openxc7_stand_in.outcome import Outcome, StandInError, options

SYNC = bytes.fromhex("ffffffff 000000bb 11220044 ffffffff ffffffff aa995566 20000000")
NOP = bytes.fromhex("20000000")


def fasm2frames(arguments: list[str], outcome: Outcome) -> int:
    given, plain = options(
        arguments, {"sparse", "emit_pudc_b_pullup", "debug"}, {"db-root", "part", "roi"}
    )
    if len(plain) not in (1, 2) or "db-root" not in given or "part" not in given:
        raise StandInError("usage: fasm2frames --db-root DB_ROOT --part PART fn_in [fn_out]")
    outcome.fail("fasm2frames")
    part = Path(given["db-root"][0]) / given["part"][0]
    for name in ("package_pins.csv", "part.json"):
        if not (part / name).is_file():
            raise StandInError(f"FileNotFoundError: {part / name}")
    lines = [line for line in Path(plain[0]).read_text().splitlines() if not line.startswith("#")]
    if not lines or any(line.count(".") != 2 for line in lines):
        raise StandInError("prjxray.fasm_assembler.FasmLookupError: key INT_L.X not found")
    text = "0x00000000 " + ",".join(["0x00000001"] + ["0x00000000"] * 100) + "\n"
    if len(plain) == 2:
        Path(plain[1]).write_text(text)
    else:
        sys.stdout.write(text)
    return 0


def frames2bit(arguments: list[str], outcome: Outcome) -> int:
    valued = {"part_name", "part_file", "frm_file", "output_file", "architecture"}
    given, plain = options(arguments, set(), valued)
    if plain:
        raise StandInError(f"{plain[0]} is no option")
    outcome.fail("xc7frames2bit")
    if not Path(given["part_file"][0]).is_file():
        raise StandInError("Part file not found or invalid")
    frames = Path(given["frm_file"][0])
    words = [line.split()[1].split(",") for line in frames.read_text().splitlines()]
    if not words or any(len(row) != 101 for row in words):
        raise StandInError("Frames file not found or invalid")
    if outcome.unwritten:
        return 0
    fields = {
        b"a": f"{frames};Generator=xc7frames2bit",
        b"b": given["part_name"][0],
        b"c": "2026/01/05",
        b"d": "12:00:00",
    }
    head = bytes.fromhex("0009 0ff00ff00ff00ff000 0001")
    for key, text in fields.items():
        value = text.encode() + b"\0"
        head += key + len(value).to_bytes(2, "big") + value
    data = b"".join(int(word, 16).to_bytes(4, "big") for row in words for word in row)
    body = SYNC + data + NOP
    Path(given["output_file"][0]).write_bytes(head + b"e" + len(body).to_bytes(4, "big") + body)
    return 0
