"""W6: a table of 5,000,000 x 64; 16,384 ids, or 2,048 bags of 20, a batch; Adagrad."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
from fastnn import _core

from bench.contest import Contest, sides_of
from bench.tables.problem import Lookups, lookups
from bench.timing import Array, Side
from bench.training.problem import SEED

ROWS, WIDTH, BATCHES = 5_000_000, 64, 128
ISA = _core.instruction_set()
LAWS = {"uniform": 0.0, "Zipf": 1.05}
BATCH, BAGS, BAG = 16_384, 2_048, 20


def limit(problem: Lookups, threads: int) -> Side:
    """The rows of each batch read and written where they lie, sums of squares included.

    Each row once, in order, by threads that never meet. Sums of squares are rows of the same table,
    which by now nobody compares.
    """
    batches = [
        np.unique(ids).astype(np.int32)
        for ids in np.split(problem.ids, len(problem.ids) // problem.batch)
    ]
    shares = list(zip(*(np.array_split(rows, threads) for rows in batches), strict=True))
    pool = ThreadPoolExecutor(threads)

    def touch(share: tuple[Array, ...], steps: int) -> None:
        for step in range(steps):
            rows = share[step % len(share)]
            _core.kernels.random_rows(ISA, problem.table, rows)
            if not problem.rowwise:
                mirrored = np.subtract(problem.rows - 1, rows, dtype=np.int32)
                _core.kernels.random_rows(ISA, problem.table, mirrored)

    def run(steps: int) -> int:
        list(pool.map(touch, shares, [steps] * threads))
        return steps * problem.batch * problem.lookups

    return Side("limit of memory", run, lambda: np.ones(1), group="limit", against="")


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    del data
    rows = round(ROWS * scale**2)
    rng = np.random.default_rng(SEED)
    for law, exponent in LAWS.items():
        for batch, bag in ((BATCH, 1), (BAGS, BAG)):
            batch = max(1, round(batch * scale))
            ids = lookups(BATCHES * batch, bag, rows, exponent)
            targets = rng.random(len(ids), np.float32)
            for rowwise in (False, True):
                problem = Lookups(ids, targets, rows, WIDTH, batch, rowwise)
                sides = sides_of("looking_up", problem, found, threads)
                sides.append(limit(problem, threads))
                label = f"{law}{', bags' if bag > 1 else ''}{', row-wise' if rowwise else ''}"
                yield Contest(label, sides)
                del problem, sides  # a table and its sums of squares fill gigabytes
                gc.collect()
