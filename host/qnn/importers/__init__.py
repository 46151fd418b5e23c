# SPDX-License-Identifier: BSD-3-Clause
"""Networks from the formats of others, folded into the canonical form of qnn.network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qnn.errors import FormatError
from qnn.importers.bnn_pynq import network as bnn_pynq
from qnn.importers.qnn_mo import network as qnn_mo
from qnn.importers.qonnx import network as qonnx
from qnn.memory import enough_for
from qnn.network import Network

# Each takes a path and the name of the network to be; that of qonnx what its input is, too.
IMPORTERS: dict[str, Callable[..., Network]] = {
    "qnn-mo": qnn_mo.import_network,
    "bnn-pynq": bnn_pynq.import_network,
    "qonnx": qonnx.import_network,
}
WITH_CHOICE = ("qonnx",)
INPUTS = ("picture", "array")


def import_network(format_name: str, path: Path, name: str, wish: str | None = None) -> Network:
    """Imports what lies at `path` as a network called `name`.

    Args:
        format_name: a key of IMPORTERS.
        path: qnn-mo: a layer JSON, or a directory with exactly one; bnn-pynq: a directory;
            qonnx: an .onnx file.
        name: for the network.
        wish: "picture" or "array", what goes into a network of qonnx; None: what the file says.

    Raises:
        FormatError: the wish or the format is unknown, or a file is missing, truncated, malformed,
            or too large for this machine.
        NetworkError: the layers do not fit together.
    """
    if format_name not in IMPORTERS:
        raise FormatError(f"unknown format {format_name!r}; known are {', '.join(IMPORTERS)}")
    if wish is not None and (wish not in INPUTS or format_name not in WITH_CHOICE):
        raise FormatError(
            f"an input of kind {wish!r} cannot be wished: {' or '.join(INPUTS)}, and only of "
            f"{', '.join(WITH_CHOICE)}"
        )
    try:
        if not path.exists():
            raise FormatError(f"{path}: no such file or directory")
        with enough_for(path):
            chosen = {} if wish is None else {"wish": wish}
            return IMPORTERS[format_name](path, name, **chosen)
    except OSError as error:
        place = error.filename or path
        raise FormatError(f"{place}: cannot be read ({error.strerror or error})") from None
