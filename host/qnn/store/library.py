# SPDX-License-Identifier: BSD-3-Clause
"""The networks on this machine: those that ship with the package and those installed by the user.

Installed networks lie under $QNN_HOME, else $XDG_DATA_HOME/qnn, else ~/.local/share/qnn, each in
models/<name>/ in the format of qnn.store. An installed network hides a shipped one of its name.
The files it was fetched as lie beside it in originals/, for notebooks that read them themselves.
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

from qnn.errors import QnnError
from qnn.network import Network, check_name
from qnn.store import form
from qnn.store.sources import SOURCES

DEFAULT = "fashion-cnv"
ORIGINALS = "originals"


@dataclass(frozen=True)
class Entry:
    """One network that could be used: its name and where it is.

    Attributes:
        name: what `find` takes.
        title: one line for people.
        state: "shipped", "installed", or "not installed" (it can be fetched).
        directory: where it lies; None if it is not installed.
        missing: what an incomplete network lacks, a sentence each.
        network: what lies there; None where that is damaged.
    """

    name: str
    title: str
    state: str
    directory: Path | None
    missing: tuple[str, ...] = ()
    network: Network | None = None


def shipped_directory() -> Path:
    """Where the networks that ship with the package lie."""
    return Path(str(resources.files("qnn_params"))) / "networks"


def models_directory() -> Path:
    """Where networks are installed for this user; it need not exist.

    Raises:
        QnnError: this user has no home, and no variable names a directory.
    """
    home = os.environ.get("QNN_HOME")
    if not home:
        try:
            data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        except RuntimeError:
            raise QnnError(
                "this user has no home directory for networks; set QNN_HOME to a directory"
            ) from None
        home = str(Path(data) / "qnn")
    return Path(home) / "models"


def unreadable() -> str | None:
    """Why the networks installed for this user cannot be read; None if they can, or are none."""
    try:
        os.listdir(models_directory())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return (
            f"the networks in {models_directory()} cannot be read: {error.strerror}; set QNN_HOME "
            "to a directory of yours"
        )
    except QnnError as error:
        return str(error)
    return None


def _directories() -> dict[str, Path]:
    """Where networks lie that can be used, by the state of those in them; see Entry."""
    installed = {} if unreadable() else {"installed": models_directory()}
    return installed | {"shipped": shipped_directory()}


def originals_directory(name: str) -> Path:
    """Where `qnn params fetch` leaves the files it downloaded, laid out as in their repository."""
    return models_directory() / name / ORIGINALS


def original(name: str) -> Path:
    """The file or directory that the importer of the fetched model `name` reads.

    Raises:
        QnnError: it was not fetched, or cannot be read.
    """
    if name not in SOURCES:
        raise QnnError(f"model {name!r} cannot be fetched; known are {', '.join(SOURCES)}")
    path = originals_directory(name) / SOURCES[name].root
    if not os.path.exists(path):
        raise QnnError(
            unreadable() or f"the files of {name} are not here; run `qnn params fetch {name}`"
        )
    return path


def find(name: str | os.PathLike[str]) -> Network:
    """The network called `name`, or the one in the directory of that path.

    Raises:
        QnnError: there is none; says what to do.
    """
    text = os.fspath(name)
    path = Path(text)
    if path.name != text:  # a path, not a name
        if not os.path.isdir(path):
            raise QnnError(f"{path}: no such directory; a network is a directory, or a name")
        return form.load(path)
    for base in _directories().values():
        if os.path.exists(base / text / form.DESCRIPTION):  # False, too, for impossible names
            return form.load(base / text)
    if reason := unreadable():
        raise QnnError(f"model {text!r} does not ship with qnn, and {reason}")
    if text in SOURCES:
        raise QnnError(f"model {text} is not installed; run `qnn params fetch {text}`")
    known = ", ".join(entry.name for entry in list_models())
    raise QnnError(f"unknown model {text!r}; known are {known}, or give a directory")


def list_models() -> list[Entry]:
    """Every network that could be used here: shipped, installed, then those that can be fetched.

    Without the installed ones where `unreadable` says why.
    """
    entries: dict[str, Entry] = {}
    for state, base in _directories().items():
        for description in sorted(base.glob(f"[!.]*/{form.DESCRIPTION}")):
            name = description.parent.name
            if name in entries:
                continue
            try:
                network = form.load(description.parent)
            except QnnError as error:
                entries[name] = Entry(name, "damaged", state, description.parent, (str(error),))
            else:
                entries[name] = Entry(
                    name,
                    network.title,
                    state,
                    description.parent,
                    network.missing,
                    network,
                )
    for source in SOURCES.values():
        if source.name not in entries:
            entries[source.name] = Entry(source.name, source.title, "not installed", None)
    order = ["shipped", "installed", "not installed"]
    return sorted(entries.values(), key=lambda entry: order.index(entry.state))


def check_installable(name: str) -> None:
    """Refuses, before any work is done, what `install` would refuse after it.

    Raises:
        QnnError: no network can be called `name`, or this user's networks cannot be written.
    """
    check_name(name)
    if reason := unreadable():
        raise QnnError(f"cannot install {name}: {reason}")
    with installing(name):
        folder = models_directory()
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder).cleanup()


def install(network: Network) -> Path:
    """Installs `network` for this user, whole or not at all; replaces one of the same name.

    Returns:
        The directory it lies in now.

    Raises:
        QnnError: it cannot be written (a full disk, no permission); nothing is left behind.
    """
    target = models_directory() / network.name
    with installing(network.name), replacing(target) as partial:
        form.save(network, partial)
    return target


def remove(name: str) -> None:
    """Removes an installed network and the files it was fetched as.

    Raises:
        QnnError: no such network is installed for this user, or it cannot be removed.
    """
    if reason := unreadable():
        raise QnnError(f"cannot remove {name}: {reason}")
    target = models_directory() / name
    is_name = Path(name).name == name and name not in ("", "..")
    if not is_name or not os.path.exists(target / form.DESCRIPTION):
        raise QnnError(f"model {name!r} is not installed for this user")
    try:
        shutil.rmtree(target)
    except OSError as error:
        raise QnnError(f"cannot remove {target}: {error.strerror or error}") from None


@contextlib.contextmanager
def installing(name: str) -> Iterator[None]:
    """Turns what the file system refuses while `name` is installed into a QnnError."""
    try:
        yield
    except OSError as error:
        raise QnnError(
            f"cannot install {name} in {models_directory()}: {error.strerror or error}; "
            "free some space or set QNN_HOME to another directory"
        ) from None


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new directory that takes the place of `target` when the block ends without an error.

    After an error, also one of the last step, all is as it was before.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    partial, aside = scratch / "new", scratch / "old"
    try:
        partial.mkdir()
        yield partial
        if target.exists():
            target.rename(aside)
        try:
            partial.rename(target)
        except BaseException:
            if aside.exists():
                aside.rename(target)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
