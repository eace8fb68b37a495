"""W14: an epoch of ranking by pairs: what users had against items drawn by their counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from bench.contest import Contest, sides_of
from bench.tables.problem import Pairs
from bench.training.problem import Ints, ratings

WIDTH, BATCH = 64, 8_192


def interactions(data: Path | None, scale: float) -> Iterator[tuple[str, Ints, Ints]]:
    """Sets by name: ratings of 4 and more, and books somebody had; made ones without `data`."""
    if data is None:
        users, items, _ = ratings(round(500_000 * scale), 20_000, 50_000)
        yield "made", users, items
        return
    import pandas as pd

    films = pd.read_parquet(data / "movielens_small" / "ratings.parquet")
    films = films[films.rating >= 4]
    yield "MovieLens", films.userId.to_numpy(), films.movieId.to_numpy()
    books = pd.read_parquet(data / "book_crossing" / "ratings.parquet")
    books = books[books.rating == 0]
    yield "Book-Crossing", books.user.to_numpy(), books.item.to_numpy()


def contests(
    found: list[ModuleType], threads: int, data: Path | None, scale: float = 1.0
) -> Iterator[Contest]:
    for name, users, items in interactions(data, scale):
        users, items = (np.unique(ids, return_inverse=True)[1] for ids in (users, items))
        pairs = np.unique(np.stack([users, items], axis=1), axis=0)  # each once, by user
        n_users, n_items = (int(ids.max()) + 1 for ids in (users, items))
        users, items = pairs.T.copy()
        problem = Pairs(users, items, n_users, n_items, WIDTH, BATCH)
        yield Contest(name, sides_of("ranking", problem, found, threads), tolerance=5e-2)
