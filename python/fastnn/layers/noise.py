"""Layers that act in training alone: dropped elements and channels, added noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fastnn import check
from fastnn.graph import Layer

__all__ = ["Dropout", "GaussianNoise", "SpatialDropout2D"]


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """In training, elements become 0 with probability `rate`, the others grow by 1 / (1 - rate).

    Srivastava et al., 2014, in the form that leaves prediction untouched.

    Examples
    --------
    >>> Dropout(0.2)
    Dropout(rate=0.2)
    """

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(rate=check.number("rate", self.rate, 0, 1))


@dataclass(frozen=True, repr=False)
class GaussianNoise(Layer):
    """In training, normal noise of standard deviation `stddev` is added.

    Examples
    --------
    >>> GaussianNoise(0.1)
    GaussianNoise(stddev=0.1)
    """

    stddev: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(stddev=check.number("stddev", self.stddev, 0))


@dataclass(frozen=True, repr=False)
class SpatialDropout2D(Dropout):
    """In training, whole channels of an image become 0, the others grow by 1 / (1 - rate).

    Neighbours in an image say much the same, so `Dropout` of single pixels takes little away;
    Tompson et al., 2015, drop a channel of (rows, columns, channels) at all places at once.

    Parameters
    ----------
    rate : float
        Probability in [0, 1] of each channel of each example.
    name : str, optional
        Name of the layer.

    Examples
    --------
    >>> SpatialDropout2D(0.2)
    SpatialDropout2D(rate=0.2)
    """

    rank: ClassVar[int | None] = 3
