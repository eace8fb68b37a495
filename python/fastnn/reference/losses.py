"""Losses of one row and their derivatives.

A row's loss is the mean over its outputs. Cross-entropies are written in terms of the logits, the
inputs of the sigmoid or softmax, which keeps them exact for confident predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .activations import sigmoid, softmax, softplus

Array = NDArray[Any]


class Loss(NamedTuple):
    """Value per row (m,) and gradient of that value with respect to the prediction (m, ...)."""

    value: Callable[..., Array]
    gradient: Callable[..., Array]
    settings: Mapping[str, float]
    """Names and defaults of what both functions take after the prediction and the target."""
    at_logits: str = ""
    """The activation whose input the loss takes, for losses of probabilities."""


def row_mean(x: Array) -> Array:
    """Mean of each row: (m, ...) to (m,)."""
    y: Array = x.reshape(len(x), -1).mean(axis=1)
    return y


def _n_outputs(p: Array) -> int:
    return int(np.prod(p.shape[1:], dtype=np.int64))


def mean_squared_error(p: Array, y: Array) -> Array:
    """Mean of (p - y)^2."""
    return row_mean(np.square(p - y))


def _mean_squared_error_gradient(p: Array, y: Array) -> Array:
    dp: Array = 2 * (p - y) / _n_outputs(p)
    return dp


def mean_absolute_error(p: Array, y: Array) -> Array:
    """Mean of |p - y|."""
    return row_mean(np.abs(p - y))


def _mean_absolute_error_gradient(p: Array, y: Array) -> Array:
    dp: Array = np.sign(p - y) / _n_outputs(p)
    return dp


def huber(p: Array, y: Array, delta: float) -> Array:
    """Mean of e^2 / 2 where |e| <= delta, of delta (|e| - delta / 2) beyond; e = p - y."""
    e = np.abs(p - y)
    return row_mean(np.where(e <= delta, e * e / 2, delta * (e - delta / 2)))


def _huber_gradient(p: Array, y: Array, delta: float) -> Array:
    dp: Array = np.clip(p - y, -delta, delta) / _n_outputs(p)
    return dp


def binary_crossentropy(z: Array, y: Array) -> Array:
    """Mean of -y log(p) - (1 - y) log(1 - p), p = sigmoid(z)."""
    return row_mean(softplus(z) - z * y)


def _binary_crossentropy_gradient(z: Array, y: Array) -> Array:
    dz: Array = (sigmoid(z) - y) / _n_outputs(z)
    return dz


def categorical_crossentropy(z: Array, labels: Array) -> Array:
    """-log(softmax(z)[label]) for logits (m, classes) and labels (m,)."""
    shifted = z - z.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    loss: Array = log_sum - shifted[np.arange(len(z)), labels]
    return loss


def _categorical_crossentropy_gradient(z: Array, labels: Array) -> Array:
    dz = softmax(z)
    dz[np.arange(len(z)), labels] -= 1
    return dz


LOSSES = {
    "mean_squared_error": Loss(mean_squared_error, _mean_squared_error_gradient, {}),
    "mean_absolute_error": Loss(mean_absolute_error, _mean_absolute_error_gradient, {}),
    "huber": Loss(huber, _huber_gradient, {"delta": 1.0}),
    "binary_crossentropy": Loss(
        binary_crossentropy, _binary_crossentropy_gradient, {}, at_logits="sigmoid"
    ),
    "categorical_crossentropy": Loss(
        categorical_crossentropy, _categorical_crossentropy_gradient, {}, at_logits="softmax"
    ),
}
