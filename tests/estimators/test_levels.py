"""One network at three levels: the estimator, the chain and the graph."""

import numpy as np
import pytest
from fastnn import Input, MLPClassifier, MLPRegressor, Model, Sequential
from fastnn.layers import Dense

from tests.estimators.backends import BACKEND

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("kind", "last", "units"), [(MLPRegressor, "identity", 2), (MLPClassifier, "softmax", 3)]
)
def test_every_level_predicts_and_trains_the_same(kind, last, units):
    random = np.random.default_rng(0)
    X = random.normal(size=(50, 4))
    y = random.normal(size=(50, 2)) if kind is MLPRegressor else np.arange(50) % 3
    settings = {"hidden_layer_sizes": (8, 5), "activation": "tanh", "random_state": 3}
    settings |= {"alpha": 0.0, "batch_size": 16, "max_iter": 4, "backend": BACKEND}
    estimator = kind(**settings).fit(X, y)
    seed = estimator.model_.seed

    words = [(8, "tanh"), (5, "tanh"), (units, last)]
    value = source = Input((4,))
    for size, word in words:
        value = Dense(size, word)(value)
    engine = {"backend": BACKEND, "dtype": "float64", "seed": seed}
    graph = Model(source, value, **engine)
    chain = Sequential([Dense(size, word) for size, word in words], input_shape=4, **engine)
    loss, factor = ("mse", units / 2) if kind is MLPRegressor else ("categorical_crossentropy", 1)
    for model in (graph, chain):
        model.compile(estimator.model_.goal.optimizer, loss, loss_weights=[factor])
        model.fit(X, y, batch_size=16, epochs=4)
        found = model.predict(X)
        expected = estimator.predict(X) if kind is MLPRegressor else estimator.predict_proba(X)
        assert np.array_equal(found, expected)
        for own, other in zip(model.get_weights(), estimator.model_.get_weights(), strict=True):
            assert np.array_equal(own, other)
