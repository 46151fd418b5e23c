# SPDX-License-Identifier: BSD-3-Clause
"""Networks are found by name or path, installed whole or not at all, and never lost."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import random_networks
from random_networks import network_of, random_conv

from qnn import store
from qnn.errors import QnnError
from qnn.network import Conv
from qnn.store import form, library
from qnn.store.sources import SOURCES


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where this test installs networks; it does not exist yet."""
    monkeypatch.setenv("QNN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def network(name="net", seed=1, **facts):
    return network_of(random_conv(np.random.default_rng(seed)), name=name, **facts)


def weight(found):
    return next(one.weight for one in found.layers if isinstance(one, Conv)).tobytes()


class TestDirectories:
    def test_qnn_home_comes_first(self, home, monkeypatch):
        monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
        assert library.models_directory() == home / "models"
        assert library.originals_directory("cnv-w1a1") == home / "models/cnv-w1a1/originals"

    @pytest.mark.parametrize("value", [None, ""])
    def test_then_the_data_home_of_the_user(self, monkeypatch, value):
        if value is None:
            monkeypatch.delenv("QNN_HOME")
        else:
            monkeypatch.setenv("QNN_HOME", value)
        monkeypatch.setenv("XDG_DATA_HOME", "/data")
        assert library.models_directory() == Path("/data/qnn/models")
        monkeypatch.setenv("XDG_DATA_HOME", "")
        monkeypatch.setenv("HOME", "/somebody")
        assert library.models_directory() == Path("/somebody/.local/share/qnn/models")

    def test_nothing_is_made_by_looking(self, home):
        library.list_models()
        with pytest.raises(QnnError):
            library.find("nothing")
        assert not home.exists()


class TestFind:
    def test_the_shipped_network(self):
        assert library.find(library.DEFAULT).name == library.DEFAULT

    def test_an_installed_network(self):
        library.install(network())
        assert weight(library.find("net")) == weight(network())

    def test_an_installed_network_hides_a_shipped_one(self):
        library.install(network(library.DEFAULT))
        assert weight(library.find(library.DEFAULT)) == weight(network())
        library.remove(library.DEFAULT)
        assert library.find(library.DEFAULT).task == "classify"

    def test_a_directory(self, tmp_path, monkeypatch):
        (tmp_path / "here").mkdir()
        store.save(network(), tmp_path / "here")
        monkeypatch.chdir(tmp_path)
        for path in (tmp_path / "here", str(tmp_path / "here"), "./here", "here/"):
            assert library.find(path).name == "net"
        monkeypatch.chdir("here")
        assert library.find(".").name == "net"

    def test_a_name_is_not_a_directory_of_the_place_one_is_in(self, tmp_path, monkeypatch):
        (tmp_path / "here").mkdir()
        store.save(network(), tmp_path / "here")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            QnnError, match=r"unknown model 'here'; known are fashion-cnv, .*direct"
        ):
            library.find("here")

    def test_no_directory(self, tmp_path):
        with pytest.raises(QnnError, match="nowhere: no such directory"):
            library.find(tmp_path / "nowhere")
        (tmp_path / "file").touch()
        with pytest.raises(QnnError, match="file: no such directory"):
            library.find(tmp_path / "file")

    @pytest.mark.parametrize("name", SOURCES)
    def test_what_can_be_fetched(self, name):
        with pytest.raises(QnnError, match=f"model {name} is not installed; run `qnn params fetch"):
            library.find(name)

    @pytest.mark.parametrize("name", ["", "unknown", "a\0b", "x" * 300], ids=range(4))
    def test_unknown_names(self, name):
        with pytest.raises(QnnError, match="unknown model"):
            library.find(name)

    def test_a_damaged_network(self):
        directory = library.install(network())
        (directory / "tensors.npz").write_bytes(b"")
        with pytest.raises(QnnError, match=r"tensors.npz"):
            library.find("net")


class TestListModels:
    def states(self):
        return {entry.name: entry.state for entry in library.list_models()}

    def test_every_network_once(self):
        library.install(network())
        library.install(network("lfc-w1a1"))
        states = self.states()
        assert states[library.DEFAULT] == "shipped"
        assert states["net"] == "installed"
        assert states["lfc-w1a1"] == "installed"
        assert states["cnv-w1a1"] == "not installed"
        assert set(SOURCES) <= set(states)
        assert len(library.list_models()) == len(states)

    def test_shipped_then_installed_then_the_others(self):
        library.install(network())
        found = [entry.state for entry in library.list_models()]
        order = ["shipped", "installed", "not installed"]
        assert found == sorted(found, key=order.index)
        assert set(found) == set(order)

    def test_facts(self):
        directory = library.install(network(title="A title", missing=("the first stage",)))
        (entry,) = (e for e in library.list_models() if e.name == "net")
        assert (entry.title, entry.directory) == ("A title", directory)
        assert entry.missing == ("the first stage",)
        (entry,) = (e for e in library.list_models() if e.name == "dorefanet")
        assert entry.directory is None
        assert entry.title == SOURCES["dorefanet"].title

    def test_an_installed_network_hides_a_shipped_one(self):
        library.install(network(library.DEFAULT, title="Mine"))
        (entry,) = (e for e in library.list_models() if e.name == library.DEFAULT)
        assert (entry.title, entry.state) == ("Mine", "installed")

    def test_a_damaged_network_is_listed_as_such(self):
        directory = library.install(network())
        (directory / "network.json").write_text("{")
        (entry,) = (e for e in library.list_models() if e.name == "net")
        assert (entry.title, entry.state, entry.directory) == ("damaged", "installed", directory)
        assert "not valid JSON" in entry.missing[0]

    def test_what_is_no_network_is_passed_over(self, home):
        library.install(network())
        (home / "models/.half-written").mkdir()
        (home / "models/.half-written/network.json").write_text("{")
        (home / "models/empty").mkdir()
        (home / "models/file").touch()
        assert {n for n, s in self.states().items() if s == "installed"} == {"net"}


class TestInstall:
    def test_every_kind(self, home):
        for kind in random_networks.KINDS.values():
            made = kind(np.random.default_rng(1))
            assert library.install(made) == home / "models/net"
            assert weight(library.find("net")) == weight(made)
            assert [path.name for path in (home / "models").iterdir()] == ["net"]

    def test_others_may_read_it(self):
        directory = library.install(network())
        assert directory.stat().st_mode & 0o777 == 0o755

    def test_replaces(self, home):
        library.install(network(seed=1))
        library.install(network(seed=2))
        assert weight(library.find("net")) == weight(network(seed=2))
        assert [path.name for path in (home / "models").iterdir()] == ["net"]

    @pytest.mark.parametrize("before", [False, True], ids=["new", "replacing"])
    def test_a_full_disk_leaves_everything_as_it_was(self, home, monkeypatch, before):
        if before:
            library.install(network(seed=1))

        def full(made, directory):
            (directory / "network.json").write_text("half of")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(form, "save", full)
        reason = "cannot install net in .*models: No space left on device; free some space or set"
        with pytest.raises(QnnError, match=reason):
            library.install(network(seed=2))
        monkeypatch.undo()
        monkeypatch.setenv("QNN_HOME", str(home))
        assert [p.name for p in (home / "models").iterdir()] == ["net"] * before
        if before:
            assert weight(library.find("net")) == weight(network(seed=1))

    @pytest.mark.parametrize("which", [1, 2])
    def test_a_rename_that_fails_loses_nothing(self, home, monkeypatch, which):
        library.install(network(seed=1))
        renames, rename = [], Path.rename

        def failing(self, target):
            renames.append(target)
            if len(renames) == which:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(QnnError, match="cannot install net in"):
            library.install(network(seed=2))
        assert [path.name for path in (home / "models").iterdir()] == ["net"]
        assert weight(library.find("net")) == weight(network(seed=1))

    def test_an_interrupt_leaves_nothing_behind(self, home, monkeypatch):
        def interrupted(made, directory):
            (directory / "network.json").write_text("half of")
            raise KeyboardInterrupt

        monkeypatch.setattr(form, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            library.install(network())
        assert list((home / "models").iterdir()) == []

    def test_a_place_that_cannot_be(self, home):
        home.write_text("a file where the directory should be")
        with pytest.raises(
            QnnError, match=r"cannot install net in .*; free some space or set QNN_"
        ):
            library.install(network())


class TestRemove:
    def test_only_that_network(self, home):
        library.install(network())
        library.install(network("other"))
        library.remove("net")
        assert [path.name for path in (home / "models").iterdir()] == ["other"]
        with pytest.raises(QnnError, match="model 'net' is not installed for this user"):
            library.remove("net")

    def test_a_damaged_network(self, home):
        directory = library.install(network())
        (directory / "network.json").write_text("{")
        library.remove("net")
        assert list((home / "models").iterdir()) == []

    @pytest.mark.parametrize("name", ["", ".", "..", "./net", "net/", "../models/net", "/", "a\0b"])
    def test_never_a_path(self, home, name):
        """Not even where a network lies one level too high."""
        library.install(network())
        for folder in (home, home / "models"):
            store.save(network(), folder)
        with pytest.raises(QnnError, match="is not installed for this user"):
            library.remove(name)
        assert library.find("net").name == "net"
        assert (home / "network.json").exists()

    def test_a_shipped_network_stays(self):
        with pytest.raises(QnnError, match="not installed for this user"):
            library.remove(library.DEFAULT)
        assert library.find(library.DEFAULT).name == library.DEFAULT


class TestOriginal:
    def test_of_a_fetched_network(self, home):
        path = home / "models/lfc-w1a1/originals" / SOURCES["lfc-w1a1"].root
        path.mkdir(parents=True)
        assert library.original("lfc-w1a1") == path

    def test_not_fetched(self):
        with pytest.raises(QnnError, match="the files of lfc-w1a1 are not here; run `qnn params"):
            library.original("lfc-w1a1")

    def test_unknown(self):
        with pytest.raises(QnnError, match="model 'fashion-cnv' cannot be fetched; known are dore"):
            library.original("fashion-cnv")


@pytest.fixture(params=["no home", "a home that cannot be read"])
def homeless(request, monkeypatch, tmp_path):
    """A user whose networks cannot be found, or cannot be read."""
    for name in ("QNN_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "no home":  # nor an entry in passwd
        monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    else:
        (tmp_path / "loop").symlink_to("loop")  # nobody reads that, root neither
        monkeypatch.setenv("HOME", str(tmp_path / "loop"))


def test_what_ships_needs_no_home(homeless, cli, monkeypatch):
    assert library.find(library.DEFAULT).name == library.DEFAULT
    states = {entry.name: entry.state for entry in library.list_models()}
    assert states[library.DEFAULT] == "shipped" and states["dorefanet"] == "not installed"
    monkeypatch.delenv("QNN_HOME", raising=False)  # `cli` sets one
    result = cli("models")
    assert result.status == 0 and library.DEFAULT in result.out
    assert result.err.count("\n") == 1 and "set QNN_HOME" in result.err


@pytest.mark.parametrize(
    "use",
    [
        lambda network: library.find("mine"),
        lambda network: library.find("dorefanet"),
        lambda network: library.remove("mine"),
        lambda network: library.original("dorefanet"),
        lambda network: library.install(network),
        lambda network: library.check_installable("mine"),
    ],
)
def test_the_rest_needs_one_and_says_so(homeless, use):
    network = library.find(library.DEFAULT)
    with pytest.raises(QnnError, match="QNN_HOME"):
        use(network)
