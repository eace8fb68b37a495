"""Activations; the formulas are those of the layers `Dense` and `Activation`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import check
from fastnn.functional.arrays import ISA, Array, as_matrix, check_shape, floats, kernels


def relu(x: Any) -> Array:
    """Return ``max(x, 0)``, element by element.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape

    Examples
    --------
    >>> relu([-2.0, 0.0, 3.0])
    array([0., 0., 3.])
    """
    return _forward("relu", x)


def relu_backward(dy: Any, x: Any) -> Array:
    """Return the gradient of x: dy where x > 0, else 0 (also at 0).

    Examples
    --------
    >>> relu_backward([1.0, 1.0, 1.0], [-2.0, 0.0, 3.0])
    array([0., 0., 1.])
    """
    return _backward("relu", dy, x)


def leaky_relu(x: Any) -> Array:
    """Return x where x > 0, else ``0.01 * x``, element by element.

    Examples
    --------
    >>> leaky_relu([-2.0, 0.0, 3.0])
    array([-0.02,  0.  ,  3.  ])
    """
    return _forward("leaky_relu", x)


def leaky_relu_backward(dy: Any, x: Any) -> Array:
    """Return the gradient of x: dy where x > 0, else ``0.01 * dy``."""
    return _backward("leaky_relu", dy, x)


def elu(x: Any) -> Array:
    """Return x where x > 0, else ``exp(x) - 1``, element by element.

    References
    ----------
    Clevert et al., "Fast and accurate deep network learning by exponential linear units" (2015),
    with alpha = 1.

    Examples
    --------
    >>> elu([-1.0, 0.0, 3.0]).round(4)
    array([-0.6321,  0.    ,  3.    ])
    """
    return _forward("elu", x)


def elu_backward(dy: Any, x: Any) -> Array:
    """Return the gradient of x: dy where x > 0, else ``dy * exp(x)``."""
    return _backward("elu", dy, x)


def gelu(x: Any) -> Array:
    """Return ``x * P(x)``, P the normal distribution function, exact by erf, element by element.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian error linear units" (2016).

    Examples
    --------
    >>> gelu([-1.0, 0.0, 3.0]).round(4)
    array([-0.1587,  0.    ,  2.996 ])
    """
    return _forward("gelu", x)


def gelu_backward(dy: Any, x: Any) -> Array:
    """Return the gradient of x: ``dy * (P(x) + x * p(x))``, p the normal density."""
    return _backward("gelu", dy, x)


def sigmoid(x: Any) -> Array:
    """Return ``1 / (1 + exp(-x))``, element by element.

    Examples
    --------
    >>> sigmoid([-1.0, 0.0, 1.0]).round(4)
    array([0.2689, 0.5   , 0.7311])
    """
    return _forward("sigmoid", x)


def sigmoid_backward(dy: Any, x: Any) -> Array:
    """Return the gradient of x: ``dy * y * (1 - y)`` with ``y = sigmoid(x)``."""
    return _backward("sigmoid", dy, x)


def tanh(x: Any) -> Array:
    """Return the hyperbolic tangent, element by element.

    Examples
    --------
    >>> tanh([-1.0, 0.0, 1.0]).round(4)
    array([-0.7616,  0.    ,  0.7616])
    """
    return _forward("tanh", x)


def tanh_backward(dy: Any, x: Any) -> Array:
    """Return the gradient of x: ``dy * (1 - tanh(x) ** 2)``."""
    return _backward("tanh", dy, x)


def softplus(x: Any) -> Array:
    """Return ``log(1 + exp(x))``, element by element; no limit beyond which it is taken as x.

    Examples
    --------
    >>> softplus([-1.0, 0.0, 100.0]).round(4)
    array([  0.3133,   0.6931, 100.    ])
    """
    return _forward("softplus", x)


def softplus_backward(dy: Any, x: Any) -> Array:
    """Return the gradient of x: ``dy * sigmoid(x)``."""
    return _backward("softplus", dy, x)


def softmax(x: Any, dim: int = -1) -> Array:
    """Return ``exp(x) / sum(exp(x))`` along one axis, without overflow.

    Parameters
    ----------
    x : array of any shape
    dim : int, default -1
        The axis whose values sum to 1.

    Returns
    -------
    array of the same shape

    Examples
    --------
    >>> softmax([[0.0, 0.0], [1000.0, 0.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    (x,) = floats(x=x)
    rows = _along(x, dim)
    return _back(kernels.softmax_forward(ISA, as_matrix(rows)), rows, dim)


def softmax_backward(dy: Any, x: Any, dim: int = -1) -> Array:
    """Return the gradient of x: ``y * (dy - sum(dy * y))`` with ``y = softmax(x)``."""
    dy, x = floats(dy=dy, x=x)
    check_shape("dy", dy, x.shape)
    rows = _along(x, dim)
    y = kernels.softmax_forward(ISA, as_matrix(rows))
    return _back(kernels.softmax_backward(ISA, y, as_matrix(_along(dy, dim))), rows, dim)


def log_softmax(x: Any, dim: int = -1) -> Array:
    """Return ``x - log(sum(exp(x)))`` along one axis: the logarithm of `softmax`, kept exact.

    Parameters
    ----------
    x : array of any shape
    dim : int, default -1
        The axis whose exponentials sum to 1.

    Returns
    -------
    array of the same shape

    Examples
    --------
    >>> log_softmax([[0.0, 0.0], [50.0, 0.0]]).round(4)
    array([[ -0.6931,  -0.6931],
           [  0.    , -50.    ]])
    """
    (x,) = floats(x=x)
    rows = _along(x, dim)
    z = as_matrix(rows)
    # The loss of the largest logit is log(sum(exp(z - max))), which is never large.
    top = z.argmax(axis=1).astype(np.int32)
    log_sum, _ = kernels.loss(ISA, "categorical_crossentropy", z, top, None)
    with np.errstate(invalid="ignore"):
        return _back(z - z.max(axis=1, keepdims=True) - log_sum[:, None], rows, dim)


def log_softmax_backward(dy: Any, x: Any, dim: int = -1) -> Array:
    """Return the gradient of x: ``dy - softmax(x) * sum(dy)``."""
    dy, x = floats(dy=dy, x=x)
    check_shape("dy", dy, x.shape)
    dx: Array = dy - softmax(x, dim) * dy.sum(axis=dim, keepdims=True)
    return dx


def _forward(activation: str, x: Any) -> Array:
    (x,) = floats(x=x)
    y: Array = np.empty_like(x)
    kernels.activation_forward(ISA, x, y, activation)
    return y


def _backward(activation: str, dy: Any, x: Any) -> Array:
    dy, x = floats(dy=dy, x=x)
    check_shape("dy", dy, x.shape)
    dx: Array = np.empty_like(x)
    kernels.activation_backward(ISA, x, _forward(activation, x), dy, dx, activation)
    return dx


def _along(x: Array, dim: int) -> Array:
    """Return x with the axis `dim` last."""
    dim = check.integer("dim", dim, -x.ndim, x.ndim - 1)
    if x.shape[dim] == 0:
        raise check.wrong_value("x", f"at least one value along dim {dim}", "none")
    return np.ascontiguousarray(np.moveaxis(x, dim, -1))


def _back(y: Array, rows: Array, dim: int) -> Array:
    """Return (m, n) as an array of the shape that `_along` made `rows` from."""
    return np.ascontiguousarray(np.moveaxis(y.reshape(rows.shape), -1, dim))
