# SPDX-License-Identifier: BSD-3-Clause
"""eval and classify with --cluster: what one machine says, in its order, with its exit status."""

import shutil
import socket

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
from local_cluster import local_cluster

from qnn.cluster import connection, members
from qnn.cluster.holder import Holder
from qnn.store import library


@pytest.fixture
def shipped():
    return library.find(library.DEFAULT)


@pytest.fixture
def cluster(tmp_path_factory, shipped):
    """Two workers on the CPU that have the shipped network."""
    with local_cluster(tmp_path_factory.mktemp("dask")) as found:
        for _ in range(2):
            found.add(Holder([shipped], "cpu"))
        yield found


@pytest.fixture
def folders(samples, tmp_path):
    """Each sample as a PNG and a JPEG file of other sizes, in the folder of the next class but
    for two, and one file that is no picture."""
    names = library.find(library.DEFAULT).classes
    for number, path in enumerate(samples):
        folder = tmp_path / "pictures" / names[number if number < 2 else (number + 1) % 10].lower()
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.resize((56, 56)).save(folder / f"{number}.png")
            image.resize((83, 90)).convert("RGB").save(folder / f"{number}.jpg", quality=90)
    (tmp_path / "pictures" / "bag" / "0.png").write_text("no picture")
    return tmp_path / "pictures"


def without_times(document):
    for one in document["results"]:
        assert one.pop("times_us").keys() == {"decode", "first_layer", "offload", "last_layers"}
    return document


def test_eval(cli, cluster, folders, tmp_path):
    """The same numbers, lists of wrong ones and sentences; the JSON says who looked."""
    tables = tmp_path / "here.csv", tmp_path / "there.csv"
    here = cli("eval", folders, "--json", "--wrong", tables[0])
    there = cli("eval", folders, "--json", "--wrong", tables[1], "--cluster", cluster.address)
    assert (there.status, there.err) == (1, here.err.replace("here.csv", "there.csv"))
    document = there.partial_document
    assert document["backend"] == "cluster" and here.partial_document["backend"] == "cpu"
    workers = {one["worker"]: one for one in document.pop("workers")}
    assert set(workers) == set(cluster.holders)
    assert {one["backend"] for one in workers.values()} == {"cpu"}
    assert sum(one["pictures"] for one in workers.values()) == 21
    assert document | {"backend": "cpu"} == here.partial_document
    assert document["total"] == 20 and len(document["errors"]) == 1
    assert tables[0].read_text() == tables[1].read_text()
    assert len(tables[0].read_text().splitlines()) > 2


def test_eval_of_a_data_set_in_text(cli, cluster, samples, tmp_path):
    images = np.stack([np.asarray(Image.open(path)) for path in samples] * 30)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(300) % 10)
    here = cli("eval", tmp_path / "a.npz")
    there = cli("eval", tmp_path / "a.npz", "--cluster", cluster.address)
    assert (there.status, there.err) == (0, "")
    assert there.out == here.out.replace("on cpu", "on 2 of cpu in a cluster")


def test_classify_of_a_folder(cli, cluster, folders, samples):
    names = [folders, samples[3], samples[3], folders.parent / "none.png"]
    here = cli("classify", *names, "--json", "--top", "3")
    there = cli("classify", *names, "--json", "--top", "3", "--cluster", cluster.address)
    assert (here.status, there.status) == (1, 1) and there.err == here.err
    document = without_times(there.partial_document)
    assert sum(one["pictures"] for one in document.pop("workers")) == 23
    assert document | {"backend": "cpu"} == without_times(here.partial_document)
    assert len(document["results"]) == 22 and document["pictures"] == 24


def test_classify_in_text_with_a_sheet(cli, cluster, samples, tmp_path, piped):
    def told(*options):
        sheet = tmp_path / f"sheet{len(options)}.png"
        names = [*samples[:2], piped(samples[2].read_bytes(), f"fifo{len(options)}")]
        result = cli("classify", *names, "--save", sheet, *options)
        assert result.status == 0
        lines = result.out.splitlines()
        assert lines[-6].startswith("stage") and "accelerator" not in result.out
        with Image.open(sheet) as image:
            return [line for line in lines[:-7] if "fifo" not in line], lines[-7], image.size

    here, there = told(), told("--cluster", cluster.address)
    assert here[0] == there[0] and here[2] == there[2]
    assert there[1].startswith("model fashion-cnv on ") and "of cpu in a cluster" in there[1]


def test_what_the_workers_decide(cli, samples, nothing_runs):
    for options in (["--backend", "cpu"], ["--clock-mhz", "50"], ["--first", "host"]):
        message = cli.refused("classify", samples[0], "--cluster", "tcp://x:1", *options)
        assert f"{options[0]} is for each worker to say" in message


@pytest.fixture
def quick(monkeypatch):
    """Nobody waits long in vain."""
    monkeypatch.setattr(connection, "CONNECT_S", 2)
    monkeypatch.setattr(members, "WORKERS_S", 1)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "nothing://a", "tcp://", "", "tcp://a b:c"]
)
def test_no_scheduler(cli, samples, quick, address):
    refusal = cli.refused("classify", samples[0], "--cluster", address)
    assert refusal.startswith(f"qnn: no Dask scheduler answers at {address}: ")


def test_somebody_who_says_nothing(cli, samples, quick):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert "no Dask scheduler answers" in cli.refused(
            "classify", samples[0], "--cluster", address
        )


def test_no_worker(cli, samples, quick, tmp_path_factory):
    with local_cluster(tmp_path_factory.mktemp("dask")) as empty:
        refusal = cli.refused("classify", samples[0], "--cluster", empty.address)
    assert "has no worker: start some with `qnn worker --cluster tcp://127" in refusal


def test_no_worker_has_the_network(cli, samples, quick, cluster, shipped):
    library.install(shipped)
    folder = library.models_directory() / "mine"
    shutil.copytree(library.models_directory() / shipped.name, folder)
    path = folder / "network.json"
    path.write_text(path.read_text().replace('"divisor": 1', '"divisor": 2'))
    refusal = cli.refused(
        "classify", samples[0], "--model", f"{folder}/", "--cluster", cluster.address
    )
    assert refusal.startswith(f"qnn: no worker of {cluster.address} can take fashion-cnv: tcp://")
    assert refusal.count("has another fashion-cnv: digest ") == 2
    assert refusal.count(f", here {members.digest(library.find(f'{folder}/'))[:12]}") == 2
