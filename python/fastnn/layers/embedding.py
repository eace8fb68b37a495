"""Layers with a table of vectors, one row per id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from fastnn import check
from fastnn.graph import Operation, Setting, Value
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
    file: str | os.PathLike[str] | None = None

    _weights: ClassVar[tuple[str, ...]] = ("embeddings",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(input_dim=check.integer("input_dim", self.input_dim, 1))
        self._set(output_dim=check.integer("output_dim", self.output_dim, 1))
        check.choice("sparse_update", self.sparse_update, ("touched", "exact", "dense"))
        if self.file is not None:
            if not isinstance(self.file, str | os.PathLike):
                raise check.wrong_type("file", "a path or None", self.file)
            self._set(file=os.fspath(self.file))

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        config: dict[str, Setting] = {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "sparse_update": self.sparse_update,
            **self.weight_settings(),
        }
        yield self.stem(), config if self.file is None else {**config, "file": os.fspath(self.file)}

    def shares(self) -> bool:
        """Return True: a table may serve several features."""
        return True

    def ids_below(self) -> int | None:
        """Return the exclusive upper bound of the ids this layer takes."""
        return self.input_dim


@dataclass(frozen=True, repr=False)
class Embedding(_Table):
    """Table of vectors, one row per id.

    Called on several inputs, one instance looks all of them up in its one table; a step sums the
    gradients of all uses of a row and updates it once.

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
    storage : {"float32", "bfloat16"}
        "bfloat16" holds the table in half the memory, with 8 bits of mantissa. A step rounds up or
        down by chance, so that small ones are not lost on average; the optimizer's slots stay
        float32. For models of dtype float32 and "touched".
    file : str or path, optional
        Holds the table in a file of its own in place of memory, so that one larger than memory
        trains. A file that exists must have the table's size, and its values are taken instead
        of initial ones; otherwise it is made. Written at the end of each call that trains. The
        optimizer's slots stay in memory. A saved model holds the values, not the name of the
        file: once loaded, its table lies in memory. Needs the backend "core".
    trainable : bool
        False keeps the table as it is.
    name : str, optional
        Prefix of the parameter's name: ``<name>/embeddings``.

    Examples
    --------
    >>> Embedding(input_dim=1000, output_dim=32)
    Embedding(input_dim=1000, output_dim=32)
    """

    _: KW_ONLY
    storage: str = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        check.choice("storage", self.storage, ("float32", "bfloat16"))
        if self.storage == "bfloat16" and self.sparse_update != "touched":
            expected = "'touched' for storage 'bfloat16'"
            raise check.wrong_value("sparse_update", expected, repr(self.sparse_update))

    def operations(self) -> Iterator[Operation]:
        """Yield the one node."""
        for kind, config in super().operations():
            yield kind, config if self.storage == "float32" else {**config, "storage": self.storage}


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
    embeddings_initializer, embeddings_regularizer, sparse_update, file, trainable, name
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
