"""W4: 32x32x3 images, as VGG: pairs of 3x3 of 64, 128, 256, each pooled; dense 256, 10; Adam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from bench.contest import BF16, Contest, sides_of
from bench.machine import multiplies_bf16
from bench.training.problem import Convolution, pictures


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    del data  # no set of this size is stored
    x, y = pictures(64 * max(1, round(156 * scale)), 32, 3)
    blocks = ((64, 64), (128, 128), (256, 256))
    problem = Convolution(x, y, blocks, "same", (256, 10), 64, learning_rate=3e-4)
    yield Contest("batch 64", sides_of("convolution", problem, found, threads))
    if multiplies_bf16():
        problem = replace(problem, precision="bf16")
        yield Contest("batch 64, bf16", sides_of("convolution", problem, found, threads), BF16)
