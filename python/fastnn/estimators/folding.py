"""Users and items that training did not meet: their vectors from what they met, others fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn import check
from fastnn.estimators.ids import several
from fastnn.estimators.interactions import columns

if TYPE_CHECKING:
    from fastnn.estimators.recommending import Recommender

Array = NDArray[Any]

STEPS = 20  # of Gauss and Newton; a handful are enough


class Ratings(NamedTuple):
    r"""The ratings of one user (or item), as a problem in its vector p and its bias b.

    .. math:: \min_{p, b} \; \tfrac12 \sum_j w_j \left(t_j - \sigma(v_j \cdot p + b + o_j)\right)^2
        + \tfrac12 n (\lambda |p|^2 + \lambda_b b^2)

    Attributes
    ----------
    vectors : array (n, d + 1)
        Those of the other side, each with a 1 behind it for the bias.
    offsets : array (n,)
        The part o of the score that does not change.
    targets : array (n,)
        Ratings on the scale of the sigmoid, 0 to 1.
    ridge : array (d + 1,)
        The damping, one number per element.
    """

    vectors: Array
    offsets: Array
    targets: Array
    ridge: Array

    def solve(self) -> Array:
        """Return vector and bias (d + 1,): steps of Gauss and Newton, halved while they fail."""
        x = np.zeros(self.vectors.shape[1])
        if not len(self.targets):
            return x
        value, gradient, weights, _ = self._pieces(x)
        for _ in range(STEPS):
            step, scale = np.linalg.solve(self._matrix(weights), gradient), 1.0
            pieces = self._pieces(x + step)
            while pieces[0] > value and scale > 1e-3:
                scale /= 2
                pieces = self._pieces(x + scale * step)
            if pieces[0] > value:
                break
            x = x + scale * step
            gained, (value, gradient, weights, _) = value - pieces[0], pieces
            if gained <= 1e-6 * value:
                break
        return x

    def shares(self, x: Array, direction: Array) -> Array:
        r"""Return what each rating adds to the product of a direction (d + 1,) and the solution x.

        At the solution :math:`x = A^{-1} \sum_j v_j (w_j v_j \cdot x + g_j)` with the weights w and
        the residuals g of the last step and :math:`A = \sum_j w_j v_j v_j^T + n \Lambda`.
        """
        _, _, weights, residuals = self._pieces(x)
        along = np.linalg.solve(self._matrix(weights), direction)
        found: Array = (self.vectors @ along) * (weights * (self.vectors @ x) + residuals)
        return found

    def _pieces(self, x: Array) -> tuple[float, Array, Array, Array]:
        """Return twice the objective, minus the gradient, weights of the squares, and residuals."""
        y = sigmoid(self.vectors @ x + self.offsets)
        errors, slopes = self.targets - y, y * (1 - y)
        held, residuals = len(y) * self.ridge * x, errors * slopes
        value = float(errors @ errors + held @ x)
        return value, residuals @ self.vectors - held, slopes * slopes, residuals

    def _matrix(self, weights: Array) -> Array:
        """Return A (d + 1, d + 1)."""
        matrix = (self.vectors.T * weights) @ self.vectors
        matrix.flat[:: len(matrix) + 1] += len(weights) * self.ridge
        return matrix


class FoldedUser:
    """A user whose vector was solved from a history, without training; made by `fold_in`.

    Attributes
    ----------
    embedding : array (factors,)
        The vector.
    bias : float
        The bias.
    """

    def __init__(self, owner: Recommender, solved: Array, positions: Array, problem: Any) -> None:
        self._owner, self._seen = owner, positions
        self._solved, self._problem = solved, problem
        self.embedding: Array = solved[: owner.factors].astype(owner.dtype)
        self.bias = float(solved[owner.factors]) if len(solved) > owner.factors else 0.0

    def __repr__(self) -> str:
        return f"<user of {len(self._seen)} interactions>"

    def predict(self, items: Any) -> Array:
        """Return the scores (n,) of items given by their ids."""
        places = self._owner._items.positions("items", items)
        return self._scores(places)

    def recommend(self, n: int = 10, *, filter_seen: bool = True) -> tuple[Array, Array]:
        """Return ids and scores of the n best items, without those of the history if asked so."""
        owner = self._owner
        n = min(check.integer("n", n, 1), len(owner._items))
        known = np.unique(self._seen[self._seen > 0]) - 1
        lists = np.array([0, len(known)]), known.astype(np.int64)
        exclude = lists if check.flag("filter_seen", filter_seen) else None
        places, _ = owner._nearest(self.embedding[np.newaxis], n, exclude)
        scores = self._scores(places[0] + 1)
        return owner._labelled(places + 1, scores[np.newaxis], many=False)

    def explain(self, item: Any, n: int = 10) -> tuple[Array, Array]:
        """Return the n items of the history that carry the score of an item most, and how much.

        Parameters
        ----------
        item : id
            What is to be explained.
        n : int
            At most this many.

        Returns
        -------
        ids : array (n,)
            Items of the history, the one with the largest share first.
        shares : array (n,)
            Their shares. Those of the whole history sum to the product of the vectors of user and
            item: the score above the biases.
        """
        owner = self._owner
        place = owner._known("item", owner._items, item)
        direction = np.zeros(len(self._solved))
        direction[: len(self.embedding)] = owner.item_embeddings_[place - 1]
        shares = self._problem.shares(self._solved, direction)
        order = np.argsort(-shares, kind="stable")[: check.integer("n", n, 1)]
        return owner._items.taken(self._seen[order]), shares[order]

    def _scores(self, places: Array) -> Array:
        owner = self._owner
        rows = np.maximum(places, 1) - 1
        scores = owner.item_embeddings_[rows] @ self.embedding + owner.item_biases_[rows]
        scores[places == 0] = 0
        return owner._shown(scores + self.bias)


def history_of(given: Any, values: Any, item: str, value: str | None) -> tuple[Any, Any]:
    """Return items and values of a history: a dict {item: value}, a table, or the two; or items."""
    if several(given) and not hasattr(given, "columns"):
        return given, values
    if isinstance(given, dict) and item not in given:
        items = np.empty(len(given), object)
        items[:] = list(given)
        return items, np.array(list(given.values()))
    if isinstance(given, dict) or hasattr(given, "columns"):
        found = columns(given, item=item, **({} if value is None else {"rating": value}))
        return found[0], found[1] if value is not None else values
    raise check.wrong_type("history", "ratings by item, a table, or ids of items", given)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z))."""
    found: Array = 0.5 + 0.5 * np.tanh(0.5 * z)
    return found
