"""Models whose loss samples, through the public interface, on both engines."""

import numpy as np
import pytest
from fastnn import Input, Model, layers, load, losses, optimizers
from scipy import sparse

from tests.model.conftest import BACKENDS

LOSSES = [
    losses.SampledSoftmax(8, sampler="uniform"),
    losses.SampledSoftmax(sampler="in_batch"),
    losses.BPR(2),
    losses.WARP(5),
    losses.SampledLogistic(3, sampler="unigram"),
]
N_USERS, N_ITEMS = 12, 40


def recommender(loss, backend="core", optimizer="adam", **scores):
    user = Input((), dtype="int32", name="user")
    vector = layers.Embedding(N_USERS, 6)(user)
    model = Model(
        user, layers.Scores(N_ITEMS, name="items", **scores)(vector), seed=1, backend=backend
    )
    return model.compile(optimizer, loss)


def tastes(n=600):
    """Users like items of their own class modulo 4."""
    random = np.random.default_rng(0)
    users = random.integers(0, N_USERS, n)
    return users, random.integers(0, N_ITEMS // 4, n) * 4 + users % 4


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_model_learns_who_likes_what(loss):
    users, items = tastes()
    model = recommender(loss, optimizer=optimizers.Adam(0.05))
    before = model.evaluate(users, items)["loss"]
    history = model.fit(users, items, batch_size=50, epochs=40, validation_data=(users, items))
    assert history.history["val_loss"][-1] < before
    scores = model.predict(np.arange(N_USERS))
    best = scores.argsort(axis=1)[:, -5:]
    assert (best % 4 == (np.arange(N_USERS) % 4)[:, None]).mean() > 0.9


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_evaluation_depends_on_nothing_but_the_examples(loss):
    users, items = tastes(200)
    model = recommender(loss)
    found = {
        model.evaluate(users, items, batch_size=size, n_jobs=jobs)["loss"]
        for size in (7, 200)
        for jobs in (1, 2)
    }
    assert len(found) == 1
    twin = recommender(loss, "numpy")
    found |= {twin.evaluate(users, items, batch_size=size)["loss"] for size in (7, 200)}
    assert max(found) == pytest.approx(min(found), rel=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "loss",
    [losses.SampledSoftmax(9), losses.BPR(4), losses.WARP(margin=50), losses.SampledLogistic(4)],
    ids=repr,
)
def test_excluded_classes_get_no_gradient(loss, backend):
    """All but the label and one other class are excluded: of the rest only these two move."""
    users, items = np.zeros(20, int), np.full(20, 7)
    model = recommender(loss, backend, optimizers.SGD(0.1), use_bias=False)
    others = [i for i in range(N_ITEMS) if i not in {7, 9}]
    known = sparse.lil_matrix((N_USERS, N_ITEMS))
    known[0, others] = 1
    model.exclude_negatives("user", known)
    before = model.get_weights()[1]
    model.fit(users, items, epochs=5, batch_size=4)
    moved = np.flatnonzero((model.get_weights()[1] != before).any(axis=1))
    assert set(moved) <= {7, 9}
    assert 7 in moved
    model.exclude_negatives(0, None)
    model.fit(users, items, epochs=5, batch_size=4)
    assert len(np.flatnonzero((model.get_weights()[1] != before).any(axis=1))) > 2


def test_rows_of_known_classes_may_come_in_any_order():
    users, items = tastes(50)
    random = np.random.default_rng(3)
    starts = np.arange(N_USERS + 1) * 3
    classes = random.integers(0, N_ITEMS, 3 * N_USERS)
    models = [recommender(losses.BPR(4)) for _ in range(2)]
    models[0].exclude_negatives("user", (starts, classes))
    models[1].exclude_negatives("user", (starts, classes.reshape(-1, 3)[:, ::-1].ravel()))
    found = [m.fit(users, items, epochs=2).history["loss"] for m in models]
    assert found[0] == found[1]


def test_what_is_known_must_fit_the_model():
    model = recommender(losses.BPR())
    starts = np.zeros(N_USERS + 1, int)
    with pytest.raises(ValueError, match=r"name: expected one of user, got 'item'"):
        model.exclude_negatives("item", None)
    with pytest.raises(TypeError, match=r"known: expected a sparse matrix, or \(indptr, indices\)"):
        model.exclude_negatives("user", np.zeros((N_USERS, N_ITEMS)))
    with pytest.raises(ValueError, match=r"known: expected a matrix of shape \(12, 40\), got"):
        model.exclude_negatives("user", sparse.csr_matrix((3, N_ITEMS)))
    with pytest.raises(ValueError, match=r"known\[0\]: expected 13 rising positions"):
        model.exclude_negatives("user", (starts[:-1], []))
    ends = np.append(starts[1:], 1)
    with pytest.raises(ValueError, match=r"known\[1\]: expected values in \[0, 40\), got 40"):
        model.exclude_negatives("user", (ends, [40]))
    x = Input((3,))
    with pytest.raises(ValueError, match=r"name: expected an input of ids, one per row"):
        Model(x, layers.Scores(3)(x)).exclude_negatives(0, None)
    with pytest.raises(ValueError, match=r"model: expected an output that layers.Scores makes"):
        Model(x, layers.Dense(3)(x)).exclude_negatives(0, None)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loss_that_samples_wants_scores_of_its_own(backend):
    x = Input((3,))
    dense = Model(x, layers.Dense(5)(x), backend=backend)
    with pytest.raises(ValueError, match=r"loss: expected output dense to be a Scores layer for"):
        dense.compile("adam", "bpr")
    scores = layers.Scores(5)(x)
    model = Model(x, [scores, layers.Dense(2)(scores)], backend=backend)
    with pytest.raises(ValueError, match=r"read by warp alone, got dense beside it"):
        model.compile("adam", ["warp", "mse"])
    with pytest.raises(ValueError, match=r"metrics: expected none for bpr, got accuracy"):
        Model(x, scores, backend=backend).compile("adam", "bpr", metrics=["accuracy"])


def test_settings_out_of_range_are_refused():
    for make, match in (
        (lambda: losses.BPR(0), "negatives: expected an integer"),
        (lambda: losses.BPR(sampler="in_batch"), "sampler: expected one of uniform"),
        (lambda: losses.WARP(margin=-1), "margin: expected a finite number >= 0"),
        (lambda: losses.SampledLogistic(power=-1), r"power: expected a number in \[0, 10\]"),
        (
            lambda: losses.SampledSoftmax(sampler="in_batch", remove_hits=False),
            "remove_hits: expected True for sampler 'in_batch', got False",
        ),
        (lambda: layers.Scores(0), "units: expected an integer"),
        (lambda: layers.Scores(3, n_features=2), "features_per_unit: expected at least 1 with"),
        (lambda: layers.Scores(3, sparse_update="exact"), "sparse_update: expected one of"),
    ):
        with pytest.raises(ValueError, match=match):
            make()


@pytest.mark.parametrize("backend", BACKENDS)
def test_features_are_whole_numbers_of_rows(backend):
    x = Input((3,))
    model = Model(x, layers.Scores(4, n_features=2, features_per_unit=1)(x), backend=backend)
    for wrong in (2, -2, 0.5):
        with pytest.raises(ValueError, match=r"features'\]: expected whole numbers in \[-1, 2\)"):
            model.set_weights({"scores/features": np.full((4, 1), wrong)})
    shares = np.array([[1.0], [0.5], [0.0], [3.0]])
    features = np.array([[0], [1], [1], [-1]])
    model.set_weights({"scores/features": features, "scores/feature_weights": shares})
    weights = dict(zip([n for n, _ in model.parameters()], model.get_weights(), strict=True))
    f = weights["scores/feature_embeddings"]
    v = weights["scores/embeddings"] + np.where(features >= 0, shares, 0) * f[features[:, 0]]
    given = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(model.predict(given), v.T, atol=1e-6)
    assert "non-trainable" in model.summary()


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_goes_on_after_loading(tmp_path, backend):
    users, items = tastes(100)
    scores = {"n_features": 3, "features_per_unit": 2}
    model = recommender(losses.WARP(4), backend, **scores)
    random = np.random.default_rng(0)
    given = {
        "items/features": random.integers(-1, 3, (N_ITEMS, 2)),
        "items/feature_weights": random.normal(size=(N_ITEMS, 2)),
    }
    model.set_weights(given)
    model.fit(users, items, epochs=2)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    for m in (model, again):
        m.fit(users, items, epochs=2)
    for found, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        assert found.tobytes() == expected.tobytes()
