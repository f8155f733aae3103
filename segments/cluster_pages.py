"""What the page of groups shows, and the segments that they suggest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from behaviour.models import Shop
from mailai.ui import numbers
from mailai.ui.charts import Chart, Series, bars, sideways
from segments import cluster_words, clustering
from segments.core.matching import CLEAR
from segments.models import Cluster, Segment

MOST_SUGGESTED = 4
LONGEST_LABEL, FEW_BARS = 22, 5


def rule(number: int) -> dict[str, Any]:
    """Return the rule that finds a group."""
    return {"all": [{"field": "cluster", "op": "=", "value": number}]}


def page() -> dict[str, Any]:
    """Return the groups side by side, or why there are none; costs the same however many shoppers."""
    newest = clustering.newest()
    context: dict[str, Any] = {"clustering": newest, "why_none": cluster_words.why_none(newest)}
    if newest is None or not newest.n_clusters:
        return context
    groups, currency = list(newest.clusters.order_by("number")), Shop.current().currency
    called, segments = cluster_words.names(groups), _segments()
    names = [name for name in cluster_words.FIGURES if any(_mean(one, name) is not None for one in groups)]
    rows = [
        {
            "cluster": one, "name": called[one.number], "share": one.size / max(newest.n_shoppers, 1),
            "cells": [_cell(one, name, currency) for name in names], "segment": segments.get(one.number),
        }
        for one in groups
    ]  # fmt: skip
    return context | {
        "rows": rows, "figures": [cluster_words.FIGURES[name] for name in names],
        "sure": cluster_words.how_sure(newest), "charts": _charts(groups, called, newest.n_shoppers),
    }  # fmt: skip


def suggested() -> list[dict[str, Any]]:
    """Return groups that no segment asks for yet, those that spend most first."""
    newest = clustering.newest()
    if newest is None or not newest.n_clusters:
        return []
    groups, taken = list(newest.clusters.order_by("number")), _segments()
    called, currency = cluster_words.names(groups), Shop.current().currency
    free = [one for one in groups if one.number not in taken]
    free.sort(key=lambda one: -(_mean(one, "spending") or 0) * one.size)
    return [
        {"cluster": one, "name": called[one.number], "spent": _cell(one, "spending", currency)["text"]}
        for one in free[:MOST_SUGGESTED]
    ]


def _segments() -> dict[int, Segment]:
    """Return the segments whose rule is nothing but a group, by its number."""
    found = {}
    for segment in Segment.objects.order_by("-pk"):
        asked = segment.rule.get("all") if isinstance(segment.rule, dict) else None
        number = asked[0].get("value") if isinstance(asked, list) and len(asked) == 1 else None
        if isinstance(number, int) and segment.rule == rule(number):
            found[number] = segment
    return found


def _mean(cluster: Cluster, name: str) -> float | None:
    mean = cluster.centre.get(name, {}).get("mean")
    return None if mean is None else float(mean)


def _cell(cluster: Cluster, name: str, currency: str) -> dict[str, str]:
    score = cluster.centre.get(name, {}).get("score", 0.0)
    mark = "" if abs(score) < CLEAR else "up" if score > 0 else "down"
    return {"text": cluster_words.figure(name, _mean(cluster, name), currency), "mark": mark}


def _charts(groups: Sequence[Cluster], called: dict[int, str], n_shoppers: int) -> list[Chart]:
    """Return how many shoppers each group has, and how much of what was spent."""
    spent = [max(_mean(one, "spending") or 0.0, 0.0) * one.size for one in groups]
    shares = [one.size / max(n_shoppers, 1) for one in groups]
    of_money = [one / max(sum(spent), 1e-9) for one in spent]
    titles = [called[one.number] for one in groups]
    largest, richest = (max(range(len(groups)), key=values.__getitem__) for values in (shares, of_money))
    largest_of = {"name": titles[largest], "share": numbers.percent(shares[largest])}
    richest_of = {"name": titles[richest], "share": numbers.percent(of_money[richest])}
    return [
        _chart(
            "group-sizes", titles, shares, colour="c1", column=_("Shoppers"),
            finding=_("“%(name)s” is the largest group: %(share)s of the shoppers") % largest_of,
            why=_("Share of the shoppers with an order."),
        ),
        _chart(
            "group-spending", titles, of_money, colour="c2", column=_("Spent"),
            finding=_("“%(name)s” spends most: %(share)s of all") % richest_of,
            why=_("Share of all that was spent, refunds taken off."),
        ),
    ]  # fmt: skip


def _chart(
    name: str, titles: list[str], shares: list[float], *, colour: str, column: str, finding: str, why: str
) -> Chart:
    labels = [one if len(one) <= LONGEST_LABEL else f"{one[: LONGEST_LABEL - 1]}…" for one in titles]
    # Two long names may be cut to the same label, which would make one bar of them.
    labels = [f"{one} {place}" if labels.count(one) > 1 else one for place, one in enumerate(labels, 1)]
    said = numbers.listed(f"{title} {numbers.percent(share)}" for title, share in zip(titles, shares, strict=True))
    return Chart(
        id=name, finding=finding, explanation=why, label=said,
        columns=[pgettext("of similar shoppers", "Group"), column],
        figure=sideways(bars([Series(column, labels, shares, colour)], y_format=".0%")),
        rows=[(title, numbers.percent(share)) for title, share in zip(titles, shares, strict=True)],
        height=200 if len(titles) <= FEW_BARS else 280,
    )  # fmt: skip
