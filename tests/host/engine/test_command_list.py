# SPDX-License-Identifier: BSD-3-Clause
"""Fields of a command list: what was encoded is read, and a field changes alone."""

import numpy as np
import pytest

from qnn.engine import regs
from qnn.engine.command_list import CommandList
from qnn.engine.program import encode


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
