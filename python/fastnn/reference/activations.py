"""Activations and their derivatives, name by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEAKY_SLOPE = 0.01


class Activation(NamedTuple):
    """An activation: ``forward(x) -> y`` and ``backward(x, y, dy) -> dx``, arrays of one shape."""

    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array, Array], Array]


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow on either side."""
    e = np.exp(-np.abs(x))
    y: Array = np.where(x < 0, e, 1) / (1 + e)
    return y


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = e / e.sum(axis=-1, keepdims=True)
    return y


def _normal_cdf(x: Array) -> Array:
    """Share of a normal distribution below x; NumPy has no erf, the standard library does."""
    tail = np.frompyfunc(math.erfc, 1, 1)(x.astype(np.float64) * -math.sqrt(0.5))
    return 0.5 * np.asarray(tail, np.float64)


def gelu(x: Array) -> Array:
    """Multiply x by the normal distribution function of x (exact, by erf)."""
    y: Array = (x * _normal_cdf(x)).astype(x.dtype)
    return y


def _gelu_backward(x: Array, y: Array, dy: Array) -> Array:
    density = np.exp(-0.5 * np.square(x, dtype=np.float64)) / math.sqrt(2 * math.pi)
    dx: Array = (dy * (_normal_cdf(x) + x * density)).astype(x.dtype)
    return dx


def _softmax_backward(x: Array, y: Array, dy: Array) -> Array:
    dx: Array = y * (dy - (y * dy).sum(axis=-1, keepdims=True))
    return dx


ACTIVATIONS = {
    "identity": Activation(lambda x: x, lambda x, y, dy: dy),
    "relu": Activation(lambda x: np.maximum(x, 0), lambda x, y, dy: dy * (x > 0)),
    "leaky_relu": Activation(
        lambda x: np.where(x > 0, x, LEAKY_SLOPE * x),
        lambda x, y, dy: np.where(x > 0, dy, LEAKY_SLOPE * dy),
    ),
    "elu": Activation(
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x, y, dy: dy * np.where(x > 0, 1, y + 1),
    ),
    "gelu": Activation(gelu, _gelu_backward),
    "sigmoid": Activation(sigmoid, lambda x, y, dy: dy * y * (1 - y)),
    "tanh": Activation(np.tanh, lambda x, y, dy: dy * (1 - y * y)),
    "softplus": Activation(softplus, lambda x, y, dy: dy * sigmoid(x)),
    "softmax": Activation(softmax, _softmax_backward),
}
