"""The likes of one user, as a problem in its vector: losses of a ranking with the items fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.estimators.folding import sigmoid

Array = NDArray[Any]

STEPS = 12  # of Newton; a handful are enough
HEAD = 1024  # items of a large catalogue that are looked at: so many popular ones, so many others
SOFTNESS = 0.25  # of the corner of WARP's hinge


class Pool(NamedTuple):
    """The items that likes are compared with.

    Attributes
    ----------
    rows : array of int (s,)
        Items; all of a small catalogue, of a large one popular ones and a sample of the rest.
    places : array of int (n_items,)
        Where an item is in the pool, -1 for one that is not.
    vectors, biases : array (s, d), (s,)
        Of these items.
    stands_for : array (s,)
        How many items of the catalogue each stands for.
    draws : array (n_items,)
        How often training draws each item of the catalogue as a negative, on average.
    """

    rows: Array
    places: Array
    vectors: Array
    biases: Array
    stands_for: Array
    draws: Array

    @staticmethod
    def of(vectors: Array, biases: Array, counts: Array, draws: Array) -> Pool:
        """Return the pool of a catalogue whose items were met so often, a function of these."""
        n = len(vectors)
        rows, stands_for = np.arange(n), np.ones(n)
        if n > 2 * HEAD:
            order = np.argsort(-counts, kind="stable")
            rest = np.random.default_rng(0).permutation(order[HEAD:])[:HEAD]
            rows = np.concatenate([order[:HEAD], rest])
            stands_for = np.append(np.ones(HEAD), np.full(HEAD, (n - HEAD) / HEAD))
        places = np.full(n, -1)
        places[rows] = np.arange(len(rows))
        return Pool(rows, places, vectors[rows], biases[rows], stands_for, draws)


class Pieces(NamedTuple):
    """The loss at a vector x, and what each like adds to its derivatives.

    ``gradients(a)`` gives minus the product of a direction with the gradient of each like (h,),
    ``curvatures(a)`` the product of a, the Hessian of each like and x (h,).
    """

    loss: float
    gradient: Array
    hessian: Array
    gradients: Any
    curvatures: Any


@dataclass(frozen=True, eq=False)
class Likes:
    r"""Items that a user met, as a problem in the user's vector.

    .. math:: \min_p \; \sum_i w_i \, \ell_i(p) + \tfrac12 \lambda \sum_i w_i |p - c|^2

    with the loss that training samples, as it is on average over the items j that were not met: of
    the softmax :math:`\log(1 + e^{-s_i} \sum_j e^{s_j})`; BPR :math:`E_j \log(1 + e^{s_j - s_i})`;
    logistic :math:`\log(1 + e^{-s_i}) + k E_j \log(1 + e^{s_j})`; WARP: the hinge with a
    round corner, weighted by the logarithm of the rank.

    Attributes
    ----------
    pool : Pool
        The other items; those met count for nothing in it.
    items : array (h,)
        Rows of the items met.
    vectors, biases, weights : array (h, d), (h,), (h,)
        Of these: their vectors, their biases, how much each counts.
    settings : mapping
        loss, negatives, correction, margin.
    ridge : float
        The damping.
    center : array (d,)
        The vector of a user who met nothing.
    """

    pool: Pool
    items: Array
    vectors: Array
    biases: Array
    weights: Array
    settings: Any
    ridge: float
    center: Array

    def solve(self) -> Array:
        """Return the vector (d,): steps of Newton, halved while they fail."""
        x = self.center.astype(np.float64)
        if not len(self.items):
            return x
        pieces = self.pieces(x)
        damping, steady = self.ridge * self.weights.sum(), self.settings["loss"] != "warp"
        value = pieces.loss
        for _ in range(STEPS):
            matrix = pieces.hessian + damping * np.eye(len(x))
            step = np.linalg.solve(matrix, pieces.gradient - damping * (x - self.center))
            scale, found, gained = 1.0, pieces, np.inf
            while scale > 1e-3:
                found = self.pieces(x + scale * step)
                moved = x + scale * step - self.center
                gained = value - (total := found.loss + damping / 2 * moved @ moved)
                if gained >= 0 or not steady:  # the ranks that weigh WARP's hinges move as well
                    break
                scale /= 2
            if steady and gained < 0:
                break
            x, pieces, value = x + scale * step, found, total
            if np.abs(scale * step).max() <= 1e-4 * np.abs(x).max():
                break
        return x

    def shares(self, x: Array, direction: Array) -> Array:
        r"""Return what each like adds to the product of a direction (d,) and the solution x.

        At the solution :math:`A (x - c) = \sum_i w_i (H_i (x - c) - \nabla \ell_i)` with Hessians
        H and :math:`A = \sum_i w_i (H_i + \lambda I)`.
        """
        pieces = self.pieces(x)
        matrix = pieces.hessian + self.ridge * self.weights.sum() * np.eye(len(x))
        along = np.linalg.solve(matrix, direction)
        found: Array = self.weights * (pieces.curvatures(along) + pieces.gradients(along))
        return found

    def pieces(self, x: Array) -> Pieces:
        """Return the loss and its derivatives at a vector."""
        own = (self.vectors @ x + self.biases).astype(np.float64)
        others = (self.pool.vectors @ x.astype(self.pool.vectors.dtype)).astype(np.float64)
        others += self.pool.biases
        stands_for = self.pool.stands_for.copy()
        places = self.pool.places[self.items]
        stands_for[places[places >= 0]] = 0
        loss = self.settings["loss"]
        if loss == "sampled_softmax":
            return self._softmax(x, own, others, stands_for)
        chances = stands_for * self.pool.draws[self.pool.rows]
        chances /= max(chances.sum(), 1e-30)
        if loss == "logistic":
            return self._logistic(x, own, others, chances)
        return self._pairwise(x, own, others, chances)

    def _softmax(self, x: Array, own: Array, others: Array, stands_for: Array) -> Pieces:
        if not self.settings["correction"]:
            draws = self.pool.draws[self.pool.rows] * self.settings["negatives"]
            stands_for = stands_for * draws
        with np.errstate(divide="ignore"):
            others = others + np.log(stands_for)
        top = max(others.max(), -1e30)  # where there is nobody else
        shares = np.exp(others - top)
        total = shares.sum()
        shares /= max(total, 1e-300)
        gaps = top + np.log(max(total, 1e-300)) - own
        missed = sigmoid(gaps)
        mean, second = self._moments(shares)
        spread, apart = second - np.outer(mean, mean), self.vectors - mean
        weighted = self.weights * missed
        hessian = weighted.sum() * spread
        hessian += (apart.T * (weighted * (1 - missed))) @ apart

        def curvatures(a: Array) -> Array:
            y = x - self.center
            along = (1 - missed) * (apart @ a) * (apart @ y)
            found: Array = missed * (a @ spread @ y + along)
            return found

        return Pieces(
            float(self.weights @ np.logaddexp(0, gaps)),
            weighted @ apart,
            hessian,
            lambda a: missed * (apart @ a),
            curvatures,
        )

    def _logistic(self, x: Array, own: Array, others: Array, chances: Array) -> Pieces:
        k = self.settings["negatives"]
        missed, falsely = sigmoid(-own), sigmoid(others)
        mean = self._moments(k * chances * falsely)[0]
        second = self._moments(k * chances * falsely * (1 - falsely))[1]
        n = self.weights.sum()
        hessian = n * second
        hessian += (self.vectors.T * (self.weights * missed * (1 - missed))) @ self.vectors
        loss = self.weights @ np.logaddexp(0, -own) + n * k * chances @ np.logaddexp(0, others)

        def curvatures(a: Array) -> Array:
            y = x - self.center
            along = (self.vectors @ a) * (self.vectors @ y)
            found: Array = missed * (1 - missed) * along + a @ second @ y
            return found

        return Pieces(
            float(loss),
            (self.weights * missed) @ self.vectors - n * mean,
            hessian,
            lambda a: missed * (self.vectors @ a) - mean @ a,
            curvatures,
        )

    def _pairwise(self, x: Array, own: Array, others: Array, chances: Array) -> Pieces:
        """Return the pieces of BPR, and of WARP with the ranks as they are at x."""
        gaps = others - own[:, np.newaxis]
        factors, soft = np.ones(len(own)), 1.0
        if self.settings["loss"] == "warp":
            gaps, soft = gaps + self.settings["margin"], SOFTNESS
            violations = (gaps > 0) @ chances
            ranks = np.maximum(violations * len(self.pool.places), 1.0)
            tried = 1 - (1 - violations) ** self.settings["negatives"]
            factors = np.log(ranks) * tried / np.maximum(violations, 1e-9)
        slopes = sigmoid(gaps / soft)
        pull = factors[:, np.newaxis] * chances * slopes
        bend = pull * (1 - slopes) / soft
        values = soft * np.logaddexp(0, gaps / soft) @ chances
        q, v = self.vectors.astype(np.float64), self.pool.vectors.astype(np.float64)
        w = self.weights[:, np.newaxis]
        gradient = (w * pull).sum(axis=1) @ q - (w * pull).sum(axis=0) @ v
        between = q.T @ ((w * bend) @ v)
        hessian = (q.T * (w * bend).sum(axis=1)) @ q + (v.T * (w * bend).sum(axis=0)) @ v
        hessian -= between + between.T

        def gradients(a: Array) -> Array:
            found: Array = pull.sum(axis=1) * (q @ a) - pull @ (v @ a)
            return found

        def curvatures(a: Array) -> Array:
            y = x - self.center
            along = ((q @ a)[:, np.newaxis] - v @ a) * ((q @ y)[:, np.newaxis] - v @ y)
            found: Array = (bend * along).sum(axis=1)
            return found

        loss = float((self.weights * factors) @ values)
        return Pieces(loss, gradient, hessian, gradients, curvatures)

    def _moments(self, shares: Array) -> tuple[Array, Array]:
        """Return the sums of vectors and of their outer squares over the pool, by shares."""
        vectors = self.pool.vectors
        narrow = shares.astype(vectors.dtype)
        second = (vectors.T * narrow) @ vectors
        return (narrow @ vectors).astype(np.float64), second.astype(np.float64)
