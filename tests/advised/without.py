# SPDX-License-Identifier: BSD-3-Clause
"""Refusals without an advice that could be tried: words of each, and why there is none."""

CONTRADICTS = "the file contradicts itself: no exporter writes it, and any advice would be a guess"
NO_NUMBER = "a number of the file has no meaning: it is damaged, or was never trained"
GUARD = "no graph is known that gets there: it guards the code behind it"

WITHOUT = {
    "its constant inputs do not fit it": CONTRADICTS,
    "it wants one constant beside the feature map": CONTRADICTS,
    "it wants four constants for the channels": CONTRADICTS,
    "it wants a constant behind the feature map": CONTRADICTS,
    "its constant of shape {} does not fit a tensor": CONTRADICTS,
    "it wants the feature map first and constant weights behind it": CONTRADICTS,
    "it wants the feature map as its first input": CONTRADICTS,
    "it wants numbers and their scale": CONTRADICTS,
    "which no node before it gives": CONTRADICTS,
    "it has no {}": CONTRADICTS,
    "it wants weights of as many dimensions as its input": CONTRADICTS,
    "outputs do not fit its input of": CONTRADICTS,
    "its kernel has {} sides": CONTRADICTS,
    "it wants a positive number for each side": CONTRADICTS,
    "numbers from 0 on": CONTRADICTS,
    "which ONNX does not have": CONTRADICTS,
    "its inputs are those of version {} of the operator": CONTRADICTS,
    "its variance is not positive": NO_NUMBER,
    "it has no thresholds, or some that are not a number": NO_NUMBER,
    "it has a constant that is not finite": NO_NUMBER,
    "its scale is not a positive number": NO_NUMBER,
    "have no meaning here": NO_NUMBER,
    "it has weights that are not finite": NO_NUMBER,
    "what it reads is quantised to more than 8 bits": GUARD,
    "what it reads is quantised otherwise in each pixel": GUARD,
    "it reads {} of an input of {}": GUARD,
    "its weights from {} to {} are larger than {}": GUARD,
}
