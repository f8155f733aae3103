"""The page of groups: what it shows, naming, one click to a segment."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from mailai.accounts.models import AuditEntry
from segments import cluster_words, rules
from segments.builder.choices import Choices
from segments.core.alike import FEATURES
from segments.models import Cluster, Clustering, Profile, Segment

GROUPS = reverse("segments:groups")


def centre(**scores: float) -> dict[str, Any]:
    figures = {"spending": {"mean": 1234.5}, "orders": {"mean": 3.21, "score": 0.0}, "engagement": {"mean": None}}
    return figures | {name: {"mean": 0.5, "score": score} for name, score in scores.items()}


@pytest.fixture
def clustering(shop: Any) -> Clustering:
    made = Clustering.objects.create(
        n_clusters=2, tried=[{"k": 2, "score": 0.4, "tiny": False}], criterion="silhouette", n_shoppers=100,
        stability=0.95, at=timezone.now(),
    )  # fmt: skip
    for number, size, traits in ((1, 30, ["basket+", "christmas+"]), (2, 70, ["recency+"])):
        Cluster.objects.create(
            clustering=made, number=number, size=size, traits={"traits": traits}, centre=centre(discount=1.2 - number)
        )
    return made


def test_who_may_not_is_turned_away(client_for: Any, stranger: Any, manager: Any, clustering: Clustering) -> None:
    writes = [reverse("segments:group_rename", args=[1]), reverse("segments:group_segment", args=[1])]
    assert client_for(stranger).get(GROUPS).status_code == 403
    for url in writes:
        assert client_for(stranger).post(url).status_code == client_for(manager).post(url).status_code == 403
    page = client_for(manager).get(GROUPS)
    assert page.status_code == 200
    assert b"Make a segment" not in page.content
    assert not Segment.objects.exists()


def test_groups_stand_side_by_side(client_for: Any, marketer: Any, clustering: Clustering) -> None:
    page = client_for(marketer).get(GROUPS)
    text = page.content.decode()
    for words in ("Big baskets before Christmas", "Long away", "30.0%", "Nearly everybody is in the same group"):
        assert words in text
    assert [chart.id for chart in page.context["charts"]] == ["group-sizes", "group-spending"]
    assert [len(chart.rows) for chart in page.context["charts"]] == [2, 2]
    assert [str(one) for one in page.context["figures"]] == ["Spent", "Orders", "At a discount"]
    assert "↓" in text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "Groups are made every night"),
        (0, "0 shoppers have ordered so far"),
        (1, "1 shopper has ordered so far"),
        (30, "30 shoppers have ordered so far"),
        (90, "All shoppers with an order buy alike so far"),
    ],
)
def test_without_groups_the_page_says_why(
    client_for: Any, marketer: Any, shop: Any, found: int | None, words: str
) -> None:
    if found is not None:
        Clustering.objects.create(n_clusters=0, criterion="silhouette", n_shoppers=found)
    assert words in client_for(marketer).get(GROUPS).content.decode()
    assert client_for(marketer).get(reverse("segments:list")).context["suggested"] == []


def test_one_click_makes_the_segment_and_the_second_finds_it(
    client_for: Any, marketer: Any, clustering: Clustering, make_shopper: Any
) -> None:
    Profile.objects.create(shopper=make_shopper("a@x.example"), cluster=1)
    client = client_for(marketer)
    assert len(client.get(reverse("segments:list")).context["suggested"]) == 2
    for _turn in range(2):
        answer = client.post(reverse("segments:group_segment", args=[1]))
    segment = Segment.objects.get()
    assert answer["Location"] == reverse("segments:detail", args=[segment.uuid])
    assert segment.name == "Big baskets before Christmas"
    assert rules.matching(segment.rule).count() == 1
    assert [one["cluster"].number for one in client.get(reverse("segments:list")).context["suggested"]] == [2]
    assert reverse("segments:detail", args=[segment.uuid]) in client.get(GROUPS).content.decode()


def test_a_name_that_is_taken_gets_a_number(client_for: Any, marketer: Any, clustering: Clustering) -> None:
    Segment.objects.create(name="Long away", rule={"all": []})
    client_for(marketer).post(reverse("segments:group_segment", args=[2]))
    assert Segment.objects.filter(name="Long away 2").exists()


def test_a_group_gets_a_name_and_its_own_back(client_for: Any, marketer: Any, clustering: Clustering) -> None:
    client, url = client_for(marketer), reverse("segments:group_rename", args=[2])
    client.post(url, {"name": "  Sleepers <b> "})
    assert "Sleepers &lt;b&gt;" in client.get(GROUPS).content.decode()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["cluster.rename"]
    assert ("2", "Sleepers <b>") in Choices().clusters
    client.post(url, {"name": "x" * 81})
    assert Cluster.objects.get(number=2).name == "Sleepers <b>"
    client.post(url, {"name": ""})
    assert "Long away" in client.get(GROUPS).content.decode()


def test_a_group_that_is_gone_is_said(client_for: Any, marketer: Any, clustering: Clustering) -> None:
    for name in ("group_rename", "group_segment"):
        answer = client_for(marketer).post(reverse(f"segments:{name}", args=[9]), follow=True)
        assert "There is no such group any more" in answer.content.decode()
    assert not Segment.objects.exists()


def test_the_page_costs_the_same_for_more_groups(
    client_for: Any, marketer: Any, clustering: Clustering, django_assert_num_queries: Any
) -> None:
    client = client_for(marketer)
    client.get(GROUPS)
    with CaptureQueriesContext(connection) as few:
        client.get(GROUPS)
    for number in range(3, 9):
        Cluster.objects.create(clustering=clustering, number=number, size=1, centre=centre())
        Segment.objects.create(name=f"S{number}", rule={"all": []})
    with django_assert_num_queries(len(few)):
        client.get(GROUPS)


def test_names_are_never_the_same() -> None:
    twins = [Cluster(number=n, traits={"traits": ["recency+", "visits-"]}) for n in (1, 2)]
    plain = Cluster(number=3, traits={})
    assert cluster_words.names([*twins, plain]) == {1: "Gone quiet", 2: "Gone quiet (2)", 3: "Like most shoppers"}


def test_every_trait_has_words() -> None:
    assert set(cluster_words.TRAITS) == {f"{name}{side}" for name in FEATURES for side in "+-"}
    assert set(FEATURES) | {"spending"} == set(cluster_words.FIGURES)
    with translation.override("en"):
        cluster = Cluster(number=1, traits={"traits": ["basket-", "focus+", "visits-"]})
        assert cluster_words.said(cluster) == "Small baskets, one category, seldom here"


@pytest.mark.parametrize(
    ("score", "stability", "words"),
    [
        (0.6, None, ["The groups differ clearly."]),
        (0.3, 0.95, ["The groups have soft edges", "Nearly everybody"]),
        (0.1, 0.7, ["The groups overlap much", "Most are"]),
        (0.1, 0.2, ["The groups overlap much", "Many changed"]),
    ],
)
def test_the_page_says_how_sure_the_groups_are(score: float, stability: float | None, words: list[str]) -> None:
    run = Clustering(n_clusters=3, tried=[{"k": 3, "score": score, "tiny": False}], stability=stability)
    said = cluster_words.how_sure(run)
    assert len(said) == len(words)
    assert all(one.startswith(word) for one, word in zip(said, words, strict=True))


def test_a_rule_names_the_group(clustering: Clustering) -> None:
    rule = {"all": [{"field": "cluster", "op": "in", "value": [2, 9]}]}
    assert "“Long away”" in rules.describe(rule)
    assert "9" in rules.describe(rule)
    # Numbers that groups once had and lost still read.
    clustering.delete()
    assert "“" not in rules.describe(rule)
