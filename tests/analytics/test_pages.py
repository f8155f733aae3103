"""The pages of this room: what they show, to whom, and that they read a fixed number of rows."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from analytics import people
from behaviour import identity
from behaviour.models import Shopper
from campaigns.models import Sender
from mailai.accounts.models import AuditEntry
from segments.models import Profile, Segment

EMAIL = "elena@mail.example"


@pytest.fixture
def elena(make_shopper: Any) -> Any:
    shopper = make_shopper(EMAIL, first_name="Elena", pseudonym="S-7F3A91000000", country="Germany")
    Profile.objects.create(
        shopper=shopper,
        stage="loyal",
        n_orders=14,
        monetary=1482,
        recency_score=5,
        frequency_score=4,
        monetary_score=4,
        last_order_at=timezone.now() - timedelta(days=21),
        categories=[{"category": "Mugs", "share": 0.6}],
    )
    return shopper


def pages(campaign: Any, shopper: Any) -> list[str]:
    return [
        reverse("analytics:today"),
        reverse("analytics:shoppers"),
        reverse("analytics:shopper", args=[shopper.pseudonym]),
        reverse("analytics:timeline", args=[shopper.pseudonym]),
        reverse("analytics:report", args=[campaign.uuid]),
        reverse("analytics:report_csv", args=[campaign.uuid]),
        reverse("analytics:search") + "?q=au",
    ]


def test_every_role_reads_every_page_and_a_stranger_none(
    counted: Any, elena: Any, marketer: Any, manager: Any, admin: Any, stranger: Any, client: Any, client_for: Any
) -> None:
    for url in pages(counted, elena):
        for user in (marketer, manager, admin):
            assert client_for(user).get(url).status_code == 200, url
        assert client_for(stranger).get(url).status_code == 403, url
        assert client.get(url).status_code == 302, url


def test_nothing_names_a_shopper_before_somebody_gives_a_reason(
    counted: Any, elena: Any, marketer: Any, client_for: Any
) -> None:
    for url in pages(counted, elena):
        html = b"".join(client_for(marketer).get(url)).decode()
        assert EMAIL not in html
        assert "Elena" not in html


def test_showing_personal_data_takes_a_reason_and_leaves_an_entry(elena: Any, marketer: Any, client_for: Any) -> None:
    url = reverse("analytics:reveal", args=[elena.pseudonym])
    refused = client_for(marketer).post(url, {"reason": "x"})
    assert refused.status_code == 422
    assert EMAIL not in refused.content.decode()
    shown = client_for(marketer).post(url, {"reason": "She called about her order"})
    assert EMAIL in shown.content.decode()
    assert "Elena" in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    entry = AuditEntry.objects.get(action="shopper.reveal")
    assert (entry.object_id, entry.reason, entry.user) == (elena.pseudonym, "She called about her order", marketer)
    assert EMAIL not in str(entry.detail)


def test_a_manager_and_a_get_reveal_nothing(elena: Any, manager: Any, marketer: Any, client_for: Any) -> None:
    url = reverse("analytics:reveal", args=[elena.pseudonym])
    assert client_for(manager).post(url, {"reason": "I am curious"}).status_code == 403
    assert client_for(marketer).get(url).status_code == 405
    assert not AuditEntry.objects.filter(action="shopper.reveal").exists()


def test_a_shopper_is_found_by_exact_names_and_by_post_only(elena: Any, marketer: Any, client_for: Any) -> None:
    client, url = client_for(marketer), reverse("analytics:shoppers")
    for name in (EMAIL.upper(), elena.external_id, elena.pseudonym.lower()):
        assert client.post(url, {"who": name}).url == reverse("analytics:shopper", args=[elena.pseudonym])
    assert AuditEntry.objects.filter(action="shopper.find", object_id=elena.pseudonym).count() == 3
    for name in ("nobody@mail.example", "S-7F3A"):
        unknown = client.post(url, {"who": name})
        assert unknown.status_code == 422
        assert "No shopper has exactly this address" in unknown.content.decode()
    assert client.post(url, {"who": ""}).status_code == 422


def test_the_list_is_narrowed_by_stage_segment_product_and_pseudonym(
    elena: Any, make_shopper: Any, make_product: Any, make_event: Any, marketer: Any, client_for: Any
) -> None:
    other = make_shopper(pseudonym="S-AAAAAA000000")
    mug = make_product(name="Mug", sku="MUG")
    make_event(other, product=mug)
    loyal = Segment.objects.create(name="Loyal", rule={"all": [{"field": "stage", "op": "=", "value": "loyal"}]})

    def shown(**query: Any) -> set[str]:
        page = client_for(marketer).get(reverse("analytics:shoppers"), query).context["page"]
        return {shopper.pseudonym for shopper in page}

    both = {elena.pseudonym, other.pseudonym}
    assert shown() == both
    assert shown(stage="loyal") == {elena.pseudonym}
    assert shown(segment=str(loyal.uuid)) == {elena.pseudonym}
    assert shown(product="MUG") == {other.pseudonym}
    assert shown(q="s-7f") == {elena.pseudonym}
    assert shown(q="S-0") == set()
    assert shown(stage="nonsense", segment="x", page="x", sort="x") == both


def queries_of(client: Any, url: str) -> int:
    """Count the queries of a warm page; what is kept for seconds may run out between two visits, not between three."""
    client.get(url)
    counts = []
    for _visit in range(2):
        with CaptureQueriesContext(connection) as found:
            assert client.get(url).status_code == 200
        counts.append(len(found))
    return min(counts)


def test_the_number_of_queries_does_not_grow_with_rows(
    counted: Any, elena: Any, make_campaign: Any, make_message: Any, make_event: Any, make_shopper: Any,
    make_product: Any, marketer: Any, client_for: Any,
) -> None:  # fmt: skip
    client, mug = client_for(marketer), make_product()
    make_event(elena, order_ref="first", product=mug)
    make_message(counted, shopper=elena, hours={"opened": 1})
    for n in range(16):
        # More than a page of her timeline, so that the way to the rest stands there.
        make_event(elena, "view", at=timezone.now() - timedelta(days=40 + n))
    few = [queries_of(client, url) for url in pages(counted, elena)]
    for n in range(20):
        campaign = make_campaign(name=f"Autumn {n}", send_at=timezone.now() - timedelta(days=n))
        make_message(campaign, shopper=elena, hours={"opened": 1, "clicked": 2})
        make_message(campaign, "control")
        make_event(elena, "purchase", order_ref=f"order{n}", product=make_product())
        make_event(elena, "email_open", at=timezone.now() - timedelta(days=n))
        Profile.objects.create(shopper=make_shopper(), stage="loyal")
    many = [queries_of(client, url) for url in pages(counted, elena)]
    assert all(after <= before + 1 for before, after in zip(few, many, strict=True)), (few, many)


def test_an_empty_shop_is_welcomed_with_the_six_steps(shop: Any, admin: Any, marketer: Any, client_for: Any) -> None:
    page = client_for(admin).get(reverse("analytics:today"))
    assert "analytics/first_run.html" in [template.name for template in page.templates]
    done = {step["key"]: step["done"] for step in page.context["steps"]}
    assert done == {
        "workspace": True, "team": True, "data": False, "sender": False, "model": False, "campaign": False,
    }  # fmt: skip
    assert "No shoppers yet" in client_for(admin).get(reverse("analytics:shoppers")).content.decode()
    assert "Explore with sample data" in page.content.decode()
    assert "Explore with sample data" not in client_for(marketer).get(reverse("analytics:today")).content.decode()


def test_steps_are_done_by_what_the_database_holds(
    shop: Any, make_shopper: Any, make_event: Any, admin: Any, client_for: Any
) -> None:
    shop.postal_address = ""
    shop.save()
    make_event(make_shopper())
    Sender.objects.create(name="Inbox", kind="demo_inbox", from_name="Shop", from_email="shop@shop.example")
    done = {step["key"]: step["done"] for step in client_for(admin).get("/").context["steps"]}
    assert done == {
        "workspace": False, "team": False, "data": True, "sender": True, "model": False, "campaign": False,
    }  # fmt: skip


def test_today_shows_no_rate_and_no_money_that_the_data_do_not_bear(
    shop: Any, make_shopper: Any, make_campaign: Any, make_message: Any, marketer: Any, client_for: Any
) -> None:
    campaign = make_campaign(send_at=timezone.now() - timedelta(days=1))
    for n in range(4):
        make_message(campaign, hours={"clicked": 1} if n else None)
    page = client_for(marketer).get("/")
    assert [card.value for card in page.context["cards"]] == ["–"] * 4
    assert "3 of 4, too early" in page.content.decode()
    assert "from 30 control orders on, now 0" in page.content.decode()


def test_today_compares_with_the_28_days_before(
    shop: Any, make_campaign: Any, make_message: Any, marketer: Any, client_for: Any
) -> None:
    for days, n_clicks in ((40, 10), (3, 20)):
        campaign = make_campaign(send_at=timezone.now() - timedelta(days=days))
        for n in range(100):
            make_message(campaign, hours={"clicked": 1} if n < n_clicks else None)
    card = client_for(marketer).get("/").context["cards"][1]
    assert (card.value, card.change, card.change_kind) == ("20.0%", "+10.0 pts", "up")


def test_suggestions_come_from_counts_and_lead_to_the_page(
    elena: Any, shop: Any, make_event: Any, make_campaign: Any, marketer: Any, client_for: Any
) -> None:
    make_event(elena)
    draft = make_campaign(state="draft", name="Winter", send_at=None)
    Profile.objects.filter(shopper=elena).update(stage="at_risk")
    segment = Segment.objects.create(name="Late", rule={"all": [{"field": "stage", "op": "=", "value": "at_risk"}]})
    found = {one.what: one.url for one in client_for(marketer).get("/").context["suggestions"]}
    assert found["Finish “Winter”"] == reverse("campaigns:audience", args=[draft.uuid])
    assert found["Win back 1 shopper who is drifting away"].endswith(f"?segment={segment.uuid}")


def test_a_live_report_asks_again_and_a_finished_one_rests(
    shop: Any, make_campaign: Any, make_message: Any, marketer: Any, client_for: Any
) -> None:
    campaign = make_campaign(state="running")
    make_message(campaign)
    url = reverse("analytics:report", args=[campaign.uuid])
    client = client_for(marketer)
    assert f'hx-get="{url}"' in client.get(url).content.decode()
    part = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="report"')
    campaign.state = "finished"
    campaign.save()
    assert 'hx-trigger="every' not in client.get(url).content.decode()


def test_a_campaign_that_was_not_sent_has_an_empty_report(
    shop: Any, make_campaign: Any, marketer: Any, client_for: Any
) -> None:
    url = reverse("analytics:report", args=[make_campaign(state="draft", send_at=None).uuid])
    assert "Nothing has been sent yet" in client_for(marketer).get(url).content.decode()


def test_search_finds_by_name_and_pseudonym_but_never_by_address(
    counted: Any, elena: Any, make_product: Any, marketer: Any, client_for: Any
) -> None:
    def found(words: str) -> list[tuple[str, str]]:
        answer = client_for(marketer).get(
            reverse("analytics:search"), {"q": words}, headers={"Accept": "application/json"}
        )
        return [(hit["label"], hit["url"]) for hit in answer.json()["hits"]]

    assert ("Autumn picks", reverse("analytics:report", args=[counted.uuid])) in found("autumn")
    assert found("7f3a91") == [(elena.pseudonym, reverse("analytics:shopper", args=[elena.pseudonym]))]
    assert found("mug")[0][1] == reverse("behaviour:product", args=["MUG"])
    assert found(EMAIL) == [("Find a shopper by email address", reverse("analytics:shoppers"))]
    assert found("a") == []


def test_the_frame_is_empty_for_who_is_not_logged_in(client: Any, db: None) -> None:
    assert "shell" not in (client.get(reverse("account_login")).context or {})


def test_an_erased_identity_leaves_a_page_without_a_mask(elena: Any, marketer: Any, client_for: Any) -> None:
    identity.identities_of([elena.pk])[elena.pk].delete()
    html = client_for(marketer).get(reverse("analytics:shopper", args=[elena.pseudonym])).content.decode()
    assert "No personal data stored" in html
    assert Shopper.objects.filter(pk=elena.pk).exists()


def test_the_filters_of_the_timeline_lead_away_from_the_revealed_page(
    elena: Any, marketer: Any, client_for: Any
) -> None:
    shown = client_for(marketer).post(reverse("analytics:reveal", args=[elena.pseudonym]), {"reason": "She called"})
    assert f'href="{reverse("analytics:shopper", args=[elena.pseudonym])}?kind=orders"' in shown.content.decode()


def test_an_empty_filter_of_the_timeline_does_not_say_that_nothing_happened(
    elena: Any, marketer: Any, client_for: Any
) -> None:
    url = reverse("analytics:timeline", args=[elena.pseudonym])
    html = client_for(marketer).get(url, {"kind": "carts"}).content.decode()
    assert ("Nothing of this kind yet" in html, "will stand here" in html) == (True, False)


@pytest.mark.parametrize("sort", ["last", "orders", "spent", "chance"])
def test_every_page_of_the_list_follows_the_one_before_and_leads_back(
    sort: str, make_shopper: Any, predict: Any, marketer: Any, client_for: Any
) -> None:
    for n in range(70):
        shopper = make_shopper()
        if n % 5:
            last = None if n % 7 == 0 else timezone.now() - timedelta(days=n // 10)
            Profile.objects.create(shopper=shopper, n_orders=n // 8, monetary=n // 9, last_order_at=last)
        if n % 3:
            predict(shopper, order_chance=(n // 6) / 11)
    client, url = client_for(marketer), reverse("analytics:shoppers")
    page = client.get(url, {"sort": sort}).context["page"]
    there = [[shopper.pk for shopper in page]]
    while page.next_url:
        page = client.get(url + page.next_url).context["page"]
        there.append([shopper.pk for shopper in page])
    back = [there[-1]]
    while page.previous_url:
        page = client.get(url + page.previous_url).context["page"]
        back.insert(0, [shopper.pk for shopper in page])
    assert back == there
    assert [len(rows) for rows in there] == [25, 25, 20]
    listed = [pk for rows in there for pk in rows]
    assert len(set(listed)) == 70
    path = people.SORTS[sort].value.split("__")
    by_id = Shopper.objects.select_related("profile", "prediction").in_bulk(listed)
    values = [getattr(getattr(by_id[pk], path[0], None), path[1], None) for pk in listed]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=True) + [None] * (70 - len(known))


@pytest.mark.parametrize("sort", ["last", "orders", "spent", "chance"])
def test_a_nonsense_place_in_the_list_is_no_error(sort: str, elena: Any, marketer: Any, client_for: Any) -> None:
    client, url = client_for(marketer), reverse("analytics:shoppers")
    for value in ("x", "nan", "inf", "1e999999", "9" * 25, "2026-99-99", "2026-01-01"):
        for name in ("after", "before"):
            assert client.get(url, {"sort": sort, name: f"{value}~3"}).status_code == 200, value
    page = client.get(url, {"sort": sort, "after": "nonsense"}).context["page"]
    assert [shopper.pk for shopper in page] == [elena.pk]
    assert not page.previous_url


def test_a_long_narrowed_list_is_not_counted_to_its_end(
    elena: Any, make_shopper: Any, marketer: Any, client_for: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(people, "COUNTED", 2)
    for _n in range(3):
        Profile.objects.create(shopper=make_shopper(), stage="loyal")
    client, url = client_for(marketer), reverse("analytics:shoppers")
    assert "More than 2 shoppers" in client.get(url, {"stage": "loyal"}).content.decode()
    assert "4 shoppers" in client.get(url).content.decode()


def test_a_segment_whose_rule_is_broken_narrows_to_a_sentence(elena: Any, marketer: Any, client_for: Any) -> None:
    broken = Segment.objects.create(name="Old", rule={"field": "gone", "op": "=", "value": 1})
    page = client_for(marketer).get(reverse("analytics:shoppers"), {"segment": str(broken.uuid)})
    assert "There is no field “gone”." in page.content.decode()


def test_the_list_shows_each_person_once(elena: Any, make_shopper: Any, marketer: Any, client_for: Any) -> None:
    make_shopper(merged_into=elena)
    page = client_for(marketer).get(reverse("analytics:shoppers")).context["page"]
    assert [shopper.pk for shopper in page] == [elena.pk]


def test_filters_sorting_and_pages_go_together(make_shopper: Any, marketer: Any, client_for: Any) -> None:
    for n in range(80):
        shopper = make_shopper(pseudonym=f"S-{'A' if n % 4 else 'B'}{n:011d}", country="France" if n % 5 else "Spain")
        Profile.objects.create(shopper=shopper, stage="loyal" if n % 3 else "new", n_orders=n)
    french = Segment.objects.create(name="French", rule={"field": "country", "op": "=", "value": "France"})
    wanted = [n for n in range(79, -1, -1) if n % 4 and n % 5 and n % 3]
    asked = {"q": "s-a", "stage": "loyal", "segment": str(french.uuid), "sort": "orders"}
    client, url = client_for(marketer), reverse("analytics:shoppers")
    answer = client.get(url, asked)
    assert f"{len(wanted)} shoppers" in answer.content.decode()
    listed, n_queries = [shopper.profile.n_orders for shopper in answer.context["page"]], []
    while answer.context["page"].next_url:
        address = url + answer.context["page"].next_url
        n_queries.append(queries_of(client, address))
        answer = client.get(address)
        listed += [shopper.profile.n_orders for shopper in answer.context["page"]]
    assert listed == wanted
    assert len(wanted) > 25
    assert len(set(n_queries)) == 1
    # The choice stays in the form, and another sorting keeps it.
    html = answer.content.decode()
    assert 'value="S-A"' in html or 'value="s-a"' in html
    assert "sort=spent" in html
    assert f"segment={french.uuid}" in html


@pytest.mark.parametrize(("code", "words"), [("de", "· German"), ("de_AT", "· German"), ("xx-nonsense", "· xx-n")])
def test_her_language_stands_in_words(code: str, words: str, make_shopper: Any, marketer: Any, client_for: Any) -> None:
    shopper = make_shopper(locale=code[:10])
    page = client_for(marketer).get(reverse("analytics:shopper", args=[shopper.pseudonym]))
    assert words in page.content.decode()
