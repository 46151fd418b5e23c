# SPDX-License-Identifier: BSD-3-Clause
"""Where each layer of a network runs, and why: decided when a network is opened.

The accelerator takes one run of layers, for it keeps one program: of those that it could take the
one with the most products. Between its layers there may be such as the host computes. The first of
a run, and it alone, reads what lies outside of it, which is one map. What the accelerator can take,
its capabilities say; what it should take, the user's wish. All else runs on the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from qnn.engine.capabilities import Capabilities
from qnn.engine.lowering import Lowered, compiled, folded, lower, lower_layer, regrouped
from qnn.engine.program import compile_layers
from qnn.errors import BackendError, QnnError
from qnn.network import Conv, Dense, FloatConv, Layer, Network
from qnn.network.wiring import OUTSIDE, Wiring, chain, part

Where = Literal["host", "accelerator"]
Wish = Mapping[str, Where]  # by the name of a layer

AS_CODES = "integer codes and weights"
AS_WORDS = "16-bit products; the host mends what is in doubt"
AS_SUMS = "sums of bits and codes; the host scales each sum"
NO_ACCELERATOR = "this backend has no accelerator"


@dataclass(frozen=True)
class Place:
    """Of one layer.

    Attributes:
        where: "host" or "accelerator".
        why: the reason, in a few words.
    """

    where: Where
    why: str


def place(
    layers: Sequence[Layer],
    capabilities: Capabilities,
    wish: Wish | None = None,
    limits: tuple[float, float] | None = None,
    wiring: Wiring | None = None,
) -> tuple[Place, ...]:
    """A place for each layer.

    Args:
        layers: of a network, in order.
        capabilities: of the accelerator.
        wish: where the user wants layers to run; the accelerator takes no other run of layers
            than one that holds all that are wished there.
        limits: least and largest value of what the first layer reads; None: not known.
        wiring: what each layer reads; None: the one before it.

    Raises:
        BackendError: a wish names no layer, or cannot be fulfilled.
    """
    wish = wish or {}
    names = [layer.name for layer in layers]
    for name in wish:
        if name not in names:
            raise BackendError(f"there is no layer {name} to be placed; known: {', '.join(names)}")
    wiring = wiring or chain(len(layers))
    refusals = [
        "as wished"
        if wish.get(layer.name) == "host"
        else refusal_of(layer, capabilities, wiring[number], None if number else limits)
        for number, layer in enumerate(layers)
    ]
    wished = [number for number, name in enumerate(names) if wish.get(name) == "accelerator"]
    for number in wished:
        if (refusal := refusals[number]) is not None:
            raise BackendError(f"layer {names[number]} cannot run on the accelerator: {refusal}")
    while True:
        best = _best(layers, wiring, refusals, wished)
        lowered = lower(
            layers[best],
            None if best.start else limits,
            [n for n, refusal in enumerate(refusals[best]) if refusal is not None],
        )
        refused = _refused_together(lowered, part(wiring, best), capabilities)
        if refused is None:
            break
        refusals[best.start + refused[0]] = refused[1]
    places = []
    for number, refusal in enumerate(refusals):
        if refusal is not None:
            places.append(Place("host", refusal))
        elif best.start <= number < best.stop:
            places.append(Place("accelerator", _reason(layers[number])))
        else:
            first, last = names[best.start], names[best.stop - 1]
            span = first if first == last else f"{first} to {last}"
            places.append(Place("host", f"the accelerator takes one run of layers, here {span}"))
    return tuple(places)


def _best(
    layers: Sequence[Layer], wiring: Wiring, refusals: Sequence[str | None], wished: Sequence[int]
) -> slice:
    """The run of layers that the accelerator takes; an empty one where it can take none."""
    able = [refusal is None for refusal in refusals]
    runs = [_from(start, able, wiring) for start, one in enumerate(able)
            if one and len(wiring[start]) == 1]  # fmt: skip
    fitting = [run for run in runs if all(run.start <= number < run.stop for number in wished)]
    if wished and not fitting:
        raise BackendError(
            f"layers {', '.join(layers[number].name for number in wished)} cannot run on the "
            "accelerator together: between them a layer reads what lies before the first of them"
        )

    def macs(run: slice) -> int:
        return sum(layers[n].macs for n in range(run.start, run.stop) if able[n])

    return max(fitting, key=macs, default=slice(0, 0))


def _from(start: int, able: Sequence[bool], wiring: Wiring) -> slice:
    """The longest run that begins there: to the last layer that is able, while none of them reads
    what lies before."""
    stop = start + 1
    for number in range(start + 1, len(able)):
        if min(wiring[number]) < start:
            break
        if able[number]:
            stop = number + 1
    return slice(start, stop)


def _refused_together(
    layers: Sequence[Lowered], wiring: Wiring, capabilities: Capabilities
) -> tuple[int, str] | None:
    """The first of the layers that the accelerator cannot take with those before it, and why.

    Of a chain that is left to who loads it: what lies in memory is the same for each by itself.
    """
    if wiring == chain(len(wiring)):
        return None
    programs = [compiled(layer) for layer in folded(layers, capabilities, wiring)]
    try:
        compile_layers(programs, capabilities, wiring=wiring)
    except QnnError:
        for stop in range(2, len(layers) + 1):
            try:
                compile_layers(programs[:stop], capabilities, wiring=wiring[:stop])
            except QnnError as error:
                name = programs[stop - 1].name
                return stop - 1, str(error).removeprefix(f"layer {name}: ")
    return None


def place_network(
    network: Network, capabilities: Capabilities, wish: Wish | None = None
) -> tuple[Place, ...]:
    """A place for each layer of a network; see `place`."""
    return place(network.layers, capabilities, wish, limits_of(network), network.wiring)


def limits_of(network: Network) -> tuple[float, float] | None:
    """Least and largest value of what the first layer reads; None where no picture goes in."""
    return None if network.picture is None else network.picture.limits


def wish_for_first(network: Network, where: Where | None) -> Wish:
    """The wish that the first layer of a network runs there; none for None."""
    return {} if where is None else {network.layers[0].name: where}


def on_host(layers: Sequence[Layer]) -> tuple[Place, ...]:
    """The places of layers where there is no accelerator."""
    return (Place("host", NO_ACCELERATOR),) * len(layers)


def accelerated(places: Sequence[Place]) -> slice:
    """The run of layers that the accelerator takes; an empty one where it takes none."""
    numbers = [number for number, one in enumerate(places) if one.where == "accelerator"]
    return slice(numbers[0], numbers[-1] + 1) if numbers else slice(0, 0)


def hosted(places: Sequence[Place], run: slice) -> list[int]:
    """The layers of a run that the host computes, counted from its first one on."""
    return [number for number, one in enumerate(places[run]) if one.where == "host"]


def integer_run(layers: Sequence[Layer]) -> slice:
    """The run of integer layers with the most products; an empty one where there are none."""
    runs = [
        slice(own[0], own[-1] + 1)
        for is_conv, group in groupby(range(len(layers)), lambda n: isinstance(layers[n], Conv))
        if is_conv and (own := list(group))
    ]
    return max(runs, key=lambda run: sum(one.macs for one in layers[run]), default=slice(0, 0))


def integer_layers(layers: Sequence[Layer]) -> tuple[Conv, ...]:
    """The layers of `integer_run`."""
    return tuple(layer for layer in layers[integer_run(layers)] if isinstance(layer, Conv))


def refusal_of(
    layer: Layer,
    capabilities: Capabilities,
    reads: Sequence[object] = (OUTSIDE,),
    limits: tuple[float, float] | None = None,
) -> str | None:
    """Why the accelerator does not take a layer; None if it could.

    Args:
        reads: the maps that it reads.
        limits: as of `place`.
    """
    try:
        lowered = regrouped(lower_layer(layer, limits), capabilities, reads)
        compile_layers([compiled(lowered)], capabilities)
    except QnnError as error:
        return str(error).removeprefix(f"layer {layer.name}: ")
    return None


def _reason(layer: Layer) -> str:
    """Why the accelerator takes a layer."""
    if isinstance(layer, FloatConv):
        return AS_WORDS
    return AS_SUMS if isinstance(layer, Dense) else AS_CODES
