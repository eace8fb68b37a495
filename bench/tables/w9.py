"""W9: sampled softmax over 500,000 x 64 items, batch 1,024, 1,024 shared negatives, Adagrad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from bench.contest import Contest, sides_of
from bench.tables.problem import Classes, log_uniform
from bench.training.problem import SEED

ITEMS = (5_000, 500_000)
USERS, WIDTH, BATCH, NEGATIVES, BATCHES = 50_000, 64, 1_024, 1_024, 256


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    del data
    batch, negatives = (max(8, round(n * scale)) for n in (BATCH, NEGATIVES))
    users = np.random.default_rng(SEED).integers(0, USERS, BATCHES * batch)
    for n_items in ITEMS:
        labels = log_uniform(len(users), n_items)
        problem = Classes(users, labels, USERS, n_items, WIDTH, batch, negatives)
        yield Contest(f"{n_items} items", sides_of("choosing", problem, found, threads), 5e-2)
