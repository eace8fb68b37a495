"""Convolution of images and of series, channels last."""

from __future__ import annotations

from typing import Any

from fastnn import check
from fastnn.functional import windows
from fastnn.functional.arrays import (
    ISA,
    Array,
    as_matrix,
    check_rank,
    check_shape,
    floats,
    kernels,
)
from fastnn.functional.windows import Window

Gradients = tuple[Array, Array, Array]

# Axes of x, and of its weights, that a window walks over.
_IMAGES = "rows, columns", "kh, kw"
_SERIES = "length", "k"


def conv2d(
    x: Any,
    weight: Any,
    bias: Any | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    """Slide a window over images and return its products with the weights.

    ``y[n, i, j, f] = bias[f] + sum over p, q, c of weight[p, q, c, f] * x[n, r, s, c]`` where
    ``r = i * stride + p * dilation - padding`` and s likewise; outside the image x is zero. Group
    g of the channels meets group g of the filters alone.

    Weights are those of ``get_weights()`` and channels are last. PyTorch keeps images as (n,
    channels, rows, columns) and weights as (filters, channels / groups, kh, kw): give
    ``weight.transpose(2, 3, 1, 0)`` for weights that come from there.

    Parameters
    ----------
    x : array of shape (n, rows, columns, channels)
    weight : array of shape (kh, kw, channels / groups, filters)
    bias : array of shape (filters,), optional
    stride, dilation : int or (int, int), default 1
        Pixels from one window to the next, and between two taps of a window.
    padding : int, (int, int), "same" or "valid", default 0
        Zeros above and below, left and right. "valid" is none; "same" as many as leave
        ceil(rows / stride) rows, the larger half after the image, also for strides (PyTorch's
        wants stride 1).
    groups : int, default 1
        A divisor of channels and filters; depthwise when it is the number of channels.

    Returns
    -------
    array of shape (n, rows of y, columns of y, filters)
        Rows of y are ``(rows + 2 * padding - dilation * (kh - 1) - 1) // stride + 1``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv2d(x, np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    >>> conv2d(x, np.ones((3, 3, 1, 4)), stride=2, padding="same").shape
    (1, 2, 2, 4)
    """
    return _forward(_IMAGES, x, weight, bias, stride, padding, dilation, groups)


def conv2d_backward(
    dy: Any,
    x: Any,
    weight: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Gradients:
    """Return the gradients of x, weight and bias.

    Examples
    --------
    >>> import numpy as np
    >>> x, weight = np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1))
    >>> dx, dweight, dbias = conv2d_backward(np.ones((1, 2, 2, 1)), x, weight)
    >>> dx[0, :, :, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    >>> dweight.ravel(), dbias
    (array([ 8., 12., 20., 24.]), array([4.]))
    """
    return _backward(_IMAGES, dy, x, weight, stride, padding, dilation, groups)


def conv1d(
    x: Any,
    weight: Any,
    bias: Any | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    """Slide a window along series and return its products with the weights, as `conv2d` does.

    PyTorch keeps series as (n, channels, length) and weights as (filters, channels / groups, k):
    give ``weight.transpose(2, 1, 0)`` for weights that come from there.

    Parameters
    ----------
    x : array of shape (n, length, channels)
    weight : array of shape (k, channels / groups, filters)
    bias : array of shape (filters,), optional
    stride, dilation : int, default 1
        Places from one window to the next, and between two taps of a window.
    padding : int, "same" or "valid", default 0
        Zeros before and after, as in `conv2d`.
    groups : int, default 1
        A divisor of channels and filters.

    Returns
    -------
    array of shape (n, length of y, filters)

    Examples
    --------
    >>> conv1d([[[1.0], [2.0], [4.0]]], [[[1.0]], [[10.0]]])[0, :, 0]
    array([21., 42.])
    """
    return _forward(_SERIES, x, weight, bias, stride, padding, dilation, groups)


def conv1d_backward(
    dy: Any,
    x: Any,
    weight: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Gradients:
    """Return the gradients of x, weight and bias.

    Examples
    --------
    >>> dx, dweight, dbias = conv1d_backward([[[1.0]]], [[[2.0], [3.0]]], [[[4.0]], [[5.0]]])
    >>> dx.ravel(), dweight.ravel(), dbias
    (array([4., 5.]), array([2., 3.]), array([1.]))
    """
    return _backward(_SERIES, dy, x, weight, stride, padding, dilation, groups)


def _forward(axes: tuple[str, str], x: Any, weight: Any, bias: Any, *settings: Any) -> Array:
    x, weight, bias = floats({"bias": bias}, x=x, weight=weight)
    window, groups = _plan(axes, x, weight, *settings)
    if bias is not None:
        check_shape("bias", bias, weight.shape[-1:])
    y = kernels.conv_forward(ISA, _images(x), _window_weights(weight), bias, window, groups)
    return y.reshape(_shape_of_y(x, weight, window))


def _backward(axes: tuple[str, str], dy: Any, x: Any, weight: Any, *settings: Any) -> Gradients:
    dy, x, weight = floats(dy=dy, x=x, weight=weight)
    window, groups = _plan(axes, x, weight, *settings)
    check_shape("dy", dy, _shape_of_y(x, weight, window))
    dz = _images(dy)
    dx = kernels.conv_backward_inputs(ISA, dz, _window_weights(weight), window, groups)
    dweight = kernels.conv_backward_weights(ISA, _images(x), dz, window, groups)
    dbias = kernels.column_sums(ISA, as_matrix(dy))
    return dx.reshape(x.shape), dweight.reshape(weight.shape), dbias


def _plan(
    axes: tuple[str, str],
    x: Array,
    weight: Array,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> tuple[Window, int]:
    """Return the window and the groups, checked against x and weight."""
    check_rank("x", x, f"n, {axes[0]}, channels")
    check_rank("weight", weight, f"{axes[1]}, channels / groups, filters")
    channels, filters = x.shape[-1], weight.shape[-1]
    groups = check.integer("groups", groups, 1)
    if channels % groups or filters % groups:
        expected = f"a divisor of {channels} channels and {filters} filters"
        raise check.wrong_value("groups", expected, groups)
    if 0 in weight.shape or weight.shape[-2] != channels // groups:
        raise _wrong_weight(axes[1], weight, channels // groups)
    return windows.plan(
        "weight", x.shape[1:-1], weight.shape[:-2], stride, padding, dilation
    ), groups


def _wrong_weight(axes: str, weight: Array, channels: int) -> ValueError:
    swapped = weight.ndim == 4 and weight.shape[1] == channels
    remedy = "channels and filters are last, give weight.transpose(2, 3, 1, 0)" if swapped else ""
    return check.wrong_value("weight", f"shape ({axes}, {channels}, filters)", weight.shape, remedy)


def _images(x: Array) -> Array:
    """Return series as images with one row."""
    return x if x.ndim == 4 else x[:, None]


def _window_weights(weight: Array) -> Array:
    """Return weights of series as those of a window with one row."""
    return weight if weight.ndim == 4 else weight[None]


def _shape_of_y(x: Array, weight: Array, window: Window) -> tuple[int, ...]:
    return (len(x), *window.places[4 - x.ndim :], weight.shape[-1])
