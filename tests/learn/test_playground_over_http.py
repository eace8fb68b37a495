"""What each request of the playground does, and that its run is the library's to the last bit."""

import numpy as np
import pytest
from fastnn import Sequential, datasets, losses, optimizers
from fastnn.layers import Dense
from fastnn.learn.playground import breaking, schema

from tests.learn.client import printed

TABLE = "width,height,kind\n" + "".join(
    f"{0.1 * (i % 7)},{0.3 * (i % 5) + i % 3},{'abc'[i % 3]}\n" for i in range(60)
)
DRAWING = [[0.1 * i, (i * i) % 7 - 3, i % 3] for i in range(30)]
# What is asked of the server, in order; every run ends with a script and a loss.
RUNS: dict[str, list[tuple[str, dict]]] = {
    "defaults": [("step", {"n": 500})],
    "sgd, momentum, L2, batches of 7": [
        ("set", {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "l2": 1e-3}),
        ("set", {"batch_size": 7, "learning_rate": 0.003, "data": "moons"}),
        ("step", {"n": 500}),
    ],
    "rmsprop, dropout, noise, L1": [
        ("set", {"optimizer": "rmsprop", "centered": True, "dropout": 0.3, "l1": 1e-4}),
        ("set", {"input_noise": 0.2, "features": ["x1", "x1*x2", "sin(x2)"]}),
        ("step", {"n": 500}),
    ],
    "adamw, decay, clipping, activity": [
        ("set", {"optimizer": "adamw", "weight_decay": 0.01, "clip": "norm", "clip_at": 0.5}),
        ("set", {"activity_l2": 1e-3, "layers": [8, 4, 8], "activations": ["tanh", "gelu", "elu"]}),
        ("step", {"n": 500}),
    ],
    "ftrl, several classes, squared error": [
        ("set", {"data": "pinwheel", "optimizer": "ftrl", "learning_rate": 0.1, "noise": 0.3}),
        ("set", {"loss": "squared", "initializer": "glorot_uniform", "initial_scale": 0.5}),
        ("step", {"n": 500}),
    ],
    "a number, no hidden layer": [
        ("set", {"data": "plane", "layers": [], "loss": "huber", "optimizer": "adagrad"}),
        ("step", {"n": 500}),
    ],
    "live changes on the way": [
        ("step", {"n": 123}),
        ("set", {"learning_rate": 0.001}),
        ("step", {"n": 100}),
        ("set", {"optimizer": "sgd", "dropout": 0.2}),
        ("set", {"batch_size": 25}),
        ("step", {"n": 77}),
        ("set", {"activations": ["tanh", "relu"], "l1": 1e-3, "loss": "squared"}),
        ("step", {"n": 200}),
    ],
    "rewind, then another way": [
        ("step", {"n": 300}),
        ("set", {"learning_rate": 0.1}),
        ("step", {"n": 300}),
        ("rewind", {"step": 250}),
        ("set", {"momentum": 0.5, "optimizer": "sgd"}),
        ("step", {"n": 250}),
    ],
    "iris, main directions": [("set", {"data": "iris"}), ("step", {"n": 500})],
    "cancer, two columns, unscaled": [
        ("set", {"data": "cancer", "axes": "columns", "column_1": 3, "scaling": False}),
        ("set", {"learning_rate": 1e-4}),
        ("step", {"n": 500}),
    ],
    "a table": [
        ("csv", {"name": "own.csv", "text": TABLE, "target": "kind"}),
        ("step", {"n": 500}),
    ],
    "a drawing": [("points", {"points": DRAWING}), ("step", {"n": 500})],
}


@pytest.mark.parametrize("name", RUNS)
def test_the_script_prints_the_loss_of_the_page(client, name, tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    for request, body in RUNS[name]:
        client.post(request, **body)
    state = client.frame().state
    found = printed(client.get("script").decode(), tmp_path)
    assert found == {"training loss": state["loss"], "validation loss": state["val_loss"]}
    assert np.isfinite(state["loss"])


def test_the_page_trains_as_the_library_does(client):
    x, y = datasets.make_points("spiral", 400, noise=0.1, seed=7)
    order = np.random.default_rng(7).permutation(400)
    x, y = x[order], y[order]
    x = (x - x[:280].mean(axis=0)) / x[:280].std(axis=0)
    model = Sequential(
        [Dense(16, "relu", kernel_initializer="he_normal") for _ in range(2)]
        + [Dense(1, "sigmoid", kernel_initializer="he_normal")],
        input_shape=2,
        seed=7,
    )
    model.compile(optimizers.Adam(0.01), losses.BinaryCrossentropy())
    model.train_steps(500, x[:280], y[:280], batch_size=10)
    client.post("step", n=500)
    assert client.frame().state["loss"] == model.evaluate(x[:280], y[:280])["loss"]


@pytest.mark.parametrize("steps", [[500], [1, 10, 100, 389], [250, 250]])
def test_how_steps_are_cut_changes_nothing(client, steps):
    for n in steps:
        client.post("step", n=n)
    found = client.frame()
    client.post("reset")
    assert client.frame().step == 0
    client.post("step", n=500)
    assert client.frame().state["loss"] == found.state["loss"]
    assert found.step == client.frame().step == 500


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({}, "none"),
        ({"seed": 7}, "none"),
        ({"speed": 100}, "run"),
        ({"learning_rate": 0.5}, "live"),
        ({"layers": [4]}, "net"),
        ({"seed": 8, "learning_rate": 0.5, "layers": [4]}, "data"),
    ],
)
def test_set_tells_its_effect(client, changes, effect):
    client.post("step", n=20)
    before = client.json("settings")
    found = client.post("set", **changes)
    assert found["effect"] == effect
    assert found["settings"] == client.json("settings") == schema.changed(before, changes)
    assert client.frame().step == (0 if effect in {"net", "data"} else 20)


@pytest.mark.parametrize(
    ("request_", "body", "message"),
    [
        ("set", {"learning_rat": 1}, "body: expected one of data, axes"),
        ("set", {"learning_rate": 0}, "learning_rate: expected a number in [1e-05, 1000], got 0"),
        ("set", {"learning_rate": "fast"}, "learning_rate: expected a number"),
        ("set", {"data": "csv"}, "data: expected a CSV file to be given first, got none"),
        ("set", {"data": "wine", "axes": "columns", "column_1": 99}, "column_1: expected"),
        ("set", {"noise": 0.5, "layers": [0]}, "layers: expected an integer in [1, 256], got 0"),
        ("link", {}, "body: expected an object with link, got none"),
        ("link", {"link": 7}, "link: expected text, got int"),
        ("link", {"link": "#data=mars"}, "data: expected one of circles"),
        ("link", {"link": "#", "more": 1}, "body: expected one of link, got 'more'"),
        ("preset", {"name": "melt"}, "preset: expected one of explode"),
        ("preset", {"name": ["explode"]}, "name: expected text, got list"),
        ("run", {"running": 1}, "running: expected True or False"),
        ("step", {"n": 0}, "n: expected an integer in [1, 100000], got 0"),
        ("step", {"n": 100_001}, "n: expected an integer in [1, 100000], got 100001"),
        ("step", {"n": 1.5}, "n: expected an integer"),
        ("rewind", {"step": -1}, "step: expected an integer"),
        ("rewind", {"step": "back"}, "step: expected an integer"),
        ("fix", {"finding": "sadness"}, "finding: expected"),
        ("fix", {"finding": []}, "finding: expected text, got list"),
        ("reset", {"now": True}, "body: expected an empty object, got one with 'now'"),
        ("points", {"points": [[0, 0, 0], [7, 0, 0]]}, "points[1]: expected a number in [-6, 6]"),
        ("points", {"points": 2 * [[0, 0, 10]]}, "points[0]: expected an integer in [0, 9]"),
        ("points", {"points": 2 * [[0, 0, 0.5]]}, "points[0]: expected an integer in [0, 9]"),
        ("points", {"points": 2 * [[0, 0]]}, "points[0]: expected [x1, x2, label]"),
        ("points", {"points": 2 * [["a", 0, 0]]}, "points[0]: expected a number"),
        ("points", {"points": 5}, "points: expected"),
        ("points", {"points": []}, "points: expected"),
        ("csv", {"name": "a.csv"}, "body: expected an object with name and text, got none"),
        ("csv", {"name": "a.csv", "text": ""}, ""),
        ("csv", {"name": "a.csv", "text": "a,b\n1,2,3\n"}, ""),
        ("csv", {"name": "a.csv", "text": "a,b\n1,2\n", "target": "c"}, "one of a, b, got 'c'"),
        ("csv", {"name": "a.csv", "text": 5}, "text: expected text, got int"),
        ("csv", {"name": 5, "text": TABLE}, "name: expected text"),
        ("csv", {"name": "a.csv", "text": TABLE, "target": 5}, "target: expected text"),
    ],
)
def test_a_wrong_value_says_what_is_expected_and_changes_nothing(client, request_, body, message):
    client.post("step", n=5)
    before = client.json("settings"), client.json("data"), client.frame().state
    answer = client.ask("POST", request_, body)
    assert answer.status == 400
    assert message in answer.json["error"]
    assert (client.json("settings"), client.json("data"), client.frame().state) == before


def test_a_link_names_what_differs_from_the_defaults(client):
    client.post("set", momentum=0.5, l1=0.1)
    found = client.post("link", link="#data=moons&layers=3,5&noise=0.3")
    expected = {"data": "moons", "layers": [3, 5], "noise": 0.3}
    assert found["settings"] == schema.changed(schema.DEFAULTS, expected)
    assert client.frame().step == 0
    assert schema.to_link(found["settings"]) == "data=moons&noise=0.3&layers=3,5"


@pytest.mark.parametrize("preset", breaking.PRESETS, ids=lambda preset: preset.name)
def test_a_preset_starts_again_and_runs(client, preset):
    client.post("step", n=50)
    found = client.post("preset", name=preset.name)
    assert found["settings"] == preset.whole() == client.json("settings")
    begun = client.frame()
    assert begun.flags & {"running", "diverged"}
    while begun.step in {0, 50}:
        begun = client.frame()


def test_run_trains_until_it_is_told_to_wait(client):
    client.post("run", running=True)
    steps = [client.frame().step]
    while len(steps) < 3:
        found = client.frame("boundary")
        assert found.state["status"] == "running"
        if found.step > steps[-1]:
            steps.append(found.step)
    client.post("run", running=False)
    stopped = client.frame()
    assert stopped.flags == set()
    assert stopped.state["status"] == "paused"
    assert client.frame().step == stopped.step >= steps[-1]


def test_a_budget_ends_a_run(client):
    client.post("set", budget=777)
    client.post("run", running=True)
    while (found := client.frame()).state["status"] == "running":
        assert found.step <= 777
    assert (found.step, found.state["status"]) == (777, "stopped")
    assert "777" in found.state["why"]


def test_a_rewind_brings_back_settings_and_losses(client):
    client.post("step", n=200)
    before = client.frame().state
    client.post("set", learning_rate=0.2)
    client.post("step", n=200)
    assert client.post("rewind", step=200) == {"step": 200}
    after = client.frame().state
    assert (after["loss"], after["val_loss"]) == (before["loss"], before["val_loss"])
    assert client.json("settings") == schema.DEFAULTS
    assert client.post("rewind", step=10**9) == {"step": 200}


@pytest.mark.parametrize("preset", breaking.PRESETS, ids=lambda preset: preset.name)
def test_the_fix_of_the_worst_finding_mends_a_preset(client, preset):
    client.post("preset", name=preset.name)
    client.post("step", n=1500)
    findings = [found for found in client.frame().state["findings"] if found["fix"]]
    client.post("fix", finding=findings[0]["kind"])
    client.post("step", n=5000)
    mended = client.frame().state
    assert findings[0]["kind"] not in {found["kind"] for found in mended["findings"]}
    assert mended["val_loss"] < 0.45


def test_data_are_the_points_as_drawn(client):
    x, y = datasets.make_points("blobs", 60, noise=0.2, seed=3)
    client.post("set", data="blobs", points=60, noise=0.2, seed=3, train_share=0.5)
    found = client.json("data")
    points = np.array(found["points"])
    assert points.shape == (60, 4)
    assert sorted(map(tuple, points[:, :3])) == sorted(zip(*x.T, y, strict=True))
    assert points[:, 3].sum() == 30
    assert found["axes"] == ["x1", "x2"]
    assert found["bounds"] == [-6, 6, -6, 6]
    assert len(found["classes"]) == 3
    assert found["version"] == client.frame().state["data"]


def test_a_drawing_and_a_table_become_the_data(client):
    client.post("points", points=DRAWING)
    found = client.json("data")
    assert sorted(row[:3] for row in found["points"]) == sorted(DRAWING)
    assert client.json("settings")["data"] == "drawn"
    client.post("csv", name="own.csv", text=TABLE)
    found = client.json("data")
    assert (found["classes"], found["columns"]) == (["a", "b", "c"], ["width", "height"])
    assert "own.csv" in found["title"]
    assert client.json("settings")["data"] == "csv"
    client.post("csv", name="own.csv", text=TABLE, target="height")
    assert client.json("data")["columns"] == ["width"]
    assert client.json("settings")["task"] == "regression"


@pytest.mark.parametrize(
    ("settings", "boundary"),
    [
        ({"data": "circles"}, (32, 32)),
        ({"data": "pinwheel"}, (32, 32, 2)),
        ({"data": "hills"}, (32, 32)),
    ],
)
def test_a_frame_holds_the_views_asked_for(client, settings, boundary):
    client.post("set", layers=[5, 3], **settings)
    client.post("step", n=30)
    found = client.frame("boundary,neurons,edges", side=32)
    assert found.sections["boundary"].shape == boundary
    shown = found.state["shown"]
    assert shown == [[0, 1, 2, 3, 4], [0, 1, 2]]
    assert found.sections["neurons"].shape == (8, 24, 24)
    assert found.sections["neurons"].max() == 255
    outputs = 5 if settings["data"] == "pinwheel" else 1
    assert [e.shape for e in found.sections["edges"]] == [(2, 5), (5, 3), (3, outputs)]
    kinds = {
        kind: client.frame("edges", edges=kind).sections["edges"][0]
        for kind in ("weight", "gradient", "update")
    }
    assert not np.array_equal(kinds["weight"], kinds["gradient"])
    assert not np.array_equal(kinds["weight"], kinds["update"])
    assert np.array_equal(kinds["weight"], found.sections["edges"][0])
    assert client.frame().sections.keys() == {"edges", "curve"}
    assert client.frame().sections["edges"] == []


def test_a_curve_is_sent_from_the_entry_asked_for(client):
    client.post("step", n=40)
    first = client.frame()
    whole = first.sections["curve"]
    assert first.state["curve"]["start"] == 0
    assert first.state["curve"]["length"] == len(whole)
    client.post("step", n=40)
    later = client.frame(since=len(whole))
    assert later.state["curve"]["start"] == len(whole)
    assert later.sections["curve"][0, 0] > whole[-1, 0]
    assert later.sections["curve"][-1, 0] == later.step == 80
    assert later.sections["curve"][-1, 1] == np.float32(later.state["loss"])


def test_a_run_that_diverges_says_so(client):
    client.post("set", optimizer="sgd", learning_rate=1000, data="plane", scaling=False)
    client.post("step", n=1000)
    found = client.frame("boundary,neurons,edges")
    assert found.flags == {"diverged"}
    assert found.state["status"] == "diverged"
    assert found.state["why"]
    assert "diverged" in {finding["kind"] for finding in found.state["findings"]}
