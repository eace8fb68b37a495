"""Networks on images: bytes at the border, chains without a shape, files, ways of computing."""

import json
import pickle

import numpy as np
import pytest
from fastnn import Input, Model, Sequential, data, layers, load, saving

from .conftest import same
from .test_saving import JUNK, change, places

BYTES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def test_bytes_are_taken_as_they_are():
    found = data.convert_numbers("x", BYTES, (3, 4), "float32")
    assert np.shares_memory(found, BYTES)
    found = data.convert_numbers("x", BYTES, (3, 4, 1), "float64")
    assert np.shares_memory(found, BYTES)
    assert found.shape == (2, 3, 4, 1)
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    "given", [np.asfortranarray(BYTES), np.repeat(BYTES, 2, axis=2)[..., ::2], BYTES.tolist()]
)
def test_bytes_in_another_order_are_copied_once(given):
    given = np.asarray(given, np.uint8)
    found = data.convert_numbers("x", given, (3, 4), "float32")
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, BYTES)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16])
def test_other_integers_become_floats(dtype):
    given = (BYTES % 2).astype(dtype)
    found = data.convert_numbers("x", given, (3, 4), "float32")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, given)


def test_bytes_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"x: expected shape \(n, 3, 4, 3\), got \(2, 3, 4\)"):
        data.convert_numbers("x", BYTES, (3, 4, 3), "float32")


def test_targets_and_weights_of_bytes_become_floats():
    spec = data.TargetSpec("y", (3, 4), "values")
    targets = data.convert_targets("y", BYTES, [spec], "float32", 2)
    assert targets[0].dtype == np.float32
    weights = data.convert_weights("w", np.ones(3, np.uint8), 3, "float64")
    assert weights is not None
    assert weights.dtype == np.float64


def test_bytes_train_as_the_floats_of_their_values_do(conv_net, pictures):
    images, labels = pictures
    weights = np.arange(1, 31)
    models = []
    for x in (images, images.astype(np.float32)):
        model = conv_net()
        model.fit(x, labels, sample_weight=weights, validation_split=0.3, epochs=2, batch_size=8)
        model.train_steps(3, x, labels)
        models.append(model)
        assert model.evaluate(x, labels) == models[0].evaluate(images, labels)
        np.testing.assert_array_equal(model.predict(x), models[0].predict(images))
    assert same(*models)


def test_an_autoencoder_takes_bytes_on_both_sides(conv_net, random):
    x = random.integers(0, 256, (20, 6), dtype=np.uint8)
    backend = conv_net().backend
    models = [
        Sequential([layers.Dense(6)], backend=backend, seed=0).compile("sgd", "mse")
        for _ in range(2)
    ]
    for model, given in zip(models, (x, x.astype(np.float64)), strict=True):
        model.learning_rate = 1e-6
        model.fit(given, given)
    assert same(*models)


def test_images_of_one_channel_need_no_axis_for_it(conv_net, pictures):
    images, labels = pictures
    x = images[..., :1].astype(np.float32)
    models = [conv_net(), conv_net()]
    for model, given in zip(models, (x, x[..., 0]), strict=True):
        model.fit(given, labels)
        assert model.network.input_specs[0].shape == (9, 8, 1)
        np.testing.assert_array_equal(model.predict(x), model.predict(x[..., 0]))
    assert same(*models)


@pytest.mark.parametrize(
    ("first", "row", "shape"),
    [
        (layers.Conv2D(2, 3), (5, 5), (5, 5, 1)),
        (layers.Conv2D(2, 3), (5, 5, 2), (5, 5, 2)),
        (layers.MaxPooling2D(2), (5, 5), (5, 5, 1)),
        (layers.SpatialDropout2D(0.5), (5, 5), (5, 5, 1)),
        (layers.Conv1D(2, 3), (5,), (5, 1)),
        (layers.Conv1D(2, 3), (5, 5), (5, 5)),
        (layers.Dense(2), (5, 5), (5, 5)),
        (layers.Flatten(), (5, 5), (5, 5)),
    ],
)
def test_a_chain_finds_the_shape_of_its_rows(backend, first, row, shape):
    stack = [layers.Rescaling(0.1), first, layers.Flatten(), layers.Dense(1)]
    model = Sequential(stack, backend=backend).compile("sgd", "mse")
    model.fit(np.ones((4, *row), np.float32), np.ones(4))
    assert model.network.input_specs[0].shape == shape


def test_moving_statistics_are_weights_that_are_not_trained(conv_net, pictures):
    model = conv_net(input_shape=(9, 8, 2))
    names = [name for name, _ in model.parameters()]
    moving = ["batch_normalization/moving_mean", "batch_normalization/moving_variance"]
    assert names[1:5] == ["batch_normalization/gamma", "batch_normalization/beta", *moving]
    start = dict(zip(names, model.get_weights(), strict=True))
    assert start[moving[0]].tolist() == [0, 0, 0, 0]
    assert start[moving[1]].tolist() == [1, 1, 1, 1]
    model.fit(pictures[0].astype(np.float32), pictures[1])
    found = dict(zip(names, model.get_weights(), strict=True))
    assert not np.any(found[moving[0]] == 0)
    assert {name.split(":")[0] for name in model.network.engine.state()} == {
        *(set(names) - set(moving)),
        "step",
    }
    before = model.predict(pictures[0][:3].astype(np.float32))
    model.set_weights({moving[1]: 4 * found[moving[1]]})
    assert not np.array_equal(before, model.predict(pictures[0][:3].astype(np.float32)))


def test_a_summary_tells_what_is_trained(conv_net):
    lines = conv_net(input_shape=(9, 8, 2)).summary().splitlines()
    assert lines[-3].split() == ["total", "259", "1,036"]
    assert lines[-2].split() == ["trainable", "251", "1,004"]
    assert lines[-1].split() == ["non-trainable", "8", "32"]
    assert "max_pooling2d (MaxPooling2D)                       (4, 4, 4)" in "\n".join(lines)


def test_training_goes_on_after_a_file_bit_for_bit(conv_net, pictures, tmp_path):
    x, y = pictures[0].astype(np.float32), pictures[1]
    whole, part = conv_net(), conv_net()
    whole.fit(x, y, epochs=2)
    part.fit(x, y)
    part.save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn")
    assert loaded.layers == part.layers
    assert loaded.summary() == part.summary()
    loaded.fit(x, y)
    twin = pickle.loads(pickle.dumps(loaded))
    assert same(whole, loaded)
    np.testing.assert_array_equal(whole.predict(x), twin.predict(x))


def test_a_description_of_images_changed_anywhere_loads_or_is_refused(conv_net, random):
    description, arrays = saving.describe(conv_net(input_shape=(9, 8, 2)))
    text = json.dumps(description)
    paths = list(places(description["graph"], ("graph",)))
    refused = 0
    for _ in range(300):
        bad = json.loads(text)
        change(bad, *paths[random.integers(len(paths))], value=JUNK[random.integers(len(JUNK))])
        try:
            saving.rebuild(bad, arrays)
        except ValueError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"convolution": "fft"}, "convolution: expected one of auto, direct, winograd, got 'fft'"),
        ({"precision": "float16"}, "precision: expected one of float32, bf16, got 'float16'"),
        (
            {"precision": "bf16", "dtype": "float64"},
            "precision: expected 'float32' for dtype float64, got 'bf16'",
        ),
    ],
)
def test_a_way_of_computing_that_is_none_is_refused(settings, message):
    x = Input(2)
    for make in (lambda: Model(x, x, **settings), lambda: Sequential([], **settings)):
        with pytest.raises(ValueError, match=message):
            make()


def test_the_way_of_computing_is_saved_with_a_model(tmp_path):
    settings = {"convolution": "direct", "precision": "bf16"}
    stack = [layers.Conv2D(3, 2), layers.Flatten(), layers.Dense(4)]
    model = Sequential(stack, input_shape=(3, 3, 2), backend="numpy", seed=1, **settings)
    model.save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn")
    assert (loaded.setup.convolution, loaded.setup.precision) == ("direct", "bf16")
    x = np.linspace(-1, 1, 18, dtype=np.float32).reshape(1, 3, 3, 2)
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    plain = Sequential(stack, input_shape=(3, 3, 2), backend="numpy", seed=1)
    assert not np.array_equal(plain.predict(x), model.predict(x))
    np.testing.assert_allclose(plain.predict(x), model.predict(x), atol=0.02)


def test_a_file_from_before_the_ways_of_computing_is_read(conv_net):
    description, arrays = saving.describe(conv_net(input_shape=(9, 8, 2)))
    del description["convolution"], description["precision"]
    assert saving.rebuild(description, arrays).setup.convolution == "auto"
