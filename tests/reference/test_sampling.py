"""Draws have the distribution they say, and sampled losses the gradient of what they stand for."""

import numpy as np
import pytest
from fastnn.graph import Node, Spec
from fastnn.reference import Engine, sampling
from fastnn.reference.ranking import RANKING_LOSSES

from tests import tolerance
from tests.reference.differences import numeric_gradient

UNITS, N_DRAWS = 25, 20_000


@pytest.mark.parametrize("sampler", ["uniform", "log_uniform", "unigram", "in_batch"])
def test_frequencies_of_draws_pass_chi_square(sampler, random):
    labels = random.integers(0, UNITS, 400) // random.integers(1, 4, 400)
    weights = sampling.weights_of(sampler, UNITS, labels, 0.75)
    alias = None if weights is None else sampling.alias_table(weights)
    words = sampling.row_words(5, 3, 1, np.arange(N_DRAWS // 8), 8)
    counts = np.bincount(sampling.draw(words, UNITS, alias).ravel(), minlength=UNITS)
    weights = np.ones(UNITS) if weights is None else weights
    expected = N_DRAWS * weights / weights.sum()
    held = expected > 0
    assert not counts[~held].any()
    square = (np.square(counts - expected)[held] / expected[held]).sum()
    n = held.sum() - 1
    assert square < n + 4 * np.sqrt(2 * n)  # mean n, variance 2 n


@pytest.mark.parametrize("n", [1, 2, 3, 1000])
def test_an_alias_table_holds_every_class_with_its_probability(n, random):
    weights = random.uniform(0, 1, n) ** 3
    alias = sampling.alias_table(weights)
    share = (alias.threshold.astype(np.float64) + (alias.threshold == 0xFFFFFFFF)) * 2.0**-32
    found = share.copy()
    np.add.at(found, alias.other, 1 - share)
    np.testing.assert_allclose(found / n, weights / weights.sum(), atol=2e-9)


@pytest.mark.parametrize("kind", RANKING_LOSSES)
def test_slopes_equal_central_differences(kind, random):
    s, held = random.normal(size=(6, 5)), random.uniform(size=(6, 4)) < 0.7
    held[0] = False
    more = {"margin": 0.8, "units": 40} if kind == "warp" else {}
    value = RANKING_LOSSES[kind].value
    expected = numeric_gradient(lambda: value(s, held, **more)[0].sum(), s)
    assert tolerance.close(value(s, held, **more)[1], expected, tolerance.DIFFERENCES)


def scoring(loss, units=30, d=4, n=80):
    """An engine of scores of an input, and examples whose labels are skewed."""
    random = np.random.default_rng(2)
    nodes = [Node("input", "x", (), {"shape": (d,)}), Node("scores", "y", (0,), {"units": units})]
    engine = Engine(nodes, [1])
    for name, shape in engine.parameters():
        engine.set(name, random.normal(size=shape) * 0.5)
    engine.compile([loss], [1.0], Spec("sgd"), [[]])
    labels = np.minimum(random.geometric(0.15, n) - 1, units - 1).astype(np.int32)
    labels[:units] = np.arange(units)[:n]  # a sampler by counts never draws what has none
    return engine, random.normal(size=(n, d)), labels


@pytest.mark.parametrize("sampler", ["uniform", "log_uniform", "unigram"])
def test_the_mean_gradient_of_sampled_softmax_is_that_of_the_whole(sampler):
    """A step of SGD from the same weights is a draw of the gradient."""
    engine, x, labels = scoring(Spec("sampled_softmax", {"negatives": 100, "sampler": sampler}))
    held = {name: engine.get(name) for name, _ in engine.parameters()}
    mean = {name: np.zeros_like(w) for name, w in held.items()}
    n_draws = 100  # steps, each of 100 draws for 40 rows
    for seed in range(n_draws):
        engine.train([x], [labels], None, len(x), False, seed, 0, 0, [1.0])
        for name, w in held.items():
            mean[name] += (w - engine.get(name)) / n_draws
            engine.set(name, w)
    engine.compile([Spec("categorical_crossentropy", {"from_logits": 1})], [1.0], Spec("sgd"), [[]])
    _, whole = engine.gradients([x], [labels], None)
    for name, g in whole.items():
        cosine = (g * mean[name]).sum() / np.linalg.norm(g) / np.linalg.norm(mean[name])
        assert cosine > 0.99, name


def test_without_negatives_that_count_nothing_is_lost():
    for kind in ("bpr", "warp"):
        engine, x, labels = scoring(Spec(kind, {"negatives": 5}), units=1)
        loss, gradients = engine.gradients([x], [labels], None)
        assert loss == 0
        assert not any(g.any() for g in gradients.values())
    engine, x, labels = scoring(Spec("sampled_softmax", {"negatives": 5}), units=1)
    assert engine.gradients([x], [labels], None)[0] == 0


def test_warp_takes_the_rank_of_its_trial():
    """All scores alike: the first negative is too close, at trial 1."""
    engine, x, labels = scoring(Spec("warp", {"negatives": 3, "margin": 0.5}))
    for name, shape in engine.parameters():
        engine.set(name, np.zeros(shape))
    assert engine.gradients([x], [labels], None)[0] == pytest.approx(np.log(29) * 0.5, rel=0.05)
