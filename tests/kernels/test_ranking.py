import numpy as np
import pytest
from fastnn import _core
from fastnn.reference import ranking, sampling
from fastnn.reference.scores import compose_rows

from tests import tolerance

kernels = _core.kernels
SEED, STEP, NODE = 0xFEDCBA9876543210, 12345, 3
WIDTHS = (1, 3, 8, 17, 64, 67, 130)
UNITS, N_FEATURES = 19, 4


@pytest.mark.parametrize("n", [1, 3, 4, 5, 64, 67])
@pytest.mark.parametrize(
    ("units", "skewed"), [(1, True), (2, True), (999, True), (1, False), (2_000_000_011, False)]
)
def test_rows_draw_what_the_reference_draws(isa, units, n, skewed, random):
    alias = sampling.alias_table(random.uniform(0, 1, units) ** 4) if skewed else None
    pairs = None
    if alias is not None:
        pairs = np.stack([alias.threshold, alias.other.astype(np.uint32)], axis=1)
    found = kernels.draw_classes(isa, 21, n, units, pairs, SEED, STEP, 2 + 4 * NODE, 7)
    words = sampling.row_words(SEED, NODE, STEP, 7 + np.arange(21), n)
    assert found.tolist() == sampling.draw(words, units, alias).tolist()


def classes(d, dtype, random):
    """Vectors, biases, and features: numbers, shares, vectors."""
    features = random.integers(-1, N_FEATURES, (UNITS, 3)).astype(np.int32)
    shares = random.normal(size=(UNITS, 3)).astype(dtype)
    f = random.normal(size=(N_FEATURES, d)).astype(dtype)
    v = random.normal(size=(UNITS, d)).astype(dtype)
    return v, random.normal(size=UNITS).astype(dtype), (features, shares, f)


def composed(v, features):
    """Vectors of all classes in float64."""
    if features is None:
        return v.astype(np.float64)
    given, shares, f = features
    v, shares, f = (a.astype(np.float64) for a in (v, shares, f))
    return compose_rows(v, f, given, shares, np.arange(len(v)))


@pytest.mark.parametrize("featured", [False, True], ids=["plain", "features"])
@pytest.mark.parametrize("d", WIDTHS)
def test_vectors_are_composed(isa, dtype, d, featured, random):
    v, _, features = classes(d, dtype, random)
    features = features if featured else None
    ids = random.integers(0, UNITS, 40).astype(np.int32)
    found = kernels.class_rows(isa, ids, v, features)
    assert tolerance.close(found, composed(v, features)[ids], tolerance.sums(dtype, 4))


@pytest.mark.parametrize("kind", ["bpr", "warp", "sampled_logistic"])
@pytest.mark.parametrize("featured", [False, True], ids=["plain", "features"])
@pytest.mark.parametrize(("d", "c"), [(1, 2), (8, 2), (17, 1), (64, 6), (67, 40), (130, 3)])
def test_losses_of_drawn_classes_equal_the_reference(isa, dtype, kind, d, c, featured, random):
    v, bias, features = classes(d, dtype, random)
    features = features if featured else None
    ids = random.integers(0, UNITS, (30, c)).astype(np.int32)
    ids[0] = ids[0, 0]  # no negative counts
    u, weights = random.normal(size=(30, d)).astype(dtype), random.uniform(0, 2, 30).astype(dtype)
    loss, ds, du, used = kernels.ranking(isa, kind, u, ids, v, bias, features, 0.5, weights, 0.25)
    rows = composed(v, features)[ids]
    s = np.einsum("md,mcd->mc", u.astype(np.float64), rows) + bias[ids]
    more = {"margin": 0.5, "units": UNITS} if kind == "warp" else {}
    held = ids[:, 1:] != ids[:, :1]
    if c == 1:
        held, s = np.zeros((30, 1), bool), np.repeat(s, 2, axis=1)
    expected, slopes = ranking.RANKING_LOSSES[kind].value(s, held, **more)
    slopes = (slopes * weights[:, None] * 0.25)[:, :c]
    bound = tolerance.sums(dtype, 16 * d)
    assert tolerance.close(loss, expected * weights, bound)
    assert tolerance.close(du, np.einsum("mc,mcd->md", slopes, rows), bound)
    if kind == "warp":
        dense = np.zeros_like(slopes)
        for row, (label, other) in enumerate(used):
            assert label == ids[row, 0]
            dense[row, 0] += ds[row, 0]
            dense[row, np.argmax(ids[row] == other)] += ds[row, 1]
        ds = dense
    assert tolerance.close(ds, slopes, bound)


@pytest.mark.parametrize("n", [0, 1, 7, 16, 33, 200])
def test_softmax_of_columns_equals_the_reference(isa, dtype, n, random):
    z, added, label = (random.normal(size=size).astype(dtype) for size in ((9, n), n, 9))
    weights = random.uniform(0, 2, 9).astype(dtype)
    if n > 2:
        z[1, 2] = z[3] = -np.inf
    logits = np.concatenate([label[:, None], z + added], axis=1).astype(np.float64)
    expected, slopes = ranking.sampled_softmax(logits, np.ones((9, n), bool))
    loss = kernels.sampled_softmax(isa, z, added, label, weights, 0.5)
    slopes *= weights[:, None] * 0.5
    bound = tolerance.sums(dtype, 16 + n)
    assert tolerance.close(loss, expected * weights, bound)
    assert np.abs(z - slopes[:, 1:]).max(initial=0) <= bound
    assert np.abs(label - slopes[:, 0]).max() <= bound


@pytest.mark.parametrize("d", WIDTHS)
@pytest.mark.parametrize("k", [1, 3])
def test_weighted_sums_run_over_lookups_in_order(isa, dtype, d, k, random):
    x = random.normal(size=(12, d)).astype(dtype)
    coefficients = random.normal(size=(12, k)).astype(dtype)
    order = random.permutation(12 * k)[: 10 * k].astype(np.int32)
    starts = np.array([0, 1, 1, 5, 10 * k], np.int32)
    expected = np.zeros((4, d))
    for row in range(4):
        for p in order[starts[row] : starts[row + 1]]:
            expected[row] += coefficients.ravel()[p].astype(np.float64) * x[p // k]
    found = kernels.weighted_sums(isa, starts, order, coefficients, x)
    assert tolerance.close(found, expected, tolerance.sums(dtype, 12 * k))
    out = x.copy()
    kernels.add_scaled_rows(isa, coefficients[:, 0].copy(), x, out)
    assert tolerance.close(out, x + coefficients[:, :1] * x, tolerance.sums(dtype, 2))


def test_scores_of_features_add_to_those_of_classes(isa, dtype, random):
    v, _, (given, shares, f) = classes(5, dtype, random)
    z = random.normal(size=(3, N_FEATURES)).astype(dtype)
    dense = np.zeros((UNITS, N_FEATURES))
    for i in range(UNITS):
        for s in range(3):
            if given[i, s] >= 0:
                dense[i, given[i, s]] += shares[i, s]
    out = np.ones((3, UNITS), dtype)
    kernels.feature_scores(isa, z, v, (given, shares, f), out)
    assert tolerance.close(out, 1 + z @ dense.T, tolerance.sums(dtype, 4))
    dz = kernels.feature_scores_backward(isa, out, v, (given, shares, f))
    assert tolerance.close(dz, out @ dense, tolerance.sums(dtype, 3 * UNITS))
    ids, factors = np.array([4, 0, 4], np.int32), np.array([1, 2, 3], dtype)
    found = kernels.feature_coefficients(isa, ids, factors, v, (given, shares, f))
    assert (found == factors[:, None] * shares[ids]).all()
