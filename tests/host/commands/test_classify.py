# SPDX-License-Identifier: BSD-3-Clause
"""qnn classify: what it prints, what it draws, which pictures it refuses."""

import contextlib
import errno
import json
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qnn.errors import BackendError, PictureError
from qnn.model import Model, load
from qnn.pictures import ahead, pipe
from qnn.pictures.picture import Picture
from qnn.store import library

STAGES = {"decode", "first_layer", "offload", "last_layers"}


@pytest.fixture
def sample(samples) -> Path:
    return samples[0]


def classes_of(cli, path, *options) -> list:
    (result,) = cli("classify", path, "--json", *options).document["results"]
    return result["classes"]


def test_json(cli, samples):
    result = cli("classify", *samples[:3], "--json", "--top", "4")
    assert result.err == ""
    document = result.document
    assert [one["image"] for one in document["results"]] == [str(path) for path in samples[:3]]
    names = load("fashion-cnv").network.classes
    for one in document["results"]:
        assert set(one) == {"image", "classes", "times_us"}
        assert len(one["classes"]) == 4
        for entry in one["classes"]:
            assert set(entry) == {"index", "name", "probability"}
            assert type(entry["index"]) is int and entry["name"] == names[entry["index"]]
            assert type(entry["probability"]) is float
        probabilities = [entry["probability"] for entry in one["classes"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert min(probabilities) >= 0 and sum(probabilities) <= 1 + 1e-9
        assert len({entry["index"] for entry in one["classes"]}) == 4
        assert set(one["times_us"]) == STAGES
        assert all(type(time) is int and time >= 0 for time in one["times_us"].values())


def test_json_of_each_picture_is_that_of_the_programming_interface(cli, samples):
    document = cli("classify", *samples, "--json").document
    with load() as model:
        for path, one in zip(samples, document["results"], strict=True):
            expected = [
                {"index": c.index, "name": c.name, "probability": c.probability}
                for c in model.classify(path).classes
            ]
            assert one["classes"] == expected


def test_all_classes(cli, sample):
    entries = classes_of(cli, sample, "--top", "100")
    assert sorted(entry["index"] for entry in entries) == list(range(10))
    assert sum(entry["probability"] for entry in entries) == pytest.approx(1)


def test_text(cli, samples):
    result = cli("classify", *samples[:2], "--top", "2")
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == str(samples[0]) and lines[3] == str(samples[1])
    for line, entry in zip(lines[1:3], classes_of(cli, samples[0], "--top", "2"), strict=True):
        percent, name = line.split(maxsplit=1)
        assert percent == f"{entry['probability']:.2%}" and name == entry["name"]
    table = {line.split()[0]: line for line in lines[6:] if line}
    assert {"stage", "all", *STAGES} <= set(table)
    assert "ms" in table["stage"] and "mean of 2 pictures" in table["all"]
    assert "model fashion-cnv on cpu" in result.out


@pytest.mark.parametrize("backend", ["cpu", "golden"])
def test_backends_agree(cli, sample, backend):
    document = cli("classify", sample, "--backend", backend, "--json").document
    assert document["backend"] == backend
    assert document["results"][0]["classes"] == classes_of(cli, sample)


def test_save(cli, samples, tmp_path):
    target = tmp_path / "sheet.png"
    target.write_bytes(b"what was there before")
    result = cli("classify", *samples, "--save", target, "--json")
    assert len(result.document["results"]) == 10
    assert str(target) in result.err
    with Image.open(target) as image:
        assert image.format == "PNG"
        assert len(np.unique(np.asarray(image))) > 50
    assert list(tmp_path.iterdir()) == [target]


def test_save_is_a_png_whatever_its_name(cli, sample, tmp_path):
    assert cli("classify", sample, "--save", tmp_path / "sheet.jpg").status == 0
    with Image.open(tmp_path / "sheet.jpg") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    "name",
    ["none/a.png", "file/a.png", "folder", pytest.param("x" * 300, id="long"), "", ".", "/"],
)
def test_save_where_nothing_can_be_written(cli, sample, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"a file")
    (tmp_path / "folder").mkdir()
    cli.refused("classify", sample, "--save", name)


def test_save_without_permission(cli, sample, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("permissions do not bind this user")
    assert "ermission" in cli.refused("classify", sample, "--save", folder / "a.png")


@pytest.mark.parametrize("name", ["none/a.png", "folder", "x" * 300, "/proc/a.png"])
def test_where_nothing_can_be_written_is_known_before_anything_runs(
    cli, sample, tmp_path, name, monkeypatch, nothing_runs
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert name in cli.refused("classify", sample, "--save", name)


@pytest.mark.parametrize("link", [None, "symbolic"])
def test_save_over_a_picture_that_is_read(cli, samples, tmp_path, link, nothing_runs):
    mine = tmp_path / "mine.png"
    mine.write_bytes(samples[0].read_bytes())
    target = mine
    if link:
        target = tmp_path / "link.png"
        target.symlink_to(mine)
    message = cli.refused("classify", samples[1], mine, "--save", target)
    assert str(target) in message and "another name" in message


def test_save_with_the_longest_name(cli, sample, tmp_path):
    target = tmp_path / f"{'x' * 251}.png"
    assert cli("classify", sample, "--save", target).status == 0
    assert list(tmp_path.iterdir()) == [target]


def test_save_on_a_full_disk(cli, sample, tmp_path, monkeypatch):
    def save(image, path, **_):
        path.write_bytes(b"\x89PNG")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a.png").write_bytes(b"what was there before")
    expected = classes_of(cli, sample)
    monkeypatch.setattr(Image.Image, "save", save)
    result = cli("classify", sample, "--save", tmp_path / "a.png", "--json")
    assert (result.status, result.err.count("\n")) == (1, 1)
    assert "a.png" in result.err and "No space left on device" in result.err
    document = result.partial_document
    assert [one["classes"] for one in document["results"]] == [expected]
    (error,) = document["errors"]
    assert error["image"] is None and f"qnn: {error['error']}\n" == result.err
    assert (tmp_path / "a.png").read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


# Pictures of one kind, drawn from a sample.

EXACT = {
    "grey 8 bit.png": lambda grey: grey,
    "grey 16 bit.png": lambda grey: Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
    "rgb.png": lambda grey: grey.convert("RGB"),
    "rgb.bmp": lambda grey: grey.convert("RGB"),
    "rgba.png": lambda grey: grey.convert("RGBA"),
    "palette.png": lambda grey: grey.convert("P"),
    "palette.gif": lambda grey: grey.convert("P"),
    "grey and alpha.png": lambda grey: grey.convert("LA"),
    "cmyk.tif": lambda grey: grey.convert("CMYK"),
    "grey.pgm": lambda grey: grey,
}


@pytest.mark.parametrize("name", EXACT)
def test_a_picture_says_the_same_in_every_kind(cli, sample, tmp_path, name):
    with Image.open(sample) as grey:
        EXACT[name](grey).save(tmp_path / name)
    assert classes_of(cli, tmp_path / name) == classes_of(cli, sample)


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGB"])
def test_jpeg(cli, samples, tmp_path, mode):
    """JPEG loses a little, so only the best class of a distinct picture has to stay."""
    trouser = next(path for path in samples if path.stem == "trouser")
    with Image.open(trouser) as grey:
        grey.convert(mode).save(tmp_path / "a.jpg", quality=98)
    assert classes_of(cli, tmp_path / "a.jpg", "--top", "1")[0]["name"] == "Trouser"


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and ends before its pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def write_bad_picture(path: Path, sample: Path) -> None:
    kind = path.stem
    if kind == "directory":
        path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no picture\n" * 100)
    elif kind == "truncated":
        with Image.open(sample) as image:
            image.convert("RGB").resize((300, 300)).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "animated":
        frames = [Image.new("L", (28, 28), shade) for shade in (0, 100, 200)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    elif kind == "huge":
        path.write_bytes(png_header(10_000, 10_000))
    elif kind == "enormous":
        path.write_bytes(png_header(2**31 - 1, 2**31 - 1))
    elif kind == "float":
        Image.fromarray(np.zeros((28, 28), np.float32)).save(path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        assert kind == "missing"


BAD = (
    "missing.png",
    "directory.png",
    "empty.png",
    "text.png",
    "text.jpg",
    "truncated.png",
    "truncated.jpg",
    "truncated.gif",
    "animated.gif",
    "animated.png",
    "animated.tif",
    "animated.webp",
    "huge.png",
    "enormous.png",
    "float.tif",
    "pipe.png",
)


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures(cli, samples, tmp_path, name, monkeypatch):
    monkeypatch.setattr(pipe, "WRITER_S", 0.1)  # of "pipe.png", which nobody writes to
    path, target = tmp_path / name, tmp_path / "sheet.png"
    write_bad_picture(path, samples[0])
    message = cli.refused("classify", path)
    assert str(path) in message
    # One bad picture among good ones: it is named, and the others are classified and drawn.
    result = cli("classify", samples[0], path, samples[1], "--json", "--save", target)
    assert result.status == 1
    assert result.err.splitlines() == [
        message,
        f"wrote {target}",
        "qnn: classified 2 of 3 pictures",
    ]
    document = result.partial_document
    assert [one["image"] for one in document["results"]] == [str(one) for one in samples[:2]]
    for one in document["results"]:
        assert one["classes"] == classes_of(cli, one["image"])
    assert document["pictures"] == 3
    assert document["errors"] == [{"image": str(path), "error": message.removeprefix("qnn: ")}]
    assert document["interrupted"] is False
    with Image.open(target) as drawn:
        wanted = cli("classify", *samples[:2], "--json", "--save", tmp_path / "other.png")
        assert wanted.status == 0
        with Image.open(tmp_path / "other.png") as other:
            assert np.array_equal(np.asarray(drawn), np.asarray(other))


def test_bad_pictures_in_text(cli, samples, tmp_path):
    (tmp_path / "cut.png").write_bytes(samples[0].read_bytes()[:200])
    result = cli("classify", tmp_path / "none.png", samples[0], tmp_path / "cut.png", samples[1])
    assert result.status == 1
    names = [line for line in result.out.splitlines() if line.endswith(".png")]
    assert names == [str(path) for path in samples[:2]]
    assert "mean of 2 pictures" in result.out
    none, cut, count = result.err.splitlines()
    assert str(tmp_path / "none.png") in none and str(tmp_path / "cut.png") in cut
    assert count == "qnn: classified 2 of 4 pictures"


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_none_but_bad_pictures(cli, sample, tmp_path, arguments, nothing_runs):
    """A file that is missing is known before anything runs."""
    paths = [tmp_path / "none.png", tmp_path, tmp_path / ("x" * 300), "/dev/null"]
    result = cli("classify", *paths, "--save", tmp_path / "sheet.png", *arguments)
    assert result.status == 2
    *messages, count = result.err.splitlines()
    assert count == "qnn: classified 0 of 4 pictures"
    for path, message in zip(paths, messages, strict=True):
        assert str(path) in message
    if arguments:
        document = result.partial_document
        assert document["results"] == [] and document["backend"] is None
        assert [one["image"] for one in document["errors"]] == [str(path) for path in paths]
    else:
        assert result.out == ""
    assert list(tmp_path.iterdir()) == []


def test_several_files_are_opened_ahead_and_pipes_are_not(cli, samples, piped, monkeypatch):
    given, classify_all = [], Model.classify_all

    def noting(self, pictures, top, skip, ahead):
        given.append(ahead)
        return classify_all(self, pictures, top, skip, ahead)

    monkeypatch.setattr(Model, "classify_all", noting)
    monkeypatch.setattr(ahead, "free_bytes", lambda: 8 * 5 * 4 * 28 * 28)  # five pictures
    assert cli("classify", samples[0]).status == 0
    assert cli("classify", *samples[:3]).status == 0
    pipe = piped(samples[0].read_bytes(), "pipe")
    assert cli("classify", *samples[:3], pipe).status == 0
    assert cli("classify", *samples[:3], "--backend", "golden").status == 0
    assert given == [0, 7, 0, 5]  # on the CPU eight small ones run together


def test_damaged_ones_between_others_of_the_same_name(cli, samples, tmp_path):
    bad, target = tmp_path / "bad.png", tmp_path / "sheet.png"
    bad.write_bytes(b"no picture")
    names = [samples[0], bad, samples[0], samples[1], bad, bad, samples[1]]
    result = cli("classify", *names, "--save", target, "--json")
    assert result.status == 1 and target.exists()
    document = result.partial_document
    images = [one["image"] for one in document["results"]]
    assert images == [str(samples[i]) for i in (0, 0, 1, 1)]
    assert [one["image"] for one in document["errors"]] == [str(bad)] * 3


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_ctrl_c_in_a_long_list(cli, samples, tmp_path, interrupt_at, arguments):
    expected = [classes_of(cli, path) for path in samples[:8]]
    interrupt_at(1)
    target = tmp_path / "sheet.png"
    result = cli("classify", *samples, "--save", target, *arguments)
    assert result.status == 130
    assert result.err.splitlines()[-1] == "qnn: interrupted: classified 8 of 10 pictures"
    if arguments:
        document = result.partial_document
        assert document["interrupted"] is True and document["errors"] == []
        assert [one["classes"] for one in document["results"]] == expected
    else:
        assert [line for line in result.out.splitlines() if line.endswith(".png")] == [
            str(path) for path in samples[:8]
        ]
    assert target.exists()


def test_ctrl_c_before_the_first_result(cli, samples, interrupt_at):
    interrupt_at(0)
    result = cli("classify", *samples, "--json")
    assert (result.status, result.out, result.err) == (130, "", "qnn: interrupted\n")


def test_a_backend_that_fails_on_the_way(cli, samples, interrupt_at):
    interrupt_at(1, BackendError)
    result = cli("classify", *samples, "--json")
    assert result.status == 1
    assert result.err == "qnn: it stopped\nqnn: classified 8 of 10 pictures\n"
    document = result.partial_document
    assert len(document["results"]) == 8
    assert document["errors"] == [{"image": None, "error": "it stopped"}]


def test_a_backend_that_fails_at_once(cli, sample, interrupt_at):
    interrupt_at(0, BackendError)
    assert cli.refused("classify", sample, "--json") == "qnn: it stopped"


@pytest.mark.parametrize("error", [PictureError, MemoryError])
def test_a_picture_that_can_be_read_once_only(cli, samples, tmp_path, monkeypatch, error):
    """It is classified, but not drawn."""
    monkeypatch.setattr(Picture, "rgb", raising_for(samples[0], Picture.rgb, error))
    result = cli("classify", *samples[:2], "--json", "--save", tmp_path / "sheet.png")
    assert result.status == 1
    document = result.partial_document
    assert len(document["results"]) == 2
    assert [one["image"] for one in document["errors"]] == [str(samples[0])]
    assert (tmp_path / "sheet.png").exists()


def raising_for(path, method, error):
    def replaced(self):
        if self.name == str(path):
            raise error("it has gone")
        return method(self)

    return replaced


def opened_for_writing(fifo, process) -> int:
    """Its descriptor, once the process reads it; fails where the process ends before."""
    while True:
        with contextlib.suppress(OSError):
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        assert process.poll() is None
        time.sleep(0.01)


def test_results_come_one_by_one(sample, tmp_path):
    """The first is there while the second picture is not."""
    second = tmp_path / "second"
    os.mkfifo(second)
    command = [Path(sys.executable).with_name("qnn"), "classify", sample, second, "--top", "1"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        first = [process.stdout.readline() for _ in range(2)]
        with open(opened_for_writing(second, process), "wb") as writer:
            writer.write(sample.read_bytes())
        rest = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert first == [f"{sample}\n", f"{rest[1]}\n"] and rest[0] == str(second)


# Pictures that come through pipes.


@pytest.mark.parametrize("kind", ["png", "jpg", "idx"])
def test_a_fifo(cli, sample, tmp_path, piped, kind):
    file = tmp_path / f"file.{kind}"
    with Image.open(sample) as image:
        if kind == "idx":
            file.write_bytes(b"\0\0\x08\x03\0\0\0\1\0\0\0\x1c\0\0\0\x1c" + image.tobytes())
        else:
            image.save(file)
    fifo = piped(file.read_bytes(), "fifo")
    arguments = ("--json", "--save", tmp_path / "sheet.png")
    (result,) = cli("classify", fifo, *arguments).document["results"]
    assert result["image"] == str(fifo)
    assert result["classes"] == classes_of(cli, file)
    assert (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_standard_input(sample, cli, name):
    for options in ({"input": sample.read_bytes()}, {"stdin": sample.open("rb")}):
        command = [Path(sys.executable).with_name("qnn"), "classify", name, "--json"]
        done = subprocess.run(command, capture_output=True, **options)
        assert (done.returncode, done.stderr) == (0, b"")
        (result,) = json.loads(done.stdout)["results"]
        assert result["image"] == name
        assert result["classes"] == classes_of(cli, sample)


def test_bad_pipes_among_pictures(cli, sample, piped):
    """Each is named by its name; they are read only once, so a pipe named twice is empty then."""
    cut, text = piped(sample.read_bytes()[:200], "cut"), piped(b"no picture", "text")
    with open("/dev/null") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", stream)
        result = cli("classify", cut, sample, text, "-", "--json")
    assert result.status == 1
    document = result.partial_document
    assert [one["image"] for one in document["results"]] == [str(sample)]
    errors = {one["image"]: one["error"] for one in document["errors"]}
    assert list(errors) == [str(cut), str(text), "-"]
    assert str(cut) in errors[str(cut)] and "truncated" in errors[str(cut)]
    assert str(text) in errors[str(text)] and "not a picture" in errors[str(text)]
    assert "nothing came through standard input" in errors["-"]


def test_unknown_model(cli, sample, tmp_path):
    message = cli.refused("classify", sample, "--model", "nothing")
    assert "'nothing'" in message and "fashion-cnv" in message
    message = cli.refused("classify", sample, "--model", tmp_path / "nothing")
    assert str(tmp_path / "nothing") in message
    message = cli.refused("classify", sample, "--model", tmp_path)
    assert "network.json" in message


@pytest.mark.parametrize("name", ["", ".", "..", "../models", "a/b", "~"])
def test_names_that_are_none(cli, sample, name):
    cli.refused("classify", sample, "--model", name)


def test_a_model_that_is_not_installed(cli, sample):
    message = cli.refused("classify", sample, "--model", "cnv-w1a1")
    assert "qnn params fetch cnv-w1a1" in message


def test_a_directory_as_model(cli, sample):
    directory = library.shipped_directory() / "fashion-cnv"
    assert classes_of(cli, sample, "--model", directory) == classes_of(cli, sample)


def test_unknown_backend(cli, sample):
    message = cli.refused("classify", sample, "--backend", "nothing")
    assert "'nothing'" in message and "cpu" in message


def test_a_damaged_model(cli, sample, damaged_model):
    message = cli.refused("classify", sample, "--model", damaged_model)
    assert "network.json" in message or "tensors.npz" in message or "layer" in message


def test_a_model_that_detects(cli, sample, detector):
    assert "detect" in cli.refused("classify", sample, "--model", detector)


def test_an_incomplete_model_says_what_is_missing(cli, sample, tiny_dorefanet):
    folder = tiny_dorefanet.parent
    (folder / "dorefanet-fc-normalized.npy").unlink()
    assert cli("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny").status == 0
    message = cli.refused("classify", sample, "--model", "tiny")
    assert "dorefanet-fc-normalized.npy" in message and "qnn params fetch dorefanet" in message


def test_class_names_beyond_ascii(cli, sample, tmp_path):
    """--json is one JSON object whatever the names are."""
    source = library.shipped_directory() / "fashion-cnv"
    folder = tmp_path / "shoes"
    folder.mkdir()
    (folder / "tensors.npz").write_bytes((source / "tensors.npz").read_bytes())
    document = json.loads((source / "network.json").read_text(encoding="utf-8"))
    document["classes"] = [f'{name} "é\n鞋"' for name in document["classes"]]
    (folder / "network.json").write_text(json.dumps(document), encoding="utf-8")
    entries = classes_of(cli, sample, "--model", folder, "--save", tmp_path / "a.png")
    expected = classes_of(cli, sample)
    assert [e["name"] for e in entries] == [f'{e["name"]} "é\n鞋"' for e in expected]


def test_on_the_simulated_accelerator(cli, samples, sim):
    arguments = ("classify", *samples[:3], "--backend", "sim", "--clock-mhz", "50")
    document = cli(*arguments, "--json").document
    assert document["backend"] == "sim"
    assert document["accelerator"] == {"clock_mhz": 50.0, "times": "modelled"}
    for path, one in zip(samples, document["results"], strict=False):
        assert one["classes"] == classes_of(cli, path)
        assert set(one["times_us"]) == {*STAGES, "packing"}
        assert one["accelerator_ms"] == pytest.approx(one["cycles"] / 50_000)
    cycles = [one["cycles"] for one in document["results"]]
    # parameters stay on chip; when the memory pauses is by chance
    assert abs(cycles[1] - cycles[2]) < 20 and max(cycles[1:]) < 0.7 * cycles[0]
    text = cli(*arguments).out
    assert "model fashion-cnv on sim" in text and "packing" in text
    assert re.search(r"accelerator 0\.\d+ ms: [\d,]+ cycles at 50 MHz, modelled", text)


@pytest.mark.parametrize("clock", ["0", "-5", "fast", "nan", "1e9"])
def test_clocks_that_are_none(cli, sample, clock):
    result = cli("classify", sample, f"--clock-mhz={clock}")
    assert (result.status, result.out) == (2, "")
    assert f"'{clock}' is not a number of MHz" in result.err
