"""Odd arrays at every entry: the right result or a clear refusal, never a write outside."""

import fastnn
import numpy as np
import pytest
from fastnn import layers

from tests.robustness.jobs import bits
from tests.robustness.odd import KINDS, odd

ROWS = 12


def job():
    """A model with floats, ids and weights in; and values that float16 holds too."""
    random = np.random.default_rng(2)
    x, ids, shares = (fastnn.Input(4), fastnn.Input(3, dtype="int32"), fastnn.Input(3))
    bag = layers.EmbeddingBag(9, 5)([ids, shares])
    model = fastnn.Model([x, ids, shares], layers.Dense(2)(layers.Concatenate()([x, bag])), seed=1)
    model.compile("sgd", "mse")
    arrays = {
        "x": random.integers(-8, 8, (ROWS, 4)).astype(np.float32),
        "ids": random.integers(9, size=(ROWS, 3), dtype=np.int32),
        "shares": random.integers(1, 4, (ROWS, 3)).astype(np.float32),
        "y": random.integers(-4, 4, (ROWS, 2)).astype(np.float32),
        "weights": random.integers(1, 3, ROWS).astype(np.float32),
    }
    return model, arrays


def results(model, x, ids, shares, y, weights):
    """Return what each entry point makes of the arrays, as bytes."""
    inputs = [x, ids, shares]
    before = model.evaluate(inputs, y, sample_weight=weights)
    prediction = model.predict(inputs)
    model.fit(inputs, y, sample_weight=weights, batch_size=5)
    return before, prediction.tobytes(), bits(model)


@pytest.mark.parametrize("name", ["x", "ids", "shares", "y", "weights"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_array_gives_the_result_of_a_plain_one(kind, name, tmp_path):
    model, arrays = job()
    plain = results(model, **arrays)
    other, _ = job()
    array = odd(kind, arrays[name], tmp_path)
    kept = np.array(array)
    assert results(other, **{**arrays, name: array}) == plain
    np.testing.assert_array_equal(np.array(array), kept)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "narrow"])
def test_weights_may_come_in_any_shape_of_memory(kind, tmp_path):
    model, _ = job()
    other, _ = job()
    expected = [weights + 1 for weights in model.get_weights()]
    other.set_weights([odd(kind, weights, tmp_path) for weights in expected])
    assert bits(other) == b"".join(weights.tobytes() for weights in expected)


REFUSED = {
    "empty": lambda array: array[:0],
    "scalar": lambda array: array.flat[0],
    "too short": lambda array: array[:-1],
    "complex": lambda array: array.astype(complex),
    "text": lambda array: array.astype(str),
    "object": lambda array: np.full(array.shape, object()),
    "dates": lambda array: array.astype("M8[s]"),
    "nothing": lambda array: None,
}


@pytest.mark.parametrize("name", ["x", "ids", "shares", "y", "weights"])
@pytest.mark.parametrize("kind", REFUSED)
def test_an_array_of_no_use_is_refused_before_any_work(kind, name):
    if kind == "nothing" and name == "weights":
        pytest.skip("None means equal weights")
    model, arrays = job()
    before = bits(model)
    arrays[name] = REFUSED[kind](arrays[name])
    inputs = [arrays["x"], arrays["ids"], arrays["shares"]]
    with pytest.raises((ValueError, TypeError), match=r": expected .*, got "):
        model.fit(inputs, arrays["y"], sample_weight=arrays["weights"])
    assert bits(model) == before


@pytest.mark.parametrize(
    "bad",
    [
        np.full((ROWS, 3), 0.7),
        np.full((ROWS, 3), True),
        np.full((ROWS, 3), "1"),
        np.full((ROWS, 3), 2**63, np.uint64),
        np.full((ROWS, 3), 2**32, np.int64),
        np.full((ROWS, 3), -1),
        np.full((ROWS, 3), 9),
    ],
    ids=["float", "bool", "text", "uint64", "int64", "negative", "too large"],
)
def test_ids_that_are_none_are_refused(bad):
    model, arrays = job()
    before = bits(model)
    for call in (
        lambda inputs: model.predict(inputs),
        lambda inputs: model.evaluate(inputs, arrays["y"]),
        lambda inputs: model.fit(inputs, arrays["y"]),
    ):
        with pytest.raises((ValueError, TypeError), match=r": expected .*, got "):
            call([arrays["x"], bad, arrays["shares"]])
    assert bits(model) == before
