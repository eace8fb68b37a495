"""W1: 8-64-64-1 regression, mean squared error, Adam; 20,640 rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bench.contest import Contest, sides_of
from bench.training.problem import Dense, table


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    x, y = table(round(20_640 * scale), data)
    for batch in (32, 256):
        problem = Dense(x, y, (64, 64, 1), ("relu", "relu", "identity"), "mse", batch)
        yield Contest(f"batch {batch}", sides_of("dense", problem, found, threads))
