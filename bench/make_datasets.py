"""Make the bundled samples of python/fastnn/datasets again.

python -m bench.make_datasets FOLDER      FOLDER holds mnist/mnist.npz and flights/flights.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

TARGET = Path(__file__).parents[1] / "python" / "fastnn" / "datasets"
SEED = 2013
FLIGHT_ROWS = 20_000
NUMERIC = ("month", "day", "hour", "minute", "dep_delay", "distance", "air_time", "arr_delay")
CATEGORICAL = ("carrier", "origin", "dest", "tailnum")


def choose_per_class(labels: npt.NDArray[np.uint8], n: int, seed: int) -> npt.NDArray[np.intp]:
    """Positions of n examples of each class, in the order of the file."""
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(labels == c), n, replace=False) for c in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def mnist_sample(folder: Path) -> dict[str, npt.NDArray[np.generic]]:
    """100 training and 20 test images of each digit, uint8."""
    with np.load(folder / "mnist" / "mnist.npz") as file:
        train = choose_per_class(file["y_train"], 100, SEED)
        test = choose_per_class(file["y_test"], 20, SEED)
        return {
            "x_train": file["x_train"][train].reshape(-1, 784),
            "y_train": file["y_train"][train],
            "x_test": file["x_test"][test].reshape(-1, 784),
            "y_test": file["y_test"][test],
        }


def flights_sample(folder: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Rows of flights that arrived, in the order of the year; words as codes and a vocabulary."""
    import pandas as pd

    table = pd.read_parquet(folder / "flights" / "flights.parquet").dropna(subset=["arr_delay"])
    rows = np.random.default_rng(SEED).choice(len(table), FLIGHT_ROWS, replace=False)
    table = table.iloc[np.sort(rows)]
    arrays: dict[str, npt.NDArray[np.generic]] = {
        name: table[name].to_numpy().astype(np.int16) for name in NUMERIC
    }
    for name in CATEGORICAL:
        words, codes = np.unique(table[name].to_numpy().astype(str), return_inverse=True)
        arrays[name] = codes.astype(np.uint8 if len(words) <= 256 else np.uint16)
        arrays[name + "_words"] = words.astype("S")
    return arrays


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.make_datasets", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for stem, arrays in (("mnist", mnist_sample(folder)), ("flights", flights_sample(folder))):
        path = TARGET / stem / f"{stem}_sample.npz"
        path.parent.mkdir(exist_ok=True)
        np.savez_compressed(path, allow_pickle=False, **arrays)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
