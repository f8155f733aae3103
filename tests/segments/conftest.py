"""A small shop with shoppers of every kind."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def buy(make_event: Any) -> Any:
    """Let a shopper order: so many days ago, for so much, of a product."""

    def order(shopper: Any, days_ago: float, amount: float = 10, *, product: Any = None, ref: str = "") -> Any:
        at = NOW - timedelta(days=days_ago)
        return make_event(shopper, at=at, amount=Decimal(str(amount)), product=product, order_ref=ref)

    return order
