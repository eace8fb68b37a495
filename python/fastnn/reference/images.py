"""Images made larger, moved at random, or without some of their channels."""

from __future__ import annotations

from typing import Any, ClassVar

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
