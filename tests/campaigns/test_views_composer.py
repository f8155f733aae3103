"""The five steps of a campaign, as a browser asks for them."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import content, planning
from campaigns.models import Campaign, InboxMail, Sender, Variant
from mailai.accounts.models import AuditEntry
from segments import rules
from segments.models import Segment

MJML = content.STARTERS[0].mjml
STEPS = ("audience", "content", "subject", "timing", "review")


def step_of(campaign, step):
    return reverse(f"campaigns:{step}", args=[campaign.uuid])


def subjects(*rows):
    """Return what the form of step 3 sends."""
    data = {"form-TOTAL_FORMS": str(len(rows)), "form-INITIAL_FORMS": "0"}
    for number, subject in enumerate(rows):
        data |= {f"form-{number}-subject": subject, f"form-{number}-preheader": "Inside"}
    return data


def test_the_whole_path_from_new_to_scheduled(desk, shoppers, inbox):
    segment = Segment.objects.create(name="Everybody", rule={"all": []})
    first = desk.get(reverse("campaigns:new"), {"segment": segment.uuid})
    assert first.context["form"]["segment"].value() == segment.pk
    sent = {"name": "Winter picks", "segment": segment.pk, "control_share": "0.2"}
    answer = desk.post(reverse("campaigns:new"), sent)
    campaign = Campaign.objects.get()
    assert answer.url == step_of(campaign, "content")
    assert (campaign.segment, campaign.control_share, campaign.sender) == (segment, 0.2, inbox)

    desk.post(step_of(campaign, "content"), {"starter": content.STARTERS[0].key})
    answer = desk.post(step_of(campaign, "content"), {"mjml": campaign.variants.get().mjml})
    assert answer.url == step_of(campaign, "subject")
    answer = desk.post(step_of(campaign, "subject"), subjects("For {{ first_name|you }}", "Three picks"))
    assert answer.url == step_of(campaign, "timing")
    assert list(campaign.variants.values_list("label", "share")) == [("A", 0.5), ("B", 0.5)]
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    when = {"sender": inbox.pk, "when": "at", "date": tomorrow.isoformat(), "time": "09:00"}
    answer = desk.post(step_of(campaign, "timing"), when)
    assert answer.url == step_of(campaign, "review")

    page = desk.get(step_of(campaign, "review"))
    assert not page.context["blocked"]
    assert len(page.context["previews"]) == 3
    answer = desk.post(reverse("campaigns:release", args=[campaign.uuid]))
    assert answer.url == reverse("analytics:report", args=[campaign.uuid])
    campaign.refresh_from_db()
    assert campaign.state == "scheduled"
    assert campaign.send_at.astimezone(campaign.send_at.tzinfo).date() == tomorrow
    assert AuditEntry.objects.filter(action="campaign.schedule", object_id=str(campaign.uuid)).exists()


def test_a_segment_that_is_deleted_at_that_moment_can_not_be_chosen(desk, shop):
    gone = Segment.objects.create(name="Gone", rule={"all": []})
    sent = {"name": "Late", "segment": gone.pk, "control_share": "0.1"}
    with patch.object(rules.turns, "wait", lambda: Segment.objects.filter(pk=gone.pk).delete()):
        answer = desk.post(reverse("campaigns:new"), sent)
    assert answer.status_code == 422
    assert "“Gone” was deleted meanwhile." in answer.content.decode()
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_an_empty_draft_opens(desk, shop, step):
    desk.post(reverse("campaigns:new"), {"name": "Empty", "segment": "", "control_share": "0.1"})
    assert desk.get(step_of(Campaign.objects.get(), step)).status_code == 200


@pytest.mark.parametrize("step", STEPS)
def test_a_campaign_on_its_way_is_shown_by_its_report_and_not_changed(desk, ready, step):
    planning.schedule(ready, send_at=timezone.now())
    answer = desk.get(step_of(ready, step))
    assert answer.url == reverse("analytics:report", args=[ready.uuid])


@pytest.mark.parametrize(
    ("step", "data"),
    [
        ("audience", {"name": "Changed", "segment": "", "control_share": "0.1"}),
        ("content", {"mjml": "<mjml></mjml>"}),
        ("subject", subjects("Changed")),
    ],
)
def test_a_late_change_of_a_scheduled_campaign_is_refused_in_words(desk, ready, step, data):
    planning.schedule(ready, send_at=timezone.now())
    answer = desk.post(step_of(ready, step), data, follow=True)
    assert "not a draft any more" in answer.content.decode()
    ready.refresh_from_db()
    assert (ready.name, ready.variants.get().mjml) == ("Autumn picks", MJML)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("<mjml><mj-body>", "broken near line 1"),
        ("no markup at all", "broken near line 1"),
        (MJML.replace("first_name", "frist_name"), "Did you mean"),
        (MJML.replace("</mj-body>", "<mj-raw><script/></mj-raw></mj-body>"), "mj-raw"),
        (MJML.replace("</mj-body>", "{{ broken </mj-body>"), "braces"),
    ],
)
def test_broken_content_is_kept_and_explained(desk, ready, broken, words):
    answer = desk.post(step_of(ready, "content"), {"mjml": broken}, follow=True)
    assert answer.redirect_chain[-1][0].endswith("/content/")
    assert words in answer.content.decode()
    assert ready.variants.get().mjml == broken
    assert desk.get(reverse("campaigns:preview", args=[ready.uuid, 0])).status_code == 200
    assert desk.get(step_of(ready, "review")).context["blocked"]
    answer = desk.post(reverse("campaigns:release", args=[ready.uuid]), follow=True)
    assert answer.redirect_chain[-1][0].endswith("/review/")
    ready.refresh_from_db()
    assert ready.state == "draft"


def test_a_segment_with_nobody_blocks_and_says_so(desk, ready):
    ready.segment = Segment.objects.create(name="Nobody", rule={"field": "n_orders", "op": ">=", "value": 999})
    ready.save()
    assert "Nobody would get this email" in desk.get(step_of(ready, "audience")).content.decode()
    assert desk.get(step_of(ready, "content")).context["preview"] is None
    assert desk.get(step_of(ready, "review")).context["blocked"]
    answer = desk.post(reverse("campaigns:release", args=[ready.uuid]), follow=True)
    assert "Nobody would get this email" in answer.content.decode()
    answer = desk.post(reverse("campaigns:test", args=[ready.uuid]), {"to": "me@shop.example"}, follow=True)
    assert "no shopper to render it for" in answer.content.decode()


def test_the_fall_is_counted_for_what_is_chosen_and_adds_up(desk, shoppers, shop, make_shopper):
    make_shopper("no@mail.example", marketing="withdrawn")
    make_shopper()
    answer = desk.get(reverse("campaigns:count"), {"segment": "", "control_share": "0.2", "name": ""})
    fall = answer.context["fall"]
    assert (fall["total"], fall["recipients"]) == (10, 6)
    parts = sum(step["count"] for step in fall["steps"] if step["kind"] in ("out", "held"))
    assert parts == 4
    assert desk.get(reverse("campaigns:count"), {"segment": "nonsense"}).status_code == 200


@pytest.mark.parametrize(("date", "time"), [("2020-01-01", "09:00"), ("", ""), ("2999-13-45", "09:00"), ("x", "y")])
def test_a_past_missing_or_nonsense_time_is_refused(desk, ready, date, time):
    data = {"sender": ready.sender.pk, "when": "at", "date": date, "time": time}
    answer = desk.post(step_of(ready, "timing"), data)
    assert answer.status_code == 422
    assert "mx-err" in answer.content.decode()
    ready.refresh_from_db()
    assert ready.send_at is None


def test_a_time_that_passed_since_it_was_chosen_blocks_the_release(desk, ready):
    ready.send_at = timezone.now() - timedelta(hours=1)
    ready.save()
    assert desk.get(step_of(ready, "review")).context["blocked"]
    answer = desk.post(reverse("campaigns:release", args=[ready.uuid]), follow=True)
    assert "has passed" in answer.content.decode()
    ready.refresh_from_db()
    assert ready.state == "draft"


@pytest.mark.parametrize("field", ["{{ frist_name }}", "{{ first_name", "{% load x %}{{ 7*7 }}"])
def test_a_subject_with_an_unknown_field_is_refused_with_a_hint(desk, ready, field):
    answer = desk.post(step_of(ready, "subject"), subjects(f"Hello {field}"))
    assert answer.status_code == 422
    assert ready.variants.get().subject.startswith("{{ first_name|Hello")


def test_subjects_can_be_added_and_removed_without_losing_what_is_typed(desk, ready):
    page = desk.post(step_of(ready, "subject"), subjects("First", "Second") | {"add": "1"})
    assert [form["subject"].value() for form in page.context["forms"]] == ["First", "Second", ""]
    page = desk.post(step_of(ready, "subject"), subjects("First", "Second") | {"remove": "0"})
    assert [form["subject"].value() for form in page.context["forms"]] == ["Second"]
    assert ready.variants.count() == 1


@pytest.mark.parametrize("total", ["nonsense", "-1", "", "99999999"])
@pytest.mark.parametrize("button", [{}, {"add": "1"}, {"remove": "0"}])
def test_a_tampered_number_of_subjects_is_no_accident(desk, ready, total, button):
    answer = desk.post(step_of(ready, "subject"), subjects("First") | {"form-TOTAL_FORMS": total} | button)
    assert answer.status_code in (200, 422)
    assert ready.variants.count() == 1


def test_no_postal_address_blocks_and_leads_to_the_shop(desk, ready, shop):
    shop.postal_address = ""
    shop.save()
    page = desk.get(step_of(ready, "review"))
    assert page.context["blocked"]
    assert reverse("behaviour:shop") in page.content.decode()


def test_an_unreachable_mail_server_gives_a_sentence_and_nothing_leaves(desk, ready):
    ready.sender = Sender.objects.create(
        name="Gone", kind="smtp", host="127.0.0.1", port=9, security="none", from_name="S", from_email="s@shop.example"
    )
    ready.save()
    for door in ("test", "release"):
        answer = desk.post(reverse(f"campaigns:{door}", args=[ready.uuid]), {"to": "me@shop.example"}, follow=True)
        assert "127.0.0.1:9 does not answer" in answer.content.decode()
    ready.refresh_from_db()
    assert ready.state == "draft"


def test_a_test_mail_goes_to_the_address_and_is_not_counted(desk, ready):
    answer = desk.post(reverse("campaigns:test", args=[ready.uuid]), {"to": "me@shop.example"}, follow=True)
    assert "on its way to me@shop.example" in answer.content.decode()
    mail = InboxMail.objects.get()
    assert mail.message is None
    assert ready.messages.count() == 0
    refused = desk.post(reverse("campaigns:test", args=[ready.uuid]), {"to": "not an address"})
    assert refused.status_code == 422


def test_a_draft_without_a_variant_still_opens(desk, ready):
    Variant.objects.filter(campaign=ready).delete()
    for step in STEPS:
        assert desk.get(step_of(ready, step)).status_code == 200
    assert desk.get(reverse("campaigns:preview", args=[ready.uuid, 0])).status_code == 200


def test_times_are_chosen_and_shown_in_the_shops_zone(desk, ready, shop):
    shop.timezone = "Asia/Shanghai"
    shop.save()
    day = (timezone.now() + timedelta(days=2)).date()
    desk.post(
        step_of(ready, "timing"), {"sender": ready.sender.pk, "when": "at", "date": day.isoformat(), "time": "09:30"}
    )
    ready.refresh_from_db()
    assert ready.send_at.strftime("%H:%M") == "01:30"
    for page in (step_of(ready, "review"), reverse("campaigns:list")):
        assert "09:30" in desk.get(page).content.decode()


def test_a_ready_made_email_does_not_stand_open_over_written_content(desk, ready):
    assert "It replaces what is written below" in desk.get(step_of(ready, "content")).content.decode()
