"""Autoencoders: networks that squeeze rows through a narrow layer and restore them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from fastnn import check
from fastnn.estimators.base import Array, NetworkEstimator, activations, layer_sizes
from fastnn.graph import Input, Layer, Value
from fastnn.layers import Dropout, GaussianNoise
from fastnn.losses import Loss, MeanSquaredError
from fastnn.model import Model
from fastnn.regularizers import L1


@dataclass(repr=False, eq=False)
class Autoencoder(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    NetworkEstimator,
):
    r"""Learns a short code of rows by restoring them from it.

    Layers of `hidden_layer_sizes` lead to the code, the same ones mirrored lead back. Minimises the
    mean squared error of the rows restored, :math:`\frac1n \sum_i \frac1d \lVert x_i - g(f(\tilde
    x_i)) \rVert^2`, where the tilde is noise, if any (Vincent et al., 2008). With activations
    "identity" the code spans the subspace of PCA (Baldi and Hornik, 1989).

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int
        Units of the encoder's layers; the last one is the length of the code.
    activation : str or list of str
        Of the encoder's layers, as in `MLPRegressor`; the decoder mirrors them.
    output_activation : str
        Of the rows restored; "sigmoid" suits data in [0, 1].
    noise : {"gaussian", "masking"} or None
        What training does to the rows it reads: adds normal noise of standard deviation
        `noise_level`, or sets elements to 0 with that probability (and scales the others up).
    noise_level : float
        Strength of the noise; for "masking" in [0, 1).
    activity_l1 : float
        L1 penalty on the code; raises the number of its elements near 0.
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle
        As in `MLPRegressor`, but `alpha` is 0.
    random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping
        As in `MLPRegressor`; `early_stopping` goes by the error of rows held out.
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in `MLPRegressor`.
    dropout, l1, weight_decay, clipnorm, n_jobs, dtype, precision, backend, callbacks
        As in `MLPRegressor`; dropout leaves the code alone.

    Attributes
    ----------
    encoder_, decoder_, model_ : Model
        Rows to code, code to rows, and both in one.
    coefs_, intercepts_ : list of array
        Weights and biases of each layer, encoder first.
    n_iter_, t_, loss_, best_loss_, loss_curve_, history_, n_features_in_
        As in `MLPRegressor`, as are `validation_scores_` and the others.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import Autoencoder
    >>> X = load_digits().data / 16
    >>> coder = Autoencoder((32, 8), tol=1e-3, random_state=0).fit(X)
    >>> coder.transform(X).shape, coder.inverse_transform(coder.transform(X)).shape
    ((1797, 8), (1797, 64))
    """

    hidden_layer_sizes: int | Sequence[int] = (64, 16)
    _: KW_ONLY
    activation: str | Sequence[str] = "relu"
    output_activation: str = "identity"
    noise: str | None = None
    noise_level: float = 0.1
    activity_l1: float = 0.0
    alpha: float = 0.0

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Autoencoder:
        """Train on rows X.

        Parameters
        ----------
        X : array-like of float (n, n_features)
            Rows, best scaled to a size near 1.
        y : None
            Not used; there for pipelines.
        sample_weight : array-like of float (n,), optional
            Weights >= 0; a weight of 2 counts as the row twice.

        Returns
        -------
        Autoencoder
            The estimator itself.
        """
        X = self._validated(X, reset=not self._continues(incremental=False))
        return self._train(X, X, sample_weight)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Autoencoder:
        """Train for one epoch from where training stands; the arguments are those of `fit`."""
        X = self._validated(X, reset=not self._continues(incremental=True))
        return self._train(X, X, sample_weight, incremental=True)

    def transform(self, X: Any) -> Array:
        """Return the codes (n, n_code) of rows X (n, n_features)."""
        check_is_fitted(self)
        found: Array = self.encoder_.predict(self._validated(X, reset=False), n_jobs=self.n_jobs)
        return found

    def inverse_transform(self, X: Any) -> Array:
        """Return the rows (n, n_features) that codes X (n, n_code) stand for."""
        check_is_fitted(self)
        codes = check_array(X, dtype=(np.float64, np.float32))
        found: Array = self.decoder_.predict(codes, n_jobs=self.n_jobs)
        return found

    def reconstruction_error(self, X: Any) -> Array:
        """Return the mean squared error (n,) of each row restored; large for unusual rows."""
        check_is_fitted(self)
        return self._errors(self._validated(X, reset=False))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the mean of `reconstruction_error`."""
        return -float(np.average(self.reconstruction_error(X), weights=sample_weight))

    def _errors(self, X: Array) -> Array:
        restored = self.model_.predict(X, n_jobs=self.n_jobs)
        found: Array = np.square(X - restored).mean(axis=1)
        return found

    def _network(self, shape: tuple[int, ...], l2: float) -> tuple[Value, Value]:
        source = Input(shape)
        noisy = self._noise()(source) if self.noise is not None else source
        return source, self._decode(self._encode(noisy, l2), shape[0], l2)

    def _noise(self) -> Layer:
        kind = check.choice("noise", self.noise, ("gaussian", "masking"))
        if kind == "gaussian":
            return GaussianNoise(check.number("noise_level", self.noise_level, 0))
        return Dropout(check.number("noise_level", self.noise_level, 0, 1, below=True))

    def _layers(self) -> tuple[tuple[int, ...], list[str]]:
        """Return units and activations of the encoder."""
        sizes = layer_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        if not sizes:
            raise check.wrong_value("hidden_layer_sizes", "at least one size, the code's", "()")
        return sizes, activations(self.activation, len(sizes))

    def _encode(self, value: Value, l2: float) -> Value:
        """Return the code of `value`."""
        sizes, words = self._layers()
        value = self._hidden(value, sizes[:-1], words[:-1], l2)
        strength = check.number("activity_l1", self.activity_l1, 0)
        penalty = L1(strength) if strength else None
        return self._dense(sizes[-1], words[-1], l2, activity_regularizer=penalty)(value)

    def _decode(self, code: Value, n_features: int, l2: float) -> Value:
        """Return what `code` stands for."""
        sizes, words = self._layers()
        value = self._hidden(code, sizes[-2::-1], words[-2::-1], l2)
        last = "sigmoid" if self.output_activation == "logistic" else self.output_activation
        return self._dense(n_features, last, l2)(value)

    def _read_weights(self) -> None:
        """Set the attributes that show weights, and cut the model in two."""
        super()._read_weights()
        (n_features,), sizes = self.coefs_[0].shape[:1], self._layers()[0]
        source, code = Input((n_features,)), Input((sizes[-1],))
        dtype = self.model_.dtype
        self.encoder_: Model = self._model(source, self._encode(source, 0.0), dtype, seed=0)
        decoded = self._decode(code, n_features, 0.0)
        self.decoder_: Model = self._model(code, decoded, dtype, seed=0)
        weights = self.model_.get_weights()
        self.encoder_.set_weights(weights[: 2 * len(sizes)])
        self.decoder_.set_weights(weights[2 * len(sizes) :])

    @property
    def _n_features_out(self) -> int:
        return int(self._layers()[0][-1])

    def _loss(self) -> tuple[Loss, float]:
        return MeanSquaredError(), 1.0

    def _score(self, X: Array, y: Array, weights: Array | None) -> float:
        return -float(np.average(self._errors(X), weights=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
