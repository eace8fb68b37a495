import builtins

import numpy as np
import pytest
from fastnn import plots

pyplot = pytest.importorskip("matplotlib.pyplot")
pyplot.switch_backend("agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def test_history_has_a_curve_per_series():
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.0], "empty": []}
    data = plots.history_data(history)
    assert list(data) == ["epoch", "loss", "val_loss"]
    ax = plots.plot_history(history)
    assert [line.get_label() for line in ax.get_lines()] == ["loss", "val_loss"]
    np.testing.assert_array_equal(ax.get_lines()[1].get_ydata(), history["val_loss"])


def test_an_empty_history_has_no_epochs():
    assert plots.history_data({})["epoch"].size == 0


def test_confusion_counts_like_scikit_learn():
    from sklearn.metrics import confusion_matrix

    random = np.random.default_rng(0)
    true, found = random.choice(list("abc"), 50), random.choice(list("abd"), 50)
    classes, counts = plots.confusion_data(true, found)
    assert classes.tolist() == list("abcd")
    np.testing.assert_array_equal(counts, confusion_matrix(true, found))


def test_confusion_writes_every_count():
    ax = plots.plot_confusion([0, 0, 1], [0, 1, 1])
    assert sorted(text.get_text() for text in ax.texts) == ["1", "1", "1"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1"]


def test_map_is_the_plane_of_pca():
    from sklearn.decomposition import PCA

    vectors = np.random.default_rng(0).normal(size=(30, 5)) * [5, 3, 1, 1, 1]
    expected = PCA(2).fit_transform(vectors)
    np.testing.assert_allclose(np.abs(plots.map_data(vectors)), np.abs(expected), atol=1e-9)


def test_map_of_one_column_is_a_line():
    assert (plots.map_data([[1.0], [2.0], [4.0]])[:, 1] == 0).all()


def test_map_draws_a_point_per_row_and_the_names():
    vectors = np.random.default_rng(0).normal(size=(6, 3))
    ax = plots.plot_map(vectors, values=np.arange(6), labels={2: "two"})
    np.testing.assert_allclose(ax.collections[0].get_offsets(), plots.map_data(vectors))
    assert [text.get_text() for text in ax.texts] == ["two"]


def test_images_stand_side_by_side():
    strip = plots.images_data(np.arange(12).reshape(3, 4), (2, 2))
    assert strip.shape == (2, 8)
    assert strip[:, 3:5].tolist() == [[4, 5], [6, 7]]
    ax = plots.plot_images({"given": np.eye(4), "restored": np.eye(4)}, (2, 2))
    assert ax.images[0].get_array().shape == (5, 11)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["given", "restored"]


def test_axes_of_the_caller_are_used():
    _, ax = pyplot.subplots()
    assert plots.plot_history({"loss": [1.0]}, ax) is ax


def test_missing_matplotlib_names_the_extra(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"matplotlib: not found; pip install 'fastnn\[plot\]'"):
        plots.plot_history({"loss": [1.0]})
