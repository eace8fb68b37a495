"""From a graph to layers with shapes and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Node
from .layer import Layer, Shape
from .layers import LAYERS, Input


def plan(nodes: Sequence[Node], dtype: np.dtype[Any]) -> tuple[list[Layer], list[Shape]]:
    """Layers and row shapes of a graph; a bad graph is refused."""
    layers: list[Layer] = []
    shapes: list[Shape] = []
    for position, node in enumerate(nodes):
        if node.kind not in LAYERS:
            raise ValueError(f"{node.name}: expected a kind in {sorted(LAYERS)}, got {node.kind!r}")
        layer = LAYERS[node.kind](node, position, dtype)
        layer.check(
            all(0 <= i < position for i in node.inputs),
            f"inputs among the {position} nodes before it",
            node.inputs,
        )
        layer.check(
            node.name not in {n.name for n in nodes[:position]}, "a name of its own", "a copy"
        )
        for use, i in enumerate(node.inputs):
            wants_ids = layer.takes_ids and use == 0
            expected, got = ("ids", "numbers") if wants_ids else ("numbers", "ids")
            layer.check(
                is_ids(layers[i]) == wants_ids, f"{expected} as input {use}",
                f"{got} from {layers[i].node.name!r}",
            )  # fmt: skip
        shapes.append(layer.plan([shapes[i] for i in node.inputs]))
        layers.append(layer)
    return layers, shapes


def is_ids(layer: Layer) -> bool:
    """Whether a layer is an input of ids."""
    return isinstance(layer, Input) and layer.config["dtype"] == "ids"


def id_bound(source: Layer, layers: Sequence[Layer]) -> int:
    """Return what ids of an input must stay below: its vocabulary and every table they index."""
    bounds = [
        int(layer.config["input_dim"])
        for layer in layers
        if layer.takes_ids and layer.node.inputs[0] == source.position
    ]
    if source.config["vocabulary"]:
        bounds.append(int(source.config["vocabulary"]))
    return min(bounds, default=2**31 - 1)
