"""A graph planned by an engine, with its weights: what a model has once shapes are known."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import check, data, graph
from fastnn.data import InputSpec
from fastnn.graph import InputLayer, Value
from fastnn.sizes import check_sizes

Array = NDArray[Any]

_PIECE = 1 << 20  # numbers drawn at once

CHOICES = {
    "backend": ("core", "numpy"),
    "dtype": ("float32", "float64"),
    "convolution": ("auto", "direct", "winograd"),
    "precision": ("float32", "bf16"),
}


@dataclass(frozen=True)
class Setup:
    """The engine of a network, its way with numbers, and the seed; drawn when left out."""

    backend: str = "core"
    dtype: str = "float32"
    seed: int | None = None
    convolution: str = "auto"
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, words in CHOICES.items():
            check.choice(name, getattr(self, name), words)
        if self.dtype != "float32" and self.precision != "float32":
            expected = f"'float32' for dtype {self.dtype}"
            raise check.wrong_value("precision", expected, repr(self.precision))
        seed = int.from_bytes(os.urandom(8), "little") if self.seed is None else self.seed
        object.__setattr__(self, "seed", check.integer("seed", seed, 0, 2**64 - 1))


class Network:
    """Plan a graph and draw its initial weights, unless `weights` gives them by name.

    Attributes
    ----------
    engine
        What runs the graph (`docs/design.md`, section 3).
    values : dict of str to Value
        Every value by name, in the order of evaluation.
    input_specs, output_names, output_shapes : list
        What goes in and comes out.
    """

    def __init__(
        self,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        setup: Setup,
        weights: Mapping[str, Array] | None = None,
    ) -> None:
        for value in inputs:
            if not isinstance(value.layer, InputLayer):
                raise check.wrong_type("inputs", "values made by Input", got=repr(value))
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.values = graph.trace(inputs, outputs)
        nodes, positions = graph.lower(inputs, outputs)
        if weights is not None:
            check_sizes(nodes, weights)
        make_engine, uniform, normal = _backend(setup.backend)
        self.engine = make_engine(nodes, positions, setup.dtype, **_ways(setup))
        self._dtype = setup.dtype
        shapes = [tuple(shape) for shape in self.engine.shapes()]
        self.row_shapes = {n.name.split("/")[0]: s for n, s in zip(nodes, shapes, strict=True)}
        self.input_specs = [
            InputSpec(node.name, shape, _vocabulary(node))
            for node, shape, _ in zip(nodes, shapes, inputs, strict=False)
        ]
        names = {value: name for name, value in self.values.items()}
        self.output_names = [names[value] for value in outputs]
        self.output_shapes = [shapes[position] for position in positions]
        if weights is not None:
            self.set_weights([weights[name] for name, _ in self.parameters()])
            return
        for stream, (name, shape) in enumerate(self.parameters()):
            if not self.engine.kept(name):
                draws = partial(uniform, setup.seed, stream), partial(normal, setup.seed, stream)
                self._draw(name, shape, *draws)

    def _draw(self, name: str, shape: tuple[int, ...], uniform: Any, normal: Any) -> None:
        """Give a parameter its initial values, in pieces: a large one needs no second copy."""
        owner, key = name.rsplit("/", 1)
        initializer = self.values[owner].layer.initializers()[key]
        plain = initializer.for_shape(shape)
        width = math.prod(shape[1:])
        rows = -(-_PIECE // width // 4) * 4  # an even number of blocks of the random numbers
        if plain is None or rows >= shape[0]:
            values = initializer.values(shape, uniform, normal)
            self.engine.set(name, np.asarray(values, self._dtype))
            return
        for first in range(0, shape[0], rows):
            piece = (min(rows, shape[0] - first), *shape[1:])
            draws = partial(uniform, first=first * width), partial(normal, first=first * width)
            values = np.asarray(plain.values(piece, *draws), self._dtype)
            self.engine.set_rows(name, first, values)

    def parameters(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return name and shape of every parameter."""
        return [(name, tuple(shape)) for name, shape in self.engine.parameters()]

    def get_weights(self, names: Sequence[str] | None = None) -> list[Array]:
        """Return copies of all weights, in the order of `parameters`; or of those named."""
        known = [name for name, _ in self.parameters()]
        if names is None:
            return [self.engine.get(name) for name in known]
        return [self.engine.get(check.choice("names", name, known)) for name in names]

    def set_weights(self, weights: Sequence[Any] | Mapping[str, Any]) -> None:
        """Replace all weights by a list, or some by a dict; all are checked first."""
        shapes = dict(self.parameters())
        if not isinstance(weights, Mapping):
            if len(weights) != len(shapes):
                raise check.wrong_value("weights", f"{len(shapes)} arrays", len(weights))
            weights = dict(zip(shapes, weights, strict=True))
        arrays = {}
        for name, given in weights.items():
            label = f"weights[{check.choice('weights', name, shapes)!r}]"
            shape, found = shapes[name], np.shape(given)
            if found != shape:
                raise check.wrong_value(label, f"shape {shape}", found)
            arrays[name] = data.convert_floats(label, given, shape[1:], self._dtype)
            owner, key = name.rsplit("/", 1)
            self.values[owner].layer.check_weight(key, label, arrays[name])
        for name, array in arrays.items():
            self.engine.set(name, array)

    def set_rows(self, name: str, first: int, rows: Any) -> None:
        """Replace rows first .. of one weight."""
        shapes = dict(self.parameters())
        shape = shapes[check.choice("name", name, shapes)]
        array = data.convert_floats("rows", rows, shape[1:], self._dtype)
        last = shape[0] - len(array)
        if last < 0:
            raise check.wrong_value("rows", f"at most {shape[0]}", len(array))
        self.engine.set_rows(name, check.integer("first", first, 0, last), array)

    def penalty(self) -> float:
        """Return l1 * sum(abs(w)) + l2 * sum(w ** 2) over the parameters that have factors."""
        total = 0.0
        held = dict(self.parameters())
        for name, value in self.values.items():
            for key, (l1, l2) in value.layer.penalties().items():
                if f"{name}/{key}" not in held:  # the table of an earlier call
                    continue
                absolute, squared = self.engine.norms(f"{name}/{key}")
                total += l1 * absolute + l2 * squared
        return total


def _backend(name: str) -> tuple[Any, Any, Any]:
    """Return an engine's class and its sources of uniform and of normal numbers."""
    if name == "numpy":
        from fastnn.reference import Engine, rng

        return Engine, rng.uniform, rng.normal
    from fastnn import _core

    return _core.Engine, _core.random_uniform, _core.random_normal


def _ways(setup: Setup) -> dict[str, str]:
    """Return how an engine is to compute, where that is not its default."""
    names = ("convolution", "precision")
    return {n: getattr(setup, n) for n in names if getattr(setup, n) != CHOICES[n][0]}


def _vocabulary(node: graph.Node) -> int | None:
    bound = node.config.get("vocabulary")
    return bound if isinstance(bound, int) else None
