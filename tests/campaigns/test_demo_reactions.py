"""Demo shoppers answer their mails; nobody else is ever touched."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from behaviour.models import Event, Shop
from campaigns import addresses, demo_mail, demo_reactions, tracking
from campaigns.demo_reactions import react
from campaigns.models import Campaign, InboxMail, LinkClick, Message, Sender, TrackedLink
from recommender.picks import Pick

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=11)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _switched_on(shop):
    Shop.objects.update(demo_reacts=True)


@pytest.fixture
def products(make_product):
    return [
        make_product(name="Red Mug", category="Tableware > Mugs"),
        make_product(name="Blue Bag", category="Bags > Totes"),
    ]


@pytest.fixture
def campaign(products):
    sender = Sender.objects.create(name="Inbox", kind="demo_inbox", from_email="shop@shop.example")
    campaign = Campaign.objects.create(name="Autumn", sender=sender)
    for number, product in enumerate(products):
        TrackedLink.objects.create(campaign=campaign, number=number, pick=number, label=product.name)
    return campaign


@pytest.fixture
def send(campaign, products, make_shopper):
    """Put a mail with two products into the inbox of a new shopper."""

    def make(number, *, state="sent", **fields):
        fields.setdefault("demo", True)
        shopper = make_shopper(f"s{number}-{state}-{fields['demo']}@demo.example", **fields)
        message = Message.objects.create(
            uuid=UUID(int=number + 1), campaign=campaign, shopper=shopper, state=state, arm="A", probability=0.9,
            draw=0.5, due_at=NOW, sent_at=NOW if state == "sent" else None,
            picks=[Pick(product.pk, 1.0, "personal", {}).to_json() for product in products],
        )  # fmt: skip
        if state == "sent":
            InboxMail.objects.create(message=message, shopper=shopper, raw=_raw(message, products))
        return message

    return make


def _raw(message, products):
    base, mail = settings.MAILAI_PUBLIC_URL, EmailMessage()
    mail["List-Unsubscribe"] = f"<{base}/u/{message.uuid}>"
    links = "".join(
        f'<a href="{base}/c/{message.uuid}-{number}"><img src="{base}/media/a.png" alt="{product.name}"></a>'
        for number, product in enumerate(products)
    )
    mail.set_content("text")
    mail.add_alternative(f'{links}<img src="{base}/o/{message.uuid}.gif" alt="">', subtype="html")
    return mail.as_string()


@pytest.fixture
def wire(monkeypatch, products):
    """Stand in for the tracking addresses: remember each request, and stamp what tracking stamps."""
    calls = []

    def fetch(url, body=None):
        calls.append((url, body))
        kind, token = url.removeprefix(settings.MAILAI_PUBLIC_URL + "/").split("/")
        found = Message.objects.filter(uuid=token[:36])
        if kind == "o":
            found.update(opened_at=NOW + timedelta(minutes=5))
        elif kind == "u":
            found.update(unsubscribed_at=NOW)
        else:
            found.update(clicked_at=NOW + timedelta(minutes=7))
            link = found.get().campaign.links.get(number=int(token[37:]))
            LinkClick.objects.create(
                message=found.get(), link=link, product=products[link.number], first_at=NOW + timedelta(minutes=7)
            )
        return True

    monkeypatch.setattr(demo_reactions, "fetch", fetch)
    monkeypatch.setattr(tracking, "load_spool", lambda: None)
    return calls


def _until_quiet(now=LATER, **options):
    """Run as the scheduler does, until nothing is left to do."""
    return [_run(now, **options) for _round in range(5)]


def _run(now, **options):
    cache.delete(demo_reactions.LOCK)  # the pause between two runs
    return react(now, **options)


def test_some_open_some_click_some_buy(send, wire, monkeypatch):
    monkeypatch.setattr(demo_reactions, "ORDERS", 0.5)
    messages = [send(number) for number in range(150)]
    _until_quiet()
    opened = Message.objects.filter(opened_at__isnull=False).count()
    clicked = Message.objects.filter(clicked_at__isnull=False).count()
    assert 0.3 * len(messages) < opened < 0.55 * len(messages)
    assert 0 < clicked < opened / 2
    assert Event.objects.filter(kind="purchase", order_ref__startswith="order-").exists()
    assert not set(Event.objects.values_list("kind", flat=True)) - {"purchase"}


def test_a_second_run_at_the_same_time_adds_nothing(send, wire):
    for number in range(100):
        send(number)
    _until_quiet()
    requests, events = len(wire), Event.objects.count()
    assert _run(LATER) == demo_reactions.Reactions()
    assert (len(wire), Event.objects.count()) == (requests, events)


def test_two_runs_at_once_are_one(send, wire, monkeypatch):
    for number in range(50):
        send(number)
    monkeypatch.setattr(tracking, "load_spool", lambda: answers.append(react(LATER)))
    answers = []
    assert react(LATER).opened
    assert answers == [demo_reactions.Reactions()]
    assert react(LATER) == demo_reactions.Reactions()


def test_nobody_but_demo_shoppers_is_touched(send, wire):
    real = {str(send(number, demo=False).uuid) for number in range(100)}
    _until_quiet()
    assert real
    assert not wire
    assert not Event.objects.exists()


def test_the_switch_is_off_by_itself(send, wire):
    for number in range(50):
        send(number)
    Shop.objects.update(demo_reacts=False)
    _until_quiet()
    assert not wire
    assert not Event.objects.exists()


def test_only_mails_of_the_demo_inbox_are_read(send, wire):
    for number in range(50):
        send(number)
    InboxMail.objects.all().delete()
    _until_quiet()
    assert not wire


def test_answers_come_one_after_another_not_all_at_once(send, wire):
    for number in range(100):
        send(number)
    first = react(NOW + timedelta(seconds=20)).opened
    rest = _run(NOW + timedelta(minutes=6)).opened
    assert 0 < first < rest


def test_a_mail_of_yesterday_is_left_alone(send, wire):
    send(1)
    react(NOW + timedelta(days=1))
    assert not wire


def test_the_limit_holds_back_the_rest_for_the_next_run(send, wire):
    for number in range(100):
        send(number)
    assert react(LATER, limit=7).opened == 7
    assert len(wire) == 7


def test_taste_decides_what_is_clicked_and_how_often(send, wire, products, make_event):
    for number in range(300):
        message = send(number)
        if number % 2:
            make_event(message.shopper, product=products[1], at=NOW - timedelta(days=30))
    _until_quiet()
    clicks = LinkClick.objects.filter(message__uuid__in=[UUID(int=n + 1) for n in range(1, 300, 2)])
    others = LinkClick.objects.exclude(pk__in=clicks)
    assert clicks.count() > 1.5 * others.count()
    assert set(clicks.values_list("product", flat=True)) == {products[1].pk}
    assert set(others.values_list("product", flat=True)) == {products[0].pk, products[1].pk}


def test_the_control_group_buys_by_itself_too(send, wire, products, make_event):
    for number in range(300):
        message = send(number, state="control" if number % 2 else "sent")
        make_event(message.shopper, product=products[0], at=NOW - timedelta(days=30))
    _until_quiet()
    alone = Event.objects.filter(order_ref__startswith="alone-")
    assert alone.filter(shopper__messages__state="control").exists()
    assert alone.filter(shopper__messages__state="sent").exists()
    assert alone.count() < 30


def test_one_who_leaves_uses_the_one_click_address(send, wire, monkeypatch):
    monkeypatch.setattr(demo_reactions, "UNSUBSCRIBES", 1.0)
    send_all = [send(number) for number in range(20)]
    _until_quiet()
    posts = [url for url, body in wire if body == b"List-Unsubscribe=One-Click"]
    assert posts
    assert len(posts) == len(set(posts)) == sum(m.unsubscribed_at is not None for m in Message.objects.all())
    assert len(send_all) == 20


def test_the_number_of_queries_does_not_grow_with_the_mails(send, wire, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(demo_reactions, "fetch", lambda url, body=None: False)
    for number in range(60):
        send(number)
    with django_assert_max_num_queries(30):
        react(LATER)


def test_the_browser_reaches_our_own_application_and_nothing_else(client):
    assert demo_mail.fetch(settings.MAILAI_PUBLIC_URL + "/healthz")
    assert not demo_mail.fetch(settings.MAILAI_PUBLIC_URL + "/there-is-nothing-here")
    assert not demo_mail.fetch("https://elsewhere.example/c/abc")


def test_a_mail_without_tracking_has_nothing_to_do():
    mail = demo_mail.read_mail("Subject: Hi\nContent-Type: text/html\n\n<a href='https://x.example/c/1'>x</a>")
    assert mail == demo_mail.Mail("", [], "")


@pytest.mark.django_db(transaction=True)  # a request of its own closes the connection that a test would hold open
def test_the_answers_go_through_the_real_addresses(send, products):
    messages = [send(number) for number in range(40)]
    for message in messages:
        pixel = addresses.open_address(message.uuid)
        links = "".join(
            f'<a href="{addresses.click_address(message.uuid, number)}">{product.name}</a>'
            for number, product in enumerate(products, start=1)
        )
        mail = message.inbox_mail
        mail.raw = f'Subject: Hi\nContent-Type: text/html\n\n{links}<img src="{pixel}" alt="">'
        mail.save()
    TrackedLink.objects.all().delete()
    for number, product in enumerate(products, start=1):
        TrackedLink.objects.create(campaign=messages[0].campaign, number=number, pick=number, label=product.name)
    opened = _run(LATER).opened
    tracking.load_spool(settle=0)
    assert 0 < opened == Event.objects.filter(kind="email_open").count()
    clicked = _run(timezone.now() + timedelta(minutes=3)).clicked
    tracking.load_spool(settle=0)
    assert clicked == LinkClick.objects.filter(product__in=products).count()
