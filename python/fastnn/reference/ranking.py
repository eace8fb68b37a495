"""Losses that compare the score of a label with those of drawn classes.

Each function takes scores (m, c), the label's first, and ``held`` (m, c - 1), false where a drawn
class counts for nothing; it returns the loss of each row (m,) and its derivative (m, c).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .activations import sigmoid, softplus

Array = NDArray[Any]
Found = tuple[Array, Array]


def bpr(s: Array, held: Array) -> Found:
    """Mean of -log(sigmoid(s[0] - s[j])) over the negatives held."""
    count = np.maximum(held.sum(axis=1, keepdims=True), 1).astype(s.dtype)
    lead = s[:, :1] - s[:, 1:]
    loss = (held * softplus(-lead) / count).sum(axis=1)
    ds = held * sigmoid(-lead) / count
    return loss, np.concatenate([-ds.sum(axis=1, keepdims=True), ds], axis=1)


def warp(s: Array, held: Array, margin: float, units: int) -> Found:
    """Return log(max(1, floor((units - 1) / t))) * (margin - s[0] + s[j]).

    j is the first with s[j] above s[0] - margin, found at trial t.
    """
    wrong = held & (s[:, 1:] > s[:, :1] - margin)
    first, any_wrong = wrong.argmax(axis=1), wrong.any(axis=1)
    rows = np.arange(len(s))
    trials = np.maximum(held.cumsum(axis=1)[rows, first], 1)
    rank = np.maximum((units - 1) // trials, 1)
    factor = np.where(any_wrong, np.log(rank.astype(np.float64)), 0).astype(s.dtype)
    loss = factor * (margin - s[:, 0] + s[rows, first + 1])
    ds = np.zeros_like(s)
    ds[rows, first + 1] = factor
    ds[:, 0] = -factor
    return loss, ds


def sampled_logistic(s: Array, held: Array) -> Found:
    """-log(sigmoid(s[0])) - sum of log(sigmoid(-s[j])) over the negatives held."""
    loss = softplus(-s[:, 0]) + (held * softplus(s[:, 1:])).sum(axis=1)
    ds = np.concatenate([sigmoid(s[:, :1]) - 1, held * sigmoid(s[:, 1:])], axis=1)
    return loss, ds


def sampled_softmax(z: Array, held: Array) -> Found:
    """-log(softmax(z)[0]) over the label and the columns held."""
    z = np.concatenate([z[:, :1], np.where(held, z[:, 1:], -np.inf)], axis=1)
    shifted = z - z.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis=1)
    ds = powers / total[:, None]
    ds[:, 0] -= 1
    return np.log(total) - shifted[:, 0], ds


class RankingLoss(NamedTuple):
    """A function of this module, its settings with their defaults, and its samplers."""

    value: Callable[..., Found]
    settings: Mapping[str, Any]
    samplers: tuple[str, ...] = ("uniform", "log_uniform", "unigram")


RANKING_LOSSES = {
    "sampled_softmax": RankingLoss(
        sampled_softmax,
        {
            "negatives": 1024,
            "sampler": "log_uniform",
            "power": 0.75,
            "correction": 1,
            "remove_hits": 1,
        },
        ("uniform", "log_uniform", "unigram", "in_batch"),
    ),
    "bpr": RankingLoss(bpr, {"negatives": 1, "sampler": "uniform", "power": 0.75}),
    "warp": RankingLoss(
        warp, {"negatives": 10, "sampler": "uniform", "power": 0.75, "margin": 1.0}
    ),
    "sampled_logistic": RankingLoss(
        sampled_logistic, {"negatives": 8, "sampler": "uniform", "power": 0.75}
    ),
}
