"""Where to draw."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

Axes = Any
Array = npt.NDArray[Any]


def new_axes(ax: Axes | None) -> Axes:
    """Return the axes to draw on, a new figure's when none are given."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("matplotlib: not found; pip install 'fastnn[plot]'") from error
    return pyplot.subplots(layout="constrained")[1]
