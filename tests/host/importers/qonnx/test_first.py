# SPDX-License-Identifier: BSD-3-Clause
"""First layers of float weights run on the host and give the codes of the reference."""

import numpy as np
import pytest

from qnn import store
from qnn.backends import open_session
from qnn.errors import NetworkError
from qnn.importers import import_network
from qnn.network import Conv, FloatConv, Lookup
from qnn.pictures.picture import Picture

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import QONNX, Graph, both, execute  # noqa: E402


def make(rng: np.random.Generator) -> tuple[Graph, str]:
    """A float convolution on 12 x 12 RGB pixels, what may follow, one binary layer; its codes."""
    padding, stride = int(rng.integers(0, 2)), int(rng.integers(1, 3))
    graph = Graph((1, 3, 12, 12))
    if not padding and rng.random() < 0.7:
        graph.then("Sub", np.float32([0.4, 0.5, 0.45]).reshape(1, 3, 1, 1))
        graph.then("Div", np.float32([0.2, 0.25, 0.3]).reshape(1, 3, 1, 1))
    weight = rng.normal(0, 0.4, (6, 3, 3, 3))
    if graph.nodes and rng.random() < 0.5:  # with colours apart also whole numbers are floats
        weight = graph.weight(weight, 0.02, 8)
    constants = [weight] if rng.random() < 0.5 else [weight, rng.normal(0, 1, 6)]
    graph.then("Conv", *constants, strides=[stride] * 2, pads=[padding] * 4)
    if rng.random() < 0.7:
        gain, bias, mean = rng.normal(0, 1, (3, 6))
        graph.then("BatchNormalization", gain, bias, mean, rng.uniform(0.5, 2, 6), epsilon=1e-5)
    kind = rng.integers(4)
    if kind == 0:
        graph.then("Relu").quant(0.5, 2)
    elif kind == 1:
        graph.bipolar()
    elif kind == 2:
        graph.then("Clip", -1.0, 1.0).quant(0.5, 3, signed=1)
    else:
        graph.quant(0.5, 2, signed=1, narrow=1).then("Mul", 0.25)
    codes = graph.tensor
    graph.then("Conv", graph.weight(rng.normal(0, 1, (4, 6, 3, 3)), 0.5)).then("Relu")
    graph.quant(1.0, 2).then("Flatten")
    side = (12 + 2 * padding - 3) // stride - 1
    features = 4 * side**2
    if side > 7:
        return make(rng)
    graph.then("Gemm", graph.weight(rng.normal(0, 1, (5, features))), transB=1)
    return graph, codes


@pytest.mark.parametrize("seed", range(12))
def test_float_first_layers(seed, tmp_path):
    rng = np.random.default_rng(seed)
    graph, tensor = make(rng)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "float")
    assert isinstance(network.layers[0], FloatConv) and network.picture.geometry == "letterbox"
    (tmp_path / "stored").mkdir()
    store.save(network, tmp_path / "stored")
    network = store.load(tmp_path / "stored")
    _, session = open_session("cpu", network)
    for _ in range(4):
        pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        x = network.picture.tensor(Picture.open(pixels))
        assert x.tolist() == (pixels.astype(np.float32) / np.float32(255)).tolist()
        found = execute(graph.model(), x.transpose(2, 0, 1)[None], tensor, graph.tensor)
        maps = [one[0] for one in session.trace(x[None])]
        codes, values = maps[0], found[tensor][0].transpose(1, 2, 0)
        pairs = np.unique(np.stack([codes.ravel(), values.ravel()]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1] and (np.diff(pairs) > 0).all()
        scores = network.result.scores(maps[-1][None])
        assert scores[0].tolist() == found[graph.tensor][0].tolist()


def behind_float(follow, *before, bias=None) -> Graph:
    """Steps on 8 x 8 RGB pixels, a float convolution, what `follow` adds, a binary layer."""
    rng = np.random.default_rng(0)
    graph = Graph((1, 3, 8, 8))
    for op, value in before:
        graph.then(op, value)
    graph.then("Conv", rng.normal(0, 1, (4, 3, 3, 3)), *([] if bias is None else [bias]))
    graph = follow(graph).then("Flatten")
    return graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 144))), transB=1)


@pytest.mark.parametrize("how", ["uint8", "annotation", "division", "product", "both"])
def test_pixels_that_go_in_whole(how, tmp_path):
    before = {"division": [("Div", 255.0)], "both": [("Div", 255.0)], "product": [("Mul", 1 / 255)]}
    scale = 1.0 if how in before else 200.0
    graph = behind_float(lambda g: g.then("Relu").quant(scale, 2), *before.get(how, []))
    model = graph.model()
    if how == "uint8":
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    if how in ("annotation", "both"):
        entry = onnx.StringStringEntryProto(key="finn_datatype", value="UINT8")
        model.graph.quantization_annotation.add(
            tensor_name="picture", quant_parameter_tensor_names=[entry]
        )
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    found, wanted = both(import_network("qonnx", path, "whole"), graph, raw=True)
    assert found.tolist() == wanted.tolist() and wanted.any()


def counted(thresholds, **attributes):
    return lambda graph: graph.then(
        "MultiThreshold", thresholds, domain=QONNX, out_dtype="UINT2", **attributes
    )


@pytest.mark.parametrize("bias", [None, np.float32([0, 0.5, 1.5, -0.5])])
@pytest.mark.parametrize(
    "follow",
    [
        counted([[0.0, 1.0, 2.0]]),
        counted([[2.0, 0.0, 1.0]] * 4, out_scale=0.5),
        counted([[-np.inf, 1.0, np.inf]]),
        counted([[-np.inf, np.inf]]),
        lambda graph: graph.bipolar(0.5),
        lambda graph: graph.quant(1.0, 2),  # black pictures lie on its steps
        lambda graph: graph.quant(1.0, 2, signed=1),
        *(
            lambda graph, signed=signed, narrow=narrow, zero=zero: graph.quant(
                1.0, 1, signed=signed, narrow=narrow, zero=zero
            )
            for signed in (0, 1)
            for narrow in (0, 1)
            for zero in (0.0, 1.0, -0.5)
        ),
    ],
)
def test_every_quantiser(follow, bias, tmp_path):
    graph = behind_float(follow, bias=bias)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    assert isinstance(network.layers[0], FloatConv)
    found, wanted = both(network, graph)
    assert found.tolist() == wanted.tolist()


def test_thresholds_that_differ_between_channels(tmp_path):
    graph = behind_float(counted(np.arange(12).reshape(4, 3)))
    with pytest.raises(NetworkError, match="all channels have the same thresholds"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


def test_quantisers_that_round_otherwise(tmp_path):
    graph = Graph((1, 3, 8, 8)).then("Conv", np.random.default_rng(0).normal(0, 1, (2, 3, 3, 3)))
    graph.quant(1.0, 2, rounding="FLOOR").then("Conv", graph.weight(np.ones((1, 2, 1, 1))))
    path = graph.quant(1.0, 2).save(tmp_path / "model.onnx")
    with pytest.raises(NetworkError, match="rounds with ROUND only"):
        import_network("qonnx", path, "net")


@pytest.mark.parametrize("bits", [5, 6, 8])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quantised", [False, True])
def test_whole_numbers_run_as_integers(bits, channels, quantised, tmp_path):
    """Weights of 8 bits or fewer, a pool behind them, on pixels as they are or quantised."""
    rng = np.random.default_rng(bits)
    graph = Graph((1, channels, 8, 8))
    if quantised:
        graph.quant(1 / 256, 8)
    else:
        graph.then("Div", 255.0).then("Mul", 255.0)
    weight = graph.weight(rng.normal(0, 2.0 ** (bits - 2), (4, channels, 3, 3)), 1 / 16, bits)
    graph.then("Conv", weight, pads=[1, 1, 1, 1]).then("Relu").quant(1.0 if quantised else 512.0, 2)
    graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).then("Flatten")
    graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 64))), transB=1)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "whole")
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [Lookup, Conv, Conv]
    found, wanted = both(network, graph, raw=not quantised)
    assert found.tolist() == wanted.tolist() and len(np.unique(wanted)) > 3
