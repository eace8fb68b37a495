"""Shapes of rows and of parameters, worked out from nodes alone: before an engine takes memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from fastnn import check
from fastnn.graph import Node
from fastnn.layers.windows import places

Array = NDArray[Any]
Shape = tuple[int, ...]
Sizes = tuple[Shape, dict[str, Shape]]

_LARGEST = 2**40  # numbers in a row


def check_sizes(nodes: Sequence[Node], weights: Mapping[str, Array]) -> None:
    """Refuse nodes whose parameters are not of the weights' shapes, or whose rows are absurd."""
    shapes: list[Shape] = []
    wanted: dict[str, Shape] = {}
    for node in nodes:
        shape, parameters = node_sizes(node, [shapes[i] for i in node.inputs])
        if math.prod(shape) > _LARGEST:
            raise check.wrong_value(node.name, f"rows of at most {_LARGEST} numbers", shape)
        shapes.append(shape)
        wanted.update({f"{node.name}/{key}": size for key, size in parameters.items()})
    if odd := sorted(set(wanted) ^ set(weights)):
        raise check.wrong_value(
            "weights", "the parameters of the graph", f"a difference in {odd[0]}"
        )
    for name, size in wanted.items():
        if weights[name].shape != size:
            raise check.wrong_value(f"weights[{name!r}]", f"shape {size}", weights[name].shape)


def node_sizes(node: Node, sources: Sequence[Shape]) -> Sizes:
    """Return the row shape and the shapes of the parameters of a node of docs/design.md."""
    config: Mapping[str, Any] = node.config
    first = sources[0] if sources else ()
    if node.kind in {"input", "reshape"}:
        return config["shape"], {}
    if node.kind == "dense":
        units = config["units"]
        return (*first[:-1], units), {"kernel": (*first[-1:], units), **_bias(config, units)}
    if node.kind in {"embedding", "embedding_bag"}:
        table = config["input_dim"], config["output_dim"]
        row = first if node.kind == "embedding" else ()
        own: dict[str, Shape] = {} if config.get("table") else {"embeddings": table}
        return (*row, table[1]), own
    if node.kind == "scores":
        return (config["units"],), _scores(config, first)
    if node.kind == "dot":
        return (*first[:-1], 1), {}
    if node.kind == "concatenate":
        return (*first[:-1], sum(shape[-1] for shape in sources)), {}
    if node.kind in {"batch_normalization", "layer_normalization"}:
        return first, _normalization(node.kind, config, first)
    if node.kind in _IMAGES:
        return _IMAGES[node.kind](node, first)
    return ((math.prod(first),) if node.kind == "flatten" else first), {}


def _bias(config: Mapping[str, Any], n: int) -> dict[str, Shape]:
    return {"bias": (n,)} if config["use_bias"] else {}


def _scores(config: Mapping[str, Any], row: Shape) -> dict[str, Shape]:
    units, n_features = config["units"], config["n_features"]
    shapes = {"embeddings": (units, *row), **_bias(config, units)}
    if n_features:
        given = units, config["features_per_unit"]
        shapes |= {"feature_embeddings": (n_features, *row)}
        shapes |= {"features": given, "feature_weights": given}
    return shapes


def _normalization(kind: str, config: Mapping[str, Any], row: Shape) -> dict[str, Shape]:
    names = ["gamma"] * config["scale"] + ["beta"] * config["center"]
    if kind == "batch_normalization":
        names += ["moving_mean", "moving_variance"]
    return dict.fromkeys(names, row[-1:])


def _conv(node: Node, row: Shape) -> Sizes:
    config: Mapping[str, Any] = node.config
    kernel = config["kernel_size"]
    *axes, channels = _image(node, row, len(kernel) + 1)
    out = _windows(node, axes, kernel)
    filters = config["filters"]
    parameters = {"kernel": (*kernel, channels // config["groups"], filters)}
    return (*out, filters), {**parameters, **_bias(config, filters)}


def _pooling(node: Node, row: Shape) -> Sizes:
    config: Mapping[str, Any] = node.config
    *axes, channels = _image(node, row, 3)
    return (*_windows(node, axes, config["pool_size"]), channels), {}


def _global(node: Node, row: Shape) -> Sizes:
    return _image(node, row, 3)[-1:], {}


def _padding(node: Node, row: Shape) -> Sizes:
    config: Mapping[str, Any] = node.config
    h, w, c = _image(node, row, 3)
    top, bottom, left, right = config["padding"]
    return (h + top + bottom, w + left + right, c), {}


def _crop(node: Node, row: Shape) -> Sizes:
    config: Mapping[str, Any] = node.config
    return (config["height"], config["width"], *_image(node, row, 3)[-1:]), {}


def _windows(node: Node, axes: Sequence[int], window: Shape) -> Shape:
    """Return the places a window finds along each axis."""
    config: Mapping[str, Any] = node.config
    padding = config["padding"]
    sides = [padding] * len(axes)
    if not isinstance(padding, str):
        sides = [padding[2 * i : 2 * i + 2] for i in range(len(axes))]
    dilation = config.get("dilation_rate", (1,) * len(axes))
    settings = zip(axes, window, config["strides"], dilation, sides, strict=True)
    found = tuple(places(*each) for each in settings)
    if min(found) < 1:
        expected = f"a window inside rows of shape {tuple(axes)} with their padding"
        raise check.wrong_value(node.name, expected, window)
    return found


def _image(node: Node, row: Shape, rank: int) -> Shape:
    if len(row) != rank:
        what = "sequences of shape (length" if rank == 2 else "images of shape (h, w"
        raise check.wrong_value(node.name, f"{what}, channels)", f"shape {row}")
    return row


_IMAGES = {
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    **dict.fromkeys(("max_pooling2d", "average_pooling2d"), _pooling),
    **dict.fromkeys(("global_max_pooling2d", "global_average_pooling2d"), _global),
    "zero_padding2d": _padding,
    "random_crop": _crop,
}
