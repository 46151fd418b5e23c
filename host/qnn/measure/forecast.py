# SPDX-License-Identifier: BSD-3-Clause
"""How many cycles a network should take on an accelerator, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from qnn.engine import estimate
from qnn.engine.capabilities import Capabilities
from qnn.engine.lowering import folded, lower
from qnn.engine.placement import Place, accelerated, hosted, limits_of
from qnn.engine.stages import laid_out
from qnn.network import Network
from qnn.network.wiring import part


def layer_cycles(
    network: Network, places: Sequence[Place], capabilities: Capabilities
) -> list[int | None]:
    """Cycles of each layer for one picture, by qnn.engine.estimate; None for those of the host.

    Args:
        network: what is to run.
        places: of its layers.
        capabilities: of the accelerator.

    Raises:
        DoesNotFitError: the layers that have their place on the accelerator do not fit it.
    """
    found: list[int | None] = [None] * len(network.layers)
    run = accelerated(places)
    if not run.stop:
        return found
    lowered = lower(network.layers[run], limits_of(network), hosted(places, run))
    wiring = part(network.wiring, run)
    laid = laid_out(folded(lowered, capabilities, wiring), capabilities, wiring)
    each = iter(estimate.each(laid.program, capabilities).tolist())
    for number, parts in enumerate(laid.program.parts, start=run.start):
        if parts:
            found[number] = sum(next(each) for _ in range(parts))
    return found


def cycles(network: Network, places: Sequence[Place], capabilities: Capabilities) -> int:
    """The sum of `layer_cycles`; errors as there."""
    return sum(one or 0 for one in layer_cycles(network, places, capabilities))
