"""Dropout, by random numbers that depend on their counter alone."""

from __future__ import annotations

import math
from typing import Any

from fastnn import check
from fastnn.functional.arrays import ISA, Array, floats, kernels

_FIRST_NODE = 2  # docs/design.md, section 4: the stream of node i is 2 + 4 i
_LARGEST_NODE = (2**32 - 1 - _FIRST_NODE) // 4


def dropout(
    x: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int,
    step: int = 0,
    node: int = 0,
) -> Array:
    """Set a share p of the elements to zero and divide the rest by ``1 - p``.

    The same arguments give the same mask: that of the layer `Dropout` at position ``node`` of a
    model's graph, in the training step ``step`` with this seed.

    Parameters
    ----------
    x : array of shape (n, ...)
    p : float, default 0.5
        Probability of an element to become zero, in [0, 1].
    training : bool, default True
        False: x is returned as it is.
    seed : int
        In [0, 2**64).
    step, node : int, default 0
        Other numbers draw another mask; count the steps of a training with ``step``.

    Returns
    -------
    array of shape (n, ...)

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    Examples
    --------
    >>> import numpy as np
    >>> y = dropout(np.ones((100, 100)), 0.25, seed=1)
    >>> sorted(set(y.ravel().round(4).tolist())), bool(0.2 < (y == 0).mean() < 0.3)
    ([0.0, 1.3333], True)
    """
    return _dropout("x", x, p, training, (seed, step, node))


def dropout_backward(
    dy: Any,
    p: float = 0.5,
    training: bool = True,
    *,
    seed: int,
    step: int = 0,
    node: int = 0,
) -> Array:
    """Return the gradient of `dropout`'s x: dy under the same mask; x itself is not needed."""
    return _dropout("dy", dy, p, training, (seed, step, node))


def _dropout(
    argument: str, given: Any, p: float, training: bool, key: tuple[int, int, int]
) -> Array:
    x: Array = floats(**{argument: given})[0]
    rate = check.number("p", p, 0, 1)
    seed = check.integer("seed", key[0], 0, 2**64 - 1)
    step = check.integer("step", key[1], 0, 2**32 - 1)
    stream = _FIRST_NODE + 4 * check.integer("node", key[2], 0, _LARGEST_NODE)
    if not check.flag("training", training) or rate == 0:
        return x.copy()
    rows = x.reshape(len(x), math.prod(x.shape[1:]))
    return kernels.dropout(ISA, rows, rate, seed, step, stream).reshape(x.shape)
