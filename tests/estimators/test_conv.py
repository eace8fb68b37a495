import warnings

import numpy as np
import pytest
from fastnn import ConvClassifier, ConvRegressor
from fastnn.datasets import load_mnist_sample
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import get_tags

from tests.estimators.backends import BACKEND, CORE

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
needs_core = pytest.mark.skipif(not CORE, reason="too slow without the core")

AUGMENTED = {"shift": 1, "flip": "horizontal", "noise": 0.05, "dropout": 0.25}


def net(kind=ConvClassifier, **settings):
    small = {"filters": (4, 8), "hidden_layer_sizes": (16,), "max_iter": 2, "batch_size": 16}
    return kind(**{"backend": BACKEND, "random_state": 0, **small, **settings})


def bytes_of(n=40, shape=(6, 5, 3), classes=3):
    random = np.random.default_rng(4)
    return random.integers(0, 256, (n, *shape), np.uint8), np.arange(n) % classes


@needs_core
def test_digits_are_learnt():
    digits = load_digits()
    X, X_test, y, y_test = train_test_split(digits.images, digits.target, random_state=0)
    estimator = ConvClassifier(max_iter=8, random_state=0).fit(X, y)
    assert estimator.score(X_test, y_test) >= 0.97


@needs_core
def test_the_mnist_sample_is_learnt():
    X, y, X_test, y_test = load_mnist_sample()
    estimator = ConvClassifier(max_iter=8, image_shape=(28, 28), random_state=0).fit(X, y)
    assert estimator.score(X_test, y_test) >= 0.93
    assert estimator.score(X_test.reshape(-1, 28, 28, 1), y_test) >= 0.93


@needs_core
def test_the_place_of_a_blob_is_found():
    random = np.random.default_rng(0)
    places = random.uniform(2, 9, (600, 2))
    rows, columns = np.ogrid[:12, :12]
    distances = (rows - places[:, :1, None]) ** 2 + (columns - places[:, 1:, None]) ** 2
    X, y = np.exp(-distances / 4).astype(np.float32), (places - 5.5) / 3.5
    settings = {"max_iter": 20, "dropout": 0.0, "learning_rate_init": 0.005}
    estimator = net(ConvRegressor, **settings).fit(X[:500], y[:500])
    assert estimator.predict(X[500:]).shape == (100, 2)
    assert estimator.score(X[500:], y[500:]) > 0.95


@pytest.mark.parametrize("kind", [ConvClassifier, ConvRegressor])
def test_bytes_train_as_their_255th_parts_do(kind):
    X, y = bytes_of()
    of_bytes = net(kind, dropout=0.0).fit(X, y)
    of_floats = net(kind, dropout=0.0).fit(X * np.float32(1 / 255), y)
    assert (of_bytes.scale_, of_floats.scale_) == (1 / 255, 1.0)
    for own, other in zip(of_bytes.coefs_, of_floats.coefs_, strict=True):
        assert np.array_equal(own, other)


def test_bytes_are_never_copied_to_floats():
    X, y = bytes_of()
    seen = []
    estimator = net()
    estimator._run = lambda X, *_: seen.append(X)
    estimator.fit(X, y)
    assert seen[0].dtype == np.uint8
    assert np.shares_memory(seen[0], X)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3), (1, 9), (9, 1), (1, 1), (2, 3, 2)])
def test_images_of_any_shape_are_taken(shape):
    X, y = bytes_of(20, shape)
    for kind in (ConvClassifier, ConvRegressor):
        estimator = net(kind, filters=(2, 3, 4), **AUGMENTED).fit(X, y)
        assert estimator.image_shape_ == (*shape, 1)[:3]
        assert estimator.n_features_in_ == np.prod(shape)
        assert estimator.predict(X).shape == (20,)


def test_axes_are_halved_while_they_have_four_pixels():
    X, y = bytes_of(10, (9, 3))
    estimator = net(filters=(2, 2, 2), convolutions_per_block=2, max_iter=1).fit(X, y)
    shapes = estimator.model_.network.row_shapes
    pooled = [shapes[name] for name in shapes if "pooling" in name]
    assert pooled == [(4, 3, 2), (2, 3, 2)]
    assert [w.shape for w in estimator.coefs_[:2]] == [(3, 3, 1, 2), (3, 3, 2, 2)]
    assert sum(w.ndim == 4 for w in estimator.coefs_) == 6


@pytest.mark.parametrize("word", ["average", "max"])
def test_a_global_pooling_ends_the_last_block(word):
    X, y = bytes_of(10, (9, 3))
    estimator = net(filters=(2, 5), global_pooling=word, hidden_layer_sizes=()).fit(X, y)
    shapes = estimator.model_.network.row_shapes
    assert [shapes[name] for name in shapes if "pooling" in name] == [(4, 3, 2), (5,)]
    assert estimator.coefs_[-1].shape == (5, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_rows_of_pixels_need_their_shape(dtype):
    X, y = bytes_of()
    X = X.astype(dtype)
    of_images = net().fit(X, y)
    flat = X.reshape(len(X), -1)
    of_rows = net(image_shape=(6, 5, 3)).fit(flat, y)
    found = of_rows.predict_proba(flat)
    assert np.array_equal(found, of_images.predict_proba(X))
    assert np.array_equal(found, of_rows.predict_proba(X))
    assert net(image_shape=(6, -1, 3)).fit(flat, y).image_shape_ == (6, 5, 3)
    with pytest.raises(ValueError, match=r"X: expected images \(n, h, w\) .*image_shape=\(h, w\)"):
        net().fit(flat, y)


def test_tags_tell_what_is_taken():
    for shape in (None, (8, 8)):
        tags = get_tags(net(image_shape=shape)).input_tags
        assert (tags.two_d_array, tags.three_d_array) == (shape is not None, True)


def test_pipelines_work():
    X, y = load_digits(return_X_y=True)
    pipe = make_pipeline(MinMaxScaler(), net(image_shape=(8, 8))).fit(X[:200], y[:200])
    assert pipe.predict_proba(X[:7]).shape == (7, 10)
    assert clone(pipe[-1]).image_shape == (8, 8)


def test_the_seed_decides_flips_shifts_and_noise():
    X, y = bytes_of()
    first, again = (net(**AUGMENTED).fit(X, y).predict_proba(X) for _ in range(2))
    assert np.array_equal(first, again)
    for name in ("shift", "flip", "noise", "dropout"):
        without = {**AUGMENTED, name: None if name == "flip" else 0}
        assert not np.array_equal(first, net(**without).fit(X, y).predict_proba(X)), name


def test_threads_change_no_bit():
    X, y = bytes_of(100, (12, 12, 3))
    one, two = (net(n_jobs=n, **AUGMENTED).fit(X, y) for n in (1, 2))
    for own, other in zip(one.model_.get_weights(), two.model_.get_weights(), strict=True):
        assert np.array_equal(own, other)
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))


def test_moving_statistics_go_on_in_parts_and_warm_starts():
    X, y = bytes_of()
    parts = net()
    for _ in range(2):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    whole = net(learning_rate="constant").fit(X, y)
    for own, other in zip(parts.model_.get_weights(), whole.model_.get_weights(), strict=True):
        assert np.array_equal(own, other)
    again = net(warm_start=True, max_iter=1, learning_rate_init=1e-12)
    before = again.fit(X, y).model_.get_weights()
    means = [w for w in before if w.ndim == 1]
    after = [w for w in again.fit(X, y).model_.get_weights() if w.ndim == 1]
    assert not all(np.allclose(own, other) for own, other in zip(means, after, strict=True))


def test_settings_count():
    X, y = bytes_of()
    plain = net().fit(X, y).predict_proba(X)
    for settings in (
        {"kernel_size": (1, 3)},
        {"convolutions_per_block": 2},
        {"batch_normalization": False},
        {"global_pooling": "average"},
        {"global_pooling": "max"},
        {"shift": (0, 2)},
        {"flip": "both"},
        {"scale": 1},
        {"activation": ["tanh", "relu", "relu"]},
        {"hidden_layer_sizes": ()},
        {"filters": 4},
        {"dtype": "float64"},
        {"class_weight": {0: 2.0}},
    ):
        other = net(**settings).fit(X, y).predict_proba(X)
        assert not np.array_equal(plain, other), settings


def test_weights_of_rows_count():
    X, y = bytes_of()
    settings = {"batch_normalization": False, "dropout": 0.0, "dtype": "float64", "shuffle": False}
    weights = np.where(y == 1, 2.0, 1.0)
    by_row = net(**settings).fit(X, y, sample_weight=weights)
    by_class = net(class_weight={1: 2}, **settings).fit(X, y)
    assert np.array_equal(by_row.predict_proba(X), by_class.predict_proba(X))
    some = net(**settings).fit(X, y, sample_weight=(y != 1).astype(float))
    rest = net(**settings).fit(X[y != 1], np.where(y == 1, 0, y)[y != 1])
    assert some.predict_proba(X)[:, 1].max() < rest.predict_proba(X).max()


def test_the_model_computes_as_asked_for():
    X, y = bytes_of()
    for precision in ("float32", "bf16"):
        assert net(precision=precision).fit(X, y).model_.setup.precision == precision


@pytest.mark.parametrize("kind", [ConvClassifier, ConvRegressor])
def test_the_defaults_train_without_a_warning(kind):
    X, y = bytes_of(12, (4, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        kind(backend=BACKEND, n_iter_no_change=50).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": ()}, r"filters: expected at least one size, got \(\)"),
        ({"filters": (4, 0)}, "filters: expected an integer >= 1, got 0"),
        ({"kernel_size": 0}, "kernel_size: expected an integer >= 1, got 0"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size: expected one number or 2"),
        ({"convolutions_per_block": 0}, "convolutions_per_block: expected an integer >= 1"),
        ({"activation": ["relu"] * 2}, "activation: expected one word or 3 of them, got 2 words"),
        ({"global_pooling": "sum"}, "global_pooling: expected one of average, max, got 'sum'"),
        ({"shift": -1}, "shift: expected an integer >= 0, got -1"),
        ({"shift": (1, 2, 3)}, r"shift: expected one number or \(rows, columns\), got \(1, 2, 3\)"),
        ({"flip": "left"}, "flip: expected one of horizontal, vertical, both, got 'left'"),
        ({"noise": -0.1}, "noise: expected a finite number >= 0"),
        ({"scale": "max"}, "scale: expected one of auto, got 'max'"),
        ({"scale": 0.0}, "scale: expected a finite number > 0"),
        ({"image_shape": (6,)}, r"image_shape: expected \(h, w\) or \(h, w, c\).* got \(6,\)"),
        ({"image_shape": (-1, -1)}, r"image_shape: expected .* at most one of them -1"),
        ({"image_shape": (0, 5)}, r"image_shape: expected .*got \(0, 5\)"),
        (
            {"image_shape": (5, 6)},
            r"X: expected images of shape \(5, 6\) or rows .*\(40, 6, 5, 3\)",
        ),
        ({"learning_rate": "cosines"}, "learning_rate: expected one of .*adaptive, cosine"),
        ({"precision": "bf16", "dtype": "float64"}, "precision: expected 'float32' for dtype"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    X, y = bytes_of()
    with pytest.raises(ValueError, match=message):
        net(**settings).fit(X, y)


def test_a_batch_normalization_that_is_no_flag_is_refused():
    with pytest.raises(TypeError, match="batch_normalization: expected True or False, got str"):
        net(batch_normalization="yes").fit(*bytes_of())


def test_other_images_than_before_are_refused():
    X, y = bytes_of()
    estimator = net().fit(X, y)
    with pytest.raises(ValueError, match=r"X: expected images of shape \(6, 5, 3\) as before, got"):
        estimator.predict(X[:, :5])
    with pytest.raises(ValueError, match="X: expected uint8 as before, got float32; a number as"):
        estimator.predict(X / 255)
    with pytest.raises(ValueError, match="X: expected floats as before, got uint8"):
        net().fit(X / 255, y).predict(X)
    either = net(scale=1 / 255).fit(X, y)
    assert np.array_equal(either.predict(X.astype(float)), either.predict(X))


@pytest.mark.parametrize("shape", [(40,), (4, 2, 5, 1, 1)])
def test_what_holds_no_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"X: expected images \(n, h, w\) or \(n, h, w, c\), got"):
        net().fit(np.zeros(shape), np.arange(len(np.zeros(shape))) % 2)


def test_columns_that_fill_no_image_are_refused():
    X = np.zeros((4, 30))
    for shape in ((5, 5), (4, -1)):
        with pytest.raises(ValueError, match=r"X: expected images of shape .* got shape"):
            net(image_shape=shape).fit(X, [0, 1, 0, 1])
