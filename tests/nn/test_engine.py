"""What every engine does, over the reference and the core: one contract."""

import re

import numpy as np
import pytest
from fastnn.graph import Node, Spec
from fastnn.reference.rng import epoch_order

from tests import cases, tolerance
from tests.image_cases import BAD_IMAGE_NODES

CASES = {case.name: case for case in cases.CASES}


@pytest.fixture(params=["fastnn.reference", "fastnn._core"])
def made(request):
    """Return the maker of one engine."""
    return pytest.importorskip(request.param, reason="the core is not built").Engine


def node(kind, name, *inputs, **config):
    return Node(kind, name, inputs, config)


# --- training ---------------------------------------------------------------------------------


def test_one_step_of_sgd_goes_down_the_gradient(made):
    case = CASES["optimizer sgd"]
    engine = cases.compiled(made, case)
    inputs, targets, weights = cases.data(case)
    before = {name: engine.get(name) for name, _ in engine.parameters()}
    _, gradients = engine.gradients(inputs, targets, weights)
    engine.train(inputs, targets, weights, 100, False, 0, 0, 0, [0.1], 1, None)
    for name, w in before.items():
        expected = w - 0.1 * gradients[name]
        assert tolerance.close(engine.get(name), expected, tolerance.SAME_FORMULA)


@pytest.fixture
def linear(made):
    """Return a maker of compiled engines: y = kernel x + bias, from zeros."""

    def make(optimizer="sgd", metrics=(), **settings):
        nodes = [node("input", "x", shape=(1,)), node("dense", "y", 0, units=1)]
        engine = made(nodes, [1], "float64")
        rule = Spec(optimizer, settings)
        engine.compile([Spec("mean_squared_error")], [1.0], rule, [list(metrics)])
        return engine

    return make


def step(engine, x, y, rates=(0.1,), weights=None, first=0, size=100, shuffle=False):
    x, y = np.array(x, float).reshape(-1, 1), np.array(y, float).reshape(-1, 1)
    return engine.train([x], [y], weights, size, shuffle, 3, 0, first, list(rates), 1, None)


def test_weights_divide_by_their_sum(linear):
    """Loss sum(w l) / sum(w) = (3 * 1 + 1 * 9) / 4 for predictions of 0."""
    result = step(linear(), [0, 0], [1, 3], weights=np.array([3.0, 1.0]))
    assert (result["loss"], result["weight"], result["n_examples"]) == (3.0, 4.0, 2)


def test_a_weight_counts_like_copies_of_the_row(linear):
    weighted, copied = linear(), linear()
    step(weighted, [1, 2], [1, 3], weights=np.array([3.0, 1.0]))
    step(copied, [1, 1, 1, 2], [1, 1, 1, 3])
    assert weighted.get("y/kernel") == pytest.approx(copied.get("y/kernel"), rel=1e-14)


def test_a_batch_without_weight_changes_nothing(linear):
    engine = linear(optimizer="adamw")
    engine.set("y/kernel", np.ones((1, 1)))
    result = step(engine, [1, 2], [5, 5], weights=np.zeros(2))
    assert (result["loss"], result["steps"], engine.get("y/kernel")) == (0, 1, 1)


def test_metrics_are_means_over_the_rows_seen(linear):
    engine = linear(metrics=["mean_squared_error", "mean_absolute_error"])
    result = step(engine, [0, 0, 0], [1, 3, 5], rates=[0.0, 0.0], size=2)
    assert result["metrics"] == [[pytest.approx(35 / 3), pytest.approx(3)]]
    assert (result["steps"], result["interrupted"], result["diverged"]) == (2, False, False)


def test_steps_continue_an_epoch_where_they_left_it(linear):
    whole, parts = linear("adam"), linear("adam")
    x, y = np.arange(7), np.arange(7) * 2
    step(whole, x, y, [0.1] * 4, size=2, shuffle=True)
    for first in range(4):
        step(parts, x, y, [0.1], first=first, size=2, shuffle=True)
    assert np.array_equal(whole.get("y/kernel"), parts.get("y/kernel"))


def test_batches_follow_the_order_of_the_epoch(linear):
    engine = linear()
    result = step(engine, np.zeros(5), np.arange(5), [0.0], first=1, size=2, shuffle=True)
    assert result["loss"] == (epoch_order(3, 0, 5)[2:4] ** 2).mean()


def test_a_diverging_step_is_not_applied(linear):
    engine = linear()
    result = step(engine, [1, 1, 1], [1, 1e200, 1], [0.1] * 3, size=1)
    assert (result["steps"], result["diverged"], result["n_examples"]) == (1, True, 1)
    assert engine.get("y/kernel") == pytest.approx(0.2)
    assert engine.state()["step"] == 1


def test_activity_penalty_is_shared_like_the_loss(made):
    nodes = [
        node("input", "x", shape=(2,)),
        node("activity_regularization", "r", 0, l1=1.0, l2=10.0),
        node("dense", "y", 1, units=1),
    ]
    engine = made(nodes, [2], "float64")
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    x, y, weights = np.array([[1.0, -2.0], [3.0, 0.0]]), np.zeros((2, 1)), np.array([3.0, 1.0])
    expected = (3 * (3 + 10 * 5) + 1 * (3 + 10 * 9)) / 4
    assert engine.evaluate([x], [y], weights, 1)["loss"] == expected
    assert engine.gradients([x], [y], weights)[0] == expected


def test_touched_rows_alone_change(made):
    case = CASES["optimizer adamw"]
    engine = cases.compiled(made, case)
    inputs, targets, weights = cases.data(case, n_rows=3)
    before = engine.get("embedding_3/embeddings")
    engine.train(inputs, targets, weights, 3, False, 0, 0, 0, [0.1], 1, None)
    changed = (engine.get("embedding_3/embeddings") != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == np.unique(inputs[0]).tolist()


def test_frozen_parameters_stay(made):
    case = CASES["wide, with a frozen layer"]
    engine = cases.compiled(made, case)
    before = engine.get("dense_2/kernel")
    cases.train(engine, case, 2)
    assert np.array_equal(engine.get("dense_2/kernel"), before)
    assert not any(name.startswith("dense_2/") for name in engine.state())


# --- evaluating, predicting, state ------------------------------------------------------------


@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_size_of_the_batch_changes_no_prediction(made, case):
    engine = cases.compiled(made, case)
    inputs, targets, weights = cases.data(case)
    whole, pieces = engine.predict(inputs, 1000), engine.predict(inputs, 4)
    for y, z in zip(whole, pieces, strict=True):
        assert tolerance.close(z, y, tolerance.SAME_FORMULA)
    a, b = (engine.evaluate(inputs, targets, weights, size) for size in (1000, 5))
    assert a["loss"] == pytest.approx(b["loss"], rel=tolerance.SAME_FORMULA)
    for row, other in zip(a["metrics"], b["metrics"], strict=True):
        assert row == pytest.approx(other, rel=tolerance.SAME_FORMULA)


def test_loss_is_the_weighted_sum_of_the_outputs_losses(made):
    case = CASES["several inputs and outputs"]
    engine = cases.compiled(made, case)
    inputs, targets, weights = cases.data(case)
    result = engine.evaluate(inputs, targets, weights, 4)
    assert result["loss"] == pytest.approx(np.dot(case.loss_weights, result["losses"]), rel=1e-14)


def test_no_rows_give_no_predictions(linear):
    assert linear().predict([np.empty((0, 1))], 8)[0].shape == (0, 1)


def test_state_and_parameters_carry_on_elsewhere(made):
    case = CASES["dropout and noise"]
    whole, copy = cases.compiled(made, case), cases.compiled(made, case)
    cases.train(whole, case, 4)
    for name, _ in whole.parameters():
        copy.set(name, whole.get(name))
    copy.set_state(whole.state())
    cases.train(whole, case, 4)
    cases.train(copy, case, 4)
    for name, _ in whole.parameters():
        assert np.array_equal(copy.get(name), whole.get(name))


def test_compiling_forgets_the_state(linear):
    engine = linear("adam")
    step(engine, [1], [1])
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    assert sorted(engine.state()) == ["step"]
    assert engine.state()["step"] == 0


def test_what_get_gives_is_a_copy(linear):
    engine = linear()
    engine.get("y/kernel")[...] = 9
    assert engine.get("y/kernel") == 0


# --- errors -----------------------------------------------------------------------------------

X = node("input", "x", shape=(3,))
IDS = node("input", "ids", shape=(2,), dtype="ids", vocabulary=1000)
TABLE = {"input_dim": 1000, "output_dim": 4}

BAD_GRAPHS = [
    ([X, node("input", "z", shape=(4,)), node("add", "sum", 0, 1)],
     r"sum: expected inputs of one shape, got \(3,\) and \(4,\)"),
    ([X, node("input", "z", shape=(4,)), node("dot", "d", 0, 1)],
     r"d: expected .*inputs of one shape, got \(3,\) and \(4,\)"),
    ([X, node("input", "z", shape=(2, 4)), node("concatenate", "c", 0, 1)],
     r"c: expected inputs that differ in the last axis alone, got \(3,\) and \(2, 4\)"),
    ([X, node("reshape", "r", 0, shape=(2, 2))],
     r"r: expected a shape of 3 elements for .*\(3,\), got \(2, 2\)"),
    ([X, node("dense", "h", 0, units=0)], "h: expected units .*, got 0"),
    ([X, node("dense", "h", 0)], "h: expected .*units.*, got"),
    ([X, node("dense", "h", 0, units=3, activation="rely")],
     "h: expected activation to be one of .*relu, .*, got rely"),
    ([X, node("dense", "h", 0, units=3, kernel_l1=-1.0)], "h: expected kernel_l1 .*, got -1"),
    ([node("input", "x", shape=()), node("dense", "h", 0, units=3)],
     r"h: expected an input with a last axis, got shape \(\)"),
    ([IDS, node("dense", "h", 0, units=3)],
     "h: expected numbers as input, got ids"),
    ([X, node("embedding", "e", 0, **TABLE)], "e: expected ids as input, got numbers"),
    ([IDS, node("embedding", "e", 0, input_dim=999, output_dim=4)],
     "e: expected input_dim of at least the vocabulary 1000, got 999"),
    ([IDS, X, node("embedding_bag", "b", 0, 1, **TABLE)],
     r"b: expected .* shape.*, got .*\(3,\)"),
    ([IDS, node("embedding_bag", "b", 0, padding_idx=1000, **TABLE)],
     "b: expected padding_idx in .*, got 1000"),
    ([IDS, node("input", "w", shape=(2,)), node("embedding_bag", "b", 0, 1, mode="max", **TABLE)],
     "b: expected no weights in mode max, got weights"),
    ([X, node("dropout", "d", 0, rate=1.5)], r"d: expected rate in \[0, 1\], got 1.5"),
    ([X, node("conv", "c", 0)], "c: expected a layer of kind .*dense, .*, got conv"),
    ([X, node("dense", "x", 0, units=3)], "x: expected a name of its own, got a name in use"),
    ([X, node("flatten", "f", 1)], "f: expected inputs among earlier nodes, got position 1"),
    ([X, node("add", "a", 0)], "a: expected .*2 inputs, got 1"),
    ([node("input", "x", shape=(0,))], r"x: expected axes of at least 1, got shape \(0,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "message"), BAD_GRAPHS)
def test_a_bad_graph_is_refused(made, nodes, message):
    with pytest.raises(ValueError, match=message):
        made(nodes, [len(nodes) - 1], "float64")


@pytest.mark.parametrize(("kind", "shape", "config", "message"), BAD_IMAGE_NODES)
def test_a_bad_node_over_images_is_refused(made, kind, shape, config, message):
    nodes = [node("input", "x", shape=shape), node(kind, "name of it", 0, **config)]
    with pytest.raises(ValueError, match=f"^{re.escape(f'name of it: {message}')}$"):
        made(nodes, [1], "float64")


def test_ids_cannot_be_an_output(made):
    with pytest.raises(ValueError, match="ids: expected numbers as an output, got ids"):
        made([IDS], [0], "float64")


def test_an_unknown_dtype_says_which(made):
    with pytest.raises(ValueError, match="dtype: expected float32 or float64, got float16"):
        made([X], [0], "float16")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"losses": ["mse"]}, "loss: expected one of .*huber, .*, got mse"),
        ({"losses": []}, r"loss: expected one per output \(1\), got 0"),
        ({"metrics": [["auc"]]}, "metrics: expected one of accuracy, .*, got auc"),
        ({"optimizer": Spec("adan")}, "optimizer: expected one of .*adam, .*, got adan"),
        (
            {"optimizer": Spec("sgd", {"clipnorm": 1.0, "clipvalue": 1.0})},
            "optimizer: expected at most one of clipvalue, clipnorm.*, got",
        ),
        (
            {"losses": ["binary_crossentropy"]},
            "loss: expected output y to end in sigmoid for binary_crossentropy, .*, got",
        ),
    ],
)
def test_bad_settings_are_refused(linear, settings, message):
    given = {
        "losses": ["mean_squared_error"],
        "optimizer": Spec("sgd"),
        "metrics": [[]],
        **settings,
    }
    losses = [Spec(loss) for loss in given["losses"]]
    with pytest.raises(ValueError, match=message):
        linear().compile(losses, [1.0], given["optimizer"], given["metrics"])


def embedded(made):
    engine = made([IDS, node("embedding_bag", "b", 0, **TABLE)], [1], "float64")
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    return engine


@pytest.mark.parametrize("wrong", [1000, -1])
def test_ids_out_of_range_say_where(made, wrong):
    ids = np.zeros((9, 2), np.int32)
    ids[7, 1] = wrong
    with pytest.raises(
        ValueError, match=rf"ids: expected values in \[0, 1000\), got {wrong} at row 7"
    ):
        embedded(made).predict([ids], 4, 1)


def test_labels_out_of_range_say_where(made):
    engine = made([X], [0], "float64")
    loss = Spec("categorical_crossentropy", {"from_logits": 1})
    engine.compile([loss], [1.0], Spec("sgd"), [[]])
    x, labels = np.zeros((2, 3)), np.array([0, 3], np.int32)
    with pytest.raises(ValueError, match=r"y: expected values in \[0, 3\), got 3 at row 1"):
        engine.evaluate([x], [labels], None, 8)


@pytest.mark.parametrize(
    ("x", "y", "weights", "message"),
    [
        (np.zeros((4, 2)), np.zeros((4, 1)), None,
         r"x: expected shape \(any, 1\), got \(4, 2\)"),
        (np.zeros((4, 1)), np.zeros((3, 1)), None,
         r"y: expected shape \(4, 1\), got \(3, 1\)"),
        (np.zeros((4, 1)), np.zeros((4, 1)), np.ones(3),
         r"sample_weight: expected shape \(4,\), got \(3,\)"),
        (np.zeros((0, 1)), np.zeros((0, 1)), None, "x: expected at least one row, got none"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(linear, x, y, weights, message):
    with pytest.raises(ValueError, match=message):
        linear().evaluate([x], [y], weights, 8)


def test_training_wants_losses_first(made):
    engine = made([X, node("dense", "y", 0, units=1)], [1], "float64")
    with pytest.raises(ValueError, match=r"model: expected compile\(\) before this call"):
        engine.evaluate([np.zeros((1, 3))], [np.zeros((1, 1))], None, 8)


def test_more_rates_than_steps_are_refused(linear):
    with pytest.raises(
        ValueError, match="rates: expected steps within the 2 of an epoch, got 2 from step 1"
    ):
        step(linear(), np.ones(4), np.ones(4), [0.1, 0.1], first=1, size=2)


def test_unknown_parameter_says_which(linear):
    with pytest.raises(
        ValueError, match="name: expected a parameter among y/kernel, y/bias, got kernel"
    ):
        linear().get("kernel")


def test_parameter_of_another_shape_is_refused(linear):
    with pytest.raises(ValueError, match=r"y/kernel: expected shape \(1, 1\), got \(2, 1\)"):
        linear().set("y/kernel", np.zeros((2, 1)))


def test_foreign_state_is_refused(linear):
    engine = linear("sgd", momentum=0.5)
    state = engine.state()
    for foreign in ({}, {"step": 1}, {**state, "more": np.zeros(1)}):
        with pytest.raises(ValueError, match=r"state: expected .*, got"):
            engine.set_state(foreign)
    with pytest.raises(ValueError, match=r"y/kernel:momentum: expected shape \(1, 1\), got \(2,\)"):
        engine.set_state({**state, "y/kernel:momentum": np.zeros(2)})
