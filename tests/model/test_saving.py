"""Saved models: they go on as if nothing had happened, and damage is refused."""

import copy
import json
import pickle

import numpy as np
import pytest
from fastnn import Input, Sequential, layers, load, optimizers, saving

from .conftest import same

OPTIMIZERS = [
    optimizers.SGD(0.05, momentum=0.9),
    optimizers.Adagrad(0.1),
    optimizers.RMSprop(momentum=0.5, centered=True),
    optimizers.AdamW(0.01),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda item: item.kind)
def test_training_goes_on_bit_for_bit(chain, table, tmp_path, optimizer):
    whole, part = chain(optimizer), chain(optimizer)
    whole.fit(*table, epochs=10)
    part.fit(*table, epochs=5)
    part.save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn")
    loaded.fit(*table, epochs=5)
    assert same(whole, loaded)
    assert loaded.history.epoch == [5, 6, 7, 8, 9]


def test_steps_go_on_in_the_middle_of_an_epoch(chain, table, tmp_path):
    whole, part = chain(), chain()
    whole.train_steps(5, *table)
    part.train_steps(2, *table)
    part.save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn")
    loaded.train_steps(3, *table)
    assert same(whole, loaded)


def test_a_graph_comes_back_whole(towers, visits, tmp_path):
    towers.fit(*visits)
    towers.save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn")
    assert loaded.summary() == towers.summary()
    assert loaded.goal == towers.goal
    assert [value.layer for value in loaded.inputs] == [value.layer for value in towers.inputs]
    for a, b in zip(loaded.predict(visits[0]), towers.predict(visits[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    loaded.fit(*visits)
    towers.fit(*visits)
    assert same(loaded, towers)


def test_pickle_and_copy_use_the_same_bytes(chain, table):
    model = chain()
    model.fit(*table)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        twin.fit(*table)
        assert isinstance(twin, Sequential)
        assert not same(twin, model)
    model.fit(*table)
    assert same(twin, model)
    assert model.__getstate__() == twin.__getstate__()


def test_a_chain_that_waits_for_data_is_saved_too(chain, table, tmp_path):
    model = chain()
    model.save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn")
    assert not loaded.built
    for each in (model, loaded):
        each.fit(*table)
    assert same(model, loaded)


def test_a_chain_without_weights_comes_back(backend, tmp_path):
    model = Sequential([Input(3), layers.Activation("relu")], backend=backend)
    model.compile("adam", "mse").save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn")
    assert loaded.built
    assert loaded.predict([[1.0, -1.0, 0.0]]).tolist() == [[1.0, 0.0, 0.0]]


def test_a_layer_used_twice_comes_back(backend, tmp_path):
    drop = layers.Dropout(0.5, name="drop")
    model = Sequential([drop, layers.Dense(2), drop], input_shape=3, backend=backend)
    model.save(tmp_path / "model.fnn")
    assert load(tmp_path / "model.fnn").count_params() == 8


def test_another_engine_may_load_a_model(chain, table, tmp_path):
    model = chain()
    model.fit(*table)
    model.save(tmp_path / "model.fnn")
    loaded = load(tmp_path / "model.fnn", backend="numpy")
    assert loaded.backend == "numpy"
    np.testing.assert_allclose(loaded.predict(table[0]), model.predict(table[0]), atol=1e-5)


def change(description, *path, value):
    inner = description
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value


DAMAGE = [
    (("graph",), None),
    (("graph", "calls"), None),
    (("graph", "calls", 3, 1), [7]),
    (("graph", "calls", 3, 0), -1),
    (("graph", "calls", 3), 5),
    (("graph", "layers", 3, "output_dim"), 4),
    (("graph", "layers", 3, "output_dim"), 10**11),
    (("graph", "layers", 2, "shape"), [10**12]),
    (("graph", "layers", 3, "type"), "Evil"),
    (("graph", "outputs"), []),
    (("graph", "inputs"), [0]),
    (("seed",), "0"),
    (("dtype",), "float16"),
    (("backend",), "fpga"),
    (("goal", "optimizer", "type"), "SGD"),
    (("goal", "losses"), []),
    (("goal", "metrics"), [["accuracy"], ["none"]]),
    (("progress", "step"), -1),
    (("progress", "steps"), 1),
]


@pytest.mark.parametrize(("path", "value"), DAMAGE)
def test_a_description_that_no_model_has_is_refused(towers, path, value):
    description, arrays = saving.describe(towers)
    change(description, *path, value=value)
    with pytest.raises(ValueError, match=": expected "):
        saving.rebuild(description, arrays)


def places(description, path=()):
    """Yield the path of every value inside a description."""
    items = description.items() if isinstance(description, dict) else enumerate(description)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


NUMBERS = [0, -1, 3, 2**40, 2**70, 0.5, 1e300, True]
JUNK = [*NUMBERS, "", "x", "Dense", [], [0], [[0, [0]]], {}, {"type": "L2"}, {"type": "Dense"}]


def test_a_description_changed_anywhere_loads_or_is_refused(towers, random):
    description, arrays = saving.describe(towers)
    text = json.dumps(description)
    paths = list(places(description))
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
    "name", ["weights/kind/kernel", "state/step", "state/kind/bias:accumulator"]
)
def test_arrays_that_are_missing_or_of_another_shape_are_refused(towers, name):
    description, arrays = saving.describe(towers)
    for bad in ({}, {name: np.zeros((9, 9), np.float32)}):
        rest = {key: array for key, array in arrays.items() if key != name}
        with pytest.raises(ValueError, match="expected"):
            saving.rebuild(description, {**rest, **bad})


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.fnn"
    path.write_bytes(b"no model at all")
    with pytest.raises(ValueError, match="path: expected a fastnn model"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.fnn")
