"""Scores of many classes: inner products with the rows of a table."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .embedding import embedding_backward
from .layer import Array, Gradient, Gradients, Layer, RowGradient, Run, Shape


def compose_rows(
    embeddings: Array, feature_embeddings: Array, features: Array, weights: Array, ids: Array
) -> Array:
    """v[..., d] = embeddings[id] + sum over s of weights[id, s] * feature_embeddings[feature].

    A feature of -1 is none.
    """
    chosen = features[ids].astype(np.int64)
    held = np.where(chosen >= 0, weights[ids], 0)
    shares: Array = np.einsum("...s,...sd->...d", held, feature_embeddings[chosen])
    return embeddings[ids] + shares


class Scores(Layer):
    """The input's inner product with a vector of each class."""

    settings: ClassVar = {
        "units": None,
        "use_bias": 1,
        "sparse_update": "touched",
        "n_features": 0,
        "features_per_unit": 0,
        "embeddings_l1": 0.0,
        "embeddings_l2": 0.0,
        "trainable": 1,
    }
    statistics: ClassVar = ("features", "feature_weights")
    tables: ClassVar = ("embeddings", "feature_embeddings")

    def row_shape(self) -> Shape:
        for name in ("units", "n_features", "features_per_unit"):
            self.check_number(name, int(name == "units"))
        self.check_number("embeddings_l1", 0)
        self.check_number("embeddings_l2", 0)
        self.check_word("sparse_update", ("touched", "dense"))
        shape = self.shapes[0]
        self.check(len(shape) == 1, "an input of shape (d,)", f"shape {shape}")
        units, n_features = int(self.config["units"]), int(self.config["n_features"])
        per_unit = int(self.config["features_per_unit"])
        ok = (per_unit > 0) == (n_features > 0)
        self.check(ok, "features_per_unit of at least 1 with n_features, else 0", per_unit)
        self.add_parameter("embeddings", (units, *shape))
        if self.config["use_bias"]:
            self.add_parameter("bias", (units,))
        if n_features:
            self.add_parameter("feature_embeddings", (n_features, *shape))
            self.add_parameter("features", (units, per_unit))
            self.add_parameter("feature_weights", (units, per_unit))
            self.parameters["features"][...] = -1
        return (units,)

    def penalty(self, name: str) -> tuple[float, float]:
        """L1 and L2 factors of a parameter; those of features are the vectors'."""
        return super().penalty("embeddings" if name == "feature_embeddings" else name)

    def rows(self, ids: Array) -> Array:
        """Vectors of classes ids[...]: (..., d)."""
        held = self.parameters
        if "features" not in held:
            rows: Array = held["embeddings"][ids]
            return rows
        f, features, weights = (
            held[name] for name in ("feature_embeddings", "features", "feature_weights")
        )
        return compose_rows(held["embeddings"], f, features, weights, ids)

    def biases(self, ids: Array) -> Array:
        """Biases of classes ids[...]."""
        if "bias" in self.parameters:
            chosen: Array = self.parameters["bias"][ids]
            return chosen
        return np.zeros(ids.shape, self.dtype)

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        every = np.arange(self.shape[0])
        return inputs[0] @ self.rows(every).T + self.biases(every), inputs[0]

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        every = np.arange(self.shape[0])
        found = self.row_gradients(every, dy.T @ saved, dy.sum(axis=0))
        dense: dict[str, Gradient] = {
            k: g.to_dense(len(self.parameters[k])) for k, g in found.items()
        }
        return [dy @ self.rows(every)], dense

    def row_gradients(self, ids: Array, dv: Array, dbias: Array) -> dict[str, RowGradient]:
        """Gradients of the tables' touched rows from dv (k, d) and dbias (k,) of classes (k,)."""
        found = {"embeddings": embedding_backward(ids, dv)}
        if "bias" in self.parameters:
            rows, values = embedding_backward(ids, dbias[:, None])
            found["bias"] = RowGradient(rows, values[:, 0])
        if "features" in self.parameters:
            chosen = self.parameters["features"][ids].astype(np.int64)
            shares = self.parameters["feature_weights"][ids][..., None] * dv[:, None, :]
            held = chosen >= 0
            found["feature_embeddings"] = embedding_backward(chosen[held], shares[held])
        return found

    def sampled_gradients(self, ids: Array, dv: Array, dbias: Array) -> dict[str, Gradient]:
        """Rows as they are, or whole tables if every row is to be updated."""
        if not self.trainable:
            return {}
        found = self.row_gradients(ids, dv, dbias)
        if self.config["sparse_update"] == "dense":
            return {k: g.to_dense(len(self.parameters[k])) for k, g in found.items()}
        return dict(found)
