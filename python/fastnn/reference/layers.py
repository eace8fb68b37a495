"""The kinds of layers, and the small ones themselves: those without parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from . import rng
from .conv import Conv1D, Conv2D
from .dense import Activation, Dense
from .embedding import Embedding, EmbeddingBag
from .images import RandomCrop, RandomFlip, RandomTranslation, SpatialDropout2D, ZeroPadding2D
from .layer import Array, Gradients, Layer, Run, Shape
from .normalization import BatchNormalization, LayerNormalization
from .pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)
from .scores import Scores


class Input(Layer):
    """Rows given by the caller: numbers, or ids below an upper bound."""

    settings: ClassVar = {"shape": None, "dtype": "float", "vocabulary": 0}
    n_inputs: ClassVar = (0, 0)

    def row_shape(self) -> Shape:
        """Return the shape that the node states."""
        self.check_word("dtype", ("float", "ids"))
        self.check_number("vocabulary", 0)
        shape = tuple(self.config["shape"])
        self.check(all(size > 0 for size in shape), "axes of at least 1", f"shape {shape}")
        return shape


class Dot(Layer):
    """Inner product over the last axis."""

    n_inputs: ClassVar = (2, 2)

    def row_shape(self) -> Shape:
        self.check_equal_shapes()
        shape = self.shapes[0]
        self.check(len(shape) > 0, "inputs with a last axis", f"shape {shape}")
        return (*shape[:-1], 1)

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        a, b = inputs
        return (a * b).sum(axis=-1, keepdims=True), (a, b)

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        a, b = saved
        return [dy * b, dy * a], {}


class Concatenate(Layer):
    """Inputs side by side along the last axis."""

    n_inputs: ClassVar = (1, math.inf)

    def row_shape(self) -> Shape:
        first = self.shapes[0]
        for shape in self.shapes:
            self.check(
                len(shape) > 0 and shape[:-1] == first[:-1],
                "inputs that differ in the last axis alone",
                f"{first} and {shape}",
            )
        return (*first[:-1], sum(shape[-1] for shape in self.shapes))

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        return np.concatenate(inputs, axis=-1), None

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        ends = np.cumsum([shape[-1] for shape in self.shapes])[:-1]
        return list(np.split(dy, ends, axis=-1)), {}


class Add(Layer):
    """Sum of two or more inputs."""

    n_inputs: ClassVar = (2, math.inf)

    def row_shape(self) -> Shape:
        self.check_equal_shapes()
        return self.shapes[0]

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        y = inputs[0]
        for x in inputs[1:]:
            y = y + x
        return y, None

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [dy] * len(self.shapes), {}


class Multiply(Layer):
    """Product of two or more inputs."""

    n_inputs: ClassVar = (2, math.inf)

    def row_shape(self) -> Shape:
        self.check_equal_shapes()
        return self.shapes[0]

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        return math.prod(inputs[1:], start=inputs[0]), inputs

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        others = (saved[:i] + saved[i + 1 :] for i in range(len(saved)))
        return [math.prod(rest, start=dy) for rest in others], {}


class Reshape(Layer):
    """The same numbers in another row shape."""

    settings: ClassVar = {"shape": None}

    def row_shape(self) -> Shape:
        shape = tuple(self.config["shape"])
        size, given = math.prod(shape), math.prod(self.shapes[0])
        ok = all(n > 0 for n in shape) and size == given
        self.check(ok, f"a shape of {given} elements for {self.shapes[0]}", shape)
        return shape

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        return inputs[0].reshape(run.n_rows, *self.shape), None

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [dy.reshape(run.n_rows, *self.shapes[0])], {}


class Flatten(Reshape):
    """The same numbers as one axis."""

    settings: ClassVar = {}

    def row_shape(self) -> Shape:
        return (math.prod(self.shapes[0]),)


class Rescaling(Layer):
    """``y = x * scale + offset``."""

    settings: ClassVar = {"scale": None, "offset": 0.0}

    def row_shape(self) -> Shape:
        self.check_number("scale", -math.inf)
        self.check_number("offset", -math.inf)
        return self.shapes[0]

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        return inputs[0] * self.config["scale"] + self.config["offset"], None

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [dy * self.config["scale"]], {}


class _Noisy(Layer):
    """A layer that draws one random number per element in training."""

    def draw(self, source: Callable[[int, int, int, int, int], Array], run: Run) -> Array:
        shape = self.shapes[0]
        numbers = source(run.seed, self.position, run.step, run.n_rows, math.prod(shape))
        return numbers.reshape(run.n_rows, *shape)


class Dropout(_Noisy):
    """In training, zero for a share of the elements; the rest grows to keep the mean."""

    settings: ClassVar = {"rate": None}

    def row_shape(self) -> Shape:
        self.check_number("rate", 0, 1)
        return self.shapes[0]

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        rate = self.config["rate"]
        if not run.training or rate == 0:
            return inputs[0], None
        kept = self.draw(rng.noise_uniform, run) >= rate
        mask = np.where(kept, 1 / (1 - rate) if rate < 1 else 0, 0).astype(self.dtype)
        return inputs[0] * mask, mask

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [dy if saved is None else dy * saved], {}


class GaussianNoise(_Noisy):
    """In training, normal numbers added."""

    settings: ClassVar = {"stddev": None}

    def row_shape(self) -> Shape:
        self.check_number("stddev", 0)
        return self.shapes[0]

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        stddev = self.config["stddev"]
        if not run.training or stddev == 0:
            return inputs[0], None
        return inputs[0] + stddev * self.draw(rng.noise_normal, run).astype(self.dtype), None

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        return [dy], {}


class ActivityRegularization(Layer):
    """Its input, with a penalty l1 sum |x| + l2 sum x^2 per row."""

    settings: ClassVar = {"l1": 0.0, "l2": 0.0}

    def row_shape(self) -> Shape:
        self.check_number("l1", 0)
        self.check_number("l2", 0)
        return self.shapes[0]

    def forward(self, inputs: list[Array], run: Run) -> tuple[Array, Any]:
        return inputs[0], inputs[0]

    def row_penalty(self, saved: Any) -> Array:
        """Penalty of each row (m,); it counts like the row's loss."""
        x = saved.reshape(len(saved), -1)
        row: Array = self.config["l1"] * np.abs(x).sum(axis=1)
        row += self.config["l2"] * np.square(x).sum(axis=1)
        return row

    def backward(self, saved: Any, dy: Array, run: Run) -> Gradients:
        assert run.shares is not None
        shares = run.shares.reshape(-1, *[1] * (saved.ndim - 1))
        slope = self.config["l1"] * np.sign(saved) + 2 * self.config["l2"] * saved
        return [dy + shares * slope], {}


LAYERS: dict[str, type[Layer]] = {
    "input": Input,
    "dense": Dense,
    "embedding": Embedding,
    "embedding_bag": EmbeddingBag,
    "scores": Scores,
    "dot": Dot,
    "concatenate": Concatenate,
    "add": Add,
    "multiply": Multiply,
    "flatten": Flatten,
    "reshape": Reshape,
    "activation": Activation,
    "rescaling": Rescaling,
    "dropout": Dropout,
    "gaussian_noise": GaussianNoise,
    "activity_regularization": ActivityRegularization,
    "conv2d": Conv2D,
    "conv1d": Conv1D,
    "max_pooling2d": MaxPooling2D,
    "average_pooling2d": AveragePooling2D,
    "global_max_pooling2d": GlobalMaxPooling2D,
    "global_average_pooling2d": GlobalAveragePooling2D,
    "zero_padding2d": ZeroPadding2D,
    "batch_normalization": BatchNormalization,
    "layer_normalization": LayerNormalization,
    "spatial_dropout2d": SpatialDropout2D,
    "random_flip": RandomFlip,
    "random_translation": RandomTranslation,
    "random_crop": RandomCrop,
}
