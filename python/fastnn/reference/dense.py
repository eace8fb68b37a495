"""Dense layers: ``y = act(x @ w + b)`` and its gradients."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .activations import ACTIVATIONS
from .layer import Array, Gradient, Gradients, Layer, Run, Shape

OWN_NODE = ("gelu", "softmax")
"""Activations whose derivative needs more than the output: nodes of their own."""


def _as_rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def dense_forward(x: Array, w: Array, b: Array | None = None) -> Array:
    """y[..., n] = x[..., k] @ w[k, n] + b[n]."""
    y = _as_rows(x) @ w
    if b is not None:
        y += b
    return y.reshape(*x.shape[:-1], w.shape[1])


def dense_backward_inputs(dz: Array, w: Array) -> Array:
    """dx[..., k] = dz[..., n] @ w[k, n]^T."""
    return (_as_rows(dz) @ w.T).reshape(*dz.shape[:-1], w.shape[0])


def dense_backward_weights(x: Array, dz: Array) -> Array:
    """dw[k, n] = x[m, k]^T @ dz[m, n], over all rows m."""
    return _as_rows(x).T @ _as_rows(dz)


def dense_backward_bias(dz: Array) -> Array:
    """db[n] = sum of dz[m, n] over all rows m."""
    db: Array = _as_rows(dz).sum(axis=0)
    return db


def round_to_bfloat16(x: Array) -> Array:
    """Nearest bfloat16 of each float32 (8 bits of mantissa, ties to even), as float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    below_half = np.uint32(0x7FFF)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = ((bits + below_half + odd) & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(x), x, rounded)


class Activated(Layer):
    """A layer that ends in an activation, whose input a loss may want to start from."""

    settings: ClassVar = {"activation": "identity"}

    @property
    def activation(self) -> str:
        return str(self.config["activation"])

    def activate(self, z: Array) -> Array:
        return ACTIVATIONS[self.activation].forward(z)

    def factor(self, x: Array) -> Array:
        """Return an array as it enters a product."""
        return round_to_bfloat16(x) if self.precision == "bf16" else x

    def logits(self, saved: Any) -> Array:
        """Input of the activation; ``saved`` starts with it and the output."""
        z: Array = saved[0]
        return z

    def backward_logits(self, saved: Any, dz: Array) -> Gradients:
        """Backward, from the gradient of the activation's input."""
        raise NotImplementedError

    def activation_gradient(self, saved: Any, dy: Array) -> Array:
        """Gradient of the activation's input."""
        z, y = saved[:2]
        return ACTIVATIONS[self.activation].backward(z, y, dy)

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return self.backward_logits(saved, self.activation_gradient(saved, dy))


class Dense(Activated):
    """``y = act(x @ kernel + bias)`` over the last axis."""

    settings: ClassVar = {
        **dict.fromkeys(("kernel_l1", "kernel_l2", "bias_l1", "bias_l2"), 0.0),
        "units": None,
        "activation": "identity",
        "use_bias": 1,
        "trainable": 1,
    }

    def row_shape(self) -> Shape:
        self.check_word("activation", [a for a in ACTIVATIONS if a not in OWN_NODE])
        self.check_number("units", 1)
        for name in ("kernel_l1", "kernel_l2", "bias_l1", "bias_l2"):
            self.check_number(name, 0)
        (shape,) = self.shapes
        self.check(len(shape) > 0, "an input with a last axis", f"shape {shape}")
        units = int(self.config["units"])
        self.add_parameter("kernel", (shape[-1], units))
        if self.config["use_bias"]:
            self.add_parameter("bias", (units,))
        return (*shape[:-1], units)

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        x = inputs[0]
        w = self.factor(self.parameters["kernel"])
        z = dense_forward(self.factor(x), w, self.parameters.get("bias"))
        y = self.activate(z)
        return y, (z, y, x)

    def backward_logits(self, saved: Any, dz: Array) -> Gradients:
        x, w = self.factor(saved[2]), self.factor(self.parameters["kernel"])
        factor = self.factor(dz)
        gradients: dict[str, Gradient] = {"kernel": dense_backward_weights(x, factor)}
        if "bias" in self.parameters:
            gradients["bias"] = dense_backward_bias(dz)
        return [dense_backward_inputs(factor, w)], gradients


class Activation(Activated):
    """An activation as a node of its own."""

    def row_shape(self) -> Shape:
        self.check_word("activation", list(ACTIVATIONS))
        (shape,) = self.shapes
        if self.activation == "softmax":
            self.check(len(shape) > 0, "an input with a last axis", f"shape {shape}")
        return shape

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        y = self.activate(inputs[0])
        return y, (inputs[0], y)

    def backward_logits(self, saved: Any, dz: Array) -> Gradients:
        return [dz], {}
