# SPDX-License-Identifier: BSD-3-Clause
"""Which LUTs count as one with another: those of a place of a carry chain, five inputs together."""

import pytest

from netlist import carry_places


def lut(output, inputs):
    return {
        "type": f"LUT{len(inputs)}",
        "connections": {"O": [output]} | {f"I{n}": [bit] for n, bit in enumerate(inputs)},
        "port_directions": {"O": "output"} | {f"I{n}": "input" for n in range(len(inputs))},
    }


def carry(s, di):
    return {
        "type": "CARRY4",
        "connections": {"CI": ["0"], "CYINIT": ["0"], "S": s, "DI": di, "O": [90, 91, 92, 93]},
        "port_directions": {"CI": "input", "CYINIT": "input", "S": "input", "DI": "input",
                            "O": "output"},
    }  # fmt: skip


def module(*cells, outputs=()):
    ports = {"y": {"direction": "output", "bits": list(outputs)}}
    return {"ports": ports, "cells": {str(n): cell for n, cell in enumerate(cells)}}


def test_one_lut_for_both_functions_of_a_place():
    places = carry([30, 31, "0", "0"], [40, 41, "0", "0"])
    found = module(
        lut(30, [2, 3, 4]), lut(40, [3, 4, 5, 6]),  # five inputs together
        lut(31, [2, 3, 4, 5, 6]), lut(41, [2]),
        places,
    )  # fmt: skip
    assert carry_places.shared(found) == 2


@pytest.mark.parametrize("why", ["inputs", "loads S", "loads DI", "output", "no LUT", "place"])
def test_two_luts_where_they_cannot_be_one(why):
    inputs = [2, 3, 4, 5, 6] if why == "inputs" else [2, 3]
    cells = [lut(30, [2, 7]), lut(40, inputs)]
    s, di = [30, "0", "0", "0"], [40, "0", "0", "0"]
    if why == "loads S":
        cells.append(lut(50, [30]))
    elif why == "loads DI":
        cells.append(lut(50, [40]))
    elif why == "no LUT":
        di = [8, "0", "0", "0"]
    elif why == "place":
        di = ["0", 40, "0", "0"]
    outputs = [40] if why == "output" else []
    assert carry_places.shared(module(*cells, carry(s, di), outputs=outputs)) == 0


def test_constants_are_no_inputs():
    cells = lut(30, [2, 3, 4, "0"]), lut(40, [5, 6, "1"])
    assert carry_places.shared(module(*cells, carry([30] + ["0"] * 3, [40] + ["0"] * 3))) == 1
