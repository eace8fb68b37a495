"""What is timed of a kernel: a shape, a function that runs it, and what it has to do at least."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastnn import _core
from numpy.typing import NDArray

from bench.timing import Run

ISA = _core.instruction_set()
CACHE_LINE = 64
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """A kernel at a shape; `run(times)` does it so often and returns `times`."""

    kernel: str
    shape: str
    run: Run
    operations: float = 0.0  # multiplications and additions of one time
    bytes: float = 0.0  # read and written; what is only written counts twice: a store reads first


@dataclass(frozen=True)
class Part:
    """One of the threads that share a case; each takes its part of the rows, images or weights."""

    index: int = 0
    count: int = 1

    def of(self, n: int) -> tuple[int, int]:
        return n * self.index // self.count, n * (self.index + 1) // self.count

    def size(self, n: int) -> int:
        begin, end = self.of(n)
        return end - begin


def calls(kernel: Callable[..., Any], *arguments: Any) -> Run:
    """Call a kernel as often as asked, with the same arguments."""

    def run(times: int) -> int:
        for _ in range(times):
            kernel(ISA, *arguments)
        return times

    return run


def zeros(*shape: int) -> NDArray[np.float32]:
    """At the start of a cache line, as the arrays of a plan lie."""
    size = 4 * math.prod(shape)
    raw = np.zeros(size + CACHE_LINE, np.uint8)
    first = -raw.ctypes.data % CACHE_LINE
    return raw[first : first + size].view(np.float32).reshape(shape)


def uniform(*shape: int) -> NDArray[np.float32]:
    array = zeros(*shape)
    RNG.random(dtype=np.float32, out=array)
    return array
