"""What every estimator whose fit takes X (and y) promises: scikit-learn's contract and ours."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from fastnn import Autoencoder, ConvClassifier, ConvRegressor, MLPClassifier, MLPRegressor
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import estimator_checks_generator

from tests.estimators.backends import BACKEND, CORE

ESTIMATORS = (MLPRegressor, MLPClassifier, Autoencoder, ConvClassifier, ConvRegressor)
ROWS, CONV = ESTIMATORS[:3], ESTIMATORS[3:]
CLASSIFIERS = (MLPClassifier, ConvClassifier)
# 2 x 2 pixels as rows of four numbers; batch statistics and dropout have their own tests
IMAGES: dict[str, Any] = {"image_shape": (2, 2), "filters": 1, "dropout": 0.0, "dtype": "float64"}
IMAGES |= {"batch_normalization": False, "learning_rate": "constant"}
# settings that change the way through the code
VARIANTS: list[dict[str, Any]] = [
    {},
    {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.05, "clipnorm": 1.0},
    {"hidden_layer_sizes": (32, 16), "activation": "leaky_relu", "solver": "adamw", "l1": 1e-5},
]
LINES: dict[str, Any] = {"image_shape": (1, -1), "dropout": 0.0, "learning_rate_init": 0.01}
LINES |= {"dtype": "float64", "n_jobs": 1}
CONV_VARIANTS: list[dict[str, Any]] = [
    {"batch_normalization": False, "filters": 32, **LINES},
    {"solver": "adamw", "activation": "leaky_relu", "filters": (32, 8), "noise": 0.01, **LINES},
]
# a row repeated counts twice in the statistics of a batch, a row of weight 2 once
LEFT_OUT = {"check_sample_weight_equivalence_on_dense_data": CONV_VARIANTS[1:]}
CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}{n}-{check.func.__name__}")
    for kind in (ESTIMATORS if CORE else ROWS)
    for n, settings in enumerate(CONV_VARIANTS if kind in CONV else VARIANTS)
    for estimator, check in estimator_checks_generator(kind(backend=BACKEND, **settings))
    if settings not in LEFT_OUT.get(check.func.__name__, [])
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learn_check(estimator, check):
    check(estimator)


def data(kind, n=60):
    random = np.random.default_rng(5)
    X = random.normal(size=(n, 4))
    y = X[:, 0] - X[:, 1]
    return X, None if kind is Autoencoder else (y > 0).astype(int) if kind in CLASSIFIERS else y


def made(kind, **settings):
    return kind(**{"backend": BACKEND, **(IMAGES if kind in CONV else {}), **settings})


def output(estimator, X):
    names = ("predict_proba", "predict", "transform")
    return getattr(estimator, next(name for name in names if hasattr(estimator, name)))(X)


def fitted(kind, **settings):
    X, y = data(kind)
    estimator = made(kind, **{"max_iter": 3, "random_state": 0, **settings})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y), X, y


@pytest.mark.parametrize("kind", ESTIMATORS)
class TestEveryEstimator:
    def test_the_seed_decides_everything(self, kind):
        settings = {"dropout": 0.2, "batch_size": 16}
        first, X, _ = fitted(kind, **settings)
        again, _, _ = fitted(kind, **settings)
        other, _, _ = fitted(kind, random_state=1, **settings)
        assert np.array_equal(output(first, X), output(again, X))
        assert not np.array_equal(output(first, X), output(other, X))

    def test_threads_change_no_bit(self, kind):
        one, X, _ = fitted(kind, n_jobs=1, batch_size=16)
        two, _, _ = fitted(kind, n_jobs=2, batch_size=16)
        assert np.array_equal(output(one, X), output(two, X))

    def test_a_pickle_predicts_the_same(self, kind):
        estimator, X, _ = fitted(kind)
        again = pickle.loads(pickle.dumps(estimator))
        assert np.array_equal(output(estimator, X), output(again, X))

    def test_training_ends_when_the_loss_settles(self, kind):
        estimator, _, _ = fitted(kind, max_iter=50, tol=1e6, n_iter_no_change=4)
        assert estimator.n_iter_ == 6  # the first is better than none, then 5 are not

    def test_too_few_epochs_warn(self, kind):
        X, y = data(kind)
        with pytest.warns(ConvergenceWarning, match="max_iter: 2 epochs were not enough"):
            made(kind, max_iter=2).fit(X, y)

    @pytest.mark.parametrize("word", ["cosine", "one_cycle"])
    def test_a_schedule_ends_a_fit_without_a_warning(self, kind, word):
        X, y = data(kind)
        estimator = made(kind, learning_rate=word, max_iter=4, tol=0.0).fit(X, y)
        assert estimator.n_iter_ == 4
        rates = estimator.model_.learning_rate.rates(0, 5, total_steps=5)
        assert rates.max() <= estimator.learning_rate_init
        assert rates[-1] < 0.1 * rates.max()

    def test_parts_do_not_follow_a_schedule(self, kind):
        X, y = data(kind)
        estimator = made(kind, learning_rate="cosine", max_iter=2).fit(X, y)
        again = made(kind, learning_rate="cosine", warm_start=True)
        for each in (estimator, again):
            more = {"classes": [0, 1]} if kind in CLASSIFIERS else {}
            each.partial_fit(X, y, **more)
            assert each.model_.learning_rate == each.learning_rate_init
        again.set_params(max_iter=1).fit(X, y)
        assert again.model_.learning_rate != again.learning_rate_init

    def test_a_warm_start_goes_on(self, kind):
        estimator, X, y = fitted(kind, warm_start=True, max_iter=20)
        before = estimator.loss_
        with pytest.warns(ConvergenceWarning):
            estimator.fit(X, y)
        assert estimator.loss_curve_[20] < estimator.loss_curve_[0]
        assert estimator.loss_curve_[20] == pytest.approx(before, rel=0.2)
        assert len(estimator.loss_curve_) == 40
        assert estimator.n_iter_ == 20

    def test_early_stopping_keeps_the_best_weights(self, kind):
        estimator, _, _ = fitted(kind, early_stopping=True, max_iter=15, validation_fraction=0.3)
        assert len(estimator.validation_scores_) == 15
        assert estimator.best_validation_score_ == max(estimator.validation_scores_)
        assert estimator.best_loss_ is None
        assert estimator.history_["validation_score"] == estimator.validation_scores_

    def test_a_tiny_held_out_set_is_refused(self, kind):
        X, y = data(kind)
        with pytest.raises(ValueError, match="validation_fraction: expected a share"):
            made(kind, early_stopping=True, validation_fraction=0.01).fit(X, y)

    def test_float32_rows_make_a_float32_model(self, kind):
        X, y = data(kind)
        narrow = made(kind, tol=1e9, dtype=None).fit(X.astype(np.float32), y)
        chosen = made(kind, tol=1e9, dtype="float32").fit(X, y)
        assert {w.dtype for w in narrow.coefs_} == {np.dtype(np.float32)}
        assert {w.dtype for w in chosen.coefs_} == {np.dtype(np.float32)}

    def test_settings_count(self, kind):
        plain, X, _ = fitted(kind)
        for settings in (
            {"alpha": 10.0},
            {"l1": 0.1},
            {"weight_decay": 10.0},
            {"clipnorm": 1e-3},
            {"dropout": 0.5},
            {"solver": "sgd"},
            {"solver": "rmsprop"},
            {"solver": "adagrad"},
            {"solver": "adamw", "weight_decay": 1.0},
            {"activation": "tanh"},
            {"learning_rate": "cosine"},
            {"learning_rate": "one_cycle"},
            {"precision": "bf16", "dtype": None},
            {"shuffle": False, "batch_size": 8},
        ):
            other, _, _ = fitted(kind, **settings)
            assert not np.array_equal(output(plain, X), output(other, X)), settings

    def test_l1_makes_zeros(self, kind):
        estimator, _, _ = fitted(kind, l1=0.5, max_iter=100)
        assert all((w == 0).mean() > 0.5 for w in estimator.coefs_)

    def test_attributes_describe_the_network(self, kind):
        estimator, _, _ = fitted(kind, hidden_layer_sizes=(7, 3))
        shapes = [w.shape for w in estimator.coefs_]
        assert [shape for shape in shapes if len(shape) == 2][:2] == [(4, 7), (7, 3)]
        assert [b.shape[0] for b in estimator.intercepts_] == [shape[-1] for shape in shapes]
        assert estimator.n_layers_ == len(shapes) + 1
        assert estimator.n_features_in_ == 4
        assert estimator.t_ == 3 * 60
        assert len(estimator.loss_curve_) == len(estimator.history_["loss"]) == 3

    def test_callbacks_are_told(self, kind):
        from fastnn.callbacks import LambdaCallback

        seen = []
        watch = LambdaCallback(on_epoch_end=lambda model, epoch, logs: seen.append(epoch))
        fitted(kind, callbacks=[watch])
        assert seen == [0, 1, 2]

    def test_a_bar_is_shown_if_asked_for(self, kind, capsys):
        fitted(kind, verbose=True)
        assert "3/3" in capsys.readouterr().err

    def test_an_interrupt_leaves_a_usable_estimator(self, kind):
        from fastnn.callbacks import Callback

        class Interrupt(Callback):
            def on_epoch_end(self, model, epoch, logs):
                if epoch == 1:
                    raise KeyboardInterrupt

        X, y = data(kind)
        with pytest.warns(UserWarning, match="fit: interrupted"):
            estimator = made(kind, callbacks=[Interrupt()]).fit(X, y)
        assert estimator.n_iter_ == 2
        assert np.isfinite(output(estimator, X)).all()

    @pytest.mark.skipif(not CORE, reason="needs the core")
    def test_both_engines_train_the_same(self, kind):
        settings = {"dropout": 0.2, "batch_size": 16, "l1": 1e-3, "alpha": 0.1}
        core, X, _ = fitted(kind, **settings)
        twin, _, _ = fitted(kind, **{**settings, "backend": "numpy"})
        np.testing.assert_allclose(output(core, X), output(twin, X), rtol=1e-8, atol=1e-12)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_several_models_train_at_once(self, kind):
        alone, X, _ = fitted(kind)
        together = Parallel(n_jobs=3, prefer="threads")(delayed(fitted)(kind) for _ in range(6))
        assert all(np.array_equal(output(each, X), output(alone, X)) for each, _, _ in together)

    def test_a_loss_that_explodes_leaves_finite_weights(self, kind):
        X, y = data(kind)
        if kind in CLASSIFIERS:
            pytest.skip("its gradients are bounded")
        settings = {"solver": "sgd", "learning_rate_init": 1e12, "momentum": 0.0, "alpha": 0.0}
        estimator = made(kind, batch_size=4, random_state=0, **settings)
        with pytest.raises(ValueError, match="loss: became"):
            estimator.fit(X, y)
        assert all(np.isfinite(w).all() for w in estimator.coefs_)

    def test_settings_refused_leave_it_unfitted(self, kind):
        X, y = data(kind)
        estimator = made(kind, alpha=-1)
        with pytest.raises(ValueError, match="alpha"):
            estimator.fit(X, y)
        with pytest.raises(NotFittedError):
            output(estimator, X)

    def test_nothing_works_before_fit(self, kind):
        X, _ = data(kind)
        with pytest.raises(NotFittedError):
            output(clone(made(kind)), X)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"solver": "lbfgs"}, "solver: expected one of adam, sgd, .* got 'lbfgs'; steps over"),
            ({"solver": "newton"}, "solver: expected one of adam, sgd"),
            ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes: expected an integer >= 1, got 0"),
            ({"activation": ["relu"] * 5}, "activation: expected one word or"),
            ({"activation": "relo"}, "activation: expected one of"),
            ({"alpha": -1}, "alpha: expected a finite number >= 0"),
            ({"learning_rate": "fast"}, "learning_rate: expected one of constant"),
            ({"learning_rate_init": 0}, "learning_rate_init: expected a finite number > 0"),
            ({"batch_size": 0}, "batch_size: expected an integer >= 1"),
            ({"max_iter": 0}, "max_iter: expected an integer >= 1"),
            ({"tol": -1.0}, "tol: expected a finite number >= 0"),
            ({"n_iter_no_change": 0}, "n_iter_no_change: expected an integer >= 1"),
            ({"dropout": 1.0}, r"dropout: expected a number in \[0, 1\)"),
            ({"l1": -1}, "l1: expected a finite number >= 0"),
            ({"dtype": "float16"}, "dtype: expected one of float32, float64"),
            ({"validation_fraction": 1.0, "early_stopping": True}, "validation_fraction: expected"),
        ],
    )
    def test_wrong_settings_are_refused(self, kind, settings, message):
        X, y = data(kind)
        with pytest.raises(ValueError, match=message):
            made(kind, **settings).fit(X, y)

    def test_bad_weights_are_refused(self, kind):
        X, y = data(kind)
        for weights in (np.full(60, -1.0), np.zeros(60), np.ones(3), np.full(60, np.nan)):
            with pytest.raises(ValueError, match="sample_weight: expected"):
                made(kind).fit(X, y, sample_weight=weights)
