"""Numbers brought to mean 0 and variance 1: by channel over a batch, or position by position."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn import check
from fastnn.functional.arrays import ISA, Array, as_matrix, check_shape, floats, kernels

Gradients = tuple[Array, Array, Array]


def batch_norm(
    x: Any,
    running_mean: Any | None,
    running_var: Any | None,
    weight: Any | None = None,
    bias: Any | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """Return ``(x - mean) / sqrt(var + eps) * weight + bias``, channel by channel.

    In training, mean and variance are those of x over all but the last axis, and the running ones
    move in place: ``running += momentum * (batch's - running)``, with the variance of the batch
    divided by n - 1 (in y, by n). Otherwise the running ones count. The layer
    `BatchNormalization` has eps 1e-3, a momentum that is the share kept, and divides by n alone.

    Parameters
    ----------
    x : array of shape (..., channels)
    running_mean, running_var : array of shape (channels,) or None
        None is for training alone. What training moves must be writable arrays of floats.
    weight, bias : array of shape (channels,), optional
        Factor and offset, 1 and 0 by default: gamma and beta.
    training : bool, default False
    momentum : float, default 0.1
        Share of the batch in the running mean and variance, in [0, 1].
    eps : float, default 1e-5
        Added to the variance, > 0.

    Returns
    -------
    array of the shape of x

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift" (2015).

    Examples
    --------
    >>> import numpy as np
    >>> mean, var = np.zeros(1), np.ones(1)
    >>> batch_norm([[1.0], [3.0]], mean, var, training=True).round(4).ravel()
    array([-1.,  1.])
    >>> mean, var
    (array([0.2]), array([1.1]))
    """
    share = check.number("momentum", momentum, 0, 1)
    running = {"running_mean": running_mean, "running_var": running_var}
    x, mean, var, weight, bias = floats({**running, "weight": weight, "bias": bias}, x=x)
    rows = _channel_rows(x, mean, var, weight, bias)
    mean, var = _statistics(rows, mean, var, training)
    with np.errstate(invalid="ignore", over="ignore"):
        factor = _inverse(var, eps) * (1 if weight is None else weight)
        offset = (0 if bias is None else bias) - mean * factor
    if training:
        unbiased = var * (len(rows) / max(len(rows) - 1, 1))
        _move(running, {"running_mean": mean, "running_var": unbiased}, share)
    y: Array = np.empty_like(rows)
    kernels.scale_columns(ISA, rows, factor.astype(y.dtype), offset.astype(y.dtype), y)
    return y.reshape(x.shape)


def batch_norm_backward(
    dy: Any,
    x: Any,
    running_mean: Any | None,
    running_var: Any | None,
    weight: Any | None = None,
    training: bool = False,
    eps: float = 1e-5,
) -> Gradients:
    """Return the gradients of x, weight and bias; nothing is moved.

    In training the mean and the variance change with x, and so all of x takes part in dx.

    Examples
    --------
    >>> x = [[1.0], [3.0], [8.0]]
    >>> dx, dweight, dbias = batch_norm_backward([[1.0], [0.0], [0.0]], x, [0.0], [4.0])
    >>> dx.round(4).ravel(), dweight.round(4), dbias
    (array([0.5, 0. , 0. ]), array([0.5]), array([1.]))
    """
    running = {"running_mean": running_mean, "running_var": running_var}
    dy, x, mean, var, weight = floats({**running, "weight": weight}, dy=dy, x=x)
    rows = _channel_rows(x, mean, var, weight)
    check_shape("dy", dy, x.shape)
    mean, var = _statistics(rows, mean, var, training)
    inverse = _inverse(var, eps)
    factor = (inverse * (1 if weight is None else weight)).astype(x.dtype)
    inverse, dz = inverse.astype(x.dtype), as_matrix(dy)
    dbias, dweight = kernels.batch_norm_sums(ISA, rows, dz, mean, inverse)
    share = x.dtype.type(1 / len(rows) if training else 0)
    dx: Array = np.empty_like(rows)
    kernels.batch_norm_backward(
        ISA, rows, dz, mean, inverse, dbias * share, dweight * share, factor, dx
    )
    return dx.reshape(x.shape), dweight, dbias


def layer_norm(
    x: Any,
    normalized_shape: int | tuple[int, ...],
    weight: Any | None = None,
    bias: Any | None = None,
    eps: float = 1e-5,
) -> Array:
    """Return ``(x - mean) / sqrt(var + eps) * weight + bias``, position by position.

    Mean and variance (divided by n) are those of the last axes of x. The layer
    `LayerNormalization` takes one axis and eps 1e-3.

    Parameters
    ----------
    x : array of shape (..., *normalized_shape)
    normalized_shape : int or tuple of int
        Sizes of the last axes, those over which a mean is taken.
    weight, bias : array of shape normalized_shape, optional
        Factor and offset, 1 and 0 by default: gamma and beta.
    eps : float, default 1e-5
        Added to the variance, > 0.

    Returns
    -------
    array of the shape of x

    References
    ----------
    Ba et al., "Layer normalization" (2016).

    Examples
    --------
    >>> layer_norm([[1.0, 3.0], [10.0, 50.0]], 2).round(4)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    x, weight, bias = floats({"weight": weight, "bias": bias}, x=x)
    rows = _position_rows(x, normalized_shape, weight, bias)
    y, _ = kernels.layer_norm_forward(ISA, rows, _flat(weight), _flat(bias), _epsilon(eps))
    return y.reshape(x.shape)


def layer_norm_backward(
    dy: Any,
    x: Any,
    normalized_shape: int | tuple[int, ...],
    weight: Any | None = None,
    eps: float = 1e-5,
) -> Gradients:
    """Return the gradients of x, weight and bias.

    Examples
    --------
    >>> dx, dweight, dbias = layer_norm_backward([[1.0, 0.0, 0.0]], [[1.0, 3.0, 8.0]], 3)
    >>> dx.round(3), dweight.round(3), dbias
    (array([[ 0.109, -0.152,  0.044]]), array([-1.019,  0.   ,  0.   ]), array([1., 0., 0.]))
    """
    dy, x, weight = floats({"weight": weight}, dy=dy, x=x)
    rows = _position_rows(x, normalized_shape, weight)
    check_shape("dy", dy, x.shape)
    dz = dy.reshape(rows.shape)
    _, kept = kernels.layer_norm_forward(ISA, rows, None, None, _epsilon(eps))
    dx = kernels.layer_norm_backward(ISA, rows, dz, _flat(weight), kept)
    dweight, dbias = kernels.layer_norm_gamma(ISA, rows, dz, kept), kernels.column_sums(ISA, dz)
    sizes = check.shape("normalized_shape", normalized_shape)
    return dx.reshape(x.shape), dweight.reshape(sizes), dbias.reshape(sizes)


def _channel_rows(x: Array, *per_channel: Array | None) -> Array:
    """Return x as (m, channels); refuse statistics, weight and bias of another length."""
    names = ("running_mean", "running_var", "weight", "bias")
    for name, array in zip(names, per_channel, strict=False):
        if array is not None:
            check_shape(name, array, x.shape[-1:])
    return as_matrix(x)


def _position_rows(x: Array, normalized_shape: Any, *per_element: Array | None) -> Array:
    """Return x as (m, elements of normalized_shape); refuse a weight or bias of another shape."""
    sizes = check.shape("normalized_shape", normalized_shape)
    if not sizes or x.shape[-len(sizes) :] != sizes:
        raise check.wrong_value("normalized_shape", f"the last sizes of {x.shape}", sizes)
    for name, array in zip(("weight", "bias"), per_element, strict=False):
        if array is not None:
            check_shape(name, array, sizes)
    return x.reshape(math.prod(x.shape[: -len(sizes)]), math.prod(sizes))


def _flat(array: Array | None) -> Array | None:
    return None if array is None else array.reshape(-1)


def _epsilon(eps: float) -> float:
    return check.number("eps", eps, 0, above=True)


def _inverse(var: Array, eps: float) -> Array:
    """Return 1 / sqrt(var + eps) in float64."""
    with np.errstate(invalid="ignore"):
        inverse: Array = 1 / np.sqrt(var.astype(np.float64) + _epsilon(eps))
    return inverse


def _statistics(
    rows: Array, mean: Array | None, var: Array | None, training: bool
) -> tuple[Array, Array]:
    """Return mean and variance of each column: in training those of rows, else the running ones."""
    if check.flag("training", training):
        if len(rows) == 0:
            raise check.wrong_value("x", "at least one row in training", "none")
        mean, squares = kernels.column_moments(ISA, rows)
        return mean, squares / len(rows)
    if mean is None or var is None:
        argument = "running_mean" if mean is None else "running_var"
        raise check.wrong_type(argument, "an array unless training")
    return mean, var


def _move(running: Mapping[str, Any], found: Mapping[str, Array], share: float) -> None:
    """Move running values in place towards those of a batch."""
    kept = {name: array for name, array in running.items() if array is not None}
    for name, array in kept.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise check.wrong_type(name, "an array of floats, which training moves", array)
        if not array.flags.writeable:
            raise check.wrong_value(name, "a writable array in training", "a read-only one")
    for name, array in kept.items():
        array += share * (found[name] - array)
