"""The benches run at tiny sizes with our side alone."""

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import ours, quality, report
from bench.contest import WORKLOADS, Contest, adapters, deviations, rows_of
from bench.kernels.__main__ import FAMILIES
from bench.kernels.case import Part
from bench.timing import Side, Timing, interleave, ratio

ROOT = Path(__file__).parents[1]


def side(name, result=(1.0,), group="", log=None):
    def run(units):
        if log is not None:
            log.append(name)
        return units

    return Side(name, run, lambda: np.array(result), group)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_times_our_side(workload):
    module = importlib.import_module(WORKLOADS[workload])
    contests = list(module.contests([ours], 1, None, scale=0.02))
    rows = [row for c in contests for row in rows_of(workload, c, 1, rounds=1, seconds=1e-4)]
    assert {row["case"] for row in rows} == {c.case for c in contests}
    assert all(row["per_second"] > 0 for row in rows)
    json.dumps(rows)


def test_rounds_take_turns_and_every_second_cycle_runs_backwards():
    log: list[str] = []
    sides = [side("a", log=log), side("b", log=log)]
    timings = interleave(sides, rounds=2, seconds=0.0)
    assert log[-4:] == ["a", "b", "b", "a"]
    assert len(timings["a"].rates) == 2


def test_ratio_is_the_median_over_the_rounds():
    assert ratio(Timing((2.0, 9.0, 4.0)), Timing((1.0, 3.0, 1.0))) == 3.0


def test_sides_that_disagree_are_not_timed():
    contest = Contest("case", [side("a"), side("b", (1.1,)), side("c", (5.0,), group="other")])
    with pytest.raises(ValueError, match=r"case: expected b within 0.002"):
        deviations(contest)


def test_nan_never_agrees():
    with pytest.raises(ValueError, match="expected b"):
        deviations(Contest("case", [side("a"), side("b", (np.nan,))]))


def test_a_side_of_another_kind_is_held_against_the_group_it_names():
    other = Side("other", lambda n: n, lambda: np.ones(1), group="own way", against="sparse")
    contest = Contest("case", [side("fastnn", group="sparse"), other])
    rows = list(rows_of("w5", contest, 1, rounds=1, seconds=0.0))
    assert "ratio" in rows[1]


def test_a_specialist_takes_part_in_its_workload_alone():
    def names(workload):
        return [module.__name__ for module in adapters(["implicit"], workload)]

    assert "bench.peers.implicit_" not in names("w1")
    if importlib.util.find_spec("implicit"):
        assert "bench.peers.implicit_" in names("w14")


def test_agreement_is_recorded_per_side():
    found = deviations(Contest("case", [side("a"), side("b", (1.001,))]))
    assert found == {"a": 0.0, "b": pytest.approx(0.001)}


def test_report_shows_speed_ratio_and_machine(tmp_path):
    row = {"workload": "w1", "case": "batch 32", "threads": 2, "side": "jax scan"}
    row |= {"per_second": 1e6, "best": 1e6, "spread": 0.01, "ratio": 1.5, "ratio_best": 1.4}
    machine = {"cpu": "A CPU", "family": "1/2", "isa": "avx2", "cores": 2, "python": "3.11"}
    result = {"machine": machine, "versions": {"numpy": "2"}, "date": "today", "rows": [row]}
    (tmp_path / "w1.json").write_text(json.dumps(result))
    text = report.table(tmp_path)
    assert "| w1 | batch 32 | 2 | jax scan | 1,000,000 /s | 1.50x | 1.40x | 1% |" in text
    assert "A CPU" in text


def test_unknown_workload_lists_the_known_ones():
    command = [sys.executable, "-m", "bench", "w99"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected names of w1, w2" in done.stderr


TINY: dict[str, dict[str, object]] = {
    "limits": {"ROUNDS": 10, "ELEMENTS": 64},
    "dense": {"SHAPES": ((4, 6, 5), (8, 3, 10))},
    "conv": {"IMAGES": 2, "LAYERS": ((6, 3, 1, 1, 4, 1), (6, 3, 1, 16, 16, 1))},
    "winograd": {"IMAGES": 2, "INNER": ((6, 16, 16),)},
    "pooling": {"IMAGES": 2, "SIDE": 4, "CHANNELS": 3},
    "normalization": {"ROWS": 8, "CHANNELS": 5},
    "update": {"ELEMENTS": 64},
    "embedding": {"TABLES": (9,), "IDS": 8},
    "activations": {"ELEMENTS": 60},
}


@pytest.mark.parametrize("family", ["limits", *FAMILIES])
@pytest.mark.parametrize("part", [Part(), Part(1, 2)], ids=["whole", "half"])
def test_kernels_of_every_family_run(family, part, monkeypatch):
    module = importlib.import_module(f"bench.kernels.{family}")
    for name, value in TINY[family].items():
        monkeypatch.setattr(module, name, value)
    cases = list(module.cases(part))
    assert len({(case.kernel, case.shape) for case in cases}) == len(cases) > 0
    assert all(case.run(2) == 2 for case in cases)
    assert all(case.operations > 0 or case.bytes > 0 for case in cases)


@pytest.mark.parametrize("family", ["dense", "conv", "winograd"])
def test_parts_of_a_kernel_add_up_to_the_whole(family, monkeypatch):
    module = importlib.import_module(f"bench.kernels.{family}")
    for name, value in TINY[family].items():
        monkeypatch.setattr(module, name, value)
    whole, *parts = (
        [case.operations for case in module.cases(part)]
        for part in (Part(), Part(0, 2), Part(1, 2))
    )
    assert np.allclose(whole, np.sum(parts, axis=0))


def test_kernels_share_the_limit_of_their_kind(tmp_path):
    command = [sys.executable, "-m", "bench.kernels", "update", "--threads", "1", "--rounds", "1"]
    command += ["--seconds", "1e-3", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["multiply_adds", "add"]
    assert all(line.split()[-1] == "100%" for line in lines[:2])
    assert "GB/s" in lines[-1]
    assert not list(tmp_path.iterdir())  # a part of the kernels is no result


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: quality.small_network([]), (28, 28, 1)),
        (lambda: quality.emoji_network(0), (32, 32, 3)),
    ],
    ids=["small", "emoji"],
)
def test_networks_of_the_quality_figures_tell_dark_from_bright(make, shape):
    labels = np.arange(32) % 2
    images = np.random.default_rng(0).integers(0, 50, (32, *shape))
    examples = (images + 150 * labels[:, None, None, None]).astype(np.uint8), labels
    accuracy, seconds = quality.learned(make(), examples, examples, epochs=20, batch=16)
    assert accuracy >= 0.9
    assert seconds > 0


@pytest.mark.parametrize("page", report.PAGES)
def test_a_page_holds_the_tables_of_the_results(page):
    assert (ROOT / page).read_text() == report.filled(page, ROOT / "bench" / "results")
