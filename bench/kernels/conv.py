"""Direct convolutions of 64 images: first layers, the layers of W3 and W4, and other windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastnn import _core
from fastnn.reference.window import Window

from bench.kernels.case import Case, Part, calls, uniform, zeros

IMAGES = 64
FIRST = ((28, 1, 32), (32, 3, 64))  # pixels a side, channels, filters
INNER = ((28, 32, 64), (32, 64, 64), (16, 128, 128), (8, 256, 256))


class Layer(NamedTuple):
    """Pixels a side, taps a side, stride, channels, filters, groups."""

    side: int
    taps: int
    stride: int
    channels: int
    filters: int
    groups: int = 1


LAYERS = (
    *(Layer(side, 3, 1, c, f) for side, c, f in (*FIRST, *INNER)),
    Layer(14, 5, 1, 32, 64),
    Layer(28, 3, 2, 32, 64),
    Layer(28, 1, 1, 64, 128),
    Layer(28, 3, 1, 32, 1),
    Layer(28, 3, 1, 64, 64, 64),
)


def cases(part: Part) -> Iterator[Case]:
    kernels = _core.kernels
    for side, taps, stride, c, f, groups in LAYERS:
        depth, border, one_border = c // groups, (taps // 2,) * 4, (taps - 1) // 2 * 2
        places = (side + one_border - taps) // stride + 1
        images, (begin, end) = part.size(IMAGES), part.of(taps * taps * depth)
        window = tuple(Window(side, side, taps, taps, stride, stride, 1, 1, *border))
        w, b = uniform(taps, taps, depth, f), zeros(f)
        x, dy = uniform(IMAGES, side, side, c), uniform(IMAGES, places, places, f)
        shape = f"{side} x {side}, {c}-{f}" + (f", {taps} x {taps}" if taps != 3 else "")
        shape += (f" / {stride}" if stride > 1 else "") + (", depthwise" if groups > 1 else "")
        one = 2.0 * places * places * f  # operations for a row of the kernel and an image
        all_rows = taps * taps * depth * images * one
        forward = calls(kernels.conv_forward, x[:images], w, b, window, groups)
        yield Case("conv_forward", shape, forward, all_rows)
        if c > 3:
            inputs = calls(kernels.conv_backward_inputs, dy[:images], w, window, groups)
            yield Case("conv_backward_inputs", shape, inputs, all_rows)
        weights = calls(kernels.conv_backward_weights, x, dy, window, groups, begin, end)
        yield Case("conv_backward_weights", shape, weights, IMAGES * one * (end - begin))
