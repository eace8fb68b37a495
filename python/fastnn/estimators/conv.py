"""Classification of images and regression on them by a convolutional network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from fastnn import check
from fastnn.estimators.base import Array, NetworkEstimator, activations, layer_sizes
from fastnn.estimators.classifier import NetworkClassifier
from fastnn.estimators.regressor import NetworkRegressor
from fastnn.graph import Input, Value
from fastnn.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
    RandomFlip,
    RandomTranslation,
    Rescaling,
)
from fastnn.regularizers import L1L2

_POOLING = {"average": GlobalAveragePooling2D, "max": GlobalMaxPooling2D}
_IMAGES = "images (n, h, w) or (n, h, w, c)"
_BYTES = 1 / 255


@dataclass(repr=False, eq=False)
class ConvEstimator(NetworkEstimator):
    """Base of the estimators that read images: what goes in, and the layers up to the last one.

    The last layer is that of the other base of a subclass.
    """

    filters: int | Sequence[int] = (32, 64)
    hidden_layer_sizes: int | Sequence[int] = (128,)
    _: KW_ONLY
    activation: str | Sequence[str] = "relu"
    kernel_size: int | tuple[int, int] = 3
    convolutions_per_block: int = 1
    batch_normalization: bool = True
    global_pooling: str | None = None
    shift: int | tuple[int, int] = 0
    flip: str | None = None
    noise: float = 0.0
    scale: float | str = "auto"
    image_shape: tuple[int, ...] | None = None
    dropout: float = 0.25
    learning_rate: str = "one_cycle"
    learning_rate_init: float = 2e-3
    max_iter: int = 20

    def _batch(self, n: int) -> int:
        return min(64, n) if self.batch_size == "auto" else super()._batch(n)

    def _model_dtype(self, X: Array) -> str:
        return check.choice("dtype", self.dtype or "float32", ("float32", "float64"))

    def _validated(self, X: Any, y: Any = "no_validation", *, reset: bool, **settings: Any) -> Any:
        """Return images (n, h, w, c) of bytes or of the model's dtype, and y if it is given."""
        settings["dtype"] = (np.dtype(self._model_dtype(X)), np.uint8)
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        if self.image_shape is None or len(shape) > 2:
            if len(shape) not in {3, 4}:
                remedy = "give X.reshape(-1, h, w), or the argument image_shape=(h, w)"
                raise check.wrong_value("X", _IMAGES, f"shape {shape}", remedy)
            settings |= {"allow_nd": True, "ensure_2d": False}
        found = validate_data(self, X, y, reset=reset, **settings)
        X, *rest = found if isinstance(found, tuple) else (found,)
        X = self._shaped(X)
        self._check_images(X, reset)
        return (X, *rest) if rest else X

    def _shaped(self, X: Array) -> Array:
        """Return X as images (n, h, w, c)."""
        if self.image_shape is not None:
            shape = image_shape(self.image_shape)
            pixels, known = math.prod(X.shape[1:]), abs(math.prod(shape))
            given = X.shape[1:] if X.ndim > 2 else None
            same = given is None or [*given, 1][: len(shape)] == [*shape, 1][: len(shape)]
            if pixels % known or (-1 not in shape and (pixels != known or not same)):
                expected = f"images of shape {shape} or rows of their numbers"
                raise check.wrong_value("X", expected, f"shape {X.shape}")
            if given is None:
                X = X.reshape(len(X), *shape)
        return X[..., np.newaxis] if X.ndim == 3 else X

    def _check_images(self, X: Array, reset: bool) -> None:
        """Note shape and scale of the images, or make sure that they are those of `fit`."""
        scale = self._scale(X)
        if reset:
            self.image_shape_, self.scale_ = X.shape[1:], scale
            self.n_features_in_ = math.prod(X.shape[1:])
        if X.shape[1:] != self.image_shape_:
            expected = f"images of shape {self.image_shape_} as before"
            raise check.wrong_value("X", expected, X.shape[1:])
        if scale != self.scale_:
            expected = "uint8" if self.scale_ == _BYTES else "floats"
            remedy = "a number as the argument scale holds for both"
            raise check.wrong_value("X", f"{expected} as before", f"{X.dtype}", remedy)

    def _scale(self, X: Array) -> float:
        """Return the factor of the pixels."""
        if isinstance(self.scale, str):
            check.choice("scale", self.scale, ("auto",))
            return _BYTES if X.dtype == np.uint8 else 1.0
        return check.number("scale", self.scale, 0, above=True)

    def _network(self, shape: tuple[int, ...], l2: float) -> tuple[Value, Value]:
        filters = layer_sizes("filters", self.filters)
        if not filters:
            raise check.wrong_value("filters", "at least one size", "()")
        hidden = layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        words = activations(self.activation, len(filters) + len(hidden))
        source = Input(shape)
        value, pixels = self._moved(source), shape[:2]
        for block, (size, word) in enumerate(zip(filters, words, strict=False), 1):
            for _ in range(check.integer("convolutions_per_block", self.convolutions_per_block, 1)):
                value = self._convolved(value, size, word, l2)
            if self.global_pooling is not None and block == len(filters):
                kind = check.choice("global_pooling", self.global_pooling, _POOLING)
                value = _POOLING[kind]()(value)
            else:
                value, pixels = _halved(value, pixels)
        if self.global_pooling is None:
            value = Flatten()(value)
        if rate := check.number("dropout", self.dropout, 0, 1, below=True):
            value = Dropout(rate)(value)
        return source, self._output(self._hidden(value, hidden, words[len(filters) :], l2), l2)

    def _moved(self, value: Value) -> Value:
        """Return the images scaled, and in training flipped, shifted and noisy, as asked for."""
        if self.scale_ != 1:
            value = Rescaling(self.scale_)(value)
        if self.flip is not None:
            check.choice("flip", self.flip, ("horizontal", "vertical", "both"))
            value = RandomFlip(self.flip)(value)
        rows, columns = self._shift()
        if rows or columns:
            value = RandomTranslation(rows, columns, fill="nearest")(value)
        noise = check.number("noise", self.noise, 0)
        return GaussianNoise(noise)(value) if noise else value

    def _shift(self) -> tuple[int, int]:
        pair = self.shift if isinstance(self.shift, tuple | list) else (self.shift, self.shift)
        if len(pair) != 2:
            raise check.wrong_value("shift", "one number or (rows, columns)", tuple(pair))
        return check.integer("shift", pair[0]), check.integer("shift", pair[1])

    def _convolved(self, value: Value, filters: int, activation: str, l2: float) -> Value:
        """Return `value` after one convolution of a block."""
        l1 = check.number("l1", self.l1, 0)
        settings: dict[str, Any] = {"padding": "same"}
        settings["kernel_regularizer"] = L1L2(l1=l1, l2=l2) if l1 or l2 else None
        if not check.flag("batch_normalization", self.batch_normalization):
            return Conv2D(filters, self.kernel_size, activation=activation, **settings)(value)
        value = Conv2D(filters, self.kernel_size, use_bias=False, **settings)(value)
        return Activation(activation)(BatchNormalization(momentum=0.9)(value))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        return tags


@dataclass(repr=False, eq=False)
class ConvClassifier(ConvEstimator, NetworkClassifier):
    """Convolutional network that classifies images.

    For each of `filters` a block: convolutions with as many filters as that, each followed by batch
    normalisation and the activation, then the largest of every 2 x 2 pixels, along axes that still
    have 4. The feature maps of the last block are the input of a network as `MLPClassifier` has it;
    labels, class weights and what is minimised are those of `MLPClassifier` too.

    Larger images want more blocks: ``filters=(32, 64, 128, 256), hidden_layer_sizes=(),
    global_pooling="average"`` is a good network for 32 x 32 pixels in colour. Few images want
    `shift` and `flip`, where a moved image keeps its class, and more epochs.

    X holds images, channels last: (n, h, w) or (n, h, w, c). Bytes (uint8) are divided by 255 in
    the network, a batch at a time; floats are taken as they are. Rows of pixels (n, h * w) need
    `image_shape`: which pixels are neighbours cannot be seen in them, and a guess would train a
    worse network without a word.

    Parameters
    ----------
    filters : int or tuple of int
        Feature maps of each block; more of them see more, more blocks see larger things.
    hidden_layer_sizes : int or tuple of int
        Units of the dense layers between blocks and output; () for none.
    activation : str or list of str
        As in `MLPRegressor`; a list has one for each block, then one for each dense layer.
    kernel_size : int or (int, int)
        Rows and columns of the windows.
    convolutions_per_block : int
        More make the network deeper, and slower in proportion.
    batch_normalization : bool
        Whether each feature map is brought to mean 0 and variance 1 over a batch: the pixels' scale
        matters no more, and steps may be larger. Rows then count alike there, whatever their
        weights.
    global_pooling : {"average", "max"} or None
        Whether each feature map of the last block ends as its mean or its largest number, for far
        fewer weights; None keeps its pixels.
    shift : int or (int, int)
        In training images move by up to so many pixels, (rows, columns), in every direction; the
        pixels of the edge fill the gap.
    flip : {"horizontal", "vertical", "both"} or None
        In training half of the images are mirrored: left to right, upside down, or by chance each.
    noise : float
        Standard deviation of normal noise added to the scaled pixels in training.
    scale : "auto" or float
        What pixels are multiplied with; "auto" is 1 / 255 for uint8 and 1 for floats.
    image_shape : tuple of int or None
        (h, w) or (h, w, c) of the images in rows of 2-D X, so that the estimator can follow others
        in a pipeline; one size may be -1, found from the number of columns.
    dropout : float
        Share in [0, 1) of the inputs of each dense layer that are dropped in training.
    learning_rate : {"one_cycle", "cosine", "constant", "invscaling", "adaptive"}
        As in `MLPRegressor`; the first two last for `max_iter` epochs, `partial_fit` does not know
        how many will come and keeps the rate.
    max_iter : int
        Most epochs.
    batch_size : int or "auto"
        Images per step, at most all; "auto" is 64.
    dtype : {"float32", "float64"} or None
        Of the weights; None is float32.
    solver, alpha, learning_rate_init, power_t, shuffle
        As in `MLPRegressor`.
    random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping
        As in `MLPRegressor`; the seed fixes shifts, flips and noise too, and `early_stopping` goes
        by accuracy.
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in `MLPRegressor`.
    l1, weight_decay, clipnorm, n_jobs, precision, backend, callbacks
        As in `MLPRegressor`.
    class_weight : dict, "balanced" or None
        As in `MLPClassifier`.

    Attributes
    ----------
    classes_ : array
        The classes, sorted; the columns of `predict_proba`.
    image_shape_ : (int, int, int)
        Rows, columns and channels of the images; `n_features_in_` is their product.
    scale_ : float
        What pixels are multiplied with.
    coefs_ : list of array
        Kernels of the convolutions (rows, columns, channels, filters), then those of the dense
        layers (n_in, n_out).
    intercepts_ : list of array
        What each layer adds: biases, or beta of the batch normalisation.
    model_, n_iter_, t_, loss_, best_loss_, loss_curve_, history_, n_features_in_, n_outputs_
        As in `MLPRegressor`, as are `validation_scores_` and the others.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import ConvClassifier
    >>> images, y = load_digits().images, load_digits().target
    >>> net = ConvClassifier((16, 32), max_iter=10, random_state=0)
    >>> net.fit(images[:1000], y[:1000]).score(images[1000:], y[1000:]) > 0.9
    True

    In a pipeline, on rows of pixels:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> net = ConvClassifier((8,), image_shape=(8, 8), max_iter=1, random_state=0)
    >>> make_pipeline(MinMaxScaler(), net).fit(load_digits().data, y)[-1].image_shape_
    (8, 8, 1)
    """


@dataclass(repr=False, eq=False)
class ConvRegressor(ConvEstimator, NetworkRegressor):
    """Convolutional network that predicts numbers from images.

    The images and the blocks are those of `ConvClassifier`; targets and what is minimised are those
    of `MLPRegressor`: y (n,) or (n, n_outputs), best scaled to a size near 1.

    Parameters
    ----------
    filters, hidden_layer_sizes, activation, kernel_size, convolutions_per_block
        As in `ConvClassifier`.
    batch_normalization, global_pooling, shift, flip, noise, scale, image_shape, dropout
        As in `ConvClassifier`; shift and flip only where the target does not change with them.
    loss : {"squared_error", "absolute_error", "huber"}
        As in `MLPRegressor`.
    learning_rate, max_iter, batch_size, dtype
        As in `ConvClassifier`.
    solver, alpha, learning_rate_init, power_t, shuffle, random_state, tol, verbose, warm_start
        As in `MLPRegressor`.
    momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon
        As in `MLPRegressor`.
    n_iter_no_change, max_fun, l1, weight_decay, clipnorm, n_jobs, precision, backend, callbacks
        As in `MLPRegressor`.

    Attributes
    ----------
    image_shape_, scale_, coefs_, intercepts_
        As in `ConvClassifier`.
    model_, n_iter_, t_, loss_, best_loss_, loss_curve_, history_, n_features_in_, n_outputs_
        As in `MLPRegressor`, as are `validation_scores_` and the others.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import ConvRegressor
    >>> images = load_digits().images / 16
    >>> ink = images.mean(axis=(1, 2))
    >>> net = ConvRegressor((8,), (16,), max_iter=5, random_state=0)
    >>> net.fit(images[:1000], ink[:1000]).predict(images[1000:]).shape
    (797,)
    """


def _halved(value: Value, shape: tuple[int, ...]) -> tuple[Value, tuple[int, ...]]:
    """Return maps with half of the pixels along each axis that has 4 of them, and their shape."""
    pool = tuple(2 if n >= 4 else 1 for n in shape)
    pooled = value if pool == (1, 1) else MaxPooling2D(pool)(value)
    return pooled, tuple(n // size for n, size in zip(shape, pool, strict=True))


def image_shape(given: Any) -> tuple[int, ...]:
    """Return the argument `image_shape`, (h, w) or (h, w, c) with at most one -1, as a tuple."""
    shape = tuple(given) if isinstance(given, tuple | list) else (given,)
    found = tuple(check.integer("image_shape", size, -1) for size in shape)
    if len(found) not in {2, 3} or 0 in found or found.count(-1) > 1:
        expected = "(h, w) or (h, w, c), at most one of them -1"
        raise check.wrong_value("image_shape", expected, found)
    return found
