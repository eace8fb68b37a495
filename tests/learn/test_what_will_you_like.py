"""Lesson 15 beyond its facts: the switch to MovieLens, which reads a file and never fetches it."""

import hashlib
import zipfile
from typing import Any

import pytest
from fastnn.datasets import download
from fastnn.learn import runner
from fastnn.learn.standin import Element, StandIn

FILMS = """movieId,title,genres
1,Toy Story (1995),Animation|Children
11,"American President, The (1995)",Comedy|Drama
"""
RATINGS = """userId,movieId,rating,timestamp
1,1,4.0,964982703
1,11,5.0,964982704
2,11,2.5,964982705
"""


@pytest.fixture
def movielens(tmp_path, monkeypatch):
    """A file of two films in the place of MovieLens."""
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    entry = download.CATALOGUE["movielens-small"]
    place = tmp_path / "movielens-small" / entry.files[0].name
    place.parent.mkdir()
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("ml-latest-small/movies.csv", FILMS)
        archive.writestr("ml-latest-small/ratings.csv", RATINGS)
    file = download.File(entry.files[0].url, hashlib.sha256(place.read_bytes()).hexdigest())
    small = download.Download(entry.title, entry.licence, (file,))
    monkeypatch.setitem(download.CATALOGUE, "movielens-small", small)


def chosen(*, bigger):
    """What the cell `chosen` makes, with the switch off or on."""
    lesson = runner.find(15)
    cells = {cell.name: cell for cell in runner.cells(lesson.path)}
    names: dict[str, Any] = {}
    for name in ("setup", "club", "data", "chosen"):
        cells[name].run(lesson.path, StandIn(), names)
        if name == "data":
            names["bigger"] = Element("", bigger)
    return names


def test_the_club_has_two_films_of_each_kind_to_rate():
    names = chosen(bigger=False)
    assert [names["kind_of"][film] for film in names["to_rate"]] == [
        *["thriller"] * 2,
        *["adventure"] * 2,
        *["romance"] * 2,
        *["drama"] * 2,
    ]


@pytest.mark.usefixtures("movielens")
def test_movielens_brings_titles_and_its_most_rated_films():
    names = chosen(bigger=True)
    assert names["names"] == {1: "Toy Story (1995)", 11: "American President, The (1995)"}
    assert names["to_rate"].tolist() == [11, 1]
    assert names["table"]["rating"].tolist() == [4.0, 5.0, 2.5]
