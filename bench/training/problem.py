"""Problems all sides get: the same arrays, initial weights, batches, loss and learning rate."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fastnn.reference.rng import epoch_order
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SEED = 7
EPSILON = 1e-8  # of Adam, on every side
CHECK_STEPS = 10


def batches(n_rows: int, batch: int, steps: int = CHECK_STEPS) -> Ints:
    """Rows of the first steps of epoch 0, shape (steps, batch), in the order fastnn visits them."""
    order = epoch_order(SEED, 0, n_rows)
    steps = min(steps, n_rows // batch)
    return np.asarray(order[: steps * batch], np.int64).reshape(steps, batch)


@dataclass(frozen=True)
class Dense:
    """A chain of dense layers trained with Adam.

    `y` holds int64 labels (n,) for the loss "categorical", float32 (n, outputs) for "mse".
    """

    x: Floats
    y: Floats | Ints
    units: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str
    batch: int
    learning_rate: float = 1e-3
    noise: float = 0.0  # standard deviation of the noise added to x while training
    code_l1: float = (
        0.0  # activity penalty on the narrowest layer, divided by the rows of the batch
    )
    precision: str = "float32"  # or "bf16": factors of products rounded, sums in float32

    @property
    def code(self) -> int:
        """Position of the narrowest layer."""
        return self.units.index(min(self.units))

    def weights(self) -> list[tuple[Floats, Floats]]:
        """Initial (kernel (k, n), bias (n,)) of each layer: uniform Glorot, zero bias."""
        rng = np.random.default_rng(SEED)
        sizes = (self.x.shape[1], *self.units)
        layers = []
        for k, n in itertools.pairwise(sizes):
            bound = np.sqrt(6 / (k + n))
            layers.append(
                (rng.uniform(-bound, bound, (k, n)).astype(np.float32), np.zeros(n, np.float32))
            )
        return layers

    def batches(self) -> Ints:
        return batches(len(self.x), self.batch)

    def operations(self) -> float:
        """Multiplications and additions to train on one row: three products, but no first dx."""
        products = [w.size for w, _ in self.weights()]
        return 2.0 * (3 * sum(products) - products[0])


@dataclass(frozen=True)
class Convolution:
    """Blocks of 3 x 3 convolutions, relu, each block ended by a 2 x 2 maximum; then dense layers.

    x (n, side, side, c), labels (n,), n a multiple of the batch; relu between the dense layers,
    softmax after the last; Adam.
    """

    x: Floats
    y: Ints
    blocks: tuple[tuple[int, ...], ...]  # filters
    padding: str  # "same" or "valid"
    units: tuple[int, ...]
    batch: int
    learning_rate: float = 1e-3
    precision: str = "float32"

    def sizes(self) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
        """(output pixels a side, channels, filters) of each convolution; (k, n) of each dense."""
        _, side, _, channels = self.x.shape
        convolutions = []
        for block in self.blocks:
            for filters in block:
                side -= 0 if self.padding == "same" else 2
                convolutions.append((side, channels, filters))
                channels = filters
            side //= 2
        widths = (side * side * channels, *self.units)
        return convolutions, list(itertools.pairwise(widths))

    def weights(self) -> list[tuple[Floats, Floats]]:
        """Initial (kernel, bias) of each layer: uniform He for convolutions, Glorot for dense."""
        rng = np.random.default_rng(SEED)
        convolutions, dense = self.sizes()
        kernels = [
            rng.uniform(-1, 1, (3, 3, c, f)) * np.sqrt(6 / (9 * c)) for _, c, f in convolutions
        ]
        kernels += [rng.uniform(-1, 1, (k, n)) * np.sqrt(6 / (k + n)) for k, n in dense]
        return [(w.astype(np.float32), np.zeros(w.shape[-1], np.float32)) for w in kernels]

    def batches(self) -> Ints:
        return batches(len(self.x), self.batch)

    def operations(self, winograd: bool = False) -> float:
        """Multiplications and additions to train on one image.

        Forward, and both gradients but the first layer's towards the image. Winograd F(4x4, 3x3)
        multiplies 36 numbers where the sum takes 144, from 16 channels up; transforms not counted.
        """
        convolutions, dense = self.sizes()
        products = 0
        for i, (side, c, f) in enumerate(convolutions):
            tiles = 36 * (-(-side // 4)) ** 2 if winograd and c >= 16 else 9 * side**2
            products += (3 if i else 2) * tiles * c * f
        return 2.0 * (products + 3 * sum(k * n for k, n in dense))


@dataclass(frozen=True)
class Prediction:
    """The untrained network predicts `x`."""

    network: Dense
    x: Floats


@dataclass(frozen=True)
class Ratings:
    """Factorisation with biases: sigmoid(u . i + bu + bi) scaled to `low`..`high`, MSE, Adam."""

    users: Ints
    items: Ints
    ratings: Floats
    n_users: int
    n_items: int
    width: int
    batch: int
    learning_rate: float = 1e-3
    low: float = 0.5
    high: float = 5.5

    def weights(self) -> dict[str, Floats]:
        """Initial tables: user, item (rows, width); user_bias, item_bias (rows, 1)."""
        rng = np.random.default_rng(SEED)
        shapes = {
            "user": (self.n_users, self.width),
            "item": (self.n_items, self.width),
            "user_bias": (self.n_users, 1),
            "item_bias": (self.n_items, 1),
        }
        return {k: rng.normal(0, 0.1, s).astype(np.float32) for k, s in shapes.items()}

    def batches(self) -> Ints:
        return batches(len(self.users), self.batch)


def images(n_rows: int, data: Path | None) -> tuple[Floats, Ints]:
    """Images (n, 784) in 0..1 with labels: MNIST from `data`, else noisy patterns."""
    if data is not None:
        stored = np.load(data / "mnist" / "mnist.npz")
        x = stored["x_train"][:n_rows].reshape(-1, 784) / np.float32(255)
        return x, stored["y_train"][:n_rows].astype(np.int64)
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, 10, n_rows)
    patterns = rng.random((10, 784), dtype=np.float32) * (rng.random((10, 784)) < 0.2)
    x = patterns[labels] * rng.random((n_rows, 784), dtype=np.float32)
    return np.ascontiguousarray(x, np.float32), labels


def pictures(n_rows: int, side: int, channels: int) -> tuple[Floats, Ints]:
    """Images (n, side, side, channels) in 0..1 with labels: noisy patterns of ten classes."""
    rng = np.random.default_rng(SEED)
    shape = (side, side, channels)
    labels = rng.integers(0, 10, n_rows)
    patterns = rng.random((10, *shape), dtype=np.float32)
    x = rng.random((n_rows, *shape), dtype=np.float32)
    x *= patterns[labels]
    return x, labels


def table(n_rows: int, data: Path | None) -> tuple[Floats, Floats]:
    """Eight standard inputs, one target (n, 1): California housing from `data`, else made."""
    if data is not None:
        stored = np.load(data / "california_housing" / "california_housing.npz")
        x = stored["X"][:n_rows]
        y = stored["y"][:n_rows, None]
        return ((x - x.mean(0)) / x.std(0)).astype(np.float32), y.astype(np.float32)
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(n_rows, 8))
    y = np.sin(x[:, :1] * 2) + x[:, 1:2] * x[:, 2:3] + 0.1 * rng.normal(size=(n_rows, 1))
    return x.astype(np.float32), y.astype(np.float32)


def ratings(n_rows: int, n_users: int, n_items: int) -> tuple[Ints, Ints, Floats]:
    """Ratings 1..5 from a planted model of rank 8, ids by Zipf's law."""
    rng = np.random.default_rng(SEED)

    def draw(n: int) -> Ints:
        popularity = 1 / np.arange(10, n + 10) ** 0.8
        ids = rng.choice(n, n_rows, p=popularity / popularity.sum())
        return rng.permutation(n)[ids].astype(np.int64)

    users, items = draw(n_users), draw(n_items)
    u, v = rng.normal(size=(n_users, 8)), rng.normal(size=(n_items, 8))
    score = 3.5 + 0.35 * np.einsum("nd,nd->n", u[users], v[items]) + 0.5 * rng.normal(size=n_rows)
    return users, items, np.clip(np.rint(score), 1, 5).astype(np.float32)
