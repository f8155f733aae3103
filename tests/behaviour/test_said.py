"""What a file says in passing of its products and shoppers."""

import statistics
from collections import defaultdict
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from behaviour import said
from behaviour.models import Product, Shopper
from tests.behaviour.test_uploads import SLICE, imported

COUNTED = st.dictionaries(
    st.tuples(st.sampled_from(["cup", "pot"]), st.integers(1, 9).map(float)), st.integers(0, 3), min_size=1
)


@given(COUNTED)
def test_a_median_counts_each_price_as_often_as_it_was_paid(counted: dict[tuple[str, float], int]) -> None:
    paid, seen = defaultdict(list), defaultdict(list)
    for (sku, price), n in counted.items():
        paid[sku] += [price] * n
        seen[sku].append(price)
    rows = [(sku, price, n) for (sku, price), n in counted.items()]
    found = said._medians(pl.DataFrame(rows, schema=["item_id", "each", "len"], orient="row"))
    assert dict(found.rows()) == {sku: statistics.median(paid[sku] or seen[sku]) for sku in seen}


@pytest.mark.django_db
def test_what_does_not_fit_into_memory_is_filled_in_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(said, "MOST_KEPT", 50)
    filled: list[Any] = []
    fill = said._fill
    monkeypatch.setattr(said, "_fill", lambda what, *more: (filled.append(what), fill(what, *more)))
    monkeypatch.setattr("behaviour.tables.SIZE", 400)
    imported(SLICE.read_bytes())
    assert len(filled) > len(said.WHAT)
    assert not Product.objects.filter(name="").exists()
    assert not Product.objects.filter(price=None).exists()
    assert Shopper.objects.filter(country="United Kingdom").exists()
