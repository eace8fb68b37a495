import math

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference.update import OPTIMIZERS, proximal_l1

from tests import tolerance
from tests.kernels.shapes import SIZES, unaligned

kernels = _core.kernels
RATE, T = 0.05, 3

RULES = {
    "sgd": ("sgd", {"momentum": 0.0, "nesterov": 0}),
    "sgd momentum": ("sgd", {"momentum": 0.9, "nesterov": 0}),
    "sgd nesterov": ("sgd", {"momentum": 0.9, "nesterov": 1}),
    "adagrad": ("adagrad", {**OPTIMIZERS["adagrad"].settings, "initial_accumulator_value": 0.1}),
    "ftrl": ("ftrl", {**OPTIMIZERS["ftrl"].settings}),
    "ftrl sparse": ("ftrl", {**OPTIMIZERS["ftrl"].settings, "l1": 0.5, "l2": 0.3, "beta": 0.7}),
    "ftrl power": ("ftrl", {**OPTIMIZERS["ftrl"].settings, "learning_rate_power": -0.7}),
    "rmsprop": ("rmsprop", {"rho": 0.9, "momentum": 0.0, "centered": 0, "epsilon": 1e-7}),
    "rmsprop momentum": ("rmsprop", {"rho": 0.9, "momentum": 0.5, "centered": 0, "epsilon": 1e-7}),
    "rmsprop centered": ("rmsprop", {"rho": 0.9, "momentum": 0.0, "centered": 1, "epsilon": 1e-7}),
    "rmsprop both": ("rmsprop", {"rho": 0.9, "momentum": 0.5, "centered": 1, "epsilon": 1e-7}),
    "adam": ("adam", {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
}
ORDER = {
    "sgd": ("momentum",),
    "adagrad": ("accumulator",),
    "ftrl": ("accumulator", "linear"),
    "rmsprop": ("velocity", "momentum", "average"),
    "adam": ("momentum", "velocity"),
}


def kernel_settings(settings):
    """The reference's settings as fields of UpdateStep."""
    beta_1, beta_2 = settings.get("beta_1", 0.0), settings.get("beta_2", 0.0)
    return {
        "rate": RATE,
        "momentum": settings.get("momentum", 0.0),
        "nesterov": settings.get("nesterov", 0),
        "centered": settings.get("centered", 0),
        "epsilon": settings.get("epsilon", 0.0),
        "strength_1": settings.get("l1", 0.0),
        "strength_2": settings.get("l2", 0.0),
        "beta": settings.get("beta", 0.0),
        "power": -settings.get("learning_rate_power", 0.0),
        "decay_1": beta_1,
        "decay_2": settings.get("rho", beta_2),
        "correction_1": 1 / (1 - beta_1**T),
        "correction_2": 1 / math.sqrt(1 - beta_2**T),
    }


def start(case, size, dtype, random):
    """Weights, gradient, and slots by name as after some steps."""
    rule, settings = RULES[case]
    w, g = random.normal(size=size).astype(dtype), random.normal(size=size).astype(dtype)
    used = OPTIMIZERS[rule].slots(settings)
    slots = {name: random.uniform(1, 2, size).astype(dtype) for name in used}
    if "average" in slots:
        slots["average"] /= 2
    return w, g, slots


def run(isa, case, w, g, slots, stream=False, **extra):
    rule, settings = RULES[case]
    three = [slots.get(name) for name in (*ORDER[rule], None, None)][:3]
    kernels.update(isa, rule, {**kernel_settings(settings), **extra}, w, three, g, stream)


def run_reference(case, w, g, slots, l1=0.0, l2=0.0, clip=math.inf, scale=1.0, decay=0.0):
    """Return weights and slots after the step, in float64."""
    rule, settings = RULES[case]
    w, g = w.astype(np.float64), g.astype(np.float64)
    slots = {name: slot.astype(np.float64) for name, slot in slots.items()}
    g = np.clip(g + 2 * l2 * w, -clip, clip) * scale
    w -= RATE * decay * w
    size = OPTIMIZERS[rule].rule(w, g, slots, RATE, T, settings)
    if l1:
        proximal_l1(w, l1 * size)
    return w, slots


def assert_same(dtype, actual, expected):
    (w, slots), (expected_w, expected_slots) = actual, expected
    assert tolerance.close(w, expected_w, tolerance.steps(dtype, 1))
    for name, slot in slots.items():
        assert tolerance.close(slot, expected_slots[name], tolerance.steps(dtype, 1))


@pytest.mark.parametrize("case", RULES)
@pytest.mark.parametrize("size", SIZES)
def test_rules_equal_the_reference(isa, dtype, case, size, random):
    w, g, slots = start(case, size, dtype, random)
    expected = run_reference(case, w, g, slots)
    run(isa, case, w, g, slots)
    assert_same(dtype, (w, slots), expected)


@pytest.mark.parametrize("case", RULES)
def test_decay_penalties_and_clipping_equal_the_reference(isa, dtype, case, random):
    for extra, twin in (
        ({"weight_decay": 0.3}, {"decay": 0.3}),
        ({"l2": 0.3}, {"l2": 0.3}),
        ({"clip_value": 0.4}, {"clip": 0.4}),
        ({"gradient_scale": 0.25}, {"scale": 0.25}),
        ({"l1": 0.5}, {"l1": 0.5}),
        ({"l1": 0.5, "l2": 0.1, "weight_decay": 0.1, "clip_value": 1.0},
         {"l1": 0.5, "l2": 0.1, "decay": 0.1, "clip": 1.0}),
    ):  # fmt: skip
        w, g, slots = start(case, 67, dtype, random)
        expected = run_reference(case, w, g, slots, **twin)
        run(isa, case, w, g, slots, **extra)
        assert_same(dtype, (w, slots), expected)


@pytest.mark.parametrize("case", [case for case in RULES if not case.startswith("ftrl")])
def test_proximal_l1_gives_exact_zeros(isa, dtype, case, random):
    w, g, slots = start(case, 100, dtype, random)
    w[:50] *= 1e-3
    run(isa, case, w, np.zeros_like(g), {n: np.zeros_like(s) for n, s in slots.items()}, l1=2.0)
    assert (w[:50] == 0).all()


@pytest.mark.parametrize("case", RULES)
@pytest.mark.parametrize("extra", [{}, {"weight_decay": 0.1, "l1": 0.01, "l2": 0.1}])
def test_cuts_and_streaming_change_no_bit(isa, dtype, case, extra, random):
    w, g, slots = start(case, 100, dtype, random)
    expected_w, expected = w.copy(), {name: slot.copy() for name, slot in slots.items()}
    run(isa, case, expected_w, g, expected, **extra)
    for stream in (False, True):
        cut_w, cut_g = unaligned(w), unaligned(g)
        cut = {name: slot.copy() for name, slot in slots.items()}
        for a, b in ((0, 1), (1, 22), (22, 60), (60, 100)):
            piece = {name: slot[a:b] for name, slot in cut.items()}
            run(isa, case, cut_w[a:b], cut_g[a:b], piece, stream, **extra)
        assert cut_w.tobytes() == expected_w.tobytes()
        assert all(cut[name].tobytes() == expected[name].tobytes() for name in slots)


@pytest.mark.parametrize("case", RULES)
@pytest.mark.parametrize("d", [1, 16, 19])
@pytest.mark.parametrize("extra", [{}, {"weight_decay": 0.1, "l1": 0.01, "l2": 0.1}])
def test_rows_of_a_table_change_as_a_parameter_of_their_own(isa, dtype, case, d, extra, random):
    w, _, slots = start(case, (50, d), dtype, random)
    rows = random.permutation(50)[:37].astype(np.int32)
    g = random.normal(size=(37, d)).astype(dtype)
    expected_w, expected = w.copy(), {name: slot.copy() for name, slot in slots.items()}
    own_w, own = w[rows], {name: slot[rows] for name, slot in slots.items()}
    run(isa, case, own_w, g, own, **extra)
    expected_w[rows] = own_w
    for name, slot in own.items():
        expected[name][rows] = slot
    rule, settings = RULES[case]
    three = [slots.get(name) for name in (*ORDER[rule], None, None)][:3]
    kernels.update_rows(isa, rule, {**kernel_settings(settings), **extra}, rows, w, three, g)
    assert w.tobytes() == expected_w.tobytes()
    assert all(slots[name].tobytes() == expected[name].tobytes() for name in slots)


@pytest.mark.parametrize("start_at", range(17))
def test_streaming_writes_every_element_and_no_other(isa, dtype, start_at, random):
    w = random.normal(size=90).astype(dtype)
    g = random.normal(size=60).astype(dtype)
    expected = w.copy()
    expected[start_at : start_at + 60] -= dtype(RATE) * g
    run(isa, "sgd", w[start_at : start_at + 60], g, {}, stream=True)
    assert tolerance.close(w, expected, tolerance.sums(dtype, 1))
    assert w[:start_at].tobytes() == expected[:start_at].tobytes()
    assert w[start_at + 60 :].tobytes() == expected[start_at + 60 :].tobytes()


@pytest.mark.parametrize("case", RULES)
def test_nan_in_a_gradient_stays_with_its_weight(isa, dtype, case, random):
    w, g, slots = start(case, 40, dtype, random)
    g[21] = np.nan
    run(isa, case, w, g, slots, clip_value=0.5, l1=0.1)
    assert np.flatnonzero(np.isnan(w)).tolist() == [21]


@pytest.mark.parametrize("case", ["adagrad", "rmsprop", "adam"])
def test_each_step_is_within_a_few_roundings(isa, dtype, case, random):
    """With weights zero a step is its quotient alone, so every element has its own scale."""
    _, g, slots = start(case, 4099, dtype, random)
    if "momentum" in slots:
        g = np.abs(g)  # no cancellation in decay m + (1 - decay) g
    w = np.zeros_like(g)
    exact = run_reference(case, w, g, slots)[0]
    run(isa, case, w, g, slots)
    assert (np.abs(w - exact) <= tolerance.sums(dtype, 3) * np.abs(exact)).all()


@pytest.mark.parametrize("size", SIZES)
def test_regularize_adds_l2_then_clips(isa, dtype, size, random):
    w, g = random.normal(size=size).astype(dtype), random.normal(size=size).astype(dtype)
    expected = np.clip(g + 2 * 0.25 * w.astype(np.float64), -0.75, 0.75)
    kernels.regularize(isa, w, 0.25, 0.75, g)
    assert tolerance.close(g, expected, tolerance.sums(dtype, 1))
    before = g.copy()
    kernels.regularize(isa, w, 0.0, 0.0, g)
    assert g.tobytes() == before.tobytes()


def test_unknown_setting_says_which():
    w = np.zeros(3)
    with pytest.raises(ValueError, match="settings: expected fields of UpdateStep, got speed"):
        kernels.update("baseline", "sgd", {"speed": 1.0}, w, [None] * 3, w)
