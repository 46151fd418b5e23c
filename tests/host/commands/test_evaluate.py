# SPDX-License-Identifier: BSD-3-Clause
"""qnn eval: counts of right answers, from every form in which data sets come."""

import csv
import errno
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qnn.errors import BackendError
from qnn.model import load
from qnn.pictures import dataset, draw

FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.fixture
def images(samples) -> np.ndarray:
    """The sample pictures, uint8 (10, 28, 28)."""
    return np.stack([np.asarray(Image.open(path)) for path in samples])


@pytest.fixture
def decisions(images) -> np.ndarray:
    """What the shipped model says of them, int (10,)."""
    with load() as model:
        return np.array([model.classify(image, 1).classes[0].index for image in images])


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_npz(folder, images, labels) -> Path:
    np.savez(folder / "a.npz", images=images, labels=labels)
    return folder / "a.npz"


def write_idx_directory(folder, images, labels) -> Path:
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(images))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


def write_gzipped_idx_directory(folder, images, labels) -> Path:
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder


def write_idx_file(folder, images, labels) -> Path:
    return write_idx_directory(folder, images, labels) / "t10k-images-idx3-ubyte"


@pytest.mark.parametrize(
    "write", [write_npz, write_idx_directory, write_gzipped_idx_directory, write_idx_file]
)
def test_json(cli, tmp_path, images, decisions, write):
    labels = decisions.copy()
    labels[[2, 5, 6]] = (labels[[2, 5, 6]] + 1) % 10
    (tmp_path / "data").mkdir()
    path = write(tmp_path / "data", images, labels)
    result = cli("eval", "--model", "fashion-cnv", path, "--json")
    assert result.err == ""
    document = result.document
    assert {key: document[key] for key in ("model", "correct", "total")} == {
        "model": "fashion-cnv",
        "correct": 7,
        "total": 10,
    }
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (labels, decisions), 1)
    assert document["confusion"] == expected.tolist()


def test_more_pictures_than_a_batch(cli, tmp_path, images, decisions):
    rng = np.random.default_rng(3)
    order = rng.integers(0, 10, 237)
    labels = rng.integers(0, 10, 237)
    path = write_npz(tmp_path, images[order], labels)
    document = cli("eval", path, "--json").document
    assert document["correct"] == int((decisions[order] == labels).sum())
    assert document["total"] == 237


def test_cifar_records(cli, tmp_path):
    rng = np.random.default_rng(4)
    pictures = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
    labels = rng.integers(0, 10, 12)
    records = np.c_[labels, pictures.transpose(0, 3, 1, 2).reshape(12, -1)].astype(np.uint8)
    records.tofile(tmp_path / "data_batch.bin")
    with load() as model:
        said = [model.classify(picture, 1).classes[0].index for picture in pictures]
    document = cli("eval", tmp_path / "data_batch.bin", "--json").document
    assert (document["correct"], document["total"]) == (int((said == labels).sum()), 12)


def test_text(cli, tmp_path, images, decisions):
    result = cli("eval", write_npz(tmp_path, images, decisions))
    assert (result.status, result.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in result.out.splitlines() if line}
    assert rows["all"] == ["10", "10", "100.00%"]
    assert "model fashion-cnv on cpu" in result.out
    for index in set(decisions):
        count = str((decisions == index).sum())
        name = load().network.classes[index]
        assert rows[name.split()[0]][-3:] == [count, count, "100.00%"]


def test_save(cli, tmp_path, images, decisions):
    target = tmp_path / "confusion.png"
    path = write_npz(tmp_path, images, decisions)
    document = cli("eval", path, "--json", "--save", target).document
    expected = draw.confusion(np.array(document["confusion"]), load().network.classes)
    with Image.open(target) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(expected))


@pytest.mark.parametrize("name", ["none/a.png", "folder", "a.npz/a.png", ""])
def test_save_where_nothing_can_be_written(
    cli, tmp_path, images, decisions, name, monkeypatch, nothing_runs
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    cli.refused("eval", write_npz(tmp_path, images, decisions), "--save", name)


def test_save_on_a_full_disk(cli, tmp_path, images, decisions, monkeypatch):
    def save(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_npz(tmp_path, images, decisions)
    monkeypatch.setattr(Image.Image, "save", save)
    result = cli("eval", path, "--save", tmp_path / "a.png", "--json")
    assert result.status == 1 and "No space left" in result.err
    document = result.partial_document
    assert (document["correct"], document["total"]) == (10, 10)
    (error,) = document["errors"]
    assert error["image"] is None and "No space left" in error["error"]
    assert not (tmp_path / "a.png").exists()


def test_save_over_the_data_set(cli, tmp_path, images, decisions, nothing_runs):
    path = write_npz(tmp_path, images, decisions)
    assert "another name" in cli.refused("eval", path, "--save", path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, BackendError, MemoryError])
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_an_end_on_the_way(cli, tmp_path, images, decisions, interrupt_at, error, arguments):
    """What was counted until then is told: of two batches of 100, not of the third."""
    order = np.random.default_rng(3).integers(0, 10, 237)
    labels = (decisions[order] + (np.arange(237) % 3 == 0)) % 10
    path, target = write_npz(tmp_path, images[order], labels), tmp_path / "confusion.png"
    interrupt_at(2, error)
    result = cli("eval", path, "--save", target, *arguments)
    correct = int((decisions[order] == labels)[:200].sum())
    if arguments:
        document = result.partial_document
        assert (document["correct"], document["total"], document["pictures"]) == (correct, 200, 237)
        assert np.sum(document["confusion"]) == 200
        assert document["interrupted"] is (error is KeyboardInterrupt)
        assert len(document["errors"]) == (error is not KeyboardInterrupt)
    else:
        assert f"{correct / 200:.2%}" in result.out
    count = "evaluated 200 of 237 pictures"
    if error is KeyboardInterrupt:
        assert result.status == 130
        assert result.err.endswith(f"qnn: interrupted: {count}\n")
    else:
        assert result.status == 1
        assert result.err.endswith(f"qnn: {count}\n")
    assert target.exists()


@pytest.mark.parametrize("kind", ["npz", "cifar"])
def test_a_pipe(cli, tmp_path, images, decisions, piped, kind):
    if kind == "npz":
        data = write_npz(tmp_path, images, decisions).read_bytes()
    else:
        records = np.zeros((10, 3073), np.uint8)
        records[:, 0] = np.arange(10)
        data = records.tobytes()
    document = cli("eval", piped(data, "fifo"), "--json").document
    assert (document["correct"], document["total"]) == ({"npz": 10, "cifar": 1}[kind], 10)


def test_standard_input(cli, tmp_path, images, decisions, monkeypatch):
    with write_npz(tmp_path, images, decisions).open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert cli("eval", "-", "--json").document["correct"] == 10


@pytest.mark.parametrize("data", [b"", b"PK", b"text", gzip.compress(bytes(100), mtime=0)])
def test_bad_pipes(cli, piped, data):
    path = piped(data, "fifo")
    result = cli("eval", path, "--json")
    assert (result.status, result.out) == (2, "")
    assert str(path) in result.err and result.err.count("\n") == 1


@pytest.mark.skipif(not FASHION.is_dir(), reason="package dataset-fashion-mnist is not installed")
def test_the_shipped_model_knows_its_data_set(cli, tmp_path):
    """The first 300 test pictures; `make accuracy` measures all of them."""
    data = dataset.read(FASHION)
    path = write_npz(tmp_path, data.images[:300], data.labels[:300])
    document = cli("eval", path, "--json").document
    assert document["total"] == 300
    assert document["correct"] >= 240


@pytest.fixture
def folders(samples, tmp_path) -> Path:
    """The sample pictures, each as three files of other sizes, in folders of their classes."""
    names = load().network.classes
    for number, path in enumerate(samples):
        folder = tmp_path / "pictures" / names[number].lower()
        folder.mkdir(parents=True)
        with Image.open(path) as image:
            for side in (28, 56, 83):
                image.resize((side, side)).convert("RGB").save(folder / f"{side}.png")
    return tmp_path / "pictures"


def said(folder: Path) -> dict[str, list[int]]:
    """What the shipped model says of each picture, all classes from the best on."""
    with load() as model:
        return {
            str(path): [one.index for one in model.classify(path, 10).classes]
            for path in sorted(folder.rglob("*.png"))
        }


@pytest.mark.parametrize("table", [False, True])
def test_pictures_of_any_size_in_folders(cli, folders, tmp_path, table):
    names = load().network.classes
    label_of = {name.lower(): number for number, name in enumerate(names)}
    expected, counts = said(folders), np.zeros((10, 10), int)
    labels = {path: label_of[Path(path).parent.name] for path in expected}
    source = folders
    if table:  # every picture is of the class behind its own
        labels = {path: (label + 1) % 10 for path, label in labels.items()}
        source = tmp_path / "labels.csv"
        lines = [f"{os.path.relpath(path, tmp_path)},{names[n]}" for path, n in labels.items()]
        source.write_text("\n".join(["file,class", *lines]))
    wrong = tmp_path / "wrong.csv"
    result = cli("eval", source, "--wrong", wrong, "--json")
    assert result.err == f"wrote {wrong}\n"
    document = result.document
    for path, order in expected.items():
        counts[labels[path], order[0]] += 1
    assert document["confusion"] == counts.tolist()
    assert (document["correct"], document["total"]) == (counts.trace(), 30)
    assert document["top5"] == sum(labels[path] in order[:5] for path, order in expected.items())
    heading, *rows = csv.reader(wrong.read_text().splitlines())
    assert heading == ["image", "label", "decision", "probability", "rank"]
    paths = {os.path.abspath(row[0]): row for row in rows}
    assert list(paths) == [path for path, order in expected.items() if order[0] != labels[path]]
    assert len(rows) == 30 - document["correct"] > 0
    for path, (_, label, decision, probability, rank) in paths.items():
        order = expected[path]
        assert (label, decision) == (names[labels[path]], names[order[0]])
        assert int(rank) == 1 + order.index(labels[path]) and 0 < float(probability) <= 1


def test_text_of_folders(cli, folders):
    result = cli("eval", folders)
    assert (result.status, result.err) == (0, "")
    rows = [line.rsplit(None, 3) for line in result.out.splitlines()[1:13]]
    assert [row[0] for row in rows][-2:] == ["all", "among the top 5"]
    assert all(row[2] == "3" for row in rows[:10]) and rows[10][2] == rows[11][2] == "30"


def test_wrong_ones_of_a_data_set_are_numbered(cli, tmp_path, images, decisions):
    labels = decisions.copy()
    labels[[2, 7]] = (labels[[2, 7]] + 1) % 10
    path, wrong = write_npz(tmp_path, images, labels), tmp_path / "wrong.csv"
    assert cli("eval", path, "--wrong", wrong).status == 0
    assert [line.split(",")[0] for line in wrong.read_text().splitlines()] == ["image", "2", "7"]


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_pictures_that_cannot_be_read_are_named_and_counted(cli, folders, tmp_path, arguments):
    (folders / "bag" / "0.png").write_text("no picture")
    (folders / "sandal" / "56.png").unlink()
    (folders / "sandal" / "56.png").symlink_to("nothing")
    wrong = tmp_path / "wrong.csv"
    result = cli("eval", folders, "--wrong", wrong, *arguments)
    assert result.status == 1
    first, second, *rest = result.err.splitlines()
    assert first.startswith(f"qnn: {folders}/bag/0.png is not a picture")
    assert str(folders / "sandal" / "56.png") in second
    assert rest == [f"wrote {wrong}", "qnn: evaluated 29 of 31 pictures"]
    if arguments:
        document = result.partial_document
        assert (document["total"], document["pictures"]) == (29, 31)
        assert [Path(error["image"]).name for error in document["errors"]] == ["0.png", "56.png"]


def test_no_picture_that_can_be_read(cli, tmp_path):
    (tmp_path / "pictures" / "bag").mkdir(parents=True)
    (tmp_path / "pictures" / "bag" / "0.png").write_text("no picture")
    result = cli("eval", tmp_path / "pictures", "--save", tmp_path / "a.png")
    assert (result.status, result.out) == (2, "") and "is not a picture" in result.err
    assert not (tmp_path / "a.png").exists()


def test_what_is_read_is_not_written(cli, folders, nothing_runs):
    for option in ("--wrong", "--save"):
        path = folders / "bag" / "28.png"
        assert "is to be read" in cli.refused("eval", folders, option, path)
    both = folders / "new"
    assert "another" in cli.refused("eval", folders, "--save", both, "--wrong", both)


def test_a_folder_of_no_class(cli, folders, detector, nothing_runs):
    assert "detects" in cli.refused("eval", folders, "--model", detector)
    (folders / "bag").rename(folders / "luggage")
    assert "'luggage' is no class" in cli.refused("eval", folders)


def missing(folder):
    return folder / "none"


def empty_directory(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def picture(folder):
    Image.new("L", (28, 28)).save(folder / "a.png")
    return folder / "a.png"


def no_labels_beside(folder):
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((2, 28, 28))))
    return folder


def short_idx(folder):
    path = write_idx_file(folder, np.zeros((2, 28, 28)), np.zeros(2))
    path.write_bytes(path.read_bytes()[:-1])
    return path


def short_gzip(folder):
    write_gzipped_idx_directory(folder, np.zeros((2, 28, 28)), np.zeros(2))
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    return folder


def swapped_idx(folder):
    write_idx_directory(folder, np.zeros((2, 28, 28)), np.zeros(2))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros((2, 28, 28))))
    return folder


def other_counts(folder):
    return write_npz(folder, np.zeros((3, 28, 28), np.uint8), np.zeros(2, int))


def no_pictures(folder):
    return write_npz(folder, np.zeros((0, 28, 28), np.uint8), np.zeros(0, int))


def float_pictures(folder):
    return write_npz(folder, np.zeros((2, 28, 28)), np.zeros(2, int))


def float_labels(folder):
    return write_npz(folder, np.zeros((2, 28, 28), np.uint8), np.zeros(2))


def four_colours(folder):
    return write_npz(folder, np.zeros((2, 28, 28, 4), np.uint8), np.zeros(2, int))


def flat_pictures(folder):
    return write_npz(folder, np.zeros((2, 784), np.uint8), np.zeros(2, int))


def label_of_no_class(folder):
    return write_npz(folder, np.zeros((2, 28, 28), np.uint8), np.array([0, 10]))


def negative_label(folder):
    return write_npz(folder, np.zeros((2, 28, 28), np.uint8), np.array([0, -1]))


def huge_label(folder):
    return write_npz(folder, np.zeros((1, 28, 28), np.uint8), np.array([2**64 - 1], np.uint64))


def without_labels(folder):
    np.savez(folder / "a.npz", images=np.zeros((2, 28, 28), np.uint8))
    return folder / "a.npz"


def objects(folder):
    return write_npz(folder, np.array([{}, {}]), np.zeros(2, int))


def short_npz(folder):
    path = write_npz(folder, np.ones((2, 28, 28), np.uint8), np.zeros(2, int))
    path.write_bytes(path.read_bytes()[:-50])
    return path


def npy_called_npz(folder):
    np.save(folder / "a.npy", np.zeros((2, 28, 28), np.uint8))
    return (folder / "a.npy").rename(folder / "a.npz")


def text_called_npz(folder):
    (folder / "a.npz").write_text("images")
    return folder / "a.npz"


def empty_npz(folder):
    (folder / "a.npz").write_bytes(b"")
    return folder / "a.npz"


def odd_cifar(folder):
    (folder / "a.bin").write_bytes(bytes(3072))
    return folder / "a.bin"


def empty_cifar(folder):
    (folder / "a.bin").write_bytes(b"")
    return folder / "a.bin"


@pytest.mark.parametrize(
    "write",
    [
        missing,
        empty_directory,
        picture,
        no_labels_beside,
        short_idx,
        short_gzip,
        swapped_idx,
        other_counts,
        no_pictures,
        float_pictures,
        float_labels,
        four_colours,
        flat_pictures,
        label_of_no_class,
        negative_label,
        huge_label,
        without_labels,
        objects,
        short_npz,
        npy_called_npz,
        text_called_npz,
        empty_npz,
        odd_cifar,
        empty_cifar,
    ],
)
def test_bad_data_sets(cli, tmp_path, write):
    path = write(tmp_path)
    cli.refused("eval", path, "--json", "--save", tmp_path / "confusion.png")


@pytest.mark.parametrize("labels", [[10], [-1]])
def test_labels_of_no_class_are_known_before_anything_runs(
    cli, tmp_path, images, labels, nothing_runs
):
    assert "labels" in cli.refused("eval", write_npz(tmp_path, images[:1], labels))


def test_bad_models(cli, tmp_path, images, decisions, detector, damaged):
    path = write_npz(tmp_path, images, decisions)
    assert "detects" in cli.refused("eval", path, "--model", detector)
    assert "'nothing'" in cli.refused("eval", path, "--model", "nothing")
    assert "'nothing'" in cli.refused("eval", path, "--backend", "nothing")
    cli.refused("eval", path, "--model", damaged("altered tensors"))


def test_a_model_without_last_layers(cli, tmp_path, images, decisions, tiny_dorefanet):
    (tiny_dorefanet.parent / "dorefanet-fc-normalized.npy").unlink()
    cli("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    path = write_npz(tmp_path, images, decisions)
    assert "dorefanet-fc-normalized.npy" in cli.refused("eval", path, "--model", "tiny")
