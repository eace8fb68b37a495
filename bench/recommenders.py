"""Quality of recommenders beside their peers: rankings of held-out items, ratings, planted truth.

Ours has the recommended settings; every peer is tuned on a validation part of the same split before
it meets the test part.

examples:
  python -m bench.recommenders --data FOLDER    all; FOLDER holds movielens_small/, book_crossing/
  python -m bench.recommenders planted_rank3 --data FOLDER     one of ratings_movielens,
                       ranking_movielens, ranking_books, planted_rank3, planted_millions
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bench.quality import SEEDS, Row, measure, row
from bench.ratings import cut, recipe, rmse, svd, tuned_svd
from bench.timing import seconds_of

Array = NDArray[Any]
Recommend = Callable[[Array], Array]  # positions of users (n,) to items (n, DEPTH), best first

DEPTH = 20  # recommended items; NDCG looks at the first 10
SHARE = 10  # one in so many of a user's items is held out


@dataclass(frozen=True)
class Split:
    """Who had which item, (users, items): to learn from, to tune on, to be judged by."""

    train: csr_matrix
    validation: csr_matrix
    test: csr_matrix


def matrix(users: Array, items: Array, shape: tuple[int, int]) -> csr_matrix:
    found = csr_matrix((np.ones(len(users), np.float32), (users, items)), shape)
    found.data[:] = 1
    return found


def last(users: Array, time: Array) -> Array:
    """Which entries are the last tenth of a user's, rounded down."""
    order = np.lexsort((time, users))
    _, start, count = np.unique(users[order], return_index=True, return_counts=True)
    place = np.arange(len(users)) - np.repeat(start, count)
    held = np.zeros(len(users), bool)
    held[order] = place >= np.repeat(count - count // SHARE, count)
    return held


def split(users: Array, items: Array, time: Array) -> Split:
    """The last tenth of each user tests, the last tenth of the rest validates."""
    users, items = (np.unique(ids, return_inverse=True)[1] for ids in (users, items))
    shape = (int(users.max()) + 1, int(items.max()) + 1)
    test = last(users, time)
    validation = np.zeros_like(test)
    validation[~test] = last(users[~test], time[~test])
    train = ~test & ~validation
    return Split(*(matrix(users[p], items[p], shape) for p in (train, validation, test)))


def scores(recommend: Recommend, held: csr_matrix) -> tuple[float, float]:
    """NDCG@10 and recall@20, means over the users with held-out items."""
    users = np.flatnonzero(np.diff(held.indptr))
    n_held = np.diff(held.indptr)[users]
    found = recommend(users)
    pairs = np.repeat(np.arange(held.shape[0]), np.diff(held.indptr)) * held.shape[1] + held.indices
    hits = np.isin(users[:, None] * held.shape[1] + found, pairs)
    gains = 1 / np.log2(np.arange(2, 12))
    best = np.cumsum(gains)[np.minimum(n_held, 10) - 1]
    ndcg = (hits[:, :10] @ gains / best).mean()
    return float(ndcg), float((hits.sum(axis=1) / n_held).mean())


def choices(grid: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def tuned(
    learn: Callable[..., Recommend], grid: dict[str, tuple[Any, ...]], data: Split
) -> tuple[dict[str, Any], tuple[float, float]]:
    """The setting whose NDCG@10 on the validation part is best; its scores on the test part."""
    tried = [
        (scores(learn(data.train, **choice), data.validation)[0], choice)
        for choice in choices(grid)
    ]
    _, best = max(tried, key=lambda found: found[0])
    return best, scores(learn(data.train + data.validation, **best), data.test)


def of_implicit(model: Any, seen: csr_matrix) -> Recommend:
    """Learn with a model of implicit; what a user had is not recommended."""
    model.fit(seen, show_progress=False)

    def recommend(users: Array) -> Array:
        ids, _ = model.recommend(users, seen[users], N=DEPTH, filter_already_liked_items=True)
        return np.asarray(ids, np.int64)

    return recommend


def als(seen: csr_matrix, **settings: Any) -> Recommend:
    from implicit.cpu.als import AlternatingLeastSquares

    return of_implicit(AlternatingLeastSquares(random_state=0, **settings), seen)


def bpr(seen: csr_matrix, **settings: Any) -> Recommend:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    return of_implicit(BayesianPersonalizedRanking(random_state=0, **settings), seen)


ALS = {
    "factors": (64,),
    "regularization": (1.0, 10.0, 30.0),
    "alpha": (1.0, 3.0, 10.0),
    "iterations": (15,),
}
BPR = {
    "factors": (64,),
    "learning_rate": (0.01, 0.03),
    "regularization": (0.001, 0.01),
    "iterations": (50, 100),
}


def ours(seen: csr_matrix) -> Recommend:
    from fastnn import RankingRecommender

    model = RankingRecommender(random_state=0).fit(seen)
    return lambda users: np.asarray(model.recommend(users, n=DEPTH)[0])


def beside(name: str, value: float, **more: Any) -> Row:
    """A peer's figure, which has no target."""
    return row(name, value, True, "", [0.0], **more)


def ranking(name: str, data: Split) -> list[Row]:
    """NDCG@10 and recall@20 of ours, which must reach the best of implicit's tuned models."""
    peers = {"implicit ALS": tuned(als, ALS, data), "implicit BPR": tuned(bpr, BPR, data)}
    model: list[Recommend] = []
    seconds = seconds_of(lambda: model.append(ours(data.train + data.validation)))
    reached, rows = scores(model[0], data.test), []
    for i, measured in enumerate(("NDCG@10", "recall@20")):
        label, rival = f"{name} {measured}", max(found[i] for _, found in peers.values())
        rows.append(row(label, reached[i], reached[i] >= rival, f">= {rival:.4f}", [seconds]))
        for peer, (settings, found) in peers.items():
            rows.append(beside(f"{label}, {peer}", found[i], settings=settings))
    return rows


def ranking_movielens(folder: Path) -> list[Row]:
    """Films rated 4 and more; the last tenth of each user's in time is held out."""
    import pandas as pd

    table = pd.read_parquet(folder / "movielens_small" / "ratings.parquet")
    table = table[table.rating >= 4]
    columns = (table[name].to_numpy() for name in ("userId", "movieId", "timestamp"))
    return ranking("films", split(*columns))


def ranking_books(folder: Path) -> list[Row]:
    """Books somebody had and did not rate; they have no time: a random tenth is held out."""
    import pandas as pd

    table = pd.read_parquet(folder / "book_crossing" / "ratings.parquet")
    table = table[table.rating == 0].drop_duplicates(["user", "item"])
    time = np.random.default_rng(0).random(len(table))
    return ranking("books", split(table.user.to_numpy(), table.item.to_numpy(), time))


def ratings_movielens(folder: Path) -> list[Row]:
    """RMSE with the recommended settings, the defaults, on a random tenth; means of 5 seeds."""
    import pandas as pd
    from fastnn import RatingRecommender

    table = pd.read_parquet(folder / "movielens_small" / "ratings.parquet")
    columns = [table[name].to_numpy() for name in ("userId", "movieId", "rating")]
    errors, seconds = dict[str, list[float]](), list[float]()
    settings: dict[str, Any] = {}
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(table))
        test, train = (cut(columns, part) for part in np.split(order, [len(order) // 10]))
        settings = settings or tuned_svd(train, seed)
        model = RatingRecommender(random_state=seed)
        seconds.append(seconds_of(partial(model.fit, *train)))
        sides = {"fastnn": model.predict, "surprise SVD": svd(train, seed, **settings)}
        sides["PyTorch, fastai's recipe"] = recipe(train, seed)
        for name, predict in sides.items():
            errors.setdefault(name, []).append(rmse(predict, test))
    label, own = "movielens RMSE", errors.pop("fastnn")
    mean, values = float(np.mean(own)), [round(error, 4) for error in own]
    rows = [row(label, mean, mean <= 0.870, "<= 0.870", seconds, values=values)]
    for name, found in errors.items():
        rows.append(beside(f"{label}, {name}", float(np.mean(found))))
    rows[1]["settings"] = settings
    return rows


def planted_rank3(folder: Path) -> list[Row]:
    """A 500 x 300 matrix of rank 3, four fifths of it missing: RMSE on the missing cells."""
    from fastnn import RatingRecommender

    del folder
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 300))
    shown = rng.random(whole.shape) < 0.2
    users, items = np.nonzero(shown)
    # Limits far beyond the numbers leave the sigmoid its straight part.
    far = 3 * float(np.abs(whole).max())
    model = RatingRecommender(
        3, y_range=(-far, far), biases=False, weight_decay=0.0, epochs=60, random_state=0
    )
    seconds = seconds_of(lambda: model.fit(users, items, whole[users, items]))
    users, items = np.nonzero(~shown)
    error = rmse(model.predict, (users, items, whole[users, items]))
    return [row("rank 3 recovered, RMSE", error, error < 0.05, "< 0.05", [seconds])]


def planted_millions(folder: Path) -> list[Row]:
    """A million users and half a million items in planted groups, in a process of its own."""
    del folder
    done = subprocess.run(
        [sys.executable, "-m", "bench.planted"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    recall, memory, seconds = found["recall"], found["peak"] / found["tables"], [found["seconds"]]
    return [
        row("millions: neighbours recalled", recall, recall >= 0.8, ">= 0.8", seconds),
        row("millions: memory over tables", memory, memory <= 3, "<= 3", seconds),
    ]


FIGURES: dict[str, Callable[[Path], list[Row]]] = {
    "ratings_movielens": ratings_movielens,
    "ranking_movielens": ranking_movielens,
    "ranking_books": ranking_books,
    "planted_rank3": planted_rank3,
    "planted_millions": planted_millions,
}

if __name__ == "__main__":
    sys.exit(measure(FIGURES, __doc__, "recommenders"))
