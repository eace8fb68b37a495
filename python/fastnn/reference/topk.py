"""The best candidates of a catalogue and the ranks of relevant ones: whole rows, sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Lists = tuple[Array, Array]  # candidates of each query: positions[starts[i] : starts[i + 1]]


def scores(queries: Array, items: Array, metric: str, biases: Array | None = None) -> Array:
    """Return the scores (m, n) of items (n, d) for queries (m, d)."""
    if metric == "euclidean":
        difference: Array = queries[:, None, :] - items[None, :, :]
        distances: Array = np.sqrt((difference * difference).sum(axis=2))
        return -distances
    found: Array = queries @ items.T
    if metric == "cosine":
        found = found * _inverse_lengths(items) * _inverse_lengths(queries)[:, None]
    if biases is not None:
        found += biases
    return found


def _inverse_lengths(vectors: Array) -> Array:
    """Return one over the length of each vector, zero for a vector of zeros."""
    lengths: Array = np.sqrt((vectors * vectors).sum(axis=1))
    inverse: Array = np.zeros_like(lengths)
    inverse[lengths > 0] = 1 / lengths[lengths > 0]
    return inverse


def without(scores: Array, exclude: Lists | None) -> Array:
    """Return the scores with -inf for the candidates that are left out."""
    if exclude is None:
        return scores
    left = scores.copy()
    for row, positions in zip(left, _rows(exclude), strict=True):
        row[positions] = -np.inf
    return left


def top_k(scores: Array, k: int) -> tuple[Array, Array]:
    """Return positions and scores (m, k) of the best, ties by position; -1 where -inf is left."""
    m, n = scores.shape
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    positions = np.full((m, k), -1, np.int64)
    best = np.full((m, k), -np.inf, scores.dtype)
    best[:, : min(k, n)] = np.take_along_axis(scores, order, axis=1)
    positions[:, : min(k, n)] = order
    positions[best == -np.inf] = -1
    return positions, best


def ranks(scores: Array, relevant: Lists) -> tuple[Array, Array, Array]:
    """Return how many candidates stand against each relevant one (count,).

    First those of a higher score, then those of the same score at a lower, and at a higher place.
    """
    counts: list[tuple[int, int, int]] = []
    for row, positions in zip(scores, _rows(relevant), strict=True):
        for p in positions:
            same = row == row[p]
            counts.append(((row > row[p]).sum(), same[:p].sum(), same[p + 1 :].sum()))
    above, before, after = np.array(counts, np.int64).reshape(-1, 3).T.copy()
    return above, before, after


def _rows(lists: Lists) -> list[Array]:
    starts, positions = lists
    return np.split(positions, starts[1:-1]) if len(starts) > 1 else []
