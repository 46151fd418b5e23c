# SPDX-License-Identifier: BSD-3-Clause
"""qnn bench: which network it times, and what it says of it."""

import pytest

from qnn.commands import bench as command
from qnn.engine.placement import on_host
from qnn.measure.bench import Flow, Report, Row

FLOW = Flow(1.0, 4.0, 250.0, simulated=True)


def test_json(cli):
    result = cli("bench", "--model", "fashion-cnv", "--repeat", "1", "--json")
    assert result.err == ""
    document = result.document
    assert (document["model"], document["backend"], document["remarks"]) == (
        "fashion-cnv",
        "cpu",
        [],
    )
    assert set(document["machine"]) == {"cpus", "machine", "numpy"}
    rows = {row.pop("stage"): row for row in document["rows"]}
    assert list(rows) == ["decode", "first_layer", "offload", "last_layers"]
    assert {row["kind"] for row in rows.values()} == {"measured"}
    assert {row["published_ms"] for row in rows.values()} == {None}
    assert document["all"] == {
        "ms": pytest.approx(sum(row["ms"] for row in rows.values())),
        "kind": "measured",
        "published_ms": None,
    }
    offload = rows["offload"]
    assert offload["ms"] > 0 and offload["baseline_ms"] > 0
    assert offload["ratio"] == pytest.approx(offload["baseline_ms"] / offload["ms"])
    assert rows["last_layers"]["baseline_ms"] is rows["last_layers"]["ratio"] is None


def test_a_network_with_all_stages(cli, tiny_dorefanet):
    cli("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    document = cli("bench", "--model", "tiny", "--repeat", "2", "--json").document
    stages = ["decode", "first_layer", "offload", "last_layers"]
    assert [row["stage"] for row in document["rows"]] == stages
    assert all(row["ratio"] > 0 for row in document["rows"][1:])


def test_text(cli, detector):
    result = cli("bench", "--model", detector, "--repeat", "1")
    assert (result.status, result.err) == (0, "")
    lines = [line.split() for line in result.out.splitlines() if line]
    assert lines[0] == ["stage", "where", "products", "ms", "baseline", "ms", "ratio"]
    stages = ["decode", "first_layer", "offload", "last_layers", "all"]
    assert [line[0] for line in lines[1:6]] == stages
    assert all("measured" in line and line[1] == "host" for line in lines[1:5])
    assert lines[2][-1].endswith("x")
    assert "\npicture after picture: " in result.out and "critical" not in result.out
    assert f"model {detector} on cpu" in result.out


def test_where_each_layer_ran(cli, detector):
    arguments = ("bench", "--model", detector, "--repeat", "1")
    why = "this backend has no accelerator"
    assert cli(*arguments, "--json").document["layers"] == [
        {"layer": name, "where": "host", "why": why} for name in ("mean", "mix", "region")
    ]
    assert f"\nmean to region: host ({why})\n" in cli(*arguments).out


@pytest.fixture
def timed(monkeypatch) -> list:
    """The networks that are handed over to be timed; none is."""
    networks = []

    def bench(network, backend, repeat, settings):
        networks.append(network)
        return Report("cpu", on_host(network.layers), [Row("offload", 1.0, 12.0)], FLOW)

    monkeypatch.setattr(command, "bench", bench)
    return networks


def test_without_dorefanet_random_parameters_of_its_shapes_are_timed(cli, timed):
    document = cli("bench", "--json").document
    assert "random" in document["remarks"][0]
    (network,) = timed
    assert network.name == "random-dorefanet" and network.out_shape == (1, 1, 1000)
    assert document["rows"][0]["ratio"] == 12
    assert document["rows"][0]["published_ms"] == 80
    assert document["all"]["published_ms"] == 1300


def test_simulated_figures_are_marked(cli, monkeypatch):
    rows = [
        Row("decode", 1.0, None, cpu_ms=1.0),
        Row("offload", 2.0, 12.0, 200_000, True, 1.5, macs=9000, cpu_ms=5.0),
        Row("fully_connected", 2.0, 12.0, 200_000, True),
    ]
    monkeypatch.setattr(
        command, "bench", lambda net, *_: Report("sim", on_host(net.layers), rows, FLOW)
    )
    document = cli("bench", "--json").document
    assert [row["kind"] for row in document["rows"]] == ["measured", "modelled", "modelled"]
    offload = document["rows"][1]
    assert (offload["cycles"], offload["cycles_kind"]) == (200_000, "simulated")
    assert (offload["simulation_s"], offload["ratio"]) == (1.5, None)
    assert document["all"] == {"ms": 5, "kind": "measured and modelled", "published_ms": 1300}
    assert (offload["where"], offload["products"], offload["cpu_ms"]) == ("accelerator", 9000, 5)
    assert document["flow"] == {
        "host_ms": 1, "accelerator_ms": 4, "pictures_per_s": 250, "kind": "modelled",
        "critical": "accelerator",
    }  # fmt: skip
    text = cli("bench").out
    heading, *rest = text.splitlines()
    assert heading.split("  ")[-1].strip() == "published ms" and "on cpu, ms" in heading
    assert rest[1].split() == [
        "offload", "accelerator", "9,000", "2.00", "modelled", "5.00", "12.00", "80.00",
    ]  # fmt: skip
    assert (
        "\npicture after picture: 250.0 a second, modelled; a picture takes the host 1.00 ms and "
        "the accelerator 4.00 ms, at the same time: the accelerator is on the critical path\n"
    ) in text
    for stage in ("offload", "fully_connected"):
        assert f"\n{stage}: modelled, 200,000 simulated cycles at 100 MHz\n" in text
    assert text.count("\nsimulating a picture took 1.5 s\n") == 1
    assert "\npublished last_layers: fully_connected and last_layers together\n" in text
    assert "published: measured by a blog post on its Zynq board, another processor" in text


def test_dorefanet_without_its_last_layers_gets_random_ones(cli, timed, reference):
    assert cli("params", "fetch", "dorefanet", "--mirror", reference).status == 0
    document = cli("bench", "--json").document
    assert document["model"] == "dorefanet" and "fully connected" in document["remarks"][0]
    (network,) = timed
    assert [layer.name for layer in network.layers[-4:]] == ["conv4", "fc0", "fc1", "fct"]
    assert len(network.classes) == 1000


def test_what_cannot_be_timed(cli, damaged):
    assert "'nothing'" in cli.refused("bench", "--model", "nothing")
    assert "'nothing'" in cli.refused("bench", "--model", "fashion-cnv", "--backend", "nothing")
    assert "fetch tinier-yolo" in cli.refused("bench", "--model", "tinier-yolo")
    cli.refused("bench", "--model", damaged("no tensors"))


def test_stages_beside_pillow(cli, samples):
    arguments = ("bench", "--model", "fashion-cnv", "--repeat", "1", "--stages")
    document = cli(*arguments, "--picture", samples[0], "--json").document
    assert (document["model"], document["backend"]) == ("fashion-cnv", "cpu")
    assert document["picture"] == {"name": samples[0].name, "size": [28, 28]}
    assert document["pillow"]["to"] == [28, 28] and document["pillow"]["ms"] > 0
    rows = {row["stage"]: row["ratio"] for row in document["stages"]}
    layers = ["first_layer", "offload", "last_layers"]
    assert list(rows) == ["pixels", "scale", "decode", "scores", *layers]
    assert document["ratios_of"] == "time" and document["around"]["share_of_decode"] > 0
    assert all(ratio >= 0 for ratio in rows.values())
    assert document["pictures_per_s"] > 0 and document["peak_mb"] > document["libraries_mb"]
    result = cli(*arguments)
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].split() == ["stage", "ms", "times", "Pillow"]
    assert lines[1].split()[::2] == ["pillow", "1.00"]
    assert [line.split()[0] for line in lines[2:9]] == list(rows)
    assert "noise.jpg, 500 x 334, to 28 x 28" in result.out
    for part in ("pictures a second", "import qnn takes", "MB at its peak", "medians of 1"):
        assert part in result.out


def test_a_picture_is_for_the_stages(cli, samples, tmp_path):
    assert "--stages" in cli.refused("bench", "--model", "fashion-cnv", "--picture", samples[0])
    arguments = ("bench", "--model", "fashion-cnv", "--stages", "--picture")
    assert "no file" in cli.refused(*arguments, tmp_path / "none.jpg")
