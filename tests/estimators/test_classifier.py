import numpy as np
import pytest
from fastnn import MLPClassifier
from fastnn.datasets import load_mnist_sample
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Peer

from tests.estimators.backends import BACKEND, CORE
from tests.estimators.test_regressor import follow_peer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def net(*sizes, **settings):
    return MLPClassifier(sizes, backend=BACKEND, random_state=0, **settings)


def blobs(n=120, classes=3):
    random = np.random.default_rng(0)
    y = np.arange(n) % classes
    return random.normal(size=(n, 2)) * 0.5 + 2 * np.eye(max(classes, 2))[y][:, :2], y


def multilabel(n=200):
    X = np.random.default_rng(1).normal(size=(n, 3))
    return X, (X > [0, 0.3, -0.3]).astype(int)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_training_follows_scikit_learn(task, solver):
    X, y = multilabel() if task == "multilabel" else blobs(classes=2 if task == "binary" else 3)
    follow_peer(MLPClassifier, Peer, X, y, solver=solver)


@pytest.mark.parametrize("classes", [2, 3])
def test_labels_may_be_of_any_type(classes):
    X, codes = blobs(classes=classes)
    for names in (["b", "a", "c"], [7, -1, 3]):
        y = np.array(names)[codes]
        estimator = net(8, learning_rate_init=0.05).fit(X, y)
        assert estimator.classes_.tolist() == sorted(names[:classes])
        assert estimator.score(X, y) > 0.9
        probabilities = estimator.predict_proba(X)
        assert probabilities.shape == (len(X), classes)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(estimator.predict_log_proba(X), np.log(probabilities))
        assert np.array_equal(estimator.classes_[probabilities.argmax(1)], estimator.predict(X))


def test_labels_of_an_indicator_matrix_are_independent():
    X, y = multilabel()
    estimator = net(16, learning_rate_init=0.05, max_iter=100).fit(X, y)
    assert estimator.out_activation_ == "logistic"
    assert estimator.predict(X).shape == y.shape
    assert (estimator.predict(X) == y).mean() > 0.95
    assert np.ptp(estimator.predict_proba(X).sum(axis=1)) > 1


def test_a_class_weight_equals_weights_of_rows():
    X, y = blobs(60)
    weights = np.array([1.0, 2.0, 0.5])[y]
    by_class = net(5, max_iter=20, class_weight={0: 1, 1: 2, 2: 0.5}).fit(X, y)
    by_row = net(5, max_iter=20).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X))


def test_balanced_classes_raise_the_rare_one():
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 1))
    y = (X[:, 0] + random.normal(size=400) > 1.8).astype(int)
    plain, even = (
        net(max_iter=100, learning_rate_init=0.1, class_weight=w).fit(X, y)
        for w in (None, "balanced")
    )
    assert even.predict(X).sum() > 2 * plain.predict(X).sum()


def test_class_weights_in_other_forms_are_refused():
    X, y = blobs()
    with pytest.raises(ValueError, match="class_weight: expected one of balanced"):
        net(class_weight="even").fit(X, y)
    with pytest.raises(ValueError, match="class_weight: expected None for an indicator matrix"):
        net(class_weight="balanced").fit(*multilabel())


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="y: expected at least two classes, got one class"):
        net().fit(np.ones((4, 2)), np.zeros(4))


def test_parts_may_lack_classes():
    X, y = blobs()
    estimator = net(8, learning_rate_init=0.05)
    for _ in range(20):
        for part in np.array_split(np.argsort(y, kind="stable"), 3):
            estimator.partial_fit(X[part], y[part], classes=[0, 1, 2])
    assert estimator.t_ == 20 * len(X)
    assert estimator.score(X, y) > 0.6


def test_parts_need_the_classes_first():
    X, y = blobs()
    with pytest.raises(ValueError, match="classes: expected all classes in the first call"):
        net().partial_fit(X, y)


def test_parts_with_new_classes_are_refused():
    X, y = blobs()
    estimator = net().partial_fit(X[:2], y[:2], classes=[0, 1])
    with pytest.raises(ValueError, match="y: expected classes of the first call, got 2"):
        estimator.partial_fit(X, y)
    with pytest.raises(ValueError, match="got another kind of y"):
        estimator.partial_fit(X, np.eye(3, dtype=int)[y])


def test_parts_of_an_indicator_matrix_need_no_classes():
    X, y = multilabel()
    assert net().partial_fit(X, y).partial_fit(X, y).predict(X).shape == y.shape


def test_a_warm_start_with_other_classes_is_refused():
    X, y = blobs()
    estimator = net(warm_start=True, max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="y: expected classes of the first call, got 3"):
        estimator.fit(X, np.where(y == 2, 3, y))


def test_two_columns_of_labels_are_refused():
    with pytest.raises(ValueError, match=r"Unknown label type|y: expected labels"):
        net().fit(np.ones((4, 2)), [[0, 1], [2, 3], [1, 1], [0, 0]])


def test_early_stopping_works_for_every_kind_of_label():
    for X, y in (blobs(), blobs(classes=2), multilabel()):
        estimator = net(8, early_stopping=True, max_iter=30, learning_rate_init=0.05).fit(X, y)
        assert estimator.best_validation_score_ > 0.6


def test_digits_are_learnt():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    estimator = net(64, max_iter=20, batch_size=32, tol=0.0, n_iter_no_change=30)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(X[:1400], y[:1400])
    assert estimator.score(X[1400:], y[1400:]) > 0.88


@pytest.mark.skipif(not CORE, reason="too slow without the core")
def test_the_mnist_sample_is_learnt():
    X, y, X_test, y_test = load_mnist_sample()
    estimator = net(128, 64, max_iter=15, batch_size=32).fit(X, y)
    assert estimator.score(X_test, y_test) > 0.85
