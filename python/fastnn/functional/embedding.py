"""Rows of a table by id, and bags of them; gradients hold the rows looked up alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.functional import arrays
from fastnn.functional.arrays import ISA, Array, check_rank, check_shape, floats, kernels

_MODES = ("sum", "mean", "sqrtn", "max")


class RowGradient(NamedTuple):
    """Gradient of a table: ``values`` (r, d) for the rising ids ``rows`` (r,), zero elsewhere.

    A step of gradient descent is ``weight[g.rows] -= rate * g.values``.
    """

    rows: NDArray[np.int64]
    values: Array

    def to_dense(self, n_rows: int) -> Array:
        """Return the same gradient as an array of shape (n_rows, d)."""
        dense = np.zeros((n_rows, self.values.shape[1]), self.values.dtype)
        dense[self.rows] = self.values
        return dense


def embedding(ids: Any, weight: Any, padding_idx: int | None = None) -> Array:
    """Return the rows ``weight[ids]``.

    Parameters
    ----------
    ids : array of integers of shape (...)
        In [0, v).
    weight : array of shape (v, d)
    padding_idx : int, optional
        An id whose row gets no gradient; the value is the same with or without it.

    Returns
    -------
    array of shape (..., d)

    Examples
    --------
    >>> embedding([2, 0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    array([[5., 6.],
           [1., 2.]])
    """
    (weight,) = floats(weight=weight)
    positions, _ = _lookups(ids, weight, padding_idx)
    y = kernels.embedding_forward(ISA, weight, positions)
    return y.reshape(*positions.shape, weight.shape[1])


def embedding_backward(
    dy: Any, ids: Any, weight: Any, padding_idx: int | None = None
) -> RowGradient:
    """Return the gradient of weight: dy (..., d) summed by id.

    Examples
    --------
    >>> g = embedding_backward([[1.0], [2.0], [4.0]], [2, 0, 2], [[0.0], [0.0], [0.0]])
    >>> g.rows, g.values
    (array([0, 2]), array([[2.],
           [5.]]))
    """
    dy, weight = floats(dy=dy, weight=weight)
    positions, held = _lookups(ids, weight, padding_idx)
    check_shape("dy", dy, (*positions.shape, weight.shape[1]))
    return _row_sums(positions, held, dy.reshape(positions.size, weight.shape[1]), len(weight))


def embedding_bag(
    ids: Any,
    weight: Any,
    *,
    mode: str = "mean",
    per_sample_weights: Any | None = None,
    padding_idx: int | None = None,
) -> Array:
    """Reduce the rows of each bag of ids to one.

    With the rows e of a bag and weights w (1 each if none are given): sum ``S = sum(w e)``, mean
    ``S / sum(w)``, sqrtn ``S / sqrt(sum(w ** 2))``, max the largest of each column. A divisor of
    zero counts as one, and a bag of padding alone gives zeros.

    Parameters
    ----------
    ids : array of integers of shape (m, k)
        m bags of k ids in [0, v); fill short bags up with ``padding_idx``.
    weight : array of shape (v, d)
    mode : {"sum", "mean", "sqrtn", "max"}, default "mean"
    per_sample_weights : array of shape (m, k), optional
        Weight of each id in its bag; not for max. PyTorch takes them for sum alone.
    padding_idx : int, optional
        An id that counts for nothing.

    Returns
    -------
    array of shape (m, d)

    Examples
    --------
    >>> table = [[0.0, 0.0], [1.0, 2.0], [3.0, 6.0]]
    >>> embedding_bag([[1, 2], [2, 0]], table, padding_idx=0)
    array([[2., 4.],
           [3., 6.]])
    """
    weight, weights = floats({"per_sample_weights": per_sample_weights}, weight=weight)
    bags, _ = _bags(ids, weight, mode, weights, padding_idx)
    padding = -1 if padding_idx is None else padding_idx
    return kernels.bag_forward(ISA, mode, weight, bags, padding, weights)[0]


def embedding_bag_backward(
    dy: Any,
    ids: Any,
    weight: Any,
    *,
    mode: str = "mean",
    per_sample_weights: Any | None = None,
    padding_idx: int | None = None,
) -> tuple[RowGradient, Array | None]:
    """Return the gradients of weight and of per_sample_weights (None if none were given).

    Examples
    --------
    >>> g, dweights = embedding_bag_backward([[6.0]], [[1, 2]], [[0.0], [3.0], [4.0]])
    >>> g.rows, g.values.ravel(), dweights
    (array([1, 2]), array([3., 3.]), None)
    """
    optional = {"per_sample_weights": per_sample_weights}
    dy, weight, weights = floats(optional, dy=dy, weight=weight)
    bags, held = _bags(ids, weight, mode, weights, padding_idx)
    check_shape("dy", dy, (len(bags), weight.shape[1]))
    padding = -1 if padding_idx is None else padding_idx
    y, chosen = kernels.bag_forward(ISA, mode, weight, bags, padding, weights)
    drows, dweights = kernels.bag_backward(ISA, mode, weight, bags, padding, weights, chosen, y, dy)
    rows = _row_sums(bags, held, drows, len(weight))
    return rows, None if weights is None else dweights


def _lookups(ids: Any, weight: Array, padding_idx: int | None) -> tuple[Array, Array | None]:
    """Return the ids as int32, and where they are not padding (None: everywhere)."""
    check_rank("weight", weight, "v, d")
    positions = arrays.ids("ids", ids, len(weight))
    if padding_idx is None:
        return positions, None
    return positions, positions != check.integer("padding_idx", padding_idx, 0, len(weight) - 1)


def _bags(
    ids: Any, weight: Array, mode: str, weights: Array | None, padding_idx: int | None
) -> tuple[Array, Array | None]:
    bags, held = _lookups(ids, weight, padding_idx)
    check_rank("ids", bags, "m, k")
    check.choice("mode", mode, _MODES)
    if weights is not None:
        check_shape("per_sample_weights", weights, bags.shape)
        if mode == "max":
            raise check.wrong_value("per_sample_weights", "None for mode max", "an array")
    return bags, held


def _row_sums(positions: Array, held: Array | None, dy: Array, v: int) -> RowGradient:
    """Sum dy (count, d) by id, in the order of the ids, leaving padding out."""
    positions = positions.reshape(-1)
    if held is not None:
        positions, dy = positions[held.reshape(-1)], dy[held.reshape(-1)]
    order, rows, starts = kernels.sort_ids(ISA, positions, v)
    return RowGradient(rows.astype(np.int64), kernels.embedding_sums(ISA, starts, order, dy))
