import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from mailai.stats import wilson


def test_wilson_matches_the_worked_example_of_newcombe() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29, without correction
    for k, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    k, n = counts
    reference = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_without_a_trial_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("k", "n", "level"), [(2, 1, 0.95), (-1, 1, 0.95), (1, 2, 0), (1, 2, 1)])
def test_nonsense_is_refused(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        wilson(k, n, level)
