"""Groups end to end: who gets which number, what a second run changes, who may run."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from behaviour.models import Shopper
from mailai.errors import StateError
from segments import clustering, tasks
from segments.models import Cluster, Clustering, ClusteringTurn, Profile, ProfileRefresh


@pytest.fixture
def profiles(shop: Any) -> Any:
    """Make shoppers with profiles: so many who buy much and often, so many who bought little long ago, some leads."""

    def make(n: int, *, seed: int = 0, n_leads: int = 3) -> None:
        rng, now = np.random.default_rng(seed), timezone.now()
        shoppers = Shopper.objects.bulk_create(
            Shopper(external_id=uuid4().hex, pseudonym=f"S-{seed}-{number:06d}") for number in range(n + n_leads)
        )
        rows = []
        for number, shopper in enumerate(shoppers):
            if number >= n:
                rows.append(Profile(shopper=shopper))
                continue
            much = number % 2 == 0
            orders, basket = int(rng.integers(20, 30) if much else 1), float(rng.uniform(80, 90) if much else 9)
            rows.append(
                Profile(
                    shopper=shopper, n_orders=orders, monetary=round(orders * basket, 2),
                    average_basket=round(basket, 2),
                    last_order_at=now - timedelta(days=float(rng.uniform(1, 3) if much else rng.uniform(200, 220))),
                    discount_share=float(0.0 if much else rng.uniform(0.8, 1)), n_visit_days_90d=5 if much else 0,
                    categories=[{"category": "Mugs", "share": 0.5}, {"category": "Lamps", "share": 0.5}]
                    if much else [{"category": "Mugs", "share": 1.0}],
                )
            )  # fmt: skip
        Profile.objects.bulk_create(rows)
        ProfileRefresh.objects.update_or_create(pk=1, defaults={"full_at": now, "refreshed_at": now})

    return make


def test_planted_groups_get_numbers_by_spending(profiles: Any) -> None:
    profiles(200)
    done = clustering.cluster_shoppers()
    assert done.clustering.n_clusters == 2
    assert done.clustering.stability is None
    assert done.changed == 200
    first, second = Cluster.objects.order_by("number")
    assert (first.number, first.size, second.number, second.size) == (1, 100, 2, 100)
    assert (
        Profile.objects.filter(cluster=1).count() == Profile.objects.filter(cluster=1, n_orders__gte=20).count() == 100
    )
    assert Profile.objects.filter(cluster=None).count() == 3
    assert first.centre["orders"]["mean"] > 20
    assert first.centre["focus"]["mean"] == 0.5
    assert second.centre["focus"]["score"] > 0.9
    assert first.centre["spending"]["mean"] > 1600


def test_a_second_run_changes_nothing_and_keeps_names(profiles: Any) -> None:
    profiles(200)
    clustering.cluster_shoppers()
    Cluster.objects.filter(number=2).update(name="Sleepers")
    written = dict(Profile.objects.values_list("pk", "updated_at"))
    done = clustering.cluster_shoppers(seed=5)
    assert done.changed == 0
    assert done.clustering.stability == 1.0
    assert dict(Profile.objects.values_list("pk", "updated_at")) == written
    assert done.clustering.clusters.get(number=2).name == "Sleepers"


def test_newcomers_join_the_groups_that_are_there(profiles: Any) -> None:
    profiles(200)
    clustering.cluster_shoppers()
    before = dict(Profile.objects.exclude(cluster=None).values_list("pk", "cluster"))
    profiles(300, seed=1)
    done = clustering.cluster_shoppers()
    assert done.changed == 300
    after = dict(Profile.objects.values_list("pk", "cluster"))
    assert all(after[pk] == number for pk, number in before.items())
    assert Profile.objects.filter(cluster=1, n_orders=1).count() == 0


def test_whose_orders_are_gone_leaves_her_group(profiles: Any) -> None:
    profiles(100)
    clustering.cluster_shoppers()
    gone = Profile.objects.filter(cluster=1).first()
    assert gone is not None
    Profile.objects.filter(pk=gone.pk).update(n_orders=0)
    assert clustering.cluster_shoppers().changed == 1
    gone.refresh_from_db()
    assert gone.cluster is None


@pytest.mark.parametrize("n", [0, 1, 30])
def test_few_shoppers_make_no_groups_and_old_numbers_go(profiles: Any, n: int) -> None:
    profiles(n)
    Profile.objects.update(cluster=4)
    done = clustering.cluster_shoppers()
    assert (done.clustering.n_clusters, done.clustering.n_shoppers) == (0, n)
    assert not Profile.objects.exclude(cluster=None).exists()


def test_shoppers_who_are_all_alike_make_no_groups(profiles: Any) -> None:
    profiles(60)
    Profile.objects.filter(n_orders__gt=0).update(
        n_orders=2, monetary=20, average_basket=10, last_order_at=timezone.now(), discount_share=0, n_visit_days_90d=1,
        categories=[],
    )  # fmt: skip
    assert clustering.cluster_shoppers().clustering.n_clusters == 0


def test_one_process_at_a_time(profiles: Any) -> None:
    profiles(60)
    ClusteringTurn.objects.create(pk=1, claimed_at=timezone.now())
    with pytest.raises(StateError):
        clustering.cluster_shoppers()
    tasks.cluster_shoppers()
    assert not Clustering.objects.exists()
    ClusteringTurn.objects.update(claimed_at=timezone.now() - timedelta(hours=1))
    tasks.cluster_shoppers()
    assert Clustering.objects.count() == 1
    assert ClusteringTurn.objects.get().claimed_at is None


def test_the_task_works_once_a_day_after_the_profiles(profiles: Any) -> None:
    tasks.cluster_shoppers()
    profiles(200)
    ProfileRefresh.objects.update(full_at=timezone.now() - timedelta(days=2))
    tasks.cluster_shoppers()
    assert not Clustering.objects.exists()
    ProfileRefresh.objects.update(full_at=timezone.now())
    for _turn in range(3):
        tasks.cluster_shoppers()
    assert Clustering.objects.count() == 1
    Clustering.objects.update(at=timezone.now() - timedelta(days=1, minutes=1))
    tasks.cluster_shoppers()
    assert Clustering.objects.count() == 2


def test_a_shop_that_grew_is_grouped_again(profiles: Any) -> None:
    profiles(30)
    tasks.cluster_shoppers()
    profiles(200, seed=1)
    tasks.cluster_shoppers()
    assert list(Clustering.objects.order_by("pk").values_list("n_clusters", flat=True)) == [0, 2]


def test_a_shop_that_lost_its_shoppers_loses_its_groups(profiles: Any) -> None:
    profiles(100)
    tasks.cluster_shoppers()
    Shopper.objects.all().delete()
    ProfileRefresh.objects.update(refreshed_at=timezone.now())
    for _turn in range(2):
        tasks.cluster_shoppers()
    assert list(Clustering.objects.order_by("pk").values_list("n_clusters", flat=True)) == [2, 0]


def test_the_command_answers_as_json(profiles: Any) -> None:
    profiles(100)
    out = StringIO()
    call_command("cluster_shoppers", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["groups"] == {"1": 50, "2": 50}
    assert answer["shoppers"] == 100
