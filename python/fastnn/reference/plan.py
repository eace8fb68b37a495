"""From a graph to layers with shapes and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Node
from .layer import Layer, Shape
from .layers import LAYERS, Input

DTYPES = ("float32", "float64")
CONVOLUTIONS = ("auto", "direct", "winograd")
PRECISIONS = ("float32", "bf16")


def check_options(dtype: str, convolution: str, precision: str) -> None:
    """Refuse options of an engine that do not exist, or not together."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected {' or '.join(DTYPES)}, got {dtype}")
    if convolution not in CONVOLUTIONS:
        expected = f"one of {', '.join(CONVOLUTIONS)}"
        raise ValueError(f"convolution: expected {expected}, got {convolution}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected {' or '.join(PRECISIONS)}, got {precision}")
    if precision == "bf16" and dtype != "float32":
        raise ValueError(f"precision: expected float32 for dtype {dtype}, got {precision}")


def plan(
    nodes: Sequence[Node], dtype: np.dtype[Any], precision: str = "float32"
) -> tuple[list[Layer], list[Shape]]:
    """Layers and row shapes of a graph; a bad graph is refused."""
    kinds = ", ".join(LAYERS)
    layers: list[Layer] = []
    shapes: list[Shape] = []
    for position, node in enumerate(nodes):
        if node.kind not in LAYERS:
            raise ValueError(f"{node.name}: expected a layer of kind {kinds}, got {node.kind}")
        layer = LAYERS[node.kind](node, position, dtype, precision)
        for i in node.inputs:
            layer.check(0 <= i < position, "inputs among earlier nodes", f"position {i}")
        taken = any(node.name == other.node.name for other in layers)
        layer.check(not taken, "a name of its own", "a name in use")
        if owner := layer.config.get("table"):
            known = {other.node.name: other for other in layers if other.tables}
            layer.check(owner in known, "the name of an earlier table", owner)
            layer.owner = known[owner]
        for use, i in enumerate(node.inputs):
            _check_use(layer, use, layers[i])
        shapes.append(layer.plan([shapes[i] for i in node.inputs]))
        layers.append(layer)
    return layers, shapes


def _check_use(layer: Layer, use: int, source: Layer) -> None:
    """Refuse ids where numbers are wanted, numbers where ids are, and ids beyond a table."""
    wanted = layer.takes_ids and use == 0
    words = {True: "ids", False: "numbers"}
    layer.check(
        is_ids(source) == wanted,
        f"{words[wanted]} as input",
        f"{words[not wanted]} from {source.node.name}",
    )
    if wanted:
        rows, vocabulary = layer.config["input_dim"], source.config["vocabulary"]
        expected = f"input_dim of at least the vocabulary {vocabulary}"
        layer.check(not vocabulary or rows >= vocabulary, expected, rows)


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
