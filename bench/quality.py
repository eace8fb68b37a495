"""Does a model learn as well as it should: held-out figures on real data against their targets.

examples:
  python -m bench.quality --data FOLDER             all; FOLDER holds movielens_small/, mnist/
  python -m bench.quality movielens --data FOLDER   one of movielens, mnist, autoencoder
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import describe
from bench.timing import seconds_of

RESULTS = Path(__file__).parent / "results"
SEEDS = range(5)
Row = dict[str, Any]


def movielens(folder: Path) -> list[Row]:
    """RMSE of the recommender with its defaults on a random 10 % held out, 5 seeds."""
    import pandas as pd
    from fastnn import RatingRecommender

    table = pd.read_parquet(folder / "movielens_small" / "ratings.parquet")
    errors, seconds = [], []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(table))
        test, train = table.iloc[order[: len(table) // 10]], table.iloc[order[len(table) // 10 :]]
        recommender = RatingRecommender(random_state=seed)
        seconds.append(seconds_of(partial(recommender.fit, train, user="userId", item="movieId")))
        residual = recommender.predict(test["userId"], test["movieId"]) - test["rating"].to_numpy()
        errors.append(float(np.sqrt(np.square(residual).mean())))
    mean, values = float(np.mean(errors)), [round(error, 4) for error in errors]
    return [row("movielens RMSE", mean, mean <= 0.876, "<= 0.876", seconds, values=values)]


def mnist(folder: Path) -> list[Row]:
    """Test accuracy of 784-256-128-10 after 20 epochs."""
    from fastnn import MLPClassifier

    with np.load(folder / "mnist" / "mnist.npz") as file:
        x_train, x_test = (
            file[name].reshape(-1, 784) / np.float32(255) for name in ("x_train", "x_test")
        )
        y_train, y_test = file["y_train"], file["y_test"]
    classifier = MLPClassifier((256, 128), dropout=0.2, batch_size=256, max_iter=20, random_state=0)
    seconds = seconds_of(lambda: classifier.fit(x_train, y_train))
    accuracy = classifier.score(x_test, y_test)
    return [row("mnist accuracy", accuracy, accuracy >= 0.98, ">= 0.98", [seconds])]


def autoencoder(folder: Path) -> list[Row]:
    """A linear autoencoder against PCA on scikit-learn's digits, code of 8."""
    from fastnn import Autoencoder
    from scipy.linalg import subspace_angles
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    X = load_digits().data / 16
    X -= X.mean(axis=0)
    pca = PCA(8).fit(X)
    least = np.square(X - pca.inverse_transform(pca.transform(X))).mean()
    linear = Autoencoder(
        (8,),
        activation="identity",
        batch_size=len(X),
        learning_rate_init=0.03,
        max_iter=1000,
        tol=0,
        n_iter_no_change=1000,
        random_state=0,
    )
    seconds = [seconds_of(lambda: linear.fit(X))]
    codes = linear.transform(X)
    angle = subspace_angles(codes - codes.mean(axis=0), pca.transform(X)).max()
    excess = -linear.score(X) / least - 1
    return [
        row("autoencoder angle to PCA", float(angle), angle < 1e-2, "< 0.01", seconds),
        row("autoencoder error above PCA's", float(excess), excess <= 1e-3, "<= 0.001", seconds),
    ]


def row(
    name: str, value: float, reached: Any, target: str, seconds: list[float], **more: Any
) -> Row:
    """One figure, its target and the median of the seconds of training."""
    middle = round(float(np.median(seconds)), 3)
    return {
        "name": name,
        "value": value,
        "target": target,
        "reached": bool(reached),
        "seconds": middle,
        **more,
    }


QUALITIES: dict[str, Callable[[Path], list[Row]]] = {
    "movielens": movielens,
    "mnist": mnist,
    "autoencoder": autoencoder,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help=f"of {' '.join(QUALITIES)}; all by default")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: bench/results")
    args = parser.parse_args()
    if unknown := set(args.name) - set(QUALITIES):
        parser.error(f"name: expected some of {', '.join(QUALITIES)}, got {', '.join(unknown)}")
    warnings.filterwarnings("ignore", message="max_iter")
    rows = [found for name in args.name or QUALITIES for found in QUALITIES[name](args.data)]
    for found in rows:
        mark = "reached" if found["reached"] else "MISSED"
        figure = f"{found['value']:<12.5g} {found['target']:<10} {mark}"
        print(f"{found['name']:<32} {figure}  {found['seconds']:.2f} s")
    if not args.name:
        args.out.mkdir(parents=True, exist_ok=True)
        result = {**describe(), "rows": rows}
        (args.out / "quality.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(found["reached"] for found in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
