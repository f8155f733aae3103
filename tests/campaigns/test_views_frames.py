"""Mails in frames: nothing in them runs, nothing in them reaches our pages."""

import re

import pytest
from django.urls import reverse

from campaigns import delivery, planning
from campaigns.models import InboxMail

EVIL = '"><img src=x onerror=alert(1)><script>alert(1)</script>{{ unsubscribe_url }}'
PIECE = "<mjml><mj-body><mj-section><mj-column><mj-text>%s</mj-text></mj-column></mj-section></mj-body></mjml>"


@pytest.fixture
def frames(desk, ready):
    """Return the frame of a draft's preview and of the mail that left."""

    def make(campaign):
        preview = desk.get(reverse("campaigns:preview", args=[campaign.uuid, 0]))
        planning.plan_campaign(campaign.pk)
        delivery.send_due(campaign.pk)
        mail = InboxMail.objects.filter(message__campaign=campaign).first()
        return preview, desk.get(reverse("campaigns:inbox_frame", args=[mail.uuid]))

    return make


def test_both_frames_have_exactly_this_policy(frames, ready, settings):
    preview, mail = frames(ready)
    policy = (
        f"default-src 'none'; img-src 'self' data: https: {settings.MAILAI_PUBLIC_URL}; style-src 'unsafe-inline'; "
        "frame-ancestors 'self'; sandbox"
    )
    assert preview["Content-Security-Policy"] == policy
    assert mail["Content-Security-Policy"] == f"{policy} allow-popups allow-popups-to-escape-sandbox"
    for answer in (preview, mail):
        assert "allow-scripts" not in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_hostile_name_stays_text_in_both_frames(frames, inbox, shop, products, make_shopper, make_campaign):
    shop.name = EVIL
    shop.save()
    make_shopper("x@mail.example", first_name=EVIL)
    for product in products:
        product.name = EVIL
        product.save()
    for answer in frames(make_campaign(inbox, subject="{{ first_name }}")):
        html = answer.content.decode()
        assert "<script" not in html
        assert "<img src=x" not in html
        assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    "piece",
    [
        "<script>alert(1)</script>",
        '<img src="x" onerror="alert(1)" />',
        '<a href="javascript:alert(1)">x</a>',
        '<iframe src="https://evil.example"></iframe>',
        '<form action="https://evil.example"></form>',
    ],
)
def test_markup_that_could_run_is_never_rendered(desk, ready, piece):
    desk.post(reverse("campaigns:content", args=[ready.uuid]), {"mjml": PIECE % piece})
    html = desk.get(reverse("campaigns:preview", args=[ready.uuid, 0])).content.decode()
    assert piece not in html
    assert html.startswith("<p>")
    assert piece in ready.variants.get().mjml


def test_the_preview_goes_through_the_audience_and_starts_again(desk, ready, shoppers):
    def shown(number):
        return desk.get(reverse("campaigns:preview", args=[ready.uuid, number])).content.decode()

    def name(number):
        return re.search(r"Name\d", shown(number))[0]

    assert len({name(number) for number in range(len(shoppers))}) == len(shoppers)
    assert name(len(shoppers)) == name(0)
    assert name(10**9) == name(10**9 % len(shoppers))


def test_a_preview_counts_nothing_and_tracks_nothing(desk, ready):
    html = desk.get(reverse("campaigns:preview", args=[ready.uuid, 0])).content.decode()
    assert "/c/" not in html
    assert "/o/" not in html
    assert ready.messages.count() == 0


@pytest.mark.parametrize("font", ["", "font-family='Roboto'"])
def test_a_mail_fetches_no_fonts_from_other_hosts(frames, inbox, shoppers, make_campaign, font):
    mjml = PIECE.replace("<mj-text>", f"<mj-text {font}>") % "Hi"
    for answer in frames(make_campaign(inbox, mjml=mjml)):
        html = answer.content.decode()
        assert "Hi" in html
        assert "googleapis" not in html
        assert "<link" not in html


def test_our_own_pages_allow_no_inline_script(desk, ready):
    page = desk.get(reverse("campaigns:content", args=[ready.uuid]))
    policy = page["Content-Security-Policy"]
    assert "unsafe-inline" not in re.search(r"script-src[^;]*", policy)[0]
    assert "frame-src 'self'" in policy or "default-src 'self'" in policy
