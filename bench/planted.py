"""A recommender of millions: planted groups found again, memory of the whole process.

python -m bench.planted          prints one line of JSON: recall, peak and tables (bytes), seconds
"""

from __future__ import annotations

import json
import resource

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bench.timing import seconds_of

USERS, ITEMS, GROUPS, HAD, FACTORS = 1_000_000, 500_000, 2_000, 6, 64
ASKED, NEIGHBOURS = 1_000, 10


def interactions(users: int, items: int, groups: int, had: int) -> csr_matrix:
    """Users had `had` items of their group each: those whose number leaves the same remainder."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, items // groups, (users, had), dtype=np.int32)
    chosen *= groups
    chosen += (np.arange(users, dtype=np.int32) % groups)[:, None]
    chosen.sort(axis=1)
    ends = np.arange(0, users * had + 1, had, dtype=np.int32)
    ones = np.ones(users * had, np.float32)
    return csr_matrix((ones, chosen.ravel(), ends), (users, items))


def recall(found: NDArray[np.int64], asked: NDArray[np.int64], groups: int) -> float:
    """Share of the neighbours that are of the group of the item asked for."""
    return float((found % groups == asked[:, None] % groups).mean())


def main() -> None:
    from fastnn import RankingRecommender
    from fastnn.optimizers import Adagrad

    seen = interactions(USERS, ITEMS, GROUPS, HAD)
    model = RankingRecommender(
        FACTORS,
        negatives=128,
        optimizer=Adagrad(0.1, rowwise=True, initial_accumulator_value=0.0),
        epochs=2,
        batch_size=8192,
        random_state=0,
    )
    seconds = seconds_of(lambda: model.fit(seen))
    asked = np.random.default_rng(1).integers(0, ITEMS, ASKED)
    found = np.stack([model.similar_items(item, NEIGHBOURS)[0] for item in asked])
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tables = sum(weights.nbytes for weights in model.model_.get_weights())
    line = {"recall": recall(found, asked, GROUPS), "peak": peak, "tables": tables}
    print(json.dumps({**line, "seconds": seconds}))


if __name__ == "__main__":
    main()
