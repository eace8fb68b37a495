"""scikit-surprise: SVD, one rating at a time on one thread, compiled by Cython."""

from __future__ import annotations

import numpy as np
import pandas as pd
from surprise import SVD, Dataset, Reader, Trainset

from bench.timing import Array, Side
from bench.training.problem import SEED, Ratings


def factorisation(problem: Ratings, threads: int) -> list[Side]:
    """Biases and factors as in the others, but no sigmoid and plain gradient steps.

    A fit starts anew; drawing its first vectors takes a hundredth of an epoch.
    """
    del threads  # it uses one
    table = pd.DataFrame({"u": problem.users, "i": problem.items, "r": problem.ratings})
    reader = Reader(rating_scale=(1, 5))
    ratings: Trainset = Dataset.load_from_df(table, reader).build_full_trainset()

    def fit(epochs: int) -> SVD:
        return SVD(n_factors=problem.width, n_epochs=epochs, random_state=SEED).fit(ratings)

    def run(epochs: int) -> int:
        fit(epochs)
        return epochs * len(problem.ratings)

    def check() -> Array:
        """Error on the ratings it has learnt from, which must be below that of their mean."""
        model = fit(2)
        shown = [model.estimate(u, i) - r for u, i, r in ratings.all_ratings()]
        error = float(np.sqrt(np.mean(np.square(shown))))
        if not error < float(problem.ratings.std()):
            raise ValueError(f"surprise: expected an error below the mean's, got {error:.3f}")
        return np.array([error])

    return [Side("surprise SVD", run, check, group="one by one", against="sparse")]
