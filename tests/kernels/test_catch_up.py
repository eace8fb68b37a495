"""Rows that missed steps, against the reference's replay; and rows of one accumulator."""

import math

import numpy as np
import pytest
from fastnn import _core
from fastnn.reference.layer import RowGradient
from fastnn.reference.update import CLIPS, COMMON_SETTINGS, OPTIMIZERS, catch_up, new_slots, update

from tests import tolerance
from tests.kernels.test_update import ORDER

kernels = _core.kernels
V, T = 9, 3
LAST = np.array([0, 300, 299, 1, 150, 0, 40, 290, 7], np.int32)  # what the rows have seen
RATES = 0.05 * (1 + np.cos(np.linspace(0, 3, 300)))

CASES = {
    "decay": ("sgd", {"weight_decay": 0.3}, (0.0, 0.0)),
    "decay and l2": ("sgd", {"weight_decay": 0.3}, (0.0, 0.2)),
    "l2 cut": ("sgd", {"clipvalue": 0.05}, (0.0, 0.2)),
    "l1": ("sgd", {}, (0.05, 0.0)),
    "l1 and decay": ("sgd", {"weight_decay": 0.3}, (0.05, 0.0)),
    "momentum": ("sgd", {"momentum": 0.8, "weight_decay": 0.3}, (0.0, 0.0)),
    "nesterov": ("sgd", {"momentum": 0.8, "nesterov": 1}, (0.0, 0.0)),
    "adagrad": ("adagrad", {"weight_decay": 0.3}, (0.0, 0.0)),
    "adagrad l1": ("adagrad", {}, (0.05, 0.0)),
    "adagrad both": ("adagrad", {"weight_decay": 0.3}, (0.05, 0.0)),
    "adagrad rowwise": ("adagrad", {"weight_decay": 0.3, "rowwise": 1}, (0.05, 0.0)),
    "adagrad rowwise l1": ("adagrad", {"rowwise": 1}, (0.05, 0.0)),
    "rmsprop": ("rmsprop", {"rho": 0.97, "weight_decay": 0.3}, (0.0, 0.0)),
    "rmsprop both": ("rmsprop", {"rho": 0.97, "momentum": 0.8, "centered": 1}, (0.0, 0.0)),
    "adam": ("adam", {"beta_1": 0.8, "beta_2": 0.99}, (0.0, 0.0)),
    "adamw": ("adamw", {"beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.3}, (0.0, 0.0)),
    "adam without momentum": ("adam", {"beta_1": 0.0, "beta_2": 0.9}, (0.0, 0.0)),
    "adam of long momentum": ("adam", {"beta_1": 0.9, "beta_2": 0.5}, (0.0, 0.0)),
    "decay of all": ("sgd", {"weight_decay": 10.0, "momentum": 0.5}, (0.0, 0.0)),
}


def used(settings):
    """Settings as an optimizer's node has them: clipping that is off is left out."""
    return {name: value for name, value in settings.items() if value or name not in CLIPS}


def start(kind, settings, d, dtype, random):
    """A table and its slots as after some steps."""
    rule = OPTIMIZERS[kind]
    settings = {**rule.settings, **COMMON_SETTINGS, **settings}
    w = random.normal(size=(V, d)).astype(dtype)
    slots = new_slots(rule, settings, w, table=True)
    for name, slot in slots.items():
        slot[...] = random.uniform(0.1, 0.2, slot.shape)
        if name == "momentum":
            slot[...] *= random.choice([-1, 0, 1], (V, 1))
    return rule, settings, w, slots


def replayed(rule, settings, w, slots, penalties, rows):
    """Every missed step, one by one, in float64."""
    w, slots = w.astype(float), {name: slot.astype(float) for name, slot in slots.items()}
    for row in rows:
        part = {name: slot[row : row + 1] for name, slot in slots.items()}
        seen = LAST[row]
        rates = RATES[seen:]
        catch_up(rule, settings, w[row : row + 1], part, rates, T + seen, penalties, len(rates))
    return w, slots


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("d", [1, 16, 19])
def test_rows_catch_up_as_if_they_had_missed_nothing(isa, dtype, case, d, random):
    kind, given, penalties = CASES[case]
    rule, settings, w, slots = start(kind, given, d, dtype, random)
    rows = np.array([0, 1, 2, 3, 4, 6, 8], np.int32)
    before = w.copy()
    expected, expected_slots = replayed(rule, settings, w, slots, penalties, rows)
    three = [slots.get(name) for name in (*ORDER[kind.removesuffix("w")], None, None)][:3]
    last = LAST.copy()
    kernels.catch_up_rows(
        isa, kind, used(settings), RATES.tolist(), T, penalties, rows, last, w, three
    )
    allowed = {"float32": 1e-5, "float64": 1e-12}[np.dtype(dtype).name]
    assert tolerance.close(w, expected, allowed)
    for name, slot in slots.items():
        assert tolerance.close(slot, expected_slots[name], 2 * allowed), name
    assert np.array_equal(w[[5, 7]], before[[5, 7]])
    assert (last[rows] == 300).all()
    assert np.array_equal(last[[5, 7]], LAST[[5, 7]])


@pytest.mark.parametrize("case", ["momentum", "adagrad rowwise", "adamw"])
def test_a_row_catches_up_alike_in_any_company(isa, dtype, case, random):
    kind, given, penalties = CASES[case]
    _, settings, w, slots = start(kind, given, 19, dtype, random)
    results = []
    for cuts in ([range(V)], [[row] for row in range(V)]):
        own, own_slots = w.copy(), {name: slot.copy() for name, slot in slots.items()}
        three = [own_slots.get(name) for name in (*ORDER[kind.removesuffix("w")], None, None)][:3]
        last = LAST.copy()
        for rows in cuts:
            kernels.catch_up_rows(
                isa, kind, used(settings), RATES.tolist(), T, penalties,
                np.array(rows, np.int32), last, own, three,
            )  # fmt: skip
        results.append(own.tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("d", [1, 16, 19])
@pytest.mark.parametrize("extra", [{}, {"weight_decay": 0.1, "l1": 0.01, "l2": 0.1}])
def test_rowwise_adagrad_equals_the_reference(isa, dtype, d, extra, random):
    rule, settings, w, slots = start("adagrad", {"rowwise": 1}, d, dtype, random)
    rows = np.array([1, 4, 5, 8], np.int32)
    g = random.normal(size=(4, d)).astype(dtype)
    expected, expected_slots = w.astype(float), {"accumulator": slots["accumulator"].astype(float)}
    twin = {**settings, "weight_decay": extra.get("weight_decay", 0.0)}
    gradient = RowGradient(rows.astype(np.int64), g + 2 * extra.get("l2", 0.0) * expected[rows])
    update(rule, twin, expected, gradient, expected_slots, 0.05, 1, extra.get("l1", 0.0))
    own = {"rate": 0.05, "epsilon": 1e-7, "rowwise": 1, **extra}
    kernels.update_rows(isa, "adagrad", own, rows, w, [slots["accumulator"], None, None], g)
    assert tolerance.close(w, expected, tolerance.steps(dtype, 1))
    accumulated = expected_slots["accumulator"]
    assert tolerance.close(slots["accumulator"], accumulated, tolerance.steps(dtype, 1))


def test_halves_are_widened_exactly(isa, random):
    halves = random.integers(0, 2**16, (7, 19)).astype(np.uint16)
    rows = np.array([6, 0, 3, 3], np.int32)
    expected = (halves[rows].astype(np.uint32) << 16).view(np.float32)
    assert kernels.gather_bf16(isa, halves, rows).tobytes() == expected.tobytes()


@pytest.mark.parametrize("d", [1, 16, 70])
@pytest.mark.parametrize("rowwise", [False, True])
def test_a_table_of_halves_is_rounded_to_a_neighbour(isa, d, rowwise, random):
    """Rows move as those of floats do, each number to one of the two halves around it."""
    halves = (random.normal(size=(V, d)).astype(np.float32).view(np.uint32) >> 16).astype("u2")
    w = (halves.astype(np.uint32) << 16).view(np.float32)
    settings = {"rate": 0.1, "epsilon": 1e-7, "rowwise": int(rowwise), "weight_decay": 0.1}
    rows = np.array([1, 4, 5, 8], np.int32)
    g = random.normal(size=(4, d)).astype(np.float32)
    slots = [np.full((V,) if rowwise else (V, d), 0.1, np.float32) for _ in range(2)]
    before = halves.copy()
    kernels.update_rows(isa, "adagrad", settings, rows, w, [slots[0], None, None], g)
    noise = (5, 7, 3)
    kernels.update_rows_bf16(
        isa, "adagrad", settings, rows, halves, [slots[1], None, None], g, noise
    )
    found = (halves.astype(np.uint32) << 16).view(np.float32)[rows].astype(float)
    assert (np.abs(found - w[rows]) < np.abs(w[rows]) * 2.0**-7 + 1e-30).all()
    assert tolerance.close(slots[1], slots[0], tolerance.sums(np.float32, d))
    untouched = [row for row in range(V) if row not in rows]
    assert np.array_equal(halves[untouched], before[untouched])


def test_rounding_by_chance_keeps_small_steps_on_average(isa):
    """A step of a hundredth of the distance between halves is lost to nearest rounding."""
    n, steps = 4096, 100
    halves = np.full((n, 1), 0x3F80, np.uint16)  # 1.0; the next one is 1.0078125
    rows, g = np.arange(n, dtype=np.int32), np.full((n, 1), -1.0, np.float32)
    for step in range(steps):
        kernels.update_rows_bf16(
            isa, "sgd", {"rate": 7.8125e-5}, rows, halves, [None] * 3, g, (1, step, 3)
        )
    mean = (halves.astype(np.uint32) << 16).view(np.float32).mean(dtype=float)
    assert mean == pytest.approx(1.0078125, abs=5 * 0.0078125 / math.sqrt(n))


def test_what_is_not_a_number_stays_so(isa):
    halves = np.array([[0x7FC0, 0xFFFF, 0x3F80, 0x3F80]], np.uint16)
    g = np.array([[0, 0, np.nan, 0]], np.float32)
    rows = np.zeros(1, np.int32)
    kernels.update_rows_bf16(isa, "sgd", {"rate": 1.0}, rows, halves, [None] * 3, g, (1, 2, 3))
    found = (halves.astype(np.uint32) << 16).view(np.float32)[0]
    assert np.isnan(found).tolist() == [True, True, True, False]
