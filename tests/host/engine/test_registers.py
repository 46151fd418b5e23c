# SPDX-License-Identifier: BSD-3-Clause
"""Fields of registers by their names, against the page of the registers."""

from qnn.engine import regs
from qnn.engine.registers import field, flags


def test_fields_lie_where_the_page_says():
    status = 0x0C_05_04  # command 12 has ended the run with code 5: STATUS[23:16], [15:8], [2]
    assert [field("STATUS", name, status) for name in ("index", "code", "error")] == [12, 5, 1]
    assert field("STATUS", "done", status) == 0


def test_flags():
    assert [flags("CTRL", name) for name in ("start", "resident", "abort", "reset")] == [1, 2, 4, 8]
    assert flags("STATUS", "done", "error", "refused") == 0b1110
    assert flags("STATUS") == 0


def test_a_flag_is_read_back():
    for register, fields in regs.FIELDS.items():
        for name, (_, width) in fields.items():
            if width == 1:
                value = flags(register, name)
                assert [n for n in fields if field(register, n, value)] == [name]
