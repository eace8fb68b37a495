"""What the machine can do at most: multiply-adds in registers, a sum of two arrays in memory."""

from __future__ import annotations

from collections.abc import Iterator

from fastnn import _core

from bench.kernels.case import ISA, Case, Part, calls, uniform, zeros

ROUNDS = 100_000
ELEMENTS = 2**24  # 64 MiB an array: far beyond the caches


def cases(part: Part) -> Iterator[Case]:
    multiply_adds = _core.kernels.multiply_adds
    operations, _ = multiply_adds(ISA, ROUNDS)
    yield Case("multiply_adds", "registers", calls(multiply_adds, ROUNDS), operations=operations)
    n = part.size(ELEMENTS)
    run = calls(_core.kernels.add, uniform(n), uniform(n), zeros(n))
    yield Case("add", f"{ELEMENTS}", run, bytes=16.0 * n)
