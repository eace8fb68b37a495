"""Training: it learns, counts, records, stops and repeats itself, on either engine."""

import math

import numpy as np
import pytest
from fastnn import Input, Model, Sequential, callbacks, layers, losses, optimizers, schedules

from .conftest import same


def test_it_learns_a_plane(backend, table):
    x, y = table
    model = Sequential([layers.Dense(1)], backend=backend, seed=0)
    history = model.compile(optimizers.SGD(0.1), "mse").fit(x, y, epochs=60).history
    assert history["loss"][-1] < 1e-3 < history["loss"][0]
    np.testing.assert_allclose(model.predict(x), y, atol=0.05)


def test_it_learns_labels(backend, random):
    x = random.normal(size=(200, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    net = [layers.Dense(16, "relu"), layers.Dense(2, "softmax")]
    model = Sequential(net, backend=backend, seed=0)
    model.compile(optimizers.Adam(0.02), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=40)
    assert model.evaluate(x, y)["accuracy"] > 0.95


def test_logits_and_chances_train_alike(backend, random):
    x, y = random.normal(size=(40, 3)), random.integers(0, 2, 40)

    def train(last, loss):
        model = Sequential([layers.Dense(1, last)], backend=backend, seed=2, dtype="float64")
        model.compile(optimizers.SGD(0.1), loss).fit(x, y, epochs=3)
        return model.get_weights()

    plain = train("sigmoid", "binary_crossentropy")
    logits = train(None, losses.BinaryCrossentropy(from_logits=True))
    np.testing.assert_allclose(plain[0], logits[0], rtol=1e-12)


def test_the_record_has_everything(chain, table):
    x, y = table
    model = chain().compile("adam", "mse", metrics=["mae"])
    history = model.fit(x, y, epochs=3, validation_split=0.2)
    expected = ["loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error"]
    assert list(history.history) == [*expected, "penalty", "seconds"]
    assert all(len(values) == 3 for values in history.history.values())
    assert history.epoch == [0, 1, 2]
    assert model.history is history
    assert repr(history).startswith("<history of 3 epochs: loss")


def test_validation_takes_the_last_rows_or_its_own(chain, table):
    x, y = table
    split, given = chain(), chain()
    split.fit(x, y, validation_split=0.2)
    given.fit(x[:72], y[:72], validation_data=(x[72:], y[72:]))
    assert split.history.history["val_loss"] == given.history.history["val_loss"]
    assert given.evaluate(x[72:], y[72:])["loss"] == given.history.history["val_loss"][0]


def test_the_penalty_is_that_of_the_weights(backend, table):
    net = [layers.Dense(1, kernel_regularizer="l2", bias_regularizer="l1")]
    model = Sequential(net, backend=backend).compile("sgd", "mse")
    found = model.fit(*table).history["penalty"][0]
    kernel, bias = model.get_weights()
    expected = 0.01 * np.square(kernel).sum() + 0.01 * np.abs(bias).sum()
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_a_seed_fixes_everything(chain, table):
    one, two, other = chain(seed=7), chain(seed=7), chain(seed=8)
    for model in (one, two, other):
        model.fit(*table, epochs=2)
    assert same(one, two)
    assert not same(one, other)


def test_threads_do_not_change_a_bit(chain, table):
    models = [chain() for _ in range(3)]
    for model, n_jobs in zip(models, (1, 2, 7), strict=True):
        model.fit(*table, epochs=2, n_jobs=n_jobs)
    assert same(models[0], models[1])
    assert same(models[0], models[2])


def test_both_engines_start_and_train_alike(table):
    pytest.importorskip("fastnn._core")
    net = [layers.Dense(5, "tanh"), layers.Dropout(0.3), layers.Dense(1)]
    numpy, core = (
        Sequential(net, backend=name, dtype="float64", seed=3).compile("adam", "mse")
        for name in ("numpy", "core")
    )
    for model in (numpy, core):
        model.fit(*table, epochs=3)
    for a, b in zip(numpy.get_weights(), core.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_fits_follow_on_one_another(chain, table):
    whole, parts = chain(), chain()
    whole.fit(*table, epochs=4)
    for epochs in (1, 3):
        parts.fit(*table, epochs=epochs)
    assert same(whole, parts)
    assert parts.history.epoch == [1, 2, 3]


def test_steps_make_a_fit(chain, table):
    whole, steps = chain(), chain()
    whole.fit(*table, epochs=2)
    first = steps.train_steps(1, *table)
    steps.train_steps(3)
    last = steps.train_steps(2)
    assert same(whole, steps)
    assert (first["epoch"], first["step"]) == (0, 1)
    assert (last["epoch"], last["step"]) == (2, 6)


def test_steps_over_a_whole_epoch_report_its_loss(chain, table):
    whole, steps = chain(), chain()
    loss = whole.fit(*table).history["loss"][0]
    assert steps.train_steps(3, *table)["loss"] == pytest.approx(loss, rel=1e-6)


def test_steps_need_data_once(chain):
    with pytest.raises(TypeError, match="x: expected an array in the first call, got None"):
        chain().train_steps(1)


def test_steps_of_a_schedule_need_its_length(chain, table):
    model = chain(optimizers.SGD(schedules.OneCycle(0.1)))
    with pytest.raises(ValueError, match="total_steps: expected the number of steps that OneCycle"):
        model.train_steps(1, *table)
    model.train_steps(1, *table, total_steps=10)


def test_a_cycle_spans_each_fit(chain, table):
    seen = []

    class Spy(schedules.OneCycle):
        def rates(self, first_step, n_steps, total_steps):
            seen.append((first_step, n_steps, total_steps))
            return super().rates(first_step, n_steps, total_steps)

    model = chain(optimizers.SGD(Spy(0.1)))
    model.fit(*table, epochs=2)
    model.fit(*table, epochs=2)
    assert seen == [(0, 3, 6), (3, 3, 6)] * 2


def test_weights_count_as_copies_of_rows(backend, table):
    x, y = table

    def train(*data, **weights):
        model = Sequential([layers.Dense(1)], backend=backend, seed=1, dtype="float64")
        model.compile(optimizers.SGD(0.05), "mse")
        model.fit(*data, batch_size=1000, epochs=5, **weights)
        return model.get_weights()[0]

    counts = np.arange(len(x)) % 3
    copied = train(np.repeat(x, counts, 0), np.repeat(y, counts, 0))
    np.testing.assert_allclose(train(x, y, sample_weight=counts), copied, rtol=1e-12)


def test_weights_of_classes_multiply_those_of_rows(backend, random):
    x, y = random.normal(size=(30, 2)), random.integers(0, 3, 30)
    rows = random.random(30)

    def train(**weights):
        model = Sequential([layers.Dense(3, "softmax")], backend=backend, seed=1)
        model.compile("sgd", "categorical_crossentropy").fit(x, y, **weights)
        return model

    by_class = train(class_weight={0: 2.0, 2: 0.5}, sample_weight=rows)
    by_row = train(sample_weight=rows * np.array([2.0, 1.0, 0.5])[y])
    for a, b in zip(by_class.get_weights(), by_row.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_several_inputs_and_outputs(towers, visits):
    x, y = visits
    history = towers.fit(x, y, epochs=30, batch_size=10).history
    assert history["loss"][-1] < history["loss"][0]
    found = towers.evaluate(x, y)
    assert list(found) == [
        *("loss", "score_loss", "kind_loss"),
        *("score_mean_absolute_error", "kind_accuracy"),
    ]
    assert found["loss"] == pytest.approx(found["score_loss"] + found["kind_loss"], rel=1e-6)
    score, kind = towers.predict([x["user"], x["item"], x["age"]])
    assert score.shape == (50, 1)
    np.testing.assert_allclose(kind.sum(1), 1, rtol=1e-6)


def test_a_graph_and_a_chain_are_the_same_model(backend, table):
    x = Input(4)
    graph = Model(x, layers.Dense(1)(layers.Dense(3, "elu")(x)), backend=backend, seed=4)
    chain = Sequential([layers.Dense(3, "elu"), layers.Dense(1)], backend=backend, seed=4)
    for model in (graph, chain):
        model.compile("rmsprop", "mae").fit(*table)
    assert same(graph, chain)


def test_prediction_does_not_depend_on_its_batches(backend, chain, table):
    model = chain(input_shape=4)
    whole, parts = model.predict(table[0]), model.predict(table[0], batch_size=7, n_jobs=2)
    # To the last bit on the core; the reference leaves the order of sums to NumPy's BLAS.
    tolerance = 0.0 if backend == "core" else 1e-6
    np.testing.assert_allclose(whole, parts, rtol=0, atol=tolerance)


def test_frozen_weights_stay(backend, table):
    net = [layers.Dense(3, trainable=False), layers.Dense(1)]
    model = Sequential(net, input_shape=4, backend=backend).compile("adam", "mse")
    before = model.get_weights()
    model.fit(*table)
    after = model.get_weights()
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])


def test_a_loss_that_explodes_is_told_and_weights_are_kept(backend, table):
    x, y = table
    model = Sequential([layers.Dense(1)], backend=backend).compile(optimizers.SGD(1e30), "mse")
    message = (
        r"loss: became nan at epoch \d+, step \d+; try a smaller learning_rate or scaled inputs"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, epochs=20)
    model.compile("sgd", "mse")
    model.set_weights([np.zeros((4, 1)), [0.0]])
    model.fit(x, y)


def test_a_chain_learns_its_shape_from_data(chain, table):
    model = chain()
    assert not model.built
    with pytest.raises(ValueError, match="input_shape: expected a known shape of a row, got None"):
        model.get_weights()
    with pytest.raises(ValueError, match="got nan at row 0"):
        model.fit(np.full((3, 9), np.nan), table[1][:3])
    assert not model.built
    model.fit(*table)
    assert model.count_params() == 37
    with pytest.raises(ValueError, match=r"x: expected shape \(n, 4\), got \(90, 3\)"):
        model.predict(table[0][:, :3])


def test_a_chain_may_start_with_a_table(backend, random):
    net = [layers.Embedding(10, 3), layers.Flatten(), layers.Dense(1)]
    model = Sequential(net, backend=backend).compile("adam", "mse")
    model.fit(random.integers(0, 10, (20, 2)), random.normal(size=20))
    with pytest.raises(ValueError, match=r"x: expected values in \[0, 10\), got 10 at row 0"):
        model.predict([[10, 1]])


def test_rows_of_a_weight_are_replaced_where_they_lie(backend):
    ids = Input((), dtype="int32")
    model = Model(ids, layers.Embedding(5, 2, name="table")(ids), backend=backend, seed=0)
    (before,) = model.get_weights()
    model.set_rows("table/embeddings", 3, [[1, 2], [3, 4]])
    (after,) = model.get_weights()
    assert after.tolist() == [*before[:3].tolist(), [1, 2], [3, 4]]
    for given, message in (
        (("odd", 0, [[1, 2]]), r"name: expected .*table/embeddings, got 'odd'"),
        (("table/embeddings", 4, [[1, 2], [3, 4]]), r"first: expected .*3.*, got 4"),
        (("table/embeddings", 0, np.zeros((6, 2))), "rows: expected at most 5, got 6"),
        (("table/embeddings", 0, [[1, 2, 3]]), "rows: expected shape"),
    ):
        with pytest.raises(ValueError, match=message):
            model.set_rows(*given)
    assert np.array_equal(model.get_weights()[0], after)


def test_weights_go_in_by_order_or_by_name(chain):
    model = chain(input_shape=4)
    model.set_weights([weights + 1 for weights in model.get_weights()])
    model.set_weights({"dense_1/bias": [0.25]})
    assert model.get_weights(["dense_1/bias"])[0].tolist() == [0.25]
    with pytest.raises(ValueError, match=r"names: expected one of dense/kernel, .* got 'dense_9'"):
        model.get_weights(["dense_9"])
    assert [name for name, _ in model.parameters()][3] == "dense_1/bias"
    assert model.get_weights()[3].tolist() == [0.25]
    assert model.get_weights()[1].tolist() == [1.0] * 6
    before = model.get_weights()
    for bad, message in [
        ([np.ones(2)], "weights: expected 4 arrays, got 1"),
        ({"dense/bias": np.ones(5)}, r"weights\['dense/bias'\]: expected shape \(6,\), got \(5,\)"),
        ({"bias": np.ones(6)}, "weights: expected one of dense/kernel, dense/bias"),
        ({"dense_1/bias": [9.0], "dense/bias": [np.nan] * 6}, "expected finite numbers, got nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.set_weights(bad)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_summary_counts(towers):
    text = towers.summary()
    assert "kind (Dense)" in text
    assert "(3,)" in text
    assert text.splitlines()[-1].split() == ["total", "80", "320"]
    assert towers.count_params() == 80


def test_callbacks_hear_of_everything(chain, table):
    heard: list[object] = []

    class Ear(callbacks.Callback):
        def on_train_begin(self, model, epochs):
            heard.append(("begin", epochs))

        def on_epoch_begin(self, model, epoch):
            heard.append(("epoch", epoch))

        def on_train_end(self, model):
            heard.append("end")

    stop = callbacks.LambdaCallback(
        on_epoch_end=lambda model, epoch, logs: setattr(model, "stop_training", epoch == 1)
    )
    chain().fit(*table, epochs=5, callbacks=[Ear(), stop])
    assert heard == [("begin", 5), ("epoch", 0), ("epoch", 1), "end"]


def test_early_stopping_waits_and_restores(chain, table):
    weights = []
    watch = callbacks.LambdaCallback(
        on_epoch_end=lambda model, epoch, logs: weights.append(model.get_weights())
    )
    stop = callbacks.EarlyStopping("loss", patience=2, min_delta=100, restore_best_weights=True)
    model = chain()
    history = model.fit(*table, epochs=9, callbacks=[watch, stop])
    assert history.epoch == [0, 1, 2]
    assert (stop.best_epoch, stop.stopped_epoch) == (0, 2)
    assert stop.best == history.history["loss"][0]
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], model.get_weights(), strict=True))


def test_early_stopping_wants_accuracy_to_rise(chain):
    stop = callbacks.EarlyStopping("val_accuracy", patience=1)
    model = chain()
    stop.on_train_begin(model, 9)
    for epoch, value in enumerate([0.5, 0.7, 0.9]):
        stop.on_epoch_end(model, epoch, {"val_accuracy": value})
    assert stop.best_epoch == 2
    assert math.isclose(stop.best, 0.9)


def test_a_progress_bar_shows_the_loss(chain, table, capsys):
    chain().fit(*table, epochs=2, verbose=1)
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "loss=" in shown


MISUSES = [
    ({"epochs": 0}, ValueError, "epochs: expected an integer >= 1, got 0"),
    ({"batch_size": 0}, ValueError, "batch_size: expected an integer >= 1, got 0"),
    ({"batch_size": 1.5}, TypeError, "batch_size: expected an integer >= 1, got float"),
    (
        {"validation_split": 1},
        ValueError,
        r"validation_split: expected a number in \[0, 1\), got 1",
    ),
    (
        {"validation_split": 0.999},
        ValueError,
        "validation_split: expected a share that leaves rows",
    ),
    ({"validation_data": 3}, TypeError, r"validation_data: expected \(x, y\) or \(x, y, sample_w"),
    (
        {"validation_data": ([[1.0]], [1.0])},
        ValueError,
        r"validation_data x: expected shape \(n, 4\), got \(1, 1\)",
    ),
    ({"shuffle": "yes"}, TypeError, "shuffle: expected True or False, got str"),
    (
        {"callbacks": [print]},
        TypeError,
        "callbacks: expected objects of class Callback, got builtin",
    ),
    (
        {"callbacks": callbacks.EarlyStopping()},
        ValueError,
        "monitor: expected one of loss, penalty, seconds, got 'val_loss'",
    ),
    ({"verbose": 2}, ValueError, r"verbose: expected an integer in \[0, 1\], got 2"),
    ({"n_jobs": 0}, ValueError, "n_jobs: expected None or an integer other than 0, got 0"),
    (
        {"class_weight": 2.0},
        TypeError,
        "class_weight: expected a dict of label to weight, got float",
    ),
    ({"class_weight": {0: -1}}, ValueError, r"class_weight\[0\]: expected a finite number >= 0"),
    (
        {"sample_weight": [1.0]},
        ValueError,
        "sample_weight: expected 90 weights, one per row, got 1",
    ),
]


@pytest.mark.parametrize(("settings", "kind", "message"), MISUSES)
def test_a_bad_argument_of_fit_is_named(chain, table, settings, kind, message):
    with pytest.raises(kind, match=message):
        chain().fit(*table, **settings)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("adam",), TypeError, "loss: expected a Loss or one of"),
        (("adam", ["mse", "mse"]), ValueError, "loss: expected one for each of 1 outputs, got 2"),
        (
            ("adam", {"b": "mse"}),
            ValueError,
            "loss: expected the names of the outputs, output, got b",
        ),
        ((3, "mse"), TypeError, "optimizer: expected an Optimizer or one of sgd"),
    ],
)
def test_a_bad_goal_is_refused(chain, arguments, kind, message):
    with pytest.raises(kind, match=message):
        chain().compile(*arguments)


def test_an_unknown_metric_says_which_there_are(chain):
    with pytest.raises(ValueError, match="metrics: expected one of accuracy, acc"):
        chain().compile("adam", "mse", metrics=["auc"])


def test_a_loss_that_does_not_fit_the_output_is_refused(chain, backend):
    model = chain(input_shape=4)
    with pytest.raises(ValueError, match="sigmoid"):
        model.compile("adam", "binary_crossentropy")
    model.fit(np.ones((3, 4)), np.ones(3))


def test_training_needs_a_goal(backend, table):
    model = Sequential([layers.Dense(1)], backend=backend)
    with pytest.raises(ValueError, match="model: expected a call of compile with a loss first"):
        model.fit(*table)


def test_a_chain_takes_layers_only():
    with pytest.raises(TypeError, match="layers: expected layers, or an Input and layers, got int"):
        Sequential([3])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="layers: expected at least one layer, got none"):
        Sequential(backend="numpy").predict([[1.0]])
    model = Sequential([Input(2), layers.Dense(1)], backend="numpy")
    with pytest.raises(ValueError, match="layer: expected no more layers after the model is built"):
        model.add(layers.Dense(1))
