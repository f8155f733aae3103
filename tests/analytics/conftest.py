"""A small campaign whose figures can be counted by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.models import Campaign, LinkClick, Message, TrackedLink, Variant
from segments.models import Prediction, PredictionRun

SENT_AT = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
NOW = SENT_AT + timedelta(days=8)


@pytest.fixture
def make_campaign(db: None) -> Any:
    def make(**fields: Any) -> Campaign:
        fields.setdefault("name", "Autumn picks")
        fields.setdefault("state", "finished")
        fields.setdefault("send_at", SENT_AT)
        campaign = Campaign.objects.create(**fields)
        Variant.objects.create(campaign=campaign, label="A", subject="Three picks for you")
        return campaign

    return make


@pytest.fixture
def make_message(make_shopper: Any) -> Any:
    """Make a message; ``hours`` maps opened, clicked, ordered, … to hours after it was sent."""

    def make(
        campaign: Campaign, state: str = "sent", *, hours: dict[str, float] | None = None, **fields: Any
    ) -> Message:
        fields.setdefault("shopper", fields.pop("shopper", None) or make_shopper())
        fields.setdefault("due_at", campaign.send_at)
        fields.setdefault("arm", {"control": "control", "skipped": ""}.get(state, "A"))
        if state == "sent":
            fields.setdefault("sent_at", campaign.send_at)
            fields.setdefault("variant", campaign.variants.first())
        for name, after in (hours or {}).items():
            fields[f"{name}_at"] = campaign.send_at + timedelta(hours=after)
        return Message.objects.create(campaign=campaign, state=state, probability=0.9, draw=0.5, **fields)

    return make


@pytest.fixture
def counted(shop: Any, make_campaign: Any, make_message: Any, make_event: Any, make_product: Any) -> Any:
    """Twelve sent, two held back, two skipped, one failed, one in doubt; see the numbers in test_queries.py."""
    campaign = make_campaign()
    mug = make_product(name="Mug", sku="MUG")
    link = TrackedLink.objects.create(campaign=campaign, number=1, url="https://shop.example/", label="Shop")
    pick = TrackedLink.objects.create(campaign=campaign, number=2, pick=0)
    picture = TrackedLink.objects.create(campaign=campaign, number=3, pick=0)
    for _n in range(6):
        make_message(campaign)
    make_message(campaign, hours={"bounced": 1})
    make_message(campaign, hours={"machine_opened": 0.1})
    make_message(campaign, hours={"opened": 2, "unsubscribed": 3})
    # Pictures were off: a click without an open.
    silent = make_message(campaign, hours={"clicked": 5})
    buyer = make_message(campaign, hours={"opened": 1, "clicked": 1.5, "ordered": 2}, revenue=Decimal("30.00"))
    make_message(campaign, hours={"opened": 50})
    make_message(campaign, "failed")
    make_message(campaign, "in_doubt")
    make_message(campaign, "skipped", skip_reason="no_consent")
    # She was drawn and said no before her mail left.
    make_message(campaign, "skipped", skip_reason="suppressed", arm="A")
    held_back = make_message(campaign, "control")
    make_message(campaign, "control")
    LinkClick.objects.create(message=silent, link=link, first_at=SENT_AT, n_clicks=2)
    LinkClick.objects.create(message=buyer, link=pick, product=mug, first_at=SENT_AT, n_clicks=1)
    LinkClick.objects.create(message=buyer, link=picture, product=mug, first_at=SENT_AT, n_clicks=4)
    # One order of two lines in the window, one too late, one before; the held-back shopper orders without a mail.
    for amount in ("10.00", "20.00"):
        make_event(buyer.shopper, at=SENT_AT + timedelta(hours=2), order_ref="o1", amount=Decimal(amount), product=mug)
    make_event(buyer.shopper, at=SENT_AT + timedelta(days=7), order_ref="o2", amount=Decimal("99.00"), product=mug)
    make_event(silent.shopper, at=SENT_AT - timedelta(seconds=1), order_ref="o3", amount=Decimal("99.00"), product=mug)
    make_event(held_back.shopper, at=SENT_AT + timedelta(days=6), order_ref="o4", amount=Decimal("8.00"), product=mug)
    make_event(held_back.shopper, at=SENT_AT + timedelta(days=6), order_ref="o5", amount=Decimal("4.00"), product=mug)
    return campaign


@pytest.fixture
def predict(db: None) -> Any:
    """Write what is expected of a shopper; every figure can be said otherwise."""

    def make(shopper: Any, **fields: Any) -> Prediction:
        run = PredictionRun.objects.first() or PredictionRun.objects.create(as_of=NOW, state="done")
        names = [field.name for field in Prediction._meta.fields if field.get_internal_type() == "FloatField"]
        plain = dict.fromkeys(names, 0.1) | {"next_category_chance": None}
        ranks = dict.fromkeys(("value_percentile", "order_percentile", "churn_percentile"), 50)
        return Prediction.objects.create(shopper=shopper, run=run, **plain | ranks | fields)

    return make
