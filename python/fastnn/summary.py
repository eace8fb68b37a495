"""The table that `Model.summary` returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fastnn.model import Model
    from fastnn.network import Network


def table(model: Model) -> str:
    """Return layers, row shapes, numbers of parameters and bytes as aligned text."""
    network, shapes = model.network, dict(model.parameters())
    width = np.dtype(model.dtype).itemsize
    rows = [("layer", "row shape", "parameters", "bytes", "inputs")]
    names = {value: name for name, value in network.values.items()}
    for name, value in network.values.items():
        held = [math.prod(s) for n, s in shapes.items() if n.rsplit("/", 1)[0] == name]
        sources = ", ".join(names[source] for source in value.inputs)
        kind = f"{name} ({type(value.layer).__name__.removesuffix('Layer')})"
        shape, n = str(network.row_shapes[name]), sum(held)
        rows.append((kind, shape, f"{n:,}", f"{n * width:,}", sources))
    end = len(rows)
    counts = {"total": model.count_params()}
    if fixed := _fixed(network, shapes):
        counts = {**counts, "trainable": counts["total"] - fixed, "non-trainable": fixed}
    rows.extend((key, "", f"{n:,}", f"{n * width:,}", "") for key, n in counts.items())
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [_line(row, widths) for row in rows]
    rule = "-" * max(map(len, lines))
    title = f"{model.name}: {model.dtype}, backend {model.backend}"
    return "\n".join([title, lines[0], rule, *lines[1:end], rule, *lines[end:]])


def _fixed(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many numbers no optimizer touches: frozen weights and moving statistics."""
    layers = {name: value.layer for name, value in network.values.items()}
    names = [f"{name}/{key}" for name, layer in layers.items() for key in layer.fixed()]
    return sum(math.prod(shapes[name]) for name in names if name in shapes)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    left = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
    right = [row[2].rjust(widths[2]), row[3].rjust(widths[3])]
    return "  ".join([*left, *right, row[4]]).rstrip()
