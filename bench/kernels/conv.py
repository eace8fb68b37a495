"""Direct convolutions 3 x 3 of 64 images: first layers and the layers of W3 and W4."""

from __future__ import annotations

from collections.abc import Iterator

from fastnn import _core
from fastnn.reference.window import Window

from bench.kernels.case import Case, Part, calls, uniform, zeros

IMAGES = 64
FIRST = ((28, 1, 32), (32, 3, 64))  # pixels a side, channels, filters
INNER = ((28, 32, 64), (32, 64, 64), (16, 128, 128), (8, 256, 256))


def cases(part: Part) -> Iterator[Case]:
    kernels = _core.kernels
    for side, c, f in (*FIRST, *INNER):
        images, (begin, end) = part.size(IMAGES), part.of(9 * c)
        window = tuple(Window(side, side, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1))
        w, b = uniform(3, 3, c, f), zeros(f)
        x, dy = uniform(IMAGES, side, side, c), uniform(IMAGES, side, side, f)
        shape = f"{side} x {side}, {c}-{f}"
        one = 2.0 * side * side * c * f  # operations for a tap of an image
        forward = calls(kernels.conv_forward, x[:images], w, b, window)
        yield Case("conv_forward", shape, forward, 9 * images * one)
        if c > 3:
            inputs = calls(kernels.conv_backward_inputs, dy[:images], w, window)
            yield Case("conv_backward_inputs", shape, inputs, 9 * images * one)
        weights = calls(kernels.conv_backward_weights, x, dy, window, 1, begin, end)
        yield Case("conv_backward_weights", shape, weights, IMAGES * one * (end - begin) / c)
