# SPDX-License-Identifier: BSD-3-Clause
"""One standard ONNX operator by onnxruntime."""

import numpy as np
import onnx
import onnxruntime


def run(op: str, attributes: dict, *inputs: np.ndarray) -> np.ndarray:
    """One standard operator by onnxruntime."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    names = [f"x{i}" for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "one",
        [
            helper.make_tensor_value_info(n, kind, x.shape)
            for n, x in zip(names, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip(names, inputs, strict=True)))[0]
