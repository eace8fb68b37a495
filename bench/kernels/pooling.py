"""Maxima and means of 2 x 2 pixels, and their gradients, of images beyond the caches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastnn import _core
from fastnn.reference.window import Window

from bench.kernels.case import ISA, Case, Part, calls, uniform

IMAGES, SIDE, CHANNELS = 256, 32, 64


def cases(part: Part) -> Iterator[Case]:
    kernels, images = _core.kernels, part.size(IMAGES)
    window = tuple(Window(SIDE, SIDE, 2, 2, 2, 2))
    x = uniform(images, SIDE, SIDE, CHANNELS)
    dy = uniform(images, SIDE // 2, SIDE // 2, CHANNELS)
    _, chosen = kernels.max_pool_forward(ISA, x, window)
    shape = f"{IMAGES} x {SIDE} x {SIDE} x {CHANNELS}"
    run = calls(kernels.max_pool_forward, x, window)
    yield Case("max_pool_forward", shape, run, bytes=moved([x], [dy, chosen]))
    run = calls(kernels.max_pool_backward, chosen, dy, window)
    yield Case("max_pool_backward", shape, run, bytes=moved([dy, chosen], [x]))
    run = calls(kernels.average_pool_forward, x, window)
    yield Case("average_pool_forward", shape, run, bytes=moved([x], [dy]))
    run = calls(kernels.average_pool_backward, dy, window)
    yield Case("average_pool_backward", shape, run, bytes=moved([dy], [x]))


def moved(read: list[Any], written: list[Any]) -> float:
    """Bytes of arrays like these."""
    return float(sum(array.nbytes for array in [*read, *written, *written]))
