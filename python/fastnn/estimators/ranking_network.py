"""The network behind the ranking recommender: how it is made, trained and read."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_random_state

from fastnn import check, data
from fastnn.estimators.base import layer_sizes
from fastnn.estimators.features import Features, aligned, padded
from fastnn.estimators.folding import FoldedUser
from fastnn.estimators.ids import Ids
from fastnn.estimators.interactions import Interactions
from fastnn.estimators.likes import Likes, Pool
from fastnn.estimators.recommending import Recommender, clear_rows, grown, history, weights_of
from fastnn.graph import Input, Value
from fastnn.initializers import RandomNormal
from fastnn.layers import Add, Dense, Embedding, EmbeddingBag, Scores
from fastnn.losses import BPR, WARP, Loss, SampledLogistic, SampledSoftmax
from fastnn.model import Model
from fastnn.optimizers import AdamW, Optimizer
from fastnn.schedules import OneCycle

Array = NDArray[Any]

LOSSES: dict[str, type[BPR | WARP | SampledLogistic | SampledSoftmax]] = {
    "bpr": BPR,
    "warp": WARP,
    "logistic": SampledLogistic,
    "sampled_softmax": SampledSoftmax,
}
FIXED = ("items/features", "items/feature_weights")  # what training does not move
DAMPING_USERS = 100  # users that are looked at for the damping of `fold_in`


@dataclass(frozen=True, eq=False)
class Sides:
    """Users and items with their features, in the order of their positions.

    ``units`` (n_items,) says which class of the network an item is: its own number, or its rank by
    popularity where the sampler needs that.
    """

    users: Ids
    items: Ids
    of_users: sparse.csr_matrix | None
    of_items: sparse.csr_matrix | None
    units: Array

    def by_item(self, table: Array) -> Array:
        """Return a table of the network's classes in the order of the items, where they differ."""
        ordered = np.array_equal(self.units, np.arange(len(self.units)))
        return table if ordered else table[self.units]

    def by_class(self, seen: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return a matrix (n_users, n_items) with its columns in the order of the classes."""
        if np.array_equal(self.units, np.arange(len(self.units))):
            return seen
        columns = self.units.astype(seen.indices.dtype)[seen.indices]
        return sparse.csr_matrix((seen.data, columns, seen.indptr), shape=seen.shape)


@dataclass(repr=False, eq=False)
class RankingNetwork(Recommender):
    """Base of `RankingRecommender`: its settings and its network."""

    factors: int = 64
    _: KW_ONLY
    loss: str = "sampled_softmax"
    negatives: int | None = None
    sampler: str | None = None
    user_features: Any = None
    item_features: Any = None
    learning_rate: float = 0.01
    weight_decay: float = 0.5
    epochs: int = 20
    batch_size: int = 256

    def _train(self, given: Interactions, sample_weight: Any, *, incremental: bool) -> None:
        goes_on = incremental and self.__sklearn_is_fitted__()
        given, weights = counted(given, sample_weight)
        loss, (of_users, of_items) = self._loss(), self._features(goes_on)
        users, items = given.ids(*((self._users, self._items) if goes_on else ()))
        tables = [f and f.read(t) for f, t in zip((of_users, of_items), self._given(), strict=True)]
        if tables[0]:
            users = users.extended("user_features", tables[0][0])
        if tables[1]:
            items = items.extended("item_features", tables[1][0])
        user, item = users.positions("users", given.users), items.positions("items", given.items)
        del given  # not needed while the model is made and trained
        ones = np.ones(len(user), np.float32) if weights is None else weights
        past = self._seen if goes_on else None
        seen = history(user, item, ones, shape=(len(users), len(items)), past=past)
        units = self._order(seen, loss, goes_on)
        sides = Sides(
            users,
            items,
            tables[0] and rows_of("user_features", tables[0], users),
            tables[1] and rows_of("item_features", tables[1], items),
            units,
        )
        model = self._continued(sides, seen) if goes_on else self._model(sides, seen, loss)
        known = sides.by_class(seen)
        model.exclude_negatives("user", (np.append(0, known.indptr), known.indices))
        counts = np.bincount(item, minlength=len(items) + 1)[1:]
        x, y = self._inputs(sides, user), units.astype(np.int32)[item - 1]
        del known, item
        self._run(model, x, y, weights, goes_on=goes_on, incremental=incremental)
        self._keep(model, users, items, seen)
        self._sides: Sides = sides
        self._features_of: tuple[Features | None, Features | None] = (of_users, of_items)
        if goes_on:
            counts[: len(self._counts)] += self._counts
        self._counts: Array = counts
        self._read_weights()

    def _given(self) -> tuple[Any, Any]:
        return self.user_features, self.item_features

    def _features(self, goes_on: bool) -> tuple[Features | None, Features | None]:
        """Return which features there are: those of the first fit, if training goes on."""
        if goes_on:
            return self._features_of
        names = "user_features", "item_features"
        pairs = zip(names, self._given(), strict=True)
        first, second = (None if t is None else Features.of(name, t) for name, t in pairs)
        return first, second

    def _loss(self) -> Loss:
        """Return the loss that the arguments describe."""
        kind = LOSSES[check.choice("loss", self.loss, LOSSES)]
        settings: dict[str, Any] = {}
        if self.loss == "sampled_softmax":
            settings = {"negatives": 512, "sampler": "unigram"}
        if self.negatives is not None:
            settings["negatives"] = self.negatives
        if self.sampler is not None:
            settings["sampler"] = check.choice("sampler", self.sampler, kind.samplers)
        return kind(**settings)

    def _order(self, seen: sparse.csr_matrix, loss: Any, goes_on: bool) -> Array:
        """Return the class of each item (n_items,)."""
        n = seen.shape[1]
        if goes_on:
            past = self._sides.units
            return np.append(past, np.arange(len(past), n))
        units = np.arange(n)
        if loss.sampler == "log_uniform":
            popular = np.argsort(-np.bincount(seen.indices, minlength=n), kind="stable")
            units[popular] = np.arange(n)
        return units

    def _graph(self, sides: Sides) -> tuple[list[Value], Value, Value]:
        """Return inputs, the vector of a user, and the scores of all items."""
        user = Input((), dtype="int32", name="user")
        start = RandomNormal(stddev=0.1 / np.sqrt(self.factors))
        settings: dict[str, Any] = {"embeddings_initializer": start}
        settings["sparse_update"] = self.sparse_update
        inputs = [user]
        p = Embedding(len(sides.users) + 1, self.factors, name="user_factors", **settings)(user)
        if sides.of_users is not None:
            width = padded(sides.of_users, self.dtype)[0].shape[1]
            ids = Input((width,), dtype="int32", name="features")
            weights = Input((width,), name="feature_weights")
            inputs += [ids, weights]
            bag = EmbeddingBag(
                sides.of_users.shape[1] + 1,
                self.factors,
                mode="sum",
                padding_idx=0,
                name="user_feature_factors",
                **settings,
            )
            p = Add()([p, bag([ids, weights])])
        sizes = layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        for n, units in enumerate(sizes):
            p = Dense(units, "relu", kernel_initializer="he_uniform", name=f"hidden_{n}")(p)
        if sizes:
            p = Dense(self.factors, name="user_vector")(p)
        if sides.of_items is not None:
            settings["n_features"] = sides.of_items.shape[1]
            settings["features_per_unit"] = padded(sides.of_items, self.dtype)[0].shape[1]
        biases = check.flag("biases", self.biases)
        scores = Scores(len(sides.items), use_bias=biases, name="items", **settings)
        return inputs, p, scores(p)

    def _model(
        self, sides: Sides, seen: sparse.csr_matrix, loss: Loss, seed: int | None = None
    ) -> Model:
        """Return a model ready to be trained; who met nothing has a vector of zeros."""
        check.integer("factors", self.factors, 1)
        inputs, _, scores = self._graph(sides)
        if seed is None:
            seed = int(check_random_state(self.random_state).randint(2**31))
        model = Model(inputs, scores, dtype=self.dtype, backend=self.backend, seed=seed)
        self._clear(model, sides, seen)
        return model.compile(self._optimizer(), loss)

    def _clear(self, model: Model, sides: Sides, seen: sparse.csr_matrix) -> None:
        """Give who met nothing a vector of zeros, and items their features; table by table."""
        never = np.bincount(seen.indices, minlength=seen.shape[1]) == 0
        empty = {
            "user_factors/embeddings": np.append(True, np.diff(seen.indptr) == 0),
            "items/embeddings": sides.units[never],
            "user_feature_factors/embeddings": [0],
        }
        shapes = dict(model.parameters())
        for name in set(empty) & set(shapes):
            chosen = np.zeros(shapes[name][0], bool)
            chosen[empty[name]] = True
            clear_rows(model, name, chosen)
        if sides.of_items is not None:
            features, held = padded(sides.of_items, self.dtype)
            order = np.argsort(sides.units)
            model.set_weights(dict(zip(FIXED, (features[order], held[order]), strict=True)))

    def _continued(self, sides: Sides, seen: sparse.csr_matrix) -> Model:
        """Return the model for training to go on: another one where ids or features are new."""
        weights = weights_of(self.model_)
        users, items = weights["user_factors/embeddings"], weights["items/embeddings"]
        alive = np.append(False, np.diff(seen.indptr) > 0)[: len(users)]
        met = np.bincount(seen.indices, minlength=seen.shape[1])[: len(items)] > 0
        units = self._sides.units
        fresh_users = alive & (users == 0).all(axis=1)
        fresh_items = np.zeros(len(items), bool)
        fresh_items[units] = met & (items[units] == 0).all(axis=1)
        same = seen.shape == self._seen.shape and not (fresh_users.any() or fresh_items.any())
        if same and self.user_features is None and self.item_features is None:
            return self.model_
        loss = self.model_.goal.losses[0] if self.model_.goal else self._loss()
        fresh = self._model(sides, seen, loss, self.model_.seed)
        kept = {"user_factors/embeddings": ~fresh_users, "items/embeddings": ~fresh_items}
        return grown(self.model_, fresh, kept, FIXED)

    def _inputs(self, sides: Sides, user: Array) -> dict[str, Array]:
        """Return what the network takes for positions (n,) of users."""
        if sides.of_users is None:
            return {"user": user}
        places, values = padded(sides.of_users, self.dtype)
        empty = np.zeros((1, places.shape[1]))
        places = np.concatenate([empty.astype(np.int32), places + 1])[user]
        values = np.concatenate([empty.astype(self.dtype), values])[user]
        return {"user": user, "features": places, "feature_weights": values}

    def _optimizer(self) -> Optimizer:
        if self.optimizer is not None:
            return self.optimizer
        rate = check.number("learning_rate", self.learning_rate, 0, above=True)
        decay = check.number("weight_decay", self.weight_decay, 0)
        return AdamW(OneCycle(rate), beta_2=0.99, weight_decay=decay)

    def _read_weights(self) -> None:
        super()._read_weights()
        self._pool_made: Pool | None = None
        self._ridge_made: float | None = None

    def _made(self, name: str) -> Array:
        sides = self._sides
        if name == "users":
            return self._user_vectors()
        if name == "user_biases":
            return np.zeros(len(self.users_), self.dtype)
        if name == "item_biases":
            if not self.biases:
                return np.zeros(len(self.items_), self.dtype)
            return sides.by_item(self.model_.get_weights(["items/bias"])[0])
        items = sides.by_item(self.model_.get_weights(["items/embeddings"])[0])
        if sides.of_items is not None:
            items = items + self._of_features(sides.of_items)
        return items

    def _user_vectors(self) -> Array:
        """Return what meets the vectors of items, (n_users + 1, factors)."""
        sides = self._sides
        tower = layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        if sides.of_users is None and not tower:
            return self.model_.get_weights(["user_factors/embeddings"])[0]
        inputs, vector, _ = self._graph(sides)
        part = Model(inputs, vector, dtype=self.dtype, backend=self.backend, seed=0)
        names = [name for name, _ in part.parameters()]
        part.set_weights(self.model_.get_weights(names))
        every = np.arange(len(sides.users) + 1, dtype=np.int32)
        found: Array = part.predict(self._inputs(sides, every), n_jobs=self.n_jobs)
        return found

    def _of_features(self, matrix: sparse.csr_matrix) -> Array:
        (table,) = self.model_.get_weights(["items/feature_embeddings"])
        found: Array = matrix @ table.astype(np.float64)
        return found.astype(self.dtype)

    def _rows_of_features(self, given: Any, ids: Any) -> sparse.csr_matrix:
        """Return the features of new items, in the order of their ids."""
        known = self._features_of[1]
        if known is None:
            raise check.wrong_value("features", "None without item_features", "some")
        own, matrix = known.read(given)
        if sparse.issparse(given):
            if matrix.shape[0] != len(ids):
                raise check.wrong_value("features", f"{len(ids)} rows, one per id", len(own))
            return matrix
        places = Ids("ids", ids)
        positions = places.positions("features", own)
        if len(own) != len(ids) or not positions.all() or len(np.unique(positions)) != len(ids):
            raise check.wrong_value("features", "one row for each of ids", f"{len(own)} rows")
        found = aligned("features", own, matrix, positions, len(ids))
        return found[places.positions("ids", ids) - 1]

    def _lengthen(
        self, items: Ids, vectors: Array, biases: Array, rows: sparse.csr_matrix | None
    ) -> None:
        """Give the model and the attributes more items: their vectors, biases and features."""
        past, start, new = self._sides, len(self._items), len(vectors)
        if (of_items := past.of_items) is not None:
            empty = sparse.csr_matrix((new, of_items.shape[1]))
            of_items = sparse.csr_matrix(sparse.vstack([of_items, empty if rows is None else rows]))
        units = np.append(past.units, np.arange(start, start + new))
        sides = Sides(past.users, items, past.of_users, of_items, units)
        seen = self._widened(len(items))
        fresh = self._model(sides, seen, self._loss(), self.model_.seed)
        model = grown(self.model_, fresh, {}, FIXED)
        model.set_rows("items/embeddings", start, vectors)
        if self.biases:
            model.set_rows("items/bias", start, biases)
        self._keep(model, self._users, items, seen)
        self._sides, self._counts = sides, np.pad(self._counts, (0, new))
        self._read_weights()

    def _folded(self, positions: Array, values: Array) -> FoldedUser:
        if self._ridge_made is None:
            self._ridge_made = self._damping()
        problem = self._likes(positions, values, self._ridge_made)
        return FoldedUser(self, problem.solve(), positions, problem)

    def _pool(self) -> Pool:
        """Return the items that the likes of a user are compared with."""
        if self._pool_made is None:
            settings = self.item_embeddings_, self.item_biases_, self._counts
            self._pool_made = Pool.of(*settings, self._draws())
        return self._pool_made

    def _draws(self) -> Array:
        """Return how often each item is drawn as a negative, (n_items,) that sum to 1."""
        loss: Any = self._loss()
        n = len(self._items)
        if loss.sampler == "log_uniform":
            ranks = self._sides.units.astype(np.float64)
            chances: Array = np.log((ranks + 2) / (ranks + 1)) / np.log(n + 1)
            return chances
        power = {"uniform": 0.0, "unigram": loss.power, "in_batch": 1.0}[loss.sampler]
        weights = np.maximum(self._counts, 1e-9) ** power
        found: Array = weights / weights.sum()
        return found

    def _likes(self, positions: Array, weights: Array, ridge: float) -> Likes:
        """Return the problem of a vector from items at positions (h,) that count so much."""
        loss: Any = self._loss()
        rows = positions.astype(np.int64) - 1
        settings = {
            "loss": self.loss,
            "negatives": loss.negatives,
            "correction": getattr(loss, "correction", True),
            "margin": getattr(loss, "margin", 1.0),
        }
        return Likes(
            self._pool(),
            rows,
            self.item_embeddings_[rows].astype(np.float64),
            self.item_biases_[rows],
            weights.astype(np.float64),
            settings,
            ridge,
            self._table("users")[0].astype(np.float64),
        )

    def _damping(self) -> float:
        """Return the damping at which the vectors of users are stationary on the whole."""
        active = np.flatnonzero(np.diff(self._seen.indptr))
        some = active[:: -(-len(active) // DAMPING_USERS)]
        pull = size = 0.0
        for user in some:
            row = self._seen[[user]]
            problem = self._likes(row.indices + 1, row.data, 0.0)
            x = self.user_embeddings_[user].astype(np.float64)
            apart = x - problem.center
            pull += float(problem.pieces(x).gradient @ apart)
            size += float(row.data.sum() * (apart @ apart))
        return max(pull / max(size, 1e-30), 1e-6)


def counted(given: Interactions, sample_weight: Any) -> tuple[Interactions, Array | None]:
    """Return the rows that count, and how much they do (None: all alike)."""
    weights = data.convert_weights("sample_weight", sample_weight, len(given), "float64")
    if given.values is not None:
        if len(given) and given.values.min() < 0:
            remedy = "leave out what was not liked"
            raise check.wrong_value("ratings", "numbers >= 0", f"{given.values.min():g}", remedy)
        weights = given.values if weights is None else weights * given.values
    users, items = given.users, given.items
    if weights is not None and not weights.all():
        kept = weights > 0
        users, items, weights = users[kept], items[kept], weights[kept]
    if weights is not None and (weights == 1).all():
        weights = None
    if not len(users):
        raise check.wrong_value("users", "at least one interaction", "none")
    return Interactions(users, items, None, given.every_user, given.every_item), weights


def rows_of(argument: str, table: tuple[Array, sparse.csr_matrix], ids: Ids) -> sparse.csr_matrix:
    """Return the features of all ids, in the order of their positions."""
    return aligned(argument, *table, ids.positions(argument, table[0]), len(ids))
