"""W3: 28x28x1 images: convolutions 3x3 of 32 and 64, maximum of 2x2, dense 128, 10; Adam."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bench.contest import Contest, sides_of
from bench.training.problem import Convolution, images


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    x, y = images(64 * max(1, round(937 * scale)), data)
    problem = Convolution(x.reshape(-1, 28, 28, 1), y, ((32, 64),), "valid", (128, 10), 64)
    yield Contest("batch 64", sides_of("convolution", problem, found, threads))
