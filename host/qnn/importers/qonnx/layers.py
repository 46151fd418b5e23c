# SPDX-License-Identifier: BSD-3-Clause
"""What a graph became so far: layers, what each of them reads, and what goes in."""

from __future__ import annotations

from collections.abc import Sequence

from qnn.importers.qonnx.feature import Codes, Held, Part, Products
from qnn.importers.qonnx.graph import Array, Node
from qnn.importers.qonnx.inputs import Stage
from qnn.importers.qonnx.pools import copying
from qnn.network import ArrayInput, Conv, Layer, PictureInput, Shape
from qnn.network.wiring import INPUT


class Layers:
    """Layers that are there; each node that needs one more appends it.

    Attributes:
        layers: in the order in which they run.
        inputs: what layers read that do not read the one before them, by name.
        picture, array: what the input is; both are None until a node reads it.
        reads: what goes in and why that was decided, a sentence.
        undecided: layers with sums on a step of their quantiser, each with its node and how many
            outputs.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.inputs: dict[str, tuple[str, ...]] = {}
        self.picture: PictureInput | None = None
        self.array: ArrayInput | None = None
        self.reads = ""
        self.undecided: list[str] = []

    @property
    def convs(self) -> list[Conv]:
        """The integer layers."""
        return [layer for layer in self.layers if isinstance(layer, Conv)]

    @property
    def last(self) -> str:
        """The name of the last layer, or of the input."""
        return self.layers[-1].name if self.layers else INPUT

    def append(self, layers: Sequence[Layer], reads: tuple[str, ...]) -> None:
        """Layers behind those that are there, of which the first reads others by name."""
        if reads != (self.last,):
            self.inputs[layers[0].name] = reads
        self.layers += layers

    def begin(self, node: Node, stage: Stage) -> None:
        """What stands before the first layer.

        Raises:
            NetworkError: the input was read already.
        """
        self.require_first(node)
        self.picture, self.array, self.reads = stage.picture, stage.array, stage.reads
        self.layers += stage.layers

    def require_first(self, node: Node) -> None:
        """NetworkError where the input was read already."""
        if self.picture is not None or self.array is not None:
            raise node.refuse(
                "it reads the input beside another node, each with a quantiser of its own or none; "
                "quantise the input once, before both"
            )

    def copy(self, node: Node, shape: Shape, codes: Codes, levels: Array | None = None) -> Held:
        """A layer that hands on what it reads."""
        layer = copying(node, shape, codes.top, f"copy{len(self.convs) + 1}")
        self.append([layer], codes.sources)
        if levels is None:
            levels = codes.levels
        return Held(node, (Part(layer.name, shape[2], levels),))

    def new_name(self, kind: str) -> str:
        """Of the next layer, which has no name in the file."""
        return f"{kind}{len(self.layers) + 1}"

    def name_of(self, products: Products) -> str:
        """Of the next layer, which gives these sums."""
        kind = {"Conv": "conv"}.get(products.node.op, "fc")
        if products.levels is not None:
            kind = "codes"
        return f"{kind}{len(self.convs) + 1}"
