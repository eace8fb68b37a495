"""Images made larger, moved at random, or without some of their channels."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from . import rng
from .layer import Array, Gradients, Run, Shape
from .window import Window, Windowed, cut_border, pad_images


class ZeroPadding2D(Windowed):
    """Images in a border of zeros."""

    settings: ClassVar = {"padding": None}

    def row_shape(self) -> Shape:
        h, w, channels = self.check_images()
        top, bottom, left, right = self.check_numbers("padding", 4, 0)
        self.window = Window(h, w, 1, 1, top=top, left=left, bottom=bottom, right=right)
        return (self.window.oh, self.window.ow, channels)

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        return pad_images(inputs[0], self.window), None

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [cut_border(dy, self.window)], {}


def channel_dropout(x: Array, kept: Array, rate: float) -> Array:
    """y[m, h, w, c] = x / (1 - rate) where kept[m, c], else 0."""
    factor = np.where(kept, 1 / (1 - rate) if rate < 1 else 0, 0).astype(x.dtype)
    y: Array = x * factor[:, None, None, :]
    return y


class SpatialDropout2D(Windowed):
    """In training, zero for a share of the channels; the rest grow to keep the mean."""

    settings: ClassVar = {"rate": None}

    def row_shape(self) -> Shape:
        self.check_number("rate", 0, 1)
        return self.check_images()

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        rate = self.config["rate"]
        if not run.training or rate == 0:
            return inputs[0], None
        channels = self.shape[-1]
        u = rng.noise_uniform(run.seed, self.position, run.step, run.n_rows, channels)
        return channel_dropout(inputs[0], u >= rate, rate), u >= rate

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [dy if saved is None else channel_dropout(dy, saved, self.config["rate"])], {}


class Moves(NamedTuple):
    """How images of h x w pixels are moved at random: flipped, shifted, cut to oh x ow.

    Shifts lie in [-rows, rows] and [-columns, columns], down and to the right; what they uncover
    is the nearest pixel, or zeros.
    """

    h: int
    w: int
    oh: int
    ow: int
    rows: int = 0
    columns: int = 0
    horizontal: bool = False
    vertical: bool = False
    nearest: bool = False


def draw_pixels(moves: Moves, u: Array | None, n_images: int) -> tuple[Array, Array]:
    """Row (m, oh) and column (m, ow) of the pixel that each place shows; -1 is none.

    ``u[m, 4]`` decides about horizontal flip, vertical flip, rows, columns; without it the middle
    is cut and nothing else.
    """
    axes = []
    for axis, (n, size, most, flips) in enumerate(
        (
            (moves.h, moves.oh, moves.rows, moves.vertical),
            (moves.w, moves.ow, moves.columns, moves.horizontal),
        )
    ):
        if u is None:
            axes.append(np.tile((n - size) // 2 + np.arange(size), (n_images, 1)))
            continue
        draw = u[:, 2 + axis]
        cut, shift = np.floor(draw * (n - size + 1)), np.floor(draw * (2 * most + 1)) - most
        pixel = (cut - shift).astype(np.int64)[:, None] + np.arange(size)
        outside = (pixel < 0) | (pixel >= n)
        pixel = np.clip(pixel, 0, n - 1)
        flipped = flips & (u[:, 1 - axis] < 0.5)
        pixel = np.where(flipped[:, None], n - 1 - pixel, pixel)
        axes.append(np.where(outside & (not moves.nearest), -1, pixel))
    return axes[0], axes[1]


def move_images(x: Array, rows: Array, columns: Array) -> Array:
    """y[m, i, j, c] = x[m, rows[m, i], columns[m, j], c], zeros where either is -1."""
    images = np.arange(len(x))[:, None, None]
    y = x[images, rows[:, :, None], columns[:, None, :]]
    y[(rows[:, :, None] < 0) | (columns[:, None, :] < 0)] = 0
    return y


def move_images_backward(dy: Array, rows: Array, columns: Array, moves: Moves) -> Array:
    """dx[m, h, w, c]: each pixel gathers dy of the places that show it."""
    dx = np.zeros((len(dy), moves.h, moves.w, dy.shape[-1]), dy.dtype)
    shown = (rows[:, :, None] >= 0) & (columns[:, None, :] >= 0)
    image, i, j = np.nonzero(shown)
    np.add.at(dx, (image, rows[image, i], columns[image, j]), dy[image, i, j])
    return dx


class _Moved(Windowed):
    """A layer that moves images in training; ``moves`` says how."""

    def moves(self, h: int, w: int) -> Moves:
        """Return how images of h x w pixels are moved."""
        raise NotImplementedError

    def row_shape(self) -> Shape:
        h, w, channels = self.check_images()
        self.planned = self.moves(h, w)
        return (self.planned.oh, self.planned.ow, channels)

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        u = None
        if run.training:
            u = rng.noise_uniform(run.seed, self.position, run.step, run.n_rows, 4)
        pixels = draw_pixels(self.planned, u, run.n_rows)
        return move_images(inputs[0], *pixels), pixels

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        rows, columns = saved
        return [move_images_backward(dy, rows, columns, self.planned)], {}


class RandomFlip(_Moved):
    """Left for right, top for bottom, each for half of the images."""

    settings: ClassVar = {"mode": "horizontal"}

    def moves(self, h: int, w: int) -> Moves:
        self.check_word("mode", ("horizontal", "vertical", "both"))
        mode = self.config["mode"]
        return Moves(h, w, h, w, horizontal=mode != "vertical", vertical=mode != "horizontal")


class RandomTranslation(_Moved):
    """Shifted by whole pixels, at most ``height`` down or up and ``width`` to a side."""

    settings: ClassVar = {"height": 0, "width": 0, "fill": "constant"}

    def moves(self, h: int, w: int) -> Moves:
        self.check_word("fill", ("constant", "nearest"))
        self.check_number("height", 0)
        self.check_number("width", 0)
        rows, columns = int(self.config["height"]), int(self.config["width"])
        nearest = self.config["fill"] == "nearest"
        return Moves(h, w, h, w, rows, columns, nearest=nearest)


class RandomCrop(_Moved):
    """A part of ``height`` x ``width`` pixels; the middle outside training."""

    settings: ClassVar = {"height": None, "width": None}

    def moves(self, h: int, w: int) -> Moves:
        self.check_number("height", 1)
        self.check_number("width", 1)
        size = int(self.config["height"]), int(self.config["width"])
        self.check(size[0] <= h and size[1] <= w, f"a crop of at most {(h, w)}", size)
        return Moves(h, w, *size)
