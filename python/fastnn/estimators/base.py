"""What the network estimators share: arguments, the way to a `Model`, rules of stopping."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from fastnn import check, data
from fastnn.callbacks import Callback, ProgressBar
from fastnn.graph import Value
from fastnn.layers import Dense, Dropout
from fastnn.losses import Loss
from fastnn.model import Model
from fastnn.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from fastnn.regularizers import L1L2
from fastnn.schedules import CosineDecay, OneCycle, Schedule

Array = NDArray[Any]
N = TypeVar("N", bound="NetworkEstimator")

SOLVERS = ("adam", "sgd", "adamw", "adagrad", "rmsprop")
SCHEDULES: dict[str, type[CosineDecay | OneCycle]] = {"cosine": CosineDecay, "one_cycle": OneCycle}
RATES = ("constant", "invscaling", "adaptive", *SCHEDULES)


@dataclass(repr=False, eq=False)
class NetworkEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of the estimators that train one network on rows of numbers.

    A dataclass, so that the constructor stores its arguments untouched. A subclass says which
    network, which loss and which score; `_train` does the rest.
    """

    _: KW_ONLY
    solver: str = "adam"
    alpha: float = 1e-4
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 1e-3
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: int = 10
    max_fun: int = 15000
    dropout: float = 0.0
    l1: float = 0.0
    weight_decay: float = 0.0
    clipnorm: float | None = None
    n_jobs: int | None = None
    dtype: str | None = None
    precision: str = "float32"
    backend: str = "core"
    callbacks: Sequence[Callback] | None = None

    def _network(self, shape: tuple[int, ...], l2: float) -> tuple[Value, Value]:
        """Return the input, for rows of this shape, and the output of the network."""
        raise NotImplementedError

    def _output(self, value: Value, l2: float) -> Value:
        """Return what the last layer makes of `value`, where the targets decide on it."""
        raise NotImplementedError

    def _loss(self) -> tuple[Loss, float]:
        """Return the loss and its factor in the objective."""
        raise NotImplementedError

    def _score(self, X: Array, y: Array, weights: Array | None) -> float:
        """Return the score of rows held out by early stopping; larger is better."""
        raise NotImplementedError

    def _strata(self, y: Array) -> Array | None:
        """Return classes to keep in proportion when rows are held out."""
        return None

    def _validated(self, X: Any, y: Any = "no_validation", *, reset: bool, **settings: Any) -> Any:
        """Return X, or X and y, checked as scikit-learn does, X as the model takes it."""
        dtypes = (np.float64, np.float32)
        return validate_data(self, X, y, dtype=dtypes, reset=reset, **settings)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _continues(self, incremental: bool) -> bool:
        """Whether this call goes on from the weights that are there."""
        return self.__sklearn_is_fitted__() and (incremental or bool(self.warm_start))

    def _model_dtype(self, X: Array) -> str:
        """Return the dtype of the model: as asked for, else what suits the rows."""
        if self.dtype is not None:
            return check.choice("dtype", self.dtype, ("float32", "float64"))
        narrow = X.dtype == np.float32 or self.precision == "bf16"
        return "float32" if narrow else "float64"

    def _train(self: N, X: Array, y: Array, sample_weight: Any, *, incremental: bool = False) -> N:
        """Train on checked rows X (n, n_features) and targets as the model takes them."""
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31))
        dtype = self.model_.dtype if self._continues(incremental) else self._model_dtype(X)
        weights = data.convert_weights("sample_weight", sample_weight, len(X), dtype)
        if weights is not None and not weights.all():
            rows = weights > 0
            X, y, weights = X[rows], y[rows], weights[rows]
        held_out = None
        if check.flag("early_stopping", self.early_stopping):
            if incremental:
                raise check.wrong_value("early_stopping", "False for partial_fit", True)
            X, y, weights, held_out = self._hold_out(X, y, weights, random)
        if not (incremental and self._continues(incremental=True)):
            self._start(X, weights, seed, dtype)
        try:
            self._run(X, y, weights, held_out, incremental)
        finally:
            self._read_weights()
        return self

    def _hold_out(
        self, X: Array, y: Array, weights: Array | None, random: Any
    ) -> tuple[Array, Array, Array | None, tuple[Array, Array, Array | None]]:
        """Split rows for early stopping off; returns the rest and those."""
        share = check.number("validation_fraction", self.validation_fraction, 0, 1, below=True)
        if np.ceil(share * len(X)) < 2:
            expected = "a share that holds out at least two rows"
            raise check.wrong_value("validation_fraction", expected, f"{share} of {len(X)}")
        parts = [X, y] if weights is None else [X, y, weights]
        split = train_test_split(
            *parts, test_size=share, random_state=random, stratify=self._strata(y)
        )
        if weights is None:
            split += [None, None]
        X, X_val, y, y_val, weights, weights_val = split
        return X, y, weights, (X_val, y_val, weights_val)

    def _start(self, X: Array, weights: Array | None, seed: int, dtype: str) -> None:
        """Make the model; with `warm_start` it takes over the weights that are there."""
        total = self._batch(len(X)) * (1.0 if weights is None else float(weights.mean()))
        l2 = check.number("alpha", self.alpha, 0) / (2 * total)
        source, output = self._network(X.shape[1:], l2)
        model = self._model(source, output, dtype, seed)
        loss, factor = self._loss()
        model.compile(self._optimizer(), loss, loss_weights=[factor])
        if self._continues(incremental=False):
            model.set_weights(self.model_.get_weights())
        else:
            self.n_iter_ = self.t_ = 0
            self.loss_curve_: list[float] = []
            self.history_: dict[str, list[float]] = {}
            self.best_loss_: float | None = None
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
        self._stale = 0
        self.model_: Model = model

    def _model(self, source: Value, output: Value, dtype: str, seed: int) -> Model:
        """Return a model that computes as the arguments say."""
        settings = {"precision": self.precision, "backend": self.backend}
        return Model(source, output, dtype=dtype, seed=seed, **settings)

    def _run(
        self,
        X: Array,
        y: Array,
        weights: Array | None,
        held_out: tuple[Array, Array, Array | None] | None,
        incremental: bool,
    ) -> None:
        """Run the epochs under the rules of stopping."""
        rules = Rules(self, len(X), held_out)
        if held_out is None and self.best_loss_ is None:
            self.best_loss_ = np.inf
        elif held_out is not None and self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        watching: list[Callback] = [rules, *(self.callbacks or ())]
        if self.verbose:
            watching.append(ProgressBar())
        if not incremental:
            self.n_iter_ = 0
        epochs = 1 if incremental else check.integer("max_iter", self.max_iter, 1)
        if incremental and self._scheduled():
            self.model_.learning_rate = self.learning_rate_init
        try:
            self.model_.fit(
                X,
                y,
                batch_size=self._batch(len(X)),
                epochs=epochs,
                sample_weight=weights,
                shuffle=check.flag("shuffle", self.shuffle),
                callbacks=watching,
                n_jobs=self.n_jobs,
            )
        except KeyboardInterrupt:
            warnings.warn("fit: interrupted, the weights are those of the last step", stacklevel=4)
        else:
            planned = incremental or self._scheduled()
            if not planned and not rules.settled and self.n_iter_ == epochs:
                warnings.warn(
                    f"max_iter: {epochs} epochs were not enough for the loss to settle within "
                    f"tol={self.tol}; give more, or a larger tol",
                    ConvergenceWarning,
                    stacklevel=4,
                )
        rules.finish()

    def _read_weights(self) -> None:
        """Set the attributes that show weights."""
        names = [name.rsplit("/", 1)[1] for name, _ in self.model_.parameters()]
        weights = list(zip(names, self.model_.get_weights(), strict=True))
        self.coefs_ = [w for name, w in weights if name == "kernel"]
        self.intercepts_ = [w for name, w in weights if name in {"bias", "beta"}]
        self.n_layers_ = len(self.coefs_) + 1

    def _batch(self, n: int) -> int:
        """Return the examples per step for n rows."""
        if self.batch_size == "auto":
            return min(200, n)
        return min(check.integer("batch_size", self.batch_size, 1), n)

    def _optimizer(self) -> Optimizer:
        """Return the optimizer that the arguments describe."""
        if self.solver == "lbfgs":
            raise check.wrong_value(
                "solver",
                f"one of {', '.join(SOLVERS)}",
                "'lbfgs'",
                "steps over batches train these networks, 'adam' is a good first choice",
            )
        solver = check.choice("solver", self.solver, SOLVERS)
        rate = self._rate()
        check.number("power_t", self.power_t, 0)
        decay = check.number("weight_decay", self.weight_decay, 0) or None
        common: dict[str, Any] = {"weight_decay": decay, "clipnorm": self.clipnorm}
        if solver == "sgd":
            nesterov = check.flag("nesterovs_momentum", self.nesterovs_momentum)
            # without momentum there is nothing to look ahead along
            nesterov = nesterov and self.momentum != 0
            return SGD(rate, momentum=self.momentum, nesterov=nesterov, **common)
        common["epsilon"] = self.epsilon
        if solver == "adagrad":
            return Adagrad(rate, **common)
        if solver == "rmsprop":
            return RMSprop(rate, **common)
        kind = Adam if solver == "adam" else AdamW
        return kind(rate, beta_1=self.beta_1, beta_2=self.beta_2, **common)

    def _scheduled(self) -> bool:
        """Whether the rates of a fit are planned for all its `max_iter` epochs."""
        return self.learning_rate in SCHEDULES

    def _rate(self) -> float | Schedule:
        """Return the learning rate of a fit."""
        rate = check.number("learning_rate_init", self.learning_rate_init, 0, above=True)
        word = check.choice("learning_rate", self.learning_rate, RATES)
        return SCHEDULES[word](rate) if word in SCHEDULES else rate

    def _hidden(self, value: Value, sizes: Any, activation: Any, l2: float) -> Value:
        """Return `value` after hidden layers of these sizes, each followed by dropout."""
        units = layer_sizes("hidden_layer_sizes", sizes)
        rate = check.number("dropout", self.dropout, 0, 1, below=True)
        for size, word in zip(units, activations(activation, len(units)), strict=True):
            value = self._dense(size, word, l2)(value)
            if rate:
                value = Dropout(rate)(value)
        return value

    def _dense(self, units: int, activation: str, l2: float, **settings: Any) -> Dense:
        """Return a dense layer with the penalties of this estimator."""
        l1 = check.number("l1", self.l1, 0)
        penalty = L1L2(l1=l1, l2=l2) if l1 or l2 else None
        return Dense(units, activation, kernel_regularizer=penalty, **settings)


class Rules(Callback):
    """scikit-learn's rules: when to stop, when to take smaller steps, which weights to keep.

    The loss has to fall by more than `tol`, or the score of the rows held out to rise by it,
    within `n_iter_no_change` epochs. "adaptive" divides the rate by 5 when it did not, until it
    is 1e-6; "invscaling" divides it by ``t ** power_t`` after t examples.
    """

    def __init__(
        self,
        estimator: NetworkEstimator,
        n: int,
        held_out: tuple[Array, Array, Array | None] | None,
    ) -> None:
        self.estimator, self.n, self.held_out = estimator, n, held_out
        self.tol = check.number("tol", estimator.tol, 0)
        self.patience = estimator.n_iter_no_change
        if self.patience != np.inf:
            check.integer("n_iter_no_change", self.patience, 1)
        self.settled = False
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, model: Model, epoch: int, logs: Mapping[str, float]) -> None:
        """Note the values of the epoch and apply the rules."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.t_ += self.n
        estimator.loss_ = logs["loss"] + logs["penalty"]
        estimator.loss_curve_.append(estimator.loss_)
        for name, value in logs.items():
            estimator.history_.setdefault(name, []).append(value)
        better = self._score_better(model) if self.held_out is not None else self._loss_better()
        estimator._stale = 0 if better else estimator._stale + 1
        scaling = estimator.learning_rate if estimator.solver == "sgd" else "constant"
        if scaling == "invscaling":
            rate = estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t
            model.learning_rate = rate
        if estimator._stale > self.patience:
            current = model.learning_rate
            if scaling == "adaptive" and isinstance(current, float) and current > 1e-6:
                model.learning_rate = current / 5
                estimator._stale = 0
            else:
                self.settled = model.stop_training = True

    def finish(self) -> None:
        """Give the model its best weights when rows were held out."""
        if self.best_weights is not None:
            self.estimator.model_.set_weights(self.best_weights)

    def _loss_better(self) -> bool:
        loss, best = self.estimator.loss_curve_[-1], self.estimator.best_loss_
        assert best is not None
        self.estimator.best_loss_ = min(best, loss)
        return loss <= best - self.tol

    def _score_better(self, model: Model) -> bool:
        estimator, best = self.estimator, self.estimator.best_validation_score_
        scores = estimator.validation_scores_
        assert self.held_out is not None
        assert best is not None
        assert scores is not None
        score = estimator._score(*self.held_out)
        scores.append(score)
        estimator.history_.setdefault("validation_score", []).append(score)
        if score > best:
            estimator.best_validation_score_ = score
            self.best_weights = model.get_weights()
        return score >= best + self.tol


def layer_sizes(argument: str, sizes: Any) -> tuple[int, ...]:
    """Return the sizes of layers, one or several, as a tuple."""
    listed = tuple(sizes) if np.iterable(sizes) else (sizes,)
    return tuple(check.integer(argument, size, 1) for size in listed)


def activations(given: Any, n: int) -> list[str]:
    """Return one activation per hidden layer; "logistic" is scikit-learn's word for sigmoid."""
    words = [given] * n if isinstance(given, str) else list(given)
    if len(words) != n:
        raise check.wrong_value("activation", f"one word or {n} of them", f"{len(words)} words")
    return ["sigmoid" if word == "logistic" else word for word in words]
