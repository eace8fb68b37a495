"""The largest and the mean of every window of an image, channel by channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import check
from fastnn.functional import windows
from fastnn.functional.arrays import ISA, Array, check_rank, check_shape, floats, kernels
from fastnn.functional.windows import Window


def max_pool2d(x: Any, kernel_size: Any, stride: Any | None = None, padding: Any = 0) -> Array:
    """Return the largest value of every window.

    Parameters
    ----------
    x : array of shape (n, rows, columns, channels)
    kernel_size : int or (int, int)
        Rows and columns of the window.
    stride : int or (int, int), optional
        Pixels from one window to the next; by default ``kernel_size``.
    padding : int, (int, int), "same" or "valid", default 0
        Border in which windows may begin and end, smaller than the window; only pixels of the
        image count. "valid" is none; "same" as many as leave ceil(rows / stride) rows.

    Returns
    -------
    array of shape (n, rows of y, columns of y, channels)
        Rows of y are ``(rows + 2 * padding - kernel_size) // stride + 1``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> max_pool2d(x, 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    (x,) = floats(x=x)
    return kernels.max_pool_forward(ISA, x, _plan(x, kernel_size, stride, padding))[0]


def max_pool2d_backward(
    dy: Any, x: Any, kernel_size: Any, stride: Any | None = None, padding: Any = 0
) -> Array:
    """Return the gradient of x: the first largest pixel of a window, row by row, takes its dy.

    Examples
    --------
    >>> max_pool2d_backward([[[[5.0]]]], [[[[1.0], [3.0]], [[3.0], [2.0]]]], 2)[0, :, :, 0]
    array([[0., 5.],
           [0., 0.]])
    """
    dy, x = floats(dy=dy, x=x)
    window = _plan(x, kernel_size, stride, padding)
    check_shape("dy", dy, _shape_of_y(x, window))
    _, chosen = kernels.max_pool_forward(ISA, x, window)
    return kernels.max_pool_backward(ISA, chosen, dy, window)


def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any | None = None,
    padding: Any = 0,
    count_include_pad: bool = True,
) -> Array:
    """Return the mean of every window.

    Parameters
    ----------
    x : array of shape (n, rows, columns, channels)
    kernel_size : int or (int, int)
        Rows and columns of the window.
    stride : int or (int, int), optional
        Pixels from one window to the next; by default ``kernel_size``.
    padding : int, (int, int), "same" or "valid", default 0
        Border in which windows may begin and end, as in `max_pool2d`.
    count_include_pad : bool, default True
        Whether the border counts as zeros, as in PyTorch. False: the mean of the pixels in the
        image alone, as in the layer `AveragePooling2D`.

    Returns
    -------
    array of shape (n, rows of y, columns of y, channels)

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> avg_pool2d(x, 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    (x,) = floats(x=x)
    window = _plan(x, kernel_size, stride, padding)
    y: Array = kernels.average_pool_forward(ISA, x, window)
    return y * _shares(window, x.dtype) if check.flag("count_include_pad", count_include_pad) else y


def avg_pool2d_backward(
    dy: Any,
    x: Any,
    kernel_size: Any,
    stride: Any | None = None,
    padding: Any = 0,
    count_include_pad: bool = True,
) -> Array:
    """Return the gradient of x: every pixel of a window takes an equal share of its dy.

    Examples
    --------
    >>> avg_pool2d_backward([[[[8.0]]]], [[[[1.0], [3.0]], [[3.0], [2.0]]]], 2)[0, :, :, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    dy, x = floats(dy=dy, x=x)
    window = _plan(x, kernel_size, stride, padding)
    check_shape("dy", dy, _shape_of_y(x, window))
    if check.flag("count_include_pad", count_include_pad):
        dy = dy * _shares(window, dy.dtype)
    return kernels.average_pool_backward(ISA, dy, window)


def _plan(x: Array, kernel_size: Any, stride: Any | None, padding: Any) -> Window:
    check_rank("x", x, "n, rows, columns, channels")
    size = windows.integers("kernel_size", kernel_size, 2, 1)
    steps = size if stride is None else stride
    window = windows.plan("kernel_size", x.shape[1:3], size, steps, padding)
    border = max(window.top, window.bottom), max(window.left, window.right)
    if border[0] >= size[0] or border[1] >= size[1]:
        raise check.wrong_value("padding", f"less than kernel_size {size}", border)
    return window


def _shape_of_y(x: Array, window: Window) -> tuple[int, ...]:
    return (len(x), *window.places, x.shape[3])


def _shares(window: Window, dtype: Any) -> Array:
    """Return the share of each window that lies in the image (rows, columns, 1)."""
    rows, columns = window.places
    high = _inside(rows, window.sh, window.kh, window.top, window.h)
    wide = _inside(columns, window.sw, window.kw, window.left, window.w)
    shares: Array = high[:, None, None] * wide[:, None] / (window.kh * window.kw)
    return shares.astype(dtype)


def _inside(places: int, stride: int, size: int, before: int, n: int) -> Array:
    """Return how many pixels of each window along an axis are in the image."""
    start = np.arange(places) * stride - before
    inside: Array = np.minimum(start + size, n) - np.maximum(start, 0)
    return inside
