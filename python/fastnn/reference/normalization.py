"""Numbers brought to mean 0 and variance 1: by channel over a batch, or position by position."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .dense import dense_backward_bias
from .layer import Array, Gradient, Gradients, Layer, Run, Shape


def column_moments(x: Array) -> tuple[Array, Array]:
    """Mean (n) of each column of x[m, n], and the sum of (x - mean)^2 (n)."""
    mean = x.mean(axis=0)
    return mean, np.square(x - mean).sum(axis=0)


def scale_columns(x: Array, factor: Array, offset: Array) -> Array:
    """y[m, n] = x * factor[n] + offset[n]."""
    y: Array = x * factor + offset
    return y


def batch_norm_sums(x: Array, dy: Array, mean: Array, inverse: Array) -> tuple[Array, Array]:
    """Add up dy[m, n] over the rows, and dy * (x - mean) * inverse."""
    return dy.sum(axis=0), (dy * (x - mean) * inverse).sum(axis=0)


def batch_norm_backward(
    x: Array, dy: Array, mean: Array, inverse: Array, a: Array, b: Array, factor: Array
) -> Array:
    """dx[m, n] = (dy - a - (x - mean) * inverse * b) * factor.

    With the batch's statistics a and b are the means of what `batch_norm_sums` adds up, as the
    mean and the variance change with x; with fixed ones they are zero.
    """
    dx: Array = (dy - a - (x - mean) * inverse * b) * factor
    return dx


def layer_norm_forward(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float
) -> tuple[Array, Array]:
    """y[m, n] = (x - mean) / sqrt(variance + epsilon) * gamma + beta over each row.

    Also kept[m, 2]: mean and 1 / sqrt(variance + epsilon) of each row.
    """
    mean = x.mean(axis=1, keepdims=True)
    variance = np.square(x - mean).mean(axis=1, keepdims=True)
    inverse = 1 / np.sqrt(variance + epsilon)
    y: Array = (x - mean) * inverse
    y = y if gamma is None else y * gamma
    y = y if beta is None else y + beta
    return y, np.concatenate([mean, inverse], axis=1)


def layer_norm_backward(x: Array, dy: Array, gamma: Array | None, kept: Array) -> Array:
    """dx[m, n] = (g - mean(g) - x' mean(g x')) * inverse; g = dy * gamma, x' is x normalised."""
    mean, inverse = kept[:, :1], kept[:, 1:]
    normal = (x - mean) * inverse
    g = dy if gamma is None else dy * gamma
    a, b = g.mean(axis=1, keepdims=True), (g * normal).mean(axis=1, keepdims=True)
    dx: Array = (g - a - normal * b) * inverse
    return dx


def layer_norm_gamma(x: Array, dy: Array, kept: Array) -> Array:
    """dgamma[n] = sum over the rows of dy * (x - mean) / sqrt(variance + epsilon)."""
    dgamma: Array = (dy * (x - kept[:, :1]) * kept[:, 1:]).sum(axis=0)
    return dgamma


class _Normalization(Layer):
    """A layer that normalises the last axis, then stretches and moves it."""

    settings: ClassVar = {
        **dict.fromkeys(("gamma_l1", "gamma_l2", "beta_l1", "beta_l2"), 0.0),
        "epsilon": 1e-3,
        "center": 1,
        "scale": 1,
        "trainable": 1,
    }

    def row_shape(self) -> Shape:
        for name in ("epsilon", "gamma_l1", "gamma_l2", "beta_l1", "beta_l2"):
            self.check_number(name, 0)
        (shape,) = self.shapes
        self.check(len(shape) > 0, "an input with a last axis", f"shape {shape}")
        if self.config["scale"]:
            self.add_parameter("gamma", shape[-1:])
        if self.config["center"]:
            self.add_parameter("beta", shape[-1:])
        return shape

    def gradients(self, dgamma: Array, dbeta: Array) -> dict[str, Gradient]:
        found = {"gamma": dgamma, "beta": dbeta}
        return {name: g for name, g in found.items() if name in self.parameters}


class BatchNormalization(_Normalization):
    """``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` for each channel."""

    settings: ClassVar = {**_Normalization.settings, "momentum": 0.99}
    statistics: ClassVar = ("moving_mean", "moving_variance")

    def row_shape(self) -> Shape:
        self.check_number("momentum", 0, 1)
        shape = super().row_shape()
        for name in self.statistics:
            self.add_parameter(name, shape[-1:])
        return shape

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        x = inputs[0].reshape(-1, self.shape[-1])
        mean, variance = (self.parameters[name] for name in self.statistics)
        of_batch = run.batch_statistics and self.trainable
        if of_batch:
            mean, squares = column_moments(x)
            variance = squares / len(x)
        inverse = 1 / np.sqrt(variance + self.config["epsilon"])
        factor = self.parameters.get("gamma", 1) * inverse
        y = scale_columns(x, factor, self.parameters.get("beta", 0) - mean * factor)
        return y.reshape(inputs[0].shape), (x, mean, variance, inverse, factor, of_batch)

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        x, mean, _, inverse, factor, of_batch = saved
        rows = dy.reshape(x.shape)
        sums, products = batch_norm_sums(x, rows, mean, inverse)
        share = 1 / len(x) if of_batch else 0
        a, b = share * sums, share * products
        dx = batch_norm_backward(x, rows, mean, inverse, a, b, factor)
        return [dx.reshape(dy.shape)], self.gradients(products, sums)

    def follow(self, saved: Any) -> None:
        _, mean, variance, *_, of_batch = saved
        if of_batch:
            momentum = self.config["momentum"]
            for name, value in zip(self.statistics, (mean, variance), strict=True):
                moving = self.parameters[name]
                moving[...] = momentum * moving + (1 - momentum) * value


class LayerNormalization(_Normalization):
    """``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` over each position's last axis."""

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        x = inputs[0].reshape(-1, self.shape[-1])
        gamma, beta = (self.parameters.get(name) for name in ("gamma", "beta"))
        y, kept = layer_norm_forward(x, gamma, beta, self.config["epsilon"])
        return y.reshape(inputs[0].shape), (x, kept)

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        x, kept = saved
        rows = dy.reshape(x.shape)
        dx = layer_norm_backward(x, rows, self.parameters.get("gamma"), kept)
        found = self.gradients(layer_norm_gamma(x, rows, kept), dense_backward_bias(rows))
        return [dx.reshape(dy.shape)], found
