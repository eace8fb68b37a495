"""Does a model learn as well as it should: held-out figures on real data against their targets.

examples:
  python -m bench.quality --data FOLDER             all; FOLDER holds movielens_small/, mnist/,
                                                    fashion_mnist/, emoji32/
  python -m bench.quality movielens --data FOLDER   one of movielens, mnist, autoencoder,
                                                    mnist_images, mnist_bf16, fashion_images,
                                                    emoji_images
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import describe
from bench.timing import seconds_of

RESULTS = Path(__file__).parent / "results"
SEEDS = range(5)
Row = dict[str, Any]


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


def mnist_images(folder: Path) -> list[Row]:
    """Test accuracy of a small convolutional net after 5 epochs on images that move by a pixel."""
    from fastnn.layers import RandomTranslation

    with np.load(folder / "mnist" / "mnist.npz") as file:
        train, test = (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])
    model = small_network([RandomTranslation(1, 1)])
    accuracy, seconds = learned(model, train, test, epochs=5)
    return [row("mnist images accuracy", accuracy, accuracy >= 0.992, ">= 0.992", [seconds])]


def mnist_bf16(folder: Path) -> list[Row]:
    """How much less accurate 784-256-128-10 is in bfloat16: means of 5 seeds, 10 epochs each."""
    from fastnn import Sequential, layers

    with np.load(folder / "mnist" / "mnist.npz") as file:
        x, x_test = (file[name].reshape(-1, 784) for name in ("x_train", "x_test"))
        train, test = (x, file["y_train"]), (x_test, file["y_test"])
    chain = [layers.Rescaling(1 / 255), layers.Dense(256, "relu"), layers.Dropout(0.2)]
    chain += [layers.Dense(128, "relu"), layers.Dense(10, "softmax")]
    means, seconds = [], []
    for precision in ("float32", "bf16"):
        models = [
            Sequential(chain, input_shape=784, seed=seed, precision=precision) for seed in SEEDS
        ]
        found = [learned(model, train, test, epochs=10, batch=256) for model in models]
        means.append(float(np.mean([accuracy for accuracy, _ in found])))
        seconds += [used for _, used in found]
    loss = means[0] - means[1]
    return [row("mnist accuracy lost in bf16", loss, loss <= 1e-3, "<= 0.001", seconds)]


def fashion_images(folder: Path) -> list[Row]:
    """Accuracy of the same net on rows 50,000 and up, after 10 epochs on flipped images."""
    from fastnn.layers import RandomFlip

    with np.load(folder / "fashion_mnist" / "fashion_mnist_train.npz") as file:
        x, y = file["x_train"], file["y_train"]
    train, test = (x[:50_000], y[:50_000]), (x[50_000:], y[50_000:])
    accuracy, seconds = learned(small_network([RandomFlip()]), train, test, epochs=10)
    return [row("fashion images accuracy", accuracy, accuracy >= 0.915, ">= 0.915", [seconds])]


def emoji_images(folder: Path) -> list[Row]:
    """Mean test accuracy over seeds: 3,022 colour images, so moves and regularisation decide."""
    with np.load(folder / "emoji32" / "emoji32.npz") as file:
        train, test = (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])
    models = [emoji_network(seed) for seed in range(3)]
    found = [learned(model, train, test, epochs=120, decay=0.5) for model in models]
    values, seconds = [round(value, 4) for value, _ in found], [used for _, used in found]
    mean = float(np.mean(values))
    return [row("emoji images accuracy", mean, mean >= 0.72, ">= 0.72", seconds, values=values)]


def convolutions(*filters: int, drop: float = 0.0) -> list[Any]:
    """Convolutions 3 x 3, each normalised and followed by relu; then a maximum of 2 x 2."""
    from fastnn import layers

    chain: list[Any] = []
    for n in filters:
        chain.append(layers.Conv2D(n, 3, padding="same", use_bias=False))
        chain += [layers.BatchNormalization(momentum=0.9), layers.Activation("relu")]
    return [*chain, layers.MaxPooling2D(2), *([layers.Dropout(drop)] if drop else [])]


def small_network(moves: list[Any]) -> Any:
    """Images of 28 x 28 moved, then 32, 64 and 128 filters, and a dense layer of 128."""
    from fastnn import Sequential, layers

    blocks = [*convolutions(32), *convolutions(64), *convolutions(128), layers.Flatten()]
    head = [layers.Dropout(0.3), layers.Dense(128, "relu"), layers.Dropout(0.3)]
    chain = [layers.Rescaling(1 / 255), *moves, *blocks, *head, layers.Dense(10, "softmax")]
    return Sequential(chain, input_shape=(28, 28, 1), seed=0)


def emoji_network(seed: int) -> Any:
    """Images of 32 x 32 flipped and shifted, then blocks of 32 to 256 filters and their means."""
    from fastnn import Sequential, layers

    chain = [
        layers.Rescaling(1 / 255, -0.5),
        layers.RandomFlip(),
        layers.RandomTranslation(5, 5, fill="nearest"),
        *(layer for n in (32, 64, 128) for layer in convolutions(n, drop=0.2)),
        *convolutions(256)[:-1],  # their mean in place of the maximum
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.3),
        layers.Dense(10, "softmax"),
    ]
    return Sequential(chain, input_shape=(32, 32, 3), seed=seed)


def learned(
    model: Any, train: Any, test: Any, epochs: int, batch: int = 64, decay: float = 0.05
) -> tuple[float, float]:
    """Train with AdamW, one cycle of its rate; test accuracy and seconds."""
    from fastnn import optimizers, schedules

    rate = schedules.OneCycle(2e-3)
    optimizer = optimizers.AdamW(rate, weight_decay=decay)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    seconds = seconds_of(lambda: model.fit(*train, batch_size=batch, epochs=epochs))
    return float(model.evaluate(*test)["accuracy"]), seconds


def row(
    name: str, value: float, reached: Any, target: str, seconds: list[float], **more: Any
) -> Row:
    """One figure, its target and the median of the seconds of training, if any."""
    middle = round(float(np.median(seconds)), 3) if seconds else None
    return {
        "name": name,
        "value": value,
        "target": target,
        "reached": bool(reached),
        "seconds": middle,
        **more,
    }


QUALITIES: dict[str, Callable[[Path], list[Row]]] = {
    "mnist": mnist,
    "autoencoder": autoencoder,
    "mnist_images": mnist_images,
    "mnist_bf16": mnist_bf16,
    "fashion_images": fashion_images,
    "emoji_images": emoji_images,
}


def record(path: Path, rows: list[Row], versions: Mapping[str, str] | None = None) -> None:
    """Write rows to a result file, in place of those of the same names; others stay."""
    origin = describe()
    origin["versions"] = dict(versions or origin["versions"])
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {row["name"]: row for row in known}
    for item in rows:
        found[item["name"]] = {**item, "isa": origin["machine"]["isa"], "date": origin["date"][:10]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**origin, "rows": list(found.values())}, indent=1) + "\n")


def measure(figures: Mapping[str, Callable[[Path], list[Row]]], text: str | None, stem: str) -> int:
    """Print the figures asked for on the command line, and keep them in the result file."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{stem}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="*", help=f"of {' '.join(figures)}; all by default")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: bench/results")
    args = parser.parse_args()
    if unknown := set(args.name) - set(figures):
        parser.error(f"name: expected some of {', '.join(figures)}, got {', '.join(unknown)}")
    warnings.filterwarnings("ignore", message="max_iter")
    rows = []
    for name in args.name or figures:
        for found in figures[name](args.data):
            mark = "reached" if found["reached"] else "MISSED"
            figure = f"{found['value']:<12.5g} {found['target']:<10} {mark}"
            print(f"{found['name']:<32} {figure}  {found['seconds']:.2f} s", flush=True)
            rows.append(found)
    record(args.out / f"{stem}.json", rows)
    return 0 if all(found["reached"] for found in rows) else 1


if __name__ == "__main__":
    sys.exit(measure(QUALITIES, __doc__, "quality"))
