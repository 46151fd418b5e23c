# SPDX-License-Identifier: BSD-3-Clause
"""What a command covers follows from its fields: layers of known shape, and the bins they reach."""

import numpy as np
import pytest
import random_networks

from qnn.engine import regs
from qnn.engine.capabilities import Capabilities
from qnn.engine.command_list import decode
from qnn.engine.program import compile_layers
from qnn.network import MaxPool
from qnn_sim.regress import functional

CAPS = Capabilities()


def fields_of(*layers):
    program = compile_layers(layers, CAPS)
    return [decode(program.image, i) for i in range(program.commands)]


def layer(shape=(9, 8, 6), outputs=4, kernel=(3, 2), **options):
    return random_networks.random_conv(np.random.default_rng(0), shape, outputs, kernel, **options)


def test_values_of_a_plain_layer():
    (fields,) = fields_of(layer())
    assert functional.command_values(fields, "ideal", CAPS.pe) == {
        "rows": "3", "columns": "2", "stride": "1", "padding": "none", "pool": "none",
        "planes": "2", "input": "tight", "row": "part of a word", "passes": "1",
        "exponent": "0", "sums": "short", "tiles": "1", "output": "2", "buffer": "map",
        "memory": "ideal",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"kernel": (7, 1)}, "rows", "6-7"),
        ({"kernel": (9, 1)}, "rows", "8-16"),
        ({"kernel": (4, 1)}, "rows", "4-5"),
        ({"kernel": (1, 8)}, "columns", "6 or more"),
        ({"kernel": (1, 5)}, "columns", "4-5"),
        ({"stride": 2}, "stride", "2"),
        ({"stride": 4}, "stride", "3-4"),
        ({"padding": (1, 2, 1, 2)}, "padding", "even"),
        ({"padding": (1, 2, 2, 2)}, "padding", "lopsided"),
        ({"padding": (0, 0, 0, 1)}, "padding", "lopsided"),
        ({"pool": MaxPool(3, 2)}, "pool", "3/2"),
        ({"in_bits": 5}, "planes", "4-8"),
        ({"shape": (9, 8, 32)}, "row", "whole words"),
        ({"coefficients": (1, 1, 2)}, "passes", "3 or more"),
        ({"coefficients": (1, 2)}, "exponent", "1"),
        ({"coefficients": (4, 2, 1)}, "exponent", "2 or more"),
        ({"coefficients": (2,)}, "passes", "2"),
        ({"coefficients": (128,) * 9, "in_bits": 8, "shape": (9, 8, 99)}, "sums", "wide"),
        ({"levels": None}, "sums", "narrow"),
        ({"coefficients": (4, 2, 1), "in_bits": 8, "shape": (9, 8, 99)}, "sums", "narrow"),
        ({"outputs": 65}, "tiles", "2 or more"),
        ({"levels": None}, "output", "raw"),
        ({"levels": 200}, "output", "4-8"),
        ({"shape": (40, 100, 64), "in_bits": 2}, "buffer", "ring"),
    ],
)
def test_each_value(options, name, value):
    (fields,) = fields_of(layer(**options))
    assert functional.command_values(fields, "random", CAPS.pe)[name] == value
    assert value in functional.DIMENSIONS[name]


def test_where_the_input_comes_from():
    first = layer(outputs=48, kernel=(1, 1), levels=3)
    fields = fields_of(first, layer((9, 8, 48), 4, (1, 1), groups=2))
    found = [functional.command_values(f, "ideal", CAPS.pe)["input"] for f in fields]
    assert found == ["tight", "blocks", "skipping"]


def test_blocks_that_are_read_in_part():
    """Several ones, of none more than a few channels; one block of few channels is whole."""
    rng = np.random.default_rng(0)
    for outputs, value in ((40, "in part"), (8, "blocks")):
        words = random_networks.random_word_conv(rng, (17, 14, 4), outputs, (16, 12))
        fields = fields_of(words, layer(words.out_shape, 4, (1, 1)))[-1]
        assert fields["block_used"] == min(outputs, 16) // 8
        assert functional.command_values(fields, "ideal", CAPS.pe)["input"] == value


def test_every_value_of_a_sample_has_its_bins():
    commands = fields_of(layer())
    found = functional.sample(commands, "paced", CAPS.pe, "DONE", 0, False)
    bins = functional.bins()
    assert len(bins) == len(set(bins)) and set(found) <= set(bins)
    count = len(functional.DIMENSIONS)
    of_commands = [name for name in found if name.startswith("commands: ")]
    assert len(of_commands) == count * (count - 1) // 2
    assert "commands: rows=3 & columns=2" in found
    assert "endings: end=DONE & start=from memory" in found


def test_a_run_that_ended_badly_covers_its_ending_only():
    found = functional.sample(fields_of(layer()), "random", CAPS.pe, "ABORTED", 2, True)
    assert found and all(name.startswith("endings: ") for name in found)
    assert "endings: start=resident & command=later" in found


def test_nonsense_covers_nothing():
    (fields,) = fields_of(layer())
    found = functional.sample([{**fields, "window_nibbles": 0}], "ideal", CAPS.pe, "DONE", 0, False)
    assert all(name.startswith("endings: ") for name in found)


def test_all_error_codes_are_endings():
    assert functional.ENDINGS["end"][1:] == tuple(name for name, _ in regs.ERRORS[1:])
