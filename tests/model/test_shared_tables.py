"""One table for several features."""

import numpy as np
import pytest
from fastnn import Input, Model, layers, load, optimizers

from tests import tolerance

V, D, N = 20, 4, 60


def model(backend="core", frozen=False, **settings):
    a, b = Input(dtype="int32", name="bought"), Input((3,), dtype="int32", name="seen")
    items = layers.Embedding(V, D, name="items", trainable=not frozen, **settings)
    joined = layers.Concatenate()([items(a), layers.Flatten()(items(b))])
    made = Model([a, b], layers.Dense(1)(joined), seed=1, backend=backend)
    made.compile(optimizers.Adagrad(0.1, weight_decay=0.01), "mse")
    return made


def data():
    random = np.random.default_rng(0)
    x = [random.integers(0, V, N), random.integers(0, V, (N, 3))]
    return x, random.normal(size=(N, 1)).astype("f4")


@pytest.mark.parametrize("update", ["touched", "exact", "dense"])
def test_both_backends_train_alike(update):
    core, twin = (model(backend, sparse_update=update) for backend in ("core", "numpy"))
    for made in (core, twin):
        made.fit(*data(), epochs=2, batch_size=16, verbose=0)
    for w, expected in zip(core.get_weights(), twin.get_weights(), strict=True):
        assert tolerance.close(w, expected, tolerance.PARITY)


def test_the_table_is_counted_listed_and_penalised_once():
    made = model(embeddings_regularizer="l2")
    assert made.parameters()[0][0] == "items/embeddings"
    assert made.count_params() == V * D + 4 * D + 1
    assert "items_1 (Embedding)" in made.summary()
    history = made.fit(*data(), epochs=1, verbose=0).history
    w = made.get_weights()[0].astype(float)
    assert history["penalty"][0] == pytest.approx(0.01 * np.square(w).sum())


def test_a_frozen_one_is_not_trained():
    made = model(frozen=True)
    before = made.get_weights()[0]
    made.fit(*data(), epochs=1, verbose=0)
    assert np.array_equal(made.get_weights()[0], before)
    assert "non-trainable" in made.summary()


def test_it_is_saved_and_loaded(tmp_path):
    made = model(sparse_update="exact")
    made.fit(*data(), epochs=1, batch_size=16, verbose=0)
    made.save(tmp_path / "model.fnn")
    again = load(tmp_path / "model.fnn")
    for each in (made, again):
        each.fit(*data(), epochs=1, batch_size=16, verbose=0)
    assert all(map(np.array_equal, made.get_weights(), again.get_weights()))


def test_threads_change_no_bit():
    one, many = model(), model()
    one.fit(*data(), epochs=2, batch_size=32, n_jobs=1, verbose=0)
    many.fit(*data(), epochs=2, batch_size=32, n_jobs=3, verbose=0)
    assert all(map(np.array_equal, one.get_weights(), many.get_weights()))


def test_other_layers_share_nothing():
    x = Input((4,))
    dense = layers.Dense(4, name="twice")
    with pytest.raises(
        ValueError, match="twice: expected one call of a layer with weights, got two; make"
    ):
        Model(x, dense(dense(x)))


@pytest.mark.parametrize("backend", ["core", "numpy"])
def test_a_node_that_shares_names_an_earlier_table(backend):
    from fastnn import _core
    from fastnn.graph import Node
    from fastnn.reference import Engine

    made = {"core": _core.Engine, "numpy": Engine}[backend]
    ids = Node("input", "ids", (), {"shape": (), "dtype": "ids", "vocabulary": V})
    table = {"input_dim": V, "output_dim": D}
    own = Node("embedding", "own", (0,), table)
    other = Node("embedding", "other", (0,), {**table, "table": "missing"})
    with pytest.raises(ValueError, match="other: expected the name of an earlier table, got miss"):
        made([ids, own, other], [1, 2], "float32")
    wide = Node("embedding", "other", (0,), {**table, "output_dim": D + 1, "table": "own"})
    with pytest.raises(ValueError, match="other: expected a table of shape"):
        made([ids, own, wide], [1, 2], "float32")
