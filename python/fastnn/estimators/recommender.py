"""Recommendation from ratings: vectors and biases of users and items."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastnn import check, data
from fastnn.estimators.folding import FoldedUser, history_of
from fastnn.estimators.interactions import read
from fastnn.estimators.rating_network import RatingNetwork
from fastnn.estimators.recommending import history

Array = NDArray[Any]


@dataclass(repr=False, eq=False)
class RatingRecommender(RatingNetwork):
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
    sparse_update : {"touched", "exact", "dense"}
        Whether a step moves only the vectors of its users and items or all, as a framework without
        sparse gradients would: "exact" with the work put off until a vector is needed, "dense"
        every time, which is slow (see `fastnn.layers.Embedding`).
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
        The vectors p and q; ``fastnn.neighbors.Neighbors(item_embeddings_, items_)`` searches them.
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

    Notes
    -----
    The defaults suit ratings of taste: few, noisy, on a short scale. A matrix of low rank without
    noise, of which some cells are known, is recovered with ``factors`` near its rank, a wide
    `y_range` (the sigmoid is straight in its middle), ``biases=False``, ``weight_decay=0``, a
    `learning_rate` of 0.02 and 30 epochs.

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
        """Train on ratings: a table, a sparse matrix, or three arrays.

        Parameters
        ----------
        users : table, dict of arrays, sparse matrix (n_users, n_items), or array-like (n,)
            A table of pandas, polars or pyarrow with the columns named below; a matrix of scipy,
            whose stored numbers (zeros too) are ratings and whose rows and columns number users
            and items from 0; or the ids of users, of any type.
        items, ratings : array-like (n,), optional
            Ids of items and ratings, when `users` are ids.
        user, item, rating : str
            Columns of the table.
        sample_weight : array-like (n,), optional
            Weights >= 0 of the ratings, row by row for a matrix.

        Returns
        -------
        RatingRecommender
            The estimator itself.

        Raises
        ------
        ValueError
            A rating is not finite or outside `y_range`, an id is missing (None, NaN), there are no
            ratings, or training diverged. Learnt attributes are then those of before.

        Notes
        -----
        A pair that comes twice counts twice; `recommend` and `explain` know its last rating. Users
        and items of a matrix without a rating have vectors and biases of zeros. Ctrl-C ends
        training with a warning, and with the weights of the last step.
        """
        names = {"user": user, "item": item, "rating": rating}
        self._train(read(users, items, ratings, **names), sample_weight, incremental=False)
        return self

    def partial_fit(
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
        """Train for one epoch from where training stands; the arguments are those of `fit`.

        New users and items get vectors, those of old ones and the optimizer's state go on. Without
        `optimizer` the rate is `learning_rate` throughout, and one with a schedule that spans a fit
        starts it anew. The first call decides on `y_range_` and `global_mean_`.
        """
        names = {"user": user, "item": item, "rating": rating}
        self._train(read(users, items, ratings, **names), sample_weight, incremental=True)
        return self

    def fold_in(
        self, history: Any, ratings: Any = None, *, item: str = "item", rating: str = "rating"
    ) -> FoldedUser:
        r"""Return a user who was not there in training, from some ratings, without training.

        The vector and the bias that minimise the squared error of these ratings, with the items as
        they are and as much damping as holds the vectors of training where they are; see Notes.

        Parameters
        ----------
        history : dict, table, or array-like (n,)
            Ratings by item; a table with the columns named below; or ids of items.
        ratings : array-like (n,), optional
            Ratings in `y_range_`, beside ids of items.
        item, rating : str
            Columns of the table.

        Returns
        -------
        FoldedUser
            With ``recommend(n)``, ``predict(items)``, ``explain(item)``, ``embedding``, ``bias``.

        Notes
        -----
        Minimises :math:`\frac12 \sum_j (t_j - \sigma(z_j))^2 + \frac{n}{2} (\lambda |p|^2
        + \lambda_b b^2)` over n ratings t on the scale of the sigmoid by steps of Gauss and
        Newton. The dampings are those at which the vectors and the biases of training are, on the
        whole, stationary: what the decay of the optimizer amounts to. Items that training did not
        meet say nothing. About 0.4 ms for 50 ratings and 50 factors.

        Examples
        --------
        >>> from fastnn import RatingRecommender
        >>> from fastnn.datasets import make_ratings
        >>> recommender = RatingRecommender(8, random_state=0).fit(make_ratings(300, 100, 8000))
        >>> guest = recommender.fold_in({3: 5.0, 7: 1.0, 12: 4.5})
        >>> guest.recommend(2)[0].shape, guest.embedding.shape
        ((2,), (8,))
        """
        check_is_fitted(self)
        return self._folded(*self._history(history, ratings, item, rating))

    def add_items(
        self, ids: Any, embeddings: Any = None, *, biases: Any = None, ratings: Any = None
    ) -> RatingRecommender:
        """Make room for items that training did not meet.

        Parameters
        ----------
        ids : array-like (n,)
            New ids.
        embeddings : array-like (n, factors), optional
            Their vectors; zeros when left out.
        biases : array-like (n,), optional
            Their biases; zeros when left out.
        ratings : table, dict of arrays, or (users, items, ratings), optional
            In place of both: some ratings of these items by users seen in training, from which
            vectors and biases are solved as `fold_in` does.

        Returns
        -------
        RatingRecommender
            The estimator itself; `partial_fit` trains the new items further.
        """
        check_is_fitted(self)
        longer, order = self._new_items(ids)
        vectors, scalars = np.zeros((len(order), self.factors)), np.zeros(len(order))
        if ratings is not None and (embeddings is not None or biases is not None):
            raise check.wrong_value("ratings", "None beside embeddings or biases", "both")
        if embeddings is not None:
            vectors = data.convert_floats("embeddings", embeddings, (self.factors,), self.dtype)
        if biases is not None:
            scalars = data.convert_floats("biases", biases, (), self.dtype)
        self._check_lengths(len(order), embeddings=vectors, biases=scalars)
        vectors, scalars, seen = vectors[order], scalars[order], self._widened(len(longer))
        if ratings is not None:
            self._without_tower("ratings")
            given = read(*ratings) if isinstance(ratings, tuple) else read(ratings)
            users, y = self._users.positions("ratings", given.users), self._rated(given)
            items = longer.positions("ratings", given.items)
            known = (users > 0) & (items > len(self._items))
            users, items, y = users[known], items[known], y[known]
            for row in range(len(order)):
                own = items == len(self._items) + 1 + row
                x = self._problem("users", users[own], y[own]).solve()
                vectors[row], scalars[row] = x[: self.factors], x[-1] if self.biases else 0.0
            seen = history(users, items, y, shape=(len(self._users), len(longer)), past=seen)
        self._lengthen(longer, vectors, scalars, seen)
        return self

    def evaluate(
        self,
        test: Any,
        items: Any = None,
        ratings: Any = None,
        *,
        k: int = 10,
        threshold: float | None = None,
        user: str = "user",
        item: str = "item",
        rating: str = "rating",
    ) -> dict[str, float]:
        """Return how well held-out ratings are predicted, and how well good ones are ranked.

        Parameters
        ----------
        test, items, ratings
            Ratings, as in `fit`. Pairs with an unknown id count in rmse and mae only.
        k : int
            Length of the lists of recommendations.
        threshold : float, optional
            Ratings of at least this are worth recommending; the mean rating of training when left
            out.
        user, item, rating : str
            Columns of a table.

        Returns
        -------
        dict of str to float
            rmse, mae; and the metrics of `fastnn.metrics.ranking` over the whole catalogue without
            what a user rated in training.
        """
        check_is_fitted(self)
        given = read(test, items, ratings, user=user, item=item, rating=rating)
        y = self._rated(given)
        limit = self.global_mean_ if threshold is None else check.number("threshold", threshold)
        errors = self.predict(given.users, given.items) - y
        found = {"rmse": math.sqrt(np.square(errors).mean()), "mae": float(np.abs(errors).mean())}
        return {**found, **self._evaluate(given, y >= limit, k)}

    def _folded(self, positions: Array, ratings: Array) -> FoldedUser:
        self._without_tower("fold_in and explain")
        problem = self._problem("items", positions, ratings)
        return FoldedUser(self, problem.solve(), positions, problem)

    def _history(self, given: Any, ratings: Any, item: str, rating: str) -> tuple[Array, Array]:
        """Return positions and ratings (n,) of the known items of a history."""
        low, high = self.y_range_
        items, values = history_of(given, ratings, item, rating)
        if values is None:
            raise check.wrong_type("ratings", "numbers beside items", None)
        values = data.convert_floats("ratings", values, (), "float64")
        places = self._items.positions("history", items)
        if len(values) != len(places):
            raise check.wrong_value("ratings", f"{len(places)} as items", len(values))
        if len(values) and not low <= values.min() <= values.max() <= high:
            expected = f"numbers in [{low:g}, {high:g}]"
            raise check.wrong_value("ratings", expected, f"{values.min():g} to {values.max():g}")
        known = places > 0
        return places[known], values[known]
