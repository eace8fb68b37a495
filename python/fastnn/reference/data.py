"""Rows that an engine is given: checked once, then cut into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .layer import Array, Layer, Shape
from .objective import Objective


class Batch(NamedTuple):
    """Rows of the inputs and targets, with a weight for each row."""

    inputs: list[Array]
    targets: list[Array]
    weights: Array

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """Pick rows, in the order given."""
        inputs, targets = [x[rows] for x in self.inputs], [y[rows] for y in self.targets]
        return Batch(inputs, targets, self.weights[rows])

    @property
    def shares(self) -> Array:
        """Weight of each row / sum of weights; zeros if that sum is not above zero."""
        total = self.weights.sum(dtype=np.float64)
        scale = 1 / total if total > 0 else 0.0
        return (self.weights * scale).astype(self.weights.dtype)


def check_inputs(
    inputs: Sequence[Array],
    layers: Sequence[Layer],
    shapes: Sequence[Shape],
    bounds: Mapping[int, int],
    dtype: np.dtype[Any],
) -> list[Array]:
    """Convert inputs to the engine's type; refuse wrong counts, shapes and ids out of range.

    Bytes stay bytes, to be converted batch by batch. ``layers`` are those of the inputs;
    ``bounds`` gives the exclusive upper bound of ids by position.
    """
    _check(len(inputs) == len(layers), "x", f"{len(layers)} inputs", len(inputs))
    found: list[Array] = []
    for x, layer, shape in zip(inputs, layers, shapes, strict=True):
        name = layer.node.name
        x = np.asarray(x)
        if layer.position in bounds:
            x = x.astype(np.int32, copy=False)
        elif x.dtype != np.uint8:
            x = x.astype(dtype, copy=False)
        _check_rows(name, x, shape, len(found[0]) if found else None)
        if layer.position in bounds:
            _check_ids(name, x, bounds[layer.position])
        found.append(x)
    return found


def check_targets(
    targets: Sequence[Array],
    objectives: Sequence[Objective],
    n_rows: int,
    dtype: np.dtype[Any],
) -> list[Array]:
    """Convert targets to the engine's type; refuse wrong counts, shapes and labels."""
    _check(len(objectives) > 0, "model", "compile() before this call", "none")
    _check(n_rows > 0, "x", "at least one row", "none")
    _check(len(targets) == len(objectives), "y", f"{len(objectives)} targets", len(targets))
    found = []
    for y, objective in zip(targets, objectives, strict=True):
        shape = objective.layer.shape
        y = np.asarray(y, np.int32 if objective.categorical else dtype)
        _check_rows("y", y, () if objective.categorical else shape, n_rows)
        if objective.categorical:
            _check_ids("y", y, shape[0])
        found.append(y)
    return found


def check_weights(weights: Array | None, n_rows: int, dtype: np.dtype[Any]) -> Array:
    """One weight per row, ones if none are given."""
    if weights is None:
        return np.ones(n_rows, dtype)
    weights = np.asarray(weights, dtype)
    _check_rows("sample_weight", weights, (), n_rows)
    return weights


def _check(ok: bool, name: str, expected: str, got: object) -> None:
    if not ok:
        raise ValueError(f"{name}: expected {expected}, got {got}")


def _check_rows(name: str, x: Array, row_shape: Shape, n_rows: int | None) -> None:
    want = ("any" if n_rows is None else n_rows, *row_shape)
    ok = x.ndim > 0 and x.shape[1:] == row_shape and n_rows in (None, len(x))
    _check(ok, name, f"shape {want}".replace("'", ""), x.shape)


def _check_ids(name: str, ids: Array, bound: int) -> None:
    wrong = (ids < 0) | (ids >= bound)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        got = f"{ids[place]} at row {place[0]}"
        _check(False, name, f"values in [0, {bound})", got)
