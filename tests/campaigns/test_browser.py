"""The pages of this room in a real browser: quiet, at home, not too wide, usable by everybody."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from campaigns import delivery, planning
from campaigns.models import Campaign, InboxMail, Sender
from tests.browser import DIAGONAL, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
STEPS = ("audience", "content", "subject", "timing", "review")
LONG = "A very long name of a campaign that somebody wrote down on a slow afternoon in November, in week 48"


@pytest.fixture
def person(admin, settings, live_server):
    settings.MAILAI_PUBLIC_URL = live_server.url
    admin.is_marketer = admin.is_manager = True
    admin.save()
    return admin


@pytest.fixture
def full(inbox, ready, make_campaign, products):
    """A room with a campaign in every state, a broken draft and a connection that fails."""
    for product in products:
        product.image = ""
        product.save()
    for state in Campaign.State:
        make_campaign(inbox, name=f"{LONG} {state}", state=state, send_at=datetime.now(UTC))
    make_campaign(inbox, name="Broken", mjml="<mjml><mj-body>")
    Sender.objects.create(
        name="Relay", kind="smtp", host="smtp.shop.example", from_name="S", from_email="s@shop.example",
        last_error="The mail server smtp.shop.example:587 does not answer. Check host and port under Sending.",
    )  # fmt: skip
    return ready


@pytest.fixture
def pages(full, make_campaign, inbox):
    plain = "<mjml><mj-body><mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section></mj-body></mjml>"
    sent = make_campaign(inbox, name="Sent", mjml=plain)
    planning.plan_campaign(sent.pk)
    delivery.send_due(sent.pk)
    names = ["list", "new", "senders", "sender_new", "inbox"]
    found = [reverse(f"campaigns:{name}") for name in names]
    for campaign in (full, Campaign.objects.get(name="Broken")):
        found += [reverse(f"campaigns:{step}", args=[campaign.uuid]) for step in STEPS]
    return [*found, reverse("campaigns:inbox_mail", args=[InboxMail.objects.first().uuid])]


@pytest.mark.slow
@DIAGONAL
def test_every_page_is_quiet_fits_and_is_usable(visit, person, pages, width, theme):
    watched = visit("/inbox/", person, width=width, theme=theme)
    for path in pages:
        watched.open(path)
        watched.check()


def test_on_a_phone_the_composer_names_the_step_and_leads_to_the_others(visit, person, ready):
    page = visit(reverse("campaigns:subject", args=[ready.uuid]), person, width=PHONE).page
    steps = page.get_by_role("list", name="Steps")
    expect(steps.locator("[aria-current=step]")).to_contain_text("Subject")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    steps.get_by_role("link", name="Audience").click()
    page.wait_for_url("**/audience/")


def test_the_number_follows_what_is_chosen_without_a_reload(visit, person, ready):
    page = visit(reverse("campaigns:audience", args=[ready.uuid]), person).page
    expect(page.locator("#fall .mx-big")).to_have_text("8")
    with page.expect_request("**/campaigns/count/**") as asked:
        page.get_by_text("20%", exact=True).click()
    assert "csrf" not in asked.value.url
    expect(page.locator("#fall .mx-big")).to_have_text("6")
    expect(page.locator("#wizard-count")).to_have_text("6 shoppers")


def test_day_and_time_appear_with_their_card(visit, person, ready):
    page = visit(reverse("campaigns:timing", args=[ready.uuid]), person).page
    expect(page.get_by_label("Day")).to_be_hidden()
    page.get_by_text("At a set time").click()
    expect(page.get_by_label("Day")).to_be_visible()


def test_a_field_is_inserted_where_the_cursor_stands(visit, person, ready):
    page = visit(reverse("campaigns:subject", args=[ready.uuid]), person).page
    subject = page.get_by_label("Subject", exact=True)
    subject.fill("For , today")
    subject.evaluate("field => field.setSelectionRange(4, 4)")
    page.get_by_role("button", name="first_name").first.click()
    expect(subject).to_have_value("For {{ first_name|there }}, today")


def test_a_campaign_is_deleted_only_after_a_question(visit, person, ready):
    page = visit(reverse("campaigns:list"), person).page
    page.get_by_role("button", name="Delete the draft").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Keep").click()
    assert Campaign.objects.filter(pk=ready.pk).exists()
    page.get_by_role("button", name="Delete the draft").first.click()
    dialog.get_by_role("button", name="Delete the draft").click()
    page.get_by_text("was deleted").wait_for()
    assert not Campaign.objects.filter(pk=ready.pk).exists()
