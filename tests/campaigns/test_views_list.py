"""The list of campaigns, and who may do what from there."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import delivery, planning
from campaigns.models import Campaign, InboxMail


def step_of(campaign, step):
    return reverse(f"campaigns:{step}", args=[campaign.uuid])


def _queries(desk, url):
    desk.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert desk.get(url).status_code == 200
    return len(captured)


def test_the_list_filters_by_state_and_needs_as_many_queries_for_one_row_as_for_thirty(
    desk, ready, inbox, make_campaign
):
    planning.plan_campaign(ready.pk)
    assert ready.name in desk.get(reverse("campaigns:list"), {"state": "sending"}).content.decode()
    assert ready.name not in desk.get(reverse("campaigns:list"), {"state": "draft"}).content.decode()
    queries = _queries(desk, reverse("campaigns:list"))
    for number in range(24):
        make_campaign(inbox, name=f"Draft {number}")
    assert _queries(desk, reverse("campaigns:list")) == queries
    assert desk.get(reverse("campaigns:list"), {"page": "x", "state": "nonsense"}).status_code == 200


def test_the_inbox_needs_as_many_queries_for_one_mail_as_for_eight(desk, ready, make_campaign, inbox):
    planning.plan_campaign(ready.pk)
    delivery.send_due(ready.pk)
    full = _queries(desk, reverse("campaigns:inbox"))
    InboxMail.objects.exclude(pk=InboxMail.objects.order_by("pk").first().pk).delete()
    assert _queries(desk, reverse("campaigns:inbox")) == full


def test_the_table_comes_alone_when_it_refreshes_itself(desk, ready):
    planning.plan_campaign(ready.pk)
    whole = desk.get(reverse("campaigns:list")).content.decode()
    assert 'hx-trigger="every 2s"' in whole
    part = desk.get(reverse("campaigns:list"), headers={"HX-Target": "section#campaign-table"}).content.decode()
    assert part.lstrip().startswith("<section")
    assert "<html" not in part


def test_a_campaign_is_duplicated_paused_resumed_cancelled_and_a_draft_deleted(desk, ready):
    copy_url = desk.post(reverse("campaigns:duplicate", args=[ready.uuid])).url
    copy = Campaign.objects.exclude(pk=ready.pk).get()
    assert copy_url == step_of(copy, "audience")
    assert copy.variants.get().mjml == ready.variants.get().mjml
    desk.post(reverse("campaigns:delete", args=[copy.uuid]))
    assert not Campaign.objects.filter(pk=copy.pk).exists()
    planning.plan_campaign(ready.pk)
    for action, state in (("pause", "paused"), ("resume", "running"), ("pause", "paused"), ("cancel", "cancelled")):
        desk.post(reverse("campaigns:steer", args=[ready.uuid, action]))
        ready.refresh_from_db()
        assert ready.state == state
    answer = desk.post(reverse("campaigns:delete", args=[ready.uuid]), follow=True)
    assert "not a draft any more" in answer.content.decode()
    answer = desk.post(reverse("campaigns:steer", args=[ready.uuid, "cancel"]), follow=True)
    assert "has ended already" in answer.content.decode()


WRITES = ("audience", "content", "subject", "timing", "review", "test", "release", "duplicate", "delete")


@pytest.mark.parametrize("door", WRITES)
@pytest.mark.parametrize("who", ["admin", "manager", "stranger"])
def test_only_marketers_compose(request, client_for, ready, who, door):
    answer = client_for(request.getfixturevalue(who)).post(reverse(f"campaigns:{door}", args=[ready.uuid]))
    assert answer.status_code == 403
    ready.refresh_from_db()
    assert ready.state == "draft"


@pytest.mark.parametrize("door", ["test", "release", "duplicate", "delete"])
def test_what_writes_needs_a_post(desk, ready, door):
    assert desk.get(reverse(f"campaigns:{door}", args=[ready.uuid])).status_code == 405


def test_a_manager_reads_and_stops_but_is_offered_no_composer(client_for, manager, ready):
    client = client_for(manager)
    page = client.get(reverse("campaigns:list")).content.decode()
    assert reverse("campaigns:new") not in page.partition("<main")[2]
    planning.plan_campaign(ready.pk)
    client.post(reverse("campaigns:steer", args=[ready.uuid, "pause"]))
    ready.refresh_from_db()
    assert ready.state == "paused"


def test_a_draft_in_the_list_leads_to_its_first_open_step(desk, client_for, manager, ready):
    def leads_to(step):
        return reverse(f"campaigns:{step}", args=[ready.uuid]) in desk.get(reverse("campaigns:list")).content.decode()

    assert leads_to("review")
    ready.variants.update(mjml="")
    assert leads_to("content")
    page = client_for(manager).get(reverse("campaigns:list")).content.decode()
    assert reverse("campaigns:content", args=[ready.uuid]) not in page
