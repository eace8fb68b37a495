"""Windows that walk over images: their places, their taps, and the layers that have one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .layer import Array, Layer, Shape


class Window(NamedTuple):
    """How a window of kh x kw taps walks over images of h x w pixels.

    ``sh, sw`` are its strides, ``dh, dw`` the distances of its taps, the others the border of
    nothing around the image.
    """

    h: int
    w: int
    kh: int
    kw: int
    sh: int = 1
    sw: int = 1
    dh: int = 1
    dw: int = 1
    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    @property
    def oh(self) -> int:
        """Rows of the output."""
        return (self.h + self.top + self.bottom - extent(self.kh, self.dh)) // self.sh + 1

    @property
    def ow(self) -> int:
        """Columns of the output."""
        return (self.w + self.left + self.right - extent(self.kw, self.dw)) // self.sw + 1

    def taps(self) -> Iterator[tuple[int, int]]:
        """Row and column of every tap, row by row."""
        yield from np.ndindex(self.kh, self.kw)


def extent(k: int, d: int) -> int:
    """Pixels from the first to the last of k taps at distance d."""
    return (k - 1) * d + 1


def same_border(n: int, e: int, s: int) -> tuple[int, int]:
    """Border before and after n pixels that gives a window of e and stride s ceil(n / s) places."""
    border = max((-(-n // s) - 1) * s + e - n, 0)
    return border // 2, border - border // 2


def pad_images(x: Array, window: Window) -> Array:
    """Images (m, h, w, c) with the window's border of zeros around them."""
    rows, columns = (window.top, window.bottom), (window.left, window.right)
    return np.pad(x, ((0, 0), rows, columns, (0, 0)))


def cut_border(padded: Array, window: Window) -> Array:
    """Images (m, h, w, c) out of their border."""
    rows = slice(window.top, window.top + window.h)
    return padded[:, rows, window.left : window.left + window.w]


def under_tap(padded: Array, window: Window, p: int, q: int) -> Array:
    """Pixels under tap (p, q) at every place: a view (m, oh, ow, c) of padded images."""
    row, column = p * window.dh, q * window.dw
    rows = slice(row, row + (window.oh - 1) * window.sh + 1, window.sh)
    columns = slice(column, column + (window.ow - 1) * window.sw + 1, window.sw)
    return padded[:, rows, columns]


class Windowed(Layer):
    """A layer over images (h, w, channels), or sequences (length, channels) if ``n_axes`` is 1.

    ``window_size`` names the setting that holds the window's taps.
    """

    n_axes = 2
    window_size = "kernel_size"

    def check_images(self) -> Shape:
        """Refuse an input that is no image (no sequence); return its row shape."""
        (shape,) = self.shapes
        axes = "(length, channels)" if self.n_axes == 1 else "(rows, columns, channels)"
        self.check(len(shape) == self.n_axes + 1, f"an input of shape {axes}", shape)
        return shape

    def check_numbers(self, name: str, length: int, low: int) -> tuple[int, ...]:
        """Refuse a setting that is no tuple of ``length`` numbers from ``low`` on."""
        value = self.config[name]
        ok = isinstance(value, tuple) and len(value) == length
        ok = ok and all(isinstance(n, int) and low <= n < 2**31 for n in value)
        word = "number" if length == 1 else "numbers"
        self.check(ok, f"{name} of {length} whole {word} in [{low}, 2**31)", value)
        return tuple(int(n) for n in value)

    def plan_window(self, strides: tuple[int, ...], distances: tuple[int, ...]) -> Window:
        """Window over the input; one that is larger than image and border is refused."""
        sizes, taps = self.shapes[0][:-1], self.check_numbers(self.window_size, self.n_axes, 1)
        extents = tuple(extent(k, d) for k, d in zip(taps, distances, strict=True))
        border = self._border(sizes, extents, strides)
        room = tuple(n + sum(pair) for n, pair in zip(sizes, border, strict=True))
        fits = all(e <= n for e, n in zip(extents, room, strict=True))
        beyond = f", with its border {room}" if room != sizes else ""
        expected = f"an image of at least {extents} for {self.window_size} {taps}"
        self.check(fits, expected, f"{sizes}{beyond}")
        self.check_border(border, taps)
        before, after = zip(*border, strict=True)
        if self.n_axes == 1:  # an image of one row
            sizes, taps, strides, distances = ((1, *n) for n in (sizes, taps, strides, distances))
            before, after = (0, *before), (0, *after)
        return Window(*sizes, *taps, *strides, *distances, *before, *after)

    def _border(
        self, sizes: Shape, extents: Shape, strides: tuple[int, ...]
    ) -> list[tuple[int, int]]:
        """Border before and after each axis."""
        padding = self.config["padding"]
        if not isinstance(padding, str):
            flat = self.check_numbers("padding", 2 * self.n_axes, 0)
            return list(zip(flat[::2], flat[1::2], strict=True))
        expected = f"padding to be valid, same or {2 * self.n_axes} numbers"
        self.check(padding in ("valid", "same"), expected, padding)
        if padding == "valid":
            return [(0, 0)] * self.n_axes
        return [same_border(*each) for each in zip(sizes, extents, strides, strict=True)]

    def check_border(self, border: list[tuple[int, int]], taps: Shape) -> None:
        """Refuse a border that the window cannot have."""
