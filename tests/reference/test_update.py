import math

import numpy as np
import pytest
from fastnn.reference.layer import RowGradient
from fastnn.reference.update import (
    COMMON_SETTINGS,
    OPTIMIZERS,
    catch_up,
    clip,
    new_slots,
    update,
)

from tests import tolerance


class Trained:
    """One parameter with its slots, to be updated step by step."""

    def __init__(self, kind, w, l1=0.0, **settings):
        self.rule, self.l1, self.t = OPTIMIZERS[kind], l1, 0
        self.settings = {**self.rule.settings, **COMMON_SETTINGS, **settings}
        self.w = np.array(w, float)
        first = self.rule.slots(self.settings)
        self.slots = {name: np.full_like(self.w, value) for name, value in first.items()}

    def step(self, gradient, rate=0.1):
        self.t += 1
        if not isinstance(gradient, RowGradient):
            gradient = np.array(gradient, float)
        update(self.rule, self.settings, self.w, gradient, self.slots, rate, self.t, self.l1)
        return self.w


# Two steps from w = 1 with gradients 2 and -1, rate 0.1, worked out by hand.
BY_HAND = [
    ("sgd", {}, 1 - 0.2, 0.8 + 0.1),
    ("sgd", {"momentum": 0.5}, 0.8, 0.8 - 0.1 * (0.5 * 2 - 1)),
    ("sgd", {"momentum": 0.5, "nesterov": 1}, 1 - 0.1 * (2 + 0.5 * 2), 0.7 - 0.1 * (-1 + 0.5 * 0)),
    ("sgd", {"weight_decay": 0.5}, 0.95 - 0.2, 0.75 * 0.95 + 0.1),
    (
        "adagrad",
        {"epsilon": 0.5, "initial_accumulator_value": 5.0},
        1 - 0.2 / 3.5,
        1 - 0.2 / 3.5 + 0.1 / (math.sqrt(10) + 0.5),
    ),
    (
        "ftrl",
        {"initial_accumulator_value": 0.0},
        0.9,
        (18 + 1 + 0.9 * (math.sqrt(5) - 2) / 0.1) * 0.1 / math.sqrt(5),
    ),
    (
        "ftrl",
        {"initial_accumulator_value": 0.0, "l1": 3.0, "l2": 4.0, "beta": 2.0},
        15 / (20 + 20 + 8),
        (18 + 1 + 15 / 48 * (math.sqrt(5) - 2) / 0.1 - 3) / (10 * (math.sqrt(5) + 2) + 8),
    ),
    (
        "rmsprop",
        {"rho": 0.75, "epsilon": 0.5},
        1 - 0.2 / 1.5,
        1 - 0.2 / 1.5 + 0.1 / (math.sqrt(0.75 + 0.25) + 0.5),
    ),
    (
        "rmsprop",
        {"rho": 0.75, "epsilon": 0.5, "momentum": 0.5},
        1 - 0.2 / 1.5,
        1 - 0.2 / 1.5 - 0.1 * (0.5 * 2 / 1.5 - 1 / 1.5),
    ),
    (
        "rmsprop",
        {"rho": 0.5, "epsilon": 1.0, "centered": 1},
        1 - 0.2 / (math.sqrt(2 - 1) + 1),
        0.9 + 0.1 / (math.sqrt(1.5 - 0) + 1),
    ),
    (
        "adam",
        {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.5},
        1 - 0.1 * 2 / 2.5,
        0.92 - 0.1 * 0 / 1.0,
    ),
]


@pytest.mark.parametrize(("kind", "settings", "first", "second"), BY_HAND)
def test_two_steps_equal_those_by_hand(kind, settings, first, second):
    trained = Trained(kind, [1.0], **settings)
    assert trained.step([2.0]) == pytest.approx(first, rel=1e-14)
    assert trained.step([-1.0]) == pytest.approx(second, rel=1e-14)


def test_adamw_is_adam_with_decay_first():
    adam, adamw = Trained("adam", [0.9]), Trained("adamw", [1.0], weight_decay=1.0)
    assert adamw.step([0.3]) == pytest.approx(adam.step([0.3]), rel=1e-15)


# Ours and theirs. Their coupled decay is our coupled L2: 2 l2 w in the gradient.
PEERS = [
    ("sgd", {}, "SGD", {}),
    ("sgd", {"momentum": 0.9}, "SGD", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": 1}, "SGD", {"momentum": 0.9, "nesterov": True}),
    ("adagrad", {"epsilon": 1e-10, "initial_accumulator_value": 0.0}, "Adagrad", {}),
    (
        "adagrad",
        {"epsilon": 1e-7, "initial_accumulator_value": 0.1},
        "Adagrad",
        {"eps": 1e-7, "initial_accumulator_value": 0.1},
    ),
    ("rmsprop", {"rho": 0.9, "epsilon": 1e-7}, "RMSprop", {"alpha": 0.9, "eps": 1e-7}),
    (
        "rmsprop",
        {"rho": 0.9, "epsilon": 1e-7, "momentum": 0.8, "centered": 1},
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-7, "momentum": 0.8, "centered": True},
    ),
    ("adam", {"epsilon": 1e-8}, "Adam", {"eps": 1e-8}),
    ("adamw", {"weight_decay": 0.1, "epsilon": 1e-8}, "AdamW", {"weight_decay": 0.1}),
]


@pytest.mark.peer
@pytest.mark.parametrize(
    ("kind", "settings", "peer", "options", "l2"),
    [(*row, l2) for row in PEERS for l2 in (0.0, 0.01) if l2 == 0 or row[0] != "adamw"],
)
def test_ten_steps_equal_torchs(kind, settings, peer, options, l2, random):
    torch = pytest.importorskip("torch")
    trained = Trained(kind, random.normal(size=(4, 3)), **settings)
    theirs = torch.tensor(trained.w.copy(), requires_grad=True)
    coupled = {"weight_decay": 2 * l2} if l2 else {}
    optimizer = getattr(torch.optim, peer)([theirs], lr=0.05, **options, **coupled)
    for _ in range(10):
        g = random.normal(size=trained.w.shape)
        theirs.grad = torch.tensor(g)
        optimizer.step()
        trained.step(g + 2 * l2 * trained.w, rate=0.05)
    assert tolerance.close(trained.w, theirs.detach().numpy(), tolerance.SAME_FORMULA)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_touched_rows_are_updated_as_if_alone(kind, random):
    w, g = random.normal(size=(5, 2)), random.normal(size=(2, 2))
    settings = {"weight_decay": 0.1, "momentum": 0.5}
    settings = {
        k: v for k, v in settings.items() if k in {**OPTIMIZERS[kind].settings, **COMMON_SETTINGS}
    }
    whole, part = Trained(kind, w, 0.01, **settings), Trained(kind, w[[1, 4]], 0.01, **settings)
    for _ in range(3):
        whole.step(RowGradient(np.array([1, 4]), g))
        part.step(g)
    assert np.array_equal(whole.w[[1, 4]], part.w)
    assert np.array_equal(whole.w[[0, 2, 3]], w[[0, 2, 3]])
    for name, slot in whole.slots.items():
        assert np.array_equal(slot[[1, 4]], part.slots[name])


@pytest.mark.parametrize("kind", [kind for kind in OPTIMIZERS if kind != "ftrl"])
def test_l1_gives_exact_zeros(kind, random):
    """Without a pull from the loss, every weight comes to rest at zero and stays there."""
    trained = (
        Trained(kind, random.normal(size=20), l1=0.5, epsilon=1.0)
        if kind != "sgd"
        else Trained(kind, random.normal(size=20), l1=0.5)
    )
    for _ in range(100):
        trained.step(np.zeros(20))
    assert not trained.w.any()


def test_ftrls_l1_gives_exact_zeros_to_weights_of_noise(random):
    trained = Trained("ftrl", random.normal(size=200), initial_accumulator_value=0.1)
    trained.settings["l1"] = 20.0
    for _ in range(100):
        trained.step(random.normal(size=200) + np.repeat([0.0, 1.0], 100))
    assert (trained.w[:100] == 0).mean() > 0.8
    assert (trained.w[100:] == 0).mean() < 0.1


@pytest.mark.parametrize(("g", "rate"), [(0.0, 0.1), (1.0, 0.0)])
def test_ftrl_without_a_gradient_or_a_step_changes_nothing(g, rate):
    trained = Trained("ftrl", [0.5, -0.5], l1=0.0)
    trained.step([0.3, -0.2])
    w, slots = trained.w.copy(), {name: slot.copy() for name, slot in trained.slots.items()}
    trained.step([g, g], rate=rate)
    assert np.array_equal(trained.w, w)
    assert all(np.array_equal(trained.slots[name], slots[name]) for name in slots)


def test_rowwise_adagrad_keeps_the_mean_square_of_a_row():
    rule = OPTIMIZERS["adagrad"]
    settings = {**rule.settings, **COMMON_SETTINGS, "rowwise": 1, "epsilon": 0.5}
    w = np.ones((3, 2))
    slots = new_slots(rule, {**settings, "initial_accumulator_value": 1.0}, w, table=True)
    g = RowGradient(np.array([1]), np.array([[3.0, 9.0]]))
    update(rule, settings, w, g, slots, 0.1, 1)
    assert slots["accumulator"].tolist() == [1.0, 46.0, 1.0]
    assert w[[0, 2]].tolist() == [[1.0, 1.0]] * 2
    assert w[1] == pytest.approx(1 - 0.1 * np.array([3, 9]) / (math.sqrt(46) + 0.5))


# Every optimizer that rows can catch up on, and how many steps its momentum takes to vanish.
EXACT = [
    ("sgd", {}, (0.0, 0.0), 0),
    ("sgd", {"weight_decay": 0.3}, (0.0, 0.0), 0),
    ("sgd", {"weight_decay": 0.3}, (0.0, 0.2), 0),
    ("sgd", {}, (0.3, 0.0), 0),
    ("sgd", {"momentum": 0.8, "weight_decay": 0.3}, (0.0, 0.0), 170),
    ("sgd", {"momentum": 0.8, "nesterov": 1}, (0.0, 0.0), 170),
    ("adagrad", {"weight_decay": 0.3}, (0.0, 0.0), 0),
    ("adagrad", {}, (0.3, 0.0), 0),
    ("ftrl", {"l1": 0.1}, (0.2, 0.0), 0),
    ("rmsprop", {"weight_decay": 0.3}, (0.0, 0.0), 0),
    ("rmsprop", {"momentum": 0.8, "centered": 1}, (0.0, 0.0), 170),
    ("adam", {"beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.3}, (0.0, 0.0), 180),
]


@pytest.mark.parametrize(("kind", "settings", "penalties", "most"), EXACT)
def test_catching_up_equals_steps_without_gradient(kind, settings, penalties, most, random):
    one, other = (Trained(kind, np.linspace(-1, 1, 12).reshape(4, 3), **settings) for _ in range(2))
    g = random.normal(size=(4, 3))
    for trained in (one, other):
        trained.step(g)
    rates = 0.05 * (1 + np.cos(np.linspace(0, 3, 300)))
    catch_up(one.rule, one.settings, one.w, one.slots, rates, 2, penalties, most)
    catch_up(other.rule, other.settings, other.w, other.slots, rates, 2, penalties, 300)
    assert tolerance.close(one.w, other.w, 1e-12)
    for name, slot in one.slots.items():
        assert np.allclose(slot, other.slots[name], rtol=1e-12, atol=1e-30)


def test_l1_shrinks_by_rate_times_l1():
    trained = Trained("sgd", [1.0, -1.0, 0.01], l1=0.2)
    assert trained.step([0.0, 0.0, 0.0]) == pytest.approx([0.98, -0.98, 0.0])


def test_centered_rmsprop_survives_constant_gradients():
    trained = Trained("rmsprop", [1.0], centered=1, rho=0.1)
    for _ in range(50):
        trained.step([0.1], rate=1e-9)
    assert np.isfinite(trained.w).all()


def clipped(gradients, **settings):
    gradients = [np.array(g, float) for g in gradients]
    clip(gradients, {**COMMON_SETTINGS, **settings})
    return gradients


def test_norm_10_is_scaled_to_exactly_5():
    (g,) = clipped([[6.0, 8.0]], clipnorm=5.0)
    assert g.tolist() == [3.0, 4.0]


def test_clipnorm_takes_each_parameter_by_itself():
    a, b = clipped([[6.0, 8.0], [1.0]], clipnorm=5.0)
    assert (a.tolist(), b.tolist()) == ([3.0, 4.0], [1.0])


def test_global_clipnorm_takes_all_together():
    a, b = clipped([[6.0, 0.0], [8.0]], global_clipnorm=5.0)
    assert (a.tolist(), b.tolist()) == ([3.0, 0.0], [4.0])


def test_global_clipnorm_counts_sparse_rows():
    dense, rows = np.array([6.0]), RowGradient(np.array([3]), np.array([[8.0]]))
    clip([dense, rows], {**COMMON_SETTINGS, "global_clipnorm": 5.0})
    assert (dense.tolist(), rows.values.tolist()) == ([3.0], [[4.0]])


def test_clipvalue_cuts_each_element():
    (g,) = clipped([[6.0, -0.2, -8.0]], clipvalue=0.5)
    assert g.tolist() == [0.5, -0.2, -0.5]


@pytest.mark.parametrize("name", ["clipnorm", "global_clipnorm"])
def test_gradients_below_the_norm_stay_as_they_are(name):
    gradients = clipped([[3.0, 4.0], [0.0]], **{name: 5.0})
    assert [g.tolist() for g in gradients] == [[3.0, 4.0], [0.0]]
