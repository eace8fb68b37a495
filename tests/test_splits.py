"""Splits lose no row, keep the order and the type of the table, and hold back what they say."""

import numpy as np
import pytest
from fastnn import splits


def events(n=500, n_users=40, seed=3):
    random = np.random.default_rng(seed)
    return {
        "user": random.integers(0, n_users, n),
        "row": np.arange(n),
        "time": random.integers(0, 200, n),
    }


def as_pandas(table):
    return pytest.importorskip("pandas").DataFrame(table)


def as_polars(table):
    return pytest.importorskip("polars").DataFrame(table)


def as_pyarrow(table):
    return pytest.importorskip("pyarrow").table(table)


MAKERS = {"dict": dict, "pandas": as_pandas, "polars": as_polars, "pyarrow": as_pyarrow}
SPLITS = {
    "random": lambda table: splits.random(table, 0.2, random_state=1),
    "leave one out": lambda table: splits.leave_one_out(table, random_state=1),
    "leave the last out": lambda table: splits.leave_one_out(table, time="time"),
    "per user": lambda table: splits.per_user(table, 0.2, random_state=1),
    "per user in time": lambda table: splits.per_user(table, 0.2, time="time"),
    "temporal": lambda table: splits.temporal(table, time="time", test_size=0.2),
    "cutoff": lambda table: splits.temporal(table, time="time", cutoff=150),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_rows_are_kept_in_order_whatever_the_table(kind, split):
    table = MAKERS[kind](events())
    parts = split(table)
    rows = [np.asarray(part["row"]) for part in parts]
    assert all(type(part) is type(table) for part in parts)
    assert all((np.diff(part) > 0).all() for part in rows)
    assert sorted(np.concatenate(rows)) == list(range(500))
    again = [np.asarray(part["row"]).tolist() for part in split(table)]
    assert again == [part.tolist() for part in rows]
    plain = [part["row"].tolist() for part in split(events())]
    assert again == plain


def test_a_share_of_the_rows_is_drawn():
    table = events()
    test = [splits.random(table, 0.1, random_state=seed)[1]["row"] for seed in (0, 0, 1)]
    assert len(test[0]) == 50
    assert test[0].tolist() == test[1].tolist() != test[2].tolist()


def test_the_last_row_of_each_user_is_left_out():
    table = {"user": np.array(["a", "b", "a", "c", "a", "b"]), "time": np.array([5, 1, 9, 3, 9, 0])}
    _, test = splits.leave_one_out(table, time="time")
    assert test["user"].tolist() == ["b", "a"]
    assert test["time"].tolist() == [1, 9]


def test_one_row_of_each_user_with_several_is_drawn():
    table = events(60, 40)
    _, test = splits.leave_one_out(table, random_state=0)
    users, counts = np.unique(table["user"], return_counts=True)
    assert sorted(test["user"]) == users[counts > 1].tolist()


@pytest.mark.parametrize(("test_size", "held"), [(0.1, 3), (0.3, 9), (0.7, 21), (0.01, 0)])
def test_the_last_share_of_each_user_is_held_back(test_size, held):
    table = {"user": np.repeat([7, 8], [30, 1]), "time": np.arange(31)[::-1]}
    train, test = splits.per_user(table, test_size, time="time")
    assert test["user"].tolist() == [7] * held
    assert train["user"].tolist()[-1] == 8
    if held:
        assert test["time"].min() > train["time"][:-1].max()


def test_users_of_any_type_are_told_apart():
    table = {"user": np.array(["a", 1, (2, 3), "a", 1, (2, 3)], object), "time": np.arange(6)}
    _, test = splits.leave_one_out(table, time="time")
    assert test["user"].tolist() == ["a", 1, (2, 3)]


def test_test_rows_are_later_than_train_rows():
    train, test = splits.temporal(events(), time="time", test_size=0.2)
    assert train["time"].max() < test["time"].min()
    assert 100 <= len(test["time"]) < 110


def test_dates_are_times():
    days = np.datetime64("2024-01-01") + np.arange(10)
    table = as_pandas({"user": np.arange(10) % 2, "day": days})
    _, test = splits.temporal(table, time="day", cutoff="2024-01-08")
    assert len(test) == 3
    assert len(splits.per_user(table, 0.4, time="day")[1]) == 4
    assert list(test.index) == [7, 8, 9]


BAD = [
    (lambda: splits.random({"a": [1]}), ValueError, "table: expected at least two rows, got 1"),
    (
        lambda: splits.random({"a": [1, 2], "b": [1]}),
        ValueError,
        "table: expected arrays of one le",
    ),
    (lambda: splits.random(5), TypeError, "table: expected a table or a dict of arrays, got int"),
    (lambda: splits.random(events(), 1.0), ValueError, r"test_size: expected a number in \(0, 1\)"),
    (
        lambda: splits.leave_one_out(events(), user="who"),
        ValueError,
        r"user: expected a column of the table \(user, row, time\), got 'who'",
    ),
    (
        lambda: splits.leave_one_out({"user": [1.0, np.nan]}),
        ValueError,
        "user: expected no missing values, got nan at row 1",
    ),
    (
        lambda: splits.leave_one_out({"user": np.array(["a", None], object)}),
        ValueError,
        "user: expected no missing values, got None at row 1",
    ),
    (
        lambda: splits.temporal({"time": ["a", "b"]}, time="time"),
        TypeError,
        "time: expected numbers or dates, got dtype <U1",
    ),
    (
        lambda: splits.temporal({"time": np.array([1, "b"], object)}, time="time"),
        TypeError,
        "time: expected numbers or dates, got dtype object",
    ),
    (
        lambda: splits.temporal({"time": [1, 2]}, time="time", cutoff=3),
        ValueError,
        "cutoff: expected a time in 1 to 2, got 3, which leaves the test part empty",
    ),
    (
        lambda: splits.temporal({"time": [1, 1]}, time="time"),
        ValueError,
        "cutoff: expected a time in 1 to 1, got 1, which leaves the train part empty",
    ),
    (
        lambda: splits.temporal({"time": [1, 2]}, time="time", cutoff="x"),
        TypeError,
        "cutoff: expected a time like those of 'time', got str",
    ),
    (
        lambda: splits.temporal({"time": np.arange(2).astype("M8[D]")}, time="time", cutoff="x"),
        TypeError,
        "cutoff: expected a date, got str",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[case[2][:50] for case in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
