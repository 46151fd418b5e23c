# SPDX-License-Identifier: BSD-3-Clause
"""The baseline computes the same as the golden model, and every stage has its row of figures."""

import math
import time

import drawn_layers
import numpy as np
import pytest
import random_networks
from hypothesis import given
from hypothesis import strategies as st

from qnn.backends import DEFAULTS, Settings, open_session
from qnn.backends.accelerator import AcceleratorSession
from qnn.measure import baseline
from qnn.measure.bench import Row, _flow, _offload_rows, bench
from qnn.measure.random_dorefanet import random_dorefanet
from qnn.network import Conv, FloatConv, MaxPool
from qnn.network.offload import Offload
from qnn.network.result import Probabilities
from qnn_sim import golden, golden_network

KINDS = random_networks.KINDS
STAGES = ["decode", "first_layer", "offload", "last_layers"]


class TestBaseline:
    @given(drawn_layers.convs(), st.integers(0, 2**32 - 1))
    def test_a_layer_equals_the_golden_model(self, layer, seed):
        codes = random_networks.random_codes(np.random.default_rng(seed), layer, 3)[2]
        np.testing.assert_array_equal(
            baseline.layer(layer, codes), golden_network.run_layer(layer, codes)
        )

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_network_equals_the_golden_model(self, kind):
        rng = np.random.default_rng(6)
        network = KINDS[kind](rng)
        layers = [layer for layer in network.layers if isinstance(layer, Conv)]
        codes = random_networks.random_codes(rng, layers[0], 3)[2]
        for layer, expected in zip(layers, golden_network.trace(layers, codes), strict=True):
            codes = baseline.layer(layer, codes)
            np.testing.assert_array_equal(codes, expected)

    @pytest.mark.parametrize("seed", range(5))
    def test_pieces_equal_the_golden_model(self, seed):
        rng = np.random.default_rng(seed)
        x, weight = rng.integers(0, 9, (6, 7, 3)), rng.integers(-3, 4, (4, 3, 2, 3))
        stride, padding = int(rng.integers(1, 4)), tuple(rng.integers(0, 3, 4).tolist())
        np.testing.assert_array_equal(
            baseline.convolution(x, weight.astype(np.float64), stride, padding),
            golden.convolution(x, weight, stride=stride, padding=padding),
        )
        pool = MaxPool(int(rng.integers(1, 4)), stride, padding)
        np.testing.assert_array_equal(
            baseline.max_pool(x.astype(np.uint8), pool),
            golden.max_pool(x, pool.size, pool.stride, pool.padding),
        )


@pytest.mark.parametrize("backend", ["cpu", "golden"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_for_each_stage(kind, backend):
    network = KINDS[kind](np.random.default_rng(1))
    report = bench(network, backend, 2)
    rows = report.rows
    assert report.backend == backend
    assert {place.where for place in report.places} == {"host"}
    missing = {"decode", "first_layer"} if network.picture is None else set()
    missing |= {"first_layer"} if isinstance(network.layers[0], Conv) else set()
    missing |= {"last_layers"} if network.result is None else set()
    assert [row.stage for row in rows] == [name for name in STAGES if name not in missing]
    compared_stages = {"offload"}
    compared_stages |= {"first_layer"} if isinstance(network.layers[0], FloatConv) else set()
    compared_stages |= {"last_layers"} if isinstance(network.result, Probabilities) else set()
    for row in rows:
        assert math.isfinite(row.ms) and row.ms > 0
        assert (row.kind, row.cycles, row.simulation_s) == ("measured", None, None)
        compared = row.stage in compared_stages
        assert (row.baseline_ms is not None) == compared
        assert (row.ratio is not None) == compared
        if compared:
            assert math.isfinite(row.baseline_ms) and row.baseline_ms > 0
        assert (row.where, row.cpu_ms) == ("host", None)
    assert sum(row.macs for row in rows) == sum(layer.macs for layer in network.layers)
    flow = report.flow
    assert (flow.accelerator_ms, flow.kind, flow.critical) == (None, "measured", "host")
    assert flow.host_ms == pytest.approx(sum(row.ms for row in rows)) and flow.pictures_per_s > 0


def test_auto_says_which_backend_it_took():
    network = KINDS["scoring"](np.random.default_rng(1))
    name = bench(network, "auto", 1).backend
    assert name == open_session("auto", network)[0] != "auto"


def test_simulated_accelerator(sim):
    network = KINDS["scoring"](np.random.default_rng(1))
    report = bench(network, "sim", 3, Settings(clock_mhz=50))
    rows = report.rows
    assert [place.where for place in report.places] == ["host", "accelerator", "accelerator"]
    assert [row.stage for row in rows] == ["decode", "first_layer", "packing", *STAGES[2:]]
    assert {row.stage for row in rows if row.kind == "modelled"} == {"offload"}
    offload = rows[3]
    assert offload.ms == pytest.approx(offload.cycles / 50_000)
    assert offload.simulation_s > 0
    assert offload.baseline_ms > 0 and offload.ratio is None
    host_ms = sum(row.ms for row in rows if row is not offload)
    flow = report.flow
    assert (flow.host_ms, flow.accelerator_ms) == (pytest.approx(host_ms), offload.ms)
    assert flow.pictures_per_s == pytest.approx(1000 / max(host_ms, offload.ms))
    assert flow.kind == "modelled"


@pytest.mark.parametrize("kind", ["connected", "detecting"])
def test_a_first_layer_on_the_simulated_accelerator(sim, kind):
    network = KINDS[kind](np.random.default_rng(1))
    report = bench(network, "sim", 1, Settings(wish={"conv0": "accelerator"}))
    assert [place.where for place in report.places][:2] == ["accelerator", "accelerator"]
    dense = ["fully_connected"] if kind == "connected" else []
    assert [row.stage for row in report.rows] == [
        "decode", "packing", "first_layer", "offload", *dense, "between", "last_layers",
    ]  # fmt: skip
    rows = {row.stage: row for row in report.rows}
    for stage in ("first_layer", "offload", *dense):
        assert rows[stage].kind == "modelled" and rows[stage].cycles > 0
        assert rows[stage].ms == pytest.approx(rows[stage].cycles / 100_000)
        assert rows[stage].baseline_ms > 0 and rows[stage].ratio is None
        assert rows[stage].where == "accelerator" and rows[stage].cpu_ms > 0
    assert rows["between"].kind == "measured" and rows["between"].ms > 0
    assert rows["between"].where == "host"
    for stage, row in rows.items():
        if row.where == "host":
            assert row.cpu_ms == (None if stage in ("packing", "between") else row.ms)
    assert sum(row.macs for row in report.rows) == sum(layer.macs for layer in network.layers)
    own_ms = [row.ms for row in report.rows if row.where == "accelerator"]
    assert report.flow.accelerator_ms == pytest.approx(sum(own_ms))
    assert [row.stage for row in report.rows if row.simulation_s is not None] == ["offload"]


def test_layers_of_the_host_between_those_of_the_accelerator(sim):
    rng = np.random.default_rng(2)
    first, middle, last = (
        random_networks.random_conv(rng, (4, 4, 4), 4, (3, 3), name=name, padding=(1, 1, 1, 1))
        for name in "abc"
    )
    network = random_networks.network_of(first, middle, last)
    report = bench(network, "sim", 1, Settings(wish={"b": "host"}))
    assert [place.where for place in report.places] == ["accelerator", "host", "accelerator"]
    packing, offload, between = report.rows
    assert [row.stage for row in report.rows] == ["packing", "offload", "between"]
    assert (packing.macs, offload.macs, between.macs) == (0, first.macs + last.macs, middle.macs)
    assert between.where == "host" and between.ms > 0


def test_fully_connected_layers_alone_on_an_accelerator_that_is_measured(sim):
    """As on a board: cycles are counted by it, the rest of the time is the host's around them."""
    rng = np.random.default_rng(1)
    network = random_networks.network_of(random_networks.random_dense(rng))
    from qnn_sim.platform import SimulatedBoard

    session = AcceleratorSession(SimulatedBoard("small"), network, DEFAULTS, simulated=False)
    given = random_networks.random_codes(rng, network, 1)
    packing, row = _offload_rows(session, network.layers, (), given, [given[0]], 2)
    session.close()
    assert (packing.stage, row.stage, row.kind) == ("packing", "fully_connected", "measured")
    assert row.cycles > 0 and row.simulation_s is None
    assert row.ms > 0 and row.baseline_ms > 0


def test_the_time_of_a_run_that_is_measured_is_that_of_its_rows():
    rng = np.random.default_rng(1)
    dense = random_networks.random_dense(rng, (1, 1, 4), name="fc")
    network = random_networks.network_of(
        random_networks.random_conv(rng, (3, 3, 4), 4, (3, 3)), dense
    )

    class Measured:
        simulated, clock_mhz = False, 100.0

        def stream(self, batches):
            for maps in batches:
                yield Offload(maps, 9000, 10, 500_000, between_us=1000)

        def layer_cycles(self):
            return 290_000, 200_000

    reads = [random_networks.random_codes(rng, layer, 1)[0] for layer in network.layers]
    rows = _offload_rows(Measured(), network.layers, (), reads[0][None], reads, 1)
    assert [(row.stage, row.ms, row.cycles) for row in rows] == [
        ("packing", 0.01, None),
        ("offload", pytest.approx(6.0), 300_000),
        ("fully_connected", pytest.approx(2.0), 200_000),
        ("between", 1.0, None),
    ]
    assert {row.kind for row in rows} == {"measured"}


def test_a_stream_is_timed_where_an_accelerator_is_not_simulated():
    """Two pictures each way: what the host makes goes in, the result is made of what comes."""
    network = random_networks.network_of(random_networks.random_dense(np.random.default_rng(1)))

    class Measured:
        simulated, clock_mhz = False, 100.0

        def stream(self, batches):
            for maps in batches:
                time.sleep(0.01)
                yield Offload(maps, 9000, 10, 300_000)

    rows = [Row("decode", 1.0, None), Row("offload", 5.0, None, 300_000)]
    flow = _flow(network, Measured(), rows, lambda: np.zeros((1, 1, 1, 1)), 3)
    assert (flow.host_ms, flow.accelerator_ms, flow.critical) == (1.0, 3.0, "accelerator")
    assert flow.kind == "measured" and 0 < flow.pictures_per_s <= 100


def test_ratio():
    assert Row("offload", 2.0, 8.0).ratio == 4
    assert Row("offload", 2.0, None).ratio is None
    assert Row("offload", 2.0, 8.0, 200_000, True).ratio is None  # modelled to measured


def test_the_random_network_has_the_shapes_of_dorefanet():
    network = random_dorefanet()
    assert [layer.name for layer in network.layers] == [
        "conv0", "conv1", "conv2", "conv3", "conv4", "fc0", "fc1", "fct",
    ]  # fmt: skip
    first, *convs = network.layers[:5]
    assert network.picture.out_shape == first.in_shape == (224, 224, 3)
    assert first.out_shape == (54, 54, 68)
    assert convs[-1].out_shape == (6, 6, 256)
    assert [layer.groups for layer in convs] == [2, 1, 2, 2]
    assert [layer.macs for layer in network.layers] == [
        85_660_416, 446_148_000, 321_226_560, 92_123_136, 86_704_128,
        9216 * 4096, 4096 * 4096, 4096 * 1000,
    ]  # fmt: skip
