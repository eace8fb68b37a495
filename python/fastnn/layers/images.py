"""Layers on images (rows, columns, channels): borders, and random moves while training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from fastnn import check
from fastnn.graph import Layer, Operation
from fastnn.layers import windows
from fastnn.layers.windows import Padding

__all__ = ["RandomCrop", "RandomFlip", "RandomTranslation", "ZeroPadding2D"]


@dataclass(frozen=True, repr=False)
class ZeroPadding2D(Layer):
    """A border of zeros: (h, w, c) to (h + top + bottom, w + left + right, c).

    Parameters
    ----------
    padding : int, (int, int) or ((int, int), (int, int))
        Pixels on every side, as (rows, columns), or as ((top, bottom), (left, right)).
    name : str, optional
        Name of the layer.

    Examples
    --------
    >>> ZeroPadding2D(((0, 1), (0, 1)))
    ZeroPadding2D(padding=((0, 1), (0, 1)))
    """

    padding: Padding = 1

    rank: ClassVar[int | None] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs = windows.border("padding", self.padding, 2)
        self._set(padding=windows.shortest_border(pairs))

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        yield self.stem(), {"padding": windows.node_padding(self.padding, 2)}


@dataclass(frozen=True, repr=False)
class RandomFlip(Layer):
    """In training, each image is mirrored with probability 1/2.

    Parameters
    ----------
    mode : {"horizontal", "vertical", "both"}
        Left to right, upside down, or each of the two by itself.
    name : str, optional
        Name of the layer.

    Examples
    --------
    >>> RandomFlip("both")
    RandomFlip(mode='both')
    """

    mode: str = "horizontal"

    rank: ClassVar[int | None] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check.choice("mode", self.mode, ("horizontal", "vertical", "both"))


@dataclass(frozen=True, repr=False)
class RandomTranslation(Layer):
    """In training, each image moves up or down and left or right by whole pixels.

    Every shift from -height to height, and from -width to width, is as likely as another.

    Parameters
    ----------
    height, width : int
        Most pixels up and down, left and right (pixels, not shares of the image), >= 0.
    fill : {"constant", "nearest"}
        What comes in at the edge: zeros, or the pixels of the edge again.
    name : str, optional
        Name of the layer.

    Examples
    --------
    >>> RandomTranslation(2, 2, fill="nearest")
    RandomTranslation(height=2, width=2, fill='nearest')
    """

    height: int
    width: int
    fill: str = "constant"

    rank: ClassVar[int | None] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width"):
            self._set(**{name: check.integer(name, getattr(self, name))})
        check.choice("fill", self.fill, ("constant", "nearest"))


@dataclass(frozen=True, repr=False)
class RandomCrop(Layer):
    """In training a piece from anywhere in each image, else the middle: to (height, width, c).

    Parameters
    ----------
    height, width : int
        Rows and columns of the piece, at most those of the image.
    name : str, optional
        Name of the layer.

    Examples
    --------
    >>> RandomCrop(28, 28)
    RandomCrop(height=28, width=28)
    """

    height: int
    width: int

    rank: ClassVar[int | None] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width"):
            self._set(**{name: check.integer(name, getattr(self, name), 1)})
