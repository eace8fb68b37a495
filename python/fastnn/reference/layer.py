"""What every layer is: a node with its shapes and parameters, a forward and a backward.

A layer keeps no activations: ``forward`` hands back what ``backward`` will want, so one model
may predict from several threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph import Node

Array = NDArray[Any]
Shape = tuple[int, ...]


class RowGradient(NamedTuple):
    """Gradient of a table: ``values`` (r, d) for ascending ids ``rows`` (r,), zero elsewhere.

    The bias of classes is a table of numbers: values (r,).
    """

    rows: NDArray[np.int64]
    values: Array

    def to_dense(self, n_rows: int) -> Array:
        """Return the same gradient as an array of n_rows rows."""
        dense = np.zeros((n_rows, *self.values.shape[1:]), self.values.dtype)
        dense[self.rows] = self.values
        return dense

    def plus(self, other: RowGradient) -> RowGradient:
        """Return the sum of two gradients of the same table."""
        rows = np.union1d(self.rows, other.rows)
        values = np.zeros((len(rows), self.values.shape[1]), self.values.dtype)
        for part in (self, other):
            values[np.searchsorted(rows, part.rows)] += part.values
        return RowGradient(rows, values)


Gradient = Array | RowGradient
Gradients = tuple[list[Array | None], dict[str, Gradient]]


@dataclass
class Run:
    """One pass of a batch: the key and step of its random numbers, and the share of each row."""

    n_rows: int
    training: bool = False
    seed: int = 0
    step: int = 0
    shares: Array | None = None
    """What each row counts for in the batch's loss (m,): weight / sum of weights."""
    batch_statistics: bool = False
    """Whether the rows of a batch have to do with each other, as in training."""
    first_row: int = 0
    """Number of the first row, for what rows draw for themselves."""


class Layer:
    """A node made ready to run; subclasses fill in what their kind does.

    ``settings`` holds the names a node's config may have, with the values of those left out;
    a value of None must be given. ``parameters`` holds the arrays that training changes.
    ``owner`` is an earlier layer whose table this one looks up, if its node names one.
    ``precision`` is what products of matrices round their factors to.
    """

    settings: ClassVar[dict[str, Any]] = {}
    n_inputs: ClassVar[tuple[int, float]] = (1, 1)
    takes_ids: ClassVar[bool] = False
    """Whether the first input is ids."""
    statistics: ClassVar[tuple[str, ...]] = ()
    """Parameters that follow the batches; no optimizer touches them."""
    tables: ClassVar[tuple[str, ...]] = ()
    """Parameters whose rows are looked up by ids."""

    def __init__(
        self, node: Node, position: int, dtype: np.dtype[Any], precision: str = "float32"
    ) -> None:
        self.node, self.position, self.dtype, self.precision = node, position, dtype, precision
        self.config = self._read_config(node.config)
        self.shapes: list[Shape] = []
        self.shape: Shape = ()
        self.parameters: dict[str, Array] = {}
        self.owner: Layer | None = None

    def _read_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        allowed = ", ".join(sorted(self.settings))
        for name in config:
            self.check(name in self.settings, f"one of {allowed}", name)
        merged = {**self.settings, **config}
        for name, value in merged.items():
            self.check(value is not None, f"a value for {name}", "none")
        return {k: v.item() if isinstance(v, np.generic) else v for k, v in merged.items()}

    def check(self, ok: bool, expected: str, got: object) -> None:
        """Refuse a graph, naming this node."""
        if not ok:
            raise ValueError(f"{self.node.name}: expected {expected}, got {got}")

    def check_number(self, name: str, low: float, high: float = math.inf) -> None:
        """Refuse a setting outside [low, high]."""
        value = self.config[name]
        expected = f"{name} in [{low}, {high}]" if high < math.inf else f"{name} of at least {low}"
        self.check(isinstance(value, int | float) and low <= value <= high, expected, value)

    def check_word(self, name: str, words: Sequence[str]) -> None:
        """Refuse a setting that is none of the words."""
        word, expected = self.config[name], f"{name} to be one of {', '.join(words)}"
        self.check(word in words, expected, word)

    def check_equal_shapes(self) -> None:
        """Refuse inputs of different shapes."""
        first = self.shapes[0]
        for shape in self.shapes[1:]:
            self.check(shape == first, "inputs of one shape", f"{first} and {shape}")

    def plan(self, shapes: list[Shape]) -> Shape:
        """Check the row shapes of the inputs, make the parameters; return the row shape."""
        low, high = self.n_inputs
        expected = f"{low} inputs" if low == high else f"at least {low} inputs"
        if low < high < math.inf:
            expected = f"{low} or {high} inputs"
        self.check(low <= len(shapes) <= high, expected, len(shapes))
        self.shapes = shapes
        self.shape = self.row_shape()
        return self.shape

    def row_shape(self) -> Shape:
        """Shape of one row of the output; makes the parameters. The default keeps the shape."""
        return self.shapes[0]

    def add_parameter(self, name: str, shape: Shape) -> None:
        """Make a parameter of zeros."""
        self.parameters[name] = np.zeros(shape, self.dtype)

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters."""
        return bool(self.config.get("trainable", 1))

    def holds_halves(self, name: str) -> bool:
        """Whether a parameter is held as bfloat16."""
        return name in self.tables and self.config.get("storage") == "bfloat16"

    def trains(self, name: str) -> bool:
        """Whether the optimizer changes a parameter."""
        return self.trainable and name not in self.statistics

    def penalty(self, name: str) -> tuple[float, float]:
        """L1 and L2 factors of a parameter."""
        return self.config.get(f"{name}_l1", 0.0), self.config.get(f"{name}_l2", 0.0)

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        """Output (m, ...) of a batch, and what backward wants to see again."""
        raise NotImplementedError

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        """Gradients of the inputs (None for ids), and of the parameters by name."""
        raise NotImplementedError

    def follow(self, saved: Any) -> None:
        """Move the statistics towards those of a batch whose step was applied."""
