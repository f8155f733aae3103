"""The draw behind a message: edges by hand, probabilities that sum to one, frequencies that keep them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.core.decisions import CONTROL, Decision, choose

HALVES = [("A", 0.5), ("B", 0.5)]
shares = st.lists(st.floats(0.001, 1), min_size=1, max_size=3)
control = st.floats(0, 0.99)
draws = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("draw", "decision"),
    [
        (0.0, Decision(CONTROL, 0.2)),
        (0.19999, Decision(CONTROL, 0.2)),
        (0.2, Decision("A", 0.4)),
        (0.59999, Decision("A", 0.4)),
        (0.60001, Decision("B", 0.4)),
        (0.99999, Decision("B", 0.4)),
    ],
)
def test_the_edges_of_the_draw(draw, decision):
    found = choose(draw, 0.2, HALVES)
    assert found.arm == decision.arm
    assert found.probability == pytest.approx(decision.probability)


def test_without_a_control_group_nobody_is_held_back():
    assert choose(0.0, 0.0, [("A", 1.0)]) == Decision("A", 1.0)


@given(control, shares)
def test_the_probabilities_of_all_arms_sum_to_one(held_back, cuts):
    variants = [(str(number), share) for number, share in enumerate(cuts)]
    edge, found = held_back, {}
    for label, share in variants:
        width = (1 - held_back) * share / sum(cuts)
        middle = choose(min(edge + width / 2, 1 - 1e-12), held_back, variants)
        assert middle.arm == label
        found[label] = middle.probability
        edge += width
    assert held_back + sum(found.values()) == pytest.approx(1)


@given(draws, control, shares)
def test_every_draw_finds_an_arm_that_was_possible(draw, held_back, cuts):
    decision = choose(draw, held_back, [(str(number), share) for number, share in enumerate(cuts)])
    assert 0 < decision.probability <= 1
    assert (decision.arm == CONTROL) == (draw < held_back)


def test_many_draws_keep_the_probabilities():
    draw, n, counts = random.Random(7), 40_000, {}
    variants = [("A", 0.7), ("B", 0.3)]
    for _turn in range(n):
        decision = choose(draw.random(), 0.1, variants)
        counts[decision] = counts.get(decision, 0) + 1
    assert {decision.arm for decision in counts} == {CONTROL, "A", "B"}
    for decision, count in counts.items():
        # Five standard errors: one run in two million fails by chance, and the seed is fixed.
        error = 5 * (decision.probability * (1 - decision.probability) / n) ** 0.5
        assert count / n == pytest.approx(decision.probability, abs=error)


@pytest.mark.parametrize(("draw", "variants"), [(0.5, []), (1.0, HALVES), (-0.1, HALVES)])
def test_a_draw_outside_or_no_variants_are_refused(draw, variants):
    with pytest.raises(ValueError, match="a decision needs"):
        choose(draw, 0.1, variants)
