# SPDX-License-Identifier: BSD-3-Clause
"""qnn params: networks come in whole or not at all, whatever the files and the disk do."""

import errno
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qnn import store
from qnn.commands import params, progress
from qnn.model import load
from qnn.store import library
from qnn.store.sources import SOURCES

CNV = "cnv-w1a1"
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def installed_files(home: Path) -> list[str]:
    """Everything below a home but its base directory."""
    found = (path.relative_to(home).as_posix() for path in home.rglob("*"))
    return sorted(set(found) - {"models"})


TINY = ["conv0", "conv1", "conv2", "fc0", "fc1", "fct"]


def import_tiny(cli, path: Path, name: str = "tiny"):
    return cli("params", "import", "qnn-mo", path, "--name", name)


# fetch


@pytest.mark.parametrize("name", SOURCES)
def test_fetched_models_run(cli, reference, home, name, samples):
    result = cli("params", "fetch", name, "--mirror", reference)
    assert (result.status, result.err) == (0, "")
    assert str(home / "models" / name) in result.out
    entries = {e["name"]: e for e in cli("models", "--json").document["models"]}
    assert entries[name]["state"] == "installed"
    assert entries[name]["title"] == SOURCES[name].title
    originals = home / "models" / name / "originals"
    assert {p.relative_to(originals).as_posix() for p in originals.rglob("*") if p.is_file()} == {
        file.path for file in SOURCES[name].files()
    } - set(SOURCES[name].optional)

    information = cli("params", "info", name, "--json").document
    assert information["name"] == name and information["licence"] == "BSD-3-Clause"
    assert SOURCES[name].commit in information["source"]
    if name == "dorefanet":
        lacks = "dorefanet-fc-normalized.npy.bz2"
        assert lacks in result.out and "qnn params fetch dorefanet" in result.out
        for message in (
            cli.refused("classify", samples[0], "--model", name),
            *information["missing"],
        ):
            assert lacks in message and "qnn params fetch dorefanet" in message
        with load(name) as model:
            pictures = np.zeros((1, 224, 224, 3), np.float32)
            assert model.run(pictures).shape == (1, 6, 6, 256)
        return
    assert information["missing"] == entries[name]["missing"] == []
    command = "detect" if name == "tinier-yolo" else "classify"
    (one,) = cli(command, samples[0], "--model", name, "--json").document["results"]
    if command == "classify":
        assert len(one["classes"]) == 5 and one["classes"][0]["probability"] > 0


def test_fetching_again_replaces(cli, reference, home):
    fetch = ("params", "fetch", CNV, "--mirror", reference)
    assert cli(*fetch).status == 0
    before = installed_files(home)
    (home / "models" / CNV / "tensors.npz").write_bytes(b"damaged")
    (home / "models" / CNV / "stray").write_bytes(b"")
    (home / "models" / CNV / "originals" / "stray").write_bytes(b"")
    assert cli(*fetch).status == 0
    assert installed_files(home) == before
    assert len(load(CNV).network.layers) == 10


def test_fetch_of_something_unknown(cli, home):
    message = cli.refused("params", "fetch", "nothing")
    assert "'nothing'" in message and CNV in message
    assert not home.exists()


def test_a_mirror_that_is_none(cli, tmp_path):
    for mirror in (tmp_path, tmp_path / "none"):
        assert str(mirror) in cli.refused("params", "fetch", CNV, "--mirror", mirror)


@pytest.fixture
def mirror(reference, tmp_path) -> Path:
    """A copy of the files of one network, to be tampered with."""
    repository = reference / "bnn-pynq"
    if not repository.is_dir():
        repository = reference
    copy = tmp_path / "mirror" / "bnn-pynq"
    for file in SOURCES[CNV].files():
        (copy / file.path).parent.mkdir(parents=True, exist_ok=True)
        (copy / file.path).symlink_to(repository / file.path)
    return copy


def tamper(mirror: Path, change) -> Path:
    """Replaces the link to one file by a changed copy of the file."""
    path = mirror / SOURCES[CNV].root / "3-7-weights.bin"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(change(data))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        lambda data: data[:-8],
        lambda data: data + b"\0",
        lambda data: b"",
    ],
    ids=["altered", "short", "long", "empty"],
)
def test_a_tampered_mirror(cli, mirror, home, change):
    tamper(mirror, change)
    message = cli.refused("params", "fetch", CNV, "--mirror", mirror)
    assert "3-7-weights.bin" in message
    assert installed_files(home) == []


def test_a_tampered_mirror_does_not_touch_what_is_installed(cli, mirror):
    assert cli("params", "fetch", CNV, "--mirror", mirror).status == 0
    tamper(mirror, lambda data: data[::-1])
    cli.refused("params", "fetch", CNV, "--mirror", mirror)  # files stay as they were
    assert len(load(CNV).network.layers) == 10


def test_a_mirror_that_lacks_a_file(cli, mirror, home):
    (mirror / SOURCES[CNV].root / "3-7-weights.bin").unlink()
    assert "3-7-weights.bin" in cli.refused("params", "fetch", CNV, "--mirror", mirror)
    assert installed_files(home) == []


@pytest.mark.parametrize("done", [0.01, 0.5, 1])
def test_an_interrupted_fetch(cli, mirror, home, monkeypatch, done):
    def update(_, now, total):
        if now >= done * total:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Bar, "update", update)
    message = cli.refused("params", "fetch", CNV, "--mirror", mirror, status=130)
    assert message == "qnn: interrupted"
    assert installed_files(home) == []


class Steps:
    """Counts what changes the tree of files; lets one step fail as on a full disk."""

    def __init__(self, monkeypatch) -> None:
        self.count, self.fatal = 0, -1
        monkeypatch.setattr(Path, "rename", self._counted(Path.rename))
        monkeypatch.setattr(Path, "replace", self._counted(Path.replace))
        monkeypatch.setattr(store, "save", self._counted(store.save))
        monkeypatch.setattr(os, "mkdir", self._counted(os.mkdir, skip=os.path.isdir))

    def _counted(self, function, skip=lambda _: False):
        def call(*arguments, **options):
            if not skip(arguments[0]):
                self.count += 1
                if self.count - 1 == self.fatal:
                    raise FULL
            return function(*arguments, **options)

        return call

    def start(self, fatal: int = -1) -> None:
        self.count, self.fatal = 0, fatal


def assert_whole_or_not_at_all(cli, steps: Steps, home: Path, before: str, *command) -> None:
    """A command that installs is refused if any of its steps fails, and changes no file then."""
    for _ in range(1 if before == "nothing" else 2):
        steps.start()
        assert cli(*command).status == 0
    total = steps.count
    assert total >= 3
    # Fetching moves hundreds of files into place; one of these moves stands for all.
    for fatal in sorted({0, total // 2, *range(max(total - 5, 0), total)}):
        if before == "nothing":
            shutil.rmtree(home, ignore_errors=True)
        steps.start(fatal)
        assert "No space left on device" in cli.refused(*command), f"step {fatal} of {total}"
        steps.start()
        if before == "nothing":
            assert installed_files(home) == []
        else:
            assert store.load(library.models_directory() / command[-1]).layers
    assert cli(*command).status == 0


@pytest.mark.parametrize("before", ["nothing", "the model"])
def test_a_fetch_on_a_full_disk_at_any_step(cli, mirror, home, monkeypatch, before):
    command = ("params", "fetch", "--mirror", mirror, CNV)
    assert_whole_or_not_at_all(cli, Steps(monkeypatch), home, before, *command)


@pytest.mark.parametrize("before", ["nothing", "the model"])
def test_an_import_on_a_full_disk_at_any_step(cli, tiny_dorefanet, home, monkeypatch, before):
    command = ("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    assert_whole_or_not_at_all(cli, Steps(monkeypatch), home, before, *command)


@pytest.mark.parametrize("limit", [0, 100, 4096, 20_000])
def test_a_disk_that_takes_no_more(tiny_dorefanet, home, limit):
    """A bound on the size of files, set for the script alone: a real failure in mid-write."""

    def bound():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [Path(sys.executable).with_name("qnn"), "params", "import", "qnn-mo", tiny_dorefanet]
    result = subprocess.run(
        [*command, "--name", "tiny"],
        capture_output=True,
        preexec_fn=bound,
        timeout=600,
    )
    message = result.stderr.decode()
    assert (result.returncode, result.stdout) == (2, b""), message
    assert message.startswith("qnn: ") and message.count("\n") == 1, message
    assert "too large" in message
    assert installed_files(home) == []


@pytest.fixture
def small_disk(home) -> Path:
    """A file system of 64 KiB, as QNN_HOME."""
    home.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    command = [mount, "-t", "tmpfs", "-o", "size=64k", "none", home]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("this system does not let a small disk be mounted")
    yield home
    subprocess.run(["umount", home], check=True)


def test_a_disk_that_is_full(cli, tiny_dorefanet, small_disk):
    message = cli.refused("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    assert "No space left" in message and str(small_disk) in message and "QNN_HOME" in message
    assert installed_files(small_disk) == []


def test_a_disk_that_fills_up_during_a_fetch(cli, reference, small_disk):
    message = cli.refused("params", "fetch", CNV, "--mirror", reference)
    assert "No space left" in message
    assert installed_files(small_disk) == []


@pytest.mark.parametrize("home_is", ["a file", "below a file", "a dangling link"])
def test_a_home_that_cannot_be(cli, tiny_dorefanet, tmp_path, monkeypatch, home_is):
    place = tmp_path / "place"
    if home_is == "a dangling link":
        place.symlink_to(tmp_path / "none" / "none")
    else:
        place.write_bytes(b"a file")
    below = place / "home" if home_is == "below a file" else place
    monkeypatch.setenv("QNN_HOME", str(below))
    message = cli.refused("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    assert str(place) in message
    message = cli.refused("params", "fetch", CNV, "--mirror", tmp_path)
    assert str(tmp_path) in message
    assert cli("models").status == 0


# import


def test_import(cli, tiny_dorefanet, home):
    result = import_tiny(cli, tiny_dorefanet)
    assert (result.status, result.err) == (0, "")
    assert str(home / "models" / "tiny") in result.out and "missing" not in result.out
    assert [layer.name for layer in load("tiny").network.layers] == TINY
    assert installed_files(home) == [
        "models/tiny",
        "models/tiny/network.json",
        "models/tiny/tensors.npz",
    ]
    (home / "models" / "tiny").chmod(0o700)
    again = import_tiny(cli, tiny_dorefanet.parent)  # its directory does as well
    assert again.out == result.out
    assert (home / "models" / "tiny").stat().st_mode & 0o777 == 0o755


def edit(path: Path, change) -> None:
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


def layer_named(description: dict, name: str) -> dict:
    return next(entry for entry in description["layers"] if entry["name"] == name)


def wrong_json(path):
    path.write_text(path.read_text()[:-20])


def wrong_encoding(path):
    path.write_bytes(b"\xff\xfe" + path.read_bytes())


def list_for_object(path):
    path.write_text("[1, 2]")


def no_layers(path):
    edit(path, lambda d: d.pop("layers"))


def deep_json(path):
    path.write_text("[" * 100_000)


def unknown_layer(path):
    edit(path, lambda d: layer_named(d, "conv2").update(func="upsample_layer"))


def no_chain(path):
    edit(path, lambda d: layer_named(d, "conv2").update(input=[9, 3, 3]))


def wrong_output(path):
    edit(path, lambda d: layer_named(d, "conv1").update(output=[4, 6, 6]))


def not_square(path):
    edit(path, lambda d: layer_named(d, "conv1").update(input=[3, 54, 55]))


def text_for_number(path):
    edit(path, lambda d: layer_named(d, "conv1").update(kernel_shape="3"))


def no_folder(path):
    edit(path, lambda d: d.update(binparam="none"))


def open_split(path):
    edit(path, lambda d: d.update(layers=d["layers"][:4]))


def short_weights(path):
    file = path.parent / "bits" / "3-17-weights.bin"
    file.write_bytes(file.read_bytes()[:-8])


def short_word(path):
    file = path.parent / "bits" / "1-0-weights.bin"
    file.write_bytes(file.read_bytes()[:-3])


def all_weights_short(path):
    for file in (path.parent / "bits").glob("3-*-weights.bin"):
        file.write_bytes(file.read_bytes()[:-8])


def short_thresholds(path):
    file = path.parent / "bits" / "2-31-thres.bin"
    file.write_bytes(b"")


def missing_weights(path):
    (path.parent / "bits" / "2-5-weights.bin").unlink()


def short_first_layer(path):
    file = path.parent / "dorefanet-conv0.npy"
    file.write_bytes(file.read_bytes()[:5000])


def other_mean(path):
    np.save(path.parent / "ilsvrc_pp_mean.npy", np.zeros((10, 10, 3), np.float32))


def infinite_weights(path):
    dense = np.load(path.parent / "dorefanet-fc-normalized.npy", allow_pickle=True).item()
    dense["fct/W"][3, 4] = np.inf
    np.save(path.parent / "dorefanet-fc-normalized.npy", dense, allow_pickle=True)


def no_key(path):
    dense = np.load(path.parent / "dorefanet-fc-normalized.npy", allow_pickle=True).item()
    del dense["fc1/bn"]
    np.save(path.parent / "dorefanet-fc-normalized.npy", dense, allow_pickle=True)


def dense_that_does_not_chain(path):
    dense = np.load(path.parent / "dorefanet-fc-normalized.npy", allow_pickle=True).item()
    dense["fc1/Wn"] = dense["fc1/Wn"][:-1]
    np.save(path.parent / "dorefanet-fc-normalized.npy", dense, allow_pickle=True)


BAD_IMPORTS = {
    wrong_json: "dorefanet-layers.json",
    wrong_encoding: "dorefanet-layers.json",
    list_for_object: "dorefanet-layers.json",
    no_layers: "layers",
    deep_json: "dorefanet-layers.json",
    unknown_layer: "layer conv2: unknown layer type 'upsample_layer'",
    no_chain: "layer conv2: it reads 3x3x9, but the layer before it gives 3x3x8",
    wrong_output: "layer conv1",
    not_square: "layer conv1",
    text_for_number: "kernel_shape",
    no_folder: "none",
    open_split: "merge",
    short_weights: "3-17-weights.bin",
    short_word: "1-0-weights.bin",
    all_weights_short: "3-0-weights.bin",
    short_thresholds: "2-31-thres.bin",
    missing_weights: "2-5-weights.bin",
    short_first_layer: "dorefanet-conv0.npy",
    other_mean: "ilsvrc_pp_mean.npy",
    infinite_weights: "fct/W",
    no_key: "fc1/bn",
    dense_that_does_not_chain: "fc1",
}


@pytest.mark.parametrize("damage", BAD_IMPORTS, ids=lambda damage: damage.__name__)
def test_bad_imports(cli, tiny_dorefanet, home, damage):
    damage(tiny_dorefanet)
    message = cli.refused("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    assert BAD_IMPORTS[damage] in message
    assert not home.exists()


@pytest.mark.parametrize("base", ["/proc/none", "file/home"])
def test_a_home_that_cannot_be_written_is_known_before_anything_is_read(
    cli, tiny_dorefanet, tmp_path, monkeypatch, base
):
    def import_network(*_):
        pytest.fail("the import began")

    (tmp_path / "file").touch()
    monkeypatch.setenv("QNN_HOME", str(tmp_path / base))
    monkeypatch.setattr(params, "import_network", import_network)
    message = cli.refused("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    assert "cannot install tiny" in message and "QNN_HOME" in message


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", ".a"])
def test_a_name_that_is_none_is_known_before_anything_is_read(cli, home, monkeypatch, name):
    monkeypatch.setattr(params, "import_network", lambda *_: pytest.fail("the import began"))
    message = cli.refused("params", "import", "qnn-mo", "none.json", "--name", name)
    assert repr(name) in message
    assert not home.exists()


class Command:
    """A pickle of it runs a shell command where it is loaded."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self):
        return os.system, (self._command,)


@pytest.mark.parametrize("name", ["dorefanet-conv0.npy", "dorefanet-fc-normalized.npy"])
def test_a_pickle_that_runs_a_command(cli, tiny_dorefanet, tmp_path, name):
    marker, file = tmp_path / "it ran", tiny_dorefanet.parent / name
    tensors = np.load(file, allow_pickle=True).item()
    np.save(file, tensors | {"extra": Command(f"touch '{marker}'")}, allow_pickle=True)
    message = cli.refused("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    assert name in message
    assert not marker.exists()
    np.load(file, allow_pickle=True).item()
    assert marker.exists()  # the trap works


def test_labels_that_run_a_command(cli, tiny_dorefanet, tmp_path):
    marker, file = tmp_path / "it ran", tiny_dorefanet.parent / "imagenet-classes.pkl"
    labels = {i: ("n0", f"class {i}") for i in range(11)} | {11: Command(f"touch '{marker}'")}
    file.write_bytes(pickle.dumps(labels, protocol=0))
    message = cli.refused("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    assert "imagenet-classes.pkl" in message
    assert not marker.exists()
    pickle.loads(file.read_bytes())
    assert marker.exists()


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../a", "Upper", "a b", "é"])
def test_names_that_no_network_may_have(cli, tiny_dorefanet, home, name):
    cli.refused("params", "import", "qnn-mo", tiny_dorefanet, "--name", name)
    assert not home.exists()


def test_import_of_what_is_none(cli, tiny_dorefanet, tmp_path):
    message = cli.refused("params", "import", "nothing", tiny_dorefanet, "--name", "a")
    assert "'nothing'" in message and "bnn-pynq" in message
    for form in ("qnn-mo", "bnn-pynq"):
        message = cli.refused("params", "import", form, tmp_path / "none", "--name", "a")
        assert str(tmp_path / "none") in message
        cli.refused("params", "import", form, tmp_path, "--name", "a")
    cli.refused("params", "import", "bnn-pynq", tiny_dorefanet, "--name", "a")
    cli.refused("params", "import", "qnn-mo", tiny_dorefanet.parent / "bits", "--name", "a")


@pytest.mark.parametrize("name", ["0-3-weights.bin", "4-2-thres.bin", "8-0-weights.bin"])
@pytest.mark.parametrize("size", ["short", "odd", "none"])
def test_truncated_files_of_bnn_pynq(cli, mirror, name, size):
    folder = mirror / SOURCES[CNV].root
    data = (folder / name).read_bytes()
    (folder / name).unlink()
    if size != "none":
        (folder / name).write_bytes(data[: len(data) // 8 if size == "short" else -3])
    message = cli.refused("params", "import", "bnn-pynq", folder, "--name", "a")
    assert name in message or (size == "none" and str(folder) in message)


# info and remove


def test_info(cli, tiny_dorefanet):
    import_tiny(cli, tiny_dorefanet)
    document = cli("params", "info", "tiny", "--json").document
    assert document["name"] == "tiny" and document["task"] == "classify"
    assert len(document["classes"]) == 12
    assert [layer["layer"] for layer in document["layers"]] == TINY
    assert document["layers"][1]["input"] == [54, 54, 6]
    assert document["layers"][1]["output"] == [3, 3, 8]
    assert document["layers"][2]["output"] == [1, 1, 40]
    kinds = ["float-convolution", "integer", "integer", "matrix", "matrix", "matrix"]
    assert [layer["kind"] for layer in document["layers"]] == kinds
    bits = [None, 2, 2, 2, 2, None]
    assert [layer["input_bits"] for layer in document["layers"]] == bits
    macs = [54 * 54 * 6 * 432, 7 * 7 * 8 * 108, 40 * 9 * 8, 40 * 24, 24 * 16, 16 * 12]
    assert [layer["macs"] for layer in document["layers"]] == macs
    assert document["macs"] == sum(macs)
    text = cli("params", "info", "tiny").out
    for part in ("tiny", "12 classes", "conv1", "conv2", "54x54x6", "3x3x8", "1x1x40"):
        assert part in text


def test_info_says_where_each_layer_runs_and_why(cli, tiny_dorefanet):
    import_tiny(cli, tiny_dorefanet)
    layers = cli("params", "info", "tiny", "--json").document["layers"]
    where = ["accelerator", "host", "accelerator", "accelerator", "accelerator", "host"]
    assert [layer["where"] for layer in layers] == where
    why = {layer["layer"]: layer["why"] for layer in layers}
    assert why["conv0"] == "16-bit products; the host mends what is in doubt"
    assert "strides 1 and 2" in why["conv1"]  # its pool has a stride of 8
    assert why["fc0"] == why["fc1"] == "sums of bits and codes; the host scales each sum"
    assert "float64 sums" in why["fct"]
    text = cli("params", "info", "tiny").out
    for line in (f"conv0: accelerator ({why['conv0']})", f"fct: host ({why['fct']})"):
        assert f"\n{line}\n" in text


def test_info_of_the_shipped_model(cli):
    document = cli("params", "info", "fashion-cnv", "--json").document
    assert len(document["classes"]) == 10 and document["missing"] == []
    result = cli("params", "info", "fashion-cnv")
    assert (result.status, result.err) == (0, "")
    for layer in document["layers"]:
        assert layer["layer"] in result.out


def test_info_of_something_unknown(cli, damaged):
    assert "'nothing'" in cli.refused("params", "info", "nothing")
    assert "qnn params fetch cnv-w1a1" in cli.refused("params", "info", CNV)
    cli.refused("params", "info", damaged("truncated tensors"))


def test_remove(cli, tiny_dorefanet, home):
    import_tiny(cli, tiny_dorefanet, "other")
    before = installed_files(home)
    import_tiny(cli, tiny_dorefanet)
    result = cli("params", "remove", "tiny")
    assert (result.status, result.err) == (0, "")
    assert installed_files(home) == before
    assert "'tiny'" in cli.refused("params", "remove", "tiny")


def test_remove_also_takes_the_fetched_files(cli, mirror, home):
    assert cli("params", "fetch", CNV, "--mirror", mirror).status == 0
    assert cli("params", "remove", CNV).status == 0
    assert installed_files(home) == []


def test_remove_a_damaged_network(cli, damaged_model, home):
    assert cli("params", "remove", damaged_model).status == 0
    assert installed_files(home) == []


@pytest.mark.parametrize("name", ["fashion-cnv", CNV, "nothing", "", ".", "..", "../models", "/"])
def test_remove_of_what_is_not_installed(cli, tiny_dorefanet, name):
    import_tiny(cli, tiny_dorefanet)
    cli.refused("params", "remove", name)


def test_remove_that_fails(cli, tiny_dorefanet, monkeypatch):
    import_tiny(cli, tiny_dorefanet)

    def rmtree(path, ignore_errors=False, **_):
        if not ignore_errors:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    assert "Permission denied" in cli.refused("params", "remove", "tiny")
