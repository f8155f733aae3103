"""The demo shop comes, is completed, and goes, and nothing real is touched."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import resvg_py
from django.conf import settings as django_settings
from django.core.management import call_command
from django.urls import reverse

from behaviour import bulk, consent, demo, identity, tasks
from behaviour.demo import catalogue, loading, source
from behaviour.models import Consent, Event, Identity, Product, Shop, Shopper, Suppression, Upload
from campaigns.models import Campaign, Message, Sender
from mailai.accounts.models import AuditEntry
from segments.models import Segment

ORDERS = 200
NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)

pytestmark = pytest.mark.django_db


draw_once = cache(resvg_py.svg_to_bytes)


@pytest.fixture(autouse=True)
def _pictures_are_drawn_once_a_run(monkeypatch):
    monkeypatch.setattr(resvg_py, "svg_to_bytes", draw_once)


@pytest.fixture
def demo_shop(db):
    return demo.load_demo_shop(n_orders=ORDERS, now=NOW)


def test_rows_that_a_file_brought_or_a_merge_moved_do_not_stand_in_the_way(demo_shop, make_shopper):
    events = Event.objects.count()
    lost, merged = Product.objects.order_by("pk").first(), Shopper.objects.order_by("pk").first()
    unfinished = Upload.objects.create(kind="events", hidden=True, state=Upload.State.FAILED)
    Product.objects.filter(pk=lost.pk).update(upload=unfinished)
    real = make_shopper("real@mail.example", external_id="real")
    Event.objects.filter(shopper=merged).update(shopper=real)
    Shopper.objects.filter(pk=merged.pk).update(merged_into=real)
    again = demo.load_demo_shop(n_orders=ORDERS, now=NOW)
    assert Event.objects.count() == events
    assert again.shoppers == demo_shop.shoppers
    assert Product.objects.filter(pk=lost.pk).exists(), "the demo stands on it"
    assert Identity.objects.get(shopper=real).email == "real@mail.example"
    demo.remove_demo_shop()
    assert list(Shopper.everything.values_list("external_id", flat=True)) == ["real"]
    assert not Event.everything.exists()


def test_a_shopper_whom_a_file_named_like_one_of_the_demo_stays_a_real_one(make_shopper):
    first = source.read_year(ORDERS).shoppers["shopper"].iloc[0]
    real = make_shopper("real@mail.example", external_id=f"demo-{first}")
    demo.load_demo_shop(n_orders=ORDERS, now=NOW)
    assert Event.objects.filter(shopper=real).exists()
    assert not Consent.objects.filter(shopper=real).exists()
    demo.remove_demo_shop()
    assert Shopper.objects.get() == real
    assert not Event.everything.exists()


def test_the_whole_year_is_in_the_project_and_small():
    year = source.read_year()
    assert (len(year.orders), len(year.lines), len(year.shoppers), len(year.products)) == (18402, 391150, 4334, 3659)
    assert len(year.lines) == source.N_LINES
    assert sum(file.stat().st_size for file in source.DATA.iterdir()) < 2_500_000
    assert "CC BY 4.0" in (source.DATA / "SOURCE.md").read_text()


def test_nearly_every_event_is_in_a_named_category():
    year = source.read_year()
    looks = [catalogue.look(name) for name in year.products["name"]]
    named = [bool(look.category) for look in looks]
    assert sum(named[product] for product in year.lines["product"]) / len(year.lines) >= 0.95
    assert 12 <= len({look.category.split(" > ")[0] for look in looks if look.category}) <= 20
    drawings = Path(django_settings.NODE_MODULES) / "@tabler/icons/icons/outline"
    assert all((drawings / f"{look.icon}.svg").exists() for look in looks)


@pytest.mark.parametrize(
    ("description", "name", "category", "icon"),
    [
        ("SET OF 3 CAKE TINS  PANTRY DESIGN ", "Set of 3 Cake Tins Pantry Design", "Baking > Cake tins", "cake"),
        ("WHITE T-LIGHT HOLDER", "White T-Light Holder", "Candles and lights > T-light holders", "candle"),
        ("ALARM CLOCK BAKELIKE RED", "Alarm Clock Bakelike Red", "Clocks and pictures > Clocks", "clock"),
        ("GIANT 50'S  CRACKER", "Giant 50's Cracker", "Christmas > Paper chains and crackers", "confetti"),
        ("CHILDREN'S SPACEBOY MUG", "Children's Spaceboy Mug", "Children > Children's tableware", "mug"),
        ("HOT BATHS METAL SIGN", "Hot Baths Metal Sign", "Signs and doors > Metal signs", "align-box-center-middle"),
    ],
)  # fmt: skip
def test_a_line_of_the_ledger_becomes_a_product(description, name, category, icon):
    look = catalogue.look(description)
    assert (look.name, look.category, look.icon) == (name, category, icon)


def test_postage_is_not_offered():
    assert not catalogue.look("Next Day Carriage").on_sale


@pytest.mark.parametrize("day", [datetime(2026, 11, 20, 12, tzinfo=UTC) + timedelta(days=n) for n in range(9)])
def test_the_year_ends_in_the_week_before_today(day):
    weeks = source.weeks_to_move(datetime(2011, 12, 9).date(), day.date())
    end = datetime(2011, 12, 9).date() + timedelta(weeks=weeks)
    assert timedelta(days=1) <= day.date() - end <= timedelta(days=7)


def test_weekday_and_hour_stay_when_the_year_moves(demo_shop):
    first = source.read_year(ORDERS).orders.iloc[0]
    at = Event.objects.filter(order_ref=str(first["order"])).first().at.astimezone(Shop.current().zone)
    assert (at.weekday(), at.hour, at.minute) == (first["at"].weekday(), first["at"].hour, first["at"].minute)
    last = Event.objects.latest("at").at
    assert NOW - timedelta(days=7) <= last <= NOW - timedelta(hours=9)


def test_amounts_are_exact(demo_shop):
    year = source.read_year(ORDERS)
    pence = int((year.lines["quantity"].astype("int64") * year.lines["pence"]).sum())
    assert sum(round(amount * 100) for amount in Event.objects.values_list("amount", flat=True)) == pence


def test_every_shopper_has_a_name_a_place_and_a_different_example_address(demo_shop):
    identities = identity.identities_of(Shopper.objects.values_list("pk", flat=True))
    addresses = [row.email for row in identities.values() if row.email]
    assert len(identities) == demo_shop.shoppers
    assert len(set(addresses)) == len(addresses)
    assert all(address.endswith(".example") for address in addresses)
    assert all(row.first_name and row.last_name for row in identities.values())
    assert not Shopper.objects.filter(timezone="").exists()
    assert not Shopper.objects.filter(demo=False).exists()


def test_every_reason_not_to_mail_can_be_seen(demo_shop):
    counts = consent.exclusion_counts(Shopper.objects.all())
    assert set(counts) == {"", "no_consent", "no_address", "suppressed"}
    assert counts[""] / sum(counts.values()) > 0.75
    assert Consent.objects.filter(source="demo", state="withdrawn").exists()


def test_products_have_pictures_stock_and_a_page(demo_shop, client, settings):
    product = Product.objects.exclude(stock=0).first()
    picture = Path(settings.MEDIA_ROOT) / product.image
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert Product.objects.filter(stock=0).exists()
    assert len(set(Product.objects.values_list("image", flat=True))) < demo_shop.products / 2
    page = client.get(reverse("behaviour:demo_product", args=[product.sku]))
    assert page.status_code == 200
    assert product.name in page.content.decode()


def test_a_real_product_has_no_demo_page(client, make_product):
    product = make_product(sku="real-1")
    assert client.get(reverse("behaviour:demo_product", args=[product.sku])).status_code == 404


def test_loading_twice_doubles_nothing_and_the_second_time_is_silent(demo_shop):
    again = demo.load_demo_shop(n_orders=ORDERS, now=NOW + timedelta(days=30))
    assert (again.shoppers, again.products, again.events) == (demo_shop.shoppers, demo_shop.products, demo_shop.events)
    assert Event.objects.count() == demo_shop.events
    assert Identity.objects.count() == demo_shop.shoppers
    assert AuditEntry.objects.filter(action="demo.load").count() == 1


def test_a_load_that_was_killed_is_completed_with_the_same_times(monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 500)
    whole = bulk.insert

    def die_in_the_middle(model, columns, **options):
        if Event.objects.exists():
            raise KeyboardInterrupt
        return whole(model, columns, **options)

    monkeypatch.setattr(bulk, "insert", die_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        demo.load_demo_shop(n_orders=ORDERS, now=NOW)
    monkeypatch.setattr(bulk, "insert", whole)
    half = Event.objects.count()
    done = demo.load_demo_shop(n_orders=ORDERS, now=NOW + timedelta(days=15))
    assert 0 < half < done.events == len(source.read_year(ORDERS).lines)
    # The rest was not moved by two more weeks.
    assert Event.objects.latest("at").at < NOW


def test_links_follow_the_address_of_the_installation(demo_shop, settings):
    settings.MAILAI_PUBLIC_URL = "https://mail.shop.example"
    demo.load_demo_shop(n_orders=ORDERS, now=NOW)
    assert not Product.objects.exclude(url__startswith="https://mail.shop.example/demo-shop/demo-").exists()


def test_a_named_shop_keeps_its_name(shop):
    demo.load_demo_shop(n_orders=20, now=NOW)
    shop.refresh_from_db()
    assert shop.name == "Northlane"


@pytest.fixture
def real_rows(make_shopper, make_product, make_event):
    shopper, product = make_shopper("real@shop.example"), make_product(sku="real")
    consent.give([shopper.pk], "marketing", source="upload", at=NOW)
    Suppression.objects.create(email_index="f" * 32, reason="bounced")
    make_event(shopper, product=product)
    Upload.objects.create(filename="real.csv", kind="events")
    return shopper, product


def test_removal_takes_the_demo_and_leaves_what_is_real(real_rows, demo_shop, admin, settings):
    shopper, product = real_rows
    Upload.objects.create(filename="demo.csv", kind="events", demo=True)
    removed = demo.remove_demo_shop(by=admin)
    assert removed["behaviour.Shopper"] == demo_shop.shoppers
    assert removed["behaviour.Event"] == demo_shop.events
    assert not demo.has_demo()
    assert list(Shopper.objects.all()) == [shopper]
    assert list(Product.objects.all()) == [product]
    assert Event.objects.get().product == product
    assert Upload.objects.get().filename == "real.csv"
    assert Identity.objects.count() == Consent.objects.count() == Suppression.objects.count() == 1
    assert not list((Path(settings.MEDIA_ROOT) / "products/demo").glob("*.png"))
    assert (Shop.current().name, Shop.current().postal_address, Shop.current().url) == ("My shop", "", "")
    assert AuditEntry.objects.get(action="demo.remove").user == admin
    assert demo.remove_demo_shop() == {}


def test_removal_takes_flagged_rows_of_every_app_in_an_order_that_works(demo_shop):
    sender = Sender.objects.create(name="Inbox", kind="demo_inbox", from_email="a@b.example", demo=True)
    segment = Segment.objects.create(name="Demo", rule={"all": []}, demo=True)
    campaign = Campaign.objects.create(name="Demo", segment=segment, sender=sender, demo=True)
    Message.objects.create(
        campaign=campaign, shopper=Shopper.objects.first(), variant=campaign.variants.create(label="A"),
        arm="A", probability=1, draw=0.5, due_at=NOW,
    )  # fmt: skip
    demo.remove_demo_shop()
    assert not any(model.objects.exists() for model in (Sender, Segment, Campaign, Message))


def test_a_demo_row_that_a_real_campaign_needs_becomes_the_users_own(demo_shop):
    segment = Segment.objects.create(name="Demo", rule={"all": []}, demo=True)
    Campaign.objects.create(name="My own", segment=segment)
    demo.remove_demo_shop()
    segment.refresh_from_db()
    assert not segment.demo
    assert Campaign.objects.get().segment == segment


def test_the_task_of_removal_can_run_twice(monkeypatch, admin):
    monkeypatch.setattr(demo, "load_demo_shop", lambda **options: loading.load_demo_shop(n_orders=ORDERS, **options))
    demo.load_demo_shop(by=admin)
    tasks.remove_demo(admin.pk)
    tasks.remove_demo(admin.pk)
    assert not demo.has_demo()
    assert AuditEntry.objects.filter(user=admin, action__startswith="demo.").count() == 2


def test_the_command_tells_what_was_loaded(capsys):
    call_command("load_demo", "--orders", "20", "--json")
    assert '"events": ' in capsys.readouterr().out


@pytest.mark.parametrize("orders", ["0", "-1"])
def test_the_command_loads_at_least_one_order(capsys, orders):
    with pytest.raises(SystemExit):
        call_command("load_demo", f"--orders={orders}", "--json")
    assert capsys.readouterr().out.strip() == '{"error": "Ask for at least one order."}'


def test_only_an_admin_removes(client_for, marketer, manager):
    for user in (marketer, manager):
        assert client_for(user).get(reverse("behaviour:remove_demo")).status_code == 403


def test_removal_names_what_is_lost_before_it_starts(
    client_for, admin, demo_shop, monkeypatch, django_capture_on_commit_callbacks
):
    started = []
    monkeypatch.setattr(tasks.remove_demo, "delay", lambda *args: started.append(args))
    browser = client_for(admin)
    page = browser.get(reverse("behaviour:remove_demo")).content.decode()
    assert str(demo_shop.shoppers) in page
    assert "Keep" in page
    assert not started
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(reverse("behaviour:remove_demo"))
    assert started == [(admin.pk,)]
    assert demo.has_demo()
