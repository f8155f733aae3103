"""A small shop that can send."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from behaviour.models import Identity
from campaigns import content, senders
from campaigns.models import Campaign, Variant
from tests.campaigns.tastes import KINDS, send_to_tastes

NOW = datetime.now(UTC)


@pytest.fixture
def products(make_product):
    return [
        make_product(sku=f"p{n}", name=f"Product {n}", price=Decimal("10.00") + n, url=f"https://shop.example/p{n}")
        for n in range(6)
    ]


@pytest.fixture
def shoppers(make_shopper, make_event, products):
    """Eight shoppers with consent and one order each."""
    made = [make_shopper(f"s{n}@mail.example", first_name=f"Name{n}", external_id=f"s{n}") for n in range(8)]
    for n, shopper in enumerate(made):
        make_event(shopper, at=NOW - timedelta(days=n + 1), product=products[n % 3], amount=Decimal("10.00"))
    return made


@pytest.fixture
def inbox(shop):
    return senders.ensure_demo_inbox()


@pytest.fixture
def make_campaign(shop):
    def make(sender, *, mjml="", subject="{{ first_name|Hello }}, look", **fields):
        fields.setdefault("name", "Autumn picks")
        fields.setdefault("control_share", 0.0)
        campaign = Campaign.objects.create(sender=sender, **fields)
        Variant.objects.create(campaign=campaign, subject=subject, mjml=mjml or content.STARTERS[0].mjml)
        return campaign

    return make


@pytest.fixture
def desk(client_for, marketer):
    """The browser of a marketer."""
    return client_for(marketer)


@pytest.fixture
def ready(shoppers, inbox, make_campaign):
    """A draft that may leave."""
    return make_campaign(inbox)


@pytest.fixture
def shop_of_tastes(inbox, make_product):
    """Half of the shoppers click emails about mugs, the others those about bags; ten campaigns, in turn, to all."""
    for kind in KINDS:
        make_product(sku=kind, category=f"Home > {kind}", url=f"https://shop.example/{kind}", name=f"One of the {kind}")
    return send_to_tastes(inbox, likes=0.5, others=0.05)


@pytest.fixture
def addresses(shop_of_tastes):
    """Nobody is mailed without an address."""
    Identity.objects.bulk_create(
        Identity(shopper=shopper, email=f"t{n}@mail.example", email_index=f"index-{n}")
        for n, shopper in enumerate(shop_of_tastes)
    )
    return shop_of_tastes
