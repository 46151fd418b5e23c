# SPDX-License-Identifier: BSD-3-Clause
"""The networks on this machine: those that ship with the package and those installed by the user.

Installed networks lie under $QNN_HOME, else $XDG_DATA_HOME/qnn, else ~/.local/share/qnn, each in
models/<name>/ in the format of qnn.store. An installed network hides a shipped one of its name.
The files it was fetched as stay in originals/<name>/, for notebooks that read them themselves.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from qnn import store
from qnn.errors import NetworkError, QnnError
from qnn.network import Network
from qnn.sources import SOURCES

DEFAULT = "fashion-cnv"


@dataclass(frozen=True)
class Entry:
    """One network that could be used: its name and where it is.

    Attributes:
        name: what `find` takes.
        title: one line for people.
        state: "shipped", "installed", or "not installed" (it can be fetched).
        directory: where it lies; None if it is not installed.
        missing: what an incomplete network lacks, a sentence each.
    """

    name: str
    title: str
    state: str
    directory: Path | None
    missing: tuple[str, ...] = ()


def shipped_directory() -> Path:
    """Where the networks that ship with the package lie."""
    return Path(str(resources.files("qnn_params"))) / "networks"


def models_directory() -> Path:
    """Where networks are installed for this user; it need not exist."""
    home = os.environ.get("QNN_HOME")
    if not home:
        data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        home = str(Path(data) / "qnn")
    return Path(home) / "models"


def originals_directory(name: str) -> Path:
    """Where `qnn params fetch` leaves the files it downloaded, laid out as in their repository."""
    return models_directory().with_name("originals") / name


def original(name: str) -> Path:
    """The file or directory that the importer of the fetched model `name` reads.

    Raises:
        QnnError: it was not fetched.
    """
    if name not in SOURCES:
        raise QnnError(f"model {name!r} cannot be fetched; known are {', '.join(SOURCES)}")
    path = originals_directory(name) / SOURCES[name].root
    if not path.exists():
        raise QnnError(f"the files of {name} are not here; run `qnn params fetch {name}`")
    return path


def find(name: str | os.PathLike[str]) -> Network:
    """The network called `name`, or the one in the directory of that path.

    Raises:
        QnnError: there is none; says what to do.
    """
    text = os.fspath(name)
    path = Path(text)
    if path.name != text:  # a path, not a name
        if not path.is_dir():
            raise QnnError(f"{path}: no such directory; a network is a directory, or a name")
        return store.load(path)
    for base in (models_directory(), shipped_directory()):
        if (base / text / store.DESCRIPTION).exists():
            return store.load(base / text)
    if text in SOURCES:
        raise QnnError(f"model {text} is not installed; run `qnn params fetch {text}`")
    known = ", ".join(entry.name for entry in list_models())
    raise QnnError(f"unknown model {text!r}; known are {known}, or give a directory")


def list_models() -> list[Entry]:
    """Every network that could be used here: shipped, installed, then those that can be fetched."""
    entries: dict[str, Entry] = {}
    for base, state in ((models_directory(), "installed"), (shipped_directory(), "shipped")):
        for description in sorted(base.glob(f"[!.]*/{store.DESCRIPTION}")):
            name = description.parent.name
            if name in entries:
                continue
            try:
                network = store.load(description.parent)
            except QnnError as error:
                entries[name] = Entry(name, "damaged", state, description.parent, (str(error),))
            else:
                entries[name] = Entry(
                    name, network.title, state, description.parent, network.missing
                )
    for source in SOURCES.values():
        if source.name not in entries:
            entries[source.name] = Entry(source.name, source.title, "not installed", None)
    order = ["shipped", "installed", "not installed"]
    return sorted(entries.values(), key=lambda entry: order.index(entry.state))


def install(network: Network) -> Path:
    """Installs `network` for this user, whole or not at all; replaces one of the same name.

    Returns:
        The directory it lies in now.

    Raises:
        QnnError: it cannot be written (a full disk, no permission); nothing is left behind.
    """
    target = models_directory() / network.name
    try:
        with _partial(target) as partial:
            store.save(network, partial)
            partial.chmod(0o755)
            if target.exists():
                aside = partial.with_name(partial.name + "-old")
                target.rename(aside)
                partial.rename(target)
                shutil.rmtree(aside, ignore_errors=True)
            else:
                partial.rename(target)
    except OSError as error:
        raise QnnError(
            f"cannot install {network.name} in {target.parent}: {error.strerror or error}; free "
            "some space or set QNN_HOME to another directory"
        ) from None
    return target


def remove(name: str) -> None:
    """Removes an installed network.

    Raises:
        QnnError: no such network is installed for this user.
    """
    target = models_directory() / name
    if Path(name).name != name or not (target / store.DESCRIPTION).exists():
        raise NetworkError(f"model {name!r} is not installed for this user")
    shutil.rmtree(target)


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A new directory beside `target` that is gone afterwards unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
