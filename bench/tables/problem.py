"""Problems of large tables that all sides get: the same ids, initial rows, targets and rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.training.problem import SEED, Floats, Ints, batches

LEARNING_RATE = 0.05
EPSILON = 1e-8  # of Adagrad, on every side; its sums of squares start at zero
PAIR_RATE, PAIR_DECAY, CHECK_EPOCHS = 0.05, 0.01, 30  # of the ranking of pairs


@dataclass(frozen=True)
class Lookups:
    """Rows of a table, or sums of bags of rows, move by Adagrad.

    ids (n,) or (n, bag), targets (n,). The loss is the mean square of target - row . direction, so
    the gradient of a row takes no reading but that of the row. Peers are handed such gradients
    while they are timed.
    """

    ids: Ints
    targets: Floats
    rows: int
    width: int
    batch: int
    rowwise: bool = False  # one sum of squares a row, to which the mean over its columns is added

    @property
    def lookups(self) -> int:
        """Rows that an example looks up."""
        return 1 if self.ids.ndim == 1 else self.ids.shape[1]

    @property
    def direction(self) -> Floats:
        return np.linspace(-1, 1, self.width, dtype=np.float32)

    @cached_property
    def table(self) -> Floats:
        """Initial rows (rows, width); peers train it in place."""
        shape = (self.rows, self.width)
        table: Floats = np.random.default_rng(SEED).random(shape, np.float32)
        table -= np.float32(0.5)
        return table

    def batches(self) -> Ints:
        return batches(len(self.ids), self.batch)


def lookups(n_examples: int, bag: int, rows: int, exponent: float) -> Ints:
    """Ids (n,) or, for a bag, (n, bag): uniform, or by Zipf's law with the ranks scattered."""
    rng = np.random.default_rng(SEED)
    shape = (n_examples, bag) if bag > 1 else (n_examples,)
    if not exponent:
        return np.asarray(rng.integers(0, rows, shape))
    share = np.cumsum(np.arange(1, rows + 1, dtype=np.float64) ** -exponent)
    ranks = np.searchsorted(share, rng.random(shape) * share[-1])
    return np.asarray(rng.permutation(rows)[ranks])


@dataclass(frozen=True)
class Classes:
    """Which of many items comes next for a user: softmax over the label and shared negatives.

    Score of an item: the product of its row and the user's. `negatives` items are drawn for every
    batch by q(i) = log((i + 2) / (i + 1)) / log(n_items + 1); their scores lose log(negatives q),
    and one that is a row's label counts for nothing in that row. Adagrad.
    """

    users: Ints
    labels: Ints
    n_users: int
    n_items: int
    width: int
    batch: int
    negatives: int

    def weights(self) -> dict[str, Floats]:
        """Initial tables: user (n_users, width), item (n_items, width)."""
        rng = np.random.default_rng(SEED)
        shapes = {"user": (self.n_users, self.width), "item": (self.n_items, self.width)}
        return {k: 0.2 * rng.random(s, np.float32) - np.float32(0.1) for k, s in shapes.items()}

    def batches(self) -> Ints:
        return batches(len(self.labels), self.batch)

    def operations(self) -> float:
        """Multiplications and additions of an example: scores, both gradients of the product."""
        return 2.0 * 3 * self.negatives * self.width


def log_uniform(n_draws: int, n_items: int) -> Ints:
    """Ids that fall off as those of `Classes.negatives` do: frequent ones first."""
    u = np.random.default_rng(SEED).random(n_draws)
    ids: Ints = np.minimum(np.exp(u * np.log(n_items + 1)) - 1, n_items - 1).astype(np.int64)
    return ids


@dataclass(frozen=True)
class Pairs:
    """Which of two items a user prefers: one they had, or one drawn in proportion to its count."""

    users: Ints
    items: Ints
    n_users: int
    n_items: int
    width: int
    batch: int

    def told_apart(self, users: Floats, items: Floats) -> Floats:
        """How often the product of these rows ranks what a user had above what is drawn."""
        rng = np.random.default_rng(SEED)
        shown = rng.integers(0, len(self.items), 50_000)
        drawn = self.items[rng.integers(0, len(self.items), len(shown))]
        difference = items[self.items[shown]] - items[drawn]
        ahead = np.einsum("nd,nd->n", users[self.users[shown]], difference) > 0
        return np.array([ahead.mean()], np.float32)
