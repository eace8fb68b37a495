"""Convolutions: kernels w[kh, kw, c / groups, f] walk over images x[m, h, w, c]."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .activations import ACTIVATIONS
from .dense import OWN_NODE, Activated, dense_backward_bias
from .layer import Array, Gradient, Gradients, Run, Shape
from .window import Window, Windowed, cut_border, pad_images, under_tap


def _by_group(x: Array, groups: int) -> Array:
    """Rows of each group of channels: (..., c) to (groups, rows, c / groups)."""
    return x.reshape(-1, groups, x.shape[-1] // groups).swapaxes(0, 1)


def conv_forward(x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
    """y[m, i, j, f] = b[f] + sum over taps p, q and channels c of x[m, i', j', c] w[p, q, c, f].

    i' = i sh + p dh - top, j' = j sw + q dw - left; beyond the image is nothing. Group g of the
    filters sees group g of the channels.
    """
    padded = pad_images(x, window)
    filters = w.shape[-1]
    sums = np.zeros((groups, len(x) * window.oh * window.ow, filters // groups), x.dtype)
    for p, q in window.taps():
        sums += _by_group(under_tap(padded, window, p, q), groups) @ _by_group(w[p, q], groups)
    y = sums.swapaxes(0, 1).reshape(len(x), window.oh, window.ow, filters)
    return y if b is None else y + b


def conv_backward_inputs(dy: Array, w: Array, window: Window, groups: int = 1) -> Array:
    """dx[m, h, w, c]: every pixel gathers what the places it was under give back."""
    channels = w.shape[2] * groups
    size = window.h + window.top + window.bottom, window.w + window.left + window.right
    padded = np.zeros((len(dy), *size, channels), dy.dtype)
    dy_groups = _by_group(dy, groups)
    for p, q in window.taps():
        pixels = under_tap(padded, window, p, q)
        back = dy_groups @ _by_group(w[p, q], groups).swapaxes(1, 2)
        pixels += back.swapaxes(0, 1).reshape(pixels.shape)
    return cut_border(padded, window)


def conv_backward_weights(x: Array, dy: Array, window: Window, groups: int = 1) -> Array:
    """dw[kh, kw, c / groups, f]: products of pixels and dy, summed over images and places."""
    padded = pad_images(x, window)
    channels, filters = x.shape[-1] // groups, dy.shape[-1]
    dw = np.empty((window.kh, window.kw, channels, filters), x.dtype)
    dy_groups = _by_group(dy, groups)
    for p, q in window.taps():
        pixels = _by_group(under_tap(padded, window, p, q), groups)
        found = pixels.swapaxes(1, 2) @ dy_groups
        dw[p, q] = found.swapaxes(0, 1).reshape(channels, filters)
    return dw


class Conv2D(Windowed, Activated):
    """``y = act(correlation of x with kernel, + bias)``."""

    settings: ClassVar = {
        **dict.fromkeys(("kernel_l1", "kernel_l2", "bias_l1", "bias_l2"), 0.0),
        "filters": None,
        "kernel_size": None,
        "strides": (1, 1),
        "padding": "valid",
        "dilation_rate": (1, 1),
        "groups": 1,
        "activation": "identity",
        "use_bias": 1,
        "trainable": 1,
    }

    def row_shape(self) -> Shape:
        shape = self.check_images()
        self.check_word("activation", [a for a in ACTIVATIONS if a not in OWN_NODE])
        self.check_number("filters", 1)
        self.check_number("groups", 1)
        for name in ("kernel_l1", "kernel_l2", "bias_l1", "bias_l2"):
            self.check_number(name, 0)
        strides, distances = (
            self.check_numbers(name, self.n_axes, 1) for name in ("strides", "dilation_rate")
        )
        self.window = self.plan_window(strides, distances)
        channels, filters = shape[-1], int(self.config["filters"])
        self.groups = int(self.config["groups"])
        self.check(
            channels % self.groups == 0 and filters % self.groups == 0,
            f"groups to divide {channels} channels and {filters} filters",
            self.groups,
        )
        self.add_parameter(
            "kernel", (*self.config["kernel_size"], channels // self.groups, filters)
        )
        if self.config["use_bias"]:
            self.add_parameter("bias", (filters,))
        places = (self.window.oh, self.window.ow)
        return (*places[2 - self.n_axes :], filters)

    def kernel(self) -> Array:
        """Kernel of a window over images as a factor: (kh, kw, c / groups, f)."""
        w = self.factor(self.parameters["kernel"])
        return w.reshape(self.window.kh, self.window.kw, *w.shape[-2:])

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        (x,) = inputs
        images = x.reshape(len(x), self.window.h, self.window.w, x.shape[-1])
        images = self.factor(images)
        bias = self.parameters.get("bias")
        z = conv_forward(images, self.kernel(), bias, self.window, self.groups)
        z = z.reshape(len(x), *self.shape)
        y = self.activate(z)
        return y, (z, y, images)

    def backward_logits(self, saved: Any, dz: Array) -> Gradients:
        images = saved[2]
        places = dz.reshape(len(dz), self.window.oh, self.window.ow, dz.shape[-1])
        places = self.factor(places)
        dw = conv_backward_weights(images, places, self.window, self.groups)
        held = self.parameters["kernel"].shape
        gradients: dict[str, Gradient] = {"kernel": dw.reshape(held)}
        if "bias" in self.parameters:
            gradients["bias"] = dense_backward_bias(dz)
        dx = conv_backward_inputs(places, self.kernel(), self.window, self.groups)
        return [dx.reshape(len(dz), *self.shapes[0])], gradients


class Conv1D(Conv2D):
    """The same over sequences (length, channels): images of one row."""

    n_axes = 1
    settings: ClassVar = {**Conv2D.settings, "strides": (1,), "dilation_rate": (1,)}
