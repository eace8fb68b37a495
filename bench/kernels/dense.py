"""The three products of a dense layer: squares, and small layers at three batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastnn import _core

from bench.kernels.case import ISA, Case, Part, uniform
from bench.timing import Run

SQUARES = (1024, 2048, 4096)
LAYERS = ((784, 256), (256, 128), (128, 10), (64, 64), (8, 64))
BATCHES = (32, 128, 512)
SHAPES = (*((n, n, n) for n in SQUARES), *((m, k, n) for k, n in LAYERS for m in BATCHES))


def repeats(kernel: Callable[..., Any], *arguments: Any, **named: Any) -> Run:
    """Repeat inside one call: the smallest products take less time than a call."""

    def run(times: int) -> int:
        kernel(ISA, *arguments, **named, repeat=times)
        return times

    return run


def cases(part: Part) -> Iterator[Case]:
    for m, k, n in SHAPES:
        rows, (begin, end) = part.size(m), part.of(k)
        w, b = uniform(k, n), uniform(n)
        forward = repeats(_core.kernels.dense_forward, uniform(rows, k), w, b)
        inputs = repeats(_core.kernels.dense_backward_inputs, uniform(rows, n), w)
        x, dy = uniform(m, k), uniform(m, n)
        weights = repeats(_core.kernels.dense_backward_weights, x, dy, begin=begin, end=end)
        shape = f"{m} x {k} x {n}"
        yield Case("dense_forward", shape, forward, 2.0 * rows * k * n)
        yield Case("dense_backward_inputs", shape, inputs, 2.0 * rows * k * n)
        yield Case("dense_backward_weights", shape, weights, 2.0 * m * (end - begin) * n)
