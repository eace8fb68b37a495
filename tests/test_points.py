"""Made points are what their names say, and tables are read as they stand or refused."""

import io

import numpy as np
import pytest
from fastnn import datasets
from sklearn.linear_model import LinearRegression, LogisticRegression

KINDS = {"circles": 2, "moons": 2, "spiral": 2, "xor": 2, "blobs": 3, "pinwheel": 5}
LINEAR = {"blobs": True, "circles": False, "spiral": False, "xor": False, "pinwheel": False}


@pytest.mark.parametrize("kind", [*KINDS, "plane", "hills"])
def test_points_lie_in_the_square_and_repeat_themselves(kind):
    x, y = datasets.make_points(kind, 301, noise=0.1, seed=5)
    again = datasets.make_points(kind, 301, noise=0.1, seed=5)
    other = datasets.make_points(kind, 301, noise=0.1, seed=6)
    assert x.shape == (301, 2)
    assert np.abs(x).max() < 6.5
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(y, again[1])
    assert not np.array_equal(x, other[0])


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_equally_frequent(kind):
    y = datasets.make_points(kind, 60 * KINDS[kind])[1]
    assert np.bincount(y).tolist() == [60] * KINDS[kind]


@pytest.mark.parametrize("kind", LINEAR)
def test_a_line_parts_blobs_alone(kind):
    x, y = datasets.make_points(kind, 600, noise=0.1, seed=2)
    assert (LogisticRegression().fit(x, y).score(x, y) > 0.99) == LINEAR[kind]


def test_a_plane_is_linear_and_hills_are_not():
    for kind, low, high in (("plane", 0.999, 1), ("hills", -1, 0.1)):
        x, y = datasets.make_points(kind, 500, noise=0.0)
        assert low < LinearRegression().fit(x, y).score(x, y) <= high


def test_noise_moves_points_by_its_standard_deviation():
    still, moved = (datasets.make_points("moons", 4000, noise=noise)[0] for noise in (0.0, 0.5))
    assert np.std(moved - still) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "cubes"}, "kind: expected one of circles"),
        ({"kind": "moons", "n": 0}, "n: expected an integer >= 1, got 0"),
        ({"kind": "moons", "noise": -1}, "noise: expected a finite number >= 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        datasets.make_points(**settings)


CSV = "height,kind,weight,word\n1.5,cat,2,a\n2.5,dog,3,b\n3.5,cat,,c\n4.5,dog,5,d\n"


def read(text, target=None):
    return datasets.read_csv(io.StringIO(text), target)


def test_numbers_are_columns_and_words_are_classes():
    table = read(CSV, "kind")
    assert table.columns == ("height", "weight")
    assert table.classes == ("cat", "dog")
    assert table.X.tolist() == [[1.5, 2], [2.5, 3], [4.5, 5]]
    assert table.y.tolist() == [0, 1, 1]


def test_few_whole_numbers_are_classes_and_others_are_numbers():
    assert read("a,b\n1,3\n2,7\n3,3\n").classes == ("3", "7")
    table = read("a,b\n1,3.5\n2,7\n3,3\n")
    assert table.classes == ()
    assert table.y.tolist() == [3.5, 7, 3]
    many = "a,b\n" + "".join(f"{i},{i}\n" for i in range(20))
    assert read(many).classes == ()


def test_a_file_is_read_like_text(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("﻿" + CSV, encoding="utf-8")
    np.testing.assert_array_equal(datasets.read_csv(path, "kind").X, read(CSV, "kind").X)


def test_nothing_in_a_file_is_run(tmp_path):
    mark = tmp_path / "mark"
    text = f"a,b\n1,__import__('pathlib').Path({str(mark)!r}).touch()\n2,x\n"
    assert read(text.replace(",__import__", ',"__import__').replace("()\n2", '()"\n2')).classes
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (CSV, "age", "target: expected one of height, kind, weight, word, got 'age'"),
        ("a,b\n1,2\n3\n", None, "source: expected 2 cells in line 3, got 1"),
        ("a,b\n", None, "source: expected a line of names and lines of values"),
        ("", None, "source: expected a line of names and lines of values"),
        ("a,a\n1,2\n", None, "source: expected different names of columns"),
        ("a,b\nx,1\ny,2\n", None, "source: expected a column of numbers beside the target"),
        ("a,b\n,1\n,2\n", None, "source: expected a row without empty cells"),
        ('a,b\n"1,2\n', None, "source: expected comma-separated values"),
    ],
)
def test_wrong_tables_are_refused(text, target, message):
    with pytest.raises(ValueError, match=message):
        read(text, target)
