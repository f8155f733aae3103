"""Groups of shoppers: scales, the number of groups, what is kept from run to run."""

import numpy as np
import pytest

from segments.core import alike, clusters, matching


def planted(k: int, n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standard scores, ids and true groups of k clouds of n shoppers, mixed."""
    rng = np.random.default_rng(seed)
    middles = 2.5 * np.array([[(place >> bit & 1) * 2 - 1 for bit in range(4)] for place in range(k)])
    group = rng.permutation(np.repeat(np.arange(k), n))
    scores = middles[group] + rng.normal(0, 0.4, (k * n, 4))
    return scores.astype(np.float32), rng.permutation(k * n) * 3 + 7, group


@pytest.mark.parametrize("k", range(2, 9))
def test_planted_groups_are_found(k: int) -> None:
    scores, ids, group = planted(k)
    found = clusters.find(scores, ids)
    assert found.n == k
    table = matching.overlaps(group, clusters.assign(scores, found.centres), n_old=k, n_new=k)
    assert matching.adjusted_rand(table) == 1.0


def test_the_order_of_the_rows_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    scores, ids = rng.normal(size=(3000, 5)).astype(np.float32), np.arange(3000) + 10
    found = clusters.find(scores, ids)
    mixed = rng.permutation(3000)
    again = clusters.find(scores[mixed], ids[mixed])
    assert np.array_equal(found.centres, again.centres)
    assert found.tried == again.tried


def test_a_second_run_moves_nobody() -> None:
    rng = np.random.default_rng(4)
    scores, ids = rng.normal(size=(25_000, 5)).astype(np.float32), np.arange(25_000)
    first = clusters.find(scores, ids)
    second = clusters.find(scores, ids, before=first.centres.round(6))
    assert np.array_equal(clusters.assign(scores, first.centres), clusters.assign(scores, second.centres))


def test_thin_or_equal_shoppers_make_no_groups() -> None:
    for n in (0, 1, 30):
        assert clusters.find(np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32), np.arange(n)).n == 0
    same = {name: np.full(100, 2.5) for name in alike.FEATURES}
    scale = alike.make_scale(same)
    assert scale.names == []
    assert clusters.find(alike.scaled(same, scale), np.arange(100)).n == 0


def test_two_kinds_of_shoppers_are_at_most_two_groups() -> None:
    scores = np.repeat(np.array([[-1.0], [1.0]], np.float32), 60, axis=0)
    assert clusters.find(scores, np.arange(120)).n == 2


@pytest.mark.parametrize(
    ("scores", "last", "chosen"),
    [
        ([0.4, 0.3, 0.2], 0, 2),
        ([0.3, 0.39, 0.4], 0, 4),
        ([0.4, 0.385, 0.2], 0, 3),
        ([0.4, 0.375, 0.2], 3, 3),
        ([0.4, 0.36, 0.2], 3, 2),
    ],
)
def test_the_number_is_the_largest_that_is_as_good_as_the_best(scores: list[float], last: int, chosen: int) -> None:
    tried = [{"k": k, "score": score, "tiny": False} for k, score in enumerate(scores, start=2)]
    assert clusters.choose(tried, last) == chosen


def test_a_number_with_a_tiny_group_is_not_chosen() -> None:
    tried = [{"k": 2, "score": 0.9, "tiny": True}, {"k": 3, "score": 0.3, "tiny": False}]
    assert clusters.choose(tried) == 3


def test_scores_are_cut_and_what_is_not_known_is_the_mean() -> None:
    figures = {name: np.zeros(1000) for name in alike.FEATURES}
    figures["discount"] = np.array([np.nan, 1.0, *np.zeros(998)])
    scale = alike.make_scale(figures)
    assert scale.names == ["discount"]
    scores = alike.scaled(figures, scale)[:, 0]
    assert scores[0] == 0
    assert scores[1] == alike.FURTHEST
    assert alike.Scale.from_json(scale.as_json()) == scale


def test_christmas_needs_a_year_of_orders() -> None:
    day = [np.datetime64(one, "D").astype(int) for one in ("2025-01-02", "2025-11-01", "2025-12-25", "2025-12-26")]
    share = alike.christmas_share(np.array([0, 0, 1, 1]), np.array([*day[:2], *day[2:]], float) + 0.5, 3)
    assert np.isnan(share).all()
    day[0] = np.datetime64("2024-12-24", "D").astype(int)
    share = alike.christmas_share(np.array([0, 0, 1, 1]), np.array(day, float) + 0.5, 3)
    assert share[:2].tolist() == [1.0, 0.5]
    assert np.isnan(share[2])


def test_groups_keep_their_numbers() -> None:
    old = np.array([0, 0, 0, 0, 1, 1, 1, 1, -1, -1])
    new = np.array([1, 1, 1, 0, 0, 0, 0, 0, 2, 2])
    table = matching.overlaps(old, new, n_old=2, n_new=3)
    assert table.tolist() == [[1, 3, 0], [4, 0, 0]]
    assert matching.numbers(table, [5, 9], np.array([5, 3, 2]), first_free=10) == [9, 5, 10]


def test_a_group_that_dissolved_gives_its_number_to_nobody() -> None:
    table = np.array([[10, 10, 10, 10, 10]])
    assert matching.numbers(table, [1], np.full(5, 10), first_free=2) == [2, 3, 4, 5, 6]


def test_agreement_by_hand() -> None:
    assert matching.adjusted_rand(np.array([[3, 0], [0, 4]])) == 1.0
    # Hubert and Arabie: (sum of pairs - expected) / (largest - expected).
    assert matching.adjusted_rand(np.array([[2, 1], [1, 2]])) == pytest.approx((2 - 36 / 15) / (6 - 36 / 15))
    assert matching.adjusted_rand(np.zeros((2, 2), int)) is None


def test_traits_are_the_clearest_deviations() -> None:
    centres = np.array([[2.0, -0.7, 0.6], [0.1, 0.2, -0.3], [1.0, -0.9, -0.8]])
    names = ["basket", "recency", "christmas"]
    assert matching.traits(centres, names) == [
        ["basket+", "recency-", "christmas+"], [], ["basket+", "recency-", "christmas-"],
    ]  # fmt: skip
