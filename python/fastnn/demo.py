"""`fastnn demo`: the four kinds of model on real data, beside what one would use instead."""

from __future__ import annotations

import importlib.util
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HEAD: tuple[str, ...] = (
    *("task", "data", "rows", "metric", "fastnn", "peer"),
    *("peer's", "seconds", "peer's", "ratio"),
)
LEGEND = """\
rows: trained on; metric: of rows held out; ratio: the peer's seconds over those of fastnn
biases: mean rating + bias of the item + bias of the user
"""


@dataclass
class Outcome:
    """One line of the table, and what its picture needs."""

    task: str
    data: str
    rows: int
    metric: str
    ours: float
    peer: str
    theirs: float
    seconds: float
    peer_seconds: float
    picture: dict[str, Any] = field(default_factory=dict)


def run(picture: Path | None = Path("fastnn-demo.png"), seed: int = 0) -> list[Outcome]:
    """Train the models, print the table and write the picture.

    Parameters
    ----------
    picture : Path or None
        Where the picture goes; needs matplotlib, None writes none.
    seed : int
        Seed of every model.

    Returns
    -------
    list of Outcome
        The lines of the table.
    """
    outcomes = []
    with warnings.catch_warnings():
        # a demo stops early on purpose
        warnings.simplefilter("ignore")
        for job in JOBS:
            sys.stderr.write(f"{job.__doc__}\n")
            outcomes.append(job(seed))
    sys.stdout.write(table(outcomes) + "\n" + LEGEND)
    if picture is not None:
        if importlib.util.find_spec("matplotlib") is None:
            sys.stdout.write("no picture: pip install 'fastnn[plot]'\n")
        else:
            draw(outcomes, picture)
            sys.stdout.write(f"picture: {picture}\n")
    return outcomes


def flights(seed: int) -> Outcome:
    """Regression: how late does a flight land, from what is known when it takes off."""
    from sklearn.neural_network import MLPRegressor as Peer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from fastnn import MLPRegressor, datasets

    columns = datasets.load_flights()
    numbers = np.column_stack([columns[name] for name in ("dep_delay", "distance", "hour")])
    words = np.column_stack([columns[name] for name in ("carrier", "origin", "dest")])
    encoded = OneHotEncoder(sparse_output=False, dtype=np.float32).fit_transform(words)
    X = np.hstack([StandardScaler().fit_transform(numbers), encoded]).astype(np.float32)
    late = columns["arr_delay"].astype(np.float32)
    y = (late - late.mean()) / late.std()
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (64, 32),
        "max_iter": 10,
        "alpha": 1e-3,
        "random_state": seed,
    }
    ours, theirs = MLPRegressor(**settings, verbose=True), Peer(**settings)
    outcome = compare("regression", "flights", "R2", ours, theirs, split(X, y, seed))
    outcome.picture = {"fastnn": ours.loss_curve_, "scikit-learn": theirs.loss_curve_}
    return outcome


def diabetes(seed: int) -> Outcome:
    """Regression: how far does diabetes progress, from ten measurements of 442 people."""
    from sklearn.datasets import load_diabetes
    from sklearn.neural_network import MLPRegressor as Peer
    from sklearn.preprocessing import scale

    from fastnn import MLPRegressor

    X, y = load_diabetes(return_X_y=True)
    X, y = scale(X).astype(np.float32), scale(y).astype(np.float32)
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (16,),
        "max_iter": 60,
        "alpha": 1.0,
        "random_state": seed,
    }
    settings["batch_size"] = 32
    ours, theirs = MLPRegressor(**settings, verbose=True), Peer(**settings)
    return compare("regression", "diabetes", "R2", ours, theirs, split(X, y, seed))


def digits(seed: int) -> Outcome:
    """Classification: handwritten digits of 8 x 8 pixels."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier as Peer

    from fastnn import MLPClassifier

    X, y = load_digits(return_X_y=True)
    settings: dict[str, Any] = {"hidden_layer_sizes": (128,), "max_iter": 40, "batch_size": 32}
    settings["random_state"] = seed
    ours, theirs = MLPClassifier(**settings, verbose=True), Peer(**settings)
    parts = split((X / 16).astype(np.float32), y, seed)
    outcome = compare("classification", "digits", "accuracy", ours, theirs, parts)
    outcome.picture = {"true": parts[3], "predicted": ours.predict(parts[1])}
    return outcome


def mnist(seed: int) -> Outcome:
    """Classification: handwritten digits of 28 x 28 pixels, a hundred of each."""
    from sklearn.neural_network import MLPClassifier as Peer

    from fastnn import MLPClassifier, datasets

    X, y, X_test, y_test = datasets.load_mnist_sample()
    settings: dict[str, Any] = {"hidden_layer_sizes": (256, 128), "max_iter": 10, "batch_size": 32}
    settings["random_state"] = seed
    ours, theirs = MLPClassifier(**settings, verbose=True), Peer(**settings)
    parts = (X, X_test, y, y_test)
    return compare("classification", "MNIST sample", "accuracy", ours, theirs, parts)


def recommender(seed: int) -> Outcome:
    """Recommendation: ratings of MovieLens if it was fetched, else made with a known structure."""
    from fastnn import RatingRecommender, datasets

    if datasets.is_here("movielens-small"):
        name, ratings = "MovieLens", datasets.fetch_movielens_small()
    else:
        name, ratings = "made ratings", datasets.make_ratings(2000, 1000, 100_000, seed=seed)
    order = np.random.default_rng(seed).permutation(len(ratings["rating"]))
    cut = len(order) // 10
    test, train = (
        {key: ratings[key][rows] for key in ratings} for rows in (order[:cut], order[cut:])
    )
    ours = RatingRecommender(random_state=seed, verbose=True)
    start = time.perf_counter()
    ours.fit(train)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    baseline = predict_biases(train, test)
    peer_seconds = time.perf_counter() - start
    error, bias_error = (
        float(np.sqrt(np.square(found - test["rating"]).mean()))
        for found in (ours.predict(test), baseline)
    )
    picture = {"vectors": ours.item_embeddings_, "values": ours.item_biases_}
    return Outcome(
        "recommendation",
        name,
        len(order) - cut,
        "RMSE",
        error,
        "biases",
        bias_error,
        seconds,
        peer_seconds,
        picture,
    )


def autoencoder(seed: int) -> Outcome:
    """Autoencoder: digits from a code of 16; scikit-learn's regressor learns X from X."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPRegressor as Peer

    from fastnn import Autoencoder

    X = (load_digits().data / 16).astype(np.float32)
    X_train, X_test, _, _ = split(X, X, seed)
    settings: dict[str, Any] = {"max_iter": 100, "batch_size": 32, "random_state": seed}
    ours = Autoencoder((64, 16), **settings, verbose=True)
    theirs = Peer(hidden_layer_sizes=(64, 16, 64), alpha=0.0, **settings)
    seconds, peer_seconds = (clock(model, X_train, X_train) for model in (ours, theirs))
    error = -ours.score(X_test)
    peer_error = float(np.square(theirs.predict(X_test) - X_test).mean())
    shown = X_test[:7]
    restored = ours.inverse_transform(ours.transform(shown))
    return Outcome(
        "autoencoder",
        "digits",
        len(X_train),
        "MSE",
        error,
        "scikit-learn",
        peer_error,
        seconds,
        peer_seconds,
        {"digits": shown, "restored": restored},
    )


JOBS = (flights, diabetes, digits, mnist, recommender, autoencoder)


def split(X: Array, y: Array, seed: int) -> tuple[Array, Array, Array, Array]:
    """Return X_train, X_test, y_train, y_test with a fifth of the rows held out."""
    from sklearn.model_selection import train_test_split

    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
    return X_train, X_test, y_train, y_test


def compare(
    task: str, data: str, metric: str, ours: Any, theirs: Any, parts: tuple[Array, ...]
) -> Outcome:
    """Train ours and scikit-learn's on the same rows and score both on those held out."""
    X_train, X_test, y_train, y_test = parts
    seconds, peer_seconds = (clock(model, X_train, y_train) for model in (ours, theirs))
    scores = [float(model.score(X_test, y_test)) for model in (ours, theirs)]
    return Outcome(
        task,
        data,
        len(X_train),
        metric,
        scores[0],
        "scikit-learn",
        scores[1],
        seconds,
        peer_seconds,
    )


def clock(model: Any, X: Array, y: Array) -> float:
    """Return the seconds of a fit."""
    start = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - start


def predict_biases(train: dict[str, Array], test: dict[str, Array], damping: float = 10) -> Array:
    """Return mean + item bias + user bias, each a mean residual damped by so many ratings."""
    mean = float(train["rating"].mean())
    rest, found = train["rating"] - mean, np.full(len(test["rating"]), mean)
    for name in ("item", "user"):
        ids, codes = np.unique(np.concatenate([train[name], test[name]]), return_inverse=True)
        seen, asked = codes[: len(rest)], codes[len(rest) :]
        sums = np.bincount(seen, rest, len(ids))
        bias = sums / (np.bincount(seen, minlength=len(ids)) + damping)
        rest, found = rest - bias[seen], found + bias[asked]
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as lines of text in columns."""
    lines = [HEAD]
    for outcome in outcomes:
        comparable = outcome.peer == "scikit-learn"
        ratio = f"{outcome.peer_seconds / outcome.seconds:.1f}" if comparable else "-"
        lines.append(
            (
                outcome.task,
                outcome.data,
                f"{outcome.rows:,}",
                outcome.metric,
                f"{outcome.ours:.4f}",
                outcome.peer,
                f"{outcome.theirs:.4f}",
                f"{outcome.seconds:.2f}",
                f"{outcome.peer_seconds:.2f}",
                ratio,
            )
        )
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEAD))]
    left = {0, 1, 3, 5}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the picture of the four kinds of model."""
    from matplotlib.figure import Figure

    from fastnn import plots

    by_task: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        if outcome.picture:
            by_task[outcome.task] = outcome.picture
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    panels: list[tuple[str, Callable[[Any], Any]]] = [
        ("regression: flights", lambda ax: plots.history(by_task["regression"], ax)),
        (
            "classification: digits",
            lambda ax: plots.confusion(
                by_task["classification"]["true"], by_task["classification"]["predicted"], ax
            ),
        ),
        (
            "recommendation: items by taste, colour is the bias",
            lambda ax: plots.map(
                by_task["recommendation"]["vectors"], by_task["recommendation"]["values"], ax=ax
            ),
        ),
        (
            "autoencoder: 64 pixels from a code of 16",
            lambda ax: plots.images(by_task["autoencoder"], (8, 8), ax),
        ),
    ]
    for ax, (title, plot) in zip(axes, panels, strict=True):
        plot(ax)
        ax.set_title(title)
    figure.savefig(path, dpi=120)
