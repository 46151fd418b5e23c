# SPDX-License-Identifier: BSD-3-Clause
"""qnn params import --check: a row for each file, accepted or refused, and nothing installed."""

import numpy as np
import pytest

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.lowering import folded, lower
from qnn.engine.placement import integer_layers, limits_of, place_network
from qnn.engine.program import compile_layers
from qnn.engine.stages import laid_out
from qnn.importers import import_network
from qnn.network import FloatConv

pytest.importorskip("onnx", reason="the extra qonnx is not installed")

from foreign_qonnx import Graph


@pytest.fixture
def files(tmp_path):
    """A network on pictures, one on numbers, one with a branch, one that is no file of ONNX."""
    rng = np.random.default_rng(1)

    def connected(graph: Graph, features: int) -> Graph:
        return graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, features))), transB=1)

    grey = connected(Graph((1, 1, 8, 8)).quant(1 / 256, 8).then("Flatten"), 64)
    vector = connected(Graph((1, 12)).quant(1 / 16, 6, signed=1), 12)
    branch = Graph((1, 1, 8, 8)).quant(1 / 256, 8)
    branch.then("Conv", branch.weight(np.ones((2, 1, 3, 3)))).quant(1.0, 2)
    branch.then("Mul", branch.tensor, name="join")
    made = {"grey": grey, "vector": vector, "branch": branch}
    paths = [graph.save(tmp_path / f"{name}.onnx") for name, graph in made.items()]
    (tmp_path / "text.onnx").write_text("no network")
    return [*paths, tmp_path / "text.onnx"]


def test_table(cli, files, home):
    result = cli("params", "import", "--check", *files)
    assert result.status == 1 and result.err == "" and not home.exists()
    head, grey, vector, branch, text, _, count = result.out.splitlines()
    assert head.split() == ["file", "layers", "cycles", "where,", "or", "why", "not"]
    cycles = []
    for path in files[:2]:
        layers = integer_layers(import_network("qonnx", path, "net").layers)
        cycles.append(f"{estimate.cycles(compile_layers(layers), Capabilities()):,}")
    assert grey.split() == [
        str(files[0]), "2", cycles[0], "pixels:", "host;", "fc1:", "accelerator",
    ]  # fmt: skip
    assert vector.split() == [str(files[1]), "1", cycles[1], "fc1:", "accelerator"]
    assert branch.startswith(str(files[2])) and "refused: node 'join' (Mul)" in branch
    assert "refused: " in text and "truncated, or not an .onnx file" in text
    assert count == "accepted 2 of 4"


def test_json(cli, files):
    result = cli("params", "import", "qonnx", "--check", *files, "--json")
    document = result.partial_document
    assert (result.status, document["accepted"], document["of"]) == (1, 2, 4)
    grey, vector, branch, _ = document["files"]
    assert [layer["where"] for layer in grey["layers"]] == ["host", "accelerator"]
    assert grey["reads"].startswith("pictures") and vector["reads"].startswith("arrays")
    assert branch == {"file": str(files[2]), "accepted": False, "refusal": branch["refusal"]}


def test_wishes(cli, files):
    document = cli("params", "import", "--check", *files[:2], "--input", "array", "--json").document
    assert [one["reads"][:6] for one in document["files"]] == ["arrays"] * 2


def test_a_float_first_layer_is_counted(cli, tmp_path):
    """It runs on the accelerator, as `qnn params info` says; its cycles are among the others."""
    rng = np.random.default_rng(1)
    graph = Graph((1, 3, 12, 12)).then("Sub", np.float32([0.4, 0.5, 0.45]).reshape(1, 3, 1, 1))
    graph.then("Conv", rng.normal(0, 0.4, (6, 3, 3, 3))).then("Relu").quant(0.5, 2).then("Flatten")
    graph.then("Gemm", graph.weight(rng.normal(0, 1, (3, 600))), transB=1)
    path = graph.save(tmp_path / "float.onnx")
    (one,) = cli("params", "import", "--check", path, "--json").document["files"]
    network, caps = import_network("qonnx", path, "net"), Capabilities()
    assert isinstance(network.layers[0], FloatConv)
    places = place_network(network, caps)
    assert [layer["where"] for layer in one["layers"]] == [place.where for place in places]
    assert places[0].where == "accelerator"
    layers = folded(lower(network.layers, limits_of(network)), caps)
    assert one["cycles"] == estimate.cycles(laid_out(layers, caps).program, caps)


def test_exit_status(cli, files):
    assert cli("params", "import", "--check", *files[:2]).status == 0
    assert cli("params", "import", "--check", *files[2:]).status == 2


def test_what_does_not_belong_together(cli, files):
    check = ("params", "import", "qonnx")
    assert "installs nothing" in cli.refused(*check, "--name", "net", "--check", files[0])
    for wrong in ((*check, files[0]), ("params", "import")):
        result = cli(*wrong)
        assert result.status == 2 and "wants FORMAT, PATH and --name NAME, or --ch" in result.err
    assert "--json belongs to --check" in cli.refused(*check, files[0], "--name", "x", "--json")
