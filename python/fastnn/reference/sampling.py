"""Classes drawn at random, as negatives for a loss: by counters, through an alias table."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .rng import Words, philox

Array = NDArray[Any]

# Last counter word: each row draws for itself, or all rows of a batch share (plus 4 * node).
ROWS, SHARED = 2, 3
_WORD = np.uint64(32)


class Alias(NamedTuple):
    """Column i of [0, n) stands for itself below ``threshold[i]``, else for ``other[i]``."""

    threshold: NDArray[np.uint32]
    other: NDArray[np.int64]


def weights_of(sampler: str, units: int, labels: Array, power: float) -> Array | None:
    """Return what each class weighs in a draw (units,), None where all weigh alike.

    ``uniform``; ``log_uniform``: log((i + 2) / (i + 1)); ``unigram``: its count among the labels
    to a power; ``in_batch``: its count.
    """
    if sampler == "uniform":
        return None
    if sampler == "log_uniform":
        return np.log1p(1 / (1.0 + np.arange(units)))
    counts = np.bincount(labels, minlength=units).astype(np.float64)
    return counts if sampler == "in_batch" else counts**power


def log_probabilities(weights: Array | None, units: int) -> Array:
    """Logarithm of the probability of each class in a draw (units,); 0 where it is never drawn."""
    if weights is None:
        return np.full(units, -math.log(units))
    logs: Array = np.log(np.where(weights > 0, weights / weights.sum(), 1.0))
    return logs


def alias_table(weights: Array) -> Alias:
    """Make the table for drawing i with a probability of ``weights[i] / sum`` (Vose, 1991).

    Weights become whole numbers first, so that every engine makes the same table: with n classes
    floor(weight / largest * 2^(62 - bits of n) + 1/2), multiplied by n. Columns below the mean are
    filled up by those above it, both taken from the highest number down.
    """
    n = len(weights)
    scale = math.ldexp(1.0, 62 - n.bit_length())
    whole = np.floor(weights / weights.max() * scale + 0.5).astype(np.int64)
    mean = int(whole.sum())
    left = [int(w) * n for w in whole]
    threshold, other = np.full(n, 0xFFFFFFFF, np.uint32), np.arange(n)
    small = [i for i in range(n) if left[i] < mean]
    large = [i for i in range(n) if left[i] >= mean]
    while small and large:
        i, j = small.pop(), large[-1]
        threshold[i] = min(int(float(left[i]) / float(mean) * 2.0**32), 0xFFFFFFFF)
        other[i] = j
        left[j] -= mean - left[i]
        if left[j] < mean:
            small.append(large.pop())
    return Alias(threshold, other)


def draw(words: Words, units: int, alias: Alias | None) -> NDArray[np.int64]:
    """One class of [0, units) per word: column (word * units) >> 32, whose rest is its fraction."""
    product = words.astype(np.uint64) * np.uint64(units)
    column = (product >> _WORD).astype(np.int64)
    if alias is None:
        return column
    fraction = product & np.uint64(0xFFFFFFFF)
    return np.where(fraction < alias.threshold[column], column, alias.other[column])


def row_words(seed: int, node: int, step: int, rows: Array, n: int) -> Words:
    """Words (len(rows), n) that each row draws for itself at a step; rows are numbers of rows."""
    counter = np.empty((len(rows), -(-n // 4), 4), np.uint64)
    counter[..., 0] = np.arange(counter.shape[1])
    counter[..., 1] = np.asarray(rows)[:, None]
    counter[..., 2], counter[..., 3] = step & 0xFFFFFFFF, ROWS + 4 * node
    return philox(counter, seed).reshape(len(rows), -1)[:, :n]


def shared_words(seed: int, node: int, step: int, n: int) -> Words:
    """Words (n,) that all rows of a batch share."""
    counter = np.zeros((-(-n // 4), 4), np.uint64)
    counter[:, 0] = np.arange(len(counter))
    counter[:, 2], counter[:, 3] = step & 0xFFFFFFFF, SHARED + 4 * node
    return philox(counter, seed).reshape(-1)[:n]
