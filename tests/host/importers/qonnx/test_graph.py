# SPDX-License-Identifier: BSD-3-Clause
"""Damaged, hostile and foreign .onnx files are one sentence; nothing outside is read."""

import subprocess
import sys

import numpy as np
import pytest
from random_networks import random_codes

from qnn.backends import open_session
from qnn.errors import FormatError, QnnError
from qnn.importers import import_network
from qnn.importers.qonnx.graph import read_graph
from qnn_sim.golden_network import run_graph

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")

import graph_networks  # noqa: E402
from foreign_qonnx import Graph, random_model  # noqa: E402


@pytest.fixture
def model():
    graph = Graph((1, 1, 4, 4)).quant(1 / 255, 8).then("Flatten")
    value = np.random.default_rng(0).normal(0, 1, (3, 16))
    return graph.then("Gemm", graph.weight(value), transB=1, name="fc").model()


@pytest.fixture
def refused(tmp_path):
    """refused(model or bytes) is the message with which the file is refused."""

    def check(content) -> str:
        path = tmp_path / "model.onnx"
        raw = content if isinstance(content, bytes) else content.SerializeToString()
        path.write_bytes(raw)
        with pytest.raises(QnnError) as caught:
            import_network("qonnx", path, "net")
        message = str(caught.value)
        assert message.isprintable() and len(message) < 400
        return message

    return check


def weights(model):
    """The initializer that holds the weights, the only one of two dimensions."""
    return next(t for t in model.graph.initializer if len(t.dims) == 2)


def test_reads(model, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    graph = read_graph(path)
    assert [node.op for node in graph.nodes] == ["Quant", "Flatten", "BipolarQuant", "Gemm"]
    assert graph.input_name == "picture" and graph.input_shape == (1, 1, 4, 4)
    assert graph.nodes[-1].name == "fc" and graph.nodes[-1].attributes == {"transB": 1}
    assert graph.outputs == (graph.nodes[-1].outputs[0],) and graph.input_type is None


def test_nodes_that_lead_nowhere_are_left_out(model, tmp_path):
    model.graph.node.append(onnx.helper.make_node("Loop", ["picture"], ["unused"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(["text"]), "unused2"))
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert len(read_graph(path).nodes) == 4


@pytest.mark.parametrize("raw", [b"", b"# not a model\n", bytes(1000), b"PK\3\4" + bytes(99)])
def test_foreign_files(raw, refused):
    assert "model.onnx" in refused(raw)


def test_truncated_anywhere(model, tmp_path):
    raw = model.SerializeToString()
    path = tmp_path / "model.onnx"
    for length in range(0, len(raw), 7):
        path.write_bytes(raw[:length])
        with pytest.raises(QnnError):
            import_network("qonnx", path, "net")


@pytest.mark.parametrize("seed", range(12))
def test_altered_anywhere(seed, tmp_path):
    """Bytes changed at random: a network, or a QnnError, and no other exception."""
    rng = np.random.default_rng(seed)
    raw = bytearray(random_model(rng).model().SerializeToString())
    path = tmp_path / "model.onnx"
    for _ in range(40):
        altered = bytearray(raw)
        for place in rng.integers(0, len(raw), rng.integers(1, 4)):
            altered[place] = rng.integers(256)
        path.write_bytes(altered)
        try:
            import_network("qonnx", path, "net")
        except QnnError as error:
            assert "\n" not in str(error), error


def crossed(model, rng):
    """A node reads what another one gives, itself or one behind it included."""
    node = rng.choice([node for node in model.graph.node if node.input])
    node.input[rng.integers(len(node.input))] = rng.choice(
        [name for other in model.graph.node for name in other.output]
    )


def without_an_initialiser(model, rng):
    del model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]


def with_a_strange_number(model, rng):
    tensor = rng.choice(list(model.graph.initializer))
    array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
    strange = [np.nan, np.inf, -np.inf, 0, -1, 1e38, 1e-38]
    array.reshape(-1)[: int(rng.integers(1, array.size + 1))] = rng.choice(strange)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def of_another_shape(model, rng):
    tensor = rng.choice(list(model.graph.initializer))
    sides = [0, 1, 2, 7, 2**31, 2**40]
    tensor.dims[:] = [int(rng.choice(sides)) for _ in range(rng.integers(0, 5))]


def without_a_node(model, rng):
    del model.graph.node[int(rng.integers(len(model.graph.node)))]


def out_of_order(model, rng):
    nodes = list(model.graph.node)
    rng.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def with_other_attributes(model, rng):
    node = rng.choice([node for node in model.graph.node if node.attribute])
    attribute = rng.choice(list(node.attribute))
    if attribute.ints:
        attribute.ints[:] = [int(rng.choice([-1, 0, 1, 3, 99, 2**31])) for _ in attribute.ints]
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = int(rng.choice([-5, 0, 1, 2, 7, 2**31]))


def of_other_operators(model, rng):
    known = "Add Concat Mul Conv Relu Quant MaxPool AveragePool Transpose Flatten Sub".split()
    rng.choice(list(model.graph.node)).op_type = str(rng.choice(known))


def of_another_input(model, rng):
    dims = model.graph.input[0].type.tensor_type.shape.dim
    rng.choice(list(dims)).dim_value = int(rng.choice([0, -1, 1, 2, 9, 2**20]))


DAMAGES = (
    crossed, without_an_initialiser, with_a_strange_number, of_another_shape, without_a_node,
    out_of_order, with_other_attributes, of_other_operators, of_another_input,
)  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_graphs(damage, tmp_path):
    """A network that runs, or one sentence, and no other exception and no warning."""
    path, refused = tmp_path / "model.onnx", 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        make = list(graph_networks.KINDS.values())[seed % len(graph_networks.KINDS)]
        model = make(rng).model()
        damage(model, rng)
        path.write_bytes(model.SerializeToString())
        try:
            network = import_network("qonnx", path, "net")
        except QnnError as error:
            assert "\n" not in str(error) and len(str(error)) < 500, error
            refused += 1
            continue
        codes = random_codes(rng, network, 3)[2:]
        _, session = open_session("cpu", network)
        *_, golden = run_graph(network, codes[0])
        np.testing.assert_allclose(session.run(codes)[0], golden, rtol=1e-6, err_msg=str(seed))
    assert refused


def test_a_node_that_reads_itself_is_refused(refused):
    graph = graph_networks.residual(np.random.default_rng(0))
    model = graph.model()
    added = next(
        node for node in model.graph.node if node.op_type == "Add" and "t" in node.input[1]
    )
    added.input[1] = added.output[0]
    assert "which no node before it gives" in refused(model)


# Small files that state, or make, what no memory has.
def announced(side: int, beside: bool = False):
    graph = Graph((1, 1, 4, 4)).quant(1 / 255, 8).then("Flatten")
    model = graph.then("Gemm", graph.weight(np.ones((3, 16))), transB=1).model()
    tensor = weights(model)
    tensor.dims[:] = [side, side]
    if beside:
        outside(model, location="model.onnx")
    return model


def multiplied():
    graph = Graph((1, 1, 4, 4)).quant(1 / 255, 8).then("Flatten")
    column, row = np.ones((16000, 1)), np.ones((1, 16000))
    product = graph.node("Mul", graph.constant(column), graph.constant(row))
    return graph.then("Gemm", graph.quantised(product, 1.0, 2, signed=1)).model()


def doubled_constants():
    graph = Graph((1, 1, 4, 4)).quant(1 / 255, 8).then("Flatten")
    name = graph.constant(np.ones((3, 16)))
    for _ in range(40):
        name = graph.node("Concat", name, name, axis=1)
    return graph.then("Gemm", graph.quantised(name, 1.0, 2, signed=1), transB=1).model()


def doubled_maps():
    made = graph_networks.Branches(np.random.default_rng(0), (1, 3, 8, 8))
    tensor = made.quant(made.conv(made.start, 8))
    for _ in range(40):
        tensor = made.concat(tensor, tensor)
    made.graph.tensor = tensor
    return made.graph.then("GlobalAveragePool").then("Flatten").model()


def far_padded():
    model = graph_networks.residual(np.random.default_rng(0)).model()
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "pads":
                attribute.ints[:] = [1 << 16] * 4
    return model


LARGE = {
    "announced": lambda: announced(1 << 14),
    "announced-beside": lambda: announced(1 << 14, beside=True),
    "announced-beyond": lambda: announced(1 << 31),
    "multiplied": multiplied,
    "doubled-constants": doubled_constants,
    "doubled-maps": doubled_maps,
    "far-padded": far_padded,
}
IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
import onnx
from qnn.errors import QnnError
from qnn.importers import import_network
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (256 << 20),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sys.argv[1:]:
    try:
        import_network("qonnx", Path(path), "net")
        print("imported")
    except QnnError as error:
        print(error)
"""


def test_small_files_of_large_networks_take_little(tmp_path):
    """In a process that may have little more memory: each is refused for what it is."""
    for name, make in LARGE.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(make().SerializeToString())
    paths = [tmp_path / name / "model.onnx" for name in LARGE]
    assert all(path.stat().st_size < 200_000 for path in paths)
    ended = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, *paths],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = dict(zip(LARGE, ended.stdout.splitlines(), strict=True))
    assert "does not fit into the memory" not in ended.stdout
    assert "is truncated" in lines["announced"]
    assert "model.onnx is too short" in lines["announced-beside"]
    assert "the impossible shape" in lines["announced-beyond"]
    assert "a constant of 256000000 elements" in lines["multiplied"]
    assert "many times what the file holds" in lines["doubled-constants"]
    assert "at most 256 of" in lines["doubled-maps"]
    assert "is larger than any here" in lines["far-padded"]


def test_shapes_of_inputs(model, refused):
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_value = -1
    assert "export it with a batch first" in refused(model)
    dims[0].dim_value, dims[2].dim_value = 1, 0
    assert "all other sides fixed" in refused(model)
    dims[2].dim_value = dims[3].dim_value = 1 << 31
    assert "larger than any picture" in refused(model)
    del dims[1:]
    assert "the shape (1,)" in refused(model)
    model.graph.input.add(name=model.graph.node[0].input[1])
    del model.graph.initializer[:]
    assert "2 inputs" in refused(model)


def test_a_batch_without_a_number(model, tmp_path):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert read_graph(path).input_shape == (1, 1, 4, 4)


@pytest.mark.parametrize("dims", [[-1, 16], [1 << 40, 1 << 40], [3, 15], [3, 17], [0, 16]])
def test_shapes_of_tensors(dims, model, refused):
    weights(model).dims[:] = dims
    assert refused(model)


def test_types_of_tensors(model, refused):
    weights(model).data_type = 4242
    assert "is of an unknown type" in refused(model)
    weights(model).data_type = onnx.TensorProto.STRING
    assert "export it as float32" in refused(model)


def outside(model, **entries):
    tensor = weights(model)
    raw = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return raw


def test_tensors_beside_the_file(model, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    want = read_graph(path).constants
    raw = outside(model, location="weights.bin", offset=5)
    (tmp_path / "weights.bin").write_bytes(b"12345" + raw + b"rest")
    path.write_bytes(model.SerializeToString())
    found = read_graph(path).constants
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in want.items()}


@pytest.mark.parametrize(
    "location",
    ["../secret", "/etc/hostname", "link", "", ".", "none", "a\0b", "x" * 300],
    ids=range(8),
)
def test_tensors_outside_the_directory(location, model, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(1000))
    (folder / "link").symlink_to(tmp_path / "secret")
    outside(model, location=location)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match=r"no file below the directory|no place"):
        read_graph(folder / "model.onnx")


@pytest.mark.parametrize(
    "entries", [{"offset": 999}, {"offset": -4}, {"length": 3}, {"offset": "x"}, {"offset": 1e99}]
)
def test_tensors_that_are_too_short(entries, model, tmp_path):
    raw = outside(model, location="weights.bin", **entries)
    (tmp_path / "weights.bin").write_bytes(raw)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match=r"weights\.bin"):
        read_graph(tmp_path / "model.onnx")
