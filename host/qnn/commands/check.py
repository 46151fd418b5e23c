# SPDX-License-Identifier: BSD-3-Clause
"""qnn params import --check: what would become of many files, without installing any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn.commands import options, places
from qnn.engine.capabilities import Capabilities
from qnn.engine.placement import Place, place_network
from qnn.errors import QnnError
from qnn.importers import import_network
from qnn.measure import forecast
from qnn.network import Network

NAME = "checked"


@dataclass(frozen=True)
class _Checked:
    """One file: a network, where its layers run and in how many cycles, or why it is refused."""

    file: str
    network: Network | None = None
    places: tuple[Place, ...] = ()
    cycles: int = 0
    refusal: str = ""


def check(format_name: str, paths: Sequence[Path], wish: str | None, as_json: bool) -> int:
    """Prints a row for each file.

    Returns:
        The exit status: 0, 1 where some are refused, 2 where all are.
    """
    found = []
    width = max(len(str(path)) for path in paths)
    for path in paths:
        one = _checked(format_name, path, wish)
        found.append(one)
        if not as_json:
            if len(found) == 1:
                print(f"{'file':<{width}}{'layers':>8}{'cycles':>14}  where, or why not")
            print(_row(one, width), flush=True)
    accepted = sum(one.network is not None for one in found)
    if as_json:
        files = [_document(one) for one in found]
        options.print_json({"files": files, "accepted": accepted, "of": len(found)})
    else:
        print(f"\naccepted {accepted} of {len(found)}")
    if accepted == len(found):
        return 0
    return 1 if accepted else 2


def _checked(format_name: str, path: Path, wish: str | None) -> _Checked:
    try:
        network, caps = import_network(format_name, path, NAME, wish), Capabilities()
        found = place_network(network, caps)
        return _Checked(str(path), network, found, forecast.cycles(network, found, caps))
    except QnnError as error:
        return _Checked(str(path), refusal=str(error))


def _row(one: _Checked, width: int) -> str:
    if one.network is None:
        return f"{one.file:<{width}}{'':>8}{'':>14}  refused: {one.refusal}"
    # Only where: the reasons are a matter of `qnn params info`.
    spans = places.spans(one.network.layers, one.places)
    return f"{one.file:<{width}}{len(one.network.layers):>8}{one.cycles:>14,}  {'; '.join(spans)}"


def _document(one: _Checked) -> dict[str, Any]:
    if one.network is None:
        return {"file": one.file, "accepted": False, "refusal": one.refusal}
    return {
        "file": one.file,
        "accepted": True,
        "title": one.network.title,
        "reads": one.network.reads,
        "layers": places.documents(one.network.layers, one.places),
        "cycles": one.cycles,
        "missing": list(one.network.missing),
        "notes": list(one.network.notes),
    }
