"""Recommendation from ratings: vectors and biases of users and items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastnn import check, data
from fastnn.callbacks import Callback
from fastnn.estimators.base import layer_sizes
from fastnn.estimators.ids import Ids
from fastnn.graph import Input, Value
from fastnn.initializers import RandomNormal
from fastnn.layers import Activation, Add, Concatenate, Dense, Dot, Embedding, Rescaling
from fastnn.model import Model
from fastnn.optimizers import AdamW, Optimizer
from fastnn.schedules import OneCycle

Array = NDArray[Any]


@dataclass(repr=False, eq=False)
class RatingRecommender(BaseEstimator):  # type: ignore[misc]
    r"""Predicts how a user would rate an item, from the ratings of many.

    .. math:: \hat r_{ui} = lo + (hi - lo) \, \sigma(p_u \cdot q_i + b_u + b_i + c)

    with vectors p, q and biases b that are learnt, the constant c that makes an unknown user and
    item come out as the mean rating, and ``y_range = (lo, hi)``: the dot-product model with biases
    of Koren, Bell and Volinsky (2009) in the form of fastai's collaborative filtering. Trained by
    AdamW with one cycle of the learning rate.

    Parameters
    ----------
    factors : int
        Length of the vectors; more can hold more taste, and needs more ratings.
    y_range : (float, float) or None
        Limits of predictions; they must hold all ratings. None is their range, a tenth wider on
        both sides.
    biases : bool
        Whether users and items have a bias.
    hidden_layer_sizes : tuple of int
        Units of relu layers over the two vectors side by side, in place of their dot product.
    optimizer : Optimizer or None
        In place of AdamW with the next two arguments.
    learning_rate : float
        Highest rate of the cycle.
    weight_decay : float
        Decoupled decay: each step takes ``rate * weight_decay`` of the weights of its users and
        items away. Larger makes predictions more cautious.
    epochs : int
        Passes over the ratings.
    batch_size : int
        Ratings per step; larger is faster per epoch and takes fewer steps.
    sparse_update : {"touched", "dense"}
        Whether a step moves only the vectors of its users and items or, slower, all as a
        framework without sparse gradients would.
    random_state : int, RandomState or None
        Fixes the initial vectors and the order of the ratings.
    n_jobs : int or None
        Threads; None is what the environment grants, -1 all cores. Results do not depend on it.
    dtype : {"float32", "float64"}
        Of the vectors.
    backend : {"core", "numpy"}
        The C++ engine or its readable twin.
    verbose : bool
        Whether to show a progress bar.
    callbacks : list of Callback or None
        Told of every epoch.

    Attributes
    ----------
    users_, items_ : array
        The ids, in the order of the rows below.
    user_embeddings_, item_embeddings_ : array (n_users, factors), (n_items, factors)
        The vectors p and q.
    user_biases_, item_biases_ : array (n_users,), (n_items,)
        The biases, zeros without `biases`.
    global_mean_ : float
        Mean rating.
    y_range_ : (float, float)
        Limits of predictions.
    history_ : dict of str to list of float
        Loss (mean squared error) and seconds of each epoch.
    model_ : Model
        The network; position 0 of its tables stands for unknown ids and is all zeros.

    Examples
    --------
    >>> from fastnn import RatingRecommender
    >>> from fastnn.datasets import make_ratings
    >>> ratings = make_ratings(300, 100, 8000, string_ids=True)
    >>> recommender = RatingRecommender(factors=8, random_state=0).fit(ratings)
    >>> ids, scores = recommender.recommend("user7", n=3)
    >>> ids.shape, bool(scores[0] >= scores[1])
    ((3,), True)
    """

    factors: int = 50
    _: KW_ONLY
    y_range: tuple[float, float] | None = None
    biases: bool = True
    hidden_layer_sizes: int | Sequence[int] = ()
    optimizer: Optimizer | None = None
    learning_rate: float = 5e-3
    weight_decay: float = 0.3
    epochs: int = 5
    batch_size: int = 64
    sparse_update: str = "touched"
    random_state: Any = None
    n_jobs: int | None = None
    dtype: str = "float32"
    backend: str = "core"
    verbose: bool | int = False
    callbacks: Sequence[Callback] | None = None

    def fit(
        self,
        users: Any,
        items: Any = None,
        ratings: Any = None,
        *,
        user: str = "user",
        item: str = "item",
        rating: str = "rating",
        sample_weight: Any = None,
    ) -> RatingRecommender:
        """Train on a table of ratings, or on three arrays.

        Parameters
        ----------
        users : table, dict of arrays, or array-like (n,)
            A table of pandas, polars or pyarrow with the columns named below; or the ids of
            users, of any type.
        items, ratings : array-like (n,), optional
            Ids of items and ratings, when `users` are ids.
        user, item, rating : str
            Columns of the table.
        sample_weight : array-like (n,), optional
            Weights >= 0 of the ratings.

        Returns
        -------
        RatingRecommender
            The estimator itself.
        """
        if items is None and ratings is None:
            users, items, ratings = _columns(users, user=user, item=item, rating=rating)
        known_users, known_items = Ids("users", users), Ids("items", items)
        y = data.convert_floats("ratings", ratings, (), "float64")
        pairs = [known_users.positions("users", users), known_items.positions("items", items)]
        for name, given in (("items", pairs[1]), ("ratings", y)):
            if len(given) != len(pairs[0]):
                raise check.wrong_value(name, f"{len(pairs[0])} as users", len(given))
        if not len(y):
            raise check.wrong_value("ratings", "at least one", "none")
        low, high = self._limits(y)
        mean = float(y.mean())
        model = self._model(len(known_users) + 1, len(known_items) + 1, mean, low, high)
        history = model.fit(
            pairs,
            y,
            batch_size=self.batch_size,
            epochs=self.epochs,
            sample_weight=sample_weight,
            callbacks=list(self.callbacks or ()),
            verbose=int(self.verbose),
            n_jobs=self.n_jobs,
        )
        self.model_, self.history_ = model, history.history
        self.global_mean_, self.y_range_ = mean, (low, high)
        self._users, self._items = known_users, known_items
        self.users_, self.items_ = known_users.labels, known_items.labels
        self._read_weights()
        order = np.argsort(pairs[0], kind="stable")
        self._seen = pairs[1][order]
        self._seen_from = np.searchsorted(pairs[0][order], np.arange(len(known_users) + 2))
        return self

    def predict(self, users: Any, items: Any = None) -> Array:
        """Return predicted ratings (n,).

        Parameters
        ----------
        users : array-like (n,), table or dict of arrays
            Ids; or a table with columns ``user`` and ``item``. An id that was not in the ratings
            has a bias and a vector of zero: an unknown user gets the item's bias alone, an
            unknown pair the mean rating.
        items : array-like (n,), optional
            Ids of items, when `users` are ids.
        """
        check_is_fitted(self)
        if items is None:
            users, items = _columns(users, user="user", item="item")
        return self._predict(
            self._users.positions("users", users), self._items.positions("items", items)
        )

    def recommend(self, user: Any, n: int = 10, *, filter_seen: bool = True) -> tuple[Array, Array]:
        """Return the n items with the highest predictions for a user.

        Parameters
        ----------
        user : id
            A user; one that was not in the ratings gets the items liked best by all.
        n : int
            At most this many.
        filter_seen : bool
            Whether to leave out what the user has rated.

        Returns
        -------
        ids : array (n,)
            Items, best first.
        scores : array (n,)
            Their predicted ratings.
        """
        check_is_fitted(self)
        position = self._users.position("user", user)
        n_items = len(self.items_)
        every = np.arange(1, n_items + 1, dtype=np.int32)
        scores = self._predict(np.full(n_items, position, np.int32), every)
        candidates = np.ones(n_items, bool)
        if check.flag("filter_seen", filter_seen) and position:
            seen = self._seen[self._seen_from[position] : self._seen_from[position + 1]]
            candidates[seen - 1] = False
        return self._best(self.items_, scores, candidates, n)

    def similar_items(self, item: Any, n: int = 10) -> tuple[Array, Array]:
        """Return the n items whose vectors point most nearly the same way.

        Parameters
        ----------
        item : id
            An item of the ratings.
        n : int
            At most this many; the item itself is not among them.

        Returns
        -------
        ids : array (n,)
            Items, nearest first.
        scores : array (n,)
            Cosines of the angles, in [-1, 1].
        """
        check_is_fitted(self)
        return self._nearest("item", item, self._items, self.item_embeddings_, n)

    def similar_users(self, user: Any, n: int = 10) -> tuple[Array, Array]:
        """Return the n users whose vectors point most nearly the same way, as `similar_items`."""
        check_is_fitted(self)
        return self._nearest("user", user, self._users, self.user_embeddings_, n)

    def _predict(self, users: Array, items: Array) -> Array:
        if len(users) != len(items):
            raise check.wrong_value("items", f"{len(users)} as users", len(items))
        if not len(users):
            return np.empty(0, self.dtype)
        found: Array = self.model_.predict([users, items], n_jobs=self.n_jobs)[:, 0]
        return found

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

    def _model(self, n_users: int, n_items: int, mean: float, low: float, high: float) -> Model:
        """Return the model, ready to be trained."""
        user, item = (Input((), dtype="int32", name=name) for name in ("user", "item"))
        p = self._table(n_users, self.factors, 0.01, "user_factors")(user)
        q = self._table(n_items, self.factors, 0.01, "item_factors")(item)
        parts: list[Value] = []
        if sizes := layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes):
            value = Concatenate()([p, q])
            for units in sizes:
                value = Dense(units, "relu", kernel_initializer="he_uniform")(value)
            parts.append(Dense(1)(value))
        else:
            parts.append(Dot()([p, q]))
        if check.flag("biases", self.biases):
            parts.append(self._table(n_users, 1, 0.0, "user_bias")(user))
            parts.append(self._table(n_items, 1, 0.0, "item_bias")(item))
        share = min(max((mean - low) / (high - low), 1e-3), 1 - 1e-3)
        value = Rescaling(1.0, math.log(share / (1 - share)))(
            Add()(parts) if len(parts) > 1 else parts[0]
        )
        rating = Rescaling(high - low, low)(Activation("sigmoid")(value))
        seed = int(check_random_state(self.random_state).randint(2**31))
        model = Model([user, item], rating, dtype=self.dtype, backend=self.backend, seed=seed)
        zeroed = self._weights(model)
        for name, table in zeroed.items():
            if name.endswith("/embeddings"):
                table[0] = 0
        model.set_weights(zeroed)
        return model.compile(self._optimizer(), "mse")

    def _table(self, rows: int, width: int, stddev: float, name: str) -> Embedding:
        start = RandomNormal(stddev=stddev) if stddev else "zeros"
        width = check.integer("factors", width, 1)
        return Embedding(
            rows, width, embeddings_initializer=start, sparse_update=self.sparse_update, name=name
        )

    def _optimizer(self) -> Optimizer:
        if self.optimizer is not None:
            return self.optimizer
        rate = check.number("learning_rate", self.learning_rate, 0, above=True)
        decay = check.number("weight_decay", self.weight_decay, 0)
        # a short memory of squares suits rows that are touched rarely
        return AdamW(OneCycle(rate), beta_2=0.99, weight_decay=decay)

    @staticmethod
    def _weights(model: Model) -> dict[str, Array]:
        names = (name for name, _ in model.parameters())
        return dict(zip(names, model.get_weights(), strict=True))

    def _read_weights(self) -> None:
        """Set the attributes that show weights."""
        weights = self._weights(self.model_)
        self.user_embeddings_ = weights["user_factors/embeddings"][1:]
        self.item_embeddings_ = weights["item_factors/embeddings"][1:]
        if self.biases:
            self.user_biases_ = weights["user_bias/embeddings"][1:, 0]
            self.item_biases_ = weights["item_bias/embeddings"][1:, 0]
        else:
            self.user_biases_ = np.zeros(len(self.users_), self.dtype)
            self.item_biases_ = np.zeros(len(self.items_), self.dtype)

    def _nearest(
        self, argument: str, given: Any, ids: Ids, vectors: Array, n: int
    ) -> tuple[Array, Array]:
        place = ids.position(argument, given) - 1
        if place < 0:
            raise check.wrong_value(argument, "an id of the ratings", repr(given))
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), np.finfo(vectors.dtype).tiny)
        cosines = vectors @ vectors[place] / (lengths * lengths[place])
        return self._best(ids.labels, cosines, np.arange(len(ids)) != place, n)

    @staticmethod
    def _best(labels: Array, scores: Array, candidates: Array, n: int) -> tuple[Array, Array]:
        """Return the n labels of the highest scores among the candidates; ties by position."""
        places = np.flatnonzero(candidates)
        n = min(check.integer("n", n, 1), len(places))
        order = places[np.argsort(-scores[places], kind="stable")[:n]]
        return labels[order], scores[order]


def _columns(table: Any, **names: str) -> list[Any]:
    """Return columns of a table or of a dict of arrays; the keys name the arguments."""
    if isinstance(table, Mapping):
        present: Sequence[Any] = list(table)
        take = table.__getitem__
    else:
        import narwhals as nw

        try:
            frame = nw.from_native(table, eager_only=True)
        except TypeError:
            expected = "a table, a dict of arrays, or ids with items and ratings beside them"
            raise check.wrong_type("users", expected, table) from None
        present = frame.columns
        take = lambda name: frame[name].to_native()  # noqa: E731
    for argument, name in names.items():
        if name not in present:
            expected = f"a column of the table ({', '.join(map(str, present))})"
            raise check.wrong_value(argument, expected, repr(name))
    return [take(name) for name in names.values()]
