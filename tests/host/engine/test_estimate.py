# SPDX-License-Identifier: BSD-3-Clause
"""The estimate of a run is near what the RTL takes for whole networks; see rtl/README.md."""

from qnn import library
from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.program import compile_layers
from qnn.random_dorefanet import random_dorefanet


def cycles(network) -> int:
    return estimate.cycles(compile_layers(network.layers), Capabilities())


def test_near_the_cycles_of_the_rtl():
    assert 0.8 < cycles(random_dorefanet()) / 274_342 < 1.25  # bound by arithmetic
    assert 0.8 < cycles(library.find("fashion-cnv")) / 17_482 < 1.5  # bound by memory
