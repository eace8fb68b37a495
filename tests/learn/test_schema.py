"""Settings: what is allowed, what a change does, and that a link says them all."""

import json

import numpy as np
import pytest
from fastnn.learn.playground import schema
from fastnn.learn.playground.breaking import PRESETS
from fastnn.learn.playground.schema import BY_NAME, DEFAULTS
from fastnn.learn.playground.settings import FIELDS


def some_value(field, random):
    """Draw a value that a field allows."""
    if field.kind == "flag":
        return bool(random.integers(2))
    if field.kind == "choice":
        return str(random.choice(field.choices))
    if field.kind == "integer":
        return int(random.integers(field.low, field.high + 1))
    if field.kind == "number":
        return float(random.uniform(field.low, field.high))
    if field.distinct:
        n = random.integers(field.least, field.most + 1)
        return [str(word) for word in random.permutation(field.item.choices)[:n]]
    return [some_value(field.item, random) for _ in range(random.integers(1, field.most + 1))]


@pytest.mark.parametrize("seed", range(20))
def test_a_link_says_all_settings(seed):
    random = np.random.default_rng(seed)
    drawn = {field.name: some_value(field, random) for field in FIELDS}
    settings = schema.changed(DEFAULTS, drawn)
    assert schema.from_link("#" + schema.to_link(settings)) == settings


def test_a_link_of_the_defaults_is_empty():
    assert schema.to_link(DEFAULTS) == ""
    assert schema.from_link("") == DEFAULTS


WRONG = [
    ({"colour": "red"}, "setting: expected one of data"),
    ({"data": "cubes"}, "data: expected one of circles"),
    ({"learning_rate": -1}, "learning_rate: expected a number in"),
    ({"learning_rate": float("nan")}, "learning_rate: expected a number in"),
    ({"learning_rate": "fast"}, "learning_rate: expected a number in"),
    ({"layers": [0]}, r"layers: expected an integer in \[1, 256\], got 0"),
    ({"layers": [4] * 9}, "layers: expected a list of 0 to 8 values, got 9 of them"),
    ({"layers": 4}, "layers: expected a list of 0 to 8 values, got int"),
    ({"features": []}, "features: expected a list of 1 to 7 values"),
    ({"features": ["x1", "x1"]}, "features: expected different values"),
    ({"activations": ["softmax"]}, "activations: expected one of identity"),
    ({"scaling": 1}, "scaling: expected True or False"),
    ({"seed": True}, "seed: expected an integer"),
    ([], "settings: expected an object of names and values"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[str(w[0]) for w in WRONG])
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        schema.changed(DEFAULTS, changes)


@pytest.mark.parametrize(
    "link", ["nothing=1", "seed=1.5", "scaling=yes", "layers=a", "layers=" + "8," * 600]
)
def test_wrong_links_are_refused(link):
    with pytest.raises((ValueError, TypeError), match="expected"):
        schema.from_link(link)


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({}, "none"),
        ({"speed": 100}, "run"),
        ({"learning_rate": 0.5, "speed": 100}, "live"),
        ({"layers": [3], "learning_rate": 0.5}, "net"),
        ({"noise": 0.5, "layers": [3]}, "data"),
    ],
)
def test_the_largest_effect_counts(changes, effect):
    assert schema.effect(DEFAULTS, schema.changed(DEFAULTS, changes)) == effect


def test_activations_follow_the_layers():
    three = schema.changed(DEFAULTS, {"layers": [4, 4, 4], "activations": ["tanh", "relu"]})
    assert three["activations"] == ["tanh", "relu", "relu"]
    assert schema.changed(three, {"layers": []})["activations"] == []


def test_the_page_is_told_everything():
    described = json.loads(schema.as_json())
    assert [entry["name"] for entry in described] == list(BY_NAME)
    for entry in described:
        assert entry["label"]
        assert entry["help"].endswith((".", "?"))
        assert entry["group"] in {"data", "task", "net", "optimizer", "penalty", "run"}
        assert set(entry["when"]) <= set(BY_NAME)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_are_settings(preset):
    assert preset.whole().keys() == DEFAULTS.keys()
