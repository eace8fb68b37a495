"""Peers that predict ratings: scikit-surprise's SVD and, in PyTorch, fastai's recipe."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ratings = tuple[Array, Array, Array]  # users, items, ratings
Predict = Callable[[Array, Array], Array]

SVD_GRID = {
    "n_factors": (50,),
    "n_epochs": (20, 50),
    "reg_all": (0.02, 0.05, 0.1),
}


def cut(ratings: Sequence[Array], part: Array) -> Ratings:
    users, items, values = (column[part] for column in ratings)
    return users, items, values


def rmse(predict: Predict, ratings: Ratings) -> float:
    users, items, values = ratings
    return float(np.sqrt(np.square(predict(users, items) - values).mean()))


def svd(ratings: Ratings, seed: int, **settings: Any) -> Predict:
    import pandas as pd
    from surprise import SVD, Dataset, Reader

    table = pd.DataFrame(dict(zip("uir", ratings, strict=True)))
    reader = Reader(rating_scale=(float(table.r.min()), float(table.r.max())))
    model = SVD(random_state=seed, **settings)
    model.fit(Dataset.load_from_df(table, reader).build_full_trainset())
    return lambda users, items: np.array(
        [model.predict(u, i).est for u, i in zip(users.tolist(), items.tolist(), strict=True)]
    )


def tuned_svd(ratings: Ratings, seed: int) -> dict[str, Any]:
    """The settings that are best on a tenth of these ratings."""
    order = np.random.default_rng(seed).permutation(len(ratings[0]))
    held, rest = np.split(order, [len(order) // 10])
    train, validation = cut(ratings, rest), cut(ratings, held)
    choices = [
        dict(zip(SVD_GRID, values, strict=True)) for values in itertools.product(*SVD_GRID.values())
    ]
    return min(choices, key=lambda choice: rmse(svd(train, seed, **choice), validation))


def recipe(ratings: Ratings, seed: int) -> Predict:
    """50 factors and biases under a sigmoid, Adam with one cycle, decay 0.1, 5 epochs of 64.

    The recipe of fastai's lesson on collaborative filtering, with its limits of 0 and 5.5.
    """
    import torch

    torch.manual_seed(seed)
    known = [np.unique(column) for column in ratings[:2]]

    def places(columns: tuple[Array, Array]) -> list[Any]:
        """1, 2, ...; 0 where an id is new."""
        found = [np.searchsorted(ids, c) for ids, c in zip(known, columns, strict=True)]
        return [
            torch.from_numpy(np.where(ids[np.minimum(at, len(ids) - 1)] == c, at + 1, 0))
            for ids, at, c in zip(known, found, columns, strict=True)
        ]

    x, y = places(ratings[:2]), torch.from_numpy(ratings[2].astype(np.float32))
    tables = [torch.nn.Embedding(len(ids) + 1, n) for ids in known for n in (50, 1)]
    for table in tables:
        torch.nn.init.trunc_normal_(table.weight, std=0.01)
    weights, steps = [table.weight for table in tables], 5 * -(-len(y) // 64)
    adam = torch.optim.AdamW(weights, lr=5e-3, weight_decay=0.1, betas=(0.9, 0.99), fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 5e-3, steps, pct_start=0.25)

    def score(users: Any, items: Any) -> Any:
        p, b, q, c = (t(ids) for t, ids in zip(tables, (users, users, items, items), strict=True))
        return 5.5 * torch.sigmoid((p * q).sum(1) + b[:, 0] + c[:, 0])

    for rows in (part for _ in range(5) for part in torch.randperm(len(y)).split(64)):
        adam.zero_grad()
        torch.nn.functional.mse_loss(score(x[0][rows], x[1][rows]), y[rows]).backward()
        adam.step()
        cycle.step()

    def predict(users: Array, items: Array) -> Array:
        with torch.no_grad():
            return np.asarray(score(*places((users, items))))

    return predict
