"""W6: a table of 5,000,000 x 64; 16,384 ids, or 2,048 bags of 20, a batch; Adagrad."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from bench.contest import Contest, sides_of
from bench.tables.problem import Lookups, lookups
from bench.training.problem import SEED

ROWS, WIDTH, BATCHES = 5_000_000, 64, 128
LAWS = {"uniform": 0.0, "Zipf": 1.05}
BATCH, BAGS, BAG = 16_384, 2_048, 20


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
                label = f"{law}{', bags' if bag > 1 else ''}{', row-wise' if rowwise else ''}"
                if sides:
                    yield Contest(label, sides)
                del problem, sides  # a table and its sums of squares fill gigabytes
                gc.collect()
