"""The moment a campaign leaves: what is asked before, what is written down, what lies in the inbox after."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import content, planning, services
from campaigns.models import Campaign, InboxMail, Message, Sender
from mailai.accounts.models import AuditEntry
from mailai.errors import InputError, StateError


def door_of(campaign, name):
    return reverse(f"campaigns:{name}", args=[campaign.uuid])


@pytest.fixture
def release(desk, django_capture_on_commit_callbacks):
    """Press the last button and let the workers do what it starts."""

    def press(campaign):
        with django_capture_on_commit_callbacks(execute=True):
            answer = desk.post(door_of(campaign, "release"))
        campaign.refresh_from_db()
        return answer

    return press


@pytest.mark.parametrize("starter", content.STARTERS, ids=lambda starter: starter.key)
def test_sent_now_every_recipient_finds_one_mail_of_each_starter(release, desk, shoppers, inbox, starter):
    desk.post(reverse("campaigns:new"), {"name": "Today", "segment": "", "control_share": "0.0"})
    campaign = Campaign.objects.get()
    desk.post(door_of(campaign, "content"), {"starter": starter.key})
    row = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "form-0-subject": "For {{ first_name|you }}"}
    desk.post(door_of(campaign, "subject"), row)
    desk.post(door_of(campaign, "timing"), {"sender": inbox.pk, "when": "now"})
    answer = release(campaign)
    assert answer.url == reverse("analytics:report", args=[campaign.uuid])
    assert campaign.state == "finished"
    assert set(campaign.messages.values_list("state", flat=True)) == {"sent"}
    assert InboxMail.objects.count() == len(shoppers)
    page = desk.get(reverse("campaigns:inbox")).content.decode()
    assert "For Name3" in page
    assert "s3@mail.example" not in page


def test_three_subjects_share_the_audience_and_the_control_group_gets_nothing(release, make_shopper, ready, desk):
    for n in range(60):
        make_shopper(f"more{n}@mail.example", first_name=f"More{n}")
    Campaign.objects.filter(pk=ready.pk).update(control_share=0.2)
    rows = {"form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "0"}
    desk.post(door_of(ready, "subject"), rows | {f"form-{n}-subject": f"Subject {n}" for n in range(3)})
    release(ready)
    arms = list(ready.messages.values_list("arm", flat=True))
    assert set(arms) == {"A", "B", "C", "control"}
    assert InboxMail.objects.count() == len(arms) - arms.count("control")
    assert not InboxMail.objects.filter(message__state=Message.State.CONTROL).exists()


def test_a_later_time_waits_and_as_soon_as_released_forgets_it(release, desk, ready):
    tomorrow = timezone.now() + timedelta(days=1)
    later = {"sender": ready.sender.pk, "when": "at", "date": tomorrow.date().isoformat(), "time": "23:59"}
    desk.post(door_of(ready, "timing"), later)
    page = desk.get(door_of(ready, "timing"))
    assert page.context["form"].when_is_at
    assert tomorrow.date().isoformat() in page.content.decode()
    desk.post(door_of(ready, "timing"), later | {"when": "now"})
    ready.refresh_from_db()
    assert ready.send_at is None
    desk.post(door_of(ready, "timing"), later)
    ready.refresh_from_db()
    release(ready)
    assert ready.state == "scheduled"
    assert not InboxMail.objects.exists()


def test_a_second_press_sends_nothing_twice_and_says_so(release, desk, ready):
    release(ready)
    mails = InboxMail.objects.count()
    answer = release(ready)
    assert answer.url == reverse("analytics:report", args=[ready.uuid])
    assert "not a draft any more" in desk.get(answer.url).content.decode()
    assert InboxMail.objects.count() == mails


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("sender", "Choose a sender"),
        ("postal_address", "postal address"),
        ("subject", "The subject is empty"),
        ("mjml", "no content yet"),
        ("variants", "no content yet"),
        ("shoppers", "Nobody would get this email"),
    ],
)
def test_what_is_missing_is_named_and_nothing_leaves(release, desk, ready, shop, shoppers, missing, words):
    if missing == "sender":
        Campaign.objects.update(sender=None)
    elif missing == "postal_address":
        shop.postal_address = " "
        shop.save()
    elif missing == "variants":
        ready.variants.all().delete()
    elif missing == "shoppers":
        for shopper in shoppers:
            shopper.delete()
    else:
        ready.variants.update(**{missing: ""})
    ready.refresh_from_db()
    page = desk.get(door_of(ready, "review"))
    assert page.context["blocked"]
    assert "disabled" in page.content.decode().partition("mx-foot")[2]
    answer = release(ready)
    assert answer.url == door_of(ready, "review")
    assert words in desk.get(answer.url).content.decode()
    assert ready.state == "draft"
    assert not InboxMail.objects.exists()


def test_a_mail_server_that_is_back_lets_the_campaign_go(release, desk, ready, inbox):
    gone = Sender.objects.create(
        name="Gone", kind="smtp", host="127.0.0.1", port=9, security="none", from_name="S", from_email="s@shop.example"
    )
    desk.post(door_of(ready, "timing"), {"sender": gone.pk, "when": "now"})
    release(ready)
    assert ready.state == "draft"
    page = desk.get(door_of(ready, "review")).content.decode()
    assert "The sender had a problem lately" in page
    desk.post(door_of(ready, "timing"), {"sender": inbox.pk, "when": "now"})
    release(ready)
    assert ready.state == "finished"


def test_a_campaign_that_could_not_be_planned_says_why_it_did_not_leave(desk, ready, shop):
    planning.schedule(ready, send_at=timezone.now())
    shop.postal_address = ""
    shop.save()
    with pytest.raises(InputError):
        planning.plan_campaign(ready.pk)
    for page in (door_of(ready, "review"), reverse("campaigns:list")):
        assert "needs the shop&#x27;s postal address" in desk.get(page).content.decode()


def test_a_change_that_overtakes_the_release_is_refused(ready, marketer):
    stale = Campaign.objects.get(pk=ready.pk)
    planning.schedule(ready, send_at=timezone.now())
    with pytest.raises(StateError):
        services.set_content(stale, "<mjml></mjml>", by=marketer)
    with pytest.raises(StateError):
        services.set_subjects(stale, [{"subject": "Late", "preheader": ""}], by=marketer)
    assert ready.variants.get().subject.endswith("look")


def test_a_test_goes_out_with_each_subject(desk, ready):
    rows = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0", "form-0-subject": "One", "form-1-subject": "Two"}
    desk.post(door_of(ready, "subject"), rows)
    page = desk.post(door_of(ready, "test"), {"to": "me@shop.example"}, follow=True).content.decode()
    assert "2 tests, one a subject, are on their way to me@shop.example" in page
    inbox = desk.get(reverse("campaigns:inbox")).content.decode()
    assert "[Test] One" in inbox
    assert "[Test] Two" in inbox


def test_without_any_connection_the_timing_says_who_adds_one(desk, shoppers, make_campaign):
    campaign = make_campaign(None)
    assert "An admin adds one under Admin, Sending" in desk.get(door_of(campaign, "timing")).content.decode()
    answer = desk.post(door_of(campaign, "timing"), {"sender": "", "when": "now"})
    assert "Choose who it is from" in answer.content.decode()


def test_everything_somebody_does_stands_in_the_audit_log(release, desk, ready, marketer, inbox):
    desk.post(reverse("campaigns:new"), {"name": "Logged", "segment": "", "control_share": "0.0"})
    campaign = Campaign.objects.get(name="Logged")
    desk.post(door_of(campaign, "audience"), {"name": "Logged too", "segment": "", "control_share": "0.0"})
    desk.post(door_of(campaign, "content"), {"starter": content.STARTERS[0].key})
    row = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "form-0-subject": "Hello"}
    desk.post(door_of(campaign, "subject"), row)
    desk.post(door_of(campaign, "timing"), {"sender": inbox.pk, "when": "now"})
    desk.post(door_of(campaign, "test"), {"to": "me@shop.example"})
    release(campaign)
    desk.post(door_of(campaign, "duplicate"))
    desk.post(door_of(Campaign.objects.order_by("-pk").first(), "delete"))
    entries = AuditEntry.objects.filter(user=marketer)
    done = set(entries.values_list("action", flat=True))
    assert done >= {
        "campaign.create", "campaign.audience", "campaign.content", "campaign.subjects", "campaign.timing",
        "campaign.test", "campaign.schedule", "campaign.delete",
    }  # fmt: skip
    assert "me@shop.example" not in str(list(entries.values_list("detail", flat=True)))


def test_what_ended_is_neither_paused_nor_resumed_and_says_so(release, desk, ready):
    release(ready)
    for action, words in (("pause", "Only a campaign that is sending can be paused"), ("resume", "Only a paused")):
        url = reverse("campaigns:steer", args=[ready.uuid, action])
        assert words in desk.post(url, follow=True).content.decode()
    assert desk.post(reverse("campaigns:steer", args=[ready.uuid, "nonsense"])).url == reverse("campaigns:list")
    ready.refresh_from_db()
    assert ready.state == "finished"


def test_steering_from_the_report_leads_back_to_it(desk, ready):
    planning.plan_campaign(ready.pk)
    url = reverse("campaigns:steer", args=[ready.uuid, "pause"])
    assert desk.post(url, {"back": "report"}).url == reverse("analytics:report", args=[ready.uuid])
    assert desk.post(url, {"back": "https://evil.example/"}).url == reverse("campaigns:list")
