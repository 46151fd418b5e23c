# SPDX-License-Identifier: BSD-3-Clause
"""A QONNX model (from Brevitas, QKeras or the QONNX zoo) as a network of the canonical form.

What is taken, and how pictures go in, is told in params/README.md; what is not is refused by node,
with the reason and what could be changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from qnn.engine.capabilities import Capabilities
from qnn.engine.lowering import folded
from qnn.engine.placement import refusal_of
from qnn.engine.stages import laid_out
from qnn.errors import FormatError, NetworkError
from qnn.importers.qonnx.graph import read_graph
from qnn.importers.qonnx.layers import Layers
from qnn.importers.qonnx.walk import Walk
from qnn.network import Conv, Floats, Network, Rearrange
from qnn.network.result import FloatMap
from qnn.network.wiring import INPUT

CLASSES = "classes.txt"


def import_network(path: Path, name: str, wish: str | None = None) -> Network:
    """See qnn.importers.import_network."""
    if not path.is_file():
        raise FormatError(f"{path}: not a file; name the .onnx file")
    with np.errstate(all="ignore"):  # what is not finite is refused where it is found
        walk = Walk(read_graph(path), wish)
    made, outputs = walk.made, walk.outputs
    on_host = _on_host(made)
    network = Network(
        name=name,
        title=f"{path.stem} from QONNX, {_precision(made.convs)}",
        task="classify",
        classes=(),
        layers=tuple(made.layers),
        picture=made.picture,
        array=made.array,
        reads=made.reads,
        inputs=made.inputs,
        heads=outputs.heads,
        output=outputs.name,
        source="imported from QONNX",
        missing=outputs.missing,
        notes=(*_notes(made.undecided), *on_host, *_of_floats(made), *_of_heads(walk)),
    )
    if isinstance(outputs.result, FloatMap):
        return replace(network, result=outputs.result)
    return replace(network, classes=_classes(path, network.out_shape[2]), result=outputs.result)


def _notes(undecided: Sequence[str]) -> tuple[str, ...]:
    """What to know of the layers where float32 rounding decides."""
    if not undecided:
        return ()
    return (
        "in exact arithmetic sums lie on a step of the quantiser, or closer to it than float32 "
        f"tells, in {', '.join(undecided)}: here the exact sum decides, in the reference executor "
        "of QONNX the rounding of float32 sums, so its codes and scores may be others; with scales "
        "that are powers of two nothing is rounded",
    )


def _of_floats(made: Layers) -> tuple[str, ...]:
    """What to know of the layers that compute in floats."""
    names = [layer.name for layer in made.layers if isinstance(layer, Floats)]
    if not names:
        return ()
    alone = "" if made.convs else ", and with them the whole network"
    return (
        f"what is not quantised runs on the host, in floats: {', '.join(names)}{alone}; quantise "
        "the input, the weights and what lies between the layers to 8 bits or fewer to have them "
        "on the accelerator",
    )


def _of_heads(walk: Walk) -> tuple[str, ...]:
    """What to know of a network with several outputs."""
    made, outputs = walk.made, walk.outputs
    if not outputs.heads:
        return ()
    names = ", ".join(head.name for head in outputs.heads)
    also = ", and qnn run" if made.array is not None else ""
    return (f"beside {outputs.name} it gives {names}: Model.outputs{also} has all by name",)


def _precision(layers: Sequence[Conv]) -> str:
    """The most bits of weights and of activations between layers: "W1A2"."""
    if not layers:
        return "floats"
    weights = max(sum(layer.coefficients).bit_length() for layer in layers)
    activations = max((layer.in_bits for layer in layers[1:]), default=layers[0].in_bits)
    return f"W{weights}A{activations}"


def _classes(path: Path, count: int) -> tuple[str, ...]:
    """Lines of classes.txt beside the model, else numbers."""
    beside = path.parent / CLASSES
    if not beside.is_file():
        return tuple(str(i) for i in range(count))
    try:
        lines = beside.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise FormatError(f"{beside}: not a text file that can be read") from None
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != count:
        raise FormatError(f"{beside}: it names {len(names)} classes, the network has {count}")
    return names


def _on_host(made: Layers) -> tuple[str, ...]:
    """What to know of the layers that the accelerator cannot take.

    Raises:
        NetworkError: it can take none of the integer layers, or not a chain of them together.
    """
    convs, caps = made.convs, Capabilities()
    refusals = {
        layer.name: why
        for layer in convs
        if (why := refusal_of(layer, caps, made.inputs.get(layer.name, (INPUT,)))) is not None
    }
    if not convs:
        return ()
    if len(refusals) == len(convs):
        first = convs[0]
        node = first.parts[0] if first.parts else first.name
        raise NetworkError(
            f"node {node!r} does not fit the accelerator: layer {first.name}: "
            f"{refusals[first.name]}; make its kernel, its channels or its map smaller"
        )
    moved = any(isinstance(layer, Rearrange | Floats) for layer in made.layers)
    if not refusals and not made.inputs and not moved:
        laid_out(folded(convs, caps), caps)
    if not refusals:
        return ()
    each = "; ".join(f"{name} ({reason})" for name, reason in refusals.items())
    return (
        f"the accelerator cannot take these layers, which run on the host: {each}; make their "
        "kernels, their channels or their maps smaller",
    )
