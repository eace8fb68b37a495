"""Small real data, makers of points and ratings, a reader of tables, checked downloads."""

from fastnn.datasets.download import CATALOGUE, Download, data_folder, fetch, is_here
from fastnn.datasets.points import make_points
from fastnn.datasets.samples import (
    fetch_mnist,
    fetch_movielens_small,
    load_flights,
    load_mnist_sample,
    make_ratings,
)
from fastnn.datasets.tables import Table, read_csv

__all__ = [
    "CATALOGUE",
    "Download",
    "Table",
    "data_folder",
    "fetch",
    "fetch_mnist",
    "fetch_movielens_small",
    "is_here",
    "load_flights",
    "load_mnist_sample",
    "make_points",
    "make_ratings",
    "read_csv",
]
