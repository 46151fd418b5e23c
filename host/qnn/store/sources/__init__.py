# SPDX-License-Identifier: BSD-3-Clause
"""Trained networks of others that can be fetched: where they lie, and the digest of every file.

Each source has one data file beside this one, `<name>.tree`, in the format of

    git ls-tree -r --long COMMIT -- PATH...

so that a clone of the repository can prove or renew it. `-` stands for a size nobody here knows.
`scripts/make_sources.py` writes these files from a local copy of the repositories.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SourceFile:
    """One file of a repository: its path there, git blob id (40 hex digits) and size in bytes."""

    path: str
    blob: str
    size: int | None


@dataclass(frozen=True)
class Source:
    """A network in a public repository.

    Attributes:
        name: what the user calls it; also the name of its .tree file.
        title: one line for people.
        repository: owner/name on GitHub.
        commit: the commit all files are taken from.
        licence: SPDX identifier; the text is among the files.
        importer: "qnn-mo" or "bnn-pynq", the importer that reads the files.
        root: the path within the repository handed to that importer, a file or a directory.
        optional: paths that may be absent, with one sentence on what cannot run without each.
        folder: directory of the .tree file.
    """

    name: str
    title: str
    repository: str
    commit: str
    licence: str
    importer: str
    root: str
    optional: Mapping[str, str] = field(default_factory=dict)
    folder: Path = field(default=Path(__file__).parent, repr=False)

    def files(self) -> list[SourceFile]:
        """The files of the source, in the order of git (by path)."""
        tree = (self.folder / f"{self.name}.tree").read_text(encoding="ascii")
        return [_parse(line) for line in tree.splitlines()]


def blob_id(path: Path) -> str:
    """The git blob id of a file: SHA-1 of "blob", its size and its content; as git hash-object."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _parse(line: str) -> SourceFile:
    facts, path = line.split("\t")
    _mode, _kind, blob, size = facts.split()
    return SourceFile(path, blob, None if size == "-" else int(size))


def _qnn_mo(name: str, title: str, optional: Mapping[str, str]) -> Source:
    return Source(
        name=name,
        title=title,
        repository="Xilinx/QNN-MO-PYNQ",
        commit="97bc264ce21db2883aaadafda8ad4c2f9ac31296",
        licence="BSD-3-Clause",
        importer="qnn-mo",
        root=f"qnn/params/{name}-layers.json",
        optional=optional,
    )


def _bnn_pynq(name: str, title: str, directory: str) -> Source:
    return Source(
        name=name,
        title=title,
        repository="Xilinx/BNN-PYNQ",
        commit="d39c1c75403db571f54dd0f0cf27ae5104ac968e",
        licence="BSD-3-Clause",
        importer="bnn-pynq",
        root=f"bnn/params/{directory}",
    )


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _qnn_mo(
            "dorefanet",
            "DoReFa-Net: 1000 ImageNet classes, 1-bit weights, 2-bit activations",
            {
                "qnn/params/dorefanet-fc-normalized.npy.bz2": "It holds the fully connected layers:"
                " without it the network computes 6 x 6 x 256 features, but no classes."
            },
        ),
        _qnn_mo(
            "tinier-yolo",
            "Tinier-YOLO: finds objects of 20 VOC classes, 1-bit weights, 3-bit activations",
            {},
        ),
        _bnn_pynq(
            "cnv-w1a1",
            "CNV: 10 CIFAR-10 classes, 1-bit weights, 1-bit activations",
            "cifar10/cnvW1A1",
        ),
        _bnn_pynq(
            "cnv-w1a2",
            "CNV: 10 CIFAR-10 classes, 1-bit weights, 2-bit activations",
            "cifar10/cnvW1A2",
        ),
        _bnn_pynq(
            "cnv-w2a2",
            "CNV: 10 CIFAR-10 classes, 2-bit weights, 2-bit activations",
            "cifar10/cnvW2A2",
        ),
        _bnn_pynq(
            "lfc-w1a1",
            "LFC: 10 MNIST digits, 1-bit weights, 1-bit activations",
            "mnist/lfcW1A1",
        ),
        _bnn_pynq(
            "lfc-w1a2",
            "LFC: 10 MNIST digits, 1-bit weights, 2-bit activations",
            "mnist/lfcW1A2",
        ),
    )
}
