"""The judges of the recommenders' quality: splits, scores and planted sets."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from bench import planted, ratings, recommenders
from bench.tables.problem import Pairs, log_uniform, lookups


def test_the_last_tenth_of_each_user_is_held_out():
    users = np.repeat([0, 1], [20, 9])
    time = np.r_[np.arange(20)[::-1], np.arange(9)]
    assert np.flatnonzero(recommenders.last(users, time)).tolist() == [0, 1]


def test_a_split_has_each_interaction_once():
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(50 * 80, 2000, replace=False), 80)
    data = recommenders.split(users, items, rng.random(2000))
    parts = [data.train, data.validation, data.test]
    assert [part.nnz > 100 for part in parts] == [True] * 3
    assert sum(parts).max() == 1
    assert sum(parts).nnz == 2000


def test_scores_are_those_of_the_formulas():
    held = csr_matrix(np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], np.float32))

    def recommend(users):
        assert users.tolist() == [0, 2]
        lists = np.full((2, 20), -1)
        lists[0, [0, 2]], lists[1, 15] = [3, 1], 0
        return lists

    ndcg, recall = recommenders.scores(recommend, held)
    first = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert ndcg == pytest.approx(first / 2)
    assert recall == 1


def test_tuning_chooses_by_the_validation_part_and_judges_by_the_test_part():
    identity = csr_matrix(np.eye(3, dtype=np.float32))
    data = recommenders.Split(csr_matrix((3, 3), dtype=np.float32), identity, identity)

    def learn(seen, right):
        del seen
        return lambda users: np.tile(users[:, None] if right else users[:, None] + 3, (1, 20))

    choice, found = recommenders.tuned(learn, {"right": (False, True)}, data)
    assert choice == {"right": True}
    assert found[0] > 0.9


def test_planted_users_stay_in_their_group():
    seen = planted.interactions(60, 40, 4, 5)
    users = np.repeat(np.arange(60), np.diff(seen.indptr))
    assert np.all(users % 4 == seen.indices % 4)
    assert planted.recall(np.array([[0, 4], [1, 2]]), np.array([8, 5]), 4) == 0.75


def test_errors_of_ratings_are_root_mean_squares():
    given = np.arange(2), np.arange(2), np.array([1.0, 5.0])
    assert ratings.rmse(lambda users, items: np.array([4.0, 9.0]), given) == pytest.approx(
        np.sqrt(12.5)
    )


@pytest.mark.parametrize("exponent", [0.0, 1.05])
def test_ids_fall_in_the_table_and_favour_few_by_zipfs_law(exponent):
    ids = lookups(1_000, 20, 500, exponent)
    assert ids.shape == (1_000, 20)
    counts = np.sort(np.bincount(ids.ravel(), minlength=500))
    assert len(counts) == 500
    assert (counts[-50:].sum() > 0.5 * ids.size) == (exponent > 0)


def test_log_uniform_ids_are_frequent_first():
    counts = np.bincount(log_uniform(20_000, 100), minlength=100)
    assert len(counts) == 100
    assert counts[0] / 20_000 == pytest.approx(np.log(2) / np.log(101), rel=0.1)


def test_pairs_are_told_apart_by_vectors_that_know_them():
    users, items = np.arange(50), np.arange(50)
    problem = Pairs(users, items, 50, 50, 50, 10)
    eye = np.eye(50, dtype=np.float32)
    assert problem.told_apart(eye, eye) > 0.9
    assert problem.told_apart(eye, np.zeros_like(eye)) == 0
