# SPDX-License-Identifier: BSD-3-Clause
"""Low-bit neural networks on small Zynq boards, on their simulated hardware, or on a CPU.

import qnn
model = qnn.load("fashion-cnv")
print(model.classify("picture.png").classes)
"""

from qnn import utils
from qnn.dorefanet import Dorefanet
from qnn.errors import QnnError
from qnn.model import Classification, Detections, Model, load
from qnn.tinier_yolo import TinierYolo

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
