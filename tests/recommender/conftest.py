"""What the tests of the recommender share."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from behaviour.models import Event, Product, Shopper
from recommender import services
from recommender.models import TrainingRun

NOW = datetime.now(UTC).replace(microsecond=0)
N_TASTES, N_PRODUCTS = 4, 10


@pytest.fixture(autouse=True)
def two_algorithms(monkeypatch):
    """Train the baseline and one personal model; that every algorithm can be trained is shown by the contract."""
    monkeypatch.setattr(services, "AUTOMATIC", ("popular", "user_based"))


@pytest.fixture
def tastes(db):
    """Eighty shoppers of four tastes; each buys from the ten products of her taste, month after month."""
    rng = np.random.default_rng(7)
    products = [
        Product(
            sku=f"p{i}", name=f"Product {i}", image="products/a.png", price=5 + i,
            category=f"Range > Taste {i // N_PRODUCTS}",
        )
        for i in range(N_TASTES * N_PRODUCTS)
    ]  # fmt: skip
    products = Product.objects.bulk_create(products)
    shoppers = Shopper.objects.bulk_create([Shopper(external_id=f"s{i}") for i in range(80)])
    events = []
    for number, shopper in enumerate(shoppers):
        taste = number % N_TASTES
        for day in range(100, 0, -10):
            own = products[taste * N_PRODUCTS + int(rng.integers(N_PRODUCTS))]
            at = NOW - timedelta(days=day)
            events.append(Event(shopper=shopper, product=own, kind="purchase", at=at, dedupe_key=uuid4()))
    Event.objects.bulk_create(events)
    return {"shoppers": shoppers, "products": products}


@pytest.fixture
def train():
    """Train algorithms to the end and return their runs."""

    def train(*names, **model):
        runs = [TrainingRun.objects.create(algorithm=name, params={"model": model}) for name in names]
        return [services.train(run.pk) for run in runs]

    return train
