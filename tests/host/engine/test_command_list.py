# SPDX-License-Identifier: BSD-3-Clause
"""Fields of a command list: what was encoded is read, and a field changes alone."""

import numpy as np
import pytest

from qnn.engine import regs
from qnn.engine.command_list import CommandList, decode, encode
from qnn.errors import DoesNotFitError


def random_fields(rng) -> dict[str, int]:
    return {name: int(rng.integers(1 << width)) for name, (_, _, width) in regs.COMMAND.items()}


def test_reads_what_was_encoded():
    rng = np.random.default_rng(1)
    fields = [random_fields(rng) for _ in range(5)]
    image = b"".join(map(encode, fields))
    commands = CommandList(image + b"parameters", 5)
    assert commands.tobytes() == image
    for name in regs.COMMAND:
        assert commands.get(name).tolist() == [one[name] for one in fields]
    assert [decode(image, i) for i in range(5)] == fields


def test_a_field_lies_where_the_page_of_the_registers_says():
    beats = np.array([0xC1 | 1 << 10, 3 << 32, *[0] * 6], "<u8")
    assert encode({"opcode": 0xC1, "raw": 1, "tiles": 3}) == beats.tobytes()


def test_fields_do_not_overlap():
    taken = [0] * regs.COMMAND_BEATS
    for beat, lowest, width in regs.COMMAND.values():
        mask = ((1 << width) - 1) << lowest
        assert not taken[beat] & mask and mask < 1 << 64
        taken[beat] |= mask


def test_a_value_that_does_not_fit_its_field():
    with pytest.raises(DoesNotFitError, match="stride = 4 does not fit the 2 bits"):
        encode({"stride": 4})


@pytest.mark.parametrize("name", regs.COMMAND)
def test_a_field_changes_alone(name):
    rng = np.random.default_rng(2)
    fields = [random_fields(rng) for _ in range(3)]
    commands = CommandList(b"".join(map(encode, fields)), 3)
    values = rng.integers(1 << regs.COMMAND[name][2], size=3)
    commands.set(name, values)
    expected = [{**one, name: int(value)} for one, value in zip(fields, values, strict=True)]
    assert commands.tobytes() == b"".join(map(encode, expected))


@pytest.mark.parametrize("value", [-1, 4])
def test_values_that_do_not_fit(value):
    commands = CommandList(bytes(64), 1)
    with pytest.raises(ValueError, match="stride"):
        commands.set("stride", np.array([value]))
