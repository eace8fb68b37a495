"""Activations and their derivatives beyond the caches: what costs more than its memory shows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from fastnn import _core

from bench.kernels.case import Case, Part, calls, uniform, zeros

ELEMENTS, CLASSES = 2**24, 10
NAMES = [name for name in _core.activations() if name not in ("identity", "softmax")]


def cases(part: Part) -> Iterator[Case]:
    kernels, n = _core.kernels, part.size(ELEMENTS)
    x, y, out = uniform(n) - np.float32(0.5), uniform(n), zeros(n)
    for name in NAMES:
        forward = calls(kernels.activation_forward, x, out, name)
        yield Case("activation_forward", f"{name}, {ELEMENTS}", forward, bytes=12.0 * n)
        backward = calls(kernels.activation_backward, x, x, y, out, name)
        yield Case("activation_backward", f"{name}, {ELEMENTS}", backward, bytes=16.0 * n)
    rows = part.size(ELEMENTS // CLASSES)
    softmax = calls(kernels.softmax_forward, uniform(rows, CLASSES))
    shape = f"{ELEMENTS // CLASSES} x {CLASSES}"
    yield Case("softmax_forward", shape, softmax, bytes=12.0 * rows * CLASSES)
