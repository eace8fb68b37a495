"""Optimizers beyond the caches: weights and slots are read and written, gradients read."""

from __future__ import annotations

from collections.abc import Iterator

from fastnn import _core

from bench.kernels.case import Case, Part, calls, uniform, zeros

ELEMENTS = 2**24
SLOTS = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "adam": 2}
SETTINGS = {"rate": 1e-3, "decay_1": 0.9, "decay_2": 0.999, "epsilon": 1e-8}
SETTINGS |= {"correction_1": 10.0, "correction_2": 31.6}


def cases(part: Part) -> Iterator[Case]:
    n = part.size(ELEMENTS)
    for optimizer, n_slots in SLOTS.items():
        slots = [zeros(n) if i < n_slots else None for i in range(3)]
        run = calls(_core.kernels.update, optimizer, SETTINGS, zeros(n), slots, uniform(n))
        moved = 4.0 * n * (3 + 2 * n_slots)
        yield Case("update", f"{optimizer}, {ELEMENTS}", run, bytes=moved)
