"""Layers on rows of any shape: Dense, activations, scaling, and rows in another shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastnn import check
from fastnn.graph import Layer, Operation
from fastnn.layers.weighted import ACTIVATIONS, _Affine, activation_kind, check_activation

__all__ = ["ACTIVATIONS", "Activation", "Dense", "Flatten", "Rescaling", "Reshape"]


@dataclass(frozen=True, repr=False)
class Dense(_Affine):
    """Fully connected layer: ``activation(x @ kernel + bias)`` over the last axis.

    Parameters
    ----------
    units : int
        Width of the output, >= 1.
    activation : str, optional
        One of identity (also None and "linear"), relu, leaky_relu, elu, gelu, sigmoid, tanh,
        softplus, softmax.
    use_bias : bool
        Whether a bias (units,) is added.
    kernel_initializer, bias_initializer : str or Initializer
        How the kernel (k, units) and the bias start; "he_normal" suits relu.
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
        Penalty on the weights.
    activity_regularizer : str or Regularizer, optional
        Penalty on the output, divided by the rows of the batch.
    trainable : bool
        False keeps the weights as they are.
    name : str, optional
        Prefix of the parameters' names: ``<name>/kernel``, ``<name>/bias``.

    Examples
    --------
    >>> Dense(64, activation="relu")
    Dense(units=64, activation='relu')
    """

    units: int
    activation: str | None = None

    def __post_init__(self) -> None:
        self._set(units=check.integer("units", self.units, 1))
        check_activation(self.activation)
        super().__post_init__()

    def operations(self) -> Iterator[Operation]:
        """Yield dense, then activation and activity_regularization where they need a node."""
        return self.lowered(self.activation, {"units": self.units})


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """All axes of a row in one: (a, b, ...) to (a * b * ...,)."""


@dataclass(frozen=True, repr=False)
class Reshape(Layer):
    """Rows in another shape of as many elements.

    Examples
    --------
    >>> Reshape((2, 8))
    Reshape(target_shape=(2, 8))
    """

    target_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(target_shape=check.shape("target_shape", self.target_shape))

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        yield "reshape", {"shape": self.target_shape}


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """An activation by name; `Dense` lists the names.

    Examples
    --------
    >>> Activation("relu")
    Activation(activation='relu')
    """

    activation: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check.choice("activation", self.activation, ACTIVATIONS)

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        yield "activation", {"activation": activation_kind(self.activation)}


@dataclass(frozen=True, repr=False)
class Rescaling(Layer):
    """``x * scale + offset``, both fixed numbers.

    At the front of a model it takes images of uint8, which are never copied to an array of floats.

    Examples
    --------
    >>> Rescaling(1 / 4, offset=-1)
    Rescaling(scale=0.25, offset=-1.0)
    """

    scale: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(scale=check.number("scale", self.scale))
        self._set(offset=check.number("offset", self.offset))
