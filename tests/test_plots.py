import builtins

import numpy as np
import pytest
from fastnn import Input, Model, Sequential, layers, plots

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
    ax = plots.history(history)
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
    ax = plots.confusion([0, 0, 1], [0, 1, 1])
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
    ax = plots.map(vectors, values=np.arange(6), labels={2: "two"})
    np.testing.assert_allclose(ax.collections[0].get_offsets(), plots.map_data(vectors))
    assert [text.get_text() for text in ax.texts] == ["two"]


def test_images_stand_side_by_side():
    strip = plots.images_data(np.arange(12).reshape(3, 4), (2, 2))
    assert strip.shape == (2, 8)
    assert strip[:, 3:5].tolist() == [[4, 5], [6, 7]]
    ax = plots.images({"given": np.eye(4), "restored": np.eye(4)}, (2, 2))
    assert ax.images[0].get_array().shape == (5, 11)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["given", "restored"]


def images_model(channels=1, **settings):
    chain = [
        layers.Conv2D(5, 3, activation="relu", **settings),
        layers.MaxPooling2D(2),
        layers.Conv2D(4, (2, 1), name="second"),
        layers.Flatten(),
        layers.Dense(2),
    ]
    return Sequential(chain, input_shape=(8, 7, channels), backend="numpy", seed=0)


def tiles_of(ax):
    """Return the shape of the picture and how many of its pixels show something."""
    picture = np.asarray(ax.images[0].get_array().filled(np.nan))
    return picture.shape[:2], int(np.isfinite(picture).sum())


def test_filters_are_the_kernels():
    model = images_model()
    weights = model.get_weights()
    found = plots.filters_data(model)
    assert np.array_equal(found, weights[0].transpose(3, 0, 1, 2))
    assert np.array_equal(plots.filters_data(model, "second")[3], weights[2][:, :, :, 3])
    assert tiles_of(plots.filters(model)) == ((7, 11), 5 * 9)  # 3 tiles in a line, one missing
    assert tiles_of(plots.filters(model, "second")) == ((5 * 3 - 1, 4 * 2 - 1), 4 * 2 * 5)


def test_filters_of_colours_are_colours():
    model = images_model(3)
    picture = plots.filters(model).images[0].get_array()
    kernels = plots.filters_data(model)
    assert picture.shape == (7, 11, 3)
    expected = 0.5 + 0.5 * kernels[1] / np.abs(kernels).max()
    np.testing.assert_allclose(picture[:3, 4:7], expected, rtol=1e-6)


def test_filters_of_zeros_are_drawn():
    model = images_model(kernel_initializer="zeros")
    assert tiles_of(plots.filters(model))[1] == 5 * 9


def test_feature_maps_are_what_a_layer_puts_out():
    model = images_model()
    image = np.random.default_rng(0).normal(size=(8, 7, 1))
    found = plots.feature_maps_data(model, image)
    chain = model.layers[:2]
    cut = Sequential(chain, input_shape=(8, 7, 1), backend="numpy", seed=1)
    cut.set_weights(model.get_weights()[:2])
    pooled = plots.feature_maps_data(model, image, "max_pooling2d")
    np.testing.assert_array_equal(pooled, cut.predict(image[None])[0].transpose(2, 0, 1))
    assert found.shape == (5, 6, 5)
    np.testing.assert_array_equal(found, plots.feature_maps_data(model, image[:, :, 0]))
    assert tiles_of(plots.feature_maps(model, image)) == ((6 * 2 + 1, 5 * 3 + 2), 5 * 6 * 5)


def test_feature_maps_of_branches_and_outputs_keep_their_weights():
    x = Input((4, 4, 1))
    first, second = layers.Conv2D(2, 1)(x), layers.Conv2D(2, 1)(x)
    model = Model(x, [layers.Add()([second, first]), first], backend="numpy", seed=0)
    image = np.random.default_rng(0).normal(size=(4, 4, 1))
    summed, given = model.predict(image[None])
    maps = {name: plots.feature_maps_data(model, image, name) for name in ("conv2d", "conv2d_1")}
    total = np.add(*maps.values()).transpose(1, 2, 0)
    np.testing.assert_allclose(total, summed[0], rtol=1e-6)
    assert any(np.array_equal(found.transpose(1, 2, 0), given[0]) for found in maps.values())


def test_a_fitted_estimator_stands_for_its_model():
    model = images_model()
    estimator = type("Estimator", (), {"model_": model})()
    assert np.array_equal(plots.filters_data(estimator), plots.filters_data(model))
    image = np.ones((8, 7, 1))
    found = plots.feature_maps_data(estimator, image, "second")
    assert np.array_equal(found, plots.feature_maps_data(model, image, "second"))


PAIR = [Input((2, 2, 1)), Input((2, 2, 1))]
TWO_INPUTS = Model(PAIR, layers.Add()(PAIR), backend="numpy", seed=0)
DENSE = Sequential([layers.Dense(1)], input_shape=(3,), backend="numpy", seed=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.filters_data(DENSE), "model: expected a layer with images, .* got none"),
        (lambda: plots.feature_maps_data(DENSE, [1.0]), "model: expected a layer with images"),
        (lambda: plots.feature_maps_data(TWO_INPUTS, [1.0]), "model: expected one input, got 2"),
        (
            lambda: plots.filters_data(images_model(), "dense"),
            "layer: expected one of conv2d, second, got 'dense'",
        ),
        (
            lambda: plots.feature_maps_data(images_model(), np.ones((8, 7)), "flatten"),
            "layer: expected one of conv2d, max_pooling2d, second, got 'flatten'",
        ),
        (
            lambda: plots.feature_maps_data(images_model(), np.ones((7, 8))),
            r"image: expected shape \(8, 7, 1\), got \(7, 8\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_axes_of_the_caller_are_used():
    _, ax = pyplot.subplots()
    assert plots.history({"loss": [1.0]}, ax) is ax


def test_missing_matplotlib_names_the_extra(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"matplotlib: not found; pip install 'fastnn\[plot\]'"):
        plots.history({"loss": [1.0]})
