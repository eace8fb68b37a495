"""Every ailment is found where it is, measured right, and a healthy network has none."""

import numpy as np
import pytest
from fastnn import Input, Model, Sequential, diagnose, initializers, layers, optimizers
from fastnn.datasets import make_points
from sklearn import datasets

X, Y = make_points("circles", 200, noise=0.2, seed=3)
X = X / X.std(axis=0)
TRAIN, HELD = (X[:100], Y[:100]), (X[100:], Y[100:])


def net(depth=2, activation="relu", kernel="he_normal", units=8, optimizer="adam", scale=1.0):
    hidden = [layers.Dense(units, activation, kernel_initializer=kernel) for _ in range(depth)]
    model = Sequential([*hidden, layers.Dense(1, "sigmoid")], input_shape=2, seed=1)
    model.compile(optimizer, "binary_crossentropy")
    if scale != 1:
        model.set_weights([scale * weight for weight in model.get_weights()])
    return model


def trained(model, steps, data=TRAIN):
    model.train_steps(steps, *data, batch_size=10)
    return model


def kinds(diagnosis):
    return [finding.kind for finding in diagnosis.findings]


@pytest.mark.parametrize("steps", [0, 200])
def test_a_healthy_network_has_no_findings(steps):
    model = net(optimizer=optimizers.Adam(0.01))
    if steps:
        trained(model, steps)
    assert kinds(diagnose(model, *TRAIN, validation_data=HELD)) == []


AILING = {
    "symmetric_units": (net(kernel="zeros"), X),
    "unscaled_inputs": (net(), X * [1e-3, 1]),
    "exploding_gradients": (net(10, "leaky_relu", scale=3.0), X),
    "vanishing_gradients": (net(10, "sigmoid", "glorot_uniform"), X),
    "dead_units": (trained(net(optimizer=optimizers.SGD(100.0)), 20), X),
    "saturated_units": (net(2, "tanh", "glorot_uniform", scale=100.0), X),
}


@pytest.mark.parametrize("kind", AILING)
def test_it_is_found(kind):
    model, x = AILING[kind]
    found = diagnose(model, x[:100], Y[:100])
    assert kinds(found)[0] == kind
    assert found.findings[0].text
    assert found.findings[0].remedy
    assert found.findings[0].kind in str(found) or found.findings[0].text in str(found)


def test_overfitting_is_a_gap_between_losses(random):
    labels = random.integers(0, 2, 100)
    model = net(activation="gelu", units=64, optimizer=optimizers.Adam(0.01))
    trained(model, 4000, (X[:100], labels))
    found = diagnose(model, X[:100], labels, validation_data=HELD)
    assert kinds(found) == ["overfitting"]
    assert found.validation_loss == model.evaluate(*HELD)["loss"]


def test_large_updates_are_measured_from_one_step():
    model = net(optimizer=optimizers.SGD(30.0))
    before = model.get_weights()
    trained(model, 1)
    found = diagnose(model, *TRAIN, previous=before)
    assert "large_updates" in kinds(found)
    first = found.layers[0]
    change = [now - then for now, then in zip(model.get_weights()[:2], before, strict=False)]
    norms = [
        np.sqrt(sum((a**2).sum() for a in arrays)) for arrays in (change, model.get_weights()[:2])
    ]
    assert first.update_ratio == pytest.approx(norms[0] / norms[1], rel=1e-6)


def test_a_loss_that_is_no_number_comes_first():
    model = net()
    model.set_weights([np.full_like(weight, 1e30) for weight in model.get_weights()])
    with np.errstate(all="ignore"):
        assert kinds(diagnose(model, *TRAIN))[0] == "diverged"


@pytest.mark.parametrize("seed", range(6))
def test_training_that_overflowed_is_diagnosed(seed):
    x, labels = datasets.load_digits(return_X_y=True)
    hidden = [layers.Dense(64, "relu") for _ in range(3)]
    model = Sequential([*hidden, layers.Dense(10, "softmax")], input_shape=64, seed=seed)
    model.compile(optimizers.SGD(100.0), "categorical_crossentropy")
    with pytest.raises(ValueError, match="loss: became nan"):
        model.train_steps(200, x / 16, labels)
    found = diagnose(model, x / 16, labels)  # some of these weights are infinite
    finite = all(np.isfinite(weight).all() for weight in model.get_weights())
    assert finite or kinds(found)[0] == "diverged"


def test_constant_inputs_have_no_scale():
    x = np.column_stack([X, np.full(len(X), 0.1)])
    x[:, 2] += np.random.default_rng(0).normal(size=len(X)) * 1e-17  # rounding, no spread
    model = Sequential([layers.Dense(8, "relu"), layers.Dense(1)], input_shape=3, seed=0)
    assert "unscaled_inputs" not in kinds(diagnose(model.compile(loss="mse"), x, Y))


def test_measures_are_what_they_say():
    model = net(3)
    weights = model.get_weights()
    weights[0][:, :2], weights[1][:2] = 0, -1.0  # two units of the first layer never fire
    model.set_weights(weights)
    found = diagnose(model, *TRAIN)
    loss, gradients = model.gradients(*TRAIN)
    assert found.loss == loss
    for report, name in zip(found.layers, ["dense", "dense_1", "dense_2", "dense_3"], strict=True):
        kernel, bias = gradients[f"{name}/kernel"], gradients[f"{name}/bias"]
        norm = np.sqrt((kernel.astype(float) ** 2).sum() + (bias.astype(float) ** 2).sum())
        assert report.name == name
        assert report.gradient_norm == pytest.approx(norm)
        assert report.gradient_rms == pytest.approx(norm / np.sqrt(kernel.size + bias.size))
    assert (found.layers[0].dead or 0) >= 2 / 8
    assert found.layers[-1].dead is None


def test_it_looks_into_convolutions_and_several_inputs(random):
    image, side = Input((6, 6, 1)), Input((2,))
    maps = layers.Conv2D(4, 3, activation="relu", bias_initializer=initializers.Constant(-1e3))(
        image
    )
    joined = layers.Concatenate()([layers.Flatten()(maps), side])
    model = Model([image, side], layers.Dense(1)(joined), seed=0).compile("adam", "mse")
    x = [random.normal(size=(20, 6, 6, 1)), random.normal(size=(20, 2))]
    found = diagnose(model, x, random.normal(size=(20, 1)))
    assert kinds(found) == ["dead_units"]
    assert found.findings[0].severity == "broken"
    assert [report.units for report in found.layers] == [4, 1]


def test_a_model_without_a_loss_is_refused():
    model = Sequential([layers.Dense(1)], input_shape=2)
    with pytest.raises(ValueError, match="compile"):
        diagnose(model, *TRAIN)
