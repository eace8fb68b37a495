"""W10: W2's network predicts 1 row, and 1,024 rows, per call; the Python call is timed too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bench.contest import Contest, sides_of
from bench.training.problem import Dense, Prediction, images
from bench.training.w2 import ACTIVATIONS, UNITS


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    x, y = images(max(32, round(1_024 * scale)), data)
    network = Dense(x, y, UNITS, ACTIVATIONS, "categorical", 32)
    for n_rows in (1, len(x)):
        problem = Prediction(network, x[:n_rows].copy())
        yield Contest(f"{n_rows} rows", sides_of("inference", problem, found, threads), 1e-4)
