"""Layers: frozen records of settings, called on values to describe a graph.

The names and arguments are those of Keras. A layer holds no weights; a model does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from fastnn import check, initializers, regularizers
from fastnn.graph import Input, Layer, Operation, Value
from fastnn.initializers import Initializer
from fastnn.regularizers import Regularizer

__all__ = [
    "Activation",
    "Add",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GaussianNoise",
    "Input",
    "Layer",
    "Multiply",
    "Rescaling",
    "Reshape",
]

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


@dataclass(frozen=True, repr=False)
class Dense(Layer):
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
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str | Initializer = "glorot_uniform"
    bias_initializer: str | Initializer = "zeros"
    kernel_regularizer: str | Regularizer | None = None
    bias_regularizer: str | Regularizer | None = None
    activity_regularizer: str | Regularizer | None = None
    trainable: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(units=check.integer("units", self.units, 1))
        if self.activation is not None:
            check.choice("activation", self.activation, ACTIVATIONS)
        for flag in ("use_bias", "trainable"):
            self._set(**{flag: check.flag(flag, getattr(self, flag))})
        for argument in ("kernel_initializer", "bias_initializer"):
            initializers.get(argument, getattr(self, argument))
        for argument in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
            regularizers.optional(argument, getattr(self, argument))

    def operations(self) -> Iterator[Operation]:
        """Yield dense, then activation and activity_regularization where they need a node."""
        activation = _activation(self.activation)
        apart = activation in {"softmax", "gelu"}
        kernel_l1, kernel_l2 = regularizers.penalties(self.kernel_regularizer)
        bias_l1, bias_l2 = regularizers.penalties(self.bias_regularizer)
        yield (
            "dense",
            {
                "units": self.units,
                "activation": "identity" if apart else activation,
                "use_bias": int(self.use_bias),
                "kernel_l1": kernel_l1,
                "kernel_l2": kernel_l2,
                "bias_l1": bias_l1,
                "bias_l2": bias_l2,
                "trainable": int(self.trainable),
            },
        )
        if apart:
            yield "activation", {"activation": activation}
        l1, l2 = regularizers.penalties(self.activity_regularizer)
        if l1 or l2:
            yield "activity_regularization", {"l1": l1, "l2": l2}

    def initializers(self) -> dict[str, Initializer]:
        """Return the initializer of each parameter, by name."""
        found = {"kernel": initializers.get("kernel_initializer", self.kernel_initializer)}
        if self.use_bias:
            found["bias"] = initializers.get("bias_initializer", self.bias_initializer)
        return found

    def penalties(self) -> dict[str, tuple[float, float]]:
        """Return the factors (l1, l2) of each parameter that has some, by name."""
        given = {"kernel": self.kernel_regularizer, "bias": self.bias_regularizer}
        return {name: regularizers.penalties(item) for name, item in given.items() if item}


@dataclass(frozen=True, repr=False)
class _Table(Layer):
    """What the two layers with a table have in common."""

    input_dim: int
    output_dim: int
    _: KW_ONLY
    embeddings_initializer: str | Initializer = "uniform"
    embeddings_regularizer: str | Regularizer | None = None
    sparse_update: str = "touched"
    trainable: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(input_dim=check.integer("input_dim", self.input_dim, 1))
        self._set(output_dim=check.integer("output_dim", self.output_dim, 1))
        self._set(trainable=check.flag("trainable", self.trainable))
        check.choice("sparse_update", self.sparse_update, ("touched", "dense"))
        initializers.get("embeddings_initializer", self.embeddings_initializer)
        regularizers.optional("embeddings_regularizer", self.embeddings_regularizer)

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        l1, l2 = regularizers.penalties(self.embeddings_regularizer)
        yield (
            self.stem(),
            {
                "input_dim": self.input_dim,
                "output_dim": self.output_dim,
                "sparse_update": self.sparse_update,
                "embeddings_l1": l1,
                "embeddings_l2": l2,
                "trainable": int(self.trainable),
            },
        )

    def initializers(self) -> dict[str, Initializer]:
        """Return the initializer of each parameter, by name."""
        start = initializers.get("embeddings_initializer", self.embeddings_initializer)
        return {"embeddings": start}

    def penalties(self) -> dict[str, tuple[float, float]]:
        """Return the factors (l1, l2) of each parameter that has some, by name."""
        given = self.embeddings_regularizer
        return {"embeddings": regularizers.penalties(given)} if given else {}

    def ids_below(self) -> int | None:
        """Return the exclusive upper bound of the ids this layer takes."""
        return self.input_dim


@dataclass(frozen=True, repr=False)
class Embedding(_Table):
    """Table of vectors, one row per id.

    Parameters
    ----------
    input_dim : int
        Rows of the table; ids must lie in [0, input_dim).
    output_dim : int
        Width of a vector. The fourth root of ``input_dim`` is a fair start.
    embeddings_initializer : str or Initializer
        How the table (input_dim, output_dim) starts.
    embeddings_regularizer : str or Regularizer, optional
        Penalty on the table; with "touched" it acts on the rows of the batch only.
    sparse_update : {"touched", "dense"}
        "touched" updates only the rows whose ids a batch holds (fast), "dense" every row every
        step, as an optimizer that knows no sparse gradients would.
    trainable : bool
        False keeps the table as it is.
    name : str, optional
        Prefix of the parameter's name: ``<name>/embeddings``.

    Examples
    --------
    >>> Embedding(input_dim=1000, output_dim=32)
    Embedding(input_dim=1000, output_dim=32)
    """


@dataclass(frozen=True, repr=False)
class EmbeddingBag(_Table):
    """Several ids per row, their vectors combined into one: ids (k,) to (output_dim,).

    Called on ids, or on ids and weights (k,) that multiply the vectors (not with "max").

    Parameters
    ----------
    input_dim, output_dim : int
        As in `Embedding`.
    mode : {"sum", "mean", "sqrtn", "max"}
        How vectors combine; "mean" divides by the sum of the weights, "sqrtn" by the root of the
        sum of their squares.
    padding_idx : int, optional
        This id counts as absent, so that rows of different lengths fit one array.
    embeddings_initializer, embeddings_regularizer, sparse_update, trainable, name
        As in `Embedding`.

    Examples
    --------
    >>> EmbeddingBag(1000, 32, mode="sum", padding_idx=0)
    EmbeddingBag(input_dim=1000, output_dim=32, mode='sum', padding_idx=0)
    """

    _: KW_ONLY
    mode: str = "mean"
    padding_idx: int | None = None

    arity: ClassVar[tuple[int, float]] = (1, 2)

    def __post_init__(self) -> None:
        super().__post_init__()
        check.choice("mode", self.mode, ("sum", "mean", "sqrtn", "max"))
        if self.padding_idx is not None:
            last = self.input_dim - 1
            self._set(padding_idx=check.integer("padding_idx", self.padding_idx, 0, last))

    def __call__(self, *inputs: Value | list[Value] | tuple[Value, ...]) -> Value:
        """Return the value of this layer for ids, or for ids and weights."""
        value = super().__call__(*inputs)
        if self.mode == "max" and len(value.inputs) == 2:
            raise check.wrong_value("inputs", "ids alone for mode 'max'", "ids and weights")
        return value

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        padding = -1 if self.padding_idx is None else self.padding_idx
        for kind, config in super().operations():
            yield kind, {**config, "mode": self.mode, "padding_idx": padding}


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
        yield "activation", {"activation": _activation(self.activation)}


@dataclass(frozen=True, repr=False)
class Rescaling(Layer):
    """``x * scale + offset``, both fixed numbers.

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


def _activation(name: str | None) -> str:
    return "identity" if name in {None, "linear"} else str(name)
