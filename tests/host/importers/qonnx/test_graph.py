# SPDX-License-Identifier: BSD-3-Clause
"""Damaged, hostile and foreign .onnx files are one sentence; nothing outside is read."""

import numpy as np
import pytest

from qnn.errors import FormatError, QnnError
from qnn.importers import import_network
from qnn.importers.qonnx.graph import read_graph

onnx = pytest.importorskip("onnx", reason="the extra qonnx is not installed")

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
