"""Layers of several values: dot products, sums, products, values side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fastnn.graph import Layer

__all__ = ["Add", "Concatenate", "Dot", "Multiply"]


@dataclass(frozen=True, repr=False)
class Dot(Layer):
    """Dot product of two values along their last axis: (..., d), (..., d) to (..., 1)."""

    arity: ClassVar[tuple[int, float]] = (2, 2)


@dataclass(frozen=True, repr=False)
class Concatenate(Layer):
    """Values side by side along the last axis."""

    arity: ClassVar[tuple[int, float]] = (1, float("inf"))


@dataclass(frozen=True, repr=False)
class Add(Layer):
    """Sum of two or more values of one shape."""

    arity: ClassVar[tuple[int, float]] = (2, float("inf"))


@dataclass(frozen=True, repr=False)
class Multiply(Layer):
    """Product, element by element, of two or more values of one shape."""

    arity: ClassVar[tuple[int, float]] = (2, float("inf"))
