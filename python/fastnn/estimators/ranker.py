"""Recommendation from what users met: a ranking of the catalogue for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastnn import check, data
from fastnn.estimators.folding import FoldedUser, history_of
from fastnn.estimators.interactions import read
from fastnn.estimators.ranking_network import RankingNetwork, counted

Array = NDArray[Any]


@dataclass(repr=False, eq=False)
class RankingRecommender(RankingNetwork):
    r"""Ranks a catalogue for each user, from what users bought, watched or liked.

    .. math:: s_{ui} = f(p_u + \textstyle\sum_a w_{ua} g_a) \cdot (q_i + \sum_a w_{ia} h_a) + b_i

    with vectors p, q and biases b of users and items that are learnt, vectors g and h of features,
    if there are any (Kula, 2015), and layers f, if asked for ("two towers"). The loss compares the
    score of each item that a user met with those of items drawn at random that the user did not
    meet.

    Parameters
    ----------
    factors : int
        Length of the vectors; more can hold more taste, and needs more data.
    loss : {"sampled_softmax", "bpr", "warp", "logistic"}
        `fastnn.losses.SampledSoftmax`, which compares with many items at once and has the best
        rankings as a rule, `BPR`, `WARP` or `SampledLogistic`.
    negatives : int or None
        Items drawn: for a whole batch by the softmax, for each row by the others. More is slower,
        and better up to a point. None is 512 for the softmax, and the default of the other losses.
    sampler : {"uniform", "unigram", "log_uniform", "in_batch"} or None
        How items are drawn: all alike, by popularity to the power 0.75, by the rank of their
        popularity, or (softmax) those that other users of the batch met. None is uniform.
    user_features, item_features : sparse matrix, table or None
        What is known of users and items. A matrix (n, n_features) has a row for each id 0, 1, ...
        and weights. A table has ids in its index (pandas) or in its first column; other columns of
        numbers are weights of a feature each, words are features of weight 1, missing ones are
        none. Ids that are in no interaction are part of the catalogue as well, with what their
        features say.
    hidden_layer_sizes : tuple of int
        Units of relu layers between a user's vectors and the products; a linear layer follows.
    biases : bool
        Whether items have a bias.
    optimizer : Optimizer or None
        In place of AdamW with one cycle and the next two arguments.
    learning_rate : float
        Highest rate of the cycle.
    weight_decay : float
        Decoupled decay: each step takes ``rate * weight_decay`` of the rows it touches away.
        Larger makes rankings smoother.
    epochs : int
        Passes over the interactions.
    batch_size : int
        Interactions per step.
    sparse_update : {"touched", "dense"}
        Whether a step moves only the vectors it looks at or, slower, all.
    random_state, n_jobs, dtype, backend, verbose, callbacks
        As in `RatingRecommender`.

    Attributes
    ----------
    users_, items_ : array
        The ids, in the order of the rows below.
    user_embeddings_, item_embeddings_ : array (n_users, factors), (n_items, factors)
        The two sides of the products, features and layers included.
    item_biases_ : array (n_items,)
        The biases, zeros without `biases`; and ``user_biases_``, which are zeros.
    history_ : dict of str to list of float
        Loss and seconds of each epoch.
    model_ : Model
        The network; position 0 of its table of users stands for unknown ids.

    Notes
    -----
    The defaults were chosen for the softmax, on a tenth of each user's films of MovieLens and books
    of Book-Crossing that training did not see. What matters most is `weight_decay`: 0.3 to 1 are
    worth trying. What a user is known to have met is never a negative.

    Examples
    --------
    >>> from fastnn import RankingRecommender
    >>> from fastnn.datasets import make_ratings
    >>> ratings = make_ratings(300, 100, 8000, string_ids=True)
    >>> liked = {name: column[ratings["rating"] >= 4] for name, column in ratings.items()}
    >>> recommender = RankingRecommender(8, epochs=3, random_state=0).fit(liked)
    >>> ids, scores = recommender.recommend(["user7", "user8"], n=3)
    >>> ids.shape, bool((scores[:, 0] >= scores[:, 1]).all())
    ((2, 3), True)
    """

    def fit(
        self,
        users: Any,
        items: Any = None,
        ratings: Any = None,
        *,
        user: str = "user",
        item: str = "item",
        rating: str | None = None,
        sample_weight: Any = None,
    ) -> RankingRecommender:
        """Train on interactions: a table, a sparse matrix, or arrays.

        Parameters
        ----------
        users : table, dict of arrays, sparse matrix (n_users, n_items), or array-like (n,)
            As in `RatingRecommender`; the numbers of a matrix say how much an entry counts.
        items : array-like (n,), optional
            Ids of items, when `users` are ids.
        ratings : array-like (n,), optional
            How much each row counts, >= 0; a row of 0 is none. All alike when left out.
        user, item : str
            Columns of the table.
        rating : str or None
            A column that says how much rows count.
        sample_weight : array-like (n,), optional
            Weights >= 0, times those.

        Returns
        -------
        RankingRecommender
            The estimator itself.

        Raises
        ------
        ValueError
            An id is missing (None, NaN), a weight is negative or not finite, there is no
            interaction, or training diverged. Learnt attributes are then those of before.

        Notes
        -----
        A pair that comes twice counts twice. Users of a matrix that met nothing have a vector of
        zeros and rank as unknown ones; its items that met nothing are negatives like others.
        Ctrl-C ends training with a warning, and with the weights of the last step.
        """
        names: dict[str, Any] = {"user": user, "item": item, "rating": rating}
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
        rating: str | None = None,
        sample_weight: Any = None,
    ) -> RankingRecommender:
        """Train for one epoch from where training stands; the arguments are those of `fit`.

        New users and items get vectors, those of old ones and the optimizer's state go on. All that
        users ever met is kept out of their negatives. Without `optimizer` the rate is
        `learning_rate` throughout.
        """
        names: dict[str, Any] = {"user": user, "item": item, "rating": rating}
        self._train(read(users, items, ratings, **names), sample_weight, incremental=True)
        return self

    def fold_in(
        self, history: Any, weights: Any = None, *, item: str = "item", rating: str | None = None
    ) -> FoldedUser:
        """Return a user who was not there in training, from items met, without training.

        The vector that minimises the loss of these items, as sampling makes it on average, with the
        items as they are and as much damping as holds the vectors of training where they are: a few
        steps of Newton, see `fastnn.estimators.likes.Likes`. In a catalogue of more than 2,048
        they are compared with 1,024 popular ones and as many others that stand for the rest. Some 3
        ms with 64 factors, and less in a small catalogue.

        Parameters
        ----------
        history : array-like (n,), dict, or table
            Ids of items; how much each counts by item; or a table with the columns named below.
        weights : array-like (n,), optional
            How much each item counts, >= 0.
        item, rating : str
            Columns of the table; without `rating` all count alike.

        Returns
        -------
        FoldedUser
            With ``recommend(n)``, ``predict(items)``, ``explain(item)`` and ``embedding``.

        Examples
        --------
        >>> from fastnn import RankingRecommender
        >>> from fastnn.datasets import make_ratings
        >>> liked = make_ratings(300, 100, 8000)
        >>> recommender = RankingRecommender(8, epochs=3, random_state=0).fit(liked)
        >>> recommender.fold_in([3, 7, 12]).recommend(2)[0].shape
        (2,)
        """
        check_is_fitted(self)
        items, values = history_of(history, weights, item, rating)
        places = self._items.positions("history", items)
        counts = np.ones(len(places))
        if values is not None:
            counts = data.convert_floats("weights", values, (), "float64")
            if len(counts) != len(places):
                raise check.wrong_value("weights", f"{len(places)} as items", len(counts))
            if len(counts) and counts.min() < 0:
                raise check.wrong_value("weights", "numbers >= 0", f"{counts.min():g}")
        known = (places > 0) & (counts > 0)
        return self._folded(places[known], counts[known])

    def add_items(
        self, ids: Any, embeddings: Any = None, *, biases: Any = None, features: Any = None
    ) -> RankingRecommender:
        """Make room for items that training did not meet.

        Parameters
        ----------
        ids : array-like (n,)
            New ids.
        embeddings : array-like (n, factors), optional
            Their vectors.
        biases : array-like (n,), optional
            Their biases; the mean of all when left out.
        features : sparse matrix (n, n_features) or table, optional
            In place of `embeddings`: what the items are, as `item_features`. A matrix has the rows
            in the order of `ids`, a table has ids.

        Returns
        -------
        RankingRecommender
            The estimator itself; `partial_fit` trains the new items further.
        """
        check_is_fitted(self)
        if (embeddings is None) == (features is None):
            got = "neither" if features is None else "both"
            raise check.wrong_value("embeddings", "either embeddings or features", got)
        longer, order = self._new_items(ids)
        vectors, rows = np.zeros((len(order), self.factors), self.dtype), None
        if features is not None:
            rows = self._rows_of_features(features, ids)
        else:
            vectors = data.convert_floats("embeddings", embeddings, (self.factors,), self.dtype)
        scalars = np.full(len(order), self.item_biases_.mean())
        if biases is not None:
            scalars = data.convert_floats("biases", biases, (), self.dtype)
        self._check_lengths(len(order), embeddings=vectors, biases=scalars)
        self._lengthen(
            longer, vectors[order], scalars[order], None if rows is None else rows[order]
        )
        return self

    def evaluate(
        self, test: Any, items: Any = None, *, k: int = 10, user: str = "user", item: str = "item"
    ) -> dict[str, float]:
        """Return how well held-out interactions are ranked, in the whole catalogue.

        Parameters
        ----------
        test, items
            Interactions, as in `fit`. Pairs with an unknown id are left out.
        k : int
            Length of the lists of recommendations.
        user, item : str
            Columns of a table.

        Returns
        -------
        dict of str to float
            The metrics of `fastnn.metrics.ranking`, without what a user met in training.
        """
        check_is_fitted(self)
        given, _ = counted(read(test, items, user=user, item=item, rating=None), None)
        return self._evaluate(given, np.ones(len(given), bool), k)
