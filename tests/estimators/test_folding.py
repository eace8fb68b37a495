"""Users whose vectors are solved from a history, and what carries a recommendation."""

import numpy as np
import pytest
from fastnn import RatingRecommender
from fastnn.datasets import make_ratings

from tests.estimators.backends import BACKEND

SETTINGS = {"factors": 6, "epochs": 12, "batch_size": 128, "learning_rate": 0.02}


def recommender(**settings):
    return RatingRecommender(**{**SETTINGS, "random_state": 0, "backend": BACKEND, **settings})


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(120, 60, 3000, seed=3)


@pytest.fixture(scope="module")
def fitted(ratings):
    return recommender().fit(ratings)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class TestGuests:
    def test_a_guest_solves_the_problem_of_his_ratings(self, fitted):
        items, values = fitted.items_[[2, 9, 17, 30]], np.array([5.0, 1.0, 4.0, 3.5])
        guest = fitted.fold_in(items, values)
        low, high = fitted.y_range_
        rows = np.searchsorted(fitted.items_, items)
        q, offset = fitted.item_embeddings_[rows].astype(float), fitted.item_biases_[rows]
        share = (fitted.global_mean_ - low) / (high - low)
        offset = offset + np.log(share / (1 - share))
        damping, of_bias = fitted._ridges["items"]

        def objective(x):
            errors = (values - low) / (high - low) - sigmoid(q @ x[:-1] + x[-1] + offset)
            return errors @ errors + 4 * (damping * x[:-1] @ x[:-1] + of_bias * x[-1] ** 2)

        x = np.append(guest.embedding, guest.bias).astype(float)
        for step in 1e-3 * np.vstack([np.eye(7), -np.eye(7)]):
            assert objective(x) < objective(x + step)

    def test_histories_of_any_form_are_the_same(self, fitted):
        pandas = pytest.importorskip("pandas")
        guest = fitted.fold_in({3: 5.0, 8: 2.0})
        table = {"item": [3, 8], "rating": [5.0, 2.0]}
        for other in (
            fitted.fold_in([3, 8], [5.0, 2.0]),
            fitted.fold_in(table),
            fitted.fold_in(pandas.DataFrame(table)),
            fitted.fold_in({"film": [3, 8], "stars": [5, 2]}, item="film", rating="stars"),
            fitted.fold_in([3, 8, -7], [5.0, 2.0, 1.0]),
        ):
            assert np.array_equal(guest.embedding, other.embedding)
            assert guest.bias == other.bias

    def test_a_guest_is_near_the_user_of_the_same_ratings(self, fitted, ratings):
        overlap = []
        for user in fitted.users_[:30]:
            own = ratings["user"] == user
            guest = fitted.fold_in(ratings["item"][own], ratings["rating"][own])
            row = np.searchsorted(fitted.users_, user)
            if own.sum() > 20:
                p = fitted.user_embeddings_[row]
                lengths = np.linalg.norm(p) * np.linalg.norm(guest.embedding)
                assert p @ guest.embedding > 0.8 * lengths
            best, _ = fitted.recommend(user, n=10)
            overlap.append(np.isin(guest.recommend(10)[0], best).mean())
        assert np.mean(overlap) > 0.8

    def test_a_guest_gets_sorted_new_items_and_predictions(self, fitted):
        guest = fitted.fold_in({3: 5.0, 8: 2.0})
        ids, scores = guest.recommend(9)
        assert not np.isin(ids, [3, 8]).any()
        assert (np.diff(scores) <= 0).all()
        np.testing.assert_allclose(guest.predict(ids), scores)
        everything, _ = guest.recommend(1000, filter_seen=False)
        assert sorted(everything.tolist()) == fitted.items_.tolist()
        assert repr(guest) == "<user of 2 interactions>"

    def test_a_guest_without_ratings_is_as_an_unknown_user(self, fitted):
        guest = fitted.fold_in({})
        assert not guest.embedding.any()
        assert guest.recommend(4)[0].tolist() == fitted.recommend(-1, n=4)[0].tolist()
        np.testing.assert_allclose(guest.predict([3, -8]), fitted.predict([-1, -1], [3, -8]), 1e-6)

    def test_items_liked_raise_scores(self, fitted):
        item = fitted.items_[5]
        likes, hates = fitted.fold_in({item: 5.0}), fitted.fold_in({item: 1.0})
        assert likes.predict([item]) > fitted.predict([-1], [item]) > hates.predict([item])

    @pytest.mark.parametrize(
        ("history", "error", "message"),
        [
            (({3: 9.0},), ValueError, r"ratings: expected numbers in \[.*\], got 9 to 9"),
            (({3: np.nan},), ValueError, "ratings: expected finite numbers"),
            (([3, 4], [1.0]), ValueError, "ratings: expected 2 as items, got 1"),
            (([3, 4],), TypeError, "ratings: expected numbers beside items, got None"),
            ((3,), TypeError, "history: expected ratings by item, a table, or ids of items"),
            (({"x": 1.0},), TypeError, "history: expected ids like those of fit"),
        ],
    )
    def test_bad_histories_are_refused(self, fitted, history, error, message):
        with pytest.raises(error, match=message):
            fitted.fold_in(*history)

    def test_without_biases_there_is_no_bias(self, ratings):
        guest = recommender(biases=False).fit(ratings).fold_in({3: 5.0, 8: 2.0})
        assert guest.bias == 0.0
        assert guest.embedding.any()


class TestExplanations:
    def test_shares_sum_to_the_score_above_the_biases(self, fitted, ratings):
        user = fitted.users_[4]
        row = fitted._seen[4]
        guest = fitted.fold_in(fitted.items_[row.indices], row.data)
        item = fitted.recommend(user, n=1)[0][0]
        ids, shares = fitted.explain(user, item, n=1000)
        place = np.searchsorted(fitted.items_, item)
        expected = guest.embedding @ fitted.item_embeddings_[place]
        assert shares.sum() == pytest.approx(expected, rel=1e-3)
        assert (np.diff(shares) <= 0).all()
        assert sorted(ids.tolist()) == sorted(set(ratings["item"][ratings["user"] == user]))
        assert fitted.explain(user, item, n=2)[0].tolist() == ids[:2].tolist()
        np.testing.assert_allclose(guest.explain(item, n=1000)[1], shares)

    def test_an_item_is_explained_by_its_like(self):
        """Even items are loved together with even ones, odd with odd ones."""
        users, items = np.nonzero(np.random.default_rng(0).random((100, 30)) < 0.5)
        y = np.where((users + items) % 2 == 0, 5.0, 1.0)
        estimator = recommender(epochs=20, learning_rate=0.05, biases=False).fit(users, items, y)
        for user in range(4):
            item = estimator.recommend(user, n=1)[0][0]
            ids, shares = estimator.explain(user, item, n=3)
            assert ((ids + user) % 2 == 0).any()
            assert (shares > 0).all()

    def test_unknown_ones_have_no_explanation(self, fitted):
        with pytest.raises(ValueError, match="user: expected an id seen in training, got -3"):
            fitted.explain(-3, fitted.items_[0])
        with pytest.raises(ValueError, match="item: expected an id seen in training, got -4"):
            fitted.explain(fitted.users_[0], -4)
