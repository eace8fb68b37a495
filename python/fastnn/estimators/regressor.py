"""Regression by a multi-layer network, with scikit-learn's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeVar

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, column_or_1d

from fastnn import check
from fastnn.estimators.base import Array, NetworkEstimator
from fastnn.graph import Input, Value
from fastnn.losses import Huber, Loss, MeanAbsoluteError, MeanSquaredError

LOSSES = ("squared_error", "absolute_error", "huber")
R = TypeVar("R", bound="NetworkRegressor")


@dataclass(repr=False, eq=False)
class NetworkRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """Base of the regressors: targets of one or several columns, losses, R2."""

    _: KW_ONLY
    loss: str = "squared_error"

    def fit(self: R, X: Any, y: Any, sample_weight: Any = None) -> R:
        """Train on rows X and targets y (n,) or (n, n_outputs).

        Parameters
        ----------
        X : array-like (n, ...)
            What the rows of the class are: numbers (n, n_features), best scaled to a size near 1,
            or images.
        y : array-like of float (n,) or (n, n_outputs)
            Targets.
        sample_weight : array-like of float (n,), optional
            Weights >= 0; a weight of 2 counts as the row twice.

        Returns
        -------
        NetworkRegressor
            The estimator itself.
        """
        X, y = self._check(X, y, reset=not self._continues(incremental=False))
        return self._train(X, y, sample_weight)

    def partial_fit(self: R, X: Any, y: Any, sample_weight: Any = None) -> R:
        """Train for one epoch from where training stands; the arguments are those of `fit`."""
        X, y = self._check(X, y, reset=not self._continues(incremental=True))
        return self._train(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """Return predictions (n,) or (n, n_outputs) for rows X."""
        check_is_fitted(self)
        return self._predict(self._validated(X, reset=False))

    def _predict(self, X: Array) -> Array:
        found: Array = self.model_.predict(X, n_jobs=self.n_jobs)
        return found[:, 0] if self.n_outputs_ == 1 else found

    def _check(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:
        X, y = self._validated(X, y, multi_output=True, y_numeric=True, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if not reset and n_outputs != self.n_outputs_:
            raise check.wrong_value("y", f"{self.n_outputs_} outputs as before", n_outputs)
        self.n_outputs_: int = n_outputs
        self.out_activation_ = "identity"
        return X, y

    def _output(self, value: Value, l2: float) -> Value:
        """Return the predictions that the last layer makes of `value`."""
        return self._dense(self.n_outputs_, "identity", l2)(value)

    def _loss(self) -> tuple[Loss, float]:
        # the objective sums over outputs, a Loss is their mean
        kind = check.choice("loss", self.loss, LOSSES)
        if kind == "squared_error":
            return MeanSquaredError(), self.n_outputs_ / 2
        loss = MeanAbsoluteError() if kind == "absolute_error" else Huber()
        return loss, float(self.n_outputs_)

    def _score(self, X: Array, y: Array, weights: Array | None) -> float:
        return float(r2_score(y, self._predict(X), sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@dataclass(repr=False, eq=False)
class MLPRegressor(NetworkRegressor):
    r"""Multi-layer network for regression; a drop-in for scikit-learn's.

    Minimises, over the rows of a batch with weights w,

    .. math:: \frac{\sum_i w_i \frac{1}{2} \lVert y_i - f(x_i) \rVert^2
        + \frac{\alpha}{2} \lVert W \rVert^2}{\sum_i w_i} + l_1 \lvert W \rvert_1

    which is scikit-learn's objective when ``l1`` is 0.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber"}
        What is minimised; the latter two mind outliers less. "huber" turns at 1.
    hidden_layer_sizes : int or tuple of int
        Units of each hidden layer; () is a linear model.
    activation : str or list of str
        "identity", "logistic", "tanh", "relu", or another one of `fastnn.layers.Dense`; a list has
        one for each hidden layer.
    solver : {"adam", "sgd", "adamw", "adagrad", "rmsprop"}
        How weights move. "lbfgs" is not offered.
    alpha : float
        Strength of the L2 penalty, divided by the weight of a batch as in scikit-learn.
    batch_size : int or "auto"
        Rows per step, at most all; "auto" is 200.
    learning_rate : {"constant", "invscaling", "adaptive", "cosine", "one_cycle"}
        How the rate changes. Of "sgd": not at all; divided by ``t ** power_t`` after t examples;
        divided by 5 whenever the loss stands still. Of every solver, over the `max_iter` epochs
        of a fit: down to 0 along a cosine, or first up and then down (`fastnn.schedules.OneCycle`).
    learning_rate_init : float
        Size of a step, the largest one of a schedule; larger is faster until training diverges.
    power_t : float
        Exponent of "invscaling".
    max_iter : int
        Most epochs.
    shuffle : bool
        Whether each epoch has an order of its own.
    random_state : int, RandomState or None
        Fixes initial weights, shuffles, dropout and held-out rows.
    tol : float
        The loss (with `early_stopping` the score) has to improve by this much...
    n_iter_no_change : int
        ... within this number of epochs, or training ends.
    verbose : bool
        Whether to show a progress bar.
    warm_start : bool
        Whether `fit` goes on from the weights of the last fit.
    momentum, nesterovs_momentum : float, bool
        Of "sgd".
    early_stopping : bool
        Whether to hold `validation_fraction` of the rows out, to stop by their score and to keep
        the best weights.
    validation_fraction : float
        Share of the rows held out.
    beta_1, beta_2, epsilon : float
        Of "adam" and "adamw"; `epsilon` also of "adagrad" and "rmsprop".
    max_fun : int
        Not used; taken because scikit-learn has it.
    dropout : float
        Share in [0, 1) of each hidden layer's units that are dropped in training.
    l1 : float
        L1 penalty per weight; raises the number of weights that are exactly 0.
    weight_decay : float
        Decoupled decay: each step takes ``rate * weight_decay`` of every weight away.
    clipnorm : float or None
        Longest gradient of a layer's weights.
    n_jobs : int or None
        Threads; None is what the environment grants, -1 all cores. Results do not depend on it.
    dtype : {"float32", "float64"} or None
        Of the weights; None is float32 for float32 rows and float64 for all else.
    precision : {"float32", "bf16"}
        "bf16" takes products of numbers rounded to bfloat16 (8 bits) and makes `dtype` float32.
    backend : {"core", "numpy"}
        The C++ engine or its readable twin.
    callbacks : list of Callback or None
        Told of every epoch.

    Attributes
    ----------
    coefs_, intercepts_ : list of array
        Weights (n_in, n_out) and biases (n_out,) of each layer.
    model_ : Model
        The network itself.
    n_iter_, t_ : int
        Epochs of the last fit; rows seen in all.
    loss_, best_loss_, loss_curve_ : float, float, list of float
        Loss with penalties of the last epoch, the lowest one, and that of each epoch.
    validation_scores_, best_validation_score_ : list of float, float
        R2 of the rows held out, with `early_stopping`.
    history_ : dict of str to list of float
        All that was noted for each epoch.
    n_features_in_, feature_names_in_, n_outputs_, n_layers_, out_activation_
        As in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from fastnn import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = MLPRegressor(hidden_layer_sizes=(16,), learning_rate_init=0.05, random_state=0)
    >>> net.fit(X, y).score(X, y) > 0.4
    True
    """

    loss: str = "squared_error"
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"

    def _network(self, shape: tuple[int, ...], l2: float) -> tuple[Value, Value]:
        source = Input(shape)
        hidden = self._hidden(source, self.hidden_layer_sizes, self.activation, l2)
        return source, self._output(hidden, l2)
