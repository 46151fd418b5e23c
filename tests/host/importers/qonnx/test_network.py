# SPDX-License-Identifier: BSD-3-Clause
"""QONNX models: what they score, the reference executor scores; what cannot run says why."""

import sys

import numpy as np
import pytest

from qnn import store
from qnn.backends import open_session
from qnn.engine.program import compile_layers
from qnn.errors import FormatError, NetworkError, QnnError
from qnn.importers import import_network
from qnn.model import Model
from qnn.network import Conv

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

import foreign_qonnx as foreign  # noqa: E402
from foreign_qonnx import (  # noqa: E402
    QONNX,
    Graph,
    as_input,
    execute,
    random_model,
    random_pictures,
    scores,
)


def integer_layers(network) -> list[Conv]:
    return [layer for layer in network.layers if isinstance(layer, Conv)]


# What they score


# Where values are no powers of two, the reference rounds its sums in the order of the BLAS.
@pytest.mark.parametrize(("name", "rounding"), [("TFC_1W1A", 0), ("TFC_1W2A", 1e-6)])
def test_models_of_the_zoo(reference, name, rounding):
    path = reference / "qonnx-zoo" / "TFC" / f"{name}.onnx"
    network = import_network("qonnx", path, "tfc")
    assert network.title == f"{name} from QONNX, W1A{name[-2]}"
    assert network.classes == tuple("0123456789")
    model = onnx.load(path)
    pixels = random_pictures(np.random.default_rng(1), 28, 1, 40)
    found = scores(network, pixels)
    for picture, one in zip(pixels, found, strict=True):
        (want,) = execute(model, as_input(picture)).values()
        assert abs(one - want[0]).max() <= rounding * abs(want).max()
        assert one.argmax() == want.argmax()


@pytest.mark.parametrize("seed", range(25))
def test_random_models(seed, tmp_path):
    """Every code of every layer and every score, exactly, where the reference sums exactly."""
    rng = np.random.default_rng(seed)
    graph = random_model(rng)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "random")
    compile_layers(integer_layers(network))
    pixels = random_pictures(rng, graph.shape[2], graph.shape[1], 4)
    model, inputs = graph.model(), {node.output[0]: node for node in graph.nodes}
    layers = [layer.parts[0].split("/")[0] for layer in integer_layers(network)]
    read = {inputs[t].name: inputs[t].input[0] for t in inputs if inputs[t].name in layers}
    for picture, found in zip(pixels, scores(network, pixels), strict=True):
        tensors = execute(model, as_input(picture), graph.tensor, *read.values())
        assert found.tolist() == tensors[graph.tensor][0].tolist()
        _, session = open_session("cpu", network)
        for maps, name in zip(session.trace(picture[None]), layers, strict=False):
            assert_one_to_one(maps[0], tensors[read[name]])


def assert_one_to_one(codes: np.ndarray, values: np.ndarray) -> None:
    """Codes (H, W, C) ascend with the values, (1, C, H, W) or (1, n), at the same places."""
    if values.ndim == 4:
        values = values[0].transpose(1, 2, 0)
    elif codes.shape[:2] != (1, 1):
        values = values.reshape(-1, *codes.shape[:2]).transpose(1, 2, 0)
    pairs = np.unique(np.stack([codes.ravel(), values.ravel()]), axis=1)
    assert (np.diff(pairs) > 0).all(), pairs


@pytest.mark.parametrize("seed", range(100, 110))
def test_random_models_of_odd_scales(seed, tmp_path):
    """The sums of the reference are rounded here: the same decisions, scores within rounding."""
    rng = np.random.default_rng(seed)
    graph = random_model(rng, dyadic=False)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "random")
    raw = graph.nodes[0].op_type == "Div"
    pixels = random_pictures(rng, graph.shape[2], graph.shape[1], 4)
    for picture, found in zip(pixels, scores(network, pixels), strict=True):
        (want,) = execute(graph.model(), as_input(picture, raw)).values()
        np.testing.assert_allclose(found, want[0], rtol=1e-5, atol=1e-5)


def test_weights_of_three_bits(tmp_path):
    """-3..3 are three planes, doubled; the sums are the scores."""
    weight = np.array([[1, -2, 3, 0], [-3, -3, 2, 1], [0, 0, 0, 0], [2, 2, -2, 0]])
    graph = Graph((1, 1, 2, 2)).quant(1 / 128, 8).then("Flatten")
    graph.then("Gemm", graph.weight(weight / 2, 0.5, 3), transB=1)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "sums")
    assert integer_layers(network)[0].coefficients == (3, 2, 1)
    pixels = random_pictures(np.random.default_rng(0), 2, 1, 9)
    codes = np.rint(pixels.reshape(9, 4) / 255 * 128)
    assert scores(network, pixels).tolist() == (codes / 128 @ weight.T / 2).tolist()


@pytest.mark.parametrize("bits", range(4, 9))
def test_weights_of_many_bits(bits, tmp_path):
    graph = connect(inner(bits).quant(2.0 ** (bits - 1), 2).then("Flatten"), 32)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "wide")
    layers = integer_layers(network)
    compile_layers(layers)
    assert np.abs(layers[1].signed_weight).max() > 2 ** (bits - 1)  # doubled
    pixels = random_pictures(np.random.default_rng(1), 8, 1, 12)
    found = scores(network, pixels)
    assert len(np.unique(found)) > 2
    for picture, score in zip(pixels, found, strict=True):
        (want,) = execute(graph.model(), as_input(picture)).values()
        assert score.tolist() == want[0].tolist()


def test_nodes_out_of_order(tmp_path):
    graph = small()
    graph.nodes.reverse()
    with pytest.raises(NetworkError, match="which no node before it gives"):
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")


# Pictures


def small(shape=(1, 1, 4, 4), **first) -> Graph:
    """Quantised input, one fully connected layer of three outputs."""
    graph = Graph(shape).quant(1 / 255, 8) if not first else Graph(shape).quant(**first)
    if len(shape) == 4:
        graph.then("Flatten")
    features = int(np.prod(shape))
    value = np.random.default_rng(3).normal(0, 1, (3, features))
    return graph.then("Gemm", graph.weight(value), transB=1)


@pytest.mark.parametrize("how", ["uint8", "annotation", "division", "product"])
def test_pixels_that_go_in_whole(how, tmp_path):
    graph = Graph((1, 1, 4, 4))
    if how == "division":
        graph.then("Div", 255.0)
    if how == "product":
        graph.then("Mul", 1 / 255)
    graph.quant(1 / 256 if how in ("division", "product") else 1.0, 8).then("Flatten")
    graph.then("Gemm", graph.weight(np.random.default_rng(3).normal(0, 1, (3, 16))), transB=1)
    model = graph.model()
    if how == "uint8":
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    if how == "annotation":
        model.graph.quantization_annotation.add(
            tensor_name="picture",
            quant_parameter_tensor_names=[
                onnx.StringStringEntryProto(key="finn_datatype", value="UINT8")
            ],
        )
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    network = import_network("qonnx", path, "whole")
    pixels = np.arange(0, 256, 16, dtype=np.uint8).reshape(1, 4, 4, 1)
    (want,) = execute(graph.model(), as_input(pixels[0], raw=True)).values()
    assert scores(network, pixels).tolist() == want.tolist()


def test_an_input_that_is_no_picture(tmp_path):
    network = import_network("qonnx", small((1, 6)).save(tmp_path / "model.onnx"), "vector")
    assert network.picture is None and network.array.shape == (6,)
    assert network.result is not None and network.in_shape == (1, 1, 6)
    with Model(network, "cpu") as model, pytest.raises(QnnError, match="numbers; give it a numpy"):
        model.classify("bag.png")


@pytest.mark.parametrize("ending", ["TopK", "ArgMax", "Softmax"])
def test_endings(ending, tmp_path):
    graph = small()
    want = import_network("qonnx", graph.save(tmp_path / "plain.onnx"), "plain")
    if ending == "TopK":
        k = graph.constant([2], np.int64)
        graph.nodes.append(
            onnx.helper.make_node("TopK", [graph.tensor, k], ["values", "indices"], name="top")
        )
        model = graph.model("values", "indices")
    else:
        model = graph.then(ending, axis=1).model()
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    network = import_network("qonnx", path, "ended")
    pixels = random_pictures(np.random.default_rng(0), 4, 1, 3)
    assert scores(network, pixels).tolist() == scores(want, pixels).tolist()


def test_class_names(tmp_path):
    path = small().save(tmp_path / "model.onnx")
    assert import_network("qonnx", path, "net").classes == ("0", "1", "2")
    names = tmp_path / "classes.txt"
    names.write_text("cat\n\n dog \ngrößer\n", encoding="utf-8")
    assert import_network("qonnx", path, "net").classes == ("cat", "dog", "größer")
    names.write_text("cat\n")
    with pytest.raises(FormatError, match=r"classes.txt: it names 1 classes, the network has 3"):
        import_network("qonnx", path, "net")
    names.write_bytes(b"\xff\xfe\0")
    with pytest.raises(FormatError, match="not a text file"):
        import_network("qonnx", path, "net")


# The command


def test_command(cli, tmp_path, samples):
    graph = Graph((1, 1, 28, 28)).quant(1 / 255, 8)
    rng = np.random.default_rng(2)
    weight = graph.weight(rng.normal(0, 1, (6, 1, 5, 5)), 0.25)
    graph.then("Conv", weight, strides=[2, 2]).then("Relu").quant(1.0, 2)
    graph.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).then("Flatten")
    graph.then("Gemm", graph.weight(rng.normal(0, 1, (10, 216))), transB=1)
    path = graph.save(tmp_path / "model.onnx")
    result = cli("params", "import", "qonnx", path, "--name", "mine")
    assert (result.status, result.err) == (0, "") and "installed mine" in result.out
    rows = cli("verify", "--model", "mine", "--backend", "cpu", "--json").document["layers"]
    assert [row["layer"] for row in rows] == ["input", "pixels", "Conv_2", "Gemm_8", "output"]
    assert all(row["mismatches"] == 0 for row in rows)
    (one,) = cli("classify", samples[0], "--model", "mine", "--json").document["results"]
    assert len(one["classes"]) == 5
    network = import_network("qonnx", path, "mine")
    (tmp_path / "copy").mkdir()
    store.save(network, tmp_path / "copy")
    pixels = random_pictures(rng, 28, 1, 3)
    again = store.load(tmp_path / "copy")
    assert scores(again, pixels).tolist() == scores(network, pixels).tolist()


def test_command_names_layers_that_rounding_decides(cli, tmp_path):
    graph = Graph((1, 1, 6, 6)).quant(1 / 3, 2)
    conv(graph).quant(2 / 3, 2).then("Flatten")
    path = connect(graph, 32).save(tmp_path / "model.onnx")
    out = cli("params", "import", "qonnx", path, "--name", "thirds").out
    (note,) = (line for line in out.splitlines() if line.startswith("note: "))
    assert "conv1 ('conv', 2 of 2 outputs)" in note and "float32" in note
    assert note in cli("params", "info", "thirds").out
    (again,) = cli("params", "info", "thirds", "--json").document["notes"]
    assert note == f"note: {again}"
    graph = Graph((1, 1, 6, 6)).quant(1 / 4, 2)
    conv(graph).quant(1 / 2, 2).then("Flatten")
    path = connect(graph, 32).save(tmp_path / "model.onnx")
    assert "note" not in cli("params", "import", "qonnx", path, "--name", "halves").out
    assert cli("params", "info", "halves", "--json").document["notes"] == []


def test_command_refuses(cli, tmp_path, home):
    path = small().then("Softplus", name="squash").save(tmp_path / "model.onnx")
    message = cli.refused("params", "import", "qonnx", path, "--name", "mine")
    assert "node 'squash' (Softplus)" in message
    for wrong in (tmp_path, tmp_path / "none.onnx"):
        assert str(wrong) in cli.refused("params", "import", "qonnx", wrong, "--name", "mine")
    assert not home.exists()


def test_without_the_package(cli, tmp_path, monkeypatch):
    path = small().save(tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    message = cli.refused("params", "import", "qonnx", path, "--name", "mine")
    assert "pip install 'qnn[qonnx]'" in message


# What cannot run


def conv(graph: Graph, value=None, bits=1, **attributes) -> Graph:
    value = np.ones((2, 1, 3, 3)) if value is None else value
    return graph.then("Conv", graph.weight(value, 1.0, bits), name="conv", **attributes)


def start(shape=(1, 1, 8, 8)) -> Graph:
    return Graph(shape).quant(1 / 255, 8)


def connect(graph: Graph, features: int) -> Graph:
    weight = graph.weight(np.ones((3, features)))
    return graph.then("Gemm", weight, transB=1, name="fc")


def residual() -> Graph:
    graph = conv(start()).quant(1.0, 2)
    branch = graph.tensor
    return conv(graph, np.ones((2, 2, 1, 1))).then("Add", branch, name="join")


def inner(bits: int) -> Graph:
    """A layer behind another one, its weights of many bits."""
    graph = start().then("Conv", np.ones((2, 1, 3, 3))).quant(1.0, 2)
    weight = np.random.default_rng(0).normal(0, 2 ** (bits - 2), (2, 2, 3, 3))
    return conv(graph, weight, bits)


def descending_pool() -> Graph:
    graph = conv(start()).then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    return connect(graph.then("Mul", -1.0).quant(1.0, 2).then("Flatten"), 18)


def uneven_levels() -> Graph:
    graph = conv(start()).quant(1.0, 3).then("Clip", 0.0, 2.5)
    return connect(graph.then("Flatten"), 72)


def colours_apart() -> Graph:
    graph = Graph((1, 3, 8, 8)).then("Sub", np.array([0.1, 0.2, 0.3]).reshape(1, 3, 1, 1))
    return connect(graph.then("Flatten"), 192)


def dropping(graph: Graph) -> Graph:
    training = graph.constant(True, bool)
    return graph.then("Dropout", 0.5, training, name="drop")


def swapped(graph: Graph, op: str) -> Graph:
    """A constant first, the end of the chain behind it."""
    graph.tensor = graph.node(op, graph.constant(np.ones((1, 2, 6, 6))), graph.tensor)
    return graph


REFUSED = {
    "residual": (
        residual,
        r"'conv' gives is not quantised, and meets.*put an activation quantiser",
    ),
    "float weights on a quantised picture": (
        lambda: start((1, 3, 8, 8)).then(
            "Conv", np.random.default_rng(0).normal(0, 9, (2, 3, 3, 3)), name="conv"
        ),
        r"'conv'.*its input is quantised; quantise them, too",
    ),
    "pool behind float weights": (
        lambda: connect(
            Graph((1, 3, 8, 8))
            .then("Conv", np.random.default_rng(0).normal(0, 9, (2, 3, 3, 3)), name="conv")
            .quant(1.0, 2)
            .then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
            .then("Flatten"),
            18,
        ),
        r"'conv'.*no pool follows; use a stride, or quantise its weights",
    ),
    "no quantiser": (
        lambda: connect(conv(start()).then("Relu").then("Flatten"), 72),
        r"'fc'.*'conv' is not quantised; put an activation quantiser",
    ),
    "padded bipolar": (
        lambda: conv(Graph((1, 1, 8, 8)).then("Sub", 0.5).bipolar(), pads=[1, 1, 1, 1]),
        r"'conv'.*pads with 0, but the lowest level of its input is -1, and in steps of 2 none",
    ),
    "pool before a negative gain": (descending_pool, r"max-pool stands before a step that desc"),
    "uneven levels": (uneven_levels, r"'fc'.*not evenly spaced"),
    "colours": (colours_apart, r"differ between colours, and no quantiser follows; put a Quant"),
    "wide stride": (
        lambda: conv(start(), strides=[1, 5]),
        r"'conv'.*strides \(1, 5\).*1 to 4 each way: use \(1, 4\)",
    ),
    "groups": (lambda: conv(start(), group=2), r"'conv'.*2 groups of 1 channels"),
    "kernel rows": (
        lambda: conv(start((1, 1, 20, 20)), np.ones((1, 1, 17, 17))).quant(1.0, 2),
        r"node 'conv' does not fit the accelerator: .*kernel.*smaller",
    ),
    "pool size": (
        lambda: conv(start()).then("MaxPool", kernel_shape=[2, 3], name="pool").quant(1.0, 2),
        r"'pool'.*kernel of 2x3 with strides \(1, 1\).*runs on the host.*use a square",
    ),
    "pool of the picture": (
        lambda: conv(start().then("MaxPool", kernel_shape=[2, 2])),
        r"'conv'.*max-pool reads the input",
    ),
    "no layer": (start, r"no layer for the accelerator"),
    "wide activations": (
        lambda: connect(conv(start()).quant(0.001, 16).then("Flatten"), 72),
        r"'fc'.*levels",
    ),
    "not flat": (lambda: connect(start(), 64), r"'fc'.*put a Flatten before it"),
    "three-dimensional": (
        lambda: Graph((1, 1, 4, 4)).quant(1.0, 8).then("Conv", np.ones((1, 1, 1, 1, 1)), name="c"),
        r"'c'.*use Conv2d",
    ),
    "unknown domain": (
        lambda: start().then("Fancy", domain="com.example", name="odd"),
        r"'odd' \(Fancy\): operators of domain 'com.example'",
    ),
    "variance": (
        lambda: connect(
            conv(start())
            .then("BatchNormalization", *np.ones((3, 2)), -np.ones(2), name="norm")
            .quant(1.0, 2)
            .then("Flatten"),
            72,
        ),
        r"'norm'.*variance is not positive",
    ),
    "constant of each pixel": (
        lambda: conv(start()).then("Add", np.arange(72).reshape(1, 2, 6, 6), name="add"),
        r"'add'.*differs between pixels",
    ),
    "infinite": (
        lambda: conv(start()).then("Mul", np.inf, name="mul"),
        r"'mul'.*not finite",
    ),
    "division of a constant": (
        lambda: connect(start().then("Flatten"), 64).then("Div", 0.0, name="div"),
        r"'div'.*divides by the feature map or by 0",
    ),
    "scale of zero": (lambda: conv(start().quant(0.0, 2)), r"scale is not a positive number"),
    "width": (lambda: conv(start().quant(1.0, 40)), r"width of 40 bits"),
    "rounding": (lambda: conv(start().quant(1.0, 2, rounding="DICE")), r"rounding mode"),
    "dropout that drops": (
        lambda: dropping(conv(start())),
        r"'drop'.*in training mode; export",
    ),
    "batch norm in training": (
        lambda: conv(start()).then("BatchNormalization", *np.ones((4, 2)), training_mode=1),
        r"in training mode; export",
    ),
    "cast to whole numbers": (
        lambda: conv(start()).then("Cast", to=6, name="cast"),
        r"'cast'.*another type than float32",
    ),
    "cast to half precision": (
        lambda: conv(start()).then("Cast", to=10, name="cast"),
        r"'cast'.*another type than float32",
    ),
    "map as a limit": (
        lambda: swapped(conv(start()), "Clip"),
        r"\(Clip\): it wants the feature map as its first input",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, tmp_path):
    make, message = REFUSED[case]
    with pytest.raises(NetworkError, match=message) as caught:
        import_network("qonnx", make().save(tmp_path / "model.onnx"), "net")
    assert str(caught.value).startswith("node '") and "\n" not in str(caught.value)


def test_names_that_terminals_would_obey(tmp_path):
    graph = start().then("Flatten")
    graph.then("Gemm", graph.weight(np.ones((3, 64))), transB=1, name="fc\x1b[31m\n")
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    assert integer_layers(network)[0].parts == ("fc?[31m?",)
    graph.then("Softplus", name="\x1b[31m\n", domain=QONNX)
    with pytest.raises(NetworkError) as caught:
        import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net")
    assert str(caught.value).isprintable()


def test_the_helper_makes_every_kind_of_node():
    """What the random models consist of, so that a change of the generator loses nothing."""
    seen = set()
    for seed in range(60):
        model = random_model(np.random.default_rng(seed)).model()
        seen |= {node.op_type for node in model.graph.node}
    assert seen >= {
        *("Conv", "Gemm", "MatMul", "MaxPool", "BatchNormalization", "Relu", "Clip", "Flatten"),
        *("Add", "Sub", "Mul", "Div", "Transpose", "Reshape", "Shape", "Gather", "Concat"),
        *("Quant", "IntQuant", "BipolarQuant", "MultiThreshold"),
    }
    assert foreign.QONNX == "qonnx.custom_op.general"


def test_a_layer_too_large_runs_on_the_host(tmp_path):
    """The others run on the accelerator, and a note says why."""
    graph = connect(conv(start((1, 1, 20, 20))).quant(1.0, 2).then("Flatten"), 648)
    network = import_network("qonnx", graph.save(tmp_path / "model.onnx"), "net", "array")
    (note,) = network.notes
    assert note.startswith("the accelerator cannot take these layers, which run on the host: fc2 (")
    arrays = np.random.default_rng(1).integers(0, 256, (2, 1, 20, 20)) / np.float32(255)
    want = [execute(graph.model(), x[None].astype(np.float32))[graph.tensor][0] for x in arrays]
    with Model(network, "sim") as model:
        assert [place.where for place in model.places] == ["accelerator", "host"]
        assert np.allclose(model.evaluate(arrays), want, rtol=1e-6)
