# SPDX-License-Identifier: BSD-3-Clause
"""The one description of a network, checked when it is made.

A picture passes three stages:

    first    picture -> unsigned activation codes, on the host             (qnn.network.first)
    layers   codes -> codes or accumulators, what an accelerator offloads  (qnn.network.layers)
    last     codes or accumulators -> probabilities or boxes, on the host  (qnn.network.last)
"""

from __future__ import annotations

from dataclasses import dataclass

from qnn.errors import NetworkError
from qnn.network.first import First
from qnn.network.last import Last
from qnn.network.layers import Conv, Shape, describe


@dataclass(frozen=True, eq=False)
class Network:
    """A whole network: first stage, layers, last stage, and where it comes from.

    Attributes:
        name: what the command line calls it: lower-case letters, digits, "-", ".", "_".
        title: one line for people.
        task: "classify" or "detect".
        classes: class names in output order.
        first: None where only activation codes can go in.
        last: None where only the output of the last layer can come out.
        source: where the parameters come from.
        licence: of the parameters.
        missing: for each absent part, one sentence: what is absent and how to get it.
        notes: what else its user should know, a sentence each.
    """

    name: str
    title: str
    task: str
    classes: tuple[str, ...]
    layers: tuple[Conv, ...]
    first: First | None = None
    last: Last | None = None
    source: str = ""
    licence: str = ""
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_network(self)

    @property
    def in_shape(self) -> Shape:
        """(H, W, C) of the codes that the first layer reads."""
        return self.layers[0].in_shape

    @property
    def in_bits(self) -> int:
        """Activation planes that the first layer reads."""
        return self.layers[0].in_bits

    @property
    def out_shape(self) -> Shape:
        """(H, W, C) of what the last layer hands out."""
        return self.layers[-1].out_shape

    @property
    def macs(self) -> int:
        """Products of one activation and one weight in the layers, for one picture."""
        return sum(layer.macs for layer in self.layers)


def check_name(name: str) -> None:
    """NetworkError if no network can be called so."""
    if (
        not name
        or not set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._")
        or name[0] in "-."
    ):
        raise NetworkError(
            f"network name {name!r}: use lower-case letters, digits, '-', '.' and '_'"
        )


def _check_network(network: Network) -> None:
    name = network.name
    check_name(name)
    if network.task not in ("classify", "detect"):
        raise NetworkError(f"network {name}: unknown task {network.task!r}")
    if not network.layers:
        raise NetworkError(f"network {name}: it has no layers")
    names = [layer.name for layer in network.layers]
    if taken := [n for n in names if n.split(".")[0] in ("first", "last")]:
        raise NetworkError(f"layer {taken[0]}: this name is kept for the stages on the host")
    if twice := {n for n in names if names.count(n) > 1}:
        raise NetworkError(f"network {name}: two layers are called {sorted(twice)[0]}")
    for before, layer in zip(network.layers, network.layers[1:], strict=False):
        if before.out_shape != layer.in_shape:
            raise NetworkError(
                f"layer {layer.name}: it reads {describe(layer.in_shape)}, but layer "
                f"{before.name} before it gives {describe(before.out_shape)}"
            )
        if before.out_bits is None:
            raise NetworkError(
                f"layer {before.name}: only the last layer may hand out accumulators"
            )
        if before.out_bits > layer.in_bits:
            raise NetworkError(
                f"layer {layer.name}: it reads {layer.in_bits}-bit codes, but layer "
                f"{before.name} before it gives {before.out_bits}-bit codes"
            )
    if network.first is not None:
        shape, bits = network.first.out_shape, network.first.out_bits
        if shape != network.in_shape or bits > network.in_bits:
            raise NetworkError(
                f"layer {names[0]}: it reads {describe(network.in_shape)} of {network.in_bits} "
                f"bits, but the first stage gives {describe(shape)} of {bits} bits"
            )
    if network.last is not None:
        network.last.check(name, network.layers[-1], len(network.classes))
