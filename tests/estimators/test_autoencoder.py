import numpy as np
import pytest
from fastnn import Autoencoder
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from tests.estimators.backends import BACKEND, CORE

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def digits():
    return load_digits().data / 16


def coder(*sizes, **settings):
    return Autoencoder(sizes, **{"backend": BACKEND, "random_state": 0, **settings})


@pytest.mark.skipif(not CORE, reason="too slow without the core")
def test_a_linear_autoencoder_spans_the_subspace_of_pca(digits):
    X = digits - digits.mean(axis=0)
    pca = PCA(8).fit(X)
    linear = coder(
        8,
        activation="identity",
        batch_size=len(X),
        learning_rate_init=0.03,
        max_iter=1000,
        tol=0,
        n_iter_no_change=1000,
    ).fit(X)
    codes = linear.transform(X)
    assert subspace_angles(codes - codes.mean(axis=0), pca.transform(X)).max() < 1e-2
    assert subspace_angles(linear.coefs_[1].T, pca.components_.T).max() < 1e-2
    least = np.square(X - pca.inverse_transform(pca.transform(X))).mean()
    assert least <= -linear.score(X) <= 1.001 * least


def test_codes_of_digits_restore_them_better_than_the_mean(digits):
    estimator = coder(32, 8, max_iter=15, batch_size=50).fit(digits)
    assert -estimator.score(digits) < 0.5 * digits.var(axis=0).mean()


def test_the_code_is_halfway(digits):
    X = digits[:100]
    estimator = coder(20, 5, activation=["tanh", "relu"], max_iter=2).fit(X)
    assert [w.shape for w in estimator.coefs_] == [(64, 20), (20, 5), (5, 20), (20, 64)]
    codes = estimator.transform(X)
    assert codes.shape == (100, 5)
    assert (codes >= 0).all()
    restored = estimator.inverse_transform(codes)
    np.testing.assert_allclose(restored, estimator.model_.predict(X), rtol=1e-10)
    errors = np.square(restored - X).mean(axis=1)
    np.testing.assert_allclose(estimator.reconstruction_error(X), errors, rtol=1e-10)
    np.testing.assert_allclose(estimator.score(X), -errors.mean())
    hidden = np.tanh(X @ estimator.coefs_[0] + estimator.intercepts_[0])
    by_hand = np.maximum(hidden @ estimator.coefs_[1] + estimator.intercepts_[1], 0)
    np.testing.assert_allclose(codes, by_hand, rtol=1e-6, atol=1e-9)


def test_unusual_rows_have_a_large_error(digits):
    estimator = coder(16, max_iter=30, batch_size=50).fit(digits)
    noise = np.random.default_rng(0).permuted(digits[:100], axis=1)
    assert estimator.reconstruction_error(noise).mean() > 3 * -estimator.score(digits)


@pytest.mark.parametrize("noise", ["gaussian", "masking"])
def test_noise_makes_the_code_sturdy(digits, noise):
    random = np.random.default_rng(0)
    X, Xt = digits[:1200], digits[1200:]
    broken = Xt + random.normal(0, 0.5, Xt.shape) if noise == "gaussian" else Xt.copy()
    if noise == "masking":
        broken[random.random(Xt.shape) < 0.5] = 0
        broken *= 2  # training scales what it keeps
    errors = []
    for kind in (None, noise):
        settings = {"max_iter": 40, "batch_size": 50, "learning_rate_init": 3e-3}
        estimator = coder(64, noise=kind, noise_level=0.5, **settings).fit(X)
        errors.append(np.square(estimator.model_.predict(broken) - Xt).mean())
    assert errors[1] < 0.7 * errors[0]


def test_an_activity_penalty_makes_sparse_codes(digits):
    plain, sparse = (
        coder(32, activity_l1=strength, max_iter=30, batch_size=50).fit(digits)
        for strength in (0.0, 1e-3)
    )
    assert (sparse.transform(digits) == 0).mean() > (plain.transform(digits) == 0).mean() + 0.1


def test_parts_go_on_from_each_other(digits):
    whole = coder(8, max_iter=3, batch_size=100).fit(digits[:100])
    parts = coder(8, batch_size=100)
    for _ in range(3):
        parts.partial_fit(digits[:100])
    assert np.array_equal(parts.transform(digits), whole.transform(digits))


def test_codes_have_names(digits):
    estimator = coder(3, max_iter=1).fit(digits[:50]).set_output(transform="pandas")
    names = ["autoencoder0", "autoencoder1", "autoencoder2"]
    assert estimator.get_feature_names_out().tolist() == names
    assert list(estimator.transform(digits[:5]).columns) == names


def test_pipelines_work(digits):
    pipe = make_pipeline(MinMaxScaler(), coder(4, max_iter=1))
    assert pipe.fit_transform(digits[:50]).shape == (50, 4)
    assert pipe.inverse_transform(pipe.transform(digits[:50])).shape == (50, 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes: expected at least one size"),
        ({"noise": "pink"}, "noise: expected one of gaussian, masking"),
        ({"noise": "masking", "noise_level": 1.0}, r"noise_level: expected a number in \[0, 1\)"),
        ({"noise": "gaussian", "noise_level": -1}, "noise_level: expected a finite number >= 0"),
        ({"activity_l1": -1}, "activity_l1: expected a finite number >= 0"),
        ({"output_activation": "step"}, "activation: expected one of"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        coder().set_params(**{"hidden_layer_sizes": (2,), **settings}).fit(np.ones((4, 2)))
