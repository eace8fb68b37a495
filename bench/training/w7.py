"""W7: autoencoder 784-256-32-256-784, sigmoid output, mean squared error, Adam, batch 128."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from bench.contest import Contest, sides_of
from bench.training.problem import Dense, images

ACTIVATIONS = ("relu", "relu", "relu", "sigmoid")


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    x, _ = images(round(60_000 * scale), data)
    for label, noise, code_l1 in (("plain", 0.0, 0.0), ("l1", 0.0, 1e-4), ("denoising", 0.2, 0.0)):
        units = (256, 32, 256, 784)
        problem = Dense(x, x, units, ACTIVATIONS, "mse", 128, noise=noise, code_l1=code_l1)
        tolerance = 1e-2 if noise else 2e-3  # every library draws its own noise
        yield Contest(label, sides_of("dense", problem, found, threads), tolerance)
