# SPDX-License-Identifier: BSD-3-Clause
"""STATUS in words."""

import pytest

from qnn.engine import regs
from qnn.engine.status import Status

NAMES = ("conv1", "conv2/0", "conv2/1")


def encoded(**fields) -> int:
    return sum(value << regs.FIELDS["STATUS"][name][0] for name, value in fields.items())


@pytest.mark.parametrize("name", ["busy", "done", "error", "refused", "resident"])
def test_each_flag(name):
    status = Status.decode(encoded(**{name: 1}))
    flags = ("busy", "done", "error", "refused", "resident")
    assert [flag for flag in flags if getattr(status, flag)] == [name]
    assert status.ended == (name in ("done", "error"))
    assert (status.code, status.index) == ("NONE", 0)


@pytest.mark.parametrize("code", range(1, len(regs.ERRORS)))
def test_failure_names_cause_and_layer(code):
    name, sentence = regs.ERRORS[code]
    error = Status.decode(encoded(error=1, code=code, index=2)).failure(NAMES)
    assert (error.code, error.index, error.command) == (name, 2, "conv2/1")
    assert f"command 2, layer conv2/1: {sentence} ({name})" in str(error)


def test_what_the_software_does_not_know():
    error = Status.decode(encoded(error=1, code=77, index=40)).failure(NAMES)
    assert (error.code, error.index) == ("code 77", 40)
    assert "layer none of the list: a code that this software does not know" in str(error)
