"""A model goes on from where another one stands, and gradients are those of the loss."""

import numpy as np
import pytest
from fastnn import Sequential, layers, optimizers, regularizers

from .conftest import same

OPTIMIZERS = {
    "sgd": optimizers.SGD(0.05, momentum=0.9),
    "adagrad": optimizers.Adagrad(0.05),
    "rmsprop": optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adam": optimizers.Adam(0.01),
    "ftrl": optimizers.FTRL(0.05),
}


def net(backend, optimizer, rate=0.2, l2=0.0, name=None, units=6):
    hidden = layers.Dense(
        units, "relu", kernel_regularizer=regularizers.L2(l2) if l2 else None, name=name
    )
    stack = [hidden, layers.Dropout(rate), layers.Dense(1)]
    model = Sequential(stack, input_shape=4, backend=backend, seed=4)
    return model.compile(optimizer, "mse")


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_bits_are_those_of_one_model_that_never_stopped(backend, kind, table):
    x, y = table
    whole, first = net(backend, OPTIMIZERS[kind]), net(backend, OPTIMIZERS[kind])
    whole.train_steps(50, x, y, batch_size=7)
    first.train_steps(23, x, y, batch_size=7)
    second = net(backend, OPTIMIZERS[kind], name="other")
    second.take_over(first)
    second.train_steps(27, x, y, batch_size=7)
    assert same(second, whole)
    assert second.progress == whole.progress


def test_other_settings_go_on_from_the_same_place(backend, table):
    x, y = table
    before, after = net(backend, "adam"), net(backend, "adamw", rate=0.0, l2=0.1)
    before.train_steps(40, x, y)
    after.take_over(before)
    assert after.progress == before.progress
    np.testing.assert_array_equal(after.predict(x), before.predict(x))
    after.train_steps(200, x, y)
    assert np.abs(after.get_weights()[0]).sum() < np.abs(before.get_weights()[0]).sum()


def test_another_kind_of_optimizer_starts_afresh_in_the_same_epoch(backend, table):
    x, y = table
    before, after = net(backend, optimizers.RMSprop(momentum=0.9)), net(backend, "adam")
    before.train_steps(41, x, y)
    after.take_over(before)
    assert after.progress.step == 0
    assert after.progress.epoch == before.progress.epoch
    after.train_steps(3, x, y)
    assert after.progress.step == 3


def test_other_shapes_are_refused_and_change_nothing(backend):
    model, other = net(backend, "adam"), net(backend, "adam", units=7)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"other: expected a model with parameters of the shapes"):
        model.take_over(other)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_gradients_are_those_of_the_loss_with_penalties(backend, random):
    x, y = random.normal(size=(20, 3)), random.normal(size=(20, 1))
    l2 = regularizers.L2(0.1)
    stack = [layers.Dense(4, "tanh", kernel_regularizer=l2), layers.Dense(1)]
    model = Sequential(stack, input_shape=3, backend=backend, dtype="float64", seed=1)
    model.compile(loss="mse")
    weights = random.uniform(0.5, 2, 20)
    loss, gradients = model.gradients(x, y, sample_weight=weights)
    penalty = 0.1 * (model.get_weights()[0] ** 2).sum()
    assert loss == pytest.approx(model.evaluate(x, y, sample_weight=weights)["loss"] + penalty)
    assert list(gradients) == [name for name, _ in model.parameters()]
    for name, found in gradients.items():
        values = model.get_weights([name])[0]
        for place in np.ndindex(values.shape):
            around = []
            for step in (1e-5, -1e-5):
                moved = values.copy()
                moved[place] += step
                model.set_weights({name: moved})
                around.append(model.gradients(x, y, sample_weight=weights)[0])
            model.set_weights({name: values})
            assert found[place] == pytest.approx((around[0] - around[1]) / 2e-5, abs=1e-8)


def test_gradients_need_a_loss_and_rows_that_match():
    model = Sequential([layers.Dense(1)], input_shape=3)
    with pytest.raises(ValueError, match="compile"):
        model.gradients(np.ones((2, 3)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="y: expected"):
        model.compile(loss="mse").gradients(np.ones((2, 3)), np.ones((3, 1)))
