"""What a user of the ratings recommender does after fitting: many users, guests, new items."""

import pickle
import uuid

import numpy as np
import pytest
from fastnn import RatingRecommender, metrics
from fastnn.callbacks import Callback
from fastnn.datasets import make_ratings
from fastnn.optimizers import SGD, Adagrad
from scipy import sparse
from sklearn.exceptions import NotFittedError

from tests.estimators.backends import BACKEND

SETTINGS = {"factors": 6, "epochs": 3, "batch_size": 128, "random_state": 0, "backend": BACKEND}
TOWER = {"hidden_layer_sizes": (8,)}


def recommender(**settings):
    return RatingRecommender(**{**SETTINGS, **settings})


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(120, 60, 3000, seed=3)


@pytest.fixture(scope="module")
def fitted(ratings):
    return recommender(epochs=12, learning_rate=0.02).fit(ratings)


@pytest.fixture(scope="module")
def tower(ratings):
    return recommender(**TOWER).fit(ratings)


def matrix(ratings, shape=None):
    return sparse.csr_matrix((ratings["rating"], (ratings["user"], ratings["item"])), shape=shape)


def scores_of(estimator, users):
    n = len(estimator.items_)
    found = estimator.predict(np.repeat(users, n), np.tile(estimator.items_, len(users)))
    return found.reshape(len(users), n)


@pytest.mark.parametrize("name", ["fitted", "tower"])
def test_several_users_get_what_each_would_get(name, request):
    estimator = request.getfixturevalue(name)
    users = [5, -9, *estimator.users_[:7].tolist()]
    ids, scores = estimator.recommend(users, n=8)
    assert ids.shape == scores.shape == (9, 8)
    for user, row, values in zip(users, ids, scores, strict=True):
        alone, own = estimator.recommend(user, n=8)
        assert row.tolist() == alone.tolist()
        assert np.array_equal(values, own)


@pytest.mark.parametrize("name", ["fitted", "tower"])
def test_recommendations_are_the_best_of_all_predictions(name, request, ratings):
    estimator = request.getfixturevalue(name)
    users = estimator.users_[:20]
    every = scores_of(estimator, users)
    for row, user in enumerate(users):
        seen = ratings["item"][ratings["user"] == user]
        every[row, np.isin(estimator.items_, seen)] = -np.inf
    ids, scores = estimator.recommend(users, n=5)
    np.testing.assert_allclose(scores, np.sort(every, axis=1)[:, :-6:-1], rtol=1e-6)
    assert not any(np.isin(ids, estimator.items_, invert=True).ravel())


def test_a_user_who_rated_nearly_all_gets_a_short_row():
    users = ["a"] * 4 + ["b"]
    estimator = recommender(batch_size=5).fit(users, ["w", "x", "y", "z", "w"], [1, 2, 3, 4, 5])
    ids, scores = estimator.recommend(["a", "b"], n=3)
    assert ids[0].tolist() == ["", "", ""]
    assert sorted(ids[1].tolist()) == ["x", "y", "z"]
    assert np.isneginf(scores[0]).all()
    assert np.isfinite(scores[1]).all()
    assert estimator.recommend("a")[0].tolist() == []
    assert estimator.recommend([], n=3)[0].shape == (0, 3)


@pytest.mark.parametrize(
    ("nothing", "make"),
    [
        (-1, int),
        (-1, np.uint8),
        (None, lambda k: uuid.UUID(int=k)),
        (np.datetime64("NaT"), lambda k: np.datetime64("2020-01-01") + k),
    ],
)
def test_what_stands_for_no_item_fits_the_ids(nothing, make):
    items = [make(k) for k in (1, 2, 1)]
    estimator = recommender().fit([1, 1, 2], items, [1, 2, 3])
    ids, _ = estimator.recommend([1, 2], n=2)
    found = ids[0].tolist()
    assert found == [nothing, nothing] or np.isnat(ids[0]).all()
    assert ids[1][0] == make(2)


def test_a_catalogue_of_one_item_is_no_trouble():
    estimator = recommender().fit([1, 2, 3], [7, 7, 7], [4, 5, 3])
    assert estimator.recommend(1)[0].tolist() == []
    assert estimator.recommend(1, filter_seen=False)[0].tolist() == [7]
    assert estimator.similar_items(7)[0].tolist() == []
    assert estimator.similar_items([7])[0].shape == (1, 0)


def test_similar_ones_of_several_come_in_rows(fitted):
    ids, cosines = fitted.similar_items(fitted.items_[:4], n=3)
    assert ids.shape == (4, 3)
    alone = fitted.similar_items(fitted.items_[2], n=3)
    assert ids[2].tolist() == alone[0].tolist()
    np.testing.assert_allclose(cosines[2], alone[1], rtol=1e-6)
    with pytest.raises(ValueError, match="item: expected an id seen in training, got -5"):
        fitted.similar_items([3, -5])


def test_a_sparse_matrix_is_a_table_of_positions(ratings):
    dense = {"user": ratings["user"], "item": ratings["item"], "rating": ratings["rating"]}
    order = np.lexsort((dense["item"], dense["user"]))
    sorted_table = {name: column[order] for name, column in dense.items()}
    table, other = recommender().fit(sorted_table), recommender().fit(matrix(ratings))
    if len(table.users_) == len(other.users_) and len(table.items_) == len(other.items_):
        assert np.array_equal(table.user_embeddings_, other.user_embeddings_)
    assert other.users_.tolist() == list(range(ratings["user"].max() + 1))


def test_users_without_ratings_in_a_matrix_are_as_unknown(ratings):
    estimator = recommender().fit(matrix(ratings, (200, 90)))
    assert len(estimator.users_) == 200
    assert not estimator.user_embeddings_[150].any()
    assert not estimator.item_embeddings_[75].any()
    assert estimator.recommend(150, n=4)[0].tolist() == estimator.recommend(999, n=4)[0].tolist()
    assert estimator.predict([150], [75]) == pytest.approx(estimator.global_mean_, rel=1e-5)


def test_a_stored_zero_of_a_matrix_is_a_rating():
    given = sparse.csr_matrix(([0.0, 4.0, 2.0], ([0, 0, 1], [0, 1, 1])), shape=(2, 3))
    estimator = recommender().fit(given)
    assert estimator.global_mean_ == 2.0
    assert estimator.recommend(0)[0].tolist() == [2]


def test_a_matrix_stands_alone(ratings):
    with pytest.raises(ValueError, match="items: expected None beside a sparse matrix"):
        recommender().fit(matrix(ratings), [1], [2])
    with pytest.raises(ValueError, match="users: expected a matrix with rows and columns"):
        recommender().fit(sparse.csr_matrix((0, 3)))
    bad = sparse.csr_matrix(([1.0, np.nan], ([0, 1], [0, 1])))
    with pytest.raises(ValueError, match="ratings: expected finite numbers"):
        recommender().fit(bad)
    with pytest.raises(ValueError, match="ratings: expected at least one, got none"):
        recommender().fit(sparse.csr_matrix((2, 3)))


@pytest.mark.parametrize(
    "of",
    [
        str,
        lambda k: 3 * k - 70,
        lambda k: uuid.UUID(int=k),
        lambda k: np.datetime64("2020-01-01") + k,
        lambda k: (k, "part"),
    ],
    ids=["words", "gaps", "uuid", "dates", "tuples"],
)
def test_ids_of_every_type_give_the_same_model(of):
    k = np.repeat(np.arange(12), 5)
    item = np.tile(np.arange(5), 12)
    y = (k + item) % 5 + 1.0
    plain = recommender().fit(k, item, y)

    def ids(numbers):
        column = np.empty(len(numbers), object)
        column[:] = [of(number) for number in numbers.tolist()]
        return column.astype("M8[D]") if isinstance(column[0], np.datetime64) else column

    other = recommender().fit(ids(k), ids(item), y)
    assert np.array_equal(plain.predict(k, item), other.predict(ids(k), ids(item)))
    assert other.recommend(of(3), filter_seen=False)[0].tolist()[0] in ids(item).tolist()


def test_categories_are_ids(ratings):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(ratings)
    table["user"] = ("u" + table["user"].astype(str)).astype("category")
    estimator = recommender(epochs=1).fit(table)
    assert estimator.users_[0] == table["user"].iloc[0]
    table.loc[3, "user"] = None
    with pytest.raises(ValueError, match="users: expected ids, got nan at row 3"):
        recommender().fit(table)


def test_the_last_rating_of_a_repeated_pair_is_the_known_one():
    estimator = recommender().fit([1, 1, 2, 1], [1, 2, 2, 1], [1.0, 3.0, 3.0, 5.0])
    assert estimator._seen.toarray()[0].tolist() == [5.0, 3.0]


class TestNewItems:
    def test_given_vectors_are_taken(self, fitted, ratings):
        estimator = pickle.loads(pickle.dumps(fitted))
        like = fitted.item_embeddings_[[3, 7]], fitted.item_biases_[[3, 7]]
        estimator.add_items([900, 800], like[0], biases=like[1])
        assert estimator.items_[-2:].tolist() == [800, 900]
        user = estimator.users_[0]
        found = estimator.predict([user, user], [900, 800])
        expected = [fitted.predict([user], [fitted.items_[k]])[0] for k in (3, 7)]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert np.array_equal(estimator.predict(ratings), fitted.predict(ratings))
        assert 900 in estimator.recommend(user, n=1000)[0]

    def test_without_anything_they_come_out_as_unknown(self, fitted):
        estimator = pickle.loads(pickle.dumps(fitted)).add_items([900])
        user = estimator.users_[0]
        assert estimator.predict([user], [900]) == fitted.predict([user], [-1])

    def test_their_ratings_place_them(self, ratings):
        new = ratings["item"] % 10 == 3
        old = {name: column[~new] for name, column in ratings.items()}
        more = {name: column[new] for name, column in ratings.items()}
        estimator = recommender(epochs=12, learning_rate=0.02).fit(old)
        half = np.arange(new.sum()) % 2 == 0
        estimator.add_items(np.unique(more["item"]), ratings={k: v[half] for k, v in more.items()})
        test = {name: column[~half] for name, column in more.items()}
        errors = estimator.predict(test) - test["rating"]
        assert np.sqrt(np.mean(errors**2)) < 0.9 * test["rating"].std()
        user = more["user"][half][0]
        assert not np.isin(estimator.recommend(user, n=1000)[0], more["item"][half][0]).any()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (([1, 2],), "ids: expected different new ids, got 2, of which 0 are"),
            (([900, 900],), "ids: expected different new ids, got 2, of which 1 are"),
            (([900], np.zeros((1, 5))), r"embeddings: expected shape \(n, 6\)"),
            (([900], np.zeros((2, 6))), "embeddings: expected 1, one per id, got 2"),
            (([900], np.zeros((1, 6)), np.zeros(3)), "biases: expected 1, one per id, got 3"),
            (([900], np.zeros((1, 6)), None, ([1], [900], [3.0])), "ratings: expected None beside"),
        ],
    )
    def test_bad_ones_are_refused(self, fitted, given, message):
        ids, embeddings, biases, ratings = (*given, None, None, None)[:4]
        with pytest.raises(ValueError, match=message):
            fitted.add_items(ids, embeddings, biases=biases, ratings=ratings)


class TestPartialFit:
    @pytest.mark.parametrize(
        "settings", [{}, TOWER, {"sparse_update": "dense"}, {"sparse_update": "exact"}], ids=str
    )
    def test_ten_parts_are_a_fit_of_ten_epochs(self, ratings, settings):
        settings = {"optimizer": Adagrad(0.05), **settings}
        whole = recommender(epochs=10, **settings).fit(ratings)
        parts = recommender(**settings)
        for _ in range(10):
            parts.partial_fit(ratings)
        for ours, theirs in zip(
            parts.model_.get_weights(), whole.model_.get_weights(), strict=True
        ):
            assert np.array_equal(ours, theirs)
        assert parts.history_["loss"] == whole.history_["loss"]

    def test_exact_updates_go_on_with_new_ids_as_dense_ones(self, ratings):
        old = ratings["user"] < 80
        first, rest = ({k: v[rows] for k, v in ratings.items()} for rows in (old, ~old))
        found = []
        for way in ("exact", "dense"):
            estimator = recommender(y_range=(0, 6), sparse_update=way, dtype="float64")
            found.append(estimator.partial_fit(first).partial_fit(rest).predict(ratings))
        np.testing.assert_allclose(found[0], found[1], rtol=1e-6)

    def test_new_ids_get_rows_and_old_ones_keep_theirs(self, ratings):
        old = (ratings["user"] < 80) & (ratings["item"] < 40)
        first, rest = ({k: v[rows] for k, v in ratings.items()} for rows in (old, ~old))
        estimator = recommender(y_range=(0, 6)).partial_fit(first)
        users, items = estimator.users_, estimator.items_
        state = estimator.model_.network.engine.state()
        slots = {name: slot for name, slot in state.items() if name.startswith("user_factors")}
        before = estimator.user_embeddings_
        untouched = estimator.users_[~np.isin(users, rest["user"])]
        estimator.partial_fit(rest)
        assert estimator.users_[: len(users)].tolist() == users.tolist()
        assert estimator.items_[: len(items)].tolist() == items.tolist()
        assert set(estimator.users_.tolist()) == set(ratings["user"].tolist())
        rows = np.flatnonzero(np.isin(users, untouched))
        assert np.array_equal(estimator.user_embeddings_[rows], before[rows])
        now = estimator.model_.network.engine.state()
        for name, slot in slots.items():
            assert np.array_equal(now[name][1:][rows], slot[1:][rows])
        assert now["step"] > state["step"]
        assert estimator.user_embeddings_.any(axis=1).all()
        assert not np.isin(estimator.recommend(first["user"][0], n=99)[0], first["item"][0]).any()
        assert estimator.predict(ratings).shape == (len(ratings["user"]),)

    def test_a_row_of_a_matrix_may_come_to_life(self, ratings):
        early, whole = matrix(ratings).tolil(), matrix(ratings)
        early[:, 3] = 0
        estimator = recommender().fit(early.tocsr())
        assert not estimator.item_embeddings_[3].any()
        other = estimator.item_embeddings_[5].copy()
        estimator.partial_fit(whole)
        assert estimator.item_embeddings_[3].any()
        assert not np.array_equal(estimator.item_embeddings_[5], other)

    def test_ratings_beyond_the_first_range_are_refused(self, ratings):
        estimator = recommender().partial_fit(ratings)
        more = {"user": [1], "item": [1], "rating": [9.0]}
        with pytest.raises(ValueError, match=r"ratings: expected numbers in .*; give y_range"):
            estimator.partial_fit(more)

    def test_after_a_fit_the_rate_is_constant(self, ratings):
        estimator = recommender().fit(ratings).partial_fit(ratings)
        assert estimator.model_.learning_rate == estimator.learning_rate
        assert len(estimator.history_["loss"]) == 4


class TestTowers:
    @pytest.mark.parametrize(
        "use",
        [
            lambda r: r.fold_in({3: 4.0}),
            lambda r: r.explain(r.users_[0], r.items_[0]),
            lambda r: r.add_items([999], ratings=([1], [999], [3.0])),
        ],
        ids=["fold_in", "explain", "ratings"],
    )
    def test_what_needs_a_product_says_so(self, tower, use):
        with pytest.raises(
            ValueError, match=r"hidden_layer_sizes: expected \(\) for .*, got \(8,\)"
        ):
            use(tower)

    def test_new_items_and_parts_work(self, tower, ratings):
        estimator = pickle.loads(pickle.dumps(tower)).add_items([999])
        assert np.array_equal(estimator.predict(ratings), tower.predict(ratings))
        estimator.partial_fit(ratings)
        assert not np.array_equal(estimator.predict(ratings), tower.predict(ratings))


class TestEvaluation:
    @pytest.mark.parametrize("name", ["fitted", "tower"])
    def test_figures_are_those_of_all_predictions(self, name, request, ratings):
        estimator = request.getfixturevalue(name)
        random = np.random.default_rng(0)
        test = {
            "user": random.choice(estimator.users_, 200),
            "item": random.choice(estimator.items_, 200),
            "rating": random.choice([1.0, 3.0, 4.0, 5.0], 200),
        }
        found = estimator.evaluate(test, k=5, threshold=4)
        errors = estimator.predict(test) - test["rating"]
        assert found["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))
        assert found["mae"] == pytest.approx(np.abs(errors).mean())
        good = test["rating"] >= 4
        users, row = np.unique(test["user"][good], return_inverse=True)
        columns = np.searchsorted(estimator.items_, test["item"][good])
        shape = len(users), len(estimator.items_)
        relevant = sparse.csr_matrix((np.ones(len(row)), (row, columns)), shape=shape)
        seen = estimator._seen[np.searchsorted(estimator.users_, users)]
        expected = metrics.ranking_of_scores(
            scores_of(estimator, users), relevant, k=5, exclude=seen
        )
        for metric, value in expected.items():
            assert found[metric] == pytest.approx(value, rel=1e-5), metric

    def test_unknown_ids_count_in_errors_alone(self, fitted):
        test = {"user": [1, -1], "item": [-1, 2], "rating": [5.0, 5.0]}
        with pytest.raises(ValueError, match="test: expected a relevant row of a user and an item"):
            fitted.evaluate(test)


class Stop(Callback):
    def __init__(self, error):
        self.error = error

    def on_epoch_begin(self, model, epoch):
        if epoch == 1:
            raise self.error


class TestFailures:
    def test_an_interrupt_leaves_a_usable_model(self, ratings):
        with pytest.warns(UserWarning, match="fit: interrupted, the weights are those"):
            estimator = recommender(callbacks=[Stop(KeyboardInterrupt())]).fit(ratings)
        assert len(estimator.history_["loss"]) == 1
        assert np.isfinite(estimator.predict(ratings)).all()
        assert estimator.fold_in({3: 4.0}).recommend(2)[0].shape == (2,)

    def test_a_failure_leaves_what_was_learnt(self, ratings):
        estimator = recommender().fit(ratings)
        before = estimator.predict(ratings)
        estimator.set_params(callbacks=[Stop(RuntimeError("stop"))])
        with pytest.raises(RuntimeError, match="stop"):
            estimator.fit({name: column[:50] for name, column in ratings.items()})
        assert np.array_equal(estimator.predict(ratings), before)
        estimator.set_params(callbacks=None, optimizer=SGD(1e30), biases=False)
        with pytest.raises(ValueError, match="loss: became"):
            estimator.fit(ratings)
        assert np.array_equal(estimator.predict(ratings), before)

    def test_a_failed_part_keeps_attributes_and_model_together(self, ratings):
        estimator = recommender().fit(ratings)
        with pytest.raises(ValueError, match="sample_weight"):
            estimator.partial_fit(ratings, sample_weight=np.zeros(len(ratings["user"])))
        tables = [w[1:] for w in estimator.model_.get_weights()]
        assert any(np.array_equal(estimator.item_embeddings_, table) for table in tables)

    def test_nothing_works_before_fit(self, ratings):
        for use in (
            lambda r: r.predict(ratings),
            lambda r: r.recommend([1]),
            lambda r: r.fold_in({1: 3.0}),
            lambda r: r.explain(1, 1),
            lambda r: r.add_items([1]),
            lambda r: r.evaluate(ratings),
            lambda r: r.similar_items(1),
        ):
            with pytest.raises(NotFittedError):
                use(recommender())


def test_threads_change_no_bit(ratings):
    one, *others = (recommender(n_jobs=n).fit(ratings) for n in (1, 2, 3))
    users = one.users_[:9]
    for other in others:
        assert np.array_equal(one.user_embeddings_, other.user_embeddings_)
        assert np.array_equal(one.recommend(users)[1], other.recommend(users)[1])


def test_a_planted_matrix_is_recovered():
    """Rank 3, 500 x 300, 80 % missing: what is missing comes out within 0.05."""
    random = np.random.default_rng(0)
    cells = random.normal(size=(500, 3)) @ random.normal(size=(3, 300)) / np.sqrt(3)
    known = random.random(cells.shape) < 0.2
    users, items = np.nonzero(known)
    settings = {"factors": 3, "y_range": (-60, 60), "biases": False, "weight_decay": 0.0}
    estimator = recommender(**{**settings, "epochs": 30, "learning_rate": 0.02, "batch_size": 256})
    estimator.fit(users, items, cells[users, items])
    users, items = np.nonzero(~known)
    errors = estimator.predict(users, items) - cells[users, items]
    assert np.sqrt(np.mean(errors**2)) < 0.05
