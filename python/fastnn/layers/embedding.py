"""Layers with a table of vectors, one row per id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from fastnn import check
from fastnn.graph import Operation, Value
from fastnn.initializers import Initializer
from fastnn.layers.weighted import _Weighted
from fastnn.regularizers import Regularizer

__all__ = ["Embedding", "EmbeddingBag"]


@dataclass(frozen=True, repr=False)
class _Table(_Weighted):
    """What the two layers with a table have in common."""

    input_dim: int
    output_dim: int
    _: KW_ONLY
    embeddings_initializer: str | Initializer = "uniform"
    embeddings_regularizer: str | Regularizer | None = None
    sparse_update: str = "touched"

    _weights: ClassVar[tuple[str, ...]] = ("embeddings",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(input_dim=check.integer("input_dim", self.input_dim, 1))
        self._set(output_dim=check.integer("output_dim", self.output_dim, 1))
        check.choice("sparse_update", self.sparse_update, ("touched", "exact", "dense"))

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        yield (
            self.stem(),
            {
                "input_dim": self.input_dim,
                "output_dim": self.output_dim,
                "sparse_update": self.sparse_update,
                **self.weight_settings(),
            },
        )

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
    sparse_update : {"touched", "exact", "dense"}
        "touched" updates only the rows whose ids a batch holds (fast), "dense" every row every
        step, as an optimizer that knows no sparse gradients would. "exact" gives the results of
        "dense" but for rounding: a row catches up on the steps it missed when it is looked up
        again, and every row does at the end of a call. Momentum makes that dear, up to some 200
        small steps for each row looked up; penalties that have no such form are refused.
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
