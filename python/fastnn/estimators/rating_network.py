"""The network behind the ratings recommender: how it is made, trained and read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from fastnn import check, metrics, neighbors
from fastnn.estimators.base import layer_sizes
from fastnn.estimators.folding import Ratings, sigmoid
from fastnn.estimators.ids import Ids
from fastnn.estimators.interactions import Interactions
from fastnn.estimators.recommending import Recommender, blocks, clear_rows, grown, history
from fastnn.graph import Input, Value
from fastnn.initializers import RandomNormal
from fastnn.layers import Activation, Add, Concatenate, Dense, Dot, Embedding, Rescaling
from fastnn.model import Model
from fastnn.optimizers import AdamW, Optimizer
from fastnn.schedules import OneCycle

Array = NDArray[Any]

TABLES = ("user_factors/embeddings", "item_factors/embeddings")
DAMPING_ROWS = 1 << 18  # ratings that are looked at for the damping of `fold_in`
LEAST, TINY = 1e-5, 1e-30


@dataclass(repr=False, eq=False)
class RatingNetwork(Recommender):
    """Base of `RatingRecommender`: its settings and its network."""

    factors: int = 50
    _: KW_ONLY
    y_range: tuple[float, float] | None = None
    learning_rate: float = 5e-3
    weight_decay: float = 0.3
    epochs: int = 5
    batch_size: int = 64

    def _train(self, given: Interactions, sample_weight: Any, *, incremental: bool) -> None:
        goes_on = incremental and self.__sklearn_is_fitted__()
        users, items = given.ids(*((self._users, self._items) if goes_on else ()))
        y = self._rated(given, within=goes_on)
        user, item = users.positions("users", given.users), items.positions("items", given.items)
        start = (
            (self.global_mean_, self.y_range_) if goes_on else (float(y.mean()), self._limits(y))
        )
        past = self._seen if goes_on else None
        seen = history(user, item, y, shape=(len(users), len(items)), past=past)
        model = self._continued(seen) if goes_on else self._model(seen, *start)
        x = [user, item]
        self._run(model, x, y, sample_weight, goes_on=goes_on, incremental=incremental)
        self._keep(model, users, items, seen)
        self.global_mean_: float = start[0]
        self.y_range_: tuple[float, float] = start[1]
        self._read_weights()
        if not self._tower():
            self._ridges: dict[str, tuple[float, float]] = self._dampings(user - 1, item - 1, y)

    def _rated(self, given: Interactions, *, within: bool = False) -> Array:
        """Return the ratings (n,), which have to be there, and `within` the limits if asked so."""
        if given.values is None:
            raise check.wrong_type("ratings", "numbers beside users and items", None)
        if not len(given):
            raise check.wrong_value("ratings", "at least one", "none")
        low, high = self.y_range_ if within else (-math.inf, math.inf)
        if given.values.min() < low or given.values.max() > high:
            got = f"{given.values.min():g} to {given.values.max():g}"
            expected = f"numbers in [{low:g}, {high:g}], the range of the first ratings"
            raise check.wrong_value("ratings", expected, got, "give y_range before the first fit")
        return given.values

    def _pairs(self, users: Array, items: Array) -> Array:
        found: Array = self.model_.predict([users, items], n_jobs=self.n_jobs)[:, 0]
        return found

    def _shown(self, scores: Array) -> Array:
        low, high = self.y_range_
        return low + (high - low) * sigmoid(scores + self._constant(self.global_mean_, low, high))

    def _top(self, users: Array, n: int, exclude: Any) -> Array:
        if not self._tower():
            return super()._top(users, n, exclude)
        found = np.empty((len(users), n), np.int64)
        for part in blocks(len(users), len(self._items)):
            left_out = None if exclude is None else exclude[part]
            scores = self._every(users[part])
            found[part], _ = neighbors.top_scores(scores, n, exclude=left_out, n_jobs=self.n_jobs)
        return found

    def _rank(self, users: Array, relevant: Any, k: int, exclude: Any) -> dict[str, float]:
        if not self._tower():
            return super()._rank(users, relevant, k, exclude)
        settings = {"k": k, "exclude": exclude, "n_jobs": self.n_jobs}
        return metrics.ranking_of_scores(self._every(users), relevant, **settings)

    def _every(self, users: Array) -> Array:
        """Return the predictions (m, n_items) of all items for positions (m,) of users."""
        n = len(self._items)
        items = np.tile(np.arange(1, n + 1, dtype=np.int32), len(users))
        return self._pairs(np.repeat(users, n), items).reshape(len(users), n)

    def _tower(self) -> tuple[int, ...]:
        return layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)

    def _without_tower(self, purpose: str) -> None:
        if self._tower():
            expected = f"() for {purpose}, which needs a product of vectors"
            raise check.wrong_value("hidden_layer_sizes", expected, self.hidden_layer_sizes)

    def _limits(self, y: Array) -> tuple[float, float]:
        """Return the limits of predictions."""
        least, most = float(y.min()), float(y.max())
        if self.y_range is None:
            margin = 0.1 * (most - least) or 0.5
            return least - margin, most + margin
        if not isinstance(self.y_range, Sequence | np.ndarray) or len(self.y_range) != 2:
            raise check.wrong_type("y_range", "two numbers or None", self.y_range)
        low, high = (check.number("y_range", limit) for limit in self.y_range)
        if not low <= least <= most <= high or low == high:
            expected = f"limits that hold all ratings, {least:g} to {most:g}"
            raise check.wrong_value("y_range", expected, f"({low:g}, {high:g})")
        return low, high

    @staticmethod
    def _constant(mean: float, low: float, high: float) -> float:
        """Return the number whose sigmoid stands for the mean rating."""
        share = min(max((mean - low) / (high - low), 1e-3), 1 - 1e-3)
        return math.log(share / (1 - share))

    def _model(
        self, seen: Any, mean: float, limits: tuple[float, float], seed: int | None = None
    ) -> Model:
        """Return a model for the users and items of `seen`, ready to be trained."""
        n_users, n_items = (n + 1 for n in seen.shape)
        user, item = (Input((), dtype="int32", name=name) for name in ("user", "item"))
        p = self._embedding(n_users, self.factors, 0.01, "user_factors")(user)
        q = self._embedding(n_items, self.factors, 0.01, "item_factors")(item)
        parts: list[Value] = []
        if sizes := self._tower():
            value = Concatenate()([p, q])
            for units in sizes:
                value = Dense(units, "relu", kernel_initializer="he_uniform")(value)
            parts.append(Dense(1)(value))
        else:
            parts.append(Dot()([p, q]))
        if check.flag("biases", self.biases):
            parts.append(self._embedding(n_users, 1, 0.0, "user_bias")(user))
            parts.append(self._embedding(n_items, 1, 0.0, "item_bias")(item))
        low, high = limits
        value = Rescaling(1.0, self._constant(mean, low, high))(
            Add()(parts) if len(parts) > 1 else parts[0]
        )
        rating = Rescaling(high - low, low)(Activation("sigmoid")(value))
        if seed is None:
            seed = int(check_random_state(self.random_state).randint(2**31))
        model = Model([user, item], rating, dtype=self.dtype, backend=self.backend, seed=seed)
        for name, rated in zip(TABLES, _rated_rows(seen), strict=True):
            clear_rows(model, name, ~np.append(False, rated))
        return model.compile(self._optimizer(), "mse")

    def _embedding(self, rows: int, width: int, stddev: float, name: str) -> Embedding:
        start = RandomNormal(stddev=stddev) if stddev else "zeros"
        width = check.integer("factors", width, 1)
        return Embedding(
            rows, width, embeddings_initializer=start, sparse_update=self.sparse_update, name=name
        )

    def _continued(self, seen: Any) -> Model:
        """Return the model for training to go on: another one where ids are new."""
        tables = self.user_embeddings_, self.item_embeddings_
        empty: list[Array] = [(table == 0).all(axis=1) for table in tables]
        rated = _rated_rows(seen)
        kept = [np.append(True, ~(e & r[: len(e)])) for e, r in zip(empty, rated, strict=True)]
        if seen.shape == self._seen.shape and all(rows.all() for rows in kept):
            return self.model_
        fresh = self._model(seen, self.global_mean_, self.y_range_, self.model_.seed)
        return grown(self.model_, fresh, dict(zip(TABLES, kept, strict=True)))

    def _optimizer(self) -> Optimizer:
        if self.optimizer is not None:
            return self.optimizer
        rate = check.number("learning_rate", self.learning_rate, 0, above=True)
        decay = check.number("weight_decay", self.weight_decay, 0)
        # a short memory of squares suits rows that are touched rarely
        return AdamW(OneCycle(rate), beta_2=0.99, weight_decay=decay)

    def _made(self, name: str) -> Array:
        if not name.endswith("biases"):
            (table,) = self.model_.get_weights([TABLES[name == "items"]])
            return table if name == "users" else table[1:]
        side = name.split("_")[0]
        if self.biases:
            (table,) = self.model_.get_weights([f"{side}_bias/embeddings"])
            return table[1:, 0]
        return np.zeros(len(self.users_ if side == "user" else self.items_), self.dtype)

    def _sides(self, fixed: str) -> tuple[Array, Array]:
        """Return the vectors and the biases of "users" or "items"."""
        if fixed == "items":
            return self.item_embeddings_, self.item_biases_
        return self.user_embeddings_, self.user_biases_

    def _problem(self, fixed: str, positions: Array, ratings: Array) -> Ratings:
        """Return the problem of a vector from ratings, with "users" or "items" as they are."""
        low, high = self.y_range_
        table, biases = self._sides(fixed)
        rows = positions.astype(np.int64) - 1
        vectors = np.ones((len(rows), self.factors + bool(self.biases)))
        vectors[:, : self.factors] = table[rows]
        offsets = biases[rows] + self._constant(self.global_mean_, low, high)
        ridge = np.full(vectors.shape[1], self._ridges[fixed][0])
        ridge[self.factors :] = self._ridges[fixed][1]
        return Ratings(vectors, offsets, (ratings - low) / (high - low), ridge)

    def _dampings(self, user: Array, item: Array, y: Array) -> dict[str, tuple[float, float]]:
        r"""Return the damping of vectors and of biases when the other side, the key, is fixed.

        With the residuals g of ratings, :math:`\lambda = \sum g \, p \cdot q / \sum |p|^2`: there
        the sum over the users of :math:`p \cdot (\sum g q - \lambda n p)` is zero.
        """
        some = slice(None, None, -(-len(y) // DAMPING_ROWS))
        user, item, y = user[some], item[some], y[some]
        p, q = self.user_embeddings_[user], self.item_embeddings_[item]
        low, high = self.y_range_
        product = np.einsum("ij,ij->i", p, q, dtype=np.float64)
        z = product + self.user_biases_[user] + self.item_biases_[item]
        share = sigmoid(z + self._constant(self.global_mean_, low, high))
        residuals = ((y - low) / (high - low) - share) * share * (1 - share)
        found = {}
        for fixed, own, rows in (("items", "users", user), ("users", "items", item)):
            vectors, biases = self._sides(own)
            squares = np.square(vectors, dtype=np.float64).sum(axis=1)[rows].sum()
            bias = biases[rows].astype(np.float64)
            damping = residuals @ product / max(squares, TINY)
            found[fixed] = (
                max(damping, LEAST),
                max(residuals @ bias / max(bias @ bias, TINY), LEAST),
            )
        return found

    def _lengthen(self, items: Ids, vectors: Array, biases: Array, seen: Any) -> None:
        """Give the model and the attributes more items, with these vectors and biases (n, ..)."""
        fresh = self._model(seen, self.global_mean_, self.y_range_, self.model_.seed)
        model, start = grown(self.model_, fresh, {}), len(self._items) + 1
        model.set_rows("item_factors/embeddings", start, vectors)
        if self.biases:
            model.set_rows("item_bias/embeddings", start, np.reshape(biases, (-1, 1)))
        self._keep(model, self._users, items, seen)
        self._read_weights()


def _rated_rows(seen: Any) -> list[Array]:
    """Return which users and which items have ratings, as two arrays of bool."""
    return [np.diff(seen.indptr) > 0, np.bincount(seen.indices, minlength=seen.shape[1]) > 0]
