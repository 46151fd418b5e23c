#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Brevitas 0.13.4 with PyTorch 2.13.0: the operator set that export_qonnx is asked for is a wish. The
# exporter makes a graph of set 18 and has it converted; where a converter has no way back, the file
# keeps 18, and the call returns as if all were well: the reason is only logged by torch.onnx. How far
# back it goes depends on the layers: a quantised convolution reaches 16, with an average over the
# whole map behind it nothing below 18. So who reads such a file goes by its opset_import, never by
# what was asked for; QONNX tools that choose a version of an operator by it see 18, not 13.
#
# Seen, asked for 13, 16, 17, 18, 20: a convolution 18, 16, 17, 18, 20; with the average 18, 18, 18,
# 18, 20.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 brevitas==0.13.4 \
  onnx==1.22.0 onnxscript==0.7.2 onnxoptimizer==0.4.2
cat > sets.py <<'PY'
import logging
import warnings

import onnx
import torch
from brevitas import nn as layers
from brevitas.export import export_qonnx
from torch import nn

warnings.simplefilter("ignore")
logging.getLogger("torch.onnx").setLevel(logging.CRITICAL)
NETWORKS = {
    "convolution": [],
    "and an average": [nn.AdaptiveAvgPool2d(1)],
}
found = {}
for name, behind in NETWORKS.items():
    torch.manual_seed(1)
    conv = layers.QuantConv2d(3, 4, 3, bias=False, weight_bit_width=4)
    network = nn.Sequential(layers.QuantIdentity(bit_width=8), conv, *behind).eval()
    found[name] = []
    for asked in (13, 16, 17, 18, 20):
        export_qonnx(
            network, torch.rand(1, 3, 8, 8), "net.onnx", opset_version=asked, verbose=False
        )
        (written,) = (o.version for o in onnx.load("net.onnx").opset_import if not o.domain)
        found[name].append(written)
print(found)
assert found == {
    "convolution": [18, 16, 17, 18, 20],
    "and an average": [18, 18, 18, 18, 20],
}, found
PY
venv/bin/python sets.py
