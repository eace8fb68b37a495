"""What layers with weights have in common: each weight has an initializer and may have a penalty.

A weight ``kernel`` goes with the settings ``kernel_initializer`` and ``kernel_regularizer``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from fastnn import check, initializers, regularizers
from fastnn.graph import Layer, Operation, Setting
from fastnn.initializers import Initializer
from fastnn.regularizers import Regularizer

ACTIVATIONS = (
    "identity",
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "gelu",
    "sigmoid",
    "tanh",
    "softplus",
    "softmax",
)


def activation_kind(name: str | None) -> str:
    """Return the activation as a node names it."""
    return "identity" if name in {None, "linear"} else str(name)


@dataclass(frozen=True, repr=False)
class _Weighted(Layer):
    """A layer with weights, `trainable` or not."""

    _: KW_ONLY
    trainable: bool = True

    _weights: ClassVar[tuple[str, ...]] = ()
    """Every weight a layer of this class can have."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(trainable=check.flag("trainable", self.trainable))
        for name in self._weights:
            self._initializer(name)
            regularizers.optional(f"{name}_regularizer", self._regularizer(name))

    def held(self) -> tuple[str, ...]:
        """Return the weights this layer has, in the order of a node's parameters."""
        return self._weights

    def initializers(self) -> dict[str, Initializer]:
        """Return the initializer of each parameter, by name."""
        return {name: self._initializer(name) for name in self.held()}

    def penalties(self) -> dict[str, tuple[float, float]]:
        """Return the factors (l1, l2) of each parameter that has some, by name."""
        given = {name: self._regularizer(name) for name in self._weights}
        return {name: regularizers.penalties(item) for name, item in given.items() if item}

    def fixed(self) -> tuple[str, ...]:
        """Return the parameters that no optimizer touches, by name."""
        return () if self.trainable else self.held()

    def weight_settings(self) -> dict[str, Setting]:
        """Return what a node says of its weights: penalties, and whether they are trained."""
        settings: dict[str, Setting] = {}
        for name in self._weights:
            l1, l2 = regularizers.penalties(self._regularizer(name))
            settings |= {f"{name}_l1": l1, f"{name}_l2": l2}
        return {**settings, "trainable": int(self.trainable)}

    def _initializer(self, name: str) -> Initializer:
        argument = f"{name}_initializer"
        return initializers.get(argument, getattr(self, argument))

    def _regularizer(self, name: str) -> str | Regularizer | None:
        found: str | Regularizer | None = getattr(self, f"{name}_regularizer")
        return found


@dataclass(frozen=True, repr=False)
class _Affine(_Weighted):
    """A layer of a kernel, a bias and an activation, which is a setting of the subclass."""

    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"
    kernel_regularizer: str | Regularizer | None = None
    bias_regularizer: str | Regularizer | None = None
    activity_regularizer: str | Regularizer | None = None

    _weights: ClassVar[tuple[str, ...]] = ("kernel", "bias")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(use_bias=check.flag("use_bias", self.use_bias))
        regularizers.optional("activity_regularizer", self.activity_regularizer)

    def held(self) -> tuple[str, ...]:
        """Return the weights this layer has."""
        return self._weights if self.use_bias else ("kernel",)

    def lowered(
        self, activation: str | None, settings: Mapping[str, Setting]
    ) -> Iterator[Operation]:
        """Yield the node, then activation and activity_regularization where they need one."""
        kind = activation_kind(activation)
        apart = kind in {"softmax", "gelu"}
        own: dict[str, Setting] = {
            "activation": "identity" if apart else kind,
            "use_bias": int(self.use_bias),
        }
        yield self.stem(), {**settings, **own, **self.weight_settings()}
        if apart:
            yield "activation", {"activation": kind}
        l1, l2 = regularizers.penalties(self.activity_regularizer)
        if l1 or l2:
            yield "activity_regularization", {"l1": l1, "l2": l2}


def check_activation(name: object) -> None:
    """Refuse what is neither None nor the name of an activation."""
    if name is not None:
        check.choice("activation", name, ACTIVATIONS)
