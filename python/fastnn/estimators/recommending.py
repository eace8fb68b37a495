"""What the recommenders share: ids, what was seen, the best items for vectors, growing tables."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from fastnn import check, metrics, neighbors, saving
from fastnn.callbacks import Callback
from fastnn.estimators.folding import FoldedUser
from fastnn.estimators.ids import Ids, several
from fastnn.estimators.interactions import Interactions, columns
from fastnn.model import Model
from fastnn.optimizers import Optimizer

Array = NDArray[Any]


@dataclass(repr=False, eq=False)
class Recommender(BaseEstimator):  # type: ignore[misc]
    """Base of the recommenders: the score of a user and an item is a product of vectors and biases.

    A dataclass, so that the constructor stores its arguments untouched. Position 0 is that of every
    unknown user or item, whose vector and bias are zeros.
    """

    factors: int = 64
    _: KW_ONLY
    hidden_layer_sizes: int | Sequence[int] = ()
    biases: bool = True
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

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _keep(self, model: Model, users: Ids, items: Ids, seen: sparse.csr_matrix) -> None:
        """Set what was learnt, but for the vectors."""
        self.model_: Model = model
        self._users: Ids = users
        self._items: Ids = items
        self._seen: sparse.csr_matrix = seen
        self.users_: Array = users.labels
        self.items_: Array = items.labels

    def _run(
        self,
        model: Model,
        x: Any,
        y: Array,
        weights: Any,
        *,
        goes_on: bool,
        incremental: bool,
    ) -> None:
        """Train a model, for one epoch if it is a part; what fails leaves attributes true."""
        if incremental and self.optimizer is None:
            model.learning_rate = check.number("learning_rate", self.learning_rate, 0, above=True)
        try:
            model.fit(
                x,
                y,
                batch_size=self.batch_size,
                epochs=1 if incremental else self.epochs,
                sample_weight=weights,
                callbacks=list(self.callbacks or ()),
                verbose=int(self.verbose),
                n_jobs=self.n_jobs,
            )
        except KeyboardInterrupt:
            warnings.warn("fit: interrupted, the weights are those of the last step", stacklevel=4)
        finally:
            if goes_on and model is self.model_:
                self._read_weights()  # of the last step, whatever ended it
        self._add_history(model.history.history, goes_on=goes_on)

    @property
    def user_embeddings_(self) -> Array:
        """The vectors of users (n_users, factors), in the order of `users_`."""
        return self._table("users")[1:]

    @property
    def item_embeddings_(self) -> Array:
        """The vectors of items (n_items, factors), in the order of `items_`."""
        return self._table("items")

    @property
    def user_biases_(self) -> Array:
        """The biases of users (n_users,), zeros where there are none."""
        return self._table("user_biases")

    @property
    def item_biases_(self) -> Array:
        """The biases of items (n_items,), zeros where there are none."""
        return self._table("item_biases")

    def _table(self, name: str) -> Array:
        """Return vectors or biases, read from the model when they are first needed."""
        if name not in self._tables:
            self._tables[name] = self._made(name)
        return self._tables[name]

    def _made(self, name: str) -> Array:
        """Return "users" (with those of the unknown first), "items", or biases of either."""
        raise NotImplementedError

    def _read_weights(self) -> None:
        """Forget what was read from the model: it has other weights now."""
        self._tables: dict[str, Array] = {}

    def _add_history(self, latest: Mapping[str, list[float]], *, goes_on: bool) -> None:
        """Set the record of training, behind that of before if training goes on."""
        past = self.history_ if goes_on else {}
        self.history_: dict[str, list[float]] = {
            name: past.get(name, []) + latest.get(name, []) for name in {**past, **latest}
        }

    def _pairs(self, users: Array, items: Array) -> Array:
        """Return the scores (n,) of positions (n,) of users and items."""
        found = np.empty(len(users), self.dtype)
        for part in blocks(len(users), self.user_embeddings_.shape[1]):
            rows = np.maximum(items[part], 1) - 1
            vectors = self._vectors(users[part]), self.item_embeddings_[rows]
            found[part] = np.einsum("ij,ij->i", *vectors) + self.item_biases_[rows]
        found[items == 0] = 0
        return found

    def _shown(self, scores: Array) -> Array:
        """Return scores as `predict` gives them, for sums of products and biases."""
        return scores

    def _top(self, users: Array, n: int, exclude: Any) -> Array:
        """Return the n best items (m, n) for positions (m,) of users: rows of the item vectors."""
        return self._nearest(self._vectors(users), n, exclude)[0]

    def _nearest(self, vectors: Array, n: int, exclude: Any) -> tuple[Array, Array]:
        settings = {"biases": self.item_biases_, "exclude": exclude, "n_jobs": self.n_jobs}
        return neighbors.top_k(vectors, self.item_embeddings_, n, **settings)

    def _rank(self, users: Array, relevant: Any, k: int, exclude: Any) -> dict[str, float]:
        """Return the metrics of the rankings for positions (m,) of users."""
        vectors = self._vectors(users)
        settings = {"biases": self.item_biases_, "exclude": exclude, "n_jobs": self.n_jobs}
        return metrics.ranking(vectors, self.item_embeddings_, relevant, k=k, **settings)

    def predict(self, users: Any, items: Any = None) -> Array:
        """Return the scores (n,) of pairs.

        Parameters
        ----------
        users : array-like (n,), table or dict of arrays
            Ids; or a table with columns ``user`` and ``item``. An id that was not seen in training
            has a bias and a vector of zeros: an unknown user gets what the item's bias says, an
            unknown pair the mean.
        items : array-like (n,), optional
            Ids of items, when `users` are ids.
        """
        check_is_fitted(self)
        if items is None:
            users, items = columns(users, user="user", item="item")
        places = self._users.positions("users", users), self._items.positions("items", items)
        if len(places[0]) != len(places[1]):
            raise check.wrong_value("items", f"{len(places[0])} as users", len(places[1]))
        if not len(places[0]):
            return np.empty(0, self.dtype)
        return self._pairs(*places)

    def recommend(self, user: Any, n: int = 10, *, filter_seen: bool = True) -> tuple[Array, Array]:
        """Return the n items with the highest scores for a user, or for each of several.

        Parameters
        ----------
        user : id, or list or array of ids (m,)
            One that was not seen in training gets the items liked best by all.
        n : int
            At most this many.
        filter_seen : bool
            Whether to leave out what the user met in training.

        Returns
        -------
        ids : array (n,), for several users (m, n)
            Items, best first. A row that has fewer ends in -1 (None, "", NaN or NaT for ids of
            other types).
        scores : array of the same shape
            As `predict` gives them; -inf where there is no item.
        """
        check_is_fitted(self)
        many = several(user)
        users = self._users.positions("user", user if many else Ids.single(user))
        n = min(check.integer("n", n, 1), len(self._items))
        exclude = self._seen_by(users) if check.flag("filter_seen", filter_seen) else None
        if not len(users):
            return self._items.labels[:0].reshape(0, n), np.empty((0, n), self.dtype)
        places = self._top(users, n, exclude) + 1
        scores = self._pairs(np.repeat(users, n), places.ravel().astype(np.int32))
        return self._labelled(places, scores.reshape(places.shape), many)

    def _labelled(self, places: Array, scores: Array, many: bool) -> tuple[Array, Array]:
        """Return labels and scores (m, n) of positions, best first; (n,) for a single user."""
        scores = np.where(places > 0, scores, -np.inf)
        order = np.argsort(-scores, axis=1, kind="stable")  # rounding may differ from the search
        places, scores = (np.take_along_axis(x, order, axis=1) for x in (places, scores))
        if many:
            return self._items.taken(places), scores
        found = places[0] > 0
        return self._items.taken(places[0][found]), scores[0][found]

    def _seen_by(self, users: Array) -> sparse.csr_matrix:
        """Return what users at positions (m,) met, as a matrix (m, n_items)."""
        known = users > 0
        rows = self._seen[users[known] - 1]
        if known.all():
            return rows
        starts = np.zeros(len(users) + 1, rows.indptr.dtype)
        starts[1:][known] = np.diff(rows.indptr)
        shape = len(users), rows.shape[1]
        return sparse.csr_matrix((rows.data, rows.indices, starts.cumsum()), shape=shape)

    def similar_items(self, item: Any, n: int = 10) -> tuple[Array, Array]:
        """Return the n items whose vectors point most nearly the same way.

        Parameters
        ----------
        item : id, or list or array of ids (m,)
            Items seen in training.
        n : int
            At most this many; the item itself is not among them.

        Returns
        -------
        ids : array (n,), for several items (m, n)
            Items, nearest first.
        scores : array of the same shape
            Cosines of the angles, in [-1, 1].
        """
        check_is_fitted(self)
        return self._similar("item", item, self._items, self.item_embeddings_, n)

    def similar_users(self, user: Any, n: int = 10) -> tuple[Array, Array]:
        """Return the n users whose vectors point most nearly the same way, as `similar_items`."""
        check_is_fitted(self)
        return self._similar("user", user, self._users, self.user_embeddings_, n)

    def _similar(
        self, argument: str, given: Any, ids: Ids, vectors: Array, n: int
    ) -> tuple[Array, Array]:
        many = several(given)
        rows = ids.positions(argument, given) if many else np.array([ids.position(argument, given)])
        if not rows.all():
            odd = given[int(np.argmin(rows))] if many else given
            raise check.wrong_value(argument, "an id seen in training", repr(odd))
        n = min(check.integer("n", n, 1), len(ids) - 1)
        if not (n and len(rows)):
            shape = (len(rows), n) if many else (0,)
            return ids.labels[:0].reshape(shape), np.empty(shape, self.dtype)
        own = np.arange(len(rows) + 1), rows.astype(np.int64) - 1
        places, cosines = neighbors.top_k(
            vectors[rows - 1], vectors, n, exclude=own, metric="cosine", n_jobs=self.n_jobs
        )
        labels = ids.labels[places]
        return (labels, cosines) if many else (labels[0], cosines[0])

    def explain(self, user: Any, item: Any, n: int = 10) -> tuple[Array, Array]:
        """Return the n items of a user's history that carry an item's score most, and how much.

        Of the vector that the history implies (see `fold_in`), which is near the learnt one: it is
        a sum over the history, as in Hu, Koren and Volinsky (2008), section 5.

        Parameters
        ----------
        user, item : id
            Seen in training.
        n : int
            At most this many.

        Returns
        -------
        ids : array (n,)
            Items of the history, the one with the largest share first.
        shares : array (n,)
            Shares of the product of the two vectors, the score above the biases; all of them sum
            to it.
        """
        check_is_fitted(self)
        row = self._seen[[self._known("user", self._users, user) - 1]]
        return self._folded(row.indices + 1, row.data).explain(item, n)

    def _folded(self, positions: Array, values: Array) -> FoldedUser:
        """Return a user by a history: items at positions (h,) and what is known of each."""
        raise NotImplementedError

    def _new_items(self, ids: Any) -> tuple[Ids, Array]:
        """Return all ids with new ones, which have to be new, and their places by position."""
        longer = self._items.extended("ids", ids)
        new = len(longer) - len(self._items)
        if new != len(ids):
            raise check.wrong_value("ids", "different new ids", f"{len(ids)}, of which {new} are")
        return longer, np.argsort(longer.positions("ids", ids))

    @staticmethod
    def _check_lengths(n: int, **arrays: Array) -> None:
        for name, array in arrays.items():
            if len(array) != n:
                raise check.wrong_value(name, f"{n}, one per id", len(array))

    def _widened(self, n_items: int) -> sparse.csr_matrix:
        """Return what was seen, with room for more items."""
        parts = self._seen.data, self._seen.indices, self._seen.indptr
        return sparse.csr_matrix(parts, shape=(len(self._users), n_items))

    def _known(self, argument: str, ids: Ids, given: Any) -> int:
        """Return the position of one id, which has to be known."""
        place = ids.position(argument, given)
        if not place:
            raise check.wrong_value(argument, "an id seen in training", repr(given))
        return place

    def _evaluate(self, given: Interactions, relevant: Array, k: int) -> dict[str, float]:
        """Return the metrics of ranking the relevant ones of the rows given."""
        users = self._users.positions("users", given.users)
        items = self._items.positions("items", given.items)
        rows = relevant & (users > 0) & (items > 0)
        each, row = np.unique(users[rows], return_inverse=True)
        shape = len(each), len(self._items)
        wanted = sparse.csr_matrix((np.ones(len(row)), (row, items[rows] - 1)), shape=shape)
        if not len(each):
            expected = "a relevant row of a user and an item seen in training"
            raise check.wrong_value("test", expected, "none")
        return self._rank(each, wanted, check.integer("k", k, 1), self._seen_by(each))

    def _vectors(self, users: Array) -> Array:
        """Return the vectors (m, factors) of users at positions (m,)."""
        found: Array = self.user_embeddings_[np.maximum(users, 1) - 1]
        found[users == 0] = self._table("users")[0]
        return found


def history(
    users: Array, items: Array, values: Array, *, shape: tuple[int, int], past: Any = None
) -> sparse.csr_matrix:
    """Return the values of pairs as a matrix (n_users, n_items); of a repeated pair the last.

    Positions count from 1. `past` are earlier pairs, a matrix with no more rows and columns.
    """
    if past is not None:
        old = past.tocoo()
        users = np.concatenate([old.row.astype(np.int64) + 1, users])
        items = np.concatenate([old.col.astype(np.int64) + 1, items])
        values = np.concatenate([old.data, values])
    keys = users.astype(np.int64)
    keys -= 1
    keys *= shape[1]
    keys += items
    keys -= 1
    if not (keys[:-1] < keys[1:]).all():
        _, last = np.unique(keys[::-1], return_index=True)
        kept = len(keys) - 1 - last
        users, items, values = users[kept], items[kept], values[kept]
    del keys  # of many pairs, large
    ends = np.bincount(users - 1, minlength=shape[0]).cumsum()
    starts = np.append(0, ends).astype(np.int32 if len(users) < 2**31 else np.int64)
    return sparse.csr_matrix((values, items - 1, starts), shape=shape)


def weights_of(model: Model) -> dict[str, Array]:
    """Return copies of all weights by name."""
    names = (name for name, _ in model.parameters())
    return dict(zip(names, model.get_weights(), strict=True))


def clear_rows(model: Model, name: str, chosen: Array) -> None:
    """Give the chosen rows (rows,) of bool of a table zeros, where they lie."""
    width = dict(model.parameters())[name][1:]
    ends = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
    for first, end in ends.reshape(-1, 2).tolist():
        model.set_rows(name, first, np.zeros((end - first, *width), model.dtype))


def grown(old: Model, fresh: Model, kept: Mapping[str, Array], fixed: Sequence[str] = ()) -> Model:
    """Return `fresh` with the weights and the training of `old`.

    Tables of `fresh` may have more rows. `kept` says which rows of `old` go on, (rows,) of bool,
    for parameters by name; where it is silent, all rows do. Parameters that are
    `fixed` stay those of `fresh`.
    """
    past, before = saving.describe(old)
    description, arrays = saving.describe(fresh)
    for name, array in arrays.items():
        parameter = name.split("/", 1)[1].split(":")[0]
        if parameter in fixed:
            continue
        rows = kept.get(parameter)
        if array.ndim == 0 or rows is None:
            if array.shape == before[name].shape:
                arrays[name] = before[name]
            else:
                array[: len(before[name])] = before[name]
        else:
            array[: len(rows)][rows] = before[name][rows]
    return saving.rebuild(
        {**description, "progress": past["progress"], "goal": past["goal"]}, arrays
    )


def blocks(m: int, width: int) -> list[slice]:
    """Return slices that cut m rows of this width into blocks of a few megabytes."""
    rows = max(1, (1 << 20) // max(width, 1))
    return [slice(first, first + rows) for first in range(0, m, rows)]
