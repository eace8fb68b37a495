"""The filters of a convolution, and what they make of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn import check
from fastnn.plots.axes import Array, Axes, new_axes


def filters_data(model: Any, layer: str | None = None) -> Array:
    """Return the kernels that `filters` draws.

    Parameters
    ----------
    model : Model, or a fitted estimator with a ``model_``
    layer : str, optional
        Name of a `Conv2D`; by default the first one.

    Returns
    -------
    array of shape (filters, kh, kw, channels)
        Channels of a group for a layer with groups.

    Examples
    --------
    >>> from fastnn import Sequential, layers
    >>> model = Sequential([layers.Conv2D(8, 3)], input_shape=(6, 6, 1), backend="numpy", seed=0)
    >>> filters_data(model).shape
    (8, 3, 3, 1)
    """
    model = getattr(model, "model_", model)
    weights = dict(zip(dict(model.parameters()), model.get_weights(), strict=True))
    kernels = {
        name.removesuffix("/kernel"): kernel
        for name, kernel in weights.items()
        if name.endswith("/kernel") and kernel.ndim == 4
    }
    return np.ascontiguousarray(kernels[_choose(layer, kernels)].transpose(3, 0, 1, 2))


def filters(model: Any, layer: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the kernels of a convolution, all on one scale.

    With one channel a tile is a filter, red where it wants light and blue where it wants dark;
    with three it shows their colours, grey being zero. Otherwise each line is an input channel,
    with a tile for each filter.

    Parameters
    ----------
    model : Model, or a fitted estimator with a ``model_``
    layer : str, optional
        Name of a `Conv2D`; by default the first one.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    kernels = filters_data(model, layer)
    n, channels = len(kernels), kernels.shape[3]
    largest = float(np.abs(kernels).max()) or 1.0
    if channels == 3:
        ax.imshow(_mosaic(0.5 + 0.5 * kernels / largest, _columns(n)))
    else:
        tiles = kernels.transpose(3, 0, 1, 2).reshape(-1, *kernels.shape[1:3])
        picture = _mosaic(tiles, _columns(n) if channels == 1 else n)
        ax.imshow(picture, cmap="RdBu_r", vmin=-largest, vmax=largest)
    if channels not in (1, 3):
        ax.set(xlabel="filter", ylabel="channel")
    return _without_ticks(ax)


def feature_maps_data(model: Any, image: npt.ArrayLike, layer: str | None = None) -> Array:
    """Return the maps that `feature_maps` draws.

    Parameters
    ----------
    model : Model, or a fitted estimator with a ``model_``
        With one input, images.
    image : array-like (rows, columns, channels) or (rows, columns)
        One image as the model takes it; the channel may be left out where there is one.
    layer : str, optional
        Name of a layer that puts out images; by default the first `Conv2D`.

    Returns
    -------
    array of shape (maps, rows, columns)
        What the layer puts out in predicting, channel by channel.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import Sequential, layers
    >>> model = Sequential([layers.Conv2D(8, 3)], input_shape=(6, 6, 1), backend="numpy", seed=0)
    >>> feature_maps_data(model, np.ones((6, 6))).shape
    (8, 4, 4)
    """
    from fastnn.layers import Conv2D
    from fastnn.model import Model

    model = getattr(model, "model_", model)
    if len(model.inputs) != 1:
        raise check.wrong_value("model", "one input", len(model.inputs))
    values = {
        name: value
        for name, value in model.network.values.items()
        if value.inputs and len(model.network.row_shapes[name]) == 3
    }
    convolutions = (name for name, value in values.items() if isinstance(value.layer, Conv2D))
    value = values[_choose(layer or next(convolutions, None), values)]
    # The model's own outputs come first, so that every layer keeps its name.
    outputs = model.outputs
    if value not in outputs:
        outputs.append(value)
    probe = Model(model.inputs, outputs, backend=model.backend, dtype=model.dtype, seed=0)
    probe.set_weights(dict(zip(dict(model.parameters()), model.get_weights(), strict=True)))
    shape = model.network.input_specs[0].shape
    found = probe.predict(_as_input(image, shape)[None])
    maps = found[outputs.index(value)] if len(outputs) > 1 else found
    return np.ascontiguousarray(maps[0].transpose(2, 0, 1))


def feature_maps(
    model: Any, image: npt.ArrayLike, layer: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what a layer makes of an image, a tile per channel, all on one scale.

    Parameters
    ----------
    model : Model, or a fitted estimator with a ``model_``
        With one input, images.
    image : array-like (rows, columns, channels) or (rows, columns)
        One image as the model takes it.
    layer : str, optional
        Name of a layer that puts out images; by default the first `Conv2D`.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    maps = feature_maps_data(model, image, layer)
    ax.imshow(_mosaic(maps, _columns(len(maps))), cmap="viridis")
    return _without_ticks(ax)


def _choose(layer: str | None, found: Mapping[str, Any]) -> str:
    """Return the layer asked for, or the first one."""
    if not found:
        raise check.wrong_value("model", "a layer with images, such as Conv2D", "none")
    return next(iter(found)) if layer is None else check.choice("layer", layer, found)


def _as_input(image: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return an image with a channel, if only that was left out."""
    array = np.asarray(image)
    if array.shape != shape and (*array.shape, 1) != shape:
        raise check.wrong_value("image", f"shape {shape}", array.shape)
    return array.reshape(shape)


def _columns(n: int) -> int:
    """Return the width of a grid of n tiles that is about as high as wide."""
    return math.ceil(math.sqrt(n))


def _mosaic(tiles: Array, columns: int) -> Array:
    """Return tiles (n, rows, columns) or with colours, line by line, with empty lines between."""
    n, height, width = tiles.shape[:3]
    lines = -(-n // columns)
    colours = tiles.shape[3:]
    empty = 1.0 if colours else np.nan
    picture = np.full((lines * (height + 1), columns * (width + 1), *colours), empty)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        picture[top : top + height, left : left + width] = tile
    return picture[:-1, :-1]


def _without_ticks(ax: Axes) -> Axes:
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set_visible(False)
    return ax
