"""W5: factorisation, 6,040 users x 3,706 items, 1.0M ratings, 64 dimensions and biases, Adam."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bench.contest import Contest, sides_of
from bench.training.problem import Ratings, ratings

N_USERS, N_ITEMS = 6_040, 3_706


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    del data  # the set of this size may not be stored; ratings are planted
    users, items, values = ratings(round(1_000_000 * scale), N_USERS, N_ITEMS)
    for batch in (1_024, 8_192):
        problem = Ratings(users, items, values, N_USERS, N_ITEMS, 64, batch)
        yield Contest(f"batch {batch}", sides_of("factorisation", problem, found, threads))
