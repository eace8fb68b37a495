"""implicit: Bayesian personalised ranking, threads that write to the factors as they come."""

from __future__ import annotations

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from scipy.sparse import csr_matrix

from bench.tables.problem import CHECK_EPOCHS, PAIR_DECAY, PAIR_RATE, Pairs
from bench.timing import Array, Side
from bench.training.problem import SEED


def ranking(problem: Pairs, threads: int) -> list[Side]:
    """A fit goes on where the last one stopped, so that drawing factors is not timed."""
    seen = np.ones(len(problem.users), np.float32)
    shape = (problem.n_users, problem.n_items)
    matrix = csr_matrix((seen, (problem.users, problem.items)), shape)
    model = BayesianPersonalizedRanking(
        factors=problem.width,
        learning_rate=PAIR_RATE,
        regularization=PAIR_DECAY,
        num_threads=threads,
        random_state=SEED,
    )

    def run(epochs: int) -> int:
        model.iterations = epochs
        model.fit(matrix, show_progress=False)
        return epochs * len(problem.users)

    def check() -> Array:
        run(CHECK_EPOCHS)
        return problem.told_apart(model.user_factors, model.item_factors)

    return [Side("implicit BPR", run, check)]
