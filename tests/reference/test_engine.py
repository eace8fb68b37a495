import numpy as np
import pytest
from fastnn.graph import Node, Spec
from fastnn.reference import Engine
from fastnn.reference.rng import epoch_order

from tests import cases, tolerance
from tests.reference.differences import numeric_gradient

CASES = {case.name: case for case in cases.CASES}


def node(kind, name, *inputs, **config):
    return Node(kind, name, inputs, config)


@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_gradients_equal_central_differences(case):
    engine = cases.compiled(Engine, case)
    inputs, targets, weights = cases.data(case, n_rows=4)
    loss, found = engine.gradients(inputs, targets, weights)
    assert np.isfinite(loss)
    for name, g in found.items():
        w = engine.get(name)
        places = [np.unravel_index(i, w.shape) for i in range(0, w.size, 1 + w.size // 40)]

        expected = [slope(engine, name, w, place, (inputs, targets, weights)) for place in places]
        got = [g[place] for place in places]
        scale = max(np.abs(g).max(), 1e-2 * loss)
        assert np.abs(np.subtract(got, expected)).max() <= tolerance.DIFFERENCES * scale, name


def slope(engine, name, w, place, rows):
    """Central difference of the loss along one element of a parameter, which is put back."""

    def value():
        engine.set(name, w)
        return engine.gradients(*rows)[0]

    found = numeric_gradient(value, w[tuple(slice(i, i + 1) for i in place)]).item()
    engine.set(name, w)
    return found


def test_float32_follows_float64():
    case = CASES["several inputs and outputs"]
    engines = {dtype: cases.compiled(Engine, case, dtype) for dtype in ("float32", "float64")}
    for dtype, engine in engines.items():
        cases.train(engine, case, 20, dtype=dtype)
    for name, _ in engines["float64"].parameters():
        w = engines["float32"].get(name)
        assert w.dtype == np.float32
        assert tolerance.close(w, engines["float64"].get(name), tolerance.steps("float32", 20))


# --- training ---------------------------------------------------------------------------------


def test_one_step_of_sgd_goes_down_the_gradient():
    case = CASES["optimizer sgd"]
    engine = cases.compiled(Engine, case)
    inputs, targets, weights = cases.data(case)
    before = {name: engine.get(name) for name, _ in engine.parameters()}
    _, gradients = engine.gradients(inputs, targets, weights)
    engine.train(inputs, targets, weights, 100, False, 0, 0, 0, [0.1], 1, None)
    for name, w in before.items():
        expected = w - 0.1 * gradients[name]
        assert tolerance.close(engine.get(name), expected, tolerance.SAME_FORMULA)


def linear(n_inputs=1, optimizer="sgd", metrics=()):
    nodes = [node("input", "x", shape=(n_inputs,)), node("dense", "y", 0, units=1)]
    engine = Engine(nodes, [1])
    loss = [Spec("mean_squared_error")]
    engine.compile(loss, [1.0], Spec(optimizer), [list(metrics)])
    return engine


def step(engine, x, y, rates=(0.1,), weights=None, first=0, size=100, shuffle=False, poll=None):
    x, y = np.array(x, float).reshape(-1, 1), np.array(y, float).reshape(-1, 1)
    return engine.train([x], [y], weights, size, shuffle, 3, 0, first, rates, 1, poll)


def test_weights_divide_by_their_sum():
    """Loss sum(w l) / sum(w) = (3 * 1 + 1 * 9) / 4 for predictions of 0."""
    result = step(linear(), [0, 0], [1, 3], weights=np.array([3.0, 1.0]))
    assert (result["loss"], result["weight"], result["n_examples"]) == (3.0, 4.0, 2)


def test_a_weight_counts_like_copies_of_the_row():
    weighted, copied = linear(), linear()
    step(weighted, [1, 2], [1, 3], weights=np.array([3.0, 1.0]))
    step(copied, [1, 1, 1, 2], [1, 1, 1, 3])
    assert weighted.get("y/kernel") == pytest.approx(copied.get("y/kernel"), rel=1e-14)


def test_a_batch_without_weight_changes_nothing():
    engine = linear(optimizer="adamw")
    engine.set("y/kernel", np.ones((1, 1)))
    result = step(engine, [1, 2], [5, 5], weights=np.zeros(2))
    assert (result["loss"], result["steps"], engine.get("y/kernel")) == (0, 1, 1)


def test_metrics_are_means_over_the_rows_seen():
    engine = linear(metrics=["mean_squared_error", "mean_absolute_error"])
    result = step(engine, [0, 0, 0], [1, 3, 5], rates=[0.0, 0.0], size=2)
    assert result["metrics"] == [[pytest.approx(35 / 3), pytest.approx(3)]]
    assert (result["steps"], result["interrupted"], result["diverged"]) == (2, False, False)


def test_steps_continue_an_epoch_where_they_left_it():
    whole, parts = linear(optimizer="adam"), linear(optimizer="adam")
    x, y = np.arange(7), np.arange(7) * 2
    step(whole, x, y, [0.1] * 4, size=2, shuffle=True)
    for first in range(4):
        step(parts, x, y, [0.1], first=first, size=2, shuffle=True)
    assert np.array_equal(whole.get("y/kernel"), parts.get("y/kernel"))


def test_batches_follow_the_order_of_the_epoch():
    engine = linear()
    result = step(engine, np.zeros(5), np.arange(5), [0.0], first=1, size=2, shuffle=True)
    assert result["loss"] == (epoch_order(3, 0, 5)[2:4] ** 2).mean()


def test_poll_interrupts_between_steps():
    answers = iter([False, False, True])
    result = step(linear(), np.ones(5), np.ones(5), [0.1] * 5, size=1, poll=lambda: next(answers))
    assert (result["steps"], result["interrupted"], result["n_examples"]) == (2, True, 2)


def test_a_diverging_step_is_not_applied():
    engine = linear()
    result = step(engine, [1, 1, 1], [1, 1e200, 1], [0.1] * 3, size=1)
    assert (result["steps"], result["diverged"], result["n_examples"]) == (1, True, 1)
    assert engine.get("y/kernel") == pytest.approx(0.2)
    assert engine.state()["step"] == 1


def test_activity_penalty_is_shared_like_the_loss():
    nodes = [
        node("input", "x", shape=(2,)),
        node("activity_regularization", "r", 0, l1=1.0, l2=10.0),
        node("dense", "y", 1, units=1),
    ]
    engine = Engine(nodes, [2])
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    x, y, weights = np.array([[1.0, -2.0], [3.0, 0.0]]), np.zeros((2, 1)), np.array([3.0, 1.0])
    expected = (3 * (3 + 10 * 5) + 1 * (3 + 10 * 9)) / 4
    assert engine.evaluate([x], [y], weights, 1)["loss"] == expected
    assert engine.gradients([x], [y], weights)[0] == expected


def test_touched_rows_alone_change():
    case = CASES["optimizer adamw"]
    engine = cases.compiled(Engine, case)
    inputs, targets, weights = cases.data(case, n_rows=3)
    before = engine.get("embedding_3/embeddings")
    engine.train(inputs, targets, weights, 3, False, 0, 0, 0, [0.1], 1, None)
    changed = (engine.get("embedding_3/embeddings") != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == np.unique(inputs[0]).tolist()


def test_frozen_parameters_stay():
    case = CASES["wide, with a frozen layer"]
    engine = cases.compiled(Engine, case)
    before = engine.get("dense_2/kernel")
    cases.train(engine, case, 2)
    assert np.array_equal(engine.get("dense_2/kernel"), before)
    assert not any(name.startswith("dense_2/") for name in engine.state())


def test_l1_of_a_model_zeroes_what_does_not_matter(random):
    x = random.normal(size=(200, 8))
    nodes = [node("input", "x", shape=(8,)), node("dense", "y", 0, units=1, kernel_l1=0.3)]
    engine = Engine(nodes, [1])
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    for epoch in range(100):
        y = x[:, :3].sum(axis=1, keepdims=True)
        engine.train([x], [y], None, 200, False, 0, epoch, 0, [0.1], 1, None)
    assert (engine.get("y/kernel").ravel() != 0).tolist() == [True] * 3 + [False] * 5


# --- evaluating, predicting, state ------------------------------------------------------------


@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_size_of_the_batch_changes_no_prediction(case):
    engine = cases.compiled(Engine, case)
    inputs, targets, weights = cases.data(case)
    whole, pieces = engine.predict(inputs, 1000), engine.predict(inputs, 4)
    for y, z in zip(whole, pieces, strict=True):
        assert tolerance.close(z, y, tolerance.SAME_FORMULA)
    a, b = (engine.evaluate(inputs, targets, weights, size) for size in (1000, 5))
    assert a["loss"] == pytest.approx(b["loss"], rel=tolerance.SAME_FORMULA)
    for row, other in zip(a["metrics"], b["metrics"], strict=True):
        assert row == pytest.approx(other, rel=tolerance.SAME_FORMULA)


def test_loss_is_the_weighted_sum_of_the_outputs_losses():
    case = CASES["several inputs and outputs"]
    engine = cases.compiled(Engine, case)
    inputs, targets, weights = cases.data(case)
    result = engine.evaluate(inputs, targets, weights, 4)
    assert result["loss"] == pytest.approx(np.dot(case.loss_weights, result["losses"]), rel=1e-14)


def test_no_rows_give_no_predictions():
    assert linear().predict([np.empty((0, 1))], 8)[0].shape == (0, 1)


def test_state_and_parameters_carry_on_elsewhere():
    case = CASES["dropout and noise"]
    whole, copy = cases.compiled(Engine, case), cases.compiled(Engine, case)
    cases.train(whole, case, 4)
    for name, _ in whole.parameters():
        copy.set(name, whole.get(name))
    copy.set_state(whole.state())
    cases.train(whole, case, 4)
    cases.train(copy, case, 4)
    for name, _ in whole.parameters():
        assert np.array_equal(copy.get(name), whole.get(name))


def test_compiling_forgets_the_state():
    engine = linear(optimizer="adam")
    step(engine, [1], [1])
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    assert sorted(engine.state()) == ["step"]
    assert engine.state()["step"] == 0


def test_what_get_gives_is_a_copy():
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
     r"d: expected inputs of one shape, got \(3,\) and \(4,\)"),
    ([X, node("input", "z", shape=(2, 4)), node("concatenate", "c", 0, 1)],
     r"c: expected inputs that differ in the last axis alone, got \(3,\) and \(2, 4\)"),
    ([X, node("reshape", "r", 0, shape=(2, 2))],
     r"r: expected a shape of 3 elements for \(3,\), got \(2, 2\)"),
    ([X, node("dense", "h", 0, units=0)], "h: expected units >= 1, got 0"),
    ([X, node("dense", "h", 0)], "h: expected a value for 'units', got none"),
    ([X, node("dense", "h", 0, unit=3)], "h: expected one of .*'units'.*, got 'unit'"),
    ([X, node("dense", "h", 0, units=3, activation="rely")],
     "h: expected activation to be one of .*'relu'.*, got 'rely'"),
    ([X, node("dense", "h", 0, units=3, kernel_l1=-1.0)], "h: expected kernel_l1 >= 0, got -1"),
    ([node("input", "x", shape=()), node("dense", "h", 0, units=3)],
     r"h: expected an input of rank 1 or more, got shape \(\)"),
    ([IDS, node("dense", "h", 0, units=3)],
     "h: expected numbers as input 0, got ids from 'ids'"),
    ([X, node("embedding", "e", 0, **TABLE)], "e: expected ids as input 0, got numbers from 'x'"),
    ([IDS, node("embedding", "e", 0, input_dim=999, output_dim=4)],
     "e: expected input_dim of at least the vocabulary 1000, got 999"),
    ([IDS, X, node("embedding_bag", "b", 0, 1, **TABLE)],
     r"b: expected inputs of one shape, got \(2,\) and \(3,\)"),
    ([IDS, node("embedding_bag", "b", 0, padding_idx=1000, **TABLE)],
     r"b: expected padding_idx in \[-1, 999\], got 1000"),
    ([IDS, node("input", "w", shape=(2,)), node("embedding_bag", "b", 0, 1, mode="max", **TABLE)],
     "b: expected no weights for mode 'max', got weights"),
    ([X, node("dropout", "d", 0, rate=1.5)], r"d: expected rate in \[0, 1\], got 1.5"),
    ([X, node("conv", "c", 0)], "c: expected a kind in .*'dense'.*, got 'conv'"),
    ([X, node("dense", "x", 0, units=3)], "x: expected a name of its own, got a name in use"),
    ([X, node("flatten", "f", 1)], r"f: expected inputs in range\(0, 1\), got \(1,\)"),
    ([X, node("add", "a", 0)], "a: expected at least 2 inputs, got 1"),
    ([node("input", "x", shape=(0,))], r"x: expected a shape of positive sizes, got \(0,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "message"), BAD_GRAPHS)
def test_a_bad_graph_is_refused(nodes, message):
    with pytest.raises(ValueError, match=message):
        Engine(nodes, [len(nodes) - 1])


def test_ids_cannot_be_an_output():
    with pytest.raises(ValueError, match="ids: expected numbers as an output, got ids"):
        Engine([IDS], [0])


def test_an_unknown_dtype_says_which():
    with pytest.raises(ValueError, match=r"dtype: expected one of .*, got 'float16'"):
        Engine([X], [0], "float16")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"losses": ["mse"]}, "loss: expected one of .*'huber'.*, got 'mse'"),
        ({"losses": []}, r"losses: expected one per output \(1\), got 0"),
        ({"metrics": [["auc"]]}, r"metrics: expected names in .*'accuracy'.*, got 'auc'"),
        ({"optimizer": Spec("adan")}, "optimizer: expected one of .*'adam'.*, got 'adan'"),
        ({"optimizer": Spec("sgd", {"rho": 1})}, "optimizer sgd: expected one of .*, got 'rho'"),
        (
            {"optimizer": Spec("sgd", {"clipnorm": 1.0, "clipvalue": 1.0})},
            r"optimizer: expected at most one of .*, got \['clipvalue', 'clipnorm'\]",
        ),
        (
            {"losses": ["binary_crossentropy"]},
            "y: expected activation sigmoid for loss binary_crossentropy .*, got identity",
        ),
    ],
)
def test_bad_settings_are_refused(settings, message):
    given = {
        "losses": ["mean_squared_error"],
        "optimizer": Spec("sgd"),
        "metrics": [[]],
        **settings,
    }
    losses = [Spec(loss) for loss in given["losses"]]
    with pytest.raises(ValueError, match=message):
        linear().compile(losses, [1.0], given["optimizer"], given["metrics"])


def embedded():
    engine = Engine([IDS, node("embedding_bag", "b", 0, **TABLE)], [1])
    engine.compile([Spec("mean_squared_error")], [1.0], Spec("sgd"), [[]])
    return engine


@pytest.mark.parametrize("wrong", [1000, -1])
def test_ids_out_of_range_say_where(wrong):
    ids = np.zeros((9, 2), np.int32)
    ids[7, 1] = wrong
    with pytest.raises(
        ValueError, match=rf"ids: expected values in \[0, 1000\), got {wrong} at row 7"
    ):
        embedded().predict([ids], 4)


def test_labels_out_of_range_say_where():
    engine = Engine([X], [0])
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
def test_arrays_that_do_not_fit_are_refused(x, y, weights, message):
    with pytest.raises(ValueError, match=message):
        linear().evaluate([x], [y], weights, 8)


def test_training_wants_losses_first():
    engine = Engine([X, node("dense", "y", 0, units=1)], [1])
    with pytest.raises(ValueError, match=r"model: expected compile\(\) before this call"):
        engine.evaluate([np.zeros((1, 3))], [np.zeros((1, 1))], None, 8)


def test_more_rates_than_steps_are_refused():
    with pytest.raises(ValueError, match="rates: expected at most 1 from step 1 of 2, got 2"):
        step(linear(), np.ones(4), np.ones(4), [0.1, 0.1], first=1, size=2)


def test_unknown_parameter_says_which():
    with pytest.raises(ValueError, match=r"name: expected one of .*'y/kernel'.*, got 'kernel'"):
        linear().get("kernel")


def test_parameter_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"y/kernel: expected shape \(1, 1\), got \(2, 1\)"):
        linear().set("y/kernel", np.zeros((2, 1)))


def test_foreign_state_is_refused():
    with pytest.raises(ValueError, match=r"state: expected the names \['step'\], got \[\]"):
        linear().set_state({})
