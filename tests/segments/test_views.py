"""Pages of segments, as browsers with and without script use them."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import Campaign
from mailai.accounts.models import AuditEntry
from segments import history, profiles, sampling, services
from segments.models import Segment, SegmentSize

RULE = {"all": [{"field": "n_orders", "op": ">=", "value": 2}]}


@pytest.fixture
def segment(shop: Any) -> Segment:
    return Segment.objects.create(name="Twice", rule=RULE)


def form(**more: str) -> dict[str, Any]:
    """What the browser sends for "orders at least 2"."""
    return {
        "name": "Twice", "kind-0": "all", "what-0.0": "field:n_orders", "was-0.0": "field:n_orders", "op-0.0": ">=",
        "value-0.0": "2", **{name.replace("__", "-").replace("_dot_", "."): value for name, value in more.items()},
    }  # fmt: skip


def test_who_may_not_is_turned_away(client_for: Any, stranger: Any, manager: Any, admin: Any, segment: Segment) -> None:
    reads = [reverse("segments:list"), reverse("segments:detail", args=[segment.uuid])]
    writes = [reverse("segments:new"), reverse("segments:count"), reverse("segments:starter")]
    writes += [reverse(f"segments:{name}", args=[segment.uuid]) for name in ("edit", "duplicate", "delete")]
    for url in reads + writes:
        assert client_for(stranger).post(url, form()).status_code == 403
    for reader in (manager, admin):
        assert [client_for(reader).get(url).status_code for url in reads] == [200, 200]
        assert {client_for(reader).post(url, form()).status_code for url in writes} == {403}
        assert b"segment-form" not in client_for(reader).get(reads[1]).content
    assert Segment.objects.get().rule == RULE


def test_writes_need_a_post(client_for: Any, marketer: Any, segment: Segment) -> None:
    for name in ("edit", "duplicate", "delete"):
        assert client_for(marketer).get(reverse(f"segments:{name}", args=[segment.uuid])).status_code == 405


def test_an_empty_list_offers_examples(client_for: Any, marketer: Any, shop: Any) -> None:
    page = client_for(marketer).get(reverse("segments:list")).content.decode()
    assert "No segments yet" in page
    assert page.count('name="key"') == 4


def test_an_example_is_one_click_and_made_once(client_for: Any, marketer: Any, shop: Any) -> None:
    client = client_for(marketer)
    for _turn in range(2):
        answer = client.post(reverse("segments:starter"), {"key": "once"})
    segment = Segment.objects.get()
    assert answer.url == reverse("segments:detail", args=[segment.uuid])
    assert segment.name == "Bought once"
    assert client.post(reverse("segments:starter"), {"key": "nonsense"}).url == reverse("segments:list")


def test_the_list_asks_no_query_per_segment(
    client_for: Any, marketer: Any, shop: Any, django_assert_num_queries: Any
) -> None:
    client = client_for(marketer)

    def n_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("segments:list")).status_code == 200
        return len(queries)

    Segment.objects.bulk_create(Segment(name=f"A{n}", rule=RULE) for n in range(3))
    n_queries()
    few = n_queries()
    Segment.objects.bulk_create(Segment(name=f"B{n}", rule=RULE) for n in range(20))
    assert n_queries() == few


def test_in_a_large_shop_the_list_shows_what_was_counted_last(
    client_for: Any, marketer: Any, make_shopper: Any
) -> None:
    for n in range(8):
        make_shopper(f"s{n}@shop.example" if n < 5 else "", country="France")
    segment = services.save_segment(Segment(), name="All", rule={"all": []}, by=marketer)
    client, url = client_for(marketer), reverse("segments:list")

    def shown() -> Any:
        return client.get(url).context["rows"][0]["size"]

    sampling.draw(size=8)
    assert (shown().count, shown().mailable, shown().on) == (8, 5, None)
    sampling.draw(size=4)
    assert (shown().count, shown().mailable, shown().about) == (8, None, True)
    assert "≈ 8" in client.get(url).content.decode()
    SegmentSize.objects.create(segment=segment, on=date(2026, 1, 5), size=2)
    history.record_sizes(datetime(2026, 1, 6, 12, tzinfo=UTC))
    make_shopper("new@shop.example")
    assert (shown().count, shown().mailable, shown().on, shown().about) == (8, 5, date(2026, 1, 6), False)
    assert "Tue 6 Jan" in client.get(url).content.decode()


def test_who_only_reads_gets_the_estimate_first_and_the_exact_count_behind_it(
    client_for: Any, manager: Any, make_shopper: Any
) -> None:
    for _n in range(8):
        make_shopper(country="France")
    rule = {"all": [{"field": "country", "op": "=", "value": "France"}]}
    segment = Segment.objects.create(name="French", rule=rule)
    sampling.draw(size=4)
    client, url = client_for(manager), reverse("segments:exact", args=[segment.uuid])
    page = client.get(reverse("segments:detail", args=[segment.uuid])).content.decode()
    assert f'hx-get="{url}" hx-trigger="load"' in page
    part = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert ('<div class="mx-big num">8</div>' in part, 'id="sample" hx-swap-oob="true"' in part) == (True, True)
    assert 'hx-get="' not in part
    assert '<div class="mx-big num">8</div>' in client.get(url).content.decode()


def test_a_segment_is_renamed_at_its_name_and_the_rest_stands_behind_more(
    client_for: Any, marketer: Any, manager: Any, segment: Segment
) -> None:
    url = reverse("segments:detail", args=[segment.uuid])
    page = client_for(marketer).get(url).content.decode()
    assert page.index('form="segment-form" id="segment-name"') < page.index("More actions") < page.index("Delete")
    assert page.index('form="segment-form" name="action" value="check"') < page.index('value="save"')
    read = client_for(manager).get(url).content.decode()
    assert ("Export" in read, "More actions" in read, "segment-name" in read) == (True, False, False)


def test_a_changed_rule_is_counted_again_on_the_same_day(marketer: Any, make_shopper: Any) -> None:
    make_shopper(country="France")
    segment = services.save_segment(Segment(), name="All", rule={"all": []}, by=marketer)
    assert (history.record_sizes(), history.record_sizes()) == (1, 0)
    services.save_segment(segment, name="Everybody", rule={"all": []}, by=marketer)
    assert segment.sizes.get().size == 1
    services.save_segment(segment, name="All", rule={"field": "country", "op": "=", "value": "Spain"}, by=marketer)
    history.record_sizes()
    assert segment.sizes.get().size == 0


def test_a_rule_that_can_not_be_read_any_more_does_not_break_the_pages(
    client_for: Any, marketer: Any, shop: Any
) -> None:
    broken = Segment.objects.create(name="Old", rule={"field": "gone", "op": "=", "value": 1})
    client = client_for(marketer)
    assert "can&#x27;t be used any more" in client.get(reverse("segments:list")).content.decode()
    assert "There is no field" in client.get(reverse("segments:detail", args=[broken.uuid])).content.decode()
    assert history.record_sizes() == 0


def test_saving_writes_the_rule_and_an_audit_entry(client_for: Any, marketer: Any, shop: Any) -> None:
    answer = client_for(marketer).post(reverse("segments:new"), form(action="save"))
    segment = Segment.objects.get()
    assert answer.url == reverse("segments:detail", args=[segment.uuid])
    assert (segment.rule, segment.created_by) == (RULE, marketer)
    assert AuditEntry.objects.get().action == "segment.create"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": " "}, "Give the segment a name"),
        ({"name": "Taken"}, "There is a segment “Taken” already"),
        ({"value-0.0": ""}, "needs a value"),
        ({"value-0.0": "abc"}, "needs a value"),
        ({"value-0.0": "1.5"}, "whole number"),
        ({"what-0.0": "field:nope"}, "is not known"),
        ({"what-0.3.1": "did:purchase"}, "is not known"),
    ],
)
def test_what_can_not_be_saved_keeps_the_form(
    client_for: Any, marketer: Any, shop: Any, changes: dict[str, str], says: str
) -> None:
    Segment.objects.create(name="Taken", rule=RULE)
    page = client_for(marketer).post(reverse("segments:new"), {**form(action="save"), **changes}).content.decode()
    assert says in page
    assert "not saved yet" in page
    assert Segment.objects.count() == 1


def test_the_builder_works_without_script(client_for: Any, marketer: Any, segment: Segment) -> None:
    client, url = client_for(marketer), reverse("segments:edit", args=[segment.uuid])
    page = client.post(url, form(action="add-group:0")).content.decode()
    assert "<html" in page
    assert 'name="kind-0.1"' in page
    assert 'name="what-0.1.0"' in page
    segment.refresh_from_db()
    assert segment.rule == RULE


def test_with_htmx_only_the_builder_comes_back_and_the_counts_follow(
    client_for: Any, marketer: Any, segment: Segment
) -> None:
    client = client_for(marketer)
    url = reverse("segments:edit", args=[segment.uuid])
    part = client.post(url, form(action="add-condition:0"), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert part.count('name="what-') == 2
    assert 'hx-trigger="load"' in part


def test_the_count_says_how_many_and_who_can_be_mailed(
    client_for: Any, marketer: Any, shop: Any, make_shopper: Any, buy: Any, now: Any
) -> None:
    for email in ("a@shop.example", ""):
        shopper = make_shopper(email)
        buy(shopper, 2)
        buy(shopper, 9)
    make_shopper()
    profiles.refresh_profiles(now=now)
    page = client_for(marketer).post(reverse("segments:count"), form()).content.decode()
    assert re.search(r'mx-big num">2<', page)
    assert "66.7% of 3 shoppers" in page
    assert "No email address</dt><dd>1<" in page
    assert "Orders: 2" in page
    assert 'id="alone-0.0" hx-swap-oob="true">2<' in page
    assert "Shoppers whose number of orders is at least 2." in page


def test_a_segment_that_matches_nobody_says_what_to_do(client_for: Any, marketer: Any, make_shopper: Any) -> None:
    make_shopper()
    page = client_for(marketer).post(reverse("segments:count"), form()).content.decode()
    assert "Nobody matches." in page
    assert "loosen or remove" in page


def test_an_unfinished_condition_and_a_silent_database_are_said(
    client_for: Any, marketer: Any, segment: Segment, monkeypatch: Any
) -> None:
    client = client_for(marketer)
    page = client.post(reverse("segments:count"), {**form(), "value-0.0": ""}).content.decode()
    assert "“Orders” needs a value." in page

    def silent(*_args: Any, **_more: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr("segments.counting.rules.matching", silent)
    monkeypatch.setattr("segments.estimate._hits", silent)
    assert 'hx-vals=\'{"exact": "1"}\'' in client.post(reverse("segments:count"), form()).content.decode()
    page = client.post(reverse("segments:count"), {**form(), "exact": "1"}).content.decode()
    assert "The database did not answer" in page
    assert client.get(reverse("segments:detail", args=[segment.uuid])).status_code == 200


def test_a_nonsense_form_is_everybody_not_an_error(client_for: Any, marketer: Any, make_shopper: Any) -> None:
    make_shopper()
    nonsense = {"kind-0": "xor", "field-0.0.0": "x", "op-7": "=", "value-0.9.9.9.9": "1", "field-": "y"}
    page = client_for(marketer).post(reverse("segments:count"), nonsense).content.decode()
    assert "All shoppers." in page


def test_duplicates_get_names_of_their_own(client_for: Any, marketer: Any, segment: Segment) -> None:
    for _turn in range(2):
        client_for(marketer).post(reverse("segments:duplicate", args=[segment.uuid]))
    assert sorted(Segment.objects.values_list("name", flat=True)) == ["Twice", "Twice, copy", "Twice, copy 2"]


def test_a_segment_in_use_is_not_deleted(client_for: Any, marketer: Any, segment: Segment) -> None:
    Campaign.objects.create(name="Spring", segment=segment)
    client, url = client_for(marketer), reverse("segments:delete", args=[segment.uuid])
    page = client.post(url, follow=True).content.decode()
    assert "is used by the campaign “Spring”." in page
    assert not AuditEntry.objects.filter(action="segment.delete").exists()
    Campaign.objects.all().delete()
    assert client.post(url).url == reverse("segments:list")
    assert not Segment.objects.exists()
    assert AuditEntry.objects.filter(action="segment.delete").count() == 1


def test_the_size_is_drawn_from_the_second_day_on(client_for: Any, marketer: Any, segment: Segment) -> None:
    client, url = client_for(marketer), reverse("segments:detail", args=[segment.uuid])
    SegmentSize.objects.create(segment=segment, on=date.today() - timedelta(days=3), size=10)
    assert b"segment-size" not in client.get(url).content
    SegmentSize.objects.create(segment=segment, on=date.today(), size=14)
    assert b"Size over 3 days" in client.get(url).content


def test_the_page_of_a_segment_asks_no_query_per_condition(client_for: Any, marketer: Any, make_shopper: Any) -> None:
    make_shopper()
    client, one = client_for(marketer), {"did": "purchase", "where": {"category": ["Mugs"]}, "within": {"days": 30}}
    few = Segment.objects.create(name="Few", rule={"all": [one, {"field": "country", "op": "=", "value": "Spain"}]})
    parts = [{**one, "times": {"op": ">=", "n": n + 2}} for n in range(8)]
    fields = [{"field": "n_orders", "op": ">=", "value": n} for n in range(20)]
    many = Segment.objects.create(name="Many", rule={"all": [*few.rule["all"], *parts, {"any": fields}]})

    def n_queries(segment: Segment) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("segments:detail", args=[segment.uuid])).status_code == 200
        return len(queries)

    n_queries(few)
    assert n_queries(many) <= n_queries(few)


def test_a_part_that_names_what_is_gone_is_said_not_an_error(client_for: Any, marketer: Any, shop: Any) -> None:
    sent = {"kind-0": "all", "what-0.0": "segment:", "uuid-0.0": "0f8b3c9e-7d51-4f43-9a3e-1c2d3e4f5a6b"}
    page = client_for(marketer).post(reverse("segments:count"), sent)
    assert page.status_code == 200
    assert "There is no segment with the id" in page.content.decode()


def test_who_may_only_read_sees_the_conditions_and_the_exact_count(
    client_for: Any, manager: Any, make_shopper: Any
) -> None:
    make_shopper(country="Spain")
    rule = {
        "all": [{"field": "country", "op": "=", "value": "Spain"}, {"did": "purchase", "times": {"op": "=", "n": 0}}]
    }
    segment = Segment.objects.create(name="Spain", rule=rule)
    page = client_for(manager).get(reverse("segments:detail", args=[segment.uuid])).content.decode()
    for text in ("Spain</span>", "Ordered</span>", "not at all</span>", "ever</span>", 'mx-big num">1<'):
        assert text in page, text
    assert "<select" not in page.split('id="builder"')[1].split("</section>")[0]
