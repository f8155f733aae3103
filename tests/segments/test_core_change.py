"""Sets of ids, sudden changes, overlaps and moves against sets worked out by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.core import lifecycle, members, moves, overlap, rfm_groups, sudden
from segments.core.order_book import make_book

IDS = st.frozensets(st.one_of(st.integers(1, 50), st.integers(1, 2**62)), max_size=60)


def array(ids: frozenset[int]) -> np.ndarray:
    return np.array(sorted(ids), dtype=np.int64)


@given(IDS)
def test_what_is_packed_comes_out_again(ids: frozenset[int]) -> None:
    assert members.unpack(members.pack(array(ids))).tolist() == sorted(ids)


@given(IDS, IDS)
def test_who_came_and_left_is_the_difference_of_sets(before: frozenset[int], after: frozenset[int]) -> None:
    assert members.difference(array(before), array(after)) == (len(after - before), len(before - after))
    assert array(before)[members.living(array(before), array(after))].tolist() == sorted(before & after)


def test_a_million_ids_take_little_room() -> None:
    ids = np.cumsum(np.random.default_rng(1).integers(1, 20, 1_000_000))
    assert len(members.pack(ids)) < 1_000_000


@pytest.mark.parametrize(
    ("changes", "change", "days", "before", "told"),
    [
        ([1, -2, 3, 0, 2, -1, 1], 60, 1, 1000, True),
        ([1, -2, 3, 0, 2, -1, 1], -60, 1, 1000, True),
        # Below five in a hundred, or below twenty.
        ([1, -2, 3, 0, 2, -1, 1], 49, 1, 1000, False),
        ([1, -2, 3, 0, 2, -1, 1], 19, 1, 100, False),
        ([1, -2, 3, 0, 2, -1, 1], 20, 1, 100, True),
        # Usual for a segment that goes up and down, and for one that always grows by sixty.
        ([50, -60, 40, -45, 55, -50, 48], 60, 1, 1000, False),
        ([60, 61, 59, 60, 62, 58, 60], 60, 1, 1000, False),
        # Sixty in sixty days is one a day.
        ([1, -2, 3, 0, 2, -1, 1], 60, 60, 1000, False),
        # A day that was wild before does not hide one that is wild now.
        ([1, -2, 3, 0, 2, -1, 500], 60, 1, 1000, True),
        # Nothing ever changed: one shopper is still usual.
        ([0, 0, 0, 0, 0, 0, 0], 20, 1, 100, True),
    ],
)
def test_only_what_is_far_from_usual_is_told(
    changes: list[float], change: int, days: int, before: int, told: bool
) -> None:
    known = sudden.usual(changes)
    assert known is not None
    assert sudden.is_sudden(change, days, before, known) is told


def test_the_spread_is_the_median_distance_from_the_median() -> None:
    known = sudden.usual([1, 2, 3, 4, 5, 6, 100])
    assert known == sudden.Usual(4.0, pytest.approx(2 * 1.4826))
    assert sudden.usual([1, 2, 3, 4, 5, 6]) is None


@given(st.lists(st.frozensets(st.integers(0, 30)), min_size=2, max_size=6))
def test_combinations_are_those_of_sets(sets: list[frozenset[int]]) -> None:
    where = {one: tuple(n for n, group in enumerate(sets) if one in group) for one in frozenset().union(*sets)}
    masks = Counter(sum(1 << n for n in places) for places in where.values())
    found = overlap.combinations(masks, len(sets))
    assert {one.inside: one.n for one in found} == Counter(where.values())
    assert [one.n for one in found] == sorted((one.n for one in found), reverse=True)
    assert members.masks([array(one) for one in sets]) == masks
    assert overlap.sizes(masks, len(sets)) == [len(one) for one in sets]
    assert overlap.shared(masks, len(sets)) == [[len(a & b) for b in sets] for a in sets]


def test_each_pair_of_scores_has_one_group_and_each_group_its_scores() -> None:
    pairs = [pair for group in rfm_groups.GROUPS for pair in rfm_groups.scores_of(group)]
    assert sorted(pairs) == [(r, f) for r in range(1, 6) for f in range(1, 6)]
    assert rfm_groups.scores_of("champions") == [(5, 4), (5, 5)]
    assert rfm_groups.scores_of("none") == []
    found = rfm_groups.groups(np.array([5, 1, 3]), np.array([5, 5, 3]))
    assert [rfm_groups.GROUPS[code] for code in found] == ["champions", "cant_lose", "attention"]


def test_the_past_is_scored_by_the_fifths_of_the_last_day() -> None:
    # Five shoppers; today they ordered 1 to 5 times, the last time 10, 20, .. 50 days ago.
    lines = [(who, 100.0 - 10 * who - 20 * k) for who in range(1, 6) for k in range(6 - who)]
    ids, days = (np.array(column) for column in zip(*lines, strict=True))
    book = make_book(ids, days.astype(float), np.ones(len(lines)), np.zeros(len(lines), bool))
    past, today = moves.codes_at(book, [55.0, 100.0], lifecycle.Thresholds())["group"]
    assert [rfm_groups.GROUPS[code] for code in today] == [
        "champions", "loyal", "attention", "hibernating", "hibernating",
    ]  # fmt: skip
    # Shopper 1 had ordered on 50, 30 and 10 by then: 5 days ago is the best fifth, three times the third. Shopper 4 had
    # ordered once, on 40.
    assert [rfm_groups.GROUPS[code] for code in past] == [
        "potential", "potential", "potential", "new", "new",
    ]  # fmt: skip


def test_stages_of_the_past_are_those_of_today_on_that_day() -> None:
    # Shopper 7 orders on days 10, 11, 12; shopper 8 on day 100.
    book = make_book(np.array([7, 7, 7, 8]), np.array([12.0, 10.0, 11.0, 100.0]), np.ones(4), np.zeros(4, bool))
    found = moves.codes_at(book, [5, 10.5, 12.5, 102.0, 103.0, 200.0], lifecycle.Thresholds())["stage"]
    named = [[moves.STAGES[code] for code in row] for row in found]
    assert named == [
        ["lead", "lead"], ["new", "lead"], ["loyal", "lead"], ["at_risk", "new"], ["at_risk", "new"],
        ["dormant", "at_risk"],
    ]  # fmt: skip
    table = moves.moves(found[3], found[5], len(moves.STAGES))
    assert table.sum() == 2
    assert table[moves.STAGES.index("at_risk"), moves.STAGES.index("dormant")] == 1
    assert moves.counts(found[5], moves.STAGES) == {"new": 0, "promising": 0, "loyal": 0, "at_risk": 1, "dormant": 1}
    assert moves.unpack(moves.pack(found[5])).tolist() == found[5].tolist()
