"""Classification by a multi-layer network, with scikit-learn's arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from fastnn import check
from fastnn.estimators.base import Array, NetworkEstimator
from fastnn.graph import Input, Value
from fastnn.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss

C = TypeVar("C", bound="NetworkClassifier")


@dataclass(repr=False, eq=False)
class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """Base of the classifiers: labels of any type, class weights, probabilities."""

    _: KW_ONLY
    class_weight: Mapping[Any, float] | str | None = None

    def fit(self: C, X: Any, y: Any, sample_weight: Any = None) -> C:
        """Train on rows X and labels y.

        Parameters
        ----------
        X : array-like (n, ...)
            What the rows of the class are: numbers (n, n_features), best scaled to a size near 1,
            or images.
        y : array-like (n,) or (n, n_labels)
            Labels of any type, or an indicator matrix of 0 and 1.
        sample_weight : array-like of float (n,), optional
            Weights >= 0; a weight of 2 counts as the row twice.

        Returns
        -------
        NetworkClassifier
            The estimator itself.
        """
        go_on = self._continues(incremental=False)
        X, y = self._check(X, y, reset=not go_on)
        self._check_classes(y, None, reset=not go_on)
        return self._train(X, self._codes(y), self._weights(y, sample_weight))

    def partial_fit(self: C, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> C:
        """Train for one epoch from where training stands.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like, optional
            All classes that will ever come; needed in the first call, unless y is an indicator
            matrix.
        """
        first = not self._continues(incremental=True)
        X, y = self._check(X, y, reset=first)
        if first and classes is None and not self._is_multilabel(y):
            raise check.wrong_value("classes", "all classes in the first call", "None")
        self._check_classes(y, classes, reset=first)
        return self._train(X, self._codes(y), self._weights(y, sample_weight), incremental=True)

    def predict(self, X: Any) -> Array:
        """Return labels (n,), or an indicator matrix (n, n_labels), for rows X."""
        found = self._labels(self._probabilities(self._check_rows(X)))
        return found if self._multilabel else np.asarray(self.classes_[found])

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (n, n_classes) for rows X, in the order of `classes_`."""
        found = self._probabilities(self._check_rows(X))
        return found if found.shape[1] > 1 or self._multilabel else np.hstack([1 - found, found])

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            found: Array = np.log(self.predict_proba(X))
        return found

    def _check_rows(self, X: Any) -> Array:
        check_is_fitted(self)
        found: Array = self._validated(X, reset=False)
        return found

    def _probabilities(self, X: Array) -> Array:
        """Return the outputs (n, n_outputs)."""
        found: Array = self.model_.predict(X, n_jobs=self.n_jobs)
        return found

    def _labels(self, probabilities: Array) -> Array:
        """Return positions in `classes_`, or an indicator matrix."""
        if self.out_activation_ == "softmax":
            return np.asarray(probabilities.argmax(axis=1))
        found = (probabilities > 0.5).astype(np.int64)
        return found if self._multilabel else found[:, 0]

    @staticmethod
    def _is_multilabel(y: Any) -> bool:
        return str(type_of_target(y)).startswith("multilabel")

    def _check(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:
        X, y = self._validated(X, y, multi_output=True, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        return X, y

    def _check_classes(self, y: Array, classes: Any, reset: bool) -> None:
        """Find the classes, or make sure that the known ones hold those of y."""
        multilabel = self._is_multilabel(y)
        if y.ndim == 2 and not multilabel:
            raise check.wrong_value(
                "y", "labels (n,) or an indicator matrix of 0 and 1", f"shape {y.shape}"
            )
        found = np.arange(y.shape[1]) if multilabel else np.unique(y)
        if reset:
            if classes is not None and not multilabel:
                found = np.unique(classes)
            if len(found) < 2 and not multilabel:
                raise check.wrong_value("y", "at least two classes", f"one class, {found[0]!r}")
            self.classes_, self._multilabel = found, multilabel
            single = len(found) == 2 and not multilabel
            self.n_outputs_ = 1 if single else len(found)
            self.out_activation_ = "logistic" if single or multilabel else "softmax"
        same = multilabel == self._multilabel and (not multilabel or len(found) == self.n_outputs_)
        if not same or len(unknown := np.setdiff1d(found, self.classes_)):
            got = f"{', '.join(map(repr, unknown.tolist()))}" if same else "another kind of y"
            raise check.wrong_value("y", "classes of the first call", got)

    def _codes(self, y: Array) -> Array:
        """Return y as the loss takes it."""
        if self._multilabel:
            return np.asarray(y, np.float64)
        codes: Array = np.searchsorted(self.classes_, y)
        return codes if self.out_activation_ == "softmax" else codes.astype(np.float64)

    def _weights(self, y: Array, sample_weight: Any) -> Any:
        """Return the weights of the rows times those of their classes."""
        if self.class_weight is None:
            return sample_weight
        if self._multilabel:
            raise check.wrong_value("class_weight", "None for an indicator matrix", "weights")
        if isinstance(self.class_weight, str):
            check.choice("class_weight", self.class_weight, ("balanced",))
        factors: Array = compute_sample_weight(self.class_weight, y)
        return factors if sample_weight is None else factors * np.asarray(sample_weight)

    def _output(self, value: Value, l2: float) -> Value:
        """Return the probabilities that the last layer makes of `value`."""
        last = "softmax" if self.out_activation_ == "softmax" else "sigmoid"
        return self._dense(self.n_outputs_, last, l2)(value)

    def _loss(self) -> tuple[Loss, float]:
        if self.out_activation_ == "softmax":
            return CategoricalCrossentropy(), 1.0
        # the objective sums over labels, a Loss is their mean
        return BinaryCrossentropy(), float(self.n_outputs_)

    def _strata(self, y: Array) -> Array | None:
        return None if self._multilabel else y

    def _score(self, X: Array, y: Array, weights: Array | None) -> float:
        found = self._labels(self._probabilities(X))
        return float(accuracy_score(y, found, sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@dataclass(repr=False, eq=False)
class MLPClassifier(NetworkClassifier):
    r"""Multi-layer network for classification; a drop-in for scikit-learn's.

    Two classes have one sigmoid output, more have a softmax, and an indicator matrix y
    (n, n_labels) trains one sigmoid per label. Minimises, over the rows of a batch with weights w,

    .. math:: \frac{-\sum_i w_i \log p(y_i \mid x_i) + \frac{\alpha}{2} \lVert W \rVert^2}
        {\sum_i w_i} + l_1 \lvert W \rvert_1

    (summed over the labels of an indicator matrix), scikit-learn's objective when ``l1`` is 0.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int
        Units of each hidden layer; () is logistic regression.
    activation : str or list of str
        "identity", "logistic", "tanh", "relu", or another one of `fastnn.layers.Dense`; a list has
        one for each hidden layer.
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle
        As in `MLPRegressor`.
    random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping
        As in `MLPRegressor`; `early_stopping` goes by accuracy.
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in `MLPRegressor`.
    dropout, l1, weight_decay, clipnorm, n_jobs, dtype, precision, backend, callbacks
        As in `MLPRegressor`.
    class_weight : dict, "balanced" or None
        Weight of each class, multiplied with the weights of the rows; "balanced" makes every
        class count the same.

    Attributes
    ----------
    classes_ : array
        The classes, sorted; the columns of `predict_proba`.
    coefs_, intercepts_ : list of array
        Weights (n_in, n_out) and biases (n_out,) of each layer.
    model_, n_iter_, t_, loss_, best_loss_, loss_curve_, history_, n_features_in_, n_outputs_
        As in `MLPRegressor`, as are `validation_scores_` and the others.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> net = MLPClassifier((32,), early_stopping=True, random_state=0)
    >>> net.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.8
    True
    """

    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"

    def _network(self, shape: tuple[int, ...], l2: float) -> tuple[Value, Value]:
        source = Input(shape)
        hidden = self._hidden(source, self.hidden_layer_sizes, self.activation, l2)
        return source, self._output(hidden, l2)
