"""Many rows in few statements: whatever their number, each is there once."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from behaviour import bulk
from behaviour.models import StockChange
from segments.models import ShopperList, ShopperListMember

pytestmark = pytest.mark.django_db


def changes(product: Any, stocks: list[int]) -> pl.DataFrame:
    at = pl.lit(datetime(2026, 1, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"stock": stocks}).with_columns(at=at, product_id=pl.lit(product.pk))


# One row, where every column says the same; a whole statement of SQLite's; more than one, and a rest.
@pytest.mark.parametrize("n", [1, 2, 3000, 6001])
def test_each_row_is_written_once(make_product: Any, n: int) -> None:
    product = make_product()
    StockChange.objects.all().delete()
    assert bulk.insert_frame(StockChange, changes(product, list(range(n)))) == n
    assert sorted(StockChange.objects.values_list("stock", flat=True)) == list(range(n))


def test_a_single_row_of_numbers_is_written(make_shopper: Any) -> None:
    kept = ShopperList.objects.create(name="Friends", source=ShopperList.Source.UPLOADED)
    frame = pl.DataFrame({"list_id": [kept.pk], "shopper_id": [make_shopper().pk]})
    assert bulk.insert_frame(ShopperListMember, frame) == 1
    assert kept.members.count() == 1
