# SPDX-License-Identifier: BSD-3-Clause
"""The one description of a network, checked when it is made.

A network is a graph of layers, each with the arithmetic that defines it (qnn.network.layers: exact
integers; qnn.network.float_layers: tables and floats) and with the maps that it reads
(qnn.network.wiring); most are a chain. Before them stands a picture (qnn.network.picture_input) or
an array of numbers (qnn.network.array_input), behind them what their last map means, and that of
other heads (qnn.network.result). Where a layer runs is no part of it: that is decided when the
network is opened (qnn.engine.placement).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from qnn.errors import NetworkError
from qnn.network.array_input import ArrayInput
from qnn.network.layer import Layer, groups_of
from qnn.network.layers import Conv, Shape, describe
from qnn.network.picture_input import PictureInput
from qnn.network.result import FloatMap, FloatScores, Result
from qnn.network.wiring import INPUT, OUTSIDE, Wiring


@dataclass(frozen=True, eq=False)
class Head:
    """A further output of a network.

    Attributes:
        name: as the source calls it.
        layer: the name of the one whose map it is.
        result: what that map means.
    """

    name: str
    layer: str
    result: FloatScores | FloatMap


@dataclass(frozen=True, eq=False)
class Network:
    """A whole network, and where it comes from.

    Attributes:
        name: what the command line calls it: lower-case letters, digits, "-", ".", "_".
        title: one line for people.
        task: "classify" or "detect".
        classes: class names in output order.
        layers: each stands behind those that it reads.
        picture: None where no picture can go in.
        array: None where no arrays of numbers can go in; where there is neither, only what the
            first layer reads.
        result: None where only the output of the last layer can come out.
        inputs: by the name of a layer, what it reads: names of layers, or INPUT for what goes in;
            a layer that is not named reads the one before it, the first one INPUT.
        heads: outputs beside that of the last layer, whose own name is `output`; where there are
            none, that is empty.
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
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    heads: tuple[Head, ...] = ()
    output: str = ""

    def __post_init__(self) -> None:
        _check_network(self)

    @cached_property
    def wiring(self) -> Wiring:
        """What each layer reads, by number."""
        numbers = {layer.name: number for number, layer in enumerate(self.layers)} | {
            INPUT: OUTSIDE
        }
        return tuple(
            tuple(numbers[name] for name in self.inputs[layer.name])
            if layer.name in self.inputs
            else (number - 1,)
            for number, layer in enumerate(self.layers)
        )

    @cached_property
    def outputs(self) -> tuple[int, ...]:
        """The numbers of the layers whose maps come out: the last one, then those of the heads."""
        numbers = {layer.name: number for number, layer in enumerate(self.layers)}
        return (len(self.layers) - 1, *(numbers[head.layer] for head in self.heads))

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
    _check_wiring(network, names)
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
    for head in network.heads:
        layer = network.layers[names.index(head.layer)]
        classes = 0 if isinstance(head.result, FloatMap) else layer.out_shape[2]
        head.result.check(name, layer, classes)


def _check_wiring(network: Network, names: list[str]) -> None:
    """Each layer reads what stands before it and fits it, and all that is given is read."""
    name = network.name
    known = {INPUT, *names}
    for reader, stated in network.inputs.items():
        if reader not in names or not stated or not set(stated) <= known:
            raise NetworkError(f"network {name}: layer {reader} cannot read {', '.join(stated)}")
    if unknown := [head.name for head in network.heads if head.layer not in names]:
        raise NetworkError(f"network {name}: output {unknown[0]} is of no layer")
    read_at_all = set(network.outputs)
    for number, (layer, reads) in enumerate(zip(network.layers, network.wiring, strict=True)):
        read_at_all |= set(reads)
        if max(reads) >= number:
            raise NetworkError(f"layer {layer.name}: it reads a layer that stands behind it")
        givers = [network.layers[read] for read in reads if read != OUTSIDE]
        for giver in givers:
            if isinstance(giver, Conv) and giver.out_bits is None:
                raise NetworkError(
                    f"layer {giver.name}: only the last layer may hand out accumulators, or "
                    "another one that none reads"
                )
        if len(reads) > 1:
            _check_joined(network, layer, givers, len(reads))
        elif givers:
            (giver,) = givers
            where = " before it" if giver is network.layers[number - 1] else ""
            _check_step(layer, giver.out_shape, giver.out_bits, f"layer {giver.name}{where} gives")
        elif number:  # the first one is compared with the picture or the array
            first = network.layers[0]
            _check_step(layer, first.in_shape, first.in_bits, "what goes in is")
    for number, layer in enumerate(network.layers):
        if number not in read_at_all:
            raise NetworkError(f"layer {layer.name}: nothing reads what it gives")


def _check_joined(network: Network, layer: Layer, givers: list[Layer], count: int) -> None:
    """NetworkError unless a layer can read these maps, and what goes in where they are fewer."""
    shapes = [giver.out_shape for giver in givers]
    bits = [giver.out_bits for giver in givers]
    shapes += [network.layers[0].in_shape] * (count - len(givers))
    bits += [network.layers[0].in_bits] * (count - len(givers))
    codes = [one for one in bits if one is not None]
    groups = groups_of(layer)
    if (
        len(codes) < count
        or len({shape[:2] for shape in shapes}) > 1
        or any(shape[2] % groups for shape in shapes)
    ):
        raise NetworkError(
            f"layer {layer.name}: maps of {', '.join(map(describe, shapes))} cannot lie side by "
            "side"
        )
    rows, columns, _ = shapes[0]
    channels = sum(shape[2] for shape in shapes)
    _check_step(layer, (rows, columns, channels), max(codes), "the maps side by side give")


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
