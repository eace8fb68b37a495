import pickle
import uuid

import numpy as np
import pytest
from fastnn import RatingRecommender
from fastnn.callbacks import LambdaCallback
from fastnn.datasets import make_ratings
from fastnn.optimizers import SGD
from fastnn.schedules import OneCycle
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tests.estimators.backends import BACKEND

SETTINGS = {"factors": 8, "epochs": 2, "batch_size": 256, "random_state": 0, "backend": BACKEND}


def recommender(**settings):
    return RatingRecommender(**{**SETTINGS, **settings})


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(200, 80, 4000, seed=1)


@pytest.fixture(scope="module")
def fitted(ratings):
    return recommender(epochs=10).fit(ratings)


def rmse(estimator, ratings):
    errors = estimator.predict(ratings["user"], ratings["item"]) - ratings["rating"]
    return float(np.sqrt(np.square(errors).mean()))


def named_weights(model):
    names = (name for name, _ in model.parameters())
    return dict(zip(names, model.get_weights(), strict=True))


def bias_rmse(train, test):
    """Error of mean + user bias + item bias, biases damped by 10 ratings."""
    mean = train["rating"].mean()
    rest, found = train["rating"] - mean, np.full(len(test["rating"]), mean)
    for name in ("item", "user"):
        n = max(train[name].max(), test[name].max()) + 1
        sums, counts = np.bincount(train[name], rest, n), np.bincount(train[name], minlength=n)
        bias = sums / (counts + 10)
        rest, found = rest - bias[train[name]], found + bias[test[name]]
    return float(np.sqrt(np.square(found - test["rating"]).mean()))


def test_a_planted_structure_is_found():
    ratings = make_ratings(400, 150, 20_000, seed=2)
    held_out = np.arange(20_000) % 10 == 0
    train = {name: column[~held_out] for name, column in ratings.items()}
    test = {name: column[held_out] for name, column in ratings.items()}
    estimator = recommender(epochs=15, learning_rate=0.02, weight_decay=0.1).fit(train)
    assert rmse(estimator, test) < 0.7 * bias_rmse(train, test)


def test_predictions_follow_the_formula(fitted, ratings):
    user, item = ratings["user"][:50], ratings["item"][:50]
    rows = np.searchsorted(fitted.users_, user), np.searchsorted(fitted.items_, item)
    low, high = fitted.y_range_
    share = (fitted.global_mean_ - low) / (high - low)
    z = np.sum(fitted.user_embeddings_[rows[0]] * fitted.item_embeddings_[rows[1]], axis=1)
    z += fitted.user_biases_[rows[0]] + fitted.item_biases_[rows[1]]
    z += np.log(share / (1 - share))
    expected = low + (high - low) / (1 + np.exp(-z.astype(np.float64)))
    np.testing.assert_allclose(fitted.predict(user, item), expected, rtol=1e-5)
    assert low == pytest.approx(0.05)
    assert high == pytest.approx(5.45)


def test_unknown_ids_fall_back_on_biases_and_the_mean(fitted):
    both, new_user, known = fitted.predict([-1, -1, 5], [-1, 7, 7])
    assert both == pytest.approx(fitted.global_mean_, rel=1e-5)
    bias = fitted.item_biases_[np.searchsorted(fitted.items_, 7)]
    assert (new_user > both) == (bias > 0)
    assert known != new_user
    tables = fitted.model_.get_weights()
    assert all((table[0] == 0).all() for table in tables)


def test_recommendations_are_sorted_and_new(fitted, ratings):
    ids, scores = fitted.recommend(3, n=12)
    assert ids.shape == scores.shape == (12,)
    assert (np.diff(scores) <= 0).all()
    assert not set(ids.tolist()) & set(ratings["item"][ratings["user"] == 3].tolist())
    np.testing.assert_array_equal(fitted.predict(np.full(12, 3), ids), scores)
    everything, _ = fitted.recommend(3, n=1000, filter_seen=False)
    assert sorted(everything.tolist()) == fitted.items_.tolist()
    best = np.argmax(fitted.predict(np.full(len(fitted.items_), 3), fitted.items_))
    assert everything[0] == fitted.items_[best]


def test_an_unknown_user_gets_what_all_like(fitted):
    ids, _ = fitted.recommend("nobody" if fitted.users_.dtype.kind == "U" else -5, n=3)
    best = np.argsort(-fitted.item_biases_, kind="stable")[:3]
    assert ids.tolist() == fitted.items_[best].tolist()


def test_similar_items_have_the_largest_cosines(fitted):
    ids, cosines = fitted.similar_items(fitted.items_[4], n=5)
    unit = fitted.item_embeddings_ / np.linalg.norm(fitted.item_embeddings_, axis=1)[:, None]
    expected = unit @ unit[4]
    expected[4] = -2
    assert ids.tolist() == fitted.items_[np.argsort(-expected)[:5]].tolist()
    np.testing.assert_allclose(cosines, np.sort(expected)[::-1][:5], rtol=1e-5)
    users, _ = fitted.similar_users(fitted.users_[0], n=4)
    assert len(set(users.tolist()) - {fitted.users_[0]}) == 4


def test_an_unknown_item_has_no_similar_ones(fitted):
    with pytest.raises(ValueError, match="item: expected an id seen in training, got -1"):
        fitted.similar_items(-1)


def with_ids(ratings, user_of, item_of):
    return (
        [user_of(k) for k in ratings["user"].tolist()],
        [item_of(k) for k in ratings["item"].tolist()],
        ratings["rating"],
    )


@pytest.mark.parametrize(
    ("user_of", "item_of"),
    [
        (lambda k: 10**12 + 977 * k, lambda k: -k),
        (lambda k: f"user {k}", lambda k: f"Film {k} (1999)"),
        (lambda k: uuid.UUID(int=k), lambda k: (k, "part")),
        (lambda k: np.datetime64("2020-01-01") + k, lambda k: k + 0.5),
    ],
    ids=["gaps", "words", "objects", "dates"],
)
def test_ids_may_be_of_any_type(ratings, user_of, item_of):
    if item_of(1) == (1, "part"):
        users, _, values = with_ids(ratings, user_of, str)
        items = np.empty(len(values), object)
        items[:] = [item_of(k) for k in ratings["item"].tolist()]
    else:
        users, items, values = with_ids(ratings, user_of, item_of)
    estimator = recommender(epochs=1).fit(users, items, values)
    assert len(estimator.users_) == len(set(ratings["user"].tolist()))
    ids, _ = estimator.recommend(users[0], n=2)
    assert ids[0] in estimator.items_.tolist()
    assert estimator.predict(users[:3], items[:3]).shape == (3,)
    assert estimator._users.position("user", users[0]) > 0


def test_numbering_follows_the_order_of_integers_and_the_appearance_of_words(ratings):
    by_number = recommender(epochs=1).fit(ratings)
    assert (np.diff(by_number.users_) > 0).all()
    users, items, values = with_ids(ratings, str, str)
    assert recommender(epochs=1).fit(users, items, values).users_[0] == users[0]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_are_taken(ratings, library):
    module = pytest.importorskip(library)
    columns = {
        "who": ratings["user"].astype(str),
        "what": ratings["item"],
        "stars": ratings["rating"],
    }
    table = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    estimator = recommender().fit(table, user="who", item="what", rating="stars")
    arrays = recommender().fit(columns["who"], columns["what"], columns["stars"])
    expected = arrays.predict(columns["who"][:9], columns["what"][:9])
    assert np.array_equal(estimator.predict(columns["who"][:9], columns["what"][:9]), expected)


def test_predict_takes_a_table_too(fitted, ratings):
    expected = fitted.predict(ratings["user"], ratings["item"])
    assert np.array_equal(fitted.predict(ratings), expected)


def test_nothing_to_predict_gives_nothing(fitted):
    assert fitted.predict([], []).shape == (0,)


def test_the_seed_decides_and_threads_do_not(ratings):
    first = recommender(n_jobs=1).fit(ratings)
    second = recommender(n_jobs=2).fit(ratings)
    other = recommender(random_state=1).fit(ratings)
    assert np.array_equal(first.item_embeddings_, second.item_embeddings_)
    assert not np.array_equal(first.item_embeddings_, other.item_embeddings_)


def test_a_pickle_predicts_the_same(fitted, ratings):
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(ratings), fitted.predict(ratings))
    assert clone(fitted).get_params() == fitted.get_params()


@pytest.mark.parametrize(
    "settings",
    [
        {"biases": False},
        {"hidden_layer_sizes": (16,)},
        {"hidden_layer_sizes": (16, 8), "biases": False},
        {"sparse_update": "dense"},
        {"dtype": "float64"},
        {"optimizer": SGD(0.5, momentum=0.5)},
    ],
    ids=str,
)
def test_other_models_learn_too(ratings, settings):
    estimator = recommender(**{"epochs": 12, "learning_rate": 0.02, **settings}).fit(ratings)
    assert rmse(estimator, ratings) < 0.9 * ratings["rating"].std()
    assert estimator.user_biases_.any() == settings.get("biases", True)
    tables = [w for name, w in named_weights(estimator.model_).items() if "embeddings" in name]
    assert all((table[0] == 0).all() for table in tables)


@pytest.mark.peer
def test_dense_updates_are_those_of_pytorch(ratings):
    torch = pytest.importorskip("torch")
    start = {}
    watch = LambdaCallback(on_train_begin=lambda model, _: start.update(named_weights(model)))
    settings = {"sparse_update": "dense", "dtype": "float64", "batch_size": 4000, "epochs": 4}
    ours = recommender(learning_rate=0.1, callbacks=[watch], **settings).fit(ratings)

    weights = {name: torch.tensor(w, requires_grad=True) for name, w in start.items()}
    optimizer = torch.optim.AdamW(weights.values(), betas=(0.9, 0.99), eps=1e-7, weight_decay=0.3)
    user = ours._users.positions("user", ratings["user"])
    item = ours._items.positions("item", ratings["item"])
    low, high = ours.y_range_
    share = (ours.global_mean_ - low) / (high - low)
    for rate in OneCycle(0.1).rates(0, 4, 4):
        optimizer.param_groups[0]["lr"] = rate
        p, q, b, c = (
            weights[f"{name}/embeddings"][rows]
            for name, rows in zip(
                ("user_factors", "item_factors", "user_bias", "item_bias"),
                (user, item, user, item),
                strict=True,
            )
        )
        z = (p * q).sum(1) + b[:, 0] + c[:, 0] + np.log(share / (1 - share))
        found = low + (high - low) * torch.sigmoid(z)
        optimizer.zero_grad()
        torch.mean((found - torch.tensor(ratings["rating"].astype(float))) ** 2).backward()
        optimizer.step()
    for name, w in named_weights(ours.model_).items():
        np.testing.assert_allclose(w, weights[name].detach().numpy(), rtol=1e-9, atol=1e-12)


def test_weights_count_rows(ratings):
    some = ratings["user"] < 100
    part = {name: column[some] for name, column in ratings.items()}
    weighted = recommender(epochs=5).fit(ratings, sample_weight=some.astype(float))
    assert rmse(weighted, part) < rmse(weighted, {k: v[~some] for k, v in ratings.items()})


def test_limits_of_predictions_can_be_chosen(ratings):
    estimator = recommender(y_range=(0, 10)).fit(ratings)
    assert estimator.y_range_ == (0.0, 10.0)
    for y_range in ((1, 5), (5, 0)):
        with pytest.raises(ValueError, match="y_range: expected limits that hold all ratings"):
            recommender(y_range=y_range).fit(ratings)
    with pytest.raises(TypeError, match="y_range: expected two numbers or None"):
        recommender(y_range=5).fit(ratings)


def test_equal_ratings_are_no_trouble():
    estimator = recommender().fit([1, 2, 3], [1, 1, 2], [4, 4, 4])
    np.testing.assert_allclose(estimator.predict([1, 9], [2, 9]), [4, 4], atol=0.01)


def test_nothing_works_before_fit():
    with pytest.raises(NotFittedError):
        recommender().recommend(1)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (([1, 2], [1, 2], [3.0]), ValueError, "ratings: expected 2 as users, got 1"),
        (([1, 2], [1], [3.0, 4.0]), ValueError, "items: expected 2 as users, got 1"),
        (([1, None], [1, 2], [3.0, 4.0]), ValueError, "users: expected ids, got None at row 1"),
        (([1, 2], [1, float("nan")], [3, 4]), ValueError, "items: expected ids, got nan at row 1"),
        (([1, 2], [1, 2], [3.0, np.nan]), ValueError, "ratings: expected finite numbers"),
        (([1], [1], ["good"]), TypeError, "ratings: expected numbers"),
        (([], [], []), ValueError, "ratings: expected at least one"),
        (({"user": [1], "rating": [2]},), ValueError, r"item: expected a column of the table \(us"),
        (
            ([1, 2],),
            TypeError,
            "users: expected a table, a dict of arrays, a sparse matrix, or ids",
        ),
    ],
)
def test_bad_ratings_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        recommender().fit(*given)


def test_ids_of_another_kind_are_refused(fitted):
    with pytest.raises(TypeError, match=r"users: expected ids like those of fit \(int64\)"):
        fitted.predict(["a"], [1])


@pytest.mark.parametrize(
    "settings",
    [{"factors": 0}, {"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0}, {"weight_decay": -1}],
    ids=str,
)
def test_wrong_settings_are_refused(ratings, settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}: expected"):
        recommender(**settings).fit(ratings)
