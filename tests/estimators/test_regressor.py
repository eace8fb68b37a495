import warnings
from typing import Any

import numpy as np
import pytest
from fastnn import MLPRegressor
from fastnn.datasets import load_flights
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPRegressor as Peer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.estimators.backends import BACKEND, CORE

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def net(*sizes, **settings):
    return MLPRegressor(
        hidden_layer_sizes=sizes, **{"backend": BACKEND, "random_state": 0, **settings}
    )


def follow_peer(kind, peer, X, y, epochs=6, **settings):
    """Train ours and scikit-learn's from the same weights, full batch, and compare them."""
    settings = {
        "hidden_layer_sizes": (5, 4),
        "activation": "tanh",
        "alpha": 0.5,
        "learning_rate_init": 0.01,
        "batch_size": len(X),
        "epsilon": 1e-12,
        "warm_start": True,
        "random_state": 0,
        **settings,
    }
    weights = np.random.default_rng(2).integers(1, 4, len(X)).astype(float)
    ours = kind(max_iter=1, backend=BACKEND, **settings).fit(X, y)
    theirs = peer(max_iter=1, **settings).fit(X, y)
    for own, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        other[:] = own
    for estimator in (ours, theirs):
        estimator.set_params(max_iter=epochs)
        estimator.fit(X, y, sample_weight=weights)
    for own, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(own, other, rtol=1e-7, atol=1e-9)
    if kind is MLPRegressor and ours.n_outputs_ > 1:
        return  # scikit-learn reports the mean over outputs of what it minimises the sum of
    # the penalty of ours is that of the weights after the epoch, theirs of those before
    np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=0.02)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "sgd"},
        {"solver": "sgd", "nesterovs_momentum": False},
        {"solver": "sgd", "momentum": 0.0, "learning_rate": "invscaling"},
        {"solver": "adam"},
    ],
)
def test_training_follows_scikit_learn(outputs, settings):
    random = np.random.default_rng(0)
    X = random.normal(size=(40, 3))
    y = np.sin(X @ random.normal(size=(3, outputs)))
    follow_peer(MLPRegressor, Peer, X, y[:, 0] if outputs == 1 else y, **settings)


def test_diabetes_is_learnt_about_as_well_as_by_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    settings: dict[str, Any] = {"hidden_layer_sizes": (16,), "max_iter": 60, "random_state": 0}
    settings["alpha"] = 1.0
    ours, theirs = (
        cross_val_score(estimator, X, y, cv=5).mean()
        for estimator in (MLPRegressor(backend=BACKEND, **settings), Peer(**settings))
    )
    assert ours > theirs - 0.05


@pytest.mark.skipif(not CORE, reason="too slow without the core")
def test_flights_are_learnt():
    flights = load_flights()
    numbers = np.column_stack([flights[name] for name in ("dep_delay", "distance", "air_time")])
    X, y = StandardScaler().fit_transform(numbers), flights["arr_delay"] / 40
    held_out = np.arange(len(X)) % 5 == 0
    estimator = net(32, 16, max_iter=15).fit(X[~held_out], y[~held_out])
    assert estimator.score(X[held_out], y[held_out]) > 0.85


def test_a_linear_network_finds_the_least_squares():
    random = np.random.default_rng(0)
    X = random.normal(size=(100, 3))
    y = X @ [1.0, -2.0, 0.5] + 3
    estimator = net(alpha=0, learning_rate_init=0.05, max_iter=1500, tol=0, n_iter_no_change=2000)
    estimator.fit(X, y)
    np.testing.assert_allclose(estimator.coefs_[0][:, 0], [1, -2, 0.5], atol=1e-4)
    np.testing.assert_allclose(estimator.intercepts_[0], [3], atol=1e-4)


def test_robust_losses_mind_an_outlier_less():
    X = np.linspace(-1, 1, 50)[:, None]
    y = X[:, 0].copy()
    y[10] = 100.0
    slopes = {}
    for loss in ("squared_error", "absolute_error", "huber"):
        estimator = net(loss=loss, learning_rate_init=0.05, max_iter=400, tol=0, alpha=0).fit(X, y)
        slopes[loss] = abs(float(estimator.coefs_[0][0, 0]) - 1)
    assert slopes["squared_error"] > 1
    assert slopes["absolute_error"] < 0.3
    assert slopes["huber"] < 0.3


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match=r"loss: expected one of squared_error, .* got 'poisson'"):
        net(loss="poisson").fit([[0.0], [1.0]], [0.0, 1.0])


def test_adaptive_rates_fall_when_the_loss_stands_still():
    X, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    settings = {"solver": "sgd", "tol": 0.1, "n_iter_no_change": 2, "max_iter": 100}
    constant = net(4, learning_rate="constant", **settings).fit(X, y)
    adaptive = net(4, learning_rate="adaptive", **settings).fit(X, y)
    assert adaptive.n_iter_ > constant.n_iter_
    assert adaptive.model_.learning_rate < 2e-6


def test_a_column_as_target_warns_as_in_scikit_learn():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.warns(DataConversionWarning):
        assert net(max_iter=1).fit(X, X[:, :1]).predict(X).shape == (20,)


def test_parts_go_on_from_each_other():
    random = np.random.default_rng(0)
    X = random.normal(size=(64, 2))
    y = X.sum(axis=1)
    whole = net(4, max_iter=3, batch_size=64).fit(X, y)
    parts = net(4, batch_size=64)
    for _ in range(3):
        parts.partial_fit(X, y)
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-12)
    assert parts.n_iter_ == 3
    with pytest.raises(ValueError, match="y: expected 1 outputs as before, got 2"):
        parts.partial_fit(X, X)


def test_parts_refuse_early_stopping():
    with pytest.raises(ValueError, match="early_stopping: expected False for partial_fit"):
        net(early_stopping=True).partial_fit([[0.0], [1.0]], [0.0, 1.0])


def test_pipelines_and_searches_work():
    X, y = load_diabetes(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), net(4, max_iter=5))
    search = GridSearchCV(pipe, {"mlpregressor__alpha": [1e-4, 1.0]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X[:100], y[:100])
    assert set(search.best_params_) == {"mlpregressor__alpha"}
