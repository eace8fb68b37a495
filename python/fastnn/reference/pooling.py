"""Pooling: one number for each window and channel of images x[m, h, w, c]."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .layer import Array, Gradients, Run, Shape
from .window import Window, Windowed, cut_border, pad_images, under_tap


def _pixels(window: Window) -> Array:
    """Count the pixels row by row, with -1 in the border: (1, h', w', 1)."""
    numbers = np.arange(1, window.h * window.w + 1, dtype=np.int32)
    return pad_images(numbers.reshape(1, window.h, window.w, 1), window) - 1


def max_pool_forward(x: Array, window: Window) -> tuple[Array, Array]:
    """Largest value y[m, oh, ow, c] and the pixel it came from, row * w + column.

    The first of equal values is taken, row by row; NaN counts as the largest of all.
    """
    padded, pixels = pad_images(x, window), _pixels(window)
    shape = len(x), window.oh, window.ow, x.shape[-1]
    y, chosen = np.zeros(shape, x.dtype), np.full(shape, -1, np.int32)
    for p, q in window.taps():
        value, pixel = (under_tap(each, window, p, q) for each in (padded, pixels))
        larger = ~(value <= y) & ~np.isnan(y)
        better = (pixel >= 0) & ((chosen < 0) | larger)
        y, chosen = np.where(better, value, y), np.where(better, pixel, chosen)
    return y, chosen


def max_pool_backward(chosen: Array, dy: Array, window: Window) -> Array:
    """dx[m, h, w, c]: each pixel takes dy of the windows that chose it."""
    m, channels = len(dy), dy.shape[-1]
    dx = np.zeros((m, window.h * window.w, channels), dy.dtype)
    images, columns = np.arange(m)[:, None, None, None], np.arange(channels)
    np.add.at(dx, (images, chosen, columns), dy)
    return dx.reshape(m, window.h, window.w, channels)


def _counts(window: Window) -> Array:
    """Pixels of the image in the window at each place: (1, oh, ow, 1)."""
    inside = _pixels(window) >= 0
    taps = [under_tap(inside, window, p, q) for p, q in window.taps()]
    counts: Array = np.sum(taps, axis=0)
    return counts


def average_pool_forward(x: Array, window: Window) -> Array:
    """Mean y[m, oh, ow, c] over the pixels of the window that lie in the image."""
    padded = pad_images(x, window)
    y = np.zeros((len(x), window.oh, window.ow, x.shape[-1]), x.dtype)
    for p, q in window.taps():
        y += under_tap(padded, window, p, q)
    return (y / _counts(window)).astype(x.dtype)


def average_pool_backward(dy: Array, window: Window) -> Array:
    """dx[m, h, w, c]: dy in equal shares to the pixels of the window."""
    size = window.h + window.top + window.bottom, window.w + window.left + window.right
    padded = np.zeros((len(dy), *size, dy.shape[-1]), dy.dtype)
    share = (dy / _counts(window)).astype(dy.dtype)
    for p, q in window.taps():
        pixels = under_tap(padded, window, p, q)
        pixels += share
    return cut_border(padded, window)


class _Pooling(Windowed):
    """A layer that pools windows."""

    settings: ClassVar = {"pool_size": None, "strides": (), "padding": "valid"}
    window_size = "pool_size"

    def row_shape(self) -> Shape:
        shape = self.check_images()
        size = "strides" if self.config["strides"] else "pool_size"
        self.window = self.plan_window(self.check_numbers(size, 2, 1), (1, 1))
        return (self.window.oh, self.window.ow, shape[-1])

    def check_border(self, border: list[tuple[int, int]], taps: Shape) -> None:
        """Refuse a border as wide as the window: its maximum and mean would be of nothing."""
        for (before, after), k in zip(border, taps, strict=True):
            expected = f"padding smaller than pool_size {taps}"
            self.check(max(before, after) < k, expected, f"{before} and {after}")


class MaxPooling2D(_Pooling):
    """Largest value of each window."""

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        y, chosen = max_pool_forward(inputs[0], self.window)
        return y.reshape(len(y), *self.shape), chosen

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [max_pool_backward(saved, dy.reshape(saved.shape), self.window)], {}


class AveragePooling2D(_Pooling):
    """Mean of each window."""

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        y = average_pool_forward(inputs[0], self.window)
        return y.reshape(len(y), *self.shape), None

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        places = dy.reshape(len(dy), self.window.oh, self.window.ow, dy.shape[-1])
        return [average_pool_backward(places, self.window)], {}


class _GlobalPooling(_Pooling):
    """One window: the image."""

    settings: ClassVar = {}

    def row_shape(self) -> Shape:
        h, w, channels = self.check_images()
        self.window = Window(h, w, h, w)
        return (channels,)


class GlobalMaxPooling2D(_GlobalPooling, MaxPooling2D):
    """Largest value of each channel."""


class GlobalAveragePooling2D(_GlobalPooling, AveragePooling2D):
    """Mean of each channel."""
