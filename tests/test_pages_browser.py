"""The pages outside the composer in a real browser: quiet, at home, not too wide, usable by everybody.

The campaign pages, the inbox and the senders have tests of their own in campaigns/test_browser.py.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from behaviour import checking, uploads
from behaviour.models import Shopper
from campaigns import content, delivery, planning, senders
from campaigns.models import Campaign, Variant
from recommender import services as recommender
from segments import clustering, list_uploads, lists, predictions, profiles, services, stage_history
from segments.models import Segment, ShopperList
from tests.browser import DIAGONAL, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
N_SHOPPERS, N_PRODUCTS = 30, 6
FILE = b"user_id,item_id,event,timestamp,source\n1,A,view,2026-01-01,ads\n1,A,zap,2026-01-01,ads\n"


@pytest.fixture
def person(admin: Any, shop: Any, settings: Any, live_server: Any) -> Any:
    """Somebody of a small shop, who may open every page."""
    settings.MAILAI_PUBLIC_URL = live_server.url
    admin.is_marketer = admin.is_manager = True
    admin.save()
    return admin


@pytest.fixture
def full(person: Any, make_shopper: Any, make_product: Any, make_event: Any) -> Campaign:
    """A shop with profiles, a model, segments and a campaign that was sent."""
    products = [make_product(name=f"Product {n}", image="", category="Mugs") for n in range(N_PRODUCTS)]
    for n in range(N_SHOPPERS):
        shopper = make_shopper(f"s{n}@mail.example", first_name=f"Nora{n}")
        for k in range(1, 4):
            at = datetime.now(UTC) - timedelta(days=20 * k + n)
            product = products[(n + k) % N_PRODUCTS]
            make_event(shopper, at=at, product=product, order_ref=f"O{n}-{k}", amount=Decimal("9.50"))
    profiles.refresh_profiles(everybody=True)
    predictions.predict()
    clustering.cluster_shoppers()
    services.make_starter_segments()
    stage_history.record_stages()
    recommender.request_training()
    for run_id in recommender.waiting_runs():
        recommender.train(run_id)
    campaign = Campaign.objects.create(
        name="Autumn picks", sender=senders.ensure_demo_inbox(), send_at=datetime.now(UTC)
    )
    Variant.objects.create(campaign=campaign, subject="Three picks", mjml=content.STARTERS[0].mjml)
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.SCHEDULED)
    planning.plan_campaign(campaign.pk)
    delivery.send_due(campaign.pk)
    return campaign


@pytest.fixture
def pages(full: Campaign, person: Any) -> list[str]:
    fresh = uploads.receive_upload(SimpleUploadedFile("a.csv", FILE), "a.csv", by=person)
    done = uploads.receive_upload(SimpleUploadedFile("b.csv", FILE), "b.csv", by=person)
    checking.check_upload(done)
    names = ["analytics:today", "analytics:shoppers", "analytics:search", "segments:list", "segments:new"]
    names += ["segments:overlap", "segments:migration", "segments:groups", "segments:predictions"]
    names += ["recommender:models", "recommender:try", "behaviour:imports", "behaviour:import_new", "behaviour:shop"]
    for name, text in (("Fair", b"s1@mail.example\nelena@else.example\n"), ("Asks", b"a,b\nx,y\nz,w\n")):
        list_uploads.read(list_uploads.receive(BytesIO(text), name=name, filename="fair.csv", by=person).pk)
    lists.freeze(Segment.objects.create(name="Everybody", rule={"all": []}), by=person)
    names += ["segments:lists", "segments:list_new", "accounts:team", "accounts:audit", "accounts:profile"]
    return [
        *(reverse(name) for name in names),
        f"{reverse('segments:migration')}?by=group",
        reverse("analytics:shopper", args=[Shopper.objects.earliest("pk").pseudonym]),
        reverse("analytics:list_add", args=[Shopper.objects.earliest("pk").pseudonym]),
        reverse("segments:detail", args=[Segment.objects.earliest("pk").uuid]),
        *(reverse("segments:list_detail", args=[one.uuid]) for one in ShopperList.objects.all()),
        reverse("analytics:report", args=[full.uuid]),
        reverse("behaviour:import_columns", args=[fresh.uuid]),
        reverse("behaviour:import_check", args=[done.uuid]),
    ]


@DIAGONAL
def test_every_page_is_quiet_fits_and_is_usable(
    visit: Visit, person: Any, pages: list[str], width: int, theme: str
) -> None:
    watched = visit(pages[0], person, width=width, theme=theme)
    for path in pages:
        watched.open(path)
        watched.check()


@DIAGONAL
def test_the_first_run_is_quiet_fits_and_is_usable(visit: Visit, person: Any, width: int, theme: str) -> None:
    watched = visit("/", person, width=width, theme=theme)
    watched.check()
    for path in ("/?loading=demo", "/segments/", "/segments/lists/", "/shoppers/", "/recommender/", "/data/imports/"):
        watched.open(path) if "loading" not in path else watched.page.goto(watched.base + path)
        watched.check()
