"""The reference engine: plans and runs a graph in plain NumPy (docs/design.md, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import Node, Spec
from .data import Batch, check_inputs, check_targets, check_weights
from .dense import Activated, round_to_bfloat16
from .layer import Gradient, Layer, RowGradient, Run, Shape
from .layers import ActivityRegularization, Input
from .objective import Objective, Scores, Tally, read_settings, weighted_sum
from .plan import check_options, id_bound, is_ids, plan
from .rng import epoch_order, row_words
from .sampled import Known, SampledObjective, check_sampled, objective
from .update import (
    CLIPS,
    COMMON_SETTINGS,
    OPTIMIZERS,
    add_l2,
    check_settings,
    clip,
    new_slots,
    no_exact_form,
    round_by_chance,
    update,
)

Array = NDArray[Any]

_quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")


class Engine:
    """Trains and runs a graph of nodes.

    Parameters
    ----------
    nodes : sequence of Node
        The graph, in order of evaluation.
    outputs : sequence of int
        Positions of the output nodes.
    dtype : {"float64", "float32"}
        Type of the parameters and of all computing.
    convolution : {"auto", "direct", "winograd"}
        How the core convolves; the reference knows one way.
    precision : {"float32", "bf16"}
        What dense layers and convolutions round the factors of their products to.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        outputs: Sequence[int],
        dtype: str = "float64",
        convolution: str = "auto",
        precision: str = "float32",
    ) -> None:
        check_options(dtype, convolution, precision)
        self._dtype = np.dtype(dtype)
        self._layers, self._shapes = plan(nodes, self._dtype, precision)
        self._inputs = [layer for layer in self._layers if isinstance(layer, Input)]
        self._outputs = [int(i) for i in outputs]
        if not self._outputs:
            raise ValueError("outputs: expected at least one, got none")
        for i in self._outputs:
            if not 0 <= i < len(nodes):
                raise ValueError(f"outputs: expected positions of nodes, got {i}")
            self._layers[i].check(not is_ids(self._layers[i]), "numbers as an output", "ids")
        self._bounds = {x.position: id_bound(x, self._layers) for x in self._inputs if is_ids(x)}
        self._objectives: list[Objective] = []
        self._optimizer, self._settings = OPTIMIZERS["sgd"], dict(COMMON_SETTINGS)
        self._slots: dict[str, dict[str, Array]] = {}
        self._step = 0
        self._known: Known | None = None

    def shapes(self) -> list[Shape]:
        """Row shape of every node."""
        return list(self._shapes)

    def _named(self) -> Iterator[tuple[str, Layer, str]]:
        for layer in self._layers:
            for key in layer.parameters:
                yield f"{layer.node.name}/{key}", layer, key

    def _trained(self) -> Iterator[tuple[str, Layer, str]]:
        return (each for each in self._named() if each[1].trains(each[2]))

    def parameters(self) -> list[tuple[str, Shape]]:
        """Name and shape of every parameter, in the order of the nodes."""
        return [(name, layer.parameters[key].shape) for name, layer, key in self._named()]

    def _parameter(self, name: str) -> Array:
        for known, layer, key in self._named():
            if known == name:
                return layer.parameters[key]
        names = ", ".join(known for known, _, _ in self._named())
        raise ValueError(f"name: expected a parameter among {names}, got {name}")

    def get(self, name: str) -> Array:
        """Copy of a parameter."""
        return self._parameter(name).copy()

    def set(self, name: str, array: Array) -> None:
        """Overwrite a parameter."""
        held = self._parameter(name)
        _check_shape(name, array, held)
        held[...] = self._rounded(name, array)

    def set_rows(self, name: str, first: int, array: Array) -> None:
        """Overwrite rows of a parameter from one on."""
        held = self._parameter(name)[first : first + len(array)]
        _check_shape(name, array, held)
        held[...] = self._rounded(name, array)

    def kept(self, name: str) -> bool:
        """Whether a parameter has its values already: only the core's may, from a file."""
        return False

    def norms(self, name: str) -> tuple[float, float]:
        """Return the sums of the magnitudes and of the squares of a parameter."""
        w = self._parameter(name).astype(np.float64)
        return float(np.abs(w).sum()), float(np.square(w).sum())

    def _rounded(self, name: str, array: Array) -> Array:
        """Return values as a parameter can hold them."""
        halves = any(n == name and layer.holds_halves(key) for n, layer, key in self._named())
        return round_to_bfloat16(array) if halves else array

    def compile(
        self,
        losses: Sequence[Spec],
        loss_weights: Sequence[float],
        optimizer: Spec,
        metrics: Sequence[Sequence[str]],
    ) -> None:
        """Say what training minimises and how; forgets the optimizer's state."""
        for what, given in (
            ("loss", losses),
            ("loss_weights", loss_weights),
            ("metrics", metrics),
        ):
            if len(given) != len(self._outputs):
                raise ValueError(
                    f"{what}: expected one per output ({len(self._outputs)}), got {len(given)}"
                )
        if optimizer.kind not in OPTIMIZERS:
            raise ValueError(
                f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {optimizer.kind}"
            )
        rule = OPTIMIZERS[optimizer.kind]
        settings = read_settings("optimizer", optimizer, {**rule.settings, **COMMON_SETTINGS})
        clips = [name for name in CLIPS if settings[name]]
        if len(clips) > 1:
            raise ValueError(
                f"optimizer: expected at most one of {', '.join(CLIPS)}, got {', '.join(clips)}"
            )
        check_settings(optimizer.kind, settings)
        self._check_exact(optimizer.kind, settings)
        output_layers = [self._layers[i] for i in self._outputs]
        objectives = [
            objective(*each)
            for each in zip(losses, loss_weights, metrics, output_layers, strict=True)
        ]
        check_sampled(objectives, self._layers, self._outputs)
        self._objectives = objectives
        self._optimizer, self._settings = rule, settings
        self._slots = {
            name: new_slots(rule, settings, layer.parameters[key], key in layer.tables)
            for name, layer, key in self._trained()
        }
        self._step = 0

    def _check_exact(self, kind: str, settings: Mapping[str, float]) -> None:
        for _, layer, key in self._trained():
            if layer.config.get("sparse_update") != "exact" or key not in layer.tables:
                continue
            reason = no_exact_form(kind, settings, *layer.penalty(key))
            layer.check(not reason, "sparse_update touched or dense", f"exact with {reason}")

    def exclude_negatives(self, position: int, indptr: Array, indices: Array) -> None:
        """Let classes not count as negatives, by the id that input `position` has in a row.

        Those of id i are ``indices[indptr[i]:indptr[i + 1]]``, sorted; an indptr of length 1
        excludes nothing.
        """
        known = Known(position, indptr.astype(np.int64), indices.astype(np.int64))
        self._known = known if len(indptr) > 1 else None

    def state(self) -> dict[str, Array]:
        """Copy of the optimizer's slots, ``<parameter>:<slot>``, and ``step``, the steps done."""
        slots = {f"{n}:{s}": a.copy() for n, held in self._slots.items() for s, a in held.items()}
        return {**slots, "step": np.array(self._step, np.int64)}

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Overwrite the optimizer's slots and step with what `state` gave."""
        held = {f"{n}:{s}": a for n, slots in self._slots.items() for s, a in slots.items()}
        names = {*held, "step"}
        if set(state) != names:
            expected, got = (", ".join(sorted(each)) or "nothing" for each in (names, state))
            raise ValueError(f"state: expected {expected}, got {got}")
        for name, slot in held.items():
            _check_shape(name, state[name], slot)
        for name, slot in held.items():
            slot[...] = state[name]
        self._step = int(state["step"])

    @_quiet
    def train(
        self,
        inputs: Sequence[Array],
        targets: Sequence[Array],
        weights: Array | None,
        batch_size: int,
        shuffle: bool,
        seed: int,
        epoch: int,
        first_step: int,
        rates: Sequence[float],
        threads: int = 1,
        poll: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        """Run ``len(rates)`` steps of an epoch, from ``first_step`` of it; see design.md."""
        data = self._check_data(inputs, targets, weights)
        n = len(data.weights)
        n_steps = -(-n // batch_size)
        if first_step + len(rates) > n_steps:
            raise ValueError(
                f"rates: expected steps within the {n_steps} of an epoch, got {len(rates)} "
                f"from step {first_step}"
            )
        order = epoch_order(seed, epoch, n) if shuffle else np.arange(n)
        tally = Tally(self._objectives)
        steps, interrupted, diverged = 0, False, False
        for rate in rates:
            if poll is not None and poll():
                interrupted = True
                break
            first = (first_step + steps) * batch_size
            rows = order[first : first + batch_size]
            batch = data.take(rows)
            run = Run(len(rows), True, seed, self._step, batch.shares, batch_statistics=True)
            scores, gradients, saved = self._forward_backward(batch, run)
            if not np.isfinite(weighted_sum(batch.shares, scores.loss)):
                diverged = True
                break
            tally.add(batch.weights, scores)
            self._step += 1
            if batch.shares.any():
                self._update(gradients, float(rate), seed)
                for layer, kept in zip(self._layers, saved, strict=True):
                    layer.follow(kept)
            steps += 1
        done = {"steps": steps, "interrupted": interrupted, "diverged": diverged}
        return {**tally.result(), **done, "n_examples": tally.n_rows}

    @_quiet
    def evaluate(
        self,
        inputs: Sequence[Array],
        targets: Sequence[Array],
        weights: Array | None,
        batch_size: int,
        threads: int = 1,
    ) -> dict[str, Any]:
        """Mean loss, the loss of each output, and metrics; without dropout and noise."""
        data = self._check_data(inputs, targets, weights)
        tally = Tally(self._objectives)
        for rows in _blocks(len(data.weights), batch_size):
            batch = data.take(rows)
            run = Run(len(rows), first_row=int(rows[0]))
            values, saved = self._forward(batch.inputs, run, self._idle())
            predictions = self._predictions(batch, values, saved, run)
            scores = self._score(batch, values, saved, predictions)
            tally.add(batch.weights, scores)
        return tally.result()

    @_quiet
    def predict(self, inputs: Sequence[Array], batch_size: int, threads: int = 1) -> list[Array]:
        """Values of the outputs, (n, ...) each."""
        inputs = self._check_inputs(inputs)
        n = len(inputs[0])
        found = [np.empty((n, *self._shapes[i]), self._dtype) for i in self._outputs]
        for rows in _blocks(n, batch_size):
            values, _ = self._forward([x[rows] for x in inputs], Run(len(rows)))
            for y, i in zip(found, self._outputs, strict=True):
                y[rows] = values[i]
        return found

    def predict_ready(self, x: object) -> None:
        """Return None: only the core has a shorter way for an array that needs no conversion."""

    @_quiet
    def gradients(
        self, inputs: Sequence[Array], targets: Sequence[Array], weights: Array | None
    ) -> tuple[float, dict[str, Array]]:
        """Loss of all rows as one batch, penalties included, and its gradients, dense."""
        batch = self._check_data(inputs, targets, weights)
        run = Run(len(batch.weights), shares=batch.shares, batch_statistics=True)
        scores, found, _ = self._forward_backward(batch, run)
        loss = weighted_sum(batch.shares, scores.loss)
        dense: dict[str, Array] = {}
        for name, layer, key in self._trained():
            w, g = layer.parameters[key], found[name]
            l1, l2 = layer.penalty(key)
            loss += l1 * float(np.abs(w).sum()) + l2 * float(np.square(w).sum())
            g = g.to_dense(len(w)) if isinstance(g, RowGradient) else g
            dense[name] = g + (l1 * np.sign(w) + 2 * l2 * w)
        return loss, dense

    def _check_inputs(self, inputs: Sequence[Array]) -> list[Array]:
        shapes = [self._shapes[layer.position] for layer in self._inputs]
        return check_inputs(inputs, self._inputs, shapes, self._bounds, self._dtype)

    def _check_data(
        self, inputs: Sequence[Array], targets: Sequence[Array], weights: Array | None
    ) -> Batch:
        """All rows as one batch, or what is wrong with them."""
        x = self._check_inputs(inputs)
        n = len(x[0])
        y = check_targets(targets, self._objectives, n, self._dtype)
        for o, labels in zip(self._objectives, y, strict=True):
            if isinstance(o, SampledObjective):
                o.start(labels)
        return Batch(x, y, check_weights(weights, n, self._dtype))

    def _idle(self) -> list[int]:
        """Return outputs that no loss reads: scores, of which it computes those it wants."""
        return [o.layer.position for o in self._objectives if isinstance(o, SampledObjective)]

    def _forward(
        self, inputs: Sequence[Array], run: Run, idle: Collection[int] = ()
    ) -> tuple[list[Array], list[Any]]:
        """Value of every node that is not idle, and what its backward wants."""
        given = iter(inputs)
        values: list[Array] = []
        saved: list[Any] = []
        for layer in self._layers:
            if isinstance(layer, Input):
                y, kept = self._numbers(next(given)), None
            elif layer.position in idle:
                y, kept = np.empty(0, self._dtype), None
            else:
                y, kept = layer.forward([values[i] for i in layer.node.inputs], run)
            values.append(y)
            saved.append(kept)
        return values, saved

    def _numbers(self, x: Array) -> Array:
        """Return a batch of bytes in the engine's type, anything else as it is."""
        return x.astype(self._dtype) if x.dtype == np.uint8 else x

    def _predictions(
        self, batch: Batch, values: list[Array], saved: list[Any], run: Run
    ) -> list[Any]:
        """Return what each output's loss compares with its target."""
        found: list[Any] = []
        for o, i, y in zip(self._objectives, self._outputs, batch.targets, strict=True):
            if isinstance(o, SampledObjective):
                known = self._known
                ids = None if known is None else (known, batch.inputs[known.position])
                found.append(o.draws(values[o.layer.node.inputs[0]], y, ids, run))
            else:
                found.append(o.prediction(values[i], saved[i]))
        return found

    def _score(
        self, batch: Batch, values: list[Array], saved: list[Any], predictions: list[Any]
    ) -> Scores:
        """Losses and metrics of every row; activity penalties are part of the loss."""
        targets = batch.targets
        losses = [
            o.values(p, y) for o, p, y in zip(self._objectives, predictions, targets, strict=True)
        ]
        metrics = [
            [metric(values[i], y) for metric in o.metrics]
            for o, i, y in zip(self._objectives, self._outputs, targets, strict=True)
        ]
        total = np.zeros(len(batch.weights), self._dtype)
        for o, loss in zip(self._objectives, losses, strict=True):
            total += o.weight * loss
        for layer, kept in zip(self._layers, saved, strict=True):
            if isinstance(layer, ActivityRegularization):
                total += layer.row_penalty(kept)
        return Scores(total, losses, metrics)

    def _forward_backward(
        self, batch: Batch, run: Run
    ) -> tuple[Scores, dict[str, Gradient], list[Any]]:
        """Scores, the gradient of every parameter without penalties, what the layers saved."""
        values, saved = self._forward(batch.inputs, run, self._idle())
        predictions = self._predictions(batch, values, saved, run)
        scores = self._score(batch, values, saved, predictions)
        outside: dict[int, Array] = {}
        inside: dict[int, Array] = {}
        gradients: dict[str, Gradient] = {}
        for o, i, p, y in zip(
            self._objectives, self._outputs, predictions, batch.targets, strict=True
        ):
            if isinstance(o, SampledObjective):
                du, found = o.backward(p, batch.shares)
                _add(outside, o.layer.node.inputs[0], du)
                gradients.update({f"{o.layer.node.name}/{k}": g for k, g in found.items()})
            else:
                _add(inside if o.inside else outside, i, o.gradient(p, y, batch.shares))
        for layer in reversed(self._layers):
            if layer.position in self._idle():
                continue
            found = self._backward(layer, saved, outside, inside, run)
            owner = (layer.owner or layer).node.name
            for key, g in found.items():
                name = f"{owner}/{key}"
                gradients[name] = _sum(gradients[name], g) if name in gradients else g
        return scores, gradients, saved

    def _backward(
        self,
        layer: Layer,
        saved: list[Any],
        outside: dict[int, Array],
        inside: dict[int, Array],
        run: Run,
    ) -> dict[str, Gradient]:
        """Carry a node's gradient to its inputs; return those of its parameters.

        ``outside`` holds gradients of values by position, ``inside`` those of the inputs of
        their activations.
        """
        if isinstance(layer, Input):
            return {}
        kept, i = saved[layer.position], layer.position
        if i in inside:
            assert isinstance(layer, Activated)
            dz = inside[i]
            if i in outside:
                dz = dz + layer.activation_gradient(kept, outside[i])
            dx, found = layer.backward_logits(kept, dz)
        else:
            dy = outside.get(i, np.zeros((run.n_rows, *self._shapes[i]), self._dtype))
            dx, found = layer.backward(kept, dy, run)
        for source, g in zip(layer.node.inputs, dx, strict=True):
            if g is not None:
                _add(outside, source, g)
        return found

    def _update(self, gradients: dict[str, Gradient], rate: float, seed: int) -> None:
        """Add coupled L2, clip, and step every trainable parameter."""
        trained = list(self._trained())
        complete = [
            add_l2(gradients[name], layer.parameters[key], layer.penalty(key)[1])
            for name, layer, key in trained
        ]
        clip(complete, self._settings)
        for (name, layer, key), g in zip(trained, complete, strict=True):
            w, slots = layer.parameters[key], self._slots[name]
            l1 = layer.penalty(key)[0]
            update(self._optimizer, self._settings, w, g, slots, rate, self._step, l1)
            if isinstance(g, RowGradient) and layer.holds_halves(key):
                at = seed, layer.position, self._step - 1
                w[g.rows] = round_by_chance(w[g.rows], row_words(*at, g.rows, w.shape[1]))


def _blocks(n: int, size: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, n, size):
        yield np.arange(first, min(first + size, n))


def _sum(a: Gradient, b: Gradient) -> Gradient:
    """Return the sum of what two uses of a table give."""
    if isinstance(a, RowGradient):
        assert isinstance(b, RowGradient)
        return a.plus(b)
    assert not isinstance(b, RowGradient)
    return a + b


def _add(held: dict[int, Array], position: int, g: Array) -> None:
    """Add a gradient to what other uses of the same value gave."""
    held[position] = held[position] + g if position in held else g


def _check_shape(name: str, array: Array, held: Array) -> None:
    if np.shape(array) != held.shape:
        raise ValueError(f"{name}: expected shape {held.shape}, got {np.shape(array)}")
