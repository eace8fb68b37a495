"""Pooling: the largest or the mean of the pixels under a window, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from fastnn import check
from fastnn.graph import Layer, Operation
from fastnn.layers import windows
from fastnn.layers.windows import Padding, Sizes

__all__ = ["AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaxPooling2D"]


@dataclass(frozen=True, repr=False)
class _Pooling(Layer):
    """What the poolings with a window have in common."""

    pool_size: Sizes = 2
    strides: Sizes | None = None
    padding: Padding = "valid"

    rank: ClassVar[int | None] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        pool = windows.sizes("pool_size", self.pool_size, 2)
        self._set(pool_size=windows.shortest(pool))
        if self.strides is not None:
            self._set(strides=windows.shortest(windows.sizes("strides", self.strides, 2)))
        self._set(padding=windows.padding_words("padding", self.padding, 2))
        if not isinstance(self.padding, str):
            pairs = windows.border("padding", self.padding, 2)
            if any(max(pair) >= size for pair, size in zip(pairs, pool, strict=True)):
                raise check.wrong_value("padding", f"less than pool_size {pool}", self.padding)

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        pool = windows.sizes("pool_size", self.pool_size, 2)
        strides = pool if self.strides is None else windows.sizes("strides", self.strides, 2)
        padding = windows.node_padding(self.padding, 2)
        yield self.stem(), {"pool_size": pool, "strides": strides, "padding": padding}


@dataclass(frozen=True, repr=False)
class MaxPooling2D(_Pooling):
    """Largest pixel under each window: (h, w, c) to (oh, ow, c).

    Sizes of the output are those of `Conv2D`. Only pixels of the image count; of equal ones the
    first, row by row, takes the gradient.

    Parameters
    ----------
    pool_size : int or (int, int)
        Rows and columns of the window, >= 1.
    strides : int or (int, int), optional
        Steps between windows; `pool_size` when left out.
    padding : {"valid", "same"}, int, (int, int) or ((int, int), (int, int))
        The border, as in `Conv2D`; smaller than `pool_size`.
    name : str, optional
        Name of the layer.

    Examples
    --------
    >>> MaxPooling2D(3, strides=2, padding="same")
    MaxPooling2D(pool_size=3, strides=2, padding='same')
    """


@dataclass(frozen=True, repr=False)
class AveragePooling2D(_Pooling):
    """Mean of the pixels under each window: (h, w, c) to (oh, ow, c).

    Sizes of the output are those of `Conv2D`. Pixels of the border do not count.

    Parameters
    ----------
    pool_size, strides, padding, name
        As in `MaxPooling2D`.

    Examples
    --------
    >>> AveragePooling2D((2, 1))
    AveragePooling2D(pool_size=(2, 1))
    """


@dataclass(frozen=True, repr=False)
class GlobalMaxPooling2D(Layer):
    """Largest pixel of each channel: (h, w, c) to (c,).

    Examples
    --------
    >>> GlobalMaxPooling2D()
    GlobalMaxPooling2D()
    """

    rank: ClassVar[int | None] = 3


@dataclass(frozen=True, repr=False)
class GlobalAveragePooling2D(Layer):
    """Mean of each channel: (h, w, c) to (c,); Lin et al., 2013.

    Takes the place of `Flatten` in front of the last `Dense`: far fewer weights, and images of
    any size.

    Examples
    --------
    >>> GlobalAveragePooling2D()
    GlobalAveragePooling2D()
    """

    rank: ClassVar[int | None] = 3
