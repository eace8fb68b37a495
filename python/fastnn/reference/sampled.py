"""The objective of an output of scores whose loss looks at the label and a few drawn classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph import Spec
from . import sampling
from .layer import Array, Gradient, Layer, Run
from .objective import Objective, read_settings
from .ranking import RANKING_LOSSES
from .scores import Scores

Ids = NDArray[np.int64]


class Known(NamedTuple):
    """Classes known of the ids of an input: ``indices[indptr[i]:indptr[i + 1]]``, sorted."""

    position: int
    indptr: Ids
    indices: Ids

    def holds(self, ids: Ids, classes: Ids) -> NDArray[np.bool_]:
        """Whether classes (m, c) are known of ids (m,)."""
        rows = zip(ids, classes, strict=True)
        found = [np.isin(c, self.indices[self.indptr[i] : self.indptr[i + 1]]) for i, c in rows]
        return np.array(found, bool).reshape(classes.shape)


class Draws(NamedTuple):
    """What a batch's loss looks at: its input u (m, d), classes, and which of them count.

    ``ids`` (m, c) are the label and the negatives of each row, or the label alone beside the
    columns (k,) that all rows share; ``added`` (1, 1 + c') is added to the scores.
    """

    u: Array
    ids: Ids
    columns: Ids
    held: NDArray[np.bool_]
    added: Array


class SampledObjective(Objective):
    """As `Objective`, for an output of scores, which are not computed."""

    def __init__(self, spec: Spec, weight: float, metrics: Sequence[str], layer: Layer) -> None:
        rule = RANKING_LOSSES[spec.kind]
        self.kind, self.weight, self.layer, self.rule = spec.kind, float(weight), layer, rule
        self.settings = read_settings("loss", spec, dict(rule.settings))
        self.categorical, self.inside = True, False
        self.metric_names, self.metrics = [], []
        self.alias: sampling.Alias | None = None
        self.log_q = np.zeros(0)
        if not isinstance(layer, Scores):
            raise ValueError(
                f"loss: expected output {layer.node.name} to be a Scores layer for {spec.kind}, "
                f"got {layer.node.kind}"
            )
        if metrics:
            raise ValueError(f"metrics: expected none for {spec.kind}, got {metrics[0]}")
        sampler, negatives = self.settings["sampler"], self.settings["negatives"]
        if sampler not in rule.samplers:
            allowed = ", ".join(rule.samplers)
            raise ValueError(f"sampler: expected one of {allowed}, got {sampler}")
        if not (1 <= negatives <= 2**24 and negatives == int(negatives)):
            raise ValueError(f"negatives: expected a whole number in [1, 2**24], got {negatives}")
        for name, most in (("power", 10), ("margin", 1e30)):
            if not 0 <= self.settings.get(name, 0) <= most:
                got = self.settings[name]
                raise ValueError(f"{name}: expected a number in [0, {most:g}], got {got}")

    @property
    def shared(self) -> bool:
        """Whether all rows of a batch share their negatives."""
        return self.kind == "sampled_softmax"

    def start(self, labels: Array) -> None:
        """Make ready for examples with these labels, which samplers may count."""
        units = self.layer.shape[0]
        weights = sampling.weights_of(
            self.settings["sampler"], units, labels, self.settings["power"]
        )
        self.alias = None if weights is None else sampling.alias_table(weights)
        self.log_q = sampling.log_probabilities(weights, units)

    def draws(self, u: Array, labels: Array, known: tuple[Known, Ids] | None, run: Run) -> Draws:
        """Draw for the rows of a batch; ``known`` comes with the ids of its rows."""
        labels = labels.astype(np.int64)
        if self.shared:
            return self._shared_draws(u, labels, known, run)
        n, units = int(self.settings["negatives"]), self.layer.shape[0]
        rows = run.first_row + np.arange(len(labels))
        words = sampling.row_words(run.seed, self.layer.position, run.step, rows, n)
        drawn = sampling.draw(words, units, self.alias)
        held = drawn != labels[:, None]
        if known is not None:
            held &= ~known[0].holds(known[1], drawn)
        ids = np.concatenate([labels[:, None], drawn], axis=1)
        return Draws(u, ids, np.zeros(0, np.int64), held, np.zeros((1, n + 1), u.dtype))

    def _shared_draws(
        self, u: Array, labels: Ids, known: tuple[Known, Ids] | None, run: Run
    ) -> Draws:
        n, units = int(self.settings["negatives"]), self.layer.shape[0]
        if self.settings["sampler"] == "in_batch" and run.batch_statistics:
            drawn, n = labels, max(1, len(labels) - 1)
        else:
            words = sampling.shared_words(run.seed, self.layer.position, run.step, n)
            drawn = sampling.draw(words, units, self.alias)
        columns, counts = np.unique(drawn, return_counts=True)
        held = np.ones((len(labels), len(columns)), bool)
        if self.settings["remove_hits"]:
            held &= columns != labels[:, None]
        if known is not None:
            held &= ~known[0].holds(known[1], np.broadcast_to(columns, held.shape))
        added = np.log(counts)
        if self.settings["correction"]:
            added = added - np.log(n) - self.log_q[columns]
        added = np.append(0, added).astype(u.dtype)[None]
        return Draws(u, labels[:, None], columns, held, added)

    def _scores(self, draws: Draws) -> Array:
        layer = self.layer
        assert isinstance(layer, Scores)
        s = np.einsum("md,mcd->mc", draws.u, layer.rows(draws.ids)) + layer.biases(draws.ids)
        if self.shared:
            shared = draws.u @ layer.rows(draws.columns).T + layer.biases(draws.columns)
            s = np.concatenate([s, shared], axis=1)
        scores: Array = s + draws.added
        return scores

    def _found(self, draws: Draws) -> tuple[Array, Array]:
        more: dict[str, Any] = {}
        if self.kind == "warp":
            more = {"margin": self.settings["margin"], "units": self.layer.shape[0]}
        return self.rule.value(self._scores(draws), draws.held, **more)

    def values(self, prediction: Any, target: Array) -> Array:
        """Loss of each row (m,); the prediction is what `draws` gave."""
        return self._found(prediction)[0]

    def backward(self, draws: Draws, shares: Array) -> tuple[Array, dict[str, Gradient]]:
        """Gradients of u and of the tables."""
        layer, u = self.layer, draws.u
        assert isinstance(layer, Scores)
        ds = self._found(draws)[1] * (self.weight * shares).astype(u.dtype)[:, None]
        own = ds[:, : draws.ids.shape[1]]
        du = np.einsum("mc,mcd->md", own, layer.rows(draws.ids))
        ids = draws.ids
        if self.kind == "warp":  # of the trials only the last one is touched
            last = np.where(own[:, 1:].any(axis=1), own[:, 1:].argmax(axis=1) + 1, 0)
            rows = np.arange(len(ids))
            ids = np.stack([ids[:, 0], ids[rows, last]], axis=1)
            own = np.stack([own[:, 0], np.where(last > 0, own[rows, last], 0)], axis=1)
        elif not self.shared:
            counts = np.concatenate([np.ones((len(ids), 1), bool), draws.held], axis=1)
            ids = np.where(counts, ids, ids[:, :1])
        dv = (own[:, :, None] * u[:, None, :]).reshape(-1, u.shape[1])
        ids, dbias = ids.ravel(), own.ravel()
        if self.shared:
            between = ds[:, 1:]
            du = du + between @ layer.rows(draws.columns)
            ids = np.concatenate([ids, draws.columns])
            dv, dbias = np.concatenate([dv, between.T @ u]), np.append(dbias, between.sum(axis=0))
        return du, layer.sampled_gradients(ids, dv, dbias)


def objective(spec: Spec, weight: float, metrics: Sequence[str], layer: Layer) -> Objective:
    """Return the objective of an output, whichever kind its loss is."""
    kind = SampledObjective if spec.kind in RANKING_LOSSES else Objective
    return kind(spec, weight, metrics, layer)


def check_sampled(
    objectives: Sequence[Objective], layers: Sequence[Layer], outputs: Sequence[int]
) -> None:
    """Refuse scores that a loss samples and something else reads."""
    for o, output in zip(objectives, outputs, strict=True):
        if not isinstance(o, SampledObjective):
            continue
        users = [layer for layer in layers if output in layer.node.inputs]
        if users or list(outputs).count(output) > 1:
            got = users[0].node.name if users else "another loss"
            raise ValueError(
                f"loss: expected output {o.layer.node.name} to be read by {o.kind} alone, "
                f"got {got} beside it"
            )
