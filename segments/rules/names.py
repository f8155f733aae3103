"""Names of the segments, lists, campaigns and groups that rules mention."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from segments import cluster_words, mails
from segments.fields import CLUSTER, FIELDS
from segments.models import Clustering, Segment, ShopperList
from segments.rules.references import conditions


@dataclass
class Names:
    """Names of what rules mention, by uuid as text; groups of similar shoppers by number."""

    segments: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    campaigns: dict[str, str] = field(default_factory=dict)
    clusters: dict[int, str] = field(default_factory=dict)


def names_in(rules: Iterable[dict[str, Any]]) -> Names:
    """Look up what valid rules mention; at most one query per kind, none where nothing is mentioned."""
    named: dict[str, set[str]] = {"segment": set(), "list": set(), "campaign": set()}
    groups = False
    for rule in rules:
        for one in conditions(rule):
            groups = groups or ("field" in one and FIELDS[one["field"]].kind == CLUSTER)
            for kind in named.keys() & one.keys():
                named[kind].add(one[kind])
    segments = Segment.objects.filter(uuid__in=named["segment"]) if named["segment"] else ()
    lists = ShopperList.objects.filter(uuid__in=named["list"]) if named["list"] else ()
    campaigns = mails.names(map(UUID, named["campaign"])) if named["campaign"] else {}
    newest = Clustering.objects.order_by("-at", "-pk").first() if groups else None
    return Names(
        {str(one.uuid): one.name for one in segments},
        {str(one.uuid): one.name for one in lists},
        {str(uuid): name for uuid, name in campaigns.items()},
        cluster_words.names(newest.clusters.order_by("number")) if newest else {},
    )
