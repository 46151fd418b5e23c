# SPDX-License-Identifier: BSD-3-Clause
"""qnn models: what is shipped, installed, damaged or to be fetched, and where that is."""

from pathlib import Path

import pytest

from qnn import store
from qnn.store import library
from qnn.store.sources import SOURCES


def models_of(cli) -> dict[str, dict]:
    entries = cli("models", "--json").document["models"]
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry.pop("name"): entry for entry in entries}


def shipped():
    return store.load(library.shipped_directory() / library.DEFAULT)


def test_an_empty_home(cli, home):
    models = models_of(cli)
    assert list(models) == [library.DEFAULT, *SOURCES]
    directory = str(library.shipped_directory() / library.DEFAULT)
    assert models[library.DEFAULT] == {
        "title": shipped().title,
        "state": "shipped",
        "directory": directory,
        "missing": [],
        "layers": [
            {
                "layer": "pixels",
                "where": "host",
                "why": "a table of pixels; the accelerator has none",
            },
            *(
                {"layer": layer.name, "where": "accelerator", "why": "integer codes and weights"}
                for layer in shipped().layers[1:]
            ),
        ],
    }
    for name, source in SOURCES.items():
        assert models[name] == {
            "title": source.title,
            "state": "not installed",
            "directory": None,
            "missing": [],
            "layers": [],
        }
    assert not home.exists()


def test_text(cli):
    result = cli("models")
    assert (result.status, result.err) == (0, "")
    for name in (library.DEFAULT, *SOURCES):
        assert any(line.split()[:1] == [name] for line in result.out.splitlines())
    assert "qnn params fetch NAME" in result.out
    assert "conv1 to fc8: accelerator (integer codes and weights)" in result.out


def test_an_installed_network_hides_the_shipped_one(cli, home):
    library.install(shipped())
    entry = models_of(cli)[library.DEFAULT]
    assert entry["state"] == "installed"
    assert entry["directory"] == str(home / "models" / library.DEFAULT)


def test_an_incomplete_network(cli, tiny_dorefanet):
    (tiny_dorefanet.parent / "dorefanet-fc-normalized.npy").unlink()
    cli("params", "import", "qnn-mo", tiny_dorefanet, "--name", "tiny")
    (missing,) = models_of(cli)["tiny"]["missing"]
    assert "dorefanet-fc-normalized.npy" in missing
    assert "dorefanet-fc-normalized.npy" in cli("models").out


def test_a_damaged_network_is_listed_as_damaged(cli, damaged_model, home):
    entry = models_of(cli)[damaged_model]
    assert "damaged" in (entry["title"], entry["state"])
    assert entry["directory"] == str(home / "models" / damaged_model)
    (reason,) = entry["missing"]
    assert "\n" not in reason and reason
    result = cli("models")
    assert (result.status, result.err) == (0, "")
    (line,) = (one for one in result.out.splitlines() if one.split()[:1] == [damaged_model])
    assert "damaged" in line
    assert reason in result.out


def test_other_things_in_the_home_are_no_networks(cli, home):
    models = home / "models"
    (models / ".partial-abc").mkdir(parents=True)
    (models / ".partial-abc" / "network.json").write_text("{}")
    (models / "notes").mkdir()
    (models / "file").write_text("")
    assert list(models_of(cli)) == [library.DEFAULT, *SOURCES]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"QNN_HOME": "a", "XDG_DATA_HOME": "b", "HOME": "c"}, "a/models"),
        ({"XDG_DATA_HOME": "b", "HOME": "c"}, "b/qnn/models"),
        ({"HOME": "c"}, "c/.local/share/qnn/models"),
        ({"QNN_HOME": "", "XDG_DATA_HOME": "", "HOME": "c"}, "c/.local/share/qnn/models"),
    ],
)
def test_where_networks_are_installed(variables, expected, cli, tmp_path, monkeypatch):
    for name in ("QNN_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value and str(tmp_path / value))
    assert models_of(cli)[library.DEFAULT]["state"] == "shipped"
    assert list(tmp_path.iterdir()) == []
    directory = tmp_path / expected / library.DEFAULT
    assert library.install(shipped()) == directory
    assert models_of(cli)[library.DEFAULT]["directory"] == str(directory)
    assert [path.name for path in tmp_path.iterdir()] == [Path(expected).parts[0]]
