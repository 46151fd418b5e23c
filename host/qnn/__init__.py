# SPDX-License-Identifier: BSD-3-Clause
"""Low-bit neural networks on small Zynq boards, on their simulated hardware, or on a CPU.

import qnn
model = qnn.load("fashion-cnv")
print(model.classify("picture.png").classes)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qnn import moved
from qnn.errors import QnnError

if TYPE_CHECKING:
    from qnn.model import Classification, Detections, Model, load
    from qnn.predecessor import utils
    from qnn.predecessor.dorefanet import Dorefanet
    from qnn.predecessor.tinier_yolo import TinierYolo

__all__ = [
    "Classification",
    "Detections",
    "Dorefanet",
    "Model",
    "QnnError",
    "TinierYolo",
    "load",
    "utils",
]

# What is imported when its name is first used: names of the package, and modules.
_NAMES = {
    "Classification": "qnn.model",
    "Detections": "qnn.model",
    "Dorefanet": "qnn.predecessor.dorefanet",
    "Model": "qnn.model",
    "TinierYolo": "qnn.predecessor.tinier_yolo",
    "load": "qnn.model",
}
_MODULES = {
    "backends": "qnn.backends",
    "compute": "qnn.compute",
    "engine": "qnn.engine",
    "importers": "qnn.importers",
    "model": "qnn.model",
    "network": "qnn.network",
    "pictures": "qnn.pictures",
    "platforms": "qnn.platforms",
    "predecessor": "qnn.predecessor",
    "store": "qnn.store",
    "utils": "qnn.predecessor.utils",
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(import_module(_NAMES[name]), name)
    elif name in _MODULES:
        value = import_module(_MODULES[name])
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})


moved.keep_earlier_names()
