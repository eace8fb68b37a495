"""The ranking recommender: what it learns, and what its users do after a fit."""

import pickle
import uuid
from typing import Any

import numpy as np
import pytest
from fastnn import RankingRecommender, metrics
from fastnn.optimizers import Adagrad
from scipy import sparse

from tests.estimators.backends import BACKEND

LOSSES = ("sampled_softmax", "bpr", "warp", "logistic")
SETTINGS: dict[str, Any] = {"factors": 6, "epochs": 4, "batch_size": 128, "learning_rate": 0.05}
SETTINGS |= {"weight_decay": 0.02, "negatives": 16, "random_state": 0, "backend": BACKEND}


def recommender(**settings):
    return RankingRecommender(**{**SETTINGS, **settings})


def likes(n_users=150, n_items=60, per_user=12, seed=0):
    """Return who likes what, by taste: users and items are points, near ones meet."""
    random = np.random.default_rng(seed)
    p, q = random.normal(size=(n_users, 3)), random.normal(size=(n_items, 3))
    scores = 2 * p @ q.T + random.normal(size=n_items) + random.gumbel(size=(n_users, n_items))
    scores[np.arange(n_items), np.arange(n_items)] = np.inf  # all are met
    items = np.argsort(-scores, axis=1)[:, :per_user]
    order = random.permutation(n_users * per_user)
    return {"user": np.repeat(np.arange(n_users), per_user)[order], "item": items.ravel()[order]}


def parts(table, rows):
    return tuple({name: column[keep] for name, column in table.items()} for keep in (rows, ~rows))


@pytest.fixture(scope="module")
def liked():
    return likes()


@pytest.fixture(scope="module")
def split(liked):
    return parts(liked, np.arange(len(liked["user"])) % 5 > 0)


@pytest.fixture(scope="module")
def fitted(split):
    return recommender(epochs=20).fit(split[0])


def matrix(table, shape=None):
    ones = np.ones(len(table["user"]))
    return sparse.csr_matrix((ones, (table["user"], table["item"])), shape=shape)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_planted_taste_is_found(split, loss):
    train, test = split
    estimator = recommender(loss=loss, epochs=20).fit(train)
    found = estimator.evaluate(test, k=10)
    popular = np.bincount(train["item"])[estimator.items_]
    scores = np.tile(popular.astype(float), (len(estimator.users_), 1))
    truth = matrix(test, (150, 60))[np.ix_(estimator.users_, estimator.items_)]
    by_all = metrics.ranking_of_scores(scores, truth, k=10, exclude=estimator._seen)
    assert found["ndcg"] > 1.3 * by_all["ndcg"]
    assert found["auc"] > 0.8
    assert estimator.history_["loss"][-1] < estimator.history_["loss"][0]


def test_scores_are_products_of_vectors_and_biases(fitted):
    users, items = fitted.users_[:30], fitted.items_[:30]
    vectors = fitted.user_embeddings_[:30], fitted.item_embeddings_[:30]
    expected = (vectors[0] * vectors[1]).sum(axis=1) + fitted.item_biases_[:30]
    np.testing.assert_allclose(fitted.predict(users, items), expected, rtol=1e-4, atol=1e-6)
    assert not fitted.user_biases_.any()


def test_scores_are_those_of_the_network(fitted):
    positions = fitted._users.positions("users", fitted.users_[:9])
    scores = fitted.model_.predict(positions)
    n = len(fitted.items_)
    found = fitted.predict(np.repeat(fitted.users_[:9], n), np.tile(fitted.items_, 9))
    np.testing.assert_allclose(found.reshape(9, n), scores, rtol=1e-4, atol=1e-5)


def test_recommendations_are_sorted_new_and_best(fitted, split):
    users = [*fitted.users_[:20].tolist(), -4]
    ids, scores = fitted.recommend(users, n=7)
    assert ids.shape == scores.shape == (21, 7)
    assert (np.diff(scores, axis=1) <= 0).all()
    for user, row, values in zip(users, ids, scores, strict=True):
        seen = split[0]["item"][split[0]["user"] == user]
        assert not np.isin(row, seen).any()
        left = fitted.items_[~np.isin(fitted.items_, seen)]
        every = fitted.predict(np.full(len(left), user), left)
        np.testing.assert_allclose(values, np.sort(every)[::-1][:7], rtol=1e-5)
        assert np.array_equal(fitted.recommend(user, n=7)[0], row)


def test_an_unknown_user_gets_what_all_like(fitted):
    ids, scores = fitted.recommend(-7, n=3)
    order = np.argsort(-fitted.item_biases_, kind="stable")[:3]
    assert ids.tolist() == fitted.items_[order].tolist()
    np.testing.assert_allclose(scores, fitted.item_biases_[order])
    assert fitted.predict([-7], [-7]) == 0


def test_evaluation_is_that_of_all_scores(fitted, split):
    found = fitted.evaluate(split[1], k=5)
    n = len(fitted.items_)
    every = fitted.predict(np.repeat(fitted.users_, n), np.tile(fitted.items_, len(fitted.users_)))
    known = np.isin(split[1]["user"], fitted.users_) & np.isin(split[1]["item"], fitted.items_)
    users = np.searchsorted(fitted.users_, split[1]["user"][known])
    items = np.searchsorted(fitted.items_, split[1]["item"][known])
    shape = len(fitted.users_), n
    truth = sparse.csr_matrix((np.ones(len(users)), (users, items)), shape=shape)
    expected = metrics.ranking_of_scores(every.reshape(shape), truth, k=5, exclude=fitted._seen)
    assert found == pytest.approx(expected, rel=1e-5)


class TestInput:
    def test_tables_matrices_and_arrays_are_the_same(self, liked):
        order = np.lexsort((liked["item"], liked["user"]))
        table = {name: column[order] for name, column in liked.items()}
        whole = recommender().fit(table)
        named = {"who": table["user"], "what": table["item"]}
        for other in (
            recommender().fit(table["user"], table["item"]),
            recommender().fit(named, user="who", item="what"),
            recommender().fit(matrix(table)),
            recommender().fit(table["user"], table["item"], np.ones(len(order))),
        ):
            assert np.array_equal(other.user_embeddings_, whole.user_embeddings_)
            assert np.array_equal(other.item_embeddings_, whole.item_embeddings_)

    @pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
    def test_tables_of_libraries_are_taken(self, liked, library):
        module = pytest.importorskip(library)
        make = module.table if library == "pyarrow" else module.DataFrame
        found = recommender(epochs=1).fit(make(liked))
        assert np.array_equal(
            found.item_embeddings_, recommender(epochs=1).fit(liked).item_embeddings_
        )

    @pytest.mark.parametrize(
        "of",
        [
            str,
            lambda k: 3 * k - 70,
            lambda k: uuid.UUID(int=k),
            lambda k: np.datetime64("2020-01-01") + k,
        ],
        ids=["words", "gaps", "uuid", "dates"],
    )
    def test_ids_of_every_type_give_the_same_model(self, of):
        user, item = np.repeat(np.arange(20), 4), np.arange(80) % 7

        def ids(numbers):
            column = np.empty(len(numbers), object)
            column[:] = [of(number) for number in numbers.tolist()]
            return column.astype("M8[D]") if isinstance(column[0], np.datetime64) else column

        plain, other = recommender().fit(user, item), recommender().fit(ids(user), ids(item))
        assert np.array_equal(plain.item_embeddings_, other.item_embeddings_)
        assert other.recommend(of(3))[0].tolist() == ids(plain.recommend(3)[0]).tolist()

    def test_who_met_nothing_is_as_unknown(self, liked):
        estimator = recommender().fit(matrix(liked, (160, 70)))
        assert not estimator.user_embeddings_[155].any()
        assert np.array_equal(estimator.recommend(155)[0], estimator.recommend(-1)[0])

    def test_a_catalogue_of_one_item_is_no_trouble(self):
        for loss in LOSSES:
            estimator = recommender(loss=loss).fit([1, 2, 3], [7, 7, 7])
            assert estimator.recommend(1)[0].tolist() == []
            assert estimator.recommend(9)[0].tolist() == [7]
            assert estimator.fold_in([7]).recommend()[0].tolist() == []

    def test_weights_count(self, liked):
        half = (liked["item"] < 30).astype(float)
        estimator = recommender(epochs=10).fit(liked, sample_weight=0.05 + half)
        other = recommender(epochs=10).fit({**liked, "n": 0.05 + half}, rating="n")
        assert np.array_equal(estimator.item_biases_, other.item_biases_)
        plain = recommender(epochs=10).fit(liked)
        shift = estimator.item_biases_ - plain.item_biases_
        assert shift[:30].mean() > shift[30:].mean()

    def test_a_row_that_counts_nothing_is_none(self, liked):
        kept = np.arange(len(liked["user"])) % 3 > 0
        some, _ = parts(liked, kept)
        estimator = recommender().fit({**liked, "n": kept.astype(int)}, rating="n")
        expected = recommender().fit(some)
        if len(estimator.items_) == len(expected.items_):
            assert np.array_equal(estimator.item_embeddings_, expected.item_embeddings_)
        assert estimator._seen.nnz == kept.sum()

    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            (([1, 2], [3]), ValueError, "items: expected 2 as users, got 1"),
            (([1, None], [3, 4]), ValueError, "users: expected ids, got None at row 1"),
            (([], []), ValueError, "users: expected at least one interaction, got none"),
            (([1], [2], [0]), ValueError, "users: expected at least one interaction, got none"),
            (([1], [2], [-1]), ValueError, "ratings: expected numbers >= 0, got -1; leave out"),
            (([1], [2], [np.nan]), ValueError, "ratings: expected finite numbers"),
            (([1, 2],), TypeError, "users: expected a table, a dict of arrays, a sparse matrix"),
            (({"user": [1]},), ValueError, r"item: expected a column of the table \(user\)"),
        ],
    )
    def test_bad_interactions_are_refused(self, given, error, message):
        with pytest.raises(error, match=message):
            recommender().fit(*given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "hinge"}, "loss: expected one of bpr, warp, logistic, sampled_softmax"),
        ({"sampler": "in_batch", "loss": "bpr"}, "sampler: expected one of uniform, log_uniform"),
        ({"negatives": 0}, "negatives: expected an integer in"),
        ({"factors": 0}, "factors: expected an integer >= 1, got 0"),
        ({"epochs": 0}, "epochs: expected"),
        ({"batch_size": 0}, "batch_size: expected"),
        ({"learning_rate": 0}, "learning_rate: expected"),
        ({"weight_decay": -1}, "weight_decay: expected"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes: expected"),
        ({"sparse_update": "never"}, "sparse_update: expected one of"),
    ],
)
def test_wrong_settings_are_refused(liked, settings, message):
    with pytest.raises(ValueError, match=message):
        recommender(**settings).fit(liked)


@pytest.mark.parametrize("sampler", ["uniform", "unigram", "log_uniform", "in_batch"])
def test_every_sampler_learns_and_labels_stay(split, sampler):
    estimator = recommender(sampler=sampler, epochs=15).fit(split[0])
    assert estimator.items_.tolist() == sorted(set(split[0]["item"].tolist()))
    assert estimator.evaluate(split[1])["auc"] > 0.75
    overlap = []
    for user in estimator.users_[:20]:
        guest = estimator.fold_in(split[0]["item"][split[0]["user"] == user])
        overlap.append(np.isin(guest.recommend(10)[0], estimator.recommend(user)[0]).mean())
    assert np.mean(overlap) > 0.7


@pytest.mark.parametrize(
    "settings",
    [
        {"biases": False},
        {"hidden_layer_sizes": (16,)},
        {"hidden_layer_sizes": 8, "loss": "bpr"},
        {"sparse_update": "dense"},
        {"dtype": "float64"},
        {"optimizer": Adagrad(1.0)},
    ],
    ids=str,
)
def test_other_models_learn_too(split, settings):
    estimator = recommender(**{"epochs": 15, **settings}).fit(split[0])
    assert estimator.evaluate(split[1])["auc"] > 0.7
    assert estimator.item_biases_.any() == settings.get("biases", True)
    assert estimator.recommend(-1)[0].shape == (10,)
    assert estimator.user_embeddings_.dtype == settings.get("dtype", "float32")


class TestFeatures:
    def table(self, n, of):
        return {"id": np.arange(n), "kind": np.array([of(k) for k in range(n)])}

    def test_features_of_items_place_cold_ones(self):
        """Users like one of three kinds of items; a new item is known by its kind alone."""
        random = np.random.default_rng(0)
        user = np.repeat(np.arange(90), 6)
        item = 3 * random.integers(0, 15, len(user)) + user % 3
        features = self.table(48, lambda k: "abc"[k % 3])
        estimator = recommender(epochs=15, item_features=self.frame(features)).fit(user, item)
        cold = np.array([45, 46, 47])
        assert np.isin(cold, estimator.items_).all()
        for person in range(9):
            scores = estimator.predict(np.full(3, person), cold)
            assert np.argmax(scores) == person % 3
        new = self.frame({"id": np.array([101, 100]), "kind": np.array(["b", "a"])})
        estimator.add_items([100, 101], features=new)
        scores = estimator.predict([0, 0, 1, 1], [100, 101, 100, 101])
        assert scores[0] > scores[1]
        assert scores[3] > scores[2]
        np.testing.assert_allclose(
            estimator.model_.predict(np.array([1, 2]))[:, -2:].ravel(), scores, rtol=1e-4, atol=1e-5
        )

    def frame(self, columns):
        return pytest.importorskip("pandas").DataFrame(columns)

    def test_features_of_users_place_cold_ones(self):
        random = np.random.default_rng(0)
        user = np.repeat(np.arange(60), 6)
        item = 2 * random.integers(0, 15, len(user)) + user % 2
        features = sparse.csr_matrix(np.eye(2)[np.arange(64) % 2])
        estimator = recommender(epochs=15, user_features=features).fit(
            sparse.csr_matrix((np.ones(len(user)), (user, item)), shape=(60, 30))
        )
        ids, _ = estimator.recommend([62, 63], n=5)
        assert (ids[0] % 2 == 0).all()
        assert (ids[1] % 2 == 1).all()
        again = pickle.loads(pickle.dumps(estimator))
        assert np.array_equal(again.recommend([62, 63])[0], estimator.recommend([62, 63])[0])

    def test_an_index_holds_the_ids_of_a_table(self, liked):
        table = self.frame(self.table(60, lambda k: "ab"[k % 2]))
        by_column = recommender(item_features=table, epochs=1).fit(liked)
        by_index = recommender(item_features=table.set_index("id"), epochs=1).fit(liked)
        shuffled = table.sample(frac=1, random_state=0)
        by_order = recommender(item_features=shuffled.set_index("id"), epochs=1).fit(liked)
        assert np.array_equal(by_column.item_embeddings_, by_index.item_embeddings_)
        assert by_column.model_.count_params() == by_order.model_.count_params()

    def test_numbers_are_weights_and_missing_is_none(self, liked):
        table = self.frame({"id": [0, 1, 2], "age": [1.5, 0.0, 2.0], "kind": ["a", None, "b"]})
        estimator = recommender(item_features=table, epochs=1).fit(liked)
        rows = estimator._sides.of_items[:3].toarray()
        assert rows.tolist() == [[1.5, 1, 0], [0, 0, 0], [2, 0, 1]]
        assert estimator._features_of[1].names == {"age": 0, "kind=a": 1, "kind=b": 2}

    def test_parts_go_on_with_features(self, liked):
        first, rest = parts(liked, liked["item"] < 40)
        table = self.frame(self.table(60, lambda k: "ab"[k % 2]))
        estimator = recommender(item_features=table, optimizer=Adagrad(0.1)).partial_fit(first)
        before = estimator.item_embeddings_.copy()
        estimator.partial_fit(rest)
        assert not np.array_equal(before, estimator.item_embeddings_[: len(before)])
        assert len(estimator.items_) == 60

    @pytest.mark.parametrize(
        ("features", "error", "message"),
        [
            (sparse.csr_matrix((5, 0)), ValueError, "item_features: expected at least one column"),
            ({"id": [1]}, TypeError, "item_features: expected a sparse matrix, or a table"),
            (sparse.csr_matrix([[np.nan]]), ValueError, "item_features: expected finite numbers"),
        ],
    )
    def test_bad_features_are_refused(self, liked, features, error, message):
        with pytest.raises(error, match=message):
            recommender(item_features=features).fit(liked)

    def test_bad_tables_are_refused(self, liked):
        for columns, message in (
            ({"id": [1, 2]}, "at least one column beside the ids, got none"),
            ({"id": [1, 1], "a": [1, 2]}, "one row for each id, got 1 twice"),
        ):
            with pytest.raises(ValueError, match=f"item_features: expected {message}"):
                recommender(item_features=self.frame(columns)).fit(liked)
        with pytest.raises(TypeError, match="item_features: expected ids like those of fit"):
            recommender(item_features=self.frame({"id": ["x"], "a": [1]})).fit(liked)


class TestGuests:
    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_guest_ranks_as_the_user_of_the_same_history(self, loss):
        table = likes(400, 100, 25, seed=1)
        settings = {"negatives": 32, "epochs": 40, "weight_decay": 0.1}
        estimator = recommender(loss=loss, **settings).fit(table)
        overlap = []
        for user in range(0, 400, 10):
            guest = estimator.fold_in(table["item"][table["user"] == user])
            overlap.append(np.isin(guest.recommend(10)[0], estimator.recommend(user)[0]).mean())
        assert np.mean(overlap) >= 0.9

    @pytest.mark.parametrize("loss", LOSSES)
    def test_shares_sum_to_the_product(self, split, loss):
        estimator = recommender(loss=loss, epochs=8).fit(split[0])
        user = estimator.users_[3]
        item = estimator.recommend(user, n=1)[0][0]
        ids, shares = estimator.explain(user, item, n=100)
        history = split[0]["item"][split[0]["user"] == user]
        assert sorted(ids.tolist()) == sorted(history.tolist())
        guest = estimator.fold_in(history)
        vector = estimator.item_embeddings_[np.searchsorted(estimator.items_, item)]
        rel = 0.1 if loss == "warp" else 1e-3
        assert shares.sum() == pytest.approx(guest.embedding @ vector, rel=rel, abs=1e-4)

    @pytest.mark.parametrize("loss", LOSSES)
    def test_derivatives_are_those_of_the_loss(self, split, loss):
        estimator = recommender(loss=loss, epochs=4, dtype="float64").fit(split[0])
        problem = estimator._likes(np.array([3, 9, 20]), np.array([1.0, 2.0, 0.5]), 0.1)
        x, h = np.random.default_rng(0).normal(size=6), 1e-5
        pieces = problem.pieces(x)
        ends = [(problem.pieces(x + h * e), problem.pieces(x - h * e)) for e in np.eye(6)]
        if loss != "warp":  # its weights are held while the hinge is differentiated
            slopes = [(up.loss - down.loss) / (2 * h) for up, down in ends]
            np.testing.assert_allclose(pieces.gradient, np.negative(slopes), rtol=1e-5, atol=1e-8)
            bends = [(down.gradient - up.gradient) / (2 * h) for up, down in ends]
            np.testing.assert_allclose(pieces.hessian, bends, rtol=1e-5, atol=1e-8)
        direction = np.arange(6.0)
        total = problem.weights @ pieces.gradients(direction)
        assert total == pytest.approx(pieces.gradient @ direction)
        total = problem.weights @ pieces.curvatures(direction)
        assert total == pytest.approx(direction @ pieces.hessian @ (x - problem.center))

    def test_a_sampled_pool_is_near_the_whole(self, monkeypatch):
        from fastnn.estimators import likes as module

        table = likes(300, 200, 20, seed=2)
        estimator = recommender(epochs=20).fit(table)
        history = table["item"][table["user"] == 5]
        whole = estimator.fold_in(history).embedding
        monkeypatch.setattr(module, "HEAD", 50)
        estimator._pool_made = None
        part = estimator.fold_in(history).embedding
        assert len(estimator._pool().rows) == 100
        assert part @ whole > 0.95 * np.linalg.norm(part) * np.linalg.norm(whole)

    def test_histories_of_any_form_are_the_same(self, fitted):
        guest = fitted.fold_in([3, 8])
        for other in (
            fitted.fold_in({3: 1.0, 8: 1.0}),
            fitted.fold_in({"item": [3, 8]}),
            fitted.fold_in({"film": [3, 8], "n": [1, 1]}, item="film", rating="n"),
            fitted.fold_in([3, 8, 9, -5], [1, 1, 0, 1]),
        ):
            np.testing.assert_allclose(guest.embedding, other.embedding)
        assert guest.bias == 0
        assert not np.isin(guest.recommend(30)[0], [3, 8]).any()
        assert guest.recommend(1000, filter_seen=False)[0].shape == (len(fitted.items_),)

    def test_a_guest_without_history_is_as_an_unknown_user(self, fitted):
        assert fitted.fold_in([]).recommend(5)[0].tolist() == fitted.recommend(-1, 5)[0].tolist()

    @pytest.mark.parametrize(
        ("history", "message"),
        [
            (([3], [-1.0]), "weights: expected numbers >= 0, got -1"),
            (([3], [np.inf]), "weights: expected finite numbers"),
            (([3], [1.0, 2.0]), "weights: expected 1 as items, got 2"),
        ],
    )
    def test_bad_histories_are_refused(self, fitted, history, message):
        with pytest.raises(ValueError, match=message):
            fitted.fold_in(*history)
