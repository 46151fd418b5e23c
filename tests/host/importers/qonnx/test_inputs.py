# SPDX-License-Identifier: BSD-3-Clause
"""What an input is, and which codes its numbers become: those of the reference executor."""

import numpy as np
import pytest

from qnn import store
from qnn.errors import ArrayError, NetworkError
from qnn.importers import import_network
from qnn.model import Model
from qnn.network import Lookup

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")
pytest.importorskip("qonnx", reason="the reference executor is not installed")

from foreign_qonnx import QONNX, Graph, as_input, execute, random_pictures, scores  # noqa: E402


def connect(graph: Graph, features: int) -> Graph:
    """A fully connected layer on all of it, three scores; sums are exact."""
    if len(graph.shape) > 2:
        graph.then("Flatten")
    value = np.random.default_rng(4).normal(0, 1, (3, features))
    return graph.then("Gemm", graph.weight(value), transB=1)


def convolve(graph: Graph, channels: int, **attributes) -> Graph:
    value = np.random.default_rng(5).normal(0, 1, (4, channels, 3, 3))
    return graph.then("Conv", graph.weight(value), **attributes)


def saved(graph: Graph, tmp_path, kind: str | None = None, element: int | None = None):
    """The path of its file, its input annotated with a type, or of that element type."""
    model = graph.model()
    if kind is not None:
        entry = onnx.StringStringEntryProto(key="finn_datatype", value=kind)
        model.graph.quantization_annotation.add(
            tensor_name="picture", quant_parameter_tensor_names=[entry]
        )
    if element is not None:
        model.graph.input[0].type.tensor_type.elem_type = element
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def assert_equal(network, graph: Graph, arrays: np.ndarray) -> None:
    """It makes of float arrays what the reference makes of them."""
    with Model(network, "cpu") as model:
        found = model.evaluate(arrays)
    for array, one in zip(arrays, found, strict=True):
        (want,) = execute(graph.model(), array[None].astype(np.float32)).values()
        assert one.tolist() == want[0].tolist()


def around(rng, shape: tuple[int, ...], scale: float, reach: int) -> np.ndarray:
    """Numbers to `reach` steps on both sides of 0: ties of the rounding, and in between."""
    ties = rng.integers(-2 * reach, 2 * reach, (12, *shape)) * scale / 2
    ties[1::2] += rng.normal(0, scale, ties[1::2].shape)
    return ties.astype(np.float32)


# What it is


@pytest.mark.parametrize(
    ("shape", "quantiser", "picture"),
    [
        ((1, 1, 4, 4), {"scale": 1 / 256}, True),
        ((1, 3, 4, 4), {"scale": 1 / 256}, True),
        ((1, 4, 4, 3), {"scale": 1 / 256}, True),
        ((1, 1, 4, 4), {"scale": 1 / 128, "signed": 1}, False),
        ((1, 1, 4, 4), {"scale": 1.0}, False),
        ((1, 16), {"scale": 1 / 256}, False),
        ((1, 16), {"scale": 1 / 128, "signed": 1}, False),
        ((1, 2, 4, 4), {"scale": 1 / 256}, False),
        ((1, 1, 4, 5), {"scale": 1 / 256}, False),
    ],
)
def test_default(shape, quantiser, picture, tmp_path):
    graph = connect(Graph(shape).quant(bits=8, **quantiser), int(np.prod(shape)))
    network = import_network("qonnx", saved(graph, tmp_path), "net")
    assert (network.picture is not None, network.array is not None) == (picture, not picture)
    assert ("--input array" in network.reads) == picture
    assert network.reads.startswith("pictures of 4x4" if picture else "arrays of ")


@pytest.mark.parametrize("kind", ["INT8", "BIPOLAR", "UINT4", "FIXED<8,4>"])
def test_an_annotation_of_numbers_is_no_picture(kind, tmp_path):
    graph = connect(Graph((1, 1, 4, 4)), 16)
    network = import_network("qonnx", saved(graph, tmp_path, kind), "net")
    assert network.array.grid.kind == kind and f"annotated {kind}" in network.reads
    with pytest.raises(NetworkError, match=f"annotated {kind}.*--input array"):
        import_network("qonnx", saved(graph, tmp_path, kind), "net", "picture")


def test_wishes(tmp_path):
    graph = connect(Graph((1, 16)).quant(1 / 256, 8), 16)
    path = saved(graph, tmp_path)
    network = import_network("qonnx", path, "net", "picture")
    assert network.picture.out_shape == (4, 4, 1) and "because it was wished" in network.reads
    pixels = random_pictures(np.random.default_rng(1), 4, 1, 5)
    for picture, one in zip(pixels, scores(network, pixels), strict=True):
        x = as_input(picture).reshape(1, 16)
        assert one.tolist() == execute(graph.model(), x)[graph.tensor][0].tolist()
    square = connect(Graph((1, 1, 4, 4)).quant(1 / 256, 8), 16)
    network = import_network("qonnx", saved(square, tmp_path), "net", "array")
    rng = np.random.default_rng(2)
    assert_equal(network, square, around(rng, (1, 4, 4), 1 / 256, 300))
    oblong = saved(connect(Graph((1, 15)).quant(1 / 256, 8), 15), tmp_path)
    with pytest.raises(NetworkError, match="no square picture, grey or RGB; import it with --inp"):
        import_network("qonnx", oblong, "net", "picture")


# Its codes


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("rounding", ["ROUND", "FLOOR", "CEIL", "HALF_UP"])
def test_quantisers(signed, rounding, tmp_path):
    rng = np.random.default_rng(6)
    graph = connect(Graph((1, 24)).quant(1 / 16, 6, signed=signed, rounding=rounding), 24)
    network = import_network("qonnx", saved(graph, tmp_path), "net")
    assert network.in_bits == 6
    assert_equal(network, graph, around(rng, (24,), 1 / 16, 70))


def test_scale_that_is_no_power_of_two(tmp_path):
    """Codes are those of float32 arithmetic; scores differ in what float32 rounds off."""
    graph = Graph((1, 24)).then("Sub", 0.3).then("Div", 0.7).quant(0.0773, 8, signed=1)
    network = import_network("qonnx", saved(connect(graph, 24), tmp_path), "net")
    arrays = around(np.random.default_rng(6), (24,), 0.0773, 140)
    quantised = graph.nodes[2].output[0]
    codes = network.array.codes(arrays)
    for array, one in zip(arrays, codes, strict=True):
        (want,) = execute(graph.model(), array[None], quantised).values()
        values = np.float32(0.0773) * (one.reshape(-1).astype(np.float32) - np.float32(128))
        assert values.tolist() == want[0].tolist()


def test_constants_of_each_number(tmp_path):
    rng = np.random.default_rng(7)
    graph = Graph((1, 12)).then("Sub", rng.integers(-9, 9, 12) / 4)
    graph.then("Mul", 2.0 ** rng.integers(-2, 3, 12)).quant(1 / 8, 4, signed=1)
    network = import_network("qonnx", saved(connect(graph, 12), tmp_path), "net")
    assert network.array.thresholds.shape == (12, 15)
    assert_equal(network, graph, around(rng, (12,), 1 / 8, 40))


@pytest.mark.parametrize("rows", [1, 5])
def test_thresholds(rows, tmp_path):
    rng = np.random.default_rng(8)
    value = np.sort(rng.integers(-20, 20, (rows, 7)) / 4, axis=1)
    graph = Graph((1, 5)).then(
        "MultiThreshold", value, domain=QONNX, out_dtype="INT3", out_bias=-4.0, data_layout="NC"
    )
    network = import_network("qonnx", saved(connect(graph, 5), tmp_path), "net")
    assert network.array.thresholds.tolist() == value.tolist() and network.array.low == -4
    assert_equal(network, graph, around(rng, (5,), 0.25, 30))


@pytest.mark.parametrize("kind", ["INT8", "UINT8", "BIPOLAR", "TERNARY", "BINARY", "INT3"])
def test_annotated_numbers(kind, tmp_path):
    graph = connect(Graph((1, 16)), 16)
    network = import_network("qonnx", saved(graph, tmp_path, kind), "net")
    grid = network.array.grid
    low, high = {"INT8": (-128, 127), "UINT8": (0, 255), "BIPOLAR": (-1, 1), "TERNARY": (-1, 1),
                 "BINARY": (0, 1), "INT3": (-4, 3)}[kind]  # fmt: skip
    assert (grid.low, grid.high) == (low, high)
    rng = np.random.default_rng(9)
    arrays = grid.low + grid.step * rng.integers(0, grid.count, (9, 16))
    assert_equal(network, graph, arrays)
    with Model(network, "cpu") as model:
        for wrong in (high + grid.step, low - grid.step, low + 0.5):
            arrays[3, 4] = wrong
            with pytest.raises(ArrayError, match=f"value {wrong:g}; the network reads {kind}"):
                model.evaluate(arrays)


def test_an_input_of_type_int8(tmp_path):
    graph = connect(Graph((1, 16)).quant(2.0, 7, signed=1), 16)
    network = import_network("qonnx", saved(graph, tmp_path, element=onnx.TensorProto.INT8), "net")
    assert network.array.grid.kind == "INT8"
    rng = np.random.default_rng(9)
    assert_equal(network, graph, rng.integers(-128, 128, (9, 16), np.int8))


# Where it lies


@pytest.mark.parametrize(
    ("shape", "perm"),
    [
        ((1, 2, 5, 6), None),
        ((1, 5, 6, 2), [0, 3, 1, 2]),
        ((1, 5, 2, 6), [0, 2, 3, 1]),
        ((1, 2, 6, 5), [0, 1, 3, 2]),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_layouts(shape, perm, before, tmp_path):
    """With a Transpose before or behind the quantiser."""
    graph = Graph(shape)
    if perm and before:
        graph.then("Transpose", perm=perm)
    graph.quant(1 / 16, 4, signed=1)
    if perm and not before:
        graph.then("Transpose", perm=perm)
    channels = [shape[axis] for axis in perm or range(4)][1]
    convolve(graph, channels).quant(1.0, 2)
    read = channels and int(np.prod(np.array([shape[a] for a in perm or range(4)])[2:] - 2)) * 4
    value = np.random.default_rng(4).normal(0, 1, (3, read))
    graph.then("Flatten").then("Gemm", graph.weight(value), transB=1)
    network = import_network("qonnx", saved(graph, tmp_path), "net")
    assert network.array.shape == shape[1:]
    rng = np.random.default_rng(10)
    assert_equal(network, graph, around(rng, shape[1:], 1 / 16, 12))
    (tmp_path / "copy").mkdir()
    store.save(network, tmp_path / "copy")
    assert_equal(store.load(tmp_path / "copy"), graph, around(rng, shape[1:], 1 / 16, 12))


@pytest.mark.parametrize("perm", [[0, 3, 1, 2], [0, 3, 2, 1]])
def test_pictures_with_channels_last(perm, tmp_path):
    graph = Graph((1, 6, 6, 3)).quant(1 / 256, 8).then("Transpose", perm=perm)
    convolve(graph, 3).quant(1.0, 2)
    graph.then("Flatten")
    value = np.random.default_rng(4).normal(0, 1, (3, 64))
    graph.then("Gemm", graph.weight(value), transB=1)
    network = import_network("qonnx", saved(graph, tmp_path), "net")
    assert network.picture.transposed == (perm[2] == 2)
    pixels = random_pictures(np.random.default_rng(1), 6, 3, 5)
    with Model(network, "cpu") as model:
        for picture in pixels:
            x = picture[None].astype(np.float32) / np.float32(255)
            maps = model.run(model.tensor(picture)[None])
            found = network.result.scores(maps)
            assert found.tolist() == execute(graph.model(), x)[graph.tensor].tolist()


@pytest.mark.parametrize("flat", [False, True])
def test_colours_with_a_mean_and_a_deviation_each(flat, tmp_path):
    graph = Graph((1, 3, 6, 6)).then("Sub", np.array([0.5, 0.25, 0.125]).reshape(1, 3, 1, 1))
    graph.then("Div", np.array([0.25, 0.5, 1.0]).reshape(1, 3, 1, 1)).quant(1 / 32, 7, signed=1)
    if flat:
        connect(graph, 108)
    else:
        convolve(graph, 3).quant(1.0, 2).then("Flatten")
        value = np.random.default_rng(4).normal(0, 1, (3, 64))
        graph.then("Gemm", graph.weight(value), transB=1)
    network = import_network("qonnx", saved(graph, tmp_path), "net")
    assert network.picture.table.shape == (3, 256)
    assert isinstance(network.layers[0], Lookup) == flat
    (tmp_path / "copy").mkdir()
    store.save(network, tmp_path / "copy")
    pixels = random_pictures(np.random.default_rng(1), 6, 3, 5)
    for one in (network, store.load(tmp_path / "copy")):
        with Model(one, "cpu") as model:
            for picture in pixels:
                found = one.result.scores(model.run(model.tensor(picture)[None]))
                want = execute(graph.model(), as_input(picture))[graph.tensor]
                assert found.tolist() == want.tolist()


def test_colours_of_an_array(tmp_path):
    rng = np.random.default_rng(3)
    graph = Graph((1, 3, 6, 6)).then("Sub", np.array([0.5, 0.25, 0.125]).reshape(1, 3, 1, 1))
    convolve(graph.quant(1 / 32, 7, signed=1), 3).quant(1.0, 2).then("Flatten")
    graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 64))), transB=1)
    network = import_network("qonnx", saved(graph, tmp_path), "net", "array")
    assert network.array.thresholds.shape == (3, 127)
    assert_equal(network, graph, around(rng, (3, 6, 6), 1 / 32, 80))


# What cannot go in


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: connect(Graph((1, 16)).quant(1 / 99, 9, signed=1), 16),
            r"an input of 512 levels; quantise it to 1 to 8 bits",
        ),
        (
            lambda: connect(Graph((1, 16)).then("Mul", -1.0).quant(1.0, 4), 16),
            r"multiplied by a negative number before it is quantised; turn the sign",
        ),
        (
            lambda: connect(Graph((1, 16)).then("Clip", 3.0, 4.0).quant(9.0, 1), 16),
            r"an input of 1 levels",
        ),
        (
            lambda: convolve(Graph((1, 2, 6, 6)).then("Add", np.ones((6, 6))).then(
                "Add", np.arange(36).reshape(6, 6)).quant(1.0, 4), 2),
            r"differs between pixels; use one value for a channel",
        ),
    ],
    ids=["nine bits", "negative", "one level", "pixels apart"],
)  # fmt: skip
def test_refused(make, reason, tmp_path):
    with pytest.raises(NetworkError, match=reason):
        import_network("qonnx", saved(make(), tmp_path), "net", "array")


def reshaped(*sides: int) -> Graph:
    """Four outputs for each of nine pixels or more, and three scores."""
    graph = Graph((1, 2, 5, 6)).quant(1 / 16, 4, signed=1)
    graph.tensor = graph.node("Reshape", graph.tensor, graph.constant([1, *sides], np.int64))
    convolve(graph, sides[0]).quant(1.0, 2).then("Flatten")
    count = 4 * (sides[1] - 2) * (sides[2] - 2)
    value = np.random.default_rng(4).normal(0, 1, (3, count))
    return graph.then("Gemm", graph.weight(value), transB=1)


def test_reshaped_input(tmp_path):
    graph = reshaped(2, 6, 5)
    network = import_network("qonnx", saved(graph, tmp_path), "net")
    assert_equal(network, graph, around(np.random.default_rng(1), (2, 5, 6), 1 / 16, 12))
    with pytest.raises(NetworkError, match="order that no Transpose makes; remove the Reshape"):
        import_network("qonnx", saved(reshaped(4, 5, 3), tmp_path), "net")


# The command


def test_command_prints_the_decision(cli, tmp_path, samples):
    path = saved(connect(Graph((1, 16)).quant(1 / 128, 8, signed=1), 16), tmp_path)
    result = cli("params", "import", "qonnx", path, "--name", "vector")
    assert result.status == 0
    (line,) = (line for line in result.out.splitlines() if line.startswith("input: "))
    assert "arrays of 16 numbers, quantised to 256 codes, value = -1 + code x 0.0078125" in line
    assert "an input of 16 is no square" in line and "(--input picture reads pictures)" in line
    assert line in cli("params", "info", "vector").out
    assert cli("params", "info", "vector", "--json").document["reads"] in line
    message = cli.refused("classify", samples[0], "--model", "vector")
    assert message.startswith("qnn: model vector reads arrays of 16 numbers, no pictures: qnn run")
    assert cli("verify", "--model", "vector", "--backend", "cpu").status == 0
    result = cli("params", "import", "qonnx", path, "--name", "grey", "--input", "picture")
    (line,) = (line for line in result.out.splitlines() if line.startswith("input: "))
    assert "pictures of 4x4 grey pixels, a pixel p going in as p / 255, because it was wis" in line
    assert cli("classify", samples[0], "--model", "grey").status == 0
    other = ("bnn-pynq", tmp_path, "--name", "x")
    assert "only of qonnx" in cli.refused("params", "import", *other, "--input", "array")


def test_classify_of_an_array(cli, tmp_path):
    graph = connect(Graph((1, 16)).quant(1 / 128, 8, signed=1), 16)
    network = import_network("qonnx", saved(graph, tmp_path), "vector")
    arrays = around(np.random.default_rng(2), (16,), 1 / 128, 140)
    with Model(network, "cpu") as model:
        found = [one.classes[0].index for one in model.classify_all(list(arrays))]
        want = [execute(graph.model(), x[None])[graph.tensor].argmax() for x in arrays]
        assert found == want
        skipped = []
        bad = [arrays[0], np.full(16, np.nan), arrays[1][:5], arrays[2]]
        kept = list(model.classify_all(bad, skip=lambda _, error: skipped.append(str(error))))
        assert [one.classes[0].index for one in kept] == [want[0], want[2]]
        assert "not finite" in skipped[0] and "shape 5; the network reads 16" in skipped[1]
