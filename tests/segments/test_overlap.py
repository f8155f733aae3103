"""How segments overlap: every combination counted as sets are, one click to its segment."""

from collections import Counter
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from behaviour.models import Shopper
from segments import counting, history, overlaps, rules, sampling
from segments.models import Segment, SegmentMembers

PAGE, MAKE = reverse("segments:overlap"), reverse("segments:overlap_segment")
COUNTRIES = ("Spain", "France", "Italy", "Peru")


def lives(*countries: str) -> dict[str, Any]:
    return {"all": [{"field": "country", "op": "in", "value": list(countries)}]}


@pytest.fixture
def three(shop: Any, make_shopper: Any) -> list[Segment]:
    """South: Spain and Italy; Latin: Spain, Italy and Peru; Named: whoever is in South and speaks Italian."""
    for country, n in (("Spain", 4), ("Italy", 3), ("Peru", 2), ("France", 1)):
        for _one in range(n):
            make_shopper(country=country, locale="it" if country == "Italy" else "")
    south = Segment.objects.create(name="South", rule=lives("Spain", "Italy"))
    latin = Segment.objects.create(name="Latin", rule=lives("Spain", "Italy", "Peru"))
    italian = {"all": [{"segment": str(south.uuid)}, {"field": "language", "op": "=", "value": "it"}]}
    return [south, latin, Segment.objects.create(name="Named", rule=italian)]


def asked(*segments: Segment) -> dict[str, list[str]]:
    return {"s": [str(one.uuid) for one in segments]}


def test_every_combination_is_there_the_largest_first(client_for: Any, manager: Any, three: list[Segment]) -> None:
    page = client_for(manager).get(PAGE, asked(*three))
    # Letters follow the list: the newest change first, as no size was recorded yet.
    assert [one.name for _letter, one, _size in page.context["letters"]] == ["Named", "Latin", "South"]
    rows = [(row["name"], row["n"], row["inside"]) for row in page.context["rows"]]
    assert rows == [
        ("Latin + South", 4, [False, True, True]),
        ("Named + Latin + South", 3, [True, True, True]),
        ("Only Latin", 2, [False, True, False]),
    ]
    text = page.content.decode()
    assert "100% of “" in text
    assert "9 of your 10 shoppers are in at least one of these segments." in text
    assert b"Make a segment" not in page.content
    shares = [[cell["share"] for cell in row["cells"]] for row in page.context["pairs"]]
    assert shares[0] == [1, 1, 1]
    assert shares[1] == [3 / 9, 1, 7 / 9]


def test_one_click_makes_the_segment_and_the_second_finds_it(
    client_for: Any, marketer: Any, three: list[Segment]
) -> None:
    client, (south, latin, _named) = client_for(marketer), three
    given = {**asked(*three), "in": [str(south.uuid), str(latin.uuid)]}
    for _turn in range(2):
        answer = client.post(MAKE, given)
    made = Segment.objects.exclude(pk__in=[one.pk for one in three]).get()
    assert answer["Location"] == reverse("segments:detail", args=[made.uuid])
    assert made.name == "Latin + South, not Named"
    assert rules.matching(made.rule).count() == 4
    assert "Open the segment" in client.get(PAGE, asked(*three)).content.decode()
    # Only in one of two: the others are left out.
    client.post(MAKE, {**asked(latin, south), "in": [str(latin.uuid)]})
    only = Segment.objects.get(name="Only Latin")
    assert set(rules.matching(only.rule).values_list("country", flat=True)) == {"Peru"}
    # In all of them: nobody is left out.
    client.post(MAKE, {**asked(*three), "in": asked(*three)["s"]})
    assert rules.matching(Segment.objects.get(name="Named + Latin + South").rule).count() == 3


def test_who_may_not_is_turned_away(client_for: Any, stranger: Any, manager: Any, three: list[Segment]) -> None:
    assert client_for(stranger).get(PAGE).status_code == 403
    assert client_for(manager).post(MAKE, asked(*three)).status_code == 403
    assert Segment.objects.count() == 3


@pytest.mark.parametrize("given", [["x"], ["one"], ["many"]])
def test_a_bad_choice_is_said(client_for: Any, marketer: Any, three: list[Segment], given: list[str]) -> None:
    more = [Segment.objects.create(name=f"More {n}", rule=lives("Peru")) for n in range(4)]
    chosen = {"x": ["x", "y"], "one": asked(three[0])["s"], "many": asked(*three, *more)["s"]}[given[0]]
    client = client_for(marketer)
    page = client.get(PAGE, {"s": chosen})
    assert page.status_code == 422
    assert ("not there any more" if given == ["x"] else "Choose 2 to 6 segments.") in page.content.decode()
    assert client.post(MAKE, {"s": chosen, "in": chosen})["Location"] == PAGE
    assert client.post(MAKE, {**asked(*three), "in": ["x"]})["Location"] == PAGE


def test_a_rule_that_can_not_be_read_is_named(client_for: Any, marketer: Any, three: list[Segment]) -> None:
    broken = Segment.objects.create(name="Old", rule={"field": "gone", "op": "=", "value": 1})
    page = client_for(marketer).get(PAGE, asked(three[0], broken))
    assert page.status_code == 422
    assert "“Old” can&#x27;t be compared" in page.content.decode()


def test_without_two_segments_the_page_says_so(client_for: Any, marketer: Any, shop: Any) -> None:
    assert "Nothing to compare yet" in client_for(marketer).get(PAGE).content.decode()
    for n in range(2):
        Segment.objects.create(name=f"Empty {n}", rule=lives("Spain"))
    assert "have no shoppers now" in client_for(marketer).get(PAGE).content.decode()


def test_the_largest_five_are_compared_first(client_for: Any, marketer: Any, shop: Any, make_shopper: Any) -> None:
    made = [Segment.objects.create(name=f"S{n}", rule=lives(*COUNTRIES[: n % 4 + 1])) for n in range(7)]
    for country in COUNTRIES:
        make_shopper(country=country)
    history.record_sizes()
    client = client_for(marketer)
    page = client.get(PAGE)
    sizes = [size for _letter, _one, size in page.context["letters"]]
    assert sizes == [4, 3, 3, 2, 2]
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE, asked(*made[:2]))
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE, asked(*made[:6]))
    assert len(many) == len(few)


def test_where_counting_takes_too_long_the_last_answer_is_shown_with_its_age(
    client_for: Any, marketer: Any, three: list[Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for(marketer)
    exact = [row["n"] for row in client.get(PAGE, asked(*three)).context["rows"]]
    never = counting.in_time
    sampled: list[str] = []

    def too_long(ask: Any, seconds: float) -> Any:
        sampled.append("asked")
        return None if len(sampled) % 2 else never(ask, seconds)

    monkeypatch.setattr(counting, "in_time", too_long)
    page = client.get(PAGE, asked(*three))
    assert [row["n"] for row in page.context["rows"]] == exact
    assert page.context["state"] == "old"
    assert client.get(PAGE, asked(*three)).context["state"] == "old"
    assert len(sampled) == 1, "nobody waits in vain again so soon"
    cache.clear()
    sampled.clear()
    page = client.get(PAGE, asked(*three))
    assert page.context["state"] == "failed"
    assert "took too long" in page.content.decode()
    history.record_sizes()
    sampled.clear()
    page = client.get(PAGE, asked(*three))
    assert page.context["state"] == "old"
    assert [row["n"] for row in page.context["rows"]] == exact
    SegmentMembers.objects.all().delete()
    monkeypatch.setattr(counting, "in_time", never)
    sampling.draw(size=5)
    monkeypatch.setattr(counting, "in_time", too_long)
    cache.clear()
    sampled.clear()
    page = client.get(PAGE, asked(*three))
    assert page.context["state"] == "estimate"
    assert "Estimated from a sample" in page.content.decode()
    assert all(row["n"] % 2 == 0 for row in page.context["rows"])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(st.frozensets(st.sampled_from(COUNTRIES), min_size=1), min_size=2, max_size=6),
    people=st.lists(st.sampled_from(COUNTRIES), max_size=12),
)
@pytest.mark.django_db
def test_the_statement_counts_as_sets_do(db: None, groups: list[frozenset[str]], people: list[str]) -> None:
    Segment.objects.all().delete()
    Shopper.everything.all().delete()
    Shopper.objects.bulk_create(Shopper(external_id=f"s{n}", country=one) for n, one in enumerate(people))
    segments = [Segment.objects.create(name=f"G{n}", rule=lives(*one)) for n, one in enumerate(groups)]
    wanted = Counter(sum(1 << n for n, one in enumerate(groups) if country in one) for country in people)
    wanted.pop(0, None)
    assert overlaps.overlap(segments).masks == dict(wanted)
