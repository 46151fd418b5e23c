# SPDX-License-Identifier: BSD-3-Clause
"""The one description of a network, checked when it is made.

A network is a chain of layers, each with the arithmetic that defines it (qnn.network.layers: exact
integers; qnn.network.float_layers: tables and floats). Before them stands a picture
(qnn.network.picture_input) or an array of numbers (qnn.network.array_input), behind them what their
last map means (qnn.network.result). Where a layer runs is no part of it: that is decided when the
network is opened (qnn.engine.placement).
"""

from __future__ import annotations

from dataclasses import dataclass

from qnn.errors import NetworkError
from qnn.network.array_input import ArrayInput
from qnn.network.layer import Layer
from qnn.network.layers import Conv, Shape, describe
from qnn.network.picture_input import PictureInput
from qnn.network.result import Result


@dataclass(frozen=True, eq=False)
class Network:
    """A whole network, and where it comes from.

    Attributes:
        name: what the command line calls it: lower-case letters, digits, "-", ".", "_".
        title: one line for people.
        task: "classify" or "detect".
        classes: class names in output order.
        layers: each reads what the one before it gives.
        picture: None where no picture can go in.
        array: None where no arrays of numbers can go in; where there is neither, only what the
            first layer reads.
        result: None where only the output of the last layer can come out.
        source: where the parameters come from.
        licence: of the parameters.
        missing: for each absent part, one sentence: what is absent and how to get it.
        notes: what else its user should know, a sentence each.
        reads: what goes in and why that was decided, a sentence; empty where nothing was decided.
    """

    name: str
    title: str
    task: str
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]
    picture: PictureInput | None = None
    array: ArrayInput | None = None
    result: Result | None = None
    source: str = ""
    licence: str = ""
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reads: str = ""

    def __post_init__(self) -> None:
        _check_network(self)

    @property
    def in_shape(self) -> Shape:
        """(H, W, C) of what the first layer reads."""
        return self.layers[0].in_shape

    @property
    def in_bits(self) -> int | None:
        """Planes of the codes that the first layer reads; None for floats."""
        return self.layers[0].in_bits

    @property
    def out_shape(self) -> Shape:
        """(H, W, C) of what the last layer gives."""
        return self.layers[-1].out_shape

    @property
    def macs(self) -> int:
        """Products of one value and one weight, for one picture."""
        return sum(layer.macs for layer in self.layers)


def _of(bits: int | None) -> str:
    return "floats" if bits is None else f"{bits}-bit codes"


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
    if twice := {n for n in names if names.count(n) > 1}:
        raise NetworkError(f"network {name}: two layers are called {sorted(twice)[0]}")
    for before, layer in zip(network.layers, network.layers[1:], strict=False):
        if isinstance(before, Conv) and before.out_bits is None:
            raise NetworkError(
                f"layer {before.name}: only the last layer may hand out accumulators"
            )
        given, bits = before.out_shape, before.out_bits
        _check_step(layer, given, bits, f"layer {before.name} before it gives")
    if network.picture is not None:
        _check_step(
            network.layers[0], network.picture.out_shape, network.picture.bits, "the picture gives"
        )
    if (array := network.array) is not None:
        if network.picture is not None:
            raise NetworkError(f"network {name}: a picture and an array go in; it has one input")
        _check_step(network.layers[0], array.out_shape, array.bits, "the array gives")
    if network.result is not None:
        network.result.check(name, network.layers[-1], len(network.classes))


def _check_step(layer: Layer, given: Shape, bits: int | None, giver: str) -> None:
    """NetworkError unless a layer can read a map of that shape, of so many bits, or of floats."""
    if given != layer.in_shape:
        raise NetworkError(
            f"layer {layer.name}: it reads {describe(layer.in_shape)}, but {giver} "
            f"{describe(given)}"
        )
    if (bits is None) != (layer.in_bits is None) or (bits or 0) > (layer.in_bits or 0):
        raise NetworkError(
            f"layer {layer.name}: it reads {_of(layer.in_bits)}, but {giver} {_of(bits)}"
        )
