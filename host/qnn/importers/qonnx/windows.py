# SPDX-License-Identifier: BSD-3-Clause
"""Kernel, stride and padding of ONNX convolutions and pools, as the accelerator has them."""

from __future__ import annotations

from dataclasses import dataclass

from qnn.importers.qonnx.graph import Node
from qnn.network import MaxPool, Padding, describe


@dataclass(frozen=True)
class Windows:
    """Where the windows of a node lie; padding is (top, left, bottom, right)."""

    kernel: tuple[int, int]
    stride: int
    padding: Padding


def windows_of(node: Node, sides: tuple[int, int], kernel: tuple[int, ...]) -> Windows:
    """Reads strides, pads, auto_pad and dilations.

    Args:
        node: a convolution or a pool.
        sides: rows and columns of its input.
        kernel: of the weights, or as the node states it.

    Raises:
        NetworkError: the accelerator has no such windows.
    """
    if len(kernel) != 2:
        raise node.refuse(f"its kernel has {len(kernel)} sides; the accelerator runs maps of two")
    strides = tuple(node.attributes.get("strides", (1, 1)))
    if len(strides) != 2 or strides[0] != strides[1] or strides[0] not in (1, 2):
        raise node.refuse(f"strides {strides}; the accelerator steps 1 or 2, the same both ways")
    dilations = node.attributes.get("dilations", (1, 1))
    if any(d != 1 for d, k in zip(dilations, kernel, strict=False) if k > 1):
        raise node.refuse(f"dilations {tuple(dilations)}; use a dense kernel")
    stride = int(strides[0])
    return Windows(
        kernel=(int(kernel[0]), int(kernel[1])),
        stride=stride,
        padding=_padding(node, sides, kernel, stride),
    )


def _padding(node: Node, sides: tuple[int, int], kernel: tuple[int, ...], stride: int) -> Padding:
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        missing = [
            max((-(-side // stride) - 1) * stride + k - side, 0)
            for side, k in zip(sides, kernel, strict=True)
        ]
        small, large = [m // 2 for m in missing], [m - m // 2 for m in missing]
        before, after = (small, large) if mode == "SAME_UPPER" else (large, small)
        return before[0], before[1], after[0], after[1]
    pads = tuple(node.attributes.get("pads", (0, 0, 0, 0))) if mode == "NOTSET" else (0, 0, 0, 0)
    if len(pads) != 4 or min(pads) < 0:
        raise node.refuse(f"pads {pads}; it wants four numbers from 0 on")
    return int(pads[0]), int(pads[1]), int(pads[2]), int(pads[3])


def pool_of(node: Node, sides: tuple[int, int]) -> MaxPool:
    """The pool of a MaxPool node; windows that ceil_mode adds become padding.

    Raises:
        NetworkError: the accelerator has no such pool.
    """
    kernel = tuple(node.attributes.get("kernel_shape", ()))
    if len(kernel) != 2 or kernel[0] != kernel[1] or kernel[0] not in (1, 2, 3):
        raise node.refuse(
            f"a kernel of {describe(kernel) or 'no size'}; the accelerator pools 2x2 or 3x3"
        )
    windows = windows_of(node, sides, kernel)
    top, left, bottom, right = windows.padding
    if node.attributes.get("ceil_mode"):
        size, stride = windows.kernel[0], windows.stride
        bottom += _to_whole_windows(top + sides[0] + bottom, size, stride, top + sides[0])
        right += _to_whole_windows(left + sides[1] + right, size, stride, left + sides[1])
    if max(top, left, bottom, right) >= kernel[0]:
        raise node.refuse(f"pads {windows.padding} are not smaller than its kernel")
    return MaxPool(windows.kernel[0], windows.stride, (top, left, bottom, right))


def _to_whole_windows(length: int, size: int, stride: int, last: int) -> int:
    """Padding that one more window needs, unless it would begin in the padding (from `last` on)."""
    over = (length - size) % stride
    begins = length - size - over + stride
    return stride - over if over and begins < last else 0
