"""Tables of vectors: rows by id, bags of rows, and gradients row by row."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .layer import Array, Gradient, Gradients, Layer, RowGradient, Run, Shape

BAG_MODES = ("sum", "mean", "sqrtn", "max")
STORAGES = ("float32", "bfloat16")
SPARSE_UPDATES = ("touched", "exact", "dense")


def embedding_forward(v: Array, ids: Array) -> Array:
    """y[..., d] = v[ids[...], d]."""
    return v[ids]


def embedding_backward(ids: Array, dy: Array) -> RowGradient:
    """Sum dy[..., d] by id: one row for each id that occurs."""
    rows, position = np.unique(ids.ravel(), return_inverse=True)
    values = np.zeros((len(rows), dy.shape[-1]), dy.dtype)
    np.add.at(values, position.ravel(), dy.reshape(-1, dy.shape[-1]))
    return RowGradient(rows.astype(np.int64), values)


def _bag_shares(weights: Array, mode: str) -> tuple[Array, Array]:
    """Share of each id in its bag, and what weights were divided by: both (m, k) and (m, 1)."""
    if mode == "sum":
        divisor = np.ones_like(weights[:, :1])
    elif mode == "mean":
        divisor = weights.sum(axis=1, keepdims=True)
    else:
        divisor = np.sqrt(np.square(weights).sum(axis=1, keepdims=True))
    divisor = np.where(divisor == 0, 1, divisor)
    return weights / divisor, divisor


def bag_forward(v: Array, ids: Array, weights: Array, held: Array, mode: str) -> Array:
    """Reduce the rows of each bag to one: y[m, d] from ids[m, k] and weights[m, k].

    ``sum`` gives S = sum w v[id], ``mean`` S / sum w, ``sqrtn`` S / sqrt(sum w^2), ``max`` the
    largest value of each column. Where ``held[m, k]`` is false the id is padding and counts for
    nothing. A bag with nothing in it gives zeros.
    """
    if mode == "max":
        return _bag_max(v, ids, held)[0]
    shares, _ = _bag_shares(weights * held, mode)
    y: Array = np.einsum("mk,mkd->md", shares, v[ids])
    return y


def _bag_max(v: Array, ids: Array, held: Array) -> tuple[Array, Array]:
    """Largest value per bag and column (m, d), and the place in the bag it came from (m, d)."""
    values = np.where(held[:, :, None], v[ids], -np.inf)
    place = values.argmax(axis=1)
    largest = np.take_along_axis(values, place[:, None, :], axis=1)[:, 0]
    empty = ~held.any(axis=1, keepdims=True)
    return np.where(empty, 0, largest).astype(v.dtype), place


def bag_backward(
    v: Array, ids: Array, weights: Array, held: Array, mode: str, dy: Array
) -> tuple[RowGradient, Array]:
    """Gradients of the table's touched rows and of the weights (zeros for ``max``)."""
    if mode == "max":
        place = _bag_max(v, ids, held)[1]
        chosen = place[:, None, :] == np.arange(ids.shape[1])[None, :, None]
        dvectors = (chosen * dy[:, None, :]).astype(dy.dtype)
        dweights = np.zeros_like(weights)
    else:
        shares, divisor = _bag_shares(weights * held, mode)
        dvectors = shares[:, :, None] * dy[:, None, :]
        along = np.einsum("mkd,md->mk", v[ids], dy)
        total = (shares * along).sum(axis=1, keepdims=True)
        slope = {"sum": 0, "mean": 1, "sqrtn": shares}[mode]
        dweights = held * (along - slope * total) / divisor
    return embedding_backward(ids[held], dvectors[held]), dweights


class Embedding(Layer):
    """A vector per id."""

    settings: ClassVar = {
        "input_dim": None,
        "output_dim": None,
        "sparse_update": "touched",
        "storage": "float32",
        "file": "",
        "table": "",
        "embeddings_l1": 0.0,
        "embeddings_l2": 0.0,
        "trainable": 1,
    }
    takes_ids: ClassVar = True
    tables: ClassVar = ("embeddings",)

    def add_table(self) -> None:
        """Check the settings of a table and make it."""
        self.check_number("input_dim", 1)
        self.check_number("output_dim", 1)
        self.check_number("embeddings_l1", 0)
        self.check_number("embeddings_l2", 0)
        self.check_word("sparse_update", SPARSE_UPDATES)
        self.check_word("storage", STORAGES)
        if self.holds_halves("embeddings"):
            update = self.config["sparse_update"]
            self.check(update == "touched", "sparse_update touched for storage bfloat16", update)
            self.check(
                self.dtype == np.float32, f"storage float32 for dtype {self.dtype}", "bfloat16"
            )
        self.check(not self.config["file"], "no file with the NumPy backend", self.config["file"])
        shape = int(self.config["input_dim"]), int(self.config["output_dim"])
        if self.owner is None:
            self.add_parameter("embeddings", shape)
        else:
            held = self.table().shape
            self.check(held == shape, f"a table of shape {shape} to share", f"shape {held}")

    def table(self) -> Array:
        """Return the table that is looked up, this layer's or an earlier one's."""
        return (self.owner or self).parameters["embeddings"]

    def row_shape(self) -> Shape:
        self.add_table()
        return (*self.shapes[0], int(self.config["output_dim"]))

    def table_gradient(self, rows: RowGradient) -> dict[str, Gradient]:
        """Rows as they are, or the whole table if every row is to be updated.

        What "exact" does is what "dense" does; only the core puts it off.
        """
        if self.config["sparse_update"] != "touched":
            return {"embeddings": rows.to_dense(len(self.table()))}
        return {"embeddings": rows}

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        return embedding_forward(self.table(), inputs[0]), inputs[0]

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [None], self.table_gradient(embedding_backward(saved, dy))


class EmbeddingBag(Embedding):
    """The vectors of several ids, reduced to one."""

    settings: ClassVar = {**Embedding.settings, "mode": "mean", "padding_idx": -1}
    n_inputs: ClassVar = (1, 2)

    def row_shape(self) -> Shape:
        self.add_table()
        self.check_word("mode", BAG_MODES)
        halves = self.holds_halves("embeddings")
        self.check(not halves, "storage float32 for a bag", "bfloat16")
        self.check_number("padding_idx", -1, self.config["input_dim"] - 1)
        self.check(len(self.shapes[0]) == 1, "ids of rank 1", f"shape {self.shapes[0]}")
        self.check_equal_shapes()
        if len(self.shapes) == 2:
            self.check(self.config["mode"] != "max", "no weights in mode max", "weights")
        return (int(self.config["output_dim"]),)

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        ids = inputs[0]
        weights = inputs[1] if len(inputs) == 2 else np.ones(ids.shape, self.dtype)
        held = ids != self.config["padding_idx"]
        saved = ids, weights, held, self.config["mode"]
        return bag_forward(self.table(), *saved), saved

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        ids, weights, held, mode = saved
        rows, dweights = bag_backward(self.table(), ids, weights, held, mode, dy)
        dx: list[Array | None] = [None, dweights]
        return dx[: len(self.shapes)], self.table_gradient(rows)
