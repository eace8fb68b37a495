"""W2: 784-256-128-10 softmax classifier, Adam; 60,000 images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from bench.contest import BF16, Contest, sides_of
from bench.machine import multiplies_bf16
from bench.training.problem import Dense, images

UNITS = (256, 128, 10)
ACTIVATIONS = ("relu", "relu", "softmax")


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    x, y = images(round(60_000 * scale), data)
    for batch in (32, 128, 512):
        problem = Dense(x, y, UNITS, ACTIVATIONS, "categorical", batch)
        yield Contest(f"batch {batch}", sides_of("dense", problem, found, threads))
    if multiplies_bf16():
        problem = replace(problem, precision="bf16")
        yield Contest("batch 512, bf16", sides_of("dense", problem, found, threads), BF16)
