# SPDX-License-Identifier: BSD-3-Clause
"""Low-bit neural networks on small Zynq boards, on their simulated hardware, or on a CPU.

import qnn
model = qnn.load("fashion-cnv")
print(model.classify("picture.png").classes)
"""

from qnn import moved
from qnn.errors import QnnError
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

moved.keep_earlier_names()
