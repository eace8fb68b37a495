"""Normalisation: values brought to mean 0 and variance 1, over a batch or over a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from fastnn import check
from fastnn.graph import Operation, Setting
from fastnn.initializers import Initializer
from fastnn.layers.weighted import _Weighted
from fastnn.regularizers import Regularizer

__all__ = ["BatchNormalization", "LayerNormalization"]


@dataclass(frozen=True, repr=False)
class _Normalization(_Weighted):
    """What the normalisations have in common: a factor gamma and a summand beta per channel."""

    _: KW_ONLY
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    gamma_initializer: str | Initializer = "ones"
    beta_initializer: str | Initializer = "zeros"
    gamma_regularizer: str | Regularizer | None = None
    beta_regularizer: str | Regularizer | None = None

    _weights: ClassVar[tuple[str, ...]] = ("gamma", "beta")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(epsilon=check.number("epsilon", self.epsilon, 0, above=True))
        for flag in ("center", "scale"):
            self._set(**{flag: check.flag(flag, getattr(self, flag))})

    def held(self) -> tuple[str, ...]:
        """Return the weights this layer has."""
        return ("gamma",) * self.scale + ("beta",) * self.center

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        settings: dict[str, Setting] = {
            "epsilon": self.epsilon,
            "center": int(self.center),
            "scale": int(self.scale),
        }
        yield self.stem(), {**settings, **self.weight_settings()}


@dataclass(frozen=True, repr=False)
class BatchNormalization(_Normalization):
    """Each channel of a batch brought to mean 0 and variance 1; Ioffe and Szegedy, 2015.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`` over all axes but the last. In
    training mean and variance are the batch's, and after every step
    ``moving = momentum * moving + (1 - momentum) * batch's``; predictions and evaluations use the
    moving ones, so they do not depend on what else is in the batch.

    Parameters
    ----------
    momentum : float
        In [0, 1]: how slowly the moving mean and variance follow. With fewer than some 500 steps
        of training take 0.9.
    epsilon : float
        > 0, added to the variance.
    center, scale : bool
        Whether there is a beta, a gamma.
    gamma_initializer, beta_initializer : str or Initializer
        How gamma (c,) and beta (c,) start.
    moving_mean_initializer, moving_variance_initializer : str or Initializer
        How the moving mean (c,) and variance (c,) start.
    gamma_regularizer, beta_regularizer : str or Regularizer, optional
        Penalty on the weights.
    trainable : bool
        False keeps weights and moving statistics as they are, and uses the latter in training too.
    name : str, optional
        Prefix of the parameters' names: ``<name>/gamma``, ``<name>/beta``, ``<name>/moving_mean``,
        ``<name>/moving_variance``.

    Examples
    --------
    >>> BatchNormalization(momentum=0.9)
    BatchNormalization(momentum=0.9)
    """

    _: KW_ONLY
    momentum: float = 0.99
    moving_mean_initializer: str | Initializer = "zeros"
    moving_variance_initializer: str | Initializer = "ones"

    _moving: ClassVar[tuple[str, ...]] = ("moving_mean", "moving_variance")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(momentum=check.number("momentum", self.momentum, 0, 1))
        for name in self._moving:
            self._initializer(name)

    def held(self) -> tuple[str, ...]:
        """Return the weights and the moving statistics."""
        return super().held() + self._moving

    def fixed(self) -> tuple[str, ...]:
        """Return the parameters that no optimizer touches, by name."""
        return self._moving if self.trainable else self.held()

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        for kind, config in super().operations():
            yield kind, {"momentum": self.momentum, **config}


@dataclass(frozen=True, repr=False)
class LayerNormalization(_Normalization):
    """The channels of each position brought to mean 0 and variance 1; Ba et al., 2016.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`` with mean and variance over the
    last axis: the same in training and prediction, and for batches of any size.

    Parameters
    ----------
    epsilon, center, scale
        As in `BatchNormalization`.
    gamma_initializer, beta_initializer, gamma_regularizer, beta_regularizer, trainable, name
        As in `BatchNormalization`.

    Examples
    --------
    >>> LayerNormalization(epsilon=1e-5)
    LayerNormalization(epsilon=1e-05)
    """
