"""Winograd's convolution at the shapes of the direct one; operations are those of its products.

F(4x4, 3x3) multiplies 36 numbers for 16 places of a channel and filter; what the transforms of
images and sums take is not counted, so that the share is what they leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastnn import _core

from bench.kernels.case import ISA, Case, Part, calls, uniform, zeros
from bench.kernels.conv import IMAGES, INNER
from bench.timing import Run

BLOCK = 64  # channels, as the core's winograd_block


def cases(part: Part) -> Iterator[Case]:
    kernels, border = _core.kernels, (1, 1, 1, 1)
    for side, c, f in INNER:
        images, (begin, end) = part.size(IMAGES), part.of(c)
        w, b = uniform(3, 3, c, f), zeros(f)
        u, ut = kernels.winograd_transform(ISA, w)
        x, dy = uniform(IMAGES, side, side, c), uniform(IMAGES, side, side, f)
        shape = f"{side} x {side}, {c}-{f}"
        one = 2.0 * 36 * (-(-side // 4)) ** 2 * c * f  # operations for an image
        forward = calls(kernels.winograd_forward, x[:images], u, b, f, border)
        yield Case("winograd_forward", shape, forward, images * one)
        inputs = calls(kernels.winograd_backward_inputs, dy[:images], ut, c, border)
        yield Case("winograd_backward_inputs", shape, inputs, images * one)
        weights = blocks(x, dy, border, begin, end)
        yield Case("winograd_backward_weights", shape, weights, IMAGES * one * (end - begin) / c)


def blocks(x: Any, dy: Any, border: Any, begin: int, end: int) -> Run:
    """The weights of some channels, a block in each call, as a step does it."""

    def run(times: int) -> int:
        for _ in range(times):
            for first in range(begin, end, BLOCK):
                last = min(first + BLOCK, end)
                _core.kernels.winograd_backward_weights(ISA, x, dy, border, first, last)
        return times

    return run
