# SPDX-License-Identifier: BSD-3-Clause
"""Where modules lie that notebooks and programs import by an earlier name, and the way there."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

MOVED = {
    "qnn.activation_buffer": "qnn.predecessor.activation_buffer",
    "qnn.bench": "qnn.measure.bench",
    "qnn.dataset": "qnn.pictures.dataset",
    "qnn.dorefanet": "qnn.predecessor.dorefanet",
    "qnn.draw": "qnn.pictures.draw",
    "qnn.geometry": "qnn.pictures.geometry",
    "qnn.library": "qnn.store.library",
    "qnn.picture": "qnn.pictures.picture",
    "qnn.tinier_yolo": "qnn.predecessor.tinier_yolo",
    "qnn.verify": "qnn.measure.verify",
}


class _Moved(ModuleType):
    """A module under its earlier name; what it stands for is imported when it is first used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(MOVED[self.__name__]), name)


def keep_earlier_names() -> None:
    """Makes `import qnn.picture`, `from qnn import draw` and their like go on working."""
    package = sys.modules["qnn"]
    for name in MOVED:
        module = sys.modules[name] = _Moved(name)
        setattr(package, name.removeprefix("qnn."), module)
