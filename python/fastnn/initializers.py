"""How weights start; drawn by counters, so that a seed gives the same weights everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.description import Description

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "Ones",
    "RandomNormal",
    "RandomUniform",
    "Zeros",
]

Floats = NDArray[np.float64]
Draw = Callable[[int], NDArray[Any]]


@dataclass(frozen=True, repr=False)
class Initializer(Description):
    """Base of the initializers."""

    def values(self, shape: tuple[int, ...], uniform: Draw, normal: Draw) -> Floats:
        """Return float64 values of `shape`.

        `uniform(n)` gives n numbers of [0, 1) and `normal(n)` n standard normal ones, always the
        same for a parameter of a seed.
        """
        raise NotImplementedError

    def for_shape(self, shape: tuple[int, ...]) -> Initializer | None:
        """Return an initializer that draws these values whatever shape it is asked for.

        So an array can be drawn in pieces; None if it has to be drawn at once.
        """
        return None


@dataclass(frozen=True, repr=False)
class _Plain(Initializer):
    """An initializer that looks at no shape."""

    def for_shape(self, shape: tuple[int, ...]) -> Initializer:
        """Return itself."""
        return self


@dataclass(frozen=True, repr=False)
class _Scaled(Initializer):
    """An initializer that is another one for each shape."""

    def for_shape(self, shape: tuple[int, ...]) -> Initializer:
        """Return the other one."""
        raise NotImplementedError

    def values(self, shape: tuple[int, ...], uniform: Draw, normal: Draw) -> Floats:
        """Return float64 values of `shape`."""
        return self.for_shape(shape).values(shape, uniform, normal)


@dataclass(frozen=True, repr=False)
class Constant(_Plain):
    """Every weight is `value` (default 0).

    Examples
    --------
    >>> Constant(3.5).values((2,), None, None)
    array([3.5, 3.5])
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        self._set(value=check.number("value", self.value))

    def values(self, shape: tuple[int, ...], uniform: Draw, normal: Draw) -> Floats:
        """Return float64 values of `shape`."""
        return np.full(shape, self.value)


@dataclass(frozen=True, repr=False)
class Zeros(_Plain):
    """Every weight is 0."""

    def values(self, shape: tuple[int, ...], uniform: Draw, normal: Draw) -> Floats:
        """Return float64 values of `shape`."""
        return np.zeros(shape)


@dataclass(frozen=True, repr=False)
class Ones(_Plain):
    """Every weight is 1."""

    def values(self, shape: tuple[int, ...], uniform: Draw, normal: Draw) -> Floats:
        """Return float64 values of `shape`."""
        return np.ones(shape)


@dataclass(frozen=True, repr=False)
class RandomUniform(_Plain):
    """Uniform on [minval, maxval); the default of embeddings is [-0.05, 0.05)."""

    minval: float = -0.05
    maxval: float = 0.05

    def __post_init__(self) -> None:
        low = check.number("minval", self.minval)
        self._set(minval=low, maxval=check.number("maxval", self.maxval, low))

    def values(self, shape: tuple[int, ...], uniform: Draw, normal: Draw) -> Floats:
        """Return float64 values of `shape`."""
        return _uniform(shape, uniform, self.minval, self.maxval)


@dataclass(frozen=True, repr=False)
class RandomNormal(_Plain):
    """Normal with the given `mean` and `stddev` (defaults 0 and 0.05)."""

    mean: float = 0.0
    stddev: float = 0.05

    def __post_init__(self) -> None:
        self._set(mean=check.number("mean", self.mean))
        self._set(stddev=check.number("stddev", self.stddev, 0))

    def values(self, shape: tuple[int, ...], uniform: Draw, normal: Draw) -> Floats:
        """Return float64 values of `shape`."""
        return self.mean + _normal(shape, normal, self.stddev)


@dataclass(frozen=True, repr=False)
class GlorotUniform(_Scaled):
    """Uniform on [-a, a), a = sqrt(6 / (fan in + fan out)): Glorot and Bengio, 2010, eq. 16."""

    def for_shape(self, shape: tuple[int, ...]) -> Initializer:
        """Return the uniform initializer of a shape."""
        limit = math.sqrt(6 / sum(_fans(shape)))
        return RandomUniform(-limit, limit)


@dataclass(frozen=True, repr=False)
class GlorotNormal(_Scaled):
    """Normal with variance 2 / (fan in + fan out), not truncated: Glorot and Bengio, 2010."""

    def for_shape(self, shape: tuple[int, ...]) -> Initializer:
        """Return the normal initializer of a shape."""
        return RandomNormal(0.0, math.sqrt(2 / sum(_fans(shape))))


@dataclass(frozen=True, repr=False)
class HeUniform(_Scaled):
    """Uniform on [-a, a), a = sqrt(6 / fan in), made for relu: He et al., 2015."""

    def for_shape(self, shape: tuple[int, ...]) -> Initializer:
        """Return the uniform initializer of a shape."""
        limit = math.sqrt(6 / _fans(shape)[0])
        return RandomUniform(-limit, limit)


@dataclass(frozen=True, repr=False)
class HeNormal(_Scaled):
    """Normal with variance 2 / fan in, not truncated, made for relu: He et al., 2015, eq. 10."""

    def for_shape(self, shape: tuple[int, ...]) -> Initializer:
        """Return the normal initializer of a shape."""
        return RandomNormal(0.0, math.sqrt(2 / _fans(shape)[0]))


NAMES: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "uniform": RandomUniform,
    "random_uniform": RandomUniform,
    "normal": RandomNormal,
    "random_normal": RandomNormal,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
}


def get(argument: str, value: object) -> Initializer:
    """Return an initializer given as an instance or by name."""
    return check.described(argument, value, Initializer, NAMES)


def _uniform(shape: tuple[int, ...], uniform: Draw, low: float, high: float) -> Floats:
    drawn = np.asarray(uniform(math.prod(shape)), np.float64).reshape(shape)
    return low + (high - low) * drawn


def _normal(shape: tuple[int, ...], normal: Draw, stddev: float) -> Floats:
    return stddev * np.asarray(normal(math.prod(shape)), np.float64).reshape(shape)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the inputs and the outputs of a kernel (.., k, units); a vector counts as both.

    The leading axes are the window of a convolution: each of its pixels is an input and an output.
    """
    window = math.prod(shape[:-2])
    return window * shape[-2:][0], window * shape[-1]
