"""The ranking recommender over time: parts, new items, pickles, failures."""

import pickle

import numpy as np
import pytest
from fastnn.callbacks import Callback
from fastnn.optimizers import SGD, Adagrad
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tests.estimators.backends import CORE
from tests.estimators.test_ranker import LOSSES, likes, matrix, parts, recommender


@pytest.fixture(scope="module")
def liked():
    return likes()


@pytest.fixture(scope="module")
def fitted(liked):
    return recommender().fit(liked)


class TestNewItems:
    def test_given_vectors_are_taken(self, fitted, liked):
        estimator = pickle.loads(pickle.dumps(fitted))
        like = fitted.item_embeddings_[[3, 7]], fitted.item_biases_[[3, 7]]
        estimator.add_items([900, 800], like[0], biases=like[1])
        assert estimator.items_[-2:].tolist() == [800, 900]
        found = estimator.predict([1, 1], [900, 800])
        assert np.array_equal(found, fitted.predict([1, 1], fitted.items_[[3, 7]]))
        assert np.array_equal(estimator.predict(liked), fitted.predict(liked))
        assert np.isin([800, 900], estimator.recommend(1, n=100)[0]).all()
        before = estimator.item_embeddings_[-2:]
        estimator.partial_fit([1, 2], [800, 800])
        assert np.abs(estimator.item_embeddings_[-2] - before[0]).max() < 0.2

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (([900],), "embeddings: expected either embeddings or features, got neither"),
            (([1], np.zeros((1, 6))), "ids: expected different new ids, got 1, of which 0 are"),
            (([900], np.zeros((1, 5))), r"embeddings: expected shape \(n, 6\)"),
            (([900], np.zeros((2, 6))), "embeddings: expected 1, one per id, got 2"),
            (([900], np.zeros((1, 6)), [1, 2]), "biases: expected 1, one per id, got 2"),
            (([900], None, None, "f"), "features: expected None without item_features"),
        ],
    )
    def test_bad_ones_are_refused(self, fitted, given, message):
        ids, embeddings, biases, features = (*given, None, None, None)[:4]
        with pytest.raises(ValueError, match=message):
            fitted.add_items(ids, embeddings, biases=biases, features=features)


class TestPartialFit:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"loss": "bpr", "sampler": "log_uniform"},
            {"loss": "warp", "hidden_layer_sizes": (8,)},
            {"sampler": "in_batch"},
        ],
        ids=str,
    )
    def test_ten_parts_are_a_fit_of_ten_epochs(self, liked, settings):
        settings = {"optimizer": Adagrad(0.05), **settings}
        whole, part = recommender(epochs=10, **settings).fit(liked), recommender(**settings)
        for _ in range(10):
            part.partial_fit(liked)
        pairs = zip(part.model_.get_weights(), whole.model_.get_weights(), strict=True)
        assert all(np.array_equal(ours, theirs) for ours, theirs in pairs)
        assert part.history_["loss"] == whole.history_["loss"]

    @pytest.mark.parametrize("sampler", ["uniform", "log_uniform"])
    def test_new_ids_get_rows_and_old_ones_keep_theirs(self, liked, sampler):
        first, rest = parts(liked, (liked["user"] < 100) & (liked["item"] < 40))
        estimator = recommender(sampler=sampler).partial_fit(first)
        users, items, before = estimator.users_, estimator.items_, estimator.user_embeddings_
        estimator.partial_fit(rest)
        assert estimator.users_[: len(users)].tolist() == users.tolist()
        assert estimator.items_[: len(items)].tolist() == items.tolist()
        assert len(estimator.users_) == 150
        idle = np.flatnonzero(~np.isin(users, rest["user"]))
        assert np.array_equal(estimator.user_embeddings_[idle], before[idle])
        assert estimator.user_embeddings_.any(axis=1).all()
        user = first["user"][0]
        mine = liked["item"][liked["user"] == user]
        assert not np.isin(estimator.recommend(user, n=99)[0], mine).any()

    def test_a_pickle_goes_on_as_the_original(self, liked):
        estimator = recommender(optimizer=Adagrad(0.05)).partial_fit(liked)
        other = pickle.loads(pickle.dumps(estimator))
        estimator.partial_fit(liked)
        other.partial_fit(liked)
        assert np.array_equal(estimator.item_embeddings_, other.item_embeddings_)


@pytest.mark.parametrize("loss", LOSSES)
def test_threads_change_no_bit(liked, loss):
    one, *others = (recommender(loss=loss, n_jobs=n).fit(liked) for n in (1, 2, 3))
    for other in others:
        assert np.array_equal(one.user_embeddings_, other.user_embeddings_)
        assert np.array_equal(one.item_embeddings_, other.item_embeddings_)
        assert np.array_equal(one.recommend([1, 2])[1], other.recommend([1, 2])[1])


def test_the_seed_decides(liked):
    first, again, other = (recommender(random_state=n).fit(liked) for n in (0, 0, 1))
    assert np.array_equal(first.item_embeddings_, again.item_embeddings_)
    assert not np.array_equal(first.item_embeddings_, other.item_embeddings_)


@pytest.mark.skipif(not CORE, reason="needs the core")
@pytest.mark.parametrize("loss", LOSSES)
def test_both_engines_train_the_same(liked, loss):
    settings = {"loss": loss, "dtype": "float64", "epochs": 2}
    core, twin = (recommender(backend=name, **settings).fit(liked) for name in ("core", "numpy"))
    np.testing.assert_allclose(core.item_embeddings_, twin.item_embeddings_, rtol=1e-7, atol=1e-9)


def test_a_pickle_predicts_the_same(fitted, liked):
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(liked), fitted.predict(liked))
    assert again.fold_in([1, 2]).recommend(3)[0].tolist() == (
        fitted.fold_in([1, 2]).recommend(3)[0].tolist()
    )
    assert clone(fitted).get_params() == fitted.get_params()


class Stop(Callback):
    def __init__(self, error):
        self.error = error

    def on_epoch_begin(self, model, epoch):
        if epoch == 1:
            raise self.error


class TestFailures:
    def test_an_interrupt_leaves_a_usable_model(self, liked):
        with pytest.warns(UserWarning, match="fit: interrupted, the weights are those"):
            estimator = recommender(callbacks=[Stop(KeyboardInterrupt())]).fit(liked)
        assert len(estimator.history_["loss"]) == 1
        assert np.isfinite(estimator.predict(liked)).all()
        assert estimator.fold_in([1]).recommend(2)[0].shape == (2,)

    def test_a_failure_leaves_what_was_learnt(self, liked):
        estimator = recommender().fit(liked)
        before = estimator.predict(liked)
        estimator.set_params(callbacks=[Stop(RuntimeError("stop"))])
        with pytest.raises(RuntimeError, match="stop"):
            estimator.fit(matrix(liked, (200, 90)))
        assert np.array_equal(estimator.predict(liked), before)
        estimator.set_params(callbacks=None, optimizer=SGD(1e30))
        with pytest.raises(ValueError, match="loss: became"):
            estimator.fit(liked)
        assert np.array_equal(estimator.predict(liked), before)

    def test_a_part_that_fails_leaves_vectors_and_network_the_same(self, liked):
        class Fail(Callback):
            def on_epoch_end(self, model, epoch, logs):
                raise RuntimeError("stop")

        estimator = recommender().fit(liked)
        before = estimator.item_embeddings_
        estimator.set_params(callbacks=[Fail()])
        with pytest.raises(RuntimeError, match="stop"):
            estimator.partial_fit(liked)
        (table,) = estimator.model_.get_weights(["items/embeddings"])
        assert np.array_equal(estimator.item_embeddings_, table)
        assert not np.array_equal(before, table)

    def test_nothing_works_before_fit(self, liked):
        for use in (
            lambda r: r.predict(liked),
            lambda r: r.recommend([1]),
            lambda r: r.fold_in([1]),
            lambda r: r.explain(1, 1),
            lambda r: r.add_items([1], [[0.0] * 6]),
            lambda r: r.evaluate(liked),
            lambda r: r.similar_users(1),
        ):
            with pytest.raises(NotFittedError):
                use(recommender())
