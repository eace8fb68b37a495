"""Small real data sets, a maker of ratings, and a downloader with checksums."""

from fastnn.datasets.download import CATALOGUE, Download, data_folder, fetch, is_here
from fastnn.datasets.samples import (
    fetch_mnist,
    fetch_movielens_small,
    load_flights,
    load_mnist_sample,
    make_ratings,
)

__all__ = [
    "CATALOGUE",
    "Download",
    "data_folder",
    "fetch",
    "fetch_mnist",
    "fetch_movielens_small",
    "is_here",
    "load_flights",
    "load_mnist_sample",
    "make_ratings",
]
