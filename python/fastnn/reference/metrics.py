"""Metrics of one row, averaged like losses by whoever calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .losses import mean_absolute_error, mean_squared_error, row_mean

Array = NDArray[Any]


def categorical_accuracy(p: Array, labels: Array) -> Array:
    """1 where the largest of (m, classes) is the label (m,), else 0."""
    right: Array = (p.argmax(axis=1) == labels).astype(np.float64)
    return right


def accuracy(p: Array, y: Array, threshold: float = 0.5) -> Array:
    """Categorical for integer labels (m,); else the share of outputs with (p > threshold) = y."""
    if y.dtype.kind == "i":
        return categorical_accuracy(p, y)
    return row_mean(((p > threshold) == y).astype(np.float64))


METRICS: dict[str, Callable[..., Array]] = {
    "accuracy": accuracy,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
}
