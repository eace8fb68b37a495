"""Convolutions: the same small kernel at every place of an image or a row of vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from fastnn import check
from fastnn.graph import Operation
from fastnn.layers import windows
from fastnn.layers.weighted import _Affine, check_activation
from fastnn.layers.windows import Padding, Sizes

__all__ = ["Conv1D", "Conv2D"]


@dataclass(frozen=True, repr=False)
class _Conv(_Affine):
    """What the convolutions have in common; `rank` counts the axes of a row."""

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    _: KW_ONLY
    dilation_rate: Sizes = 1
    groups: int = 1
    activation: str | None = None

    def __post_init__(self) -> None:
        axes = self._axes()
        self._set(filters=check.integer("filters", self.filters, 1))
        for name in ("kernel_size", "strides", "dilation_rate"):
            found = windows.sizes(name, getattr(self, name), axes)
            self._set(**{name: windows.shortest(found)})
        self._set(padding=windows.padding_words("padding", self.padding, axes))
        self._set(groups=check.integer("groups", self.groups, 1))
        if self.filters % self.groups:
            raise check.wrong_value("groups", f"a divisor of {self.filters} filters", self.groups)
        check_activation(self.activation)
        super().__post_init__()

    def operations(self) -> Iterator[Operation]:
        """Yield the convolution, then activation and activity_regularization as `Dense` does."""
        axes = self._axes()
        window = {
            name: windows.sizes(name, getattr(self, name), axes)
            for name in ("kernel_size", "strides", "dilation_rate")
        }
        padding = windows.node_padding(self.padding, axes)
        settings = {"filters": self.filters, **window, "padding": padding, "groups": self.groups}
        return self.lowered(self.activation, settings)

    def _axes(self) -> int:
        assert self.rank is not None
        return self.rank - 1


@dataclass(frozen=True, repr=False)
class Conv2D(_Conv):
    """Convolution over images: (h, w, c) to (oh, ow, filters).

    ``y[i, j, f] = activation(b[f] + sum over p, q, c of
    x[i * sh + p * dh - top, j * sw + q * dw - left, c] * kernel[p, q, c, f])``, with strides
    (sh, sw), dilation (dh, dw) and pixels of the border counting as 0: a correlation, as in every
    library of neural networks. An axis of n pixels and a window of e = (k - 1) d + 1 give
    floor((n + border - e) / stride) + 1 places, or ceil(n / stride) with padding "same".

    Parameters
    ----------
    filters : int
        Channels of the output, >= 1.
    kernel_size : int or (int, int)
        Rows and columns of the kernel, >= 1; 3 is the usual choice.
    strides : int or (int, int)
        Steps between places; 2 halves rows and columns.
    padding : {"valid", "same"}, int, (int, int) or ((int, int), (int, int))
        The border of zeros: none; as many as keep ceil(n / stride) places (the odd one comes
        after); or so many on every side, as (rows, columns), as ((top, bottom), (left, right)).
    dilation_rate : int or (int, int)
        Distance between the pixels that a kernel meets; larger sees further at no cost.
    groups : int
        Cuts channels and filters into so many groups that do not meet; must divide both. As many
        as channels make a depthwise convolution.
    activation : str, optional
        As in `Dense`.
    use_bias : bool
        Whether a bias (filters,) is added; leave it out before `BatchNormalization`.
    kernel_initializer, bias_initializer : str or Initializer
        How the kernel (kh, kw, c / groups, filters) and the bias start; its fan in is
        kh * kw * c / groups. "he_normal" suits relu.
    kernel_regularizer, bias_regularizer, activity_regularizer : str or Regularizer, optional
        As in `Dense`.
    trainable : bool
        False keeps the weights as they are.
    name : str, optional
        Prefix of the parameters' names: ``<name>/kernel``, ``<name>/bias``.

    Examples
    --------
    >>> Conv2D(32, 3, padding="same", activation="relu")
    Conv2D(filters=32, kernel_size=3, padding='same', activation='relu')
    >>> Conv2D(8, (5, 1), (2, 1), padding=((0, 0), (1, 2)))
    Conv2D(filters=8, kernel_size=(5, 1), strides=(2, 1), padding=((0, 0), (1, 2)))
    """

    rank: ClassVar[int | None] = 3


@dataclass(frozen=True, repr=False)
class Conv1D(_Conv):
    """Convolution over rows of vectors, such as time series: (l, c) to (ol, filters).

    ``y[i, f] = activation(b[f] + sum over p, c of x[i * s + p * d - before, c] *
    kernel[p, c, f])``; `Conv2D` says the rest.

    Parameters
    ----------
    filters, kernel_size, strides, dilation_rate, groups : int
        As in `Conv2D`, along the one axis.
    padding : {"valid", "same"}, int or (int, int)
        As in `Conv2D`, or (before, after): ``((kernel_size - 1) * dilation_rate, 0)`` lets no
        place see what comes after it.
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, \
bias_regularizer, activity_regularizer, trainable, name
        As in `Conv2D`; the kernel is (k, c / groups, filters).

    Examples
    --------
    >>> Conv1D(16, 5, padding=(4, 0), activation="relu")
    Conv1D(filters=16, kernel_size=5, padding=(4, 0), activation='relu')
    """

    rank: ClassVar[int | None] = 2
