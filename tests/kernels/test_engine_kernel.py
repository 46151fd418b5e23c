# SPDX-License-Identifier: BSD-3-Clause
"""engine: whole networks, every value of every layer, random ones and those with real parameters.

The RTL is the Verilated qnn_engine under the driver of the host, the HLS kernel its C simulation;
both have a memory of bytes instead of streams.
"""

import numpy as np
import pytest
import random_networks
from kernel_bench import CONFIGURATIONS, IMPLEMENTATIONS, NETWORKS
from random_graphs import random_graph

from qnn.engine.driver import Driver
from qnn.engine.program import compile_layers
from qnn.errors import DoesNotFitError
from qnn_sim import agreement, rtl_build, rtl_cases, run_options
from qnn_sim.golden_network import run_graph, trace
from qnn_sim.hls_csim import HlsEngine
from qnn_sim.platform import SimulatedBoard

MEMORY = 1 << 24  # bytes


def run_rtl(configuration, layers, codes, wiring=None):
    with Driver(SimulatedBoard(configuration, MEMORY)) as driver:
        driver.load(layers, wiring)
        driver.run(codes)
        return [driver.map(i) for i in range(len(layers))]


def run_hls(configuration, layers, codes, wiring=None):
    with HlsEngine(configuration, MEMORY) as engine:
        program = compile_layers(layers, engine.capabilities, wiring=wiring)
        engine.load(program)
        engine.run(program, codes)
        return [engine.get(program, i) for i in range(len(layers))]


RUN = {"rtl": run_rtl, "hls": run_hls}
# `make test` has the same networks on the RTL in tests/rtl/test_engine.py.
RANDOM = [pytest.param(n, marks=[pytest.mark.nightly] * (n == "rtl")) for n in IMPLEMENTATIONS]
ENGINES = [name for name in CONFIGURATIONS if name in rtl_build.CONFIGURATIONS]


def differing(kernel, implementation, configuration, maps, expected):
    """Values of all layers that are wrong; counted and recorded."""
    found = 0
    for got, golden in zip(maps, expected, strict=True):
        wrong = int((got != golden).sum())
        agreement.record(agreement.Count(kernel, implementation, configuration, golden.size, wrong))
        found += wrong
    return found


def compare_cases(seed, compare):
    """Networks by their number: `compare` gives how many values differ."""
    done = 0
    for case in range(seed, seed + run_options.draws(60, 20)):
        try:
            wrong = compare(np.random.default_rng(case))
        except DoesNotFitError:
            continue
        except Exception as error:
            raise AssertionError(f"network {case}: {error}") from error
        assert wrong == 0, f"network {case}: {wrong} values differ"
        done += 1
    assert done > (0 if run_options.short() else 30)


@pytest.mark.parametrize("configuration", ENGINES)
@pytest.mark.parametrize("implementation", RANDOM)
@pytest.mark.parametrize("kind", random_networks.CASES)
def test_random_networks(implementation, configuration, kind, seed):
    def compare(rng):
        layers, values = random_networks.CASES[kind](rng)
        maps = RUN[implementation](configuration, layers, values)
        return differing("engine", implementation, configuration, maps, trace(layers, values))

    compare_cases(seed, compare)


@pytest.mark.parametrize("configuration", ENGINES)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_random_graphs(implementation, configuration, seed):
    """Residual additions, maps side by side, padding with a code, averages."""

    def compare(rng):
        network, codes = random_graph(rng)
        maps = RUN[implementation](configuration, network.layers, codes, network.wiring)
        return differing("graph", implementation, configuration, maps, run_graph(network, codes))

    compare_cases(seed, compare)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_real_networks(implementation, network, request):
    """DoReFa-Net's conv1 to conv4, all layers of the CNV networks and of the shipped one."""
    reference = None if network == "fashion-cnv" else request.getfixturevalue("reference")
    case = rtl_cases.case(network, reference)
    maps = RUN[implementation]("pynq-z1", case.layers, case.codes)
    expected = trace(case.layers, case.codes)
    assert differing(network, implementation, "pynq-z1", maps, expected) == 0
